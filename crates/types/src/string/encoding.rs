//! The names that OBJECT ENCODING gives to strings. Almagre stores strings its own way; which name
//! a string bears follows from the command that wrote it, as in Redis:
//!
//! | written by | name | |---|---| | SET and its kin, MSET, GETSET, APPEND to a missing key,
//! RESTORE, loading | [`Encoding::of_value`] | | INCR and its kin | `int` | | INCRBYFLOAT |
//! [`Encoding::of_text`] | | APPEND to an existing key, SETRANGE, SETBIT, BITOP | `raw`, whatever
//! the value | | COPY, RENAME, MOVE | as before |
//!
//! Valkey 8.1 calls a value `embstr` only while it fits 64 bytes together with its key and expiry;
//! here the limit is Redis's and the value's alone.

use stdx::num;

/// The longest text that is called `embstr`.
pub const EMBSTR_MAX: usize = 44;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The canonical text of an `i64`.
    Int,
    /// Other text of at most 44 bytes.
    Embstr,
    /// Longer text, and text that was modified in place.
    Raw,
}

impl Encoding {
    /// The encoding of a value written whole.
    pub fn of_value(value: &[u8]) -> Self {
        let integer = value.len() <= num::I64_TEXT_MAX && num::parse_i64(value).is_some();
        if integer { Self::Int } else { Self::of_text(value) }
    }

    /// The encoding of a value that is not tried as an integer.
    pub fn of_text(value: &[u8]) -> Self {
        if value.len() <= EMBSTR_MAX { Self::Embstr } else { Self::Raw }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Embstr => "embstr",
            Self::Raw => "raw",
        }
    }
}
