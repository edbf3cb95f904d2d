//! The longest common subsequence of two strings, as LCS answers it.
//!
//! Redis fills a table of lengths, `L[i][j]` for the first `i` bytes of `a` and `j` of `b`, and
//! walks it back from its far corner: diagonally where the bytes agree, else up where `L[i-1][j]`
//! is greater than `L[i][j-1]`, else left. Which of several longest subsequences it finds follows
//! from that rule, so the rule is kept; the table is not.
//!
//! Along a row, `L` grows by 0 or 1 at each step, so a row is a row of bits `h`. A whole row
//! follows from the one above by one addition over machine words (Hyyrö, "Bit-parallel LCS-length
//! computation revisited", 2004): with `v` the complement of `h` and `m` the places in `b` that
//! hold the byte of `a`, the next `v` is `(v + (v & m)) | (v & !m)`. And where the bytes differ,
//! the walk goes up just when `h[i][j]` is 1: then the left neighbor is one less than `L[i][j]`,
//! which only the upper one can have given. So a bit a cell is enough, 1/32 of Redis's memory, and
//! 64 cells are one step.

use std::fmt;

/// Longer strings are refused.
const LEN_MAX: usize = u32::MAX as usize - 2;

/// A cell of the table whose size Redis compares with its limit.
const CELL_BYTES: u64 = 4;

/// Why there is no answer. Displays as the text that follows `ERR` in the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LcsError {
    /// A string is longer than 2^32 - 3 bytes.
    TooLong,
    /// Redis's table, four bytes a cell, would be larger than the limit.
    OverLimit,
    /// The memory cannot be had.
    OutOfMemory,
}

/// A run that both strings have in common, as inclusive ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    pub a_start: usize,
    pub a_end: usize,
    pub b_start: usize,
    pub b_end: usize,
}

/// The runs of a longest common subsequence, the last one first, and its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lcs {
    pub matches: Vec<Match>,
    pub len: usize,
}

/// A longest common subsequence of `a` and `b`. `limit_bytes` bounds Redis's table.
pub fn lcs(a: &[u8], b: &[u8], limit_bytes: u64) -> Result<Vec<u8>, LcsError> {
    let grid = Grid::fill(a, b, limit_bytes, Rows::All)?;
    let mut out = Vec::new();
    out.try_reserve_exact(grid.len).map_err(|_| LcsError::OutOfMemory)?;
    grid.walk(a, b, |run| out.extend(a[run.a_start..=run.a_end].iter().rev()));
    out.reverse();
    Ok(out)
}

/// The length of the longest common subsequence of `a` and `b`.
pub fn lcs_len(a: &[u8], b: &[u8], limit_bytes: u64) -> Result<usize, LcsError> {
    Ok(Grid::fill(a, b, limit_bytes, Rows::Last)?.len)
}

/// The runs of at least `len_min` bytes in a longest common subsequence of `a` and `b`.
pub fn lcs_matches(a: &[u8], b: &[u8], len_min: usize, limit_bytes: u64) -> Result<Lcs, LcsError> {
    let grid = Grid::fill(a, b, limit_bytes, Rows::All)?;
    let mut matches = Vec::new();
    grid.walk(a, b, |run| {
        if run.len() >= len_min {
            matches.push(run);
        }
    });
    Ok(Lcs { matches, len: grid.len })
}

impl Match {
    /// Bytes in the run, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a run is never empty")]
    pub fn len(&self) -> usize {
        self.a_end - self.a_start + 1
    }
}

impl fmt::Display for LcsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "String too long for LCS",
            Self::OverLimit => {
                "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
            }
            Self::OutOfMemory => "Insufficient memory, failed allocating transient memory for LCS",
        })
    }
}

impl std::error::Error for LcsError {}

/// Which rows of bits to keep.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    All,
    Last,
}

/// The rows `v` after each byte of `a`, `words` words each: a bit is 0 where `L` grows.
struct Grid {
    rows: Vec<u64>,
    words: usize,
    len: usize,
}

impl Grid {
    fn fill(a: &[u8], b: &[u8], limit_bytes: u64, keep: Rows) -> Result<Self, LcsError> {
        check_size(a.len(), b.len(), limit_bytes)?;
        let words = b.len().div_ceil(64);
        if a.is_empty() || b.is_empty() {
            return Ok(Self { rows: Vec::new(), words, len: 0 });
        }
        let places = Places::new(a, b)?;
        let mut row = filled(words, u64::MAX)?;
        let mut rows = Vec::new();
        if keep == Rows::All {
            let total = words.checked_mul(a.len()).ok_or(LcsError::OutOfMemory)?;
            rows.try_reserve_exact(total).map_err(|_| LcsError::OutOfMemory)?;
        }
        for byte in a {
            if let Some(places) = places.of(*byte) {
                advance(&mut row, places);
            }
            if keep == Rows::All {
                rows.extend_from_slice(&row);
            }
        }
        // Bits past the end of `b` stay 1: they are in no `places`, so nothing clears them.
        let len = row.iter().map(|word| word.count_zeros() as usize).sum();
        Ok(Self { rows, words, len })
    }

    /// Whether `L[i][j]` is one more than `L[i][j-1]`; `i` and `j` count from 1.
    fn grows(&self, i: usize, j: usize) -> bool {
        let at = j - 1;
        self.rows[(i - 1) * self.words + at / 64] >> (at % 64) & 1 == 0
    }

    /// Walks back from the far corner and reports each run when it ends.
    fn walk(&self, a: &[u8], b: &[u8], mut report: impl FnMut(Match)) {
        if self.rows.is_empty() {
            return;
        }
        let (mut i, mut j) = (a.len(), b.len());
        let mut run: Option<Match> = None;
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                i -= 1;
                j -= 1;
                let open = run.get_or_insert(Match { a_start: i, a_end: i, b_start: j, b_end: j });
                open.a_start = i;
                open.b_start = j;
            } else {
                if self.grows(i, j) {
                    i -= 1;
                } else {
                    j -= 1;
                }
                if let Some(ended) = run.take() {
                    report(ended);
                }
            }
        }
        if let Some(ended) = run {
            report(ended);
        }
    }
}

/// The next row: `(v + (v & m)) | (v & !m)` over all words, the carry handed on.
fn advance(row: &mut [u64], places: &[u64]) {
    let mut carry = false;
    for (v, m) in row.iter_mut().zip(places) {
        let (sum, first) = v.overflowing_add(*v & m);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        carry = first | second;
        *v = sum | (*v & !m);
    }
}

/// For each byte value that occurs in `a`, the places in `b` that hold it. At most one row for each
/// byte of `a`, so never larger than the grid.
struct Places {
    /// The row of a byte value, or `NONE`.
    row_of: [u16; 256],
    rows: Vec<u64>,
    words: usize,
}

impl Places {
    const NONE: u16 = u16::MAX;

    fn new(a: &[u8], b: &[u8]) -> Result<Self, LcsError> {
        let words = b.len().div_ceil(64);
        let mut row_of = [Self::NONE; 256];
        let mut in_b = [false; 256];
        for byte in b {
            in_b[usize::from(*byte)] = true;
        }
        let mut count = 0_u16;
        for byte in a {
            let slot = &mut row_of[usize::from(*byte)];
            if *slot == Self::NONE && in_b[usize::from(*byte)] {
                *slot = count;
                count += 1;
            }
        }
        let total = words.checked_mul(usize::from(count)).ok_or(LcsError::OutOfMemory)?;
        let mut rows = filled(total, 0)?;
        for (at, byte) in b.iter().enumerate() {
            let row = row_of[usize::from(*byte)];
            if row != Self::NONE {
                rows[usize::from(row) * words + at / 64] |= 1 << (at % 64);
            }
        }
        Ok(Self { row_of, rows, words })
    }

    fn of(&self, byte: u8) -> Option<&[u64]> {
        let row = self.row_of[usize::from(byte)];
        let start = usize::from(row) * self.words;
        (row != Self::NONE).then(|| &self.rows[start..start + self.words])
    }
}

fn filled(len: usize, word: u64) -> Result<Vec<u64>, LcsError> {
    let mut words = Vec::new();
    words.try_reserve_exact(len).map_err(|_| LcsError::OutOfMemory)?;
    words.resize(len, word);
    Ok(words)
}

/// Refuses what Redis refuses, before anything is allocated.
fn check_size(a_len: usize, b_len: usize, limit_bytes: u64) -> Result<(), LcsError> {
    if a_len > LEN_MAX || b_len > LEN_MAX {
        return Err(LcsError::TooLong);
    }
    let cells = (a_len as u64 + 1).checked_mul(b_len as u64 + 1);
    match cells.and_then(|cells| cells.checked_mul(CELL_BYTES)) {
        None => Err(LcsError::OutOfMemory),
        Some(bytes) if bytes > limit_bytes => Err(LcsError::OverLimit),
        Some(_) => Ok(()),
    }
}
