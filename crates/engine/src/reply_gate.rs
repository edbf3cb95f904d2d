//! The reply gate: a reply leaves only when the journal up to the reply's LSN has reached the
//! level that the connection was promised. At the default level (in memory) every LSN has.

use journal::{Lsn, Watermark};
use std::sync::Arc;

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
}

impl Default for ReplyGate {
    fn default() -> Self {
        /// Replies that may wait at a time.
        const WAITERS_MAX: usize = 1 << 20;
        Self { durable: Watermark::new(Lsn(0), WAITERS_MAX) }
    }
}

impl ReplyGate {
    /// Whether a reply that depends on `lsn` may leave.
    #[inline]
    pub fn open(&self, level: Level, lsn: Lsn) -> bool {
        match level {
            Level::Memory => true,
            Level::Fsync => self.durable.reached(lsn),
        }
    }
}
