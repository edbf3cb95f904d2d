use super::{parse_end, parse_id, parse_start};
use command::CommandError;
use types::stream::StreamId;

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId::new(ms, seq)
}

#[test]
fn bounds_of_intervals() {
    assert_eq!(parse_start(b"5"), Ok(id(5, 0)));
    assert_eq!(parse_start(b"(5"), Ok(id(5, 1)));
    assert_eq!(parse_start(b"-"), Ok(StreamId::MIN));
    assert_eq!(parse_start(b"+"), Ok(StreamId::MAX));
    assert_eq!(parse_end(b"5"), Ok(id(5, u64::MAX)));
    assert_eq!(parse_end(b"(5-0"), Ok(id(4, u64::MAX)));
    for (text, error) in [
        (&b"("[..], CommandError::StreamId),
        (b"(-", CommandError::StreamId),
        (b"(+", CommandError::StreamId),
        (b"(18446744073709551615-18446744073709551615", CommandError::StreamStartId),
    ] {
        assert_eq!(parse_start(text), Err(error), "{text:?}");
    }
    assert_eq!(parse_end(b"(0-0"), Err(CommandError::StreamEndId));
    assert_eq!(parse_id(b"-"), Err(CommandError::StreamId));
}
