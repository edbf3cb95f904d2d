//! Replies read back: for tests, tools and scripts, which want whole values rather than speed.

#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation
    )
)]

mod cli;
#[cfg(test)]
mod tests;

use std::fmt;

/// Aggregates nest at most this deep.
const DEPTH_MAX: usize = 128;
/// Elements for which room is made before they arrive.
const ELEMENTS_RESERVED_MAX: usize = 64;

/// One reply of either version of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Simple(Vec<u8>),
    /// A simple or a bulk error.
    Error(Vec<u8>),
    Integer(i64),
    /// An integer beyond those, as arrays have them.
    Unsigned(u64),
    Bulk(Vec<u8>),
    /// `_` or `$-1`.
    Null,
    /// `*-1`.
    NullArray,
    Array(Vec<Value>),
    /// The text of a number; see [`Value::as_f64`].
    Double(Vec<u8>),
    Boolean(bool),
    /// Decimal digits, perhaps with a sign.
    BigNumber(Vec<u8>),
    Verbatim([u8; 3], Vec<u8>),
    Map(Vec<(Value, Value)>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    /// Facts about a value, and the value.
    Attribute(Vec<(Value, Value)>, Box<Value>),
}

/// Bytes that are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// No type begins with this byte; streamed types (`$?`, `*?`) are not supported.
    UnknownType(u8),
    /// A number, a line or an end of line is wrong.
    Malformed,
    /// Aggregates nest deeper than 128.
    TooDeep,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(byte) => {
                write!(f, "no type of reply begins with '{}'", byte.escape_ascii())
            }
            Self::Malformed => f.write_str("malformed reply"),
            Self::TooDeep => f.write_str("reply nests too deep"),
        }
    }
}

impl std::error::Error for ReplyError {}

/// Reads the reply at the start of `bytes`: the value and its size. Nothing while it is incomplete; a
/// later call starts over.
pub fn parse_reply(bytes: &[u8]) -> Result<Option<(Value, usize)>, ReplyError> {
    let mut cursor = Cursor { rest: bytes };
    let value = cursor.value(0)?;
    Ok(value.map(|value| (value, bytes.len().saturating_sub(cursor.rest.len()))))
}

impl Value {
    /// The number, if this is a double or text that reads as one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Double(text) | Self::Bulk(text) | Self::Simple(text) => parse_double(text),
            Self::Integer(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// The bytes of a string of any kind.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) | Self::Bulk(text) | Self::Verbatim(_, text) => Some(text),
            _ => None,
        }
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// The value as redis-cli prints it to a terminal, without the final end of line. What
    /// redis-cli cannot print: of an attribute only the value is shown, a big number as it is. Bytes
    /// that are not UTF-8 outside of quotes are replaced.
    pub fn cli(&self) -> String {
        String::from_utf8_lossy(&cli::print(self)).into_owned()
    }
}

/// A length in a header: some number, or `-1`, which older servers use for "nothing".
type Length = Option<usize>;

struct Cursor<'a> {
    rest: &'a [u8],
}

/// Unwraps what is complete, leaves the function with `Ok(None)` otherwise.
macro_rules! complete {
    ($step:expr) => {
        match $step? {
            Some(step) => step,
            None => return Ok(None),
        }
    };
}

impl<'a> Cursor<'a> {
    fn value(&mut self, depth: usize) -> Result<Option<Value>, ReplyError> {
        if depth > DEPTH_MAX {
            return Err(ReplyError::TooDeep);
        }
        let Some((&marker, rest)) = self.rest.split_first() else { return Ok(None) };
        if !b"+-:$*,#_(!=%~>|".contains(&marker) {
            return Err(ReplyError::UnknownType(marker));
        }
        self.rest = rest;
        let line = complete!(self.line());
        Ok(Some(match marker {
            b'+' => Value::Simple(line.to_vec()),
            b'-' => Value::Error(line.to_vec()),
            b':' => match stdx::num::parse_i64(line) {
                Some(number) => Value::Integer(number),
                None => Value::Unsigned(stdx::num::parse_u64(line).ok_or(ReplyError::Malformed)?),
            },
            b',' => {
                parse_double(line).ok_or(ReplyError::Malformed)?;
                Value::Double(line.to_vec())
            }
            b'(' => Value::BigNumber(big_number(line)?.to_vec()),
            b'#' if line == b"t" => Value::Boolean(true),
            b'#' if line == b"f" => Value::Boolean(false),
            b'_' if line.is_empty() => Value::Null,
            b'$' | b'!' | b'=' => {
                let Some(len) = length(line)? else {
                    return if marker == b'$' {
                        Ok(Some(Value::Null))
                    } else {
                        Err(ReplyError::Malformed)
                    };
                };
                let bytes = complete!(self.bulk(len));
                match (marker, bytes) {
                    (b'$', _) => Value::Bulk(bytes.to_vec()),
                    (b'!', _) => Value::Error(bytes.to_vec()),
                    (_, [a, b, c, b':', text @ ..]) => Value::Verbatim([*a, *b, *c], text.to_vec()),
                    _ => return Err(ReplyError::Malformed),
                }
            }
            _ => return self.aggregate(marker, length(line)?, depth.saturating_add(1)),
        }))
    }

    fn aggregate(
        &mut self,
        marker: u8,
        len: Length,
        depth: usize,
    ) -> Result<Option<Value>, ReplyError> {
        let len = match (marker, len) {
            (_, Some(len)) => len,
            (b'*', None) => return Ok(Some(Value::NullArray)),
            _ => return Err(ReplyError::Malformed),
        };
        Ok(Some(match marker {
            b'*' => Value::Array(complete!(self.values(len, depth))),
            b'~' => Value::Set(complete!(self.values(len, depth))),
            b'>' => Value::Push(complete!(self.values(len, depth))),
            b'%' => Value::Map(complete!(self.pairs(len, depth))),
            b'|' => {
                let pairs = complete!(self.pairs(len, depth));
                Value::Attribute(pairs, Box::new(complete!(self.value(depth))))
            }
            // `#` and `_` with a wrong line.
            _ => return Err(ReplyError::Malformed),
        }))
    }

    fn values(&mut self, len: usize, depth: usize) -> Result<Option<Vec<Value>>, ReplyError> {
        let mut values = Vec::with_capacity(len.min(ELEMENTS_RESERVED_MAX));
        for _ in 0..len {
            values.push(complete!(self.value(depth)));
        }
        Ok(Some(values))
    }

    fn pairs(
        &mut self,
        len: usize,
        depth: usize,
    ) -> Result<Option<Vec<(Value, Value)>>, ReplyError> {
        let mut pairs = Vec::with_capacity(len.min(ELEMENTS_RESERVED_MAX));
        for _ in 0..len {
            pairs.push((complete!(self.value(depth)), complete!(self.value(depth))));
        }
        Ok(Some(pairs))
    }

    /// The bytes up to CR LF.
    fn line(&mut self) -> Result<Option<&'a [u8]>, ReplyError> {
        let Some(end) = memchr::memchr2(b'\r', b'\n', self.rest) else { return Ok(None) };
        let (line, rest) = self.rest.split_at_checked(end).ok_or(ReplyError::Malformed)?;
        match rest {
            [b'\r', b'\n', rest @ ..] => self.rest = rest,
            [b'\r'] => return Ok(None),
            _ => return Err(ReplyError::Malformed),
        }
        Ok(Some(line))
    }

    /// `len` bytes and CR LF.
    fn bulk(&mut self, len: usize) -> Result<Option<&'a [u8]>, ReplyError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else { return Ok(None) };
        match rest {
            [b'\r', b'\n', rest @ ..] => self.rest = rest,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(ReplyError::Malformed),
        }
        Ok(Some(bytes))
    }
}

fn length(line: &[u8]) -> Result<Length, ReplyError> {
    if line == b"-1" {
        return Ok(None);
    }
    let len = stdx::num::parse_u64(line).and_then(|len| usize::try_from(len).ok());
    len.map(Some).ok_or(ReplyError::Malformed)
}

fn big_number(line: &[u8]) -> Result<&[u8], ReplyError> {
    let digits = line.strip_prefix(b"-").or(line.strip_prefix(b"+")).unwrap_or(line);
    let sound = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if sound { Ok(line) } else { Err(ReplyError::Malformed) }
}

fn parse_double(text: &[u8]) -> Option<f64> {
    let text = str::from_utf8(text).ok()?;
    text.parse().ok()
}
