//! The form of a set in RDB files: its packed block, or its members, with expiries where there are
//! any.

use super::{Member, Set, SetView, Shape};
use crate::collection::{Collection as _, View as _};
use crate::dict::{Dict, Pieces, Record};
use crate::limits::Limits;
use crate::listpack::Digits;
use crate::persist::{Persist, element, has_duplicates};
use rdb::opcode::value;
use rdb::{Dialect, Error, Item, Reader, Writer, listpack};

impl Persist for SetView<'_> {
    fn kind(self, dialect: Dialect) -> u8 {
        match self {
            Self::Ints(_) => value::SET_INTSET,
            Self::List(_) if dialect != Dialect::Redis70 => value::SET_LISTPACK,
            Self::Large(large) if large.dict().expiring() > 0 && dialect == Dialect::Common => {
                value::SET_EXPIRING
            }
            Self::List(_) | Self::Large(_) => value::SET,
        }
    }

    fn save(self, out: &mut Writer<'_>) {
        match self {
            Self::Ints(ints) => out.string(&ints.to_redis()),
            Self::List(list) if out.dialect() != Dialect::Redis70 => {
                out.string(list.to_listpack().as_bytes());
            }
            Self::Large(large) => {
                let mut saving = Saving::of(large.dict());
                saving.begin(out);
                large.dict().iter().for_each(|record| saving.write(record, out));
            }
            Self::List(list) => {
                let mut digits = Digits::default();
                out.length(self.len() as u64);
                list.iter().for_each(|member| out.string(member.text(&mut digits)));
            }
        }
    }
}

/// A large set on its way into a file.
pub(crate) struct Saving {
    /// The earliest expiry, if members have one.
    first: Option<i64>,
    len: Option<usize>,
    pieces: Option<Pieces>,
}

impl Saving {
    /// `None`: it is packed.
    pub(crate) fn new(set: Set) -> Option<Self> {
        match set.0 {
            Shape::Ints(_) | Shape::List(_) => None,
            Shape::Large(dict) => {
                Some(Self { pieces: Some(dict.clone().into_pieces()), ..Self::of(&dict) })
            }
        }
    }

    fn of(dict: &Dict) -> Self {
        // What the set knows is a bound: the member may be gone.
        let first = || dict.iter().filter_map(|record| record.expiry).min().unwrap_or(0);
        Self { first: (dict.expiring() > 0).then(first), len: Some(dict.len()), pieces: None }
    }

    /// The earliest expiry, where the file may have expiries: those who know no such sets are told
    /// when members go.
    fn first_in(&self, out: &Writer<'_>) -> Option<i64> {
        self.first.filter(|_| out.dialect() == Dialect::Common)
    }

    fn begin(&mut self, out: &mut Writer<'_>) {
        let Some(len) = self.len.take() else { return };
        if let Some(first) = self.first_in(out) {
            out.millis(first);
        }
        out.length(len as u64);
    }

    fn write(&self, record: Record<'_>, out: &mut Writer<'_>) {
        if let Some(first) = self.first_in(out) {
            // Relative to the first and plus one, since 0 is none.
            let behind = |at: i64| at.saturating_sub(first).saturating_add(1);
            out.length(record.expiry.map_or(0, behind).cast_unsigned());
        }
        out.string(record.key);
    }

    /// Writes on until `end`; returns whether there is more.
    pub(crate) fn step(&mut self, out: &mut Writer<'_>, end: u64) -> bool {
        self.begin(out);
        while out.offset() < end {
            let Some(piece) = self.pieces.as_mut().and_then(Iterator::next) else { return false };
            piece.records().for_each(|record| self.write(record, out));
        }
        true
    }
}

const RANGE: Error = Error::Corrupt("invalid expireAt time");
const TWICE: Error = Error::Corrupt("Duplicate set members detected");

pub(crate) fn load(kind: u8, reader: &mut Reader<'_>, limits: &Limits) -> Result<Set, Error> {
    match kind {
        value::SET => {
            let count = reader.length()?;
            let mut load = Load { set: None, count, limits };
            for _ in 0..count {
                load.add(Member::from(reader.string()?))?;
            }
            load.set.ok_or(Error::EmptyKey)
        }
        value::SET_EXPIRING => {
            let first = reader.millis()?;
            let mut set = Set::large(limits);
            for _ in 0..reader.length()? {
                let expiry = match i64::try_from(reader.length()?) {
                    Ok(0) => None,
                    Ok(behind) => Some(first.checked_add(behind - 1).ok_or(RANGE)?),
                    Err(_) => return Err(RANGE),
                };
                let member = reader.string()?;
                let is_new = match expiry {
                    None => set.add(member, limits),
                    Some(at @ 1..) => set.add_expiring(member, at, limits),
                    Some(_) => return Err(RANGE),
                };
                if !is_new {
                    return Err(TWICE);
                }
            }
            if set.view().is_empty() { Err(Error::EmptyKey) } else { Ok(set) }
        }
        value::SET_INTSET => {
            let set = Set::of_intset(reader.string()?, limits);
            set.map_err(|_| Error::Corrupt("Intset integrity check failed."))
        }
        _ => of_listpack(reader.string()?, limits),
    }
}

/// A set under way, in the shape that the number of its members asks for.
struct Load<'a> {
    set: Option<Set>,
    count: u64,
    limits: &'a Limits,
}

impl Load<'_> {
    fn add(&mut self, member: Member<'_>) -> Result<(), Error> {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let set = self.set.get_or_insert_with(|| Set::sized(member, count, self.limits));
        if set.add(member, self.limits) { Ok(()) } else { Err(TWICE) }
    }
}

/// The members as they stand, if ours would be written so; else one by one.
fn of_listpack(block: &[u8], limits: &Limits) -> Result<Set, Error> {
    let mut items = listpack::items(block)?;
    let mut members = Vec::new();
    for item in &mut items {
        members.push(item?);
    }
    let small = |item: &Item<'_>| match item {
        Item::Bytes(text) => text.len() <= limits.set_value_bytes,
        Item::Int(_) => true,
    };
    let count = members.len();
    if items.is_canonical() && count <= limits.set_entries && members.iter().all(small) {
        return match count {
            0 => Err(Error::EmptyKey),
            _ if has_duplicates(members.clone()) => Err(TWICE),
            _ => Ok(Set(Shape::List(members.into_iter().map(element).collect()))),
        };
    }
    let mut load = Load { set: None, count: count as u64, limits };
    for member in members {
        load.add(element(member))?;
    }
    load.set.ok_or(Error::EmptyKey)
}
