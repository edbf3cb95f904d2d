//! The primitives of RDB files and DUMP payloads: bytes in, bytes out.
//!
//! ```text
//!   file, socket ── Source ──┐
//!   slice of a payload ──────┴─> Reader ──> lengths, strings, doubles, times   (bounded, strict)
//!                                └─> ziplist, zipmap, listpack, module: what is in a string
//!   Writer ──> bytes, or a Sink in blocks
//! ```
//!
//! No type of value is known here: what a set is, and which of its forms is written, is said by
//! `types::persist`. A reader never panics and never allocates by a number that it read: memory
//! grows with the bytes that have arrived (a compressed string by at most 88 times, which is as far
//! as the format can go).
//!
//! The formats are those of `rdb.h`, `ziplist.c`, `zipmap.c`, `listpack.c` and `lzf` as
//! Redis 1.2 to 8.8 and Valkey up to 9.1 write them.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation
    )
)]

pub mod crc64;
mod error;
pub mod file;
pub mod listpack;
pub mod lzf;
pub mod module;
pub mod opcode;
pub mod payload;
mod reader;
mod skip;
mod writer;
pub mod ziplist;
pub mod zipmap;

pub use error::Error;
pub use reader::{Reader, Source};
pub use writer::{Dialect, Sink, Writer};

/// An element of a packed block. Its order is any that equal elements agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item<'a> {
    Bytes(&'a [u8]),
    Int(i64),
}

impl<'a> Item<'a> {
    /// The element as text; a number is written into `scratch`.
    pub fn text<'b>(self, scratch: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Int(number) => {
                scratch.clear();
                stdx::num::write_i64(scratch, number);
                scratch
            }
        }
    }

    /// The number, also if it is spelled as text in its one canonical form.
    pub fn int(self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(number),
            Self::Bytes(bytes) => stdx::num::parse_i64(bytes),
        }
    }
}

/// A little-endian number of any width up to 8, with its sign.
fn signed(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|high| high & 0x80 != 0);
    let mut wide = [if negative { 0xFF } else { 0 }; 8];
    for (to, from) in wide.iter_mut().zip(bytes) {
        *to = *from;
    }
    i64::from_le_bytes(wide)
}
