//! Walks: SCAN by hash, in memory order, and at random.

use std::ops::RangeInclusive;

use crate::bucket::{LINE, SLOTS, TAG_BITS, TAG_SHIFT, TAGS, tag_of};
use crate::directory::{Directory, tag_at};
use crate::item::{Borrowed, Item, address};
use crate::segment::Segment;
use crate::table::Table;
use stdx::prefetch::prefetch;

/// Only so many high bits of a cursor are ever set: a caller may drop the `64 - CURSOR_BITS` low
/// ones.
pub const CURSOR_BITS: u32 = 48;

/// Random slots tried before a random item is searched in order.
const TRIES: u32 = 24;

impl<T: Item, H> Table<T, H> {
    /// Visits the items of one bucket's range of hashes, from hash `cursor` on, and returns the
    /// cursor of the next bucket, `None` at the end. Cursors are hashes: the first of a table is
    /// its shard's number in the top bits, zeros below, and the shard's bits are in every cursor
    /// returned.
    ///
    /// An item that is in the table from the first call to the last is visited, whatever happens
    /// between calls; twice only when a merge made its range coarser than the cursor. Its hash is
    /// at least the cursor's, but for the bits below those of a tag.
    ///
    /// The work is one bucket, except that all items whose 48 high bits of hash are the same are
    /// visited in one call.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(&T)) -> Option<u64> {
        if self.directory.is_none() {
            return None;
        }
        let (next, _) = self.scan_bucket(self.position(cursor), &mut visit);
        next.map(|position| self.cursor(cursor, position))
    }

    /// As [`Table::scan`], in larger slices: goes on until at least `budget` items or `budget`
    /// buckets have been visited.
    pub fn scan_slice(&self, cursor: u64, budget: usize, mut visit: impl FnMut(&T)) -> Option<u64> {
        if self.directory.is_none() {
            return None;
        }
        let (mut items, mut buckets) = (0, 0);
        let mut position = self.position(cursor);
        loop {
            let (next, visited) = self.scan_bucket(position, &mut visit);
            items += visited;
            buckets += 1;
            position = next?;
            if items >= budget || buckets >= budget {
                return Some(self.cursor(cursor, position));
            }
        }
    }

    /// Visits the items whose positions (see [`Table::position`]) are in `first..=last` and that
    /// `wanted` says, by their positions, each once, in no particular order. `wanted` is asked more
    /// than once, and by the `bits` upper bits of a position only: those below may be wrong.
    pub fn visit_between(
        &self,
        (first, last): (u64, u64),
        bits: u32,
        wanted: impl Fn(u64) -> bool,
        mut visit: impl FnMut(&T),
    ) where
        H: Fn(&[u8]) -> u64,
    {
        if self.directory.is_none() {
            return;
        }
        let mut position = first;
        loop {
            let (segment, begin) = self.directory.lookup(position);
            let depth = segment.depth();
            let prefix = position & !(u64::MAX >> depth);
            let until = last.min(position | u64::MAX >> depth);
            let tags = begin..=tag_at(until, depth);
            let known_bits = depth + TAG_BITS;
            // Bits that are not in the table: the items are asked.
            let unknown = u64::MAX >> known_bits;
            let is_exact =
                known_bits >= bits && position & unknown == 0 && until & unknown == unknown;
            let known = |word| prefix | (tag_of(word) as u64) << TAG_SHIFT >> depth;
            let is_wanted = |word| !is_exact || wanted(known(word));
            self.visit_tags(segment, tags, is_wanted, |item| {
                let within = || {
                    let at = self.position(self.hash(item.key()));
                    (position..=until).contains(&at) && wanted(at)
                };
                if is_exact || within() {
                    visit(item);
                }
            });
            if until == last {
                return;
            }
            position = until + 1;
        }
    }

    /// Visits the items of a segment whose tags are within a range and whose words are wanted.
    fn visit_tags(
        &self,
        segment: Segment,
        tags: RangeInclusive<usize>,
        is_wanted: impl Fn(u64) -> bool,
        mut visit: impl FnMut(&T),
    ) {
        let (begin, end) = (segment.home(*tags.start()), segment.home(*tags.end()));
        let walk = |visit: &mut dyn FnMut(u64)| {
            let mut idx = begin;
            loop {
                // SAFETY: at most the home of a tag, or the bucket after a full one.
                let bucket = unsafe { segment.bucket(idx) };
                let within = |word: &u64| tags.contains(&tag_of(*word)) && is_wanted(*word);
                bucket.words().filter(within).for_each(&mut *visit);
                if idx >= end && !bucket.is_full() {
                    return;
                }
                idx += 1;
            }
        };
        if begin < end {
            // PERF: whoever visits many items copies them; most take two lines.
            walk(&mut |word| {
                let item = address(word).as_ptr().addr();
                prefetch(item);
                prefetch(item + LINE);
            });
        }
        walk(&mut |word| {
            // SAFETY: a slot in use of a borrowed table.
            let item = unsafe { Borrowed::new(word) };
            visit(&item);
        });
    }

    fn cursor(&self, previous: u64, position: u64) -> u64 {
        let cursor = previous & !(u64::MAX >> self.shard_bits) | position >> self.shard_bits;
        debug_assert!(cursor << CURSOR_BITS == 0);
        cursor
    }

    /// Returns the position after the bucket, and the number of items visited.
    fn scan_bucket(&self, position: u64, visit: &mut impl FnMut(&T)) -> (Option<u64>, usize) {
        let (segment, begin) = self.directory.lookup(position);
        let mut idx = segment.home(begin);
        let end = segment.tags_end(idx);
        let mut visited = 0;
        loop {
            // SAFETY: a home, or the bucket after a full one.
            let bucket = unsafe { segment.bucket(idx) };
            for word in bucket.words().filter(|&word| (begin..end).contains(&tag_of(word))) {
                // SAFETY: a slot in use of a borrowed table.
                let item = unsafe { Borrowed::new(word) };
                visit(&item);
                visited += 1;
            }
            if !bucket.is_full() {
                break;
            }
            idx += 1;
        }
        let depth = segment.depth();
        let first = position & !(u64::MAX >> depth);
        let next = if end < TAGS {
            Some(first | (end as u64) << TAG_SHIFT >> depth)
        } else {
            (u64::MAX >> depth).checked_add(1).and_then(|range| first.checked_add(range))
        };
        (next, visited)
    }

    /// All items, in the order of memory.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter {
            table: std::marker::PhantomData,
            directory: self.directory,
            next: 0,
            segment: None,
            slot: 0,
        }
    }

    /// A random item, for a uniform `random`; `None` only if the table is empty.
    ///
    /// A segment is drawn by its share of hash space, then a slot of it uniformly until one is in
    /// use. So an item's chance deviates from `1 / len` as its segment's number of items does from
    /// its expectation: some 4 % (one standard deviation), and not at all in a table of one
    /// segment. At most 24 slots are tried, then slots in order: a segment has few (8) or a third
    /// of them in use.
    pub fn random(&self, random: u64) -> Option<Borrowed<'_, T>> {
        let (segment, mut state) = self.random_segment(random)?;
        let slots = segment.buckets() * SLOTS;
        let mut at = 0;
        for _ in 0..TRIES {
            state = mix(state);
            at = below(state, slots);
            // SAFETY: `at` is below the number of slots.
            let word = unsafe { segment.bucket(at / SLOTS) }.word(at % SLOTS);
            if word != 0 {
                // SAFETY: a slot in use of a borrowed table.
                return Some(unsafe { Borrowed::new(word) });
            }
        }
        let word = (0..segment.buckets()).find_map(|step| {
            // SAFETY: the remainder is below the number of buckets.
            unsafe { segment.bucket((at / SLOTS + step) % segment.buckets()) }.words().next()
        })?;
        // SAFETY: a slot in use of a borrowed table.
        Some(unsafe { Borrowed::new(word) })
    }

    /// Visits up to `count` items that lie behind a random place, at the cost of a cache line per
    /// eight, and wraps around. They are neighbors by hash, hence unrelated in everything else:
    /// good candidates for eviction. Visits fewer only if the table has fewer.
    pub fn sample(&self, random: u64, count: usize, mut visit: impl FnMut(&T)) {
        let count = count.min(self.len());
        let Some((segment, state)) = self.random_segment(random) else { return };
        let mut directory_idx = self.directory.index(state);
        debug_assert!(self.directory.segment(directory_idx) == segment);
        let mut segment = segment;
        let start = below(mix(state), segment.buckets());
        let mut left = count;
        let mut range = start..segment.buckets();
        loop {
            for idx in range {
                // SAFETY: both ranges below end at the number of buckets at most.
                for word in unsafe { segment.bucket(idx) }.words() {
                    if left == 0 {
                        return;
                    }
                    // SAFETY: a slot in use of a borrowed table.
                    let item = unsafe { Borrowed::new(word) };
                    visit(&item);
                    left -= 1;
                }
            }
            if left == 0 {
                return;
            }
            let span = self.directory.span(segment);
            directory_idx = ((directory_idx & !(span - 1)) + span) & (self.directory.len() - 1);
            segment = self.directory.segment(directory_idx);
            range = 0..segment.buckets();
        }
    }

    /// A segment that is not empty, by its share of hash space, and a random state that leads to it
    /// by its high bits.
    fn random_segment(&self, random: u64) -> Option<(Segment, u64)> {
        if self.is_empty() {
            return None;
        }
        let mut state = random;
        for _ in 0..TRIES {
            state = mix(state);
            let segment = self.directory.segment(self.directory.index(state));
            if segment.count() > 0 {
                return Some((segment, state));
            }
        }
        // Most of hash space is empty, which takes colliding hashes: the first segment in use from
        // here on.
        let (len, depth) = (self.directory.len(), self.directory.depth());
        let mut idx = self.directory.index(state);
        loop {
            let segment = self.directory.segment(idx);
            if segment.count() > 0 {
                let state = if depth == 0 { state } else { (idx as u64) << (64 - depth) };
                return Some((segment, state));
            }
            idx = (idx + self.directory.span(segment)) & (len - 1);
        }
    }
}

/// Items of a table, in the order of memory.
pub struct Iter<'a, T> {
    table: std::marker::PhantomData<&'a T>,
    directory: Directory,
    /// Directory index of the segment after `segment`.
    next: usize,
    segment: Option<Segment>,
    slot: usize,
}

impl<'a, T: Item> Iterator for Iter<'a, T> {
    type Item = Borrowed<'a, T>;

    fn next(&mut self) -> Option<Borrowed<'a, T>> {
        loop {
            if let Some(segment) = self.segment {
                while self.slot < segment.buckets() * SLOTS {
                    // SAFETY: the loop's condition keeps the bucket inside the segment.
                    let word = unsafe { segment.bucket(self.slot / SLOTS) }.word(self.slot % SLOTS);
                    if word != 0 {
                        self.slot += 1;
                        // SAFETY: a slot in use of a table that is borrowed for `'a`.
                        return Some(unsafe { Borrowed::new(word) });
                    }
                    self.slot = (self.slot / SLOTS + 1) * SLOTS;
                }
            }
            if self.directory.is_none() || self.next == self.directory.len() {
                return None;
            }
            let segment = self.directory.segment(self.next);
            self.next += self.directory.span(segment);
            (self.segment, self.slot) = (Some(segment), 0);
        }
    }
}

/// The finalizer of splitmix64 after its increment: a next random number from the last.
#[inline]
fn mix(state: u64) -> u64 {
    let mut word = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

/// Maps a random number to `0..end`.
#[inline]
fn below(random: u64, end: usize) -> usize {
    ((random >> 32) as usize * end) >> 32
}
