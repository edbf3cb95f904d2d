//! Client-side caching: which client may have which key in its own memory, and who is told when it
//! changes.
//!
//! ```text
//!  GET k, under the shard's lock ──► remember(k, client) ─┐       parts, as many as shards
//!                                                         ▼
//!  SET k, under the shard's lock ──► changed(k) ──► out of the part ──► a letter to each client
//! ```
//!
//! Interest is registered under the lock under which the key was read, and a change takes it out
//! under the lock of the change: no change after a read goes unnoticed, and the letter lies in the
//! client's inbox behind the reply to its read. Interest is by name, whatever the database, as in
//! Redis; and by client id, so that a client that goes leaves its entries to be found stale.
//!
//! Clients in broadcasting mode are not in the parts: they named prefixes, and get what a batch
//! of commands changed under them in one letter. Lock order: part, registry, prefixes, inboxes.

mod interest;
#[cfg(test)]
mod tests;

use crate::mail::{Letter, OutputLimits, encoded};
use crate::{Card, ClientFlags, Session};
use interest::Part;
use parking_lot::{Mutex, RwLock};
use resp::Chunk;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use stdx::hash::{Map, Seed};

/// Which reads make a client interested in their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TrackingMode {
    /// All.
    #[default]
    Default,
    /// Those after CLIENT CACHING YES.
    OptIn,
    /// All but those after CLIENT CACHING NO.
    OptOut,
    /// None: every change under its prefixes is told.
    Broadcast,
}

/// What CLIENT TRACKING ON asks for.
#[derive(Clone, Debug, Default)]
pub struct TrackingOptions {
    pub mode: TrackingMode,
    /// Do not tell of changes that the client makes itself.
    pub noloop: bool,
    /// The client to which messages go instead.
    pub redirect: Option<Arc<Card>>,
    pub prefixes: Vec<Vec<u8>>,
}

/// A client that tracks, as seen by those who change keys.
#[derive(Debug)]
struct Tracker {
    card: Arc<Card>,
    broadcast: AtomicBool,
    noloop: AtomicBool,
    redirect: Mutex<Option<Arc<Card>>>,
}

/// A client's own side of it.
#[derive(Clone, Debug)]
pub struct TrackingState {
    tracker: Arc<Tracker>,
    pub mode: TrackingMode,
    pub noloop: bool,
    /// CLIENT CACHING was called for the next command.
    pub caching: bool,
    pub prefixes: BTreeSet<Vec<u8>>,
}

impl TrackingState {
    /// Whether the keys of a read are remembered.
    fn remembers(&self) -> bool {
        match self.mode {
            TrackingMode::Default => true,
            TrackingMode::OptIn => self.caching,
            TrackingMode::OptOut => !self.caching,
            TrackingMode::Broadcast => false,
        }
    }
}

/// Keys that changed in a batch, and the client that changed each last, if one did.
pub type Changed = BTreeMap<Vec<u8>, Option<u64>>;

type Trackers = BTreeMap<u64, Arc<Tracker>>;

/// All tracking of the server.
#[derive(Debug)]
pub struct Tracking {
    trackers: RwLock<Map<u64, Arc<Tracker>>>,
    active: AtomicUsize,
    parts: Box<[Mutex<Part>]>,
    /// Keys and items (clients of keys) of all parts.
    keys: AtomicU64,
    items: AtomicU64,
    prefixes: RwLock<BTreeMap<Vec<u8>, Trackers>>,
    prefix_count: AtomicUsize,
}

impl Tracking {
    /// For a keyspace of so many shards; `seed`: of the hash of keys.
    pub fn new(shards: usize, seed: Seed) -> Self {
        Self {
            trackers: RwLock::new(Map::with_hasher(seed)),
            active: AtomicUsize::new(0),
            parts: (0..shards).map(|_| Mutex::new(Part::new(seed))).collect(),
            keys: AtomicU64::new(0),
            items: AtomicU64::new(0),
            prefixes: RwLock::default(),
            prefix_count: AtomicUsize::new(0),
        }
    }

    /// Whether anybody tracks: then changes are to be told. A client that reads a key under its
    /// lock has made this true before.
    #[inline]
    pub fn active(&self) -> bool {
        self.clients() > 0
    }

    /// Clients that track.
    pub fn clients(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Keys that somebody may have.
    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }

    /// The sum over these keys of who may have them.
    pub fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    /// Prefixes of broadcasting mode.
    pub fn prefixes(&self) -> usize {
        self.prefix_count.load(Ordering::Relaxed)
    }

    /// Turns tracking on, or changes how. The options fit each other and the state of `session`.
    pub fn enable(&self, session: &mut Session, options: TrackingOptions) {
        let TrackingOptions { mode, noloop, redirect, prefixes } = options;
        let card = &session.card;
        let target = redirect.as_ref().map_or(0, |target| target.id as i64);
        card.redirect.store(target, Ordering::Relaxed);
        card.set(ClientFlags::TRACKING, true);
        card.set(ClientFlags::TRACKING_BROKEN, false);
        card.set(ClientFlags::TRACKING_BROADCAST, mode == TrackingMode::Broadcast);
        let state = session.tracking.get_or_insert_with(|| {
            let tracker = Arc::new(Tracker {
                card: Arc::clone(card),
                broadcast: AtomicBool::new(false),
                noloop: AtomicBool::new(false),
                redirect: Mutex::default(),
            });
            self.trackers.write().insert(card.id, Arc::clone(&tracker));
            self.active.fetch_add(1, Ordering::Relaxed);
            let (mode, prefixes) = (TrackingMode::Default, BTreeSet::new());
            Box::new(TrackingState { tracker, mode, noloop, caching: false, prefixes })
        });
        (state.mode, state.noloop) = (mode, noloop);
        *state.tracker.redirect.lock() = redirect;
        state.tracker.noloop.store(noloop, Ordering::Relaxed);
        state.tracker.broadcast.store(mode == TrackingMode::Broadcast, Ordering::Relaxed);
        if mode == TrackingMode::Broadcast {
            let all = if prefixes.is_empty() { vec![Vec::new()] } else { prefixes };
            let mut table = self.prefixes.write();
            for prefix in all {
                let clients = table.entry(prefix.clone()).or_default();
                clients.insert(card.id, Arc::clone(&state.tracker));
                let bytes = prefix_bytes(&prefix);
                if state.prefixes.insert(prefix) {
                    card.tracked_prefixes(0, bytes);
                }
            }
            self.prefix_count.store(table.len(), Ordering::Relaxed);
        }
    }

    /// Turns tracking off. What the parts know of the client is found stale later.
    pub fn disable(&self, session: &mut Session) {
        let Some(state) = session.tracking.take() else { return };
        let card = &session.card;
        card.redirect.store(-1, Ordering::Relaxed);
        let flags =
            ClientFlags::TRACKING | ClientFlags::TRACKING_BROKEN | ClientFlags::TRACKING_BROADCAST;
        card.set(flags, false);
        self.trackers.write().remove(&card.id);
        self.active.fetch_sub(1, Ordering::Relaxed);
        if !state.prefixes.is_empty() {
            card.tracked_prefixes(state.prefixes.iter().map(|one| prefix_bytes(one)).sum(), 0);
            let mut table = self.prefixes.write();
            for prefix in &state.prefixes {
                let Some(clients) = table.get_mut(prefix) else { continue };
                clients.remove(&card.id);
                if clients.is_empty() {
                    table.remove(prefix);
                }
            }
            self.prefix_count.store(table.len(), Ordering::Relaxed);
        }
    }

    /// Whether the client of `session` is to be remembered for the keys that it reads.
    #[inline]
    pub fn follows(&self, session: &Session) -> bool {
        session.tracking.as_ref().is_some_and(|state| state.remembers())
    }

    /// The client of `session` has read a key of shard number `shard`, whose lock is held. The
    /// table takes `keys_max` keys (0: any number); another key of the shard makes room, as if
    /// it had changed.
    pub fn remember(
        &self,
        session: &Session,
        (shard, key): (usize, &[u8]),
        keys_max: u64,
        limits: &OutputLimits,
    ) {
        let mut part = self.parts[shard].lock();
        let (new_key, new_items) =
            part.insert(key, session.card.id, |id| self.trackers.read().contains_key(&id));
        // Wraps on purpose: stale items may have gone for the new one.
        self.items.fetch_add(new_items as u64, Ordering::Relaxed);
        if !new_key {
            return;
        }
        let keys = self.keys.fetch_add(1, Ordering::Relaxed) + 1;
        if keys_max > 0
            && keys > keys_max
            && let Some((evicted, ids)) = part.evict_another()
        {
            self.forgotten(ids.len());
            self.tell(&evicted, &ids, None, limits);
        }
    }

    /// A key of shard number `shard`, whose lock is held, has changed: `by` a client, if it is one.
    pub fn changed(&self, (shard, key): (usize, &[u8]), by: Option<u64>, limits: &OutputLimits) {
        let mut part = self.parts[shard].lock();
        if let Some(ids) = part.remove(key) {
            self.forgotten(ids.len());
            self.tell(key, &ids, by, limits);
        }
    }

    /// Everything may have changed. All shards are held.
    pub fn flushed(&self, limits: &OutputLimits) {
        self.parts.iter().for_each(|part| self.clear(&mut part.lock()));
        for tracker in self.trackers.read().values() {
            send(tracker, None, limits);
        }
    }

    /// Tells clients in broadcasting mode what a batch of commands has changed, and forgets it.
    pub fn broadcast(&self, changed: &mut Changed, limits: &OutputLimits) {
        for (prefix, clients) in &*self.prefixes.read() {
            let under = || {
                let from = changed.range::<[u8], _>((Included(&prefix[..]), Unbounded));
                from.take_while(|(key, _)| key.starts_with(prefix))
            };
            if under().next().is_none() {
                continue;
            }
            let all = key_list(under().map(|(key, _)| &key[..]));
            for (id, tracker) in clients {
                if !tracker.noloop.load(Ordering::Relaxed) {
                    send(tracker, Some(all.clone()), limits);
                    continue;
                }
                let others = || under().filter(|(_, by)| **by != Some(*id));
                if others().next().is_some() {
                    send(tracker, Some(key_list(others().map(|(key, _)| &key[..]))), limits);
                }
            }
        }
        changed.clear();
    }

    /// Forgets keys, as if they had changed, until no more than `keys_max` are left (0: any number).
    pub fn shrink(&self, keys_max: u64, limits: &OutputLimits) {
        if keys_max == 0 {
            return;
        }
        for part in &self.parts {
            while self.keys() > keys_max {
                let mut part = part.lock();
                let Some((key, ids)) = part.evict() else { break };
                self.forgotten(ids.len());
                self.tell(&key, &ids, None, limits);
            }
        }
    }

    /// While nobody tracks, changes are not told here: what the parts know is of no use to anyone.
    /// Forgets some tens of thousands of keys, or all; called by the clock.
    pub fn forget_if_idle(&self) {
        const KEYS_MIN: u64 = 16 << 10;
        let goal = self.keys().saturating_sub(KEYS_MIN);
        for part in &self.parts {
            let mut part = part.lock();
            // Looked at under the lock: who has begun since has read nothing of this part yet.
            if self.active() || self.keys() <= goal {
                return;
            }
            self.clear(&mut part);
        }
    }

    fn clear(&self, part: &mut Part) {
        let (keys, items) = part.clear();
        self.keys.fetch_sub(keys as u64, Ordering::Relaxed);
        self.items.fetch_sub(items as u64, Ordering::Relaxed);
    }

    fn forgotten(&self, items: usize) {
        self.keys.fetch_sub(1, Ordering::Relaxed);
        self.items.fetch_sub(items as u64, Ordering::Relaxed);
    }

    fn tell(&self, key: &[u8], ids: &[u64], by: Option<u64>, limits: &OutputLimits) {
        let trackers = self.trackers.read();
        let mut list = None;
        for id in ids {
            let Some(tracker) = trackers.get(id) else { continue };
            let own = by == Some(*id) && tracker.noloop.load(Ordering::Relaxed);
            if own || tracker.broadcast.load(Ordering::Relaxed) {
                continue;
            }
            let list = list.get_or_insert_with(|| key_list(std::iter::once(key)));
            send(tracker, Some(list.clone()), limits);
        }
    }
}

/// What a prefix of a client takes, here and in the table.
fn prefix_bytes(prefix: &[u8]) -> u64 {
    const ENTRY_BYTES: u64 = 128;
    ENTRY_BYTES + prefix.len() as u64
}

/// The array of these keys.
fn key_list<'k>(keys: impl Iterator<Item = &'k [u8]>) -> Chunk {
    let keys: Vec<&[u8]> = keys.collect();
    encoded(|reply| {
        reply.array(keys.len());
        keys.iter().for_each(|key| reply.bulk(key));
    })
}

/// Tells a client, or the one to which its messages go, that keys (`None`: all) have changed.
fn send(tracker: &Tracker, keys: Option<Chunk>, limits: &OutputLimits) {
    let redirect = tracker.redirect.lock();
    let Some(target) = &*redirect else {
        return tracker.card.deliver(Letter::Invalidation { keys, redirected: false }, limits);
    };
    if target.killed() || target.has(ClientFlags::CLOSE_AFTER_REPLY) {
        tracker.card.set(ClientFlags::TRACKING_BROKEN, true);
        let id = target.id as i64;
        let letter = encoded(|reply| {
            reply.push(2);
            reply.bulk(b"tracking-redir-broken");
            reply.integer(id);
        });
        return tracker.card.deliver(Letter::Resp3(letter), limits);
    }
    target.deliver(Letter::Invalidation { keys, redirected: true }, limits);
}
