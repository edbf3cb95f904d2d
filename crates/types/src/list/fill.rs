//! How much goes into one chunk, and when a list is of which shape: `list-max-listpack-size`.

use crate::Limits;

/// The parameter, read: a limit in bytes, and one in elements if the parameter is positive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    /// Bytes of a chunk, counted as a listpack with header and end.
    bytes: usize,
    elements: usize,
}

/// Bytes of a chunk for -1 to -5.
const LEVELS: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];

/// Bytes of a chunk under a limit in elements.
const SAFE_BYTES: usize = 8192;

/// What the peers reckon an element takes beside its text.
const OVERHEAD_BYTES: usize = 8;

impl Fill {
    pub(super) fn of(limits: &Limits) -> Self {
        match usize::try_from(limits.list_size) {
            Ok(elements) => Self { bytes: SAFE_BYTES, elements: elements.max(1) },
            Err(_) => {
                let level = limits.list_size.unsigned_abs() as usize;
                Self { bytes: LEVELS[level.clamp(1, LEVELS.len()) - 1], elements: usize::MAX }
            }
        }
    }

    /// The most that a chunk of several elements has.
    pub(super) fn most_bytes(self) -> usize {
        self.bytes
    }

    /// Bytes that two chunks may have together to be joined; 0: never.
    pub(super) fn join_bytes(self) -> usize {
        match self.elements {
            usize::MAX => self.bytes - OVERHEAD_BYTES,
            _ => 0,
        }
    }

    /// Whether a listpack of so many bytes and elements is too much.
    pub(super) fn is_exceeded(self, bytes: usize, elements: usize) -> bool {
        bytes > self.bytes || elements > self.elements
    }

    /// Whether an element of `len` bytes stands alone.
    pub(super) fn is_large(self, len: usize) -> bool {
        len > self.bytes
    }

    /// Whether an element of `len` bytes goes into a chunk of so many bytes and elements.
    pub(super) fn allows(self, bytes: usize, elements: usize, len: usize) -> bool {
        let grown = bytes.saturating_add(len).saturating_add(OVERHEAD_BYTES);
        !self.is_exceeded(grown, elements.saturating_add(1))
    }

    /// Whether a list of one chunk becomes a listpack when it shrinks. The peers ask for less than
    /// half, so that a list at the limit does not change its shape all the time.
    pub(super) fn is_small(self, bytes: usize, elements: usize) -> bool {
        match self.elements {
            usize::MAX => bytes <= self.bytes / 2,
            most => elements <= most / 2,
        }
    }

    /// Whether a list of one chunk is a listpack when it is loaded or stored whole.
    pub(super) fn fits(self, bytes: usize, elements: usize) -> bool {
        match self.elements {
            usize::MAX => bytes <= self.bytes,
            most => elements <= most,
        }
    }
}
