//! One shard: the tables of all databases for the keys whose hash begins with the shard's number.

use crate::Entry;
use stdx::hash::Seed;
use table::Table;

/// One database's part in one shard.
#[derive(Debug)]
pub struct Database {
    pub(crate) table: Table<Entry>,
    /// How many entries have an expiry.
    pub(crate) expires: u64,
    /// Bytes of all entries.
    pub(crate) entry_bytes: u64,
    /// Sum of (expiry - now) seen by the last sweep, and its count: average TTL for INFO.
    pub(crate) ttl_sum_ms: i128,
    pub(crate) ttl_count: u64,
}

impl Database {
    fn new(shard_bits: u32, seed: Seed) -> Self {
        Self {
            table: Table::new(shard_bits, seed),
            expires: 0,
            entry_bytes: 0,
            ttl_sum_ms: 0,
            ttl_count: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn table(&self) -> &Table<Entry> {
        &self.table
    }
}

/// One shard.
#[derive(Debug)]
pub struct Shard {
    pub(crate) id: usize,
    pub(crate) bits: u32,
    pub(crate) seed: Seed,
    pub(crate) databases: Vec<Database>,
    /// End of the last journal record that touched this shard.
    pub lsn: u64,
}

impl Shard {
    pub(crate) fn new(id: usize, bits: u32, seed: Seed) -> Self {
        Self { id, bits, seed, databases: Vec::new(), lsn: 0 }
    }

    #[inline]
    pub fn database(&self, index: u32) -> Option<&Database> {
        self.databases.get(index as usize)
    }

    /// The database, made if it has never been written to.
    #[inline]
    pub(crate) fn database_mut(&mut self, index: u32) -> &mut Database {
        let index = index as usize;
        while self.databases.len() <= index {
            self.databases.push(Database::new(self.bits, self.seed));
        }
        &mut self.databases[index]
    }
}
