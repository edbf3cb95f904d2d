//! `bit`: operations on 32 bits, as LuaJIT's BitOp.

use super::Functions;
use crate::machine::{Frame, Kind, Raised};

pub(crate) const FUNCTIONS: Functions = &[
    ("arshift", arshift),
    ("band", band),
    ("bnot", bnot),
    ("bor", bor),
    ("bswap", bswap),
    ("bxor", bxor),
    ("lshift", lshift),
    ("rol", rol),
    ("ror", ror),
    ("rshift", rshift),
    ("tobit", tobit),
    ("tohex", tohex),
];

type Results = Result<usize, Raised>;

/// The low 32 bits of a number, rounded to the nearest integer. What adding 2^52 + 2^51 leaves in the low
/// half of a double is the format's definition of that.
fn bits(frame: &mut Frame<'_>, number: i32) -> Result<u32, Raised> {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    let value = frame.arg_number(number)?;
    Ok((value + SHIFT).to_bits() as u32)
}

fn push(frame: &mut Frame<'_>, bits: u32) -> Results {
    frame.push_number(f64::from(bits.cast_signed()));
    Ok(1)
}

fn fold(frame: &mut Frame<'_>, operation: fn(u32, u32) -> u32) -> Results {
    let mut value = bits(frame, 1)?;
    for number in (2..=frame.top()).rev() {
        value = operation(value, bits(frame, number)?);
    }
    push(frame, value)
}

fn shift(frame: &mut Frame<'_>, operation: fn(u32, u32) -> u32) -> Results {
    let value = bits(frame, 1)?;
    let by = bits(frame, 2)? & 31;
    push(frame, operation(value, by))
}

fn tobit(frame: &mut Frame<'_>) -> Results {
    let value = bits(frame, 1)?;
    push(frame, value)
}

fn bnot(frame: &mut Frame<'_>) -> Results {
    let value = bits(frame, 1)?;
    push(frame, !value)
}

fn band(frame: &mut Frame<'_>) -> Results {
    fold(frame, |one, other| one & other)
}

fn bor(frame: &mut Frame<'_>) -> Results {
    fold(frame, |one, other| one | other)
}

fn bxor(frame: &mut Frame<'_>) -> Results {
    fold(frame, |one, other| one ^ other)
}

fn lshift(frame: &mut Frame<'_>) -> Results {
    shift(frame, |value, by| value << by)
}

fn rshift(frame: &mut Frame<'_>) -> Results {
    shift(frame, |value, by| value >> by)
}

fn arshift(frame: &mut Frame<'_>) -> Results {
    shift(frame, |value, by| (value.cast_signed() >> by).cast_unsigned())
}

fn rol(frame: &mut Frame<'_>) -> Results {
    shift(frame, u32::rotate_left)
}

fn ror(frame: &mut Frame<'_>) -> Results {
    shift(frame, u32::rotate_right)
}

fn bswap(frame: &mut Frame<'_>) -> Results {
    let value = bits(frame, 1)?;
    push(frame, value.swap_bytes())
}

/// As many of the last digits as the second argument says, in capitals if it is negative.
fn tohex(frame: &mut Frame<'_>) -> Results {
    let value = bits(frame, 1)?;
    let digits = if frame.kind(2) == Kind::None { 8 } else { bits(frame, 2)?.cast_signed() };
    let text = if digits < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    let count = usize::try_from(digits.unsigned_abs()).map_or(8, |count| count.min(8));
    frame.push(&text[8 - count..]);
    Ok(1)
}
