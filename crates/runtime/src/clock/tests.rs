//! The clocks agree with each other.

use super::*;

fn spin(micros: u64) {
    let begin = monotonic();
    while monotonic().0 - begin.0 < micros {
        std::hint::spin_loop();
    }
}

#[test]
fn the_wall_clock_is_after_the_first_release() {
    assert!(now() > UnixMillis(1_760_000_000_000));
    assert!((now_micros().millis().0 - now().0).abs() < 1000);
}

#[test]
fn ticks_measure_what_the_monotonic_clock_measures() {
    // Too early to know the rate well: within a tenth. The two clocks are read one after the
    // other, and the thread may lose the processor in between: one good measurement is enough.
    for (span_us, tolerance) in [(2_000_u64, 10), (120_000, 200), (20_000, 200)] {
        let agree = (0..20).any(|_| {
            let (begin, begin_ticks) = (monotonic(), ticks());
            spin(span_us);
            let (end, end_ticks) = (monotonic(), ticks());
            let expected = end.0 - begin.0;
            let found = ticks_to_micros(end_ticks.saturating_sub(begin_ticks));
            found.abs_diff(expected) <= expected / tolerance + 20
        });
        assert!(agree, "no agreement over {span_us} us");
    }
}

#[test]
fn conversions_do_not_overflow() {
    assert_eq!(ticks_to_micros(0), 0);
    assert!(ticks_to_nanos(u64::MAX) > 0);
}

#[test]
fn the_description_names_a_clock() {
    let text = description();
    assert!(text == "POSIX clock_gettime" || text.starts_with("X86 TSC @ "), "{text}");
}

/// Prints what a reading costs (`--nocapture`); a smoke test otherwise.
#[test]
fn cost_of_a_reading() {
    fn nanos(mut read: impl FnMut() -> u64) -> f64 {
        const ROUNDS: u32 = 200_000;
        let begin = monotonic_ns();
        for _ in 0..ROUNDS {
            std::hint::black_box(read());
        }
        (monotonic_ns() - begin) as f64 / f64::from(ROUNDS)
    }
    println!("ticks            {:5.1} ns", nanos(ticks));
    println!("monotonic        {:5.1} ns", nanos(|| monotonic().0));
    println!("now              {:5.1} ns", nanos(|| now().0 as u64));
    spin(120_000);
    println!("ticks_to_micros  {:5.1} ns", nanos(|| ticks_to_micros(12_345)));
}
