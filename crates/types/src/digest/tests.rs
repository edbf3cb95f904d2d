//! Tests of `digest`: what Valkey 8.1.1 and Redis 8.0.2 answer.

use super::*;
use crate::string;

fn hex(digest: &Digest) -> String {
    String::from_utf8(digest.hex().to_vec()).unwrap()
}

fn key(name: &[u8], value: &[u8], expires: bool) -> Digest {
    let mut digest = Digest::ZERO;
    digest.mix(name);
    string::fold(&mut digest, value);
    if expires {
        digest.xor_expiry();
    }
    digest
}

/// DEBUG DIGEST-VALUE of string keys.
#[test]
fn values_of_strings() {
    let golden = [
        (&b"hello"[..], false, "36b23a1456b2dce2c3ed252c456761301dba8060"),
        (b"12345", false, "e1cf90774e995ae03de66e8109dc5cb9d9c2dc83"),
        (b"hello", true, "d037c4eb8a8b36b602fbced4000daeab0714c1e3"),
        (b"", false, "8b3447c33a834b810e3e181b6fd6a2ee1020921c"),
    ];
    for (value, expires, expected) in golden {
        let mut digest = Digest::ZERO;
        string::fold(&mut digest, value);
        if expires {
            digest.xor_expiry();
        }
        assert_eq!(hex(&digest), expected);
    }
}

/// DEBUG DIGEST of the same keys in databases 0 and 3, and with nothing.
#[test]
fn data_sets() {
    assert_eq!(hex(&Digest::ZERO), "0".repeat(40));
    let mut total = Digest::ZERO;
    total.mix_database(0);
    // In any order.
    total.xor_digest(&key(b"n", b"12345", false));
    total.xor_digest(&key(b"s", b"hello", false));
    total.xor_digest(&key(b"t", b"hello", true));
    assert_eq!(hex(&total), "022858cdfd188af85ea9884c71ab539e987a16a5");
    total.mix_database(3);
    total.xor_digest(&key(b"e", b"", false));
    assert_eq!(hex(&total), "044da40de60584b5b63e28d3e311c5ce2af20deb");
}

/// DEBUG DIGEST-VALUE after RPUSH l a b: the order counts.
#[test]
fn a_list_by_hand() {
    let mut digest = Digest::ZERO;
    digest.mix_kind(Kind::List);
    digest.mix(b"a");
    digest.mix(b"b");
    assert_eq!(hex(&digest), "62f55a532623cf6c3d81081db480b6fd8461eb3f");
}
