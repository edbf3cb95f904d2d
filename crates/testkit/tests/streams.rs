//! Streams beyond a page: what the journal is told, and answers that go on outside the lock.

use resp::Value;
use testkit::{Node, Options};

fn send(node: &mut Node, line: &str) -> Option<Value> {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let mut session = node.session();
    node.send(&mut session, &words)
}

/// The commands of the journal behind its first `from` bytes, one a line.
fn told(node: &Node, from: usize) -> Vec<String> {
    let text =
        String::from_utf8(node.journal()[from..].to_vec()).expect("what is sent here is text");
    let commands = text.split('*').skip(1);
    let words = |command: &str| {
        let words = command.split("\r\n").skip(2).step_by(2);
        words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
    };
    let frame = |line: &str| ["SELECT", "MULTI", "EXEC"].iter().any(|word| line.starts_with(word));
    commands.map(words).filter(|line| !frame(line)).collect()
}

/// What the journal is told of one command.
fn effect(node: &mut Node, line: &str) -> Vec<String> {
    let from = node.journal().len();
    send(node, line);
    node.check_replay().expect("a replay");
    told(node, from)
}

#[test]
fn the_journal_is_told_outcomes() {
    let mut node = Node::new(Options::default());
    let now = node.now_ms();
    let cases = [
        ("XADD s * f v", vec![format!("XADD s {now}-0 f v")]),
        ("XADD s NOMKSTREAM KEEPREF * f v", vec![format!("XADD s {now}-1 f v")]),
        (&format!("XADD s {}-* f v", now + 1), vec![format!("XADD s {}-0 f v", now + 1)]),
        (&format!("XADD s {} f v", now + 2), vec![format!("XADD s {} f v", now + 2)]),
        ("XADD s MAXLEN ~ 1 LIMIT 10 * f v", vec![format!("XADD s MAXLEN = 5 {}-1 f v", now + 2)]),
        (
            "XADD s IDMP p i MAXLEN 4 * f v",
            vec![
                format!("XADD s MAXLEN = 4 {}-2 f v", now + 2),
                format!("XIDMPRECORD s p i {}-2", now + 2),
            ],
        ),
        ("XADD s IDMP p i * f v", vec![]),
        ("XTRIM s MAXLEN ~ 0", vec!["XTRIM s MAXLEN = 0".to_owned()]),
        ("XTRIM s MAXLEN 0", vec![]),
        ("XADD s 9999999999999-0 f v", vec!["XADD s 9999999999999-0 f v".to_owned()]),
        ("XGROUP CREATE s g 0", vec!["XGROUP CREATE s g 0".to_owned()]),
        (
            "XREADGROUP GROUP g alice NOACK STREAMS s >",
            vec![
                "XGROUP CREATECONSUMER s g alice".to_owned(),
                "XGROUP SETID s g 9999999999999-0 ENTRIESREAD 7".to_owned(),
            ],
        ),
        ("XREADGROUP GROUP g alice STREAMS s >", vec![]),
        (
            "XCLAIM s g bob 0 9999999999999-0 FORCE",
            vec![
                "XGROUP CREATECONSUMER s g bob".to_owned(),
                format!(
                    "XCLAIM s g bob 0 9999999999999-0 TIME {now} RETRYCOUNT 2 FORCE JUSTID \
                     LASTID 9999999999999-0"
                ),
            ],
        ),
        ("XDEL s 9999999999999-0", vec!["XDEL s 9999999999999-0".to_owned()]),
        ("XAUTOCLAIM s g bob 0 -", vec!["XACK s g 9999999999999-0".to_owned()]),
    ];
    for (line, expected) in cases {
        assert_eq!(effect(&mut node, line), expected, "{line}");
    }
}

#[test]
fn long_ranges_are_whole_and_in_order() {
    let mut node = Node::new(Options::default());
    for index in 1..=4321 {
        send(&mut node, &format!("XADD s {index}-0 n {index}"));
    }
    for index in (10..4321).step_by(10) {
        send(&mut node, &format!("XDEL s {index}-0"));
    }
    let entry = |index: &u64| {
        let words = |words: &[String]| {
            Value::Array(words.iter().map(|word| Value::Bulk(word.clone().into_bytes())).collect())
        };
        let fields = words(&["n".to_owned(), index.to_string()]);
        Value::Array(vec![Value::Bulk(format!("{index}-0").into_bytes()), fields])
    };
    let array = |indexes: &[u64]| Some(Value::Array(indexes.iter().map(entry).collect()));
    let there: Vec<u64> = (1..=4321).filter(|index| index % 10 != 0).collect();
    let reverse: Vec<u64> = there.iter().rev().copied().collect();
    assert_eq!(send(&mut node, "XRANGE s - +"), array(&there));
    assert_eq!(send(&mut node, "XREVRANGE s + -"), array(&reverse));
    assert_eq!(send(&mut node, "XRANGE s - + COUNT 1500"), array(&there[..1500]));
    assert_eq!(send(&mut node, "XREVRANGE s + (2 COUNT 2500"), array(&reverse[..2500]));
    let all = Value::Array(there.iter().map(entry).collect());
    let stream = Value::Array(vec![Value::Bulk(b"s".to_vec()), all]);
    assert_eq!(send(&mut node, "XREAD STREAMS s 0"), Some(Value::Array(vec![stream])));
    node.check_replay().unwrap();
    node.check_reload().unwrap();
}

#[test]
fn idempotent_names_are_forgotten_in_time() {
    let mut node = Node::new(Options::default());
    let first = send(&mut node, "XADD s IDMP p i * f v");
    node.advance_ms(99_999);
    assert_eq!(send(&mut node, "XADD s IDMP p i * f v"), first);
    node.advance_ms(1);
    let second = send(&mut node, "XADD s IDMP p i * f v");
    assert_ne!(second, first);
    assert_eq!(send(&mut node, "XLEN s"), Some(Value::Integer(2)));
    node.check_replay().unwrap();
    // What the content says it is called does not depend on the order of the fields.
    let third = send(&mut node, "XADD s IDMPAUTO p * a 1 b 2");
    assert_eq!(send(&mut node, "XADD s IDMPAUTO p * b 2 a 1"), third);
    assert_ne!(send(&mut node, "XADD s IDMPAUTO q * b 2 a 1"), third);
    node.check_replay().unwrap();
}

/// Redis writes XADD with the name and with the ID, which no client may send.
#[test]
fn a_journal_of_redis_names_what_it_adds() {
    let mut journal = Vec::new();
    for line in [
        "XADD s IDMP p i 5-1 f v",
        "XADD s IDMPAUTO p 6-0 f v",
        "XADD s IDMPAUTO p 7-0 f v",
        "XADD s IDMP p i MAXLEN = 3 8-0 f v",
    ] {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        resp::write_command(&mut journal, &words);
    }
    let mut node = Node::new(Options::default());
    node.replay(&journal).unwrap();
    assert_eq!(send(&mut node, "XLEN s"), Some(Value::Integer(3)));
    assert!(matches!(send(&mut node, "XADD s IDMP p j 9-0 f v"), Some(Value::Error(_))));
    let head = send(&mut node, "XINFO STREAM s").expect("a reply").cli();
    assert!(head.contains("iids-added\"\n24) (integer) 4"), "{head}");
    node.check_replay().unwrap();
}

/// Also where the IDs of the entries lie ahead of the clock.
#[test]
fn idempotent_names_go_by_the_clock() {
    let mut node = Node::new(Options::default());
    let ahead = |seq: u64| Some(Value::Bulk(format!("99999999999999-{seq}").into_bytes()));
    let first = send(&mut node, "XADD s IDMP p i * f v");
    assert_eq!(send(&mut node, "XADD s 99999999999999-1 f v"), ahead(1));
    assert_eq!(send(&mut node, "XADD s IDMP p j * f v"), ahead(2));
    node.advance_ms(99_999);
    assert_eq!(send(&mut node, "XADD s IDMP p i * f v"), first);
    assert_eq!(send(&mut node, "XADD s IDMP p j * f v"), ahead(2));
    node.advance_ms(1);
    assert_eq!(send(&mut node, "XADD s IDMP p i * f v"), ahead(3));
    assert_eq!(send(&mut node, "XADD s IDMP p j * f v"), ahead(4));
    node.check_replay().unwrap();
    node.check_reload().unwrap();
}
