//! The hash: fields with values, each of which may expire.

pub(crate) mod persist;

use crate::collection::{Collection, Type, View, any_ways};
use crate::digest::Digest;

/// An owned hash.
#[derive(Clone, Debug, Default)]
pub struct Hash {
    packed: Vec<u8>,
}

/// A borrowed hash of either shape.
#[derive(Clone, Copy, Debug)]
pub struct HashView<'a> {
    packed: &'a [u8],
}

impl View for HashView<'_> {
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

impl Collection for Hash {
    const TYPE: Type = Type::Hash;
    type View<'a> = HashView<'a>;

    any_ways!(Hash);

    fn view(&self) -> HashView<'_> {
        HashView { packed: &self.packed }
    }

    fn view_packed(_form: u8, bytes: &[u8]) -> HashView<'_> {
        HashView { packed: bytes }
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
