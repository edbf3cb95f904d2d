//! The array: texts under indexes from 0 to 2^64 - 2, most of which are holes.
//!
//! Packed, it is a lean block. Large, it is a tree of chunks of some KiB, found by index; a chunk
//! without holes within keeps no indexes, so that a dense array takes two bytes beside each text, a
//! sparse one ten. Holes cost nothing, and walks skip them. The number of elements is known, the
//! highest index is found in O(log n), a clone is O(1).
//!
//! An array has a cursor: the index that was inserted at last ([`Array::insert`],
//! [`Array::ring`]), none at first. Facts about Redis 8.8, the type's first: its documentation, and
//! what its source and tests show of it.

mod packed;
pub(crate) mod persist;
mod run;
#[cfg(test)]
mod tests;
mod view;

use std::ops::Range;

use crate::collection::{Collection, Type, any_ways};
use crate::lean::{self, Lean};
use crate::listpack::Digits;
use crate::tree::Tree;
use run::Run;
use view::ViewShape;
pub use view::{ArrayView, Elements, Slices};

/// The highest index of an element.
pub const INDEX_MAX: u64 = u64::MAX - 1;

/// A slice, as ARINFO calls a chunk, has about so many bytes at most.
pub const SLICE_BYTES: usize = run::RUN_BYTES_MAX;

/// A packed block has at most so many elements, as they are found by walking.
const PACKED_LEN_MAX: usize = 128;
/// And so many bytes.
const PACKED_BYTES_MAX: usize = 1024;

/// An owned array.
#[derive(Clone, Debug)]
pub struct Array {
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Packed(Lean),
    Large(Large),
}

/// O(1) to clone.
#[derive(Clone, Debug, Default)]
struct Large {
    tree: Tree<Run>,
    cursor: Option<u64>,
}

/// That values would go behind the last index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

impl Default for Array {
    fn default() -> Self {
        Self { shape: Shape::Packed(Lean::new()) }
    }
}

impl Array {
    /// Puts `text` at `index`, at most [`INDEX_MAX`]; answers whether there was nothing.
    pub fn set(&mut self, index: u64, text: &[u8]) -> bool {
        debug_assert!(index <= INDEX_MAX, "the last number is no index");
        match &mut self.shape {
            Shape::Packed(pack) if pack.as_bytes().len() + text.len() <= PACKED_BYTES_MAX => {
                let is_new = packed::set(pack, index, text);
                if packed::len(pack.view()) > PACKED_LEN_MAX {
                    self.enlarge();
                }
                is_new
            }
            Shape::Packed(_) => {
                self.enlarge();
                self.set(index, text)
            }
            Shape::Large(large) => large.set(index, text),
        }
    }

    fn enlarge(&mut self) {
        let Shape::Packed(pack) = &self.shape else { return };
        let (view, mut build) = (pack.view(), Build::default());
        let mut digits = Digits::default();
        for (index, element) in packed::pairs(view) {
            build.push(index, element.text(&mut digits));
        }
        let large = Large { tree: build.finish(), cursor: packed::cursor(view) };
        self.shape = Shape::Large(large);
    }

    /// Takes out the elements from `low` to `high`; answers how many there were. An array without
    /// elements has no cursor.
    pub fn remove(&mut self, low: u64, high: u64) -> usize {
        match &mut self.shape {
            Shape::Packed(pack) => packed::remove(pack, low, high),
            Shape::Large(large) => {
                let gone = large.remove(low, high);
                if large.tree.is_empty() {
                    *self = Self::default();
                }
                gone
            }
        }
    }

    /// Says where the next value is inserted: behind `cursor`, or at 0. Nothing, if there are no
    /// elements.
    pub fn set_cursor(&mut self, cursor: Option<u64>) {
        match &mut self.shape {
            Shape::Packed(pack) if pack.is_empty() => {}
            Shape::Packed(pack) => packed::set_cursor(pack, cursor),
            Shape::Large(large) => large.cursor = cursor,
        }
    }

    /// Puts texts behind the cursor, one after the other, and answers the index of the last; there is
    /// one at least. Nothing changes if they do not all fit.
    pub fn insert(&mut self, texts: &[&[u8]]) -> Result<u64, Overflow> {
        let first = match self.view().cursor() {
            Some(cursor) => cursor.checked_add(1).ok_or(Overflow)?,
            None => 0,
        };
        let last = last_of(first, texts.len()).ok_or(Overflow)?;
        for (index, text) in (first..=last).zip(texts) {
            self.set(index, text);
        }
        self.set_cursor(Some(last));
        Ok(last)
    }

    /// Puts texts behind the cursor in a ring of `size` indexes, at least 1, and answers the index of
    /// the last. If the elements fill another ring, what was put in last without a hole moves to the
    /// indexes from 0 on first: all that the smaller ring has room for, or, in a greater one that
    /// had begun anew, all of it.
    pub fn ring(&mut self, size: u64, texts: &[&[u8]]) -> u64 {
        let (view, mut cursor) = (self.view(), self.view().cursor());
        let span = view.span();
        let wraps = cursor.is_some_and(|cursor| cursor.saturating_add(1) < span);
        if span > 0 && (size < span || size > span && wraps) {
            *self = view.unrolled(size);
            cursor = self.view().cursor();
        }
        let mut at = 0;
        for text in texts {
            at = cursor.map_or(0, |cursor| cursor.wrapping_add(1)) % size;
            self.set(at, text);
            cursor = Some(at);
        }
        self.set_cursor(cursor);
        at
    }
}

/// The last of so many indexes from `first` on; `None`: not all of them are indexes.
pub fn last_of(first: u64, count: usize) -> Option<u64> {
    let last = first.checked_add((count as u64).checked_sub(1)?)?;
    (last <= INDEX_MAX).then_some(last)
}

impl Large {
    fn set(&mut self, index: u64, text: &[u8]) -> bool {
        self.tree.edit_by(|separator| *separator <= index, |edit| run::set(edit, index, text))
    }

    fn remove(&mut self, low: u64, high: u64) -> usize {
        if low == high {
            let is_before = |separator: &u64| *separator <= low;
            return usize::from(self.tree.edit_by(is_before, |edit| run::remove(edit, low)));
        }
        let ranks = self.ranks(low, high);
        let gone = ranks.len();
        self.tree.remove(ranks, run::JOIN_BYTES_MAX);
        gone
    }

    /// The ranks of the elements from `low` to `high`.
    fn ranks(&self, low: u64, high: u64) -> Range<usize> {
        let place = |index: u64| {
            let spot = self.tree.chunk_by(|separator| *separator <= index);
            spot.map(|spot| {
                spot.chunk.find(index).map(|at| spot.start + at).map_err(|at| spot.start + at)
            })
        };
        let (Ok(start) | Err(start)) = place(low).unwrap_or(Err(0));
        let end = match place(high).unwrap_or(Err(0)) {
            Ok(at) => at + 1,
            Err(at) => at,
        };
        start..end.max(start)
    }
}

/// A tree under way, from elements in order.
#[derive(Default)]
struct Build {
    tree: Tree<Run>,
    run: Run,
}

impl Build {
    fn push(&mut self, index: u64, text: &[u8]) {
        if !self.run.push(index, text) {
            self.close();
            self.run.push(index, text);
        }
    }

    fn close(&mut self) {
        let mut run = std::mem::take(&mut self.run);
        run.seal();
        self.tree.push_back(run);
    }

    fn finish(mut self) -> Tree<Run> {
        self.close();
        self.tree
    }
}

/// An array under way, from elements in order.
#[derive(Default)]
pub struct Collect {
    array: Array,
    build: Option<Build>,
}

impl Collect {
    /// Puts an element behind all others.
    pub fn push(&mut self, index: u64, text: &[u8]) {
        if let Some(build) = &mut self.build {
            return build.push(index, text);
        }
        self.array.set(index, text);
        if let Shape::Large(large) = &mut self.array.shape {
            self.build = Some(Build { tree: std::mem::take(&mut large.tree), run: Run::default() });
        }
    }

    pub fn finish(mut self, cursor: Option<u64>) -> Array {
        if let Some(build) = self.build {
            self.array.shape = Shape::Large(Large { tree: build.finish(), cursor });
        }
        self.array.set_cursor(cursor);
        self.array
    }
}

impl Collection for Array {
    const TYPE: Type = Type::Array;
    type View<'a> = ArrayView<'a>;

    fn view(&self) -> ArrayView<'_> {
        let shape = match &self.shape {
            Shape::Packed(pack) => ViewShape::Packed(pack.view()),
            Shape::Large(large) => ViewShape::Large(large),
        };
        ArrayView { shape }
    }

    fn view_packed(_: u8, bytes: &[u8]) -> ArrayView<'_> {
        ArrayView { shape: ViewShape::Packed(lean::View::of(bytes)) }
    }

    fn from_packed(_: u8, bytes: Vec<u8>) -> Self {
        Self { shape: Shape::Packed(Lean::from_bytes(bytes)) }
    }

    fn as_packed(&self) -> Option<(u8, &[u8])> {
        match &self.shape {
            Shape::Packed(pack) => Some((0, pack.as_bytes())),
            Shape::Large(_) => None,
        }
    }

    fn into_packed(self) -> Result<(u8, Vec<u8>), Self> {
        match self.shape {
            Shape::Packed(pack) => Ok((0, pack.into_bytes())),
            Shape::Large(_) => Err(self),
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.shape {
            Shape::Packed(pack) => pack.heap_bytes(),
            Shape::Large(large) => large.tree.heap_bytes(),
        }
    }

    any_ways!(Array);
}
