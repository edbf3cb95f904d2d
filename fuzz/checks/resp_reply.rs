//! What must hold for every reply. Shared by the fuzz target and the test that replays its corpus.

use resp::{Protocol, Reply, Value, parse_reply};

pub(crate) fn check(data: &[u8]) {
    let Ok(Some((value, size))) = parse_reply(data) else { return };
    assert!(size <= data.len());
    assert_eq!(parse_reply(&data[..size]), Ok(Some((value.clone(), size))));
    if size <= 1000 {
        for end in 0..size {
            assert_eq!(parse_reply(&data[..end]), Ok(None), "cut at {end}");
        }
    }
    std::hint::black_box(value.cli());
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        // Writing makes lines of errors and nulls of null arrays; a second time changes nothing.
        let first = write(protocol, &value);
        let (read, size) = parse_reply(&first).expect("sound").expect("complete");
        assert_eq!(size, first.len());
        assert_eq!(write(protocol, &read), first);
    }
}

fn write(protocol: Protocol, value: &Value) -> Vec<u8> {
    let mut reply = Reply::new(protocol);
    reply.value(value);
    reply.out.to_vec()
}
