//! Where a snapshot begins: at a moment between commands, of which the journal knows the position.

use crate::Engine;
use command::Others;
use journal::Lsn;
use keyspace::{Snapshot, SnapshotOptions, Totals};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The moment at which a snapshot was taken. What the journal has up to `lsn` is in the snapshot,
/// and what it has from there on is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    pub lsn: Lsn,
    /// Milliseconds since 1970.
    pub now_ms: i64,
    pub totals: Totals,
}

/// Why there is no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// There is one already.
    Busy,
    /// More threads than the epochs have room for.
    Full,
    /// A script runs, or another command that takes long: to be tried again.
    Stalled,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => keyspace::Busy.fmt(f),
            Self::Full => lock::Full.fmt(f),
            Self::Stalled => keyspace::Stalled.fmt(f),
        }
    }
}

impl std::error::Error for SnapshotError {}

/// A snapshot that is read at somebody's pace, and can be [taken back](Engine::take_back) from them.
pub struct Lent(Arc<Mutex<Option<Snapshot>>>);

impl Lent {
    /// Reads on; `None`: it has been taken back.
    pub fn with<T>(&self, read: impl FnOnce(&mut Snapshot) -> T) -> Option<T> {
        self.0.lock().as_mut().map(read)
    }
}

/// For how long snapshots closed the write gate, in microseconds: from the first who waits to the
/// moment at which all go on.
#[derive(Debug, Default)]
pub struct Cuts {
    made: AtomicU64,
    last: AtomicU64,
    longest: AtomicU64,
}

impl Cuts {
    /// There was another one. For who closes the gate himself.
    pub fn note(&self, micros: u64) {
        self.last.store(micros, Ordering::Relaxed);
        self.longest.fetch_max(micros, Ordering::Relaxed);
    }

    /// Snapshots begun since the start or CONFIG RESETSTAT.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    pub fn last_micros(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    pub fn longest_micros(&self) -> u64 {
        self.longest.load(Ordering::Relaxed)
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        self.longest.store(0, Ordering::Relaxed);
        self.made.store(0, Ordering::Relaxed);
    }
}

impl Engine {
    /// Gives a snapshot to who may be slow to read it. There is only one at a time.
    pub fn lend(&self, snapshot: Snapshot) -> Lent {
        let lent = Arc::new(Mutex::new(Some(snapshot)));
        *self.lent.lock() = Arc::downgrade(&lent);
        Lent(lent)
    }

    /// Ends the snapshot that is lent; false if none is. By a thread that holds no shard.
    pub fn take_back(&self) -> bool {
        let lent = self.lent.lock().upgrade();
        let snapshot = lent.and_then(|lent| lent.lock().take());
        snapshot.is_some()
    }

    /// Takes a snapshot of all data: closes the write gate, cuts, calls `at_cut` while nobody
    /// writes (to begin to read the journal, say), and opens the gate, all in some microseconds.
    /// The journal's next record brings its SELECT along.
    ///
    /// Works on any thread that is not within a pass, and gives up within milliseconds if the gate cannot
    /// be closed: clients depend on all that ask, the main thread, that of the log, a worker. With
    /// [`Others::Stand`] the caller has closed the gate itself, as a transaction does for commands of the
    /// node.
    pub fn begin_snapshot(
        &self,
        options: SnapshotOptions,
        others: Others,
        at_cut: impl FnOnce(&Cut),
    ) -> Result<Snapshot, SnapshotError> {
        let mut participant = match others {
            Others::Run => {
                Some(self.space.epochs().register().map_err(|lock::Full| SnapshotError::Full)?)
            }
            Others::Stand => None,
        };
        let prepared = self.space.prepare_snapshot(options);
        let prepared = prepared.map_err(|keyspace::Busy| SnapshotError::Busy)?;
        let began = self.node().monotonic_micros();
        let closed = participant.as_mut().map(|participant| self.space.soon_gate(participant));
        let closed = closed.transpose().map_err(|keyspace::Stalled| SnapshotError::Stalled)?;
        let snapshot = prepared.cut();
        self.cuts.made.fetch_add(1, Ordering::Relaxed);
        self.journal.forget_database();
        let (lsn, now_ms) = (self.journal.tail(), options.now_ms);
        at_cut(&Cut { lsn, now_ms, totals: snapshot.totals() });
        if closed.is_some() {
            drop(closed);
            self.cuts.note(self.node().monotonic_micros().saturating_sub(began));
        }
        Ok(snapshot)
    }
}
