use super::expire::Conditions;
use command::scan::parse_cursor;

#[test]
fn cursors_are_read_as_strtoull_reads_them() {
    assert_eq!(parse_cursor(b"0"), Some(0));
    assert_eq!(parse_cursor(b" 007"), Some(7));
    assert_eq!(parse_cursor(b"+5"), Some(5));
    assert_eq!(parse_cursor(b"18446744073709551615"), Some(u64::MAX));
    assert_eq!(parse_cursor(b"5\0x"), Some(5));
    assert_eq!(parse_cursor(b"-0"), Some(0));
    assert_eq!(parse_cursor(b" -5"), Some(u64::MAX - 4));
    assert_eq!(parse_cursor(b"-9223372036854775809"), Some(i64::MAX as u64));
    for text in ["", "-1", "1x", "18446744073709551616", "-18446744073709551616", "5 ", " ", "+"] {
        assert_eq!(parse_cursor(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_key_without_expiry_lives_longer_than_any_other() {
    let later = Conditions { later: true, ..Conditions::default() };
    let earlier = Conditions { earlier: true, ..Conditions::default() };
    assert!(!later.hold(None, 5) && earlier.hold(None, 5));
    assert!(later.hold(Some(4), 5) && !later.hold(Some(5), 5));
    assert!(earlier.hold(Some(6), 5) && !earlier.hold(Some(5), 5));
    let both = Conditions { present: true, ..earlier };
    assert!(!both.hold(None, 5) && both.hold(Some(6), 5));
    let absent = Conditions { absent: true, ..Conditions::default() };
    assert!(absent.hold(None, 5) && !absent.hold(Some(1), 5));
}
