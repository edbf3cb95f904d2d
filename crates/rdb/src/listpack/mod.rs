//! Listpacks, read strictly. (The type that edits them is `types::listpack`.)
//!
//! ```text
//!   ┌───────────┬───────────┬─────────────────────────┬────┐
//!   │ bytes, u32│ count, u16│ elements ...            │ FF │     count 65535: look
//!   └───────────┴───────────┴─────────────────────────┴────┘
//!   element: encoding and data, then their length backwards in 1 to 5 bytes
//!     0nnnnnnn        7-bit number        10LLLLLL        text of up to 63 bytes
//!     110nnnnn n      13-bit, signed      1110LLLL L      text of up to 4095 bytes
//!     F1 F2 F3 F4     16 to 64 bits       F0 LLLL         longer text
//! ```

use crate::{Error, Item};

pub const HEADER: usize = 6;
const COUNT_UNKNOWN: u16 = u16::MAX;
const END: u8 = 0xFF;

const BROKEN: Error = Error::Corrupt("Listpack integrity check failed.");

/// The elements of a listpack, each checked before it is handed out; the iterator ends after the
/// first error. All checks have passed when it has ended without one.
pub struct Items<'a> {
    rest: &'a [u8],
    /// As the header counts; `None`: it does not.
    announced: Option<usize>,
    count: usize,
    canonical: bool,
    ended: bool,
}

/// Checks the frame of the block and begins with its elements.
pub fn items(block: &[u8]) -> Result<Items<'_>, Error> {
    let (header, rest) = block.split_first_chunk::<HEADER>().ok_or(BROKEN)?;
    let [a, b, c, d, count @ ..] = *header;
    if u32::from_le_bytes([a, b, c, d]) as usize != block.len() {
        return Err(BROKEN);
    }
    let count = u16::from_le_bytes(count);
    Ok(Items {
        rest,
        announced: (count != COUNT_UNKNOWN).then_some(usize::from(count)),
        count: 0,
        canonical: true,
        ended: false,
    })
}

impl<'a> Items<'a> {
    /// Whether all elements so far stand in the one form in which the peers' encoder, and ours,
    /// writes them: shortest encoding, numbers as numbers. Blocks of which that is not true are
    /// written anew, since comparisons of elements rely on it.
    pub fn is_canonical(&self) -> bool {
        let known = self.announced.is_some() || self.count >= usize::from(COUNT_UNKNOWN);
        self.canonical && known
    }

    fn end(&mut self) -> Result<(), Error> {
        let counted = self.announced.is_none_or(|count| count == self.count);
        let whole = self.rest == [END];
        if counted && whole { Ok(()) } else { Err(BROKEN) }
    }

    fn element(&mut self) -> Result<Item<'a>, Error> {
        let (item, size, shortest) = decode(self.rest)?;
        let (_, rest) = self.rest.split_at_checked(size).ok_or(BROKEN)?;
        let mut back = [0; 5];
        let back = backwards(size, &mut back);
        self.rest = rest.strip_prefix(back).ok_or(BROKEN)?;
        self.canonical &= shortest;
        self.count = self.count.saturating_add(1);
        Ok(item)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.rest.first().is_none_or(|byte| *byte == END) {
            self.ended = true;
            return self.end().err().map(Err);
        }
        let item = self.element();
        self.ended = item.is_err();
        Some(item)
    }
}

/// The first element of `bytes`, the size of its encoding and data, and whether that is the form
/// which an encoder chooses.
#[inline]
fn decode(bytes: &[u8]) -> Result<(Item<'_>, usize, bool), Error> {
    let (first, rest) = bytes.split_first().ok_or(BROKEN)?;
    let low = usize::from(*first);
    match *first {
        0x00..=0x7F => Ok((Item::Int(i64::from(*first)), 1, true)),
        0x80..=0xBF => text(rest, low & 0x3F, 1, 0),
        0xC0..=0xDF => {
            let next = rest.first().ok_or(BROKEN)?;
            let bits = u16::from_be_bytes([*first & 0x1F, *next]);
            // Thirteen bits with their sign: to the top and back.
            let number = (bits << 3).cast_signed() >> 3;
            Ok((Item::Int(i64::from(number)), 2, !(0..=127).contains(&number)))
        }
        0xE0..=0xEF => {
            let next = rest.first().ok_or(BROKEN)?;
            let after = rest.get(1..).unwrap_or_default();
            text(after, (low & 0x0F) << 8 | usize::from(*next), 2, 64)
        }
        0xF0 => {
            let (len, after) = rest.split_first_chunk::<4>().ok_or(BROKEN)?;
            text(after, u32::from_le_bytes(*len) as usize, 5, 4096)
        }
        0xF1 => number::<2>(rest, 13),
        0xF2 => number::<3>(rest, 16),
        0xF3 => number::<4>(rest, 24),
        0xF4 => number::<8>(rest, 32),
        _ => Err(BROKEN),
    }
}

fn text(
    after: &[u8],
    len: usize,
    header: usize,
    min: usize,
) -> Result<(Item<'_>, usize, bool), Error> {
    let text = after.get(..len).ok_or(BROKEN)?;
    let shortest = len >= min && (len > 20 || stdx::num::parse_i64(text).is_none());
    Ok((Item::Bytes(text), header.saturating_add(len), shortest))
}

/// A number of N bytes; the shortest form unless `fewer` bits hold it.
fn number<const N: usize>(after: &[u8], fewer: u32) -> Result<(Item<'static>, usize, bool), Error> {
    let bytes = after.first_chunk::<N>().ok_or(BROKEN)?;
    let number = crate::signed(bytes);
    let half = 1i64.wrapping_shl(fewer.saturating_sub(1));
    let shortest = !(half.saturating_neg()..half).contains(&number);
    Ok((Item::Int(number), N.saturating_add(1), shortest))
}

/// The length of an element as it stands behind it: seven bits a byte, the highest first, all but
/// the first marked.
fn backwards(size: usize, buf: &mut [u8; 5]) -> &[u8] {
    let bits = size.checked_ilog2().unwrap_or(0).saturating_add(1);
    let len = (bits.div_ceil(7) as usize).min(5);
    let mut left = size;
    for at in (0..len).rev() {
        if let Some(byte) = buf.get_mut(at) {
            *byte = (left & 0x7F).to_le_bytes()[0] | if at == 0 { 0 } else { 0x80 };
        }
        left >>= 7;
    }
    buf.get(..len).unwrap_or_default()
}

#[cfg(test)]
mod tests;
