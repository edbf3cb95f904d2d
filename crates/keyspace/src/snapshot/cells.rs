//! Which parts of a table a snapshot has: a bit for each of many equal ranges of hashes.

/// One bit for each cell, a range of positions (hashes without their shard's bits).
pub(super) struct Cells {
    /// The cell is the upper bits of the position.
    bits: u32,
    done: Box<[u64]>,
}

/// Cells of a word: no table has fewer.
const WORD_BITS: u32 = u64::BITS.trailing_zeros();

/// Words that are marked at a time at most.
const WORDS_MAX: usize = 4;

/// Some cells in a row, as they were when they were marked.
pub(super) struct Marked {
    begin: u64,
    /// Behind the last one.
    end: u64,
    shift: u32,
    done: [u64; WORDS_MAX],
}

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

    /// How many upper bits of a position tell its cell.
    pub(super) fn bits(&self) -> u32 {
        self.bits
    }

    /// Notes that the cell of a position is done. `None` if it was, else the first and the last
    /// position in it.
    #[inline]
    pub(super) fn mark(&mut self, position: u64) -> Option<(u64, u64)> {
        let cell = position >> (u64::BITS - self.bits);
        let word = &mut self.done[(cell >> WORD_BITS) as usize];
        let bit = 1 << (cell % u64::from(u64::BITS));
        if *word & bit != 0 {
            return None;
        }
        *word |= bit;
        let rest = u64::MAX >> self.bits;
        Some((position & !rest, position | rest))
    }

    /// Notes that `count` cells from `begin` on are done, or as many as can be at a time.
    pub(super) fn mark_from(&mut self, begin: u64, count: u64) -> Marked {
        let first = (begin >> WORD_BITS) as usize;
        let most = ((first + WORDS_MAX) as u64) << WORD_BITS;
        let end = begin.saturating_add(count).min(most).min(self.len());
        let mut done = [0; WORDS_MAX];
        for (idx, kept) in done.iter_mut().enumerate() {
            let Some(word) = self.done.get_mut(first + idx) else { break };
            *kept = *word;
            let cells = ((first + idx) as u64) << WORD_BITS;
            for cell in begin.max(cells)..end.min(cells + u64::from(u64::BITS)) {
                *word |= 1 << (cell - cells);
            }
        }
        Marked { begin, end, shift: u64::BITS - self.bits, done }
    }
}

impl Marked {
    /// Behind the last of them.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The first and the last position.
    pub(super) fn positions(&self) -> (u64, u64) {
        let last = u64::MAX >> (u64::BITS - self.shift);
        (self.begin << self.shift, (self.end - 1) << self.shift | last)
    }

    /// Whether all of them were done before.
    pub(super) fn is_old(&self) -> bool {
        (self.begin..self.end).all(|cell| self.was_done(cell))
    }

    /// Whether the cell of a position among them was not done before.
    #[inline]
    pub(super) fn is_new(&self, position: u64) -> bool {
        !self.was_done(position >> self.shift)
    }

    #[inline]
    fn was_done(&self, cell: u64) -> bool {
        let word = (cell >> WORD_BITS) - (self.begin >> WORD_BITS);
        self.done[word as usize] >> (cell % u64::from(u64::BITS)) & 1 == 1
    }
}
