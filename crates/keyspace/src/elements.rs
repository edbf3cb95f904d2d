//! Expiry within values: elements, such as the fields of a hash, that expire while their key stays.
//!
//! Reads hide what has expired and never delete it. Two delete, both through the log: a write, those
//! among the elements that it is about to touch ([`WriteGuard::purge_elements`]), and the sweep
//! ([`crate::Keyspace::sweep`]), which finds a value by the lower bound that it keeps of its
//! elements' expiries. A key that has nothing left goes with its last element.

use crate::collection::edit_in_place;
use crate::db::locked;
use crate::shard::Weight;
use crate::{Db, Event, KeyRef, Record, Shard, WriteGuard};
use types::hash::Hash;
use types::set::Set;
use types::zset::ZSet;
use types::{Collection, Type, View as _};

/// Elements that had expired and were deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiredElements {
    pub db: u32,
    pub key: Vec<u8>,
    pub of: Type,
    pub names: Vec<Vec<u8>>,
}

impl ExpiredElements {
    /// The command that deletes them, for the log.
    pub fn command(&self) -> Vec<&[u8]> {
        let mut words = vec![told_as(self.of).0, &*self.key];
        words.extend(self.names.iter().map(Vec::as_slice));
        words
    }
}

/// The command that deletes elements of this type, and the event of their expiry.
fn told_as(of: Type) -> (&'static [u8], Event) {
    match of {
        Type::Hash => (b"HDEL", Event::hash("hexpired")),
        Type::Set => (b"SREM", Event::set("sexpired")),
        Type::ZSet => (b"ZREM", Event::zset("zexpired")),
        Type::String | Type::List | Type::Stream | Type::Array | Type::SortedInt | Type::Job => {
            unreachable!("elements of this type do not expire")
        }
    }
}

impl Record {
    /// Elements of a key were deleted because they had expired; with the last of them goes the key.
    fn elements_expired(&mut self, shard: &mut Shard, gone: ExpiredElements, is_empty: bool) {
        let event = told_as(gone.of).1;
        self.note(shard, gone.db, &gone.key, event);
        self.name_elements(&gone.key, event, gone.names.iter().map(Vec::as_slice));
        self.element_changes += 1;
        if is_empty {
            let hash = shard.hash(&gone.key);
            if let Some(entry) = shard.take(gone.db, hash, &gone.key, self) {
                self.discard(entry);
            }
            self.note(shard, gone.db, &gone.key, Event::DEL);
            self.element_changes += 1;
        }
        self.elements.push(gone);
    }
}

impl<T: Collection> WriteGuard<'_, '_, T> {
    /// Deletes those of the elements named that have expired, for all to see, before the command
    /// that names them changes anything.
    pub fn purge_elements<'n>(&mut self, names: impl IntoIterator<Item = &'n [u8]>) {
        let horizon_ms = self.db.horizon_ms;
        let earliest = self.view().earliest_expiry();
        let Some(at) = self.at.filter(|_| earliest.is_some_and(|at| at <= horizon_ms)) else {
            return;
        };
        let (names, is_empty) = self.edit_entry(at, |value| {
            let mut names = names.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
            names.retain(|name| value.expire_element(horizon_ms, name));
            names
        });
        if names.is_empty() {
            return;
        }
        if is_empty {
            self.at = None;
        }
        let (db, key) = (self.db.index, self.key.bytes().to_vec());
        let shard = locked(&mut self.db.held, self.key);
        let gone = ExpiredElements { db, key, of: T::TYPE, names };
        self.db.record.elements_expired(shard, gone, is_empty);
    }

    /// Deletes all elements that have expired, for all to see, before a command changes what is left.
    pub fn purge_all_elements(&mut self) {
        let horizon_ms = self.db.horizon_ms;
        if self.view().earliest_expiry().is_none_or(|at| at > horizon_ms) {
            return;
        }
        let (index, key) = (self.db.index, self.key);
        let shard = locked(&mut self.db.held, key);
        shard.expire_elements(index, key.bytes(), horizon_ms, usize::MAX, self.db.record);
        self.at = shard.databases[index as usize].table().find(key.hash(), key.bytes());
    }
}

impl WriteGuard<'_, '_, ZSet> {
    /// Deletes, for all to see, what has expired between an end of the set, the lower one if `least`,
    /// and the last of the `count` members that a command is about to take there; all that has, if
    /// that is much or nothing else will be left.
    pub fn purge_end(&mut self, least: bool, count: usize) {
        const FEW: usize = 256;
        let horizon_ms = self.db.horizon_ms;
        let view = self.view();
        if view.earliest_expiry().is_none_or(|at| at > horizon_ms) {
            return;
        }
        let len = view.at(horizon_ms).len();
        if count >= len {
            return self.purge_all_elements();
        }
        // The `count` that stay, and whoever has expired before the last of them.
        let mut walk = view.range(0..view.len());
        let (mut expired, mut taken) = (Vec::new(), 0);
        while taken < count && expired.len() <= FEW {
            let Some((member, _)) = (if least { walk.next() } else { walk.next_back() }) else {
                break;
            };
            let member = member.to_vec();
            if view.expiry(&member).flatten().is_some_and(|at| at <= horizon_ms) {
                expired.push(member);
            } else {
                taken += 1;
            }
        }
        if expired.len() > FEW {
            return self.purge_all_elements();
        }
        self.purge_elements(expired.iter().map(Vec::as_slice));
    }
}

impl Db<'_> {
    /// Deletes all elements of a key that have expired, for all to see, before a command takes them
    /// for its result: that may then be logged as it was sent.
    pub fn purge_expired_elements(&mut self, key: &KeyRef<'_>) {
        let (index, horizon_ms) = (self.index, self.horizon_ms);
        let is_due = self
            .seen_entry(key)
            .and_then(|entry| entry.earliest_element())
            .is_some_and(|at| at <= horizon_ms);
        if is_due {
            let shard = locked(&mut self.held, key);
            shard.expire_elements(index, key.bytes(), horizon_ms, usize::MAX, self.record);
        }
    }
}

impl Shard {
    /// Deletes about `budget` elements of a key that expire at or before `now_ms`; the last of the
    /// record's `elements` says which. Returns how many, and whether more are due.
    pub(crate) fn expire_elements(
        &mut self,
        db: u32,
        key: &[u8],
        now_ms: i64,
        budget: usize,
        record: &mut Record,
    ) -> (usize, bool) {
        let hash = self.hash(key);
        let Some(database) = self.databases.get_mut(db as usize) else { return (0, false) };
        let Some(at) = database.table().find(hash, key) else { return (0, false) };
        let mut entry = database.change(hash).get_mut(at);
        let (of, old) = (entry.type_of(), Weight::of(&entry));
        let mut names = Vec::new();
        let mut gone = |name: &[u8]| names.push(name.to_vec());
        let block = &mut record.block;
        let gone = &mut gone;
        let is_empty = match of {
            Type::Hash => {
                let expire = |hash: &mut Hash| hash.expire(now_ms, budget, gone);
                edit_in_place::<Hash, _>(&mut entry, block, expire).1
            }
            Type::Set => {
                let expire = |set: &mut Set| set.expire(now_ms, budget, gone);
                edit_in_place::<Set, _>(&mut entry, block, expire).1
            }
            Type::ZSet => {
                let expire = |set: &mut ZSet| set.expire(now_ms, budget, gone);
                edit_in_place::<ZSet, _>(&mut entry, block, expire).1
            }
            Type::String
            | Type::List
            | Type::Stream
            | Type::Array
            | Type::SortedInt
            | Type::Job => {
                return (0, false);
            }
        };
        let (new, more) = (Weight::of(&entry), entry.earliest_element());
        drop(entry);
        self.account(db, Some(old), Some(new));
        let count = names.len();
        if count > 0 {
            let gone = ExpiredElements { db, key: key.to_vec(), of, names };
            record.elements_expired(self, gone, is_empty);
        }
        (count, more.is_some_and(|at| at <= now_ms) && !is_empty)
    }
}
