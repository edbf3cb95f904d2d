//! The sorted set of integers: ids of 64 bits, as Kvrocks has it.
//!
//! Ids lie in intsets of up to [`BLOCK_MAX`]: one, which is packed, or the leaves of a tree, whose clone
//! is O(1). A large set never goes back by itself. Intsets hold `i64`; an id is kept as that with its
//! upper bit turned over, which keeps the order.

pub(crate) mod persist;
#[cfg(test)]
mod tests;

use crate::collection::{Collection, Type, View, any_ways};
use crate::digest::{Digest, Kind};
use crate::intset::{self, IntSet};
use crate::tree::{Chunk, Edit, Tree};
use std::ops::Range;

/// Ids in one block, as a rule; what was joined may have a quarter more.
const BLOCK_MAX: usize = 512;
/// Bytes of the widest such block.
const BLOCK_BYTES_MAX: usize = 9 + 8 * BLOCK_MAX;

const UPPER: u64 = 1 << 63;

fn key_of(id: u64) -> i64 {
    (id ^ UPPER).cast_signed()
}

fn id_of(key: i64) -> u64 {
    key.cast_unsigned() ^ UPPER
}

/// A leaf.
#[derive(Clone, Debug, Default)]
struct Block(Vec<u8>);

impl Block {
    fn ints(&self) -> IntSet<'_> {
        IntSet::new(&self.0)
    }

    /// Takes the upper half away.
    fn split(&mut self) -> Self {
        let half = self.ints().len() / 2;
        let upper = Self(intset::block_of(self.ints().iter().skip(half)));
        self.0 = intset::block_of(self.ints().iter().take(half));
        upper
    }
}

impl Chunk for Block {
    type Key = i64;
    type Sum = ();

    fn len(&self) -> usize {
        self.ints().len()
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity()
    }

    fn separator(_: &Self, right: &Self) -> i64 {
        right.ints().get(0).unwrap_or_default()
    }

    fn remove(&mut self, range: Range<usize>) {
        let ints = self.ints();
        let left = ints.iter().take(range.start).chain(ints.iter().skip(range.end));
        self.0 = intset::block_of(left);
    }

    fn append(&mut self, right: &Self) {
        self.0 = intset::block_of(self.ints().iter().chain(right.ints().iter()));
    }
}

/// An owned set of ids.
#[derive(Clone, Debug)]
pub struct SortedInt(Shape);

#[derive(Clone, Debug)]
enum Shape {
    Packed(Vec<u8>),
    Large(Tree<Block>),
}

impl Default for SortedInt {
    fn default() -> Self {
        Self(Shape::Packed(Vec::new()))
    }
}

impl SortedInt {
    /// Adds an id; whether it is new.
    pub fn add(&mut self, id: u64) -> bool {
        let key = key_of(id);
        match &mut self.0 {
            Shape::Packed(block) if IntSet::new(block).len() < BLOCK_MAX => {
                intset::insert(block, key)
            }
            Shape::Packed(block) if IntSet::new(block).contains(key) => false,
            Shape::Packed(block) => {
                let mut tree = Tree::new();
                tree.push_back(Block(std::mem::take(block)));
                add(&mut tree, key);
                self.0 = Shape::Large(tree);
                true
            }
            Shape::Large(tree) => {
                let is_new = !contains(tree, key);
                if is_new {
                    add(tree, key);
                }
                is_new
            }
        }
    }

    /// Takes an id away; whether it was there.
    pub fn remove(&mut self, id: u64) -> bool {
        let key = key_of(id);
        match &mut self.0 {
            Shape::Packed(block) => intset::remove(block, key),
            // A look does not copy shared blocks.
            Shape::Large(tree) if !contains(tree, key) => false,
            Shape::Large(tree) => tree.edit_by(
                |separator| *separator <= key,
                |edit| {
                    let block = edit.chunk_mut();
                    let was_there = intset::remove(&mut block.0, key);
                    if block.len() < BLOCK_MAX / 4 {
                        block.0.shrink_to_fit();
                        edit.join_bytes = BLOCK_BYTES_MAX;
                    }
                    was_there
                },
            ),
        }
    }
}

fn contains(tree: &Tree<Block>, key: i64) -> bool {
    tree.find_by(|separator| *separator <= key).is_some_and(|block| block.ints().contains(key))
}

/// Adds a key that is not there.
fn add(tree: &mut Tree<Block>, key: i64) {
    let put = |edit: &mut Edit<'_, Block>| {
        let len = edit.chunk().len();
        if len < BLOCK_MAX {
            intset::insert(&mut edit.chunk_mut().0, key);
        } else if edit.is_last && edit.chunk().ints().get(len - 1).is_some_and(|last| last < key) {
            edit.put_after(Block(intset::block_of(std::iter::once(key))));
        } else {
            let lower = edit.chunk_mut();
            let mut upper = lower.split();
            let is_upper = upper.ints().get(0).is_some_and(|first| first <= key);
            let half = if is_upper { &mut upper } else { lower };
            intset::insert(&mut half.0, key);
            edit.put_after(upper);
        }
    };
    tree.edit_by(|separator| *separator <= key, put);
}

/// A borrowed set of ids.
#[derive(Clone, Copy, Debug)]
pub struct SortedIntView<'a>(Seen<'a>);

#[derive(Clone, Copy, Debug)]
enum Seen<'a> {
    Packed(IntSet<'a>),
    Large(&'a Tree<Block>),
}

impl SortedIntView<'_> {
    pub fn contains(self, id: u64) -> bool {
        match self.0 {
            Seen::Packed(ints) => ints.contains(key_of(id)),
            Seen::Large(tree) => contains(tree, key_of(id)),
        }
    }

    /// How many ids are below `id`.
    pub fn len_below(self, id: u64) -> usize {
        let key = key_of(id);
        let place = |ints: IntSet<'_>| match ints.find(key) {
            Ok(at) | Err(at) => at,
        };
        match self.0 {
            Seen::Packed(ints) => place(ints),
            Seen::Large(tree) => tree
                .chunk_by(|separator| *separator <= key)
                .map_or(0, |spot| spot.start + place(spot.chunk.ints())),
        }
    }

    /// Shows the ids of these ranks, of those that there are, in order or from the greatest on.
    pub fn visit(self, ranks: Range<usize>, backwards: bool, mut visit: impl FnMut(u64)) {
        let mut show = |ints: IntSet<'_>, places: Range<usize>| {
            let ids = places.filter_map(|at| ints.get(at)).map(id_of);
            // A range of places runs both ways; what it is mapped by keeps that.
            if backwards { ids.rev().for_each(&mut visit) } else { ids.for_each(&mut visit) }
        };
        match self.0 {
            Seen::Packed(ints) => show(ints, ranks.start..ranks.end.min(ints.len())),
            Seen::Large(tree) if backwards => {
                tree.range(ranks).rev().for_each(|(block, places)| show(block.ints(), places));
            }
            Seen::Large(tree) => {
                tree.range(ranks).for_each(|(block, places)| show(block.ints(), places));
            }
        }
    }

    /// An owned copy: O(1) of a large set.
    pub fn to_owned(self) -> SortedInt {
        SortedInt(match self.0 {
            Seen::Packed(ints) => Shape::Packed(ints.to_block()),
            Seen::Large(tree) => Shape::Large(tree.clone()),
        })
    }
}

impl View for SortedIntView<'_> {
    fn len(self) -> usize {
        match self.0 {
            Seen::Packed(ints) => ints.len(),
            Seen::Large(tree) => tree.len(),
        }
    }

    fn encoding(self) -> &'static str {
        match self.0 {
            Seen::Packed(_) => "intset",
            Seen::Large(_) => "btree",
        }
    }

    fn fold(self, digest: &mut Digest) {
        digest.mix_kind(Kind::SortedInt);
        self.visit(0..usize::MAX, false, |id| digest.xor(id.to_string().as_bytes()));
    }
}

impl Collection for SortedInt {
    const TYPE: Type = Type::SortedInt;
    type View<'a> = SortedIntView<'a>;

    any_ways!(SortedInt);

    fn view(&self) -> SortedIntView<'_> {
        SortedIntView(match &self.0 {
            Shape::Packed(block) => Seen::Packed(IntSet::new(block)),
            Shape::Large(tree) => Seen::Large(tree),
        })
    }

    fn view_packed(_: u8, bytes: &[u8]) -> SortedIntView<'_> {
        SortedIntView(Seen::Packed(IntSet::new(bytes)))
    }

    fn from_packed(_: u8, bytes: Vec<u8>) -> Self {
        Self(Shape::Packed(bytes))
    }

    fn as_packed(&self) -> Option<(u8, &[u8])> {
        match &self.0 {
            Shape::Packed(block) => Some((0, block)),
            Shape::Large(_) => None,
        }
    }

    fn into_packed(self) -> Result<(u8, Vec<u8>), Self> {
        match self.0 {
            Shape::Packed(block) => Ok((0, block)),
            large @ Shape::Large(_) => Err(Self(large)),
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.0 {
            Shape::Packed(block) => block.capacity(),
            Shape::Large(tree) => tree.heap_bytes(),
        }
    }
}
