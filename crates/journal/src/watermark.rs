//! A position that only rises, and whoever waits for it: durable, acknowledged, applied.
//!
//! The reply gate stands on these. A waiter registers, then looks again; who advances stores, then looks
//! for waiters; with a full fence in both between the two steps, so that at least one sees the other.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use stdx::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use stdx::sync::{Mutex, Padded};

use crate::Lsn;

/// Nobody waits.
const NOBODY: u64 = u64::MAX;

/// There are as many waiters as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many replies wait for the journal")
    }
}

impl std::error::Error for TooMany {}

/// A monotone LSN with waiters.
pub struct Watermark {
    value: Padded<AtomicU64>,
    /// The least LSN that somebody waits for, or [`NOBODY`].
    least: AtomicU64,
    broken: AtomicBool,
    waiters: Mutex<Waiters>,
    waiters_max: usize,
}

#[derive(Default)]
struct Waiters {
    by_lsn: BTreeMap<(u64, u64), Waker>,
    next: u64,
}

impl fmt::Debug for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watermark")
            .field("value", &self.value())
            .field("broken", &self.broken())
            .finish_non_exhaustive()
    }
}

/// The answer to [`Watermark::wait`].
#[derive(Debug)]
#[must_use]
pub enum Wait {
    /// The LSN is reached (or the watermark broken); the waker will not be called.
    Over,
    /// The waker is called once, unless the registration is dropped before.
    Registered(Registration),
}

impl Watermark {
    /// Begins at `start`, and holds up to `waiters_max` waiters.
    pub fn new(start: Lsn, waiters_max: usize) -> Arc<Self> {
        Arc::new(Self {
            value: Padded(AtomicU64::new(start.0)),
            least: AtomicU64::new(NOBODY),
            broken: AtomicBool::new(false),
            waiters: Mutex::new(Waiters::default()),
            waiters_max,
        })
    }

    #[inline]
    pub fn value(&self) -> Lsn {
        Lsn(self.value.0.load(Ordering::Acquire))
    }

    #[inline]
    pub fn reached(&self, lsn: Lsn) -> bool {
        self.value() >= lsn
    }

    /// Whether the watermark cannot rise for now: a failed write or fsync. Waiters were woken; the
    /// replies of those that have not [reached](Self::reached) their LSN turn into errors.
    #[inline]
    pub fn broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Rises to `lsn`, if it is lower, and wakes all that wait for no more. While
    /// [broken](Self::broken) it does nothing.
    pub fn advance(&self, lsn: Lsn) {
        if self.broken() {
            return;
        }
        self.value.0.fetch_max(lsn.0, Ordering::Release);
        // Partner: the fence in `wait`.
        fence(Ordering::SeqCst);
        if self.least.load(Ordering::Relaxed) > lsn.0 {
            return;
        }
        let woken = {
            let mut waiters = self.waiters.lock();
            let rest = waiters.by_lsn.split_off(&(lsn.0.saturating_add(1), 0));
            let woken = std::mem::replace(&mut waiters.by_lsn, rest);
            self.note_least(&waiters);
            woken
        };
        woken.into_values().for_each(Waker::wake);
    }

    /// Stands still from now on, and wakes all waiters. Until [`mend`](Self::mend).
    pub fn fail(&self) {
        let woken = {
            let mut waiters = self.waiters.lock();
            // Under the lock, so that nobody registers who does not see it.
            self.broken.store(true, Ordering::Release);
            let woken = std::mem::take(&mut waiters.by_lsn);
            self.note_least(&waiters);
            woken
        };
        woken.into_values().for_each(Waker::wake);
    }

    /// Rises again, from `lsn`: a new base holds everything up to there.
    pub fn mend(&self, lsn: Lsn) {
        self.broken.store(false, Ordering::Release);
        self.advance(lsn);
    }

    /// Has `waker` called once, when `lsn` is reached or the watermark breaks.
    pub fn wait(self: &Arc<Self>, lsn: Lsn, waker: Waker) -> Result<Wait, TooMany> {
        if self.reached(lsn) || self.broken() {
            return Ok(Wait::Over);
        }
        let mut waiters = self.waiters.lock();
        if self.broken() {
            return Ok(Wait::Over);
        }
        if waiters.by_lsn.len() >= self.waiters_max {
            return Err(TooMany);
        }
        let key = (lsn.0, waiters.next);
        waiters.next += 1;
        waiters.by_lsn.insert(key, waker);
        self.note_least(&waiters);
        // Partner: the fence in `advance`. Either it sees that we wait, or we see its value.
        fence(Ordering::SeqCst);
        if self.reached(lsn) {
            waiters.by_lsn.remove(&key);
            self.note_least(&waiters);
            return Ok(Wait::Over);
        }
        Ok(Wait::Registered(Registration { watermark: Arc::clone(self), key }))
    }

    /// How many wait.
    pub fn waiters(&self) -> usize {
        self.waiters.lock().by_lsn.len()
    }

    fn note_least(&self, waiters: &Waiters) {
        let least = waiters.by_lsn.first_key_value().map_or(NOBODY, |(&(lsn, _), _)| lsn);
        self.least.store(least, Ordering::Relaxed);
    }
}

/// One waiter. Dropping it ends the wait.
#[must_use]
pub struct Registration {
    watermark: Arc<Watermark>,
    key: (u64, u64),
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registration").field(&Lsn(self.key.0)).finish()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut waiters = self.watermark.waiters.lock();
        waiters.by_lsn.remove(&self.key);
        self.watermark.note_least(&waiters);
    }
}
