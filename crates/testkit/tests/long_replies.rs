//! What is computed from a clone, outside the lock, is what the command computes under it.

use resp::Value;
use testkit::{Node, Options};

const LEN: usize = 2500;

struct Client {
    node: Node,
    session: command::Session,
}

impl Client {
    fn new() -> Self {
        let node = Node::new(Options::default());
        let session = node.session();
        Self { node, session }
    }

    fn call(&mut self, line: &str) -> Value {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.node.send(&mut self.session, &words).expect("a reply")
    }

    fn texts(&mut self, line: &str) -> Vec<String> {
        match self.call(line) {
            Value::Array(values) | Value::Set(values) => {
                values.iter().map(|value| format!("{value:?}")).collect()
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

/// A key of each kind, with `LEN` elements.
fn filled() -> Client {
    let mut client = Client::new();
    for number in 0..LEN {
        let (one, other) = (number * 7919 % LEN, number % 90);
        client.call(&format!("GEOADD geo {}.{number:04} {}.5 m{number}", other, number % 80));
        client.call(&format!("RPUSH list {one}"));
        client.call(&format!("SADD set m{one}"));
        client.call(&format!("ZADD zset {one} m{one}"));
        client.call(&format!("HSET hash f{one} v{number}"));
        client.call(&format!("ARSET array {} v{number}", one * one));
        client.call(&format!("XADD stream {}-1 f v{number}", number + 1));
    }
    client
}

#[test]
fn long_replies_are_those_of_short_ones() {
    let mut client = filled();
    for order in ["ASC", "DESC"] {
        let area = "FROMLONLAT 40 40 BYRADIUS 5000 km";
        let found = client.texts(&format!("GEOSEARCH geo {area} {order}"));
        client.call(&format!("GEOSEARCHSTORE near geo {area} STOREDIST"));
        let range = if order == "ASC" { "ZRANGE" } else { "ZREVRANGE" };
        assert!(found.len() > 1000, "{}", found.len());
        assert_eq!(found.len(), client.texts(&format!("{range} near 0 -1")).len());
        assert_eq!(found[..5], client.texts(&format!("GEOSEARCH geo {area} {order} COUNT 5"))[..]);
        for sort in [
            format!("SORT list {order}"),
            format!("SORT list {order} LIMIT 3 1800 GET # GET x"),
            format!("SORT set ALPHA {order}"),
            format!("SORT zset BY nosort {order} LIMIT 10 20"),
        ] {
            let sorted = client.texts(&sort);
            client.call(&format!("{sort} STORE sorted"));
            let null = format!("{:?}", Value::Null);
            let empty = format!("{:?}", Value::Bulk(Vec::new()));
            let sorted: Vec<String> = sorted
                .into_iter()
                .map(|text| if text == null { empty.clone() } else { text })
                .collect();
            assert_eq!(sorted, client.texts("LRANGE sorted 0 -1"), "{sort}");
        }
    }
    let error = client.call("SORT set");
    assert!(
        matches!(&error, Value::Error(text) if text.starts_with(b"ERR One or more")),
        "{error:?}"
    );
}

#[test]
fn many_are_drawn_without_repeats() {
    let mut client = filled();
    for line in ["ZRANDMEMBER zset 2000", "SRANDMEMBER set 2000"] {
        let mut drawn = client.texts(line);
        drawn.sort();
        drawn.dedup();
        assert_eq!(drawn.len(), 2000, "{line}");
    }
    assert_eq!(client.texts("ZRANDMEMBER zset 9999").len(), LEN);
}

#[test]
fn figures_of_large_values() {
    let mut client = filled();
    client.call("XGROUP CREATE stream group 0");
    client.call("XREADGROUP GROUP group alice STREAMS stream >");
    let full = format!("{:?}", client.call("XINFO STREAM stream FULL COUNT 0"));
    let short = format!("{:?}", client.call("XINFO STREAM stream FULL COUNT 1"));
    assert!(full.len() > 50 * short.len());
    for key in ["list", "hash", "zset", "array"] {
        let digest = client.texts(&format!("DEBUG DIGEST-VALUE {key}"));
        client.call(&format!("COPY {key} copy REPLACE"));
        assert_eq!(client.texts("DEBUG DIGEST-VALUE copy"), digest);
        client.call("PEXPIRE copy 100000");
        assert_ne!(client.texts("DEBUG DIGEST-VALUE copy"), digest);
        let Value::Simple(line) = client.call(&format!("DEBUG OBJECT {key}")) else {
            panic!("no line of {key}");
        };
        let line = String::from_utf8(line).unwrap();
        let (_, bytes) = line.split_once("serializedlength:").unwrap();
        let bytes: usize = bytes.split(' ').next().unwrap().parse().unwrap();
        assert!(bytes > 2 * LEN, "{line}");
    }
}

#[test]
fn arrays_are_read_in_slices() {
    let mut client = filled();
    let last = (LEN - 1) * (LEN - 1);
    let all = client.texts(&format!("ARSCAN array 0 {last}"));
    assert_eq!(all.len(), LEN);
    let mut backwards = client.texts(&format!("ARSCAN array {last} 0 LIMIT {LEN}"));
    backwards.reverse();
    assert_eq!(backwards, all);
    assert_eq!(client.texts("ARGREP array - + MATCH v RE ^v AND WITHVALUES"), all);
    assert_eq!(client.texts("ARGREP array + - GLOB v* LIMIT 1500").len(), 1500);
    assert_eq!(client.call(&format!("AROP array 0 {last} USED")), Value::Integer(LEN as i64));
    let null = format!("{:?}", Value::Null);
    let positions = client.texts("ARGETRANGE array 0 99999");
    let there: Vec<_> = positions.iter().filter(|text| **text != null).collect();
    assert_eq!((positions.len(), there.len()), (100_000, 317));
    let mut backwards = client.texts("ARGETRANGE array 99999 0");
    backwards.reverse();
    assert_eq!(backwards, positions);
    for number in 0..LEN {
        client.call(&format!("ARRING ring 2500 {number}"));
    }
    let length = LEN.min(2500);
    let newest = client.texts(&format!("ARLASTITEMS ring {LEN}"));
    assert_eq!(newest.len(), length);
    let expected = |number: usize| format!("{:?}", Value::Bulk(number.to_string().into_bytes()));
    assert_eq!(newest, (LEN - length..LEN).map(expected).collect::<Vec<_>>());
    let mut reversed = client.texts(&format!("ARLASTITEMS ring {LEN} REV"));
    reversed.reverse();
    assert_eq!(reversed, newest);
}
