//! The locks of several commands that run as one: a command on several shards, a transaction, a
//! script.

use crate::Engine;
use crate::batch::Locked;
use crate::resolve::{LockPlan, Plan};
use command::{Flags, Place};
use keyspace::{HeldAll, HeldAsMet, HeldMany, HeldShards, KeyRef, Shard, Stalled, missing_shards};
use lock::{One, ShardId};
use std::time::Duration;

/// Who waits may change while more is locked: at last, all is.
const ROUNDS_MAX: usize = 8;

/// Locked shards.
#[expect(clippy::large_enum_variant, reason = "it lives on the stack, once")]
pub(crate) enum Union<'a> {
    Nothing,
    One(One<'a, Shard>),
    Many(HeldMany<'a>),
    /// More may be locked at any time.
    AsMet(HeldAsMet<'a>),
    All(HeldAll<'a>),
}

/// Whether all that is needed is locked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extended {
    Done,
    /// Somebody holds a part of it: to be tried again.
    Waits,
    /// It is beyond what these locks can be extended to.
    Beyond,
}

/// What waits for a lock sleeps for so long before it looks around.
const SLICE: Duration = Duration::from_millis(2);

impl<'a> Union<'a> {
    /// Locks what these requests need, whose keys `keys` are. With a script among them, more can be
    /// locked later.
    pub(crate) fn lock(
        engine: &'a Engine,
        plans: &[Plan],
        keys: &[KeyRef<'_>],
        shards: &mut Vec<ShardId>,
    ) -> Result<Self, Stalled> {
        if plans.iter().any(|plan| plan.lock == LockPlan::All) {
            return engine.space.reach_all().map(Self::All);
        }
        if plans.iter().any(|plan| plan.row.is_some_and(|row| row.place.is_script())) {
            let mut union = Self::as_met(engine)?;
            for plan in plans {
                while union.extend(plan, keys, engine.space.shards().ids()) != Extended::Done {
                    if engine.space.is_stalled() {
                        return Err(Stalled);
                    }
                }
            }
            return Ok(union);
        }
        Self::declared(engine, plans.iter().any(writes), keys, shards)
    }

    /// Locks the shards of `keys`, and if they are written those that are needed to serve who waits
    /// for them.
    pub(crate) fn declared(
        engine: &'a Engine,
        writes: bool,
        keys: &[KeyRef<'_>],
        shards: &mut Vec<ShardId>,
    ) -> Result<Self, Stalled> {
        shards.clear();
        shards.extend(keys.iter().map(KeyRef::shard));
        for _ in 0..ROUNDS_MAX {
            shards.sort_unstable();
            shards.dedup();
            let mut union = match shards[..] {
                [] => return Ok(Self::Nothing),
                [one] => Self::One(engine.space.reach_one(one)?),
                _ => Self::Many(engine.space.reach_many(shards)?),
            };
            let missing = if writes { union.missing(keys) } else { Vec::new() };
            if missing.is_empty() {
                return Ok(union);
            }
            drop(union);
            shards.extend(missing);
        }
        engine.space.reach_all().map(Self::All)
    }

    /// Locks what one request needs, while the write gate is closed: nobody holds it for long.
    pub(crate) fn alone(engine: &'a Engine, plan: &Plan, keys: &[KeyRef<'_>]) -> Self {
        loop {
            let plans = std::slice::from_ref(plan);
            if let Ok(union) = Self::lock(engine, plans, keys, &mut Vec::new()) {
                return union;
            }
        }
    }

    /// Becomes the one that locks as it goes, with nothing locked.
    pub(crate) fn as_met(engine: &'a Engine) -> Result<Self, Stalled> {
        engine.space.reach_as_met().map(Self::AsMet)
    }

    /// Locks what a request needs beyond what is locked, whose keys `keys` are; `shards` are all that
    /// there are. Waits for a moment at most.
    pub(crate) fn extend(
        &mut self,
        plan: &Plan,
        keys: &[KeyRef<'_>],
        mut shards: impl Iterator<Item = ShardId>,
    ) -> Extended {
        let everything =
            plan.lock == LockPlan::All || plan.row.is_some_and(|row| row.place == Place::Walk);
        let within = match self {
            Self::All(_) => true,
            Self::AsMet(held) if everything => {
                let all = shards.all(|id| held.lock(id, SLICE));
                return if all { Extended::Done } else { Extended::Waits };
            }
            Self::AsMet(held) => {
                if !keys.iter().all(|key| held.lock(key.shard(), SLICE)) {
                    return Extended::Waits;
                }
                let mut missing =
                    if writes(plan) { missing_shards(held, keys) } else { Vec::new() };
                while !missing.is_empty() {
                    if !missing.iter().all(|id| held.lock(*id, SLICE)) {
                        return Extended::Waits;
                    }
                    missing = missing_shards(held, keys);
                }
                true
            }
            Self::Nothing => !everything && keys.is_empty(),
            Self::One(_) | Self::Many(_) => {
                !everything
                    && keys.iter().all(|key| self.holds(key.shard()))
                    && (!writes(plan) || self.missing(keys).is_empty())
            }
        };
        if within { Extended::Done } else { Extended::Beyond }
    }

    fn holds(&self, id: ShardId) -> bool {
        match self {
            Self::Nothing => false,
            Self::One(shard) => shard.id() == id,
            Self::Many(shards) => shards.holds(id),
            Self::AsMet(shards) => shards.holds(id),
            Self::All(_) => true,
        }
    }

    fn missing(&mut self, keys: &[KeyRef<'_>]) -> Vec<ShardId> {
        match self {
            Self::One(shard) if !shard.reaches_beyond() => Vec::new(),
            Self::One(shard) => missing_shards(&mut **shard, keys),
            Self::Many(shards) => missing_shards(shards, keys),
            Self::AsMet(shards) => missing_shards(shards, keys),
            Self::Nothing | Self::All(_) => Vec::new(),
        }
    }

    /// What is held, if anything is.
    pub(crate) fn held(&mut self) -> Option<&mut dyn HeldShards> {
        match self {
            Self::Nothing => None,
            Self::One(shard) => Some(&mut **shard),
            Self::Many(shards) => Some(shards),
            Self::AsMet(shards) => Some(shards),
            Self::All(shards) => Some(shards),
        }
    }

    pub(crate) fn locked(&mut self) -> Locked<'_> {
        match self {
            Self::One(shard) => Locked::One(shard),
            other => other.held().map_or(Locked::Nothing, Locked::Many),
        }
    }

    /// Marks the locked shards with the end of the record.
    pub(crate) fn stamp(&mut self, lsn: u64) {
        if let Some(held) = self.held() {
            held.each(&mut |shard| shard.lsn = lsn);
        }
    }
}

/// Whether the request may change its keys.
pub(crate) fn writes(plan: &Plan) -> bool {
    plan.row.is_some_and(|row| row.flags.has(Flags::WRITE) || row.place.is_script())
}
