//! Strings with tags, under random commands: a tag tells one value from another, and what there is
//! comes back from the journal and from a file, tags included.

use command::Session;
use resp::Value;
use std::collections::BTreeMap;
use stdx::rng::Rng;
use testkit::{Node, Options, framed};

const KEYS: [&str; 3] = ["a", "b", "c"];

fn send(node: &mut Node, session: &mut Session, line: &str) -> Value {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    node.send(session, &words).expect("a reply")
}

/// The tag and the value of a string.
fn tagged(node: &mut Node, session: &mut Session, key: &str) -> Option<(i64, Value)> {
    match send(node, session, &format!("GETWITHETAG {key}")) {
        Value::Array(mut both) => {
            let (value, tag) = (both.pop().expect("a value"), both.pop().expect("a tag"));
            let Value::Integer(tag) = tag else { panic!("{tag:?}") };
            Some((tag, value))
        }
        _ => None,
    }
}

/// A command that changes a value, or may.
fn line(rng: &mut Rng) -> String {
    let (key, other) = (KEYS[rng.index(KEYS.len())], KEYS[rng.index(KEYS.len())]);
    let (number, tag) = (rng.below(300), rng.below(12));
    let expiry = ["", " EX 100", " PX 30", " PXAT 1"][rng.index(4)];
    match rng.below(34) {
        0..=3 => format!("SETWITHETAG {key} {number}{expiry}"),
        4..=6 => format!("SETIFMATCH {key} {number} {tag}{expiry}"),
        7..=8 => format!("SETIFGREATER {key} {number}x {tag}{expiry}"),
        9 => format!("DELIFGREATER {key} {tag}"),
        10 => format!("SET {key} {number} WITHETAG KEEPTTL"),
        11 => format!("SET {key} {number} XX WITHETAG{expiry}"),
        12 => format!("SET {key} {number}"),
        13 => format!("APPEND {key} {number}"),
        14 => format!("SETRANGE {key} {number} x"),
        15..=16 => format!("INCR {key}"),
        17 => format!("INCRBYFLOAT {key} 1.5"),
        18 => format!("INCREX {key}{expiry}"),
        19 => format!("SETBIT {key} {tag} 1"),
        20 => format!("BITFIELD {key} SET u8 8 {tag}"),
        21 => format!("EXPIRE {key} 100"),
        22 => format!("PERSIST {key}"),
        23 => format!("RENAME {key} {other} WITHETAG"),
        24 => format!("COPY {key} {other} REPLACE"),
        25 => format!("GETEX {key} PX 50"),
        26 => format!("SETRANGE {key} 20000 {number}"),
        27 => format!("DEL {key}"),
        30..=31 => format!("PREPEND {key} {number}"),
        32 => format!("CAS {key} {tag} {number}{expiry}"),
        33 => format!("STICK {key}"),
        28 => format!("SET {key} {number} IFEQ 7 WITHETAG"),
        _ => format!("BITOP NOT {key} {other}"),
    }
}

#[test]
fn a_tag_changes_with_the_value_and_comes_back() {
    for seed in 0..150 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut node = Node::new(Options { shards: 1 << rng.below(3), ..Options::default() });
        let mut session = node.session();
        // Since the key was there last: its tags, each with its value.
        let mut seen: BTreeMap<&str, BTreeMap<i64, Value>> = BTreeMap::new();
        for _ in 0..120 {
            let line = line(&mut rng);
            send(&mut node, &mut session, &line);
            node.advance_ms(rng.below(8) as i64);
            for key in KEYS {
                let known = seen.entry(key).or_default();
                let Some((tag, value)) = tagged(&mut node, &mut session, key) else {
                    known.clear();
                    continue;
                };
                // A key that comes anew, or gets another's value whole, may have any tag.
                if tag == 0 || line.starts_with("COPY") || line.starts_with("SETIFGREATER") {
                    known.clear();
                }
                if tag != 0 {
                    let was = known.insert(tag, value.clone());
                    assert!(was.is_none_or(|was| was == value), "{line}: {key} {tag}");
                    let newest = known.last_key_value().map(|(tag, _)| *tag);
                    assert_eq!(newest, Some(tag), "{line}: {key}");
                }
            }
        }
        node.check_replay().unwrap();
        node.check_reload().unwrap();
    }
}

#[test]
fn a_long_string_has_its_tag_in_a_snapshot_that_is_read_in_slices() {
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    let long = vec![b'x'; 5 << 20];
    node.send(&mut session, &[b"SETIFGREATER", b"long", &long, b"1234567"]);
    send(&mut node, &mut session, "SETWITHETAG short v EX 100");
    let mut snapshot = node.begin_snapshot(|_| {});
    // What comes after the cut is not in it.
    send(&mut node, &mut session, "APPEND long y");
    send(&mut node, &mut session, "SET short w");
    let mut body = Vec::new();
    while snapshot.read(&mut body, 100_000) {}
    let mut copy = node.sibling();
    copy.load(&framed(&body)).unwrap();
    let mut session = copy.session();
    let whole = (1_234_567, Value::Bulk(long));
    assert!(tagged(&mut copy, &mut session, "long") == Some(whole));
    assert!(tagged(&mut copy, &mut session, "short") == Some((1, Value::Bulk(b"v".to_vec()))));
    assert_eq!(send(&mut copy, &mut session, "TTL short"), Value::Integer(100));
}
