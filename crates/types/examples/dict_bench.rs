//! Figures of the large hash table: time per operation and bytes per record.
//!
//! `cargo run --release -p types --example dict_bench [-- RECORDS]`; 1,000,000 records if not told.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and measures")]

use std::hint::black_box;
use std::time::Instant;

use stdx::hash::Seed;
use stdx::rng::Rng;
use types::dict::Dict;

/// Runs `run` for each key and prints the mean time.
fn time(what: &str, keys: &[[u8; 16]], mut run: impl FnMut(&[u8]) -> usize) {
    let start = Instant::now();
    let sum = keys.iter().fold(0_usize, |sum, key| sum.wrapping_add(run(key)));
    black_box(sum);
    println!("{what:>10} {:6.1} ns", start.elapsed().as_nanos() as f64 / keys.len() as f64);
}

fn main() {
    let count = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let mut rng = Rng::new(1);
    let mut keys = (0..count)
        .map(|at| *format!("member:{at:09}").as_bytes().first_chunk().expect("16 bytes"))
        .collect::<Vec<[u8; 16]>>();
    for at in (1..keys.len()).rev() {
        keys.swap(at, rng.index(at + 1));
    }
    for value in [&b""[..], b"v123456789"] {
        println!("values of {} bytes", value.len());
        let mut dict = Dict::new(Seed::new(1, 2));
        time("insert", &keys, |key| usize::from(dict.insert(key, value, None)));
        println!("{:>10} {:6.1} bytes", "memory", dict.heap_bytes() as f64 / count as f64);
        time("replace", &keys, |key| usize::from(dict.insert(key, value, None)));
        time("get", &keys, |key| usize::from(dict.contains(key)));
        time("miss", &keys, |key| usize::from(dict.contains(&key[1..])));
        time("random", &keys, |_| dict.random(&mut rng).map_or(0, |record| record.key.len()));
        let mut all = dict.iter();
        time("iterate", &keys, |_| all.next().map_or(0, |record| record.key.len()));
        let clone = dict.clone();
        time("unshare", &keys, |key| usize::from(dict.insert(key, value, None)));
        drop(clone);
        time("remove", &keys, |key| usize::from(dict.remove(key)));
    }
}
