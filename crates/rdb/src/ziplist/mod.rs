//! Ziplists, which Redis wrote before version 7, read strictly.
//!
//! ```text
//!   │ bytes, u32 │ offset of the last entry, u32 │ count, u16 │ entries ... │ FF │
//!   entry: length of the entry before (1 byte, or FE and 4), encoding, data
//!     00LLLLLL             text of up to 63 bytes     C0 D0 E0   number of 2, 4, 8 bytes
//!     01LLLLLL LLLLLLLL    up to 16383                F0 FE      of 3 bytes, of 1
//!     10...... 4 bytes     longer                     F1 .. FD   0 to 12
//! ```

use crate::{Error, Item, signed};

const HEADER: usize = 10;
const COUNT_UNKNOWN: u16 = u16::MAX;
const END: u8 = 0xFF;
const BIG_BEFORE: u8 = 0xFE;

const BROKEN: Error = Error::Corrupt("Ziplist integrity check failed.");

/// The entries of a ziplist, each checked before it is handed out; the iterator ends after the
/// first error. All checks have passed when it has ended without one.
pub struct Items<'a> {
    rest: &'a [u8],
    /// Where `rest` begins.
    offset: usize,
    /// Bytes of the entry before.
    before: usize,
    last: usize,
    announced: Option<usize>,
    count: usize,
    ended: bool,
}

/// Checks the frame of the block and begins with its entries.
pub fn items(block: &[u8]) -> Result<Items<'_>, Error> {
    let (header, rest) = block.split_first_chunk::<HEADER>().ok_or(BROKEN)?;
    let [a, b, c, d, e, f, g, h, count @ ..] = *header;
    if u32::from_le_bytes([a, b, c, d]) as usize != block.len() {
        return Err(BROKEN);
    }
    let count = u16::from_le_bytes(count);
    Ok(Items {
        rest,
        offset: HEADER,
        before: 0,
        last: u32::from_le_bytes([e, f, g, h]) as usize,
        announced: (count != COUNT_UNKNOWN).then_some(usize::from(count)),
        count: 0,
        ended: false,
    })
}

impl<'a> Items<'a> {
    fn end(&mut self) -> Result<(), Error> {
        let counted = self.announced.is_none_or(|count| count == self.count);
        let tail = self.last == self.offset.saturating_sub(self.before);
        if self.rest == [END] && counted && tail { Ok(()) } else { Err(BROKEN) }
    }

    fn entry(&mut self) -> Result<Item<'a>, Error> {
        let (first, mut after) = self.rest.split_first().ok_or(BROKEN)?;
        let mut before = usize::from(*first);
        if *first == BIG_BEFORE {
            let (wide, beyond) = after.split_first_chunk::<4>().ok_or(BROKEN)?;
            before = u32::from_le_bytes(*wide) as usize;
            after = beyond;
        }
        if before != self.before {
            return Err(BROKEN);
        }
        let (item, after) = decode(after)?;
        self.before = self.rest.len().saturating_sub(after.len());
        self.offset = self.offset.saturating_add(self.before);
        self.rest = after;
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
        let item = self.entry();
        self.ended = item.is_err();
        Some(item)
    }
}

/// What `bytes` begin with, and what is behind it.
fn decode(bytes: &[u8]) -> Result<(Item<'_>, &[u8]), Error> {
    let (first, rest) = bytes.split_first().ok_or(BROKEN)?;
    let low = usize::from(*first & 0x3F);
    match *first {
        0x00..=0x3F => text(rest, low),
        0x40..=0x7F => {
            let (next, rest) = rest.split_first().ok_or(BROKEN)?;
            text(rest, low << 8 | usize::from(*next))
        }
        0x80..=0xBF => {
            let (len, rest) = rest.split_first_chunk::<4>().ok_or(BROKEN)?;
            text(rest, u32::from_be_bytes(*len) as usize)
        }
        0xC0 => number::<2>(rest),
        0xD0 => number::<4>(rest),
        0xE0 => number::<8>(rest),
        0xF0 => number::<3>(rest),
        0xFE => number::<1>(rest),
        0xF1..=0xFD => Ok((Item::Int(i64::from(*first).saturating_sub(0xF1)), rest)),
        _ => Err(BROKEN),
    }
}

fn text(rest: &[u8], len: usize) -> Result<(Item<'_>, &[u8]), Error> {
    let (text, rest) = rest.split_at_checked(len).ok_or(BROKEN)?;
    Ok((Item::Bytes(text), rest))
}

fn number<const N: usize>(rest: &[u8]) -> Result<(Item<'_>, &[u8]), Error> {
    let (number, rest) = rest.split_first_chunk::<N>().ok_or(BROKEN)?;
    Ok((Item::Int(signed(number)), rest))
}

#[cfg(test)]
mod tests;
