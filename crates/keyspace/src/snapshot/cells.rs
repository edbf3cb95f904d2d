//! Which parts of a table a snapshot has: a bit for each of many equal ranges of hashes.

use std::ops::RangeInclusive;

/// One bit for each cell, a range of positions (hashes without their shard's bits).
pub(super) struct Cells {
    /// The cell is the upper bits of the position.
    bits: u32,
    done: Box<[u64]>,
}

/// Cells of a word: no table has fewer.
const WORD_BITS: u32 = u64::BITS.trailing_zeros();

impl Cells {
    /// For a table of about so many keys: two to four cells for each, as who changes one copies all
    /// in its cell.
    pub(super) fn new(keys: u64) -> Self {
        let bits = (keys.next_power_of_two().trailing_zeros() + 1).clamp(WORD_BITS, 40);
        Self { bits, done: vec![0; 1 << (bits - WORD_BITS)].into() }
    }

    /// Number of cells.
    pub(super) fn len(&self) -> u64 {
        1 << self.bits
    }

    /// Notes that the cell of a position is done. `None` if it was, else the positions in it.
    #[inline]
    pub(super) fn mark(&mut self, position: u64) -> Option<RangeInclusive<u64>> {
        let cell = position >> (u64::BITS - self.bits);
        let word = &mut self.done[(cell >> WORD_BITS) as usize];
        let bit = 1 << (cell % u64::from(u64::BITS));
        if *word & bit != 0 {
            return None;
        }
        *word |= bit;
        Some(self.range(cell, cell))
    }

    /// Notes that the cells from `begin` on are done, up to `count` of them, and calls `visit` with the
    /// positions of those that were not, as few ranges as there can be. Returns where to go on.
    pub(super) fn mark_from(
        &mut self,
        begin: u64,
        count: u32,
        mut visit: impl FnMut(RangeInclusive<u64>),
    ) -> u64 {
        let shift = begin as u32 % u64::BITS;
        let count = count.min(u64::BITS - shift);
        let chosen = u64::MAX >> (u64::BITS - count) << shift;
        let word = &mut self.done[(begin >> WORD_BITS) as usize];
        let mut left = !*word & chosen;
        *word |= chosen;
        while left != 0 {
            let first = left.trailing_zeros();
            let len = (left >> first).trailing_ones();
            let cell = begin - u64::from(shift) + u64::from(first);
            visit(self.range(cell, cell + u64::from(len) - 1));
            left &= !(u64::MAX >> (u64::BITS - len) << first);
        }
        begin + u64::from(count)
    }

    /// The positions in the cells from `begin` to `end`.
    fn range(&self, begin: u64, end: u64) -> RangeInclusive<u64> {
        let shift = u64::BITS - self.bits;
        begin << shift..=(end << shift | u64::MAX >> self.bits)
    }
}
