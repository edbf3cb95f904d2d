//! The table as its owner sees it.

use std::marker::PhantomData;
use std::mem;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::bucket::{ADDRESS, TAG, TAG_SHIFT};
use crate::directory::Directory;
use crate::drain::Drain;
use crate::item::{Borrowed, BorrowedMut, Item, address, packed};
use crate::view::{Retired, View};

/// Most hash bits that may select the shard. With the directory limited to `32 - shard_bits` bits
/// it keeps SCAN cursors in 48 bits.
pub const SHARD_BITS_MAX: u32 = 16;

/// A hash table of owned pointers. See the crate for how it works.
///
/// `H` computes the hash that callers pass along: it is asked again when a segment splits. Its bits
/// should be uniform from bit `shard_bits` (counted from the top) on: a table whose items share
/// more bits than those works, with larger segments.
pub struct Table<T: Item, H = fn(&[u8]) -> u64> {
    pub(crate) directory: Directory,
    pub(crate) shard_bits: u32,
    pub(crate) len: usize,
    /// Segments, and those of them whose depth is the directory's.
    pub(crate) segments: usize,
    pub(crate) deepest: usize,
    pub(crate) bytes: usize,
    /// Changes, to a value no table ever had, when a segment or directory goes out of use. 0 while
    /// there never was one.
    stamp: u64,
    view: Option<Arc<View>>,
    retired: Vec<Retired>,
    pub(crate) hasher: H,
    items: PhantomData<T>,
}

/// Where an item is. Good until the next `insert`, `remove` or `clear`; after that it may name
/// another item, or panic.
#[derive(Clone, Copy)]
pub struct Pos {
    slot: NonNull<AtomicU64>,
    stamp: u64,
    hash: u64,
}

// SAFETY: a position is used only through its table, which checks that the slot is still its own.
unsafe impl Send for Pos {}
// SAFETY: as for Send.
unsafe impl Sync for Pos {}

impl Pos {
    /// The hash by which the item was found or inserted.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

impl<T: Item, H: Fn(&[u8]) -> u64> Table<T, H> {
    /// An empty table, which owns no memory, for hashes whose top `shard_bits` bits are the same.
    ///
    /// # Panics
    /// If `shard_bits` exceeds [`SHARD_BITS_MAX`].
    pub fn new(shard_bits: u32, hasher: H) -> Self {
        assert!(shard_bits <= SHARD_BITS_MAX);
        Self {
            directory: Directory::NONE,
            shard_bits,
            len: 0,
            segments: 0,
            deepest: 0,
            bytes: 0,
            stamp: 0,
            view: None,
            retired: Vec::new(),
            hasher,
            items: PhantomData,
        }
    }

    /// The hash of a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        (self.hasher)(key)
    }

    /// The item with this key, whose hash is `hash`.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Pos> {
        if self.directory.is_none() {
            return None;
        }
        let (segment, tag) = self.directory.lookup(self.position(hash));
        let mut idx = segment.home(tag);
        loop {
            // SAFETY: a home, or the bucket after a full one.
            let bucket = unsafe { segment.bucket(idx) };
            for slot in bucket.matches(tag) {
                let word = bucket.word(slot);
                if word == 0 {
                    break;
                }
                // SAFETY: a slot in use of a table that is borrowed for the comparison.
                let item = unsafe { Borrowed::<T>::new(word) };
                if item.key() == key {
                    return Some(self.pos(bucket.slot(slot), hash));
                }
            }
            if !bucket.is_full() {
                return None;
            }
            idx += 1;
        }
    }

    /// Adds an item. The caller knows that no item has its key.
    pub fn insert(&mut self, hash: u64, item: T) -> Pos {
        let position = self.position(hash);
        let raw = packed(item);
        if self.directory.is_none() {
            self.plant(0);
        }
        let slot = loop {
            let (segment, tag) = self.directory.lookup(position);
            let word = (tag as u64) << TAG_SHIFT | raw;
            let pushed = if segment.is_at_limit() { None } else { segment.push(word) };
            let placed = pushed.or_else(|| self.make_room(position, segment, word));
            if let Some((bucket, slot)) = placed {
                break bucket.slot(slot);
            }
        };
        self.len += 1;
        self.pos(slot, hash)
    }

    /// Takes an item out.
    ///
    /// # Panics
    /// If the position is stale.
    pub fn remove(&mut self, pos: Pos) -> T {
        let raw = address(self.slot(pos).load(Relaxed));
        let position = self.position(pos.hash);
        let (segment, _) = self.directory.lookup(position);
        segment.remove(pos.slot.as_ptr().addr());
        self.len -= 1;
        if segment.is_sparse() {
            self.make_smaller(position);
        }
        // SAFETY: the slot owned the item and is gone; ownership passes to the caller.
        unsafe { T::from_raw(raw) }
    }

    /// Replaces an item by one with the same key, and returns the old one.
    ///
    /// # Panics
    /// If the position is stale.
    #[inline]
    pub fn swap(&mut self, pos: Pos, item: T) -> T {
        debug_assert!(self.get(pos).key() == item.key());
        let slot = self.slot(pos);
        let word = slot.load(Relaxed);
        let old = address(word);
        slot.store(word & TAG | packed(item), Relaxed);
        // SAFETY: the slot owned the old item and now owns the new one.
        unsafe { T::from_raw(old) }
    }

    /// Removes all items and gives back all memory, in time proportional to their number. To free a
    /// large table in the background, replace it by a new one, and [`Table::into_drain`] the old.
    pub fn clear(&mut self) {
        let directory = mem::replace(&mut self.directory, Directory::NONE);
        self.show();
        if directory.is_none() {
            return;
        }
        for segment in directory.segments() {
            for word in segment.words().filter(|word| word & !(TAG | ADDRESS) == 0) {
                // SAFETY: the slot owned the item, and nobody will look at it again but for its
                // address.
                drop(unsafe { T::from_raw(address(word)) });
            }
            self.retire(segment.allocation());
        }
        self.retire(directory.allocation());
        (self.len, self.segments, self.deepest) = (0, 0, 0);
    }

    /// Turns the table into an iterator over its owned items that frees each segment once it is
    /// through with it: a background thread takes bounded pieces. Of an attached table the view
    /// shows nothing from now on, but readers may still be inside: the caller waits for them before
    /// the first step.
    pub fn into_drain(mut self) -> Drain<T> {
        drop(self.detach());
        Drain::new(mem::replace(&mut self.directory, Directory::NONE))
    }
}

impl<T: Item, H> Table<T, H> {
    /// Number of items.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of segments and directory, without the items and without what is retired.
    #[inline]
    pub fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// The item at a position.
    ///
    /// # Panics
    /// If the position is stale.
    #[inline]
    pub fn get(&self, pos: Pos) -> Borrowed<'_, T> {
        let word = self.slot(pos).load(Relaxed);
        // SAFETY: `slot` checked that it is in use, and the table is borrowed.
        unsafe { Borrowed::new(word) }
    }

    /// The item at a position, to be changed, reallocated or replaced (its key stays).
    ///
    /// # Panics
    /// If the position is stale.
    #[inline]
    pub fn get_mut(&mut self, pos: Pos) -> BorrowedMut<'_, T> {
        // SAFETY: `slot` checked that it is in use, and the table is exclusively borrowed.
        unsafe { BorrowedMut::new(self.slot(pos)) }
    }

    /// Prefetches the home bucket of `hash`, for the holder of the lock.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        self.directory.prefetch_bucket(self.position(hash));
    }

    /// Prefetches what an insertion under `hash` touches, for the holder of the lock.
    #[inline]
    pub fn prefetch_for_insert(&self, hash: u64) {
        self.directory.prefetch_for_insert(self.position(hash));
    }

    /// Prefetches the items that `hash` may mean, for the holder of the lock.
    #[inline]
    pub fn prefetch_items(&self, hash: u64) {
        self.directory.prefetch_items(self.position(hash));
    }

    /// Lets `view` show this table from now on. While attached, memory that goes out of use is kept
    /// for [`Table::take_retired`]. Dropping an attached table clears its view, but readers may
    /// still be inside: detach it, take what is retired, and wait first.
    ///
    /// # Panics
    /// If another view is attached, or the view is for another number of shard bits.
    pub fn attach(&mut self, view: Arc<View>) {
        assert!(self.view.is_none() && view.shard_bits() == self.shard_bits);
        self.view = Some(view);
        self.show();
    }

    /// Gives the view back, showing nothing. Readers may still be inside what it showed: until they
    /// have left, the table is attached again before it is changed, and not dropped.
    pub fn detach(&mut self) -> Option<Arc<View>> {
        self.view.take().inspect(|view| view.show(Directory::NONE))
    }

    /// The view that shows this table.
    pub fn view(&self) -> Option<&Arc<View>> {
        self.view.as_ref()
    }

    /// Memory that went out of use since the last call. The owner drops it once every reader that
    /// may have been inside a prefetch at the time of this call has left it. Call it often: nothing
    /// else bounds what is kept.
    #[inline]
    pub fn take_retired(&mut self) -> Vec<Retired> {
        mem::take(&mut self.retired)
    }

    /// Whether [`Table::take_retired`] has something.
    #[inline]
    pub fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// A hash without its shard bits, shifted to the top: a place in the order of [`Table::scan`].
    #[inline]
    pub fn position(&self, hash: u64) -> u64 {
        hash << self.shard_bits
    }

    #[inline]
    fn pos(&self, slot: &AtomicU64, hash: u64) -> Pos {
        Pos { slot: NonNull::from(slot), stamp: self.stamp, hash }
    }

    /// The slot of a position, in use.
    #[inline]
    fn slot(&self, pos: Pos) -> &AtomicU64 {
        assert!(pos.stamp == self.stamp, "a position outlived its segment");
        // SAFETY: the stamp is this table's, and no segment went out of use since the position was
        // made.
        let slot = unsafe { pos.slot.as_ref() };
        assert!(slot.load(Relaxed) != 0, "a position outlived its item");
        slot
    }

    /// Publishes the directory.
    pub(crate) fn show(&self) {
        if let Some(view) = &self.view {
            view.show(self.directory);
        }
    }

    /// Takes memory out of use, after whatever led to it was changed.
    pub(crate) fn retire(&mut self, allocation: (*mut u8, std::alloc::Layout)) {
        self.bytes -= allocation.1.size();
        self.renew_stamp();
        // SAFETY: segments and directories are allocated with this layout, and retired once, by
        // their table.
        let retired = unsafe { Retired::new(allocation) };
        if self.view.is_some() {
            self.retired.push(retired);
        }
    }

    pub(crate) fn renew_stamp(&mut self) {
        static STAMPS: AtomicU64 = AtomicU64::new(1);
        self.stamp = STAMPS.fetch_add(1, Relaxed);
    }

    /// Checks every invariant of the layout; `hash` tells an item's hash.
    #[cfg(test)]
    pub(crate) fn check(&self, hash: impl Fn(&T) -> u64) {
        let directory = self.directory;
        if directory.is_none() {
            assert_eq!((self.len, self.segments, self.deepest, self.bytes), (0, 0, 0, 0));
            return;
        }
        let (mut len, mut segments, mut deepest, mut bytes) = (0, 0, 0, directory.bytes());
        let mut idx = 0;
        while idx < directory.len() {
            let segment = directory.segment(idx);
            let span = directory.span(segment);
            assert_eq!(idx % span, 0);
            assert!((idx..idx + span).all(|idx| directory.segment(idx) == segment));
            self.check_segment(segment, idx, &hash);
            segments += 1;
            deepest += usize::from(span == 1);
            len += segment.count();
            bytes += segment.allocation().1.size();
            idx += span;
        }
        assert_eq!(
            (self.len, self.segments, self.deepest, self.bytes),
            (len, segments, deepest, bytes)
        );
        if let Some(view) = &self.view {
            assert_eq!(view.shard_bits(), self.shard_bits);
        }
    }

    #[cfg(test)]
    fn check_segment(
        &self,
        segment: crate::segment::Segment,
        directory_idx: usize,
        hash: &impl Fn(&T) -> u64,
    ) {
        use crate::bucket::{SLOTS, tag_of};
        let buckets = segment.buckets();
        let mut count = 0;
        let mut full_since = 0;
        for idx in 0..buckets {
            // SAFETY: `idx` is below the number of buckets.
            let bucket = unsafe { segment.bucket(idx) };
            let words: Vec<u64> = (0..SLOTS).map(|slot| bucket.word(slot)).collect();
            let used = words.iter().take_while(|&&word| word != 0).count();
            assert!(words[used..].iter().all(|&word| word == 0), "used slots are a prefix");
            assert_eq!(used, bucket.len());
            for &word in &words[..used] {
                let home = segment.home(tag_of(word));
                assert!(full_since <= home && home <= idx, "all buckets from the home on are full");
                // SAFETY: a slot in use of a borrowed table.
                let item = unsafe { Borrowed::<T>::new(word) };
                let position = self.position(hash(&item));
                assert_eq!(crate::directory::tag_at(position, segment.depth()), tag_of(word));
                let first = directory_idx >> (self.directory.depth() - segment.depth());
                assert_eq!(
                    self.directory.index(position) >> (self.directory.depth() - segment.depth()),
                    first
                );
            }
            count += used;
            if used < SLOTS {
                full_since = idx + 1;
            }
        }
        assert!(full_since == buckets, "the last slot is empty");
        assert_eq!(count, segment.count());
    }
}

impl<T: Item, H> Drop for Table<T, H> {
    fn drop(&mut self) {
        drop(self.detach());
        drop(Drain::<T>::new(self.directory));
    }
}
