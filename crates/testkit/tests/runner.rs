//! The test kit itself: what it must let through and what it must not.

use testkit::{Node, Options, START_MS, Transcript, blocks, check, matches, run_ways};

#[test]
fn replies_are_printed_as_redis_cli_prints() {
    check("SET k v\nGET k\nMGET k missing", "OK\n\"v\"\n1) \"v\"\n2) (nil)");
    check("SET k v EX 100\nTTL k\nFOO", "OK\n(integer) ...\n(error) ERR unknown command ...");
}

#[test]
fn dots_stand_for_text_and_for_lines() {
    assert!(matches("a...c", "abbc") && matches("...", "") && matches("...", "a\nb"));
    assert!(matches("a\n...\nz", "a\nb\nc\nz") && matches("a\n...\nz", "a\nz"));
    assert!(!matches("a...c", "abb") && !matches("a\n...", "b\na") && !matches("", "a"));
}

#[test]
fn a_wrong_page_fails() {
    let page = "x\n```redis\n> SET a 1\nOK\n> GET a\n\"2\"\n```\n";
    let [(first, block)] = blocks(page)[..] else { panic!("one block") };
    let error = run_ways(&Transcript::parse(block, first).unwrap()).unwrap_err();
    assert!(error.contains("line 5"), "{error}");
}

#[test]
fn time_passes_only_when_told() {
    let script = "> SET a 1 PX 100\nOK\n# wait: 99 ms\n> PTTL a\n(integer) 1\n# wait: 1 ms\n\
                  > GET a\n(nil)\n> APPEND a x\n(integer) 1\n> PTTL a\n(integer) -1";
    run_ways(&Transcript::parse(script, 1).unwrap()).unwrap();
}

#[test]
fn a_lost_effect_is_seen() {
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    node.send(&mut session, &[b"SET", b"k", b"1"]);
    node.check_replay().unwrap();
    let journal = String::from_utf8(node.journal().to_vec()).unwrap();
    let mut copy = node.sibling();
    copy.replay(journal.replace("$1\r\n1", "$1\r\n2").as_bytes()).unwrap();
    let difference = node.snapshot().difference(&copy.snapshot(), false);
    assert!(difference.contains("\"k\""), "{difference}");
    assert_ne!(node.snapshot().digest(), copy.snapshot().digest());
    assert!(node.sibling().replay(b"*1\r\n$5\r\nMULTI\r\n").is_err());
    assert!(node.sibling().replay(b"*2\r\n$4\r\nINCR\r\n").is_err());
    assert!(node.sibling().replay(b"*1\r\n$3\r\nFOO\r\n").is_err());
}

#[test]
fn an_expired_key_does_not_come_back_in_a_replay() {
    let mut node = Node::new(Options { shards: 4, ..Options::default() });
    let mut session = node.session();
    node.send(&mut session, &[b"SET", b"k", b"1", b"PX", b"10"]);
    node.send(&mut session, &[b"APPEND", b"k", b"2"]);
    node.advance_ms(10);
    assert_eq!(node.now_ms(), START_MS + 10);
    assert!(node.snapshot().keys.is_empty());
    node.check_replay().unwrap();
    node.send(&mut session, &[b"APPEND", b"k", b"3"]);
    assert_eq!(node.snapshot().keys.len(), 1);
    node.check_replay().unwrap();
}

#[test]
fn pipelines_and_broken_ones() {
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    let out = node.send_bytes(&mut session, b"SET a 1\r\nKEYS *\r\nINCR a\r\n");
    assert_eq!(out, b"+OK\r\n*1\r\n$1\r\na\r\n:2\r\n");
    let out = node.send_bytes(&mut session, b"INCR a\r\n*1\r\nx\r\nINCR a\r\n");
    assert!(out.starts_with(b":3\r\n-ERR Protocol error"), "{}", String::from_utf8_lossy(&out));
    assert!(session.close_after_reply);
}

/// Tests make thousands of nodes. A bound for a debug build on a slow and busy machine.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test measures")]
fn a_node_is_made_in_no_time() {
    let best = (0..50)
        .map(|seed| {
            let start = std::time::Instant::now();
            let node = Node::new(Options { shards: 16, seed, ..Options::default() });
            let spent = start.elapsed();
            drop(node);
            spent
        })
        .min()
        .unwrap();
    println!("{best:?}");
    assert!(best.as_millis() < 100, "{best:?}");
}
