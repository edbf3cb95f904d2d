//! The grammar of each row against its handler: what is generated from it is valid, what is one
//! word beside it fails without a trace, and all of it replays.

use std::collections::BTreeMap;
use testkit::generate::{Choices, Generator, LEFT_OUT, Spans, Vocabulary};
use testkit::{Node, Options, START_MS};

const VOCABULARY: Vocabulary = Vocabulary { now_ms: START_MS, spans: Spans::Near };

/// Valid by the grammar, and still refused as a fault of form: full name, how the text begins,
/// reason.
const REFUSED: &[(&str, &str, &str)] = &[
    ("acl|cat", "ERR Unknown category", "categories are words of their own"),
    ("client|list", "ERR Unknown capa", "capabilities are letters of their own"),
    ("client|list", "ERR Unknown flags", "flags are letters of their own"),
    ("failover", "ERR syntax error", "ABORT stands alone"),
    ("geosearch", "ERR syntax error", "a count says how many corners follow"),
    ("geosearchstore", "ERR syntax error", "a count says how many corners follow"),
    ("hsetex", "ERR wrong number of arguments", "a count says how many fields follow"),
    ("restore", "ERR syntax error", "IDLETIME and FREQ exclude each other"),
    ("restore-asking", "ERR syntax error", "IDLETIME and FREQ exclude each other"),
    ("xackdel", "ERR syntax error", "a count says how many IDs follow"),
    ("xdelex", "ERR syntax error", "a count says how many IDs follow"),
    ("zinter", "ERR syntax error", "there are as many weights as keys"),
    ("zinterstore", "ERR syntax error", "there are as many weights as keys"),
    ("zunion", "ERR syntax error", "there are as many weights as keys"),
    ("zunionstore", "ERR syntax error", "there are as many weights as keys"),
    ("increx", "ERR syntax error", "PERSIST and ENX exclude each other"),
    ("keydb.cron", "ERR syntax error", "a script that is a number is taken for the interval"),
    ("memory|usage", "ERR syntax error", "a negative SAMPLES is one in all servers"),
    ("rm", "ERR unknown type name", "types are words of their own"),
    ("rm", "ERR syntax error", "a COUNT below 1 is one in all servers"),
    ("scan", "ERR unknown type name", "types are words of their own"),
    ("scan", "ERR syntax error", "a COUNT below 1 is one in all servers"),
];

/// Errors by which a handler says that the request has not the form it should have.
fn is_of_syntax(text: &str) -> bool {
    text == "ERR syntax error"
        || text.starts_with("ERR wrong number of arguments")
        || text.starts_with("ERR unknown")
        || text.starts_with("ERR Unknown")
        || text.starts_with("ERR Invalid arguments")
}

/// Runs `count` requests of each row, changed by `change` or not, and calls `seen` with each
/// error's text.
fn each_row(seed: u64, count: usize, mutate: bool, mut seen: impl FnMut(&str, &str, &str)) -> u64 {
    let mut requests = 0;
    let mut node = Node::new(Options { shards: 4, ..Options::default() });
    let table = node.engine.clone();
    let generator = Generator::new(&table.table, VOCABULARY);
    let mut choices = Choices::seeded(seed);
    for id in generator.rows() {
        let name = &table.table.entry(id).full_name;
        let mut session = node.session();
        // No request may cost a gigabyte.
        node.send(&mut session, &[b"CONFIG", b"SET", b"proto-max-bulk-len", b"1mb"]);
        for _ in 0..count {
            // Something to work on, and what the row asks of it.
            let words: &[&[u8]] = match choices.below(6) {
                0 => &[b"SET", b"k0", b"12"],
                1 => &[b"SET", b"k1", b"hello", b"PX", b"100000"],
                2 => &[b"FLUSHALL"],
                _ => &[b"APPEND", b"k2", b"x"],
            };
            if session.close_after_reply || session.reply_mode != command::ReplyMode::On {
                session = node.session();
            }
            node.send(&mut session, words);
            let mut request = generator.request_of(id, &mut choices);
            if mutate {
                generator.mutate(&mut request, &mut choices);
            }
            let words: Vec<&[u8]> = request.words.iter().map(Vec::as_slice).collect();
            let before = node.snapshot();
            if let Some(resp::Value::Error(text)) = node.send(&mut session, &words) {
                let difference = before.difference(&node.snapshot(), true);
                assert!(difference.is_empty(), "{request} failed, yet\n{difference}");
                seen(name, &String::from_utf8_lossy(&text), &request.to_string());
            }
            requests += 1;
        }
    }
    node.check_replay().unwrap_or_else(|fault| panic!("{fault}"));
    requests
}

#[test]
fn what_the_grammar_allows_is_valid() {
    let mut faults = BTreeMap::new();
    let mut requests = 0;
    for seed in 0..4 {
        requests += each_row(seed, 60, false, |name, text, request| {
            let known =
                REFUSED.iter().any(|(row, known, _)| *row == name && text.starts_with(known));
            if is_of_syntax(text) && !known {
                faults.entry(name.to_owned()).or_insert_with(|| format!("{request}: {text}"));
            }
        });
    }
    assert!(faults.is_empty(), "{faults:#?}");
    println!("{requests} requests");
}

#[test]
fn a_wrong_word_changes_nothing() {
    let mut errors = 0;
    let requests: u64 =
        (0..4).map(|seed| each_row(100 + seed, 60, true, |_, _, _| errors += 1)).sum();
    println!("{requests} requests, {errors} errors");
    assert!(errors > requests / 10);
}

#[test]
fn what_is_left_out_is_there() {
    let node = Node::new(Options::default());
    for (name, reason) in LEFT_OUT {
        assert!(node.engine.table.find_full(name.as_bytes()).is_some(), "{name}: {reason}");
    }
}
