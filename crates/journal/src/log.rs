//! The journal itself: the tail, the writers' slots, the memory between tail and slowest reader.
//!
//! ```text
//!   oldest ◄─ kept for readers ─► safe ◄─ being copied ─► tail ◄─ promised to rooms ─► backed
//! ```
//!
//! **Append** is three steps (`writer.rs`): publish a lower bound in the writer's own slot, reserve by
//! one atomic step on the tail, copy, clear the slot. **Read** is the tail, a full fence, *then* the
//! least of the slots; everything below is complete. In the other order a writer can slip in between:
//! its slot is read as clear, then it publishes and reserves, then the tail is read, which contains
//! bytes that nobody has written.
//!
//! Why the order is enough. A slot is stored before the tail is moved (release), so who reads the moved
//! tail (acquire) reads that slot's value, or a later one. A later one was stored after the copy, and
//! every store to a slot is a release, so the bytes are visible, too. The fence is not needed for this
//! pair, but makes the order independent of how the tail is read; it costs a reader nothing that counts.
//!
//! **Memory.** Segments cover everything from the oldest byte that is kept to `backed`. Each writer draws
//! a *grant* of bytes in advance, under the mutex; the tail plus all grants never exceeds `backed`, so
//! an append always finds its segment. Without readers there is no memory, and nothing is appended.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use stdx::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use stdx::sync::{Condvar, Mutex, Padded};

use crate::frame::Tail;
use crate::reader::ReaderShared;
use crate::segment::{Directory, Extent, Segment};
use crate::{Lsn, Patience, Reader, Writer};

/// A slot whose writer copies nothing.
pub(crate) const CLEAR: u64 = u64::MAX;

/// Segments kept for their next life, so that their pages are there already.
const SPARE_MAX: usize = 4;

/// Sizes of a journal.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The unit of memory, a power of two.
    pub segment_bytes: u64,
    /// The most bytes in memory at a time, a power of two of segments. No record is larger.
    pub memory_bytes_max: u64,
    /// A writer draws so many bytes at a time: one lock of a mutex for each.
    pub grant_bytes: u64,
    pub writers_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 20,
            memory_bytes_max: 4 << 30,
            grant_bytes: 64 << 10,
            writers_max: 512,
        }
    }
}

/// The bytes that a reader asks for are not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    pub oldest: Lsn,
    pub tail: Lsn,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the journal holds {} to {}", self.oldest, self.tail)
    }
}

impl std::error::Error for Gone {}

/// The ordered log. See the head of this file.
pub struct Journal {
    /// Database tag and LSN; see [`Tail`].
    pub(crate) tail: Padded<AtomicU64>,
    /// Odd while there are readers. Changes whenever that does, and with [`Journal::reset`].
    pub(crate) activity: Padded<AtomicU64>,
    /// A lower bound of what its writer is copying, or [`CLEAR`].
    pub(crate) slots: Box<[Padded<AtomicU64>]>,
    /// Slots at and above were never used.
    used: AtomicUsize,
    /// How many readers sleep.
    sleepers: AtomicUsize,
    /// How many writers wait for a reader.
    pub(crate) stalled: AtomicUsize,
    pub(crate) progress: Condvar,
    pub(crate) directory: Directory,
    pub(crate) limits: Limits,
    pub(crate) state: Mutex<State>,
    #[cfg(test)]
    pub(crate) bug: crate::tests::Bug,
}

/// What changes seldom, under the mutex. A leaf: no other lock is taken while it is held.
#[derive(Default)]
pub(crate) struct State {
    free_slots: Vec<usize>,
    /// What each writer may use and perhaps has used; by slot.
    pub(crate) grants: Vec<u64>,
    /// The sum of the grants.
    pub(crate) granted: u64,
    /// The number of the first segment of `segments`.
    first: u64,
    segments: VecDeque<Arc<Segment>>,
    spare: Vec<Arc<Segment>>,
    /// Where the journal became active: nothing before is in memory.
    begin: u64,
    pub(crate) readers: Vec<Arc<ReaderShared>>,
    keeps: BTreeMap<u64, u64>,
    keep_next: u64,
    sleeping: Vec<(Arc<ReaderShared>, Waker)>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("tail", &self.tail())
            .field("active", &self.active())
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// An empty journal whose first byte will be at `start`.
    pub fn new(start: Lsn, limits: Limits) -> Arc<Self> {
        Arc::new(Self::build(start, limits))
    }

    pub(crate) fn build(start: Lsn, limits: Limits) -> Self {
        let slots = limits.memory_bytes_max / limits.segment_bytes;
        Self {
            tail: Padded(AtomicU64::new(Tail::at(start).0)),
            activity: Padded(AtomicU64::new(0)),
            slots: (0..limits.writers_max).map(|_| Padded(AtomicU64::new(CLEAR))).collect(),
            used: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            stalled: AtomicUsize::new(0),
            progress: Condvar::new(),
            directory: Directory::new(limits.segment_bytes, slots),
            limits,
            state: Mutex::new(State {
                free_slots: (0..limits.writers_max).rev().collect(),
                grants: vec![0; limits.writers_max],
                begin: start.0,
                ..State::default()
            }),
            #[cfg(test)]
            bug: crate::tests::Bug::default(),
        }
    }

    /// Whether anybody reads; if not, nothing is appended and the tail stands still.
    #[inline]
    pub fn active(&self) -> bool {
        self.activity.0.load(Ordering::Acquire) & 1 == 1
    }

    /// Behind the last byte that is reserved. The bytes before it may still be on their way.
    #[inline]
    pub fn tail(&self) -> Lsn {
        Tail(self.tail.0.load(Ordering::Acquire)).lsn()
    }

    /// Everything before this position is complete. May step back a little, as a writer publishes a
    /// bound that it read a moment ago; what was complete stays so.
    pub fn safe(&self) -> Lsn {
        #[cfg(test)]
        if self.bug == crate::tests::Bug::SlotsBeforeTail {
            let least = self.least_slot();
            return self.tail().min(Lsn(least));
        }
        let tail = self.tail();
        // Partner: the release store of a slot, then the release of the tail, in `Writer::reserve`.
        fence(Ordering::SeqCst);
        tail.min(Lsn(self.least_slot()))
    }

    /// The deliberate fault of the tests, by which they prove that they can fail.
    #[cfg(test)]
    pub(crate) fn publishes_late(&self) -> bool {
        self.bug == crate::tests::Bug::PublishAfterReserve
    }

    #[cfg(not(test))]
    #[inline]
    pub(crate) fn publishes_late(&self) -> bool {
        false
    }

    fn least_slot(&self) -> u64 {
        let used = self.used.load(Ordering::SeqCst);
        self.slots[..used].iter().map(|slot| slot.0.load(Ordering::Acquire)).min().unwrap_or(CLEAR)
    }

    /// The oldest byte that a new reader can begin with.
    pub fn oldest(&self) -> Lsn {
        self.state.lock().oldest(self)
    }

    /// Memory that the journal holds: whole segments, as many as there are.
    pub fn memory_bytes(&self) -> u64 {
        let state = self.state.lock();
        let segments = state.segments.len() + state.spare.len();
        segments as u64 * Segment::memory_bytes(self.directory.segment_bytes())
    }

    /// A writer for one worker.
    ///
    /// # Panics
    /// If there are [`Limits::writers_max`] already: the number of workers is known at the start.
    pub fn writer(self: &Arc<Self>) -> Writer {
        let mut state = self.state.lock();
        let index = state.free_slots.pop().expect("as many writers as the limits say");
        // Seen by readers that see this writer's first reservation.
        self.used.fetch_max(index + 1, Ordering::SeqCst);
        Writer::new(Arc::clone(self), index)
    }

    /// A reader of all bytes from `from` on.
    ///
    /// The first reader makes the journal active. Commands that run meanwhile are in the log from a moment
    /// on that differs by worker; close the write gate around this call where the cut must be exact.
    pub fn reader(self: &Arc<Self>, from: Lsn, patience: Patience) -> Result<Reader, Gone> {
        let mut state = self.state.lock();
        let (oldest, tail) = (state.oldest(self), self.tail());
        if from < oldest || from > tail {
            return Err(Gone { oldest, tail });
        }
        let shared = Arc::new(ReaderShared::new(from, patience));
        state.readers.push(Arc::clone(&shared));
        self.settle(&mut state);
        Ok(Reader::new(Arc::clone(self), shared, from))
    }

    /// Keeps the journal active, and the last `bytes` of it in memory, until the result is dropped: the
    /// backlog from which a replica that comes back goes on.
    pub fn keep(self: &Arc<Self>, bytes: u64) -> Keep {
        let mut state = self.state.lock();
        let id = state.keep_next;
        state.keep_next += 1;
        state.keeps.insert(id, bytes);
        self.settle(&mut state);
        Keep { journal: Arc::clone(self), id }
    }

    /// Makes the next record begin with a SELECT: for a reader that does not know the database.
    ///
    /// Call it while the write gate is closed, at the position where that reader begins.
    pub fn forget_database(&self) {
        self.tail.0.fetch_and(Lsn::MAX.0, Ordering::AcqRel);
    }

    /// Goes on at another position, as a replica does that takes over its primary's offset. All readers
    /// are told that they lag; the backlog is empty.
    ///
    /// **The write gate must be closed**: no room is held, nothing is being appended.
    pub fn reset(&self, to: Lsn) {
        let mut state = self.state.lock();
        assert!(self.least_slot() == CLEAR, "the journal was reset while somebody appended");
        let readers = std::mem::take(&mut state.readers);
        for reader in &readers {
            reader.drop_behind();
        }
        self.activity.0.fetch_add(2, Ordering::AcqRel);
        state.grants.fill(0);
        state.granted = 0;
        state.forget_memory(self);
        self.tail.0.store(Tail::at(to).0, Ordering::Release);
        state.begin = to.0;
        self.settle(&mut state);
        let wakers = state.wake(|_| true, self);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Tells sleeping readers that something was appended. For a worker after each batch, without locks.
    #[inline]
    pub fn nudge(&self) {
        // Partner: the fence in `sleep`. Either we see the sleeper, or it sees our bytes.
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) != 0 {
            self.wake_sleepers();
        }
    }

    #[cold]
    fn wake_sleepers(&self) {
        let wakers = self.state.lock().wake(|_| true, self);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Registers `waker` for one call, unless `reader` has something to do; then says false.
    pub(crate) fn sleep(&self, reader: &Arc<ReaderShared>, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        state.sleeping.retain(|(other, _)| !Arc::ptr_eq(other, reader));
        state.sleeping.push((Arc::clone(reader), waker.clone()));
        self.sleepers.store(state.sleeping.len(), Ordering::Relaxed);
        // Partner: the fence in `nudge`.
        fence(Ordering::SeqCst);
        if reader.lagged() || self.safe() > reader.consumed() {
            state.sleeping.pop();
            self.sleepers.store(state.sleeping.len(), Ordering::Relaxed);
            return false;
        }
        true
    }

    /// Takes `reader` off the list.
    pub(crate) fn detach(&self, reader: &Arc<ReaderShared>) {
        let mut state = self.state.lock();
        state.readers.retain(|other| !Arc::ptr_eq(other, reader));
        state.sleeping.retain(|(other, _)| !Arc::ptr_eq(other, reader));
        self.sleepers.store(state.sleeping.len(), Ordering::Relaxed);
        self.settle(&mut state);
    }

    pub(crate) fn release_slot(&self, index: usize) {
        let mut state = self.state.lock();
        state.grant(index, 0);
        state.free_slots.push(index);
        self.settle(&mut state);
    }

    /// Sets activity by who is there, gives back memory, and wakes whoever waits for that.
    pub(crate) fn settle(&self, state: &mut State) {
        let wanted = !state.readers.is_empty() || !state.keeps.is_empty();
        if wanted != self.active() {
            if wanted && state.segments.is_empty() {
                state.begin = self.tail().0;
            }
            // Release: the partner of the acquire load in `Writer::room`.
            self.activity.0.fetch_add(1, Ordering::AcqRel);
        }
        state.trim(self);
        self.progress.notify_all();
    }
}

impl State {
    fn oldest(&self, journal: &Journal) -> Lsn {
        if self.segments.is_empty() {
            return journal.tail();
        }
        Lsn((self.first * journal.directory.segment_bytes()).max(self.begin))
    }

    /// Sets what the writer of slot `index` may use.
    pub(crate) fn grant(&mut self, index: usize, bytes: u64) {
        self.granted = self.granted - self.grants[index] + bytes;
        self.grants[index] = bytes;
    }

    /// Provides memory for the tail and all grants. False if that is more than there may be.
    pub(crate) fn back(&mut self, journal: &Journal) -> bool {
        let size = journal.directory.segment_bytes();
        // The tail is read after the grants: what a writer used is counted twice, never missed.
        let tail = journal.tail().0;
        if self.segments.is_empty() {
            self.first = tail / size;
        }
        let needed = (tail + self.granted).div_ceil(size);
        if (needed - self.first) * size > journal.directory.bytes_max() {
            return false;
        }
        while self.first + (self.segments.len() as u64) < needed {
            let segment = self.spare.pop().unwrap_or_else(|| Arc::new(Segment::new(size)));
            journal.directory.insert(self.first + self.segments.len() as u64, &segment);
            self.segments.push_back(segment);
        }
        true
    }

    /// Gives back what nobody needs any more.
    pub(crate) fn trim(&mut self, journal: &Journal) {
        if !journal.active() && self.granted == 0 {
            // No grant: nobody is appending, since a grant covers also what its writer has used.
            self.forget_memory(journal);
            return;
        }
        let tail = journal.tail().0;
        let mut floor = journal.safe().0;
        for reader in &self.readers {
            floor = floor.min(reader.consumed().0);
        }
        for bytes in self.keeps.values() {
            floor = floor.min(tail.saturating_sub(*bytes));
        }
        let size = journal.directory.segment_bytes();
        while (self.first + 1) * size <= floor {
            let Some(segment) = self.segments.pop_front() else { break };
            journal.directory.remove(self.first);
            self.first += 1;
            self.recycle(segment);
        }
    }

    fn recycle(&mut self, mut segment: Arc<Segment>) {
        if self.spare.len() < SPARE_MAX
            && let Some(only) = Arc::get_mut(&mut segment)
        {
            only.renew();
            self.spare.push(segment);
        }
    }

    fn forget_memory(&mut self, journal: &Journal) {
        for number in self.first..self.first + self.segments.len() as u64 {
            journal.directory.remove(number);
        }
        self.segments.clear();
        self.spare.clear();
    }

    /// The segments that hold `from..to`.
    pub(crate) fn extent(&self, journal: &Journal, from: Lsn, to: Lsn) -> Extent {
        let size = journal.directory.segment_bytes();
        let (begin, end) = (from.0 / size, to.0.div_ceil(size));
        let range = (begin - self.first) as usize..(end - self.first) as usize;
        Extent {
            begin: begin * size,
            size,
            segments: self.segments.range(range).map(Arc::clone).collect(),
        }
    }

    /// Takes the wakers of the sleeping readers that `chosen` names, to be woken without the lock.
    pub(crate) fn wake(
        &mut self,
        chosen: impl Fn(&ReaderShared) -> bool,
        journal: &Journal,
    ) -> Vec<Waker> {
        let (woken, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.sleeping).into_iter().partition(|(reader, _)| chosen(reader));
        self.sleeping = rest;
        journal.sleepers.store(self.sleeping.len(), Ordering::Relaxed);
        woken.into_iter().map(|(_, waker)| waker).collect()
    }
}

/// A promise to keep the end of the journal in memory; see [`Journal::keep`].
#[derive(Debug)]
#[must_use]
pub struct Keep {
    journal: Arc<Journal>,
    id: u64,
}

impl Keep {
    /// Keeps another number of bytes from now on.
    pub fn resize(&self, bytes: u64) {
        let mut state = self.journal.state.lock();
        state.keeps.insert(self.id, bytes);
        self.journal.settle(&mut state);
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        let mut state = self.journal.state.lock();
        state.keeps.remove(&self.id);
        self.journal.settle(&mut state);
    }
}
