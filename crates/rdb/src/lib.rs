//! The primitives of RDB files and DUMP payloads: bytes in, bytes out.
//!
//! ```text
//!   file, socket ── Source ──┐
//!   slice of a payload ──────┴─> Reader ──> lengths, strings, doubles, times   (bounded, strict)
//!                                └─> ziplist, zipmap, listpack, intset, module: what is in a string
//!   Writer ──> bytes, or a Sink in blocks
//! ```
//!
//! No type of value is known here: what a set is, and which of its forms is written, is said by
//! `types::persist`. A reader never panics and never allocates by a number that it read: memory
//! grows with the bytes that have arrived (a compressed string by at most 88 times, which is as far
//! as the format can go).
//!
//! The formats are those of `rdb.h`, `ziplist.c`, `zipmap.c`, `listpack.c`, `intset.c` and `lzf` as
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
pub mod intset;
pub mod listpack;
pub mod lzf;
pub mod module;
pub mod opcode;
pub mod payload;
mod reader;
mod writer;
pub mod ziplist;
pub mod zipmap;

pub use error::Error;
pub use reader::{Reader, Source};
pub use writer::{Sink, Writer};

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
