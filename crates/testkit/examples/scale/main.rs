//! Requests per second of the engine without sockets, by number of workers: pipelines of 32 GETs or
//! SETs, each worker on keys of its own. What two workers lose to each other shows here.
//!
//! `cargo run --release -p testkit --example scale [-- SECONDS]`

#![expect(clippy::disallowed_methods, reason = "a benchmark has threads and a clock")]
#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use testkit::{Node, Options};

const KEYS: usize = 100_000;
const PIPELINE: usize = 32;

/// Pipelines of `verb` over the keys of one worker.
fn pipelines(worker: usize, verb: &str) -> Vec<Vec<u8>> {
    let mut step = 0usize;
    (0..KEYS / PIPELINE)
        .map(|_| {
            let mut bytes = Vec::new();
            for _ in 0..PIPELINE {
                step = (step + 7919) % KEYS;
                let key = format!("w{worker}:{step:012}");
                let value = b"xxxxxxxxxxxxxxxx".as_slice();
                let words: [&[u8]; 3] = [verb.as_bytes(), key.as_bytes(), value];
                let count = if verb == "GET" { 2 } else { 3 };
                resp::write_command(&mut bytes, &words[..count]);
            }
            bytes
        })
        .collect()
}

/// Requests per second of all workers together.
fn measure(workers: usize, verb: &str, seconds: u64) -> f64 {
    let node = Node::new(Options { shards: 64, journal: false, ..Options::default() });
    let stop = AtomicBool::new(false);
    let begin = Instant::now();
    let requests: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let (mut hand, stop) = (node.hand(worker as u64), &stop);
                scope.spawn(move || {
                    let mut session = hand.session();
                    for input in pipelines(worker, "SET") {
                        hand.send_bytes(&mut session, &input);
                    }
                    let inputs = pipelines(worker, verb);
                    let (mut done, begin) = (0, Instant::now());
                    for input in inputs.iter().cycle() {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        hand.send_bytes(&mut session, input);
                        done += PIPELINE;
                    }
                    (done as f64 / begin.elapsed().as_secs_f64()) as usize
                })
            })
            .collect();
        thread::sleep(Duration::from_secs(seconds));
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert!(begin.elapsed() >= Duration::from_secs(seconds), "it ran");
    requests as f64
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(3);
    println!("{:8}{:>10}{:>16}{:>14}", "verb", "workers", "requests/s", "of one's, each");
    for verb in ["GET", "SET"] {
        let mut one = 0.0;
        for workers in [1, 2, 4] {
            let rate = measure(workers, verb, seconds);
            one = if workers == 1 { rate } else { one };
            println!("{verb:8}{workers:>10}{rate:>16.0}{:>14.2}", rate / one / workers as f64);
        }
    }
}
