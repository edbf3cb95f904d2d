//! A key of a request, with its hash: minted by RESOLVE, and the only way to reach an entry.

use lock::ShardId;

/// A resolved key.
#[derive(Clone, Copy, Debug)]
pub struct KeyRef<'a> {
    bytes: &'a [u8],
    hash: u64,
    shard: ShardId,
    /// What the command does to it, as bits of `command::KeyFlags`.
    flags: u16,
}

impl<'a> KeyRef<'a> {
    pub(crate) fn new(bytes: &'a [u8], hash: u64, shard: ShardId, flags: u16) -> Self {
        Self { bytes, hash, shard, flags }
    }

    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    #[inline]
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// The reference to another word, if that is the same key: the hash is known.
    #[inline]
    pub fn again<'b>(&self, word: &'b [u8], flags: u16) -> Option<KeyRef<'b>> {
        (self.bytes == word).then_some(KeyRef { bytes: word, flags, ..*self })
    }

    pub fn flags(&self) -> u16 {
        self.flags
    }
}
