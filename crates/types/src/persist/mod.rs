//! The third duty of a type: its form in RDB files and DUMP payloads. Here is the choice by type;
//! each type's own bytes are in its `persist.rs`.
//!
//! Saving takes the oldest form that carries the value, so that Redis from 7.0 and Valkey load it:
//! packed blocks as they are, large shapes element by element. Loading takes every form that either
//! ever wrote. What it lets in is proved element by element (sizes, order, duplicates, ranges), and
//! is in the shape that `Limits` ask for, whatever shape it came in.

use crate::collection::{Any, Collection as _, Packed, View, with_any, with_packed};
use crate::limits::Limits;
use crate::listpack::Element;
use crate::{array, hash, job, list, set, sortedint, stream, zset};
use rdb::opcode::{VALKEY_MIN, value};
use rdb::{Dialect, Error, Item, Reader, Writer, module};

mod saving;
#[cfg(test)]
mod tests;

pub use saving::Saving;

/// How a collection is written.
pub(crate) trait Persist: View {
    /// The type that stands before the value.
    fn kind(self, dialect: Dialect) -> u8;

    /// Writes the value.
    fn save(self, out: &mut Writer<'_>);
}

/// A value to be written, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum Saved<'a> {
    Int(i64),
    Text(&'a [u8]),
    Packed(Packed<'a>),
    Any(&'a Any),
}

impl Saved<'_> {
    /// The type that stands before the value: one of [`rdb::opcode::value`].
    pub fn kind(self, dialect: Dialect) -> u8 {
        match self {
            Self::Int(_) | Self::Text(_) => value::STRING,
            Self::Packed(packed) => with_packed!(packed, view => view.kind(dialect), value::STRING),
            Self::Any(any) => with_any!(any, one => one.view().kind(dialect)),
        }
    }

    /// Writes the value without its type.
    pub fn save(self, out: &mut Writer<'_>) {
        match self {
            Self::Int(number) => out.int(number),
            Self::Text(text) => out.string(text),
            Self::Packed(packed) => {
                with_packed!(packed, view => view.save(out), out.string(packed.bytes));
            }
            Self::Any(any) => with_any!(any, one => one.view().save(out)),
        }
    }

    /// The payload that DUMP answers.
    pub fn payload(self) -> Vec<u8> {
        self.payload_for(Dialect::Common)
    }

    /// The same of a string with this tag; 0: it has none.
    pub fn payload_tagged(self, tag: i64) -> Vec<u8> {
        if tag == 0 {
            return self.payload();
        }
        let mut out = Writer::new();
        out.u8(value::STRING_TAGGED);
        out.length(tag as u64);
        self.sealed(value::STRING_TAGGED, out)
    }

    /// The payload in the form that these readers know.
    pub fn payload_for(self, dialect: Dialect) -> Vec<u8> {
        let kind = self.kind(dialect);
        let mut out = Writer::new();
        out.set_dialect(dialect);
        out.u8(kind);
        self.sealed(kind, out)
    }

    fn sealed(self, kind: u8, mut out: Writer<'_>) -> Vec<u8> {
        self.save(&mut out);
        rdb::payload::seal(&mut out, kind);
        out.into_bytes()
    }
}

/// The type that stands before a string with a tag: servers of others get it without.
pub fn tagged(dialect: Dialect) -> u8 {
    if dialect == Dialect::Common { value::STRING_TAGGED } else { value::STRING }
}

/// A value that was read.
#[derive(Clone, Debug)]
pub enum Loaded {
    Text(Vec<u8>),
    /// A string with its tag, which is above 0.
    Tagged(Vec<u8>, i64),
    Any(Any),
}

impl Loaded {
    /// The tag of a string; 0: it has none.
    pub fn tag(&self) -> i64 {
        if let Self::Tagged(_, tag) = self { *tag } else { 0 }
    }
}

/// Reads a value of type `kind`, as a file of `version` has it.
pub fn load(
    kind: u8,
    version: u16,
    reader: &mut Reader<'_>,
    limits: &Limits,
) -> Result<Loaded, Error> {
    let any = match kind {
        value::STRING => return Ok(Loaded::Text(reader.string_vec()?)),
        value::STRING_TAGGED => {
            let tag = i64::try_from(reader.length()?).ok().filter(|tag| *tag != 0);
            let tag = tag.ok_or(Error::Corrupt("the tag of a string"))?;
            return Ok(Loaded::Tagged(reader.string_vec()?, tag));
        }
        value::LIST | value::LIST_ZIPLIST | value::LIST_QUICKLIST | value::LIST_QUICKLIST_2 => {
            Any::List(list::persist::load(kind, reader, limits)?)
        }
        value::SET | value::SET_INTSET | value::SET_LISTPACK | value::SET_EXPIRING => {
            Any::Set(set::persist::load(kind, reader, limits)?)
        }
        value::ZSET
        | value::ZSET_2
        | value::ZSET_ZIPLIST
        | value::ZSET_LISTPACK
        | value::ZSET_EXPIRING => Any::ZSet(zset::persist::load(kind, reader, limits)?),
        value::HASH_2 if version >= VALKEY_MIN => {
            Any::Hash(hash::persist::load_valkey(reader, limits)?)
        }
        value::HASH
        | value::HASH_ZIPMAP
        | value::HASH_ZIPLIST
        | value::HASH_LISTPACK
        | value::HASH_METADATA_PRE_GA
        | value::HASH_LISTPACK_EX_PRE_GA
        | value::HASH_METADATA
        | value::HASH_LISTPACK_EX => Any::Hash(hash::persist::load(kind, reader, limits)?),
        value::STREAM_LISTPACKS
        | value::STREAM_LISTPACKS_2
        | value::STREAM_LISTPACKS_3
        | value::STREAM_LISTPACKS_4
        | value::STREAM_LISTPACKS_5 => Any::Stream(stream::persist::load(kind, reader, limits)?),
        value::ARRAY => Any::Array(array::persist::load(reader)?),
        value::SORTED_INT => Any::SortedInt(sortedint::persist::load(reader)?),
        value::JOB => Any::Job(job::persist::load(reader)?),
        value::MODULE_2 => return Err(module::unsupported(reader.length()?)),
        value::MODULE_PRE_GA => {
            return Err(Error::Unsupported("a value of a module of Redis before 4.0".into()));
        }
        _ => return Err(Error::Unsupported(format!("a value of type {kind}").into())),
    };
    Ok(Loaded::Any(any))
}

/// Reads the payload of RESTORE, whose frame was taken away. No byte may be left over.
pub fn load_payload(payload: rdb::payload::Payload<'_>, limits: &Limits) -> Result<Loaded, Error> {
    let mut reader = Reader::new(payload.body).without_checksum();
    let kind = reader.u8()?;
    let loaded = load(kind, payload.version, &mut reader, limits)?;
    if reader.rest().is_empty() {
        Ok(loaded)
    } else {
        Err(Error::Corrupt("bytes behind the value"))
    }
}

/// An element of a foreign block as one of ours: text that is a number becomes one.
pub(crate) fn element(item: Item<'_>) -> Element<'_> {
    match item {
        Item::Bytes(text) => Element::from(text),
        Item::Int(number) => Element::Int(number),
    }
}

/// Whether two of the elements are equal, all of them in the one form in which they are written.
pub(crate) fn has_duplicates(mut elements: Vec<Item<'_>>) -> bool {
    elements.sort_unstable();
    elements.windows(2).any(|pair| pair[0] == pair[1])
}
