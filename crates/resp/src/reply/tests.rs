//! The bytes of each word in both versions. Where Redis has the same reply, these are its bytes
//! (`DEBUG PROTOCOL` and others of 8.0.2).

use super::*;
use crate::parse_reply;
use stdx::Rng;

fn write(protocol: Protocol, words: impl Fn(&mut Reply)) -> String {
    let mut reply = Reply::new(protocol);
    words(&mut reply);
    reply.out.to_vec().escape_ascii().to_string()
}

/// The bytes of `words` in RESP2 and RESP3.
#[track_caller]
fn check(words: impl Fn(&mut Reply), resp2: &[u8], resp3: &[u8]) {
    assert_eq!(write(Protocol::Resp2, &words), resp2.escape_ascii().to_string());
    assert_eq!(write(Protocol::Resp3, &words), resp3.escape_ascii().to_string());
}

#[track_caller]
fn same(words: impl Fn(&mut Reply), bytes: &[u8]) {
    check(words, bytes, bytes);
}

#[test]
fn words_that_are_the_same_in_both_versions() {
    same(Reply::ok, b"+OK\r\n");
    same(|reply| reply.simple("QUEUED"), b"+QUEUED\r\n");
    same(|reply| reply.error("ERR no"), b"-ERR no\r\n");
    same(|reply| reply.error(b"ERR \xff"), b"-ERR \xff\r\n");
    same(|reply| reply.bulk(b""), b"$0\r\n\r\n");
    same(|reply| reply.bulk(b"Hello World"), b"$11\r\nHello World\r\n");
    same(|reply| reply.bulk_or_null(Some(b"a\r\n")), b"$3\r\na\r\n\r\n");
    for rest in [&b""[..], &[b'.'; 40]] {
        let (hello, world) = ([&b"Hello"[..], rest].concat(), [&b"World"[..], rest].concat());
        same(|reply| reply.bulk_from(&hello, 5), b"$5\r\nHello\r\n");
        same(|reply| reply.bulk_joined([&hello, &world], [4, 5]), b"$9\r\nHellWorld\r\n");
    }
    same(|reply| reply.array(3), b"*3\r\n");
    same(|reply| reply.array(0), b"*0\r\n");
    same(|reply| reply.count(1234), b":1234\r\n");
    same(|reply| reply.bulk_shared(&Arc::new(b"abc".to_vec())), b"$3\r\nabc\r\n");
}

#[test]
fn integers() {
    for value in [0, 1, 9, 10, 99, 100, 999, 1000, 12_345, i64::MAX, -1, -2, -3, -10, i64::MIN] {
        same(|reply| reply.integer(value), format!(":{value}\r\n").as_bytes());
        let text = value.to_string();
        let bulk = format!("${}\r\n{text}\r\n", text.len());
        same(|reply| reply.bulk_integer(value), bulk.as_bytes());
    }
    for len in [0_usize, 5, 9, 10, 42, 99, 100, 101, 999, 1000, 70_000] {
        let text = vec![b'x'; len];
        let expected = [format!("${len}\r\n").as_bytes(), &*text, b"\r\n"].concat();
        same(|reply| reply.bulk(&text), &expected);
    }
}

#[test]
fn words_that_differ() {
    check(Reply::null, b"$-1\r\n", b"_\r\n");
    check(|reply| reply.bulk_or_null(None), b"$-1\r\n", b"_\r\n");
    check(Reply::null_array, b"*-1\r\n", b"_\r\n");
    check(|reply| reply.map(3), b"*6\r\n", b"%3\r\n");
    check(|reply| reply.map(5), b"*10\r\n", b"%5\r\n");
    check(|reply| reply.set(3), b"*3\r\n", b"~3\r\n");
    check(|reply| reply.push(3), b"*3\r\n", b">3\r\n");
    check(|reply| reply.boolean(true), b":1\r\n", b"#t\r\n");
    check(|reply| reply.boolean(false), b":0\r\n", b"#f\r\n");
    let digits = b"1234567999999999999999999999999999999";
    check(
        |reply| reply.big_number(digits),
        b"$37\r\n1234567999999999999999999999999999999\r\n",
        b"(1234567999999999999999999999999999999\r\n",
    );
    check(
        |reply| reply.verbatim(*b"txt", b"This is a verbatim\nstring"),
        b"$25\r\nThis is a verbatim\nstring\r\n",
        b"=29\r\ntxt:This is a verbatim\nstring\r\n",
    );
    check(
        |reply| {
            reply.attribute(1, |reply| {
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            });
            reply.bulk(b"real");
        },
        b"$4\r\nreal\r\n",
        b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n$4\r\nreal\r\n",
    );
}

#[test]
fn doubles() {
    for (value, text) in [
        (3.25, "3.25"),
        (0.0, "0"),
        (-0.0, "-0"),
        (3.0, "3"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (1e21, "1e+21"),
        (1e300, "1e+300"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (123_456_789.125, "123456789.125"),
        (-1.25e-300, "-1.25e-300"),
    ] {
        let resp2 = format!("${}\r\n{text}\r\n", text.len());
        let resp3 = format!(",{text}\r\n");
        check(|reply| reply.double(value), resp2.as_bytes(), resp3.as_bytes());
        let fixed = |reply: &mut Reply| reply.double_text(text.as_bytes());
        check(fixed, resp2.as_bytes(), resp3.as_bytes());
    }
}

#[test]
fn lines_cannot_be_broken_up() {
    same(|reply| reply.error("ERR a\r\n+OK\r\nb"), b"-ERR a  +OK  b\r\n");
    same(|reply| reply.error("\r\nERR a\n\r\n"), b"-ERR a\r\n");
    same(|reply| reply.error("\r\n\r"), b"-\r\n");
    same(|reply| reply.simple("a\rb\n"), b"+a b\r\n");
    check(|reply| reply.big_number(b"1\r\n2"), b"$4\r\n1\r\n2\r\n", b"(1  2\r\n");
    check(|reply| reply.double_text(b"1\n"), b"$2\r\n1\n\r\n", b",1\r\n");
}

#[test]
fn lengths_told_later() {
    for len in [0_usize, 1, 9, 10, 11, 99, 100, 12_345, 100_000] {
        let items = |reply: &mut Reply, len: usize| (0..len).for_each(|_| reply.bulk(b"x"));
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let deferred = write(protocol, |reply| {
                reply.ok();
                let outer = reply.map_deferred();
                reply.bulk(b"k");
                let inner = reply.set_deferred();
                items(reply, len);
                reply.set_len(inner, len);
                for _ in 1..len.max(1) {
                    reply.bulk(b"k");
                    reply.null();
                }
                reply.set_len(outer, len.max(1));
                let array = reply.array_deferred();
                items(reply, len);
                reply.set_len(array, len);
                let push = reply.push_deferred();
                items(reply, len);
                reply.set_len(push, len);
                reply.ok();
            });
            let known = write(protocol, |reply| {
                reply.ok();
                reply.map(len.max(1));
                reply.bulk(b"k");
                reply.set(len);
                items(reply, len);
                for _ in 1..len.max(1) {
                    reply.bulk(b"k");
                    reply.null();
                }
                reply.array(len);
                items(reply, len);
                reply.push(len);
                items(reply, len);
                reply.ok();
            });
            assert!(deferred == known, "{len} {protocol:?}");
        }
    }
}

#[test]
fn large_values_are_shared() {
    let large = Arc::new(vec![b'x'; 100_000]);
    let mut reply = Reply::default();
    let array = reply.array_deferred();
    for _ in 0..20 {
        reply.bulk_shared(&large);
        reply.bulk_chunk(Chunk::new(Arc::clone(&large)).part(5, 20_000));
    }
    reply.set_len(array, 40);
    assert_eq!(Arc::strong_count(&large), 41);
    assert!(reply.out.bytes.capacity() < 2000);
    let mut copied = Reply::default();
    copied.array(40);
    for _ in 0..20 {
        copied.bulk(&large);
        copied.bulk(&large[..20_000]);
    }
    assert!(reply.out.to_vec() == copied.out.to_vec());
}

#[test]
fn a_failed_command_leaves_only_its_error() {
    let large = Arc::new(vec![b'x'; 100_000]);
    let mut reply = Reply::default();
    reply.bulk_shared(&large);
    reply.ok();
    let before = reply.out.to_vec();
    let mark = reply.mark();
    reply.array(2);
    reply.bulk_shared(&large);
    assert!(reply.out.since(mark).is_none());
    reply.truncate(mark);
    assert!(reply.out.to_vec() == before);
    reply.error("ERR late");
    assert_eq!(reply.out.since(mark), Some(&b"-ERR late\r\n"[..]));
    assert_eq!(Arc::strong_count(&large), 2);
}

/// N random words parse back to N replies: no argument can make a reply of its own.
#[test]
fn replies_parse_back() {
    for seed in 0..500 {
        let mut rng = Rng::new(seed);
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let mut reply = Reply::new(protocol);
            let count = 1 + rng.below(20);
            for _ in 0..count {
                random_word(&mut rng, &mut reply);
            }
            let bytes = reply.out.to_vec();
            let mut rest = &*bytes;
            let mut parsed = 0;
            while let Some((_, size)) = parse_reply(rest).expect("sound") {
                rest = &rest[size..];
                parsed += 1;
            }
            assert_eq!((parsed, rest), (count, &b""[..]), "seed {seed}");
        }
    }
}

fn random_word(rng: &mut Rng, reply: &mut Reply) {
    const BYTES: &[u8] = b"a\r\n+$:\xff";
    let text: Vec<u8> = (0..rng.below(12)).map(|_| BYTES[rng.index(BYTES.len())]).collect();
    match rng.below(16) {
        0 => reply.ok(),
        1 => reply.simple(&text),
        2 => reply.error(&text),
        3 => reply.integer(rng.below(u64::MAX) as i64),
        4 => reply.bulk(&text),
        5 => reply.null(),
        6 => reply.null_array(),
        7 => reply.boolean(true),
        8 => reply.double(f64::from_bits(rng.below(u64::MAX))),
        9 => reply.verbatim(*b"txt", &text),
        10 => reply.big_number(b"123"),
        11 => reply.bulk_integer(rng.below(1000) as i64 - 500),
        12 => {
            let len = rng.below(15) as usize;
            let deferred = reply.array_deferred();
            (0..len).for_each(|_| random_word(rng, reply));
            reply.set_len(deferred, len);
        }
        13 => {
            reply.map(2);
            (0..4).for_each(|_| random_word(rng, reply));
        }
        14 => {
            reply.set(1);
            random_word(rng, reply);
        }
        _ => {
            reply.attribute(1, |reply| {
                reply.bulk(&text);
                reply.null();
            });
            reply.ok();
        }
    }
}
