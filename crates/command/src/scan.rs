//! What the commands of the SCAN family have in common: options and answers. Cursors are
//! read by [`Args::cursor`].

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

    /// Answers where to go on, and the words: what a call of the family answers.
    pub fn reply_from(&self, next: u64, reply: &mut Reply) {
        let mut text = Vec::with_capacity(stdx::num::I64_TEXT_MAX);
        stdx::num::write_u64(&mut text, next);
        reply.array(2);
        reply.bulk(&text);
        self.reply(reply);
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

/// The options of HSCAN, SSCAN and ZSCAN.
#[derive(Clone, Copy, Debug)]
pub struct ElementScan<'a> {
    /// Elements to look at: at least 1, [`SCAN_COUNT_MAX`] at most.
    pub count: usize,
    pattern: Option<&'a [u8]>,
    /// NOVALUES of HSCAN, NOSCORES of ZSCAN.
    pub names_only: bool,
}

impl<'a> ElementScan<'a> {
    /// Takes all words that are left; `bare` is the one that asks for names only, if one does.
    pub fn parse(args: &mut Args<'a>, bare: Option<&str>) -> Result<Self, CommandError> {
        let mut scan = Self { count: 10, pattern: None, names_only: false };
        while args.left() > 0 {
            if args.left() > 1 && args.token("COUNT") {
                let count = usize::try_from(args.integer()?).ok().filter(|count| *count > 0);
                scan.count = count.ok_or(CommandError::Syntax)?.min(SCAN_COUNT_MAX);
            } else if args.left() > 1 && args.token("MATCH") {
                let pattern = args.bytes()?;
                scan.pattern = (pattern != b"*").then_some(pattern);
            } else if bare.is_some_and(|word| args.token(word)) {
                scan.names_only = true;
            } else if args.token("NOVALUES") {
                return Err(CommandError::NovaluesNotHscan);
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
