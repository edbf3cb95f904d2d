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

/// A parameter is in force for the next request, also where both come in one piece.
#[test]
fn parameters_change_within_a_pipeline() {
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    let pipeline =
        b"HSET h a 1 b 2\r\nCONFIG SET hash-max-listpack-entries 1\r\nHSET i a 1 b 2\r\n\
        MULTI\r\nCONFIG SET hash-max-listpack-entries 9\r\nEXEC\r\nHSET j a 1 b 2\r\n\
        OBJECT ENCODING h\r\nOBJECT ENCODING i\r\nOBJECT ENCODING j\r\n";
    let replies = node.send_bytes(&mut session, pipeline);
    let replies = String::from_utf8_lossy(&replies);
    let shapes: Vec<&str> = replies.lines().rev().step_by(2).take(3).collect();
    assert_eq!(shapes, ["listpack", "hashtable", "listpack"], "{replies}");
}

/// A script behind a request on the same shard locks by itself.
#[test]
fn a_script_in_a_run_on_one_shard() {
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    let pipeline = b"SET k v\r\nEVAL \"return redis.call('get', KEYS[1])\" 1 k\r\nGET k\r\n";
    let replies = node.send_bytes(&mut session, pipeline);
    assert_eq!(String::from_utf8_lossy(&replies), "+OK\r\n$1\r\nv\r\n$1\r\nv\r\n");
}

/// Calls, rejected and failed calls of a command.
fn counts(node: &Node, name: &[u8]) -> (u64, u64, u64) {
    let id = node.engine.table.find(name).expect("a command");
    let stats = node.engine.stats.command(id);
    (stats.calls, stats.rejected, stats.failed)
}

/// As in Redis, whoever caused the error.
#[test]
fn a_script_that_answers_an_error_has_failed() {
    for source in [
        "return redis.call('nosuch')",
        "return redis.pcall('nosuch')",
        "redis.call('get')",
        "return redis.call('lpush', KEYS[1], 'a')",
        "return {err = 'My error'}",
        "error('x')",
    ] {
        let mut node = Node::new(Options::default());
        let mut session = node.session();
        node.send(&mut session, &[b"SET", b"k", b"v"]);
        let reply = node.send(&mut session, &[b"EVAL", source.as_bytes(), b"1", b"k"]);
        assert!(matches!(reply, Some(Value::Error(_))), "{source}: {reply:?}");
        assert_eq!(counts(&node, b"EVAL"), (1, 0, 1), "{source}");
        assert_eq!(node.engine.stats.total().error_replies, 1, "{source}");
    }
}

#[test]
fn an_error_without_a_code_counts_as_err() {
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    node.send(&mut session, &[b"EVAL", b"return {err = 'foo'}", b"0"]);
    node.send(&mut session, &[b"EVAL", b"return {err = 'FOO bar'}", b"0"]);
    let errors = node.engine.stats.total().errors;
    assert_eq!(Vec::from_iter(errors), [("ERR".to_owned(), 1), ("FOO".to_owned(), 1)]);
}

#[test]
fn what_is_refused_is_not_processed() {
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    let pipeline = b"SET k v\r\nNOSUCH a\r\nGET\r\nLPUSH k a\r\n\
        MULTI\r\nGET k\r\nGET k\r\nEXEC\r\nMULTI\r\nNOSUCH\r\nEXEC\r\n";
    node.send_bytes(&mut session, pipeline);
    // SET, LPUSH; MULTI, EXEC and two in it; MULTI and an EXEC that finds it broken.
    assert_eq!(node.engine.stats.total().commands_processed, 8);
}

/// Without the replicas that `min-replicas-to-write` asks for, nothing is written, and all else goes on.
#[test]
fn writes_without_enough_replicas() {
    const REFUSED: &str = "-NOREPLICAS Not enough good replicas to write.\r\n";
    const WRITE: &str = "EVAL \"return redis.pcall('set', KEYS[1], 1).err\" 1 k";
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    node.engine.condition.set_few_replicas(true);
    let caught = REFUSED[1..].trim_end();
    let caught = format!("${}\r\n{caught}\r\n", caught.len());
    let in_exec = format!("+OK\r\n+QUEUED\r\n*1\r\n{caught}");
    let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    let aborted = format!("+OK\r\n{REFUSED}{aborted}");
    for (lines, expected) in [
        ("SET k v", REFUSED),
        ("DEL k", REFUSED),
        ("FUNCTION FLUSH", REFUSED),
        ("GET k", "$-1\r\n"),
        ("PING", "+PONG\r\n"),
        ("PUBLISH a b", ":0\r\n"),
        ("EVAL \"return 1\" 0", ":1\r\n"),
        ("EVAL \"#!lua\\nreturn 1\" 0", REFUSED),
        ("EVAL \"#!lua flags=no-writes\\nreturn 1\" 0", ":1\r\n"),
        (WRITE, &caught),
        ("MULTI\r\nSET k v\r\nEXEC", &aborted),
        (&format!("MULTI\r\n{WRITE}\r\nEXEC"), &in_exec),
    ] {
        let replies = node.send_bytes(&mut session, format!("{lines}\r\n").as_bytes());
        assert_eq!(String::from_utf8_lossy(&replies), expected, "{lines}");
    }
    node.engine.condition.set_few_replicas(false);
    assert_eq!(node.send_bytes(&mut session, b"SET k v\r\n"), b"+OK\r\n");
}

/// A failed command may delete what has expired, and nothing else; the journal is told (seed 7000484 of
/// the example `stateful`).
#[test]
fn a_failed_union_deletes_what_has_expired() {
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    let mut send = |node: &mut Node, line: &str| {
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        node.send(&mut session, &words)
    };
    for line in ["SADD all a b", "SADD some c d", "RPUSH list e"] {
        assert!(matches!(send(&mut node, line), Some(Value::Integer(_))));
    }
    send(&mut node, "SPEXPIRE all 10 MEMBERS 2 a b");
    send(&mut node, "SPEXPIRE some 10 MEMBERS 1 c");
    node.advance_ms(11);
    let before = node.visible();
    assert_eq!(before.keys.len(), 2, "with all its members a set has expired");
    let reply = send(&mut node, "SUNIONSTORE target all some list");
    assert!(matches!(reply, Some(Value::Error(text)) if text.starts_with(b"WRONGTYPE")));
    assert_eq!(before.difference(&node.visible(), true), "");
    assert_eq!(before.difference(&node.snapshot(), true), "", "deleted, not hidden");
    node.check_replay().unwrap();
}
