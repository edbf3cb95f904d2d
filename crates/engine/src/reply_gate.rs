//! The reply gate: a reply leaves only when the journal up to the reply's LSN has reached the
//! level that the connection was promised. At the default level (in memory) every LSN has.

use journal::{Lsn, Watermark};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How safe a write must be before its reply leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Applied in memory and in the journal.
    #[default]
    Memory,
    /// And durable here.
    Fsync,
}

/// What has reached which level.
#[derive(Debug)]
pub struct ReplyGate {
    /// Up to where the journal is durable; the AOF's writer advances it.
    pub durable: Arc<Watermark>,
    /// Whether replies wait for that.
    waits: AtomicBool,
}

impl Default for ReplyGate {
    fn default() -> Self {
        /// Replies that may wait at a time.
        const WAITERS_MAX: usize = 1 << 20;
        Self { durable: Watermark::new(Lsn(0), WAITERS_MAX), waits: AtomicBool::new(false) }
    }
}

impl ReplyGate {
    /// The level that replies have from now on. Whoever waits already is to be woken by the caller
    /// if it is a lower one.
    pub fn set_level(&self, level: Level) {
        self.waits.store(level == Level::Fsync, Ordering::Release);
    }

    #[inline]
    pub fn level(&self) -> Level {
        if self.waits.load(Ordering::Acquire) { Level::Fsync } else { Level::Memory }
    }

    /// Whether a reply that depends on `lsn` may leave.
    #[inline]
    pub fn open(&self, lsn: Lsn) -> bool {
        self.level() == Level::Memory || self.durable.reached(lsn)
    }
}
