//! The side of the readers: bytes in order, in runs that end with a record.

use std::sync::Arc;
use std::task::Waker;

use stdx::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

use crate::Lsn;
use crate::log::Journal;

/// What happens when a reader lags behind the tail by more than so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// It is dropped, and told [`ReadOutcome::Lagged`]: a replica, a change feed.
    Drop(u64),
    /// Writers wait for it, before they take locks: the AOF. It must not run on a thread of a worker.
    Stall(u64),
}

impl Patience {
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::Drop(bytes) | Self::Stall(bytes) => bytes,
        }
    }
}

/// What [`Reader::poll`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOutcome {
    /// The bytes from `from` to `to` were appended to the buffer. If `whole`, a record ends at `to`, and
    /// all records before are complete; else the record there is longer than what was asked for.
    Data { from: Lsn, to: Lsn, whole: bool },
    /// Everything has been read.
    Empty,
    /// The reader was too slow, or the journal was reset: it gets no more bytes.
    Lagged,
}

/// What the journal knows of a reader.
#[derive(Debug)]
pub(crate) struct ReaderShared {
    consumed: AtomicU64,
    lagged: AtomicBool,
    pub(crate) patience: Patience,
}

impl ReaderShared {
    pub(crate) fn new(from: Lsn, patience: Patience) -> Self {
        Self { consumed: AtomicU64::new(from.0), lagged: AtomicBool::new(false), patience }
    }

    pub(crate) fn consumed(&self) -> Lsn {
        Lsn(self.consumed.load(Ordering::Acquire))
    }

    pub(crate) fn lagged(&self) -> bool {
        self.lagged.load(Ordering::Acquire)
    }

    pub(crate) fn drop_behind(&self) {
        self.lagged.store(true, Ordering::Release);
    }
}

/// A position in the journal that moves on as it is read, and holds the memory behind it.
#[derive(Debug)]
pub struct Reader {
    journal: Arc<Journal>,
    shared: Arc<ReaderShared>,
    at: Lsn,
}

impl Reader {
    pub(crate) fn new(journal: Arc<Journal>, shared: Arc<ReaderShared>, at: Lsn) -> Self {
        Self { journal, shared, at }
    }

    /// Behind the last byte read.
    #[inline]
    pub fn position(&self) -> Lsn {
        self.at
    }

    #[inline]
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Appends up to `bytes_max` bytes to `buf`, whole records if at least one fits.
    pub fn poll(&mut self, buf: &mut Vec<u8>, bytes_max: usize) -> ReadOutcome {
        let journal = &*self.journal;
        if self.shared.lagged() {
            return ReadOutcome::Lagged;
        }
        let safe = journal.safe();
        // `safe` may step back behind what was complete before.
        if safe <= self.at || bytes_max == 0 {
            return ReadOutcome::Empty;
        }
        let from = self.at;
        let limit = Lsn(safe.0.min(from.0.saturating_add(bytes_max as u64)));
        let extent = {
            let state = journal.state.lock();
            if self.shared.lagged() {
                return ReadOutcome::Lagged;
            }
            state.extent(journal, from, limit)
        };
        let (to, whole) = if limit == safe {
            (safe, true)
        } else {
            match extent.last_end(from.0, limit.0) {
                Some(end) => (Lsn(end), true),
                None => (limit, false),
            }
        };
        // SAFETY: `to` is at most `safe`, and `extent` was taken while this reader held the memory.
        unsafe { extent.read(from.0, to.0, buf) };
        drop(extent);
        self.at = to;
        // Release: the memory is given back after it was read.
        self.shared.consumed.store(to.0, Ordering::Release);
        // Partner: the fence in `Writer::draw`. Either it sees what we consumed, or we see that it waits.
        fence(Ordering::SeqCst);
        if journal.stalled.load(Ordering::Relaxed) != 0 {
            let _state = journal.state.lock();
            journal.progress.notify_all();
        }
        ReadOutcome::Data { from, to, whole }
    }

    /// Registers `waker` to be woken once, when there is something to poll. False if there is already.
    ///
    /// Wake-ups come from [`Writer::nudge`](crate::Writer::nudge).
    pub fn sleep(&self, waker: &Waker) -> bool {
        self.journal.sleep(&self.shared, waker)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.journal.detach(&self.shared);
    }
}
