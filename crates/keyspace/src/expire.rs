//! Active expiry: a walk over the tables by budget, which deletes what has expired through the
//! log. Reads never delete; this and writes do.

use crate::{Event, Keyspace, Position, Record};
use lock::ShardId;
use std::sync::atomic::Ordering;

/// What one slice of the walk saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entries looked at.
    pub seen: u64,
    /// Of these, entries with an expiry.
    pub volatile: u64,
    /// Of these, deleted.
    pub expired: u64,
    /// Where the walk goes on; the position 0 after the last slice of the shard.
    pub next: Option<Position>,
}

impl Keyspace {
    /// Whether the shard's part of the database has keys with an expiry. Without a lock.
    pub fn has_volatile(&self, shard: ShardId, db: u32) -> bool {
        self.count_of(shard, db).expires.load(Ordering::Relaxed) > 0
    }

    /// Looks at up to `buckets` buckets of one shard's part of a database and deletes what has
    /// expired; `log` is told of each deletion under the lock and gives the record's end.
    #[expect(clippy::too_many_arguments, reason = "a place, a budget, and where the outcome goes")]
    pub fn sweep(
        &self,
        shard: ShardId,
        db: u32,
        from: Option<Position>,
        buckets: usize,
        now_ms: i64,
        record: &mut Record,
        mut log: impl FnMut(u32, &[u8]) -> u64,
    ) -> Swept {
        let mut held = self.shards().one(shard);
        let mut swept = Swept::default();
        let begin = self.begin_of(shard);
        let mut at = Some(from.map_or(begin, |position| position.hash().max(begin)));
        let mut gone: Vec<Vec<u8>> = Vec::new();
        let mut ttl_sum = 0u64;
        if let Some(database) = held.database(db) {
            for _ in 0..buckets {
                let Some(here) = at else { break };
                at = database.table.scan(here, |entry| {
                    swept.seen += 1;
                    let Some(expiry) = entry.expiry() else { return };
                    swept.volatile += 1;
                    if expiry <= now_ms {
                        gone.push(entry.key().to_vec());
                    } else {
                        ttl_sum = ttl_sum.saturating_add(expiry.saturating_sub(now_ms) as u64);
                    }
                });
            }
        } else {
            at = None;
        }
        for key in gone {
            let hash = held.hash(&key);
            if let Some(entry) = held.take(db, hash, &key, record) {
                record.discard(entry);
                record.note(&mut held, db, &key, Event::EXPIRED);
                swept.expired += 1;
                held.lsn = log(db, &key).max(held.lsn);
            }
        }
        let count = self.count_of(shard, db);
        if from.is_none() {
            count.ttl_sum_ms.store(0, Ordering::Relaxed);
            count.ttl_count.store(0, Ordering::Relaxed);
        }
        // One writer: the holder of the shard's lock.
        let live = swept.volatile - swept.expired;
        count.ttl_sum_ms.store(
            count.ttl_sum_ms.load(Ordering::Relaxed).saturating_add(ttl_sum),
            Ordering::Relaxed,
        );
        count.ttl_count.store(count.ttl_count.load(Ordering::Relaxed) + live, Ordering::Relaxed);
        self.count_expired(swept.expired, now_ms);
        drop(held);
        swept.next = at.map(Position::of_hash);
        swept
    }
}
