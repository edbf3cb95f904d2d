//! What the commands of the SCAN family have in common: cursors and options.

use crate::{Args, CommandError};
use resp::Reply;

/// Elements that one call looks at, whatever COUNT says.
pub const SCAN_COUNT_MAX: usize = 1 << 16;

/// Words of an answer, in one buffer: what comes before them is known behind them only.
#[derive(Debug, Default)]
pub struct Words {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Words {
    pub fn push(&mut self, word: &[u8]) {
        self.bytes.extend_from_slice(word);
        self.ends.push(self.bytes.len());
    }

    /// Answers them as an array.
    pub fn reply(&self, reply: &mut Reply) {
        reply.array(self.ends.len());
        let mut start = 0;
        for end in &self.ends {
            reply.bulk(&self.bytes[start..*end]);
            start = *end;
        }
    }
}

/// A cursor as the peers read it: an integer that is not negative, or else whatever the C
/// library's `strtoull` takes whole, up to a NUL. That lets through leading spaces, signs (a minus
/// wraps around) and zeros.
pub fn parse_cursor(text: &[u8]) -> Option<u64> {
    if let Some(number) = stdx::num::parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_space(byte))?;
    let (negative, digits) = match &text[start..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0u64, |sum, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    Some(if negative { number.wrapping_neg() } else { number })
}

/// The options of HSCAN, SSCAN and ZSCAN.
#[derive(Clone, Copy, Debug)]
pub struct ElementScan<'a> {
    /// Elements to look at: at least 1, [`SCAN_COUNT_MAX`] at most.
    pub count: usize,
    pattern: Option<&'a [u8]>,
    /// NOVALUES.
    pub names_only: bool,
}

impl<'a> ElementScan<'a> {
    /// Takes all words that are left. `has_values`: HSCAN.
    pub fn parse(args: &mut Args<'a>, has_values: bool) -> Result<Self, CommandError> {
        let mut scan = Self { count: 10, pattern: None, names_only: false };
        while args.left() > 0 {
            if args.left() > 1 && args.token("COUNT") {
                let count = usize::try_from(args.integer()?).ok().filter(|count| *count > 0);
                scan.count = count.ok_or(CommandError::Syntax)?.min(SCAN_COUNT_MAX);
            } else if args.left() > 1 && args.token("MATCH") {
                let pattern = args.bytes()?;
                scan.pattern = (pattern != b"*").then_some(pattern);
            } else if args.token("NOVALUES") {
                if !has_values {
                    return Err(CommandError::NovaluesNeedsHscan);
                }
                scan.names_only = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(scan)
    }

    /// Whether an element of this name is answered.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| stdx::glob::matches(pattern, name, false))
    }
}
