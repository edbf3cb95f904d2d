//! Lean blocks: small collections, in as few bytes as walking forward allows.
//!
//! ```text
//! block    bits 0-4: bytes of the prefix, 5-15: number of elements (u16 LE) | prefix | element...
//!
//! 0xxxxxxx                integer 0 to 127
//! 10llllll data           string of up to 63 bytes
//! 110ppppp llllllll data  string: the first p bytes of the prefix, then l of its own
//! 1110xxxx xxxxxxxx       integer of 12 bits, signed
//! 11110000 l[4] data      longer string
//! 11110001 x[2]           integer of 16 bits; 0xF2, 0xF3, 0xF4: of 24, 32 and 64 bits
//! ```
//!
//! Against a listpack, which RDB files and DUMP payloads hold, the back lengths are missing, and the
//! names of one collection (`user:1`, `user:2`) share what they begin with: the prefix is that of the
//! first string of the block, and stays until the block is empty. The number 2047 says that elements
//! have to be counted. An empty block has no bytes at all.
//!
//! **An element has one encoding under a prefix**, so a search compares bytes and decodes nothing.
//! Text that is a canonical decimal `i64` is an integer, as in a listpack. [`View::to_listpack`]
//! gives the block as files keep it. The bytes never come from elsewhere: broken ones panic.

mod code;
mod view;

#[cfg(test)]
mod tests;

use crate::listpack::{Element, MAX_BYTES};
use code::Encoded;
pub use view::{Iter, Pos, View};

/// Bytes of the block's head.
const HEAD: usize = 2;
const PREFIX_BITS: u32 = 5;
/// The longest prefix.
const PREFIX_MAX: usize = (1 << PREFIX_BITS) - 1;
/// From so many elements on the head does not say their number.
const UNCOUNTED: u16 = u16::MAX >> PREFIX_BITS;

/// An owned block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lean {
    bytes: Vec<u8>,
}

impl Lean {
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// An empty one with room for `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// Takes over a block of ours.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

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

    /// Number of elements. O(1) below 2,047 of them.
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes on the heap, as asked of the allocator.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives unused room back to the allocator.
    pub fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Whether `more` bytes of data, with what is put around them, keep the block below
    /// [`MAX_BYTES`].
    pub fn has_room(&self, more: usize) -> bool {
        self.bytes.len().saturating_add(more) < MAX_BYTES
    }

    /// Puts `element` at the end. O(1).
    #[inline]
    pub fn append<'e>(&mut self, element: impl Into<Element<'e>>) {
        let element = element.into();
        self.begin(element);
        let encoded = Encoded::of(element, self.view().prefix());
        self.bytes.reserve(encoded.size());
        encoded.push_to(&mut self.bytes);
        self.changed(1, 0);
    }

    /// Puts `element` before the one at `at`, or at the end if `at` is [`View::end`]. The new one is
    /// at `at` then.
    pub fn insert_before<'e>(&mut self, at: Pos, element: impl Into<Element<'e>>) {
        let element = element.into();
        self.begin(element);
        self.splice(at, 0, element);
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
        self.splice(at, old, element.into());
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
        if deleted == 0 {
            return 0;
        }
        let body = self.body_at();
        self.bytes.drain(body + at.0..body + end.0);
        self.changed(0, deleted);
        deleted
    }

    /// Takes out up to `count` elements from the one of `index` on; answers how many.
    pub fn delete_range(&mut self, index: usize, count: usize) -> usize {
        self.delete(self.view().seek(index), count)
    }

    /// Writes head and prefix, if `element` is about to be the first.
    #[inline]
    fn begin(&mut self, element: Element<'_>) {
        if self.bytes.is_empty() {
            let parts = element.parts().unwrap_or_default();
            let len = code::prefix_len(parts[0].len() + parts[1].len());
            self.bytes.extend_from_slice(&(len as u16).to_le_bytes());
            parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
            self.bytes.truncate(HEAD + len);
        }
    }

    fn body_at(&self) -> usize {
        HEAD + self.view().prefix().len()
    }

    fn splice(&mut self, at: Pos, old: usize, element: Element<'_>) {
        let encoded = Encoded::of(element, self.view().prefix());
        let (start, new, len) = (self.body_at() + at.0, encoded.size(), self.bytes.len());
        if new > old {
            self.bytes.resize(len + (new - old), 0);
        }
        self.bytes.copy_within(start + old..len, start + new);
        self.bytes.truncate(len - old + new);
        encoded.fill(&mut self.bytes[start..start + new]);
    }

    /// Counts so many elements in and out.
    #[inline]
    fn changed(&mut self, added: usize, deleted: usize) {
        if self.bytes.len() == self.body_at() {
            self.bytes.clear();
            return;
        }
        let Some(head) = self.bytes.first_chunk_mut::<HEAD>() else { return };
        let word = u16::from_le_bytes(*head);
        let count = word >> PREFIX_BITS;
        if count != UNCOUNTED {
            let count = (usize::from(count) + added - deleted).min(usize::from(UNCOUNTED)) as u16;
            let prefix = word & PREFIX_MAX as u16;
            *head = (prefix | count << PREFIX_BITS).to_le_bytes();
        }
    }
}

impl<'e, T: Into<Element<'e>>> FromIterator<T> for Lean {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut own = Self::new();
        elements.into_iter().for_each(|element| own.append(element));
        own
    }
}
