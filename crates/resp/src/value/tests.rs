//! Replies read back, and printed as redis-cli prints them (8.0.2, to a terminal), attributes apart.

use super::*;
use crate::{Protocol, Reply};

/// The one reply that `bytes` are; every shorter piece must be incomplete.
#[track_caller]
fn parse(bytes: &[u8]) -> Value {
    for end in 0..bytes.len() {
        assert_eq!(parse_reply(&bytes[..end]), Ok(None), "{}", bytes[..end].escape_ascii());
    }
    let (value, size) = parse_reply(bytes).expect("sound").expect("complete");
    assert_eq!(size, bytes.len());
    value
}

/// The reply as it is printed.
#[track_caller]
fn check(bytes: &[u8], printed: &str) {
    assert_eq!(parse(bytes).cli(), printed);
}

fn bulk(text: &str) -> Value {
    Value::Bulk(text.as_bytes().to_vec())
}

#[test]
fn each_type() {
    use Value::*;
    assert_eq!(parse(b"+OK\r\n"), Simple(b"OK".to_vec()));
    assert_eq!(parse(b"-ERR x\r\n"), Error(b"ERR x".to_vec()));
    assert_eq!(parse(b"!5\r\nERR\r\n\r\n"), Error(b"ERR\r\n".to_vec()));
    assert_eq!(parse(b":-12\r\n"), Integer(-12));
    assert_eq!(parse(b":9223372036854775808\r\n"), Unsigned(1 << 63));
    assert_eq!(parse(b"$3\r\na\r\n\r\n"), Bulk(b"a\r\n".to_vec()));
    assert_eq!(parse(b"$-1\r\n"), Null);
    assert_eq!(parse(b"_\r\n"), Null);
    assert_eq!(parse(b"*-1\r\n"), NullArray);
    assert_eq!(parse(b"#t\r\n"), Boolean(true));
    assert_eq!(parse(b"#f\r\n"), Boolean(false));
    assert_eq!(parse(b"(-123456789012345678901\r\n"), BigNumber(b"-123456789012345678901".into()));
    assert_eq!(parse(b"=7\r\ntxt:abc\r\n"), Verbatim(*b"txt", b"abc".to_vec()));
    assert_eq!(parse(b"*2\r\n:1\r\n*0\r\n"), Array(vec![Integer(1), Array(vec![])]));
    assert_eq!(parse(b"~1\r\n$1\r\na\r\n"), Set(vec![bulk("a")]));
    assert_eq!(parse(b">1\r\n$1\r\na\r\n"), Push(vec![bulk("a")]));
    assert_eq!(parse(b"%1\r\n$1\r\na\r\n:1\r\n"), Map(vec![(bulk("a"), Integer(1))]));
    let attribute = parse(b"|1\r\n$1\r\na\r\n:1\r\n+OK\r\n");
    assert_eq!(attribute, Attribute(vec![(bulk("a"), Integer(1))], Box::new(Simple(b"OK".into()))));
    for (text, number) in [("3.25", 3.25), ("inf", f64::INFINITY), ("-inf", f64::NEG_INFINITY)] {
        assert_eq!(parse(format!(",{text}\r\n").as_bytes()).as_f64(), Some(number));
    }
    assert!(parse(b",nan\r\n").as_f64().is_some_and(f64::is_nan));
    assert_eq!(
        (bulk("7").as_f64(), Integer(7).as_f64(), Null.as_f64()),
        (Some(7.0), Some(7.0), None)
    );
    assert_eq!((bulk("7").as_bytes(), Null.as_bytes()), (Some(&b"7"[..]), None));
    assert!(parse(b"-ERR x\r\n").is_error() && !Null.is_error());
}

#[test]
fn malformed() {
    for (bytes, error) in [
        (&b"x\r\n"[..], ReplyError::UnknownType(b'x')),
        (b"*1\r\n\xff\r\n", ReplyError::UnknownType(255)),
        (b":\r\n", ReplyError::Malformed),
        (b":01\r\n", ReplyError::Malformed),
        (b":1\n", ReplyError::Malformed),
        (b":1\rx", ReplyError::Malformed),
        (b"$?\r\n", ReplyError::Malformed),
        (b"*?\r\n", ReplyError::Malformed),
        (b"$-2\r\n", ReplyError::Malformed),
        (b"$1\r\nabc", ReplyError::Malformed),
        (b"!-1\r\n", ReplyError::Malformed),
        (b"=3\r\nabc\r\n", ReplyError::Malformed),
        (b"=4\r\ntxta\r\n", ReplyError::Malformed),
        (b"%-1\r\n", ReplyError::Malformed),
        (b"#x\r\n", ReplyError::Malformed),
        (b"#1\r\n", ReplyError::Malformed),
        (b"_1\r\n", ReplyError::Malformed),
        (b",1.x\r\n", ReplyError::Malformed),
        (b"(\r\n", ReplyError::Malformed),
        (b"(1a\r\n", ReplyError::Malformed),
    ] {
        assert_eq!(parse_reply(bytes), Err(error), "{}", bytes.escape_ascii());
    }
}

#[test]
fn bounds() {
    let nested = |depth| [b"*1\r\n".repeat(depth), b":1\r\n".to_vec()].concat();
    assert!(matches!(parse_reply(&nested(DEPTH_MAX)), Ok(Some(_))));
    assert_eq!(parse_reply(&nested(DEPTH_MAX + 1)), Err(ReplyError::TooDeep));
    assert_eq!(parse_reply(&b"|0\r\n".repeat(1000)), Err(ReplyError::TooDeep));
    // What is announced is not reserved.
    assert_eq!(parse_reply(b"*9223372036854775807\r\n:1\r\n"), Ok(None));
    assert_eq!(parse_reply(b"%18446744073709551615\r\n"), Ok(None));
    assert_eq!(parse_reply(b"$18446744073709551615\r\n"), Ok(None));
}

#[test]
fn printed_scalars() {
    check(b"$11\r\nHello World\r\n", r#""Hello World""#);
    check(b"$7\r\na\"\\\n\x07\x00\xff\r\n", r#""a\"\\\n\a\x00\xff""#);
    check(b":12345\r\n", "(integer) 12345");
    check(b",3.141\r\n", "(double) 3.141");
    check(b",-inf\r\n", "(double) -inf");
    check(b"_\r\n", "(nil)");
    check(b"*-1\r\n", "(nil)");
    check(b"#t\r\n", "(true)");
    check(b"#f\r\n", "(false)");
    check(b"+OK\r\n", "OK");
    check(b"-ERR no\r\n", "(error) ERR no");
    check(b"=29\r\ntxt:This is a verbatim\nstring\r\n", "This is a verbatim\nstring");
    check(b"*0\r\n", "(empty array)");
    check(b"%0\r\n", "(empty hash)");
    check(b"~0\r\n", "(empty set)");
    check(b">0\r\n", "(empty push)");
    check(b"|1\r\n+a\r\n+b\r\n+c\r\n", "c");
}

#[test]
fn printed_aggregates() {
    check(b"*2\r\n:0\r\n:1\r\n", "1) (integer) 0\n2) (integer) 1");
    check(b"~2\r\n:0\r\n:1\r\n", "1~ (integer) 0\n2~ (integer) 1");
    check(b"%2\r\n:0\r\n#f\r\n:1\r\n#t\r\n", "1# (integer) 0 => (false)\n2# (integer) 1 => (true)");
    check(
        b"*4\r\n:1\r\n*3\r\n:2\r\n:3\r\n*0\r\n*1\r\n*1\r\n:4\r\n*2\r\n$1\r\na\r\n*1\r\n:5\r\n",
        "1) (integer) 1\n\
         2) 1) (integer) 2\n   2) (integer) 3\n   3) (empty array)\n\
         3) 1) 1) (integer) 4\n\
         4) 1) \"a\"\n   2) 1) (integer) 5",
    );
    // XREAD: a pair whose value takes several lines.
    check(
        b"%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        "1# \"s\" => \n   1) 1) \"1-1\"\n      2) 1) \"a\"\n         2) \"b\"",
    );
    // Ten elements make room for two digits.
    let mut reply = Reply::new(Protocol::Resp3);
    reply.map(10);
    for index in 0..10 {
        reply.bulk(b"k");
        if index == 9 {
            reply.array(2);
            reply.integer(1);
        }
        reply.integer(2);
    }
    let printed = parse(&reply.out.to_vec()).cli();
    assert!(printed.starts_with(" 1# \"k\" => (integer) 2\n 2# "));
    assert!(printed.ends_with("\n10# \"k\" => \n    1) (integer) 1\n    2) (integer) 2"));
}

/// A value that was read and written again is the same value.
#[test]
fn values_are_written_back() {
    let bytes =
        b"*10\r\n+OK\r\n-ERR x\r\n:1\r\n$1\r\na\r\n_\r\n,1.5\r\n(12\r\n#t\r\n=5\r\ntxt:a\r\n\
        %1\r\n~1\r\n:1\r\n>1\r\n:2\r\n";
    let value = parse(bytes);
    let mut reply = Reply::new(Protocol::Resp3);
    reply.value(&value);
    assert_eq!(reply.out.to_vec(), bytes);
    let mut reply = Reply::new(Protocol::Resp2);
    reply.value(&Value::Attribute(vec![(Value::Null, Value::Null)], Box::new(value)));
    reply.value(&Value::NullArray);
    assert_eq!(
        reply.out.to_vec().escape_ascii().to_string(),
        b"*10\r\n+OK\r\n-ERR x\r\n:1\r\n$1\r\na\r\n$-1\r\n$3\r\n1.5\r\n$2\r\n12\r\n:1\r\n$1\r\na\r\n\
        *2\r\n*1\r\n:1\r\n*1\r\n:2\r\n*-1\r\n"
            .escape_ascii()
            .to_string()
    );
}
