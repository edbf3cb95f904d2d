//! A chunk of a large list: a run of elements as in a listpack, with room at both ends.
//!
//! ```text
//! buf   room | elements, encoded as in a listpack | room (the Vec's own)
//!            start                                len
//! ```
//!
//! Room at the front makes pushes and pops there as cheap as at the back. Whoever runs out of room
//! gets most of what there is, the other end the rest: pushing at both ends in turn moves the
//! elements a few times, not at each push.

use std::ops::Range;

use super::{End, Fill};
use crate::listpack::{self, Element, Encoded, View};
use crate::tree::Chunk;

#[derive(Debug, Default)]
pub(super) struct Run {
    buf: Vec<u8>,
    start: u32,
    count: u32,
}

impl Clone for Run {
    /// Without the room.
    fn clone(&self) -> Self {
        Self::of_view(self.view())
    }
}

impl Run {
    pub(super) fn of_view(view: View<'_>) -> Self {
        let count = u32::try_from(view.len()).expect("an element has two bytes at least");
        Self { buf: view.body().to_vec(), start: 0, count }
    }

    /// A run of one element.
    pub(super) fn of(encoded: &Encoded<'_>, end: End, fill: Fill) -> Self {
        let mut run = Self::default();
        run.push(encoded, end, fill);
        run
    }

    fn body(&self) -> &[u8] {
        &self.buf[self.start as usize..]
    }

    #[inline]
    pub(super) fn view(&self) -> View<'_> {
        View::of_body(self.body(), self.count)
    }

    /// Whether an element of `len` bytes of text may be added.
    #[inline]
    pub(super) fn has_room(&self, len: usize, fill: Fill) -> bool {
        fill.allows(self.view().total_bytes(), self.count as usize, len)
    }

    pub(super) fn push(&mut self, encoded: &Encoded<'_>, end: End, fill: Fill) {
        let size = encoded.size();
        self.reserve(size, end, fill);
        match end {
            End::Front => {
                let start = self.start as usize - size;
                encoded.fill(&mut self.buf[start..start + size]);
                self.start = start as u32;
            }
            End::Back => encoded.push_to(&mut self.buf),
        }
        self.count += 1;
    }

    /// Sees to room for `size` more bytes at `end`.
    #[inline]
    fn reserve(&mut self, size: usize, end: End, fill: Fill) {
        let room = match end {
            End::Front => self.start as usize,
            End::Back => self.buf.capacity() - self.buf.len(),
        };
        if room < size {
            self.make_room(size, end, fill);
        }
    }

    /// Moves the elements to a block with room for `size` more bytes at `end`.
    #[cold]
    fn make_room(&mut self, size: usize, end: End, fill: Fill) {
        const SMALLEST: usize = 64;
        let need = self.body().len() + size;
        // Powers of two: blocks of whole pages then take the place of each other. Any other size
        // leaves a hole of a page behind for each run of the list.
        let doubled = need.checked_next_power_of_two().unwrap_or(need).max(SMALLEST);
        let capacity = doubled.min(fill.most_bytes()).max(need);
        let slack = capacity - need;
        let front = match end {
            End::Front => size + (slack - slack / 4),
            End::Back => slack / 4,
        };
        // A list that grows at its back only needs no room in front.
        let front = if self.start == 0 && end == End::Back { 0 } else { front };
        self.rebuild(capacity, front);
    }

    fn rebuild(&mut self, capacity: usize, front: usize) {
        let mut buf = Vec::with_capacity(capacity);
        buf.resize(front, 0);
        buf.extend_from_slice(self.body());
        self.buf = buf;
        self.start = front as u32;
    }

    /// Gives unused room back, if it is much: for a run that nothing is added to for now.
    pub(super) fn settle(&mut self) {
        if self.is_loose() {
            self.rebuild(self.body().len(), 0);
        }
    }

    /// Whether [`Run::settle`] would do something.
    pub(super) fn is_loose(&self) -> bool {
        self.buf.capacity() - self.body().len() > self.body().len() / 8
    }

    /// Takes out the element at `end`; there is one.
    pub(super) fn pop(&mut self, end: End) {
        let view = self.view();
        match end {
            End::Front => self.start += view.offset(1) as u32,
            End::Back => {
                let keep = self.start as usize + view.offset(self.count as usize - 1);
                self.buf.truncate(keep);
            }
        }
        self.count -= 1;
    }

    pub(super) fn insert(&mut self, place: usize, encoded: &Encoded<'_>, fill: Fill) {
        self.reserve(encoded.size(), End::Back, fill);
        let at = self.start as usize + self.view().offset(place);
        listpack::splice(&mut self.buf, at, 0, encoded);
        self.count += 1;
    }

    pub(super) fn replace(&mut self, place: usize, encoded: &Encoded<'_>, fill: Fill) {
        let view = self.view();
        let (at, end) = (view.offset(place), view.offset(place + 1));
        self.reserve(encoded.size().saturating_sub(end - at), End::Back, fill);
        listpack::splice(&mut self.buf, self.start as usize + at, end - at, encoded);
    }

    /// Cuts off the elements from `place` on.
    pub(super) fn split_off(&mut self, place: usize) -> Self {
        let right = Self::of_view(self.view().slice(place..self.count as usize));
        self.remove(place..self.count as usize);
        right
    }

    /// See [`crate::listpack::Listpack::delete_equal`].
    pub(super) fn delete_equal(&mut self, needle: &[u8], limit: usize, end: End) -> usize {
        let run = self.start as usize..self.buf.len();
        let backwards = end == End::Back;
        let deleted = listpack::delete_equal(&mut self.buf, run, needle, limit, backwards);
        self.count -= deleted as u32;
        self.settle();
        deleted
    }

    /// Whether it is one element that is too large to have neighbours.
    pub(super) fn is_plain(&self, fill: Fill) -> bool {
        self.count == 1 && self.view().iter().next().is_some_and(|only| fill.is_large(only.len()))
    }

    /// The element of `place`, which there is.
    pub(super) fn get(&self, place: usize) -> Option<Element<'_>> {
        self.view().at(place as i64)
    }
}

impl Chunk for Run {
    type Key = ();
    type Sum = ();

    fn len(&self) -> usize {
        self.count as usize
    }

    fn heap_bytes(&self) -> usize {
        self.buf.capacity()
    }

    fn separator(_: &Self, _: &Self) {}

    fn remove(&mut self, range: Range<usize>) {
        let view = self.view();
        let (from, to) = (view.offset(range.start), view.offset(range.end));
        let start = self.start as usize;
        if from == 0 {
            self.start += to as u32;
        } else {
            self.buf.drain(start + from..start + to);
        }
        self.count -= range.len() as u32;
        self.settle();
    }

    fn append(&mut self, right: &Self) {
        self.buf.extend_from_slice(right.body());
        self.count += right.count;
    }
}
