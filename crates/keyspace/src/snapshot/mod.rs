//! Snapshots without fork: the keys as they are at one moment, in RDB form, read bit by bit while
//! everybody goes on.
//!
//! ```text
//!   cut         under the write gate: every table gets a part, all of whose cells are not done
//!   writers     before a key changes: copy its cell, unless it is done ──► queue ─┐
//!   the reader  walks the cells, copies those that are not done ──────────────────┴─► writes them
//! ```
//!
//! A cell is a range of hashes with one key in it, if any: **what is in a cell that is not done is as it
//! was at the cut**, since the first to change anything in it, or to walk over it, copies all of it
//! and marks it, under the shard's lock. So each key of the cut comes exactly once, wherever tables
//! grow, shrink or split meanwhile, as a cell is a place in hash space and not in memory. A part
//! stays with its table when SWAPDB moves it; a table that is flushed goes to the snapshot, whole.
//!
//! Copies of large values are O(1): the reader writes them from its clone, outside the locks, slice
//! by slice, and gives up what it has written. It takes clones from the queue before all else, since
//! a write to a value that is shared copies a part of it.
//!
//! The queue cannot deadlock: who holds a shard never waits for it. It is bounded by letting writers
//! rest between commands ([`Keyspace::rests`]), and by pausing the walk. Of a reader that hangs
//! memory grows, slowly, by what a fork would take.
//!
//! Workers walk, between requests ([`Helper`]): a thread that does more than that, and is put
//! aside by the kernel while it holds a shard, would hold up all of them. Where nobody helps the
//! reader walks itself.

mod cells;
mod part;
#[cfg(test)]
#[cfg(shuttle)]
mod schedules;
mod shared;
#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;

use crate::{AccessClock, Entry, HeldShards, Keyspace, Shard, Stalled, persist};
use cells::Cells;
use lock::ShardId;
pub(crate) use part::Part;
use rdb::{Dialect, Writer, file};
pub(crate) use shared::Shared;
use shared::{Batch, Handed};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use types::persist::Saving;

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

/// The keyspace's only snapshot, from its beginning to its end: then no table has a part of it.
struct Turn(Arc<Keyspace>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.dispose(&mut self.0.snapshot.end());
    }
}

/// A snapshot whose cut was made: it is in the tables, too. What a script holds it leaves when that ends.
struct Made(Arc<Turn>);

impl Made {
    fn space(&self) -> &Keyspace {
        &self.0.0
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for id in self.space().shards().ids() {
            let turn = Arc::clone(&self.0);
            self.space().later(id, move |shard| {
                let parts = shard.databases.iter_mut().filter_map(|one| one.part().1.take());
                parts.for_each(|part| part.end());
                drop(turn);
            });
        }
    }
}

/// A snapshot that has all the memory that its cut takes.
pub struct Prepared {
    turn: Turn,
    options: SnapshotOptions,
    /// By shard, then by database.
    cells: Vec<Vec<Option<Cells>>>,
}

/// A snapshot under way. Whoever reads it is on any thread, and need not hurry. Dropping it before
/// its end gives it up; neither is done by a thread that holds a shard.
pub struct Snapshot {
    made: Made,
    options: SnapshotOptions,
    totals: Totals,
    /// By database: keys and keys with an expiry, until they have been written.
    sizes: Vec<Option<(u64, u64)>>,
    keys_done: u64,
    writer: Writer<'static>,
    /// The database that the reader of the bytes has selected.
    selected: Option<u32>,
    /// The value whose key has been written.
    saving: Option<Saving>,
    db: u32,
    entries: std::vec::IntoIter<Entry>,
    handed: Option<Handed>,
    walker: Walker,
}

impl Keyspace {
    /// Begins a snapshot: allocates what its cut needs.
    pub fn prepare_snapshot(self: &Arc<Self>, options: SnapshotOptions) -> Result<Prepared, Busy> {
        if !self.snapshot.begin() {
            return Err(Busy);
        }
        let turn = Turn(Arc::clone(self));
        let cells = |id, db| {
            let keys = self.count_of(id, db).keys.load(Ordering::Relaxed);
            (keys > 0).then(|| Cells::new(keys))
        };
        let cells = |id| (0..self.databases()).map(|db| cells(id, db)).collect();
        Ok(Prepared { cells: self.shards().ids().map(cells).collect(), turn, options })
    }

    /// Whether a snapshot is under way.
    pub fn has_snapshot(&self) -> bool {
        self.snapshot.is_busy()
    }

    /// Bytes that were copied for a snapshot and its reader has not taken yet.
    pub fn snapshot_lag(&self) -> u64 {
        self.snapshot.queued_bytes()
    }

    /// Whether a client that has just changed data should rest for the reader of a snapshot to catch
    /// up; if so, `waker` is called when it has. Called between commands, without locks.
    #[inline]
    pub fn rests(&self, waker: &Waker) -> bool {
        self.snapshot.rest(waker, || self.accounted_bytes())
    }

    /// Lets all go on who rest: at intervals, so that a reader whose disk hangs stops nobody.
    pub fn end_rests(&self) {
        self.snapshot.wake_resting();
    }
}

impl Prepared {
    /// The data as of now becomes the snapshot.
    ///
    /// **The write gate must be closed**: nobody is within a pass, and nobody holds a shard.
    pub fn cut(self) -> Snapshot {
        let Self { turn, options, cells } = self;
        let made = Made(Arc::new(turn));
        let space = &made.0.0;
        let mut totals = Totals::default();
        let mut sizes = Vec::new();
        for db in 0..space.databases() {
            let size = space.size(db);
            totals.keys += size.keys;
            totals.expires += size.expires;
            totals.subexpiry += size.subexpiry;
            sizes.push(Some((size.keys, size.expires)));
        }
        let mut cells = cells.into_iter();
        space.hold_all().each(&mut |shard| {
            let mut cells = cells.next().into_iter().flatten();
            for (db, database) in (0..).zip(&mut shard.databases) {
                let cells = cells.next().flatten();
                if !database.is_empty() {
                    let cells = cells.unwrap_or_else(|| Cells::new(database.len() as u64));
                    database.begin_part(Part::new(Arc::clone(&space.snapshot), db, cells));
                }
            }
        });
        space.snapshot.wake_helpers();
        let mut writer = Writer::new();
        if !options.compress {
            writer = writer.without_compression();
        }
        Snapshot {
            made,
            options,
            totals,
            sizes,
            keys_done: 0,
            writer,
            selected: None,
            saving: None,
            db: 0,
            entries: Vec::new().into_iter(),
            handed: None,
            walker: Walker { shard: 0 },
        }
    }
}

impl Snapshot {
    /// The moment of the cut in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.options.now_ms
    }

    /// What there was at the cut.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// What is read from here on is for these readers.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.writer.set_dialect(dialect);
    }

    /// For whom it is read.
    pub fn dialect(&self) -> Dialect {
        self.writer.dialect()
    }

    /// How many of the keys have been read.
    pub fn keys_done(&self) -> u64 {
        self.keys_done
    }

    /// Appends the next bytes of the body of an RDB file to `out`, about `bytes_max` at most: opcodes
    /// that select a database and tell its size, and keys with their values. A database may be
    /// selected more than once. Returns whether there is more; what comes may be nothing even so.
    pub fn read(&mut self, out: &mut Vec<u8>, bytes_max: usize) -> bool {
        let mut more = true;
        while more && self.writer.buffered() < bytes_max {
            let room = bytes_max - self.writer.buffered();
            if let Some(saving) = &mut self.saving {
                if !saving.step(&mut self.writer, room) {
                    self.saving = None;
                }
            } else if let Some(entry) = self.entries.next() {
                self.write(&entry);
            } else if let Some(batch) = self.next_batch() {
                self.db = batch.db;
                self.entries = batch.into_entries();
            } else {
                more = false;
            }
        }
        self.writer.take(out);
        more
    }

    /// Writes an entry, of a large value only what stands before it.
    fn write(&mut self, entry: &Entry) {
        let SnapshotOptions { now_ms, access, .. } = self.options;
        let db = self.db;
        if self.selected != Some(db) {
            match self.sizes.get_mut(db as usize).and_then(Option::take) {
                Some((keys, expires)) => {
                    file::write_database(&mut self.writer, db, keys, expires);
                }
                None => file::select_database(&mut self.writer, db),
            }
            self.selected = Some(db);
        }
        persist::save_key(&mut self.writer, entry, access, now_ms);
        let value = entry.value();
        match persist::large(&value) {
            Some(saving) => self.saving = Some(saving),
            None => value.saved().save(&mut self.writer),
        }
        self.keys_done += 1;
    }

    /// The next entries: from the queue, from tables that were handed over, from the walk. `None`
    /// when there is nothing left.
    fn next_batch(&mut self) -> Option<Batch> {
        /// Steps of the walk before it is left to the helpers again.
        const STEPS: usize = 16;
        loop {
            let space = self.made.space();
            let parts = space.snapshot.parts();
            if let Some(batch) = space.snapshot.pop() {
                return Some(batch);
            }
            if let Some(mut handed) = self.handed.take().or_else(|| space.snapshot.pop_handed()) {
                if handed.part.walk(&handed.table) {
                    self.handed = Some(handed);
                } else {
                    space.dispose(&mut vec![handed.into_garbage()]);
                }
            } else if parts == 0 {
                return None;
            } else if !space.snapshot.await_batch() {
                for _ in 0..STEPS {
                    self.walker.step(space);
                }
            }
        }
    }
}

/// Goes over shards and walks over their parts of a snapshot.
struct Walker {
    shard: usize,
}

impl Walker {
    /// Walks a step in the shard where it is, or the next that has a part. What a script holds comes last.
    fn step(&mut self, space: &Keyspace) {
        for _ in 0..space.shards().count() {
            let walked =
                space.soon_one(ShardId(self.shard as u16)).map(|mut it| walk_shard(&mut it));
            if walked == Ok(true) {
                return;
            }
            self.shard = (self.shard + 1) % space.shards().count();
            if walked == Err(Stalled) {
                return;
            }
        }
    }
}

/// Walks a step over one of the shard's parts; `false`: it has none.
fn walk_shard(shard: &mut Shard) -> bool {
    for database in &mut shard.databases {
        let (table, slot) = database.part();
        if let Some(part) = slot {
            if !part.walk(table)
                && let Some(part) = slot.take()
            {
                part.end();
            }
            return true;
        }
    }
    false
}

/// Somebody who walks for the reader of a snapshot, in between: then the reader holds no shard. Its
/// thread may be one that others are preferred to.
pub struct Helper {
    space: Arc<Keyspace>,
    walker: Walker,
}

impl Helper {
    /// Helpers of different numbers begin at different shards.
    pub fn new(space: &Arc<Keyspace>, number: usize) -> Self {
        space.snapshot.helper_comes();
        let count = space.shards().count();
        // Far apart: the bits of the number, the other way round.
        let shard = number.reverse_bits() >> 1 >> (usize::BITS - 1 - count.trailing_zeros());
        Self { space: Arc::clone(space), walker: Walker { shard } }
    }

    /// Ready when there is something to do; else `waker` is called when there is.
    pub fn poll(&self, waker: &Waker) -> Poll<()> {
        self.space.snapshot.poll_walk(waker)
    }

    /// Does some of it: microseconds.
    pub fn step(&mut self) {
        self.walker.step(&self.space);
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.space.snapshot.helper_goes();
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Some(handed) = self.handed.take() {
            self.made.space().snapshot.hand_over(handed);
        }
    }
}

/// It is read by a thread of its own.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Snapshot>();
    is_send::<Prepared>();
};
