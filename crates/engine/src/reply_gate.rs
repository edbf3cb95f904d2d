//! The reply gate: a reply leaves only when the journal up to the reply's LSN has reached the
//! level that the connection was promised. At the default level (in memory) every LSN has.

use journal::Watermark;

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
#[derive(Debug, Default)]
pub struct ReplyGate {
    /// Up to where the journal is durable; the AOF's writer advances it.
    pub durable: Watermark,
}

impl ReplyGate {
    /// Whether a reply that depends on `lsn` may leave.
    #[inline]
    pub fn open(&self, level: Level, lsn: u64) -> bool {
        match level {
            Level::Memory => true,
            Level::Fsync => self.durable.reached(lsn),
        }
    }
}
