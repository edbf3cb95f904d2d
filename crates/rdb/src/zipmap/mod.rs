//! Zipmaps, the small hashes of Redis before 2.6, read strictly.
//!
//! ```text
//!   │ count, u8 │ { length, field, length, free, value, free bytes } ... │ FF │   count 254: look
//!   length: one byte, or FE and 4 bytes, little-endian
//! ```

use crate::Error;

const BIG: u8 = 254;
const END: u8 = 0xFF;

const BROKEN: Error = Error::Corrupt("Zipmap integrity check failed.");

/// A field and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// The pairs of a zipmap; there is at least one.
pub fn pairs(block: &[u8]) -> Result<Vec<Pair<'_>>, Error> {
    let (count, mut rest) = block.split_first().ok_or(BROKEN)?;
    let mut pairs = Vec::new();
    while rest.first().is_some_and(|byte| *byte != END) {
        let (field, after) = text(rest, false)?;
        let (value, after) = text(after, true)?;
        pairs.push((field, value));
        rest = after;
    }
    let counted = *count == BIG || usize::from(*count) == pairs.len();
    if rest == [END] && counted && !pairs.is_empty() { Ok(pairs) } else { Err(BROKEN) }
}

/// A text behind its length, and what is behind it. Values have unused bytes behind them.
fn text(bytes: &[u8], has_free: bool) -> Result<(&[u8], &[u8]), Error> {
    let (first, mut rest) = bytes.split_first().ok_or(BROKEN)?;
    let mut len = usize::from(*first);
    if *first >= BIG {
        let (wide, after) = rest.split_first_chunk::<4>().ok_or(BROKEN)?;
        len = u32::from_le_bytes(*wide) as usize;
        rest = after;
    }
    let mut free = 0;
    if has_free {
        let (byte, after) = rest.split_first().ok_or(BROKEN)?;
        free = usize::from(*byte);
        rest = after;
    }
    let (text, rest) = rest.split_at_checked(len).ok_or(BROKEN)?;
    Ok((text, rest.get(free..).ok_or(BROKEN)?))
}

#[cfg(test)]
mod tests;
