//! Locks that are not waited for without end.
//!
//! Commands hold shards for microseconds; a script may hold them for as long as it runs. Once one has
//! run for too long ([`Keyspace::script_is_overdue`]), nobody waits for it any more: who asks for a
//! lock is told [`Stalled`], and passes that on as an error (BUSY) or comes back later.
//!
//! ```text
//!   reach_one, reach_many, reach_all    as Shards::{one, many, all}
//!   reach_as_met                        as Shards::exclusive: for a script that meets its keys
//!   reach_pass, reach_gate              as Participant::{enter, close}
//!   soon_one, soon_gate                 some tries: for the clock and threads in the background, which
//!                                       come back later anyway
//!   later                               what needs one shard and has no hurry: done now, or once
//!                                       the script has ended
//! ```
//!
//! **A thread that others depend on takes locks by these only.** The main thread, which lets new clients in,
//! and the thread that writes the log do not even wait for a script that may still end in time.

use crate::{HeldAll, HeldAsMet, HeldMany};
use crate::{Keyspace, Shard};
use lock::{Closed, One, Participant, Pass, ShardId};
use parking_lot::Mutex;
use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A script has held what is needed for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalled;

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a script has held the lock for too long")
    }
}

impl std::error::Error for Stalled {}

/// A waiter sleeps for so long before it looks whether it still should.
const SLICE: Duration = Duration::from_millis(2);

/// Something to be done with a shard, sooner or later.
type Chore = Box<dyn FnOnce(&mut Shard) + Send>;

/// What is known of scripts that run for too long, and what waits for their end.
#[derive(Default)]
pub(crate) struct Overdue {
    scripts: AtomicU32,
    chores: Mutex<Vec<(ShardId, Chore)>>,
}

impl Keyspace {
    /// A script runs for too long from now on.
    pub fn script_is_overdue(&self) {
        self.overdue.scripts.fetch_add(1, Ordering::Relaxed);
    }

    /// A script that ran for too long has ended, and its locks are gone.
    pub fn overdue_script_ended(&self) {
        self.overdue.scripts.fetch_sub(1, Ordering::Relaxed);
        self.catch_up();
    }

    /// Whether a script runs for too long.
    #[inline]
    pub fn is_stalled(&self) -> bool {
        self.overdue.scripts.load(Ordering::Relaxed) > 0
    }

    /// Locks one shard.
    #[inline]
    pub fn reach_one(&self, id: ShardId) -> Result<One<'_, Shard>, Stalled> {
        match self.shards().try_one(id) {
            Some(one) => Ok(one),
            None => self.patiently(|limit| self.shards().one_within(id, limit)),
        }
    }

    /// Locks several shards; `ids` ascend and are unique.
    #[inline]
    pub fn reach_many(&self, ids: &[ShardId]) -> Result<HeldMany<'_>, Stalled> {
        self.patiently(|limit| self.shards().many_within(ids, limit)).map(HeldMany)
    }

    /// Locks every shard.
    pub fn reach_all(&self) -> Result<HeldAll<'_>, Stalled> {
        self.patiently(|limit| self.shards().all_within(limit)).map(HeldAll)
    }

    /// Becomes the one who locks shards as it meets them.
    pub fn reach_as_met(&self) -> Result<HeldAsMet<'_>, Stalled> {
        self.patiently(|limit| self.shards().exclusive_within(limit)).map(HeldAsMet)
    }

    /// Locks one shard, if it is free within a moment.
    pub fn soon_one(&self, id: ShardId) -> Result<One<'_, Shard>, Stalled> {
        self.shards().one_within(id, SLICE).ok_or(Stalled)
    }

    /// Begins a pass.
    #[inline]
    pub fn reach_pass<'p>(&self, participant: &'p mut Participant) -> Result<Pass<'p>, Stalled> {
        participant.enter_unless(SLICE, || self.is_stalled()).ok_or(Stalled)
    }

    /// Closes the write gate, if all who are inside have passed within some milliseconds.
    pub fn soon_gate<'p>(&self, participant: &'p mut Participant) -> Result<Closed<'p>, Stalled> {
        const TRIES: u32 = 5;
        let left = Cell::new(TRIES);
        let gives_up = || {
            left.set(left.get() - 1);
            left.get() == 0 || self.is_stalled()
        };
        participant.close_unless(SLICE, gives_up).ok_or(Stalled)
    }

    /// Closes the write gate.
    pub fn reach_gate<'p>(&self, participant: &'p mut Participant) -> Result<Closed<'p>, Stalled> {
        participant.close_unless(SLICE, || self.is_stalled()).ok_or(Stalled)
    }

    /// Calls `attempt`, which waits for as long as it is told, until it has got what it wants.
    #[inline]
    fn patiently<T>(&self, attempt: impl Fn(Duration) -> Option<T>) -> Result<T, Stalled> {
        loop {
            if let Some(held) = attempt(SLICE) {
                return Ok(held);
            }
            if self.is_stalled() {
                return Err(Stalled);
            }
        }
    }

    /// Lets `chore` have the shard: now, or when the script has ended that holds it. Called without
    /// locks, but for those of a script that runs for too long on this very thread.
    pub(crate) fn later(&self, id: ShardId, chore: impl FnOnce(&mut Shard) + Send + 'static) {
        let reached = if self.is_stalled() { Err(Stalled) } else { self.reach_one(id) };
        match reached {
            Ok(mut shard) => chore(&mut shard),
            Err(Stalled) => {
                self.overdue.chores.lock().push((id, Box::new(chore)));
                if !self.is_stalled() {
                    // It has ended, and may have looked before the chore was there.
                    self.catch_up();
                }
            }
        }
    }

    fn catch_up(&self) {
        for (id, chore) in std::mem::take(&mut *self.overdue.chores.lock()) {
            self.later(id, chore);
        }
    }
}
