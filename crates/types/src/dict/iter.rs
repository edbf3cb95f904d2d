//! All records of a table, and those of one that is taken apart.

use super::node::{Child, Node};
use super::record::Record;
use super::segment::Segment;
use triomphe::Arc;

/// See [`super::Dict::iter`].
#[derive(Clone)]
pub struct Iter<'a> {
    /// Children still to come, of each level.
    path: Vec<std::slice::Iter<'a, Child>>,
    segment: Option<(&'a Segment, usize)>,
}

impl<'a> Iter<'a> {
    pub(super) fn new(root: &'a Node) -> Self {
        Self { path: vec![root.children().iter()], segment: None }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        loop {
            if let Some((segment, at)) = &mut self.segment
                && let Some((record, next)) = segment.next(*at)
            {
                *at = next;
                return Some(record);
            }
            match self.path.last_mut()?.next() {
                Some(Child::Segment(segment)) => self.segment = Some((segment, 0)),
                Some(Child::Node { node, .. }) => self.path.push(node.children().iter()),
                None => {
                    self.path.pop();
                }
            }
        }
    }
}

/// See [`super::Dict::into_pieces`].
pub struct Pieces {
    /// Children still to come, of each level.
    path: Vec<std::vec::IntoIter<Child>>,
}

/// Records that were neighbors in the table.
pub struct Piece(Segment);

impl Pieces {
    pub(super) fn new(root: Arc<Node>) -> Self {
        Self { path: vec![Node::into_children(root).into_iter()] }
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            match self.path.last_mut()?.next() {
                Some(Child::Segment(segment)) => return Some(Piece(segment)),
                Some(Child::Node { node, .. }) => {
                    self.path.push(Node::into_children(node).into_iter());
                }
                None => {
                    self.path.pop();
                }
            }
        }
    }
}

impl Piece {
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (record, next) = self.0.next(at)?;
            at = next;
            Some(record)
        })
    }
}
