use super::{Compressor, decompress};
use proptest::prelude::*;

fn round_trip(input: &[u8]) -> Option<usize> {
    let mut packed = b"before".to_vec();
    if !Compressor::default().compress(input, 4, &mut packed) {
        assert_eq!(packed, b"before");
        return None;
    }
    assert!(packed.len() - 6 + 4 <= input.len());
    let mut out = b"x".to_vec();
    decompress(&packed[6..], input.len(), &mut out).unwrap();
    assert_eq!(&out[1..], input);
    Some(packed.len() - 6)
}

#[test]
fn shrinks_what_repeats() {
    assert!(round_trip(&[b'a'; 100]).unwrap() < 10);
    assert!(round_trip(&b"0123456789".repeat(1000)).unwrap() < 150);
    assert!(round_trip(&b"abcdefghij".repeat(3)).unwrap() < 20);
    // Farther apart than a copy reaches.
    let mut far =
        (0..9000u32).flat_map(|n| n.wrapping_mul(0x9E37_79B1).to_be_bytes()).collect::<Vec<_>>();
    far.extend_from_slice(&far.clone());
    assert_eq!(round_trip(&far), None);
    assert_eq!(round_trip(b""), None);
    assert_eq!(round_trip(b"abcd"), None);
}

#[test]
fn streams_of_the_peers() {
    let mut out = Vec::new();
    // As Redis writes 42 times an x.
    decompress(b"\x01xx\xe0\x1f\x00\x00", 42, &mut out).unwrap_err();
    out.clear();
    decompress(b"\x01xx\xe0\x1d\x00\x01xx", 42, &mut out).unwrap();
    assert_eq!(out, [b'x'; 42]);
}

#[test]
fn refuses_what_is_broken() {
    let refuse = |input: &[u8], len| decompress(input, len, &mut Vec::new()).unwrap_err();
    refuse(b"", 1);
    refuse(b"\x01a", 2);
    refuse(b"\x00a", 2);
    refuse(b"\x01ab", 1);
    refuse(b"\x20\x00", 3);
    refuse(b"\x00a\x20", 4);
    refuse(b"\x00a\x20\x01", 4);
    refuse(b"\x00a\xe0\x00", 10);
    // A claim that no stream of that size can fulfil allocates nothing.
    refuse(b"\x00a\xe0\xff\x00", usize::MAX);
    decompress(b"", 0, &mut Vec::new()).unwrap();
}

proptest! {
    #[test]
    fn any_bytes_come_back(input in proptest::collection::vec(0u8..4, 0..3000)) {
        round_trip(&input);
    }

    #[test]
    fn words_come_back(words in proptest::collection::vec("[a-c]{1,9}", 0..400)) {
        round_trip(words.concat().as_bytes());
    }

    #[test]
    fn garbage_never_panics(input: Vec<u8>, len in 0usize..3000) {
        let mut out = Vec::new();
        let result = decompress(&input, len, &mut out);
        prop_assert!(out.len() <= len);
        prop_assert_eq!(result.is_ok(), out.len() == len && result.is_ok());
    }
}
