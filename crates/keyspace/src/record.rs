//! What happened to the keyspace while one command ran. `execute` compares it with the effect
//! that the handler returned, and tells those who wait for it.

use crate::shard::Table;
use crate::waiters::note_ready;
use crate::{Entry, Event, ReadyKey, Shard, Undo};
use table::Retired;

/// Something large to be freed outside the locks.
pub enum Garbage {
    Entry(Entry),
    Bytes(std::sync::Arc<Vec<u8>>),
    Collection(types::Any),
    /// All of a database's part of a shard, with the bytes that were accounted for it.
    Table {
        table: Box<Table>,
        bytes: u64,
    },
    /// Memory of tables that a prefetch may still read.
    Memory(Vec<Retired>),
}

impl Garbage {
    /// Whether a prefetch may still be reading it.
    pub fn may_be_read(&self) -> bool {
        matches!(self, Self::Table { .. } | Self::Memory(_))
    }

    /// How many keys it is, for the count of what waits to be freed.
    pub fn objects(&self) -> u64 {
        match self {
            Self::Entry(_) | Self::Bytes(_) | Self::Collection(_) => 1,
            Self::Memory(_) => 0,
            Self::Table { table, .. } => table.len() as u64,
        }
    }

    /// Whether freeing it takes long enough to be left to another thread.
    pub fn is_large(&self) -> bool {
        const LARGE_BYTES: usize = 64 << 10;
        // Of many pieces.
        const COLLECTION_BYTES: usize = 32 << 10;
        match self {
            Self::Entry(entry) if entry.is_boxed() => entry.bytes() >= COLLECTION_BYTES,
            Self::Entry(entry) => entry.bytes() >= LARGE_BYTES,
            Self::Bytes(bytes) => bytes.capacity() >= LARGE_BYTES,
            Self::Collection(any) => any.heap_bytes() >= COLLECTION_BYTES,
            Self::Memory(_) => self.bytes() >= LARGE_BYTES as u64,
            Self::Table { .. } => true,
        }
    }

    /// Bytes that freeing it gives back, if nobody else holds them.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.bytes() as u64,
            Self::Bytes(bytes) => bytes.capacity() as u64,
            Self::Collection(any) => any.heap_bytes() as u64,
            Self::Memory(retired) => retired.iter().map(|one| one.bytes() as u64).sum(),
            Self::Table { bytes, .. } => *bytes,
        }
    }
}

/// One change, kept only while somebody listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub db: u32,
    pub key: Vec<u8>,
    pub event: Event,
    /// The elements of the key's value that it is of, if that is known and asked for.
    pub elements: Vec<Vec<u8>>,
}

/// A key that a read found expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    pub db: u32,
    pub key: Vec<u8>,
    /// The read counts as one that missed the key.
    pub missed: bool,
}

/// The record of one command; reused, cleared by the engine.
#[derive(Default)]
pub struct Record {
    /// Number of changes.
    pub changes: u32,
    /// What changed, in order, if `listening`.
    pub noted: Vec<Change>,
    /// Whole databases changed.
    pub flushed: bool,
    /// Whether anybody wants to know what changed.
    pub listening: bool,
    /// Whether anybody wants to know the elements, too.
    pub naming: bool,
    /// The access bits of what changes now, where changes are what the access clock tells.
    pub(crate) modified: Option<u32>,
    /// Keys that a read found expired.
    pub stale: Vec<Stale>,
    /// Keys that a walk, which holds no shard, has met expired, with their databases: they are
    /// deleted once it is over.
    pub met: Vec<(u32, Vec<u8>)>,
    /// Keys that a write found expired and deleted: they go to the log before its effect.
    pub expired: Vec<(u32, Vec<u8>)>,
    /// Elements that a write found expired and deleted: they go to the log before its effect, too.
    pub elements: Vec<crate::ExpiredElements>,
    /// How many of the changes are the deletion of such elements.
    pub(crate) element_changes: u32,
    /// Keys that changed while somebody waited for them. They stay until those have been looked
    /// after, which is before the locks go.
    pub ready: Vec<ReadyKey>,
    pub hits: u64,
    pub misses: u64,
    pub garbage: Vec<Garbage>,
    /// Where packed blocks are edited.
    pub(crate) block: Vec<u8>,
    /// While a script runs that may be taken back: what there was before.
    pub undo: Option<Undo>,
    /// For the next of these; empty.
    pub(crate) kept: Vec<crate::undo::Kept>,
}

impl Record {
    /// A key of `shard` changed: counts it, and tells those who are interested in it.
    #[inline]
    pub(crate) fn note(&mut self, shard: &mut Shard, db: u32, key: &[u8], event: Event) {
        self.changes += 1;
        if !shard.interest.is_empty() && shard.interest.changed(db, key, event) {
            note_ready(&mut self.ready, db, key, shard.id);
        }
        if let Some(bits) = self.modified {
            shard.stamp(db, key, bits);
        }
        self.aside(db, key, event);
    }

    /// What goes along with a change that is noted by itself.
    #[inline]
    pub(crate) fn aside(&mut self, db: u32, key: &[u8], event: Event) {
        if self.listening {
            self.noted.push(Change { db, key: key.to_vec(), event, elements: Vec::new() });
        }
    }

    /// Names the elements that the last `event` of the key was of, if anybody wants to know.
    pub(crate) fn name_elements<'n>(
        &mut self,
        key: &[u8],
        event: Event,
        names: impl IntoIterator<Item = &'n [u8]>,
    ) {
        if !self.naming {
            return;
        }
        let last = self.noted.iter_mut().rev().find(|one| one.event == event && one.key == key);
        if let Some(change) = last {
            change.elements = names.into_iter().map(<[u8]>::to_vec).collect();
        }
    }

    /// A key came to be.
    pub(crate) fn created(&mut self, db: u32, key: &[u8]) {
        self.aside(db, key, Event::NEW);
    }

    /// The value of a key took the place of another; `retyped`: of another type.
    pub(crate) fn overwritten(&mut self, db: u32, key: &[u8], retyped: bool) {
        self.aside(db, key, Event::OVERWRITTEN);
        if retyped {
            self.aside(db, key, Event::TYPE_CHANGED);
        }
    }

    /// Discards an entry in whose place one of type `new` comes; whether it was of another type.
    pub(crate) fn replaced(&mut self, old: Entry, new: types::Type) -> bool {
        let retyped = old.type_of() != new;
        self.discard(old);
        retyped
    }

    /// Whether anything happened that others may want to hear of.
    #[inline]
    pub fn has_news(&self) -> bool {
        self.changes > 0 || !self.noted.is_empty()
    }

    /// Whether more happened than the deletion of what had expired.
    pub fn changed_beyond_expiry(&self) -> bool {
        self.changes as usize > self.expired.len() + self.element_changes as usize
    }

    /// Forgets the command; statistics and garbage stay for the batch.
    #[inline]
    pub fn clear(&mut self) {
        self.changes = 0;
        self.flushed = false;
        self.element_changes = 0;
        let Self { noted, stale, expired, elements, .. } = self;
        if noted.len() | stale.len() | expired.len() | elements.len() != 0 {
            noted.clear();
            stale.clear();
            expired.clear();
            elements.clear();
        }
    }

    /// Hands an entry to the background if freeing it takes long, else frees it.
    #[inline]
    pub(crate) fn discard(&mut self, entry: Entry) {
        if entry.is_shared() || entry.is_boxed() {
            self.garbage.push(Garbage::Entry(entry));
        }
    }
}
