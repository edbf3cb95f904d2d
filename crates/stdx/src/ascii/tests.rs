//! Tests of `ascii`.

use super::*;

#[test]
fn case_is_ignored_for_letters_only() {
    assert!(eq_ignore_case(b"GetRange", b"GETRANGE"));
    assert!(!eq_ignore_case(b"get", b"gets"));
    assert!(!eq_ignore_case(b"[", b"{"));
    assert!(!eq_ignore_case(b"\xc4", b"\xe4"));
    assert!(starts_with_ignore_case(b"maxmemory", b"MAX"));
    assert!(!starts_with_ignore_case(b"ma", b"MAX"));
}

#[test]
fn upper_fits_or_is_none() {
    assert_eq!(Upper::<8>::new(b"sismembe").unwrap().as_bytes(), b"SISMEMBE");
    assert_eq!(Upper::<8>::new(b"").unwrap().as_bytes(), b"");
    assert!(Upper::<8>::new(b"sismember").is_none());
}
