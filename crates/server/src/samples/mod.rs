//! Figures of INFO that are taken from time to time.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers that the cron samples, for INFO.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    pub memory_peak: AtomicU64,
    pub ops_per_second: AtomicU64,
    pub input_bytes_per_second: AtomicU64,
    pub output_bytes_per_second: AtomicU64,
    /// Turns of all workers.
    pub cycles_per_second: AtomicU64,
    /// Mean length of one.
    pub cycle_micros: AtomicU64,
    /// Of the keys with an expiry that expiry has looked at, those that had expired.
    pub stale: Share,
    pub expire_micros: AtomicU64,
    pub expire_time_capped: AtomicU64,
    pub rejected_connections: AtomicU64,
    pub connections: AtomicU64,
    /// Of one client.
    pub input_buffer: Peak,
    pub output_buffer: Peak,
}

/// The largest of what was seen in the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Peak([AtomicU64; Self::SECONDS]);

impl Peak {
    /// As in Redis.
    const SECONDS: usize = 8;

    /// Forgets what was seen when the slot of the second after `second` was last in use.
    pub(crate) fn begin(&self, second: u64) {
        self.slot(second + 1).store(0, Ordering::Relaxed);
    }

    pub(crate) fn raise(&self, second: u64, value: u64) {
        self.slot(second).fetch_max(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.iter().map(|slot| slot.load(Ordering::Relaxed)).max().unwrap_or(0)
    }

    fn slot(&self, second: u64) -> &AtomicU64 {
        &self.0[(second % Self::SECONDS as u64) as usize]
    }
}

/// A share that was observed again and again, recent observations weighing more.
#[derive(Debug, Default)]
pub(crate) struct Share(AtomicU64);

impl Share {
    /// What a new observation weighs, as in Redis.
    const WEIGHT: f64 = 0.05;

    /// `part` of `whole` was observed; of nothing, it is none. Called by one thread.
    pub(crate) fn observe(&self, part: u64, whole: u64) {
        let now = if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let share = now * Self::WEIGHT + self.get() * (1.0 - Self::WEIGHT);
        self.0.store(share.to_bits(), Ordering::Relaxed);
    }

    /// From 0 to 1.
    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
