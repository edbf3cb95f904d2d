//! CLIENT PAUSE: which commands wait, and until when. Read by every worker before each command.

use command::{Command, Flags, Group, PauseMode, Transaction};
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

const NOBODY: u8 = 0;
const WRITES: u8 = 1;
const ALL: u8 = 2;

/// The pause in force, if any.
#[derive(Debug, Default)]
pub struct Pause {
    mode: AtomicU8,
    /// Milliseconds since 1970.
    until_ms: AtomicI64,
}

impl Pause {
    /// Starts or prolongs a pause. A stricter mode and a later end win, as in Redis.
    pub fn start(&self, mode: PauseMode, until_ms: i64, now_ms: i64) {
        let mode = match mode {
            PauseMode::Write => WRITES,
            PauseMode::All => ALL,
        };
        if self.active(now_ms) {
            self.mode.fetch_max(mode, Ordering::Relaxed);
            self.until_ms.fetch_max(until_ms, Ordering::Relaxed);
        } else {
            self.until_ms.store(until_ms, Ordering::Relaxed);
            self.mode.store(mode, Ordering::Relaxed);
        }
    }

    pub fn end(&self) {
        self.mode.store(NOBODY, Ordering::Relaxed);
    }

    /// Whether a pause is in force.
    pub fn active(&self, now_ms: i64) -> bool {
        self.mode.load(Ordering::Relaxed) != NOBODY
            && now_ms < self.until_ms.load(Ordering::Relaxed)
    }

    /// The mode in force and the milliseconds left.
    pub fn current(&self, now_ms: i64) -> Option<(PauseMode, i64)> {
        let mode = match self.mode.load(Ordering::Relaxed) {
            WRITES => PauseMode::Write,
            ALL => PauseMode::All,
            _ => return None,
        };
        let left = self.until_ms.load(Ordering::Relaxed) - now_ms;
        (left > 0).then_some((mode, left))
    }

    /// Whether a client that sends `row` must wait. What administers connections (CLIENT UNPAUSE,
    /// LIST, KILL) and SHUTDOWN never wait, so that a pause can be looked at and ended. A further
    /// pause does: while all waits, it would only prolong what is more than it asks for.
    #[inline]
    pub fn holds(&self, row: &Command, now_ms: i64) -> bool {
        let mode = self.mode.load(Ordering::Relaxed);
        if mode == NOBODY || now_ms >= self.until_ms.load(Ordering::Relaxed) {
            return false;
        }
        let administers = row.flags.has(Flags::ADMIN)
            && (row.group == Group::Connection && row.name != "PAUSE" || row.name == "SHUTDOWN");
        if administers {
            return false;
        }
        mode == ALL || row.flags.has(Flags::WRITE) || row.flags.has(Flags::MAY_REPLICATE)
    }

    /// Whether EXEC of what is queued must wait.
    pub fn holds_queue(&self, queue: &Transaction, now_ms: i64) -> bool {
        let writes = queue.has(Flags::WRITE) || queue.has(Flags::MAY_REPLICATE);
        match self.current(now_ms) {
            None => false,
            Some((PauseMode::Write, _)) => writes,
            Some((PauseMode::All, _)) => true,
        }
    }
}
