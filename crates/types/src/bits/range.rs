//! Which bits BITCOUNT and BITPOS look at.

/// What `start` and `end` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Byte,
    Bit,
}

/// Bits from `start` to `end`, which is not among them; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitRange {
    pub start: u64,
    pub end: u64,
}

impl BitRange {
    /// The bits of a string of `len` bytes between `start` and `end`, both inclusive, negative from
    /// the end, clamped; `None` if that leaves none. Without `end`, up to the last.
    pub fn of(len: usize, start: i64, end: Option<i64>, unit: Unit) -> Option<Self> {
        let per_unit = match unit {
            Unit::Byte => 8,
            Unit::Bit => 1,
        };
        let units = i64::try_from(len as u64 * 8 / per_unit).ok()?;
        let from_front = |index: i64| {
            let index = if index < 0 { index.saturating_add(units) } else { index };
            index.max(0)
        };
        let start = from_front(start);
        let end = from_front(end.unwrap_or(-1)).min(units - 1);
        // Neither is negative here, unless the string is empty.
        (start <= end)
            .then(|| Self { start: start as u64 * per_unit, end: (end as u64 + 1) * per_unit })
    }

    /// The bytes that hold the range, with the masks of its bits in the first and the last.
    pub(super) fn cut(self, bytes: &[u8]) -> (&[u8], u8, u8) {
        let bytes = &bytes[(self.start / 8) as usize..self.end.div_ceil(8) as usize];
        let before = u8::MAX >> (self.start % 8);
        let after = match self.end % 8 {
            0 => u8::MAX,
            bits => !(u8::MAX >> bits),
        };
        (bytes, before, after)
    }
}
