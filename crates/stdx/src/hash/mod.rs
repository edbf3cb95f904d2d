//! Keyed hashing: SipHash-1-3 under a 128-bit seed that the caller brings, and the maps that use
//! it. There is no default hasher here: who makes a map says where its seed comes from, so
//! iteration order is the seed's and a simulation replays.

use std::fmt;
use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;

#[cfg(test)]
mod tests;

/// The key of the process's hash functions. Drawn once at start from the system's entropy, or from
/// a test's seed; never written to a log, a file or the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    k0: u64,
    k1: u64,
}

/// A hash map whose order is decided by its seed: `Map::with_hasher(seed)`.
#[expect(clippy::disallowed_types, reason = "this alias is the seeded form that the rule asks for")]
pub type Map<K, V> = std::collections::HashMap<K, V, Seed>;

/// A hash set whose order is decided by its seed: `Set::with_hasher(seed)`.
#[expect(clippy::disallowed_types, reason = "this alias is the seeded form that the rule asks for")]
pub type Set<K> = std::collections::HashSet<K, Seed>;

impl Seed {
    pub const fn new(k0: u64, k1: u64) -> Self {
        Self { k0, k1 }
    }

    /// The two halves of `bytes`, little endian.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let whole = u128::from_le_bytes(bytes);
        Self { k0: whole as u64, k1: (whole >> 64) as u64 }
    }
}

/// SipHash-1-3 of `bytes` under `seed`.
#[inline]
pub fn sip13(seed: Seed, bytes: &[u8]) -> u64 {
    SipHasher13::new_with_keys(seed.k0, seed.k1).hash(bytes)
}

impl BuildHasher for Seed {
    type Hasher = SipHasher13;

    #[inline]
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.k0, self.k1)
    }
}

/// Does not show the key.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}
