//! Which keys go when memory is full: candidates by samples, the best of which wait in a pool.
//!
//! The approximation is that of Redis: each round compares a few random keys with up to
//! [`POOL_MAX`] good ones of earlier rounds and takes the best. A candidate that was used since it
//! was found is dropped, so that the pool's age does no harm. One shard is locked at a time.

use crate::shard::Count;
use crate::{AccessClock, Entry, Event, Keyspace, Record, Stalled};
use lock::ShardId;
use std::sync::atomic::Ordering;
use stdx::rng::Rng;

/// What makes a key a better one to evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Longest unused, or under LRM unchanged.
    Lru,
    /// Least often used.
    Lfu,
    /// Expires soonest.
    Ttl,
    Random,
}

/// A `maxmemory-policy` other than `noeviction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionPolicy {
    pub rank: Rank,
    /// Only keys with an expiry may go.
    pub volatile_only: bool,
}

impl EvictionPolicy {
    /// The policy by the name that the configuration has for it; `None` is `noeviction`.
    pub fn from_name(name: &str) -> Option<Self> {
        let (whose, rank) = name.split_once('-')?;
        let rank = match rank {
            "lru" | "lrm" => Rank::Lru,
            "lfu" => Rank::Lfu,
            "ttl" => Rank::Ttl,
            "random" => Rank::Random,
            _ => return None,
        };
        Some(Self { rank, volatile_only: whose == "volatile" })
    }

    /// How many keys of a part may go.
    fn candidates(self, count: &Count) -> u64 {
        let (keys, pinned) = match self.volatile_only {
            true => (&count.expires, &count.pinned_expires),
            false => (&count.keys, &count.pinned),
        };
        keys.load(Ordering::Relaxed).saturating_sub(pinned.load(Ordering::Relaxed))
    }

    /// How much the entry is a candidate, 0 for the least; `None`: it may not go.
    fn score(self, entry: &Entry, clock: AccessClock, now_ms: i64) -> Option<u64> {
        let expiry = entry.expiry();
        if self.volatile_only && expiry.is_none() || entry.is_pinned() {
            return None;
        }
        Some(match self.rank {
            Rank::Lru => u64::from(AccessClock::idle_seconds(entry.clock(), now_ms)),
            Rank::Lfu => u64::from(255 - clock.frequency(entry.clock(), now_ms).min(255)),
            Rank::Ttl => u64::MAX - expiry?.max(0) as u64,
            Rank::Random => 0,
        })
    }
}

/// A key that may go next.
#[derive(Debug)]
pub struct Candidate {
    score: u64,
    db: u32,
    hash: u64,
    key: Vec<u8>,
}

impl Candidate {
    pub fn db(&self) -> u32 {
        self.db
    }

    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

/// How candidates are looked for; frozen for one command's evictions.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    pub policy: EvictionPolicy,
    /// Keys that are compared in a round (`maxmemory-samples`).
    pub samples: usize,
    pub clock: AccessClock,
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

/// Candidates that are kept from round to round, as many as in Redis.
const POOL_MAX: usize = 16;

/// One worker's pool of candidates.
#[derive(Debug, Default)]
pub struct Evictor {
    /// Ascending by score: the best is last.
    pool: Vec<Candidate>,
    policy: Option<EvictionPolicy>,
    /// Parts of the keyspace that have keys which may go: shard, database and how many up to here.
    parts: Vec<(ShardId, u32, u64)>,
    /// Rounds before the parts are looked up again.
    parts_good_for: u32,
}

impl Evictor {
    /// Finds the next key to go, without taking it. Locks one shard at a time. `None` if no key may
    /// go.
    pub fn next(&mut self, space: &Keyspace, search: &Search, rng: &mut Rng) -> Option<Candidate> {
        if self.policy != Some(search.policy) {
            self.pool.clear();
            self.parts_good_for = 0;
            self.policy = Some(search.policy);
        }
        self.sample(space, search, rng);
        if self.pool.is_empty() {
            // Rare keys, or those that went since the parts were looked up: in order now.
            self.parts_good_for = 0;
            self.walk(space, search, rng);
        }
        self.pool.pop()
    }

    /// Compares the keys of one random place with the pool.
    fn sample(&mut self, space: &Keyspace, search: &Search, rng: &mut Rng) {
        /// Items looked at when only some of them may go.
        const VISITS_MAX: u64 = 256;
        /// Keys drawn before neighbors of one are looked at, when only some may go.
        const RANDOM_TRIES: u32 = 16;
        let Some((id, db)) = self.part(space, search, rng) else { return };
        let count = space.count_of(id, db);
        let samples = if search.policy.rank == Rank::Random { 1 } else { search.samples.max(1) };
        let mut visits = samples as u64;
        let keys = count.keys.load(Ordering::Relaxed);
        let scarcity = keys / search.policy.candidates(count).max(1);
        if scarcity > 1 {
            visits = visits.saturating_mul(scarcity).min(VISITS_MAX);
        }
        let Ok(shard) = space.soon_one(id) else { return };
        let Some(database) = shard.database(db) else { return };
        let pool = &mut self.pool;
        if search.policy.rank == Rank::Random {
            // Neighbors would do for a comparison, but the first of a bucket is not a fair draw.
            for _ in 0..RANDOM_TRIES {
                let Some(entry) = database.table().random(rng.u64()) else { return };
                if offer(pool, search, db, &entry, |key| shard.hash(key)) {
                    return;
                }
            }
        }
        let mut left = samples;
        database.table().sample(rng.u64(), visits as usize, |entry| {
            if left > 0 && offer(pool, search, db, entry, |key| shard.hash(key)) {
                left -= 1;
            }
        });
    }

    /// Looks at keys in order, from a random part on, until one may go.
    fn walk(&mut self, space: &Keyspace, search: &Search, rng: &mut Rng) {
        /// Buckets under one acquisition of the lock.
        const SLICE_BUCKETS: usize = 64;
        let Some((first, db)) = self.part(space, search, rng) else { return };
        let begin = self.parts.iter().position(|part| (part.0, part.1) == (first, db)).unwrap_or(0);
        for idx in 0..self.parts.len() {
            let (id, db, _) = self.parts[(begin + idx) % self.parts.len()];
            let mut at = Some(space.begin_of(id));
            while let Some(from) = at {
                let Ok(shard) = space.soon_one(id) else { break };
                let Some(database) = shard.database(db) else { break };
                let pool = &mut self.pool;
                at = database.table().scan_slice(from, SLICE_BUCKETS, |entry| {
                    offer(pool, search, db, entry, |key| shard.hash(key));
                });
                if !self.pool.is_empty() {
                    return;
                }
            }
        }
    }

    /// A part of the keyspace, by its share of the keys that may go.
    fn part(&mut self, space: &Keyspace, search: &Search, rng: &mut Rng) -> Option<(ShardId, u32)> {
        const GOOD_FOR: u32 = 256;
        if self.parts_good_for == 0 {
            self.parts_good_for = GOOD_FOR;
            self.parts.clear();
            let mut total = 0;
            for id in space.shards().ids() {
                for db in 0..space.databases() {
                    let keys = search.policy.candidates(space.count_of(id, db));
                    if keys > 0 {
                        total += keys;
                        self.parts.push((id, db, total));
                    }
                }
            }
        }
        self.parts_good_for -= 1;
        let &(_, _, total) = self.parts.last()?;
        let rank = rng.below(total);
        let idx = self.parts.partition_point(|&(_, _, upto)| upto <= rank);
        self.parts.get(idx).map(|&(id, db, _)| (id, db))
    }
}

/// Puts the entry in the pool if it may go and is better than the worst there. Returns whether it
/// may go.
fn offer(
    pool: &mut Vec<Candidate>,
    search: &Search,
    db: u32,
    entry: &Entry,
    hash: impl FnOnce(&[u8]) -> u64,
) -> bool {
    let Some(score) = search.policy.score(entry, search.clock, search.now_ms) else { return false };
    let full = pool.len() >= POOL_MAX;
    if full && pool[0].score >= score {
        return true;
    }
    let hash = hash(entry.key());
    if pool.iter().any(|known| known.hash == hash && known.db == db) {
        return true;
    }
    if full {
        pool.remove(0);
    }
    let at = pool.partition_point(|known| known.score <= score);
    pool.insert(at, Candidate { score, db, hash, key: entry.key().to_vec() });
    true
}

impl Keyspace {
    /// Deletes a candidate, unless it was used, changed or deleted since it was found; `log` is told
    /// under the lock and gives the record's end. Returns whether it went; an error if a script holds its
    /// shard.
    pub fn evict(
        &self,
        candidate: &Candidate,
        search: &Search,
        record: &mut Record,
        log: impl FnOnce(u32, &[u8]) -> u64,
    ) -> Result<bool, Stalled> {
        let Candidate { score, db, hash, ref key } = *candidate;
        let mut held = self.soon_one(self.shards().of_hash(hash))?;
        let score_now = held.database(db).and_then(|database| {
            let entry = database.table().get(database.table().find(hash, key)?);
            search.policy.score(&entry, search.clock, search.now_ms)
        });
        if score_now.is_none_or(|now| now < score) {
            return Ok(false);
        }
        let Some(entry) = held.take(db, hash, key, record) else { return Ok(false) };
        record.discard(entry);
        record.note(&mut held, db, key, Event::EVICTED);
        held.lsn = log(db, key).max(held.lsn);
        Ok(true)
    }
}
