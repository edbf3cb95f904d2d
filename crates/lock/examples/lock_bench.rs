//! What the locks cost when nobody else wants them, and with company.
//!
//! `cargo run --release -p lock --example lock_bench [rounds]`

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lock::{Epochs, ShardId, Shards};
use stdx::sync::thread;

/// The best of five: what the operation costs, not what else the machine does.
fn measure(name: &str, rounds: u32, mut operation: impl FnMut()) {
    let best = (0..5)
        .map(|_| {
            let begin = Instant::now();
            (0..rounds).for_each(|_| operation());
            begin.elapsed()
        })
        .min()
        .unwrap_or_default();
    println!("{name:<44} {:>8.1} ns", best.as_nanos() as f64 / f64::from(rounds));
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let shards = Arc::new(Shards::new(64, |_| 0_u64));
    let epochs = Epochs::new();
    let mut participant = epochs.register().expect("the first");
    let ids = |count: u16| (0..count).map(|id| ShardId(id * 3)).collect::<Vec<_>>();

    measure("pass: enter and leave", rounds, || drop(black_box(participant.enter())));
    measure("one: lock and unlock", rounds, || *shards.one(black_box(ShardId(5))) += 1);
    measure("one_within: lock and unlock", rounds, || {
        *shards.one_within(black_box(ShardId(5)), Duration::from_secs(1)).expect("free") += 1;
    });
    for count in [2, 10, 16, 20] {
        let ids = ids(count);
        measure(&format!("many/{count}: lock and unlock"), rounds / 8, || {
            drop(black_box(shards.many(black_box(&ids))));
        });
    }
    let wanted = ids(10);
    measure("many/10: lock, get each, unlock", rounds / 8, || {
        let mut many = shards.many(black_box(&wanted));
        wanted.iter().for_each(|&id| *many.get(id) += 1);
    });
    measure("all of 64", rounds / 64, || drop(black_box(shards.all())));
    measure("exclusive, then 3 of 64", rounds / 64, || {
        let mut held = shards.exclusive();
        (0..3).for_each(|id| *held.lock_also(ShardId(id)) += 1);
    });
    measure("write gate: close and open, nobody inside", rounds / 64, || {
        drop(black_box(participant.close()));
    });
    measure("retire and collect", rounds / 64, || {
        epochs.retire(Box::new(0_u64));
        black_box(epochs.collect());
    });

    // With company: threads on random shards, each under a pass.
    for threads in [1, 2, 4] {
        let running = Arc::new(AtomicU64::new(threads));
        let begin = Instant::now();
        let workers: Vec<_> = (0..threads)
            .map(|number| {
                let (shards, running) = (Arc::clone(&shards), Arc::clone(&running));
                let mut participant = epochs.register().expect("few");
                thread::spawn(move || {
                    let mut random = 0x9e37_79b9_7f4a_7c15_u64 ^ number;
                    for _ in 0..rounds {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        let _pass = participant.enter();
                        *shards.one(shards.of_hash(random)) += 1;
                    }
                    running.fetch_sub(1, Ordering::Relaxed);
                })
            })
            .collect();
        let mut closings = 0_u32;
        let mut slowest = Duration::ZERO;
        while running.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
            let asked = Instant::now();
            drop(participant.close());
            slowest = slowest.max(asked.elapsed());
            closings += 1;
        }
        workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
        let each = begin.elapsed().as_nanos() as f64 / f64::from(rounds) / threads as f64;
        println!(
            "{threads} threads: pass and one of 64 {each:>20.1} ns each; \
             {closings} closings beside, slowest {slowest:?}"
        );
    }
}
