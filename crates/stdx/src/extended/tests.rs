//! Tests of `extended`: the answers of real servers, and what rounding must do.

use super::*;
use crate::Rng;

fn text(value: Extended) -> String {
    let mut out = Vec::new();
    value.write(&mut out);
    String::from_utf8(out).unwrap()
}

fn add(a: &str, b: &str) -> Option<String> {
    let a = Extended::parse(a.as_bytes()).unwrap();
    let b = Extended::parse(b.as_bytes()).unwrap();
    a.checked_add(b).map(text)
}

/// SET of the first, INCRBYFLOAT by the second, as Redis 8.0.2 and Valkey 8.1.1 on x86-64 answer.
#[test]
fn sums_are_those_of_servers() {
    let golden = [
        ("3.0", "1.1", "4.1"),
        ("10.50", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("0.1", "0.2", "0.3"),
        ("1", "1e-18", "1"),
        ("-1.5", "1.5", "0"),
        ("17179869184", "1", "17179869185"),
        ("1.000000000000000005", "0", "1"),
        ("3e-17", "-2.5e-17", "0.00000000000000001"),
        ("0x1p-60", "0", "0"),
        ("9223372036854775807", "0.5", "9223372036854775807.5"),
        ("18446744073709551615", "0.5", "18446744073709551616"),
        ("-0", "-0", "0"),
        ("0x1.8p3", ".25", "12.25"),
        ("1e22", "1", "10000000000000000000000"),
        ("123456789012345678901234567890", "0", "123456789012345678899921813504"),
        ("1e19", "1e-17", "10000000000000000000"),
        ("0.3", "0.6", "0.9"),
        ("2.675", "0.005", "2.68"),
        ("-1e-18", "0", "0"),
        ("5.5e-18", "0", "0.00000000000000001"),
        ("0.000000000000000005", "0", "0"),
        ("+7.", "-0x.8p1", "6"),
        ("-853832590e19", "-87103890.21", "-8538325900000000000156237824"),
        ("-932486209e-10", "0x7.bb2edb20035b7399p-13", "-0.09230487288789457"),
        ("-0x5.de11cc9dea959c21p58", "0x2.9e30691c238642eap39", "-1691178502939068510.75"),
        ("0x4.f8eb18b900745130p-40", "983.21", "983.21000000000452235"),
        ("-321.25", "963.88", "642.63"),
        ("-305.02", "-178193953e-16", "-305.02000001781939528"),
        ("356326043e-6", "-317.475277204056", "38.85076579594400001"),
        ("-637271636956.7", "1996833.75858471", "-637269640122.94141525030136108"),
        ("-39332859e2", "83807181673.254814542124", "79873895773.25481454282999039"),
        ("0x1.fc98500014b9adb5p36", "0x7.980dc6ffbd953dc2p4", "136524923002.79869528114795685"),
        ("-698969895e1", "938.81", "-6989698011.18999999994412065"),
        ("-29370830142.92612", "-0x4.d8407b1a0f0b9752p13", "-29370869830.98622829653322697"),
        ("486571380e14", "-983.62", "48657138000000000000000"),
        ("-294243409e-7", "-0x4.60831ef21cd0c151p28", "-1174942220.55637592193670571"),
        ("-888.43", "503.34", "-385.09"),
        ("843985316e-3", "-775496350025.744529078", "-775495506040.42852908372879028"),
        ("-721171099e-8", "-0xb.461cb6e0590ef594p42", "-49583029453163.4454498291015625"),
        ("-375858120e-14", "-0xa.2450d1c384a4c93fp27", "-1361217166.1099456159863621"),
        ("856.46", "-0x2.abbd5e94b83d5f7bp53", "-24056952876631123.474609375"),
        ("0xd.9fad3bf44d7b8661p30", "210022676e-15", "14628376317.07566673308610916"),
        ("0x7.af9ae4aac24da336p-17", "-22245982.21", "-22245982.20994136079934833"),
        ("518254237e-13", "-428179682602436.933", "-428179682602436.932952880859375"),
        ("376368398e0", "-930291256e-18", "376368397.99999999906867743"),
        ("590485987e14", "317055916e9", "59048915755916000002048"),
        ("-377547141e-17", "-0xb.24617bfa77ac435fp-20", "-0.00001062972198576"),
        ("-0x6.220b2d2df7cea56ep37", "-6.5998", "-842910770629.57570147514343262"),
        ("-644.72", "-0xd.39f125a5fa07ba82p23", "-110951191.54417320396169089"),
        ("-760529764e-1", "0x8.fb218ac1bdb3e4fap-2", "-76052974.15475485985371051"),
        ("-0xd.51b3fb3605092dfdp-1", "-0x4.6161d017a18755fp-25", "-6.65957640383878639"),
        ("0x9.c81de77b0a3be662p-23", "0xf.8f70d46588562827p-5", "0.4862610221389959"),
        ("-800.04", "-274.19", "-1074.22999999999999998"),
        ("-528564403e13", "0x0.2043a7e2c2a97ce2p-2", "-5285644030000000000000"),
        ("-658817406e-7", "-748874961825.2004871830669976763", "-748874961891.08222782611846924"),
        ("-891230987e-21", "745844140e2", "74584414000"),
        ("-977830500e-6", "489.88", "-487.95050000000000001"),
        ("-0x4.95fa699b6cf18ca8p29", "35863625.105", "-2426147050.32319509400986135"),
        ("0xc.7c97c9f5b384ffafp-34", "82484243.2472", "82484243.24720000072557013"),
        ("423.20", "71.6140", "494.814"),
        ("-1306.15977550242984", "-64.70", "-1370.85977550242983991"),
        ("-852.96", "867614351e-10", "-852.87323856490000001"),
    ];
    for (a, b, sum) in golden {
        assert_eq!(add(a, b).as_deref(), Some(sum), "{a} + {b}");
    }
}

#[test]
fn a_sum_out_of_range_is_none() {
    let infinity = Extended::parse(b"inf").unwrap();
    assert!(!infinity.is_finite());
    assert_eq!(text(infinity), "inf");
    assert_eq!(text(Extended::parse(b"-Infinity").unwrap()), "-inf");
    assert_eq!(infinity.checked_add(Extended::ZERO), None);
    assert_eq!(add("inf", "-inf"), None);
    assert_eq!(add("1.1e4932", "1.1e4932"), None);
    assert!(add("1e4932", "-1e4932").is_some());
}

#[test]
fn refuses_what_servers_refuse() {
    for text in
        ["", "nan", " 1", "1 ", "1e5000", "-1e5000", "1e-5000", "0x1p16384", "0x", "1e", "1\0"]
    {
        assert_eq!(Extended::parse(text.as_bytes()), None, "{text:?}");
    }
    assert!(Extended::parse(&[b'1'; 4900]).is_some());
    assert!(Extended::parse(&[b'0'; 5119]).is_some());
    assert_eq!(Extended::parse(&[b'0'; 5120]), None);
    // The smallest subnormal: it does not vanish, but prints as zero.
    assert_eq!(text(Extended::parse(b"-3.6451995318824746025e-4951").unwrap()), "0");
}

#[test]
fn large_numbers_are_printed_exactly() {
    // 2^k by schoolbook doubling.
    let mut digits = vec![1_u8];
    for power in 0..16_384 {
        if power % 61 == 0 || power > 16_380 {
            let expected: String = digits.iter().rev().map(|d| char::from(b'0' + d)).collect();
            let hex = format!("0x1p{power}");
            assert_eq!(text(Extended::parse(hex.as_bytes()).unwrap()), expected);
        }
        let mut carry = 0;
        for digit in &mut digits {
            let twice = *digit * 2 + carry;
            (*digit, carry) = (twice % 10, twice / 10);
        }
        if carry != 0 {
            digits.push(carry);
        }
    }
}

#[test]
fn integers_and_doubles_convert_exactly() {
    let mut rng = Rng::new(3);
    for _ in 0..20_000 {
        let shift = rng.below(64);
        let integer = rng.u64() as i64 >> shift;
        let value = Extended::from_i64(integer);
        assert_eq!(text(value), integer.to_string());
        assert_eq!(Extended::parse(integer.to_string().as_bytes()), Some(value));

        let double = integer as f64 / 1024.0;
        let exact = format!("{double:.17}");
        let exact = exact.trim_end_matches('0').trim_end_matches('.');
        let expected = if exact == "-0" { "0" } else { exact };
        assert_eq!(text(Extended::from_f64(double).unwrap()), expected);
    }
    assert_eq!(Extended::from_f64(f64::NAN), None);
    assert_eq!(text(Extended::from_f64(f64::NEG_INFINITY).unwrap()), "-inf");
}

#[test]
fn whole_numbers_of_products() {
    let golden = [
        ("0.001", 1),
        ("0.003", 3),
        ("0.0010001", 2),
        ("1e-400", 1),
        ("-1e-400", 0),
        ("-0.5", -500),
        ("1.5", 1500),
        ("9223372036854775.807", i64::MAX),
        ("1e16", i64::MAX),
        ("1e4932", i64::MAX),
        ("inf", i64::MAX),
        ("-1e400", i64::MIN),
        ("-inf", i64::MIN),
    ];
    for (number, up) in golden {
        assert_eq!(Extended::parse(number.as_bytes()).unwrap().times_up(1000), up, "{number}");
    }
}

/// As C prints them with `%.17Lg`.
#[test]
fn numbers_are_printed_in_general_form() {
    let cases = [
        ("0", "0"),
        ("1", "1"),
        ("-1.5", "-1.5"),
        ("100", "100"),
        ("0.1", "0.1"),
        ("12345678901234567", "12345678901234567"),
        ("100000000000000000", "1e+17"),
        ("123456789012345678", "1.2345678901234568e+17"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("-1.25e-100", "-1.25e-100"),
        ("1e4000", "1e+4000"),
        ("inf", "inf"),
        ("-inf", "-inf"),
    ];
    for (text, expected) in cases {
        let mut out = Vec::new();
        Extended::parse(text.as_bytes()).unwrap().write_general(&mut out);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out, expected, "{text}");
    }
    let two =
        [(2.9, Some(2)), (-2.9, Some(-2)), (1e19, None), (-1e19, None), (f64::INFINITY, None)];
    for (number, whole) in two {
        assert_eq!(Extended::from_f64(number).unwrap().truncated(), whole);
    }
    let infinite = Extended::parse(b"inf").unwrap();
    assert_eq!(infinite.sum(Extended::parse(b"-inf").unwrap()), None);
    assert_eq!(infinite.sum(Extended::ZERO), Some(infinite));
}
