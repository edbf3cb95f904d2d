//! The form of a sorted set of integers in RDB files: ids in order, each by how far it is above the one
//! before. Readers that have no such type get a set.

use super::{Shape, SortedInt, SortedIntView, id_of};
use crate::collection::{Collection as _, View as _};
use crate::persist::Persist;
use crate::tree::{Chunk as _, Tree};
use rdb::opcode::value;
use rdb::{Dialect, Error, Reader, Writer};

impl Persist for SortedIntView<'_> {
    fn kind(self, dialect: Dialect) -> u8 {
        if dialect == Dialect::Common { value::SORTED_INT } else { value::SET }
    }

    fn save(self, out: &mut Writer<'_>) {
        let mut last = 0;
        out.length(self.len() as u64);
        self.visit(0..usize::MAX, false, |id| write(id, &mut last, out));
    }
}

/// Writes an id that is not below `last`, the one before.
fn write(id: u64, last: &mut u64, out: &mut Writer<'_>) {
    if out.dialect() == Dialect::Common {
        out.length(id - *last);
    } else {
        out.string(id.to_string().as_bytes());
    }
    *last = id;
}

/// A large set on its way into a file.
pub(crate) struct Saving {
    tree: Tree<super::Block>,
    /// The id written before.
    last: u64,
    begun: bool,
}

impl Saving {
    /// `None`: it is packed.
    pub(crate) fn new(set: SortedInt) -> Option<Self> {
        match set.0 {
            Shape::Packed(_) => None,
            Shape::Large(tree) => Some(Self { tree, last: 0, begun: false }),
        }
    }

    /// Writes on until `end`; returns whether there is more.
    pub(crate) fn step(&mut self, out: &mut Writer<'_>, end: u64) -> bool {
        if !std::mem::replace(&mut self.begun, true) {
            out.length(self.tree.len() as u64);
        }
        while out.offset() < end {
            let Some(block) = self.tree.first().cloned() else { return false };
            block.ints().iter().for_each(|key| write(id_of(key), &mut self.last, out));
            self.tree.remove(0..block.len(), 0);
        }
        true
    }
}

const ORDER: Error = Error::Corrupt("integers of a sorted set that do not ascend");

pub(crate) fn load(reader: &mut Reader<'_>) -> Result<SortedInt, Error> {
    let mut set = SortedInt::default();
    let mut last = 0_u64;
    for at in 0..reader.length()? {
        let distance = reader.length()?;
        if at > 0 && distance == 0 {
            return Err(ORDER);
        }
        last = last.checked_add(distance).ok_or(ORDER)?;
        set.add(last);
    }
    if set.view().is_empty() { Err(Error::EmptyKey) } else { Ok(set) }
}
