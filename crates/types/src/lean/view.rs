//! Reading a lean block, from front to back.

use super::code::{self, Encoded};
use super::{HEAD, PREFIX_BITS, PREFIX_MAX, UNCOUNTED};
use crate::listpack::{Element, Listpack, Raw};

/// A borrowed block.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The prefix and all that follows it.
    prefix: &'a [u8],
    prefix_len: usize,
    body: &'a [u8],
    /// Number of elements; `None`: not known.
    count: Option<u32>,
}

/// The place of an element, or the end. It holds until the block changes at or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos(pub(super) usize);

impl Pos {
    /// The place so many bytes before.
    pub fn back(self, bytes: usize) -> Self {
        Self(self.0 - bytes)
    }
}

/// Why reading cannot fail.
const OURS: &str = "a lean block is of our own making";

impl<'a> View<'a> {
    #[inline]
    pub fn of(block: &'a [u8]) -> Self {
        let Some((head, rest)) = block.split_first_chunk::<HEAD>() else {
            return Self { prefix: &[], prefix_len: 0, body: &[], count: Some(0) };
        };
        let word = u16::from_le_bytes(*head);
        let count = word >> PREFIX_BITS;
        let prefix_len = usize::from(word) & PREFIX_MAX;
        let count = (count != UNCOUNTED).then(|| u32::from(count));
        Self { prefix: rest, prefix_len, body: &rest[prefix_len..], count }
    }

    #[inline]
    pub(super) fn prefix(self) -> &'a [u8] {
        &self.prefix[..self.prefix_len]
    }

    /// Number of elements: O(1) unless the head does not say it.
    #[inline]
    pub fn len(self) -> usize {
        match self.count {
            Some(count) => count as usize,
            None => self.iter().count(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.body.is_empty()
    }

    /// All elements.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        Iter { prefix: self.prefix, body: self.body }
    }

    /// The elements from `at` on.
    #[inline]
    pub fn iter_from(self, at: Pos) -> Iter<'a> {
        Iter { prefix: self.prefix, body: &self.body[at.0..] }
    }

    /// The place after all elements.
    #[inline]
    pub fn end(self) -> Pos {
        Pos(self.body.len())
    }

    /// The place of the first element, or the end.
    #[inline]
    pub fn start(self) -> Pos {
        Pos(0)
    }

    /// The element at `at`, which is not the end.
    #[inline]
    pub fn get(self, at: Pos) -> Element<'a> {
        code::decode(&self.body[at.0..], self.prefix).expect(OURS).0
    }

    /// The place after the element at `at`: of the next one, or the end.
    #[inline]
    pub fn after(self, at: Pos) -> Pos {
        Pos(at.0 + code::size(&self.body[at.0..]).expect(OURS))
    }

    /// Where `iter`, of this view, stands.
    pub fn place_of(self, iter: &Iter<'_>) -> Pos {
        Pos(self.body.len() - iter.body.len())
    }

    /// The integer before `at`, which is one of 0 to 127.
    pub fn small_before(self, at: Pos) -> usize {
        usize::from(self.body[at.0 - 1])
    }

    /// The place of the element of `index`, or the end.
    pub fn seek(self, index: usize) -> Pos {
        let mut at = self.start();
        for _ in 0..index {
            if at == self.end() {
                break;
            }
            at = self.after(at);
        }
        at
    }

    /// The element of `index`.
    pub fn at(self, index: usize) -> Option<Element<'a>> {
        let at = self.seek(index);
        (at != self.end()).then(|| self.get(at))
    }

    /// The places of every `step`-th element from `at` on: what is needed to walk backwards.
    pub fn places(self, mut at: Pos, step: usize) -> Vec<Pos> {
        let mut places = Vec::with_capacity(self.count.map_or(0, |count| count as usize / step));
        while at != self.end() {
            places.push(at);
            for _ in 0..step {
                at = self.after(at);
            }
        }
        places
    }

    /// The place of the first element whose text is `needle`, comparing one and skipping `skip`, in
    /// turn: 1 finds the field in a block of pairs.
    #[inline]
    pub fn find(self, needle: &[u8], skip: usize) -> Option<Pos> {
        let needle = Encoded::of(Element::from(needle), self.prefix());
        let mut rest = self.body;
        while !rest.is_empty() {
            if needle.starts(rest) {
                return Some(Pos(self.body.len() - rest.len()));
            }
            for _ in 0..=skip {
                rest = &rest[code::size(rest).expect(OURS)..];
            }
        }
        None
    }

    /// The block as RDB files and DUMP payloads hold it.
    pub fn to_listpack(self) -> Listpack {
        let mut pack = Listpack::with_capacity(self.body.len() * 2);
        self.iter().for_each(|element| pack.append(element));
        pack
    }

    /// An owned copy.
    pub fn to_lean(self) -> super::Lean {
        let mut own = super::Lean::with_capacity(HEAD + self.prefix.len());
        if !self.is_empty() {
            let count = self.count.map_or(UNCOUNTED, |count| count as u16);
            let word = self.prefix_len as u16 | count << PREFIX_BITS;
            own.bytes.extend_from_slice(&word.to_le_bytes());
            own.bytes.extend_from_slice(self.prefix);
        }
        own
    }
}

impl<'a> IntoIterator for View<'a> {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Elements in order.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    /// As in [`View`].
    prefix: &'a [u8],
    body: &'a [u8],
}

impl<'a> Iter<'a> {
    /// The next element as it stands.
    #[inline]
    pub fn next_raw(&mut self) -> Option<Raw<'a>> {
        if let [first @ 0x80..=0xBF, from @ ..] = self.body {
            let len = usize::from(first & 0x3F);
            self.body = &from[len..];
            return Some(Raw::Text(from, len));
        }
        if let [first @ 0xC0..=0xDF, len, from @ ..] = self.body {
            let (shared, len) = (usize::from(first & 0x1F), usize::from(*len));
            self.body = &from[len..];
            return Some(Raw::Joined([self.prefix, from], [shared, len]));
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
        let (element, size) = code::decode(self.body, self.prefix).expect(OURS);
        self.body = &self.body[size..];
        Some(element)
    }

    /// Skips without decoding.
    #[inline]
    fn nth(&mut self, n: usize) -> Option<Element<'a>> {
        for _ in 0..n {
            if self.body.is_empty() {
                return None;
            }
            self.body = &self.body[code::size(self.body).expect(OURS)..];
        }
        self.next()
    }

    fn count(mut self) -> usize {
        let mut count = 0;
        while !self.body.is_empty() {
            self.body = &self.body[code::size(self.body).expect(OURS)..];
            count += 1;
        }
        count
    }
}
