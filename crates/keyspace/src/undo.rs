//! What keys were before a script changed them, so that its effects can be taken back.
//!
//! A copy of an entry is O(1) for what is large and a small block otherwise. Taking back restores
//! data and nothing else: watchers were told of a change, which is as if it had come and gone.

use crate::{Entry, HeldShards, KeyRef, Keyspace, Record};
use stdx::hash::Map;

/// The keys that a script has changed, or may have, as they were.
pub struct Undo {
    /// By key, its entries in the databases that have one.
    kept: Map<Box<[u8]>, Vec<(u32, Entry)>>,
}

impl Undo {
    pub fn new(space: &Keyspace) -> Self {
        Self { kept: Map::with_hasher(space.seed()) }
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Keeps the key as it is, unless it was kept before. Its shard is held. `false`: that would be
    /// dear, as a long string whose bytes are shared is copied by the first edit.
    #[must_use]
    pub fn keep(&mut self, held: &mut dyn HeldShards, key: &KeyRef<'_>) -> bool {
        if self.kept.contains_key(key.bytes()) {
            return true;
        }
        let mut entries = Vec::new();
        for (index, database) in (0..).zip(&held.look(key.shard()).databases) {
            if let Some(at) = database.table().find(key.hash(), key.bytes()) {
                let entry = database.table().get(at);
                if entry.is_shared() {
                    return false;
                }
                entries.push((index, entry.copied(key.bytes())));
            }
        }
        self.kept.insert(key.bytes().into(), entries);
        true
    }

    /// Makes all keys what they were. Their shards are held.
    pub fn take_back(&mut self, space: &Keyspace, held: &mut dyn HeldShards, record: &mut Record) {
        for (key, entries) in self.kept.drain() {
            let (hash, id) = space.place(&key);
            let shard = held.shard(id);
            for index in 0..shard.databases.len() as u32 {
                if let Some(entry) = shard.take(index, hash, &key, record) {
                    record.discard(entry);
                }
            }
            for (index, entry) in entries {
                shard.add(index, hash, entry, record);
            }
        }
    }
}
