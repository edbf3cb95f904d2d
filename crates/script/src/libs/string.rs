//! `string`, as in Lua 5.1 for bytes in the C locale.

use super::Functions;
use super::pattern::{self, Captures, Matcher};
use crate::machine::{Frame, Kind, Printed, Raised, print_number, to_integer};
use std::ffi::CString;

pub(crate) const FUNCTIONS: Functions = &[
    ("byte", byte),
    ("char", char),
    ("dump", dump),
    ("find", find),
    ("format", format),
    ("gmatch", gmatch),
    ("len", len),
    ("lower", lower),
    ("match", r#match),
    ("rep", rep),
    ("reverse", reverse),
    ("sub", sub),
    ("upper", upper),
];

type Results = Result<usize, Raised>;

/// Pushes a string that was made, and counts its making.
pub(crate) fn push_made(frame: &mut Frame<'_>, made: &[u8]) -> Results {
    frame.charge(made.len() / 16)?;
    frame.reserve(made.len())?;
    frame.push(made);
    Ok(1)
}

/// A position counted from 1, or from the end if negative; 0 if that is before the start.
fn position(position: i64, len: usize) -> i64 {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_start =
        if position < 0 { position.wrapping_add(len).wrapping_add(1) } else { position };
    from_start.max(0)
}

fn as_index(position: i64) -> usize {
    usize::try_from(position).unwrap_or(0)
}

fn len(frame: &mut Frame<'_>) -> Results {
    let len = frame.arg_text(1)?.len();
    frame.push_number(len as f64);
    Ok(1)
}

fn sub(frame: &mut Frame<'_>) -> Results {
    let text = frame.arg_text(1)?;
    let start = position(frame.arg_integer(2)?, text.len()).max(1);
    let end = position(frame.arg_integer_or(3, -1)?, text.len());
    let end = as_index(end).min(text.len());
    frame.push(text.get(as_index(start) - 1..end).unwrap_or_default());
    Ok(1)
}

fn reverse(frame: &mut Frame<'_>) -> Results {
    let mut text = frame.arg_text(1)?.to_vec();
    text.reverse();
    push_made(frame, &text)
}

fn lower(frame: &mut Frame<'_>) -> Results {
    let text = frame.arg_text(1)?.to_ascii_lowercase();
    push_made(frame, &text)
}

fn upper(frame: &mut Frame<'_>) -> Results {
    let text = frame.arg_text(1)?.to_ascii_uppercase();
    push_made(frame, &text)
}

fn rep(frame: &mut Frame<'_>) -> Results {
    let text = frame.arg_text(1)?;
    let count = usize::try_from(frame.arg_int(2)?).unwrap_or(0);
    let len = text.len().saturating_mul(count);
    frame.reserve(len.saturating_mul(2))?;
    frame.charge(len / 16)?;
    let text = text.repeat(if text.is_empty() { 0 } else { count });
    frame.push(text);
    Ok(1)
}

fn byte(frame: &mut Frame<'_>) -> Results {
    let text = frame.arg_text(1)?;
    let start = position(frame.arg_integer_or(2, 1)?, text.len());
    let end = position(frame.arg_integer_or(3, start)?, text.len());
    let bytes = text.get(as_index(start.max(1)) - 1..as_index(end).min(text.len()));
    let bytes = bytes.unwrap_or_default();
    frame.room(bytes.len(), "string slice too long")?;
    for &byte in bytes {
        frame.push_number(f64::from(byte));
    }
    Ok(bytes.len())
}

fn char(frame: &mut Frame<'_>) -> Results {
    let mut text = Vec::new();
    for number in 1..=frame.top() {
        let byte = u8::try_from(frame.arg_int(number)?);
        text.push(byte.map_err(|_| frame.bad_argument(number, "invalid value"))?);
    }
    push_made(frame, &text)
}

fn dump(frame: &mut Frame<'_>) -> Results {
    if frame.kind(1) != Kind::Function {
        return Err(frame.bad_kind(1, "function"));
    }
    frame.set_top(1);
    let mut code = Vec::new();
    if !frame.dump(&mut code) {
        return Err(frame.raise("unable to dump given function"));
    }
    push_made(frame, &code)
}

fn find(frame: &mut Frame<'_>) -> Results {
    let (text, wanted, start) = find_arguments(frame)?;
    if frame.truth(4) || pattern::is_plain(wanted) {
        frame.charge(text.len() / 64)?;
        let Some(at) = find_plain(&text[start..], wanted) else {
            frame.push_nil();
            return Ok(1);
        };
        frame.push_number((start + at + 1) as f64);
        frame.push_number((start + at + wanted.len()) as f64);
        return Ok(2);
    }
    let matcher = Matcher::new(text, wanted);
    let mut found = Captures::new();
    if !matcher.find(frame, start, &mut found)? {
        frame.push_nil();
        return Ok(1);
    }
    frame.push_number((found.start + 1) as f64);
    frame.push_number(found.end as f64);
    let captures = matcher.push_some(frame, &found, false)?;
    Ok(2 + usize::try_from(captures).unwrap_or(0))
}

/// Short texts are searched byte by byte: preparing a search that is never quadratic takes longer.
fn find_plain(text: &[u8], wanted: &[u8]) -> Option<usize> {
    const SHORT: usize = 64;
    match wanted.first() {
        Some(&first) if text.len() <= SHORT => {
            memchr::memchr_iter(first, text).find(|&at| text[at..].starts_with(wanted))
        }
        _ => memchr::memmem::find(text, wanted),
    }
}

fn r#match(frame: &mut Frame<'_>) -> Results {
    let (text, wanted, start) = find_arguments(frame)?;
    let matcher = Matcher::new(text, wanted);
    let mut found = Captures::new();
    if matcher.find(frame, start, &mut found)? {
        return push_captures(frame, &matcher, &found);
    }
    frame.push_nil();
    Ok(1)
}

fn push_captures(frame: &mut Frame<'_>, matcher: &Matcher<'_>, found: &Captures) -> Results {
    matcher.push_captures(frame, found).map(|count| usize::try_from(count).unwrap_or(0))
}

/// The text, the pattern, and where to begin.
fn find_arguments<'a>(frame: &mut Frame<'a>) -> Result<(&'a [u8], &'a [u8], usize), Raised> {
    let text = frame.arg_text(1)?;
    let wanted = frame.arg_text(2)?;
    let start = position(frame.arg_integer_or(3, 1)?, text.len()).saturating_sub(1);
    Ok((text, wanted, as_index(start).min(text.len())))
}

fn gmatch(frame: &mut Frame<'_>) -> Results {
    frame.arg_text(1)?;
    frame.arg_text(2)?;
    frame.set_top(2);
    frame.push_number(0.0);
    frame.push_native(gmatch_next, 3);
    Ok(1)
}

fn gmatch_next(frame: &mut Frame<'_>) -> Results {
    let (text_at, pattern_at, start_at) = (Frame::upvalue(1), Frame::upvalue(2), Frame::upvalue(3));
    let text = frame.text(text_at).unwrap_or_default();
    let pattern = frame.text(pattern_at).unwrap_or_default();
    let start = frame.to_number(start_at).map_or(0, to_integer);
    let matcher = Matcher::unanchored(text, pattern);
    let mut found = Captures::new();
    if !matcher.find(frame, as_index(start), &mut found)? {
        return Ok(0);
    }
    let next = if found.end == found.start { found.end + 1 } else { found.end };
    frame.push_number(next as f64);
    frame.replace(start_at);
    push_captures(frame, &matcher, &found)
}

/// What `gsub` puts in place of a match.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Replacement {
    /// It was text: result and count are pushed.
    Done,
    /// A function or a table, to be asked for at most `max` matches.
    Callback { max: i32 },
}

/// `gsub` up to where it calls back.
pub(crate) fn gsub_begin(frame: &mut Frame<'_>) -> Result<Replacement, Raised> {
    let text = frame.arg_text(1)?;
    let wanted = frame.arg_text(2)?;
    let kind = frame.kind(3);
    let all = i32::try_from(text.len()).unwrap_or(i32::MAX).saturating_add(1);
    let max = frame.arg_int_or(4, all)?;
    match kind {
        Kind::String | Kind::Number => {
            let by = frame.arg_text(3)?;
            gsub_text(frame, &Matcher::new(text, wanted), by, max)?;
            Ok(Replacement::Done)
        }
        Kind::Function | Kind::Table => {
            frame.set_top(4);
            Ok(Replacement::Callback { max })
        }
        _ => Err(frame.bad_argument(3, "string/function/table expected")),
    }
}

fn gsub_text(
    frame: &mut Frame<'_>,
    matcher: &Matcher<'_>,
    by: &[u8],
    max: i32,
) -> Result<(), Raised> {
    let text = matcher.subject();
    let mut out = Vec::with_capacity(text.len());
    let (mut at, mut count) = (0, 0);
    let mut found = Captures::new();
    while count < max {
        let matched = matcher.match_at(frame, at, &mut found)?;
        if matched {
            count += 1;
            let before = out.len();
            append_replacement(frame, &mut out, matcher, &found, by)?;
            frame.charge((out.len() - before) / 16)?;
            frame.reserve(out.len())?;
        }
        match text.get(at) {
            _ if matched && found.end > at => at = found.end,
            Some(&byte) => {
                out.push(byte);
                at += 1;
            }
            None => break,
        }
        if matcher.is_anchored() {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
    push_made(frame, &out)?;
    frame.push_number(f64::from(count));
    Ok(())
}

fn append_replacement(
    frame: &mut Frame<'_>,
    out: &mut Vec<u8>,
    matcher: &Matcher<'_>,
    found: &Captures,
    by: &[u8],
) -> Result<(), Raised> {
    let mut bytes = by.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'0') => {
                out.extend_from_slice(&matcher.subject()[found.start..found.end]);
            }
            Some(digit @ b'1'..=b'9') => {
                matcher.append_capture(frame, out, found, usize::from(digit - b'1'))?;
            }
            Some(&byte) => out.push(byte),
            // C adds the zero behind its string.
            None => out.push(0),
        }
    }
    Ok(())
}

fn format(frame: &mut Frame<'_>) -> Results {
    let top = frame.top();
    let mut rest = frame.arg_text(1)?;
    let mut out = Vec::with_capacity(rest.len() + 16);
    let mut number = 1;
    while let Some(at) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(b"%") {
            out.push(b'%');
            rest = after;
            continue;
        }
        number += 1;
        if number > top {
            return Err(frame.bad_argument(number, "no value"));
        }
        let (directive, after) = Directive::read(frame, rest)?;
        rest = after;
        directive.write(frame, &mut out, number)?;
        frame.reserve(out.len())?;
    }
    out.extend_from_slice(rest);
    push_made(frame, &out)
}

/// One `%-5.2f`.
struct Directive<'a> {
    flags: &'a [u8],
    width: &'a [u8],
    /// Its digits, if there is a point.
    precision: Option<&'a [u8]>,
    conversion: u8,
}

impl<'a> Directive<'a> {
    fn read(frame: &mut Frame<'_>, text: &'a [u8]) -> Result<(Self, &'a [u8]), Raised> {
        let flags = text.iter().take_while(|byte| b"-+ #0".contains(byte)).count();
        if flags > 5 {
            return Err(frame.raise("invalid format (repeated flags)"));
        }
        let (flags, rest) = text.split_at(flags);
        let (width, mut rest) = two_digits(rest);
        let mut precision = None;
        if let Some(after) = rest.strip_prefix(b".") {
            let (digits, after) = two_digits(after);
            (precision, rest) = (Some(digits), after);
        }
        if rest.first().is_some_and(u8::is_ascii_digit) {
            return Err(frame.raise("invalid format (width or precision too long)"));
        }
        let (conversion, rest) = rest.split_first().map_or((0, rest), |(&byte, rest)| (byte, rest));
        Ok((Self { flags, width, precision, conversion }, rest))
    }

    /// The format for C, with a length.
    fn for_c(&self, length: &str) -> CString {
        let mut text = [b"%", self.flags, self.width].concat();
        if let Some(precision) = self.precision {
            text.push(b'.');
            text.extend_from_slice(precision);
        }
        text.extend_from_slice(length.as_bytes());
        text.push(self.conversion);
        CString::new(text).unwrap_or_default()
    }

    fn write(&self, frame: &mut Frame<'_>, out: &mut Vec<u8>, number: i32) -> Result<(), Raised> {
        let is_plain = self.flags.is_empty() && self.width.is_empty() && self.precision.is_none();
        let (length, printed) = match self.conversion {
            b'd' if is_plain => {
                stdx::num::write_i64(out, to_integer(frame.arg_number(number)?));
                return Ok(());
            }
            b'c' => ("", Printed::Int(to_c_int(frame.arg_number(number)?))),
            b'd' | b'i' => ("l", Printed::Long(to_integer(frame.arg_number(number)?))),
            b'o' | b'u' | b'x' | b'X' => {
                ("l", Printed::Long(to_unsigned(frame.arg_number(number)?)))
            }
            b'e' | b'E' | b'f' | b'g' | b'G' => ("", Printed::Double(frame.arg_number(number)?)),
            b'q' => {
                quote(out, frame.arg_text(number)?);
                return Ok(());
            }
            b's' => {
                self.write_text(out, frame.arg_text(number)?);
                return Ok(());
            }
            other => {
                let shown = if other == 0 { Vec::new() } else { vec![other] };
                let text = [b"invalid option '%", &shown[..], b"' to 'format'"].concat();
                return Err(frame.raise(text));
            }
        };
        let start = out.len();
        print_number(out, &self.for_c(length), printed);
        if let Some(zero) = memchr::memchr(0, &out[start..]) {
            out.truncate(start + zero);
        }
        Ok(())
    }

    /// Text of 100 bytes and more goes as it is, if it is not cut; less goes through C, where a zero
    /// ends it.
    fn write_text(&self, out: &mut Vec<u8>, text: &[u8]) {
        if self.precision.is_none() && text.len() >= 100 {
            out.extend_from_slice(text);
            return;
        }
        let mut text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
        if let Some(precision) = self.precision {
            text = &text[..text.len().min(digits(precision))];
        }
        let padding = digits(self.width).saturating_sub(text.len());
        if self.flags.contains(&b'-') {
            out.extend_from_slice(text);
            out.resize(out.len() + padding, b' ');
        } else {
            out.resize(out.len() + padding, b' ');
            out.extend_from_slice(text);
        }
    }
}

fn two_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count())
}

fn digits(text: &[u8]) -> usize {
    text.iter().fold(0, |value, digit| value * 10 + usize::from(digit - b'0'))
}

/// What a C compiler for x86-64 makes of a double as an int.
fn to_c_int(value: f64) -> i32 {
    i32::try_from(to_integer(value)).unwrap_or(i32::MIN)
}

/// What a C compiler for x86-64 makes of a double as an unsigned long, as bits.
fn to_unsigned(value: f64) -> i64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    if value >= HALF { to_integer(value - HALF) ^ i64::MIN } else { to_integer(value) }
}

/// A string as Lua reads it back.
fn quote(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' | b'\n' => out.extend_from_slice(&[b'\\', byte]),
            b'\r' => out.extend_from_slice(b"\\r"),
            0 => out.extend_from_slice(b"\\000"),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
