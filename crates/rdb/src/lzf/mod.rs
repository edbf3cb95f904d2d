//! LZF: the compression of long strings in RDB files.
//!
//! ```text
//!   000LLLLL                    L+1 literal bytes follow
//!   LLLOOOOO oooooooo           copy L+2 bytes from O:o+1 bytes back      (L 1 to 6)
//!   111OOOOO llllllll oooooooo  the same for l+9 bytes
//! ```
//!
//! A copy may overlap what it makes. Nothing says where a stream ends: its length stands before it.

use crate::Error;

const LITERALS_MAX: usize = 32;
const BACK_MAX: usize = 1 << 13;
const COPY_MIN: usize = 3;
const COPY_MAX: usize = 264;
/// Three bytes make at most 264.
const GROWTH_MAX: usize = COPY_MAX / 3;

/// Remembers where three bytes were last seen; kept for the next string.
#[derive(Default)]
pub struct Compressor {
    /// Position plus one by hash, 0: nowhere.
    seen: Vec<u32>,
}

impl Compressor {
    /// Appends `input` compressed to `out` and says true; or leaves `out` as it was, if less than
    /// `gain` bytes would be won, or if `input` has 4 GiB or more.
    pub fn compress(&mut self, input: &[u8], gain: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let Some(budget) = input.len().checked_sub(gain) else { return false };
        if u32::try_from(input.len()).is_err() {
            return false;
        }
        let bits = input.len().max(64).ilog2().min(14);
        self.seen.clear();
        self.seen.resize(1 << bits, 0);
        if self.run(input, bits, start.saturating_add(budget), out) {
            return true;
        }
        out.truncate(start);
        false
    }

    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "positions are below the length of the input, which fits 32 bits; `hash` is below \
                  the size of the table; the compressor sees our own data only"
    )]
    fn run(&mut self, input: &[u8], bits: u32, end: usize, out: &mut Vec<u8>) -> bool {
        let mut literals = 0;
        let mut at = 0;
        while at + COPY_MIN <= input.len() {
            let three = u32::from_le_bytes([input[at], input[at + 1], input[at + 2], 0]);
            let hash = (three.wrapping_mul(0x9E37_79B1) >> (32 - bits)) as usize;
            let before = std::mem::replace(&mut self.seen[hash], at as u32 + 1) as usize;
            let found = before > 0
                && at + 1 - before <= BACK_MAX
                && input[before - 1..before + 2] == input[at..at + COPY_MIN];
            if !found {
                at += 1;
                // What cannot be copied costs a little more than its length.
                if out.len() + (at - literals) > end {
                    return false;
                }
                continue;
            }
            let source = before - 1;
            let most = (input.len() - at).min(COPY_MAX);
            let len = same_bytes(&input[source..source + most], &input[at..at + most]);
            write_literals(&input[literals..at], out);
            write_copy(at - source - 1, len, out);
            // The positions within the copy are found again through its last ones only.
            at += len;
            literals = at;
            if out.len() > end {
                return false;
            }
        }
        write_literals(&input[literals..], out);
        out.len() <= end
    }
}

/// How many bytes at the beginning are the same. PERF: eight at a time.
fn same_bytes(a: &[u8], b: &[u8]) -> usize {
    let words = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(a, b)| a == b).count();
    let len = words.saturating_mul(8);
    let rest = |bytes| <[u8]>::get(bytes, len..).unwrap_or_default().iter();
    len.saturating_add(rest(a).zip(rest(b)).take_while(|(a, b)| a == b).count())
}

fn write_literals(bytes: &[u8], out: &mut Vec<u8>) {
    for run in bytes.chunks(LITERALS_MAX) {
        // A run has 1 to 32 bytes.
        out.push(u8::try_from(run.len().saturating_sub(1)).unwrap_or_default());
        out.extend_from_slice(run);
    }
}

#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "`back` is below 2^13 and `len` from 3 to 264"
)]
fn write_copy(back: usize, len: usize, out: &mut Vec<u8>) {
    let high = (back >> 8) as u8;
    let low = back as u8;
    match len - 2 {
        short @ ..7 => out.push((short as u8) << 5 | high),
        long => out.extend_from_slice(&[7 << 5 | high, (long - 7) as u8]),
    }
    out.push(low);
}

/// Expands `input`, which must give exactly `len` bytes, at the end of `out`.
pub fn decompress(input: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    const BROKEN: Error = Error::Corrupt("Invalid LZF compressed string");
    if len > input.len().saturating_mul(GROWTH_MAX) {
        return Err(BROKEN);
    }
    let start = out.len();
    out.reserve(len);
    let mut rest = input;
    while let Some((control, after)) = rest.split_first() {
        let control = usize::from(*control);
        let made = out.len().saturating_sub(start);
        let room = len.saturating_sub(made);
        if control < LITERALS_MAX {
            let (run, after) = after.split_at_checked(control.saturating_add(1)).ok_or(BROKEN)?;
            if run.len() > room {
                return Err(BROKEN);
            }
            out.extend_from_slice(run);
            rest = after;
            continue;
        }
        let (count, after) = match control >> 5 {
            7 => {
                let (more, after) = after.split_first().ok_or(BROKEN)?;
                (usize::from(*more).saturating_add(9), after)
            }
            count => (count.saturating_add(2), after),
        };
        let (low, after) = after.split_first().ok_or(BROKEN)?;
        let back = ((control & 0x1F) << 8 | usize::from(*low)).saturating_add(1);
        if count > room || back > made {
            return Err(BROKEN);
        }
        copy_back(out, back, count);
        rest = after;
    }
    if out.len().checked_sub(start) == Some(len) { Ok(()) } else { Err(BROKEN) }
}

/// Appends `count` bytes that begin `back` bytes before the end, which they may reach beyond.
fn copy_back(out: &mut Vec<u8>, back: usize, mut count: usize) {
    let from = out.len().saturating_sub(back);
    while count > 0 {
        let step = out.len().saturating_sub(from).min(count);
        out.extend_from_within(from..from.saturating_add(step));
        count = count.saturating_sub(step);
    }
}

#[cfg(test)]
mod tests;
