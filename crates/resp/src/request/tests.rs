//! What is parsed, what is refused, and that neither depends on how the bytes arrive. The answers
//! in `FACTS` are those of Redis 8.0.2 and Valkey 8.1.1, which agreed on each.

use super::*;
use crate::Reply;
use stdx::Rng;

/// A connection: parses what each piece brings, keeps the part that is left over.
#[derive(Default)]
struct Connection {
    limits: Limits,
    requests_max: usize,
    requests: Requests,
    progress: Progress,
    pending: Vec<u8>,
    parsed: Vec<Vec<Vec<u8>>>,
    error: Option<ProtocolError>,
}

impl Connection {
    fn new(limits: Limits) -> Self {
        Self { limits, requests_max: 64, ..Self::default() }
    }

    fn receive(&mut self, piece: &[u8]) {
        let mut buf = std::mem::take(&mut self.pending);
        buf.extend_from_slice(piece);
        let mut at = 0;
        while self.error.is_none() {
            let rest = &buf[at..];
            let parsed =
                self.requests.parse(&mut self.progress, rest, &self.limits, self.requests_max);
            assert!(self.requests.len() <= self.requests_max);
            assert_eq!(self.requests.iter(rest).count(), self.requests.len());
            for request in self.requests.iter(rest) {
                assert!(!request.args.is_empty());
                self.parsed.push(request.args.iter().map(<[u8]>::to_vec).collect());
            }
            at += parsed.consumed;
            match parsed.stop {
                Stop::Drained => assert_eq!(at, buf.len()),
                Stop::Partial => assert!(at < buf.len() && !self.progress.is_idle()),
                Stop::Full => {
                    assert!(at < buf.len() && parsed.consumed > 0);
                    continue;
                }
                Stop::Error(error) => self.error = Some(error),
            }
            break;
        }
        self.pending = buf.split_off(at);
    }
}

type Outcome = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>, usize);

fn outcome<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut connection = Connection::new(limits);
    for piece in pieces {
        connection.receive(piece);
        if connection.error.is_some() {
            return (connection.parsed, connection.error, 0);
        }
    }
    (connection.parsed, None, connection.pending.len())
}

/// The requests in `script`, words joined by `|`, and the error's text, `...` if it is incomplete.
fn read(limits: Limits, script: &[u8]) -> String {
    let (requests, error, pending) = outcome(limits, [script]);
    let mut lines: Vec<String> =
        requests.iter().map(|words| words.join(&b'|').escape_ascii().to_string()).collect();
    match error {
        Some(error) => lines.push(format!("! {error}")),
        None if pending > 0 => lines.push("...".into()),
        None => {}
    }
    lines.join(" / ")
}

const UNAUTHENTICATED: Limits = Limits {
    authenticated: false,
    bulk_bytes_max: 512 << 20,
    inline_bytes_max: 64 << 10,
    inline: true,
};

/// Scripts and what all servers make of them.
const FACTS: &[(&[u8], &str)] = &[
    // Counts.
    (b"*x\r\n", "! Protocol error: invalid multibulk length"),
    (b"*\r\n", "! Protocol error: invalid multibulk length"),
    (b"*-0\r\n", "! Protocol error: invalid multibulk length"),
    (b"*+1\r\n$4\r\nPING\r\n", "! Protocol error: invalid multibulk length"),
    (b"*01\r\n$4\r\nPING\r\n", "! Protocol error: invalid multibulk length"),
    (b"* 1\r\n", "! Protocol error: invalid multibulk length"),
    (b"*1 \r\n", "! Protocol error: invalid multibulk length"),
    (b"*2147483648\r\n", "! Protocol error: invalid multibulk length"),
    (b"*-9223372036854775809\r\n", "! Protocol error: invalid multibulk length"),
    (b"*99999999999999999999999\r\n", "! Protocol error: invalid multibulk length"),
    (b"*2147483647\r\n", "..."),
    (b"*1048577\r\n", "..."),
    (b"*-1\r\nPING\r\n", "PING"),
    (b"*0\r\nPING\r\n", "PING"),
    (b"*-9223372036854775808\r\nPING\r\n", "PING"),
    // What stands where an argument should begin.
    (b"*1\r\nPING\r\n", "! Protocol error: expected '$', got 'P'"),
    (b"*1\r\n:1\r\n", "! Protocol error: expected '$', got ':'"),
    (b"*1\r\n\r\n", "! Protocol error: expected '$', got '\r'"),
    (b"*1\r\n\n\r\n", "! Protocol error: expected '$', got '\n'"),
    (b"*1\r\nPING", "..."),
    (b"*1\r\nPING\r", "..."),
    // Lengths.
    (b"*1\r\n$\r\n", "! Protocol error: invalid bulk length"),
    (b"*1\r\n$-1\r\n", "! Protocol error: invalid bulk length"),
    (b"*1\r\n$x\r\n", "! Protocol error: invalid bulk length"),
    (b"*1\r\n$4x\r\n", "! Protocol error: invalid bulk length"),
    (b"*1\r\n$04\r\nPING\r\n", "! Protocol error: invalid bulk length"),
    (b"*1\r\n$+4\r\nPING\r\n", "! Protocol error: invalid bulk length"),
    (b"*1\r\n$536870913\r\n", "! Protocol error: invalid bulk length"),
    (b"*1\r\n$99999999999999999999\r\n", "! Protocol error: invalid bulk length"),
    (b"*1\r\n$536870912\r\n", "..."),
    (b"*1\r\n$0\r\n\r\n", ""),
    (b"*2\r\n$0\r\n\r\n$0\r\n\r\nPING\r\n", "| / PING"),
    // Ends of lines are skipped, not read.
    (b"*1\rX$4\rYPINGZZPING\r\n", "PING / PING"),
    (b"*1\n$4\nPING\n", "..."),
    (b"*2\r\n$4\r\nECHO\r\n$3\r\nabXY\r\nPING\r\n", "ECHO|abX / PING"),
    // Lines of words.
    (b"PING\n", "PING"),
    (b"PING\r\n", "PING"),
    (b"PING", "..."),
    (b"\r\n\n \r\nPING\r\n", "PING"),
    (b"  \tPING  \r\n", "PING"),
    (b"SET  a\tb\r\n", "SET|a|b"),
    (b"ECHO \"a\\x41\\n\\t\\b\\a\\r\\q\\\"\"\r\n", "ECHO|aA\\n\\t\\x08\\x07\\rq\\\""),
    (b"ECHO 'a\\'b\\n'\r\n", "ECHO|a\\'b\\\\n"),
    (b"ECHO a\"b c\"\r\n", "ECHO|ab c"),
    (b"ECHO a'b c'\r\n", "ECHO|ab c"),
    (b"ECHO \"a\"\x0b\r\n", "ECHO|a"),
    (b"ECHO \"\"\r\n", "ECHO|"),
    (b"ECHO a\\b\r\n", "ECHO|a\\\\b"),
    (b"ECHO \"\\x4\"\r\n", "ECHO|x4"),
    (b"ECHO a\x0bb\r\n", "ECHO|a\\x0bb"),
    (b"\x0bECHO\x0c a\r\n", "ECHO\\x0c|a"),
    (b"ECHO a\rb\r\n", "ECHO|a|b"),
    (b"ECHO \"a\"b\r\n", "! Protocol error: unbalanced quotes in request"),
    (b"ECHO \"a\r\n", "! Protocol error: unbalanced quotes in request"),
    (b"ECHO 'a\r\n", "! Protocol error: unbalanced quotes in request"),
    (b"ECHO \"a\\\r\n", "! Protocol error: unbalanced quotes in request"),
    (b"ECHO '\\'\r\n", "! Protocol error: unbalanced quotes in request"),
    (b"PI\0NG\r\nPING\r\n", "..."),
    (
        b"ECHO \"a b\"\r\nECHO 'c'\r\nECHO d\r\n*1\r\n$4\r\nPING\r\n",
        "ECHO|a b / ECHO|c / ECHO|d / PING",
    ),
    // What comes before an error is good.
    (b"PING\r\n*1\r\n+\r\nPING\r\n", "PING / ! Protocol error: expected '$', got '+'"),
    (
        b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$x\r\n",
        "PING / ! Protocol error: invalid bulk length",
    ),
    // Three, four and more digits.
    (b"*100\r\n", "..."),
    (b"*1000\r\n", "..."),
    (b"*1000x\r\n", "! Protocol error: invalid multibulk length"),
];

/// A NUL in a header: as Valkey. Redis takes it for the end of what has arrived and waits.
const NUL: &[(&[u8], &str)] = &[
    (b"*\x001\r\n", "! Protocol error: invalid multibulk length"),
    (b"*1\r\n$\x004\r\n", "! Protocol error: invalid bulk length"),
    (b"*1\r\n\0\r\n", "! Protocol error: expected '$', got '\0'"),
];

/// Other protocols. Servers that we replace close for POST and `Host:` only, later or never for the
/// rest, which they answer with errors line by line.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"POST / HTTP/1.1\r\nHost: x\r\n", "! not RESP but HTTP"),
    (b"post x\r\n", "! not RESP but HTTP"),
    (b"Host: x\r\nPING\r\n", "! not RESP but HTTP"),
    (b"PING\r\nhost: x\r\n", "PING / ! not RESP but HTTP"),
    (b"PUT / HTTP/1.1\r\n", "! not RESP but HTTP"),
    (b"OPTIONS * HTTP/1.1\r\n", "! not RESP but HTTP"),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "! not RESP but HTTP"),
    (b"DELETE /a HTTP/2\r\n", "! not RESP but HTTP"),
    (b"GET foo\r\nHost: x\r\n", "GET|foo / ! not RESP but HTTP"),
    (b"GET HTTP/1.1\r\n", "GET|HTTP/1.1"),
    (b"SET foo HTTP/1.1\r\n", "SET|foo|HTTP/1.1"),
    (b"MGET foo HTTP/1.1\r\n", "MGET|foo|HTTP/1.1"),
    (b"*1\r\n$4\r\nPOST\r\n", "POST"),
    (b"\x16\x03\x01\x02\0\x01", "! not RESP but TLS"),
    (b"\x16", "..."),
    (b"\x16\n", "\\x16"),
    (b"SSH-2.0-x\r\n", "! not RESP but SSH"),
    (b"SSH\r\n", "SSH"),
];

#[test]
fn facts() {
    for (script, expected) in FACTS.iter().chain(NUL).chain(FOREIGN) {
        assert_eq!(read(Limits::default(), script), *expected, "{}", script.escape_ascii());
    }
}

#[test]
fn errors_are_answered_on_one_line() {
    let answer = |script: &[u8]| {
        let error = outcome(Limits::default(), [script]).1.unwrap();
        let mut reply = Reply::default();
        reply.protocol_error(&error);
        reply.out.to_vec()
    };
    assert_eq!(answer(b"*1\r\n\r\n"), b"-ERR Protocol error: expected '$', got ' '\r\n");
    assert_eq!(answer(b"*1\r\n\n\r\n"), b"-ERR Protocol error: expected '$', got ' '\r\n");
    assert_eq!(answer(b"*1\r\n\xff\r\n"), b"-ERR Protocol error: expected '$', got '\xff'\r\n");
    assert_eq!(answer(b"*x\r\n"), b"-ERR Protocol error: invalid multibulk length\r\n");
    assert_eq!(answer(b"POST /\r\n"), b"");
}

#[test]
fn limits_before_authentication() {
    for (script, expected) in [
        (&b"*11\r\n"[..], "! Protocol error: unauthenticated multibulk length"),
        (b"*1048577\r\n", "! Protocol error: unauthenticated multibulk length"),
        (b"*2147483648\r\n", "! Protocol error: invalid multibulk length"),
        (b"*10\r\n", "..."),
        (b"*-1\r\n*1\r\n$4\r\nPING\r\n", "PING"),
        (b"*1\r\n$16385\r\n", "! Protocol error: unauthenticated bulk length"),
        (b"*1\r\n$536870912\r\n", "! Protocol error: unauthenticated bulk length"),
        (b"*1\r\n$536870913\r\n", "! Protocol error: invalid bulk length"),
        (b"*1\r\n$16384\r\n", "..."),
        (b"PING a b c d e f g h i j k\r\n", "PING|a|b|c|d|e|f|g|h|i|j|k"),
    ] {
        assert_eq!(read(UNAUTHENTICATED, script), expected, "{}", script.escape_ascii());
    }
    // One request at a time: it may be an AUTH.
    let mut requests = Requests::new();
    let mut progress = Progress::default();
    let script = b"AUTH x\r\n*12\r\n";
    let parsed = requests.parse(&mut progress, script, &UNAUTHENTICATED, 64);
    assert_eq!((requests.len(), parsed), (1, Parsed { consumed: 8, stop: Stop::Full }));
    let parsed = requests.parse(&mut progress, &script[8..], &Limits::default(), 64);
    assert_eq!(parsed, Parsed { consumed: 0, stop: Stop::Partial });
}

#[test]
fn lines_at_the_edge() {
    let limits = Limits::default();
    let max = limits.inline_bytes_max;
    let case = |start: &[u8], fill: u8, len: usize, end: &[u8]| {
        let mut script = start.to_vec();
        script.resize(start.len() + len, fill);
        script.extend_from_slice(end);
        let whole = read(limits, &script);
        let (requests, error, pending) = outcome(limits, script.chunks(16 * 1024));
        assert_eq!(error.is_some(), whole.contains('!'));
        assert_eq!(pending > 0, whole == "...");
        assert_eq!(requests.is_empty(), error.is_some() || pending > 0);
        if requests.is_empty() { whole } else { "read".into() }
    };
    assert_eq!(case(b"", b'A', max, b""), "...");
    assert_eq!(case(b"", b'A', max + 1, b""), "! Protocol error: too big inline request");
    assert_eq!(case(b"", b'A', max, b"\n"), "read");
    assert_eq!(case(b"", b'A', max - 1, b"\r\n"), "read");
    assert_eq!(case(b"", b'A', max + 1, b"\n"), "! Protocol error: too big inline request");
    assert_eq!(
        case(b"A\0", b'A', max - 2, b"\nPING\r\n"),
        "! Protocol error: too big inline request"
    );
    assert_eq!(case(b"*", b'1', max - 1, b""), "...");
    assert_eq!(case(b"*", b'1', max, b""), "! Protocol error: too big mbulk count string");
    assert_eq!(case(b"*", b'1', max - 1, b"\r\n"), "! Protocol error: invalid multibulk length");
    assert_eq!(case(b"*1\r\n$", b'1', max - 1, b""), "...");
    assert_eq!(case(b"*1\r\n$", b'1', max, b""), "! Protocol error: too big bulk count string");
    assert_eq!(case(b"*1\r\n", b'x', max + 1, b""), "! Protocol error: too big bulk count string");
    assert_eq!(case(b"*1\r\n", b'x', max, b"\r\n"), "! Protocol error: expected '$', got 'x'");
}

#[test]
fn bulks_at_the_edge() {
    for max in [0, 5, 10, 1000, 20_000] {
        let limits = Limits { bulk_bytes_max: max, ..Limits::default() };
        for len in [max.saturating_sub(1), max, max + 1] {
            let arg = vec![b'x'; usize::try_from(len).unwrap()];
            let mut script = Vec::new();
            write_command(&mut script, &[&arg, b""]);
            let expected = if len > max { "! Protocol error: invalid bulk length" } else { "|" };
            assert!(read(limits, &script).ends_with(expected), "{len} of {max}");
        }
    }
    // Nothing beyond 4 GB, whatever the setting.
    let limits = Limits { bulk_bytes_max: u64::MAX, ..Limits::default() };
    let invalid = "! Protocol error: invalid bulk length";
    assert_eq!(read(limits, b"*1\r\n$4294967200\r\n"), "...");
    assert_eq!(read(limits, b"*1\r\n$4294967295\r\n"), invalid);
    assert_eq!(read(limits, b"*1\r\n$4294967296\r\n"), invalid);
    assert_eq!(read(limits, b"*1\r\n$18446744073709551615\r\n"), invalid);
}

#[test]
fn inline_turned_off() {
    let limits = Limits { inline: false, ..Limits::default() };
    let refused = "! Protocol error: inline requests are turned off";
    assert!(read(limits, b"*1\r\n$4\r\nPING\r\nPING\r\n").ends_with(refused));
    // An empty line is no request.
    assert!(!read(limits, b"\r\n*1\r\n$4\r\nPING\r\n").contains('!'));
}

/// A command of random words, some of them long, all of them binary.
fn random_command(rng: &mut Rng) -> Vec<Vec<u8>> {
    const BYTES: &[u8] = b"\r\n$*0129 \"'\\\0\xffab";
    let count_max = if rng.below(20) == 0 { 300 } else { 6 };
    let count = 1 + rng.below(count_max);
    let word = |rng: &mut Rng| {
        let len = match rng.below(12) {
            0 => rng.below(3000),
            1 => rng.below(200),
            _ => rng.below(20),
        };
        (0..len).map(|_| BYTES[rng.index(BYTES.len())]).collect()
    };
    (0..count).map(|_| word(rng)).collect()
}

fn encode(commands: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut script = Vec::new();
    for command in commands {
        let words: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        write_command(&mut script, &words);
    }
    script
}

#[test]
fn what_is_encoded_is_parsed_back() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let commands: Vec<_> = (0..rng.below(30)).map(|_| random_command(&mut rng)).collect();
        let script = encode(&commands);
        let expected = (commands, None, 0);
        assert_eq!(outcome(Limits::default(), [&*script]), expected, "seed {seed}");
        let mut rest = &*script;
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(rest.len().min(1 + rng.below(500) as usize));
            pieces.push(piece);
            rest = tail;
        }
        assert_eq!(outcome(Limits::default(), pieces), expected, "seed {seed}, in pieces");
    }
}

#[test]
fn cuts_change_nothing() {
    let mut rng = Rng::new(7);
    let mut all = Vec::new();
    for (script, _) in FACTS.iter().chain(NUL).chain(FOREIGN) {
        for limits in [Limits::default(), UNAUTHENTICATED] {
            let whole = outcome(limits, [*script]);
            for cut in 0..=script.len() {
                let (head, tail) = script.split_at(cut);
                assert_eq!(outcome(limits, [head, tail]), whole, "{}", script.escape_ascii());
            }
            assert_eq!(outcome(limits, script.chunks(1)), whole, "{}", script.escape_ascii());
        }
        if !read(Limits::default(), script).contains(['!', '.']) {
            all.extend_from_slice(script);
        }
    }
    all.extend(encode(&[random_command(&mut rng), random_command(&mut rng)]));
    all.extend_from_slice(b"*1\r\n$4\r\nPINGxx*1\r\n+\r\n");
    let whole = outcome(Limits::default(), [&*all]);
    assert!(whole.0.len() > 20 && whole.1 == Some(ProtocolError::ExpectedDollar(b'+')));
    for size in 1..=all.len() {
        assert_eq!(outcome(Limits::default(), all.chunks(size)), whole, "pieces of {size}");
    }
}

#[test]
fn a_long_pipeline() {
    const COUNT: usize = 100_000;
    let mut script = Vec::new();
    for index in 0..COUNT {
        write_command(&mut script, &[b"SET", format!("key:{index}").as_bytes(), b"v"]);
    }
    for size in [script.len(), 64 * 1024, 1000] {
        let (requests, error, pending) = outcome(Limits::default(), script.chunks(size));
        assert_eq!((requests.len(), error, pending), (COUNT, None, 0));
        assert_eq!(requests[COUNT - 1][1], format!("key:{}", COUNT - 1).as_bytes());
    }
}

#[test]
fn a_batch_is_bounded() {
    let mut requests = Requests::new();
    let mut progress = Progress::default();
    let script = b"PING\r\n".repeat(10);
    for max in 0..12 {
        let parsed = requests.parse(&mut progress, &script, &Limits::default(), max);
        let expected = max.clamp(1, 10);
        assert_eq!((requests.len(), parsed.consumed), (expected, expected * 6));
        assert_eq!(parsed.stop, if max < 10 { Stop::Full } else { Stop::Drained });
    }
    // Many arguments end it sooner.
    let words = vec![&b"x"[..]; 3000];
    let mut script = Vec::new();
    (0..10).for_each(|_| write_command(&mut script, &words));
    let parsed = requests.parse(&mut progress, &script, &Limits::default(), 64);
    assert_eq!((requests.len(), parsed.stop), (2, Stop::Full));
    assert_eq!(requests.get(1, &script).unwrap().args.len(), 3000);
    assert_eq!(requests.get(1, &script).unwrap().bytes * 2, parsed.consumed);
    assert!(requests.get(2, &script).is_none());
}

#[test]
fn what_is_announced_takes_no_memory() {
    assert_eq!(size_of::<Progress>(), 8);
    for script in [&b"*2147483647\r\n$536870912\r\n"[..], b"*2147483647\r\n"] {
        let mut connection = Connection::new(Limits::default());
        connection.receive(script);
        assert!(connection.progress.heap_bytes() < 128);
        assert!(connection.requests.args.capacity() < 64);
        assert!(connection.progress.room(16 * 1024) < 17 * 1024);
    }
    let mut connection = Connection::new(Limits::default());
    connection.receive(b"*1\r\n$536870912\r\nabc");
    assert_eq!(connection.progress.wanted(), Some((512 << 20) + 2 - 3));
    connection.receive(&vec![0; 100_000]);
    assert_eq!(connection.progress.wanted(), Some((512 << 20) + 2 - 100_003));
    assert_eq!(connection.progress.room(16 * 1024), 100_019 + 16 * 1024);
    assert_eq!(Progress::default().wanted(), None);
    assert_eq!(Progress::default().room(1024), 1024);
}

#[test]
fn a_connection_does_not_keep_the_scratch() {
    let mut connection = Connection::new(Limits::default());
    let words = vec![&b"x"[..]; 4000];
    let mut script = Vec::new();
    write_command(&mut script, &words);
    connection.receive(&script);
    assert!(connection.requests.args.capacity() >= 4000);
    connection.receive(b"*2\r\n$1\r\na\r\n");
    assert!(connection.progress.heap_bytes() < 128);
    assert!(connection.requests.args.capacity() >= 4000);
}

#[test]
fn room_shrinks_to_what_is_wanted() {
    let mut connection = Connection::new(Limits::default());
    connection.receive(b"*1\r\n$100000\r\n");
    connection.receive(&vec![1; 80_000]);
    assert_eq!(connection.progress.wanted(), Some(20_002));
    assert_eq!(connection.progress.room(1024), 20_002);
    connection.receive(&vec![1; 20_002]);
    assert!(connection.progress.is_idle() && connection.pending.is_empty());
    assert_eq!(connection.parsed, vec![vec![vec![1; 100_000]]]);
}

/// However a single large argument is cut into pieces, the buffer never has room for much more.
#[test]
fn a_large_argument_is_not_given_twice_its_room() {
    const STEP: usize = 16 * 1024;
    for bytes in (1 << 20..4 << 20).step_by(49_999) {
        let head = format!("*2\r\n$3\r\nGET\r\n${bytes}\r\n");
        let (mut requests, mut progress) = (Requests::new(), Progress::default());
        let (mut buf, mut room) = (head.into_bytes(), 0);
        let whole = buf.len() + bytes + 2;
        while buf.len() < whole {
            let parsed = requests.parse(&mut progress, &buf, &Limits::default(), 64);
            assert_eq!((parsed.consumed, parsed.stop), (0, Stop::Partial));
            let more = STEP.min(whole - buf.len());
            if room < buf.len() + more {
                room = buf.len() + more.max(progress.room(STEP));
                assert!(room <= buf.len() * 9 / 4 + 3 * STEP, "{room} at {}", buf.len());
                assert!(room <= whole + STEP, "{room} of {whole}");
            }
            buf.resize(buf.len() + more, b'x');
        }
    }
}

#[test]
fn a_million_arguments() {
    const COUNT: usize = 1_000_000;
    let words = vec![&b"a"[..]; COUNT];
    let mut script = Vec::new();
    write_command(&mut script, &words);
    write_command(&mut script, &[b"PING"]);
    let (requests, error, pending) = outcome(Limits::default(), script.chunks(64 * 1024));
    assert_eq!((requests.len(), error, pending), (2, None, 0));
    assert_eq!(requests[0].len(), COUNT);
    // The scratch is given back with the next batch.
    let mut connection = Connection::new(Limits::default());
    connection.receive(&encode(&requests[..1]));
    assert!(connection.requests.args.capacity() >= COUNT);
    connection.receive(b"PING\r\n");
    assert!(connection.requests.args.capacity() <= ARGS_KEPT);
}

#[test]
fn large_arguments_are_read_once() {
    // 64 MB in pieces of 4 KB: quadratic work would show as minutes.
    let mut connection = Connection::new(Limits::default());
    let mut requests = Requests::new();
    let mut buf = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$67108864\r\n".to_vec();
    let mut parses = 0;
    loop {
        let parsed = requests.parse(&mut connection.progress, &buf, &connection.limits, 64);
        parses += 1;
        if parsed.stop == Stop::Drained {
            break;
        }
        assert_eq!(parsed, Parsed { consumed: 0, stop: Stop::Partial });
        let missing = connection.progress.wanted().unwrap().min(4096);
        buf.resize(buf.len() + missing, b'v');
    }
    assert_eq!(parses, 64 * 256 + 2);
    let request = requests.get(0, &buf).unwrap();
    assert_eq!(&request.args[0], b"SET");
    assert_eq!((request.args.len(), request.args[2].len()), (3, 64 << 20));
    assert_eq!((request.bytes, request.inline), (buf.len(), false));
}

#[test]
fn words_of_a_request() {
    let mut requests = Requests::new();
    let script = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\nget 'k'\r\n";
    requests.parse(&mut Progress::default(), script, &Limits::default(), 64);
    let request = requests.get(0, script).unwrap();
    let words: Vec<_> = request.args.iter().collect();
    assert_eq!(words, [&b"SET"[..], b"k", b"v"]);
    assert_eq!(request.args.get(2), Some(&b"v"[..]));
    assert_eq!(request.args.get(3), None);
    assert_eq!(request.args.skip(1).len(), 2);
    assert_eq!(&request.args.skip(1)[0], b"k");
    assert!(request.args.skip(9).is_empty());
    let request = requests.get(1, script).unwrap();
    assert!(request.inline);
    assert_eq!((&request.args[1], request.bytes), (&b"k"[..], 9));
}

#[test]
fn lines_are_split() {
    let split = |line: &[u8]| split_line(line).map(|words| words.join(&b'|'));
    assert_eq!(split(b"save \"\""), Some(b"save|".to_vec()));
    assert_eq!(split(b" a 'b c' \"d\\x20e\" "), Some(b"a|b c|d e".to_vec()));
    assert_eq!(split(b""), Some(Vec::new()));
    assert_eq!(split(b"a 'b"), None);
}
