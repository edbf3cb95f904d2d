//! The table against a map, under hashes of every quality. A key carries its own hash, so that
//! tests choose where it goes.

use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};

use crate::segment::{count_max, lines_for, next_class};
use crate::{Item, SHARD_BITS_MAX, Table, View};

/// Hash, then a number that makes it unique.
type Key = [u8; 16];

struct Block {
    key: Key,
    value: u64,
    live: Arc<AtomicIsize>,
}

/// An owned block, counted while it lives.
struct Entry(NonNull<Block>);

// SAFETY: it owns its block, which is Send.
unsafe impl Send for Entry {}

impl Entry {
    fn new(key: Key, value: u64, live: &Arc<AtomicIsize>) -> Self {
        live.fetch_add(1, Relaxed);
        let block = Box::new(Block { key, value, live: live.clone() });
        Self(NonNull::from(Box::leak(block)))
    }

    fn block(&self) -> &Block {
        // SAFETY: the block is owned and live.
        unsafe { self.0.as_ref() }
    }

    fn value(&self) -> u64 {
        self.block().value
    }

    fn set_value(&mut self, value: u64) {
        // SAFETY: the block is owned and exclusively borrowed.
        unsafe { self.0.as_mut() }.value = value;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: made by `Box::leak`, dropped once: the counters of the tests prove it.
        let block = unsafe { Box::from_raw(self.0.as_ptr()) };
        block.live.fetch_sub(1, Relaxed);
    }
}

// SAFETY: a Box's address is aligned to 8 and unique; `Entry` is built on NonNull; keys never
// change.
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

fn hash_of(key: &[u8]) -> u64 {
    u64::from_le_bytes(key[..8].try_into().unwrap())
}

fn key_of(hash: u64, number: u64) -> Key {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&hash.to_le_bytes());
    key[8..].copy_from_slice(&number.to_le_bytes());
    key
}

struct Rng(u64);

impl Rng {
    fn new(seed: u64) -> Self {
        println!("seed {seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ word >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// A table, the map it must equal, and the number of live entries.
struct Pair {
    table: Table<Entry>,
    model: BTreeMap<Key, u64>,
    live: Arc<AtomicIsize>,
}

impl Pair {
    fn new(shard_bits: u32) -> Self {
        let table = Table::new(shard_bits, hash_of as fn(&[u8]) -> u64);
        Self { table, model: BTreeMap::new(), live: Arc::default() }
    }

    /// Inserts or replaces.
    fn set(&mut self, key: Key, value: u64) {
        let entry = Entry::new(key, value, &self.live);
        let hash = hash_of(&key);
        let old = match self.table.find(hash, &key) {
            Some(pos) => Some(self.table.swap(pos, entry).value()),
            None => {
                let pos = self.table.insert(hash, entry);
                assert!(self.table.get(pos).key() == key);
                None
            }
        };
        assert_eq!(old, self.model.insert(key, value));
    }

    fn remove(&mut self, key: Key) {
        let found = self.table.find(hash_of(&key), &key);
        let old = found.map(|pos| self.table.remove(pos).value());
        assert_eq!(old, self.model.remove(&key));
    }

    fn toggle(&mut self, key: Key) {
        if self.model.contains_key(&key) { self.remove(key) } else { self.set(key, 1) }
    }

    fn check(&self) {
        self.table.check(|entry| hash_of(&entry.block().key));
        assert_eq!(self.table.len(), self.model.len());
        assert_eq!(self.live.load(Relaxed), self.model.len() as isize);
    }

    fn check_content(&self) {
        self.check();
        for (key, &value) in &self.model {
            let pos = self.table.find(hash_of(key), key).unwrap();
            assert_eq!(self.table.get(pos).value(), value);
        }
        let all: BTreeMap<Key, u64> =
            self.table.iter().map(|entry| (entry.block().key, entry.value())).collect();
        assert_eq!(all.len(), self.table.iter().count());
        assert!(all == self.model);
    }
}

/// Ways to choose a hash, from uniform to hostile. The shard's bits are zero.
fn hash_by(pattern: u64, shard_bits: u32, rng: &mut Rng) -> u64 {
    let position = match pattern {
        0 => rng.next(),
        // All equal.
        1 => 0,
        2 => u64::MAX,
        // A few values.
        3 => [0, 1 << 63, u64::MAX, 0x1234_5678_9ABC_DEF0][rng.below(4) as usize],
        // Long common prefix, then uniform.
        4 => 0xABCD_EF12_3456 << 16 | rng.next() >> 48,
        5 => 0xABC << 52 | rng.next() >> 12,
        // Everything in the last homes of every segment.
        6 => rng.next() | 0x03FF_F000 << 32,
        // Few top bits, zeros below.
        7 => rng.next() << 61,
        // Most in one place, some everywhere.
        _ => {
            if rng.below(4) == 0 {
                rng.next()
            } else {
                0x5555_5555_5555_5555
            }
        }
    };
    position >> shard_bits
}

const PATTERNS: u64 = 9;

#[test]
fn size_classes_are_those_of_the_allocator() {
    let mut classes = vec![2];
    while classes[classes.len() - 1] < 160 {
        classes.push(next_class(classes[classes.len() - 1]));
    }
    let expected = [
        2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160,
    ];
    assert_eq!(classes, expected);
    for count in 0..3000 {
        assert!(count_max(lines_for(count)) >= count);
    }
}

#[test]
fn nothing_is_allocated_for_nothing() {
    let table: Table<Entry> = Table::new(0, hash_of);
    assert_eq!(table.memory_bytes(), 0);
    assert!(table.find(1, b"x").is_none());
    assert!(table.random(7).is_none());
    assert!(table.scan(0, |_| ()).is_none());
    assert_eq!(table.iter().count(), 0);
    assert_eq!(table.into_drain().count(), 0);
    assert!(size_of::<Table<Entry>>() <= 128);
}

#[test]
fn exhaustive_small() {
    // Every sequence of six toggles of four keys, on top of 0 to 18 items that fill the buckets
    // nearby.
    let hashes = [0, 0, 1 << 63, u64::MAX];
    let keys: Vec<Key> = (0..4).map(|idx| key_of(hashes[idx], 1000 + idx as u64)).collect();
    for base in 0..=18 {
        for pattern in [1, 2, 3] {
            for sequence in 0..4_u64.pow(6) {
                let mut rng = Rng(sequence);
                let mut pair = Pair::new(0);
                for number in 0..base {
                    pair.set(key_of(hash_by(pattern, 0, &mut rng), number), number);
                }
                let mut rest = sequence;
                for _ in 0..6 {
                    pair.toggle(keys[(rest % 4) as usize]);
                    rest /= 4;
                    if sequence.is_multiple_of(16) {
                        pair.check();
                    }
                }
                pair.check();
            }
        }
    }
}

/// Random operations while the size swings up and down.
fn random_ops(seed: u64, pattern: u64, shard_bits: u32, size: u64, steps: u64) {
    let mut rng = Rng::new(seed);
    println!("pattern {pattern}, shard_bits {shard_bits}, size {size}");
    let mut pair = Pair::new(shard_bits);
    if seed % 2 == 1 {
        pair.table.attach(Arc::new(View::new(shard_bits)));
    }
    let mut keys: Vec<Key> = Vec::new();
    let mut number = 0;
    let mut growing = true;
    for step in 0..steps {
        let known = (!keys.is_empty()).then(|| rng.below(keys.len() as u64) as usize);
        match (rng.below(10), known) {
            (0, Some(idx)) => pair.set(keys[idx], step),
            (1, Some(idx)) => {
                let key = keys[idx];
                let pos = pair.table.find(hash_of(&key), &key).unwrap();
                pair.table.get_mut(pos).set_value(step);
                pair.model.insert(key, step);
            }
            (2, Some(idx)) => {
                // A new block through the guard: the slot must learn its address.
                let key = keys[idx];
                let pos = pair.table.find(hash_of(&key), &key).unwrap();
                *pair.table.get_mut(pos) = Entry::new(key, step, &pair.live);
                pair.model.insert(key, step);
            }
            (3, _) => pair.remove(key_of(hash_by(pattern, shard_bits, &mut rng), u64::MAX)),
            (dice, known) => {
                let insert = if growing { dice != 4 } else { dice == 4 };
                match (insert, known) {
                    (false, Some(idx)) => pair.remove(keys.swap_remove(idx)),
                    (false, None) => growing = true,
                    (true, _) => {
                        number += 1;
                        let key = key_of(hash_by(pattern, shard_bits, &mut rng), number);
                        keys.push(key);
                        pair.set(key, step);
                    }
                }
            }
        }
        if keys.len() as u64 > size {
            growing = false;
        }
        if keys.len() as u64 * 20 < size {
            growing = true;
        }
        if keys.len() < 60 || step.is_multiple_of(64) {
            pair.check();
        }
        if step.is_multiple_of(2000) {
            pair.check_content();
        }
        if step.is_multiple_of(100) {
            drop(pair.table.take_retired());
        }
    }
    pair.check_content();
    end_of(pair, seed);
}

/// Bytes of a table with one segment of the smallest size.
const SMALLEST_BYTES: usize = 256;

/// All ways for the items to go.
fn end_of(mut pair: Pair, seed: u64) {
    match seed % 4 {
        0 => {
            let keys: Vec<Key> = pair.model.keys().copied().collect();
            for key in keys {
                pair.remove(key);
            }
            pair.check();
            assert!(pair.table.memory_bytes() <= SMALLEST_BYTES);
        }
        1 => {
            pair.table.clear();
            assert_eq!((pair.table.len(), pair.table.memory_bytes()), (0, 0));
            pair.table.check(|_| 0);
            pair.set([7; 16], 1);
            pair.table.clear();
        }
        2 => {
            let mut drain = pair.table.into_drain();
            let some = drain.by_ref().take(pair.model.len() / 2).count();
            assert_eq!(some, pair.model.len() / 2);
            assert_eq!(pair.live.load(Relaxed), (pair.model.len() - some) as isize);
        }
        _ => drop(pair.table),
    }
    assert_eq!(pair.live.load(Relaxed), 0);
}

#[test]
fn random_small() {
    for seed in 0..4 * PATTERNS {
        random_ops(seed, seed / 4, [0, 6, SHARD_BITS_MAX][seed as usize % 3], 60, 3000);
    }
}

#[test]
fn random_large() {
    for seed in 0..2 * PATTERNS {
        let size = if matches!(seed / 2, 1..=3 | 8) { 2500 } else { 12_000 };
        random_ops(seed + 1, seed / 2, [0, 6, SHARD_BITS_MAX][seed as usize % 3], size, 40_000);
    }
}

#[test]
fn equal_hashes_stay_bounded() {
    for hash in [0, u64::MAX, 0x7FFF_FFFF_FFFF_FFFF] {
        let mut pair = Pair::new(0);
        for number in 0..12_000 {
            let key = key_of(hash, number);
            pair.table.insert(hash, Entry::new(key, 0, &pair.live));
            pair.model.insert(key, 0);
        }
        pair.check();
        assert!(
            pair.table.memory_bytes() < 12_000 * 24 + (4 << 17),
            "{}",
            pair.table.memory_bytes()
        );
        for number in (0..12_000).step_by(1000) {
            assert!(pair.table.find(hash, &key_of(hash, number)).is_some());
        }
        let mut visited = 0;
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            cursor = pair.table.scan(at, |_| visited += 1);
        }
        assert_eq!(visited, 12_000);
        assert!(pair.table.random(3).is_some());
        // From the back, so that each is found at once.
        for number in (0..12_000).rev() {
            let key = key_of(hash, number);
            let found = pair.table.find(hash, &key).unwrap();
            drop(pair.table.remove(found));
            pair.model.remove(&key);
        }
        pair.check();
        assert!(pair.table.memory_bytes() <= SMALLEST_BYTES);
    }
}

/// Walks with `scan` while the table grows and shrinks; what stays must be seen. Returns visits
/// beyond the first.
fn scan_while_changing(seed: u64, pattern: u64, shard_bits: u32) -> usize {
    let mut rng = Rng::new(seed);
    let mut pair = Pair::new(shard_bits);
    let mut stay = BTreeMap::new();
    let mut passing = Vec::new();
    let shard = if shard_bits == 0 { 0 } else { (seed & 1) << (64 - shard_bits) };
    for number in 0..300 + rng.below(3000) {
        let key = key_of(shard | hash_by(pattern, shard_bits, &mut rng), number);
        pair.set(key, 0);
        if rng.below(3) == 0 {
            stay.insert(key, 0);
        } else {
            passing.push(key);
        }
    }
    let mut number = 1 << 32;
    let mut cursor = Some(shard);
    let mut previous = None;
    while let Some(at) = cursor {
        assert_eq!((at << crate::CURSOR_BITS, at & !(u64::MAX >> shard_bits)), (0, shard));
        assert!(previous.is_none_or(|previous| previous < at));
        previous = Some(at);
        let visit = |entry: &Entry| {
            if let Some(visits) = stay.get_mut(&entry.block().key) {
                *visits += 1;
            }
        };
        cursor = if seed.is_multiple_of(2) {
            pair.table.scan(at, visit)
        } else {
            pair.table.scan_slice(at, 1 + rng.below(50) as usize, visit)
        };
        if rng.below(20) != 0 {
            continue;
        }
        for _ in 0..rng.below(1500) {
            if rng.below(1000) < 500 + at % 700 {
                number += 1;
                let key = key_of(shard | hash_by(pattern, shard_bits, &mut rng), number);
                passing.push(key);
                pair.set(key, 0);
            } else if !passing.is_empty() {
                let idx = rng.below(passing.len() as u64) as usize;
                pair.remove(passing.swap_remove(idx));
            }
        }
        if passing.len() > 12_000 || rng.below(8) == 0 {
            for key in passing.drain(..) {
                pair.remove(key);
            }
        }
        pair.check();
    }
    assert!(stay.values().all(|&visits| visits > 0), "an item that stayed was not visited");
    stay.values().map(|visits| visits - 1).sum()
}

#[test]
fn scan_never_misses() {
    let mut repeats = 0;
    for seed in 0..60 {
        repeats += scan_while_changing(seed, 0, [0, 6][seed as usize % 2]);
    }
    // A position of 16 bits per segment is exact but for a merge, which drops one bit.
    assert!(repeats < 10, "{repeats} repeats");
    for seed in 0..30 {
        scan_while_changing(seed, [4, 5, 6, 7, 8][seed as usize % 5], 6);
    }
}

#[test]
fn scan_of_a_quiet_table_visits_once_in_order() {
    for len in [1, 7, 8, 100, 5000, 30_000] {
        let mut pair = Pair::new(6);
        let mut rng = Rng::new(len);
        for number in 0..len {
            pair.set(key_of(rng.next() >> 6, number), 0);
        }
        let (mut visited, mut calls, mut cursor) = (Vec::new(), 0, Some(0));
        while let Some(at) = cursor {
            let begin = visited.len();
            cursor = pair.table.scan(at, |entry| visited.push(hash_of(&entry.block().key)));
            assert!(
                visited[begin..].iter().all(|&hash| hash >= at && hash < cursor.unwrap_or(1 << 58))
            );
            calls += 1;
        }
        visited.sort_unstable();
        visited.dedup();
        assert_eq!(visited.len(), len as usize);
        assert!(calls <= 1 + len as usize / 4, "{calls} calls for {len}");
    }
}

#[test]
fn random_is_nearly_uniform() {
    for len in [1_usize, 5, 40, 1000, 10_000] {
        let mut pair = Pair::new(0);
        let mut rng = Rng::new(len as u64);
        for number in 0..len as u64 {
            pair.set(key_of(rng.next(), number), number);
        }
        let draws = 60 * len;
        let mut hits = vec![0_f64; len];
        for _ in 0..draws {
            hits[pair.table.random(rng.next()).unwrap().value() as usize] += 1.0;
        }
        let chi: f64 = hits.iter().map(|hit| (hit - 60.0) * (hit - 60.0) / 60.0).sum();
        // Mean `len`, deviation sqrt(2 len); a segment's deviation of 4 % adds a tenth of 60 at
        // most.
        let bound = 1.25 * len as f64 + 5.0 * (2.0 * len as f64).sqrt();
        assert!(chi < bound, "{len} items: {chi} > {bound}");
    }
}

#[test]
fn random_and_sample_work_in_sparse_and_hostile_tables() {
    for pattern in 0..PATTERNS {
        let mut rng = Rng::new(pattern);
        let mut pair = Pair::new(0);
        let mut keys: Vec<Key> =
            (0..3000).map(|n| key_of(hash_by(pattern, 0, &mut rng), n)).collect();
        for &key in &keys {
            pair.set(key, 0);
        }
        while let Some(key) = keys.pop() {
            for _ in 0..3 {
                let random = pair.table.random(rng.next()).unwrap();
                assert!(pair.model.contains_key(&random.block().key));
            }
            for count in [1, 5, 40, usize::MAX] {
                if count == usize::MAX && !keys.len().is_multiple_of(100) {
                    continue;
                }
                let mut seen = BTreeMap::new();
                pair.table.sample(rng.next(), count, |entry| {
                    assert!(pair.model.contains_key(&entry.block().key));
                    assert!(seen.insert(entry.block().key, ()).is_none());
                });
                assert_eq!(seen.len(), count.min(pair.table.len()));
            }
            pair.remove(key);
        }
        assert!(pair.table.random(1).is_none());
    }
}

#[test]
fn memory_is_about_ten_bytes_an_item() {
    let mut pair = Pair::new(0);
    let mut rng = Rng::new(1);
    let (mut sum, mut samples, mut worst) = (0.0, 0.0, 0.0_f64);
    let mut next = 10_000.0;
    for number in 0..160_000_u64 {
        let hash = rng.next();
        pair.table.insert(hash, Entry::new(key_of(hash, number), 0, &pair.live));
        if pair.table.len() as f64 >= next {
            next *= 1.02;
            let bytes = pair.table.memory_bytes() as f64 / pair.table.len() as f64;
            sum += bytes;
            samples += 1.0;
            worst = worst.max(bytes);
        }
    }
    println!("average {}, worst {worst}", sum / samples);
    assert!(sum / samples < 10.05 && worst < 10.8, "average {}, worst {worst}", sum / samples);
}

#[test]
fn readers_prefetch_while_the_owner_changes() {
    let view = Arc::new(View::new(0));
    let done = AtomicBool::new(false);
    let mut pair = Pair::new(0);
    pair.table.attach(view.clone());
    let mut kept = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut rng = Rng::new(5);
            while !done.load(Relaxed) {
                let hash = rng.next();
                // SAFETY: what is retired is kept until this thread has ended.
                unsafe { view.prefetch_bucket(hash) };
                // SAFETY: as above.
                unsafe { view.prefetch_items(hash) };
            }
        });
        let mut rng = Rng::new(6);
        for round in 0..3 {
            let keys: Vec<Key> = (0..20_000).map(|number| key_of(rng.next(), number)).collect();
            keys.iter().for_each(|&key| pair.set(key, round));
            keys.iter().for_each(|&key| pair.remove(key));
            kept.append(&mut pair.table.take_retired());
        }
        done.store(true, Relaxed);
    });
    assert!(!kept.is_empty() && kept.iter().all(|retired| retired.bytes() >= 64));
    assert!(pair.table.detach().is_some() && pair.table.view().is_none());
    pair.check();
}

#[test]
#[should_panic(expected = "outlived its segment")]
fn a_position_does_not_outlive_its_segment() {
    let mut pair = Pair::new(0);
    let pos = pair.table.insert(0, Entry::new(key_of(0, 0), 0, &pair.live));
    for number in 1..100 {
        pair.set(key_of(0, number), 0);
    }
    let _ = pair.table.get(pos).value();
}

#[test]
#[should_panic(expected = "outlived its item")]
fn a_position_does_not_outlive_its_item() {
    let mut pair = Pair::new(0);
    for number in 0..5 {
        pair.set(key_of(0, number), 0);
    }
    let pos = pair.table.find(0, &key_of(0, 4)).unwrap();
    drop(pair.table.remove(pos));
    let _ = pair.table.get(pos).value();
}

#[test]
#[should_panic(expected = "borrow was leaked")]
fn a_leaked_borrow_is_noticed() {
    struct Free(Option<NonNull<Block>>);
    impl Drop for Free {
        fn drop(&mut self) {
            drop(self.0.map(Entry));
        }
    }
    // Frees the leaked item after the table, so that leak checkers stay quiet.
    let mut free = Free(None);
    let mut pair = Pair::new(0);
    let pos = pair.table.insert(0, Entry::new(key_of(0, 0), 0, &pair.live));
    let guard = pair.table.get_mut(pos);
    free.0 = Some(guard.0);
    std::mem::forget(guard);
    let _ = pair.table.get(pos).value();
}

/// What is between two positions, in tables of any depth and for borders of any fineness.
#[test]
fn visit_between_finds_each_item_once() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let shard_bits = [0, 3, 16][rng.below(3) as usize];
        let mut pair = Pair::new(shard_bits);
        let pattern = seed % PATTERNS;
        let count = [0, 5, 300, 6000][rng.below(4) as usize];
        for number in 0..count {
            pair.set(key_of(hash_by(pattern, shard_bits, &mut rng), number), 0);
        }
        // A sparse table has few bits of hash in its tags.
        let kept = 1 + rng.below(100);
        let keys: Vec<Key> = pair.model.keys().copied().collect();
        keys.iter().filter(|_| rng.below(100) >= kept).for_each(|key| pair.remove(*key));
        let all: Vec<(u64, Key)> =
            pair.model.keys().map(|key| (pair.table.position(hash_of(key)), *key)).collect();
        for _ in 0..40 {
            let some = match all.len() as u64 {
                0 => rng.next(),
                len => all[rng.below(len) as usize].0,
            };
            let bits = 1 + rng.below(48) as u32;
            let first = some >> (64 - bits) << (64 - bits);
            let last = first.saturating_add(rng.next() >> rng.below(64)) | u64::MAX >> bits;
            let mut found = Vec::new();
            let fine = 1 + rng.below(60) as u32;
            let odd = |at: u64| at >> (64 - fine) & 1 == 1;
            pair.table.visit_between((first, last), fine, odd, |entry| {
                found.push(entry.block().key);
            });
            found.sort_unstable();
            let within = all.iter().filter(|(at, _)| (first..=last).contains(at) && odd(*at));
            let mut wanted: Vec<Key> = within.map(|(_, key)| *key).collect();
            wanted.sort_unstable();
            assert!(found == wanted, "{first:x}..={last:x}");
        }
    }
}

#[test]
fn what_is_expected_may_come_or_not() {
    for (expected, came) in [(0, 100), (100, 5000), (50_000, 50_000), (50_000, 10), (1 << 20, 0)] {
        let mut pair = Pair::new(4);
        pair.table.expect(expected);
        assert!(pair.table.memory_bytes() <= expected);
        pair.check();
        let mut rng = Rng::new(expected as u64);
        let keys: Vec<Key> =
            (0..came).map(|number| key_of(hash_by(0, 4, &mut rng), number)).collect();
        keys.iter().for_each(|key| pair.set(*key, 1));
        pair.check_content();
        // Only an empty table is told what to expect.
        pair.table.expect(1 << 24);
        pair.check();
        keys.iter().for_each(|key| pair.remove(*key));
        pair.check_content();
    }
}
