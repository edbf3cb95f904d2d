//! Clients that wait: who is served, in which order and with what, however a key comes to life; and
//! with many workers, every element is delivered once or still there.

use command::Session;
use resp::Value;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use stdx::rng::Rng;
use testkit::{Hand, Node, Options};

/// A client, and the worker that serves it.
struct Client {
    hand: Hand,
    session: Session,
}

impl Client {
    fn new(node: &Node, seed: u64) -> Self {
        let hand = node.hand(seed);
        let session = hand.session();
        Self { hand, session }
    }

    /// Sends words, parted by spaces.
    fn call(&mut self, line: &str) -> Value {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.hand.send(&mut self.session, &words).expect("a reply")
    }

    /// Begins to wait. An answer at once is none.
    #[track_caller]
    fn wait(&mut self, line: &str) {
        assert_eq!(self.start(line), None, "{line}");
    }

    fn start(&mut self, line: &str) -> Option<Value> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.hand.start(&mut self.session, &words)
    }

    /// What it was served, as redis-cli prints it; empty while it waits.
    fn served(&mut self) -> String {
        self.hand.resume(&mut self.session).map_or_else(String::new, |value| flat(&value))
    }
}

/// The texts of a reply, parted by spaces.
fn flat(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(flat).collect::<Vec<_>>().join(" "),
        Value::Null | Value::NullArray => "nil".into(),
        Value::Integer(number) => number.to_string(),
        Value::Error(text) | Value::Simple(text) => String::from_utf8_lossy(text).into_owned(),
        other => String::from_utf8_lossy(other.as_bytes().unwrap_or(b"?")).into_owned(),
    }
}

/// Runs a scene with one shard and with many, with `count` clients. Then the journal must replay to
/// the same data, and nobody may be left in any queue.
fn scene(count: usize, play: impl Fn(&mut Client, &mut [Client])) {
    for shards in [1, 2, 16, 64] {
        let mut node = Node::new(Options { shards, ..Options::default() });
        let mut clients: Vec<_> = (0..=count as u64).map(|seed| Client::new(&node, seed)).collect();
        let (first, others) = clients.split_first_mut().expect("a client");
        play(first, others);
        for client in &mut clients {
            client.hand.close(&mut client.session);
        }
        assert_eq!((node.engine.space.waited_keys(), node.engine.deadlines.len()), (0, 0));
        node.drain();
        node.check_replay().unwrap_or_else(|fault| panic!("{shards} shards: {fault}"));
    }
}

#[test]
fn first_come_first_served() {
    scene(4, |me, others| {
        let [a, b, c, d] = others else { unreachable!("four clients") };
        a.wait("BLPOP k 0");
        b.wait("BRPOP k 0");
        c.wait("BLMPOP 0 2 x k LEFT COUNT 2");
        d.wait("BLPOP y k 0");
        assert_eq!(flat(&me.call("RPUSH k 1 2 3 4 5 6")), "6");
        let served = [a, b, c, d].map(Client::served);
        assert_eq!(served, ["k 1", "k 6", "k 2 3", "k 4"]);
        assert_eq!(flat(&me.call("LRANGE k 0 -1")), "5");
    });
}

#[test]
fn a_key_may_come_to_life_in_any_way() {
    let ways: &[&[&str]] = &[
        &["LPUSH k v"],
        &["RPUSH other v", "RENAME other k"],
        &["RPUSH other v", "RENAMENX other k"],
        &["RPUSH other v", "COPY other k"],
        &["RPUSH other v", "LMOVE other k LEFT LEFT"],
        &["SELECT 1", "RPUSH k v", "MOVE k 0"],
        &["SELECT 1", "RPUSH k v", "COPY k k DB 0"],
        &["SELECT 1", "RPUSH k v", "SWAPDB 0 1"],
        &["MULTI", "RPUSH k w", "DEL k", "SET k text", "DEL k", "RPUSH k v", "EXEC"],
        &["MULTI", "RPUSH k v", "DBSIZE", "EXEC"],
        &["SET k text", "DEL k", "ZADD k 1 a", "DEL k", "RPUSH k v"],
    ];
    for way in ways {
        scene(1, |me, others| {
            others[0].wait("BLPOP k 0");
            for (at, line) in way.iter().enumerate() {
                assert_eq!(others[0].served(), "", "before {line}, line {at} of {way:?}");
                me.call(line);
            }
            assert_eq!(others[0].served(), "k v", "{way:?}");
            me.call("SELECT 0");
            assert_eq!(flat(&me.call("EXISTS k")), "0", "{way:?}");
        });
    }
}

#[test]
fn what_a_transaction_took_away_again_was_never_there() {
    scene(2, |me, others| {
        others[0].wait("BLPOP k 0");
        others[1].wait("BLPOP a b 0");
        for line in ["MULTI", "RPUSH k v", "DEL k", "RPUSH b 1", "RPUSH a 2", "EXEC"] {
            me.call(line);
        }
        assert_eq!(others[0].served(), "");
        // The first of its keys, not the first that came to life.
        assert_eq!(others[1].served(), "a 2");
        assert_eq!(flat(&me.call("LRANGE b 0 -1")), "1");
    });
}

#[test]
fn elements_are_handed_on() {
    scene(3, |me, others| {
        let [a, b, c] = others else { unreachable!("three clients") };
        b.wait("BLMOVE l2 l3 LEFT RIGHT 0");
        c.wait("BLPOP l3 0");
        a.wait("BLMOVE l1 l2 LEFT RIGHT 0");
        me.call("RPUSH l1 v");
        assert_eq!([a.served(), b.served(), c.served()], ["v", "v", "l3 v"]);
        assert_eq!(flat(&me.call("EXISTS l1 l2 l3")), "0");
        // In a circle it ends where it began.
        a.wait("BRPOPLPUSH l1 l2 0");
        b.wait("BRPOPLPUSH l2 l1 0");
        me.call("RPUSH l1 v");
        assert_eq!([a.served(), b.served()], ["v", "v"]);
        assert_eq!(flat(&me.call("LRANGE l1 0 -1")), "v");
    });
}

/// Who comes behind finds both of his keys ready, as what was handed on is there already.
#[test]
fn the_first_key_counts_that_has_come_to_life_meanwhile() {
    scene(2, |me, others| {
        let [a, b] = others else { unreachable!("two clients") };
        a.wait("BLMOVE k d LEFT RIGHT 0");
        b.wait("BLPOP d k 0");
        me.call("RPUSH k 1 2");
        assert_eq!([a.served(), b.served()], ["1", "d 1"]);
        assert_eq!(flat(&me.call("LRANGE k 0 -1")), "2");
    });
}

#[test]
fn who_waits_for_several_elements_keeps_his_place() {
    let ways: &[&[&str]] = &[
        &["RPUSH k 1 2 3"],
        &["RPUSH k 1 2", "RPUSH k 3"],
        &["RPUSH k 1 3", "LINSERT k BEFORE 3 2"],
        &["RPUSH k 1 2", "RPUSH other 3", "LMOVE other k LEFT RIGHT"],
        &["RPUSH k 1 2", "RPUSH other 3", "LMOVEM other k LEFT RIGHT"],
        &["RPUSH k 9", "RPUSH other 3 1 2", "SORT other STORE k"],
    ];
    for way in ways {
        scene(1, |me, others| {
            others[0].wait("BLMOVEM k t LEFT RIGHT 0 EXACTLY 3 BULK");
            for line in *way {
                assert_eq!(others[0].served(), "", "before {line} of {way:?}");
                me.call(line);
            }
            assert_eq!(others[0].served(), "1 2 3", "{way:?}");
            assert_eq!(flat(&me.call("LRANGE t 0 -1")), "1 2 3");
            assert_eq!(flat(&me.call("EXISTS k")), "0");
        });
    }
    scene(4, |me, others| {
        let [a, b, c, d] = others else { unreachable!("four clients") };
        a.wait("BLMOVEM k t LEFT LEFT 0 EXACTLY 2 OBO");
        b.wait("BLPOP k 0");
        c.wait("BLPOP k 0");
        d.wait("BLMOVEM t k2 RIGHT RIGHT 0 COUNT 5 BULK");
        me.call("RPUSH k 1");
        let served = [&mut *a, b, c].map(Client::served);
        assert_eq!(served, ["", "k 1", ""]);
        me.call("RPUSH k 2 3 4");
        let served = [a, c, d].map(Client::served);
        assert_eq!(served, ["3 2", "k 4", "3 2"]);
        assert_eq!(flat(&me.call("LRANGE k2 0 -1")), "3 2");
    });
}

#[test]
fn a_target_of_another_type_is_an_error_for_one() {
    scene(2, |me, others| {
        me.call("SET text x");
        others[0].wait("BLMOVE l text LEFT LEFT 0");
        others[1].wait("BLMOVE l m LEFT LEFT 0");
        me.call("RPUSH l v");
        assert!(others[0].served().starts_with("WRONGTYPE"));
        assert_eq!(others[1].served(), "v");
        assert_eq!(flat(&me.call("LRANGE m 0 -1")), "v");
    });
}

#[test]
fn each_type_has_its_waiters() {
    scene(3, |me, others| {
        let [a, b, c] = others else { unreachable!("three clients") };
        a.wait("BZPOPMIN k 0");
        b.wait("BLPOP k 0");
        c.wait("BZMPOP 0 1 k MAX COUNT 2");
        me.call("RPUSH k v");
        assert_eq!([a.served(), b.served(), c.served()], ["", "k v", ""]);
        me.call("ZADD k 1 a 2 b 3 c");
        assert_eq!([a.served(), c.served()], ["k a 1", "k c 3 b 2"]);
    });
}

#[test]
fn readers_of_streams_wait() {
    scene(3, |me, others| {
        let [a, b, c] = others else { unreachable!("three clients") };
        me.call("XADD s 1-1 f v");
        a.wait("XREAD BLOCK 0 STREAMS s t $ $");
        b.wait("XREAD BLOCK 0 COUNT 1 STREAMS t s 0 1-1");
        c.wait("XREAD BLOCK 0 STREAMS s 5");
        me.call("SET t text");
        me.call("DEL t");
        assert_eq!([a.served(), b.served()], ["", ""]);
        me.call("XADD s 2-1 f v");
        assert_eq!([a.served(), b.served(), c.served()], ["s 2-1 f v", "s 2-1 f v", ""]);
        // All that a transaction has put in, of all streams.
        a.wait("XREAD BLOCK 0 STREAMS s t 2-1 0");
        for line in ["MULTI", "XADD t 7-0 a b", "XADD s 7-1 c d", "EXEC"] {
            me.call(line);
        }
        assert_eq!([a.served(), c.served()], ["s 7-1 c d t 7-0 a b", "s 7-1 c d"]);
    });
}

#[test]
fn groups_hear_of_what_happens_to_their_streams() {
    scene(3, |me, others| {
        let [a, b, c] = others else { unreachable!("three clients") };
        let create = "XGROUP CREATE s g $ MKSTREAM";
        me.call(create);
        a.wait("XREADGROUP GROUP g a BLOCK 0 STREAMS s >");
        b.wait("XREADGROUP GROUP g b BLOCK 0 STREAMS s >");
        me.call("XADD s 1-1 f v");
        // One entry is for one consumer.
        assert_eq!([a.served(), b.served()], ["s 1-1 f v", ""]);
        me.call("XGROUP CREATE s other $");
        assert_eq!(b.served(), "");
        // What is there again comes with what is next.
        me.call("XGROUP SETID s g 0");
        assert_eq!(b.served(), "");
        me.call("XADD s 1-2 f w");
        assert_eq!(b.served(), "s 1-1 f v 1-2 f w");
        b.wait("XREADGROUP GROUP g b BLOCK 0 STREAMS s >");
        me.call("XGROUP DESTROY s g");
        assert!(b.served().starts_with("NOGROUP"));
        for (line, error) in [
            ("DEL s", "NOGROUP"),
            ("SET s text", "WRONGTYPE"),
            ("RENAME s t", "NOGROUP"),
            ("FLUSHALL", "NOGROUP"),
            ("SWAPDB 0 1", "NOGROUP"),
            ("MOVE s 1", "NOGROUP"),
        ] {
            me.call("FLUSHALL");
            me.call(create);
            c.wait("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
            me.call(line);
            let served = c.served();
            assert!(served.starts_with(error), "{line}: {served}");
        }
        // Expiry is such a way, too, whoever sees it first.
        for by_command in [true, false] {
            me.call("FLUSHALL");
            me.call(create);
            c.wait("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
            me.call("PEXPIRE s 10");
            assert_eq!(c.served(), "");
            me.hand.advance_ms(10);
            if by_command {
                me.call("EXISTS s");
            } else {
                me.hand.sweep();
            }
            assert!(c.served().starts_with("NOGROUP"));
        }
    });
}

/// Time makes an entry ready to be taken over, and no change of the stream.
#[test]
fn what_has_been_idle_comes_by_time() {
    scene(2, |me, others| {
        me.call("XGROUP CREATE s g $ MKSTREAM");
        others[0].wait("XREADGROUP GROUP g b BLOCK 0 CLAIM 50 STREAMS s >");
        others[1].wait("XREADGROUP GROUP g c BLOCK 70 CLAIM 1000 STREAMS s >");
        assert!(me.hand.engine.deadlines.len() == 2);
        me.hand.advance_ms(20);
        others[0].served(); // too early
        // The one who has waited longest gets it, and acknowledges; then another takes an entry.
        me.call("XADD s 1-1 f v");
        assert_eq!(others[0].served(), "s 1-1 f v 0 0");
        others[0].wait("XREADGROUP GROUP g b BLOCK 0 CLAIM 50 STREAMS s >");
        me.hand.advance_ms(49);
        assert_eq!(others[0].served(), "");
        me.hand.advance_ms(1);
        assert_eq!(others[0].served(), "s 1-1 f v 50 1");
        assert_eq!(others[1].served(), "nil");
        // What is delivered while one waits is found, too.
        me.call("XACK s g 1-1");
        others[0].wait("XREADGROUP GROUP g b BLOCK 0 CLAIM 50 STREAMS s >");
        me.hand.advance_ms(30);
        me.call("MULTI");
        me.call("XADD s 2-1 f v");
        me.call("XREADGROUP GROUP g d STREAMS s >");
        me.call("EXEC");
        for _ in 0..49 {
            me.hand.advance_ms(1);
            assert_eq!(others[0].served(), "");
        }
        me.hand.advance_ms(1);
        assert_eq!(others[0].served(), "s 2-1 f v 50 1");
        assert!(me.hand.engine.deadlines.is_empty());
    });
}

/// A command counts, for its client and in all statistics, when its waiting is over; the log of
/// commands has it then, in the words that were sent.
#[test]
fn what_waits_counts_when_it_ends() {
    scene(1, |me, others| {
        let other = &mut others[0];
        let id = other.session.card.id;
        let commands = |other: &Client| other.session.card.commands.load(Ordering::Relaxed);
        let slow = |me: &Client| {
            let entries = me.hand.engine.command_log.newest(command::LogKind::Slow, usize::MAX);
            let lines = entries.iter().map(|entry| entry.words.join(&b' '));
            lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect::<Vec<_>>()
        };
        let count = |me: &Client, line: &str| slow(me).iter().filter(|one| *one == line).count();
        let mut settings = command::Settings::clone(&me.hand.engine.settings());
        settings.command_log.slow.threshold = Some(0);
        me.hand.engine.set_settings(settings);
        other.wait("BLPOP k 0");
        assert_eq!(commands(other), 0);
        assert_eq!(count(me, "BLPOP k 0"), 0);
        me.call("RPUSH k v");
        assert_eq!(count(me, "BLPOP k 0"), 1);
        assert_eq!((other.served().as_str(), commands(other)), ("k v", 1));
        other.wait("XREAD BLOCK 0 STREAMS s $");
        me.call("XADD s 1-1 f v");
        assert_eq!(count(me, "XREAD BLOCK 0 STREAMS s $"), 1);
        assert!(other.served().starts_with("s 1-1"));
        other.wait("BLPOP k 0");
        me.call(&format!("CLIENT UNBLOCK {id} ERROR"));
        assert!(other.served().starts_with("UNBLOCKED") && commands(other) == 3);
        assert_eq!(count(me, "BLPOP k 0"), 2);
        let engine = &me.hand.engine;
        let id = engine.table.find(b"BLPOP").expect("a command");
        let stats = engine.stats.command(id);
        assert_eq!((stats.calls, stats.rejected, stats.failed), (2, 1, 0));
    });
}

#[test]
fn waiting_ends() {
    scene(2, |me, others| {
        let id = others[0].session.card.id;
        others[0].wait("BLPOP k l 0");
        assert_eq!(flat(&me.call(&format!("CLIENT UNBLOCK {id} ERROR"))), "1");
        assert_eq!(flat(&me.call(&format!("CLIENT UNBLOCK {id}"))), "0");
        assert!(others[0].served().starts_with("UNBLOCKED"));
        others[0].wait("BLMOVE k l LEFT LEFT 0");
        assert_eq!(flat(&me.call(&format!("CLIENT UNBLOCK {id} TIMEOUT"))), "1");
        assert_eq!(others[0].served(), "nil");
        others[0].wait("BLPOP k l 1.5");
        others[1].wait("BLPOP l 0");
        me.hand.advance_ms(1499);
        assert_eq!(others[0].served(), "");
        me.hand.advance_ms(1);
        assert_eq!(others[0].served(), "nil");
        // Who is gone is not served.
        let gone = &mut others[1];
        assert_eq!(gone.hand.close(&mut gone.session), None);
        me.call("RPUSH l v");
        assert_eq!(flat(&me.call("LRANGE l 0 -1")), "v");
    });
}

const QUEUES: usize = 4;
const ELEMENTS: usize = 600;

/// A consumer: waits in one of several ways, gives up at times, or goes. Returns what it got.
fn consume(client: &mut Client, rng: &mut Rng, left: &AtomicUsize) -> Vec<String> {
    let mut got = Vec::new();
    while left.load(Ordering::Acquire) > 0 {
        let (a, b) = (rng.index(QUEUES), rng.index(QUEUES));
        let timeout = if rng.index(4) == 0 { "0.05" } else { "0" };
        let line = match rng.index(4) {
            0 => format!("BLPOP q{a} q{b} {timeout}"),
            1 => format!("BRPOP q{a} q{b} {timeout}"),
            2 => format!("BLMPOP {timeout} 2 q{a} q{b} LEFT COUNT 3"),
            _ => format!("BLMOVE q{a} q{b} LEFT RIGHT {timeout}"),
        };
        let moves = line.starts_with("BLMOVE");
        let mut reply = client.start(&line);
        let mut patience = rng.index(400);
        while reply.is_none() && left.load(Ordering::Acquire) > 0 {
            reply = client.hand.resume(&mut client.session);
            patience = patience.saturating_sub(1);
            if patience == 0 && reply.is_none() {
                reply = client.hand.close(&mut client.session);
                client.session = client.hand.session();
                break;
            }
            if patience.is_multiple_of(97) {
                client.hand.advance_ms(1);
            }
            thread::yield_now();
        }
        let Some(Value::Array(items)) = reply else { continue };
        if moves {
            continue;
        }
        let texts: Vec<String> = flat(&items[1]).split(' ').map(str::to_owned).collect();
        left.fetch_sub(texts.len(), Ordering::AcqRel);
        got.extend(texts);
    }
    client.hand.close(&mut client.session);
    got
}

fn produce(client: &mut Client, rng: &mut Rng, number: usize, stopped: &AtomicBool) {
    let mut made = 0;
    while made < ELEMENTS && !stopped.load(Ordering::Relaxed) {
        let queue = rng.index(QUEUES);
        let name = |at: usize| format!("{number}.{at}");
        match rng.index(5) {
            0 if made + 3 <= ELEMENTS => {
                let (one, two, three) = (name(made), name(made + 1), name(made + 2));
                client.call(&format!("RPUSH q{queue} {one} {two} {three}"));
                made += 3;
            }
            1 if made + 2 <= ELEMENTS => {
                let other = rng.index(QUEUES);
                client.call("MULTI");
                client.call(&format!("RPUSH q{queue} {}", name(made)));
                client.call(&format!("LPUSH q{other} {}", name(made + 1)));
                client.call("EXEC");
                made += 2;
            }
            2 => {
                client.call(&format!("RPUSH own{number} {}", name(made)));
                client.call(&format!("LMOVE own{number} q{queue} LEFT LEFT"));
                made += 1;
            }
            _ => {
                client.call(&format!("LPUSH q{queue} {}", name(made)));
                made += 1;
            }
        }
        if rng.index(8) == 0 {
            thread::yield_now();
        }
    }
}

/// Elements that were pushed are delivered, each to one consumer, whatever else happens: timeouts,
/// clients that go, lists that are moved from one queue to another.
#[test]
fn every_element_is_delivered_once() {
    for (producers, consumers) in [(1, 3), (2, 6), (4, 4)] {
        let mut node = Node::new(Options { shards: 8, ..Options::default() });
        let left = AtomicUsize::new(producers * ELEMENTS);
        let stopped = AtomicBool::new(false);
        let mut clients: Vec<Client> =
            (0..(producers + consumers) as u64).map(|seed| Client::new(&node, seed)).collect();
        let got: Vec<Vec<String>> = thread::scope(|scope| {
            let (makers, takers) = clients.split_at_mut(producers);
            let takers: Vec<_> = takers
                .iter_mut()
                .zip(100..)
                .map(|(client, seed)| {
                    let left = &left;
                    scope.spawn(move || consume(client, &mut Rng::new(seed), left))
                })
                .collect();
            for (number, client) in makers.iter_mut().enumerate() {
                let stopped = &stopped;
                scope.spawn(move || {
                    produce(client, &mut Rng::new(number as u64), number, stopped);
                });
            }
            takers.into_iter().map(|taker| taker.join().expect("no panic")).collect()
        });
        let count = got.iter().map(Vec::len).sum::<usize>();
        let different: BTreeSet<&String> = got.iter().flatten().collect();
        assert_eq!((count, different.len()), (producers * ELEMENTS, producers * ELEMENTS));
        assert_eq!(node.engine.space.waited_keys(), 0);
        let mut last = Client::new(&node, 999);
        assert_eq!(flat(&last.call("DBSIZE")), "0");
        node.drain();
        node.check_replay().unwrap_or_else(|fault| panic!("{fault}"));
    }
}
