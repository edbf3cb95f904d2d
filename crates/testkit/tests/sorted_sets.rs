//! Sorted sets that are too long for a page: answers that go on outside the lock, walks, draws.

use resp::Value;
use std::collections::BTreeSet;
use testkit::{Node, Options};

/// Enough for several chunks, and for an answer in several steps.
const LEN: usize = 4321;

fn member(index: usize) -> Vec<u8> {
    format!("member {index:05}").into_bytes()
}

/// Members in order, three to a score.
fn filled(options: Options) -> Node {
    let mut node = Node::new(options);
    let words: Vec<_> =
        (0..LEN).flat_map(|index| [(index / 3).to_string().into_bytes(), member(index)]).collect();
    let mut session = node.session();
    for piece in words.chunks(200) {
        let mut words: Vec<&[u8]> = vec![b"ZADD", b"z"];
        words.extend(piece.iter().map(Vec::as_slice));
        node.send(&mut session, &words);
    }
    node
}

fn ask(node: &mut Node, protocol: u8, line: &str) -> Vec<Value> {
    let mut session = node.session_of(protocol);
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    match node.send(&mut session, &words) {
        Some(Value::Array(items)) => items,
        other => panic!("{line}: {other:?}"),
    }
}

fn bulks(indexes: impl Iterator<Item = usize>) -> Vec<Value> {
    indexes.map(|index| Value::Bulk(member(index))).collect()
}

#[test]
fn long_ranges_are_whole_and_in_order() {
    let mut node = filled(Options::default());
    for protocol in [2, 3] {
        let node = &mut node;
        assert_eq!(ask(node, protocol, "ZRANGE z 0 -1"), bulks(0..LEN));
        assert_eq!(ask(node, protocol, "ZRANGE z 0 -1 REV"), bulks((0..LEN).rev()));
        assert_eq!(ask(node, protocol, "ZRANGE z 1000 2000"), bulks(1000..2001));
        assert_eq!(ask(node, protocol, "ZRANGEBYSCORE z 100 (500"), bulks(300..1500));
        let limited = ask(node, protocol, "ZREVRANGEBYSCORE z 499 100 LIMIT 100 900");
        assert_eq!(limited, bulks((500..1400).rev()));
    }
    let flat = ask(&mut node, 2, "ZRANGE z 0 -1 WITHSCORES");
    assert_eq!(flat.len(), LEN * 2);
    assert_eq!(flat[LEN * 2 - 1], Value::Bulk(b"1440".to_vec()));
    let pairs = ask(&mut node, 3, "ZRANGE z 0 -1 WITHSCORES");
    assert_eq!(pairs.len(), LEN);
    let last = vec![Value::Bulk(member(LEN - 1)), Value::Double(b"1440".to_vec())];
    assert_eq!(pairs[LEN - 1], Value::Array(last));
    node.check_replay().unwrap();
}

#[test]
fn a_walk_meets_every_member_that_stays() {
    let mut node = filled(Options::default());
    let mut session = node.session();
    let mut met = BTreeSet::new();
    let (mut cursor, mut calls) = (b"0".to_vec(), 0);
    loop {
        let reply = node.send(&mut session, &[b"ZSCAN", b"z", &cursor, b"COUNT", b"50"]);
        let Some(Value::Array(parts)) = reply else { panic!("{reply:?}") };
        let [Value::Bulk(next), Value::Array(items)] = &parts[..] else { panic!("{parts:?}") };
        met.extend(items.iter().step_by(2).map(|item| format!("{item:?}")));
        cursor.clone_from(next);
        calls += 1;
        if cursor == b"0" {
            break;
        }
        // Meanwhile members come, go, and change their places.
        let stays = member(calls * 37 % LEN);
        node.send(&mut session, &[b"ZADD", b"z", b"9999", &stays, b"-1", b"new"]);
        node.send(&mut session, &[b"ZREM", b"z", b"new"]);
    }
    let all: BTreeSet<String> = bulks(0..LEN).iter().map(|item| format!("{item:?}")).collect();
    assert!(met.is_superset(&all));
    assert!(calls > 40, "{calls} calls");
}

#[test]
fn draws_are_as_many_as_asked_for() {
    let mut node = filled(Options::default());
    let distinct = |items: &[Value]| {
        items.iter().map(|item| format!("{item:?}")).collect::<BTreeSet<_>>().len()
    };
    let some = ask(&mut node, 2, "ZRANDMEMBER z 3000");
    assert_eq!((some.len(), distinct(&some)), (3000, 3000));
    let all = ask(&mut node, 2, "ZRANDMEMBER z 99999");
    assert_eq!((all.len(), distinct(&all)), (LEN, LEN));
    let again = ask(&mut node, 3, "ZRANDMEMBER z -6000 WITHSCORES");
    assert_eq!(again.len(), 6000);
    assert!(distinct(&again) > 2000);
}

#[test]
fn zmpop_is_told_as_what_it_did() {
    let mut node = filled(Options::default());
    let mut session = node.session();
    let before = node.journal().len();
    node.send(&mut session, &[b"ZMPOP", b"2", b"none", b"z", b"MAX", b"COUNT", b"2000"]);
    let told = String::from_utf8_lossy(&node.journal()[before..]).into_owned();
    assert!(told.contains("ZPOPMAX\r\n$1\r\nz\r\n$4\r\n2000"), "{told}");
    node.check_replay().unwrap();
}
