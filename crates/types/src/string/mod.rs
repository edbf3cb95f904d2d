//! The string: bytes up to a configured limit. Its operations are functions over bytes; where those
//! bytes live is the keyspace's affair.
//!
//! Numbers inside strings are read by `stdx::num` (INCRBY) and `stdx::extended` (INCRBYFLOAT).

mod compare;
mod encoding;
mod lcs;
mod range;

#[cfg(test)]
mod tests;

pub use compare::{DIGEST_HEX_LEN, DigestLengthError, GivenDigest, digest};
pub use encoding::{EMBSTR_MAX, Encoding};
pub use lcs::{Lcs, LcsError, Match, lcs, lcs_len, lcs_matches};
pub use range::{grown_len, overwrite, range};

use crate::digest::{Digest, Kind};

/// Folds `value` into the digest of its key: what DEBUG DIGEST-VALUE answers for a key without an
/// expiry, when `digest` starts as zero.
pub fn fold(digest: &mut Digest, value: &[u8]) {
    digest.mix_kind(Kind::String);
    digest.mix(value);
}
