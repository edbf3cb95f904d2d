//! Moments and spans with their unit in the type, and the conversions that must not overflow.
//! Nothing here reads a clock: a moment comes from the caller.

#[cfg(test)]
mod tests;

const MILLIS_PER_SECOND: i64 = 1_000;
const MICROS_PER_MILLI: i64 = 1_000;

/// A moment of the wall clock: milliseconds since the Unix epoch, negative before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

/// A moment of the wall clock: microseconds since the Unix epoch, negative before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMicros(pub i64);

/// A span in milliseconds, negative for one that goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

/// A moment of a monotonic clock, in microseconds from an origin that only its owner knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

impl UnixMillis {
    /// The last representable moment.
    pub const MAX: Self = Self(i64::MAX);

    /// `None` where the milliseconds leave the range.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        seconds.checked_mul(MILLIS_PER_SECOND).map(Self)
    }

    /// Whole seconds, the fraction dropped towards the past.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(MILLIS_PER_SECOND)
    }

    /// `None` where the sum leaves the range.
    pub fn checked_add(self, span: Millis) -> Option<Self> {
        self.0.checked_add(span.0).map(Self)
    }

    pub fn saturating_add(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The span from `earlier` to here, clamped to the range.
    pub fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl UnixMicros {
    /// The millisecond that this moment lies in.
    pub fn millis(self) -> UnixMillis {
        UnixMillis(self.0.div_euclid(MICROS_PER_MILLI))
    }
}

impl Millis {
    /// `None` where the milliseconds leave the range.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        seconds.checked_mul(MILLIS_PER_SECOND).map(Self)
    }

    /// Clamped to the range.
    pub fn from_seconds_saturating(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MILLIS_PER_SECOND))
    }

    /// To the nearest second, half a second up, as a time to live is shown.
    pub fn seconds_rounded(self) -> i64 {
        self.0.saturating_add(MILLIS_PER_SECOND / 2).div_euclid(MILLIS_PER_SECOND)
    }
}

impl Micros {
    /// The microseconds from `earlier` to here; 0 where `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
