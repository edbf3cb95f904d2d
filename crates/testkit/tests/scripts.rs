//! Scripts on many workers: nobody sees a part of one, whether it keeps to its keys or not, and what a
//! run has done that is taken back is gone, in the data and in the journal.

use command::Session;
use resp::Value;
use std::thread;
use stdx::rng::Rng;
use testkit::{Hand, Node, Options};

const ACCOUNTS: usize = 24;
const EACH: i64 = 100;
const ROUNDS: usize = 600;

/// Moves money between two accounts that are declared.
const DECLARED: &str =
    "redis.call('DECRBY', KEYS[1], ARGV[1]) redis.call('INCRBY', KEYS[2], ARGV[1])";
/// The second account is not declared.
const ROAMING: &str =
    "redis.call('DECRBY', KEYS[1], ARGV[1]) redis.call('INCRBY', ARGV[2], ARGV[1])";
/// Keeps to its key until it is told not to, after it has written.
const TREACHEROUS: &str = "redis.call('DECRBY', KEYS[1], ARGV[1])
    if ARGV[2] ~= KEYS[1] then redis.call('INCRBY', ARGV[2], ARGV[1])
    else redis.call('INCRBY', KEYS[1], ARGV[1]) end";
/// All money, by keys that are not declared.
const SUM: &str = "local sum = 0
    for i = 0, tonumber(ARGV[1]) - 1 do sum = sum + redis.call('GET', 'a' .. i) end
    return sum";

struct Client {
    hand: Hand,
    session: Session,
    rng: Rng,
}

impl Client {
    fn call(&mut self, words: &[&str]) -> Value {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.hand.send(&mut self.session, &words).expect("a reply")
    }

    fn account(&mut self) -> String {
        format!("a{}", self.rng.index(ACCOUNTS))
    }

    fn round(&mut self) {
        let (from, to) = (self.account(), self.account());
        let amount = self.rng.index(20).to_string();
        let done = match self.rng.index(9) {
            0 => self.call(&["EVAL", DECLARED, "2", &from, &to, &amount]),
            1 => self.call(&["EVAL", ROAMING, "1", &from, &amount, &to]),
            // Another script each time: it roams for the first time, after it has written.
            2 => {
                let fresh = format!("-- {}\n{TREACHEROUS}", self.rng.u64());
                self.call(&["EVAL", &fresh, "1", &from, &amount, &to])
            }
            3 => self.call(&["EVAL", TREACHEROUS, "1", &from, &amount, &from]),
            4 => {
                for words in [&["MULTI"][..], &["DECRBY", &from, &amount]] {
                    self.call(words);
                }
                self.call(&["EVAL", "redis.call('INCRBY', ARGV[1], ARGV[2])", "0", &to, &amount]);
                self.call(&["EXEC"])
            }
            5 => self.call(&["APPEND", "noise", "x"]),
            6 => self.call(&["EVAL", "return #redis.call('KEYS', 'a*')", "0"]),
            7 => {
                let names: Vec<String> = (0..ACCOUNTS).map(|n| format!("a{n}")).collect();
                let mut words = vec!["MGET"];
                words.extend(names.iter().map(String::as_str));
                let Value::Array(values) = self.call(&words) else { panic!("no array") };
                let sum: i64 = values.iter().map(number).sum();
                assert_eq!(sum, EACH * ACCOUNTS as i64, "a part of a script was seen");
                return;
            }
            _ => {
                let sum = self.call(&["EVAL", SUM, "0", &ACCOUNTS.to_string()]);
                assert_eq!(sum, Value::Integer(EACH * ACCOUNTS as i64));
                return;
            }
        };
        assert!(!done.is_error(), "{done:?}");
    }
}

fn number(value: &Value) -> i64 {
    let Value::Bulk(text) = value else { panic!("no number: {value:?}") };
    stdx::num::parse_i64(text).expect("a number")
}

#[test]
fn money_neither_comes_nor_goes() {
    let mut node = Node::new(Options { shards: 8, ..Options::default() });
    let mut session = node.session();
    for n in 0..ACCOUNTS {
        let key = format!("a{n}");
        node.send(&mut session, &[b"SET", key.as_bytes(), EACH.to_string().as_bytes()]);
    }
    let clients: Vec<Client> = (0..4)
        .map(|seed| {
            let hand = node.hand(seed);
            let session = hand.session();
            Client { hand, session, rng: Rng::new(seed) }
        })
        .collect();
    thread::scope(|scope| {
        for mut client in clients {
            scope.spawn(move || (0..ROUNDS).for_each(|_| client.round()));
        }
    });
    node.drain();
    node.check_replay().unwrap_or_else(|fault| panic!("{fault}"));
}

/// What a run has done that is taken back is not told, nor logged, nor left.
#[test]
fn what_is_taken_back_leaves_nothing() {
    let mut node = Node::new(Options { shards: 16, ..Options::default() });
    let (mut session, mut listener) = (node.session(), node.session());
    node.send(&mut session, &[b"CONFIG", b"SET", b"notify-keyspace-events", b"KA"]);
    node.send(&mut session, &[b"SADD", b"set", b"a", b"b", b"c", b"d", b"e"]);
    node.send(&mut listener, &[b"PSUBSCRIBE", b"*"]);
    let before = node.journal().len();
    let source = "redis.call('SPOP', KEYS[1], 2) redis.call('PUBLISH', 'news', 'popped')
        redis.call('SET', 'far', redis.call('SCARD', KEYS[1]))";
    // More keys than one, so that one of them is on a shard that is not declared.
    for far in 0..8 {
        let source = source.replace("far", &format!("far:{far}"));
        node.send(&mut session, &[b"SADD", b"set", b"a", b"b", b"c", b"d", b"e"]);
        node.send(&mut session, &[b"EVAL", source.as_bytes(), b"1", b"set"]);
        let left = node.send(&mut session, &[b"SCARD", b"set"]);
        assert_eq!(left, Some(Value::Integer(3)));
        let mail = node.mail(&mut listener);
        let told = |word| mail.iter().filter(|letter| letter.cli().contains(word)).count();
        assert_eq!((told("\"news\""), told("\"spop\"")), (1, 1), "{mail:?}");
    }
    let log = String::from_utf8_lossy(&node.journal()[before..]).into_owned();
    assert_eq!(log.matches("SREM").count(), 8, "{log}");
    node.check_replay().unwrap_or_else(|fault| panic!("{fault}"));
}

/// What has expired and is met by a run that is taken back goes with the run that counts: it is in the
/// journal before what comes in its place, and is told once.
#[test]
fn what_has_expired_goes_once() {
    let reads = ["EXISTS", "TTL", "PFCOUNT", "TYPE"];
    for (read, far) in reads.iter().flat_map(|read| (0..8).map(move |far| (read, far))) {
        let mut node = Node::new(Options { shards: 16, ..Options::default() });
        let (mut session, mut listener) = (node.session(), node.session());
        node.send(&mut session, &[b"CONFIG", b"SET", b"notify-keyspace-events", b"Kx"]);
        node.send(&mut listener, &[b"PSUBSCRIBE", b"*"]);
        node.send(&mut session, &[b"SET", b"n", b"1", b"PX", b"20"]);
        node.send(&mut session, &[b"RPUSH", b"l", b"old"]);
        node.send(&mut session, &[b"PEXPIRE", b"l", b"20"]);
        node.advance_ms(50);
        let source = format!(
            "redis.call('{read}', 'n') redis.call('{read}', 'l') redis.call('SET', 'far:{far}', 1)"
        );
        node.send(&mut session, &[b"EVAL", source.as_bytes(), b"2", b"n", b"l"]);
        let one = node.send(&mut session, &[b"INCR", b"n"]);
        assert_eq!(one, Some(Value::Integer(1)));
        node.send(&mut session, &[b"RPUSH", b"l", b"new"]);
        let mail = node.mail(&mut listener);
        let told = mail.iter().filter(|letter| letter.cli().contains("\"expired\"")).count();
        assert_eq!(told, 2, "{read}: {mail:?}");
        node.check_replay().unwrap_or_else(|fault| panic!("{read}: {fault}"));
    }
}

/// PFCOUNT is called a read, and changes its key.
#[test]
fn a_read_that_changes_its_key_is_taken_back() {
    let mut node = Node::new(Options { shards: 16, ..Options::default() });
    let mut session = node.session();
    for far in 0..8 {
        node.send(&mut session, &[b"PFADD", b"p", far.to_string().as_bytes()]);
        let source = format!("redis.call('PFCOUNT', KEYS[1]) redis.call('SET', 'far:{far}', 1)");
        node.send(&mut session, &[b"EVAL", source.as_bytes(), b"1", b"p"]);
        node.check_replay().unwrap_or_else(|fault| panic!("{fault}"));
    }
}

/// One record for all that a script did, without MULTI if it is one command.
#[test]
fn effects_are_one_record() {
    let mut node = Node::new(Options::default());
    let mut session = node.session();
    let mut logged = |source: &str| {
        let before = node.journal().len();
        node.send(&mut session, &[b"EVAL", source.as_bytes(), b"2", b"a", b"b"]);
        let words = String::from_utf8_lossy(&node.journal()[before..]).into_owned();
        let words = words.split("\r\n").filter(|word| !word.starts_with(['*', '$']));
        words.collect::<Vec<_>>().join(" ").trim().to_owned()
    };
    assert_eq!(logged("return redis.call('GET', KEYS[1])"), "");
    assert_eq!(logged("redis.call('SET', KEYS[1], 1)"), "SELECT 0 SET a 1");
    assert_eq!(
        logged("redis.call('INCR', KEYS[1]) redis.call('INCR', KEYS[2])"),
        "MULTI INCR a INCR b EXEC"
    );
    assert_eq!(
        logged("redis.call('INCR', KEYS[1]) redis.call('SELECT', 1) redis.call('SET', KEYS[2], 1)"),
        "MULTI INCR a SELECT 1 SET b 1 EXEC"
    );
    assert_eq!(
        logged("redis.call('SET', KEYS[1], 1) error('no')"),
        "SELECT 0 SET a 1",
        "what was done before an error stays"
    );
}
