//! `struct`: numbers and strings as C lays them out.
//!
//! A format is a row of options: `<` `>` byte order, `!n` alignment, `b B h H l L T i I` integers (`in`: of n
//! bytes), `f d` floats, `cn` n bytes, `c0` as many as the number before says, `s` up to a zero, `x` a byte of
//! padding. It ends at its first zero byte.

use super::Functions;
use super::string::push_made;
use crate::machine::{Frame, Raised, to_integer};

pub(crate) const FUNCTIONS: Functions = &[("pack", pack), ("size", size), ("unpack", unpack)];

const INTEGER_BYTES_MAX: usize = 32;
/// Of a double.
const ALIGNMENT: usize = 8;

type Results = Result<usize, Raised>;

/// A walk through a format.
struct Format<'a> {
    rest: &'a [u8],
    big_endian: bool,
    alignment: usize,
}

/// An option and the size of what it stands for; 0 if that is not fixed, or if it stands for nothing.
struct Item {
    option: u8,
    size: usize,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8]) -> Self {
        let end = memchr::memchr(0, text).unwrap_or(text.len());
        Self { rest: &text[..end], big_endian: false, alignment: 1 }
    }

    fn number(&mut self, frame: &mut Frame<'_>, default: usize) -> Result<usize, Raised> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let (digits, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let number = stdx::num::parse_u64(trim_zeros(digits)).and_then(|n| i32::try_from(n).ok());
        match number.and_then(|number| usize::try_from(number).ok()) {
            Some(number) => Ok(number),
            None => Err(frame.raise("integral size overflow")),
        }
    }

    fn next(&mut self, frame: &mut Frame<'_>) -> Result<Option<Item>, Raised> {
        let Some((&option, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(frame, 1)?,
            b'i' | b'I' => {
                let size = self.number(frame, 4)?;
                if size > INTEGER_BYTES_MAX {
                    let limit = INTEGER_BYTES_MAX;
                    return Err(frame
                        .raise(format!("integral size {size} is larger than limit of {limit}")));
                }
                size
            }
            _ => 0,
        };
        Ok(Some(Item { option, size }))
    }

    /// Bytes to skip before an item at `at`. The size need not be a power of two: the formula is C's.
    fn padding(&self, item: &Item, at: usize) -> usize {
        if item.size == 0 || item.option == b'c' {
            return 0;
        }
        let size = item.size.min(self.alignment);
        size.wrapping_sub(at & (size - 1)) & (size - 1)
    }

    /// An option that stands for nothing.
    fn control(&mut self, frame: &mut Frame<'_>, option: u8) -> Result<(), Raised> {
        match option {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let alignment = self.number(frame, ALIGNMENT)?;
                if !alignment.is_power_of_two() {
                    let text = format!("alignment {alignment} is not a power of 2");
                    return Err(frame.raise(text));
                }
                self.alignment = alignment;
            }
            _ => {
                let shown = String::from_utf8_lossy(&[option]).into_owned();
                return Err(frame.bad_argument(1, format!("invalid format option '{shown}'")));
            }
        }
        Ok(())
    }

    fn ordered(&self, little_endian: &mut [u8]) {
        if self.big_endian {
            little_endian.reverse();
        }
    }
}

fn trim_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    &digits[zeros.min(digits.len() - 1)..]
}

fn pack(frame: &mut Frame<'_>) -> Results {
    let mut format = Format::new(frame.arg_text(1)?);
    // A missing argument is nil in what errors say.
    frame.push_nil();
    let mut out = Vec::new();
    let mut number = 2;
    while let Some(item) = format.next(frame)? {
        out.resize(out.len() + format.padding(&item, out.len()), 0);
        match item.option {
            b'x' => out.push(0),
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = integer_bits(frame.arg_number(number)?);
                let mut bytes = [0; INTEGER_BYTES_MAX];
                bytes[..8].copy_from_slice(&value.to_le_bytes());
                let bytes = &mut bytes[..item.size];
                format.ordered(bytes);
                out.extend_from_slice(bytes);
                number += 1;
            }
            b'f' => {
                let mut bytes = (frame.arg_number(number)? as f32).to_le_bytes();
                format.ordered(&mut bytes);
                out.extend_from_slice(&bytes);
                number += 1;
            }
            b'd' => {
                let mut bytes = frame.arg_number(number)?.to_le_bytes();
                format.ordered(&mut bytes);
                out.extend_from_slice(&bytes);
                number += 1;
            }
            b'c' | b's' => {
                let text = frame.arg_text(number)?;
                number += 1;
                let size = if item.size == 0 { text.len() } else { item.size };
                let Some(text) = text.get(..size) else {
                    return Err(frame.bad_argument(number, "string too short"));
                };
                out.extend_from_slice(text);
                if item.option == b's' {
                    out.push(0);
                }
            }
            option => format.control(frame, option)?,
        }
        frame.charge(2 + item.size / 16)?;
        frame.reserve(out.len())?;
    }
    push_made(frame, &out)
}

/// What C makes of a double as an integer of 64 bits: signed below zero, else unsigned.
fn integer_bits(value: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    if value >= HALF {
        (to_integer(value - HALF) ^ i64::MIN).cast_unsigned()
    } else {
        to_integer(value).cast_unsigned()
    }
}

fn unpack(frame: &mut Frame<'_>) -> Results {
    let mut format = Format::new(frame.arg_text(1)?);
    let data = frame.arg_text(2)?;
    let position = frame.arg_integer_or(3, 1)?;
    // A negative position is a large one in C; it finds no data either.
    let Some(mut at) = (position.cast_unsigned() as usize).checked_sub(1) else {
        return Err(frame.bad_argument(3, "offset must be 1 or greater"));
    };
    let mut results = 0;
    while let Some(item) = format.next(frame)? {
        at = at.wrapping_add(format.padding(&item, at));
        let mut size = item.size;
        let bytes = slice(frame, data, at, size)?;
        frame.room(2, "too many results")?;
        match item.option {
            b'x' => {}
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = read_integer(&format, bytes, item.option.is_ascii_lowercase());
                frame.push_number(value);
                results += 1;
            }
            b'f' => {
                let mut bytes = <[u8; 4]>::try_from(bytes).unwrap_or_default();
                format.ordered(&mut bytes);
                frame.push_number(f64::from(f32::from_le_bytes(bytes)));
                results += 1;
            }
            b'd' => {
                let mut bytes = <[u8; 8]>::try_from(bytes).unwrap_or_default();
                format.ordered(&mut bytes);
                frame.push_number(f64::from_le_bytes(bytes));
                results += 1;
            }
            b'c' => {
                if size == 0 {
                    size = counted(frame, &mut results)?;
                }
                let bytes = slice(frame, data, at, size)?;
                frame.push(bytes);
                results += 1;
            }
            b's' => {
                let rest = &data[at..];
                let Some(end) = memchr::memchr(0, rest) else {
                    return Err(frame.raise("unfinished string in data"));
                };
                frame.push(&rest[..end]);
                size = end + 1;
                results += 1;
            }
            option => format.control(frame, option)?,
        }
        at += size;
        frame.charge(2 + size / 16)?;
    }
    frame.room(1, "too many results")?;
    frame.push_number((at + 1) as f64);
    Ok(results + 1)
}

/// `c0`: takes the number that was read last.
fn counted(frame: &mut Frame<'_>, results: &mut usize) -> Result<usize, Raised> {
    let number = if *results == 0 { None } else { frame.to_number(-1) };
    let Some(number) = number else {
        return Err(frame.raise("format 'c0' needs a previous size"));
    };
    frame.pop(1);
    *results -= 1;
    Ok(integer_bits(number) as usize)
}

fn slice<'a>(
    frame: &mut Frame<'_>,
    data: &'a [u8],
    at: usize,
    size: usize,
) -> Result<&'a [u8], Raised> {
    let bytes = at.checked_add(size).and_then(|end| data.get(at..end));
    bytes.ok_or_else(|| frame.bad_argument(2, "data string too short"))
}

fn read_integer(format: &Format<'_>, bytes: &[u8], signed: bool) -> f64 {
    let mut value = 0u64;
    let add = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
    if format.big_endian {
        value = bytes.iter().fold(value, add);
    } else {
        value = bytes.iter().rev().fold(value, add);
    }
    if !signed {
        return value as f64;
    }
    // Of more than eight bytes the low ones count, as a whole word.
    let unused = 64 - (bytes.len() * 8).clamp(8, 64);
    ((value << unused).cast_signed() >> unused) as f64
}

fn size(frame: &mut Frame<'_>) -> Results {
    let mut format = Format::new(frame.arg_text(1)?);
    let mut at = 0usize;
    while let Some(item) = format.next(frame)? {
        at = at.saturating_add(format.padding(&item, at));
        if item.option == b's' {
            return Err(frame.bad_argument(1, "option 's' has no fixed size"));
        }
        if item.option == b'c' && item.size == 0 {
            return Err(frame.bad_argument(1, "option 'c0' has no fixed size"));
        }
        if !item.option.is_ascii_alphanumeric() {
            format.control(frame, item.option)?;
        }
        at = at.saturating_add(item.size);
    }
    frame.push_number(at as f64);
    Ok(1)
}
