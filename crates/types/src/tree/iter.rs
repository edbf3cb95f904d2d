//! Walking over chunks from both ends.

use std::ops::Range;
use std::slice;

use super::Chunk;
use super::node::{Child, Node};

/// See [`super::Tree::range`]. At each end it keeps what is left of one lowest node, and descends
/// from the root again when that is used up.
pub struct Chunks<'a, C: Chunk> {
    root: &'a Node<C>,
    /// Ranks still to come.
    ranks: Range<usize>,
    front: slice::Iter<'a, Child<C>>,
    back: slice::Iter<'a, Child<C>>,
}

impl<'a, C: Chunk> Chunks<'a, C> {
    /// `ranks` are within the tree.
    pub(super) fn new(root: &'a Node<C>, ranks: Range<usize>) -> Self {
        Self { root, ranks, front: [].iter(), back: [].iter() }
    }

    /// Elements still to come.
    pub fn elements(&self) -> usize {
        self.ranks.len()
    }
}

impl<'a, C: Chunk> Iterator for Chunks<'a, C> {
    type Item = (&'a C, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.ranks.is_empty() {
            return None;
        }
        let mut start = 0;
        if self.front.as_slice().is_empty() {
            let (children, at, place) = self.root.lowest(self.ranks.start);
            self.front = children[at..].iter();
            start = place;
        }
        let child = self.front.next()?;
        let end = child.len.min(start.saturating_add(self.ranks.len()));
        self.ranks.start += end - start;
        Some((child.chunk()?, start..end))
    }
}

impl<C: Chunk> DoubleEndedIterator for Chunks<'_, C> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.ranks.is_empty() {
            return None;
        }
        let mut end = None;
        if self.back.as_slice().is_empty() {
            let (children, at, place) = self.root.lowest(self.ranks.end - 1);
            self.back = children[..=at].iter();
            end = Some(place + 1);
        }
        let child = self.back.next_back()?;
        let end = end.unwrap_or(child.len);
        let start = end.saturating_sub(self.ranks.len());
        self.ranks.end -= end - start;
        Some((child.chunk()?, start..end))
    }
}
