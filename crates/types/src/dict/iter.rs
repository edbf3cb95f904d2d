//! All records of a table.

use super::node::{Child, Node};
use super::record::Record;
use super::segment::Segment;

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
