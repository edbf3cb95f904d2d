//! The regular expressions of ARGREP: POSIX extended ones, with the additions that Redis's library
//! has (`\w`, `\b`, `\x41`, `*?` ...), translated for the crate `regex`, which takes time linear in
//! what it searches, and no more memory than it is allowed.
//!
//! All is bytes: what is matched need not be UTF-8, and only ASCII letters have a case. A bracket
//! expression is POSIX's: a backslash in it is itself. What is wrong with an expression is told in
//! the words of that library.

use ::regex::bytes::{Regex, RegexBuilder};

/// Bytes of the longest expression.
pub(super) const LEN_MAX: usize = 2048;

/// The most repetitions of a bound.
const REPEAT_MAX: u32 = 255;

/// Bytes that all expressions of a command may take: compiled, and as much again while they run.
const MEMORY_MAX: usize = 8 << 20;
/// And one of them.
const MEMORY_EACH_MAX: usize = 1 << 20;

/// Why an expression is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Backreference,
    /// In the library's words.
    Invalid(&'static str),
}

const BRACKET: Refusal = Refusal::Invalid("Missing ']'");
const PAREN: Refusal = Refusal::Invalid("Missing ')'");
const BRACE: Refusal = Refusal::Invalid("Missing '}'");
const BOUND: Refusal = Refusal::Invalid("Invalid contents of {}");
const RANGE: Refusal = Refusal::Invalid("Invalid character range");
const REPEAT: Refusal = Refusal::Invalid("Invalid use of repetition operators");
const CLASS: Refusal = Refusal::Invalid("Unknown character class name");
const COLLATION: Refusal = Refusal::Invalid("Unknown collating element");
const ESCAPE: Refusal = Refusal::Invalid("Trailing backslash");
const OTHER: Refusal = Refusal::Invalid("Invalid regexp");
const MEMORY: Refusal = Refusal::Invalid("Out of memory");

/// Compiles what [`translate`] gave, one of `count` of its command.
pub(super) fn compile(translated: &str, nocase: bool, count: usize) -> Result<Regex, Refusal> {
    let memory = (MEMORY_MAX / count.max(1)).min(MEMORY_EACH_MAX);
    RegexBuilder::new(translated)
        .unicode(false)
        .case_insensitive(nocase)
        .dot_matches_new_line(true)
        .size_limit(memory)
        .dfa_size_limit(memory)
        .build()
        .map_err(|error| match error {
            ::regex::Error::CompiledTooBig(_) => MEMORY,
            _ => OTHER,
        })
}

/// The expression as the crate has it, in ASCII.
pub(super) fn translate(expression: &[u8]) -> Result<String, Refusal> {
    let mut own = Translation { rest: expression, out: String::new() };
    let mut depth = 0_usize;
    // Whether something is there that may be repeated.
    let mut atom = false;
    while let Some(byte) = own.next() {
        match byte {
            b'\\' => atom = own.escape()?,
            b'[' => {
                own.bracket()?;
                atom = true;
            }
            b'(' => {
                own.open()?;
                depth += 1;
                atom = false;
            }
            b')' => {
                depth = depth.checked_sub(1).ok_or(PAREN)?;
                own.out.push(')');
                atom = true;
            }
            b'*' | b'+' | b'?' if !atom => return Err(REPEAT),
            b'{' if !atom => return Err(REPEAT),
            b'{' => own.bound()?,
            b'|' => {
                own.out.push('|');
                atom = false;
            }
            b'^' | b'$' | b'.' | b'*' | b'+' | b'?' => {
                own.out.push(char::from(byte));
                atom = true;
            }
            byte => {
                own.literal(byte);
                atom = true;
            }
        }
    }
    if depth > 0 { Err(PAREN) } else { Ok(own.out) }
}

struct Translation<'p> {
    rest: &'p [u8],
    out: String,
}

impl Translation<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, text: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// What stands before `end`, which is passed over.
    fn until(&mut self, end: &[u8]) -> Option<&[u8]> {
        let at = self.rest.windows(end.len()).position(|part| part == end)?;
        let (before, rest) = self.rest.split_at(at);
        self.rest = &rest[end.len()..];
        Some(before)
    }

    fn literal(&mut self, byte: u8) {
        if byte.is_ascii_alphanumeric() {
            self.out.push(char::from(byte));
        } else {
            self.out.push_str(&format!("\\x{byte:02X}"));
        }
    }

    /// What follows a backslash; whether it may be repeated.
    fn escape(&mut self) -> Result<bool, Refusal> {
        match self.next().ok_or(ESCAPE)? {
            b'1'..=b'9' => return Err(Refusal::Backreference),
            byte @ (b'w' | b'W' | b's' | b'S' | b'd' | b'D') => {
                self.out.push('\\');
                self.out.push(char::from(byte));
            }
            byte @ (b'b' | b'B' | b'<' | b'>') => {
                self.out.push('\\');
                self.out.push(char::from(byte));
            }
            b'a' => self.literal(0x07),
            b'e' => self.literal(0x1B),
            b'f' => self.literal(0x0C),
            b'n' => self.literal(b'\n'),
            b'r' => self.literal(b'\r'),
            b't' => self.literal(b'\t'),
            b'x' => self.hex()?,
            b'Q' => {
                let text = match self.until(b"\\E") {
                    Some(text) => text.to_vec(),
                    None => std::mem::take(&mut self.rest).to_vec(),
                };
                text.iter().for_each(|byte| self.literal(*byte));
                return Ok(!text.is_empty());
            }
            byte => self.literal(byte),
        }
        Ok(true)
    }

    /// A byte as one or two hexadecimal digits, or some in braces.
    fn hex(&mut self) -> Result<(), Refusal> {
        let digits = if self.take(b"{") {
            self.until(b"}").ok_or(BRACE)?.to_vec()
        } else {
            let len = self.rest.iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
            let (digits, rest) = self.rest.split_at(len);
            self.rest = rest;
            digits.to_vec()
        };
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(BRACE);
        }
        let text = String::from_utf8(digits).map_err(|_| OTHER)?;
        let byte = if text.is_empty() { Ok(0) } else { u8::from_str_radix(&text, 16) };
        self.literal(byte.map_err(|_| OTHER)?);
        Ok(())
    }

    /// What follows an opening parenthesis: that nothing is captured, and whether case matters.
    fn open(&mut self) -> Result<(), Refusal> {
        const HEADS: &[&str] = &["(?:", "(?i:", "(?-i:"];
        let head = HEADS.iter().find(|head| self.take(&head.as_bytes()[1..]));
        if head.is_none() && self.rest.first() == Some(&b'?') {
            return Err(REPEAT);
        }
        self.out.push_str(head.copied().unwrap_or("("));
        Ok(())
    }

    /// What follows an opening brace: `n}`, `n,}`, `,m}` or `n,m}`.
    fn bound(&mut self) -> Result<(), Refusal> {
        let text = self.until(b"}").ok_or(BRACE)?.to_vec();
        let number = |text: &[u8]| {
            let number = stdx::num::parse_u64(text).and_then(|number| u32::try_from(number).ok());
            number.filter(|number| *number <= REPEAT_MAX).ok_or(BOUND)
        };
        let bound = match text.iter().position(|byte| *byte == b',') {
            None => format!("{{{}}}", number(&text)?),
            Some(at) => {
                let (least, most) = (&text[..at], &text[at + 1..]);
                let least = if least.is_empty() { 0 } else { number(least)? };
                match most {
                    [] => format!("{{{least},}}"),
                    _ => match number(most)? {
                        most if most < least => return Err(BOUND),
                        most => format!("{{{least},{most}}}"),
                    },
                }
            }
        };
        self.out.push_str(&bound);
        Ok(())
    }

    /// What follows an opening bracket.
    fn bracket(&mut self) -> Result<(), Refusal> {
        const CLASSES: &[&str] = &[
            "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "xdigit",
        ];
        self.out.push('[');
        if self.take(b"^") {
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            let byte = self.next().ok_or(BRACKET)?;
            match byte {
                b']' if !is_first => break,
                b'[' if self.take(b":") => {
                    let name = self.until(b":]").ok_or(CLASS)?.to_vec();
                    let class = CLASSES.iter().find(|class| class.as_bytes() == name);
                    self.out.push_str(&format!("[:{}:]", class.ok_or(CLASS)?));
                }
                b'[' if matches!(self.rest.first(), Some(b'.' | b'=')) => return Err(COLLATION),
                from => match self.rest {
                    [b'-', to, ..] if *to != b']' => {
                        let to = *to;
                        self.rest = &self.rest[2..];
                        if to < from {
                            return Err(RANGE);
                        }
                        self.out.push_str(&format!("\\x{from:02X}-\\x{to:02X}"));
                    }
                    _ => self.out.push_str(&format!("\\x{from:02X}")),
                },
            }
            is_first = false;
        }
        self.out.push(']');
        Ok(())
    }
}
