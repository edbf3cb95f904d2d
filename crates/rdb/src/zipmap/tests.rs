use super::pairs;
use proptest::prelude::*;

#[test]
fn reads_pairs() {
    let block = b"\x02\x03foo\x03\x00bar\x05hello\x05\x02world..\xff";
    assert_eq!(pairs(block).unwrap(), [(&b"foo"[..], &b"bar"[..]), (b"hello", b"world")]);
    let long = [&b"\xfe\x01k\xfe\x2c\x01\0\0\x00"[..], &[b'v'; 300], b"\xff"].concat();
    assert_eq!(pairs(&long).unwrap(), [(&b"k"[..], &[b'v'; 300][..])]);
}

#[test]
fn refuses_what_is_broken() {
    let good = b"\x01\x03foo\x03\x01bar.\xff";
    for cut in 0..good.len() {
        pairs(&good[..cut]).unwrap_err();
    }
    pairs(b"\x00\xff").unwrap_err();
    pairs(b"\x02\x03foo\x03\x01bar.\xff").unwrap_err();
    pairs(b"\x01\x03foo\x03\x01bar.\xff\xff").unwrap_err();
    pairs(b"\x01\x03foo\x03\x09bar.\xff").unwrap_err();
    pairs(b"\x01\xfe\xff\xff\xff\xfffoo\x03\x01bar.\xff").unwrap_err();
}

proptest! {
    #[test]
    fn garbage_never_panics(mut bytes: Vec<u8>) {
        bytes.insert(0, 254);
        bytes.push(0xFF);
        prop_assert!(pairs(&bytes).is_err() || bytes.len() > 2);
    }
}
