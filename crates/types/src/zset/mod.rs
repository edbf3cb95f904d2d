//! The sorted set: distinct members in order of their scores.

pub(crate) mod persist;

use crate::collection::{Collection, Type, View, any_ways};
use crate::digest::Digest;

/// An owned zset.
#[derive(Clone, Debug, Default)]
pub struct ZSet {
    packed: Vec<u8>,
}

/// A borrowed zset of either shape.
#[derive(Clone, Copy, Debug)]
pub struct ZSetView<'a> {
    packed: &'a [u8],
}

impl View for ZSetView<'_> {
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

impl Collection for ZSet {
    const TYPE: Type = Type::ZSet;
    type View<'a> = ZSetView<'a>;

    any_ways!(ZSet);

    fn view(&self) -> ZSetView<'_> {
        ZSetView { packed: &self.packed }
    }

    fn view_packed(_form: u8, bytes: &[u8]) -> ZSetView<'_> {
        ZSetView { packed: bytes }
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
