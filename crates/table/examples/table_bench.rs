//! Figures of the table: time per operation, bytes per item over sizes, worst single insert.
//!
//! `cargo run --release -p table --example table_bench [-- ITEMS]`; 1,000,000 items if not told.
//! Items are blocks of 40 bytes (key of 16, value of 16, length), allocated one by one in random
//! order of hash, as a keyspace would. Sizes of segments are what the table asks for; they are size
//! classes of jemalloc, so nothing is added by rounding there.

#![allow(
    unsafe_code,
    clippy::print_stdout,
    reason = "an Item is unsafe to implement; a bench prints"
)]

use std::hint::black_box;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use table::{Item, Table};

struct Block {
    key: [u8; 16],
    len: u64,
    value: [u8; 16],
}

struct Entry(NonNull<Block>);

impl Entry {
    fn new(number: u64) -> Self {
        let block = Block { key: key(number), len: 16, value: [number as u8; 16] };
        Self(NonNull::from(Box::leak(Box::new(block))))
    }

    fn block(&self) -> &Block {
        // SAFETY: the block is owned and live.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: made by `Box::leak`, and an owner drops it once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: a Box's address is aligned to 8 and unique; built on NonNull; keys never change.
unsafe impl Item for Entry {
    fn into_raw(self) -> NonNull<u8> {
        let raw = self.0.cast();
        std::mem::forget(self);
        raw
    }

    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Self(raw.cast())
    }

    fn key(&self) -> &[u8] {
        &self.block().key
    }
}

fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// A hash of about the cost of a good one for 16 bytes.
fn hash(key: &[u8]) -> u64 {
    let word = |at: usize| u64::from_le_bytes(key[at..at + 8].try_into().expect("16 bytes"));
    let product = u128::from(word(0) ^ 0x2D35_8DCC_AA6C_78A5)
        .wrapping_mul(u128::from(word(8) ^ 0x8BB8_4B93_962E_ACC9));
    let mixed = (product as u64 ^ (product >> 64) as u64) ^ word(8);
    let product = u128::from(mixed).wrapping_mul(0x9E37_79B9_7F4A_7C15_D1B5_4A32_D192_ED03);
    product as u64 ^ (product >> 64) as u64
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn now() -> Instant {
    Instant::now()
}

/// A permutation of `0..count` that jumps about.
fn shuffled(count: u64) -> impl Iterator<Item = u64> {
    let step = (count as f64 * 0.618) as u64 | 1;
    let step = (step..).find(|&step| gcd(step, count) == 1).expect("primes are many");
    (0..count).map(move |idx| (u128::from(idx) * u128::from(step) % u128::from(count)) as u64)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn report(what: &str, count: u64, begin: Instant) {
    println!("{what:<28} {:7.1} ns", begin.elapsed().as_nanos() as f64 / count as f64);
}

/// Looks up in batches of 32, as a worker does: hash all, prefetch all buckets, then all items.
fn get_batched(table: &Table<Entry>, numbers: impl Iterator<Item = u64>) -> u64 {
    let mut numbers = numbers.peekable();
    let mut batch = [([0; 16], 0); 32];
    let mut sum = 0;
    while numbers.peek().is_some() {
        let mut len = 0;
        for number in numbers.by_ref().take(32) {
            let key = key(number);
            batch[len] = (key, hash(&key));
            len += 1;
        }
        for (_, hash) in &batch[..len] {
            table.prefetch_bucket(*hash);
        }
        for (_, hash) in &batch[..len] {
            table.prefetch_items(*hash);
        }
        for (key, hash) in &batch[..len] {
            sum += table.find(*hash, key).map_or(0, |pos| table.get(pos).block().len);
        }
    }
    sum
}

fn speed(count: u64) {
    let mut table = Table::new(6, hash as fn(&[u8]) -> u64);
    // Only one shard in 64 would hold these keys; the table does not look at those bits.
    let mut entries: Vec<Entry> = shuffled(count).map(Entry::new).collect();
    let begin = now();
    for entry in entries.drain(..) {
        let hash = hash(entry.key());
        table.insert(hash, entry);
    }
    report("insert", count, begin);
    println!("{:<28} {:7.2} bytes", "table per item", table.memory_bytes() as f64 / count as f64);

    let begin = now();
    for number in shuffled(count) {
        black_box(hash(&key(number)));
    }
    report("(key and hash alone)", count, begin);
    let mut sum = 0;
    let begin = now();
    for number in shuffled(count) {
        let key = key(number);
        sum += table.find(hash(&key), &key).map_or(0, |pos| table.get(pos).block().len);
    }
    report("get hit", count, begin);
    assert_eq!(sum, 16 * count);
    let begin = now();
    let sum = get_batched(&table, shuffled(count));
    report("get hit, batch of 32", count, begin);
    assert_eq!(sum, 16 * count);
    let begin = now();
    let sum = get_batched(&table, shuffled(count).map(|number| number + count));
    report("get miss, batch of 32", count, begin);
    assert_eq!(sum, 0);
    let begin = now();
    for number in shuffled(count) {
        let key = key(number + count);
        assert!(table.find(hash(&key), &key).is_none());
    }
    report("get miss", count, begin);

    let begin = now();
    let mut visited = 0;
    let mut cursor = Some(0);
    while let Some(at) = cursor {
        cursor = table.scan_slice(at, 10, |entry| visited += black_box(entry.block().len) / 16);
    }
    report("scan, slices of 10", count, begin);
    assert_eq!(visited, count);
    let begin = now();
    for number in 0..count {
        black_box(table.random(number).map(|entry| entry.block().value[0]));
    }
    report("random", count, begin);

    let begin = now();
    for number in shuffled(count) {
        let key = key(number);
        let pos = table.find(hash(&key), &key).expect("each key is there once");
        entries.push(table.remove(pos));
    }
    report("find and remove", count, begin);
    assert_eq!((table.len(), table.memory_bytes()), (0, 0));
}

/// Bytes per item, sampled at each per cent of growth.
fn memory(from: u64, to: u64) {
    let mut table = Table::new(0, hash as fn(&[u8]) -> u64);
    let (mut fills, mut next) = (Vec::new(), from);
    for number in 0..to {
        let entry = Entry::new(number);
        table.insert(hash(entry.key()), entry);
        if number + 1 == next {
            fills.push(8.0 * next as f64 / table.memory_bytes() as f64);
            next += next / 100;
        }
    }
    let min = fills.iter().copied().fold(1.0, f64::min);
    let max = fills.iter().copied().fold(0.0, f64::max);
    let average = fills.len() as f64 / fills.iter().map(|fill| 1.0 / fill).sum::<f64>();
    println!(
        "{from:>8} to {to:>8}: fill min {min:.3} average {average:.3} max {max:.3}; bytes per item \
         {:.2} on average, {:.2} at worst",
        8.0 / average,
        8.0 / min
    );
}

/// The slowest single inserts while a table grows. The machine's own pauses are in it: compare with
/// the second line, which times nothing.
fn pause(count: u64) {
    let mut table = Table::new(0, hash as fn(&[u8]) -> u64);
    let mut entries: Vec<Entry> = (0..count).map(Entry::new).collect();
    let measure = |work: &mut dyn FnMut()| {
        let mut times: Vec<Duration> = (0..count)
            .map(|_| {
                let begin = now();
                work();
                begin.elapsed()
            })
            .collect();
        times.sort_unstable();
        let at = |share: f64| times[((count - 1) as f64 * share) as usize].as_nanos() as f64 / 1e3;
        format!(
            "p99 {:.2} us, p99.9 {:.1} us, p99.99 {:.1} us, worst five {:.0?} us",
            at(0.99),
            at(0.999),
            at(0.9999),
            times.iter().rev().take(5).map(|time| time.as_micros()).collect::<Vec<_>>()
        )
    };
    let insert = measure(&mut || {
        let entry = entries.pop().expect("as many as calls");
        let hash = hash(entry.key());
        table.insert(hash, entry);
    });
    println!("insert, growing to {count}: {insert}");
    println!("nothing, as often:          {}", measure(&mut || ()));
}

fn main() {
    let count = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().expect("a number"));
    println!("{count} items");
    speed(count);
    memory(10_000.min(count / 2), 100_000.min(count));
    memory(100_000.min(count / 2), 4_000_000.min(count * 4));
    pause(2_000_000.min(count * 2));
}
