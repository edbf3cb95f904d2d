//! A typed cursor over the words of one request. An argument that is missing or wrong is an
//! error the handler passes on with `?`, before it acts.

use crate::{CommandError, Resolved};
use keyspace::KeyRef;

/// The cursor. Starts after the command's name.
#[derive(Clone, Debug)]
pub struct Args<'a> {
    request: &'a Resolved<'a>,
    at: usize,
    key_at: usize,
}

impl<'a> Args<'a> {
    pub fn new(request: &'a Resolved<'a>) -> Self {
        Self { request, at: request.name_words, key_at: 0 }
    }

    /// How many words are left.
    pub fn left(&self) -> usize {
        self.request.args.len() - self.at
    }

    /// All words, the name included: for a handler that must see the whole.
    pub fn all(&self) -> &'a [&'a [u8]] {
        self.request.args
    }

    /// The row of the command that runs: for families whose members differ by a detail.
    pub fn spec(&self) -> &'static crate::Command {
        self.request.spec
    }

    /// The position of [`Args::spec`] in the table's flat list.
    pub fn id(&self) -> u16 {
        self.request.id
    }

    /// The next word without taking it.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.request.args.get(self.at).copied()
    }

    /// The next word, or a syntax error.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], CommandError> {
        let word = self.peek().ok_or(CommandError::Syntax)?;
        self.at += 1;
        Ok(word)
    }

    /// The next word if there is one.
    #[expect(clippy::should_implement_trait, reason = "the cursor reads words as many types")]
    pub fn next(&mut self) -> Option<&'a [u8]> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    /// The next word, which RESOLVE found to be a key.
    #[inline]
    pub fn key(&mut self) -> Result<KeyRef<'a>, CommandError> {
        let word = self.bytes()?;
        let keys = self.request.keys;
        // Keys come in the order of the specifications, which is nearly always that of the words.
        if let Some(key) = keys.get(self.key_at)
            && std::ptr::eq(key.bytes(), word)
        {
            self.key_at += 1;
            return Ok(*key);
        }
        match keys.iter().position(|key| std::ptr::eq(key.bytes(), word)) {
            Some(at) => {
                self.key_at = at + 1;
                Ok(keys[at])
            }
            None => Err(CommandError::InvalidKeyArguments),
        }
    }

    /// All keys that RESOLVE found, wherever they stand.
    pub fn keys(&self) -> &'a [KeyRef<'a>] {
        self.request.keys
    }

    /// Takes the next word if it is `token` (in any case).
    #[inline]
    pub fn token(&mut self, token: &str) -> bool {
        let is = self.peek().is_some_and(|word| word.eq_ignore_ascii_case(token.as_bytes()));
        self.at += usize::from(is);
        is
    }

    /// The next word as a 64-bit signed integer, in the one spelling that Redis accepts.
    #[inline]
    pub fn integer(&mut self) -> Result<i64, CommandError> {
        stdx::num::parse_i64(self.bytes()?).ok_or(CommandError::NotAnInteger)
    }

    /// The next word as a double.
    pub fn double(&mut self) -> Result<f64, CommandError> {
        stdx::num::parse_f64(self.bytes()?).ok_or(CommandError::NotAFloat)
    }

    /// The next word as the cursor of a scan.
    pub fn cursor(&mut self) -> Result<u64, CommandError> {
        parse_cursor(self.bytes()?).ok_or(CommandError::InvalidCursor)
    }

    /// Reads what `read` reads if any word is left.
    pub fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, CommandError>,
    ) -> Result<Option<T>, CommandError> {
        if self.left() == 0 { Ok(None) } else { read(self).map(Some) }
    }

    /// Skips `count` words (at most those that are left).
    pub fn skip(&mut self, count: usize) {
        self.at = (self.at + count).min(self.request.args.len());
    }

    /// The next `count` words, if as many are left.
    pub fn take(&mut self, count: usize) -> Option<&'a [&'a [u8]]> {
        let words = self.request.args[self.at..].get(..count)?;
        self.at += count;
        Some(words)
    }

    /// The words that are left; takes them all.
    pub fn rest(&mut self) -> &'a [&'a [u8]] {
        let rest = &self.request.args[self.at..];
        self.at = self.request.args.len();
        rest
    }

    /// No word may be left.
    #[inline]
    pub fn end(&self) -> Result<(), CommandError> {
        if self.left() == 0 { Ok(()) } else { Err(CommandError::Syntax) }
    }
}

/// A cursor as the peers read it: an integer that is not negative, or else whatever the C
/// library's `strtoull` takes whole, up to a NUL. That lets through leading spaces, signs (a minus
/// wraps around) and zeros.
fn parse_cursor(text: &[u8]) -> Option<u64> {
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

#[cfg(test)]
mod tests {
    use super::parse_cursor;

    #[test]
    fn cursors_are_read_as_strtoull_reads_them() {
        assert_eq!(parse_cursor(b"0"), Some(0));
        assert_eq!(parse_cursor(b" 007"), Some(7));
        assert_eq!(parse_cursor(b"+5"), Some(5));
        assert_eq!(parse_cursor(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_cursor(b"5\0x"), Some(5));
        assert_eq!(parse_cursor(b"-0"), Some(0));
        assert_eq!(parse_cursor(b" -5"), Some(u64::MAX - 4));
        assert_eq!(parse_cursor(b"-9223372036854775809"), Some(i64::MAX as u64));
        for text in
            ["", "-1", "1x", "18446744073709551616", "-18446744073709551616", "5 ", " ", "+"]
        {
            assert_eq!(parse_cursor(text.as_bytes()), None, "{text}");
        }
    }
}
