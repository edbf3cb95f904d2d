//! The frame of an RDB file: what stands around the values.
//!
//! ```text
//!   REDIS0011 ─ AUX* ─ FUNCTION2* ─ { SELECTDB RESIZEDB? { EXPIRETIME_MS? IDLE|FREQ? type key value }* }* ─ EOF ─ CRC-64
//!   VALKEY080
//! ```
//!
//! Before a key that is pinned against eviction stands an AUX of our own, which other servers pass over.
//!
//! The reader of a file calls [`next`] and, when a key follows, reads its name and value itself, or
//! passes over them ([`skip_key`]).

use crate::opcode::{self, op, value};
use crate::{Error, Reader, Writer, module, skip};

/// What a file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub version: u16,
}

/// The name of the AUX field that says that the key behind it is pinned.
const PINNED: &[u8] = b"almagre-pinned";

const REDIS: &[u8; 5] = b"REDIS";
const VALKEY: &[u8; 6] = b"VALKEY";

/// What versions a file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Those that are known.
    Known,
    /// Others are tried, too: the parameter `rdb-version-check relaxed`.
    Any,
}

impl Header {
    /// Reads the nine bytes. A version that is not among `versions` is an error.
    pub fn read(reader: &mut Reader<'_>, versions: Versions) -> Result<Self, Error> {
        const WRONG: Error = Error::Corrupt("Wrong signature trying to load DB from file");
        let bytes: [u8; 9] = reader.array()?;
        let (digits, valkey) = match (bytes.strip_prefix(REDIS), bytes.strip_prefix(VALKEY)) {
            (Some(digits), _) => (digits, false),
            (_, Some(digits)) => (digits, true),
            _ => return Err(WRONG),
        };
        let mut version = 0u16;
        for digit in digits {
            let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10).ok_or(WRONG)?;
            version = version.saturating_mul(10).saturating_add(u16::from(digit));
        }
        let known = opcode::is_known(version) && valkey == (version >= opcode::VALKEY_MIN);
        if version == 0 || !known && versions == Versions::Known {
            let text = format!("Can't handle RDB format version {version}");
            return Err(Error::Unsupported(text.into()));
        }
        Ok(Self { version })
    }

    pub fn write(self, writer: &mut Writer<'_>) {
        let Self { version } = self;
        let text = match version >= opcode::VALKEY_MIN {
            true => format!("VALKEY{version:03}"),
            false => format!("REDIS{version:04}"),
        };
        writer.raw(text.as_bytes());
    }
}

/// What the file says of a key besides its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// In milliseconds since 1970.
    pub expiry: Option<i64>,
    pub idle_seconds: Option<u64>,
    /// The counter of LFU.
    pub frequency: Option<u8>,
    /// Never evicted.
    pub pinned: bool,
}

/// What comes next in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Aux {
        name: Vec<u8>,
        value: Vec<u8>,
    },
    Database(u64),
    Sizes {
        keys: u64,
        expires: u64,
    },
    /// The source of a library of functions.
    Function(Vec<u8>),
    /// A key's name and its value of type `of` follow and are to be read.
    Key {
        of: u8,
        meta: Meta,
    },
    /// The end. `checked`: its checksum is right; else there is none, or the reader makes none.
    End {
        checked: bool,
    },
}

/// Reads up to the next of what matters; what modules and clusters left is passed over.
pub fn next(reader: &mut Reader<'_>, version: u16) -> Result<Next, Error> {
    let mut meta = Meta::default();
    loop {
        match reader.u8()? {
            op::EXPIRETIME_MS => meta.expiry = Some(reader.millis()?),
            op::EXPIRETIME => {
                let seconds = i64::from(i32::from_le_bytes(reader.array()?));
                meta.expiry = Some(seconds.saturating_mul(1000));
            }
            op::IDLE => meta.idle_seconds = Some(reader.length()?),
            op::FREQ => meta.frequency = Some(reader.u8()?),
            op::AUX => {
                let (name, value) = (reader.string_vec()?, reader.string_vec()?);
                if name != PINNED {
                    return Ok(Next::Aux { name, value });
                }
                meta.pinned = true;
            }
            op::SELECTDB => return Ok(Next::Database(reader.length()?)),
            op::RESIZEDB => {
                return Ok(Next::Sizes { keys: reader.length()?, expires: reader.length()? });
            }
            op::SLOT_INFO => (0..3).try_for_each(|_| reader.length().map(drop))?,
            op::SLOT_IMPORT if version >= opcode::VALKEY_MIN => skip_slot_import(reader)?,
            op::FUNCTION2 => return Ok(Next::Function(reader.string_vec()?)),
            op::FUNCTION_PRE_GA => {
                return Err(Error::Unsupported("functions of Redis 7.0 before its release".into()));
            }
            op::MODULE_AUX => {
                // The module's id, then when it was written, as a part of its own.
                reader.length()?;
                reader.length()?;
                reader.length()?;
                module::skip_parts(reader)?;
            }
            op::EOF => {
                return end(reader, version).map(|checked| Next::End { checked });
            }
            of @ (..=value::ARRAY
            | value::SET_EXPIRING
            | value::ZSET_EXPIRING
            | value::SORTED_INT
            | value::JOB
            | value::STRING_TAGGED) => {
                return Ok(Next::Key { of, meta });
            }
            _ => return Err(Error::Corrupt("unknown opcode")),
        }
    }
}

/// Passes over the name and the value of a key of type `of`.
pub fn skip_key(of: u8, version: u16, reader: &mut Reader<'_>) -> Result<(), Error> {
    reader.skip_string()?;
    skip::value(of, version, reader)
}

/// The job's name and its ranges of slots.
fn skip_slot_import(reader: &mut Reader<'_>) -> Result<(), Error> {
    reader.skip_string()?;
    for _ in 0..reader.length()? {
        reader.length()?;
        reader.length()?;
    }
    Ok(())
}

/// Versions from 5 on end in a checksum; 0 says that none was made.
fn end(reader: &mut Reader<'_>, version: u16) -> Result<bool, Error> {
    let computed = reader.checksum();
    if version < 5 {
        return Ok(false);
    }
    let written = u64::from_le_bytes(reader.array()?);
    match computed {
        Some(computed) if written != 0 && written != computed => {
            Err(Error::Corrupt("RDB CRC error"))
        }
        _ => Ok(computed.is_some() && written != 0),
    }
}

/// Writes what stands before a key's value: its type, its name, and what is in `meta`.
pub fn write_key(writer: &mut Writer<'_>, of: u8, key: &[u8], meta: Meta) {
    if meta.pinned {
        write_aux(writer, PINNED, b"1");
    }
    if let Some(at) = meta.expiry {
        writer.u8(op::EXPIRETIME_MS);
        writer.millis(at);
    }
    if let Some(seconds) = meta.idle_seconds {
        writer.u8(op::IDLE);
        writer.length(seconds);
    }
    if let Some(frequency) = meta.frequency {
        writer.u8(op::FREQ);
        writer.u8(frequency);
    }
    writer.u8(of);
    writer.string(key);
}

pub fn write_aux(writer: &mut Writer<'_>, name: &[u8], text: &[u8]) {
    writer.u8(op::AUX);
    writer.string(name);
    writer.string(text);
}

/// Says which database the keys that follow are in.
pub fn select_database(writer: &mut Writer<'_>, index: u32) {
    writer.u8(op::SELECTDB);
    writer.length(u64::from(index));
}

/// The same, with how many keys there will be in it.
pub fn write_database(writer: &mut Writer<'_>, index: u32, keys: u64, expires: u64) {
    select_database(writer, index);
    writer.u8(op::RESIZEDB);
    writer.length(keys);
    writer.length(expires);
}

/// Writes the end with its checksum, or with 0 if there is to be none.
pub fn write_end(writer: &mut Writer<'_>, checksum: bool) {
    writer.u8(op::EOF);
    let crc = if checksum { writer.checksum() } else { 0 };
    writer.raw(&crc.to_le_bytes());
}

#[cfg(test)]
mod tests;
