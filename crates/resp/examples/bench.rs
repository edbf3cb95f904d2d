//! Times the parser and the writer: `cargo run --release -p resp --example bench`.
//!
//! Prints nanoseconds per request or reply, the best of several rounds.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use resp::{Limits, Out, Progress, Protocol, Reply, Requests, parse_reply, write_command};
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 15;

/// Runs `work`, which does `count` things, several times; prints the best time of one thing.
fn time(name: &str, count: usize, mut work: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        work();
        best = best.min(begin.elapsed().as_secs_f64());
    }
    println!("{name:<32} {:>8.1} ns", best * 1e9 / count as f64);
}

/// Parses the whole buffer in batches of 64 and touches each argument's slice.
fn parse_all(requests: &mut Requests, buf: &[u8]) -> usize {
    let (limits, mut progress) = (Limits::default(), Progress::default());
    let (mut at, mut touched) = (0, 0);
    while at < buf.len() {
        let parsed = requests.parse(&mut progress, &buf[at..], &limits, 64);
        for index in 0..requests.len() {
            if let Some(request) = requests.get(index, &buf[at..]) {
                touched += request.args[request.args.len() - 1].len();
            }
        }
        if parsed.consumed == 0 {
            break;
        }
        at += parsed.consumed;
    }
    touched
}

fn parser() {
    let key = [b'k'; 16];
    let value = [b'v'; 16];
    let large = vec![b'x'; 4000];
    let many = vec![&key[..]; 101];
    let cases: [(&str, Vec<&[u8]>); 5] = [
        ("parse GET 16", vec![b"GET", &key]),
        ("parse SET 16 16", vec![b"SET", &key, &value]),
        ("parse SET 16 16 EX 100", vec![b"SET", &key, &value, b"EX", b"100"]),
        ("parse SET 16 4000", vec![b"SET", &key, &large]),
        ("parse MGET 100", many),
    ];
    let mut requests = Requests::new();
    for (name, words) in cases {
        let mut one = Vec::new();
        write_command(&mut one, &words);
        // About a read buffer, parsed again and again: hot in the cache, as after a read.
        let count = (64 * 1024 / one.len()).max(1);
        let buf = one.repeat(count);
        time(name, count * 100, || {
            for _ in 0..100 {
                black_box(parse_all(&mut requests, black_box(&buf)));
            }
        });
    }
    let buf = b"SET foo bar\r\n".repeat(4000);
    time("parse inline SET foo bar", 4000 * 10, || {
        for _ in 0..10 {
            black_box(parse_all(&mut requests, black_box(&buf)));
        }
    });
}

fn writer(name: &str, write: impl Fn(&mut Reply)) {
    const COUNT: usize = 2000;
    let mut reply = Reply::new(Protocol::Resp2);
    time(name, COUNT * 50, || {
        for _ in 0..50 {
            reply.out.clear();
            for _ in 0..COUNT {
                write(black_box(&mut reply));
            }
            black_box(&reply);
        }
    });
}

fn main() {
    parser();
    let value = [b'v'; 16];
    let large = [b'v'; 1000];
    writer("write ok", Reply::ok);
    writer("write integer 1", |reply| reply.integer(black_box(1)));
    writer("write integer 123456", |reply| reply.integer(black_box(123_456)));
    writer("write null", Reply::null);
    writer("write bulk 16", |reply| reply.bulk(black_box(&value)));
    writer("write bulk 1000", |reply| reply.bulk(black_box(&large)));
    writer("write double 1.5", |reply| reply.double(black_box(1.5)));
    writer("write array of 10 bulks of 16", |reply| {
        reply.array(10);
        for _ in 0..10 {
            reply.bulk(black_box(&value));
        }
    });
    writer("write the same, deferred", |reply| {
        let deferred = reply.array_deferred();
        for _ in 0..10 {
            reply.bulk(black_box(&value));
        }
        reply.set_len(deferred, 10);
    });
    let mut reply = Reply::new(Protocol::Resp2);
    reply.array(10);
    for _ in 0..10 {
        reply.bulk(&value);
    }
    let bytes = Out::to_vec(&reply.out);
    time("parse_reply of that array", 10_000, || {
        for _ in 0..10_000 {
            black_box(parse_reply(black_box(&bytes)).is_ok());
        }
    });
}
