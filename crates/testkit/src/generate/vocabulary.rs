//! The words that requests are made of: few keys, so that commands meet; values on both sides of
//! every limit.

use super::Choices;

/// How far expiries lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spans {
    /// A few milliseconds to days, and limits: for a clock that the test moves.
    Near,
    /// Minutes at least, or in the past: for two servers that do not share a clock.
    Far,
}

/// What values depend on.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary {
    /// Milliseconds since 1970.
    pub now_ms: i64,
    pub spans: Spans,
}

const KEYS: &[&[u8]] = &[
    b"k0",
    b"k1",
    b"k2",
    b"k3",
    b"k4",
    b"k5",
    b"{t}a",
    b"{t}b",
    b"a b",
    b"",
    b"\x00\xff\r\n",
    b"12",
    b"a-longer-name-than-any-that-is-kept-in-line-with-its-entry-0123456789",
];

const STRINGS: &[&[u8]] = &[
    b"a",
    b"1",
    b"hello",
    b"0",
    b"-1",
    b"10",
    b"",
    b"3.0",
    b"1e3",
    b"-2.5",
    b"ohmytext",
    b"mynewtext",
    b"9223372036854775807",
    b"9223372036854775806",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"18446744073709551616",
    b"inf",
    b"-inf",
    b"nan",
    b" 1",
    b"1 ",
    b"+1",
    b"007",
    b"-0",
    b"0x10",
    b"1.7976931348623157e308",
    b"5e-324",
    b"0.1",
    b"3.141592653589793238462643383279502884",
    b"\x00\x01\xfe\xff",
    b"\xe0\xff",
    b"line\r\nbreak",
    b"\"quoted\\\"",
    b"exactly-forty-four-bytes-long-0123456789-abc",
    b"exactly-forty-five-bytes-long-0123456789-abcd",
];

const INTEGERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    3,
    -2,
    10,
    100,
    -100,
    15,
    1000,
    65_535,
    i32::MAX as i64,
    i32::MIN as i64,
    i32::MAX as i64 + 1,
    u32::MAX as i64,
    i64::MAX,
    i64::MAX - 1,
    i64::MIN,
    i64::MIN + 1,
    i64::MAX / 1000,
    i64::MAX / 1000 + 1,
];

const DOUBLES: &[&str] = &[
    "0",
    "1",
    "-1",
    "0.5",
    "-2.25",
    "0.1",
    "3.0",
    "1e3",
    "5.0e-3",
    "1e17",
    "123456789.123456789",
    "1.7976931348623157e308",
    "-1.7976931348623157e308",
    "2.2250738585072014e-308",
    "5e-324",
    "inf",
    "-inf",
    "1e-17",
    "99999999999999999999",
];

const PATTERNS: &[&[u8]] = &[
    b"*", b"k*", b"?", b"k?", b"k[0-2]", b"k[^1]", b"[a-z]*", b"\\*", b"", b"{t}*", b"*\xff*",
    b"k[", b"**?", b"a\\ b",
];

/// Spans in the unit asked for, for [`Spans::Near`].
const NEAR: &[i64] = &[1, 2, 5, 10, 100, 1000, 60_000, 100_000, 86_400_000];

/// Where a number leaves the sane: for spans and moments alike.
const EXTREMES: &[i64] =
    &[0, -1, i64::MIN, i64::MAX, i64::MAX / 1000, i64::MAX / 1000 - 1, 1 << 53, 1 << 62];

impl Vocabulary {
    pub fn key(&self, choices: &mut Choices<'_>) -> Vec<u8> {
        // Half of all on three keys.
        let few = choices.one_in(2);
        choices.pick(if few { &KEYS[..3] } else { KEYS }).to_vec()
    }

    pub fn string(&self, choices: &mut Choices<'_>) -> Vec<u8> {
        match choices.below(64) {
            // Past the length from which a string is kept apart from its entry.
            0 => vec![b'x'; 20_000],
            1 => vec![b'y'; 100 + choices.below(100)],
            2..=40 => choices.pick(&STRINGS[..14]).to_vec(),
            _ => choices.pick(STRINGS).to_vec(),
        }
    }

    /// An integer for the argument called `name`: a span if it counts time.
    pub fn integer(&self, name: &str, choices: &mut Choices<'_>) -> Vec<u8> {
        let number = match unit(name) {
            Some(unit) if !choices.one_in(8) => self.span(unit, choices),
            Some(_) => choices.pick(EXTREMES),
            None if choices.one_in(2) => choices.pick(&INTEGERS[..10]),
            None => choices.pick(INTEGERS),
        };
        number.to_string().into_bytes()
    }

    /// A span of time in units of `unit` milliseconds.
    fn span(&self, unit: i64, choices: &mut Choices<'_>) -> i64 {
        match self.spans {
            Spans::Near => choices.pick(NEAR),
            // Hardly ever twice the same: which of two is later must not hang on a millisecond.
            Spans::Far => {
                let seconds = 1000 + choices.below(65_536) as i64 * 60;
                seconds.saturating_mul(1000 / unit)
            }
        }
    }

    /// A moment for the argument called `name`.
    pub fn unix_time(&self, name: &str, choices: &mut Choices<'_>) -> Vec<u8> {
        let unit = unit(name).unwrap_or(1000);
        let number = match choices.below(8) {
            0 => choices.pick(EXTREMES),
            1 => choices.pick(INTEGERS),
            2 => (self.now_ms / unit).saturating_sub(self.span(unit, choices)),
            _ => (self.now_ms / unit).saturating_add(self.span(unit, choices)),
        };
        number.to_string().into_bytes()
    }

    pub fn double(&self, choices: &mut Choices<'_>) -> Vec<u8> {
        choices.pick(DOUBLES).as_bytes().to_vec()
    }

    pub fn pattern(&self, choices: &mut Choices<'_>) -> Vec<u8> {
        choices.pick(PATTERNS).to_vec()
    }

    /// A word that fits nowhere in particular.
    pub fn strange(&self, choices: &mut Choices<'_>) -> Vec<u8> {
        match choices.below(6) {
            0 => choices.pick(&[&b"0"[..], b"\xe0 \x80", b"1", b"-1"]).to_vec(),
            1 => choices.pick(EXTREMES).to_string().into_bytes(),
            2 => choices.pick(&[&b"FOO"[..], b"MATCH", b"WITHVALUES", b"-", b"("]).to_vec(),
            3 => self.key(choices),
            4 => self.double(choices),
            _ => self.string(choices),
        }
    }
}

/// Milliseconds in the unit of an argument that counts time.
fn unit(name: &str) -> Option<i64> {
    if name.ends_with("milliseconds") {
        Some(1)
    } else if name.ends_with("seconds") {
        Some(1000)
    } else {
        None
    }
}
