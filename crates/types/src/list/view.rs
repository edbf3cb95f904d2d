//! Reading a list of either shape.

use std::iter::FlatMap;
use std::ops::Range;

use super::List;
use super::run::Run;
use crate::collection::View;
use crate::digest::{Digest, Kind};
use crate::listpack::{self, Element, Listpack, Raw};
use crate::tree::{Chunks, Tree};

/// A borrowed list of either shape.
#[derive(Clone, Copy, Debug)]
pub struct ListView<'a> {
    shape: Shape<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Shape<'a> {
    Packed(listpack::View<'a>),
    Large(&'a Tree<Run>),
}

impl<'a> ListView<'a> {
    /// Of a whole listpack.
    pub(super) fn packed(bytes: &'a [u8]) -> Self {
        Self { shape: Shape::Packed(listpack::View::of(bytes)) }
    }

    pub(super) fn large(tree: &'a Tree<Run>) -> Self {
        Self { shape: Shape::Large(tree) }
    }

    /// The list, carried away: O(1) if it is large.
    pub fn to_list(self) -> List {
        let shape = match self.shape {
            Shape::Packed(view) => super::Shape::Packed(Listpack::of_view(view)),
            Shape::Large(tree) => super::Shape::Large(tree.clone()),
        };
        List { shape }
    }

    /// The element of `index`.
    pub fn get(self, index: usize) -> Option<Element<'a>> {
        match self.shape {
            Shape::Packed(view) => view.at(i64::try_from(index).ok()?),
            Shape::Large(tree) => {
                let spot = tree.chunk_at(index)?;
                spot.chunk.get(index - spot.start)
            }
        }
    }

    pub fn first(self) -> Option<Element<'a>> {
        match self.shape {
            Shape::Packed(view) => view.at(0),
            Shape::Large(tree) => tree.first()?.view().at(0),
        }
    }

    pub fn last(self) -> Option<Element<'a>> {
        match self.shape {
            Shape::Packed(view) => view.at(-1),
            Shape::Large(tree) => tree.last()?.view().at(-1),
        }
    }

    /// All elements, from either end.
    pub fn iter(self) -> Elements<'a> {
        self.range(0..self.len())
    }

    /// The elements at `range`, as far as there are that many.
    pub fn range(self, range: Range<usize>) -> Elements<'a> {
        Elements(
            self.runs(range)
                .flat_map(listpack::View::iter as fn(listpack::View<'a>) -> listpack::Iter<'a>),
        )
    }

    /// Visits the elements at `range`, as far as there are that many, as they stand.
    #[inline]
    pub fn visit(self, range: Range<usize>, mut visit: impl FnMut(Raw<'a>)) {
        let mut part = |view: listpack::View<'a>, range: Range<usize>| {
            let mut iter = view.iter_from_index(range.start);
            for _ in range {
                let Some(raw) = iter.next_raw() else { return };
                visit(raw);
            }
        };
        match self.shape {
            Shape::Packed(view) => part(view, range),
            Shape::Large(tree) => {
                tree.range(range).for_each(|(run, range)| part(run.view(), range));
            }
        }
    }

    /// The elements at `range` as they are kept: one run of a listpack, or the chunks.
    pub fn runs(self, range: Range<usize>) -> Runs<'a> {
        match self.shape {
            Shape::Packed(view) => {
                let end = range.end.min(view.len());
                let part = (range.start < end).then(|| view.slice(range.start..end));
                Runs(Parts::Packed(part))
            }
            Shape::Large(tree) => Runs(Parts::Large(tree.range(range))),
        }
    }

    /// The index of the first element whose text is `text`.
    pub fn position(self, text: &[u8]) -> Option<usize> {
        let mut start = 0;
        for run in self.runs(0..self.len()) {
            if let Some(at) = run.find(text, 0) {
                return Some(start + run.index(at));
            }
            start += run.len();
        }
        None
    }
}

impl View for ListView<'_> {
    fn len(self) -> usize {
        match self.shape {
            Shape::Packed(view) => view.len(),
            Shape::Large(tree) => tree.len(),
        }
    }

    fn encoding(self) -> &'static str {
        match self.shape {
            Shape::Packed(_) => "listpack",
            Shape::Large(_) => "quicklist",
        }
    }

    fn fold(self, digest: &mut Digest) {
        digest.mix_kind(Kind::List);
        let mut digits = listpack::Digits::default();
        for element in self.iter() {
            digest.mix(element.text(&mut digits));
        }
    }
}

/// Parts of a list as they are kept, in order: see [`ListView::runs`].
pub struct Runs<'a>(Parts<'a>);

enum Parts<'a> {
    Packed(Option<listpack::View<'a>>),
    Large(Chunks<'a, Run>),
}

fn part<'a>((run, range): (&'a Run, Range<usize>)) -> listpack::View<'a> {
    run.view().slice(range)
}

impl<'a> Iterator for Runs<'a> {
    type Item = listpack::View<'a>;

    fn next(&mut self) -> Option<listpack::View<'a>> {
        match &mut self.0 {
            Parts::Packed(view) => view.take(),
            Parts::Large(chunks) => chunks.next().map(part),
        }
    }
}

impl DoubleEndedIterator for Runs<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Parts::Packed(view) => view.take(),
            Parts::Large(chunks) => chunks.next_back().map(part),
        }
    }
}

/// Elements of a list, from either end.
pub struct Elements<'a>(
    FlatMap<Runs<'a>, listpack::Iter<'a>, fn(listpack::View<'a>) -> listpack::Iter<'a>>,
);

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        self.0.next()
    }
}

impl DoubleEndedIterator for Elements<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back()
    }
}
