//! The layout of values, as far as it takes to pass over them: a loader finds out where one ends
//! before it knows what is in it, so that several can be read at once.

use crate::opcode::{VALKEY_MIN, value};
use crate::{Error, Reader, module};

/// Passes over a value of type `of`, as a file of `version` has it.
pub(crate) fn value(of: u8, version: u16, reader: &mut Reader<'_>) -> Result<(), Error> {
    match of {
        value::STRING
        | value::HASH_ZIPMAP
        | value::LIST_ZIPLIST
        | value::SET_INTSET
        | value::ZSET_ZIPLIST
        | value::HASH_ZIPLIST
        | value::HASH_LISTPACK
        | value::ZSET_LISTPACK
        | value::SET_LISTPACK
        | value::HASH_LISTPACK_EX_PRE_GA => reader.skip_string(),
        value::LIST | value::SET | value::LIST_QUICKLIST => {
            each(reader, |reader| reader.skip_string())
        }
        value::LIST_QUICKLIST_2 => each(reader, |reader| {
            reader.length()?;
            reader.skip_string()
        }),
        value::ZSET => each(reader, |reader| {
            reader.skip_string()?;
            reader.skip_text_double()
        }),
        value::ZSET_2 => each(reader, |reader| {
            reader.skip_string()?;
            reader.skip(8)
        }),
        value::HASH => each(reader, pair),
        value::HASH_2 if version >= VALKEY_MIN => each(reader, |reader| {
            pair(reader)?;
            reader.skip(8)
        }),
        value::HASH_METADATA_PRE_GA => each(reader, timed),
        value::HASH_METADATA => {
            reader.skip(8)?;
            each(reader, timed)
        }
        value::SET_EXPIRING | value::ZSET_EXPIRING => {
            let score = if of == value::ZSET_EXPIRING { 8 } else { 0 };
            reader.skip(8)?;
            each(reader, |reader| {
                reader.length()?;
                reader.skip_string()?;
                reader.skip(score)
            })
        }
        value::HASH_LISTPACK_EX => {
            reader.skip(8)?;
            reader.skip_string()
        }
        value::MODULE_2 => {
            reader.length()?;
            module::skip_parts(reader)
        }
        value::STREAM_LISTPACKS
        | value::STREAM_LISTPACKS_2
        | value::STREAM_LISTPACKS_3
        | value::STREAM_LISTPACKS_4
        | value::STREAM_LISTPACKS_5 => stream(of, reader),
        value::ARRAY => array(reader),
        value::STRING_TAGGED => {
            reader.length()?;
            reader.skip_string()
        }
        value::SORTED_INT => each(reader, |reader| reader.length().map(drop)),
        value::JOB => job(reader),
        value::MODULE_PRE_GA => {
            Err(Error::Unsupported("a value of a module of Redis before 4.0".into()))
        }
        _ => Err(Error::Unsupported(format!("a value of type {of}").into())),
    }
}

/// Passes over as many items as the count that comes first says.
fn each(
    reader: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    for _ in 0..reader.length()? {
        item(reader)?;
    }
    Ok(())
}

fn pair(reader: &mut Reader<'_>) -> Result<(), Error> {
    reader.skip_string()?;
    reader.skip_string()
}

/// A time, a field, its value.
fn timed(reader: &mut Reader<'_>) -> Result<(), Error> {
    reader.length()?;
    pair(reader)
}

fn lengths(reader: &mut Reader<'_>, count: u32) -> Result<(), Error> {
    (0..count).try_for_each(|_| reader.length().map(drop))
}

/// Bytes of the ID of an entry, where it is not written as two numbers.
const ID: u64 = 16;

fn stream(of: u8, reader: &mut Reader<'_>) -> Result<(), Error> {
    let newer = |than| of > than;
    each(reader, pair)?;
    // Its length and its last ID; then the first, the greatest deleted, and how many ever were.
    lengths(reader, 3)?;
    if newer(value::STREAM_LISTPACKS) {
        lengths(reader, 5)?;
    }
    each(reader, |reader| group(of, reader))?;
    if newer(value::STREAM_LISTPACKS_3) {
        lengths(reader, 2)?;
        each(reader, |reader| {
            reader.skip_string()?;
            each(reader, |reader| {
                reader.skip_string()?;
                lengths(reader, 2)
            })
        })?;
        lengths(reader, 2)?;
    }
    Ok(())
}

fn array(reader: &mut Reader<'_>) -> Result<(), Error> {
    let count = reader.length()?;
    if reader.length()? != 0 {
        reader.length()?;
    }
    for _ in 0..count {
        reader.length()?;
        match reader.length()? {
            value::ELEMENT_INT | value::ELEMENT_DOUBLE => reader.skip(8)?,
            _ => reader.skip_string()?,
        }
    }
    Ok(())
}

fn job(reader: &mut Reader<'_>) -> Result<(), Error> {
    reader.length()?;
    // Two times.
    reader.skip(16)?;
    reader.length()?;
    each(reader, |reader| reader.skip_string())
}

fn group(of: u8, reader: &mut Reader<'_>) -> Result<(), Error> {
    reader.skip_string()?;
    lengths(reader, 2)?;
    if of > value::STREAM_LISTPACKS {
        reader.length()?;
    }
    each(reader, |reader| {
        reader.skip(ID.saturating_add(8))?;
        reader.length().map(drop)
    })?;
    each(reader, |reader| {
        reader.skip_string()?;
        reader.skip(if of > value::STREAM_LISTPACKS_2 { 16 } else { 8 })?;
        each(reader, |reader| reader.skip(ID))
    })?;
    if of > value::STREAM_LISTPACKS_4 {
        each(reader, |reader| reader.skip(ID))?;
    }
    Ok(())
}
