//! Bitmaps and bit fields: operations on the bits of a string.
//!
//! Bit 0 is the most significant bit of the first byte, and what lies behind a string's end is
//! zeros. A field of several bits has its most significant bit first, wherever it begins.

mod field;
mod op;
mod range;
#[cfg(test)]
mod tests;

pub use field::{Field, Overflow};
pub use op::{Op, combine};
pub use range::{BitRange, Unit};

/// The bit at `bit`; zero behind the end.
pub fn get(bytes: &[u8], bit: u64) -> bool {
    usize::try_from(bit / 8)
        .ok()
        .and_then(|at| bytes.get(at))
        .is_some_and(|byte| byte & mask(bit) != 0)
}

/// Sets the bit at `bit`, which lies within `bytes`; whether that changed it.
pub fn set(bytes: &mut [u8], bit: u64, on: bool) -> bool {
    let byte = &mut bytes[(bit / 8) as usize];
    let changed = (*byte & mask(bit) != 0) != on;
    if changed {
        *byte ^= mask(bit);
    }
    changed
}

fn mask(bit: u64) -> u8 {
    0x80 >> (bit % 8)
}

/// How many bits of `bytes` are set.
pub fn count(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let whole: u64 = words.iter().map(|word| u64::from_ne_bytes(*word).count_ones() as u64).sum();
    whole + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// How many bits of `range`, which lies within `bytes`, are set.
pub fn count_in(bytes: &[u8], range: BitRange) -> u64 {
    let (bytes, before, after) = range.cut(bytes);
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return 0 };
    let outside = (first & !before).count_ones() + (last & !after).count_ones();
    count(bytes) - u64::from(outside)
}

/// The first bit of `range`, which lies within `bytes`, that is `on`.
pub fn position_in(bytes: &[u8], range: BitRange, on: bool) -> Option<u64> {
    let (bytes, before, after) = range.cut(bytes);
    // As a search for a set bit: what is not wanted becomes zeros.
    let flip = if on { 0 } else { u8::MAX };
    let base = range.start / 8 * 8;
    let last = bytes.len().checked_sub(1)?;
    let wanted = |at: usize| {
        let mut byte = bytes[at] ^ flip;
        if at == 0 {
            byte &= before;
        }
        if at == last {
            byte &= after;
        }
        byte
    };
    let found = |at: usize| {
        (wanted(at) != 0).then(|| base + at as u64 * 8 + u64::from(wanted(at).leading_zeros()))
    };
    if let Some(bit) = found(0) {
        return Some(bit);
    }
    let dull = u64::from_ne_bytes([flip; 8]);
    let (words, _) = bytes[1..].as_chunks::<8>();
    let skipped = words.iter().take_while(|word| u64::from_ne_bytes(**word) == dull).count();
    (1 + skipped * 8..=last).find_map(found)
}
