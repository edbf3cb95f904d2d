//! Snapshots that are read while everybody goes on: what is read is what there was at the cut, each
//! key once, whatever happens meanwhile.

use command::Session;
use stdx::rng::Rng;
use testkit::generate::{Choices, Generator, Spans, Vocabulary};
use testkit::{Node, Options, START_MS, Snapshot, framed};

/// A snapshot under way, with what it must turn out to be.
struct Reading {
    snapshot: keyspace::Snapshot,
    body: Vec<u8>,
    wanted: Snapshot,
    log: usize,
}

impl Reading {
    fn begin(node: &mut Node) -> Self {
        let mut lsn = None;
        let snapshot = node.begin_snapshot(|cut| lsn = Some(cut.lsn.0));
        node.drain();
        let log = node.journal().len();
        assert_eq!(lsn, Some(log as u64), "the cut is where the journal ends");
        let wanted = node.snapshot_at(i64::MIN);
        assert_eq!(snapshot.totals().keys, wanted.keys.len() as u64);
        Self { snapshot, body: Vec::new(), wanted, log }
    }

    /// Reads on; whether there is more.
    fn read(&mut self, bytes_max: usize) -> bool {
        self.snapshot.read(&mut self.body, bytes_max)
    }

    /// Reads what is left, and compares; then the journal from the cut on must lead from the
    /// snapshot to what there is now.
    fn end(mut self, node: &Node) {
        while self.read(1000) {}
        assert_eq!(self.snapshot.keys_done(), self.wanted.keys.len() as u64);
        drop(self.snapshot);
        assert!(!node.engine.space.has_snapshot());
        assert_eq!(node.engine.space.snapshot_lag(), 0);
        let mut copy = node.sibling();
        copy.load(&framed(&self.body)).unwrap_or_else(|fault| panic!("{fault}"));
        let difference = self.wanted.difference(&copy.snapshot_at(i64::MIN), false);
        assert!(difference.is_empty(), "at the cut / loaded:\n{difference}");
        copy.replay(&node.journal()[self.log..]).unwrap_or_else(|fault| panic!("{fault}"));
        let now_ms = node.now_ms();
        let difference = node.snapshot_at(now_ms).difference(&copy.snapshot_at(now_ms), false);
        assert!(difference.is_empty(), "live / loaded and replayed:\n{difference}");
    }
}

fn send(node: &mut Node, session: &mut Session, line: &str) {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    node.send(session, &words);
}

/// Every command there is, on few keys.
#[test]
fn any_request_may_come_meanwhile() {
    let table = command::CommandTable::new(commands::FAMILIES);
    for seed in 0..30 {
        println!("seed {seed}");
        let mut choices = Choices::seeded(seed);
        let mut rng = Rng::new(seed);
        let shards = 1 << rng.below(5);
        let mut node = Node::new(Options { shards, seed, ..Options::default() });
        let mut session = node.session();
        let mut reading = None;
        for _ in 0..600 {
            let vocabulary = Vocabulary { now_ms: node.now_ms(), spans: Spans::Near };
            let request = Generator::new(&table, vocabulary).request(&mut choices);
            let mut bytes = Vec::new();
            request.encode(&mut bytes);
            node.send_bytes(&mut session, &bytes);
            if session.close_after_reply {
                session = node.session();
            }
            if rng.below(20) == 0 {
                node.advance_ms(rng.below(100) as i64);
            }
            let more = match &mut reading {
                None if rng.below(30) == 0 => {
                    reading = Some(Reading::begin(&mut node));
                    true
                }
                None => true,
                Some(reading) => rng.below(8) > 0 || reading.read(rng.index(200)),
            };
            if !more && let Some(reading) = reading.take() {
                reading.end(&node);
            }
        }
        if let Some(reading) = reading {
            reading.end(&node);
        }
    }
}

/// One random write, of those that move many keys among them.
fn write(node: &mut Node, session: &mut Session, rng: &mut Rng, keys: u64) {
    let (key, other) = (rng.below(keys), rng.below(keys));
    let number = rng.below(1 << 20);
    let line = match rng.below(40) {
        0..=4 => format!("SET k{key} {number}"),
        6 => format!("SET k{key} {number} PX {}", 1 + number % 50),
        7..=9 => format!("DEL k{key} k{other}"),
        13 => format!("APPEND k{key} {number}"),
        14 => format!("RENAME k{key} k{other}"),
        15 => format!("COPY k{key} k{other} DB {} REPLACE", number % 3),
        16 => format!("MOVE k{key} {}", number % 3),
        17..=19 => format!("HSET hash m{number} {number}"),
        20..=22 => format!("ZADD zset {number} m{}", number % 5000),
        23..=24 => format!("RPUSH list {number}"),
        25 => "LPOP list 20".to_owned(),
        26..=28 => format!("SADD set m{number}"),
        5 => format!("ARSET array {} {number}", number % 9000),
        11 => format!("SIADD ids {number} {}", number / 2),
        10 => format!("SIREM ids {} {}", number / 4, number / 2),
        12 => "ARDELRANGE array 100 800".to_owned(),
        29 => format!("XADD stream * f {number}"),
        30 => format!("SETRANGE long {} {number}", number % 40_000),
        31 => format!("PEXPIRE k{key} {}", number % 100),
        39 => format!("SETWITHETAG k{key} {number}"),
        32 => format!("MSET k{key} a k{other} b"),
        33 => format!("SELECT {}", number % 3),
        34 if number.is_multiple_of(20) => format!("SWAPDB {} {}", key % 3, other % 3),
        35 if number.is_multiple_of(40) => "FLUSHDB".to_owned(),
        36 if number.is_multiple_of(100) => "FLUSHALL".to_owned(),
        37 => "SPOP set 30".to_owned(),
        38 => "ZPOPMIN zset 30".to_owned(),
        _ => format!("INCR n{key}"),
    };
    send(node, session, &line);
}

/// Tables that grow, shrink, go and change places, and values that are large.
#[test]
fn tables_change_under_the_walk() {
    for seed in 0..8 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let shards = 1 << rng.below(4);
        let mut node = Node::new(Options { shards, seed, ..Options::default() });
        let mut session = node.session();
        let keys = [50, 1_000, 5_000][rng.index(3)];
        let mut reading: Option<Reading> = None;
        for _ in 0..4 {
            // Grows or shrinks, mostly.
            let begin = rng.below(keys);
            let end = (begin + rng.below(keys)).min(keys);
            let verb = rng.below(3);
            for key in begin..end {
                match verb {
                    0 => send(&mut node, &mut session, &format!("DEL k{key}")),
                    _ => send(&mut node, &mut session, &format!("SET k{key} {begin}")),
                }
                if rng.below(4) == 0 {
                    write(&mut node, &mut session, &mut rng, keys);
                }
                if key % 64 == 0 {
                    node.advance_ms(1);
                }
                let bytes_max = [1, 100, 3000][rng.index(3)];
                let more = match &mut reading {
                    None => {
                        reading = (rng.below(200) == 0).then(|| Reading::begin(&mut node));
                        true
                    }
                    Some(under_way) => rng.below(8) > 0 || under_way.read(bytes_max),
                };
                if !more && let Some(reading) = reading.take() {
                    reading.end(&node);
                }
            }
        }
        if let Some(reading) = reading {
            reading.end(&node);
        }
    }
}

/// A snapshot that nobody reads to its end leaves nothing behind, and another may begin.
#[test]
fn given_up() {
    let mut node = Node::new(Options { shards: 4, now_ms: START_MS, ..Options::default() });
    let mut session = node.session();
    for key in 0..2000 {
        send(&mut node, &mut session, &format!("SET k{key} {key}"));
    }
    let options = keyspace::SnapshotOptions { now_ms: START_MS, access: None, compress: false };
    for round in 0..20 {
        let mut reading = Reading::begin(&mut node);
        let second = node.engine.begin_snapshot(options, command::Others::Run, |_| {});
        assert_eq!(second.err(), Some(engine::SnapshotError::Busy));
        for key in 0..round * 20 {
            send(&mut node, &mut session, &format!("DEL k{key}"));
        }
        reading.read(round * 100);
        if round % 5 == 4 {
            send(&mut node, &mut session, "FLUSHALL");
            reading.read(100);
        }
        drop(reading);
        assert!(!node.engine.space.has_snapshot());
        assert_eq!(node.engine.space.snapshot_lag(), 0);
        for key in 0..2000 {
            send(&mut node, &mut session, &format!("SET k{key} {round}"));
        }
    }
    Reading::begin(&mut node).end(&node);
}

/// Accounts among which money is moved, by one command, by a transaction, or by a new name.
const ACCOUNTS: u64 = 400;
const MONEY: i64 = 1000;

/// Moves money about, in ways that are one moment each.
fn transfer(hand: &mut testkit::Hand, session: &mut Session, rng: &mut Rng) {
    let mut call = |line: &str| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        hand.send(session, &words)
    };
    let (from, to) = (rng.below(ACCOUNTS), rng.below(ACCOUNTS));
    let sum = rng.below(50);
    match rng.below(8) {
        // What is in no account is on its way, in a list or a sorted set.
        0 => {
            call("MULTI");
            call(&format!("DECRBY a{from} {sum}"));
            call(&format!("RPUSH way {sum}"));
            call("EXEC");
        }
        1 => {
            call("WATCH way");
            let Some(resp::Value::Bulk(sum)) = call("LINDEX way 0") else {
                call("UNWATCH");
                return;
            };
            let sum = String::from_utf8_lossy(&sum).into_owned();
            call("MULTI");
            call("LPOP way");
            call(&format!("INCRBY a{to} {sum}"));
            call("EXEC");
        }
        2 => {
            call("MULTI");
            call(&format!("HINCRBY pots p{to} {sum}"));
            call(&format!("DECRBY a{from} {sum}"));
            call("EXEC");
        }
        3 => {
            call("MULTI");
            call(&format!("ZINCRBY ranks -{sum} m{from}"));
            call(&format!("INCRBY a{to} {sum}"));
            call("EXEC");
        }
        // The whole data set changes its place, and back.
        4 if sum == 0 => {
            call("MULTI");
            call("SWAPDB 0 1");
            call("SWAPDB 0 1");
            call("EXEC");
        }
        5 => {
            call(&format!("SET junk{} {sum}", rng.below(5000)));
        }
        6 => {
            call(&format!("DEL junk{} junk{}", rng.below(5000), rng.below(5000)));
        }
        _ => {
            call("MULTI");
            call(&format!("DECRBY a{from} {sum}"));
            call(&format!("INCRBY a{to} {sum}"));
            call("EXEC");
        }
    }
}

/// All money there is in a data set.
fn wealth(node: &mut Node) -> i64 {
    let mut session = node.session();
    let mut call = |line: &str| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        match node.send(&mut session, &words) {
            Some(resp::Value::Array(items)) => items,
            Some(one) => vec![one],
            None => Vec::new(),
        }
    };
    let number = |value: &resp::Value| match value {
        resp::Value::Bulk(text) => {
            String::from_utf8_lossy(text).parse::<f64>().expect("a sum") as i64
        }
        resp::Value::Null => 0,
        other => panic!("{other:?}"),
    };
    let mut sum: i64 = 0;
    for account in 0..ACCOUNTS {
        sum += call(&format!("GET a{account}")).iter().map(number).sum::<i64>();
    }
    sum += call("LRANGE way 0 -1").iter().map(number).sum::<i64>();
    sum += call("HVALS pots").iter().map(number).sum::<i64>();
    let ranks = call("ZRANGE ranks 0 -1 WITHSCORES");
    sum + ranks.iter().skip(1).step_by(2).map(number).sum::<i64>()
}

/// Writers on threads of their own, with and without helpers: in each snapshot no money is missing,
/// none is there twice, and the journal leads on from it.
#[test]
fn money_is_whole_in_each_snapshot() {
    for helpers in 0..3 {
        let mut node = Node::new(Options { shards: 16, ..Options::default() });
        let mut session = node.session();
        for account in 0..ACCOUNTS {
            send(&mut node, &mut session, &format!("SET a{account} {MONEY}"));
        }
        for number in 0..3000 {
            send(&mut node, &mut session, &format!("SET junk{number} 1"));
            send(&mut node, &mut session, &format!("HSET pots x{number} 0"));
            send(&mut node, &mut session, &format!("ZADD ranks 0 x{number}"));
        }
        let stop = std::sync::atomic::AtomicBool::new(false);
        let over = || stop.load(std::sync::atomic::Ordering::Relaxed);
        let hands: Vec<_> = (0..3).map(|seed| (node.hand(seed), Rng::new(seed))).collect();
        let mut images = Vec::new();
        std::thread::scope(|scope| {
            for (mut hand, mut rng) in hands {
                scope.spawn(move || {
                    let mut session = hand.session();
                    while !over() {
                        transfer(&mut hand, &mut session, &mut rng);
                    }
                });
            }
            for number in 0..helpers {
                let mut helper = keyspace::Helper::new(&node.engine.space, number);
                scope.spawn(move || {
                    while !over() {
                        match helper.poll(std::task::Waker::noop()) {
                            std::task::Poll::Ready(()) => helper.step(),
                            std::task::Poll::Pending => std::thread::yield_now(),
                        }
                    }
                });
            }
            for _ in 0..4 {
                let (mut body, mut lsn) = (Vec::new(), 0);
                let mut snapshot = node.begin_snapshot(|cut| lsn = cut.lsn.0);
                while snapshot.read(&mut body, 2000) {}
                images.push((body, usize::try_from(lsn).expect("a small log")));
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        node.drain();
        assert_eq!(wealth(&mut node), MONEY * ACCOUNTS as i64);
        for (body, log) in images {
            let mut copy = node.sibling();
            copy.load(&framed(&body)).unwrap_or_else(|fault| panic!("{fault}"));
            assert_eq!(wealth(&mut copy), MONEY * ACCOUNTS as i64);
            copy.replay(&node.journal()[log..]).unwrap_or_else(|fault| panic!("{fault}"));
            let difference = node.snapshot().difference(&copy.snapshot(), false);
            assert!(difference.is_empty(), "live / loaded and replayed:\n{difference}");
        }
    }
}
