//! Quiet points: when may memory that is read without a lock be freed, and when is nobody writing?
//!
//! Each worker owns a slot. It *enters* before a batch of commands, by storing the global epoch in its
//! slot, and *leaves* after it. Two questions are answered from the slots:
//!
//! ```text
//!   word:  epoch (63 bits) | closed (1)         slots:  IDLE  or  the epoch at entry
//!
//!   retired at epoch e, is it free?   all active slots hold an epoch above e
//!   the gate is closed, is it quiet?  all slots but the closer's are IDLE
//! ```
//!
//! **Reclamation.** Garbage is unlinked first, then retired. Entering is store-then-fence, collecting is
//! fence-then-scan, so of an entry and a scan that race, either the scan sees the slot, or whatever is
//! read after the entry sees the unlinking. A reader whose slot says more than `e` entered after the
//! epoch moved past `e`, hence after the fence in [`Epochs::retire`], hence does not find the garbage.
//! An epoch that was read long before it is stored only delays: it is lower than it might be.
//!
//! **Write gate.** The closer sets the bit, then scans; a worker stores its slot, fences, then reads the
//! bit: at least one of them sees the other. The worker that sees the bit steps back and parks.
//!
//! Shuttle checks both with sequentially consistent memory; the fences named above are what carries the
//! argument to real memory. Leaving is a release store, whose partner is the acquire load of the scan:
//! what happened inside a pass happens before the freeing, or before the work of the closer.
//!
//! This is no lock for data: passes do not exclude each other.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use stdx::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use stdx::sync::{Condvar, Mutex, MutexGuard, Padded, hint, publish};

/// How many participants there can be at a time.
pub const PARTICIPANTS_MAX: usize = 512;

/// The slot of a participant that is between two passes, or of none.
const IDLE: u64 = 0;

/// The lowest bit of the word: the gate is closed.
const CLOSED: u64 = 1;

/// One epoch in the word.
const EPOCH: u64 = 2;

/// A closer looks so often before it parks: some microseconds, the length of a short batch.
const SPINS: u32 = 200;

/// A parked closer looks again after this time. It is woken as a rule: only a worker whose leaving and
/// looking were swapped by the processor does not see it.
const LOOK_AGAIN: Duration = Duration::from_micros(200);

/// More than [`PARTICIPANTS_MAX`] participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {PARTICIPANTS_MAX} participants")
    }
}

impl std::error::Error for Full {}

/// The global epoch, the participants' slots, the write gate and the retired memory.
pub struct Epochs {
    /// The epoch and the gate in one word: an entry reads one line, which seldom changes.
    word: Padded<AtomicU64>,
    slots: Box<[Padded<AtomicU64>]>,
    /// Slots at and above this index were never used.
    used: AtomicUsize,
    free: Mutex<Vec<usize>>,
    /// Held by the closer: closers exclude each other.
    closer: Mutex<()>,
    /// Guards no data; makes looking at the word or the slots and going to sleep one step.
    parking: Mutex<()>,
    quiet: Condvar,
    opened: Condvar,
    retired: Mutex<VecDeque<(u64, Box<dyn Send>)>>,
    /// The deliberate fault of the tests: look at the gate, then step in.
    #[cfg(test)]
    pub(crate) looks_first: bool,
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.0.load(Ordering::Relaxed);
        f.debug_struct("Epochs")
            .field("epoch", &(word / EPOCH))
            .field("closed", &(word & CLOSED != 0))
            .finish_non_exhaustive()
    }
}

impl Default for Epochs {
    fn default() -> Self {
        Self::with_slots(PARTICIPANTS_MAX)
    }
}

impl Epochs {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// For `count` participants at most.
    pub(crate) fn with_slots(count: usize) -> Self {
        Self {
            word: Padded(AtomicU64::new(EPOCH)),
            slots: (0..count).map(|_| Padded(AtomicU64::new(IDLE))).collect(),
            used: AtomicUsize::new(0),
            free: Mutex::new((0..count).rev().collect()),
            closer: Mutex::new(()),
            parking: Mutex::new(()),
            quiet: Condvar::new(),
            opened: Condvar::new(),
            retired: Mutex::new(VecDeque::new()),
            #[cfg(test)]
            looks_first: false,
        }
    }

    /// A slot for one more worker or background task, until the participant is dropped.
    pub fn register(self: &Arc<Self>) -> Result<Participant, Full> {
        let mut free = self.free.lock();
        let index = free.pop().ok_or(Full)?;
        // Relaxed would do: `close` and `collect` read this after their fence, and the newcomer's
        // first entry fences between this store and its look at the word.
        self.used.fetch_max(index + 1, Ordering::SeqCst);
        Ok(Participant { epochs: Arc::clone(self), index, _not_sync: PhantomData })
    }

    /// Whether the write gate is closed, or closing.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.word.0.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// Drops `garbage` some time after all passes that are under way have ended.
    ///
    /// It must have been unlinked before: no pass that begins now may find it.
    pub fn retire(&self, garbage: Box<dyn Send>) {
        // Partner: the fence of `publish` in `Participant::step_in`.
        fence(Ordering::SeqCst);
        let mut retired = self.retired.lock();
        let epoch = self.word.0.load(Ordering::SeqCst) / EPOCH;
        retired.push_back((epoch, garbage));
    }

    /// Frees what nobody can be reading any more, and returns how many pieces that was.
    ///
    /// For a background task, at intervals. Needs no pass, and must not be called under locks: the
    /// garbage may be large.
    pub fn collect(&self) -> usize {
        let passed = self.word.0.fetch_add(EPOCH, Ordering::SeqCst) / EPOCH;
        // Partner: the fence of `publish` in `Participant::step_in`.
        fence(Ordering::SeqCst);
        // What is retired while this scan runs gets a later epoch than `passed` and must wait, even
        // if nobody is active: somebody may enter behind the scan.
        let least = self.active().min().unwrap_or(u64::MAX).min(passed + 1);
        let mut retired = self.retired.lock();
        let count = retired.partition_point(|&(epoch, _)| epoch < least);
        let garbage: Vec<_> = retired.drain(..count).collect();
        drop(retired);
        garbage.len()
    }

    /// How many retired pieces wait for [`collect`](Self::collect).
    pub fn retired(&self) -> usize {
        self.retired.lock().len()
    }

    /// The epochs of all that are inside a pass.
    fn active(&self) -> impl Iterator<Item = u64> {
        let used = self.used.load(Ordering::SeqCst);
        // Acquire: the partner of the release store in `Participant::leave`.
        self.slots[..used].iter().map(|slot| slot.0.load(Ordering::Acquire)).filter(|&e| e != IDLE)
    }

    fn is_quiet(&self) -> bool {
        self.active().next().is_none()
    }

    /// Waits until nobody is inside a pass, or for `limit`. The bit is set.
    fn await_quiet(&self, limit: Duration) -> bool {
        for _ in 0..if cfg!(shuttle) { 1 } else { SPINS } {
            if self.is_quiet() {
                return true;
            }
            hint::spin_loop();
        }
        let mut looks = limit.as_micros() / LOOK_AGAIN.as_micros();
        let mut parking = self.parking.lock();
        while !self.is_quiet() {
            if looks == 0 {
                return false;
            }
            let waited = self.quiet.wait_for(&mut parking, LOOK_AGAIN);
            looks -= u128::from(waited.timed_out());
        }
        true
    }

    /// Opens the gate.
    fn open(&self) {
        // Under the lock, so that nobody goes to sleep between its look at the word and its wait.
        let _parking = self.parking.lock();
        self.word.0.fetch_and(!CLOSED, Ordering::SeqCst);
        self.opened.notify_all();
    }

    /// A worker steps back while the gate is closed: the closer may be waiting for just that.
    #[cold]
    fn tell_closer(&self) {
        let _parking = self.parking.lock();
        self.quiet.notify_all();
    }

    /// Waits until the gate is open, or for `limit`.
    #[cold]
    fn await_open(&self, limit: Duration) -> bool {
        let mut parking = self.parking.lock();
        while self.word.0.load(Ordering::Acquire) & CLOSED != 0 {
            if self.opened.wait_for(&mut parking, limit).timed_out() {
                return false;
            }
        }
        true
    }
}

/// One worker's slot. One thread uses it at a time.
#[derive(Debug)]
pub struct Participant {
    epochs: Arc<Epochs>,
    index: usize,
    _not_sync: PhantomData<std::cell::Cell<()>>,
}

impl Participant {
    #[inline]
    pub fn epochs(&self) -> &Arc<Epochs> {
        &self.epochs
    }

    /// Begins a pass; blocks the thread while the write gate is closed.
    pub fn enter(&mut self) -> Pass<'_> {
        /// How often a thread that waits looks up, for nothing.
        const LONG: Duration = Duration::from_secs(1);
        self.enter_unless(LONG, || false).expect("it never gives up")
    }

    /// As [`enter`](Self::enter), but while the write gate is closed asks after each `patience` whether to
    /// give up.
    #[inline]
    pub fn enter_unless(
        &mut self,
        patience: Duration,
        gives_up: impl Fn() -> bool,
    ) -> Option<Pass<'_>> {
        while !self.step_in() {
            if !self.epochs.await_open(patience) && gives_up() {
                return None;
            }
        }
        Some(Pass { participant: self })
    }

    /// Begins a pass, unless the write gate is closed.
    #[inline]
    pub fn try_enter(&mut self) -> Option<Pass<'_>> {
        if self.step_in() { Some(Pass { participant: self }) } else { None }
    }

    /// Closes the write gate: from the return of this function until the drop of its result, nobody else
    /// is inside a pass. The result counts as a pass of this participant.
    ///
    /// Waits for the passes under way, and for an earlier closer. The borrow proves that this participant
    /// is not inside a pass of its own; **the thread must not hold a pass of another participant, nor
    /// locks that a pass may need**.
    ///
    /// Where a pass takes long (a script), the gate opens again and again meanwhile, so that only the
    /// caller waits for it.
    pub fn close(&mut self) -> Closed<'_> {
        /// So long others wait with the closer, and then it with them.
        const PATIENCE: Duration = Duration::from_millis(100);
        self.close_unless(PATIENCE, || false).expect("it never gives up")
    }

    /// As [`close`](Self::close), in tries of `patience`; after each that failed it asks whether to
    /// give up, and then the gate is open.
    pub fn close_unless(
        &mut self,
        patience: Duration,
        gives_up: impl Fn() -> bool,
    ) -> Option<Closed<'_>> {
        let this = &*self;
        loop {
            if let Some(closed) = this.try_close(patience) {
                return Some(closed);
            }
            if gives_up() {
                return None;
            }
            let mut parking = this.epochs.parking.lock();
            this.epochs.quiet.wait_for(&mut parking, patience);
        }
    }

    fn try_close(&self, limit: Duration) -> Option<Closed<'_>> {
        let epochs = &*self.epochs;
        let closer = epochs.closer.try_lock_for(limit)?;
        let word = epochs.word.0.fetch_or(CLOSED, Ordering::SeqCst);
        debug_assert!(word & CLOSED == 0, "closers exclude each other");
        // Partner: the fence of `publish` in `step_in`.
        fence(Ordering::SeqCst);
        if !epochs.await_quiet(limit) {
            epochs.open();
            return None;
        }
        publish(self.slot(), word / EPOCH);
        Some(Closed { participant: self, _closer: closer })
    }

    #[inline]
    fn slot(&self) -> &AtomicU64 {
        &self.epochs.slots[self.index].0
    }

    #[inline]
    fn step_in(&mut self) -> bool {
        #[cfg(test)]
        if self.epochs.looks_first {
            let word = self.epochs.word.0.load(Ordering::SeqCst);
            if word & CLOSED == 0 {
                publish(self.slot(), word / EPOCH);
            }
            return word & CLOSED == 0;
        }
        let word = &self.epochs.word.0;
        let epoch = word.load(Ordering::Acquire) / EPOCH;
        publish(self.slot(), epoch);
        // Acquire: what a closer did before it opened the gate is seen inside the pass.
        let open = word.load(Ordering::Acquire) & CLOSED == 0;
        if !open {
            self.leave();
        }
        open
    }

    #[inline]
    fn leave(&self) {
        // Release: the partner of the scan's acquire load.
        self.slot().store(IDLE, Ordering::Release);
        // No fence: a closer that is missed here looks again by itself.
        if self.epochs.is_closed() {
            self.epochs.tell_closer();
        }
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        debug_assert_eq!(self.slot().load(Ordering::Relaxed), IDLE, "a pass was leaked");
        self.slot().store(IDLE, Ordering::Release);
        self.epochs.free.lock().push(self.index);
    }
}

/// The time inside a batch: the write gate is open, and nothing retired from now on is freed.
#[derive(Debug)]
#[must_use]
pub struct Pass<'a> {
    participant: &'a mut Participant,
}

impl Drop for Pass<'_> {
    #[inline]
    fn drop(&mut self) {
        self.participant.leave();
    }
}

/// The closed write gate. Reopens when dropped.
#[must_use]
pub struct Closed<'a> {
    participant: &'a Participant,
    _closer: MutexGuard<'a, ()>,
}

impl fmt::Debug for Closed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closed")
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        let epochs = &*self.participant.epochs;
        self.participant.slot().store(IDLE, Ordering::Release);
        epochs.open();
    }
}
