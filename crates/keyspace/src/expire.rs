//! Active expiry: a walk over the tables by budget, which deletes what has expired through the
//! log. Reads never delete; this and writes do.

use crate::{Event, ExpiredElements, Keyspace, Position, Record, Shard};
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
    /// Elements of values that were deleted.
    pub elements: u64,
    /// Where the walk goes on; the position 0 after the last slice of the shard.
    pub next: Option<Position>,
}

/// What had expired and was deleted.
#[derive(Clone, Copy, Debug)]
pub enum Gone<'a> {
    Key(&'a [u8]),
    Elements(&'a ExpiredElements),
}

/// Elements deleted under one acquisition of a shard, about.
const ELEMENTS: usize = 256;

impl Keyspace {
    /// Whether the shard's part of the database has keys with an expiry, or with elements that have
    /// one. Without a lock.
    pub fn has_volatile(&self, shard: ShardId, db: u32) -> bool {
        let count = self.count_of(shard, db);
        [&count.expires, &count.subexpiry].iter().any(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// Looks at up to `buckets` buckets of one shard's part of a database and deletes what has
    /// expired, keys and elements; `log` is told of each deletion under the lock, with the
    /// record that has its events, and gives the record's end. Where more elements are due than one slice deletes, the walk goes on
    /// at the same place.
    #[expect(clippy::too_many_arguments, reason = "a place, a budget, and where the outcome goes")]
    pub fn sweep(
        &self,
        shard: ShardId,
        db: u32,
        from: Option<Position>,
        buckets: usize,
        now_ms: i64,
        record: &mut Record,
        mut log: impl FnMut(u32, Gone<'_>, &mut Record) -> u64,
    ) -> Swept {
        let mut swept = Swept::default();
        let Ok(mut held) = self.soon_one(shard) else {
            // A script holds it: the next walk comes by again.
            return swept;
        };
        let begin = self.begin_of(shard);
        let start = from.map_or(begin, |position| position.hash().max(begin));
        let mut at = Some(start);
        let (mut gone, mut due): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
        let mut ttl_sum = 0u64;
        if let Some(database) = held.database(db) {
            for _ in 0..buckets {
                let Some(here) = at else { break };
                at = database.table().scan(here, |entry| {
                    swept.seen += 1;
                    if entry.expired(now_ms) {
                        gone.push(entry.key().to_vec());
                    } else if entry.earliest_element().is_some_and(|at| at <= now_ms) {
                        due.push(entry.key().to_vec());
                    }
                    let Some(expiry) = entry.expiry() else { return };
                    swept.volatile += 1;
                    ttl_sum = ttl_sum.saturating_add(expiry.saturating_sub(now_ms).max(0) as u64);
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
                held.lsn = log(db, Gone::Key(&key), record).max(held.lsn);
            }
        }
        let again = sweep_elements(&mut held, db, due, now_ms, record, &mut swept, &mut log);
        let count = self.count_of(shard, db);
        if from.is_none() {
            count.ttl_sum_ms.store(0, Ordering::Relaxed);
            count.ttl_count.store(0, Ordering::Relaxed);
        }
        // One writer: the holder of the shard's lock. What is looked at again is counted then.
        let live = swept.volatile - swept.expired;
        if !again {
            let sum = count.ttl_sum_ms.load(Ordering::Relaxed).saturating_add(ttl_sum);
            count.ttl_sum_ms.store(sum, Ordering::Relaxed);
            count
                .ttl_count
                .store(count.ttl_count.load(Ordering::Relaxed) + live, Ordering::Relaxed);
        }
        self.count_expired(swept.expired, now_ms);
        self.count_expired_elements(swept.elements, now_ms);
        drop(held);
        swept.next = if again { Some(Position::of_hash(start)) } else { at.map(Position::of_hash) };
        swept
    }
}

/// Deletes elements of the keys in `due`. Returns whether there are more.
fn sweep_elements(
    held: &mut Shard,
    db: u32,
    due: Vec<Vec<u8>>,
    now_ms: i64,
    record: &mut Record,
    swept: &mut Swept,
    log: &mut impl FnMut(u32, Gone<'_>, &mut Record) -> u64,
) -> bool {
    let mut again = false;
    let mut budget = ELEMENTS;
    for key in due {
        if budget == 0 {
            return true;
        }
        let (count, more) = held.expire_elements(db, &key, now_ms, budget, record);
        if let Some(gone) = record.elements.pop().filter(|_| count > 0) {
            held.lsn = log(db, Gone::Elements(&gone), record).max(held.lsn);
        }
        swept.elements += count as u64;
        budget = budget.saturating_sub(count);
        again |= more;
    }
    again
}
