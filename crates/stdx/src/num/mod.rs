//! Numbers to and from text, byte for byte as Redis reads and prints them.
//!
//! Reading is strict: a number is the whole input or nothing. `parse_i64` takes only the text that
//! `write_i64` would print; `parse_f64` takes what the C library's `strtod` takes, less leading
//! spaces, NaN and results out of range.
//!
//! Printing doubles follows Redis 7.2 and later: integers up to 2^62 in full, everything else as
//! the digits of Grisu2 (see `grisu`), which are usually but not always the shortest; the exact
//! digits are visible to clients, so the algorithm is part of the format.

mod float;
mod grisu;
mod int;

#[cfg(test)]
mod tests;

pub(crate) use float::{Form, form, hex_text};
pub use float::{parse_f64, parse_f64_saturating};
pub use float::{write_f64, write_f64_digits, write_f64_fixed, write_f64_general};
pub use int::{I64_TEXT_MAX, decimal, decimal_len, parse_i64, parse_u64, write_i64, write_u64};
