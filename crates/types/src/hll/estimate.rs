//! How many distinct elements registers speak of: the estimator of Otmar Ertl, "New cardinality
//! estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284), section on the improved raw
//! estimator. It needs no correction by range.

use super::{REGISTERS, VALUE_MAX};

/// The limit of the bias constant for many registers: 0.5 / ln 2.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// The estimate for a histogram of register values.
pub(super) fn estimate(histogram: &[u32; 64]) -> u64 {
    let m = REGISTERS as f64;
    let share = |registers: u32| f64::from(registers) / m;
    // INVARIANT of a sound string: the histogram sums up to m. What a forged one has above the
    // highest value is left out.
    let mut z = m * tau((m - f64::from(histogram[VALUE_MAX])) / m);
    for count in histogram[1..VALUE_MAX].iter().rev() {
        z = (z + f64::from(*count)) * 0.5;
    }
    z += m * sigma(share(histogram[0]));
    (ALPHA * m * m / z).round() as u64
}

/// The series for registers that are still zero.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

/// The series for registers that are full.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if before == z {
            return z / 3.0;
        }
    }
}
