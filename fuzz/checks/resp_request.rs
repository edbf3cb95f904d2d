//! What must hold for every stream of requests. Shared by the fuzz target and the test that replays
//! its corpus.
//!
//! The first byte chooses limits, the second one the cut, the rest is the stream.

use resp::{Limits, Progress, ProtocolError, Requests, Stop, write_command};

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    requests: Vec<Vec<Vec<u8>>>,
    error: Option<ProtocolError>,
    consumed: usize,
}

pub(crate) fn check(data: &[u8]) {
    let [flags, cut, stream @ ..] = data else { return };
    let limits = Limits {
        authenticated: flags & 1 == 0,
        bulk_bytes_max: if flags & 2 == 0 { 512 << 20 } else { 100 },
        inline_bytes_max: if flags & 4 == 0 { 64 << 10 } else { 50 },
        inline: true,
    };
    let requests_max = if flags & 8 == 0 { 64 } else { 1 };
    let whole = receive(stream, &limits, requests_max, |_| usize::MAX);
    let random = |at: usize| 1 + (at.wrapping_mul(31) ^ usize::from(*cut)) % 23;
    assert_eq!(whole, receive(stream, &limits, requests_max, random), "in random pieces");
    if stream.len() <= 2000 {
        assert_eq!(whole, receive(stream, &limits, requests_max, |_| 1), "byte by byte");
    }
    // What was parsed, encoded anew, is the same again.
    let mut encoded = Vec::new();
    for request in &whole.requests {
        let words: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
        write_command(&mut encoded, &words);
    }
    let again = receive(&encoded, &Limits::default(), 64, |_| usize::MAX);
    assert_eq!((again.requests, again.error), (whole.requests, None), "encoded anew");
}

/// A connection that gets `stream` in pieces.
fn receive(
    stream: &[u8],
    limits: &Limits,
    requests_max: usize,
    piece: impl Fn(usize) -> usize,
) -> Outcome {
    let (mut requests, mut progress) = (Requests::new(), Progress::default());
    let mut outcome = Outcome::default();
    let mut arrived = 0;
    while arrived < stream.len() && outcome.error.is_none() {
        arrived = arrived.saturating_add(piece(arrived)).min(stream.len());
        loop {
            // A copy of its own size, so that the address sanitizer sees every step too far.
            let buf = stream[outcome.consumed..arrived].to_vec();
            let parsed = requests.parse(&mut progress, &buf, limits, requests_max);
            assert!(parsed.consumed <= buf.len() && requests.len() <= requests_max);
            assert_eq!(requests.iter(&buf).count(), requests.len());
            for request in requests.iter(&buf) {
                assert!(!request.args.is_empty() && request.bytes <= parsed.consumed);
                outcome.requests.push(request.args.iter().map(<[u8]>::to_vec).collect());
            }
            outcome.consumed += parsed.consumed;
            let rest = buf.len() - parsed.consumed;
            assert!(progress.heap_bytes() <= 128 + 8 * rest, "memory follows what arrived");
            assert!(progress.room(16) <= (rest + 16) / 4 * 5 + 4);
            match parsed.stop {
                Stop::Full => assert!(parsed.consumed > 0 && rest > 0 && progress.is_idle()),
                Stop::Drained => assert!(rest == 0 && progress.is_idle()),
                Stop::Partial => {
                    assert!(rest > 0 && !progress.is_idle());
                    assert_ne!(progress.wanted(), Some(0));
                }
                Stop::Error(error) => outcome.error = Some(error),
            }
            if parsed.stop != Stop::Full {
                break;
            }
        }
    }
    outcome
}
