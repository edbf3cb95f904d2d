//! From a member to its score: the hashes of all members, in order, each with its score.
//!
//! The member itself is not here. Two members may have one hash, so a score that is found is a
//! candidate until the tree of members has been asked for this score and this member.

use std::ops::Range;

use super::leaf::{give_room_back, make_room};
use crate::tree::{Chunk, Tree};

/// Most entries of a chunk.
///
/// PERF: chosen as `zset::leaf::LEAF_BYTES_MAX` is.
const SLOTS_MAX: usize = 256;

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

    /// The entries of this hash.
    #[inline]
    fn run(&self, hash: Hash) -> Range<usize> {
        let start = self.hashes.partition_point(|other| *other < hash);
        let len = self.hashes[start..].iter().take_while(|other| **other == hash).count();
        start..start + len
    }

    fn insert(&mut self, hash: Hash, score: f64) {
        let at = self.hashes.partition_point(|other| *other < hash);
        make_room(&mut self.hashes, 1);
        make_room(&mut self.scores, 1);
        self.hashes.insert(at, hash);
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
        match self.tree.find_by(|separator| *separator <= hash) {
            Some(slots) => &slots.scores[slots.run(hash)],
            None => &[],
        }
    }

    pub(super) fn insert(&mut self, hash: Hash, score: f64) {
        self.tree.edit_by(
            |separator| *separator <= hash,
            |edit| {
                let slots = edit.chunk_mut();
                slots.insert(hash, score);
                if let Some(right) = slots.split() {
                    edit.put_after(right);
                }
            },
        );
    }

    /// Takes the entry out, or gives it another score. It is there.
    pub(super) fn change(&mut self, hash: Hash, score: f64, new_score: Option<f64>) {
        self.tree.edit_by(
            |separator| *separator <= hash,
            |edit| {
                let mut run = edit.chunk().run(hash);
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
