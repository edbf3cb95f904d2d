//! Snapshots without fork: the keys as they are at one moment, in RDB form, read bit by bit while
//! everybody goes on.

use crate::{AccessClock, Keyspace, persist};
use rdb::{Writer, file};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a snapshot writes, and how.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotOptions {
    /// The moment of the cut in milliseconds since 1970: idle times are as of then.
    pub now_ms: i64,
    /// Access bits are written, as this clock reads them; `None`: they are left out.
    pub access: Option<AccessClock>,
    /// Whether strings are compressed: the parameter `rdbcompression`.
    pub compress: bool,
}

/// What there was at the moment of the cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Keys, those included that have expired and are not deleted yet.
    pub keys: u64,
    /// Of these, keys with an expiry.
    pub expires: u64,
    /// Of these, keys with elements that have one.
    pub subexpiry: u64,
}

/// There is a snapshot already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another snapshot is under way")
    }
}

impl std::error::Error for Busy {}

/// Whether a snapshot is under way. One at a time.
#[derive(Debug, Default)]
pub(crate) struct Slot(AtomicBool);

/// A snapshot under way. Whoever reads it is on any thread, and need not hurry. Dropping it before
/// its end gives it up.
pub struct Snapshot {
    space: Arc<Keyspace>,
    totals: Totals,
    keys_done: u64,
    body: Vec<u8>,
    sent: usize,
}

impl Keyspace {
    /// The data as of now becomes a snapshot.
    ///
    /// **The write gate must be closed**: nobody is within a pass, and nobody holds a shard.
    pub fn cut(self: &Arc<Self>, options: SnapshotOptions) -> Result<Snapshot, Busy> {
        if self.snapshot.0.swap(true, Ordering::AcqRel) {
            return Err(Busy);
        }
        let mut writer = Writer::new();
        if !options.compress {
            writer = writer.without_compression();
        }
        let mut totals = Totals::default();
        let mut shards = self.hold_all();
        for index in 0..self.databases() {
            let size = self.size(index);
            if size.keys == 0 {
                continue;
            }
            totals.keys += size.keys;
            totals.expires += size.expires;
            totals.subexpiry += size.subexpiry;
            file::write_database(&mut writer, index, size.keys, size.expires);
            crate::HeldShards::each(&mut shards, &mut |shard| {
                for entry in shard.database(index).into_iter().flat_map(|db| db.table().iter()) {
                    persist::save_entry(&mut writer, &entry, options.access, options.now_ms);
                }
            });
        }
        drop(shards);
        let (space, body) = (Arc::clone(self), writer.into_bytes());
        Ok(Snapshot { space, totals, keys_done: 0, body, sent: 0 })
    }
}

impl Snapshot {
    /// What there was at the cut.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// How many of the keys have been read.
    pub fn keys_done(&self) -> u64 {
        self.keys_done
    }

    /// Appends the next bytes of the body of an RDB file to `out`, about `bytes_max` at most: opcodes
    /// that select a database and tell its size, and keys with their values. A database may be
    /// selected more than once. Returns whether there is more; what comes may be nothing even so.
    pub fn read(&mut self, out: &mut Vec<u8>, bytes_max: usize) -> bool {
        let rest = &self.body[self.sent..];
        let part = &rest[..rest.len().min(bytes_max)];
        out.extend_from_slice(part);
        self.sent += part.len();
        let more = self.sent < self.body.len();
        if !more {
            self.keys_done = self.totals.keys;
        }
        more
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.space.snapshot.0.store(false, Ordering::Release);
    }
}
