//! A large set of which members expire: the set as it is without that, and beside it when they do.
//! A set that has no such member, or no longer, has none of this.

use std::ops::Range;

use super::large::{Large, LargeIter};
use crate::dict::Dict;
use crate::listpack::{Digits, Element};

/// O(1) to clone.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    pub(super) large: Large,
    /// The members that expire: all of them are in the set.
    pub(super) times: Dict,
}

impl Timed {
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.large.heap_bytes() + self.times.heap_bytes()
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
        let Self { large, times } = self;
        times.expire(horizon, budget, |record| {
            gone(record.key);
            large.remove(record.key);
        })
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

    /// The ranks of what is hidden, ascending, among all members. O(m log n) for m that are hidden.
    fn hidden(self) -> Vec<usize> {
        let mut ranks = Vec::new();
        if let Some(horizon) = self.horizon {
            self.timed.times.each_due(horizon, |record| {
                ranks.extend(self.timed.large.rank(record.key).map(|(rank, _)| rank));
            });
            ranks.sort_unstable();
        }
        ranks
    }

    pub(super) fn len(self) -> usize {
        self.shown_before(self.timed.large.len())
    }

    /// How many are shown of the first `rank` members.
    pub(super) fn shown_before(self, rank: usize) -> usize {
        rank - self.hidden().partition_point(|hidden| *hidden < rank)
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
    pub(super) fn iter(self, ranks: Range<usize>) -> ShownIter<'a> {
        let hidden = self.hidden();
        let among_all = |shown: usize| {
            hidden.iter().fold(shown, |rank, hidden| rank + usize::from(*hidden <= rank))
        };
        let ranks = among_all(ranks.start)..among_all(ranks.end);
        ShownIter { iter: self.timed.large.iter(ranks), shown: self }
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

/// Elements that are shown, from both ends.
pub(super) struct ShownIter<'a> {
    iter: LargeIter<'a>,
    shown: Shown<'a>,
}

impl ShownIter<'_> {
    fn hides(&self, (member, _): &(Element<'_>, f64)) -> bool {
        self.shown.hides(member.text(&mut Digits::default()))
    }
}

impl<'a> Iterator for ShownIter<'a> {
    type Item = (Element<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let next = self.iter.next()?;
            if !self.hides(&next) {
                return Some(next);
            }
        }
    }
}

impl DoubleEndedIterator for ShownIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            let next = self.iter.next_back()?;
            if !self.hides(&next) {
                return Some(next);
            }
        }
    }
}
