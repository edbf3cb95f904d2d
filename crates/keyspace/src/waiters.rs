//! Clients that wait for keys, in the order in which they came.
//!
//! ```text
//!   a change ─► Record::note ─► somebody waits for the key ─► Record::ready
//!   the engine, before the locks go: for each ready key, for each that waits there ─► its command
//! ```
//!
//! A client that waits for several keys stands in several queues, of several shards, with one
//! [`Waiter`]: who serves it asks the waiter itself whether it still waits. **Outside of all locks
//! no waiter has a key that it could be served from**: whatever brings a key to life is a change,
//! every change comes by here, and who made it serves before it lets go of the shard. What an
//! [`Event`] says to leave the value as it was is none, but for those that hear of all: XGROUP SETID
//! lets nobody go on who waits already, as in Redis.

use crate::db::{Held, locked, not_held};
use crate::{Db, Event, Extent, HeldShards, KeyRef, Keyspace, Record, Shard};
use lock::ShardId;
use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use types::Type;

/// A client that waits. What it waits for, and how it is served, is not known here.
pub trait Waiter: Any + Send + Sync {
    /// Keys, beside those it waits for, whose shards must be held to serve it.
    fn beyond(&self) -> &[KeyPlace];

    /// Whether it wants to know when the key goes, too.
    fn heeds_absence(&self) -> bool;

    /// Whether it wants to know of changes that leave the value as it was, too.
    fn hears_all(&self) -> bool;
}

/// A key and its shard, remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPlace {
    pub key: Box<[u8]>,
    pub shard: ShardId,
}

impl KeyPlace {
    pub fn of(key: &KeyRef<'_>) -> Self {
        Self { key: key.bytes().into(), shard: key.shard() }
    }
}

/// A key that changed while somebody waited for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyKey {
    pub db: u32,
    pub place: KeyPlace,
}

/// Those who wait for one key.
#[derive(Default)]
pub(crate) struct Queue {
    waiters: VecDeque<Arc<dyn Waiter>>,
    /// How many of them have keys beyond.
    reaching: usize,
    /// How many of them heed absence.
    heeding: usize,
    /// How many of them hear of everything.
    hearing: usize,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(crate) fn reaching(&self) -> usize {
        self.reaching
    }

    pub(crate) fn heeds_absence(&self) -> bool {
        self.heeding > 0
    }

    /// Whether an event is for one of them. If it is, all are looked at: they find what they wait
    /// for, or wait on.
    pub(crate) fn hear(&self, event: Event) -> bool {
        self.hearing > 0 || event.extent != Extent::Aside && !self.is_empty()
    }

    fn push(&mut self, waiter: Arc<dyn Waiter>) {
        self.reaching += usize::from(!waiter.beyond().is_empty());
        self.heeding += usize::from(waiter.heeds_absence());
        self.hearing += usize::from(waiter.hears_all());
        self.waiters.push_back(waiter);
    }

    fn remove(&mut self, at: usize) {
        let Some(waiter) = self.waiters.remove(at) else { return };
        self.reaching -= usize::from(!waiter.beyond().is_empty());
        self.heeding -= usize::from(waiter.heeds_absence());
        self.hearing -= usize::from(waiter.hears_all());
    }
}

/// Notes that a key for which somebody waits has changed. Twice in a row is once.
pub(crate) fn note_ready(ready: &mut Vec<ReadyKey>, db: u32, key: &[u8], shard: ShardId) {
    let again = |last: &ReadyKey| last.db == db && *last.place.key == *key;
    if !ready.last().is_some_and(again) {
        ready.push(ReadyKey { db, place: KeyPlace { key: key.into(), shard } });
    }
}

impl Db<'_> {
    /// Lets `waiter` wait for the key, behind those who do.
    pub fn wait(&mut self, key: &KeyRef<'_>, waiter: Arc<dyn Waiter>) {
        let index = self.index;
        let interest = &mut locked(&mut self.held, key).interest;
        interest.edit(index, key.bytes(), |interested| interested.waiters.push(waiter));
    }

    /// The one that waits for the key in place `at` of the queue.
    pub fn waiter(&mut self, ready: &ReadyKey, at: usize) -> Option<Arc<dyn Waiter>> {
        let shard = held(&mut self.held, ready.place.shard);
        let queue = &shard.interest.of(ready.db, &ready.place.key)?.waiters;
        queue.waiters.get(at).cloned()
    }

    /// Whether one of those who wait for the key wants to know when it goes.
    pub fn heeds_absence(&mut self, ready: &ReadyKey) -> bool {
        let shard = held(&mut self.held, ready.place.shard);
        let interested = shard.interest.of(ready.db, &ready.place.key);
        interested.is_some_and(|interested| interested.waiters.heeds_absence())
    }

    /// Takes the one in place `at` out of the queue of the key.
    pub fn remove_waiter(&mut self, ready: &ReadyKey, at: usize) {
        let interest = &mut held(&mut self.held, ready.place.shard).interest;
        interest.edit(ready.db, &ready.place.key, |interested| interested.waiters.remove(at));
    }

    /// The type of the key; `None` if it is not there or has expired.
    pub fn type_of(&mut self, ready: &ReadyKey) -> Option<Type> {
        let horizon_ms = self.horizon_ms;
        let shard = held(&mut self.held, ready.place.shard);
        let hash = shard.hash(&ready.place.key);
        let table = shard.database(ready.db)?.table();
        let entry = table.get(table.find(hash, &ready.place.key)?);
        (!entry.expired(horizon_ms)).then(|| entry.type_of())
    }
}

fn held<'s>(held: &'s mut Held<'_>, id: ShardId) -> &'s mut Shard {
    match held {
        Held::One(shard) if shard.id == id => shard,
        Held::Many(shards) => shards.shard(id),
        Held::One(_) | Held::Nothing => not_held(),
    }
}

impl HeldShards for Shard {
    fn shard(&mut self, id: ShardId) -> &mut Shard {
        if self.id == id { self } else { not_held() }
    }

    fn look(&self, id: ShardId) -> &Shard {
        if self.id == id { self } else { not_held() }
    }

    fn holds(&self, id: ShardId) -> bool {
        self.id == id
    }

    fn each(&mut self, visit: &mut dyn FnMut(&mut Shard)) {
        visit(self);
    }
}

impl Shard {
    /// Whether somebody who waits for a key here needs other shards to be served.
    #[inline]
    pub fn reaches_beyond(&self) -> bool {
        self.interest.reaching() > 0
    }

    /// Adds the keys that are needed beyond `key` to serve those who wait for it, in any database.
    fn add_beyond(&self, key: &[u8], keys: &mut Vec<KeyPlace>) {
        self.interest.each_of(key, |interested| {
            if interested.waiters.reaching == 0 {
                return;
            }
            for place in interested.waiters.waiters.iter().flat_map(|waiter| waiter.beyond()) {
                if !keys.contains(place) {
                    keys.push(place.clone());
                }
            }
        });
    }

    pub fn id(&self) -> ShardId {
        self.id
    }
}

/// The shards that a change of `keys` needs beyond those that are held, to serve who waits for them
/// and who waits for what is served: a list may be handed on from key to key. Empty: all are held.
pub fn missing_shards(shards: &mut dyn HeldShards, keys: &[KeyRef<'_>]) -> Vec<ShardId> {
    let mut reaches = false;
    shards.each(&mut |shard| reaches |= shard.reaches_beyond());
    if !reaches {
        return Vec::new();
    }
    let mut held = Vec::new();
    shards.each(&mut |shard| held.push(shard.id));
    let mut places: Vec<KeyPlace> = keys.iter().map(KeyPlace::of).collect();
    let mut missing = Vec::new();
    let mut at = 0;
    while at < places.len() {
        let KeyPlace { key, shard } = places[at].clone();
        if held.contains(&shard) {
            shards.shard(shard).add_beyond(&key, &mut places);
        } else if !missing.contains(&shard) {
            missing.push(shard);
        }
        at += 1;
    }
    missing
}

impl Shard {
    /// All keys of a database go: those who wait for keys that are there are to be looked at.
    pub(crate) fn ready_all(&mut self, db: u32, record: &mut Record) {
        if self.interest.is_empty() {
            return;
        }
        let id = self.id;
        self.interest.each(db, |key, interested| {
            if !interested.waiters.is_empty() {
                note_ready(&mut record.ready, db, key, id);
            }
        });
    }
}

impl Keyspace {
    /// Takes a waiter out of the queues of these keys. Called without locks.
    pub fn leave(&self, waiter: &Arc<dyn Waiter>, db: u32, places: &[KeyPlace]) {
        for KeyPlace { key, shard } in places {
            let (waiter, key) = (Arc::clone(waiter), key.clone());
            self.later(*shard, move |shard| {
                shard.interest.edit(db, &key, |interested| {
                    let queue = &mut interested.waiters;
                    let is_it = |one: &Arc<dyn Waiter>| Arc::ptr_eq(one, &waiter);
                    while let Some(at) = queue.waiters.iter().position(is_it) {
                        queue.remove(at);
                    }
                });
            });
        }
    }

    /// For how many keys somebody waits.
    pub fn waited_keys(&self) -> u64 {
        self.interest.waited.load(Ordering::Relaxed)
    }

    /// For how many keys somebody waits who wants to know when they go.
    pub fn heeded_keys(&self) -> u64 {
        self.interest.heeded.load(Ordering::Relaxed)
    }
}
