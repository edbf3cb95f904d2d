//! WATCH: clients that want to know whether keys have changed since they looked.
//!
//! A client has one [`Watch`]. Watching a key puts a reference to it into the key's shard, under
//! the shard's lock; whoever changes the key, under the same lock, marks the watch and takes the
//! reference out. EXEC looks at the mark after it has its locks: what changes a watched key later
//! comes later in every respect, as it will meet those locks or does not touch their keys.
//!
//! Expiry needs no timer: the watching client keeps the moment at which each key will expire,
//! since a change of that moment is a change. A key that had expired when it was watched is as good
//! as gone: deleting it is no change, making it anew is one.

use crate::db::{Held, locked, not_held};
use crate::{Db, Event, EventClass, KeyRef, Keyspace, Shard};
use lock::ShardId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What one client's watching has come to.
#[derive(Debug, Default)]
pub struct Watch {
    touched: AtomicBool,
    /// Keys watched; 0 once one of them has changed.
    keys: AtomicU32,
    /// How often the watching has ended: what is left of an earlier time in a shard that could not
    /// be reached then is of no account.
    round: AtomicU32,
}

impl Watch {
    /// Whether a watched key has changed.
    pub fn touched(&self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }

    /// How many keys are watched, as CLIENT LIST tells.
    pub fn keys(&self) -> u32 {
        if self.touched() { 0 } else { self.keys.load(Ordering::Relaxed) }
    }

    fn round(&self) -> u32 {
        self.round.load(Ordering::Relaxed)
    }

    // Relaxed: whoever must see it takes a shard's lock in between, or cannot tell the order.
    fn touch(&self) {
        self.touched.store(true, Ordering::Relaxed);
    }
}

/// A key that a client watches, as the client remembers it.
#[derive(Debug)]
pub struct WatchedKey {
    pub db: u32,
    pub key: Box<[u8]>,
    shard: ShardId,
    /// When it expires, in milliseconds since 1970, unless it had when it was first watched.
    expires_ms: Option<i64>,
}

impl WatchedKey {
    /// Bytes that are held for it, here and in the shard.
    pub fn memory_bytes(&self) -> u64 {
        /// A place in the shard's map, with its list.
        const PLACE_BYTES: usize = 96;
        (size_of::<Self>() + PLACE_BYTES + 2 * self.key.len()) as u64
    }

    /// Whether the key has expired since it was watched, at the latest at `horizon_ms`.
    pub fn expired(&self, horizon_ms: i64) -> bool {
        self.expires_ms.is_some_and(|at| at <= horizon_ms)
    }
}

/// A client among those that watch a key.
pub(crate) struct Watching {
    watch: Arc<Watch>,
    round: u32,
    /// The key had expired when it was watched, and is still there.
    stale: bool,
}

impl Watching {
    /// The key changed by `event`: marks the watch, unless only what had expired before went.
    /// Returns whether the client goes on watching.
    pub(crate) fn survives(&mut self, event: Event) -> bool {
        if self.stale && matches!(event.class, EventClass::Expired | EventClass::Evicted) {
            self.stale = false;
            return true;
        }
        self.touch();
        false
    }

    fn touch(&self) {
        if self.is_of(&self.watch, self.watch.round()) {
            self.watch.touch();
        }
    }

    fn is_of(&self, watch: &Arc<Watch>, round: u32) -> bool {
        Arc::ptr_eq(&self.watch, watch) && self.round == round
    }
}

impl Db<'_> {
    /// Marks `watch` when the key changes from now on. `None` if it was to do so already.
    pub fn watch(&mut self, key: &KeyRef<'_>, watch: &Arc<Watch>) -> Option<WatchedKey> {
        let index = self.index;
        let horizon_ms = self.horizon_ms;
        let shard = locked(&mut self.held, key);
        let expiry = shard.expiry_of(index, key.hash(), key.bytes());
        let stale = expiry.is_some_and(|at| at.is_some_and(|at| at <= horizon_ms));
        let round = watch.round();
        let known = shard.interest.edit(index, key.bytes(), |interested| {
            let known = interested.watchers.iter().any(|one| one.is_of(watch, round));
            if !known {
                interested.watchers.push(Watching { watch: Arc::clone(watch), round, stale });
            }
            known
        });
        if known {
            return None;
        }
        watch.keys.fetch_add(1, Ordering::Relaxed);
        Some(WatchedKey {
            db: index,
            key: key.bytes().into(),
            shard: key.shard(),
            expires_ms: expiry.flatten().filter(|_| !stale),
        })
    }

    /// All keys of these databases go; called before they do, with every shard held.
    pub(crate) fn touch_flushed(&mut self, which: Option<u32>) {
        let Held::Many(shards) = &mut self.held else { not_held() };
        let record = &mut *self.record;
        shards.each(&mut |shard| {
            let all = 0..shard.databases.len() as u32;
            for index in all.filter(|index| which.is_none_or(|only| only == *index)) {
                shard.touch_emptied(index);
                shard.ready_all(index, record);
            }
        });
    }

    /// Two databases are exchanged; called before they are, with every shard held.
    pub(crate) fn touch_swapped(&mut self, first: u32, second: u32) {
        let horizon_ms = self.horizon_ms;
        let Held::Many(shards) = &mut self.held else { not_held() };
        let record = &mut *self.record;
        shards.each(&mut |shard| {
            shard.ready_all(first, record);
            shard.ready_all(second, record);
            shard.touch_replaced(first, second, horizon_ms);
            shard.touch_replaced(second, first, horizon_ms);
        });
    }
}

impl Shard {
    /// When a key expires. Outer `None`: it is not there at all.
    fn expiry_of(&self, db: u32, hash: u64, key: &[u8]) -> Option<Option<i64>> {
        let table = self.database(db)?.table();
        Some(table.get(table.find(hash, key)?).expiry())
    }

    fn touch_emptied(&mut self, db: u32) {
        if self.interest.is_empty() {
            return;
        }
        let mut interest = self.interest.take();
        interest.each(db, |key, interested| {
            if self.expiry_of(db, self.hash(key), key).is_some() {
                interested.watchers.retain_mut(|watching| watching.survives(Event::EXPIRED));
            }
        });
        self.interest = interest;
    }

    /// The keys of `db` become those of `other`.
    fn touch_replaced(&mut self, db: u32, other: u32, horizon_ms: i64) {
        if self.interest.is_empty() {
            return;
        }
        let mut interest = self.interest.take();
        interest.each(db, |key, interested| {
            let hash = self.hash(key);
            let here = self.expiry_of(db, hash, key).is_some();
            let there = self.expiry_of(other, hash, key);
            let comes_stale = there.flatten().is_some_and(|at| at <= horizon_ms);
            interested.watchers.retain_mut(|watching| {
                let lives_here = here && !watching.stale;
                let lives_there = there.is_some() && !comes_stale;
                if lives_here || lives_there {
                    watching.touch();
                    return false;
                }
                watching.stale = comes_stale;
                true
            });
        });
        self.interest = interest;
    }
}

impl Keyspace {
    /// How many keys somebody watches.
    pub fn watched_keys(&self) -> u64 {
        self.interest.watched.load(Ordering::Relaxed)
    }

    /// Ends the watching of these keys. Called without locks.
    pub fn unwatch(&self, watch: &Arc<Watch>, keys: &mut Vec<WatchedKey>) {
        let round = watch.round();
        for WatchedKey { db, key, shard, .. } in keys.drain(..) {
            let watch = Arc::clone(watch);
            self.later(shard, move |shard| {
                shard.interest.edit(db, &key, |interested| {
                    interested.watchers.retain(|watching| !watching.is_of(&watch, round));
                });
            });
        }
        // Nobody else has a reference of this round any more, or soon nobody has.
        watch.round.store(round.wrapping_add(1), Ordering::Relaxed);
        watch.keys.store(0, Ordering::Relaxed);
        watch.touched.store(false, Ordering::Relaxed);
    }
}
