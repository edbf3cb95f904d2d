//! The 64-bit digest of a value that clients compare by: DIGEST, and IFDEQ and IFDNE of SET and
//! DELEX. XXH3-64 with seed 0, as 16 hexadecimal digits, leading zeros kept (Redis 8.4).

use std::fmt;

use stdx::quote;
use xxhash_rust::xxh3::xxh3_64;

/// The length of a digest as text.
pub const DIGEST_HEX_LEN: usize = 16;

/// The digest of `value`, in lower case.
pub fn digest(value: &[u8]) -> [u8; DIGEST_HEX_LEN] {
    let mut out = [0; DIGEST_HEX_LEN];
    for (pair, byte) in out.chunks_exact_mut(2).zip(xxh3_64(value).to_be_bytes()) {
        pair.copy_from_slice(&quote::hex(byte));
    }
    out
}

/// A digest as a client gave it. Only its length is checked: 16 bytes that are not hexadecimal are
/// the digest of no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenDigest([u8; DIGEST_HEX_LEN]);

/// A digest of another length than 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestLengthError;

impl GivenDigest {
    pub fn parse(text: &[u8]) -> Result<Self, DigestLengthError> {
        text.try_into().map(Self).map_err(|_| DigestLengthError)
    }

    /// Whether this is the digest of `value`; either case will do.
    pub fn is_of(&self, value: &[u8]) -> bool {
        self.0.eq_ignore_ascii_case(&digest(value))
    }
}

/// The text that follows `ERR` in the reply.
impl fmt::Display for DigestLengthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be exactly {DIGEST_HEX_LEN} hexadecimal characters")
    }
}

impl std::error::Error for DigestLengthError {}
