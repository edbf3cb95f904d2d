//! What happened to the keyspace while one command ran. `execute` compares it with the effect
//! that the handler returned, and tells those who wait for it.

use crate::{Entry, Event};
use table::Table;

/// Something large to be freed outside the locks.
#[derive(Debug)]
pub enum Garbage {
    Entry(Entry),
    Table(Box<Table<Entry>>),
}

/// One change, kept only while somebody listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub db: u32,
    pub key: Vec<u8>,
    pub event: Event,
}

/// The record of one command; reused, cleared by the engine.
#[derive(Debug, Default)]
pub struct Record {
    /// Number of changes.
    pub changes: u32,
    /// What changed, in order, if `listening`.
    pub noted: Vec<Change>,
    /// Whether anybody wants to know what changed.
    pub listening: bool,
    /// Keys that a read found expired: database and key.
    pub stale: Vec<(u32, Vec<u8>)>,
    /// Keys that a write found expired and deleted: they go to the log before its effect.
    pub expired: Vec<(u32, Vec<u8>)>,
    pub hits: u64,
    pub misses: u64,
    pub garbage: Vec<Garbage>,
}

impl Record {
    #[inline]
    pub(crate) fn note(&mut self, db: u32, key: &[u8], event: Event) {
        self.changes += 1;
        if self.listening {
            self.noted.push(Change { db, key: key.to_vec(), event });
        }
    }

    /// Forgets the command; statistics and garbage stay for the batch.
    #[inline]
    pub fn clear(&mut self) {
        self.changes = 0;
        self.noted.clear();
        self.stale.clear();
        self.expired.clear();
    }

    /// Hands an entry to the background if freeing it takes long, else frees it.
    #[inline]
    pub(crate) fn discard(&mut self, entry: Entry) {
        if entry.is_shared() {
            self.garbage.push(Garbage::Entry(entry));
        }
    }
}
