//! The list: byte strings in order, worked on from both ends.

pub(crate) mod persist;

use crate::collection::{Collection, Type, View, any_ways};
use crate::digest::Digest;

/// An owned list.
#[derive(Clone, Debug, Default)]
pub struct List {
    packed: Vec<u8>,
}

/// A borrowed list of either shape.
#[derive(Clone, Copy, Debug)]
pub struct ListView<'a> {
    packed: &'a [u8],
}

impl View for ListView<'_> {
    fn len(self) -> usize {
        self.packed.len()
    }

    fn encoding(self) -> &'static str {
        "listpack"
    }

    fn fold(self, digest: &mut Digest) {
        digest.mix(self.packed);
    }
}

impl Collection for List {
    const TYPE: Type = Type::List;
    type View<'a> = ListView<'a>;

    any_ways!(List);

    fn view(&self) -> ListView<'_> {
        ListView { packed: &self.packed }
    }

    fn view_packed(_form: u8, bytes: &[u8]) -> ListView<'_> {
        ListView { packed: bytes }
    }

    fn from_packed(_form: u8, bytes: Vec<u8>) -> Self {
        Self { packed: bytes }
    }

    fn as_packed(&self) -> Option<(u8, &[u8])> {
        Some((0, &self.packed))
    }

    fn into_packed(self) -> Result<(u8, Vec<u8>), Self> {
        Ok((0, self.packed))
    }

    fn heap_bytes(&self) -> usize {
        self.packed.capacity()
    }
}
