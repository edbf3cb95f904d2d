//! Lua 5.1's patterns, by backtracking as there, with a limit of depth and an account of steps.
//!
//! A pattern ends at its first zero byte, as in C.

use crate::machine::{Frame, Raised};

const CAPTURES_MAX: usize = 32;
/// How deep items of a pattern nest; a level takes some 200 bytes of stack.
const DEPTH_MAX: usize = 1000;
/// Steps between two looks at the account.
const STEPS_CHARGED: usize = 1024;

#[derive(Clone, Copy, Debug)]
enum Capture {
    /// From here on, its end is not met yet.
    Open(usize),
    Closed(usize, usize),
    /// `()`: a position.
    Position(usize),
}

/// A match: where, and what was captured. Also the room for it, which one search after another uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Captures {
    pub(crate) start: usize,
    pub(crate) end: usize,
    count: usize,
    captures: [Capture; CAPTURES_MAX],
}

impl Captures {
    pub(crate) fn new() -> Self {
        Self { start: 0, end: 0, count: 0, captures: [Capture::Position(0); CAPTURES_MAX] }
    }
}

/// A pattern and what it is looked for in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matcher<'a> {
    subject: &'a [u8],
    /// Without `^`.
    pattern: &'a [u8],
    anchored: bool,
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(subject: &'a [u8], pattern: &'a [u8]) -> Self {
        let matcher = Self::unanchored(subject, pattern);
        match matcher.pattern.strip_prefix(b"^") {
            Some(pattern) => Self { pattern, anchored: true, ..matcher },
            None => matcher,
        }
    }

    /// For `gmatch`, to which `^` means nothing special.
    pub(crate) fn unanchored(subject: &'a [u8], pattern: &'a [u8]) -> Self {
        let end = memchr::memchr(0, pattern).unwrap_or(pattern.len());
        Self { subject, pattern: &pattern[..end], anchored: false }
    }

    pub(crate) fn subject(&self) -> &'a [u8] {
        self.subject
    }

    pub(crate) fn is_anchored(&self) -> bool {
        self.anchored
    }

    /// Finds the first match from `at` on.
    pub(crate) fn find(
        &self,
        frame: &mut Frame<'_>,
        at: usize,
        found: &mut Captures,
    ) -> Result<bool, Raised> {
        for at in at..=self.subject.len() {
            let matched = self.match_at(frame, at, found)?;
            if matched || self.anchored {
                return Ok(matched);
            }
        }
        Ok(false)
    }

    /// Matches at `at`.
    pub(crate) fn match_at(
        &self,
        frame: &mut Frame<'_>,
        at: usize,
        found: &mut Captures,
    ) -> Result<bool, Raised> {
        let Self { subject, pattern, .. } = *self;
        (found.start, found.count) = (at, 0);
        let mut run = Run { frame, subject, pattern, found, steps: 1, depth: 0 };
        let end = run.matches(at, 0)?;
        run.frame.charge(run.steps)?;
        found.end = end.unwrap_or(at);
        Ok(end.is_some())
    }

    /// Pushes capture `number` (from 0 on), the whole match if there are no captures.
    pub(crate) fn push_capture(
        &self,
        frame: &mut Frame<'_>,
        found: &Captures,
        number: usize,
    ) -> Result<(), Raised> {
        let range = match found.captures[..found.count].get(number) {
            None if number == 0 => (found.start, found.end),
            None => return Err(frame.raise("invalid capture index")),
            Some(Capture::Open(_)) => return Err(frame.raise("unfinished capture")),
            Some(Capture::Closed(start, end)) => (*start, *end),
            Some(Capture::Position(at)) => {
                frame.push_number((at + 1) as f64);
                return Ok(());
            }
        };
        frame.push(self.subject.get(range.0..range.1).unwrap_or_default());
        Ok(())
    }

    /// Pushes all captures, or the whole match if there are none and `whole` says so. How many.
    pub(crate) fn push_some(
        &self,
        frame: &mut Frame<'_>,
        found: &Captures,
        whole: bool,
    ) -> Result<i32, Raised> {
        let count = if found.count == 0 && whole { 1 } else { found.count };
        frame.room(count, "too many captures")?;
        for number in 0..count {
            self.push_capture(frame, found, number)?;
        }
        Ok(i32::try_from(count).unwrap_or(0))
    }

    pub(crate) fn push_captures(
        &self,
        frame: &mut Frame<'_>,
        found: &Captures,
    ) -> Result<i32, Raised> {
        self.push_some(frame, found, true)
    }

    /// Appends capture `number` as text, for `gsub`.
    pub(crate) fn append_capture(
        &self,
        frame: &mut Frame<'_>,
        out: &mut Vec<u8>,
        found: &Captures,
        number: usize,
    ) -> Result<(), Raised> {
        self.push_capture(frame, found, number)?;
        out.extend_from_slice(frame.text(-1).unwrap_or_default());
        frame.pop(1);
        Ok(())
    }
}

/// Whether `pattern` means nothing but itself.
pub(crate) fn is_plain(pattern: &[u8]) -> bool {
    let end = memchr::memchr(0, pattern).unwrap_or(pattern.len());
    !pattern[..end].iter().any(|byte| b"^$*+?.([%-".contains(byte))
}

struct Run<'r, 'f, 'a> {
    frame: &'r mut Frame<'f>,
    subject: &'a [u8],
    pattern: &'a [u8],
    found: &'r mut Captures,
    steps: usize,
    depth: usize,
}

type Matched = Result<Option<usize>, Raised>;

impl Run<'_, '_, '_> {
    fn step(&mut self, steps: usize) -> Result<(), Raised> {
        self.steps += steps;
        if self.steps >= STEPS_CHARGED {
            let steps = std::mem::take(&mut self.steps);
            self.frame.charge(steps)?;
        }
        Ok(())
    }

    fn fail<T>(&mut self, text: &str) -> Result<T, Raised> {
        Err(self.frame.raise(text))
    }

    /// Byte `at` of the pattern; zero behind its end.
    #[inline]
    fn item(&self, at: usize) -> u8 {
        self.pattern.get(at).copied().unwrap_or(0)
    }

    /// One level of recursion.
    fn nested(&mut self, at: usize, item: usize) -> Matched {
        if self.depth >= DEPTH_MAX {
            return self.fail("pattern too complex");
        }
        self.depth += 1;
        let matched = self.matches(at, item);
        self.depth -= 1;
        matched
    }

    /// Matches the pattern from `item` on against the subject from `at` on; the end of the match.
    fn matches(&mut self, mut at: usize, mut item: usize) -> Matched {
        loop {
            self.step(1)?;
            match self.item(item) {
                0 => return Ok(Some(at)),
                b'(' if self.item(item + 1) == b')' => {
                    return self.open(at, item + 2, Capture::Position(at));
                }
                b'(' => return self.open(at, item + 1, Capture::Open(at)),
                b')' => return self.close(at, item + 1),
                b'$' if self.item(item + 1) == 0 => {
                    return Ok((at == self.subject.len()).then_some(at));
                }
                b'%' if self.item(item + 1) == b'b' => match self.balance(at, item + 2)? {
                    Some(end) => (at, item) = (end, item + 4),
                    None => return Ok(None),
                },
                b'%' if self.item(item + 1) == b'f' => match self.frontier(at, item + 2)? {
                    Some(next) => item = next,
                    None => return Ok(None),
                },
                b'%' if self.item(item + 1).is_ascii_digit() => {
                    match self.back_reference(at, self.item(item + 1))? {
                        Some(end) => (at, item) = (end, item + 2),
                        None => return Ok(None),
                    }
                }
                _ => {
                    let next = self.class_end(item)?;
                    let single = self.single(at, item, next);
                    match self.item(next) {
                        b'?' => {
                            if single && let Some(end) = self.nested(at + 1, next + 1)? {
                                return Ok(Some(end));
                            }
                            item = next + 1;
                        }
                        b'*' => return self.most(at, item, next),
                        b'+' if single => return self.most(at + 1, item, next),
                        b'-' => return self.least(at, item, next),
                        _ if !single => return Ok(None),
                        _ => (at, item) = (at + 1, next),
                    }
                }
            }
        }
    }

    fn open(&mut self, at: usize, item: usize, capture: Capture) -> Matched {
        let Some(place) = self.found.captures.get_mut(self.found.count) else {
            return self.fail("too many captures");
        };
        *place = capture;
        self.found.count += 1;
        let matched = self.nested(at, item)?;
        if matched.is_none() {
            self.found.count -= 1;
        }
        Ok(matched)
    }

    fn close(&mut self, at: usize, item: usize) -> Matched {
        let open = self.found.captures[..self.found.count]
            .iter()
            .rposition(|one| matches!(one, Capture::Open(_)));
        let Some(open) = open else { return self.fail("invalid pattern capture") };
        let before = self.found.captures[open];
        if let Capture::Open(start) = before {
            self.found.captures[open] = Capture::Closed(start, at);
        }
        let matched = self.nested(at, item)?;
        if matched.is_none() {
            self.found.captures[open] = before;
        }
        Ok(matched)
    }

    /// As many repetitions as possible.
    fn most(&mut self, at: usize, item: usize, next: usize) -> Matched {
        let mut count = 0;
        while self.single(at + count, item, next) {
            count += 1;
            if count % STEPS_CHARGED == 0 {
                self.step(STEPS_CHARGED)?;
            }
        }
        loop {
            if let Some(end) = self.nested(at + count, next + 1)? {
                return Ok(Some(end));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    /// As few repetitions as possible.
    fn least(&mut self, mut at: usize, item: usize, next: usize) -> Matched {
        loop {
            if let Some(end) = self.nested(at, next + 1)? {
                return Ok(Some(end));
            }
            if !self.single(at, item, next) {
                return Ok(None);
            }
            at += 1;
        }
    }

    /// `%b()`.
    fn balance(&mut self, at: usize, item: usize) -> Matched {
        let (open, close) = (self.item(item), self.item(item + 1));
        if open == 0 || close == 0 {
            return self.fail("unbalanced pattern");
        }
        if self.subject.get(at) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1usize;
        for (offset, &byte) in self.subject[at + 1..].iter().enumerate() {
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    self.step(offset / 4)?;
                    return Ok(Some(at + offset + 2));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        self.step((self.subject.len() - at) / 4)?;
        Ok(None)
    }

    /// `%f[set]`: the item behind it, if `at` is where the set begins.
    fn frontier(&mut self, at: usize, item: usize) -> Matched {
        if self.item(item) != b'[' {
            return self.fail("missing '[' after '%f' in pattern");
        }
        let next = self.class_end(item)?;
        let before = at.checked_sub(1).map_or(0, |at| self.subject[at]);
        let here = self.subject.get(at).copied().unwrap_or(0);
        let is_frontier = !self.in_set(before, item, next - 1) && self.in_set(here, item, next - 1);
        Ok(is_frontier.then_some(next))
    }

    /// `%1`.
    fn back_reference(&mut self, at: usize, digit: u8) -> Matched {
        let number = usize::from(digit).checked_sub(usize::from(b'1'));
        let capture =
            number.and_then(|number| self.found.captures[..self.found.count].get(number)).copied();
        match capture {
            Some(Capture::Closed(start, end)) => {
                let text = &self.subject[start..end];
                self.step(text.len() / 16)?;
                Ok(self.subject[at..].starts_with(text).then_some(at + text.len()))
            }
            // C compares with a length of -2 there, which never fits.
            Some(Capture::Position(_)) => Ok(None),
            _ => self.fail("invalid capture index"),
        }
    }

    /// Where the single item at `item` ends.
    fn class_end(&mut self, item: usize) -> Result<usize, Raised> {
        match self.item(item) {
            b'%' if self.item(item + 1) == 0 => self.fail("malformed pattern (ends with '%')"),
            b'%' => Ok(item + 2),
            b'[' => {
                let mut at = item + 1;
                if self.item(at) == b'^' {
                    at += 1;
                }
                loop {
                    match self.item(at) {
                        0 => return self.fail("malformed pattern (missing ']')"),
                        b'%' if self.item(at + 1) != 0 => at += 2,
                        _ => at += 1,
                    }
                    if self.item(at) == b']' {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(item + 1),
        }
    }

    /// Whether the subject's byte at `at` matches the item that ends at `next`.
    #[inline]
    fn single(&self, at: usize, item: usize, next: usize) -> bool {
        let Some(&byte) = self.subject.get(at) else { return false };
        match self.item(item) {
            b'.' => true,
            b'%' => in_class(byte, self.item(item + 1)),
            b'[' => self.in_set(byte, item, next - 1),
            plain => plain == byte,
        }
    }

    /// Whether a byte is in the set between `[` at `item` and `]` at `end`.
    fn in_set(&self, byte: u8, item: usize, end: usize) -> bool {
        let mut at = item + 1;
        let negated = self.item(at) == b'^';
        if negated {
            at += 1;
        }
        while at < end {
            let found = match self.item(at) {
                b'%' => {
                    at += 1;
                    in_class(byte, self.item(at))
                }
                low if self.item(at + 1) == b'-' && at + 2 < end => {
                    at += 2;
                    (low..=self.item(at)).contains(&byte)
                }
                plain => plain == byte,
            };
            if found {
                return !negated;
            }
            at += 1;
        }
        negated
    }
}

/// Whether a byte is in a class such as `%d`, or is that letter if it names none.
fn in_class(byte: u8, class: u8) -> bool {
    let inside = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | b'\t'..=b'\r'),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    inside == class.is_ascii_lowercase()
}
