//! Bytes to requests on two nodes of different shapes, for the fuzz target `engine_stateful`.
//!
//! The bytes are choices: shapes, protocols, requests (a part of them mutated, a part called by a
//! script that declares few of its keys), pauses. What holds:
//! nothing panics; each request has one well-formed reply; a failed request changes nothing, but that
//! it may delete what has expired; one
//! shard and many agree; and a replay of the journal gives the same data.

use crate::generate::{Choices, Generator, Request, Spans, Vocabulary};
use crate::{Node, Options, START_MS};
use command::{Place, Session};
use resp::Value;
use std::collections::BTreeSet;

/// What a run did.
#[derive(Debug, Default)]
pub struct Outcome {
    pub requests: u64,
    pub errors: u64,
    /// Rows of the table that were called, by position.
    pub reached: BTreeSet<u16>,
}

/// No run is longer.
const REQUESTS_MAX: u64 = 300;

/// Runs the requests that `choices` stand for. Panics if anything above does not hold.
pub fn run(choices: &mut Choices<'_>) -> Outcome {
    let shards = choices.pick(&[2, 4, 16]);
    let protocol = choices.pick(&[2, 3]);
    let one = Options { seed: 1, ..Options::default() };
    let many = Options { shards, seed: 2, ..Options::default() };
    let mut pair = [Side::new(one, protocol), Side::new(many, protocol)];
    let table = commands_table();
    let mut outcome = Outcome::default();
    while choices.left() && outcome.requests < REQUESTS_MAX {
        if choices.one_in(16) {
            let millis = choices.pick(&[1, 2, 10, 100, 1000, 100_000]);
            pair.iter_mut().for_each(|side| side.node.advance_ms(millis));
        }
        let now_ms = pair[0].node.now_ms();
        let generator = Generator::new(table, Vocabulary { now_ms, spans: Spans::Near });
        let mut requests: Vec<Request> = (0..=choices.small())
            .map(|_| {
                let mut request = generator.request(choices);
                if choices.one_in(4) {
                    generator.mutate(&mut request, choices);
                }
                request
            })
            .collect();
        if choices.one_in(6) {
            requests = vec![as_script(table, &requests, outcome.requests)];
        }
        let who = choices.below(2);
        outcome.requests += requests.len() as u64;
        outcome.reached.extend(requests.iter().map(|request| request.id));
        let [left, right] = &mut pair;
        let (ours, theirs) = (left.serve(who, &requests), right.serve(who, &requests));
        outcome.errors += ours.iter().filter(|reply| reply.is_error()).count() as u64;
        compare(table, &requests, &ours, &theirs);
    }
    finish(&pair);
    outcome
}

/// One script that makes these requests, and declares one key at most. Its text is new: that it works
/// on others is to be found out.
fn as_script(table: &command::CommandTable, requests: &[Request], number: u64) -> Request {
    const SOURCE: &str = "local at = 1
        while at < #ARGV do
            local last = at + ARGV[at]
            redis.pcall(unpack(ARGV, at + 1, last))
            at = last + 1
        end --";
    let (id, ..) = table.lookup(&[b"EVAL"]).expect("a command");
    let mut words = vec![b"EVAL".to_vec(), format!("{SOURCE} {number}").into_bytes()];
    let declared = requests.first().and_then(|request| request.words.get(1));
    words.push(usize::from(declared.is_some()).to_string().into_bytes());
    words.extend(declared.cloned());
    for request in requests {
        words.push(request.words.len().to_string().into_bytes());
        words.extend(request.words.iter().cloned());
    }
    Request { id, words }
}

/// The table, built once: it is the same for all nodes.
fn commands_table() -> &'static command::CommandTable {
    static TABLE: std::sync::OnceLock<command::CommandTable> = std::sync::OnceLock::new();
    TABLE.get_or_init(|| command::CommandTable::new(commands::FAMILIES))
}

/// One node and its two clients.
struct Side {
    node: Node,
    sessions: [Session; 2],
    protocol: u8,
}

impl Side {
    fn new(options: Options, protocol: u8) -> Self {
        let node = Node::new(Options { now_ms: START_MS, ..options });
        let sessions = [node.session_of(protocol), node.session_of(protocol)];
        Self { node, sessions, protocol }
    }

    /// Sends a pipeline; replies may be fewer if the client was closed or wants none.
    fn serve(&mut self, who: usize, requests: &[Request]) -> Vec<Value> {
        let mut input = Vec::new();
        requests.iter().for_each(|request| request.encode(&mut input));
        let session = &mut self.sessions[who];
        if session.close_after_reply {
            *session = self.node.session_of(self.protocol);
        }
        let before = (requests.len() == 1).then(|| self.node.visible());
        let bytes = self.node.send_bytes(session, &input);
        let (mut replies, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            match resp::parse_reply(&bytes[at..]) {
                Ok(Some((value, size))) => {
                    // What comes unasked, to a client that tracks keys, or before the reply to a
                    // script that was debugged.
                    if !matches!(value, Value::Push(_)) && !ends_debugging(&value) {
                        replies.push(value);
                    }
                    at += size;
                }
                other => panic!(
                    "{other:?} at {at} of the replies {} to {}",
                    bytes.escape_ascii(),
                    show(requests)
                ),
            }
        }
        assert!(replies.len() <= requests.len(), "{} replies to {}", replies.len(), show(requests));
        if let (Some(before), [Value::Error(text)]) = (before, &replies[..]) {
            let difference = before.difference(&self.node.visible(), true);
            let text = String::from_utf8_lossy(text);
            assert!(difference.is_empty(), "{}: {text}, yet\n{difference}", show(requests));
        }
        replies
    }
}

/// Whether this is the last that the debugger of scripts says.
fn ends_debugging(reply: &Value) -> bool {
    let Value::Array(lines) = reply else { return false };
    matches!(lines.last(), Some(Value::Simple(line)) if line == b"<endsession>")
}

/// Holds the replies of both sides against each other, where they may not differ.
fn compare(table: &command::CommandTable, requests: &[Request], ours: &[Value], theirs: &[Value]) {
    assert_eq!(ours.len(), theirs.len(), "{}", show(requests));
    // With CLIENT REPLY it is not known whose replies are left.
    if ours.len() != requests.len() {
        return;
    }
    for ((request, ours), theirs) in requests.iter().zip(ours).zip(theirs) {
        let row = table.entry(request.id).row;
        if row.place == Place::Data && !row.tips.contains(&"nondeterministic_output") {
            let any_order = row.tips.contains(&"nondeterministic_output_order");
            let equal = ours == theirs || any_order && sorted(ours) == sorted(theirs);
            assert!(equal, "one shard and many on {request}: {ours:?} {theirs:?}");
        } else {
            assert_eq!(
                ours.is_error(),
                theirs.is_error(),
                "{request}: {ours:?} {theirs:?} in {}",
                show(requests)
            );
        }
    }
}

/// The elements of a list or a map in an order that does not depend on the node.
fn sorted(reply: &Value) -> Vec<String> {
    let text = |element: &Value| format!("{element:?}");
    let mut elements: Vec<_> = match reply {
        Value::Array(elements) | Value::Set(elements) => elements.iter().map(text).collect(),
        Value::Map(pairs) => pairs.iter().map(|(key, value)| text(key) + &text(value)).collect(),
        other => vec![text(other)],
    };
    elements.sort_unstable();
    elements
}

fn show(requests: &[Request]) -> String {
    requests.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn finish(pair: &[Side; 2]) {
    for side in pair {
        if let Err(fault) = side.node.check_replay() {
            panic!("{fault}");
        }
    }
    let difference = pair[0].node.snapshot().difference(&pair[1].node.snapshot(), true);
    assert!(difference.is_empty(), "one shard / many:\n{difference}");
}
