//! The 24 access bits of an entry: seconds for LRU and LRM, or minutes and a logarithmic counter for
//! LFU.
//!
//! The LFU counter is that of Redis: it grows with probability 1 / (count * factor + 1) and halves
//! nothing, but loses one for each decay period without access.

/// How accesses are recorded; follows `maxmemory-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessClock {
    /// Of any use.
    Lru,
    /// Of changes only: whoever reads leaves the bits as they are.
    Lrm,
    Lfu {
        log_factor: u32,
        decay_minutes: u32,
    },
}

const LFU_INIT: u32 = 5;

impl AccessClock {
    /// The bits of a new entry.
    pub fn fresh(self, now_ms: i64) -> u32 {
        match self {
            Self::Lru | Self::Lrm => seconds(now_ms),
            Self::Lfu { .. } => minutes(now_ms) << 8 | LFU_INIT,
        }
    }

    /// The bits of a key that changes now, where changes alone are recorded: `Record::note` sets them.
    #[inline]
    pub fn modified(self, now_ms: i64) -> Option<u32> {
        (self == Self::Lrm).then(|| seconds(now_ms))
    }

    /// The bits after an access; `random` decides if the counter grows.
    #[inline]
    pub fn touched(self, bits: u32, now_ms: i64, random: impl FnOnce() -> u64) -> u32 {
        match self {
            Self::Lru => seconds(now_ms),
            Self::Lrm => bits,
            Self::Lfu { log_factor, .. } => {
                let count = self.frequency(bits, now_ms);
                let base = u64::from(count.saturating_sub(LFU_INIT));
                let grows =
                    count < 255 && random().is_multiple_of(base * u64::from(log_factor) + 1);
                minutes(now_ms) << 8 | (count + u32::from(grows))
            }
        }
    }

    /// The counter as of now: OBJECT FREQ.
    pub fn frequency(self, bits: u32, now_ms: i64) -> u32 {
        let Self::Lfu { decay_minutes, .. } = self else { return 0 };
        let count = bits & 0xFF;
        let elapsed = minutes(now_ms).wrapping_sub(bits >> 8) & 0xFFFF;
        let periods = elapsed.checked_div(decay_minutes).unwrap_or(0);
        count.saturating_sub(periods)
    }

    /// The bits of a key that comes with its idle time or its counter, as far as that is what is
    /// recorded here.
    pub fn restored(self, idle: Option<u64>, counter: Option<u8>, now_ms: i64) -> Option<u32> {
        match self {
            Self::Lru | Self::Lrm => idle.map(|idle| {
                let idle = idle.min(0xFF_FFFF) as u32;
                seconds(now_ms).wrapping_sub(idle) & 0xFF_FFFF
            }),
            Self::Lfu { .. } => counter.map(|count| minutes(now_ms) << 8 | u32::from(count)),
        }
    }

    /// Whether the bits count accesses, and do not tell when the last one was.
    pub fn counts(self) -> bool {
        matches!(self, Self::Lfu { .. })
    }

    /// Seconds since the last access: OBJECT IDLETIME.
    pub fn idle_seconds(bits: u32, now_ms: i64) -> u32 {
        seconds(now_ms).wrapping_sub(bits) & 0xFF_FFFF
    }
}

fn seconds(now_ms: i64) -> u32 {
    (now_ms.max(0) as u64 / 1000) as u32 & 0xFF_FFFF
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms.max(0) as u64 / 60_000) as u32 & 0xFFFF
}
