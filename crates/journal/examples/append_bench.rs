//! Nanoseconds per append by number of threads, beside a reader that drains.
//!
//! `cargo run --release -p journal --example append_bench [records per thread]`

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use journal::{Frame, Journal, Limits, Lsn, Patience, ReadOutcome};
use stdx::sync::thread;

/// How the threads differ.
#[derive(Clone, Copy)]
enum Mode {
    /// Reserve and copy; all in one database.
    OneDatabase,
    /// Every thread has its own: almost each record brings a SELECT when they alternate.
    DatabaseEach,
}

/// Wall and p99.9 of one append, in nanoseconds.
fn run(threads: u32, records: u32, record_bytes: usize, mode: Mode) -> (f64, u64) {
    let journal = Journal::new(Lsn(0), Limits::default());
    let mut reader = journal.reader(Lsn(0), Patience::Stall(64 << 20)).expect("the tail");
    let done = Arc::new(AtomicBool::new(false));
    let drain = {
        let done = Arc::clone(&done);
        thread::spawn(move || {
            let mut buf = Vec::with_capacity(1 << 20);
            loop {
                buf.clear();
                let last = done.load(Ordering::Acquire);
                if reader.poll(&mut buf, 1 << 20) == ReadOutcome::Empty {
                    if last {
                        return reader.position();
                    }
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
        })
    };
    let begin = Instant::now();
    let writers: Vec<_> = (0..threads)
        .map(|number| {
            let mut writer = journal.writer();
            thread::spawn(move || {
                let record = vec![b'x'; record_bytes];
                let frame = match mode {
                    Mode::OneDatabase => Frame::new(0),
                    Mode::DatabaseEach => Frame::new(number),
                };
                let mut sampled = Vec::with_capacity(records as usize / 64 + 1);
                for count in 0..records {
                    let mut room = writer.room(record.len() as u64, 1).expect("it fits");
                    if count % 64 == 0 {
                        let begin = Instant::now();
                        writer.append(&mut room, frame, &[&record]);
                        sampled.push(begin.elapsed().as_nanos() as u64);
                    } else {
                        writer.append(&mut room, frame, &[&record]);
                    }
                    if count % 32 == 0 {
                        writer.nudge();
                    }
                }
                sampled
            })
        })
        .collect();
    let mut sampled: Vec<u64> =
        writers.into_iter().flat_map(|writer| writer.join().expect("no panic")).collect();
    let wall = begin.elapsed();
    done.store(true, Ordering::Release);
    assert_eq!(drain.join().expect("no panic"), journal.tail(), "all was read");
    sampled.sort_unstable();
    let rare = sampled[sampled.len() * 999 / 1000];
    (wall.as_nanos() as f64 / (f64::from(threads) * f64::from(records)), rare)
}

fn main() {
    let total = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(4_000_000_u32);
    println!("threads  record  databases    ns/append  M appends/s   p99.9 ns of one append");
    for (record_bytes, mode, name) in [
        (64, Mode::OneDatabase, "one"),
        (64, Mode::DatabaseEach, "each its own"),
        (512, Mode::OneDatabase, "one"),
    ] {
        for threads in [1, 2, 4, 8, 16] {
            let (each, rare) = run(threads, total / threads, record_bytes, mode);
            let rate = 1e3 / each;
            println!(
                "{threads:>7} {record_bytes:>7}  {name:<12} {each:>9.1} {rate:>12.1} {rare:>12}"
            );
        }
    }
}
