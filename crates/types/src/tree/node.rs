//! The inner nodes: sums, separators, and the ways down and up.

use std::cell::Cell;
use std::ops::Range;
use triomphe::Arc;

use super::{Chunk, Edit, Pick, Spot, Sum as _};

/// Most children of a node. One more fits while a node is split: a `Vec` grows to 32.
pub(super) const CHILDREN_MAX: usize = 31;

/// A node with fewer children is joined with a neighbour when one has gone.
const CHILDREN_FEW: usize = 8;

/// The count in front of what an `Arc` holds.
const SHARED_BYTES: usize = size_of::<usize>();

#[derive(Clone)]
enum Link<C: Chunk> {
    Chunk(Arc<C>),
    Node(Arc<Node<C>>),
}

#[derive(Clone)]
pub(super) struct Child<C: Chunk> {
    /// Between the child before and this one; the default for the first of a node.
    separator: C::Key,
    pub(super) len: usize,
    bytes: usize,
    sum: C::Sum,
    link: Link<C>,
}

impl<C: Chunk> Child<C> {
    fn of(separator: C::Key, link: Link<C>) -> Self {
        let mut child = Self { separator, len: 0, bytes: 0, sum: C::Sum::default(), link };
        child.count();
        child
    }

    /// Takes the sums from below.
    fn count(&mut self) {
        let (len, bytes, sum) = match &self.link {
            Link::Chunk(chunk) => (chunk.len(), size_of::<C>() + chunk.heap_bytes(), chunk.sum()),
            Link::Node(node) => (node.len, node.bytes() - SHARED_BYTES, node.sum),
        };
        self.len = len;
        self.sum = sum;
        self.bytes = SHARED_BYTES + bytes + C::key_heap_bytes(&self.separator);
    }

    /// The chunk, if the children of its node are chunks.
    pub(super) fn chunk(&self) -> Option<&C> {
        match &self.link {
            Link::Chunk(chunk) => Some(chunk),
            Link::Node(_) => None,
        }
    }

    fn is_overfull(&self) -> bool {
        match &self.link {
            Link::Chunk(_) => false,
            Link::Node(node) => node.is_overfull(),
        }
    }
}

/// Whether a chunk, or all chunks of a node, are the first or the last of the tree.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

#[derive(Clone)]
pub(super) struct Node<C: Chunk> {
    /// All chunks or all nodes, of one height; only an empty tree's root has none.
    children: Vec<Child<C>>,
    /// Sums over the children.
    len: usize,
    children_bytes: usize,
    sum: C::Sum,
}

impl<C: Chunk> Default for Node<C> {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl<C: Chunk> Node<C> {
    fn of(children: Vec<Child<C>>) -> Self {
        let mut node = Self { children, len: 0, children_bytes: 0, sum: C::Sum::default() };
        node.count();
        node
    }

    /// A new root above `root`, which is overfull.
    pub(super) fn above(root: Arc<Self>, ends: Ends) -> Self {
        let mut node = Self::of(vec![Child::of(C::Key::default(), Link::Node(root))]);
        node.split_children(0, ends);
        node
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the node and of all beneath it.
    pub(super) fn bytes(&self) -> usize {
        let own = SHARED_BYTES + size_of::<Self>();
        own + self.children.capacity() * size_of::<Child<C>>() + self.children_bytes
    }

    pub(super) fn is_overfull(&self) -> bool {
        self.children.len() > CHILDREN_MAX
    }

    /// The only child, if there is but one and it is a node.
    pub(super) fn only_node(&self) -> Option<Arc<Self>> {
        match &self.children[..] {
            [Child { link: Link::Node(node), .. }] => Some(Arc::clone(node)),
            _ => None,
        }
    }

    /// Index of the child with the element that `left` elements precede, the last one if there are
    /// no more; afterwards `left` is the element's place within that child.
    pub(super) fn pick_rank(&self, left: &Cell<usize>) -> usize {
        let last = self.children.len().saturating_sub(1);
        let mut rank = left.get();
        let mut at = 0;
        while at < last && rank >= self.children[at].len {
            rank -= self.children[at].len;
            at += 1;
        }
        left.set(rank);
        at
    }

    /// Index of the last child whose separator `is_before` accepts, else 0.
    #[inline]
    pub(super) fn pick_key(&self, is_before: &impl Fn(&C::Key) -> bool) -> usize {
        let rest = self.children.get(1..).unwrap_or_default();
        rest.partition_point(|child| is_before(&child.separator))
    }

    /// The chunk that `pick` leads to. There is one.
    #[inline]
    pub(super) fn descend(&self, pick: &impl Fn(&Self) -> usize) -> Spot<'_, C> {
        let mut node = self;
        let mut start = 0;
        loop {
            let at = pick(node);
            start += node.children[..at].iter().map(|child| child.len).sum::<usize>();
            match &node.children[at].link {
                Link::Chunk(chunk) => return Spot { chunk, start },
                Link::Node(below) => node = below,
            }
        }
    }

    /// As [`Node::descend`], without its rank.
    #[inline]
    pub(super) fn find(&self, pick: &impl Fn(&Self) -> usize) -> &C {
        let mut node = self;
        loop {
            match &node.children[pick(node)].link {
                Link::Chunk(chunk) => return chunk,
                Link::Node(below) => node = below,
            }
        }
    }

    /// The children of the lowest node with the element of this rank, the index of the one that has
    /// it, and its place in that.
    pub(super) fn lowest(&self, rank: usize) -> (&[Child<C>], usize, usize) {
        let left = Cell::new(rank);
        let mut node = self;
        loop {
            let at = node.pick_rank(&left);
            match node.children.get(at).map(|child| &child.link) {
                Some(Link::Node(below)) => node = below,
                _ => return (&node.children, at, left.get()),
            }
        }
    }

    /// See [`super::Tree::count_picked`].
    pub(super) fn count_picked(&self, rank: usize, pick: &impl Pick<C>) -> usize {
        let (mut picked, mut left) = (0, rank);
        for child in &self.children {
            if left == 0 {
                break;
            }
            let part = child.len.min(left);
            left -= part;
            picked += match (pick.whole(child.sum), &child.link) {
                (Some(true), _) => part,
                (Some(false), _) => 0,
                (None, Link::Chunk(chunk)) => (0..part).filter(|at| pick.picks(chunk, *at)).count(),
                (None, Link::Node(node)) => node.count_picked(part, pick),
            };
        }
        picked
    }

    /// See [`super::Tree::rank_of_picked`]; `before` gets less by those that are here, if it is not.
    pub(super) fn rank_of_picked(&self, before: &mut usize, pick: &impl Pick<C>) -> Option<usize> {
        let mut start = 0;
        for child in &self.children {
            let place = match (pick.whole(child.sum), &child.link) {
                (Some(false), _) => None,
                (Some(true), _) if *before < child.len => Some(*before),
                (Some(true), _) => {
                    *before -= child.len;
                    None
                }
                (None, Link::Node(node)) => node.rank_of_picked(before, pick),
                (None, Link::Chunk(chunk)) => (0..child.len)
                    .filter(|at| pick.picks(chunk, *at))
                    .find(|_| before.checked_sub(1).map(|left| *before = left).is_none()),
            };
            if let Some(place) = place {
                return Some(start + place);
            }
            start += child.len;
        }
        None
    }

    /// Lets `change` change the chunk that `pick` leads to, and sees to sums and shape beneath this
    /// node, which may be overfull afterwards. Says too where in the tree the chunk was.
    pub(super) fn edit<R>(
        &mut self,
        pick: &impl Fn(&Self) -> usize,
        ends: Ends,
        change: impl FnOnce(&mut Edit<'_, C>) -> R,
    ) -> (R, Ends) {
        if self.children.is_empty() {
            let none = Child::of(C::Key::default(), Link::Chunk(Arc::default()));
            self.insert(0, none);
        }
        let at = pick(self);
        let ends = Ends {
            is_first: ends.is_first && at == 0,
            is_last: ends.is_last && at + 1 == self.children.len(),
        };
        match &mut self.children[at].link {
            Link::Chunk(chunk) => {
                let Ends { is_first, is_last } = ends;
                let mut edit = Edit { chunk, after: Vec::new(), join_bytes: 0, is_first, is_last };
                let result = change(&mut edit);
                let Edit { chunk, mut after, join_bytes, .. } = edit;
                after.retain(|chunk| !chunk.is_empty());
                if chunk.is_empty() && !after.is_empty() {
                    *chunk = after.remove(0);
                }
                self.settle_chunk(at, after, join_bytes);
                (result, ends)
            }
            Link::Node(node) => {
                let before = node.children.len();
                let node = Arc::make_mut(node);
                let (result, ends) = node.edit(pick, ends, change);
                let has_shrunk = node.children.len() < before;
                self.settle_node(at, has_shrunk, ends);
                (result, ends)
            }
        }
    }

    /// See [`super::Tree::edit_end`].
    pub(super) fn edit_end<R>(
        &mut self,
        last: bool,
        change: impl FnOnce(&mut Arc<C>) -> Option<R>,
    ) -> Option<R> {
        let at = if last { self.children.len() - 1 } else { 0 };
        let result = match &mut self.children[at].link {
            Link::Chunk(chunk) => change(chunk)?,
            Link::Node(node) => Arc::make_mut(node).edit_end(last, change)?,
        };
        self.recount(at);
        Some(result)
    }

    /// After a change of the chunk at `at`, which is empty only if none come after it.
    fn settle_chunk(&mut self, at: usize, after: Vec<Arc<C>>, join_bytes: usize) {
        self.recount(at);
        for (chunk, next) in after.into_iter().zip(at + 1..) {
            let separator = match &self.children[next - 1].link {
                Link::Chunk(left) => C::separator(left, &chunk),
                Link::Node(_) => C::Key::default(),
            };
            self.insert(next, Child::of(separator, Link::Chunk(chunk)));
        }
        if self.children[at].len == 0 {
            self.take(at);
        } else if join_bytes > 0 {
            self.join_around(at, join_bytes);
        }
    }

    /// After a change beneath the node at `at`.
    fn settle_node(&mut self, at: usize, has_shrunk: bool, ends: Ends) {
        self.recount(at);
        if self.children[at].len == 0 {
            self.take(at);
        } else if has_shrunk {
            self.join_around(at, 0);
        } else {
            self.split_children(at, ends);
        }
    }

    /// Splits the child at `at` until no part of it is overfull.
    fn split_children(&mut self, mut at: usize, ends: Ends) {
        let mut end = at + 1;
        while at < end {
            if !self.children[at].is_overfull() {
                at += 1;
                continue;
            }
            let Link::Node(node) = &mut self.children[at].link else { return };
            let node = Arc::make_mut(node);
            let len = node.children.len();
            let half = if ends.is_last {
                CHILDREN_MAX
            } else if ends.is_first {
                len - CHILDREN_MAX
            } else {
                len / 2
            };
            let mut right = node.children.split_off(half);
            node.count();
            self.recount(at);
            let separator = std::mem::take(&mut right[0].separator);
            let right = Link::Node(Arc::new(Self::of(right)));
            self.insert(at + 1, Child::of(separator, right));
            end += 1;
        }
    }

    /// Removes the elements at `ranks`, which are neither none nor all.
    pub(super) fn remove(&mut self, ranks: Range<usize>, join_bytes: usize) {
        let mut end = 0;
        let mut cut_at = None;
        let mut at = 0;
        self.children.retain_mut(|child| {
            let (start, len) = (end, child.len);
            end += len;
            let cut = ranks.start.max(start)..ranks.end.min(end);
            if cut.is_empty() {
                at += 1;
                return true;
            }
            cut_at.get_or_insert(at);
            if cut.len() == len {
                return false;
            }
            child.remove(cut.start - start..cut.end - start, join_bytes);
            at += 1;
            true
        });
        if let Some(first) = self.children.first_mut() {
            first.separator = C::Key::default();
            first.count();
        }
        self.count();
        // At most two children were cut, side by side; each may have become small.
        for at in cut_at.map_or(0..0, |at| at..at + 2).rev() {
            if at < self.children.len() {
                self.join_around(at, join_bytes);
            }
        }
    }

    /// Joins the child at `at` with the next or the one before, if both together are small enough:
    /// chunks by `join_bytes`, nodes by their children.
    fn join_around(&mut self, at: usize, join_bytes: usize) {
        if !self.join(at, join_bytes) && at > 0 {
            self.join(at - 1, join_bytes);
        }
    }

    /// Joins the child at `at` with the next. Says whether it was done.
    fn join(&mut self, at: usize, join_bytes: usize) -> bool {
        let Some([left, right]) = self.children.get(at..at + 2) else { return false };
        let is_small = match (&left.link, &right.link) {
            (Link::Chunk(left), Link::Chunk(right)) => {
                left.heap_bytes() + right.heap_bytes() <= join_bytes
            }
            (Link::Node(left), Link::Node(right)) => {
                let (left, right) = (left.children.len(), right.children.len());
                left + right <= CHILDREN_MAX && left.min(right) < CHILDREN_FEW
            }
            _ => false,
        };
        if !is_small {
            return false;
        }
        let right = self.take(at + 1);
        match (&mut self.children[at].link, right.link) {
            (Link::Chunk(left), Link::Chunk(right)) => Arc::make_mut(left).append(&right),
            (Link::Node(left), Link::Node(below)) => {
                let left = Arc::make_mut(left);
                let mut children = Arc::unwrap_or_clone(below).children;
                children[0].separator = right.separator;
                children[0].count();
                left.children.append(&mut children);
                left.count();
            }
            _ => {}
        }
        self.recount(at);
        true
    }

    /// Takes over the sums of the child at `at`.
    fn recount(&mut self, at: usize) {
        let child = &mut self.children[at];
        self.len -= child.len;
        self.children_bytes -= child.bytes;
        let sum = child.sum;
        child.count();
        self.len += child.len;
        self.children_bytes += child.bytes;
        if child.sum != sum {
            self.sum = self.sum_of_children();
        }
    }

    /// Takes over the sums of all children.
    fn count(&mut self) {
        self.len = self.children.iter().map(|child| child.len).sum();
        self.children_bytes = self.children.iter().map(|child| child.bytes).sum();
        self.sum = self.sum_of_children();
    }

    fn sum_of_children(&self) -> C::Sum {
        self.children.iter().fold(C::Sum::default(), |sum, child| sum.join(child.sum))
    }

    fn insert(&mut self, at: usize, child: Child<C>) {
        self.len += child.len;
        self.children_bytes += child.bytes;
        self.sum = self.sum.join(child.sum);
        self.children.insert(at, child);
    }

    fn take(&mut self, at: usize) -> Child<C> {
        let child = self.children.remove(at);
        self.len -= child.len;
        self.children_bytes -= child.bytes;
        self.sum = self.sum_of_children();
        if at == 0 && !self.children.is_empty() {
            self.children[0].separator = C::Key::default();
            self.recount(0);
        }
        child
    }
}

impl<C: Chunk> Child<C> {
    /// Removes some of its elements, not all.
    fn remove(&mut self, ranks: Range<usize>, join_bytes: usize) {
        match &mut self.link {
            Link::Chunk(chunk) => Arc::make_mut(chunk).remove(ranks),
            Link::Node(node) => Arc::make_mut(node).remove(ranks, join_bytes),
        }
        self.count();
    }
}

#[cfg(test)]
impl<C: Chunk> Node<C> {
    /// Checks sums and shape; the height.
    pub(super) fn check(&self, is_root: bool) -> usize {
        assert!(is_root || !self.children.is_empty());
        assert!(self.children.len() <= CHILDREN_MAX);
        let (mut len, mut bytes) = (0, 0);
        let mut heights = Vec::new();
        for child in &self.children {
            let mut counted = child.clone();
            counted.count();
            assert_eq!((child.len, child.bytes), (counted.len, counted.bytes));
            assert!(child.sum == counted.sum);
            assert!(child.len > 0);
            len += child.len;
            bytes += child.bytes;
            heights.push(match &child.link {
                Link::Chunk(_) => 0,
                Link::Node(node) => node.check(false),
            });
        }
        assert_eq!((self.len, self.children_bytes), (len, bytes));
        assert!(self.sum == self.sum_of_children());
        assert!(heights.windows(2).all(|pair| pair[0] == pair[1]));
        heights.first().map_or(1, |height| height + 1)
    }
}
