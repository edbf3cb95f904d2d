//! When jobs run next: each shard has its own in the order of time, beside its tables. What puts an
//! entry into a table or takes it out keeps the order in step; so it is with keys that are copied, moved,
//! loaded or taken back, too. Of a shard without jobs nothing is kept, and a key that is no job costs a
//! look at its type.

use crate::{Entry, Keyspace, Shard, Value};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use types::job::Job;
use types::{Any, Collection as _, Type};

/// The jobs of a shard, in all databases: when, where, which key.
#[derive(Debug, Default)]
pub(crate) struct Jobs(BTreeSet<(i64, u32, Box<[u8]>)>);

/// A job whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueJob {
    pub db: u32,
    pub key: Vec<u8>,
    pub job: Job,
}

/// What [`Counts`](crate::shard::Counts) say of a shard without jobs.
pub(crate) const NEVER: i64 = i64::MAX;

impl Entry {
    /// When the job that it is runs next.
    #[inline]
    pub(crate) fn job_due(&self) -> Option<i64> {
        if self.type_of() == Type::Job { self.job().map(|job| job.view().due_ms()) } else { None }
    }

    /// The job that it is. A copy of a block of a kilobyte at most.
    pub(crate) fn job(&self) -> Option<Job> {
        match self.value() {
            Value::Packed(packed) if packed.of == Type::Job => {
                Some(Job::from_packed(packed.form, packed.bytes.to_vec()))
            }
            Value::Boxed(Any::Job(job)) => Some(job.clone()),
            _ => None,
        }
    }
}

impl Shard {
    /// Keeps the order in step with an entry of `key` that came, went or changed.
    #[inline]
    pub(crate) fn job_moves(&mut self, db: u32, key: &[u8], old: Option<i64>, new: Option<i64>) {
        if old != new {
            self.job_moves_on(db, key, old, new);
        }
    }

    #[cold]
    fn job_moves_on(&mut self, db: u32, key: &[u8], old: Option<i64>, new: Option<i64>) {
        if let Some(at) = old {
            self.jobs.0.remove(&(at, db, key.into()));
        }
        if let Some(at) = new {
            self.jobs.0.insert((at, db, key.into()));
        }
        self.show_jobs();
    }

    /// A database has lost all its keys.
    pub(crate) fn jobs_emptied(&mut self, db: u32) {
        self.jobs.0.retain(|(_, of, _)| *of != db);
        self.show_jobs();
    }

    /// Two databases have changed places.
    pub(crate) fn jobs_swapped(&mut self, first: u32, second: u32) {
        let swapped = |db| match db {
            _ if db == first => second,
            _ if db == second => first,
            _ => db,
        };
        let jobs = std::mem::take(&mut self.jobs.0);
        self.jobs.0 = jobs.into_iter().map(|(at, db, key)| (at, swapped(db), key)).collect();
        self.show_jobs();
    }

    fn show_jobs(&self) {
        let next = self.jobs.0.first().map_or(NEVER, |(at, ..)| *at);
        self.counts.next_job_ms.store(next, Ordering::Relaxed);
    }
}

impl Keyspace {
    /// Whether a job is due. Without a lock.
    pub fn job_is_due(&self, now_ms: i64) -> bool {
        self.shards().ids().any(|id| self.next_job_ms(id) <= now_ms)
    }

    /// The jobs that are due at `now_ms`, of each shard the first by time. Those of a shard that a script
    /// holds are left for later.
    pub fn due_jobs(&self, now_ms: i64) -> Vec<DueJob> {
        /// Of one shard at a time.
        const JOBS_MAX: usize = 64;
        let mut due = Vec::new();
        for id in self.shards().ids() {
            if self.next_job_ms(id) > now_ms {
                continue;
            }
            let Ok(shard) = self.soon_one(id) else { continue };
            let first = shard.jobs.0.iter().take_while(|(at, ..)| *at <= now_ms).take(JOBS_MAX);
            for (_, db, key) in first {
                let job = shard.job_at(*db, key, now_ms);
                due.extend(job.map(|job| DueJob { db: *db, key: key.to_vec(), job }));
            }
        }
        due
    }
}

impl Shard {
    /// The job at a key that has not expired.
    fn job_at(&self, db: u32, key: &[u8], now_ms: i64) -> Option<Job> {
        let table = self.database(db)?.table();
        let entry = table.get(table.find(self.hash(key), key)?);
        if entry.expired(now_ms) { None } else { entry.job() }
    }
}
