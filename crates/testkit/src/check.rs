//! One script, six ways: RESP2, RESP3, one shard, many shards, the replay of its journal, and the
//! data set saved as an RDB file and loaded.

use crate::node::show;
use crate::transcript::{Step, Transcript, matches, to_resp2, words};
use crate::{Node, Options, Snapshot};
use command::Session;
use resp::Value;

/// One of the ways in which a script is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub protocol: u8,
    pub shards: usize,
}

const WAYS: [Way; 4] = [
    Way { protocol: 2, shards: 1 },
    Way { protocol: 3, shards: 1 },
    Way { protocol: 2, shards: 16 },
    Way { protocol: 3, shards: 16 },
];

/// Runs commands, one a line, and compares what redis-cli would print for all of them, one after
/// the other, in every way. `expect` may use the marks of a transcript.
#[track_caller]
pub fn check(commands: &str, expect: &str) {
    for way in WAYS {
        let mut running = Running::new(way);
        let lines = commands.lines().map(str::trim).filter(|line| !line.is_empty());
        let printed = lines.map(|line| running.print(line)[0].clone());
        let printed: Vec<String> = printed.collect();
        let printed = printed.join("\n");
        let expect: Vec<&str> = expect.trim().lines().map(str::trim_end).collect();
        let expect = expect.join("\n");
        assert!(
            matches(&expect, &printed),
            "{way:?}\n{commands}\nexpected\n{expect}\ngot\n{printed}"
        );
        if let Err(error) = running.finish() {
            panic!("{way:?}\n{commands}\n{error}");
        }
    }
}

/// Runs a transcript in every way, each on an empty node. The error names the way and the line.
pub fn run_ways(transcript: &Transcript) -> Result<(), String> {
    let mut first: Option<Snapshot> = None;
    for way in WAYS {
        let mut running = Running::new(way);
        for step in &transcript.steps {
            match step {
                Step::Wait(millis) => running.node.advance_ms(*millis),
                Step::Command { line, expect, at, .. } => {
                    let printed = running.print(line);
                    if !printed.iter().any(|printed| matches(expect, printed)) {
                        let printed = &printed[0];
                        return Err(format!(
                            "line {at}, {way:?}\n> {line}\nexpected\n{expect}\ngot\n{printed}"
                        ));
                    }
                }
            }
        }
        let data = running.finish().map_err(|error| format!("{way:?}: {error}"))?;
        let before = first.get_or_insert_with(|| data.clone());
        let difference = before.difference(&data, true);
        if !difference.is_empty() {
            return Err(format!("{:?} / {way:?}\n{difference}", WAYS[0]));
        }
    }
    Ok(())
}

/// A script under way.
struct Running {
    node: Node,
    session: Session,
    way: Way,
}

impl Running {
    fn new(way: Way) -> Self {
        let node = Node::new(Options { shards: way.shards, ..Options::default() });
        let session = node.session_of(way.protocol);
        Self { node, session, way }
    }

    /// Sends one line and prints the reply as to a RESP2 client: as it is, with the pairs of a list in
    /// one row, which is how most commands answer them in RESP2, and with those of a map as a list of
    /// pairs, which is how XREAD does. A client that was closed connects again, as redis-cli does.
    fn print(&mut self, line: &str) -> [String; 3] {
        if self.session.close_after_reply || self.session.card.killed() {
            self.session = self.node.session_of(self.way.protocol);
        }
        let words = words(line);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let before = (self.node.snapshot(), self.node.journal().len());
        let replies = self.node.send_all(&mut self.session, &words);
        let name = words[0].to_ascii_uppercase();
        let runs_script = name.starts_with(b"EVAL") || name.starts_with(b"FCALL");
        if replies.iter().any(Value::is_error) && !runs_script {
            // An error may still delete what had expired; nothing that lives changes.
            let difference = before.0.difference(&self.node.snapshot(), true);
            assert!(difference.is_empty(), "{} failed and changed\n{difference}", show(&words));
        }
        let paired = replies.iter().map(|reply| to_resp2(listed_pairs(reply)).cli());
        let paired: Vec<String> = paired.collect();
        let replies: Vec<Value> = replies.into_iter().map(to_resp2).collect();
        let flat: Vec<String> = replies.iter().map(|reply| flat_pairs(reply).cli()).collect();
        let lines: Vec<String> = replies.iter().map(Value::cli).collect();
        [lines.join("\n"), flat.join("\n"), paired.join("\n")]
    }

    /// The journal, replayed into an empty node, gives the same data, and so does an RDB file.
    fn finish(self) -> Result<Snapshot, String> {
        self.node.check_replay().map_err(|fault| fault.to_string())?;
        self.node.check_reload().map_err(|fault| fault.to_string())?;
        Ok(self.node.snapshot())
    }
}

/// A map as a list of pairs; anything else as it is.
fn listed_pairs(reply: &Value) -> Value {
    let pair = |(key, value): &(Value, Value)| Value::Array(vec![key.clone(), value.clone()]);
    match reply {
        Value::Map(pairs) => Value::Array(pairs.iter().map(pair).collect()),
        other => other.clone(),
    }
}

/// A list of pairs in one row; anything else as it is.
fn flat_pairs(reply: &Value) -> Value {
    let pair = |item: &Value| match item {
        Value::Array(pair) if pair.len() == 2 => Some(pair.clone()),
        _ => None,
    };
    match reply {
        Value::Array(items) => {
            let pairs: Option<Vec<_>> = items.iter().map(pair).collect();
            pairs.map_or_else(|| reply.clone(), |pairs| Value::Array(pairs.concat()))
        }
        _ => reply.clone(),
    }
}
