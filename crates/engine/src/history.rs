//! The history of the log: its name, and what of it is kept for replicas that come back.
//!
//! A position in the log means something only together with the name of the history it belongs to.
//! While nothing is kept nobody counts, so keeping begins a new history.

use journal::{Journal, Keep, Lsn};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use stdx::rng::Rng;

/// The backlog, as INFO shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub active: bool,
    /// The oldest byte from which a replica could go on.
    pub first: Lsn,
    pub bytes: u64,
}

/// Name and backlog of the log, and how many read it as replicas.
#[derive(Debug, Default)]
pub struct History {
    state: Mutex<State>,
    replicas: AtomicUsize,
    /// Since when there is no replica, in milliseconds since 1970.
    alone_ms: AtomicI64,
    /// Snapshots that replicas were given, and requests to go on that could not be met.
    pub full: AtomicU64,
    pub partial_refused: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// 40 hexadecimal digits.
    id: String,
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    keep: Keep,
    bytes: u64,
    since: Lsn,
}

impl History {
    /// 40 hexadecimal digits that name the history.
    pub fn id(&self) -> String {
        self.state.lock().id.clone()
    }

    /// Gives the history a new name.
    pub fn rename(&self, rng: &mut Rng) {
        self.state.lock().id = hex40(rng);
    }

    /// Keeps the last `bytes` of the log from now on: a new history begins, unless they are kept
    /// already.
    pub fn keep(&self, journal: &Arc<Journal>, bytes: u64, rng: &mut Rng) {
        let mut state = self.state.lock();
        if state.kept.is_none() {
            state.id = hex40(rng);
            state.kept = Some(Kept { keep: journal.keep(bytes), bytes, since: journal.tail() });
        }
    }

    /// Keeps another number of bytes, if any are kept.
    pub fn resize(&self, bytes: u64) {
        if let Some(kept) = &mut self.state.lock().kept {
            kept.keep.resize(bytes);
            kept.bytes = bytes;
        }
    }

    /// Keeps nothing any more.
    pub fn forget(&self) {
        self.state.lock().kept = None;
    }

    pub fn backlog(&self, journal: &Journal) -> Backlog {
        let state = self.state.lock();
        let Some(kept) = &state.kept else { return Backlog::default() };
        let tail = journal.tail();
        let first = kept.since.max(Lsn(tail.0.saturating_sub(kept.bytes)));
        Backlog { active: true, first, bytes: tail.0 - first.0 }
    }

    pub fn replicas(&self) -> usize {
        self.replicas.load(Ordering::Relaxed)
    }

    /// A replica has come.
    pub fn arrived(&self) {
        self.replicas.fetch_add(1, Ordering::Relaxed);
    }

    /// It has gone.
    pub fn left(&self, now_ms: i64) {
        self.alone_ms.store(now_ms, Ordering::Relaxed);
        self.replicas.fetch_sub(1, Ordering::Relaxed);
    }

    /// Since when there is none, in milliseconds since 1970; `None`: there is one.
    pub fn alone_since_ms(&self) -> Option<i64> {
        (self.replicas() == 0).then(|| self.alone_ms.load(Ordering::Relaxed))
    }
}

/// 40 random hexadecimal digits, as histories and marks in streams are made of.
pub fn hex40(rng: &mut Rng) -> String {
    let words = [rng.u64(), rng.u64(), rng.u64()];
    let mut text: String = words.iter().map(|word| format!("{word:016x}")).collect();
    text.truncate(40);
    text
}
