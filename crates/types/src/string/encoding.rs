//! The names that OBJECT ENCODING gives to strings. Almagre stores strings its own way; which name
//! a string bears follows from the command that wrote it, as in Redis:
//!
//! | written by | name |
//! |---|---|
//! | SET and its kin, MSET, GETSET, APPEND to a missing key | [`Encoding::of_value`] |
//! | INCR and its kin | `int` |
//! | INCRBYFLOAT, COPY and RESTORE of text | [`Encoding::of_text`] |
//! | APPEND and SETRANGE to an existing key, SETRANGE of a new one, SETBIT, BITOP | `raw` |

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
