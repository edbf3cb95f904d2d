//! Sparse registers: runs of equal values.
//!
//! ```text
//! 00llllll            1 to 64 registers of zero
//! 01llllll llllllll   1 to 16,384 registers of zero
//! 1vvvvvll            1 to 4 registers of the value 1 to 32
//! ```
//!
//! A register is raised by splitting its run; neighbors that became equal are joined, in the order
//! and within the reach that the peers have, so that equal histories give equal bytes.

use super::{HEADER, HllError, REGISTERS};

/// The largest value that a run has.
pub(super) const VALUE_MAX: u8 = 32;
const SHORT_ZEROS_MAX: usize = 64;
const VALUES_MAX: usize = 4;
const VALUES: u8 = 0x80;
const LONG_ZEROS: u8 = 0x40;

/// Equal registers next to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub value: u8,
    /// How many; at least one.
    pub len: usize,
    /// Bytes that it takes: 1 or 2.
    bytes: usize,
}

impl Run {
    /// Whether it is one of zeros in two bytes.
    pub fn is_long(self) -> bool {
        self.bytes == 2
    }

    /// The run at the beginning of `bytes`; `None` if it is cut off.
    fn read(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        let low = usize::from(first & 0x3F);
        Some(if first & VALUES != 0 {
            Self { value: (first >> 2 & 0x1F) + 1, len: low % VALUES_MAX + 1, bytes: 1 }
        } else if first & LONG_ZEROS != 0 {
            Self { value: 0, len: (low << 8 | usize::from(*bytes.get(1)?)) + 1, bytes: 2 }
        } else {
            Self { value: 0, len: low + 1, bytes: 1 }
        })
    }
}

/// All runs; an error where the last is cut off.
pub(super) fn runs(mut bytes: &[u8]) -> impl Iterator<Item = Result<Run, HllError>> + '_ {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let Some(run) = Run::read(bytes) else {
            bytes = &[];
            return Some(Err(HllError::Corrupt));
        };
        bytes = &bytes[run.bytes..];
        Some(Ok(run))
    })
}

/// Calls `visit` with each run that lies within the registers; an error if all together do not
/// make up exactly all of them.
pub(super) fn each(bytes: &[u8], mut visit: impl FnMut(Run)) -> Result<(), HllError> {
    let mut registers = 0;
    for run in runs(bytes) {
        let run = run?;
        registers += run.len;
        if registers > REGISTERS {
            break;
        }
        visit(run);
    }
    if registers == REGISTERS { Ok(()) } else { Err(HllError::Corrupt) }
}

/// Appends a run of `len` zeros, in the shortest form; nothing if `len` is 0.
pub(super) fn write_zeros(out: &mut Vec<u8>, len: usize) {
    let Some(low) = len.checked_sub(1) else { return };
    if len > SHORT_ZEROS_MAX {
        out.extend_from_slice(&[LONG_ZEROS | (low >> 8) as u8, low as u8]);
    } else {
        out.push(low as u8);
    }
}

/// A run of up to four registers of `value`.
fn values(value: u8, len: usize) -> u8 {
    VALUES | (value - 1) << 2 | (len - 1) as u8
}

fn write_run(out: &mut Vec<u8>, value: u8, len: usize) {
    if value == 0 {
        write_zeros(out, len);
    } else if len > 0 {
        out.push(values(value, len));
    }
}

/// What became of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// Whether it was less.
    Done(bool),
    /// It is less, and the string may not grow as much as raising it takes. Nothing was done.
    NoRoom,
}

/// Raises one register of the string to `value`, letting the string grow by up to `room` bytes.
pub(super) fn raise(
    string: &mut Vec<u8>,
    index: usize,
    value: u8,
    room: usize,
) -> Result<Raised, HllError> {
    // Where the run of the register is, the one before it, and which register it begins with.
    let (mut at, mut before, mut first) = (HEADER, HEADER, 0);
    let run = loop {
        let run = Run::read(&string[at..]).ok_or(HllError::Corrupt)?;
        if index < first + run.len {
            break run;
        }
        before = at;
        at += run.bytes;
        first += run.len;
    };
    if run.value >= value {
        return Ok(Raised::Done(false));
    }
    let mut split = Vec::with_capacity(5);
    write_run(&mut split, run.value, index - first);
    write_run(&mut split, value, 1);
    write_run(&mut split, run.value, first + run.len - 1 - index);
    if split.len() > run.bytes && split.len() - run.bytes > room {
        return Ok(Raised::NoRoom);
    }
    string.splice(at..at + run.bytes, split);
    join(string, before);
    super::invalidate(string);
    Ok(Raised::Done(true))
}

/// Joins equal neighbors from the run at `at` on, looking at five places.
fn join(string: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some(run) = Run::read(&string[at..]) else { return };
        let next = Run::read(&string[at + run.bytes..]);
        match next {
            Some(next)
                if run.value > 0 && next.value == run.value && run.len + next.len <= VALUES_MAX =>
            {
                string[at] = values(run.value, run.len + next.len);
                string.remove(at + 1);
            }
            _ => at += run.bytes,
        }
    }
}
