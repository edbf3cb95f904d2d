//! Tests of `num`: the answers of real servers, and random values against `std`.

use super::*;
use crate::Rng;

fn i64_text(value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    write_i64(&mut out, value);
    out
}

fn f64_text(value: f64) -> String {
    let mut out = Vec::new();
    write_f64(&mut out, value);
    String::from_utf8(out).unwrap()
}

#[test]
fn integers_are_read_only_in_canonical_form() {
    for text in ["", "-", "+1", "01", "-01", "-0", "00", " 1", "1 ", "1a", "a", "--1", "1\0", "0x1"]
    {
        assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
    }
    for text in ["9223372036854775808", "-9223372036854775809", "99999999999999999999"] {
        assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
    }
    for text in ["18446744073709551616", "99999999999999999999", "100000000000000000000", "-1"] {
        assert_eq!(parse_u64(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
    assert_eq!(parse_u64(b"1844674407370955161x"), None);
    assert_eq!(parse_u64(b"0"), Some(0));
}

#[test]
fn integers_round_trip() {
    let mut rng = Rng::new(1);
    let edges = [0, 1, -1, 9, 10, 99, 100, 101, 999, i64::MAX, i64::MIN, i64::MAX - 1];
    let random = (0..200_000).map(|_| {
        let shift = rng.below(64);
        rng.u64() as i64 >> shift
    });
    for value in edges.into_iter().chain(random) {
        let text = i64_text(value);
        assert_eq!(text, value.to_string().as_bytes());
        assert_eq!(parse_i64(&text), Some(value));
        assert_eq!(decimal_len(value), text.len());
        let mut unsigned = Vec::new();
        write_u64(&mut unsigned, value as u64);
        assert_eq!(unsigned, (value as u64).to_string().as_bytes());
        assert_eq!(parse_u64(&unsigned), Some(value as u64));
    }
}

/// What ZADD of Redis 8.0.2 and Valkey 8.1.1 accepts, and what ZSCORE then answers.
#[test]
fn doubles_are_read_as_servers_read_them() {
    let accepted = [
        ("5", 5.0),
        ("+5", 5.0),
        ("+inf", f64::INFINITY),
        ("-inf", f64::NEG_INFINITY),
        ("INF", f64::INFINITY),
        ("Infinity", f64::INFINITY),
        ("0x10", 16.0),
        ("-0x10", -16.0),
        ("0x1p3", 8.0),
        ("0x.8", 0.5),
        ("0X1P+5", 32.0),
        ("1e-320", 1e-320),
        ("1.", 1.0),
        (".5", 0.5),
        ("+.5", 0.5),
        ("1E5", 1e5),
        ("0e999999", 0.0),
        ("00012", 12.0),
        ("0x1p-1074", 5e-324),
        ("0x1.8p-1074", 1e-323),
        ("-.5e-3", -0.0005),
        ("123456789012345678", 123456789012345680.0),
    ];
    for (text, value) in accepted {
        assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text}");
    }
    assert!(parse_f64(b"-0").unwrap().is_sign_negative());
    let refused = [
        "",
        " 1",
        "1 ",
        "nan",
        "nan(1)",
        "-nan",
        "infx",
        "in",
        ".",
        "+",
        "-",
        "--5",
        "+-5",
        "1e",
        "1e+",
        "e5",
        "1e400",
        "-1e400",
        "1e-400",
        "1e99999999999999999999",
        "0x",
        "0x.",
        "0x1p",
        "0x1p2000",
        "0x1p-1080",
        "1_0",
        "1,0",
        "1\0",
        "1.2.3",
        "0x1.2.3",
        "1f",
        "\u{660}",
        "1p3",
    ];
    for text in refused {
        assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(parse_f64(b"1\xff"), None);
    // A long zero is not a result that vanished.
    assert_eq!(parse_f64(&[b'0'; 5000]), Some(0.0));
}

/// What ZSCORE of Redis 8.0.2 and Valkey 8.1.1 prints.
#[test]
fn doubles_are_printed_as_servers_print_them() {
    let golden = [
        (0.1, "0.1"),
        (1e21, "1e+21"),
        (1e22, "1e+22"),
        // Grisu2 does not find the shortest text here.
        (1e23, "99999999999999990000000"),
        (1e20, "1e+20"),
        (123456789012345680000.0, "123456789012345680000"),
        (12345678901234567000000.0, "12345678901234568000000"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (0.00001, "0.00001"),
        (0.000001, "0.000001"),
        (0.0000001, "1e-7"),
        (1.1e-7, "1.1e-7"),
        (123456.789e-10, "1.23456789e-5"),
        (4611686018427387904.0, "4611686018427387904"),
        (4611686018427388928.0, "4611686018427389000"),
        (-4611686018427387904.0, "-4611686018427387904"),
        (9007199254740993.0, "9007199254740992"),
        (1e15, "1000000000000000"),
        (1.5e300, "1.5e+300"),
        (-1.5, "-1.5"),
        (3.0000000000000004, "3.0000000000000004"),
        (0.0001234, "1.234e-4"),
        (9.5e-3, "0.0095"),
        (9.535e-4, "9.535e-4"),
        (0.0, "0"),
        (-0.0, "-0"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (-f64::NAN, "nan"),
    ];
    for (value, text) in golden {
        assert_eq!(f64_text(value), text);
    }
    let mut digits = Vec::new();
    write_f64_digits(&mut digits, 1e18);
    assert_eq!(digits, b"1e+18");
}

#[test]
fn printed_doubles_read_back_and_are_seldom_longer_than_needed() {
    let mut rng = Rng::new(2);
    let (mut longer, mut count) = (0, 0);
    while count < 200_000 {
        let value = match rng.below(3) {
            0 => f64::from_bits(rng.u64()),
            1 => rng.f64() * 1e6,
            _ => (rng.u64() as i64 >> 20) as f64 / 1000.0,
        };
        if value.is_nan() {
            continue;
        }
        count += 1;
        let text = f64_text(value);
        assert_eq!(parse_f64(text.as_bytes()).map(f64::to_bits), Some(value.to_bits()), "{text}");
        let digits = |text: &str| {
            let mantissa = text.split('e').next().unwrap().replace(['.', '-'], "");
            mantissa.trim_matches('0').len()
        };
        longer += u32::from(digits(&text) > digits(&format!("{value:e}")));
    }
    assert!(longer < count / 200, "{longer} of {count}");
}

#[test]
fn fixed_places() {
    let text = |value, places| {
        let mut out = Vec::new();
        write_f64_fixed(&mut out, value, places);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(text(0.0, 4), "0.0000");
    assert_eq!(text(166274.15156960033, 4), "166274.1516");
    assert_eq!(text(0.00775, 4), "0.0078");
    assert_eq!(text(0.125, 2), "0.12");
    assert_eq!(text(0.375, 2), "0.38");
    assert_eq!(text(-0.5, 4), "-0.5000");
    assert_eq!(text(-12.34567, 2), "-12.35");
    assert_eq!(text(f64::INFINITY, 4), "922337203685477.5807");
    assert_eq!(text(f64::NAN, 4), "0.0000");
}

#[test]
fn general_form() {
    let text = |value| {
        let mut out = Vec::new();
        write_f64_general(&mut out, value);
        String::from_utf8(out).unwrap()
    };
    for (value, expected) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (5.0, "5"),
        (-1.5, "-1.5"),
        (0.1, "0.10000000000000001"),
        (3.24, "3.2400000000000002"),
        (0.0001, "0.0001"),
        (1e-5, "1.0000000000000001e-05"),
        (3e-7, "2.9999999999999999e-07"),
        (-1.5e-9, "-1.5e-09"),
        (10560.812057868656, "10560.812057868656"),
        (123456.789e3, "123456789"),
        (1e16, "10000000000000000"),
        (12345678901234567.0, "12345678901234568"),
        (99999999999999999.0, "1e+17"),
        (123456789012345680.0, "1.2345678901234568e+17"),
        (4611686018427387904.0, "4.6116860184273879e+18"),
        (1e21, "1e+21"),
        (1e-320, "9.9998886718268301e-321"),
        (5e-324, "4.9406564584124654e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
    ] {
        assert_eq!(text(value), expected);
    }
    // The other way to the same text.
    let mut rng = Rng::new(7);
    for _ in 0..100_000 {
        let value = f64::from_bits(rng.u64());
        if value.is_finite() {
            let mut other = Vec::new();
            crate::extended::Extended::from_f64(value).unwrap().write_general(&mut other);
            assert_eq!(text(value).as_bytes(), other);
            assert_eq!(parse_f64(&other), Some(value));
        }
    }
}
