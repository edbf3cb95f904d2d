//! A large hash table of packed records with an O(1) clone, under large sets and hashes.
//!
//! ```text
//!  hash, 64 bits:  [ 5 | 5 | 5 ... of the node's level | tag 18 | rest ]
//!                                                `--- the tag begins with the slot's 5 bits
//!  Dict ─► Node ── slot of 32 ─► Segment: a span of 1, 2, 4 ... 32 slots
//!                           └──► Node of the next level
//!
//!  Segment: buckets ─► [ 16 words of tag 18 | offset 14 ] a cache line, ordered by hash
//!           arena   ─► records, packed: [ length and kind | key | expiry | length | value ]
//!           large   ─► records of more than 256 bytes, a block each
//! ```
//!
//! - Nodes, buckets, arenas and large blocks are shared by reference count. A clone is one count; a
//!   write after it copies the nodes on its path (at most 32 children each) and one segment.
//! - A full segment splits by its tags alone; one that cannot (its span is one slot) becomes a node.
//!   The work of one operation is one segment. Removal merges what has become small.
//! - A lookup reads one bucket and one record, as a rule; the nodes above are few and hot.
//! - A word's home bucket follows from its tag and keeps the order of hashes, so that a SCAN cursor
//!   is a position in hash space: it stays good through any growth, split, merge and removal.
//! - Each segment and node knows a lower bound of the expiries within, so that the sweep of expired
//!   records goes to them straight. The table has no clock: nothing expires by itself.
//!
//! Hashes are keyed by the seed of the process; a segment's worth of records with 35 equal bits of
//! hash, which no attacker can make without the seed and no honest load will ever meet, ends the
//! process.

mod iter;
mod node;
mod record;
mod segment;

#[cfg(test)]
mod tests;

use triomphe::Arc;

use stdx::hash::{Seed, sip13};
use stdx::rng::Rng;

pub use iter::{Iter, Piece, Pieces};
use node::{Node, Way};
pub use record::Record;

/// Cursors of [`Dict::scan`] are below `1 << CURSOR_BITS`.
pub const CURSOR_BITS: u32 = 48;

/// A hash table of keys with values (none: empty) and expiries.
#[derive(Clone)]
pub struct Dict {
    root: Arc<Node>,
    seed: Seed,
    totals: Totals,
}

/// What the table knows about itself in O(1).
#[derive(Clone, Copy, Default)]
struct Totals {
    records: usize,
    /// Records with an expiry.
    expiring: usize,
    /// Bytes asked of the allocator.
    heap: usize,
    /// Lower bound of the expiries.
    earliest: Option<i64>,
}

impl Totals {
    /// `after` takes the place of `before` on the heap.
    fn replace_heap(&mut self, before: usize, after: usize) {
        self.heap = (self.heap + after).saturating_sub(before);
    }

    fn expiry(&mut self, expiry: Option<i64>) {
        self.expiring += usize::from(expiry.is_some());
        self.earliest = earlier(self.earliest, expiry);
    }
}

/// The earlier of two expiries.
fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl Dict {
    pub fn new(seed: Seed) -> Self {
        let root = Node::new();
        let totals = Totals { heap: root.own_heap(), ..Totals::default() };
        Self { root: Arc::new(root), seed, totals }
    }

    /// Records, those included whose expiry has passed.
    pub fn len(&self) -> usize {
        self.totals.records
    }

    pub fn is_empty(&self) -> bool {
        self.totals.records == 0
    }

    /// Records that have an expiry.
    pub fn expiring(&self) -> usize {
        self.totals.expiring
    }

    /// A lower bound of the expiries: exact after [`Dict::expire`] found nothing more to do, and
    /// until the record that has it is removed.
    pub fn earliest(&self) -> Option<i64> {
        if self.totals.expiring == 0 { None } else { self.totals.earliest }
    }

    /// Bytes asked of the allocator, blocks that clones share included. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.totals.heap
    }

    pub fn get(&self, key: &[u8]) -> Option<Record<'_>> {
        self.root.get(self.hash(key), key)
    }

    /// Starts the loads that looking for each of these keys, and writing there, will wait for: one
    /// step of the way at a time for all of them.
    pub fn prefetch(&self, keys: &[&[u8]]) {
        const AT_ONCE: usize = 32;
        for keys in keys.chunks(AT_ONCE) {
            let mut ways = [Way::new(&self.root, 0); AT_ONCE];
            let ways = &mut ways[..keys.len()];
            for (way, key) in ways.iter_mut().zip(keys) {
                *way = Way::new(&self.root, self.hash(key));
            }
            let mut moved = true;
            while moved {
                ways.iter().for_each(Way::prefetch_child);
                moved = false;
                for way in &mut *ways {
                    moved |= way.descend();
                }
            }
            for way in &*ways {
                let (segment, tag) = way.segment();
                segment.prefetch_bucket(tag);
            }
            for way in &*ways {
                let (segment, tag) = way.segment();
                segment.prefetch_records(tag);
            }
        }
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// Puts a record in, in the place of one with this key. Says whether the key is new.
    pub fn insert(&mut self, key: &[u8], value: &[u8], expiry: Option<i64>) -> bool {
        let record = Record { key, value, expiry };
        let hash = self.hash(key);
        let is_new = Node::insert(&mut self.root, 0, hash, record, self.seed, &mut self.totals);
        self.totals.records += usize::from(is_new);
        is_new
    }

    /// Puts a record of a key alone in, unless there is one with this key. Says whether it did.
    pub fn add(&mut self, key: &[u8]) -> bool {
        let hash = self.hash(key);
        // A look first: what is there already copies nothing that is shared.
        if self.root.get(hash, key).is_some() {
            return false;
        }
        let record = Record { key, value: b"", expiry: None };
        Node::insert(&mut self.root, 0, hash, record, self.seed, &mut self.totals);
        self.totals.records += 1;
        true
    }

    /// Whether there was one.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let hash = self.hash(key);
        // A look first: a removal in vain copies nothing that is shared.
        if self.root.get(hash, key).is_none() {
            return false;
        }
        Node::remove(&mut self.root, 0, hash, key, self.seed, &mut self.totals);
        self.totals.records -= 1;
        true
    }

    /// Removes records whose expiry is at or before `now`, after `gone` has seen them; stops after
    /// the segment in which `budget` records are reached. Returns how many went.
    pub fn expire(&mut self, now: i64, budget: usize, mut gone: impl FnMut(Record<'_>)) -> usize {
        if self.earliest().is_none_or(|at| at > now) {
            return 0;
        }
        let removed = Node::expire(&mut self.root, now, budget, &mut gone, &mut self.totals);
        self.totals.records -= removed;
        self.totals.earliest = self.root.earliest();
        removed
    }

    /// Visits the records whose expiry is at or before `now`; looks only where there may be such.
    pub fn each_due<'a>(&'a self, now: i64, mut visit: impl FnMut(Record<'a>)) {
        self.root.each_due(now, &mut visit);
    }

    /// All records, in an order that means nothing.
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(&self.root)
    }

    /// Takes the table apart, in the order of [`Dict::iter`]: a piece is freed with its item, unless
    /// a clone shares it.
    pub fn into_pieces(self) -> Pieces {
        Pieces::new(self.root)
    }

    /// A record at random, each equally likely.
    pub fn random(&self, rng: &mut Rng) -> Option<Record<'_>> {
        if self.is_empty() {
            return None;
        }
        Some(self.root.random(rng.below(self.len() as u64) as usize, rng))
    }

    /// `min(count, len)` different records, each choice equally likely.
    pub fn sample(&self, count: usize, rng: &mut Rng, mut visit: impl FnMut(Record<'_>)) {
        let count = count.min(self.len());
        if count.saturating_mul(4) < self.len() {
            let mut seen = stdx::hash::Set::with_hasher(self.seed);
            while seen.len() < count {
                let Some(record) = self.random(rng) else { return };
                // A record is known by where its key stands.
                if seen.insert(record.key.as_ptr().addr()) {
                    visit(record);
                }
            }
            return;
        }
        let (mut wanted, mut left) = (count, self.len());
        for record in self.iter() {
            if wanted == 0 {
                return;
            }
            if rng.index(left) < wanted {
                visit(record);
                wanted -= 1;
            }
            left -= 1;
        }
    }

    /// Visits records from `cursor` on (0: the first), until at least `budget` records or buckets
    /// have been visited, and returns the cursor of the next step, 0 at the end.
    ///
    /// A record that is in the table from the first step to the last is visited, whatever happens
    /// between them. Any number is a good cursor. One step visits `budget` records and what one
    /// bucket holds.
    pub fn scan(&self, cursor: u64, budget: usize, mut visit: impl FnMut(Record<'_>)) -> u64 {
        let mut position = cursor << (64 - CURSOR_BITS);
        let mut left = budget;
        loop {
            let (next, visited) = self.root.scan_bucket(position, &mut visit);
            let Some(next) = next else { return 0 };
            position = next;
            left = left.saturating_sub(visited.max(1));
            if left == 0 {
                return position >> (64 - CURSOR_BITS);
            }
        }
    }

    fn hash(&self, key: &[u8]) -> u64 {
        sip13(self.seed, key)
    }
}

impl std::fmt::Debug for Dict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter().map(|record| (record.key, record.value))).finish()
    }
}
