//! Snapshot files: the data set as one RDB file, `dump.rdb` by default.
//!
//! ```text
//!  save   Snapshot::read ─► Image (head, body, end, CRC) ─► Saving ─► temp-PID.rdb ─► dump.rdb
//!                                        └─► a socket, the base of an append-only file
//!
//!  load   file ─► Frames: finds out where keys begin and end ─► Batch ─► keyspace's Loader
//!                        one thread                              any number of threads
//! ```
//!
//! A file is loaded whole or not at all: what is wrong with it is said with its offset, and whoever
//! loads empties the databases or ends. Memory is bounded by a batch for each thread and some that
//! wait; a value too long for a batch is read bit by bit as it comes.

mod check;
mod load;
mod save;
#[cfg(test)]
mod tests;

pub use check::{Checked, Fault, check};
pub use load::{Batch, Event, FileSource, Frames, LoadError, load};
pub use save::{Body, Head, Image, Purpose, Saving};
