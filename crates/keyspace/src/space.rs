//! The whole keyspace: where a key's shard is, and what can be asked without a key: its size, a
//! walk over it, a random key, prefetching.

use crate::interest::InterestCounts;
use crate::record::Garbage;
use crate::{Entry, HeldShards, KeyRef, Shard, Stalled};
use lock::{All, Epochs, Exclusive, Many, Pass, ShardId, Shards};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
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
    expired_elements: AtomicU64,
    /// The latest moment at which a key was deleted as expired, in milliseconds since 1970.
    last_expiry_ms: AtomicI64,
    /// Where freed values go; `None`: they are freed at once.
    disposal: OnceLock<Disposal>,
    sampler: OnceLock<Sampler>,
    account: Arc<crate::shard::Account>,
    pub(crate) interest: Arc<InterestCounts>,
    pub(crate) overdue: crate::reach::Overdue,
    /// What the process held beyond the account when the sampler was last asked.
    beyond_bytes: AtomicI64,
    /// When that was, in milliseconds since 1970.
    sampled_ms: AtomicI64,
    pub(crate) snapshot: Arc<crate::snapshot::Shared>,
}

/// Takes garbage to a thread that frees it.
pub type Disposal = Box<dyn Fn(Garbage) + Send + Sync>;

/// Asks the allocator how many bytes the process holds, less those that only wait to be freed.
pub type Sampler = Box<dyn Fn() -> u64 + Send + Sync>;

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
        let kind =
            self.kind.as_deref().is_none_or(|kind| kind == entry.type_of().name().as_bytes());
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
    /// Keys of which elements expire.
    pub subexpiry: u64,
    pub entry_bytes: u64,
    /// Of the tables: segments and directories.
    pub table_bytes: u64,
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
        let account = Arc::new(crate::shard::Account::default());
        let interest = Arc::new(InterestCounts::default());
        let shards = Shards::new(count, |id| {
            let counts = Arc::clone(&counts[id.index()]);
            Shard::new(id, bits, seed, counts, Arc::clone(&account), Arc::clone(&interest))
        });
        Self {
            shards,
            seed,
            epochs: Epochs::new(),
            counts,
            databases,
            expired_keys: AtomicU64::new(0),
            expired_elements: AtomicU64::new(0),
            last_expiry_ms: AtomicI64::new(i64::MIN),
            disposal: OnceLock::new(),
            sampler: OnceLock::new(),
            account,
            interest,
            overdue: crate::reach::Overdue::default(),
            beyond_bytes: AtomicI64::new(0),
            sampled_ms: AtomicI64::new(0),
            snapshot: Arc::default(),
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

    /// When the next of the shard's jobs is due.
    #[inline]
    pub(crate) fn next_job_ms(&self, shard: ShardId) -> i64 {
        self.counts[shard.index()].next_job_ms.load(Ordering::Relaxed)
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

    /// With which keys, and members of large collections, are hashed.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Hash and shard of a key.
    #[inline]
    pub fn place(&self, key: &[u8]) -> (u64, ShardId) {
        let hash = sip13(self.seed, key);
        (hash, self.shards.of_hash(hash))
    }

    /// Mints the reference by which a handler reaches the key. RESOLVE does this, and a handler
    /// that holds all shards because elements of a value name further keys (SORT).
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
            size.subexpiry += one.subexpiry.load(Ordering::Relaxed);
            size.entry_bytes += one.bytes.load(Ordering::Relaxed);
            size.table_bytes += one.table_bytes.load(Ordering::Relaxed);
            ttl_sum = ttl_sum.saturating_add(one.ttl_sum_ms.load(Ordering::Relaxed));
            ttl_count += one.ttl_count.load(Ordering::Relaxed);
        }
        size.average_ttl_ms = ttl_sum.checked_div(ttl_count).unwrap_or(0);
        size
    }

    /// Visits the keys in some buckets at `from` and on, the expired too; about `count` entries are
    /// looked at. `None` when the end was reached. Every key that is there throughout a whole walk
    /// is visited at least once, whatever happens to the tables meanwhile.
    pub fn scan(
        &self,
        db: u32,
        from: Position,
        count: usize,
        filter: &ScanFilter,
        visit: impl FnMut(&Entry),
    ) -> Option<Position> {
        let free = |id, look: &mut dyn FnMut(&Shard)| {
            look(&self.shards.one(id));
            Ok(())
        };
        self.scan_by(free, db, from, count, filter, visit).expect("it waits")
    }

    /// The same, up to a shard that a script holds for too long; an error if it is the first.
    pub fn scan_soon(
        &self,
        db: u32,
        from: Position,
        count: usize,
        filter: &ScanFilter,
        visit: impl FnMut(&Entry),
    ) -> Result<Option<Position>, Stalled> {
        let soon = |id, look: &mut dyn FnMut(&Shard)| {
            look(&*self.reach_one(id)?);
            Ok(())
        };
        self.scan_by(soon, db, from, count, filter, visit)
    }

    /// The same, where shards are looked at by `access`.
    pub(crate) fn scan_by(
        &self,
        access: impl Fn(ShardId, &mut dyn FnMut(&Shard)) -> Result<(), Stalled>,
        db: u32,
        from: Position,
        count: usize,
        filter: &ScanFilter,
        mut visit: impl FnMut(&Entry),
    ) -> Result<Option<Position>, Stalled> {
        /// Buckets looked at under one acquisition of a shard, at most.
        const BUCKETS_MAX: usize = 64;
        let mut at = from.hash();
        let mut seen = 0;
        loop {
            let id = self.shards.of_hash(at);
            let mut next = None;
            let looked = access(id, &mut |shard| {
                let database = shard.database(db).filter(|database| !database.is_empty());
                let Some(database) = database else { return };
                next = Some(at);
                for _ in 0..BUCKETS_MAX {
                    let Some(here) = next else { break };
                    next = database.table().scan(here, |entry| {
                        seen += 1;
                        if filter.passes(entry) {
                            visit(entry);
                        }
                    });
                    if seen >= count {
                        break;
                    }
                }
            });
            match looked {
                Err(Stalled) if seen > 0 => return Ok(Some(Position::of_hash(at))),
                looked => looked?,
            }
            at = match next.or_else(|| self.begin_after(id)) {
                // A position keeps 48 bits: rounding down looks at a bucket again, and skips none.
                Some(next) => next,
                None => return Ok(None),
            };
            if seen >= count {
                return Ok(Some(Position::of_hash(at)));
            }
        }
    }

    /// A key of the database, chosen at random; `None` if it has no live key. What is met expired
    /// goes to `met`.
    pub fn random_key(
        &self,
        db: u32,
        rng: &mut Rng,
        now_ms: i64,
        met: &mut Vec<(u32, Vec<u8>)>,
    ) -> Option<Vec<u8>> {
        let free = |id, look: &mut dyn FnMut(&Shard)| {
            look(&self.shards.one(id));
            Ok(())
        };
        self.random_key_by(free, db, rng, now_ms, met).expect("it waits")
    }

    /// The same, where shards are looked at by `access`.
    pub(crate) fn random_key_by(
        &self,
        access: impl Fn(ShardId, &mut dyn FnMut(&Shard)) -> Result<(), Stalled> + Copy,
        db: u32,
        rng: &mut Rng,
        now_ms: i64,
        met: &mut Vec<(u32, Vec<u8>)>,
    ) -> Result<Option<Vec<u8>>, Stalled> {
        /// Expired keys met before the search gives up choosing and takes the first live one.
        const TRIES: u32 = 100;
        for _ in 0..TRIES {
            let total = self.size(db).keys;
            if total == 0 {
                return Ok(None);
            }
            // A shard by its share of the keys, then a key in it.
            let mut rank = rng.below(total);
            let id = self.shards.ids().find(|id| {
                let keys = self.counts[id.index()].get(db).keys.load(Ordering::Relaxed);
                let here = rank < keys;
                rank = rank.saturating_sub(keys);
                here
            });
            // Others delete meanwhile: the counts may no longer add up to what was drawn from.
            let Some(id) = id else { continue };
            let (mut chosen, random) = (None, rng.u64());
            access(id, &mut |shard| {
                let entry = shard.database(db).and_then(|database| database.table().random(random));
                match entry {
                    Some(entry) if entry.expired(now_ms) => met.push((db, entry.key().to_vec())),
                    Some(entry) => chosen = Some(entry.key().to_vec()),
                    None => {}
                }
            })?;
            if chosen.is_some() {
                return Ok(chosen);
            }
        }
        let mut found = None;
        let mut at = Some(Position::default());
        while let (Some(from), None) = (at, &found) {
            at = self.scan_by(access, db, from, 1, &ScanFilter::default(), |entry| {
                if !entry.expired(now_ms) {
                    found.get_or_insert_with(|| entry.key().to_vec());
                }
            })?;
        }
        Ok(found)
    }

    /// Says who frees what is large; the first to say so is heard.
    pub fn set_disposal(&self, disposal: Disposal) {
        let first = self.disposal.set(disposal).is_ok();
        debug_assert!(first, "disposal is set once");
    }

    /// Frees garbage, or has it freed. Called without locks.
    pub fn dispose(&self, garbage: &mut Vec<Garbage>) {
        let disposal = self.disposal.get();
        for one in garbage.drain(..) {
            match disposal {
                Some(dispose) if one.is_large() => dispose(one),
                // It waits for the workers anyway: whoever disposes of it need not be woken.
                _ if one.may_be_read() => self.epochs.retire(Box::new(one)),
                _ => drop(one),
            }
        }
        if disposal.is_none() && self.epochs.retired() > 0 {
            self.epochs.collect();
        }
    }

    /// Keys were deleted because they had expired at `now_ms`. Called with their shards locked.
    pub fn count_expired(&self, keys: u64, now_ms: i64) {
        if keys > 0 {
            self.expired_keys.fetch_add(keys, Ordering::Relaxed);
            self.last_expiry_ms.fetch_max(now_ms, Ordering::Relaxed);
        }
    }

    /// The moment at which a command runs that read the clock at `now_ms` and then got its locks:
    /// no earlier than one at which a key was deleted as expired, or it would find that key gone
    /// and another with the same expiry alive. Called with the command's shards locked, which
    /// orders this load behind the store in `count_expired`.
    #[inline]
    pub fn now_under_locks(&self, now_ms: i64) -> i64 {
        /// No command waits longer between its clock and its locks. If the last expiry lies
        /// further ahead, the clock was set back, and time goes on from there.
        const WAIT_MAX_MS: i64 = 1000;
        let last = self.last_expiry_ms.load(Ordering::Relaxed);
        if last > now_ms && last.saturating_sub(now_ms) <= WAIT_MAX_MS { last } else { now_ms }
    }

    /// Keys that expired since the start or the last reset.
    pub fn expired_keys(&self) -> u64 {
        self.expired_keys.load(Ordering::Relaxed)
    }

    /// Elements of values were deleted because they had expired at `now_ms`, as above.
    pub fn count_expired_elements(&self, elements: u64, now_ms: i64) {
        if elements > 0 {
            self.expired_elements.fetch_add(elements, Ordering::Relaxed);
            self.last_expiry_ms.fetch_max(now_ms, Ordering::Relaxed);
        }
    }

    /// Elements of values that expired since the start or the last reset.
    pub fn expired_elements(&self) -> u64 {
        self.expired_elements.load(Ordering::Relaxed)
    }

    pub fn reset_stats(&self) {
        self.expired_elements.store(0, Ordering::Relaxed);
        self.expired_keys.store(0, Ordering::Relaxed);
    }

    /// Says how the memory of the process is found out.
    pub fn set_sampler(&self, sampler: Sampler) {
        let first = self.sampler.set(sampler).is_ok();
        debug_assert!(first, "the sampler is set once");
    }

    /// Asks the allocator. In between, [`Keyspace::memory`] follows the account.
    pub fn sample_memory(&self, now_ms: i64) {
        let Some(sampler) = self.sampler.get() else { return };
        self.sampled_ms.store(now_ms, Ordering::Relaxed);
        let bytes = i64::try_from(sampler()).unwrap_or(i64::MAX);
        self.beyond_bytes.store(bytes.saturating_sub(self.account.bytes()), Ordering::Relaxed);
    }

    /// As [`Keyspace::sample_memory`], unless it was asked in the last `age_ms` milliseconds.
    pub fn refresh_memory(&self, now_ms: i64, age_ms: i64) {
        let age = now_ms.saturating_sub(self.sampled_ms.load(Ordering::Relaxed));
        if !(0..age_ms).contains(&age) {
            self.sample_memory(now_ms);
        }
    }

    /// Bytes of all entries and tables, as they would be asked of the allocator; exact but for
    /// less than 512 bytes a shard. The exact sum is that of [`Keyspace::size`] over the databases.
    pub fn accounted_bytes(&self) -> u64 {
        self.account.bytes().max(0) as u64
    }

    /// The memory against which `maxmemory` is held: the allocator's last answer, and what the
    /// keyspace has grown or shrunk by since.
    #[inline]
    pub fn memory(&self) -> u64 {
        let beyond = self.beyond_bytes.load(Ordering::Relaxed);
        beyond.saturating_add(self.account.bytes()).max(0) as u64
    }

    /// Whether memory is above `limit` bytes; 0 is no limit.
    #[inline]
    pub fn out_of_memory(&self, limit: u64) -> bool {
        limit > 0 && self.memory() > limit
    }
}

/// Several shards, locked.
pub struct HeldMany<'a>(pub(crate) Many<'a, Shard>);

impl HeldShards for HeldMany<'_> {
    fn shard(&mut self, id: ShardId) -> &mut Shard {
        self.0.get(id)
    }

    fn look(&self, id: ShardId) -> &Shard {
        self.0.look(id)
    }

    fn holds(&self, id: ShardId) -> bool {
        self.0.holds(id)
    }

    fn each(&mut self, visit: &mut dyn FnMut(&mut Shard)) {
        self.0.iter_mut().for_each(|(_, shard)| visit(shard));
    }
}

/// Every shard, locked.
pub struct HeldAll<'a>(pub(crate) All<'a, Shard>);

impl HeldShards for HeldAll<'_> {
    fn shard(&mut self, id: ShardId) -> &mut Shard {
        self.0.get(id)
    }

    fn look(&self, id: ShardId) -> &Shard {
        self.0.look(id)
    }

    fn holds(&self, _: ShardId) -> bool {
        true
    }

    fn each(&mut self, visit: &mut dyn FnMut(&mut Shard)) {
        self.0.iter_mut().for_each(|(_, shard)| visit(shard));
    }
}

/// Shards that are locked one by one, as they are met, by the only one who may do so.
pub struct HeldAsMet<'a>(pub(crate) Exclusive<'a, Shard>);

impl HeldAsMet<'_> {
    /// Locks one more shard, if that is possible within `limit`.
    #[must_use]
    pub fn lock(&mut self, id: ShardId, limit: Duration) -> bool {
        self.0.lock_also_within(id, limit)
    }
}

impl HeldShards for HeldAsMet<'_> {
    fn shard(&mut self, id: ShardId) -> &mut Shard {
        self.0.get(id).unwrap_or_else(|| crate::db::not_held())
    }

    fn look(&self, id: ShardId) -> &Shard {
        self.0.look(id).unwrap_or_else(|| crate::db::not_held())
    }

    fn holds(&self, id: ShardId) -> bool {
        self.0.look(id).is_some()
    }

    fn each(&mut self, visit: &mut dyn FnMut(&mut Shard)) {
        self.0.iter_mut().for_each(|(_, shard)| visit(shard));
    }
}
