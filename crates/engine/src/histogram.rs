//! A log-linear histogram of durations in ticks: 8 buckets for each power of two, so that a
//! quantile is off by at most an eighth. One writer, any number of readers.

use std::sync::atomic::{AtomicU32, Ordering};

const SUB_BITS: u32 = 3;
const BUCKETS: usize = (64 - SUB_BITS as usize + 1) << SUB_BITS;

/// Counts by duration.
#[derive(Debug)]
pub struct Histogram {
    counts: Box<[AtomicU32]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect() }
    }
}

fn bucket_of(ticks: u64) -> usize {
    if ticks < 1 << SUB_BITS {
        return ticks as usize;
    }
    let exponent = 63 - ticks.leading_zeros();
    let shift = exponent - SUB_BITS;
    let sub = (ticks >> shift) as usize & ((1 << SUB_BITS) - 1);
    (((shift + 1) as usize) << SUB_BITS) + sub
}

/// The largest number of ticks that falls into the bucket.
fn bucket_end(bucket: usize) -> u64 {
    if bucket < 1 << SUB_BITS {
        return bucket as u64;
    }
    let shift = (bucket >> SUB_BITS) as u32 - 1;
    let sub = (bucket & ((1 << SUB_BITS) - 1)) as u64;
    (((1 << SUB_BITS) + sub + 1) << shift).wrapping_sub(1)
}

impl Histogram {
    /// Counts one duration; only the owning worker calls this.
    #[inline]
    pub fn add(&self, ticks: u64) {
        let slot = &self.counts[bucket_of(ticks)];
        slot.store(slot.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
    }

    pub fn clear(&self) {
        self.counts.iter().for_each(|slot| slot.store(0, Ordering::Relaxed));
    }

    /// Adds these counts to `sum`, bucket by bucket.
    pub fn merge_into(&self, sum: &mut Vec<u64>) {
        sum.resize(BUCKETS, 0);
        for (sum, slot) in sum.iter_mut().zip(&self.counts) {
            *sum += u64::from(slot.load(Ordering::Relaxed));
        }
    }

    /// For merged counts: pairs of a bucket's largest duration in ticks and its count.
    pub fn buckets(sum: &[u64]) -> impl Iterator<Item = (u64, u64)> {
        sum.iter().enumerate().filter(|(_, n)| **n > 0).map(|(at, n)| (bucket_end(at), *n))
    }

    /// For merged counts: the duration in ticks that `percent` of all do not exceed.
    pub fn percentile(sum: &[u64], percent: f64) -> u64 {
        let total: u64 = sum.iter().sum();
        let rank = ((total as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut seen = 0;
        for (end, count) in Self::buckets(sum) {
            seen += count;
            if seen >= rank {
                return end;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_falls_at_or_below_the_end_of_its_bucket() {
        let mut last = 0;
        for ticks in (0..4096).chain((12..63).map(|bit| (1 << bit) + 7)) {
            let bucket = bucket_of(ticks);
            assert!(bucket >= last && bucket_end(bucket) >= ticks, "{ticks}");
            assert!(bucket == 0 || bucket_end(bucket - 1) < ticks, "{ticks}");
            last = bucket;
        }
        assert!(bucket_of(u64::MAX) < BUCKETS);
    }

    #[test]
    fn percentiles_of_a_uniform_range() {
        let histogram = Histogram::default();
        (1..=1000).for_each(|ticks| histogram.add(ticks));
        let mut sum = Vec::new();
        histogram.merge_into(&mut sum);
        let median = Histogram::percentile(&sum, 50.0);
        assert!((500..=575).contains(&median), "{median}");
        assert!(Histogram::percentile(&sum, 100.0) >= 1000);
    }
}
