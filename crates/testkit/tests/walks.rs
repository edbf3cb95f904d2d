//! Walks over the keyspace delete what they meet expired, as reads do: afterwards, through the log.

use command::{PauseMode, Session, Settings};
use testkit::{Node, Options};

struct Client {
    node: Node,
    session: Session,
}

impl Client {
    /// With ten keys that stay, and a string and a hash that have expired, unseen.
    fn new(shards: usize) -> Self {
        let node = Node::new(Options { shards, ..Options::default() });
        let session = node.session();
        let mut this = Self { node, session };
        for key in 0..10 {
            this.send(&format!("SET k:{key} v"));
        }
        this.send("SET old:string v PX 10");
        this.send("HSET old:hash f v");
        this.send("PEXPIRE old:hash 10");
        this.node.advance_ms(11);
        assert_eq!(this.keys(), 12);
        this
    }

    fn send(&mut self, line: &str) -> String {
        let reply = self.node.send_bytes(&mut self.session, format!("{line}\r\n").as_bytes());
        String::from_utf8_lossy(&reply).into_owned()
    }

    /// All that there are, the expired too.
    fn keys(&self) -> u64 {
        self.node.engine.space.size(0).keys
    }

    fn deletions(&self) -> usize {
        let log = String::from_utf8_lossy(self.node.journal()).into_owned();
        log.matches("\r\nUNLINK\r\n").count()
    }
}

#[test]
fn scan_deletes_what_it_meets_expired_and_would_have_shown() {
    for shards in [1, 16] {
        for (line, left) in [
            ("SCAN 0 COUNT 100", 10),
            ("SCAN 0 COUNT 100 TYPE string", 11),
            ("SCAN 0 COUNT 100 MATCH *hash", 11),
            ("SCAN 0 COUNT 100 MATCH k*", 12),
            ("KEYS *", 12),
            ("DBSIZE", 12),
        ] {
            let mut client = Client::new(shards);
            client.send(line);
            let gone = 12 - left;
            assert_eq!((client.keys(), client.deletions()), (left, gone as usize), "{line}");
            assert_eq!(client.node.engine.space.expired_keys(), gone, "{line}");
        }
    }
}

#[test]
fn random_key_deletes_what_it_meets_expired() {
    let mut client = Client::new(4);
    for _ in 0..500 {
        assert!(client.send("RANDOMKEY").contains("k:"));
    }
    assert_eq!((client.keys(), client.deletions()), (10, 2));
}

#[test]
fn a_transaction_deletes_when_it_is_over() {
    let mut client = Client::new(4);
    client.send("MULTI");
    client.send("SCAN 0 COUNT 100");
    client.send("SET old:string new");
    client.send("EXEC");
    assert_eq!(client.keys(), 11);
    assert!(client.send("GET old:string").contains("new"));
}

#[test]
fn nothing_is_deleted_while_that_is_up_to_others() {
    let mut client = Client::new(4);
    let settings = Settings::clone(&client.node.engine.settings());
    client.node.engine.set_settings(Settings { import_mode: true, ..settings.clone() });
    client.send("SCAN 0 COUNT 100");
    assert_eq!(client.keys(), 12);
    client.node.engine.set_settings(settings);
    let now_ms = client.node.now_ms();
    client.node.engine.pause.start(PauseMode::Write, now_ms + 100, now_ms);
    client.send("SCAN 0 COUNT 100");
    client.send("RANDOMKEY");
    assert_eq!(client.keys(), 12);
}
