//! Hashes that are too large for a page: answers that go on outside the lock, and fields that
//! expire in the midst of it.

use resp::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;
use testkit::{Node, Options};

/// Enough for a table of several segments, and for answers in several steps.
const LEN: usize = 4321;

fn pair(index: usize) -> (Vec<u8>, Vec<u8>) {
    (format!("field {index}").into_bytes(), index.to_string().into_bytes())
}

fn filled() -> Node {
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    let pairs: Vec<_> = (0..LEN).map(pair).collect();
    for piece in pairs.chunks(100) {
        let mut words: Vec<&[u8]> = vec![b"HSET", b"h"];
        words.extend(piece.iter().flat_map(|(field, value)| [field.as_slice(), value.as_slice()]));
        node.send(&mut session, &words);
    }
    node
}

/// The flat array of texts that a RESP2 client gets.
fn ask(node: &mut Node, line: &str) -> Vec<Vec<u8>> {
    let mut session = node.session();
    let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
    let Some(Value::Array(items)) = node.send(&mut session, &words) else { panic!("{line}") };
    let text = |item| match item {
        Value::Bulk(text) => text,
        other => panic!("{line}: {other:?}"),
    };
    items.into_iter().map(text).collect()
}

fn ask_pairs(node: &mut Node, line: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let flat = ask(node, line);
    let pairs: BTreeMap<_, _> =
        flat.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    assert_eq!(pairs.len() * 2, flat.len(), "no field twice");
    pairs
}

/// Lets every third field expire; answers what is left then.
fn expire_a_third(node: &mut Node) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut session = node.session();
    let due: Vec<_> = (0..LEN).step_by(3).map(|index| pair(index).0).collect();
    let count = due.len().to_string();
    let mut words: Vec<&[u8]> = vec![b"HPEXPIRE", b"h", b"10", b"FIELDS", count.as_bytes()];
    words.extend(due.iter().map(Vec::as_slice));
    node.send(&mut session, &words);
    node.advance_ms(10);
    (0..LEN).filter(|index| !index.is_multiple_of(3)).map(pair).collect()
}

#[test]
fn long_answers_are_whole() {
    let mut node = filled();
    for round in 0..2 {
        let all = match round {
            0 => (0..LEN).map(pair).collect(),
            _ => expire_a_third(&mut node),
        };
        assert!(ask_pairs(&mut node, "HGETALL h") == all);
        let keys: BTreeSet<_> = ask(&mut node, "HKEYS h").into_iter().collect();
        assert!(keys.iter().eq(all.keys()));
        let values: BTreeSet<_> = ask(&mut node, "HVALS h").into_iter().collect();
        assert!(values == all.values().cloned().collect());
        assert!(ask_pairs(&mut node, "HRANDFIELD h 100000 WITHVALUES") == all);
        for count in [5, 999, 1001, 2000] {
            let some = ask_pairs(&mut node, &format!("HRANDFIELD h {count} WITHVALUES"));
            assert_eq!(some.len(), count);
            assert!(some.iter().all(|(field, value)| all.get(field) == Some(value)));
        }
        let drawn = ask(&mut node, "HRANDFIELD h -10000");
        assert!(drawn.len() == 10_000 && drawn.iter().all(|field| all.contains_key(field)));
        assert!(drawn.into_iter().collect::<BTreeSet<_>>().len() > all.len() / 2);
    }
    node.check_replay().unwrap();
}

#[test]
fn a_walk_meets_every_field() {
    let mut node = filled();
    let all = expire_a_third(&mut node);
    let (mut cursor, mut met) = (b"0".to_vec(), BTreeMap::new());
    loop {
        let mut session = node.session();
        let reply = node.send(&mut session, &[b"HSCAN", b"h", &cursor, b"COUNT", b"50"]);
        let Some(Value::Array(parts)) = reply else { panic!("{reply:?}") };
        let [Value::Bulk(next), Value::Array(items)] = &parts[..] else { panic!("{parts:?}") };
        for pair in items.chunks_exact(2) {
            let [Value::Bulk(field), Value::Bulk(value)] = pair else { panic!("{pair:?}") };
            met.insert(field.clone(), value.clone());
        }
        if next == b"0" {
            break;
        }
        cursor.clone_from(next);
    }
    assert!(met == all);
}

#[test]
fn a_write_that_meets_expired_fields_tells_the_journal() {
    let mut node = filled();
    expire_a_third(&mut node);
    let mut session = node.session();
    for line in ["HSETNX h field§0 new", "HINCRBY h field§3 1", "HDEL h field§6 field§7", "HLEN h"]
    {
        let words: Vec<_> = line.split(' ').map(|word| word.replace('§', " ")).collect();
        let words: Vec<_> = words.iter().map(String::as_bytes).collect();
        let reply = node.send(&mut session, &words);
        let expect = if line.starts_with("HLEN") { LEN as i64 - 2 } else { 1 };
        assert_eq!(reply, Some(Value::Integer(expect)), "{line}");
    }
    let text = String::from_utf8_lossy(node.journal()).into_owned();
    assert!(text.contains("HDEL\r\n$1\r\nh\r\n$7\r\nfield 0\r\n"));
    node.check_replay().unwrap();
}

/// What HIMPORT prepares is one connection's, and counts as its memory.
#[test]
fn prepared_fields_belong_to_a_connection() {
    let mut node = Node::new(Options::default());
    let (mut first, mut second) = (node.session(), node.session());
    let bytes = |session: &command::Session| session.card.fieldset_bytes.load(Relaxed);
    let ok = |reply: Option<Value>| assert_eq!(reply, Some(Value::Simple(b"OK".to_vec())));
    let refused = |reply: Option<Value>| {
        assert_eq!(reply, Some(Value::Error(b"ERR no such fieldset".to_vec())));
    };
    ok(node.send(&mut first, &[b"HIMPORT", b"PREPARE", b"f", b"a", b"bb"]));
    let one = bytes(&first);
    assert!(one > 0);
    refused(node.send(&mut second, &[b"HIMPORT", b"SET", b"h", b"f", b"1", b"2"]));
    ok(node.send(&mut first, &[b"HIMPORT", b"SET", b"h", b"f", b"1", b"2"]));
    ok(node.send(&mut first, &[b"HIMPORT", b"PREPARE", b"g", b"c", b"dd"]));
    assert_eq!(bytes(&first), 2 * one);
    ok(node.send(&mut first, &[b"HIMPORT", b"PREPARE", b"g", b"e", b"ff"]));
    assert_eq!(bytes(&first), 2 * one);
    // A script has none, and leaves none.
    let script =
        b"redis.call('HIMPORT', 'PREPARE', 'own', 'a') return redis.pcall('HIMPORT', 'SET', \
                   KEYS[1], 'f', '1', '2')";
    refused(node.send(&mut first, &[b"EVAL", script, b"1", b"h"]));
    assert_eq!(bytes(&first), 2 * one);
    refused(node.send(&mut first, &[b"HIMPORT", b"SET", b"h", b"own", b"1"]));
    ok(node.send(&mut first, &[b"HIMPORT", b"SET", b"h", b"f", b"1", b"2"]));
    node.send(&mut first, &[b"HIMPORT", b"DISCARD", b"f"]);
    assert_eq!(bytes(&first), one);
    node.send(&mut first, &[b"RESET"]);
    assert_eq!(bytes(&first), 0);
    refused(node.send(&mut first, &[b"HIMPORT", b"SET", b"h", b"g", b"1", b"2"]));
    node.check_replay().expect("the journal tells of whole hashes");
}

/// Ranges of names over a table, gathered and answered in steps.
#[test]
fn ranges_by_name_are_sorted_and_limited() {
    let mut node = filled();
    let all = expire_a_third(&mut node);
    let flat = |pairs: Vec<(&Vec<u8>, &Vec<u8>)>| -> Vec<Vec<u8>> {
        pairs.into_iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect()
    };
    assert_eq!(ask(&mut node, "HRANGEBYLEX h - +"), flat(all.iter().collect()));
    assert_eq!(ask(&mut node, "HRANGEBYLEX h + - REV"), flat(all.iter().rev().collect()));
    let some = all.iter().skip(100).take(1500).collect();
    assert_eq!(ask(&mut node, "HRANGEBYLEX h - + LIMIT 100 1500"), flat(some));
    let some = all.iter().rev().skip(5).take(7).collect();
    assert_eq!(ask(&mut node, "HRANGEBYLEX h + - LIMIT 5 7 REV"), flat(some));
    assert!(ask(&mut node, "HRANGEBYLEX h (x +").is_empty());
}
