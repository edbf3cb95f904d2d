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

/// A set of which every third member has expired, and what is left of it, in order.
fn expired(shards: usize) -> (Node, Vec<usize>) {
    let mut node = filled(Options { shards, ..Options::default() });
    let mut session = node.session();
    for index in (0..LEN).step_by(3) {
        let name = member(index);
        let words: [&[u8]; 6] = [b"ZEXPIRE", b"z", b"1", b"MEMBERS", b"1", &name];
        assert_eq!(node.send(&mut session, &words), Some(Value::Array(vec![Value::Integer(1)])));
    }
    node.advance_ms(1000);
    (node, (0..LEN).filter(|index| !index.is_multiple_of(3)).collect())
}

fn integer(node: &mut Node, line: &str) -> i64 {
    let mut session = node.session();
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    match node.send(&mut session, &words) {
        Some(Value::Integer(number)) => number,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn long_answers_hide_what_has_expired() {
    let (mut node, left) = expired(4);
    let all = bulks(left.iter().copied());
    let size = left.len() as i64;
    for line in
        ["ZRANGE z 0 -1", "ZUNION 2 z none", "ZINTER 2 z z", "ZDIFF 2 z none", "SORT z ALPHA"]
    {
        assert_eq!(ask(&mut node, 2, line), all, "{line}");
    }
    assert_eq!(ask(&mut node, 2, "ZRANGE z 600 1300"), all[600..=1300]);
    let mut backwards = all[100..900].to_vec();
    backwards.reverse();
    let line = format!("ZRANGE z {} {} REV", all.len() - 900, all.len() - 101);
    assert_eq!(ask(&mut node, 2, &line), backwards);
    assert_eq!(ask(&mut node, 2, "ZRANGEBYSCORE z 100 (500"), all[200..1000]);
    assert_eq!(integer(&mut node, "ZCARD z"), size);
    assert_eq!(integer(&mut node, "ZCOUNT z 100 (500"), 800);
    for line in ["ZRANDMEMBER z 100000", "ZRANDMEMBER z -9000"] {
        let drawn = ask(&mut node, 2, line);
        assert!(drawn.iter().all(|name| all.contains(name)), "{line}");
        assert_eq!(drawn.len(), if line.contains('-') { 9000 } else { all.len() });
    }
    for line in ["ZUNIONSTORE y 1 z", "ZRANGESTORE y z 0 -1", "ZINTERSTORE y 2 z z"] {
        assert_eq!(integer(&mut node, line), size, "{line}");
    }
    node.check_replay().unwrap();
}

#[test]
fn the_sweep_deletes_members_and_tells() {
    for shards in [1, 8] {
        let (mut node, left) = expired(shards);
        let mut hand = node.hand(1);
        while node.engine.space.expired_elements() < (LEN - left.len()) as u64 {
            hand.sweep();
        }
        assert_eq!(node.engine.space.size(0).subexpiry, 0);
        assert_eq!(ask(&mut node, 2, "ZRANGE z 0 -1"), bulks(left.into_iter()));
        node.check_replay().unwrap();
        // With its last member goes the key.
        assert_eq!(integer(&mut node, "ZADD u 1 a 2 b"), 2);
        ask(&mut node, 2, "ZEXPIRE u 1 MEMBERS 2 a b");
        node.advance_ms(1000);
        hand.sweep();
        assert_eq!(integer(&mut node, "EXISTS u"), 0);
        assert_eq!(node.engine.space.size(0).keys, 1);
        node.check_replay().unwrap();
    }
}

#[test]
fn writes_delete_members_that_they_meet_expired() {
    let (mut node, left) = expired(4);
    let mut session = node.session();
    let (gone, stays) = (member(3), member(4));
    let words: [&[u8]; 4] = [b"ZREM", b"z", &gone, b"none"];
    assert_eq!(node.send(&mut session, &words), Some(Value::Integer(0)));
    let words: [&[u8]; 7] = [b"ZADD", b"z", b"XX", b"CH", b"1", &gone, b"1"];
    assert!(node.send(&mut session, &words).is_some_and(|reply| reply.is_error()));
    let words: [&[u8]; 8] = [b"ZADD", b"z", b"XX", b"CH", b"0.5", &gone, b"1.5", &stays];
    assert_eq!(node.send(&mut session, &words), Some(Value::Integer(1)));
    assert_eq!(integer(&mut node, "ZREMRANGEBYRANK z 0 9"), 10);
    assert_eq!(integer(&mut node, "ZREMRANGEBYSCORE z -inf (100"), 190);
    let popped = ask(&mut node, 2, "ZPOPMIN z 100000");
    assert_eq!(popped.len(), 2 * (left.len() - 200));
    assert_eq!(popped[0], Value::Bulk(member(301)));
    assert_eq!(integer(&mut node, "EXISTS z"), 0);
    node.check_replay().unwrap();
}
