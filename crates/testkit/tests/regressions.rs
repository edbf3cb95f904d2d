//! What the generator and the differ found, each as the shortest request that showed it.

use resp::Value;
use testkit::{Node, Options, check};

#[test]
fn an_error_quotes_bytes_as_they_came() {
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    let reply = node.send(&mut session, &[b"EXPIRE", b"k", b"1", b"\xe0 "]);
    assert_eq!(reply, Some(Value::Error(b"ERR Unsupported option \xe0 ".to_vec())));
}

#[test]
fn cursors_are_read_as_strtoull_reads_them() {
    check("SCAN -9223372036854775809", "1) \"0\"\n2) (empty array)");
    check("SCAN \" -5\"", "1) \"0\"\n2) (empty array)");
    check("SCAN -1", "(error) ERR invalid cursor");
    check("SCAN \"\"", "(error) ERR invalid cursor");
}

/// A word of six bytes is a sum of four thousand digits, and that is what the journal is told.
#[test]
fn room_in_the_journal_for_a_long_sum() {
    for line in ["INCRBYFLOAT k 1e4900", "INCREX k BYFLOAT -1e4900 PX 9000000000000"] {
        let mut node = Node::new(Options::default());
        let mut session = node.session();
        let bytes = node.send_bytes(&mut session, format!("{line}\r\n").repeat(60).as_bytes());
        assert!(bytes.len() > 60 * 4900, "{line}");
        assert!(node.journal().len() > 60 * 4900);
        node.check_replay().unwrap();
    }
}
