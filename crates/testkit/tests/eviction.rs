//! Eviction as clients and the journal see it.

use command::{PauseMode, Session, Settings};
use engine::{Engine, Evicting, Now, Worker};
use keyspace::EvictionPolicy;
use resp::Value;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;
use testkit::{Node, Options, START_MS};

const OOM: &[u8] = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n";

struct Client {
    node: Node,
    session: Session,
}

impl Client {
    fn new(shards: usize) -> Self {
        let node = Node::new(Options { shards, ..Options::default() });
        let session = node.session();
        Self { node, session }
    }

    fn send(&mut self, line: &str) -> Vec<u8> {
        let bytes = format!("{line}\r\n");
        self.node.send_bytes(&mut self.session, bytes.as_bytes())
    }

    /// Fills two databases, then limits memory to what that takes.
    fn fill(&mut self, policy: &'static str, set: &str) -> u64 {
        for idx in 0..200 {
            self.send(&format!("SELECT {}", idx % 2 * 3));
            self.send(&format!(
                "{set} key:{idx} {}{}",
                if set == "SETEX" { "5000 " } else { "" },
                "x".repeat(1000)
            ));
        }
        let limit = self.node.engine.space.memory();
        let settings = Settings {
            maxmemory: limit,
            maxmemory_policy: policy,
            eviction: EvictionPolicy::from_name(policy),
            ..Settings::clone(&self.node.engine.settings())
        };
        self.node.engine.set_settings(settings);
        limit
    }

    fn evicted(&self) -> u64 {
        self.node.engine.stats.total().evicted_keys
    }
}

/// Every one of many pipelined writes finds room, and the copy loses the same keys.
#[test]
fn a_pipeline_of_writes_evicts_as_it_goes() {
    for policy in [
        "allkeys-lru",
        "allkeys-lrm",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-ttl",
        "volatile-lru",
        "volatile-lrm",
    ] {
        for shards in [1, 8] {
            let mut client = Client::new(shards);
            let limit = client.fill(policy, "SETEX");
            assert_eq!(client.evicted(), 0);
            client.send("SELECT 1");
            let value = "y".repeat(1000);
            let mut batch = Vec::new();
            for idx in 0..100 {
                batch.extend_from_slice(format!("SET new:{idx} {value}\r\n").as_bytes());
                batch.extend_from_slice(format!("MSET a:{idx} {value} b:{idx} 1\r\n").as_bytes());
                batch.extend_from_slice(b"ECHO here\r\n");
            }
            let replies = client.node.send_bytes(&mut client.session, &batch);
            let replies = String::from_utf8(replies).expect("text");
            if policy.starts_with("allkeys") {
                assert_eq!(replies, "+OK\r\n+OK\r\n$4\r\nhere\r\n".repeat(100), "{policy}");
                assert!(client.evicted() > 100);
            }
            // One command's own growth may come on top, and the account's lag.
            let memory = client.node.engine.space.memory();
            assert!(memory < limit + 4096 + 512 * shards as u64, "{policy}: {memory} of {limit}");
            client.node.check_replay().expect("the journal tells of every key that went");
        }
    }
}

#[test]
fn what_cannot_be_evicted_is_refused() {
    for policy in ["noeviction", "volatile-lru", "volatile-random", "volatile-ttl"] {
        let mut client = Client::new(4);
        client.fill(policy, "SET");
        // Up to the limit, and then over it.
        client.send(&format!("SET more {}", "x".repeat(5000)));
        assert_eq!(client.send("SET refused 1"), OOM, "{policy}");
        assert_eq!(client.send("MSET refused 1 other 2"), OOM);
        assert_eq!(client.send("GET refused"), b"$-1\r\n");
        assert_eq!(client.send("DEL more"), b":1\r\n");
        client.send("SELECT 0");
        assert_eq!(client.send("DEL key:0 key:2 key:4"), b":3\r\n");
        assert_eq!(client.send("SET granted 1"), b"+OK\r\n");
        assert_eq!(client.evicted(), 0);
        client.node.check_replay().expect("nothing went unseen");
    }
}

#[test]
fn nothing_goes_while_writes_are_paused() {
    let mut client = Client::new(4);
    let limit = client.fill("allkeys-lru", "SET");
    client.send(&format!("SET more {}", "x".repeat(5000)));
    let before = client.evicted();
    let now_ms = client.node.now_ms();
    client.node.engine.pause.start(PauseMode::Write, now_ms + 1000, now_ms);
    let settings = (*client.node.engine.settings()).clone();
    client.node.engine.set_settings(Settings { maxmemory: limit - 5000, ..settings });
    assert_eq!(client.send("GET more").len(), 5000 + "$5000\r\n\r\n".len());
    assert_eq!(client.evicted(), before);
    // The node's client waits on the clock until the pause is over.
    assert_eq!(client.send("SET after 1"), b"+OK\r\n");
    assert!(client.evicted() > before && client.node.now_ms() >= now_ms + 1000);
    let value = client.node.send(&mut client.session, &[b"GET", b"after"]);
    assert!(matches!(value, Some(Value::Bulk(_))), "{value:?}");
}

/// Without a limit of time, too, eviction ends when a pause begins that its clock will never see end.
#[test]
fn a_pause_ends_the_eviction_under_way() {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    /// Read when eviction begins.
    fn ticks() -> u64 {
        let engine = ENGINE.get().expect("set before");
        engine.pause.start(PauseMode::Write, START_MS + 100, START_MS);
        0
    }
    let mut client = Client::new(4);
    let limit = client.fill("allkeys-random", "SET");
    let engine = Arc::clone(ENGINE.get_or_init(|| Arc::clone(&client.node.engine)));
    let settings = (*engine.settings()).clone();
    let settings = Settings { maxmemory: limit / 2, eviction_tenacity: 100, ..settings };
    let (told, hears) = mpsc::channel();
    #[expect(clippy::disallowed_methods, reason = "it may never end")]
    std::thread::spawn(move || {
        let mut worker = Worker::new(&engine, 7).expect("a free slot");
        let now = Now { wall_ms: START_MS, ticks, wall: || START_MS, stale_ticks: 1 };
        let ended = engine.evict(&mut worker.hand(now), &settings);
        told.send(ended).expect("somebody listens");
    });
    assert_eq!(hears.recv_timeout(Duration::from_secs(120)), Ok(Evicting::Done));
    assert_eq!(client.evicted(), 0);
}

/// A script in a transaction is told of memory as it was when EXEC began, once what may go has gone.
#[test]
fn scripts_in_a_transaction_look_for_room_first() {
    const WRITE: &str = "EVAL \"return redis.pcall('set', KEYS[1], 1).err\" 1";
    let mut client = Client::new(4);
    client.fill("allkeys-lru", "SET");
    let more = "x".repeat(5000);
    let replies = client.send(&format!("SET more {more}\r\nMULTI\r\n{WRITE} a\r\nEXEC"));
    let expected = "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n";
    assert_eq!(String::from_utf8_lossy(&replies), expected, "there is room once keys have gone");

    let mut client = Client::new(4);
    client.fill("noeviction", "SET");
    for line in ["MULTI", &format!("{WRITE} a"), "EVAL \"return 7\" 0"] {
        client.send(line);
    }
    let mut other = client.node.session();
    client.node.send_bytes(&mut other, format!("SET more {}\r\n", "x".repeat(5000)).as_bytes());
    let text = "OOM command not allowed when used memory > 'maxmemory'.";
    let expected = format!("*2\r\n${}\r\n{text}\r\n:7\r\n", text.len());
    assert_eq!(String::from_utf8_lossy(&client.send("EXEC")), expected);
    client.node.check_replay().expect("nothing went unseen");
}

/// What takes memory is refused where it is queued; everything else goes on.
#[test]
fn transactions_without_memory() {
    let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    let oom = std::str::from_utf8(OOM).unwrap();
    let mut client = Client::new(4);
    client.fill("noeviction", "SET");
    client.send(&format!("SET more {}", "x".repeat(5000)));
    for (line, queued, executed) in [
        ("GET nothing", "+QUEUED\r\n", "*1\r\n$-1\r\n"),
        ("EVAL \"return 1\" 0", "+QUEUED\r\n", "*1\r\n:1\r\n"),
        ("EVAL \"#!lua flags=no-writes\nreturn 1\" 0", "+QUEUED\r\n", "*1\r\n:1\r\n"),
        ("EVAL \"#!lua\nreturn 1\" 0", oom, aborted),
        ("SET k v", oom, aborted),
        ("DEL k", "+QUEUED\r\n", "*1\r\n:0\r\n"),
    ] {
        let line = line.replace('\n', "\\n");
        assert_eq!(client.send("MULTI"), b"+OK\r\n");
        assert_eq!(String::from_utf8_lossy(&client.send(&line)), queued, "{line}");
        assert_eq!(String::from_utf8_lossy(&client.send("EXEC")), executed, "{line}");
    }
}
