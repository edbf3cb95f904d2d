//! Keyspace events as messages: which, in which order.

use command::Session;
use resp::Value;
use testkit::{Node, Options, words};

struct Listening {
    node: Node,
    client: Session,
    listener: Session,
}

impl Listening {
    fn new(shards: usize, classes: &str, pattern: &str) -> Self {
        let node = Node::new(Options { shards, ..Options::default() });
        let (client, listener) = (node.session(), node.session_of(3));
        let mut this = Self { node, client, listener };
        this.send(&format!("CONFIG SET notify-keyspace-events \"{classes}\""));
        let pattern = [b"PSUBSCRIBE".as_slice(), pattern.as_bytes()];
        this.node.send(&mut this.listener, &pattern);
        this
    }

    /// Sends a line; the messages that it brought about, as `channel message`.
    fn send(&mut self, line: &str) -> Vec<String> {
        let words = words(line);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.node.send(&mut self.client, &words);
        let text = |value: &Value| match value {
            Value::Bulk(text) => String::from_utf8_lossy(text).into_owned(),
            other => format!("{other:?}"),
        };
        let message = |value: &Value| match value {
            Value::Push(items) => format!("{} {}", text(&items[2]), text(&items[3])),
            other => format!("{other:?}"),
        };
        self.node.mail(&mut self.listener).iter().map(message).collect()
    }

    /// The same for events alone: `event key`.
    #[track_caller]
    fn check(&mut self, line: &str, expect: &[&str]) {
        let got = self.send(line);
        let got: Vec<&str> =
            got.iter().map(|one| one.trim_start_matches("__keyevent@0__:")).collect();
        assert_eq!(got, expect, "{line}");
    }
}

#[test]
fn two_channels_for_a_change() {
    for shards in [1, 16] {
        let mut node = Listening::new(shards, "KEA", "*");
        let expect = ["__keyspace@0__:k set", "__keyevent@0__:set k"];
        assert_eq!(node.send("SET k v"), expect);
        assert!(node.send("GET k").is_empty() && node.send("GET none").is_empty());
        node.send("SELECT 9");
        assert_eq!(node.send("SET k v").len(), 2);
        assert_eq!(node.send("DEL k none"), ["__keyspace@9__:k del", "__keyevent@9__:del k"]);
        node.send("CONFIG SET notify-keyspace-events E$");
        assert_eq!(node.send("APPEND k v"), ["__keyevent@9__:append k"]);
        assert!(node.send("DEL k").is_empty());
        node.send("CONFIG SET notify-keyspace-events \"\"");
        assert!(node.send("SET k v").is_empty());
    }
}

#[test]
fn who_asks_hears_which_elements_changed() {
    for shards in [1, 16] {
        let mut node = Listening::new(shards, "STIVhs", "*");
        let expect = [
            "__subkeyspace@0__:h hset|1:a,2:bb,1:a",
            "__subkeyevent@0__:hset 1:h|1:a,2:bb,1:a",
            "__subkeyspaceitem@0__:h\na hset",
            "__subkeyspaceitem@0__:h\nbb hset",
            "__subkeyspaceitem@0__:h\na hset",
            "__subkeyspaceevent@0__:hset|h 1:a,2:bb,1:a",
        ];
        assert_eq!(node.send("HSET h a 1 bb 2 a 3"), expect);
        node.send("CONFIG SET notify-keyspace-events Sh");
        for (line, expect) in [
            ("HSETNX h a 1", &[][..]),
            ("HSETNX h n 1", &["hset|1:n"]),
            ("HINCRBY h n 1", &["hincrby|1:n"]),
            ("HINCRBYFLOAT h n 1", &["hincrbyfloat|1:n"]),
            ("HDEL h x n n", &["hdel|1:n"]),
            ("HDEL h x", &[]),
            ("HSETEX h EX 9 FIELDS 2 c 1 d 2", &["hset|1:c,1:d", "hexpire|1:c,1:d"]),
            ("HEXPIRE h 9 NX FIELDS 3 a c x", &["hexpire|1:a"]),
            ("HPERSIST h FIELDS 3 a bb x", &["hpersist|1:a"]),
            ("HGETEX h PERSIST FIELDS 2 c a", &["hpersist|1:c"]),
            ("HGETEX h EX 5 FIELDS 2 c x", &["hexpire|1:c"]),
            ("HGETEX h PXAT 1 FIELDS 2 c x", &["hdel|1:c"]),
            ("HSETEX h PXAT 1 FIELDS 2 d 1 e 2", &["hset|1:d,1:e", "hdel|1:d"]),
            ("HEXPIRE h 0 FIELDS 1 a", &["hdel|1:a"]),
            ("HGETDEL h FIELDS 2 bb x", &["hdel|2:bb"]),
            ("EVAL \"redis.call('HSET', 'h', 'f', 1)\" 1 h", &["hset|1:f"]),
            ("KEYDB.HRENAME h f g", &["hdel|1:f", "hset|1:g"]),
            ("HPEXPIRE h 1 FIELDS 1 g", &["hexpire|1:g"]),
            ("RENAME h i", &[]),
        ] {
            let got = node.send(line);
            let got: Vec<&str> =
                got.iter().map(|one| one.trim_start_matches("__subkeyspace@0__:h ")).collect();
            assert_eq!(got, expect, "{line}");
        }
        node.send("CONFIG SET notify-keyspace-events Sz");
        for (line, expect) in [
            ("ZADD h 1 a 2 bb 3 c 4 d", &[][..]),
            ("ZEXPIRE h 9 MEMBERS 3 a bb x", &["zexpire|1:a,2:bb"]),
            ("ZPERSIST h MEMBERS 2 a c", &["zpersist|1:a"]),
            ("ZEXPIRE h 0 MEMBERS 1 a", &["zexpired|1:a"]),
        ] {
            let got = node.send(line);
            let got: Vec<&str> =
                got.iter().map(|one| one.trim_start_matches("__subkeyspace@0__:h ")).collect();
            assert_eq!(got, expect, "{line}");
        }
        node.send("CONFIG SET notify-keyspace-events ITh");
        let key = "a\\nb";
        assert_eq!(
            node.send(&format!("HSET \"{key}\" \"f,\" 1")),
            ["__subkeyevent@0__:hset 3:a\nb|2:f,"]
        );
        node.send("CONFIG SET notify-keyspace-events STIV");
        assert!(node.send("HSET h a 1").is_empty());
    }
}

#[test]
fn events_come_in_the_order_of_what_happened() {
    for shards in [1, 16] {
        let mut node = Listening::new(shards, "EAmnoc", "__keyevent@0__:*");
        node.check("SET a 1", &["new a", "set a"]);
        node.check("SET a 2 EX 100", &["overwritten a", "set a", "expire a"]);
        node.check("INCR a", &["incrby a"]);
        node.check("GET b", &["keymiss b"]);
        node.check("TTL b", &["keymiss b"]);
        node.check("RENAME a b", &["new b", "rename_from a", "rename_to b"]);
        node.check("MSET a 1 b 2", &["new a", "set a", "overwritten b", "set b"]);
        node.check("COPY a b REPLACE", &["new b", "copy_to b", "overwritten b"]);
        node.check("PEXPIRE a 10", &["expire a"]);
        node.node.advance_ms(11);
        node.check("GET a", &["expired a", "keymiss a"]);
        node.check("PEXPIRE b 10", &["expire b"]);
        node.node.advance_ms(11);
        node.check("EXISTS b", &["expired b", "keymiss b"]);
        node.check("SET a 1", &["new a", "set a"]);
        node.check("PEXPIRE a -1", &["expired a"]);
        node.check("FLUSHALL", &[]);
    }
}

/// HSETEX with a time that has passed is told as if the fields had been there for a moment.
#[test]
fn fields_that_expire_at_once_are_told() {
    for shards in [1, 16] {
        let mut node = Listening::new(shards, "EAmnoc", "__keyevent@0__:*");
        let gone = &["new h", "hset h", "hdel h", "del h"];
        node.check("HSETEX h EXAT 1 FIELDS 2 a 1 b 2", gone);
        node.check("HSETEX h FXX EXAT 1 FIELDS 1 a 1", &[]);
        node.check("HSET h a 1 b 2", &["new h", "hset h"]);
        node.check("HSETEX h EXAT 1 FIELDS 2 a 1 c 2", &["hset h", "hdel h"]);
        node.check("HSETEX h PXAT 1 FIELDS 1 x 1", &["hset h", "hdel h"]);
        node.check("HSETEX h EXAT 1 FIELDS 1 b 1", &["hset h", "hdel h", "del h"]);
        node.node.check_replay().expect("what was told has happened");
    }
}

#[test]
fn what_nobody_asked_for_is_not_told() {
    let mut node = Listening::new(1, "Kx", "*");
    assert!(node.send("SET k v PX 5").is_empty());
    node.node.advance_ms(6);
    assert_eq!(node.send("SET k v"), ["__keyspace@0__:k expired"]);
}
