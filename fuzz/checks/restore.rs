//! What must hold for every payload of RESTORE, under a right checksum. Shared by the fuzz target
//! and the test that replays its corpus.
//!
//! The first byte chooses version and thresholds, the rest is type and value. It is refused without
//! a trace, or becomes a value: then every read of its type works, the value dumps and restores to
//! the same digest, and it lives on under writes.

use command::Session;
use resp::Value;
use testkit::{Node, Options};

const VERSIONS: [u16; 4] = [11, 12, 14, 80];

/// Thresholds that turn the shapes around.
const SMALL: &[&str] = &[
    "CONFIG SET hash-max-listpack-entries 2 set-max-listpack-entries 2 set-max-intset-entries 2",
    "CONFIG SET zset-max-listpack-entries 2 list-max-listpack-size 2 stream-node-max-entries 2",
];

const READS: &[&str] = &[
    "TYPE k",
    "OBJECT ENCODING k",
    "MEMORY USAGE k",
    "DEBUG OBJECT k",
    "STRLEN k",
    "GETWITHETAG k",
    "GETRANGE k 0 10",
    "LLEN k",
    "LRANGE k 0 20",
    "LRANGE k -3 -1",
    "LINDEX k -1",
    "LPOS k a",
    "SCARD k",
    "SMEMBERS k",
    "SISMEMBER k 1",
    "SRANDMEMBER k -3",
    "SSCAN k 0",
    "ZCARD k",
    "ZRANGE k 0 -1 WITHSCORES",
    "ZRANGEBYSCORE k 1 +inf LIMIT 0 3",
    "ZRANGEBYLEX k - +",
    "ZPEXPIRETIME k MEMBERS 1 a",
    "ZSCORE k a",
    "ZRANK k a",
    "ZSCAN k 0",
    "HLEN k",
    "HGETALL k",
    "HGET k a",
    "HPTTL k FIELDS 1 a",
    "HRANDFIELD k -3 WITHVALUES",
    "HSCAN k 0",
    "XLEN k",
    "XRANGE k - + COUNT 10",
    "XREVRANGE k + - COUNT 10",
    "XINFO STREAM k FULL",
    "XINFO GROUPS k",
    "XPENDING k g",
    "SICARD k",
    "SIEXISTS k 0 1",
    "SIRANGE k 0 20",
    "SIREVRANGEBYVALUE k +inf -inf LIMIT 0 20",
    "ARLEN k",
    "ARCOUNT k",
    "ARNEXT k",
    "ARGET k 0",
    "ARGETRANGE k 9 0",
    "ARSCAN k 0 18446744073709551614 LIMIT 20",
    "ARLASTITEMS k 20",
    "AROP k 0 18446744073709551614 SUM",
    "ARGREP k - + MATCH a RE ^[0-9]",
    "ARINFO k FULL",
    "PFCOUNT k",
    "BITCOUNT k",
];

const WRITES: &[&str] = &[
    "APPEND k x",
    "RPUSH k 1 two",
    "LPUSH k zero",
    "LSET k 0 changed",
    "LREM k 1 two",
    "LINSERT k BEFORE 1 half",
    "RPOP k",
    "SADD k 1 two 3000000000",
    "SREM k 1",
    "SPOP k",
    "ZADD k 1.5 a -inf b",
    "ZINCRBY k 2 a",
    "ZREM k b",
    "ZPOPMIN k",
    "ZPEXPIRE k 100000 MEMBERS 1 a",
    "HSET k a 1 b two",
    "HINCRBY k a 5",
    "HPEXPIRE k 100000 FIELDS 1 a",
    "HDEL k b",
    "XADD k * f v",
    "XADD k * f v g w",
    "XGROUP CREATE k g 0",
    "XREADGROUP GROUP g c COUNT 5 STREAMS k >",
    "XACK k g 1-1",
    "XAUTOCLAIM k g d 0 0",
    "XTRIM k MAXLEN 2",
    "SIADD k 0 5 18446744073709551615",
    "SIREM k 0 1 2",
    "KEYDB.CRON k NEXT 2000 3000",
    "KEYDB.CRON k repeat 1 1000 return 1 k",
    "ARSET k 1 one two",
    "ARMSET k 18446744073709551614 end 0 start",
    "ARINSERT k value",
    "ARDEL k 1",
    "ARDELRANGE k 2 5",
    "ARRING k 3 a b c d",
    "PFADD k x",
    "SETBIT k 100 1",
];

struct Client {
    node: Node,
    session: Session,
}

impl Client {
    fn send(&mut self, words: &[&[u8]]) -> Value {
        self.node.send(&mut self.session, words).expect("a reply")
    }

    fn line(&mut self, line: &str) -> Value {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.send(&words)
    }

    /// Dumps the key and restores the payload as a copy; both are equal.
    fn there_and_back(&mut self) {
        let Value::Bulk(payload) = self.line("DUMP k") else { return };
        let restored = self.send(&[b"RESTORE", b"copy", b"0", &payload, b"REPLACE"]);
        assert!(!restored.is_error(), "{restored:?} to {}", payload.escape_ascii());
        let Value::Array(digests) = self.line("DEBUG DIGEST-VALUE k copy") else { unreachable!() };
        assert_eq!(digests[0], digests[1], "{}", payload.escape_ascii());
        self.line("DEL copy");
    }
}

pub(crate) fn check(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let node = Node::new(Options::default());
    let session = node.session();
    let mut client = Client { node, session };
    if choice & 4 != 0 {
        SMALL.iter().for_each(|line| assert!(!client.line(line).is_error()));
    }
    let mut payload = body.to_vec();
    payload.extend_from_slice(&VERSIONS[usize::from(choice & 3)].to_le_bytes());
    payload.extend_from_slice(&rdb::crc64::update(0, &payload).to_le_bytes());
    let reply = client.send(&[b"RESTORE", b"k", b"0", &payload]);
    if reply.is_error() {
        assert_eq!(client.line("EXISTS k"), Value::Integer(0));
        return;
    }
    client.there_and_back();
    for line in READS {
        client.line(line);
    }
    if let Err(fault) = client.node.check_reload() {
        panic!("{fault}");
    }
    for line in WRITES {
        client.line(line);
    }
    client.there_and_back();
    if let Err(fault) = client.node.check_reload() {
        panic!("{fault}");
    }
}
