//! Lists that are too long for a page: answers that go on outside the lock.

use resp::Value;
use testkit::{Node, Options};

/// Enough for several chunks, and for an answer in several steps.
const LEN: usize = 4321;

fn element(index: usize) -> Vec<u8> {
    if index.is_multiple_of(3) {
        index.to_string().into_bytes()
    } else {
        format!("element {index}").into_bytes()
    }
}

fn filled(options: Options) -> Node {
    let mut node = Node::new(options);
    let mut session = node.session();
    let elements: Vec<_> = (0..LEN).map(element).collect();
    for piece in elements.chunks(100) {
        let mut words: Vec<&[u8]> = vec![b"RPUSH", b"l"];
        words.extend(piece.iter().map(Vec::as_slice));
        node.send(&mut session, &words);
    }
    node
}

fn array(indexes: impl Iterator<Item = usize>) -> Option<Value> {
    Some(Value::Array(indexes.map(|index| Value::Bulk(element(index))).collect()))
}

#[test]
fn long_ranges_are_whole_and_in_order() {
    let mut node = filled(Options::default());
    let mut session = node.session();
    let range = |node: &mut Node, start: &str, stop: &str| {
        let mut session = node.session();
        node.send(&mut session, &[b"LRANGE", b"l", start.as_bytes(), stop.as_bytes()])
    };
    assert_eq!(range(&mut node, "0", "-1"), array(0..LEN));
    assert_eq!(range(&mut node, "1000", "2000"), array(1000..2001));
    assert_eq!(range(&mut node, "-1001", "-1"), array(LEN - 1001..LEN));
    assert_eq!(node.send(&mut session, &[b"LPOP", b"l", b"1500"]), array(0..1500));
    assert_eq!(node.send(&mut session, &[b"RPOP", b"l", b"1500"]), array((LEN - 1500..LEN).rev()));
    assert_eq!(range(&mut node, "0", "-1"), array(1500..LEN - 1500));
    let reply = node.send(&mut session, &[b"LMPOP", b"1", b"l", b"RIGHT", b"COUNT", b"9999"]);
    let all = array((1500..LEN - 1500).rev()).unwrap();
    assert_eq!(reply, Some(Value::Array(vec![Value::Bulk(b"l".to_vec()), all])));
    assert_eq!(node.send(&mut session, &[b"EXISTS", b"l"]), Some(Value::Integer(0)));
    node.check_replay().unwrap();
}

#[test]
fn a_long_answer_that_nobody_wants_is_not_written() {
    let mut node = filled(Options::default());
    let mut session = node.session();
    let input = b"CLIENT REPLY SKIP\r\nLRANGE l 0 -1\r\nLLEN l\r\n";
    assert_eq!(node.send_bytes(&mut session, input), b":4321\r\n");
}
