//! Client-side caching: whoever has read a key hears of each change of it, in whatever way.

use command::Session;
use resp::Value;
use std::collections::BTreeMap;
use std::thread;
use stdx::rng::Rng;
use testkit::{Hand, Node, Options, words};

struct Tracked {
    node: Node,
    /// Tracks, in RESP3.
    me: Session,
    other: Session,
}

impl Tracked {
    fn new(options: &str) -> Self {
        Self::on(16, options)
    }

    fn on(shards: usize, options: &str) -> Self {
        let node = Node::new(Options { shards, ..Options::default() });
        let (me, other) = (node.session_of(3), node.session());
        let mut this = Self { node, me, other };
        assert_eq!(this.me(&format!("CLIENT TRACKING ON {options}")), ["OK"]);
        this
    }

    fn me(&mut self, line: &str) -> Vec<String> {
        send(&mut self.node, &mut self.me, line)
    }

    /// Another client sends a line; what I hear.
    fn other(&mut self, line: &str) -> Vec<String> {
        send(&mut self.node, &mut self.other, line);
        self.heard()
    }

    fn heard(&mut self) -> Vec<String> {
        self.node.mail(&mut self.me).into_iter().map(text).collect()
    }
}

fn send(node: &mut Node, session: &mut Session, line: &str) -> Vec<String> {
    let words = words(line);
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    node.send_all(session, &words).into_iter().map(text).collect()
}

fn text(value: Value) -> String {
    let all = |items: Vec<Value>| items.into_iter().map(text).collect::<Vec<_>>().join(" ");
    match value {
        Value::Push(items) => format!(">{}", all(items)),
        Value::Array(items) | Value::Set(items) => format!("[{}]", all(items)),
        Value::Map(pairs) => all(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()),
        Value::Bulk(text) | Value::Simple(text) | Value::Error(text) => {
            String::from_utf8_lossy(&text).into_owned()
        }
        Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_way_to_change_a_key_is_told_once() {
    for shards in [1, 16] {
        let changes = [
            "SET k 2",
            "DEL k",
            "UNLINK k",
            "APPEND k x",
            "INCR k",
            "EXPIRE k 100",
            "EXPIRE k -1",
            "RENAME k l",
            "RENAME l k",
            "COPY l k REPLACE",
            "MOVE k 1",
            "GETDEL k",
            "MSET a 1 k 2",
            "SETRANGE k 0 x",
        ];
        for change in changes {
            let mut all = Tracked::on(shards, "");
            all.other("MSET k 1 l 2");
            assert_eq!(all.me("GET k"), ["1"]);
            assert_eq!(all.other(change), [">invalidate [k]"], "{change}");
            assert!(all.other("SET k v").is_empty(), "{change}: it was told already");
        }
        for change in ["FLUSHALL", "FLUSHDB", "SWAPDB 0 1"] {
            let mut all = Tracked::on(shards, "");
            all.me("GET k");
            assert_eq!(all.other(change), [">invalidate Null"], "{change}");
            assert_eq!(all.node.engine.tracking.keys(), 0);
        }
    }
}

#[test]
fn what_leaves_the_value_as_it_was_is_told_to_nobody() {
    let mut all = Tracked::new("");
    all.other("RPUSH l a b");
    all.other("XADD s 1-1 f v");
    all.other("XADD s 1-2 f v");
    assert_eq!(all.me("XLEN s"), ["2"]);
    assert_eq!(all.me("LLEN l"), ["2"]);
    for line in [
        "XGROUP CREATE s g 0",
        "XGROUP CREATECONSUMER s g a",
        "XREADGROUP GROUP g b STREAMS s >",
        "XREADGROUP GROUP g c STREAMS s 0",
        "XCLAIM s g d 0 1-1",
        "XAUTOCLAIM s g e 0 0",
        "XACK s g 1-1",
        "XGROUP SETID s g 0",
        "XGROUP DELCONSUMER s g e",
        "XGROUP DESTROY s g",
        "XSETID s 1-3",
        "LTRIM l 0 -1",
    ] {
        assert!(all.other(line).is_empty(), "{line}");
    }
    assert_eq!(all.other("LTRIM l 1 -1"), [">invalidate [l]"]);
    assert_eq!(all.other("XDEL s 1-1"), [">invalidate [s]"]);
    assert_eq!(all.me("XLEN new"), ["0"]);
    assert_eq!(all.other("XGROUP CREATE new g 0 MKSTREAM"), [">invalidate [new]"]);
}

#[test]
fn absence_is_cached_too_and_names_count_in_all_databases() {
    let mut all = Tracked::new("");
    assert_eq!(all.me("MGET none other"), ["[Null Null]"]);
    assert_eq!(all.other("SET none 1"), [">invalidate [none]"]);
    all.other("SELECT 3");
    assert_eq!(all.other("SET other 1"), [">invalidate [other]"]);
}

#[test]
fn expiry_is_a_change() {
    let mut all = Tracked::new("");
    all.other("SET k 1 PX 50");
    all.me("GET k");
    all.node.advance_ms(51);
    assert_eq!(all.other("GET k"), [">invalidate [k]"]);
    all.other("SET k 1 PX 50");
    all.me("GET k");
    all.node.advance_ms(51);
    // My own read finds it expired: told behind the reply, and the absence is remembered.
    assert_eq!(all.me("GET k"), ["Null", ">invalidate [k]"]);
    assert_eq!(all.other("SET k 1"), [">invalidate [k]"]);
}

#[test]
fn own_changes_come_behind_the_reply_unless_unwanted() {
    let mut all = Tracked::new("");
    all.me("MGET k l");
    assert_eq!(all.me("SET k 1"), ["OK", ">invalidate [k]"]);
    assert_eq!(all.me("MULTI"), ["OK"]);
    all.me("GET k");
    all.me("SET l 1");
    all.me("SET k 2");
    assert_eq!(all.me("EXEC"), ["[1 OK OK]", ">invalidate [l]", ">invalidate [k]"]);
    assert_eq!(all.me("CLIENT TRACKING ON NOLOOP"), ["OK"]);
    all.me("GET k");
    assert_eq!(all.me("SET k 3"), ["OK"]);
    assert_eq!(all.other("SET k 4"), [] as [&str; 0], "one is enough, as in Redis");
    all.me("GET k");
    assert_eq!(all.other("SET k 5"), [">invalidate [k]"]);
}

#[test]
fn opting_in_and_out() {
    let mut all = Tracked::new("OPTIN");
    all.me("GET k");
    assert!(all.other("SET k 1").is_empty());
    assert_eq!(all.me("CLIENT CACHING YES"), ["OK"]);
    assert_eq!(
        all.me("CLIENT TRACKINGINFO"),
        ["flags [on optin caching-yes] redirect 0 prefixes []"]
    );
    all.me("GET k");
    all.me("GET l");
    assert_eq!(all.other("MSET k 1 l 1"), [">invalidate [k]"]);
    all.me("CLIENT CACHING YES");
    all.me("MULTI");
    all.me("GET k");
    all.me("GET l");
    all.me("EXEC");
    all.me("GET m");
    let told = all.other("MSET k 1 l 1 m 1");
    assert_eq!(told, [">invalidate [k]", ">invalidate [l]"]);
    let mut all = Tracked::new("OPTOUT");
    all.me("CLIENT CACHING NO");
    all.me("GET k");
    all.me("GET l");
    assert_eq!(all.other("MSET k 1 l 1"), [">invalidate [l]"]);
}

/// CLIENT CACHING is for the next request, also if that waits or is refused.
#[test]
fn caching_is_for_one_request() {
    let ends = [
        "PING",
        "BLPOP l 0.03",
        "XREAD BLOCK 30 STREAMS s $",
        "GET k toomany",
        "NOSUCH",
        "CLIENT NOSUCH",
        "EVAL 'return 1' 0",
        "EVAL 'not a script' 0",
        "EVAL",
        "EXEC",
        "EXEC x",
    ];
    let goes_on = ["CLIENT ID", "CLIENT ID x"];
    for line in ends.into_iter().chain(goes_on) {
        for (mode, word) in [("OPTIN", "YES"), ("OPTOUT", "NO")] {
            let mut all = Tracked::new(mode);
            all.me(&format!("CLIENT CACHING {word}"));
            all.me(line);
            all.me("GET k");
            let told = !all.other("SET k 1").is_empty();
            assert_eq!(told, (mode == "OPTOUT") != goes_on.contains(&line), "{mode}: {line}");
        }
    }
    // Within a transaction it lasts to the end of that.
    let mut all = Tracked::new("OPTIN");
    for line in ["MULTI", "CLIENT CACHING YES", "GET k", "NOSUCH", "EXEC", "GET k"] {
        all.me(line);
    }
    assert!(all.other("SET k 1").is_empty());
}

#[test]
fn broadcasts_are_by_prefix_and_batch() {
    let mut all = Tracked::new("BCAST PREFIX a PREFIX b");
    assert_eq!(all.other("MSET a2 1 c 2 a1 1 b 1"), [">invalidate [a1 a2]", ">invalidate [b]"]);
    for line in ["MULTI", "SET a 1", "SET b 1", "SET a 2"] {
        all.other(line);
    }
    assert_eq!(all.other("EXEC"), [">invalidate [a]", ">invalidate [b]"]);
    assert_eq!(all.me("SET a 1"), ["OK", ">invalidate [a]"]);
    all.me("CLIENT TRACKING OFF");
    assert!(all.other("SET a 1").is_empty());
    all.me("CLIENT TRACKING ON BCAST NOLOOP");
    assert_eq!(all.me("SET a 1"), ["OK"]);
    assert_eq!(all.other("SET a 1"), [">invalidate [a]"]);
    assert!(all.other("GET a").is_empty());
    assert_eq!(all.node.engine.tracking.prefixes(), 1);
}

/// A client that does not want to hear of what it does hears of what expired, as that is not its doing.
#[test]
fn expiry_is_nobodys_change() {
    let meets = ["GET a", "EXISTS a", "SCAN 0", "RANDOMKEY", "EVAL 'redis.call(\"get\", \"a\")' 0"];
    for line in meets {
        let mut all = Tracked::new("BCAST NOLOOP");
        assert_eq!(all.other("SET a 1 PX 20"), [">invalidate [a]"]);
        all.node.advance_ms(30);
        let told = all.me(line).pop();
        assert_eq!(told.as_deref(), Some(">invalidate [a]"), "{line}");
        // What it puts in its place is.
        all.other("SET a 1 PX 20");
        all.node.advance_ms(30);
        assert_eq!(all.me("SET a 2"), ["OK"]);
    }
    let mut all = Tracked::new("NOLOOP");
    all.other("SET a 1 PX 20");
    all.me("GET a");
    all.node.advance_ms(30);
    assert_eq!(all.me("GET a"), ["Null"]);
}

#[test]
fn resp2_hears_through_another_client() {
    let mut all = Tracked::new("");
    let mut two = all.node.session();
    let id = all.other.card.id;
    send(&mut all.node, &mut two, &format!("CLIENT TRACKING ON REDIRECT {id}"));
    assert_eq!(send(&mut all.node, &mut two, "CLIENT GETREDIR"), [id.to_string()]);
    send(&mut all.node, &mut two, "GET k");
    all.me("SET k 1");
    assert!(all.node.mail(&mut all.other).is_empty(), "it does not listen");
    let mut other = all.node.session();
    send(&mut all.node, &mut other, "SUBSCRIBE __redis__:invalidate");
    let id = other.card.id;
    send(&mut all.node, &mut two, &format!("CLIENT TRACKING ON REDIRECT {id}"));
    send(&mut all.node, &mut two, "GET k");
    all.me("SET k 1");
    let heard: Vec<_> = all.node.mail(&mut other).into_iter().map(text).collect();
    assert_eq!(heard, ["[message __redis__:invalidate [k]]"]);
    // The other ends.
    send(&mut all.node, &mut two, "HELLO 3");
    send(&mut all.node, &mut two, "GET k");
    other.card.kill();
    all.me("SET k 1");
    let heard: Vec<_> = all.node.mail(&mut two).into_iter().map(text).collect();
    assert_eq!(heard, [format!(">tracking-redir-broken {id}")]);
    let info = send(&mut all.node, &mut two, "CLIENT TRACKINGINFO");
    assert_eq!(info, [format!("flags [on broken_redirect] redirect {id} prefixes []")]);
}

#[test]
fn silence_does_not_hide_that_the_other_has_gone() {
    for goes in ["QUIT", "killed"] {
        let mut all = Tracked::new("");
        let mut other = all.node.session();
        let id = other.card.id;
        all.me(&format!("CLIENT TRACKING ON REDIRECT {id}"));
        all.other("SET k 1");
        all.me("GET k");
        assert!(all.me("CLIENT REPLY OFF").is_empty());
        if goes == "QUIT" {
            // Who has its last reply is known to be gone, before its connection is closed.
            assert_eq!(send(&mut all.node, &mut other, "QUIT"), ["OK"]);
        } else {
            other.card.kill();
        }
        assert_eq!(all.other("SET k 2"), [format!(">tracking-redir-broken {id}")], "{goes}");
        assert!(all.other("SET k 3").is_empty(), "{goes}: it was told already");
        assert_eq!(all.me("CLIENT REPLY ON"), ["OK"]);
        assert_eq!(all.me("PING"), ["PONG"]);
    }
}

#[test]
fn the_table_is_bounded() {
    let mut all = Tracked::on(1, "");
    all.other("CONFIG SET tracking-table-max-keys 3");
    let told: usize = (0..10).map(|key| all.me(&format!("GET {key}")).len() - 1).sum();
    assert_eq!(
        (told, all.node.engine.tracking.keys(), all.node.engine.tracking.items()),
        (7, 3, 3)
    );
    let settings = all.node.engine.settings();
    all.node.engine.tracking.shrink(1, &settings.output);
    assert_eq!(all.heard().len(), 2);
    assert_eq!(all.node.engine.tracking.keys(), 1);
}

#[test]
fn who_leaves_hears_nothing() {
    let mut all = Tracked::new("");
    all.me("GET k");
    assert_eq!(all.me("RESET"), ["RESET"]);
    assert!(all.other("SET k 1").is_empty() && !all.node.engine.tracking.active());
    assert_eq!(all.me("CLIENT GETREDIR"), ["-1"]);
}

/// What a file brings may differ from what was read, and be where nothing was.
#[test]
fn a_file_in_the_place_of_the_data_is_told() {
    for line in ["DEBUG RELOAD", "DEBUG RELOAD MERGE", "DEBUG RELOAD NOFLUSH MERGE"] {
        let mut all = Tracked::new("");
        all.other("SET k 1");
        all.me("GET k");
        assert_eq!(all.other(line), [">invalidate Null"], "{line}");
        assert_eq!(all.node.engine.tracking.keys(), 0);
    }
}

/// What the last client that tracked had is not kept for ever.
#[test]
fn nobody_left_nothing_kept() {
    let mut all = Tracked::new("");
    (0..50_000).for_each(|key| drop(all.me(&format!("GET {key}"))));
    let tracking = &all.node.engine.tracking;
    tracking.forget_if_idle();
    assert_eq!(tracking.keys(), 50_000);
    all.me("CLIENT TRACKING OFF");
    let tracking = &all.node.engine.tracking;
    let mut rounds = 0;
    while tracking.keys() > 0 {
        tracking.forget_if_idle();
        rounds += 1;
    }
    assert!(rounds > 1 && tracking.items() == 0, "{rounds}");
}

/// A client with a memory of its own, on a thread of its own.
struct Cache {
    hand: Hand,
    session: Session,
    kept: BTreeMap<String, String>,
}

impl Cache {
    fn new(mut hand: Hand, options: &str) -> Self {
        let mut session = hand.session();
        session.protocol = 3;
        let line = format!("CLIENT TRACKING ON {options}");
        let words: Vec<&[u8]> = line.trim().split(' ').map(str::as_bytes).collect();
        hand.send_all(&mut session, &words);
        Self { hand, session, kept: BTreeMap::new() }
    }

    /// Reads keys in one pipeline, and takes replies and invalidations in the order in which they
    /// come.
    fn read(&mut self, keys: &[String]) {
        let lines: String = keys.iter().map(|key| format!("GET {key}\r\n")).collect();
        let out = self.hand.send_bytes(&mut self.session, lines.as_bytes());
        let (mut at, mut asked) = (0, keys.iter());
        while let Ok(Some((value, size))) = resp::parse_reply(&out[at..]) {
            at += size;
            match value {
                Value::Push(items) => self.forget(&items[1]),
                value => {
                    let key = asked.next().expect("a reply to each request");
                    self.kept.insert(key.clone(), text(value));
                }
            }
        }
        assert_eq!((at, asked.len()), (out.len(), 0));
    }

    fn forget(&mut self, keys: &Value) {
        match keys {
            Value::Array(keys) => keys.iter().for_each(|key| {
                self.kept.remove(&text(key.clone()));
            }),
            Value::Null => self.kept.clear(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn no_memory_keeps_what_is_no_longer_true() {
    const KEYS: u64 = 12;
    const ROUNDS: usize = 3000;
    let mut node = Node::new(Options { shards: 4, journal: false, ..Options::default() });
    let mut caches: Vec<Cache> = ["", "", "BCAST", "NOLOOP"]
        .iter()
        .zip(1..)
        .map(|(options, seed)| Cache::new(node.hand(seed), options))
        .collect();
    let writers: Vec<Hand> = (10..12).map(|seed| node.hand(seed)).collect();
    thread::scope(|scope| {
        for (number, mut hand) in writers.into_iter().enumerate() {
            let mut rng = Rng::new(100 + number as u64);
            scope.spawn(move || {
                let mut session = hand.session();
                for round in 0..ROUNDS {
                    let (a, b) = (rng.below(KEYS), rng.below(KEYS));
                    let line = match rng.below(9) {
                        0 => format!("RENAME {a} {b}"),
                        1 => format!("MSET {a} {round}.{number} {b} {round}.{number}"),
                        2 => format!("DEL {a} {b}"),
                        3 => format!("MULTI\r\nSET {a} x{round}\r\nSET {b} y{round}\r\nEXEC"),
                        4 if round % 100 == 0 => "FLUSHALL".into(),
                        _ => format!("SET {a} {round}.{number}"),
                    };
                    hand.send_bytes(&mut session, format!("{line}\r\n").as_bytes());
                }
            });
        }
        for (cache, seed) in caches.iter_mut().zip(1..) {
            let mut rng = Rng::new(seed);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let keys: Vec<String> =
                        (0..=rng.below(4)).map(|_| rng.below(KEYS).to_string()).collect();
                    cache.read(&keys);
                }
            });
        }
    });
    for mut cache in caches {
        for letter in node.mail(&mut cache.session) {
            let Value::Push(items) = letter else { panic!("{letter:?}") };
            cache.forget(&items[1]);
        }
        let mut session = node.session();
        for (key, kept) in &cache.kept {
            let now = text(node.send(&mut session, &[b"GET", key.as_bytes()]).expect("a reply"));
            assert_eq!(kept, &now, "{key}");
        }
    }
}
