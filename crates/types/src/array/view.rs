//! Reading an array of either shape.

use std::iter::FlatMap;
use std::ops::Range;
use std::vec;

use super::run::Run;
use super::{Array, Collect, Large, Shape, packed};
use crate::collection::View;
use crate::digest::{Digest, Kind};
use crate::lean;
use crate::listpack::{Digits, Element};
use crate::tree::{Chunk as _, Chunks};

/// A borrowed array of either shape.
#[derive(Clone, Copy, Debug)]
pub struct ArrayView<'a> {
    pub(super) shape: ViewShape<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ViewShape<'a> {
    Packed(lean::View<'a>),
    Large(&'a Large),
}

/// How the elements are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slices {
    /// Chunks without holes within, and their elements.
    pub dense: usize,
    pub dense_elements: usize,
    /// The others.
    pub sparse: usize,
    pub sparse_elements: usize,
}

impl<'a> ArrayView<'a> {
    /// The array, carried away: O(1) if it is large.
    pub fn to_array(self) -> Array {
        let shape = match self.shape {
            ViewShape::Packed(view) => Shape::Packed(view.to_lean()),
            ViewShape::Large(large) => Shape::Large(large.clone()),
        };
        Array { shape }
    }

    /// The highest index and one more; 0 if there are no elements.
    pub fn span(self) -> u64 {
        let last = match self.shape {
            ViewShape::Packed(view) => packed::pairs(view).last().map(|(index, _)| index),
            ViewShape::Large(large) => large.tree.last().and_then(Run::last_index),
        };
        last.map_or(0, |last| last + 1)
    }

    /// Where a value was inserted last, or what a client has set instead.
    pub fn cursor(self) -> Option<u64> {
        match self.shape {
            ViewShape::Packed(view) => packed::cursor(view),
            ViewShape::Large(large) => large.cursor,
        }
    }

    /// The element of `index`.
    pub fn get(self, index: u64) -> Option<Element<'a>> {
        match self.shape {
            ViewShape::Packed(view) => {
                let mut pairs = packed::pairs(view).skip_while(|(other, _)| *other < index);
                pairs.next().filter(|(other, _)| *other == index).map(|(_, element)| element)
            }
            ViewShape::Large(large) => {
                let run = large.tree.find_by(|separator| *separator <= index)?;
                run.find(index).ok().map(|at| Element::Bytes(run.text(at)))
            }
        }
    }

    /// The elements from `low` to `high` with their indexes, from either end.
    pub fn range(self, low: u64, high: u64) -> Elements<'a> {
        match self.shape {
            ViewShape::Packed(view) => {
                let within = |(index, _): &(u64, Element<'_>)| (low..=high).contains(index);
                let some: Vec<_> = packed::pairs(view).filter(within).collect();
                Elements(Walk::Packed(some.into_iter()))
            }
            ViewShape::Large(large) => {
                let chunks = large.tree.range(large.ranks(low, high));
                Elements(Walk::Large(chunks.flat_map(of_run)))
            }
        }
    }

    /// Number of elements from `low` to `high`: O(log n).
    pub fn count(self, low: u64, high: u64) -> usize {
        match self.shape {
            ViewShape::Packed(view) => {
                packed::pairs(view).filter(|(index, _)| (low..=high).contains(index)).count()
            }
            ViewShape::Large(large) => large.ranks(low, high).len(),
        }
    }

    /// All elements with their indexes.
    pub fn iter(self) -> Elements<'a> {
        self.range(0, u64::MAX)
    }

    /// How its elements are kept: walks over all chunks from the one with the element of `rank` on,
    /// at most so many, and answers the rank behind them.
    pub fn slices(self, rank: usize, most: usize) -> (Slices, usize) {
        let mut slices = Slices::default();
        let mut end = rank;
        let mut add = |is_dense: bool, len: usize| {
            let (number, elements) = match is_dense {
                true => (&mut slices.dense, &mut slices.dense_elements),
                false => (&mut slices.sparse, &mut slices.sparse_elements),
            };
            *number += 1;
            *elements += len;
            end += len;
        };
        match self.shape {
            ViewShape::Packed(_) if rank > 0 || self.is_empty() => {}
            ViewShape::Packed(_) => add(self.span() == self.len() as u64, self.len()),
            ViewShape::Large(large) => {
                let chunks = large.tree.range(rank..usize::MAX).take(most);
                chunks.for_each(|(run, _)| add(run.is_dense(), run.len()));
            }
        }
        (slices, end)
    }

    /// The elements that were put in last, up to `most` and the first hole, in a ring of
    /// [`ArrayView::span`] indexes; the oldest at 0, the cursor at the newest.
    pub(super) fn unrolled(self, most: u64) -> Array {
        let span = self.span();
        let newest = self.cursor().map_or(span - 1, |cursor| cursor % span);
        // From the newest down to 0, then from the end down to the one behind the newest.
        let count = |low: u64, high: u64, most: u64| {
            let indexes = self.range(low, high).rev().map(|(index, _)| index);
            let ascends =
                (low..=high).rev().zip(indexes).take_while(|(wanted, index)| wanted == index);
            let limit = usize::try_from(most).unwrap_or(usize::MAX);
            ascends.take(limit).count() as u64
        };
        let front = count(0, newest, most);
        let back = match front > newest && newest + 1 < span {
            true => count(newest + 1, span - 1, most - front),
            false => 0,
        };
        let mut collect = Collect::default();
        let mut digits = Digits::default();
        let oldest = self.range(span - back, span);
        let newer = self.range(newest + 1 - front, newest);
        let oldest = oldest.take(usize::try_from(back).unwrap_or(usize::MAX));
        let newer = newer.take(usize::try_from(front).unwrap_or(usize::MAX));
        for (index, (_, element)) in (0..).zip(oldest.chain(newer)) {
            collect.push(index, element.text(&mut digits));
        }
        collect.finish((front + back).checked_sub(1))
    }
}

impl View for ArrayView<'_> {
    fn len(self) -> usize {
        match self.shape {
            ViewShape::Packed(view) => packed::len(view),
            ViewShape::Large(large) => large.tree.len(),
        }
    }

    fn encoding(self) -> &'static str {
        "sliced-array"
    }

    /// The cursor counts: two arrays that insert at different places are not equal.
    fn fold(self, digest: &mut Digest) {
        digest.mix_kind(Kind::Array);
        let mut digits = Digits::default();
        digest.mix(&self.cursor().unwrap_or(u64::MAX).to_be_bytes());
        for (index, element) in self.iter() {
            digest.mix(&index.to_be_bytes());
            digest.mix(element.text(&mut digits));
        }
    }
}

/// Elements of an array with their indexes, from either end.
pub struct Elements<'a>(Walk<'a>);

type OfRun<'a> = fn((&'a Run, Range<usize>)) -> RunElements<'a>;

enum Walk<'a> {
    Packed(vec::IntoIter<(u64, Element<'a>)>),
    Large(FlatMap<Chunks<'a, Run>, RunElements<'a>, OfRun<'a>>),
}

struct RunElements<'a> {
    run: &'a Run,
    range: Range<usize>,
}

fn of_run<'a>((run, range): (&'a Run, Range<usize>)) -> RunElements<'a> {
    RunElements { run, range }
}

impl<'a> RunElements<'a> {
    fn at(&self, at: usize) -> (u64, Element<'a>) {
        (self.run.index(at), Element::Bytes(self.run.text(at)))
    }
}

impl<'a> Iterator for RunElements<'a> {
    type Item = (u64, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.range.next().map(|at| self.at(at))
    }
}

impl DoubleEndedIterator for RunElements<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.range.next_back().map(|at| self.at(at))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u64, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Walk::Packed(pairs) => pairs.next(),
            Walk::Large(pairs) => pairs.next(),
        }
    }
}

impl DoubleEndedIterator for Elements<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Walk::Packed(pairs) => pairs.next_back(),
            Walk::Large(pairs) => pairs.next_back(),
        }
    }
}
