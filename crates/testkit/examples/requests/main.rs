//! Nanoseconds of a request in the engine alone, by command: parsed, executed and answered on one
//! worker in pipelines of 32, without sockets. Of many short slices one of the fastest (the 20th part) and the median are shown: other
//! work on the machine disturbs the former least. With `perf` it shows where a command spends its time.
//!
//! `cargo run --release -p testkit --example requests [-- COMMAND ...]`

#![expect(clippy::disallowed_methods, reason = "a benchmark has a clock")]
#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::time::Instant;
use testkit::{Node, Options};

const KEYS: usize = 1_000_000;
const PIPELINE: usize = 32;
/// Pipelines of a slice, and slices of a row: 1.5 million requests, as `side_by_side.py ops` sends.
const SLICE: usize = 64;
const SLICES: usize = 732;

/// The rows of `side_by_side.py ops` that change one key; `{}` is one of a million numbers.
const ROWS: [(&str, &str); 12] = [
    ("GET", "GET key:{}"),
    ("SET", "SET key:{} xxx"),
    ("INCR", "INCR counter:{}"),
    ("LPUSH", "LPUSH mylist xxx"),
    ("RPOP", "RPOP mylist"),
    ("RPUSH", "RPUSH other xxx"),
    ("LPOP", "LPOP other"),
    ("SADD", "SADD myset element:{}"),
    ("HSET", "HSET myhash element:{} xxx"),
    ("ZADD", "ZADD myzset {} element:{}"),
    ("ZRANGE", "ZRANGE myzset 500 509"),
    ("XADD", "XADD s MAXLEN ~ 100000 * f value"),
];

/// Pipelines of a slice; `step` goes on from one slice to the next.
fn slice(row: &str, step: &mut usize) -> Vec<Vec<u8>> {
    let pipeline = |_| {
        let mut bytes = Vec::new();
        for _ in 0..PIPELINE {
            *step = (*step + 618_033) % KEYS;
            let text = row.replace("{}", &format!("{:012}", *step));
            let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
            resp::write_command(&mut bytes, &words);
        }
        bytes
    };
    (0..SLICE).map(pipeline).collect()
}

fn main() {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let node = Node::new(Options { shards: 64, journal: false, ..Options::default() });
    let mut hand = node.hand(0);
    let mut session = hand.session();
    println!("{:10}{:>12}{:>12}", "command", "fast ns", "median ns");
    for (name, row) in ROWS {
        if !only.is_empty() && !only.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)) {
            continue;
        }
        let mut step = 0;
        let mut slices: Vec<f64> = (0..SLICES)
            .map(|_| {
                let inputs = slice(row, &mut step);
                let begin = Instant::now();
                for input in &inputs {
                    hand.send_bytes(&mut session, input);
                }
                begin.elapsed().as_nanos() as f64 / (SLICE * PIPELINE) as f64
            })
            .collect();
        slices.sort_by(f64::total_cmp);
        println!("{name:10}{:>12.1}{:>12.1}", slices[SLICES / 20], slices[SLICES / 2]);
    }
}
