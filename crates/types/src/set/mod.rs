//! The set: distinct byte strings.

pub(crate) mod persist;

use crate::collection::{Collection, Type, View, any_ways};
use crate::digest::Digest;

/// An owned set.
#[derive(Clone, Debug, Default)]
pub struct Set {
    packed: Vec<u8>,
}

/// A borrowed set of either shape.
#[derive(Clone, Copy, Debug)]
pub struct SetView<'a> {
    packed: &'a [u8],
}

impl View for SetView<'_> {
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

impl Collection for Set {
    const TYPE: Type = Type::Set;
    type View<'a> = SetView<'a>;

    any_ways!(Set);

    fn view(&self) -> SetView<'_> {
        SetView { packed: &self.packed }
    }

    fn view_packed(_form: u8, bytes: &[u8]) -> SetView<'_> {
        SetView { packed: bytes }
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
