//! The stream: an append-only log of entries, with consumer groups.

pub(crate) mod persist;

use crate::collection::{Collection, Type, View, any_ways};
use crate::digest::Digest;

/// An owned stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    packed: Vec<u8>,
}

/// A borrowed stream of either shape.
#[derive(Clone, Copy, Debug)]
pub struct StreamView<'a> {
    packed: &'a [u8],
}

impl View for StreamView<'_> {
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

impl Collection for Stream {
    const TYPE: Type = Type::Stream;
    const KEEPS_EMPTY: bool = true;
    type View<'a> = StreamView<'a>;

    any_ways!(Stream);

    fn view(&self) -> StreamView<'_> {
        StreamView { packed: &self.packed }
    }

    fn view_packed(_form: u8, bytes: &[u8]) -> StreamView<'_> {
        StreamView { packed: bytes }
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
