//! How one element is encoded.

use super::PREFIX_MAX;
use crate::listpack::{Element, TEXT_ROOM};

/// Longer strings share nothing: their text has to fit [`Digits`].
const JOINED_MAX: usize = TEXT_ROOM;
/// With fewer bytes in common a string is shorter, or no longer, on its own.
const JOINED_MIN: usize = 2;

/// Bytes of the prefix that a first string of `len` bytes gives to its block.
pub(super) fn prefix_len(len: usize) -> usize {
    if (JOINED_MIN..=JOINED_MAX).contains(&len) { len.min(PREFIX_MAX) } else { 0 }
}

/// An element ready to be written.
#[derive(Debug)]
pub(super) struct Encoded<'a> {
    /// Encoding, length, integer.
    head: [u8; 9],
    head_len: u8,
    /// The bytes behind it.
    data: [&'a [u8]; 2],
}

impl<'a> Encoded<'a> {
    #[inline]
    pub(super) fn of(element: Element<'a>, prefix: &[u8]) -> Self {
        match element {
            Element::Int(value) => Self::of_int(value),
            // It may be a number that elsewhere is kept as text.
            Element::Bytes(text) => match Element::from(text) {
                Element::Int(value) => Self::of_int(value),
                _ => Self::of_text([text, &[]], prefix),
            },
            Element::Joined(start, rest) => Self::of_text([start, rest], prefix),
        }
    }

    #[inline]
    fn of_int(value: i64) -> Self {
        let le = value.to_le_bytes();
        let mut head = [0; 9];
        head[1..].copy_from_slice(&le);
        let (first, head_len) = match value {
            0..=127 => (le[0], 1),
            -2048..=2047 => {
                head[1] = le[0];
                (0xE0 | le[1] & 0x0F, 2)
            }
            -0x8000..=0x7FFF => (0xF1, 3),
            -0x80_0000..=0x7F_FFFF => (0xF2, 4),
            -0x8000_0000..=0x7FFF_FFFF => (0xF3, 5),
            _ => (0xF4, 9),
        };
        head[0] = first;
        Self { head, head_len, data: [&[], &[]] }
    }

    #[inline]
    fn of_text([start, rest]: [&'a [u8]; 2], prefix: &[u8]) -> Self {
        let len = start.len() + rest.len();
        let mut common = common_len(start, prefix);
        if common == start.len() {
            common += common_len(rest, &prefix[common..]);
        }
        let mut head = [0; 9];
        if common >= JOINED_MIN && len <= JOINED_MAX {
            head[0] = 0xC0 | common as u8;
            head[1] = (len - common) as u8;
            let behind = common.saturating_sub(start.len());
            let data = [&start[common.min(start.len())..], &rest[behind..]];
            return Self { head, head_len: 2, data };
        }
        let head_len = if len <= 0x3F {
            head[0] = 0x80 | len as u8;
            1
        } else {
            let len = u32::try_from(len).expect("callers keep within MAX_BYTES");
            head[0] = 0xF0;
            head[1..5].copy_from_slice(&len.to_le_bytes());
            5
        };
        Self { head, head_len, data: [start, rest] }
    }

    fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_len)]
    }

    /// Bytes it takes in a block.
    #[inline]
    pub(super) fn size(&self) -> usize {
        usize::from(self.head_len) + self.data[0].len() + self.data[1].len()
    }

    #[inline]
    pub(super) fn push_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.head());
        out.extend_from_slice(self.data[0]);
        out.extend_from_slice(self.data[1]);
    }

    /// Writes it to `out`, which has its size.
    pub(super) fn fill(&self, out: &mut [u8]) {
        let (head, data) = out.split_at_mut(self.head().len());
        let (start, rest) = data.split_at_mut(self.data[0].len());
        head.copy_from_slice(self.head());
        start.copy_from_slice(self.data[0]);
        rest.copy_from_slice(self.data[1]);
    }

    /// Whether it is what stands at the beginning of `at`.
    #[inline]
    pub(super) fn starts(&self, at: &[u8]) -> bool {
        at[0] == self.head[0]
            && at.strip_prefix(self.head()).is_some_and(|data| {
                data.strip_prefix(self.data[0]).is_some_and(|data| data.starts_with(self.data[1]))
            })
    }
}

fn common_len(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// Bytes of the element that `rest` starts with.
#[inline]
pub(super) fn size(rest: &[u8]) -> Option<usize> {
    Some(match *rest.first()? {
        0..=0x7F => 1,
        first @ 0x80..=0xBF => 1 + usize::from(first & 0x3F),
        0xC0..=0xDF => 2 + usize::from(*rest.get(1)?),
        0xE0..=0xEF => 2,
        0xF0 => u32::from_le_bytes(*rest.get(1..)?.first_chunk()?) as usize + 5,
        0xF1 => 3,
        0xF2 => 4,
        0xF3 => 5,
        0xF4 => 9,
        0xF5..=0xFF => return None,
    })
}

/// The element that `rest` starts with, and its bytes.
#[inline]
pub(super) fn decode<'a>(rest: &'a [u8], prefix: &'a [u8]) -> Option<(Element<'a>, usize)> {
    let size = size(rest)?;
    let element = match (rest[0], rest.get(..size)?) {
        (first @ 0..=0x7F, _) => Element::Int(i64::from(first)),
        (0x80..=0xBF, [_, text @ ..]) | (0xF0, [_, _, _, _, _, text @ ..]) => Element::Bytes(text),
        (first @ 0xC0..=0xDF, [_, _, text @ ..]) => {
            Element::Joined(prefix.get(..usize::from(first & 0x1F))?, text)
        }
        (0xE0..=0xEF, &[high, low]) => {
            // Shifted up and down again, so that bit 11 becomes the sign.
            Element::Int(i64::from(i16::from_be_bytes([high, low]) << 4 >> 4))
        }
        (0xF1, &[_, a, b]) => Element::Int(i64::from(i16::from_le_bytes([a, b]))),
        (0xF2, &[_, a, b, c]) => Element::Int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)),
        (0xF3, &[_, a, b, c, d]) => Element::Int(i64::from(i32::from_le_bytes([a, b, c, d]))),
        (0xF4, [_, value @ ..]) => Element::Int(i64::from_le_bytes(*value.first_chunk()?)),
        _ => return None,
    };
    Some((element, size))
}
