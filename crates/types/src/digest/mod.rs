//! The digest of values and data sets that DEBUG DIGEST and DEBUG DIGEST-VALUE answer, equal to
//! that of Redis and Valkey for equal data, whatever its encoding and insertion order.
//!
//! A digest is 20 bytes that things are folded into in two ways. `xor` ignores order: the SHA-1 of
//! the thing is XORed in. `mix` keeps order: XOR as before, then the SHA-1 of the sum replaces it.
//!
//! ```text
//! value    = mix(type as 4 bytes, big endian), the type's own elements,
//!            xor("!!expire!!") if the key has an expiry
//! key      = mix(name), value
//! data set = per database that is not empty: mix(number as 4 bytes, big endian), xor(each key)
//! ```

use sha1::{Digest as _, Sha1};
use stdx::quote;

#[cfg(test)]
mod tests;

/// A digest under way. Starts as zeros; stays so for an empty data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u8; 20]);

/// The type of a value, by the number that goes into its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    String = 0,
    List = 1,
    Set = 2,
    Zset = 3,
    Hash = 4,
    Module = 5,
    Stream = 6,
    Array = 7,
    SortedInt = 8,
    Job = 9,
}

impl Digest {
    pub const ZERO: Self = Self([0; 20]);

    /// Folds `bytes` in so that order does not matter.
    pub fn xor(&mut self, bytes: &[u8]) {
        for (own, other) in self.0.iter_mut().zip(Sha1::digest(bytes)) {
            *own ^= other;
        }
    }

    /// Folds `bytes` in so that order matters.
    pub fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    /// Folds a finished digest in so that order does not matter, as [`Digest::xor`] of its bytes.
    pub fn xor_digest(&mut self, other: &Self) {
        self.xor(&other.0);
    }

    /// Opens a value of `kind`; its elements follow.
    pub fn mix_kind(&mut self, kind: Kind) {
        self.mix(&(kind as u32).to_be_bytes());
    }

    /// Closes a value whose key has an expiry. When it expires does not matter.
    pub fn xor_expiry(&mut self) {
        self.xor(b"!!expire!!");
    }

    /// Opens a database of a data set; its keys follow. Empty databases are left out.
    pub fn mix_database(&mut self, number: u32) {
        self.mix(&number.to_be_bytes());
    }

    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// 40 lower-case hexadecimal digits.
    pub fn hex(&self) -> [u8; 40] {
        let mut out = [0; 40];
        for (pair, byte) in out.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&quote::hex(byte));
        }
        out
    }
}
