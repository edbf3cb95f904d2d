//! The words that requests are made of: few keys, so that commands meet; values on both sides of
//! every limit.

use super::Choices;
use command::Group;

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

/// The keys of each type but strings, so that commands mostly meet the type that they work on.
const TYPED_KEYS: &[(Group, &[&[u8]])] = &[
    (Group::List, &[b"l0", b"l1", b"l2", b"l3", b"{t}l"]),
    (Group::Set, &[b"s0", b"s1", b"s2", b"s3", b"{t}s"]),
    (Group::Hash, &[b"h0", b"h1", b"h2", b"{t}h"]),
    (Group::SortedSet, &[b"z0", b"z1", b"z2", b"z3", b"{t}z"]),
    (Group::Stream, &[b"x0", b"x1", b"x2", b"{t}x"]),
    (Group::Array, &[b"a0", b"a1", b"a2", b"{t}y"]),
    (Group::Geo, &[b"g0", b"g1", b"g2"]),
    (Group::Hyperloglog, &[b"p0", b"p1", b"p2"]),
    (Group::Bitmap, &[b"b0", b"b1", b"b2", b"k0"]),
];

/// Members, fields and elements: few, so that the same come again.
const MEMBERS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"f",
    b"g",
    b"h",
    b"0",
    b"1",
    b"2",
    b"3",
    b"10",
    b"-5",
    b"100000",
    b"5000000000",
    b"",
    b"07",
    b"Palermo",
    b"\x00\xff",
    b"a-member-of-more-than-sixty-four-bytes-which-no-packed-block-takes-as-it-is",
];

const STREAM_IDS: &[&str] = &[
    "1-1",
    "1-2",
    "2-1",
    "2-2",
    "3-0",
    "3-3",
    "5-5",
    "7-1",
    "10-0",
    "1",
    "2",
    "5",
    "20",
    "0-0",
    "0-1",
    "0",
    "$",
    "-",
    "+",
    ">",
    "(1-1",
    "(3",
    "18446744073709551615-18446744073709551615",
    "18446744073709551615",
    "1-*",
    "30-*",
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
    "1e4900",
    "-1e4932",
    "1e-4900",
    "0x1p4",
    "-0",
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
    /// A key for a command of `group`.
    pub fn key(&self, group: Group, choices: &mut Choices<'_>) -> Vec<u8> {
        let typed = TYPED_KEYS.iter().find(|(of, _)| *of == group);
        if let Some((_, keys)) = typed
            && !choices.one_in(16)
        {
            return choices.pick(keys).to_vec();
        }
        // What works on any type, and now and then what does not.
        if typed.is_some() || group == Group::Generic && choices.one_in(2) {
            let (_, keys) = choices.pick(TYPED_KEYS);
            return choices.pick(keys).to_vec();
        }
        // Half of all on three keys.
        let few = choices.one_in(2);
        choices.pick(if few { &KEYS[..3] } else { KEYS }).to_vec()
    }

    /// A value for the argument called `name`.
    pub fn named(&self, name: &str, choices: &mut Choices<'_>) -> Vec<u8> {
        let is = |names: &[&str]| names.contains(&name);
        if is(&["member", "member1", "member2", "element", "field", "pivot"]) && !choices.one_in(8)
        {
            return choices.pick(MEMBERS).to_vec();
        }
        if is(&["id", "start", "end", "lastid", "last-id"]) && !choices.one_in(4) {
            return choices.pick(STREAM_IDS).as_bytes().to_vec();
        }
        if is(&["group", "consumer", "newkey", "groupname"]) && !choices.one_in(16) {
            return choices.pick(&[&b"g"[..], b"g2", b"alice", b"bob"]).to_vec();
        }
        self.string(choices)
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
        let number = if is_vast(name, number) { 7 } else { number };
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
        if choices.one_in(2) {
            return choices.pick(&INTEGERS[..10]).to_string().into_bytes();
        }
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
            3 => self.key(Group::Generic, choices),
            4 => self.double(choices),
            _ => self.string(choices),
        }
    }
}

/// Whether a server takes this number as it is, and makes a value or a reply of gigabytes of it:
/// SETBIT of a far bit, a billion members at random.
fn is_vast(name: &str, number: i64) -> bool {
    match name {
        "offset" => (1 << 20..=i64::from(u32::MAX)).contains(&number),
        "count" => (i64::MIN + 1..-10_000).contains(&number),
        _ => false,
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
