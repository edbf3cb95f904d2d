//! Reading: a borrowed run of elements, and places in it.

use std::ops::Range;

use super::element::{self, Element, Raw};
use super::{END, HEADER, UNCOUNTED};

/// A borrowed run of elements: those of a block, or of a part of a larger structure that keeps them
/// without header and end.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    body: &'a [u8],
    /// Number of elements; `None`: not known.
    count: Option<u32>,
}

/// The place of an element, or the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos(pub(super) usize);

/// Why reading cannot fail.
const PROVED: &str = "a listpack is proved before it is read";

impl<'a> View<'a> {
    /// The elements of a whole block, of ours or proved. No bytes at all are no elements.
    #[inline]
    pub fn of(block: &'a [u8]) -> Self {
        if block.is_empty() {
            return Self::of_body(block, 0);
        }
        let (header, rest) = block.split_first_chunk::<HEADER>().expect(PROVED);
        let (end, body) = rest.split_last().expect(PROVED);
        debug_assert_eq!(*end, END);
        let count = u16::from_le_bytes([header[4], header[5]]);
        Self { body, count: (count != UNCOUNTED).then(|| u32::from(count)) }
    }

    /// Where in [`View::body`] the element of `index` starts, or where they end.
    #[inline]
    pub(crate) fn offset(self, index: usize) -> usize {
        self.seek(index as i64).unwrap_or(self.end()).0
    }

    /// `count` elements without header and end.
    #[inline]
    pub fn of_body(body: &'a [u8], count: u32) -> Self {
        Self { body, count: Some(count) }
    }

    /// The elements as they are encoded, without header and end.
    #[inline]
    pub fn body(self) -> &'a [u8] {
        self.body
    }

    /// Number of elements: O(1) unless the header does not say it.
    #[inline]
    pub fn len(self) -> usize {
        match self.count {
            Some(count) => count as usize,
            None => self.iter().count(),
        }
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.body.is_empty()
    }

    /// Bytes that a block of these elements has.
    #[inline]
    pub fn total_bytes(self) -> usize {
        HEADER + self.body.len() + 1
    }

    /// All elements, from either end.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        Iter { body: self.body }
    }

    /// The elements from `at` on.
    pub fn iter_from(self, at: Pos) -> Iter<'a> {
        Iter { body: &self.body[at.0..] }
    }

    /// The elements from that of `index` on.
    #[inline]
    pub fn iter_from_index(self, index: usize) -> Iter<'a> {
        self.iter_from(Pos(self.offset(index)))
    }

    /// The elements before `at`; to be read backwards.
    pub fn iter_until(self, at: Pos) -> Iter<'a> {
        Iter { body: &self.body[..at.0] }
    }

    /// The elements at `range`, which is within the view.
    pub fn slice(self, range: Range<usize>) -> Self {
        let count = range.len();
        if count == self.len() {
            return self;
        }
        let start = Pos(self.offset(range.start));
        // From the start of few elements their end is near; else it may be nearer to our end.
        let end = if count <= 8 {
            (0..count).fold(start, |end, _| self.after(end))
        } else {
            Pos(self.offset(range.end))
        };
        Self::of_body(&self.body[start.0..end.0], count as u32)
    }

    /// How many elements precede `at`.
    pub fn index(self, at: Pos) -> usize {
        self.iter_until(at).count()
    }

    /// The place after all elements.
    #[inline]
    pub fn end(self) -> Pos {
        Pos(self.body.len())
    }

    pub fn first(self) -> Option<Pos> {
        (!self.is_empty()).then_some(Pos(0))
    }

    pub fn last(self) -> Option<Pos> {
        self.prev(self.end())
    }

    /// The element at `at`, which is not the end.
    #[inline]
    pub fn get(self, at: Pos) -> Element<'a> {
        element::decode(&self.body[at.0..]).expect(PROVED).0
    }

    /// The place after the element at `at`: of the next one, or the end.
    #[inline]
    pub fn after(self, at: Pos) -> Pos {
        Pos(at.0 + element::whole_size(&self.body[at.0..]).expect(PROVED))
    }

    /// The place of the element after that at `at`.
    #[inline]
    pub fn next(self, at: Pos) -> Option<Pos> {
        let after = self.after(at);
        (after != self.end()).then_some(after)
    }

    /// The place of the element before that at `at`, or of the last one if `at` is the end.
    #[inline]
    pub fn prev(self, at: Pos) -> Option<Pos> {
        if at.0 == 0 {
            return None;
        }
        let (size, back) = element::back_length(&self.body[..at.0]).expect(PROVED);
        Some(Pos(at.0 - size - back))
    }

    /// The place of the element of `index`, from the end if negative (-1 is the last one). Walks from
    /// the nearer end.
    pub fn seek(self, index: i64) -> Option<Pos> {
        let from_end = if index < 0 {
            index.unsigned_abs()
        } else {
            let index = index.unsigned_abs();
            match self.count {
                // The end itself is 0 from the end.
                Some(count) if index >= u64::from(count) => return None,
                Some(count) if index > u64::from(count / 2) => u64::from(count) - index,
                _ => return self.seek_forward(index),
            }
        };
        match self.count {
            Some(count) if from_end > u64::from(count) => return None,
            Some(count) if from_end > u64::from(count / 2) => {
                return self.seek_forward(u64::from(count) - from_end);
            }
            _ => {}
        }
        let mut at = self.end();
        for _ in 0..from_end {
            at = self.prev(at)?;
        }
        Some(at)
    }

    fn seek_forward(self, index: u64) -> Option<Pos> {
        let mut at = self.first()?;
        for _ in 0..index {
            at = self.next(at)?;
        }
        Some(at)
    }

    /// The element of `index`, from the end if negative.
    pub fn at(self, index: i64) -> Option<Element<'a>> {
        self.seek(index).map(|at| self.get(at))
    }

    /// The place of the first element whose text is `needle`, comparing one and skipping `skip`, in
    /// turn: 1 finds the field of a listpack of pairs.
    pub fn find(self, needle: &[u8], skip: usize) -> Option<Pos> {
        self.find_from(Pos(0), needle, skip)
    }

    /// The places of up to `limit` elements whose text is `needle`, from either end on, in order of
    /// place, each as a range of bytes.
    fn find_all(self, needle: &[u8], limit: usize, backwards: bool) -> Vec<Range<usize>> {
        let needle = Element::from(needle);
        let mut found = Vec::new();
        let mut at = if backwards { self.end() } else { Pos(0) };
        while found.len() < limit {
            let (start, end) = if backwards {
                let Some(start) = self.prev(at) else { break };
                (start, at)
            } else {
                if at == self.end() {
                    break;
                }
                (at, self.after(at))
            };
            if self.get(start) == needle {
                found.push(start.0..end.0);
            }
            at = if backwards { start } else { end };
        }
        if backwards {
            found.reverse();
        }
        found
    }

    /// As [`View::find`], from `at` on.
    pub fn find_from(self, mut at: Pos, needle: &[u8], skip: usize) -> Option<Pos> {
        let needle_int = match Element::from(needle) {
            Element::Int(value) => Some(value),
            _ => None,
        };
        while at != self.end() {
            let (element, size) = element::decode(&self.body[at.0..]).expect(PROVED);
            let found = match element {
                Element::Int(value) => needle_int == Some(value),
                text => text.eq_bytes(needle),
            };
            if found {
                return Some(at);
            }
            at = Pos(at.0 + size);
            for _ in 0..skip {
                if at == self.end() {
                    break;
                }
                at = self.after(at);
            }
        }
        None
    }
}

impl<'a> IntoIterator for View<'a> {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The elements, from either end.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    body: &'a [u8],
}

impl<'a> Iter<'a> {
    /// The next element as it stands.
    #[inline]
    pub fn next_raw(&mut self) -> Option<Raw<'a>> {
        if let [first @ 0x80..=0xBF, from @ ..] = self.body {
            let len = usize::from(first & 0x3F);
            // The back length has one byte.
            self.body = &from[len + 1..];
            return Some(Raw::Text(from, len));
        }
        self.next().map(Raw::from)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.body.is_empty() {
            return None;
        }
        let (element, size) = element::decode(self.body).expect(PROVED);
        self.body = &self.body[size..];
        Some(element)
    }

    /// Skips without decoding.
    fn nth(&mut self, n: usize) -> Option<Element<'a>> {
        for _ in 0..n {
            if self.body.is_empty() {
                return None;
            }
            let size = element::whole_size(self.body).expect(PROVED);
            self.body = &self.body[size..];
        }
        self.next()
    }

    fn count(mut self) -> usize {
        let mut count = 0;
        while !self.body.is_empty() {
            let size = element::whole_size(self.body).expect(PROVED);
            self.body = &self.body[size..];
            count += 1;
        }
        count
    }
}

impl<'a> DoubleEndedIterator for Iter<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<Element<'a>> {
        if self.body.is_empty() {
            return None;
        }
        let (size, back) = element::back_length(self.body).expect(PROVED);
        let (rest, last) = self.body.split_at(self.body.len() - size - back);
        self.body = rest;
        Some(element::decode(last).expect(PROVED).0)
    }
}

/// Deletes up to `limit` elements whose text is `needle`, from either end on, from the run of
/// elements at `run` within `bytes`; answers how many.
pub(crate) fn delete_equal(
    bytes: &mut Vec<u8>,
    run: Range<usize>,
    needle: &[u8],
    limit: usize,
    backwards: bool,
) -> usize {
    let found = View { body: &bytes[run.clone()], count: None }.find_all(needle, limit, backwards);
    let mut kept = run.start + found.first().map_or(0, |first| first.start);
    for (at, gone) in found.iter().enumerate() {
        let next = found.get(at + 1).map_or(bytes.len(), |next| run.start + next.start);
        let keep = run.start + gone.end..next;
        let len = keep.len();
        bytes.copy_within(keep, kept);
        kept += len;
    }
    if !found.is_empty() {
        bytes.truncate(kept);
    }
    found.len()
}
