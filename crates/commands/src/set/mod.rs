//! The set family. What a set is, and which shape it has, is `types::set`. Here: arguments, answers,
//! and what the journal is told.
//!
//! Chance never reaches the journal: SPOP is told as the SREM, or DEL, that took place. Answers of
//! many members are written from an O(1) clone outside the lock, slice by slice.

mod change;
mod combine;
mod expire;
mod random;
mod read;

use crate::element::reply_element;
use command::{Command, Job, JobStep, KeyFlags, KeySpec};
use keyspace::{Event, Keyspace};
use resp::Reply;
use types::set::{Set, SetView};
use types::{Collection as _, View as _};

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    change::SADD,
    expire::SADDEX,
    read::SCARD,
    combine::SDIFF,
    combine::SDIFFCARD,
    combine::SDIFFSTORE,
    expire::SEXPIRE,
    expire::SEXPIREAT,
    expire::SEXPIRETIME,
    combine::SINTER,
    combine::SINTERCARD,
    combine::SINTERSTORE,
    read::SISMEMBER,
    read::SMEMBERS,
    read::SMISMEMBER,
    change::SMOVE,
    expire::SPERSIST,
    expire::SPEXPIRE,
    expire::SPEXPIREAT,
    expire::SPEXPIRETIME,
    random::SPOP,
    expire::SPTTL,
    random::SRANDMEMBER,
    change::SREM,
    read::SSCAN,
    expire::STTL,
    combine::SUNION,
    combine::SUNIONCARD,
    combine::SUNIONSTORE,
];

const READ: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))];
const LOOK: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO)];

const SADD_EVENT: Event = Event::set("sadd");
const SREM_EVENT: Event = Event::set("srem");

/// Members that are answered at once, under the lock, and in one step outside it.
const SLICE: usize = 1000;

/// A set that was carried away, with what was hidden then.
fn seen(set: &Set, horizon_ms: Option<i64>) -> SetView<'_> {
    horizon_ms.map_or(set.view(), |horizon_ms| set.view().at(horizon_ms))
}

/// Answers all members: at once if they are few, else they follow outside the lock.
fn reply_members(reply: &mut Reply, set: SetView<'_>) -> Option<Box<dyn Job>> {
    reply.set(set.len());
    let SetView::Large(_) = set else {
        set.iter().for_each(|member| reply_element(reply, member));
        return None;
    };
    let mut job = MembersJob::of(set);
    match job.slice(reply) {
        JobStep::Done => None,
        JobStep::More | JobStep::Wait => Some(Box::new(job)),
    }
}

/// An answer of many members under way.
struct MembersJob {
    set: Set,
    /// What is hidden expires at or before this moment.
    horizon_ms: Option<i64>,
    cursor: u64,
}

impl MembersJob {
    fn of(set: SetView<'_>) -> Self {
        Self { set: set.to_owned(), horizon_ms: set.horizon(), cursor: 0 }
    }

    fn slice(&mut self, reply: &mut Reply) -> JobStep {
        let view = seen(&self.set, self.horizon_ms);
        self.cursor = view.scan(self.cursor, SLICE, |member| reply_element(reply, member));
        if self.cursor == 0 { JobStep::Done } else { JobStep::More }
    }
}

impl Job for MembersJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        self.slice(reply)
    }
}
