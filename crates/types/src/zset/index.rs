//! From a member to its score: the hashes of all members, in order, each with its score.
//!
//! The member itself is not here. Two members may have one hash, so a score that is found is a
//! candidate until the tree of members has been asked for this score and this member.

use std::cell::Cell;
use std::ops::Range;

use stdx::prefetch::{LINE, prefetch};

use super::leaf::{give_room_back, make_room};
use crate::tree::{Chunk, Tree};

/// Most entries of a chunk.
///
/// PERF: chosen as `zset::leaf::LEAF_BYTES_MAX` is.
const SLOTS_MAX: usize = 256;

/// A guess is mostly not further off.
const GUESS: usize = 16;

/// The part of a member's hash that is kept. Among a million members one look-up in 4,000 meets
/// another's.
pub(super) type Hash = u32;

#[derive(Clone, Debug, Default)]
struct Slots {
    /// Ascending. Equal ones are never in two chunks.
    hashes: Vec<Hash>,
    scores: Vec<f64>,
}

impl Slots {
    fn heap_bytes_max() -> usize {
        SLOTS_MAX * (size_of::<Hash>() + size_of::<f64>())
    }

    /// The place of the first entry whose hash is not below that which is looked for.
    ///
    /// PERF: hashes are spread evenly between the bounds of a chunk, so the place can be guessed, and
    /// one or two cache lines are read instead of five (`ZADD P32` of `side_by_side.py`).
    #[inline]
    fn place(&self, search: &Search) -> usize {
        let hashes = &self.hashes[..];
        let is_before = |other: &Hash| *other < search.hash;
        let guess = search.guess(hashes.len());
        let (from, to) = (guess.saturating_sub(GUESS), (guess + GUESS).min(hashes.len()));
        let is_inside = (from == 0 || is_before(&hashes[from - 1]))
            && (to == hashes.len() || !is_before(&hashes[to]));
        let (from, to) = if is_inside { (from, to) } else { (0, hashes.len()) };
        from + hashes[from..to].partition_point(is_before)
    }

    /// The entries of the hash.
    #[inline]
    fn run(&self, search: &Search) -> Range<usize> {
        let start = self.place(search);
        let len = self.hashes[start..].iter().take_while(|other| **other == search.hash).count();
        start..start + len
    }

    fn insert(&mut self, search: &Search, score: f64) {
        let at = self.place(search);
        make_room(&mut self.hashes, 1);
        make_room(&mut self.scores, 1);
        self.hashes.insert(at, search.hash);
        self.scores.insert(at, score);
    }

    /// Cuts off the right half if there are too many, between two hashes that differ.
    fn split(&mut self) -> Option<Self> {
        if self.hashes.len() <= SLOTS_MAX {
            return None;
        }
        let middle = self.hashes[self.hashes.len() / 2];
        let at = self.hashes.partition_point(|other| *other < middle);
        if at == 0 {
            return None;
        }
        let right = Self { hashes: self.hashes.split_off(at), scores: self.scores.split_off(at) };
        self.hashes.shrink_to_fit();
        self.scores.shrink_to_fit();
        Some(right)
    }

    fn is_small(&self) -> bool {
        self.hashes.len() < SLOTS_MAX / 4
    }
}

impl Chunk for Slots {
    type Key = Hash;
    type Sum = ();

    fn len(&self) -> usize {
        self.hashes.len()
    }

    fn heap_bytes(&self) -> usize {
        self.hashes.capacity() * size_of::<Hash>() + self.scores.capacity() * size_of::<f64>()
    }

    fn separator(_left: &Self, right: &Self) -> Hash {
        right.hashes[0]
    }

    fn remove(&mut self, range: Range<usize>) {
        self.hashes.drain(range.clone());
        self.scores.drain(range);
        give_room_back(&mut self.hashes);
        give_room_back(&mut self.scores);
    }

    fn append(&mut self, right: &Self) {
        self.hashes.extend_from_slice(&right.hashes);
        self.scores.extend_from_slice(&right.scores);
    }
}

/// A search for a hash, and what the separators on the way down say of the chunk that it ends in.
struct Search {
    hash: Hash,
    /// The chunk has no hash below, nor above.
    low: Cell<Hash>,
    high: Cell<Hash>,
}

impl Search {
    #[inline]
    fn new(hash: Hash) -> Self {
        Self { hash, low: Cell::new(0), high: Cell::new(Hash::MAX) }
    }

    /// Whether the hash is to the right of a separator.
    #[inline]
    fn passes(&self, separator: Hash) -> bool {
        if separator <= self.hash {
            self.low.set(self.low.get().max(separator));
            true
        } else {
            self.high.set(self.high.get().min(separator));
            false
        }
    }

    /// About where the hash is among the `len` of the chunk.
    #[inline]
    fn guess(&self, len: usize) -> usize {
        let (low, high) = (u64::from(self.low.get()), u64::from(self.high.get()));
        let guess = (u64::from(self.hash) - low) * len as u64 / (high - low + 1);
        (guess as usize).min(len.saturating_sub(1))
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    tree: Tree<Slots>,
}

impl Index {
    /// All members at once.
    pub(super) fn of(mut entries: Vec<(Hash, f64)>) -> Self {
        entries.sort_unstable_by_key(|(hash, _)| *hash);
        let mut tree = Tree::new();
        let mut rest = entries.as_slice();
        while !rest.is_empty() {
            // Room for some more in each, and no hash in two.
            let mut len = rest.len().min(SLOTS_MAX / 4 * 3);
            while len < rest.len() && rest[len].0 == rest[len - 1].0 {
                len += 1;
            }
            let (chunk, later) = rest.split_at(len);
            tree.push_back(Slots {
                hashes: chunk.iter().map(|(hash, _)| *hash).collect(),
                scores: chunk.iter().map(|(_, score)| *score).collect(),
            });
            rest = later;
        }
        Self { tree }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes()
    }

    /// The scores that members of this hash have.
    #[inline]
    pub(super) fn scores(&self, hash: Hash) -> &[f64] {
        let search = Search::new(hash);
        match self.tree.find_by(|separator| search.passes(*separator)) {
            Some(slots) => &slots.scores[slots.run(&search)],
            None => &[],
        }
    }

    /// Starts the loads that [`Index::scores`] will wait for.
    #[inline]
    pub(super) fn prefetch(&self, hash: Hash) {
        let search = Search::new(hash);
        if let Some(slots) = self.tree.find_by(|separator| search.passes(*separator)) {
            let guess = search.guess(slots.hashes.len());
            let hashes = slots.hashes.as_ptr().addr() + guess * size_of::<Hash>();
            prefetch(hashes.saturating_sub(LINE / 2));
            prefetch(hashes + LINE / 2);
            prefetch(slots.scores.as_ptr().addr() + guess * size_of::<f64>());
        }
    }

    pub(super) fn insert(&mut self, hash: Hash, score: f64) {
        let search = Search::new(hash);
        self.tree.edit_by(
            |separator| search.passes(*separator),
            |edit| {
                let slots = edit.chunk_mut();
                slots.insert(&search, score);
                if let Some(right) = slots.split() {
                    edit.put_after(right);
                }
            },
        );
    }

    /// Takes the entry out, or gives it another score. It is there.
    pub(super) fn change(&mut self, hash: Hash, score: f64, new_score: Option<f64>) {
        let search = Search::new(hash);
        self.tree.edit_by(
            |separator| search.passes(*separator),
            |edit| {
                let mut run = edit.chunk().run(&search);
                let Some(at) = run.find(|at| edit.chunk().scores[*at] == score) else { return };
                let slots = edit.chunk_mut();
                match new_score {
                    Some(new_score) => slots.scores[at] = new_score,
                    None => {
                        slots.remove(at..at + 1);
                        if slots.is_small() {
                            edit.join_bytes = Slots::heap_bytes_max() / 4 * 3;
                        }
                    }
                }
            },
        );
    }

    /// The next entries from `hash` on: at least `count` of them, if there are so many; and the hash
    /// to go on with. All of one hash are together.
    pub(super) fn from(&self, hash: Hash, count: usize) -> (Vec<(Hash, f64)>, Option<Hash>) {
        let mut found: Vec<(Hash, f64)> = Vec::new();
        let Some(spot) = self.tree.chunk_by(|separator| *separator <= hash) else {
            return (found, None);
        };
        for (slots, _) in self.tree.range(spot.start..usize::MAX) {
            for (next, score) in slots.hashes.iter().zip(&slots.scores) {
                if *next < hash {
                    continue;
                }
                if found.len() >= count && found.last().is_some_and(|(last, _)| last != next) {
                    return (found, Some(*next));
                }
                found.push((*next, *score));
            }
        }
        (found, None)
    }
}
