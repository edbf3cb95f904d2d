//! Inline requests: a line of words, as typed by a human.
//!
//! Words are separated by white space. A word may end with a part in quotes: in double quotes the
//! escapes `\xHH \n \r \t \b \a` mean a byte and any other `\c` means c; in single quotes `\'` means a
//! quote and everything else means itself. A closing quote must be followed by white space or the end.

use super::{Arg, Args};
use crate::error::ProtocolError;

/// Quotes that do not close, or that close inside a word.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unbalanced;

/// Finds the line at the start of `frame`: its bytes without the end of line, and its size with it.
/// `scanned` bytes are known to hold no end. A NUL hides the rest of the line, as in Redis, where a
/// line with one is never complete and ends as too big.
pub(super) fn line<'a>(
    frame: &'a [u8],
    scanned: &mut usize,
    bytes_max: usize,
) -> Result<Option<(&'a [u8], usize)>, ProtocolError> {
    let window = frame.get(..=bytes_max).unwrap_or(frame);
    let rest = window.get(*scanned..).unwrap_or_default();
    let found = memchr::memchr2(b'\n', 0, rest);
    *scanned = scanned.saturating_add(found.unwrap_or(rest.len()));
    match (window.get(*scanned), window.get(..*scanned)) {
        (Some(b'\n'), Some(line)) => {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            Ok(Some((line, scanned.saturating_add(1))))
        }
        _ if frame.len() > bytes_max => Err(ProtocolError::TooBigInline),
        _ => Ok(None),
    }
}

/// Appends the words of `line` to `args`: as offsets into the line, or, if it holds a quote, as
/// offsets into `unquoted`, to which their bytes are appended. Answers which.
pub(super) fn split(
    line: &[u8],
    args: &mut Vec<Arg>,
    unquoted: &mut Vec<u8>,
) -> Result<bool, Unbalanced> {
    let quoted = memchr::memchr2(b'"', b'\'', line).is_some();
    let mut rest = line;
    loop {
        rest = skip_space(rest);
        if rest.is_empty() {
            return Ok(quoted);
        }
        if quoted {
            let start = unquoted.len();
            rest = unquote_word(rest, unquoted)?;
            args.push(arg(start, unquoted.len().saturating_sub(start)));
        } else {
            let len = rest.iter().position(|byte| is_separator(*byte)).unwrap_or(rest.len());
            args.push(arg(line.len().saturating_sub(rest.len()), len));
            rest = rest.get(len..).unwrap_or_default();
        }
    }
}

/// Splits a line into words by the rules above, with copies; nothing if its quotes are unbalanced.
/// For configuration files and command lines, which follow the same rules.
pub fn split_line(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut args, mut unquoted) = (Vec::new(), Vec::new());
    let quoted = split(line, &mut args, &mut unquoted).ok()?;
    let base = if quoted { &unquoted } else { line };
    Some(args.iter().map(|arg| arg.of(base).to_vec()).collect())
}

/// Whether these are the first words of an HTTP request or of its header, which no command line
/// can be: POST, PUT, OPTIONS or `Host:` as command, or a method with `HTTP/` as third word.
pub(super) fn is_http(args: Args<'_>) -> bool {
    const ALWAYS: [&[u8]; 4] = [b"POST", b"PUT", b"OPTIONS", b"Host:"];
    const METHODS: [&[u8]; 6] = [b"GET", b"HEAD", b"DELETE", b"PATCH", b"CONNECT", b"TRACE"];
    let Some(name) = args.get(0) else { return false };
    let is_in = |words: &[&[u8]]| words.iter().any(|word| name.eq_ignore_ascii_case(word));
    let version = || args.get(2).is_some_and(|word| word.starts_with(b"HTTP/"));
    is_in(&ALWAYS) || (args.len() == 3 && version() && is_in(&METHODS))
}

/// Appends the bytes of the word at the start of `rest` to `into`; answers what follows it.
fn unquote_word<'a>(mut rest: &'a [u8], into: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        match rest {
            [b'"', tail @ ..] => return unquote_double(tail, into),
            [b'\'', tail @ ..] => return unquote_single(tail, into),
            [byte, tail @ ..] if !is_separator(*byte) => {
                into.push(*byte);
                rest = tail;
            }
            _ => return Ok(rest),
        }
    }
}

fn unquote_double<'a>(mut rest: &'a [u8], into: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        let (byte, tail) = match rest {
            [b'"', tail @ ..] => return closed(tail),
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let digit = |digit: u8| stdx::quote::unhex(digit).unwrap_or(0);
                (digit(*high) << 4 | digit(*low), tail)
            }
            [b'\\', b'n', tail @ ..] => (b'\n', tail),
            [b'\\', b'r', tail @ ..] => (b'\r', tail),
            [b'\\', b't', tail @ ..] => (b'\t', tail),
            [b'\\', b'b', tail @ ..] => (0x08, tail),
            [b'\\', b'a', tail @ ..] => (0x07, tail),
            [b'\\', byte, tail @ ..] | [byte, tail @ ..] => (*byte, tail),
            [] => return Err(Unbalanced),
        };
        into.push(byte);
        rest = tail;
    }
}

fn unquote_single<'a>(mut rest: &'a [u8], into: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        let (byte, tail) = match rest {
            [b'\'', tail @ ..] => return closed(tail),
            [b'\\', b'\'', tail @ ..] => (b'\'', tail),
            [byte, tail @ ..] => (*byte, tail),
            [] => return Err(Unbalanced),
        };
        into.push(byte);
        rest = tail;
    }
}

fn closed(rest: &[u8]) -> Result<&[u8], Unbalanced> {
    match rest.first() {
        Some(byte) if !is_space(*byte) => Err(Unbalanced),
        _ => Ok(rest),
    }
}

/// An argument within a line: short by the limit on lines.
fn arg(start: usize, len: usize) -> Arg {
    let short = |number| u32::try_from(number).unwrap_or(u32::MAX);
    Arg { start: short(start), len: short(len) }
}

/// What C's `isspace` says: these stand between words.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// What ends a word that is not quoted: not vertical tab and form feed.
fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

fn skip_space(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}
