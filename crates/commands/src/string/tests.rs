//! The pure parts of the family: times, bounds of sums, rate limits.

use super::expiration::{Expiration, Unit};
use super::increx::{Floats, Integers, Sum};
use super::throttle::{Decision, Limit};
use command::CommandError;
use stdx::extended::Extended;

fn ext(text: &str) -> Extended {
    Extended::parse(text.as_bytes()).unwrap()
}

#[test]
fn units_are_read_in_any_case() {
    assert_eq!(Unit::of(b"ex"), Some(Unit::Seconds));
    assert_eq!(Unit::of(b"PxAt"), Some(Unit::UnixMillis));
    assert_eq!(Unit::of(b"EXX"), None);
}

#[test]
fn deadlines_refuse_what_does_not_fit() {
    const NOW: i64 = 1_700_000_000_000;
    let deadline = |unit: Unit, text: &str| unit.deadline(text.as_bytes(), NOW, "SET");
    assert_eq!(deadline(Unit::Seconds, "10"), Ok(NOW + 10_000));
    assert_eq!(deadline(Unit::Millis, "10"), Ok(NOW + 10));
    assert_eq!(deadline(Unit::UnixSeconds, "10"), Ok(10_000));
    assert_eq!(deadline(Unit::UnixMillis, "10"), Ok(10));
    assert_eq!(deadline(Unit::UnixMillis, "9223372036854775807"), Ok(i64::MAX));
    for (unit, text) in [
        (Unit::Seconds, "0"),
        (Unit::Seconds, "-1"),
        (Unit::Seconds, "9223372036854775"),
        (Unit::UnixSeconds, "9223372036854776"),
        (Unit::Millis, "9223372036854775807"),
    ] {
        let error = deadline(unit, text).unwrap_err();
        assert_eq!(error.text(), b"ERR invalid expire time in 'set' command", "{unit:?} {text}");
    }
    assert_eq!(deadline(Unit::Seconds, "1.5"), Err(CommandError::NotAnInteger));
}

#[test]
fn an_expiration_option_repeats_but_does_not_mix() {
    let at = |unit| Expiration::At(unit, b"1");
    assert!(Expiration::then(Some(at(Unit::Seconds)), Expiration::At(Unit::Seconds, b"2")).is_ok());
    assert!(Expiration::then(Some(Expiration::Keep), Expiration::Keep).is_ok());
    assert!(Expiration::then(Some(at(Unit::Seconds)), at(Unit::Millis)).is_err());
    assert!(Expiration::then(Some(Expiration::Keep), at(Unit::Millis)).is_err());
    assert!(Expiration::then(Some(at(Unit::UnixMillis)), Expiration::Persist).is_err());
}

#[test]
fn integers_stay_within_bounds() {
    let add = |old, by, lower, upper, saturate| Integers { by, lower, upper }.add(old, saturate);
    let applied = |value, increment| Ok(Sum::Applied { value, increment });
    assert_eq!(add(10, 5, i64::MIN, 20, false), applied(15, 5));
    assert_eq!(add(10, 5, i64::MIN, 12, false), Ok(Sum::Refused));
    assert_eq!(add(10, 5, i64::MIN, 12, true), applied(12, 2));
    // A value that is out of bounds already is moved to the bound, even against the increment.
    assert_eq!(add(10, 5, i64::MIN, 5, true), applied(5, -5));
    assert_eq!(add(10, -5, 20, i64::MAX, true), applied(20, 10));
    assert_eq!(add(i64::MAX - 7, 10, i64::MIN, i64::MAX, true), applied(i64::MAX, 7));
    assert_eq!(add(i64::MAX, 1, i64::MIN, i64::MAX, false), Ok(Sum::Refused));
    assert_eq!(add(i64::MIN + 8, -100, i64::MIN, i64::MAX, true), applied(i64::MIN, -8));
    assert_eq!(add(i64::MAX, -5, i64::MIN, i64::MIN, true), Err(CommandError::AppliedOverflow));
}

#[test]
fn floats_stay_within_bounds() {
    let add = |old: &str, by: &str, lower: &str, upper: &str, saturate| {
        Floats { by: ext(by), lower: ext(lower), upper: ext(upper) }.add(ext(old), saturate)
    };
    let applied = |value: &str, increment: &str| {
        Ok(Sum::Applied { value: ext(value), increment: ext(increment) })
    };
    assert_eq!(add("10", "2.5", "5", "15", false), applied("12.5", "2.5"));
    assert_eq!(add("10", "5.5", "-inf", "12.5", false), Ok(Sum::Refused));
    assert_eq!(add("10", "5.5", "-inf", "12.5", true), applied("12.5", "2.5"));
    assert_eq!(add("10", "1", "-inf", "-inf", true), Err(CommandError::AppliedInfinite));
    let largest = Extended::largest();
    let all = Floats { by: largest, lower: -largest, upper: largest };
    assert_eq!(all.add(largest, false), Ok(Sum::Refused));
    assert_eq!(
        all.add(largest, true),
        Ok(Sum::Applied { value: largest, increment: Extended::ZERO })
    );
    let down = Floats { by: -largest, ..all };
    assert_eq!(
        down.add(-largest, true),
        Ok(Sum::Applied { value: -largest, increment: Extended::ZERO })
    );
}

const NOW_MS: i64 = 1_700_000_000_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// A bucket that is asked for tokens, as the tests of the peers do.
#[derive(Default)]
struct Bucket(Option<i64>);

impl Bucket {
    /// What comes of taking `quantity` of 5 tokens, one in 10 seconds, `at_ms` after the beginning:
    /// limited, remaining, retry, reset.
    fn take(&mut self, quantity: u64, at_ms: i64) -> (bool, i64, i64, i64) {
        let limit = Limit::new([4, 1, 10, quantity]).unwrap();
        let decision = limit.decide(self.0, NOW_MS + at_ms).unwrap();
        let Decision { limited, remaining, retry_after, reset_after, arrival } = decision;
        if !limited {
            self.0 = Some(arrival);
        }
        (limited, remaining, retry_after, reset_after)
    }
}

#[test]
fn tokens_are_taken_and_come_back() {
    let mut bucket = Bucket::default();
    assert_eq!(bucket.take(6, 0), (true, 5, -1, 0), "more than there ever are");
    for taken in 1..=5 {
        assert_eq!(bucket.take(1, 0), (false, 5 - taken, -1, taken * 10));
    }
    assert_eq!(bucket.take(1, 0), (true, 0, 10, 50));
    assert_eq!(bucket.take(1, 30_000), (false, 2, -1, 30));
    assert_eq!(bucket.take(1, 31_000), (false, 1, -1, 39));
    assert_eq!(bucket.take(1, 40_000), (false, 1, -1, 40));
    assert_eq!(bucket.take(1, 80_000), (false, 4, -1, 10));
    assert_eq!(bucket.take(1, 95_000), (false, 4, -1, 10));
    assert_eq!(bucket.take(0, 95_000), (false, 4, -1, 10));
    assert_eq!(bucket.take(2, 95_000), (false, 2, -1, 30));
    assert_eq!(bucket.take(5, 95_000), (true, 2, 30, 30));
    assert_eq!(bucket.take(1, 95_001), (false, 1, -1, 40), "seconds are rounded up");
}

#[test]
fn a_moment_that_was_put_there_does_no_harm() {
    let limit = Limit::new([4, 1, 10, 1]).unwrap();
    let past = limit.decide(Some(i64::MIN), NOW_MS).unwrap();
    assert_eq!((past.limited, past.remaining, past.reset_after), (false, 4, 10));
    let future = limit.decide(Some(i64::MAX - 20_000_000_000), NOW_MS).unwrap();
    assert_eq!((future.limited, future.remaining), (true, 0));
    assert_eq!(limit.decide(Some(i64::MAX), NOW_MS), None);
    let huge = Limit::new([0, 1, 9_000_000_000, 1]).unwrap();
    assert_eq!(huge.decide(None, NOW_MS), None, "it would be after the year 2262");
    let small = Limit::new([4, 500_000, 1, 2]).unwrap().decide(None, NOW_MS).unwrap();
    assert_eq!((small.remaining, small.reset_after), (3, 1));
    assert_eq!(small.arrival, NOW_MS * NANOS_PER_MILLI + 4000);
}

#[test]
fn limits_that_do_not_fit_are_refused() {
    let refused = |words| Limit::new(words).unwrap_err();
    for words in [
        [u64::MAX, 1, 1, 1],
        [i64::MAX as u64, 1, 1, 1],
        [10_000_000_000, 1, 1, 1],
        [4, 0, 1, 1],
        [4, 1, u64::MAX, 1],
        [4, 1, 1, u64::MAX],
    ] {
        assert_eq!(refused(words), CommandError::NotAnInteger, "{words:?}");
    }
    for words in [[4, 1, 0, 1], [4, u64::MAX, 1, 1]] {
        assert_eq!(refused(words).text(), b"ERR zero rates are not supported", "{words:?}");
    }
    Limit::new([4, 1, 1, 0]).unwrap();
}
