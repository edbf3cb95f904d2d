//! The sorted set: distinct members, each with a score, in order of score and, where scores are
//! equal, of the members' bytes. Scores are doubles but never NaN; the zeros are equal.
//!
//! Packed, it is a lean block of members and scores in turn. Large, it is a tree of chunks in that
//! order, which knows every element's rank, and an index from the hash of a member to its score:
//!
//! ```text
//!   member ──hash──► index: (hash, score) ... ──score, member──► tree: chunk ─┬─ scores
//!                                                                             ├─ starts
//!                                                                             └─ members
//! ```
//!
//! The member is stored once, in the tree; what the index finds is looked for there. Both are
//! persistent trees, so a clone is O(1).
//!
//! Members may expire; a set with such a member is large, and a table beside the two trees finds them
//! by when they do. Chunks know it of their members too, and the tree between which times those
//! beneath a node do: how many of the first elements have expired is counted without looking at
//! those of which all have, or none. Nothing expires by itself here: a view hides what has expired
//! for who looks, [`Collection::expire`] removes what is due.
//!
//! All ranges, by score or by member, are turned into ranges of ranks (0 is the least element), in
//! O(log n): counting is a difference, and every walk is [`ZSetView::range`].

mod bounds;
mod index;
mod large;
mod leaf;
mod packed;
pub(crate) mod persist;
#[cfg(test)]
mod tests;
mod timed;

use std::ops::Range;

use stdx::num;

use crate::Limits;
use crate::collection::{Collection, Type, View, any_ways};
use crate::digest::{Digest, Kind};
use crate::lean::{self, Lean};
use crate::listpack::{Digits, Element};
pub use bounds::{LexBound, LexRange, ScoreRange};
use large::{Large, LargeIter};
use packed::PackedIter;
use timed::{Shown, Timed};

/// An owned sorted set.
#[derive(Clone, Debug, Default)]
pub struct ZSet {
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Packed(Lean),
    Large(Large),
    Timed(Box<Timed>),
}

impl Default for Shape {
    fn default() -> Self {
        Self::Packed(Lean::new())
    }
}

/// Under which conditions [`ZSet::add`] gives a member a score.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddRule {
    /// Not if it is there.
    pub only_new: bool,
    /// Not if it is not there.
    pub only_present: bool,
    /// Not if it has a score that is as great.
    pub only_greater: bool,
    /// Not if it has a score that is as small.
    pub only_less: bool,
    /// The score is added to the one it has.
    pub increment: bool,
    /// A member that is there expires when it did; else it stays, if it gets a score.
    pub keeps_expiry: bool,
}

impl AddRule {
    /// The new score of a member that has this score or none, if it gets one.
    pub fn decide(&self, old: Option<f64>, given: f64) -> Option<f64> {
        let Some(old) = old else { return (!self.only_present).then_some(given) };
        let new = if self.increment { old + given } else { given };
        let refused =
            self.only_new || self.only_greater && new <= old || self.only_less && new >= old;
        (!refused).then_some(new)
    }
}

/// What became of members that were added.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Added {
    /// Members that were not there.
    pub new: usize,
    /// Members that have another score now.
    pub updated: usize,
    /// Members that would have expired, and stay now.
    pub persisted: usize,
    /// The score of the last member; `None` if the rule refused it.
    pub last: Option<f64>,
}

/// A score would become what is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANumber;

/// What became of one member: its score before and after, `None` for no member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    pub before: Option<f64>,
    pub after: Option<f64>,
}

impl Change {
    pub fn is_new(&self) -> bool {
        self.before.is_none() && self.after.is_some()
    }

    /// Whether the member was there and has another score now.
    pub fn is_update(&self) -> bool {
        self.before.is_some() && self.before != self.after
    }
}

impl ZSet {
    /// A set of these elements, in whatever order, in the shape that their number and lengths ask
    /// for. No score is NaN. A member that comes twice is an error: the set would be broken.
    pub fn from_elements<M: AsRef<[u8]>>(
        elements: Vec<(M, f64)>,
        limits: &Limits,
    ) -> Result<Self, Duplicate> {
        let mut members: Vec<&[u8]> = elements.iter().map(|(member, _)| member.as_ref()).collect();
        members.sort_unstable();
        if members.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Duplicate);
        }
        Ok(Self::from_distinct(elements, limits))
    }

    /// As [`ZSet::from_elements`], for members that are known to come once each.
    pub fn from_distinct<M: AsRef<[u8]>>(mut elements: Vec<(M, f64)>, limits: &Limits) -> Self {
        sort(&mut elements);
        let longest = elements.iter().map(|(member, _)| member.as_ref().len()).max();
        let is_small = elements.len() <= limits.zset_entries
            && longest.is_none_or(|longest| longest <= limits.zset_value_bytes);
        let in_order =
            elements.iter().map(|(member, score)| (member.as_ref(), unsigned_zero(*score)));
        let shape = if is_small {
            let mut pack = Lean::new();
            in_order.for_each(|(member, score)| packed::append(&mut pack, score, member));
            Shape::Packed(pack)
        } else {
            Shape::Large(Large::of_sorted(in_order, limits.seed))
        };
        Self { shape }
    }

    /// Takes the large shape if `elements` that are about to be put in are too many for the other.
    pub fn expect(&mut self, elements: usize, limits: &Limits) {
        if elements > limits.zset_entries {
            self.enlarge(limits);
        }
    }

    fn enlarge(&mut self, limits: &Limits) {
        let Shape::Packed(pack) = &self.shape else { return };
        let elements = PackedIter::new(pack.view(), 0..packed::len(pack.view()));
        // Integers become text again.
        let elements: Vec<(Vec<u8>, f64)> =
            elements.map(|(member, score)| (member.to_vec(), score)).collect();
        let in_order = elements.iter().map(|(member, score)| (member.as_slice(), *score));
        self.shape = Shape::Large(Large::of_sorted(in_order, limits.seed));
    }

    /// Gives `member` the score that `decide` answers to its score so far (`None`: it is not there).
    /// If `decide` answers `None`, all stays as it is.
    pub fn upsert(
        &mut self,
        member: &[u8],
        limits: &Limits,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Change {
        let decide = |before: Option<f64>| decide(before).map(unsigned_zero);
        let (before, after) = match &mut self.shape {
            Shape::Large(large) => large.upsert(member, decide),
            Shape::Timed(timed) => timed.upsert(member, decide),
            Shape::Packed(pack) => packed::update(pack, member, decide),
        };
        if let (Shape::Packed(pack), None, Some(score)) = (&mut self.shape, before, after) {
            if packed::len(pack.view()) < limits.zset_entries
                && member.len() <= limits.zset_value_bytes
                && pack.has_room(member.len() + 64)
            {
                packed::insert(pack, score, member);
            } else {
                self.enlarge(limits);
                if let Shape::Large(large) = &mut self.shape {
                    large.upsert(member, |_| Some(score));
                }
            }
        }
        Change { before, after: after.or(before) }
    }

    /// Gives `member` a score under `rule`, and counts what it did.
    pub fn add(
        &mut self,
        member: &[u8],
        score: f64,
        rule: AddRule,
        limits: &Limits,
        added: &mut Added,
    ) -> Result<(), NotANumber> {
        let mut decided = None;
        let change = self.upsert(member, limits, |old| {
            decided = rule.decide(old, score);
            decided.filter(|score| !score.is_nan())
        });
        added.new += usize::from(change.is_new());
        added.updated += usize::from(change.is_update());
        added.last = decided;
        if decided.is_some_and(f64::is_nan) {
            return Err(NotANumber);
        }
        if decided.is_some() && !rule.keeps_expiry {
            added.persisted += usize::from(self.clear_expiry(member));
        }
        Ok(())
    }

    /// Gives `member` this score, whether it is there or not.
    pub fn set(&mut self, member: &[u8], score: f64, limits: &Limits) -> Change {
        self.upsert(member, limits, |_| Some(score))
    }

    /// Takes `member` out; answers the score that it had.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.shape {
            Shape::Packed(pack) => packed::remove(pack, member),
            Shape::Large(large) => large.remove(member),
            Shape::Timed(timed) => {
                let score = timed.remove(member);
                self.forget_times();
                score
            }
        }
    }

    /// Gives a member an expiry other than 0, or takes it away; `false` if there is no such member, or
    /// none to take away.
    pub fn set_expiry(&mut self, member: &[u8], expiry: Option<i64>, limits: &Limits) -> bool {
        let Some(at) = expiry else { return self.clear_expiry(member) };
        if self.view().score(member).is_none() {
            return false;
        }
        self.enlarge(limits);
        self.shape = match std::mem::take(&mut self.shape) {
            Shape::Large(large) => Shape::Timed(Box::new(Timed::new(large, limits.seed))),
            shape => shape,
        };
        if let Shape::Timed(timed) = &mut self.shape {
            timed.set_expiry(member, at);
        }
        true
    }

    /// Lets a member stay; whether it would have expired.
    fn clear_expiry(&mut self, member: &[u8]) -> bool {
        let Shape::Timed(timed) = &mut self.shape else { return false };
        let expired = timed.clear_expiry(member);
        self.forget_times();
        expired
    }

    /// A set of which no member expires any more is as one that never had such members.
    fn forget_times(&mut self) {
        if matches!(&self.shape, Shape::Timed(timed) if timed.times.is_empty())
            && let Shape::Timed(timed) = std::mem::take(&mut self.shape)
        {
            self.shape = Shape::Large(timed.large);
        }
    }

    /// Takes out the elements of these ranks; answers how many.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) -> usize {
        let len = self.view().len();
        let ranks = ranks.start..ranks.end.min(len);
        if ranks.is_empty() {
            return 0;
        }
        match &mut self.shape {
            Shape::Packed(pack) => packed::remove_ranks(pack, ranks.clone()),
            Shape::Large(large) => large.remove_ranks(ranks.clone()),
            Shape::Timed(timed) => {
                timed.remove_ranks(ranks.clone());
                self.forget_times();
            }
        }
        ranks.len()
    }

    /// Takes out up to `count` elements from the lower end, the least first; answers them.
    pub fn pop_least(&mut self, count: usize) -> Vec<(Vec<u8>, f64)> {
        let ranks = 0..count.min(self.view().len());
        let popped = owned(self.view().range(ranks.clone()));
        self.remove_ranks(ranks);
        popped
    }

    /// Takes out up to `count` elements from the upper end, the greatest first; answers them.
    pub fn pop_greatest(&mut self, count: usize) -> Vec<(Vec<u8>, f64)> {
        let len = self.view().len();
        let ranks = len - count.min(len)..len;
        let popped = owned(self.view().range(ranks.clone()).rev());
        self.remove_ranks(ranks);
        popped
    }
}

/// Brings elements into the order of a sorted set.
pub fn sort<M: AsRef<[u8]>>(elements: &mut [(M, f64)]) {
    elements.sort_unstable_by(|(member, score), (other, other_score)| {
        leaf::compare(*score, member.as_ref(), *other_score, other.as_ref())
    });
}

/// A negative zero loses its sign, which a packed set cannot keep: in either shape, so that a value
/// does not depend on the shapes it has been through.
fn unsigned_zero(score: f64) -> f64 {
    score + 0.0
}

fn owned<'a>(elements: impl Iterator<Item = (Element<'a>, f64)>) -> Vec<(Vec<u8>, f64)> {
    elements.map(|(member, score)| (member.to_vec(), score)).collect()
}

/// A member came twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate;

impl Collection for ZSet {
    const TYPE: Type = Type::ZSet;
    type View<'a> = ZSetView<'a>;

    any_ways!(ZSet);

    fn view(&self) -> ZSetView<'_> {
        match &self.shape {
            Shape::Packed(pack) => ZSetView { shape: ViewShape::Packed(pack.view()) },
            Shape::Large(large) => ZSetView { shape: ViewShape::Large(large) },
            Shape::Timed(timed) => {
                ZSetView { shape: ViewShape::Timed(Shown { timed, horizon: None }) }
            }
        }
    }

    fn view_packed(_form: u8, bytes: &[u8]) -> ZSetView<'_> {
        ZSetView { shape: ViewShape::Packed(lean::View::of(bytes)) }
    }

    fn from_packed(_form: u8, bytes: Vec<u8>) -> Self {
        Self { shape: Shape::Packed(Lean::from_bytes(bytes)) }
    }

    fn as_packed(&self) -> Option<(u8, &[u8])> {
        match &self.shape {
            Shape::Packed(pack) => Some((0, pack.as_bytes())),
            Shape::Large(_) | Shape::Timed(_) => None,
        }
    }

    fn into_packed(self) -> Result<(u8, Vec<u8>), Self> {
        match self.shape {
            Shape::Packed(pack) => Ok((0, pack.into_bytes())),
            Shape::Large(_) | Shape::Timed(_) => Err(self),
        }
    }

    fn prefetch(&self, names: &[&[u8]]) {
        match &self.shape {
            Shape::Packed(_) => {}
            Shape::Large(large) => large.prefetch(names),
            Shape::Timed(timed) => timed.large.prefetch(names),
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.shape {
            Shape::Packed(pack) => pack.heap_bytes(),
            Shape::Large(large) => large.heap_bytes(),
            Shape::Timed(timed) => timed.heap_bytes(),
        }
    }

    fn expire(&mut self, horizon: i64, budget: usize, gone: &mut dyn FnMut(&[u8])) -> usize {
        let Shape::Timed(timed) = &mut self.shape else { return 0 };
        let count = timed.expire(horizon, budget, gone);
        self.forget_times();
        count
    }

    fn expire_element(&mut self, horizon: i64, name: &[u8]) -> bool {
        let expiry = self.view().expiry(name).flatten();
        expiry.is_some_and(|at| at <= horizon) && self.remove(name).is_some()
    }
}

/// A borrowed sorted set of either shape.
#[derive(Clone, Copy, Debug)]
pub struct ZSetView<'a> {
    shape: ViewShape<'a>,
}

#[derive(Clone, Copy, Debug)]
enum ViewShape<'a> {
    Packed(lean::View<'a>),
    Large(&'a Large),
    Timed(Shown<'a>),
}

impl View for ZSetView<'_> {
    #[inline]
    fn len(self) -> usize {
        match self.shape {
            ViewShape::Packed(view) => packed::len(view),
            ViewShape::Large(large) => large.len(),
            ViewShape::Timed(shown) => shown.len(),
        }
    }

    fn encoding(self) -> &'static str {
        match self.shape {
            ViewShape::Packed(_) => "listpack",
            ViewShape::Large(_) | ViewShape::Timed(_) => "skiplist",
        }
    }

    fn fold(self, digest: &mut Digest) {
        digest.mix_kind(Kind::Zset);
        let mut digits = Digits::default();
        let mut text = Vec::new();
        for (member, score) in self.range(0..self.len()) {
            let mut own = Digest::ZERO;
            own.mix(member.text(&mut digits));
            text.clear();
            num::write_f64_digits(&mut text, score);
            own.mix(&text);
            if let ViewShape::Timed(shown) = self.shape
                && shown.expiry(member.text(&mut digits)).is_some()
            {
                own.xor(b"!!zexpire!!");
            }
            digest.xor_digest(&own);
        }
    }

    fn earliest_expiry(self) -> Option<i64> {
        match self.shape {
            ViewShape::Packed(_) | ViewShape::Large(_) => None,
            ViewShape::Timed(shown) => shown.timed.times.earliest(),
        }
    }

    #[inline]
    fn at(self, horizon: i64) -> Self {
        match self.shape {
            ViewShape::Packed(_) | ViewShape::Large(_) => self,
            ViewShape::Timed(shown) => Self { shape: ViewShape::Timed(shown.at(horizon)) },
        }
    }
}

impl<'a> ZSetView<'a> {
    /// Whether it is one block, a listpack to Redis.
    pub fn is_packed(self) -> bool {
        matches!(self.shape, ViewShape::Packed(_))
    }

    /// A set of its own, without what is hidden: O(1) if it is large and nothing is.
    pub fn to_owned(self) -> ZSet {
        let shape = match self.shape {
            ViewShape::Packed(view) => Shape::Packed(view.to_lean()),
            ViewShape::Large(large) => Shape::Large(large.clone()),
            ViewShape::Timed(shown) => Shape::Timed(Box::new(shown.to_owned())),
        };
        let mut set = ZSet { shape };
        set.forget_times();
        set
    }

    /// Whether some members are hidden. What asks for many ranks does so of [`ZSetView::to_owned`]
    /// then.
    pub fn hides(self) -> bool {
        matches!(self.shape, ViewShape::Timed(Shown { horizon: Some(_), .. }))
    }

    /// When a member expires, in milliseconds since 1970: `Some(None)` if it does not, `None` if there
    /// is no such member.
    pub fn expiry(self, member: &[u8]) -> Option<Option<i64>> {
        self.score(member)?;
        Some(match self.shape {
            ViewShape::Packed(_) | ViewShape::Large(_) => None,
            ViewShape::Timed(shown) => shown.expiry(member),
        })
    }

    #[inline]
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self.shape {
            ViewShape::Packed(view) => packed::score(view, member),
            ViewShape::Large(large) => large.score(member),
            ViewShape::Timed(shown) => shown.score(member),
        }
    }

    /// Number of elements before `member`, and its score. O(log n).
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self.shape {
            ViewShape::Packed(view) => packed::rank(view, member),
            ViewShape::Large(large) => large.rank(member),
            ViewShape::Timed(shown) => shown.rank(member),
        }
    }

    /// The elements of these ranks in order, from both ends. Ranks beyond the end are left out.
    pub fn range(self, ranks: Range<usize>) -> Elements<'a> {
        let end = ranks.end.min(self.len());
        let ranks = ranks.start.min(end)..end;
        Elements(match self.shape {
            ViewShape::Packed(view) => Walk::Packed(PackedIter::new(view, ranks)),
            ViewShape::Large(large) => Walk::Large(large.iter(ranks)),
            ViewShape::Timed(shown) => Walk::Large(shown.iter(ranks)),
        })
    }

    /// The element of this rank. O(log n).
    pub fn nth(self, rank: usize) -> Option<(Element<'a>, f64)> {
        self.range(rank..rank.saturating_add(1)).next()
    }

    /// The ranks of the elements with these scores. O(log n).
    pub fn ranks_by_score(self, range: &ScoreRange) -> Range<usize> {
        // PERF: open-ended ranges are the most frequent ones.
        let start = match range.min {
            f64::NEG_INFINITY if !range.min_open => 0,
            min => self.count_by_score(min, range.min_open),
        };
        let end = match range.max {
            f64::INFINITY if !range.max_open => self.len(),
            max => self.count_by_score(max, !range.max_open),
        };
        start..end.max(start)
    }

    fn count_by_score(self, score: f64, up_to: bool) -> usize {
        match self.shape {
            ViewShape::Packed(view) => {
                packed::count_before(
                    view,
                    |other, _| {
                        if up_to { other <= score } else { other < score }
                    },
                )
            }
            ViewShape::Large(large) => large.count_by_score(score, up_to),
            ViewShape::Timed(shown) => {
                shown.shown_before(shown.timed.large.count_by_score(score, up_to))
            }
        }
    }

    /// The ranks of the elements with these members, if all elements have one score; of some
    /// elements, if not. O(log n).
    pub fn ranks_by_member(self, range: &LexRange<'_>) -> Range<usize> {
        let start = match range.min {
            LexBound::Least => 0,
            LexBound::Greatest => self.len(),
            LexBound::At(min) => self.count_by_member(min, false),
            LexBound::Beyond(min) => self.count_by_member(min, true),
        };
        let end = match range.max {
            LexBound::Least => 0,
            LexBound::Greatest => self.len(),
            LexBound::At(max) => self.count_by_member(max, true),
            LexBound::Beyond(max) => self.count_by_member(max, false),
        };
        start..end.max(start)
    }

    fn count_by_member(self, member: &[u8], up_to: bool) -> usize {
        match self.shape {
            ViewShape::Packed(view) => packed::count_before(view, |_, other| {
                let order = other.cmp_bytes(member);
                if up_to { order.is_le() } else { order.is_lt() }
            }),
            ViewShape::Large(large) => large.count_by_member(member, up_to),
            ViewShape::Timed(shown) => {
                shown.shown_before(shown.timed.large.count_by_member(member, up_to))
            }
        }
    }

    /// Some elements, about `count`, and the cursor to go on with, 0 at the end; `cursor` is 0 at
    /// first. What is there from the first to the last call is met at least once. A packed set
    /// gives all at once.
    pub fn scan(self, cursor: u64, count: usize) -> (u64, Vec<(Element<'a>, f64)>) {
        let (large, shown) = match self.shape {
            ViewShape::Packed(_) => return (0, self.range(0..self.len()).collect()),
            ViewShape::Large(large) => (large, None),
            ViewShape::Timed(shown) => (&shown.timed.large, Some(shown)),
        };
        let Ok(cursor) = u32::try_from(cursor) else { return (0, Vec::new()) };
        let (next, mut found) = large.scan(cursor, count);
        if let Some(shown) = shown {
            found.retain(|(member, _)| !shown.hides(member));
        }
        let found = found.into_iter().map(|(member, score)| (Element::Bytes(member), score));
        (next.map_or(0, u64::from), found.collect())
    }
}

/// Elements in order, from both ends.
pub struct Elements<'a>(Walk<'a>);

enum Walk<'a> {
    Packed(PackedIter<'a>),
    Large(LargeIter<'a>),
}

impl<'a> Iterator for Elements<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Walk::Packed(iter) => iter.next(),
            Walk::Large(iter) => iter.next(),
        }
    }
}

impl DoubleEndedIterator for Elements<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Walk::Packed(iter) => iter.next_back(),
            Walk::Large(iter) => iter.next_back(),
        }
    }
}
