//! What threads without the lock may do, and how memory outlives them.

use std::alloc::{Layout, dealloc};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

use crate::directory::Directory;

/// The window through which threads that do not hold the table's lock prefetch. It belongs to a
/// place (a database of a shard), not to a table: [`Table::attach`](crate::Table::attach) makes it
/// show a table.
pub struct View {
    directory: AtomicU64,
    shard_bits: u32,
}

impl View {
    /// A view that shows nothing.
    pub const fn new(shard_bits: u32) -> Self {
        Self { directory: AtomicU64::new(0), shard_bits }
    }

    pub(crate) fn show(&self, directory: Directory) {
        self.directory.store(directory.word(), Release);
    }

    pub(crate) fn shard_bits(&self) -> u32 {
        self.shard_bits
    }

    /// Prefetches the bucket where `hash` is at home: first step.
    ///
    /// # Safety
    /// Memory that the owner took by `Table::take_retired`, or a table that it detached, after this
    /// call began is freed only after it has returned: the owner's epochs see to that.
    #[inline]
    pub unsafe fn prefetch_bucket(&self, hash: u64) {
        // SAFETY: what the word names was live when it was loaded, and the caller keeps it so.
        let directory = unsafe { Directory::from_word(self.directory.load(Acquire)) };
        directory.prefetch_bucket(hash << self.shard_bits);
    }

    /// Prefetches the items that have the tag of `hash` in its bucket, two lines each: second step,
    /// after other work. Reads the bucket, never the items.
    ///
    /// # Safety
    /// As for [`View::prefetch_bucket`].
    #[inline]
    pub unsafe fn prefetch_items(&self, hash: u64) {
        // SAFETY: as in `prefetch_bucket`.
        let directory = unsafe { Directory::from_word(self.directory.load(Acquire)) };
        directory.prefetch_items(hash << self.shard_bits);
    }
}

/// Memory that is out of use but may still be read through a [`View`]. Frees it on drop.
pub struct Retired {
    base: *mut u8,
    layout: Layout,
}

// SAFETY: it owns plain memory without a tie to a thread.
unsafe impl Send for Retired {}
// SAFETY: a shared reference gives access to nothing but the size.
unsafe impl Sync for Retired {}

impl Retired {
    /// # Safety
    /// `allocation` was allocated with its layout, and ownership of it is passed on.
    pub(crate) unsafe fn new((base, layout): (*mut u8, Layout)) -> Self {
        Self { base, layout }
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for Retired {
    fn drop(&mut self) {
        // SAFETY: by the contract of `new`; nothing else frees it.
        unsafe { dealloc(self.base, self.layout) };
    }
}
