//! The append-only file: every effect, in order, on disk.
//!
//! ```text
//!   journal ─ Reader ─► Writer ─► NAME.7.incr.aof ─► fsync ─► Watermark ─► replies that wait
//!                         │ switches to NAME.8.incr.aof at the cut
//!   keyspace ─ Snapshot ─► Rewrite ─► NAME.4.base.rdb ─┐
//!                                                      ▼
//!                          NAME.manifest:  file NAME.4.base.rdb seq 4 type b
//!                                          file NAME.8.incr.aof seq 8 type i
//! ```
//!
//! The files are those of Redis 7 and later: a manifest names one base, the snapshot of a moment, and
//! the incremental files behind it, whose bytes are the journal's. What Redis does not have are the
//! checksums ([`annotation`]), in lines that it skips.
//!
//! Everything here is a state machine over a [`disk::Disk`]: the server drives it from threads.
//!
//! **A failed fsync is never forgotten.** What was to be synced may be lost, whatever a later one says;
//! so the watermark stands still until a new base, made from memory, has been written and synced.

pub mod annotation;
mod check;
mod deal;
mod files;
mod load;
mod manifest;
mod replay;
mod rewrite;
mod scan;
mod writer;

#[cfg(test)]
mod tests;

pub use check::{Check, CheckOptions};
pub use files::{Files, Found, Held};
pub use load::{Base, LoadOptions, Loaded, Loader, Progress};
pub use manifest::{Kind, Manifest, Part};
pub use rewrite::{Between, Form, Limiter, Unwritten, write_base};
pub use scan::{Damage, Scanner};
pub use writer::{Fsync, Moment, Next, Policy, State, Status, Switch, Writer};

use std::fmt;
use std::io;

/// Why the append-only file cannot be read: what a person is told, file, place and reason included.
#[derive(Debug)]
pub struct Fault(pub String);

impl Fault {
    pub(crate) fn io(doing: &str, name: &str, error: &io::Error) -> Self {
        Self(format!("{doing} the append only file {name} failed: {error}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}
