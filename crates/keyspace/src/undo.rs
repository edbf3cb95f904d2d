//! What keys were before a script changed them, so that its effects can be taken back.
//!
//! A copy of an entry is O(1) for what is large and a small block otherwise. Taking back restores
//! data and nothing else: watchers were told of a change, which is as if it had come and gone.

use crate::{Entry, HeldShards, KeyRef, Keyspace, Record, Shard};
use stdx::hash::Set;
use table::Borrowed;

/// The keys that a script has changed, or may have, as they were. While it is in [`Record::undo`],
/// what has expired is kept when it goes, too: that is so with reads as well.
pub struct Undo {
    kept: Vec<Kept>,
    /// The keys in `kept`, once they are more than [`FEW`].
    keys: Set<Box<[u8]>>,
}

/// So many keys are looked through one by one.
// PERF: `side_by_side.py ops --only EVAL`: most scripts write one key, and a map costs two allocations.
const FEW: usize = 16;

pub(crate) struct Kept {
    hash: u64,
    was: Was,
}

enum Was {
    /// In this database; in others too, by an element of their own.
    There(u32, Entry),
    Absent(Box<[u8]>),
}

impl Kept {
    fn key(&self) -> &[u8] {
        match &self.was {
            Was::There(_, entry) => entry.key(),
            Was::Absent(key) => key,
        }
    }
}

impl Undo {
    /// Nothing yet. [`Undo::end`] gives back what was taken of `record`.
    pub fn new(space: &Keyspace, record: &mut Record) -> Self {
        Self { kept: std::mem::take(&mut record.kept), keys: Set::with_hasher(space.seed()) }
    }

    /// Nothing is taken back any more.
    pub fn end(mut self, record: &mut Record) {
        self.kept.clear();
        if self.kept.capacity() <= FEW {
            record.kept = self.kept;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn has(&self, key: &KeyRef<'_>) -> bool {
        if !self.keys.is_empty() {
            return self.keys.contains(key.bytes());
        }
        self.kept.iter().any(|kept| kept.hash == key.hash() && kept.key() == key.bytes())
    }

    /// Keeps the key as it is, unless it was kept before. Its shard is held. `false`: that would be
    /// dear, as a long string whose bytes are shared is copied by the first edit.
    #[must_use]
    pub fn keep(&mut self, held: &mut dyn HeldShards, key: &KeyRef<'_>) -> bool {
        if self.has(key) {
            return true;
        }
        let shard = held.look(key.shard());
        if shard.entries_of(key).any(|(_, entry)| entry.is_shared()) {
            return false;
        }
        self.add(shard, key);
        true
    }

    /// As [`Undo::keep`], however dear that is.
    pub fn keep_at_any_cost(&mut self, held: &mut dyn HeldShards, key: &KeyRef<'_>) {
        self.keep_gone(held.look(key.shard()), key);
    }

    /// As [`Undo::keep`], for a key that goes: nothing is edited then.
    pub(crate) fn keep_gone(&mut self, shard: &Shard, key: &KeyRef<'_>) {
        if !self.has(key) {
            self.add(shard, key);
        }
    }

    fn add(&mut self, shard: &Shard, key: &KeyRef<'_>) {
        let (hash, before) = (key.hash(), self.kept.len());
        self.kept.extend(shard.entries_of(key).map(|(index, entry)| {
            let was = Was::There(index, entry.copied(key.bytes()));
            Kept { hash, was }
        }));
        if self.kept.len() == before {
            self.kept.push(Kept { hash, was: Was::Absent(key.bytes().into()) });
        }
        if !self.keys.is_empty() {
            self.keys.insert(key.bytes().into());
        } else if self.kept.len() > FEW {
            self.keys.extend(self.kept.iter().map(|kept| kept.key().into()));
        }
    }

    /// Makes all keys what they were. Their shards are held.
    pub fn take_back(&mut self, space: &Keyspace, held: &mut dyn HeldShards, record: &mut Record) {
        for kept in &self.kept {
            let (hash, id) = space.place(kept.key());
            let shard = held.shard(id);
            for index in 0..shard.databases.len() as u32 {
                if let Some(entry) = shard.take(index, hash, kept.key(), record) {
                    record.discard(entry);
                }
            }
        }
        for Kept { hash, was } in self.kept.drain(..) {
            if let Was::There(index, entry) = was {
                let (_, id) = space.place(entry.key());
                held.shard(id).add(index, hash, entry, record);
            }
        }
        self.keys.clear();
    }
}

impl Shard {
    /// The entries of a key in all databases.
    fn entries_of(&self, key: &KeyRef<'_>) -> impl Iterator<Item = (u32, Borrowed<'_, Entry>)> {
        let (hash, name) = (key.hash(), key.bytes());
        (0..).zip(&self.databases).filter_map(move |(index, database)| {
            let table = database.table();
            Some((index, table.get(table.find(hash, name)?)))
        })
    }
}
