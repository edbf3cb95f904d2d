//! The real clocks. Nothing below this crate reads time: it takes a moment as an argument.
//!
//! Three clocks for three uses:
//! - [`now`] for what a client sees and what is stored (expiry, stream ids). It may jump.
//! - [`monotonic`] for timeouts, leases and elections. It never goes back and is not comparable
//!   between processes: its origin is the first use of a clock in this one.
//! - [`ticks`] for measuring single commands: the processor's time stamp counter where it runs at a
//!   constant rate, at a third of the cost of the others; elsewhere nanoseconds of the monotonic
//!   clock.
//!
//! The rate of the counter is measured against the monotonic clock from its first use on, without
//! waiting: it is exact to the resolution of what has passed so far, and kept once
//! [`CALIBRATION_NS`] have passed.
#![expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clocks of the operating system"
)]
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "reads the cycle counter"))]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub use stdx::time::{Micros, UnixMicros, UnixMillis};

/// The rate of the counter is final once it was observed for so long.
const CALIBRATION_NS: u64 = 100_000_000;
/// Before this much has passed a rate means nothing; the few who ask wait for it, spinning.
const CALIBRATION_NS_MIN: u64 = 20_000;

/// The wall clock in milliseconds.
pub fn now() -> UnixMillis {
    now_micros().millis()
}

/// The wall clock in microseconds.
pub fn now_micros() -> UnixMicros {
    let micros = |span: std::time::Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    UnixMicros(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(span) => micros(span),
        Err(before) => micros(before.duration()).saturating_neg(),
    })
}

/// The monotonic clock in microseconds.
pub fn monotonic() -> Micros {
    Micros(monotonic_ns() / 1000)
}

/// The monotonic clock in nanoseconds, from the same origin as [`monotonic`].
pub fn monotonic_ns() -> u64 {
    u64::try_from(origin().instant.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// A moment for [`ticks_to_micros`] of a difference. Differences saturate on the caller's side: two
/// threads may see the counter a few ticks apart.
#[inline]
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    if origin().counter_runs {
        return counter();
    }
    monotonic_ns()
}

/// A difference of [`ticks`] in microseconds.
pub fn ticks_to_micros(ticks: u64) -> u64 {
    ticks_to_nanos(ticks) / 1000
}

/// A difference of [`ticks`] in nanoseconds.
pub fn ticks_to_nanos(ticks: u64) -> u64 {
    let scaled = (u128::from(ticks) * u128::from(nanos_per_tick())) >> 32;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// How many [`ticks`] a millisecond has.
#[inline]
pub fn ticks_per_milli() -> u64 {
    (1_000_000_u64 << 32).checked_div(nanos_per_tick()).unwrap_or(u64::MAX)
}

/// What INFO calls `monotonic_clock`.
pub fn description() -> String {
    if !cfg!(target_arch = "x86_64") || !origin().counter_runs {
        return "POSIX clock_gettime".to_owned();
    }
    let ticks_per_us = (1000_u64 << 32).checked_div(nanos_per_tick()).unwrap_or(0);
    format!("X86 TSC @ {ticks_per_us} ticks/us")
}

struct Origin {
    instant: Instant,
    ticks: u64,
    counter_runs: bool,
}

#[inline]
fn origin() -> &'static Origin {
    static ORIGIN: OnceLock<Origin> = OnceLock::new();
    ORIGIN.get_or_init(|| {
        let counter_runs = counter_is_invariant();
        let ticks = if counter_runs { counter() } else { 0 };
        Origin { instant: Instant::now(), ticks, counter_runs }
    })
}

/// Nanoseconds per tick, times 2^32.
fn nanos_per_tick() -> u64 {
    static FINAL: AtomicU64 = AtomicU64::new(0);
    let known = FINAL.load(Relaxed);
    if known != 0 {
        return known;
    }
    let origin = origin();
    if !origin.counter_runs {
        return 1 << 32;
    }
    let mut passed_ns = monotonic_ns();
    while passed_ns < CALIBRATION_NS_MIN {
        std::hint::spin_loop();
        passed_ns = monotonic_ns();
    }
    let passed_ticks = counter().saturating_sub(origin.ticks).max(1);
    let rate = (u128::from(passed_ns) << 32) / u128::from(passed_ticks);
    let rate = u64::try_from(rate).unwrap_or(u64::MAX).max(1);
    if passed_ns >= CALIBRATION_NS {
        FINAL.store(rate, Relaxed);
    }
    rate
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn counter() -> u64 {
    // SAFETY: every x86-64 processor has RDTSC. Where the system forbids it to programs, the flag
    // that `counter_is_invariant` asks for is not a promise either, and such systems are not ours.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> u64 {
    0
}

/// Whether the counter runs at one rate in all power states: CPUID 8000_0007h, EDX bit 8.
#[cfg(target_arch = "x86_64")]
fn counter_is_invariant() -> bool {
    use core::arch::x86_64::__cpuid;
    let highest = __cpuid(0x8000_0000).eax;
    highest >= 0x8000_0007 && __cpuid(0x8000_0007).edx & (1 << 8) != 0
}

#[cfg(not(target_arch = "x86_64"))]
fn counter_is_invariant() -> bool {
    false
}

#[cfg(test)]
mod tests;
