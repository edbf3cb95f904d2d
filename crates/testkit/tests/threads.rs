//! Many workers on one node: what several keys hold is one moment's, a counter counts each
//! increment once, nothing is lost or doubled on its way from key to key; and the journal tells it
//! all in an order in which it happened.

use command::Session;
use resp::Value;
use std::collections::BTreeSet;
use std::thread;
use stdx::rng::Rng;
use testkit::{Hand, Node, Options};

/// Keys that are always written together, and read together.
const GROUP: usize = 10;
/// Tokens that wander over the places.
const TOKENS: usize = 6;
const PLACES: usize = 12;
const ROUNDS: usize = 1500;

/// A client on a thread of its own.
struct Client {
    hand: Hand,
    session: Session,
    rng: Rng,
}

impl Client {
    fn new(mut hand: Hand, seed: u64, db: usize) -> Self {
        let mut session = hand.session();
        hand.send(&mut session, &[b"SELECT", db.to_string().as_bytes()]);
        Self { hand, session, rng: Rng::new(seed) }
    }

    fn select(&mut self, db: usize) {
        self.call(&format!("SELECT {db}"));
    }

    /// Sends words, parted by spaces.
    fn call(&mut self, line: &str) -> Value {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.hand.send(&mut self.session, &words).expect("a reply")
    }

    /// Sends a pipeline.
    fn pipeline(&mut self, lines: &[String]) -> Vec<Value> {
        let bytes: Vec<u8> =
            lines.iter().flat_map(|line| format!("{line}\r\n").into_bytes()).collect();
        let out = self.hand.send_bytes(&mut self.session, &bytes);
        let (mut values, mut at) = (Vec::new(), 0);
        while let Ok(Some((value, size))) = resp::parse_reply(&out[at..]) {
            values.push(value);
            at += size;
        }
        values
    }
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => panic!("no array: {other:?}"),
    }
}

fn group(prefix: &str, value: &str) -> String {
    (0..GROUP).map(|i| format!(" {prefix}{i} {value}")).collect()
}

fn names(prefix: &str, count: usize) -> String {
    (0..count).map(|i| format!(" {prefix}{i}")).collect()
}

/// Runs `work` on as many threads as said and hands back what each found. Then the journal must
/// replay to the same data.
fn on_threads<T: Send>(
    workers: u64,
    prepare: impl Fn(&mut Client),
    work: impl Fn(&mut Client, u64) -> T + Sync,
) -> Vec<T> {
    let mut node = Node::new(Options { shards: 8, ..Options::default() });
    prepare(&mut Client::new(node.hand(99), 99, 0));
    let clients: Vec<Client> =
        (0..workers).map(|seed| Client::new(node.hand(seed), seed, 0)).collect();
    let found = thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = clients
            .into_iter()
            .zip(0..)
            .map(|(mut client, number)| scope.spawn(move || work(&mut client, number)))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    node.drain();
    node.check_replay().unwrap_or_else(|fault| panic!("{fault}"));
    found
}

/// One write or one look at the group, by chance.
fn group_round(client: &mut Client, id: &str) {
    match client.rng.index(10) {
        0 => {
            client.call(&format!("MSET{}", group("k", id)));
        }
        1 => {
            client.call(&format!("MSETEX {GROUP}{} PX 5", group("k", id)));
        }
        2 => client.hand.advance_ms(1),
        // Deletes one key of the group if all have expired: nobody may see that.
        5 => {
            client.call("GET k3");
        }
        3 => {
            client.call(&format!("DEL{}", names("k", GROUP)));
        }
        4 => {
            let kept = group("k", id);
            client.call(&format!("MSETNX{kept}"));
        }
        _ => {
            let seen = array(client.call(&format!("MGET{}", names("k", GROUP))));
            assert!(seen.iter().all(|value| *value == seen[0]), "a mixture: {seen:?}");
        }
    }
}

#[test]
fn several_keys_are_one_moment() {
    for workers in [1, 2, 4, 8] {
        on_threads(
            workers,
            |_| {},
            |client, number| {
                for round in 0..ROUNDS {
                    group_round(client, &format!("{number}.{round}"));
                }
            },
        );
    }
}

#[test]
fn whole_databases_are_one_moment() {
    let prepare = |client: &mut Client| {
        client.select(2);
        client.call(&format!("MSET{}", group("k", "a")));
        client.select(3);
        client.call(&format!("MSET{}", group("k", "b")));
    };
    on_threads(4, prepare, |client, number| {
        for round in 0..ROUNDS {
            let db = 2 + client.rng.index(2);
            client.select(db);
            match client.rng.index(40) {
                0 => {
                    client.call("FLUSHALL");
                }
                1 => {
                    client.call("FLUSHDB");
                }
                2..10 => {
                    client.call("SWAPDB 2 3");
                }
                _ => group_round(client, &format!("{number}.{round}")),
            }
        }
    });
}

#[test]
fn each_increment_counts_once() {
    for workers in [2, 8] {
        let found = on_threads(
            workers,
            |_| {},
            |client, _| {
                let mut seen = Vec::new();
                while seen.len() < ROUNDS {
                    // Some alone, some among others in a pipeline.
                    let mut lines = vec!["INCR n".to_owned()];
                    for other in 0..client.rng.index(4) {
                        lines.push(format!("INCR other{other}"));
                        lines.push("INCR n".to_owned());
                    }
                    let replies = client.pipeline(&lines);
                    for (line, reply) in lines.iter().zip(&replies) {
                        if let (true, Value::Integer(number)) = (line == "INCR n", reply) {
                            seen.push(*number);
                        }
                    }
                }
                assert!(seen.is_sorted(), "a counter went back");
                seen
            },
        );
        let all: BTreeSet<i64> = found.iter().flatten().copied().collect();
        let count = found.iter().map(Vec::len).sum::<usize>();
        assert_eq!((all.len(), all.last().copied()), (count, Some(count as i64)));
    }
}

#[test]
fn nothing_is_lost_on_its_way() {
    let prepare = |client: &mut Client| {
        for token in 0..TOKENS {
            client.call(&format!("SET p{token} {token}"));
        }
    };
    for workers in [2, 8] {
        on_threads(workers, prepare, |client, _| {
            let all = names("p", PLACES);
            for _ in 0..ROUNDS {
                let (from, to) = (client.rng.index(PLACES), client.rng.index(PLACES));
                match client.rng.index(3) {
                    0 => {
                        // The source may be away, and the target taken.
                        client.call(&format!("RENAMENX p{from} p{to}"));
                    }
                    1 => {
                        let count = client.call(&format!("EXISTS{all}"));
                        assert_eq!(count, Value::Integer(TOKENS as i64));
                    }
                    _ => {
                        let mut seen: Vec<_> = array(client.call(&format!("MGET{all}")))
                            .into_iter()
                            .filter_map(|value| value.as_bytes().map(<[u8]>::to_vec))
                            .collect();
                        seen.sort();
                        let whole: Vec<_> =
                            (0..TOKENS).map(|token| token.to_string().into_bytes()).collect();
                        assert_eq!(seen, whole);
                    }
                }
            }
        });
    }
}

/// Queues these commands and answers what EXEC answers.
fn exec(client: &mut Client, lines: &[String]) -> Value {
    let mut all = vec!["MULTI".to_owned()];
    all.extend_from_slice(lines);
    all.push("EXEC".to_owned());
    client.pipeline(&all).pop().expect("the reply of EXEC")
}

/// Counters that each transaction counts up together. Some transactions hold locks, some stop the
/// others, as there is a command in them that walks.
#[test]
fn a_transaction_is_one_moment() {
    for workers in [2, 8] {
        let counters = names("n", GROUP);
        let found = on_threads(
            workers,
            |_| {},
            |client, _| {
                let mut done = 0;
                for _ in 0..ROUNDS / 2 {
                    let mut lines: Vec<String> =
                        (0..GROUP).map(|one| format!("INCR n{one}")).collect();
                    match client.rng.index(8) {
                        0 => lines.push("DBSIZE".to_owned()),
                        1 => lines.insert(GROUP / 2, "SELECT 0".to_owned()),
                        2..5 => lines = vec![format!("MGET{counters}")],
                        _ => lines = Vec::new(),
                    }
                    if lines.is_empty() {
                        let seen = array(client.call(&format!("MGET{counters}")));
                        assert!(seen.iter().all(|value| *value == seen[0]), "a part: {seen:?}");
                        continue;
                    }
                    done += usize::from(lines.len() > 1);
                    let mut replies = array(exec(client, &lines));
                    if lines.len() == 1 {
                        replies = array(replies.remove(0));
                    }
                    replies.retain(|reply| *reply != Value::Simple("OK".into()));
                    replies.truncate(GROUP);
                    assert!(replies.iter().all(|one| *one == replies[0]), "a part: {replies:?}");
                }
                done
            },
        );
        assert!(found.iter().sum::<usize>() > 0);
    }
}

/// Optimistic increments: what was read must still be so when it is written.
#[test]
fn watched_keys_lose_no_update() {
    for workers in [2, 4, 8] {
        let found = on_threads(
            workers,
            |_| {},
            |client, _| {
                let mut done = 0i64;
                for round in 0..ROUNDS / 3 {
                    // The keys are in different shards.
                    let (from, to) = (client.rng.index(3), client.rng.index(3));
                    client.call(&format!("WATCH s{from} s{to}"));
                    let seen = array(client.call(&format!("MGET s{from} s{to}")));
                    let number = |value: &Value| {
                        let bytes = value.as_bytes().unwrap_or(b"0");
                        stdx::num::parse_i64(bytes).expect("a number")
                    };
                    let lines = if from == to {
                        vec![format!("SET s{from} {}", number(&seen[0]) + 2)]
                    } else {
                        vec![
                            format!("SET s{from} {}", number(&seen[0]) + 1),
                            format!("SET s{to} {}", number(&seen[1]) + 1),
                        ]
                    };
                    if round % 7 == 0 {
                        client.call(if round % 2 == 0 { "UNWATCH" } else { "PING" });
                    }
                    if round % 14 == 0 {
                        continue;
                    }
                    done += 2 * i64::from(exec(client, &lines) != Value::NullArray);
                }
                let sum = |client: &mut Client| {
                    array(client.call("MGET s0 s1 s2"))
                        .iter()
                        .filter_map(|value| stdx::num::parse_i64(value.as_bytes()?))
                        .sum::<i64>()
                };
                (done, sum(client))
            },
        );
        let done: i64 = found.iter().map(|(done, _)| done).sum();
        let last = found.iter().map(|(_, sum)| *sum).max().expect("a worker");
        assert_eq!(done, last, "an update was lost");
        assert!(done > 0);
    }
}
