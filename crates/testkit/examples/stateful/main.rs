//! The check of the fuzz target `engine_stateful` with seeds in place of a fuzzer's bytes: for long
//! runs on any toolchain.
//!
//! ```sh
//! cargo run --release -p testkit --example stateful -- SECONDS [FIRST_SEED]
//! ```
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a tool talks to its terminal and reads the time"
)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use testkit::generate::Choices;
use testkit::stateful;

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().expect("a number"));
    let (seconds, first) = (args.next().unwrap_or(10), args.next().unwrap_or(0));
    let (start, mut seed) = (Instant::now(), first);
    let (mut requests, mut errors, mut reached) = (0, 0, BTreeSet::new());
    // A panic names its seed, also where it ends the process.
    static SEED: AtomicU64 = AtomicU64::new(0);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        println!("seed {}", SEED.load(Ordering::Relaxed));
        hook(panic);
    }));
    while start.elapsed() < Duration::from_secs(seconds) {
        SEED.store(seed, Ordering::Relaxed);
        let outcome = stateful::run(&mut Choices::seeded(seed));
        requests += outcome.requests;
        errors += outcome.errors;
        reached.extend(outcome.reached);
        seed += 1;
    }
    let runs = seed - first;
    println!("{runs} runs, {requests} requests, {errors} errors, {} rows", reached.len());
}
