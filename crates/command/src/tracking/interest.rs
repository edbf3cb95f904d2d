//! One part of the table of who may have which key.
//!
//! ```text
//!   index: key -> place        slots: | key, clients | key, clients | ...   any one can be picked
//! ```

use std::sync::Arc;
use stdx::hash::{Map, Seed};

/// Clients of one key: their ids, sorted.
type Ids = Vec<u64>;

#[derive(Debug)]
pub(super) struct Part {
    /// Where in `slots` a key stands.
    index: Map<Arc<[u8]>, usize>,
    slots: Vec<(Arc<[u8]>, Ids)>,
    /// Turns, so that keys of all ages make room.
    victim: usize,
}

impl Part {
    pub(super) fn new(seed: Seed) -> Self {
        Self { index: Map::with_hasher(seed), slots: Vec::new(), victim: 0 }
    }

    /// Adds a client to a key. Returns whether the key is new here, and by how many the items have
    /// grown: when there are many of a key, those of clients that do not track any more go.
    pub(super) fn insert(
        &mut self,
        key: &[u8],
        id: u64,
        tracks: impl Fn(u64) -> bool,
    ) -> (bool, i64) {
        /// Number of clients of a key from which on, at each doubling, stale ones are looked for.
        const MANY: usize = 64;
        let Some(&at) = self.index.get(key) else {
            let key: Arc<[u8]> = key.into();
            self.index.insert(Arc::clone(&key), self.slots.len());
            self.slots.push((key, vec![id]));
            return (true, 1);
        };
        let ids = &mut self.slots[at].1;
        let Err(_) = ids.binary_search(&id) else { return (false, 0) };
        let before = ids.len() as i64;
        if ids.len() >= MANY && ids.len() == ids.capacity() {
            ids.retain(|id| tracks(*id));
        }
        if let Err(place) = ids.binary_search(&id) {
            ids.insert(place, id);
        }
        (false, ids.len() as i64 - before)
    }

    /// Takes a key out, with its clients.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Ids> {
        let at = self.index.remove(key)?;
        Some(self.take(at).1)
    }

    /// Takes any key out.
    pub(super) fn evict(&mut self) -> Option<(Arc<[u8]>, Ids)> {
        let last = self.slots.len().checked_sub(1)?;
        self.victim = if self.victim > last { 0 } else { self.victim };
        let (key, ids) = self.take(self.victim);
        self.victim += 1;
        self.index.remove(&key);
        Some((key, ids))
    }

    /// Takes any key out but the one that came last.
    pub(super) fn evict_another(&mut self) -> Option<(Arc<[u8]>, Ids)> {
        let newest = self.slots.len().checked_sub(1).filter(|newest| *newest > 0)?;
        self.victim = if self.victim >= newest { 0 } else { self.victim };
        self.evict()
    }

    /// Forgets all; returns how many keys and items that were.
    pub(super) fn clear(&mut self) -> (usize, usize) {
        let counts = (self.slots.len(), self.slots.iter().map(|slot| slot.1.len()).sum());
        self.index.clear();
        self.slots = Vec::new();
        counts
    }

    fn take(&mut self, at: usize) -> (Arc<[u8]>, Ids) {
        let taken = self.slots.swap_remove(at);
        if let Some((moved, _)) = self.slots.get(at)
            && let Some(place) = self.index.get_mut(moved)
        {
            *place = at;
        }
        taken
    }
}
