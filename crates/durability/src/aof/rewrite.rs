//! The next base: a snapshot written beside the files in use, while the writer goes on.
//!
//! [`Rewrite::step`] writes a part, whoever calls it; [`Rewrite::finish`] makes it durable under its name.
//! [`Limiter`] says when automatic rewrites may follow upon failures.

use super::files::Files;
use super::manifest::Part;
use disk::{DiskFile, Open, PRIVATE};
use keyspace::Snapshot;
use rdb::Writer as RdbWriter;
use std::io;

/// Written at a time.
const STEP_BYTES: usize = 256 << 10;
/// `aof-rewrite-incremental-fsync`: a sync for so many bytes.
const SYNC_BYTES: u64 = 4 << 20;

/// A base being written.
pub struct Rewrite {
    files: Files,
    part: Part,
    temporary: Vec<u8>,
    file: Option<Box<dyn DiskFile>>,
    snapshot: Snapshot,
    form: Form,
    out: Vec<u8>,
    size: u64,
    synced: u64,
    incremental_sync: bool,
}

/// What the base looks like.
enum Form {
    Rdb { crc: u64, checksum: bool },
    Commands(Plain),
}
