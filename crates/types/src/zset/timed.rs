//! A large set of which members expire: the set as it is without that, and beside it when they do.
//! A set that has no such member, or no longer, has none of this.

use std::ops::Range;

use stdx::hash::Seed;

use super::large::{Large, LargeIter};
use super::leaf::NEVER;
use crate::dict::Dict;
use crate::listpack::Digits;

/// Where more than one of so many members has expired, the set is built anew from those that stay:
/// that costs a tenth of taking one out, for each.
const REBUILD_SHARE: usize = 4;

/// O(1) to clone.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    pub(super) large: Large,
    /// The members that expire: all of them are in the set, which knows their expiries too. Here
    /// they are found by when they are due, there they are counted by rank.
    pub(super) times: Dict,
}

impl Timed {
    /// No member expires yet.
    pub(super) fn new(large: Large, seed: Seed) -> Self {
        Self { large, times: Dict::new(seed) }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.large.heap_bytes() + self.times.heap_bytes()
    }

    /// See [`Large::upsert`]. A member that expires does so with its new score.
    pub(super) fn upsert(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> (Option<f64>, Option<f64>) {
        let (old, new) = self.large.upsert(member, decide);
        if old.is_some()
            && new.is_some()
            && let Some(at) = self.times.get(member).and_then(|record| record.expiry)
        {
            self.large.set_expiry(member, at);
        }
        (old, new)
    }

    /// Lets a member that is there expire.
    pub(super) fn set_expiry(&mut self, member: &[u8], at: i64) {
        self.times.insert(member, b"", Some(at));
        self.large.set_expiry(member, at);
    }

    /// Lets a member stay; whether it would have expired.
    pub(super) fn clear_expiry(&mut self, member: &[u8]) -> bool {
        let expired = self.times.remove(member);
        if expired {
            self.large.set_expiry(member, NEVER);
        }
        expired
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        self.times.remove(member);
        self.large.remove(member)
    }

    /// `ranks` are within the set.
    pub(super) fn remove_ranks(&mut self, ranks: Range<usize>) {
        let mut digits = Digits::default();
        for (member, _) in self.large.iter(ranks.clone()) {
            self.times.remove(member.text(&mut digits));
        }
        self.large.remove_ranks(ranks);
    }

    /// See [`crate::Collection::expire`].
    pub(super) fn expire(
        &mut self,
        horizon: i64,
        budget: usize,
        gone: &mut dyn FnMut(&[u8]),
    ) -> usize {
        let (len, many) = (self.large.len(), self.large.len() / REBUILD_SHARE);
        if budget > many {
            let due = len - self.large.count_after(horizon, len);
            if due > many && due <= budget {
                self.rebuild(horizon, gone);
                return due;
            }
        }
        let Self { large, times } = self;
        times.expire(horizon, budget, |record| {
            gone(record.key);
            large.remove(record.key);
        })
    }

    /// Takes out all that expires at or before `horizon`.
    fn rebuild(&mut self, horizon: i64, gone: &mut dyn FnMut(&[u8])) {
        let seed = self.large.seed();
        let mut times = Dict::new(seed);
        let mut left = Vec::new();
        for (member, score, expiry) in self.large.iter_expiries() {
            if expiry <= horizon {
                gone(member);
                continue;
            }
            if expiry != NEVER {
                times.insert(member, b"", Some(expiry));
            }
            left.push((member, score, expiry));
        }
        *self = Self { large: Large::of_expiring(left.into_iter(), seed), times };
    }
}

/// Such a set as it is seen: what expires at or before a horizon can be hidden.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) timed: &'a Timed,
    /// `None`: nothing is hidden.
    pub(super) horizon: Option<i64>,
}

impl<'a> Shown<'a> {
    pub(super) fn at(self, horizon: i64) -> Self {
        let hides = self.timed.times.earliest().is_some_and(|at| at <= horizon);
        Self { horizon: hides.then_some(horizon), ..self }
    }

    /// When a member expires, if it does.
    pub(super) fn expiry(self, member: &[u8]) -> Option<i64> {
        self.timed.times.get(member)?.expiry
    }

    pub(super) fn hides(self, member: &[u8]) -> bool {
        self.horizon.is_some_and(|horizon| self.expiry(member).is_some_and(|at| at <= horizon))
    }

    pub(super) fn len(self) -> usize {
        self.shown_before(self.timed.large.len())
    }

    /// How many are shown of the first `rank` members.
    pub(super) fn shown_before(self, rank: usize) -> usize {
        self.horizon.map_or(rank, |horizon| self.timed.large.count_after(horizon, rank))
    }

    pub(super) fn score(self, member: &[u8]) -> Option<f64> {
        if self.hides(member) { None } else { self.timed.large.score(member) }
    }

    /// Number of members shown before this one, and its score.
    pub(super) fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        if self.hides(member) {
            return None;
        }
        let (rank, score) = self.timed.large.rank(member)?;
        Some((self.shown_before(rank), score))
    }

    /// Those shown that have these ranks among them.
    pub(super) fn iter(self, ranks: Range<usize>) -> LargeIter<'a> {
        let large = &self.timed.large;
        let Some(horizon) = self.horizon else { return large.iter(ranks) };
        if ranks.is_empty() {
            return large.iter(0..0);
        }
        // From the first to the last: not up to the one after, which may be far.
        let last = large.rank_after(horizon, ranks.end - 1);
        large.iter_after(horizon, large.rank_after(horizon, ranks.start)..last + 1)
    }

    /// The set without what is hidden: O(1) if nothing is.
    pub(super) fn to_owned(self) -> Timed {
        let mut timed = self.timed.clone();
        if let Some(horizon) = self.horizon {
            timed.expire(horizon, usize::MAX, &mut |_| {});
        }
        timed
    }
}
