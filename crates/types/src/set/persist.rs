//! The form of a set in RDB files: its packed block, or its members, with expiries where there are
//! any.

use super::{LISTPACK, Member, Set, SetView};
use crate::collection::{Collection as _, View as _};
use crate::limits::Limits;
use crate::listpack::{Digits, Listpack};
use crate::persist::{Persist, element, has_duplicates};
use rdb::opcode::value;
use rdb::{Error, Item, Reader, Writer, listpack};

impl Persist for SetView<'_> {
    fn kind(self) -> u8 {
        match self {
            Self::Ints(_) => value::SET_INTSET,
            Self::List(_) => value::SET_LISTPACK,
            Self::Large(_) if self.expiring() > 0 => value::SET_EXPIRING,
            Self::Large(_) => value::SET,
        }
    }

    fn save(self, out: &mut Writer<'_>) {
        match self {
            Self::Ints(ints) => out.string(&ints.to_block()),
            Self::List(list) => out.string(Listpack::of_view(list).as_bytes()),
            Self::Large(_) => {
                let mut digits = Digits::default();
                let expiry = |member| self.expiry(member).flatten();
                // What the set knows is a bound: the member may be gone.
                let first = match self.expiring() {
                    0 => None,
                    _ => self.iter().filter_map(expiry).min(),
                };
                if let Some(first) = first {
                    out.millis(first);
                }
                out.length(self.len() as u64);
                for member in self.iter() {
                    if let Some(first) = first {
                        // 0 is none.
                        let behind = |at: i64| at.saturating_sub(first).saturating_add(1);
                        out.length(expiry(member).map_or(0, behind).cast_unsigned());
                    }
                    out.string(member.text(&mut digits));
                }
            }
        }
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
            let set = Set::of_intset(reader.string_vec()?, limits);
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

/// The block as it is, if ours would be written so; else its members.
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
            _ if has_duplicates(members) => Err(TWICE),
            _ => Ok(Set::from_packed(LISTPACK, block.to_vec())),
        };
    }
    let mut load = Load { set: None, count: count as u64, limits };
    for member in members {
        load.add(element(member))?;
    }
    load.set.ok_or(Error::EmptyKey)
}
