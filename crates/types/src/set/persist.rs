//! The form of a set in RDB files: its packed block, or its members.

use super::{Member, Set, SetView, Shape};
use crate::collection::View as _;
use crate::dict::Pieces;
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
            Self::List(_) | Self::Large(_) => value::SET,
        }
    }

    fn save(self, out: &mut Writer<'_>) {
        match self {
            Self::Ints(ints) => out.string(&ints.to_redis()),
            Self::List(list) if out.dialect() != Dialect::Redis70 => {
                out.string(list.to_listpack().as_bytes());
            }
            Self::List(_) | Self::Large(_) => {
                let mut digits = Digits::default();
                out.length(self.len() as u64);
                for member in self.iter() {
                    out.string(member.text(&mut digits));
                }
            }
        }
    }
}

/// A large set on its way into a file.
pub(crate) struct Saving {
    len: Option<usize>,
    pieces: Pieces,
}

impl Saving {
    /// `None`: it is packed.
    pub(crate) fn new(set: Set) -> Option<Self> {
        match set.0 {
            Shape::Ints(_) | Shape::List(_) => None,
            Shape::Large(dict) => Some(Self { len: Some(dict.len()), pieces: dict.into_pieces() }),
        }
    }

    /// Writes on until `end`; returns whether there is more.
    pub(crate) fn step(&mut self, out: &mut Writer<'_>, end: u64) -> bool {
        if let Some(len) = self.len.take() {
            out.length(len as u64);
        }
        while out.offset() < end {
            let Some(piece) = self.pieces.next() else { return false };
            piece.records().for_each(|record| out.string(record.key));
        }
        true
    }
}

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
