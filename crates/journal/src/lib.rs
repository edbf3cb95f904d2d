//! The journal: one ordered log of RESP bytes in memory, between the workers and its readers.
//!
//! Workers append while they hold the locks of what they changed, so the order of the log is an order
//! in which the commands really happened. Readers (AOF writer, replica links, change feed) take the
//! bytes as they are. The position of a byte is its [`Lsn`], and that is the replication offset:
//! every byte that a replica would receive is in the log and is counted, `SELECT` included (see
//! `docs/decisions/2026-11-21-journal-records.md`).
//!
//! This crate decides and remembers; it touches no file, socket, clock or thread.

#![allow(unsafe_code, reason = "writers fill disjoint ranges of one buffer; see segment.rs")]

mod frame;
mod log;
mod reader;
#[cfg(all(test, shuttle))]
mod schedules;
mod segment;
#[cfg(test)]
mod tests;
pub mod watermark;
mod writer;

use std::fmt;

pub use frame::{Frame, SELECT_BYTES_MAX, TRANSACTION_BYTES};
pub use log::{Gone, Journal, Keep, Limits};
pub use reader::{Patience, ReadOutcome, Reader};
pub use watermark::Watermark;
pub use writer::{Refused, Reserved, Room, Writer};

/// A position in the journal: how many bytes of the replication stream come before it.
///
/// Below 2^56.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The largest position there is: 72 petabytes.
    pub const MAX: Self = Self((1 << 56) - 1);
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
