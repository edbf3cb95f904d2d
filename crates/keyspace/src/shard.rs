//! One shard: the tables of all databases for the keys whose hash begins with the shard's number.

use crate::Entry;
use lock::ShardId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stdx::hash::{Seed, sip13};
use table::View;

/// Recomputes the hash of a key when its part of a table splits.
pub type Hasher = Box<dyn Fn(&[u8]) -> u64 + Send + Sync>;

/// A table of entries.
pub type Table = table::Table<Entry, Hasher>;

/// One database's part in one shard.
pub struct Database {
    pub(crate) table: Table,
}

impl Database {
    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn table(&self) -> &Table {
        &self.table
    }
}

/// What may be known of one database's part without the lock. Written under it.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub keys: AtomicU64,
    pub expires: AtomicU64,
    pub bytes: AtomicU64,
    pub ttl_sum_ms: AtomicU64,
    pub ttl_count: AtomicU64,
}

/// What may be known of a shard without its lock.
pub(crate) struct Counts {
    databases: Box<[Count]>,
    views: [Arc<View>; VIEWS],
}

/// Databases from this index on are not prefetched.
const VIEWS: usize = 16;

impl Counts {
    pub(crate) fn new(databases: u32, shard_bits: u32) -> Self {
        Self {
            databases: (0..databases).map(|_| Count::default()).collect(),
            views: std::array::from_fn(|_| Arc::new(View::new(shard_bits))),
        }
    }

    #[inline]
    pub(crate) fn get(&self, db: u32) -> &Count {
        &self.databases[db as usize]
    }

    /// The part of the database's table that may be read without the lock.
    #[inline]
    pub(crate) fn view(&self, db: u32) -> Option<&View> {
        self.views.get(db as usize).map(|view| &**view)
    }

    fn show(&self, index: usize, table: &mut Table) {
        if let Some(view) = self.views.get(index) {
            table.attach(Arc::clone(view));
        }
    }
}

/// Adds to an atomic that only the holder of the shard's lock writes.
#[inline]
fn adjust(count: &AtomicU64, by: i64) {
    count.store(count.load(Ordering::Relaxed).wrapping_add_signed(by), Ordering::Relaxed);
}

/// One shard.
pub struct Shard {
    pub(crate) id: ShardId,
    bits: u32,
    seed: Seed,
    pub(crate) databases: Vec<Database>,
    pub(crate) counts: Arc<Counts>,
    /// End of the last journal record that touched this shard.
    pub lsn: u64,
}

impl Shard {
    pub(crate) fn new(id: ShardId, bits: u32, seed: Seed, counts: Arc<Counts>) -> Self {
        Self { id, bits, seed, databases: Vec::new(), counts, lsn: 0 }
    }

    #[inline]
    pub fn database(&self, index: u32) -> Option<&Database> {
        self.databases.get(index as usize)
    }

    /// The database, made if it has never been written to.
    #[inline]
    pub(crate) fn database_mut(&mut self, index: u32) -> &mut Database {
        while self.databases.len() <= index as usize {
            let mut table = self.empty_table();
            self.counts.show(self.databases.len(), &mut table);
            self.databases.push(Database { table });
        }
        &mut self.databases[index as usize]
    }

    fn empty_table(&self) -> Table {
        let seed = self.seed;
        Table::new(self.bits, Box::new(move |key| sip13(seed, key)))
    }

    /// Keeps the counts in step with an entry that came, went or changed: its old and new
    /// (expires, bytes).
    #[inline]
    pub(crate) fn account(&self, index: u32, old: Option<(bool, usize)>, new: Option<(bool, usize)>) {
        let count = self.counts.get(index);
        let expires = i64::from(new.is_some_and(|n| n.0)) - i64::from(old.is_some_and(|o| o.0));
        if expires != 0 {
            adjust(&count.expires, expires);
        }
        let bytes = new.map_or(0, |n| n.1) as i64 - old.map_or(0, |o| o.1) as i64;
        if bytes != 0 {
            adjust(&count.bytes, bytes);
        }
        let keys = i64::from(new.is_some()) - i64::from(old.is_some());
        if keys != 0 {
            adjust(&count.keys, keys);
        }
    }

    /// Takes all keys of a database away; the table goes to the caller, to be freed once nobody
    /// can be prefetching from it.
    pub(crate) fn empty(&mut self, index: usize) -> Table {
        let mut table = self.empty_table();
        self.databases[index].table.detach();
        self.counts.show(index, &mut table);
        let count = self.counts.get(index as u32);
        for number in [&count.keys, &count.expires, &count.bytes, &count.ttl_sum_ms, &count.ttl_count] {
            number.store(0, Ordering::Relaxed);
        }
        std::mem::replace(&mut self.databases[index].table, table)
    }

    /// Exchanges two databases.
    pub(crate) fn swap(&mut self, first: u32, second: u32) {
        self.database_mut(first.max(second));
        for index in [first as usize, second as usize] {
            self.databases[index].table.detach();
        }
        self.databases.swap(first as usize, second as usize);
        let (a, b) = (self.counts.get(first), self.counts.get(second));
        for (a, b) in [
            (&a.keys, &b.keys),
            (&a.expires, &b.expires),
            (&a.bytes, &b.bytes),
            (&a.ttl_sum_ms, &b.ttl_sum_ms),
            (&a.ttl_count, &b.ttl_count),
        ] {
            let old = a.load(Ordering::Relaxed);
            a.store(b.load(Ordering::Relaxed), Ordering::Relaxed);
            b.store(old, Ordering::Relaxed);
        }
        for index in [first as usize, second as usize] {
            self.counts.show(index, &mut self.databases[index].table);
        }
    }

    /// The hash of a key, as the keyspace computes it.
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        sip13(self.seed, key)
    }
}
