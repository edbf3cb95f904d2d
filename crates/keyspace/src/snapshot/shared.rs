//! What writers and the reader of a snapshot share: entries and tables on their way.

use super::part::Part;
use crate::shard::Table;
use crate::{Entry, Garbage};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use stdx::sync::Mutex;

/// Entries of one database as they were at the cut.
pub(super) struct Batch {
    pub(super) db: u32,
    entries: Vec<Entry>,
    bytes: u64,
    urgent: bool,
}

impl Batch {
    pub(super) fn new(db: u32) -> Self {
        Self { db, entries: Vec::new(), bytes: 0, urgent: false }
    }

    /// Copies an entry, or takes a count of its value if that is large.
    pub(super) fn add(&mut self, entry: &Entry) {
        // A large value that is written to while the snapshot has it is copied bit by bit.
        self.urgent |= entry.is_large();
        let copy = entry.copied(entry.key());
        self.bytes += copy.own_bytes() as u64;
        self.entries.push(copy);
    }

    /// Whether it should be on its way.
    pub(super) fn is_full(&self) -> bool {
        /// Small entries are a microsecond's work or two for the reader.
        const ENTRIES_MAX: usize = 64;
        self.entries.len() >= ENTRIES_MAX || self.is_heavy()
    }

    /// Whether it is full because of what is large in it.
    pub(super) fn is_heavy(&self) -> bool {
        const BYTES_MAX: u64 = 16 << 10;
        self.bytes >= BYTES_MAX || self.urgent
    }

    /// The batch; an empty one stays.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.db))
    }

    pub(super) fn into_entries(self) -> std::vec::IntoIter<Entry> {
        self.entries.into_iter()
    }
}

/// A table that was flushed, with what the snapshot has of it.
pub(super) struct Handed {
    pub(super) part: Box<Part>,
    pub(super) table: Box<Table>,
    pub(super) bytes: u64,
}

impl Handed {
    /// What is left of it when the snapshot has all.
    pub(super) fn into_garbage(self) -> Garbage {
        Garbage::Table { table: self.table, bytes: self.bytes }
    }
}

/// The only snapshot there can be, as writers see it.
#[derive(Default)]
pub(crate) struct Shared {
    busy: AtomicBool,
    /// Bytes in the queue.
    queued_bytes: AtomicU64,
    queue: Mutex<VecDeque<Batch>>,
    handed: Mutex<Vec<Handed>>,
}

impl Shared {
    /// Begins a snapshot, unless there is one.
    pub(super) fn begin(&self) -> bool {
        !self.busy.swap(true, Ordering::AcqRel)
    }

    /// Ends it. Nobody has a part of it any more.
    pub(super) fn end(&self) -> Vec<Garbage> {
        self.queue.lock().clear();
        self.queued_bytes.store(0, Ordering::Relaxed);
        let handed = std::mem::take(&mut *self.handed.lock());
        self.busy.store(false, Ordering::Release);
        handed.into_iter().map(Handed::into_garbage).collect()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Bytes that the reader has yet to take.
    #[inline]
    pub(super) fn queued_bytes(&self) -> u64 {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn push(&self, batch: Batch) {
        self.queued_bytes.fetch_add(batch.bytes, Ordering::Relaxed);
        let mut queue = self.queue.lock();
        if batch.urgent {
            queue.push_front(batch);
        } else {
            queue.push_back(batch);
        }
    }

    pub(super) fn pop(&self) -> Option<Batch> {
        let batch = self.queue.lock().pop_front()?;
        self.queued_bytes.fetch_sub(batch.bytes, Ordering::Relaxed);
        Some(batch)
    }

    pub(super) fn hand_over(&self, handed: Handed) {
        self.handed.lock().push(handed);
    }

    pub(super) fn pop_handed(&self) -> Option<Handed> {
        self.handed.lock().pop()
    }
}
