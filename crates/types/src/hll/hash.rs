//! Which register an element raises, and to what: MurmurHash64A (Austin Appleby, public domain),
//! whose results are part of the format.

use super::INDEX_BITS;

const SEED: u64 = 0xadc8_3b19;

/// The register of `element` and the value that it must at least have.
pub(super) fn register_of(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element, SEED);
    let index = hash & ((1 << INDEX_BITS) - 1);
    // The bit on top ends a run of nothing but zeros.
    let rest = hash >> INDEX_BITS | 1 << (64 - INDEX_BITS);
    (index as usize, rest.trailing_zeros() as u8 + 1)
}

pub(super) fn murmur64a(bytes: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const R: u32 = 47;
    // The format hashes the length as a C `int`, sign and all.
    let mut hash = seed ^ (bytes.len() as i32 as u64).wrapping_mul(M);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mut word = u64::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> R;
        hash = (hash ^ word.wrapping_mul(M)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(M);
    }
    hash = (hash ^ hash >> R).wrapping_mul(M);
    hash ^ hash >> R
}
