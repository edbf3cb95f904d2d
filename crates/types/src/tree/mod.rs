//! A persistent B+tree of chunks: the one large structure beneath sorted sets, lists and streams.
//!
//! A type brings its leaf, a [`Chunk`]: some KiB of elements in whatever form it likes. The tree
//! keeps chunks in order, counts elements (so that every element has a rank, found in O(log n)) and
//! bytes, and leads to a chunk by rank or by the type's keys.
//!
//! ```text
//!   Node   sums: elements, bytes
//!    ├─ child: separator, elements, bytes ──► Node ─┬─ child ──► chunk
//!    │                                              ├─ child ──► chunk
//!    └─ child: separator, elements, bytes ──► Node  └─ ...        at most 31 children
//! ```
//!
//! - Nodes and chunks are shared by reference count and copied only when a change meets a shared one:
//!   **a clone is O(1)**, and never sees what happens to the other.
//! - A separator stands between two neighbours: not above the least key of the right one, above the
//!   greatest of the left. The first child of a node has none (its separator is the default).
//! - All chunks are at one depth. No chunk in the tree is empty.
//! - A type may let the tree keep a [`Sum`] of what is beneath each child. Elements that a [`Pick`]
//!   tells by it are counted and found by their rank among themselves.
//! - Reads: [`Tree::chunk_at`] and [`Tree::chunk_by`] find one chunk, [`Tree::range`] walks chunks
//!   from rank to rank in either direction. Resuming later, on a clone, is `range(rank..)` again.
//! - Changes: [`Tree::edit_at`] and [`Tree::edit_by`] hand one chunk to a closure. It may empty the
//!   chunk (then the chunk goes), put chunks behind it ([`Edit::put_after`]: what a split cuts off),
//!   or ask that it be joined with a neighbour ([`Edit::join_bytes`]). When to split is the type's to
//!   say; one that splits at the ends of the tree ([`Edit::is_last`], [`Edit::is_first`]) should
//!   leave the inner half full, so that ascending and descending inserts leave full chunks behind.
//!   [`Tree::push_back`] and [`Tree::push_front`] put whole chunks at the ends.

mod iter;
mod node;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fmt;
use std::mem;
use std::ops::Range;
use triomphe::Arc;

pub use iter::Chunks;
use node::{Ends, Node};

/// A leaf: some elements in order. Its default is empty.
pub trait Chunk: Clone + Default {
    /// What chunks are found by, as a separator between two; `()` if they are found by rank alone.
    type Key: Clone + Default;

    /// What the tree knows of elements beside their number; `()` if nothing.
    type Sum: Sum;

    /// Number of elements.
    fn len(&self) -> usize;

    /// Bytes on the heap, as asked of the allocator. The chunk itself is counted by the tree.
    fn heap_bytes(&self) -> usize;

    /// A key above all of `left`, and not above the least of `right`; neither is empty.
    fn separator(left: &Self, right: &Self) -> Self::Key;

    /// Bytes that `key` has on the heap.
    fn key_heap_bytes(_key: &Self::Key) -> usize {
        0
    }

    fn sum(&self) -> Self::Sum {
        Self::Sum::default()
    }

    /// Removes the elements at `range`, which is within the chunk.
    fn remove(&mut self, range: Range<usize>);

    /// Takes over all of `right`, the next chunk.
    fn append(&mut self, right: &Self);

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Known of some elements; the default of none.
pub trait Sum: Copy + Default + PartialEq {
    #[must_use]
    fn join(self, other: Self) -> Self;
}

impl Sum for () {
    fn join(self, (): Self) {}
}

/// Some of the elements of a tree: those that a count is about.
pub trait Pick<C: Chunk> {
    /// Whether all elements of this sum are picked, or none; `None`: that depends.
    fn whole(&self, sum: C::Sum) -> Option<bool>;

    fn picks(&self, chunk: &C, at: usize) -> bool;
}

/// One chunk on its way through a change.
pub struct Edit<'a, C: Chunk> {
    chunk: &'a mut Arc<C>,
    after: Vec<Arc<C>>,
    /// If above 0: the chunk is joined with a neighbour (within the same node) if both together have
    /// at most so many bytes on the heap. To be set when a chunk has become small.
    pub join_bytes: usize,
    /// Whether no chunk comes before.
    pub is_first: bool,
    /// Whether no chunk follows.
    pub is_last: bool,
}

impl<C: Chunk> Edit<'_, C> {
    pub fn chunk(&self) -> &C {
        self.chunk
    }

    /// Copies the chunk first, if it is shared.
    pub fn chunk_mut(&mut self) -> &mut C {
        Arc::make_mut(self.chunk)
    }

    /// Puts a chunk behind this one and those put there before. An empty one is left out.
    pub fn put_after(&mut self, chunk: C) {
        self.after.push(Arc::new(chunk));
    }
}

/// Where a search ended.
pub struct Spot<'a, C> {
    pub chunk: &'a C,
    /// Rank of the chunk's first element.
    pub start: usize,
}

/// The tree. An empty one holds no chunk.
pub struct Tree<C: Chunk> {
    root: Arc<Node<C>>,
}

impl<C: Chunk> Tree<C> {
    pub fn new() -> Self {
        Self { root: Arc::new(Node::default()) }
    }

    /// Number of elements. O(1).
    pub fn len(&self) -> usize {
        self.root.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes on the heap, all nodes and chunks. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.root.bytes()
    }

    /// The chunk with the element of this rank; `None` from [`Tree::len`] on.
    pub fn chunk_at(&self, rank: usize) -> Option<Spot<'_, C>> {
        if rank >= self.len() {
            return None;
        }
        let left = Cell::new(rank);
        Some(self.root.descend(&|node| node.pick_rank(&left)))
    }

    /// The last chunk whose separator `is_before` accepts, else the first chunk. `is_before` says
    /// whether a separator is at most what is looked for: true for all up to some, false after.
    /// `None` if the tree is empty.
    pub fn chunk_by(&self, is_before: impl Fn(&C::Key) -> bool) -> Option<Spot<'_, C>> {
        if self.is_empty() {
            return None;
        }
        Some(self.root.descend(&|node| node.pick_key(&is_before)))
    }

    /// As [`Tree::chunk_by`], if the rank is of no interest.
    pub fn find_by(&self, is_before: impl Fn(&C::Key) -> bool) -> Option<&C> {
        (!self.is_empty()).then(|| self.root.find(&|node| node.pick_key(&is_before)))
    }

    pub fn first(&self) -> Option<&C> {
        self.find_by(|_| false)
    }

    pub fn last(&self) -> Option<&C> {
        self.find_by(|_| true)
    }

    /// The chunks that hold the elements of these ranks, each with the part of it that is meant, from
    /// both ends. Ranks beyond the end are left out.
    pub fn range(&self, ranks: Range<usize>) -> Chunks<'_, C> {
        Chunks::new(&self.root, ranks.start..ranks.end.min(self.len()))
    }

    /// How many of the first `rank` elements are picked. O(log n), and the chunks of which some are.
    pub fn count_picked(&self, rank: usize, pick: &impl Pick<C>) -> usize {
        self.root.count_picked(rank, pick)
    }

    /// The rank of the picked element that `before` picked ones precede; `None` if there are no more.
    /// O(log n), and the chunks before of which some are.
    pub fn rank_of_picked(&self, mut before: usize, pick: &impl Pick<C>) -> Option<usize> {
        self.root.rank_of_picked(&mut before, pick)
    }

    /// Changes the chunk with the element of this rank, the last one from [`Tree::len`] on; in an
    /// empty tree a new chunk, which stays if something is put in. The closure gets the element's
    /// place in the chunk too, at most the chunk's length.
    pub fn edit_at<R>(
        &mut self,
        rank: usize,
        change: impl FnOnce(&mut Edit<'_, C>, usize) -> R,
    ) -> R {
        let left = Cell::new(rank.min(self.len()));
        self.edit(&|node| node.pick_rank(&left), |edit| change(edit, left.get()))
    }

    /// Changes the chunk that [`Tree::chunk_by`] finds; in an empty tree a new one.
    pub fn edit_by<R>(
        &mut self,
        is_before: impl Fn(&C::Key) -> bool,
        change: impl FnOnce(&mut Edit<'_, C>) -> R,
    ) -> R {
        self.edit(&|node| node.pick_key(&is_before), change)
    }

    /// Lets `change` change the last chunk, or the first, where it stands: it may be neither emptied
    /// nor split. `None`: there is none, or `change` refused before it changed anything.
    // PERF: pushes and pops at the ends (`LPUSH P32`, `RPOP P32` of `side_by_side.py`).
    #[inline]
    pub fn edit_end<R>(
        &mut self,
        last: bool,
        change: impl FnOnce(&mut Arc<C>) -> Option<R>,
    ) -> Option<R> {
        if self.is_empty() { None } else { Arc::make_mut(&mut self.root).edit_end(last, change) }
    }

    /// Puts a chunk behind all others. An empty one changes nothing.
    pub fn push_back(&mut self, chunk: C) {
        self.edit_by(|_| true, |edit| edit.put_after(chunk));
    }

    /// Puts a chunk before all others. An empty one changes nothing.
    pub fn push_front(&mut self, chunk: C) {
        if chunk.is_empty() {
            return;
        }
        self.edit_by(
            |_| false,
            |edit| {
                let first = mem::replace(edit.chunk, Arc::new(chunk));
                edit.after.push(first);
            },
        );
    }

    /// Removes the elements of these ranks: O(log n) and the chunks that go. What stays of a chunk
    /// is joined with a neighbour if both have at most `join_bytes` on the heap.
    pub fn remove(&mut self, ranks: Range<usize>, join_bytes: usize) {
        let ranks = ranks.start..ranks.end.min(self.len());
        if ranks.is_empty() {
            return;
        }
        if ranks.len() == self.len() {
            *self = Self::new();
            return;
        }
        Arc::make_mut(&mut self.root).remove(ranks, join_bytes);
        self.lower();
    }

    fn edit<R>(
        &mut self,
        pick: &impl Fn(&Node<C>) -> usize,
        change: impl FnOnce(&mut Edit<'_, C>) -> R,
    ) -> R {
        let ends = Ends { is_first: true, is_last: true };
        let (result, ends) = Arc::make_mut(&mut self.root).edit(pick, ends, change);
        while self.root.is_overfull() {
            let root = mem::replace(&mut self.root, Arc::new(Node::default()));
            self.root = Arc::new(Node::above(root, ends));
        }
        self.lower();
        result
    }

    /// Takes away roots that have but one child.
    fn lower(&mut self) {
        while let Some(only) = self.root.only_node() {
            self.root = only;
        }
    }
}

impl<C: Chunk> Clone for Tree<C> {
    fn clone(&self) -> Self {
        Self { root: Arc::clone(&self.root) }
    }
}

impl<C: Chunk> Default for Tree<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Chunk> FromIterator<C> for Tree<C> {
    fn from_iter<I: IntoIterator<Item = C>>(chunks: I) -> Self {
        let mut tree = Self::new();
        chunks.into_iter().for_each(|chunk| tree.push_back(chunk));
        tree
    }
}

impl<C: Chunk> fmt::Debug for Tree<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("len", &self.len()).finish_non_exhaustive()
    }
}
