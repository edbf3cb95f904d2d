//! The form of a hash in RDB files: its listpack, or fields and values, with expiries where there
//! are any. A block of triples none of which expires is written as pairs, which older servers know.

use super::{Hash, HashView, Shape, Ttl};
use crate::collection::{Collection as _, View as _};
use crate::dict::Pieces;
use crate::limits::Limits;
use crate::listpack::{Digits, Listpack};
use crate::persist::Persist;
use rdb::opcode::value;
use rdb::{Dialect, Error, Item, Reader, Writer, listpack, ziplist, zipmap};

impl Persist for HashView<'_> {
    fn kind(self, dialect: Dialect) -> u8 {
        if self.expiring() > 0 && dialect == Dialect::Valkey9 {
            return value::HASH_2;
        }
        match (self.is_packed(), self.expiring() > 0) {
            (true, false) => value::HASH_LISTPACK,
            (true, true) => value::HASH_LISTPACK_EX,
            (false, false) => value::HASH,
            (false, true) => value::HASH_METADATA,
        }
    }

    fn save(self, out: &mut Writer<'_>) {
        match self.kind(out.dialect()) {
            value::HASH_2 => {
                out.length(self.len() as u64);
                let (mut name, mut text) = (Digits::default(), Digits::default());
                for field in self.iter() {
                    out.string(field.name.text(&mut name));
                    out.string(field.value.text(&mut text));
                    out.millis(field.expiry.unwrap_or(NEVER));
                }
            }
            value::HASH_LISTPACK_EX => {
                out.millis(self.earliest_expiry().unwrap_or(0));
                if let Some((_, pack)) = self.to_listpack() {
                    out.string(pack.as_bytes());
                }
            }
            value::HASH_LISTPACK => match self.to_listpack() {
                Some((0, pack)) => out.string(pack.as_bytes()),
                _ => out.string(pairs_of(self).as_bytes()),
            },
            kind => {
                let expires = kind == value::HASH_METADATA;
                // What the hash knows is a bound: the field may be gone.
                let first = || self.iter().filter_map(|field| field.expiry).min().unwrap_or(0);
                save_fields(self, expires.then(first), out);
            }
        }
    }
}

/// The expiry of a field that has none, in Valkey's form.
const NEVER: i64 = -1;

fn pairs_of(hash: HashView<'_>) -> Listpack {
    let mut pack = Listpack::new();
    for field in hash.iter() {
        pack.append(field.name);
        pack.append(field.value);
    }
    pack
}

/// All fields; with `first`, the earliest expiry, each behind its own, relative to that and plus
/// one, since 0 is none.
fn save_fields(hash: HashView<'_>, first: Option<i64>, out: &mut Writer<'_>) {
    if let Some(first) = first {
        out.millis(first);
    }
    out.length(hash.len() as u64);
    let (mut name, mut value) = (Digits::default(), Digits::default());
    for field in hash.iter() {
        if let Some(first) = first {
            save_expiry(field.expiry, first, out);
        }
        out.string(field.name.text(&mut name));
        out.string(field.value.text(&mut value));
    }
}

fn save_expiry(expiry: Option<i64>, first: i64, out: &mut Writer<'_>) {
    let behind = |at: i64| at.saturating_sub(first).saturating_add(1);
    out.length(expiry.map_or(0, behind).cast_unsigned());
}

/// A large hash on its way into a file.
pub(crate) struct Saving {
    /// The earliest expiry, if fields have one.
    first: Option<i64>,
    len: Option<usize>,
    pieces: Pieces,
}

impl Saving {
    /// `None`: it is packed.
    pub(crate) fn new(hash: Hash) -> Option<Self> {
        let Shape::Large(dict) = hash.0 else { return None };
        let first = || dict.iter().filter_map(|record| record.expiry).min().unwrap_or(0);
        let first = (dict.expiring() > 0).then(first);
        Some(Self { first, len: Some(dict.len()), pieces: dict.into_pieces() })
    }

    /// Writes on until `end`; returns whether there is more.
    pub(crate) fn step(&mut self, out: &mut Writer<'_>, end: u64) -> bool {
        let for_valkey = out.dialect() == Dialect::Valkey9;
        if let Some(len) = self.len.take() {
            if let Some(first) = self.first.filter(|_| !for_valkey) {
                out.millis(first);
            }
            out.length(len as u64);
        }
        while out.offset() < end {
            let Some(piece) = self.pieces.next() else { return false };
            for record in piece.records() {
                if let Some(first) = self.first.filter(|_| !for_valkey) {
                    save_expiry(record.expiry, first, out);
                }
                out.string(record.key);
                out.string(record.value);
                if self.first.is_some() && for_valkey {
                    out.millis(record.expiry.unwrap_or(NEVER));
                }
            }
        }
        true
    }
}

const TWICE: Error = Error::Corrupt("Duplicate hash fields detected");

pub(crate) fn load(kind: u8, reader: &mut Reader<'_>, limits: &Limits) -> Result<Hash, Error> {
    let mut load = Load { hash: Hash::default(), limits };
    match kind {
        value::HASH => {
            let mut name = Vec::new();
            for _ in 0..reader.length()? {
                name.clear();
                reader.string_into(&mut name)?;
                load.set(&name, reader.string()?, None)?;
            }
        }
        value::HASH_ZIPMAP => {
            for (name, value) in zipmap::pairs(reader.string()?)? {
                load.set(name, value, None)?;
            }
        }
        value::HASH_ZIPLIST => {
            const BROKEN: Error = Error::Corrupt("Hash ziplist integrity check failed.");
            let items = ziplist::items(reader.string()?).map_err(|_| BROKEN)?;
            load.items(items, false).map_err(|_| BROKEN)?;
        }
        value::HASH_LISTPACK => load.listpack(reader.string()?, false)?,
        value::HASH_LISTPACK_EX_PRE_GA => load.listpack(reader.string()?, true)?,
        value::HASH_LISTPACK_EX => {
            reader.millis()?;
            load.listpack(reader.string()?, true)?;
        }
        value::HASH_METADATA => {
            let first = reader.millis()?;
            load.fields(reader, |behind| first.checked_add(behind)?.checked_sub(1))?;
        }
        _ => load.fields(reader, Some)?,
    }
    load.end()
}

/// The form of Valkey 9: each field with its value and its expiry, -1 for none.
pub(crate) fn load_valkey(reader: &mut Reader<'_>, limits: &Limits) -> Result<Hash, Error> {
    let mut load = Load { hash: Hash::default(), limits };
    let (mut name, mut text) = (Vec::new(), Vec::new());
    for _ in 0..reader.length()? {
        name.clear();
        text.clear();
        reader.string_into(&mut name)?;
        reader.string_into(&mut text)?;
        let expiry = Some(reader.millis()?).filter(|at| *at != NEVER);
        load.set(&name, &text, expiry)?;
    }
    load.end()
}

/// A hash under way.
struct Load<'a> {
    hash: Hash,
    limits: &'a Limits,
}

impl Load<'_> {
    fn end(self) -> Result<Hash, Error> {
        if self.hash.view().is_empty() { Err(Error::EmptyKey) } else { Ok(self.hash) }
    }

    fn set(&mut self, name: &[u8], value: &[u8], expiry: Option<i64>) -> Result<(), Error> {
        let ttl = match expiry {
            None => Ttl::Clear,
            Some(at @ 1..) => Ttl::At(at),
            Some(_) => return Err(Error::Corrupt("invalid expireAt time")),
        };
        if self.hash.set(name, value, ttl, self.limits) { Ok(()) } else { Err(TWICE) }
    }

    /// Fields behind their expiries, 0 for none; `absolute` makes them times.
    fn fields(
        &mut self,
        reader: &mut Reader<'_>,
        absolute: impl Fn(i64) -> Option<i64>,
    ) -> Result<(), Error> {
        const RANGE: Error = Error::Corrupt("invalid expireAt time");
        let mut name = Vec::new();
        for _ in 0..reader.length()? {
            let expiry = match i64::try_from(reader.length()?) {
                Ok(0) => None,
                Ok(number) => Some(absolute(number).ok_or(RANGE)?),
                Err(_) => return Err(RANGE),
            };
            name.clear();
            reader.string_into(&mut name)?;
            self.set(&name, reader.string()?, expiry)?;
        }
        Ok(())
    }

    /// Pairs, or triples with the expiry, 0 for none.
    fn items<'i>(
        &mut self,
        mut items: impl Iterator<Item = Result<Item<'i>, Error>>,
        expiring: bool,
    ) -> Result<(), Error> {
        const ODD: Error = Error::Corrupt("Hash listpack integrity check failed.");
        let (mut name_text, mut value_text) = (Vec::new(), Vec::new());
        while let Some(name) = items.next() {
            let name = name?.text(&mut name_text);
            let value = items.next().ok_or(ODD)??.text(&mut value_text);
            let expiry = match expiring {
                true => items.next().ok_or(ODD)??.int().ok_or(ODD)?,
                false => 0,
            };
            self.set(name, value, Some(expiry).filter(|at| *at != 0))?;
        }
        Ok(())
    }

    /// The elements as they stand, if ours would be written so; else one by one.
    fn listpack(&mut self, block: &[u8], expiring: bool) -> Result<(), Error> {
        let mut items = listpack::items(block)?;
        for item in &mut items {
            item?;
        }
        if !items.is_canonical() {
            return self.items(listpack::items(block)?, expiring);
        }
        let hash = Hash::from_listpack(u8::from(expiring), block, self.limits);
        self.hash = hash.map_err(|_| Error::Corrupt("Hash listpack integrity check failed."))?;
        Ok(())
    }
}
