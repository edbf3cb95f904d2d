//! The large shape: a tree of members in order, and an index of their scores by hash.

use std::ops::Range;

use stdx::hash::{Seed, sip13};

use super::index::{Hash, Index};
use super::leaf::{self, JOIN_BYTES_MAX, Leaf, NEVER};
use crate::listpack::Element;
use crate::tree::{Chunks, Pick, Tree};

/// A scan that meets a score that many members share returns more at once, so that looking through
/// them does not take forever: one in so many.
const SCAN_TIES_SHARE: usize = 64;

/// O(1) to clone.
#[derive(Clone, Debug)]
pub(super) struct Large {
    tree: Tree<Leaf>,
    index: Index,
    seed: Seed,
}

impl Large {
    /// The elements are in order and each member comes once.
    pub(super) fn of_sorted<'a>(
        elements: impl Iterator<Item = (&'a [u8], f64)>,
        seed: Seed,
    ) -> Self {
        Self::of_expiring(elements.map(|(member, score)| (member, score, NEVER)), seed)
    }

    /// As [`Large::of_sorted`], with the time when each expires, or [`NEVER`].
    pub(super) fn of_expiring<'a>(
        elements: impl Iterator<Item = (&'a [u8], f64, i64)>,
        seed: Seed,
    ) -> Self {
        let mut tree = Tree::new();
        let mut leaf = Leaf::default();
        let mut hashes = Vec::with_capacity(elements.size_hint().0);
        for (member, score, expiry) in elements {
            hashes.push((hash_of(seed, member), score));
            if !leaf.push(score, member, expiry) {
                tree.push_back(std::mem::take(&mut leaf));
                leaf.push(score, member, expiry);
            }
        }
        tree.push_back(leaf);
        Self { tree, index: Index::of(hashes), seed }
    }

    /// The elements in order.
    pub(super) fn into_tree(self) -> Tree<Leaf> {
        self.tree
    }

    pub(super) fn seed(&self) -> Seed {
        self.seed
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.tree.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes() + self.index.heap_bytes()
    }

    #[inline]
    fn has(&self, score: f64, member: &[u8]) -> bool {
        let leaf = self.tree.find_by(|separator| separator.is_before(score, member));
        leaf.is_some_and(|leaf| leaf.find(score, member).is_ok())
    }

    #[inline]
    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.score_hashed(hash_of(self.seed, member), member)
    }

    /// See [`crate::Collection::prefetch`].
    pub(super) fn prefetch(&self, members: &[&[u8]]) {
        for member in members {
            self.index.prefetch(hash_of(self.seed, member));
        }
        for member in members {
            for score in self.index.scores(hash_of(self.seed, member)) {
                if let Some(leaf) =
                    self.tree.find_by(|separator| separator.is_before(*score, member))
                {
                    leaf.prefetch();
                }
            }
        }
    }

    fn score_hashed(&self, hash: Hash, member: &[u8]) -> Option<f64> {
        self.index.scores(hash).iter().copied().find(|score| self.has(*score, member))
    }

    /// Number of elements before this one, and its score.
    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let hash = hash_of(self.seed, member);
        self.index.scores(hash).iter().find_map(|score| {
            let spot = self.tree.chunk_by(|separator| separator.is_before(*score, member))?;
            let place = spot.chunk.find(*score, member).ok()?;
            Some((spot.start + place, *score))
        })
    }

    /// Number of elements with a score below `score`; with `up_to`, those that have it too.
    pub(super) fn count_by_score(&self, score: f64, up_to: bool) -> usize {
        let is_before = |other: f64| if up_to { other <= score } else { other < score };
        self.tree
            .chunk_by(|separator| is_before(separator.score))
            .map_or(0, |spot| spot.start + spot.chunk.count_before(|other, _| is_before(other)))
    }

    /// Number of elements with a member below `member`; with `up_to`, this one too. All have one
    /// score, or the answer is some number.
    pub(super) fn count_by_member(&self, member: &[u8], up_to: bool) -> usize {
        let is_before = |other: &[u8]| if up_to { other <= member } else { other < member };
        self.tree
            .chunk_by(|separator| is_before(&separator.member))
            .map_or(0, |spot| spot.start + spot.chunk.count_before(|_, other| is_before(other)))
    }

    pub(super) fn iter(&self, ranks: Range<usize>) -> LargeIter<'_> {
        self.iter_after(i64::MIN, ranks)
    }

    /// As [`Large::iter`], without what expires at or before `horizon`.
    pub(super) fn iter_after(&self, horizon: i64, ranks: Range<usize>) -> LargeIter<'_> {
        LargeIter { chunks: self.tree.range(ranks), horizon, front: None, back: None }
    }

    /// All elements in order, each with the time when it expires, or [`NEVER`].
    pub(super) fn iter_expiries(&self) -> impl Iterator<Item = (&[u8], f64, i64)> {
        self.tree.range(0..self.len()).flat_map(|(leaf, part)| {
            part.map(|at| (leaf.member(at), leaf.score(at), leaf.expiry(at)))
        })
    }

    /// How many of the first `rank` elements expire after `horizon`, if ever.
    pub(super) fn count_after(&self, horizon: i64, rank: usize) -> usize {
        self.tree.count_picked(rank, &After(horizon))
    }

    /// The rank of the element that expires after `horizon` and that `before` such elements precede;
    /// the number of all elements, if there are no more.
    pub(super) fn rank_after(&self, horizon: i64, before: usize) -> usize {
        self.tree.rank_of_picked(before, &After(horizon)).unwrap_or(self.len())
    }

    /// Lets a member expire, or stay if `expiry` is [`NEVER`].
    pub(super) fn set_expiry(&mut self, member: &[u8], expiry: i64) {
        let Some(score) = self.score(member) else { return };
        self.tree.edit_by(
            |separator| separator.is_before(score, member),
            |edit| leaf::set_expiry(edit, score, member, expiry),
        );
    }

    /// Gives the member the score that `decide` finds by its score so far (`None`: no member), if it
    /// finds one. Answers both.
    pub(super) fn upsert(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> (Option<f64>, Option<f64>) {
        let hash = hash_of(self.seed, member);
        let old = self.score_hashed(hash, member);
        let new = decide(old);
        match (old, new) {
            (_, None) => {}
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) => {
                self.index.change(hash, old, Some(new));
                if !self.change(old, member, Some(new)) {
                    self.insert(new, member);
                }
            }
            (None, Some(new)) => {
                self.index.insert(hash, new);
                self.insert(new, member);
            }
        }
        (old, new)
    }

    fn insert(&mut self, score: f64, member: &[u8]) {
        self.tree.edit_by(
            |separator| separator.is_before(score, member),
            |edit| leaf::insert(edit, score, member),
        );
    }

    /// See [`leaf::change`].
    fn change(&mut self, score: f64, member: &[u8], new_score: Option<f64>) -> bool {
        let stayed = self.tree.edit_by(
            |separator| separator.is_before(score, member),
            |edit| leaf::change(edit, (score, member), new_score),
        );
        stayed == Some(true)
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let hash = hash_of(self.seed, member);
        let score = self.score_hashed(hash, member)?;
        self.index.change(hash, score, None);
        self.change(score, member, None);
        Some(score)
    }

    /// `ranks` are within the set.
    pub(super) fn remove_ranks(&mut self, ranks: Range<usize>) {
        if ranks.len() == self.len() {
            self.index = Index::default();
        } else {
            for (leaf, part) in self.tree.range(ranks.clone()) {
                for at in part {
                    let hash = hash_of(self.seed, leaf.member(at));
                    self.index.change(hash, leaf.score(at), None);
                }
            }
        }
        self.tree.remove(ranks, JOIN_BYTES_MAX);
    }

    /// The elements whose members' hashes are next from `cursor` on, and where to go on; `None` at
    /// the end. An element that is there from the first to the last call is met, whatever changes.
    pub(super) fn scan(&self, cursor: Hash, count: usize) -> (Option<Hash>, Vec<(&[u8], f64)>) {
        let (mut entries, mut next) = self.index.from(cursor, count);
        let ties = |score: &f64| self.ties(*score).len();
        let most = entries.iter().map(|(_, score)| ties(score)).max().unwrap_or(0);
        if most / SCAN_TIES_SHARE > count {
            (entries, next) = self.index.from(cursor, most / SCAN_TIES_SHARE);
        }
        let mut scores: Vec<f64> = entries.iter().map(|(_, score)| *score).collect();
        scores.sort_unstable_by(f64::total_cmp);
        scores.dedup();
        let is_next = |member: &[u8]| {
            let hash = hash_of(self.seed, member);
            hash >= cursor && next.is_none_or(|next| hash < next)
        };
        let mut found = Vec::with_capacity(entries.len());
        for score in scores {
            for (leaf, part) in self.tree.range(self.ties(score)) {
                let members = part.map(|at| leaf.member(at));
                found.extend(members.filter(|member| is_next(member)).map(|m| (m, score)));
            }
        }
        (next, found)
    }

    /// The ranks of all elements with this score.
    fn ties(&self, score: f64) -> Range<usize> {
        self.count_by_score(score, false)..self.count_by_score(score, true)
    }
}

/// Picks the members that expire after a time, or never.
struct After(i64);

impl Pick<Leaf> for After {
    fn whole(&self, span: leaf::Span) -> Option<bool> {
        if span.first > self.0 {
            Some(true)
        } else if span.last <= self.0 {
            Some(false)
        } else {
            None
        }
    }

    fn picks(&self, leaf: &Leaf, at: usize) -> bool {
        leaf.expiry(at) > self.0
    }
}

fn hash_of(seed: Seed, member: &[u8]) -> Hash {
    (sip13(seed, member) >> 32) as Hash
}

/// Elements of a large set, from both ends.
pub(super) struct LargeIter<'a> {
    chunks: Chunks<'a, Leaf>,
    /// What expires then or before is left out.
    horizon: i64,
    front: Option<(&'a Leaf, Range<usize>)>,
    back: Option<(&'a Leaf, Range<usize>)>,
}

fn element(leaf: &Leaf, at: usize) -> (Element<'_>, f64) {
    (Element::Bytes(leaf.member(at)), leaf.score(at))
}

impl<'a> Iterator for LargeIter<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((leaf, part)) = &mut self.front
                && let Some(at) = part.find(|at| leaf.expiry(*at) > self.horizon)
            {
                return Some(element(leaf, at));
            }
            self.front = Some(self.chunks.next().or_else(|| self.back.take())?);
        }
    }
}

impl DoubleEndedIterator for LargeIter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((leaf, part)) = &mut self.back
                && let Some(at) = part.rfind(|at| leaf.expiry(*at) > self.horizon)
            {
                return Some(element(leaf, at));
            }
            self.back = Some(self.chunks.next_back().or_else(|| self.front.take())?);
        }
    }
}
