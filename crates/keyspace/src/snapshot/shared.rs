//! What writers and the reader of a snapshot share: entries and tables on their way.

use super::part::Part;
use crate::shard::Table;
use crate::{Entry, Garbage};
use std::collections::VecDeque;
use std::task::{Poll, Waker};
use std::time::Duration;
use stdx::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use stdx::sync::{Condvar, Mutex};

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
        let copy = entry.twin();
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

/// The walk pauses while so much waits for the reader: a millisecond's work or two.
const WALK_BYTES: u64 = if cfg!(shuttle) { 64 } else { 1 << 20 };
/// Writers rest when so much waits, or a sixteenth of all data if that is more.
const LAG_BYTES: u64 = if cfg!(shuttle) { 64 } else { 8 << 20 };
const LAG_SHARE: u64 = 16;
/// How long the reader waits for the queue to fill, and how often before it walks itself.
const PAUSE: Duration = Duration::from_micros(500);
const PAUSES_MAX: u32 = if cfg!(shuttle) { 0 } else { 8 };

/// The only snapshot there can be, as writers, helpers and the reader see it.
#[derive(Default)]
pub(crate) struct Shared {
    busy: AtomicBool,
    /// Tables that have a part. One that goes has put all it has into the queue before.
    parts: AtomicUsize,
    /// Bytes in the queue.
    queued_bytes: AtomicU64,
    queue: Mutex<VecDeque<Batch>>,
    /// On which the reader waits. Nobody notifies it: whoever wakes a thread while it holds a shard
    /// may be put aside by the kernel in favor of that.
    pause: Condvar,
    handed: Mutex<Vec<Handed>>,
    helpers: AtomicUsize,
    /// Helpers that have nothing to do.
    idle: Mutex<Vec<Waker>>,
    /// Writers that let the reader catch up.
    resting: Mutex<Vec<Waker>>,
}

/// Wakes all who wait in a list.
fn wake(list: &Mutex<Vec<Waker>>) {
    let wakers = std::mem::take(&mut *list.lock());
    wakers.into_iter().for_each(Waker::wake);
}

/// Puts a waker into a list.
fn add(list: &Mutex<Vec<Waker>>, waker: &Waker) {
    let mut list = list.lock();
    if !list.iter().any(|other| other.will_wake(waker)) {
        list.push(waker.clone());
    }
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
        self.wake_resting();
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

    /// A table has a part from now on. Under its shard's lock, as are the next three.
    pub(super) fn part_begins(&self) {
        self.parts.fetch_add(1, Ordering::Relaxed);
    }

    /// A part is over.
    pub(super) fn part_ends(&self) {
        self.parts.fetch_sub(1, Ordering::Release);
    }

    pub(super) fn push(&self, batch: Batch) {
        if batch.entries.is_empty() {
            return;
        }
        self.queued_bytes.fetch_add(batch.bytes, Ordering::Relaxed);
        let mut queue = self.queue.lock();
        if batch.urgent {
            queue.push_front(batch);
        } else {
            queue.push_back(batch);
        }
    }

    pub(super) fn hand_over(&self, handed: Handed) {
        self.handed.lock().push(handed);
    }

    /// How many tables have a part. All that came from others is there to be popped.
    pub(super) fn parts(&self) -> usize {
        self.parts.load(Ordering::Acquire)
    }

    pub(super) fn pop(&self) -> Option<Batch> {
        let batch = self.queue.lock().pop_front()?;
        let before = self.queued_bytes.fetch_sub(batch.bytes, Ordering::Relaxed);
        let left = before - batch.bytes;
        if left < WALK_BYTES / 2 {
            wake(&self.idle);
        }
        if left < LAG_BYTES / 2 {
            self.wake_resting();
        }
        Some(batch)
    }

    pub(super) fn pop_handed(&self) -> Option<Handed> {
        self.handed.lock().pop()
    }

    /// Waits a little for what helpers bring. Returns whether something came.
    pub(super) fn await_batch(&self) -> bool {
        if self.helpers.load(Ordering::Relaxed) == 0 {
            return false;
        }
        wake(&self.idle);
        let mut queue = self.queue.lock();
        for _ in 0..PAUSES_MAX {
            if !queue.is_empty() {
                return true;
            }
            self.pause.wait_for(&mut queue, PAUSE);
        }
        !queue.is_empty()
    }

    pub(super) fn helper_comes(&self) {
        self.helpers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn helper_goes(&self) {
        self.helpers.fetch_sub(1, Ordering::Relaxed);
    }

    fn is_hungry(&self) -> bool {
        self.parts() > 0 && self.queued_bytes() < WALK_BYTES
    }

    /// Ready when there is something to walk over.
    pub(super) fn poll_walk(&self, waker: &Waker) -> Poll<()> {
        if self.is_hungry() {
            return Poll::Ready(());
        }
        add(&self.idle, waker);
        // Whoever made it hungry before it looked at the list is seen here.
        if self.is_hungry() { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(super) fn wake_helpers(&self) {
        wake(&self.idle);
    }

    /// Whether a writer should rest; if so, `waker` is called when it may go on. `data_bytes`: of all
    /// data.
    #[inline]
    pub(super) fn rest(&self, waker: &Waker, data_bytes: impl FnOnce() -> u64) -> bool {
        self.queued_bytes() > LAG_BYTES && self.rest_in_list(waker, data_bytes())
    }

    #[cold]
    fn rest_in_list(&self, waker: &Waker, data_bytes: u64) -> bool {
        let is_behind = || self.queued_bytes() > LAG_BYTES.max(data_bytes / LAG_SHARE);
        if !is_behind() {
            return false;
        }
        add(&self.resting, waker);
        // Who caught up before it looked at the list is seen here.
        is_behind()
    }

    pub(super) fn wake_resting(&self) {
        wake(&self.resting);
    }
}
