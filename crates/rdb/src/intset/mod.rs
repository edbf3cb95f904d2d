//! Intsets, read strictly: numbers of 2, 4 or 8 bytes in ascending order.
//!
//! ```text
//!   │ bytes of a number, u32 │ count, u32 │ numbers ... │
//! ```

use crate::Error;

const BROKEN: Error = Error::Corrupt("broken intset");

/// A little-endian number of any width up to 8, with its sign.
pub(crate) fn signed(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|high| high & 0x80 != 0);
    let mut wide = [if negative { 0xFF } else { 0 }; 8];
    for (to, from) in wide.iter_mut().zip(bytes) {
        *to = *from;
    }
    i64::from_le_bytes(wide)
}

/// The width of a number, and all numbers' bytes. Length, order and uniqueness are checked; there
/// is at least one number.
pub fn check(block: &[u8]) -> Result<(usize, &[u8]), Error> {
    let (width, rest) = block.split_first_chunk::<4>().ok_or(BROKEN)?;
    let (count, numbers) = rest.split_first_chunk::<4>().ok_or(BROKEN)?;
    let width = u32::from_le_bytes(*width) as usize;
    let count = u32::from_le_bytes(*count) as usize;
    if !matches!(width, 2 | 4 | 8) || count == 0 || count.checked_mul(width) != Some(numbers.len())
    {
        return Err(BROKEN);
    }
    let mut before = None;
    for number in numbers.chunks_exact(width).map(signed) {
        if before.is_some_and(|before| before >= number) {
            return Err(Error::Corrupt("an intset out of order"));
        }
        before = Some(number);
    }
    Ok((width, numbers))
}

/// The numbers of a block that [`check`] let pass.
pub fn numbers(block: &[u8]) -> Result<impl Iterator<Item = i64>, Error> {
    let (width, numbers) = check(block)?;
    Ok(numbers.chunks_exact(width).map(signed))
}

#[cfg(test)]
mod tests;
