//! Eviction as clients and the journal see it.

use command::{PauseMode, Session, Settings};
use keyspace::EvictionPolicy;
use resp::Value;
use testkit::{Node, Options};

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
