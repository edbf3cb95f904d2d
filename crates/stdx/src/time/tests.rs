//! Tests of `time`.

use super::*;

#[test]
fn seconds_become_milliseconds_or_none() {
    assert_eq!(
        Millis::from_seconds(9_223_372_036_854_775),
        Some(Millis(9_223_372_036_854_775_000))
    );
    assert_eq!(Millis::from_seconds(9_223_372_036_854_776), None);
    assert_eq!(UnixMillis::from_seconds(-9_223_372_036_854_776), None);
    assert_eq!(Millis::from_seconds_saturating(i64::MIN), Millis(i64::MIN));
}

#[test]
fn moments_and_spans() {
    let moment = UnixMillis(1_500);
    assert_eq!(moment.seconds(), 1);
    assert_eq!(UnixMillis(-1).seconds(), -1);
    assert_eq!(moment.checked_add(Millis(-2_000)), Some(UnixMillis(-500)));
    assert_eq!(moment.checked_add(Millis(i64::MAX)), None);
    assert_eq!(moment.saturating_add(Millis(i64::MAX)), UnixMillis::MAX);
    assert_eq!(UnixMillis(i64::MIN).since(moment), Millis(i64::MIN));
    assert_eq!(UnixMicros(1_999).millis(), UnixMillis(1));
    assert_eq!(Micros(1).since(Micros(2)), 0);
}

#[test]
fn a_time_to_live_is_rounded() {
    assert_eq!(Millis(499).seconds_rounded(), 0);
    assert_eq!(Millis(500).seconds_rounded(), 1);
    assert_eq!(Millis(1_499).seconds_rounded(), 1);
    assert_eq!(Millis(i64::MAX).seconds_rounded(), i64::MAX / 1_000);
}
