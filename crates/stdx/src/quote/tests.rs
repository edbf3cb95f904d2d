//! Tests of `quote`.

use super::*;

fn text(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    repr(&mut out, bytes);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_kind_of_byte() {
    assert_eq!(text(b""), r#""""#);
    assert_eq!(text(b"a b~"), r#""a b~""#);
    assert_eq!(text(b"\"\\\n\r\t\x07\x08"), r#""\"\\\n\r\t\a\b""#);
    assert_eq!(text(b"\x00\x0b\x1f\x7f\x80\xff"), r#""\x00\x0b\x1f\x7f\x80\xff""#);
}

#[test]
fn words_that_need_no_quotes() {
    assert!(!needs_repr(b"user:1~!"));
    assert!(!needs_repr(b""));
    for bytes in [&b"a b"[..], b"\"", b"\\", b"\n", b"\x7f", b"\xc3"] {
        assert!(needs_repr(bytes));
    }
}

#[test]
fn hexadecimal_digits_round_trip() {
    for byte in 0..=255 {
        let [high, low] = hex(byte);
        assert_eq!(unhex(high).unwrap() << 4 | unhex(low).unwrap(), byte);
        assert_eq!(unhex(high.to_ascii_uppercase()), unhex(high));
    }
    assert_eq!(unhex(b'g'), None);
}
