//! Who is interested in keys of one shard: clients that watch them, and clients that wait for them.
//!
//! Every change passes [`Record::note`](crate::Record), which asks here. While nobody is
//! interested in any key of the shard, that is a comparison with zero.

use crate::waiters::Queue;
use crate::watchers::Watching;
use crate::{Event, Extent};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stdx::hash::{Map, Seed};

/// Those who are interested in one key.
#[derive(Default)]
pub(crate) struct Interested {
    pub watchers: Vec<Watching>,
    pub waiters: Queue,
}

/// In how many keys of all shards somebody is interested, for INFO.
#[derive(Debug, Default)]
pub(crate) struct InterestCounts {
    pub watched: AtomicU64,
    pub waited: AtomicU64,
    /// Those of them whose absence is heeded.
    pub heeded: AtomicU64,
}

impl Interested {
    fn is_empty(&self) -> bool {
        self.watchers.is_empty() && self.waiters.is_empty()
    }

    /// Lets `edit` work on them and keeps the counts in step.
    fn edit<R>(&mut self, counts: &InterestCounts, edit: impl FnOnce(&mut Self) -> R) -> R {
        let (watched, waited) = (!self.watchers.is_empty(), !self.waiters.is_empty());
        let heeded = self.waiters.heeds_absence();
        let result = edit(self);
        adjust(&counts.watched, watched, !self.watchers.is_empty());
        adjust(&counts.waited, waited, !self.waiters.is_empty());
        adjust(&counts.heeded, heeded, self.waiters.heeds_absence());
        result
    }
}

fn adjust(count: &AtomicU64, before: bool, after: bool) {
    match (before, after) {
        (false, true) => count.fetch_add(1, Ordering::Relaxed),
        (true, false) => count.fetch_sub(1, Ordering::Relaxed),
        _ => return,
    };
}

/// The keys of one shard in which somebody is interested, by database.
pub(crate) struct Interest {
    /// Keys in all databases.
    keys: usize,
    /// Those among who waits that need other shards to be served.
    reaching: usize,
    seed: Seed,
    databases: Vec<Map<Box<[u8]>, Interested>>,
    counts: Arc<InterestCounts>,
}

impl Interest {
    pub(crate) fn new(seed: Seed, counts: Arc<InterestCounts>) -> Self {
        Self { keys: 0, reaching: 0, seed, databases: Vec::new(), counts }
    }

    /// All of it, leaving nothing.
    pub(crate) fn take(&mut self) -> Self {
        let nothing = Self::new(self.seed, Arc::clone(&self.counts));
        std::mem::replace(self, nothing)
    }

    /// Whether nobody is interested in anything here.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// The key changed. Returns whether somebody waits for it whom the event is for.
    #[inline(never)]
    pub(crate) fn changed(&mut self, db: u32, key: &[u8], event: Event) -> bool {
        let Some(map) = self.databases.get_mut(db as usize) else { return false };
        let Some(interested) = map.get_mut(key) else { return false };
        if event.extent == Extent::Value {
            interested.edit(&self.counts, |interested| {
                interested.watchers.retain_mut(|watching| watching.survives(event));
            });
        }
        let waited = interested.waiters.hear(event);
        if interested.is_empty() {
            map.remove(key);
            self.keys -= 1;
        }
        waited
    }

    /// Those who are interested in a key.
    pub(crate) fn of(&self, db: u32, key: &[u8]) -> Option<&Interested> {
        self.databases.get(db as usize)?.get(key)
    }

    /// Calls `visit` with those who are interested in a key, database by database.
    pub(crate) fn each_of(&self, key: &[u8], visit: impl FnMut(&Interested)) {
        self.databases.iter().filter_map(|map| map.get(key)).for_each(visit);
    }

    /// How many of those who wait need other shards to be served.
    #[inline]
    pub(crate) fn reaching(&self) -> usize {
        self.reaching
    }

    /// Lets `edit` work on those who are interested in a key, of whom there may be none yet or none
    /// afterwards.
    pub(crate) fn edit<R>(
        &mut self,
        db: u32,
        key: &[u8],
        edit: impl FnOnce(&mut Interested) -> R,
    ) -> R {
        let seed = self.seed;
        if self.databases.len() <= db as usize {
            self.databases.resize_with(db as usize + 1, || Map::with_hasher(seed));
        }
        let map = &mut self.databases[db as usize];
        if !map.contains_key(key) {
            map.insert(key.into(), Interested::default());
            self.keys += 1;
        }
        let interested = map.get_mut(key).expect("it was put in if it was not there");
        self.reaching -= interested.waiters.reaching();
        let result = interested.edit(&self.counts, edit);
        self.reaching += interested.waiters.reaching();
        if interested.is_empty() {
            map.remove(key);
            self.keys -= 1;
        }
        result
    }

    /// Lets `edit` look at every key of a database in which somebody is interested; it leaves who
    /// waits alone.
    pub(crate) fn each(&mut self, db: u32, mut edit: impl FnMut(&[u8], &mut Interested)) {
        let Some(map) = self.databases.get_mut(db as usize) else { return };
        let (before, counts) = (map.len(), &self.counts);
        map.retain(|key, interested| {
            interested.edit(counts, |interested| edit(key, interested));
            !interested.is_empty()
        });
        self.keys -= before - map.len();
    }
}
