//! Listpacks: many small elements in one block, byte-compatible with Redis and Valkey.
//!
//! ```text
//! block    total bytes (u32 LE) | number of elements (u16 LE, 65535: count them) | element... | 0xFF
//! element  encoding and data | back length: size of the former, 7 bits a byte, read backwards
//!
//! 0xxxxxxx                    integer 0 to 127
//! 10llllll data               string of up to 63 bytes
//! 110xxxxx xxxxxxxx           integer of 13 bits, signed
//! 1110llll llllllll data      string of up to 4,095 bytes
//! 11110000 l[4] data          longer string
//! 11110001 x[2]               integer of 16 bits; 0xF2, 0xF3, 0xF4: of 24, 32 and 64 bits
//! ```
//!
//! Text that is a canonical decimal `i64` is kept as an integer, everything else as a string, as the
//! peers do: [`Element::from`] of bytes decides. So blocks go into RDB files and DUMP payloads as
//! they are.
//!
//! The API, in short:
//!
//! - [`Listpack`] owns a block: [`append`](Listpack::append), `prepend`, `insert_before`,
//!   `insert_after`, `replace`, `delete`, `delete_range`, `append_all`. What is put in is
//!   `impl Into<Element>`: bytes, an `i64`, or an element of another listpack.
//! - [`View`] borrows a block (`Copy`): `len`, `iter` (both directions), `first`, `last`, `seek` (by
//!   index, negative from the end), `next`, `prev`, `get(Pos)`, `find(needle, skip)`.
//! - [`Element`] is what is read: `eq_bytes`, `write_to`, `len`, `text(&mut Digits)`, `to_vec`.
//! - [`Pos`] is a place in one block. It holds until the block changes at or before it.
//! - [`validate`] proves foreign bytes; [`Listpack::from_bytes`] takes them over after that.
//!
//! Everything but `validate` is for bytes that were proved or written here: broken ones panic, and
//! nothing is read out of bounds, for there is no unsafe code.

mod element;
mod view;

#[cfg(test)]
mod tests;

pub use element::{Digits, Element, Raw};
pub(crate) use element::{Encoded, TEXT_ROOM, bytes_of};
pub(crate) use view::delete_equal;
pub use view::{Iter, Pos, View};

/// Bytes of the header.
const HEADER: usize = 6;
/// The last byte of a block.
const END: u8 = 0xFF;
/// The number of elements from which on the header does not say it.
const UNCOUNTED: u16 = u16::MAX;

/// A block may not grow beyond it: as the peers' limit, far from what the header can say.
pub const MAX_BYTES: usize = 1 << 30;

/// Why foreign bytes are no listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

impl std::fmt::Display for Corrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a well-formed listpack")
    }
}

impl std::error::Error for Corrupt {}

/// Proves that `bytes` are one whole listpack, element by element, and answers how many elements it
/// has. Whether they make sense to the type that keeps them (pairs, no duplicates) is the type's to
/// check. An element need not have the shortest encoding.
pub fn validate(bytes: &[u8]) -> Result<usize, Corrupt> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Corrupt)?;
    let (&end, mut body) = rest.split_last().ok_or(Corrupt)?;
    let total = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let said = u16::from_le_bytes([header[4], header[5]]);
    if usize::try_from(total) != Ok(bytes.len()) || end != END {
        return Err(Corrupt);
    }
    let mut count = 0_usize;
    while !body.is_empty() {
        let size = element::whole_size(body).ok_or(Corrupt)?;
        let (entry, rest) = body.split_at_checked(size).ok_or(Corrupt)?;
        let (before, back) = element::back_length(entry).ok_or(Corrupt)?;
        if before.checked_add(back) != Some(size) {
            return Err(Corrupt);
        }
        body = rest;
        count += 1;
    }
    if said != UNCOUNTED && usize::from(said) != count {
        return Err(Corrupt);
    }
    Ok(count)
}

/// An owned block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listpack {
    bytes: Vec<u8>,
}

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl Listpack {
    /// An empty one of 7 bytes.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty one with room for `bytes` bytes of elements.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut block = Vec::with_capacity(bytes.saturating_add(HEADER + 1));
        block.extend_from_slice(&[(HEADER + 1) as u8, 0, 0, 0, 0, 0, END]);
        Self { bytes: block }
    }

    /// Takes over a block: one of ours, or one that [`validate`] proved.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        debug_assert!(validate(&bytes).is_ok());
        Self { bytes }
    }

    /// A block of the elements of `view`, without decoding them.
    pub fn of_view(view: View<'_>) -> Self {
        let mut own = Self::with_capacity(view.body().len());
        own.append_all(view);
        own
    }

    /// The block, ready for DUMP and RDB.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the block away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    #[inline]
    pub fn view(&self) -> View<'_> {
        View::of(&self.bytes)
    }

    /// Number of elements. O(1) below 65,535 of them, beyond that they are counted.
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER + 1
    }

    /// Bytes of the whole block.
    #[inline]
    pub fn total_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes on the heap, as asked of the allocator.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives unused room back to the allocator.
    pub fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Whether `more` bytes of data, with what is put around them, keep the block below
    /// [`MAX_BYTES`]. Callers ask before they put in something large.
    pub fn has_room(&self, more: usize) -> bool {
        self.bytes.len().saturating_add(more) < MAX_BYTES
    }

    /// Puts `element` at the end. O(1).
    #[inline]
    pub fn append<'e>(&mut self, element: impl Into<Element<'e>>) {
        let encoded = Encoded::of(element.into());
        self.bytes.pop();
        self.bytes.reserve(encoded.size() + 1);
        encoded.push_to(&mut self.bytes);
        self.bytes.push(END);
        self.changed(1, 0);
    }

    /// Puts all elements of `view` at the end, without decoding them.
    pub fn append_all(&mut self, view: View<'_>) {
        self.bytes.pop();
        self.bytes.reserve(view.body().len() + 1);
        self.bytes.extend_from_slice(view.body());
        self.bytes.push(END);
        self.changed(view.len(), 0);
    }

    /// Puts `element` before all others.
    pub fn prepend<'e>(&mut self, element: impl Into<Element<'e>>) {
        self.insert_before(Pos(0), element);
    }

    /// Puts `element` before the one at `at`, or at the end if `at` is [`View::end`]. The new one is
    /// at `at` then.
    pub fn insert_before<'e>(&mut self, at: Pos, element: impl Into<Element<'e>>) {
        splice(&mut self.bytes, HEADER + at.0, 0, &Encoded::of(element.into()));
        self.changed(1, 0);
    }

    /// Puts `element` after the one at `at`; answers where it is.
    pub fn insert_after<'e>(&mut self, at: Pos, element: impl Into<Element<'e>>) -> Pos {
        let after = self.view().after(at);
        self.insert_before(after, element);
        after
    }

    /// Puts `element` in the place of the one at `at`, which stays its position.
    pub fn replace<'e>(&mut self, at: Pos, element: impl Into<Element<'e>>) {
        let old = self.view().after(at).0 - at.0;
        splice(&mut self.bytes, HEADER + at.0, old, &Encoded::of(element.into()));
        self.changed(0, 0);
    }

    /// Takes out up to `count` elements from `at` on; answers how many. What followed them is at
    /// `at` then.
    pub fn delete(&mut self, at: Pos, count: usize) -> usize {
        let view = self.view();
        let (mut end, mut deleted) = (at, 0);
        while deleted < count && end != view.end() {
            end = view.after(end);
            deleted += 1;
        }
        self.bytes.drain(HEADER + at.0..HEADER + end.0);
        self.changed(0, deleted);
        deleted
    }

    /// Takes out up to `count` elements from the one of `index` on (negative: from the end); answers
    /// how many.
    pub fn delete_range(&mut self, index: i64, count: usize) -> usize {
        match self.view().seek(index) {
            Some(at) => self.delete(at, count),
            None => 0,
        }
    }

    /// Takes out up to `limit` elements whose text is `needle`, the first ones, or the last ones if
    /// `backwards`; answers how many.
    pub fn delete_equal(&mut self, needle: &[u8], limit: usize, backwards: bool) -> usize {
        let run = HEADER..self.bytes.len() - 1;
        let deleted = delete_equal(&mut self.bytes, run, needle, limit, backwards);
        self.changed(0, deleted);
        deleted
    }

    /// Takes all elements out and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.truncate(HEADER);
        self.bytes.push(END);
        self.bytes[4..HEADER].fill(0);
        self.changed(0, 0);
    }

    /// Writes the header after a change of so many elements.
    #[inline]
    fn changed(&mut self, added: usize, deleted: usize) {
        let total = u32::try_from(self.bytes.len()).expect("callers keep within MAX_BYTES");
        let [a, b, c, d, low, high] = self.bytes.first_chunk_mut().expect("a block has a header");
        [*a, *b, *c, *d] = total.to_le_bytes();
        let count = u16::from_le_bytes([*low, *high]);
        if count != UNCOUNTED {
            let count = usize::from(count).saturating_add(added) - deleted;
            let count = u16::try_from(count).unwrap_or(UNCOUNTED);
            [*low, *high] = count.to_le_bytes();
        }
    }
}

impl<'e, T: Into<Element<'e>>> FromIterator<T> for Listpack {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut own = Self::new();
        for element in elements {
            own.append(element);
        }
        own
    }
}

/// Puts `encoded` in the place of the `old` bytes at `start`.
pub(crate) fn splice(bytes: &mut Vec<u8>, start: usize, old: usize, encoded: &Encoded<'_>) {
    let (from, new, len) = (start + old, encoded.size(), bytes.len());
    if new > old {
        bytes.resize(len + (new - old), 0);
    }
    bytes.copy_within(from..len, start + new);
    bytes.truncate(len - old + new);
    encoded.fill(&mut bytes[start..start + new]);
}
