//! The whole keyspace: where a key's shard is, and what can be asked without a key: its size, a
//! walk over it, a random key, prefetching.

use crate::record::Garbage;
use crate::{Entry, HeldShards, KeyRef, Shard};
use lock::{All, Epochs, Many, Pass, ShardId, Shards};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stdx::hash::{Seed, sip13};
use stdx::rng::Rng;

/// All shards, and what concerns all of them.
pub struct Keyspace {
    shards: Shards<Shard>,
    seed: Seed,
    epochs: Arc<Epochs>,
    counts: Vec<Arc<crate::shard::Counts>>,
    databases: u32,
    expired_keys: AtomicU64,
    /// Where freed values go; `None`: they are freed at once.
    disposal: Mutex<Option<Disposal>>,
    /// Bytes that the allocator has handed out, as last sampled; 0 if nobody samples.
    memory_bytes: AtomicU64,
}

/// Takes garbage to a thread that frees it.
pub type Disposal = Box<dyn Fn(Garbage) + Send + Sync>;

/// A place in the walk over the keyspace: the upper 48 bits of a hash. Survives growth, shrinking
/// and another order of tables, since the walk goes in the order of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Position(pub u64);

impl Position {
    /// The position at or before `hash`.
    pub fn of_hash(hash: u64) -> Self {
        Self(hash >> POSITION_SHIFT)
    }

    /// The first hash of the position.
    pub fn hash(self) -> u64 {
        self.0 << POSITION_SHIFT
    }
}

/// The bits of a hash that a position leaves out.
const POSITION_SHIFT: u32 = 16;

/// What SCAN and KEYS let through.
#[derive(Clone, Debug, Default)]
pub struct ScanFilter {
    pub pattern: Option<Vec<u8>>,
    /// TYPE, in lower case.
    pub kind: Option<Vec<u8>>,
}

impl ScanFilter {
    fn passes(&self, entry: &Entry) -> bool {
        let kind = self.kind.as_deref().is_none_or(|kind| kind == entry.type_name().as_bytes());
        kind && self
            .pattern
            .as_deref()
            .is_none_or(|pattern| stdx::glob::matches(pattern, entry.key(), false))
    }
}

/// Keys, keys with expiry, and bytes of one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub keys: u64,
    pub expires: u64,
    pub entry_bytes: u64,
    /// Mean of the time to live in milliseconds, as the last sweep saw it.
    pub average_ttl_ms: u64,
}

impl Keyspace {
    /// `shards` is rounded up to a power of two.
    pub fn new(shards: usize, databases: u32, seed: Seed) -> Self {
        let count = shards.next_power_of_two();
        let bits = count.trailing_zeros();
        let counts: Vec<_> =
            (0..count).map(|_| Arc::new(crate::shard::Counts::new(databases, bits))).collect();
        let shards = Shards::new(count, |id| {
            Shard::new(id, bits, seed, Arc::clone(&counts[id.index()]))
        });
        Self {
            shards,
            seed,
            epochs: Epochs::new(),
            counts,
            databases,
            expired_keys: AtomicU64::new(0),
            disposal: Mutex::new(None),
            memory_bytes: AtomicU64::new(0),
        }
    }

    pub fn epochs(&self) -> &Arc<Epochs> {
        &self.epochs
    }

    pub fn shards(&self) -> &Shards<Shard> {
        &self.shards
    }

    pub fn databases(&self) -> u32 {
        self.databases
    }

    pub(crate) fn count_of(&self, shard: ShardId, db: u32) -> &crate::shard::Count {
        self.counts[shard.index()].get(db)
    }

    /// The least hash that belongs to the shard.
    pub(crate) fn begin_of(&self, shard: ShardId) -> u64 {
        let bits = self.shards.count().trailing_zeros();
        if bits == 0 { 0 } else { (shard.index() as u64) << (64 - bits) }
    }

    /// The least hash of the next shard, if there is one.
    fn begin_after(&self, shard: ShardId) -> Option<u64> {
        let next = shard.index() + 1;
        (next < self.shards.count()).then(|| self.begin_of(ShardId(next as u16)))
    }

    /// Hash and shard of a key.
    #[inline]
    pub fn place(&self, key: &[u8]) -> (u64, ShardId) {
        let hash = sip13(self.seed, key);
        (hash, self.shards.of_hash(hash))
    }

    /// Mints the reference by which a handler reaches the key. RESOLVE alone does this.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8], flags: u16) -> KeyRef<'a> {
        let (hash, shard) = self.place(bytes);
        KeyRef::new(bytes, hash, shard, flags)
    }

    /// Locks several shards; `ids` ascend and are unique.
    pub fn hold_many(&self, ids: &[ShardId]) -> HeldMany<'_> {
        HeldMany(self.shards.many(ids))
    }

    /// Locks every shard.
    pub fn hold_all(&self) -> HeldAll<'_> {
        HeldAll(self.shards.all())
    }

    /// Starts to load the bucket of the key.
    #[inline]
    pub fn prefetch_bucket(&self, _pass: &Pass<'_>, db: u32, key: &KeyRef<'_>) {
        if let Some(view) = self.counts[key.shard().index()].view(db) {
            // SAFETY: the pass keeps what the view reads from being freed.
            unsafe { view.prefetch_bucket(key.hash()) }
        }
    }

    /// Starts to load the entry of the key, whose bucket has been asked for.
    #[inline]
    pub fn prefetch_entry(&self, _pass: &Pass<'_>, db: u32, key: &KeyRef<'_>) {
        if let Some(view) = self.counts[key.shard().index()].view(db) {
            // SAFETY: as above.
            unsafe { view.prefetch_items(key.hash()) }
        }
    }

    /// The size of a database, without any lock: exact when nobody writes.
    pub fn size(&self, db: u32) -> Size {
        let mut size = Size::default();
        let (mut ttl_sum, mut ttl_count) = (0u64, 0u64);
        for counts in &self.counts {
            let one = counts.get(db);
            size.keys += one.keys.load(Ordering::Relaxed);
            size.expires += one.expires.load(Ordering::Relaxed);
            size.entry_bytes += one.bytes.load(Ordering::Relaxed);
            ttl_sum += one.ttl_sum_ms.load(Ordering::Relaxed);
            ttl_count += one.ttl_count.load(Ordering::Relaxed);
        }
        size.average_ttl_ms = ttl_sum.checked_div(ttl_count).unwrap_or(0);
        size
    }

    /// Visits the live keys in some buckets at `from` and on; about `count` entries are looked at.
    /// `None` when the end was reached. Every key that is there throughout a whole walk is visited
    /// at least once, whatever happens to the tables meanwhile.
    pub fn scan(
        &self,
        db: u32,
        from: Position,
        count: usize,
        now_ms: i64,
        filter: &ScanFilter,
        mut visit: impl FnMut(&Entry),
    ) -> Option<Position> {
        /// Buckets looked at under one acquisition of a shard, at most.
        const BUCKETS_MAX: usize = 64;
        let mut at = from.hash();
        let mut seen = 0;
        loop {
            let id = self.shards.of_hash(at);
            let shard = self.shards.one(id);
            let mut next = Some(at);
            if let Some(database) = shard.database(db).filter(|database| !database.is_empty()) {
                for _ in 0..BUCKETS_MAX {
                    let Some(here) = next else { break };
                    next = database.table.scan(here, |entry| {
                        seen += 1;
                        if !entry.expired(now_ms) && filter.passes(entry) {
                            visit(entry);
                        }
                    });
                    if seen >= count {
                        break;
                    }
                }
            } else {
                next = None;
            }
            drop(shard);
            at = match next {
                // A position keeps 48 bits: rounding down looks at a bucket again, and skips none.
                Some(next) => next,
                None => self.begin_after(id)?,
            };
            if seen >= count {
                return Some(Position::of_hash(at));
            }
        }
    }

    /// A key of the database, chosen at random; `None` if it has no live key.
    pub fn random_key(&self, db: u32, rng: &mut Rng, now_ms: i64) -> Option<Vec<u8>> {
        /// Expired keys met before the search gives up choosing and takes the first live one.
        const TRIES: u32 = 100;
        for _ in 0..TRIES {
            let total = self.size(db).keys;
            if total == 0 {
                return None;
            }
            // A shard by its share of the keys, then a key in it.
            let mut rank = rng.below(total);
            let id = self.shards.ids().find(|id| {
                let keys = self.counts[id.index()].get(db).keys.load(Ordering::Relaxed);
                let here = rank < keys;
                rank = rank.saturating_sub(keys);
                here
            })?;
            let shard = self.shards.one(id);
            let entry = shard.database(db).and_then(|database| database.table.random(rng.u64()));
            if let Some(entry) = entry
                && !entry.expired(now_ms)
            {
                return Some(entry.key().to_vec());
            }
        }
        let mut found = None;
        let mut at = Some(Position::default());
        while let (Some(from), None) = (at, &found) {
            at = self.scan(db, from, 1, now_ms, &ScanFilter::default(), |entry| {
                found.get_or_insert_with(|| entry.key().to_vec());
            });
        }
        found
    }

    /// Says who frees what is large.
    pub fn set_disposal(&self, disposal: Disposal) {
        *self.disposal.lock() = Some(disposal);
    }

    /// Frees garbage, or has it freed. Called without locks.
    pub fn dispose(&self, garbage: &mut Vec<Garbage>) {
        let disposal = self.disposal.lock();
        for one in garbage.drain(..) {
            match &*disposal {
                Some(dispose) if one.is_large() => dispose(one),
                None if one.may_be_read() => {
                    self.epochs.retire(Box::new(one));
                    self.epochs.collect();
                }
                _ => drop(one),
            }
        }
    }

    pub fn count_expired(&self, keys: u64) {
        self.expired_keys.fetch_add(keys, Ordering::Relaxed);
    }

    /// Keys that expired since the start or the last reset.
    pub fn expired_keys(&self) -> u64 {
        self.expired_keys.load(Ordering::Relaxed)
    }

    pub fn reset_stats(&self) {
        self.expired_keys.store(0, Ordering::Relaxed);
    }

    /// The sampled memory of the process, against which `maxmemory` is held.
    pub fn set_memory(&self, bytes: u64) {
        self.memory_bytes.store(bytes, Ordering::Relaxed);
    }

    pub fn memory(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// Whether memory is above `limit` bytes; 0 is no limit.
    #[inline]
    pub fn out_of_memory(&self, limit: u64) -> bool {
        limit > 0 && self.memory() > limit
    }
}

/// Several shards, locked.
pub struct HeldMany<'a>(Many<'a, Shard>);

impl HeldShards for HeldMany<'_> {
    fn shard(&mut self, id: ShardId) -> &mut Shard {
        self.0.get(id)
    }

    fn each(&mut self, visit: &mut dyn FnMut(&mut Shard)) {
        self.0.iter_mut().for_each(|(_, shard)| visit(shard));
    }
}

/// Every shard, locked.
pub struct HeldAll<'a>(All<'a, Shard>);

impl HeldShards for HeldAll<'_> {
    fn shard(&mut self, id: ShardId) -> &mut Shard {
        self.0.get(id)
    }

    fn each(&mut self, visit: &mut dyn FnMut(&mut Shard)) {
        self.0.iter_mut().for_each(|(_, shard)| visit(shard));
    }
}
