//! A segment: some hundred records whose hashes share a prefix.
//!
//! INVARIANTS: the words in use of a bucket are a prefix of it; between the home of a word and its
//! bucket all buckets are full; a search ends at the first bucket with an empty word.

use triomphe::Arc;

use stdx::prefetch::{LINE, prefetch};
use stdx::rng::Rng;

use super::earlier;
use super::record::{self, INLINE_MAX, Record, Stored};

/// Bits of a tag; it begins with the bits of the slot in its node.
pub(super) const TAG_BITS: u32 = 18;
const OFFSET_BITS: u32 = 14;
const OFFSET_MASK: u32 = (1 << OFFSET_BITS) - 1;

/// Words of a bucket.
const WORDS: usize = 16;
/// Words to a home at most, on average.
const LOAD: usize = 14;
/// Bytes in front of the items of an `Arc<[_]>`.
const COUNT_BYTES: usize = size_of::<usize>();
/// The largest arena: offsets have 14 bits.
const ARENA_MAX: usize = (1 << OFFSET_BITS) - COUNT_BYTES;
/// Records of a segment at most.
const RECORDS_MAX: usize = 768;

/// One cache line of words `tag << 14 | offset`; 0 is empty, as no record is at offset 0.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket([u32; WORDS]);

const EMPTY: Bucket = Bucket([0; WORDS]);

impl Bucket {
    fn is_full(&self) -> bool {
        self.0[WORDS - 1] != 0
    }

    fn words(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied().take_while(|&word| word != 0)
    }

    /// Words in use. PERF: without branches, as are the tags compared (`dict_bench`).
    #[inline]
    fn len(&self) -> usize {
        self.0.iter().map(|&word| usize::from(word != 0)).sum()
    }

    /// The words of this tag, as bits; 0 may have empty ones among them.
    #[inline]
    fn matches(&self, tag: u32) -> u32 {
        let bits = self.0.iter().enumerate();
        bits.fold(0, |bits, (idx, &word)| bits | u32::from(tag_of_word(word) == tag) << idx)
    }
}

type Large = Vec<Option<Arc<[u8]>>>;

#[derive(Clone)]
pub(super) struct Segment {
    buckets: Arc<[Bucket]>,
    arena: Arc<[u8]>,
    large: Option<Arc<Large>>,
    /// Bytes of the large blocks.
    large_bytes: usize,
    /// Lower bound of the expiries within.
    pub(super) earliest: Option<i64>,
    /// Buckets that are homes; those behind them take what spills.
    homes: u16,
    count: u16,
    /// The arena's bytes in use or dead, and the dead ones among them.
    used: u16,
    dead: u16,
    /// The span in its node is `32 >> depth` slots.
    pub(super) depth: u8,
}

/// What [`Segment::put`] did.
pub(super) enum Put {
    New,
    /// The expiry that the old record had.
    Replaced(Option<i64>),
    /// Nothing: the segment must be split first.
    Full,
}

fn tag_of_word(word: u32) -> u32 {
    word >> OFFSET_BITS
}

fn offset_of(word: u32) -> usize {
    (word & OFFSET_MASK) as usize
}

/// The allocator's size class that holds `bytes`: four to each doubling.
fn size_class(bytes: usize) -> usize {
    if bytes <= 64 {
        return bytes.next_multiple_of(8);
    }
    bytes.next_multiple_of((1 << (bytes - 1).ilog2()) / 4)
}

impl Segment {
    pub(super) fn empty(depth: u8) -> Self {
        Self {
            buckets: Arc::from(&[EMPTY][..]),
            arena: Arc::from(&[0; 56][..]),
            large: None,
            large_bytes: 0,
            earliest: None,
            homes: 1,
            count: 0,
            used: 1,
            dead: 0,
            depth,
        }
    }

    pub(super) fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// Bytes on the heap.
    pub(super) fn heap(&self) -> usize {
        let large = self.large.as_ref().map_or(0, |large| {
            large.len() * size_of::<Option<Arc<[u8]>>>() + size_of::<Large>() + COUNT_BYTES
        });
        let buckets = (self.buckets.len() + 1) * size_of::<Bucket>();
        buckets + self.arena.len() + COUNT_BYTES + large + self.large_bytes
    }

    fn live(&self) -> usize {
        usize::from(self.used - self.dead)
    }

    /// Whether the records of both fit one segment with room to spare.
    pub(super) fn fits_with(&self, other: &Self) -> bool {
        self.count() + other.count() <= RECORDS_MAX / 3
            && self.live() + other.live() <= ARENA_MAX / 3
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        home_of(self.depth, self.homes, tag)
    }

    #[inline]
    fn record(&self, word: u32) -> Record<'_> {
        match record::decode(&self.arena[offset_of(word)..]).0 {
            Stored::Inline(record) => record,
            Stored::Large(number) => Record::of_block(self.block(number)),
        }
    }

    fn block(&self, number: usize) -> &[u8] {
        let block = self.large.as_ref().and_then(|large| large.get(number)?.as_deref());
        block.expect("a reference in the arena leads to its large block")
    }

    #[inline]
    fn find(&self, tag: u32, key: &[u8]) -> Option<(usize, usize)> {
        for (at, bucket) in self.buckets.iter().enumerate().skip(self.home(tag)) {
            let mut matches = bucket.matches(tag);
            while matches != 0 {
                let idx = matches.trailing_zeros() as usize;
                let word = bucket.0[idx];
                if word != 0 && self.record(word).key == key {
                    return Some((at, idx));
                }
                matches &= matches - 1;
            }
            if !bucket.is_full() {
                return None;
            }
        }
        None
    }

    /// Asks for the bucket where a search for this tag starts, and for what a write looks at.
    #[inline]
    pub(super) fn prefetch_bucket(&self, tag: u32) {
        prefetch((&raw const self.buckets[self.home(tag)]).addr());
        prefetch(self.buckets.as_ptr().addr() - COUNT_BYTES);
        prefetch(self.arena.as_ptr().addr() - COUNT_BYTES);
    }

    /// Asks for the records that this tag leads to, of a bucket that was asked for before.
    #[inline]
    pub(super) fn prefetch_records(&self, tag: u32) {
        let bucket = &self.buckets[self.home(tag)];
        let mut matches = bucket.matches(tag);
        while matches != 0 {
            let word = bucket.0[matches.trailing_zeros() as usize];
            let record = self.arena.as_ptr().addr() + offset_of(word);
            prefetch(record);
            prefetch(record + LINE / 2);
            matches &= matches - 1;
        }
    }

    #[inline]
    pub(super) fn get(&self, tag: u32, key: &[u8]) -> Option<Record<'_>> {
        let (at, idx) = self.find(tag, key)?;
        Some(self.record(self.buckets[at].0[idx]))
    }

    /// Puts a record in, in the place of one with its key.
    pub(super) fn put(&mut self, tag: u32, new: Record<'_>) -> Put {
        let found = self.find(tag, new.key);
        let len = new.encoded_len();
        let is_large = len > INLINE_MAX;
        if let Some((at, idx)) = found {
            let word = self.buckets[at].0[idx];
            let old_expiry = self.record(word).expiry;
            if self.put_in_place(word, new, len) {
                self.earliest = earlier(self.earliest, new.expiry);
                return Put::Replaced(old_expiry);
            }
        } else if self.count() >= RECORDS_MAX {
            return Put::Full;
        }
        // A reference is 3 bytes at most, as a segment has few records.
        if !self.make_room(if is_large { 3 } else { len }) {
            return Put::Full;
        }
        let offset = usize::from(self.used);
        if is_large {
            let number = self.add_block(new);
            record::put_large(&mut own(&mut self.arena)[offset..], number);
            self.used += record::large_len(number) as u16;
        } else {
            new.encode(&mut own(&mut self.arena)[offset..]);
            self.used += len as u16;
        }
        self.earliest = earlier(self.earliest, new.expiry);
        let word = tag << OFFSET_BITS | offset as u32;
        // Making room may have moved records, but never words.
        if let Some((at, idx)) = found {
            let old = self.buckets[at].0[idx];
            let old_expiry = self.record(old).expiry;
            self.forget(old);
            own(&mut self.buckets)[at].0[idx] = word;
            return Put::Replaced(old_expiry);
        }
        self.add_word(word);
        Put::New
    }

    /// Overwrites a record by one of the same length.
    fn put_in_place(&mut self, word: u32, new: Record<'_>, len: usize) -> bool {
        let offset = offset_of(word);
        match record::decode(&self.arena[offset..]) {
            (Stored::Inline(_), old_len) if len <= INLINE_MAX && len == old_len => {
                new.encode(&mut own(&mut self.arena)[offset..]);
                true
            }
            (Stored::Large(number), _) if len > INLINE_MAX => {
                self.large_bytes -= self.block(number).len() + COUNT_BYTES;
                self.large_bytes += len + COUNT_BYTES;
                self.large_mut()[number] = Some(new.to_block());
                true
            }
            _ => false,
        }
    }

    fn large_mut(&mut self) -> &mut Large {
        Arc::make_mut(self.large.get_or_insert_default())
    }

    fn add_block(&mut self, record: Record<'_>) -> usize {
        let block = record.to_block();
        self.large_bytes += block.len() + COUNT_BYTES;
        let large = self.large_mut();
        if let Some(number) = large.iter().position(Option::is_none) {
            large[number] = Some(block);
            return number;
        }
        // Exactly: a clone has no spare capacity either, and both count the same.
        large.reserve_exact(1);
        large.push(Some(block));
        large.len() - 1
    }

    /// Counts the bytes of a record as dead and frees its large block.
    fn forget(&mut self, word: u32) {
        let (stored, len) = record::decode(&self.arena[offset_of(word)..]);
        if let Stored::Large(number) = stored {
            self.large_bytes -= self.block(number).len() + COUNT_BYTES;
            self.large_mut()[number] = None;
        }
        self.dead += len as u16;
    }

    /// Room for `len` more bytes at the end of the arena: by a larger arena, or by one without the
    /// dead bytes. Says no if the arena cannot grow.
    fn make_room(&mut self, len: usize) -> bool {
        let (used, dead) = (usize::from(self.used), usize::from(self.dead));
        if used + len <= self.arena.len() {
            return true;
        }
        let is_holey = dead * 8 > used;
        let keep = if is_holey { self.live() } else { used };
        if keep + len > ARENA_MAX {
            return false;
        }
        if is_holey {
            // A little more than needed, or the next replacement would move everything again.
            self.compact((keep + len + keep / 8).min(ARENA_MAX));
        } else {
            self.arena = grown(&self.arena[..used], used + len);
        }
        true
    }

    /// Moves the records together in a new arena of `capacity` bytes or more; words stay in place.
    fn compact(&mut self, capacity: usize) {
        let mut arena = Vec::with_capacity(size_class(capacity + COUNT_BYTES) - COUNT_BYTES);
        arena.push(0);
        let mut buckets = Arc::clone(&self.buckets);
        for word in own(&mut buckets).iter_mut().flat_map(|bucket| &mut bucket.0) {
            if *word != 0 {
                let stored = &self.arena[offset_of(*word)..];
                *word = *word & !OFFSET_MASK | arena.len() as u32;
                arena.extend_from_slice(&stored[..record::decode(stored).1]);
            }
        }
        self.used = arena.len() as u16;
        self.dead = 0;
        self.buckets = buckets;
        self.arena = grown(&arena, capacity);
    }

    /// Puts a word behind those of its home.
    fn add_word(&mut self, word: u32) {
        self.count += 1;
        if self.count() <= usize::from(self.homes) * LOAD {
            let home = self.home(tag_of_word(word));
            if place(own(&mut self.buckets), home, word) {
                return;
            }
        }
        let mut words = self.words().collect::<Vec<_>>();
        words.push(word);
        self.lay_out(&words);
    }

    fn words(&self) -> impl Iterator<Item = u32> {
        self.buckets.iter().flat_map(Bucket::words)
    }

    /// New buckets for `words`, of as many homes as the allocator's size class has room for.
    fn lay_out(&mut self, words: &[u32]) {
        // A line for the counts, one for what spills.
        let lines = words.len().div_ceil(LOAD) + 2;
        let homes = size_class(lines * size_of::<Bucket>()) / size_of::<Bucket>() - 2;
        self.homes = homes as u16;
        self.count = words.len() as u16;
        let mut buckets = vec![EMPTY; homes + 1];
        for &word in words {
            let home = self.home(tag_of_word(word));
            if !place(&mut buckets, home, word) {
                buckets.push(EMPTY);
                place(&mut buckets, home, word);
            }
        }
        self.buckets = buckets.into();
    }

    /// Removes the record and returns its expiry.
    pub(super) fn remove(&mut self, tag: u32, key: &[u8]) -> Option<Option<i64>> {
        let (at, idx) = self.find(tag, key)?;
        let word = self.buckets[at].0[idx];
        let expiry = self.record(word).expiry;
        self.forget(word);
        self.take_word(at, idx);
        self.shrink();
        Some(expiry)
    }

    /// Takes a word out, and pulls back words that had spilled over its bucket.
    fn take_word(&mut self, mut at: usize, mut idx: usize) {
        self.count -= 1;
        let home = |word| home_of(self.depth, self.homes, tag_of_word(word));
        let lines = own(&mut self.buckets);
        loop {
            let was_full = lines[at].is_full();
            let last = lines[at].len() - 1;
            lines[at].0[idx] = lines[at].0[last];
            lines[at].0[last] = 0;
            let Some((from, spilled)) = was_full.then(|| spilled(lines, at, home)).flatten() else {
                break;
            };
            lines[at].0[last] = lines[from].0[spilled];
            (at, idx) = (from, spilled);
        }
    }

    /// Gives memory back when three quarters of it are idle.
    fn shrink(&mut self) {
        if self.live() * 4 < self.arena.len() && self.arena.len() > 512 {
            self.compact(self.live() * 3 / 2);
        }
        if self.count() * 4 < usize::from(self.homes) * LOAD && self.homes > 4 {
            let words = self.words().collect::<Vec<_>>();
            self.lay_out(&words);
        }
    }

    /// The records of `sources` that `retag` gives a tag, in a segment of their own. They fit.
    pub(super) fn gather(
        sources: &[&Self],
        depth: u8,
        mut retag: impl FnMut(u32, Record<'_>) -> Option<u32>,
    ) -> Self {
        let mut made = Self::empty(depth);
        let mut arena = vec![0];
        let mut words = Vec::new();
        for source in sources {
            for word in source.words() {
                let stored = &source.arena[offset_of(word)..];
                let record = source.record(word);
                let Some(tag) = retag(tag_of_word(word), record) else { continue };
                let offset = arena.len();
                words.push(tag << OFFSET_BITS | offset as u32);
                made.earliest = earlier(made.earliest, record.expiry);
                match record::decode(stored) {
                    (Stored::Inline(_), len) => arena.extend_from_slice(&stored[..len]),
                    (Stored::Large(number), _) => {
                        let block = source.large.as_ref().and_then(|large| large[number].clone());
                        made.large_bytes +=
                            block.as_ref().map_or(0, |block| block.len() + COUNT_BYTES);
                        let large = made.large_mut();
                        large.reserve_exact(1);
                        large.push(block);
                        let number = large.len() - 1;
                        arena.resize(offset + record::large_len(number), 0);
                        record::put_large(&mut arena[offset..], number);
                    }
                }
            }
        }
        made.used = arena.len() as u16;
        made.arena = grown(&arena, (arena.len() + arena.len() / 16).min(ARENA_MAX));
        made.lay_out(&words);
        made
    }

    /// Both halves of the segment.
    pub(super) fn split(&self) -> (Self, Self) {
        let depth = self.depth + 1;
        let bit = 1 << (TAG_BITS - u32::from(depth));
        let half = |upper| {
            Self::gather(&[self], depth, |tag, _| (((tag & bit) != 0) == upper).then_some(tag))
        };
        (half(false), half(true))
    }

    /// Removes what expires at or before `now`. Returns how many, and makes `earliest` exact.
    pub(super) fn expire(&mut self, now: i64, gone: &mut impl FnMut(Record<'_>)) -> usize {
        let mut expired = Vec::new();
        let mut earliest = None;
        for word in self.words() {
            let record = self.record(word);
            if record.expiry.is_some_and(|at| at <= now) {
                gone(record);
                expired.push((tag_of_word(word), record.key.to_vec()));
            } else {
                earliest = earlier(earliest, record.expiry);
            }
        }
        for (tag, key) in &expired {
            self.remove(*tag, key);
        }
        self.earliest = earliest;
        expired.len()
    }

    /// A record at random; the segment is not empty.
    pub(super) fn random(&self, rng: &mut Rng) -> Record<'_> {
        let words = self.buckets.len() * WORDS;
        loop {
            let at = rng.index(words);
            let word = self.buckets[at / WORDS].0[at % WORDS];
            if word != 0 {
                return self.record(word);
            }
        }
    }

    /// The record of the word at `at`, counted over all buckets, or of the next in use, and the
    /// place behind it.
    pub(super) fn next(&self, mut at: usize) -> Option<(Record<'_>, usize)> {
        loop {
            let word = self.buckets.get(at / WORDS)?.0[at % WORDS];
            if word != 0 {
                return Some((self.record(word), at + 1));
            }
            at = (at / WORDS + 1) * WORDS;
        }
    }

    /// Visits the records of the home of `tag` whose tags are not below it. Returns the first tag of
    /// the next home, or of the next segment, and the number of records.
    pub(super) fn scan_home(&self, tag: u32, visit: &mut impl FnMut(Record<'_>)) -> (u32, usize) {
        let width = TAG_BITS - u32::from(self.depth);
        let home = self.home(tag);
        let first = tag & !((1 << width) - 1);
        let next = (((home + 1) << width).div_ceil(usize::from(self.homes))) as u32;
        let end = first + next;
        let mut visited = 0;
        for bucket in self.buckets.iter().skip(home) {
            for word in bucket.words().filter(|&word| (tag..end).contains(&tag_of_word(word))) {
                visit(self.record(word));
                visited += 1;
            }
            if !bucket.is_full() {
                break;
            }
        }
        (end, visited)
    }

    /// Checks the invariants.
    #[cfg(test)]
    pub(super) fn check(&self, first: u32) {
        let width = TAG_BITS - u32::from(self.depth);
        let mut live = 1;
        for (at, bucket) in self.buckets.iter().enumerate() {
            assert!(bucket.0[bucket.words().count()..].iter().all(|&word| word == 0));
            for word in bucket.words() {
                let tag = tag_of_word(word);
                assert_eq!(tag >> width, first >> width);
                let home = self.home(tag);
                assert!((home..at).all(|between| self.buckets[between].is_full()));
                live += record::decode(&self.arena[offset_of(word)..]).1;
                let record = self.record(word);
                if let Some(at) = record.expiry {
                    assert!(self.earliest.is_some_and(|earliest| earliest <= at));
                }
            }
        }
        assert_eq!(self.words().count(), self.count());
        assert_eq!(live, self.live());
        let blocks = self.large.iter().flat_map(|large| large.iter().flatten());
        assert_eq!(self.large_bytes, blocks.map(|block| block.len() + COUNT_BYTES).sum::<usize>());
    }
}

/// The home bucket of a tag: in the order of tags.
#[inline]
fn home_of(depth: u8, homes: u16, tag: u32) -> usize {
    let width = TAG_BITS - u32::from(depth);
    ((tag & ((1 << width) - 1)) as usize * usize::from(homes)) >> width
}

/// A word behind bucket `at`, which was full, that belongs there or before.
fn spilled(lines: &[Bucket], at: usize, home: impl Fn(u32) -> usize) -> Option<(usize, usize)> {
    for (from, bucket) in lines.iter().enumerate().skip(at + 1) {
        if let Some(idx) = bucket.words().position(|word| home(word) <= at) {
            return Some((from, idx));
        }
        if !bucket.is_full() {
            break;
        }
    }
    None
}

/// Puts a word into the first bucket with room from `home` on.
#[inline]
fn place(buckets: &mut [Bucket], home: usize, word: u32) -> bool {
    for bucket in &mut buckets[home..] {
        if !bucket.is_full() {
            bucket.0[bucket.len()] = word;
            return true;
        }
    }
    false
}

/// The elements, to be changed: copied first if others have them too.
#[inline]
fn own<T: Copy>(shared: &mut Arc<[T]>) -> &mut [T] {
    if !shared.is_unique() {
        *shared = Arc::from(&shared[..]);
    }
    Arc::get_mut(shared).unwrap_or_default()
}

/// An arena that begins with `bytes`, of `capacity` bytes or what its size class gives.
fn grown(bytes: &[u8], capacity: usize) -> Arc<[u8]> {
    let capacity = size_class(capacity + COUNT_BYTES) - COUNT_BYTES;
    let mut arena: Arc<[u8]> = vec![0; capacity].into();
    own(&mut arena)[..bytes.len()].copy_from_slice(bytes);
    arena
}
