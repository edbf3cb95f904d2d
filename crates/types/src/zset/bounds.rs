//! The ranges that commands ask for, and what they mean in ranks.

/// Elements by score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    pub min: f64,
    pub max: f64,
    /// Whether `min` itself is left out.
    pub min_open: bool,
    pub max_open: bool,
}

impl ScoreRange {
    /// From `min` to `max`, both included.
    pub const fn closed(min: f64, max: f64) -> Self {
        Self { min, max, min_open: false, max_open: false }
    }

    pub fn contains(&self, score: f64) -> bool {
        let above = if self.min_open { score > self.min } else { score >= self.min };
        above && if self.max_open { score < self.max } else { score <= self.max }
    }
}

/// An end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before all members.
    Least,
    /// After all members.
    Greatest,
    /// This member, included.
    At(&'a [u8]),
    /// This member, left out.
    Beyond(&'a [u8]),
}

/// Elements by member, for sets whose elements all have one score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    pub min: LexBound<'a>,
    pub max: LexBound<'a>,
}

impl LexRange<'_> {
    pub fn contains(&self, member: &[u8]) -> bool {
        let above = match self.min {
            LexBound::Least => true,
            LexBound::Greatest => false,
            LexBound::At(min) => member >= min,
            LexBound::Beyond(min) => member > min,
        };
        above
            && match self.max {
                LexBound::Least => false,
                LexBound::Greatest => true,
                LexBound::At(max) => member <= max,
                LexBound::Beyond(max) => member < max,
            }
    }
}
