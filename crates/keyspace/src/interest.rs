//! Who is interested in keys of one shard: clients that watch them.
//!
//! Every change passes [`Record::note`](crate::Record), which asks here. While nobody is
//! interested in any key of the shard, that is a comparison with zero.

use crate::Event;
use crate::watchers::Watching;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stdx::hash::{Map, Seed};

/// Those who are interested in one key.
#[derive(Default)]
pub(crate) struct Interested {
    pub watchers: Vec<Watching>,
}

/// In how many keys of all shards somebody is interested, for INFO.
#[derive(Debug, Default)]
pub(crate) struct InterestCounts {
    pub watched: AtomicU64,
}

impl Interested {
    fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// Lets `edit` work on them and keeps the counts in step.
    fn edit<R>(&mut self, counts: &InterestCounts, edit: impl FnOnce(&mut Self) -> R) -> R {
        let watched = !self.watchers.is_empty();
        let result = edit(self);
        adjust(&counts.watched, watched, !self.watchers.is_empty());
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
    seed: Seed,
    databases: Vec<Map<Box<[u8]>, Interested>>,
    counts: Arc<InterestCounts>,
}

impl Interest {
    pub(crate) fn new(seed: Seed, counts: Arc<InterestCounts>) -> Self {
        Self { keys: 0, seed, databases: Vec::new(), counts }
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

    /// The key changed.
    #[inline(never)]
    pub(crate) fn changed(&mut self, db: u32, key: &[u8], event: Event) {
        let Some(map) = self.databases.get_mut(db as usize) else { return };
        let Some(interested) = map.get_mut(key) else { return };
        interested.edit(&self.counts, |interested| {
            interested.watchers.retain_mut(|watching| watching.survives(event));
        });
        if interested.is_empty() {
            map.remove(key);
            self.keys -= 1;
        }
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
        let result = interested.edit(&self.counts, edit);
        if interested.is_empty() {
            map.remove(key);
            self.keys -= 1;
        }
        result
    }

    /// Lets `edit` look at every key of a database in which somebody is interested.
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
