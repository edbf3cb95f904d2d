//! Tests of `rng`.

use super::*;

/// The reference code's first outputs from the state 1, 2, 3, 4.
#[test]
fn known_values() {
    let mut rng = Rng { state: [1, 2, 3, 4] };
    let expected = [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
    assert_eq!(std::array::from_fn(|_| rng.u64()), expected);
}

#[test]
fn below_is_below_and_even() {
    let mut rng = Rng::new(5);
    let mut counts = [0_u32; 7];
    for _ in 0..70_000 {
        counts[rng.index(7)] += 1;
    }
    assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    assert_eq!(rng.below(0), 0);
    assert_eq!(rng.below(1), 0);
    for _ in 0..100 {
        assert!(rng.below(u64::MAX) < u64::MAX);
        assert!((0.0..1.0).contains(&rng.f64()));
    }
}

#[test]
fn fill_covers_odd_lengths_and_forks_differ() {
    let mut rng = Rng::new(6);
    let mut bytes = [0; 13];
    rng.fill(&mut bytes);
    assert!(bytes[8..].iter().any(|byte| *byte != 0));
    assert_ne!(rng.fork().u64(), rng.fork().u64());
    assert_eq!(Rng::new(6).u64(), Rng::new(6).u64());
}
