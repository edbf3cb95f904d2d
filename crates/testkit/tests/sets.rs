//! Sets that are too large for a page, of which members expire in the midst of answers.

use resp::Value;
use std::collections::BTreeSet;
use testkit::{Node, Options};

/// Enough for a table of several segments, and for answers in several steps.
const LEN: usize = 4321;

fn member(index: usize) -> Vec<u8> {
    format!("member:{index}").into_bytes()
}

fn send(node: &mut Node, line: &str) -> Value {
    let mut session = node.session();
    let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
    node.send(&mut session, &words).expect("a reply")
}

fn ask(node: &mut Node, line: &str) -> Vec<Vec<u8>> {
    let Value::Array(items) = send(node, line) else { panic!("{line}") };
    let text = |item| match item {
        Value::Bulk(text) => text,
        other => panic!("{line}: {other:?}"),
    };
    items.into_iter().map(text).collect()
}

/// A set of which every third member has expired, and what is left of it.
fn filled(shards: usize) -> (Node, BTreeSet<Vec<u8>>) {
    let mut node = Node::new(Options { shards, ..Options::default() });
    let mut session = node.session();
    for index in 0..LEN {
        let name = member(index);
        if index.is_multiple_of(3) {
            let words: [&[u8]; 4] = [b"SADDEX", b"s", b"1", &name];
            node.send(&mut session, &words);
        } else {
            let words: [&[u8]; 3] = [b"SADD", b"s", &name];
            node.send(&mut session, &words);
        }
    }
    node.advance_ms(1000);
    (node, (0..LEN).filter(|index| !index.is_multiple_of(3)).map(member).collect())
}

#[test]
fn long_answers_hide_what_has_expired() {
    let (mut node, left) = filled(4);
    let size = Value::Integer(left.len() as i64);
    for line in [
        "SMEMBERS s",
        "SRANDMEMBER s 100000",
        "SUNION s none",
        "SINTER s s",
        "SDIFF s none",
        "SORT s ALPHA",
        "ZUNION 2 s none",
        "ZINTER 2 s s",
        "ZDIFF 2 s none",
    ] {
        let all = ask(&mut node, line);
        assert_eq!(all.len(), left.len(), "{line}");
        assert!(all.into_iter().collect::<BTreeSet<_>>() == left, "{line}");
    }
    assert!(ask(&mut node, "SRANDMEMBER s -9000").iter().all(|name| left.contains(name)));
    assert_eq!(send(&mut node, "SCARD s"), size);
    for line in ["SUNIONSTORE t s", "SINTERSTORE t s s", "SDIFFSTORE t s none", "ZUNIONSTORE t 1 s"]
    {
        assert_eq!(send(&mut node, line), size, "{line}");
    }
    node.check_replay().unwrap();
}

#[test]
fn the_sweep_deletes_and_tells() {
    for shards in [1, 8] {
        let (mut node, left) = filled(shards);
        let mut hand = node.hand(1);
        while node.engine.space.expired_elements() < (LEN - left.len()) as u64 {
            hand.sweep();
        }
        assert_eq!(node.engine.space.size(0).subexpiry, 0);
        assert!(ask(&mut node, "SMEMBERS s").into_iter().collect::<BTreeSet<_>>() == left);
        node.check_replay().unwrap();
        // With its last member goes the key.
        send(&mut node, "SADDEX u 1 a b");
        node.advance_ms(1000);
        hand.sweep();
        assert_eq!(send(&mut node, "EXISTS u"), Value::Integer(0));
        assert_eq!(node.engine.space.size(0).keys, 1);
        node.check_replay().unwrap();
    }
}

#[test]
fn writes_delete_what_they_meet_expired() {
    let (mut node, left) = filled(4);
    assert_eq!(send(&mut node, "SREM s member:0 member:1"), Value::Integer(1));
    assert_eq!(send(&mut node, "SADD s member:3 member:4"), Value::Integer(1));
    assert_eq!(send(&mut node, "SMOVE s t member:6"), Value::Integer(0));
    assert_eq!(send(&mut node, "SCARD s"), Value::Integer(left.len() as i64));
    let popped = ask(&mut node, "SPOP s 100000");
    assert_eq!(popped.len(), left.len());
    assert_eq!(send(&mut node, "EXISTS s"), Value::Integer(0));
    node.check_replay().unwrap();
}
