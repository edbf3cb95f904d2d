//! `cmsgpack`: MessagePack.

use super::Functions;
use super::string::push_made;
use crate::machine::{Frame, Kind, Raised, to_integer};

pub(crate) const FUNCTIONS: Functions = &[
    ("pack", pack),
    ("unpack", unpack),
    ("unpack_limit", unpack_limit),
    ("unpack_one", unpack_one),
];

/// Tables nested deeper are packed as nil.
const DEPTH_PACKED_MAX: usize = 16;
/// Arrays and maps nested deeper are refused: the Lua stack would have no room for them either.
const DEPTH_UNPACKED_MAX: usize = 1000;

type Results = Result<usize, Raised>;

fn pack(frame: &mut Frame<'_>) -> Results {
    let count = frame.top();
    if count == 0 {
        return Err(frame.bad_argument(0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    frame.room(1, "in function mp_check")?;
    for number in 1..=count {
        frame.push_copy(number);
        pack_value(frame, &mut out, 0)?;
    }
    push_made(frame, &out)
}

/// Pops the value on top and packs it.
fn pack_value(frame: &mut Frame<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Raised> {
    match frame.kind(-1) {
        Kind::String => pack_bytes(out, frame.string(-1).unwrap_or_default()),
        Kind::Boolean => out.push(if frame.truth(-1) { 0xc3 } else { 0xc2 }),
        Kind::Number => pack_number(out, frame.to_number(-1).unwrap_or(0.0)),
        Kind::Table if depth < DEPTH_PACKED_MAX => pack_table(frame, out, depth)?,
        _ => out.push(0xc0),
    }
    frame.pop(1);
    frame.charge(4)?;
    frame.reserve(out.len())
}

fn pack_header(out: &mut Vec<u8>, len: usize, fixed: (usize, u8), word: u8) {
    if len <= fixed.0 {
        out.push(fixed.1 | len as u8);
    } else if let Ok(len) = u16::try_from(len) {
        out.push(word);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(word + 1);
        out.extend_from_slice(&(len as u32).to_be_bytes());
    }
}

fn pack_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if (32..=0xff).contains(&bytes.len()) {
        out.extend_from_slice(&[0xd9, bytes.len() as u8]);
    } else {
        pack_header(out, bytes.len(), (31, 0xa0), 0xda);
    }
    out.extend_from_slice(bytes);
}

fn pack_number(out: &mut Vec<u8>, value: f64) {
    let integer = to_integer(value);
    if value.is_finite() && integer as f64 == value {
        pack_integer(out, integer);
    } else if f64::from(value as f32) == value {
        out.push(0xca);
        out.extend_from_slice(&(value as f32).to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// In as few bytes as it takes: unsigned forms from zero on, signed ones below.
fn pack_integer(out: &mut Vec<u8>, value: i64) {
    let bytes = value.to_be_bytes();
    let (marker, width) = match value {
        -32..=0x7f => return out.push(bytes[7]),
        0x80..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000.. => (0xcf, 8),
        -0x80..=-33 => (0xd0, 1),
        -0x8000..=-0x81 => (0xd1, 2),
        -0x8000_0000..=-0x8001 => (0xd2, 4),
        _ => (0xd3, 8),
    };
    out.push(marker);
    out.extend_from_slice(&bytes[8 - width..]);
}

/// Packs the table on top, which stays.
fn pack_table(frame: &mut Frame<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Raised> {
    frame.room(4, "in function mp_encode_lua_table")?;
    if is_array(frame)? {
        let len = frame.len(-1);
        pack_header(out, len, (15, 0x90), 0xdc);
        for number in 1..=i32::try_from(len).unwrap_or(i32::MAX) {
            frame.raw_element(-1, number);
            pack_value(frame, out, depth + 1)?;
        }
        return Ok(());
    }
    let mut len = 0;
    frame.push_nil();
    while frame.next(-2) {
        frame.pop(1);
        len += 1;
        frame.charge(2)?;
    }
    pack_header(out, len, (15, 0x80), 0xde);
    frame.push_nil();
    while frame.next(-2) {
        frame.push_copy(-2);
        pack_value(frame, out, depth + 1)?;
        pack_value(frame, out, depth + 1)?;
    }
    Ok(())
}

/// Whether the keys of the table on top are 1 to their number.
fn is_array(frame: &mut Frame<'_>) -> Result<bool, Raised> {
    let (mut count, mut max) = (0i64, 0i64);
    frame.push_nil();
    while frame.next(-2) {
        frame.pop(1);
        frame.charge(2)?;
        let key = if frame.kind(-1) == Kind::Number { frame.to_number(-1) } else { None };
        let key = key.filter(|key| key.fract() == 0.0 && *key > 0.0 && *key <= f64::from(i32::MAX));
        let Some(key) = key else {
            frame.pop(1);
            return Ok(false);
        };
        max = max.max(to_integer(key));
        count += 1;
    }
    Ok(max == count)
}

/// Why bytes cannot be unpacked.
enum Bad {
    Missing,
    Format,
    Raised(Raised),
}

impl From<Raised> for Bad {
    fn from(raised: Raised) -> Self {
        Self::Raised(raised)
    }
}

fn unpack(frame: &mut Frame<'_>) -> Results {
    unpack_from(frame, 0, 0)
}

fn unpack_one(frame: &mut Frame<'_>) -> Results {
    let offset = frame.arg_integer_or(2, 0)?;
    frame.set_top(1);
    unpack_from(frame, 1, offset)
}

fn unpack_limit(frame: &mut Frame<'_>) -> Results {
    let limit = frame.arg_integer(2)?;
    let offset = frame.arg_integer_or(3, 0)?;
    frame.set_top(1);
    unpack_from(frame, limit, offset)
}

/// Unpacks at most `limit` values from an offset on; all if both are 0. Unless all are wanted, the first
/// result is the offset behind them, -1 at the end.
fn unpack_from(frame: &mut Frame<'_>, limit: i64, offset: i64) -> Results {
    let all = limit == 0 && offset == 0;
    let data = frame.arg_text(1)?;
    let (Ok(mut limit), Ok(at)) = (usize::try_from(limit), usize::try_from(offset)) else {
        let (offset, len) = (offset as i32, data.len());
        return Err(frame.raise(format!(
            "Invalid request to unpack with offset of {offset} and limit of {len}."
        )));
    };
    let Some(mut rest) = data.get(at..) else {
        let len = data.len();
        return Err(frame.raise(format!("Start offset {at} greater than input length {len}.")));
    };
    if all {
        limit = usize::MAX;
    }
    let mut count = 0;
    while count < limit && !rest.is_empty() {
        match unpack_value(frame, &mut rest, 0) {
            Ok(()) => count += 1,
            Err(Bad::Missing) => return Err(frame.raise("Missing bytes in input.")),
            Err(Bad::Format) => return Err(frame.raise("Bad data format in input.")),
            Err(Bad::Raised(raised)) => return Err(raised),
        }
    }
    if !all {
        frame.room(1, "in function mp_unpack_full")?;
        let next = data.len() - rest.len();
        frame.push_number(if rest.is_empty() { -1.0 } else { next as f64 });
        frame.insert(2);
        count += 1;
    }
    Ok(count)
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Bad> {
    let (taken, after) = rest.split_at_checked(len).ok_or(Bad::Missing)?;
    *rest = after;
    Ok(taken)
}

/// A big-endian number of 1, 2, 4 or 8 bytes.
fn take_number(rest: &mut &[u8], len: usize) -> Result<u64, Bad> {
    Ok(take(rest, len)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// Pushes the next value.
fn unpack_value(frame: &mut Frame<'_>, rest: &mut &[u8], depth: usize) -> Result<(), Bad> {
    let text = "too many return values at once; use unpack_one or unpack_limit instead.";
    frame.room(4, text)?;
    frame.charge(4)?;
    frame.reserve(0)?;
    let marker = take(rest, 1)?[0];
    // Markers come in rows: of 1, 2, 4 and 8 bytes, or of 2 and 4.
    let width = |first: u8| 1usize << (marker - first);
    match marker {
        0x00..=0x7f => frame.push_number(f64::from(marker)),
        0x80..=0x8f => unpack_map(frame, rest, usize::from(marker & 15), depth)?,
        0x90..=0x9f => unpack_array(frame, rest, usize::from(marker & 15), depth)?,
        0xa0..=0xbf => frame.push(take(rest, usize::from(marker & 31))?),
        0xc0 => frame.push_nil(),
        0xc2 => frame.push_bool(false),
        0xc3 => frame.push_bool(true),
        0xca => {
            let bits = take_number(rest, 4)? as u32;
            frame.push_number(f64::from(f32::from_bits(bits)));
        }
        0xcb => {
            let bits = take_number(rest, 8)?;
            frame.push_number(f64::from_bits(bits));
        }
        // Numbers are signed once they are Lua's integers.
        0xcc..=0xcf => {
            let value = take_number(rest, width(0xcc))?;
            frame.push_number(value.cast_signed() as f64);
        }
        0xd0..=0xd3 => {
            let width = width(0xd0);
            let unused = 64 - 8 * width;
            let value = take_number(rest, width)? << unused;
            frame.push_number((value.cast_signed() >> unused) as f64);
        }
        0xd9..=0xdb => {
            let len = take_number(rest, width(0xd9))?;
            let bytes = take(rest, usize::try_from(len).unwrap_or(usize::MAX))?;
            frame.charge(bytes.len() / 16)?;
            frame.push(bytes);
        }
        0xdc | 0xdd => {
            let len = take_number(rest, 2 * width(0xdc))?;
            unpack_array(frame, rest, usize::try_from(len).unwrap_or(usize::MAX), depth)?;
        }
        0xde | 0xdf => {
            let len = take_number(rest, 2 * width(0xde))?;
            unpack_map(frame, rest, usize::try_from(len).unwrap_or(usize::MAX), depth)?;
        }
        0xe0..=0xff => frame.push_number(f64::from(marker.cast_signed())),
        _ => return Err(Bad::Format),
    }
    Ok(())
}

fn check_depth(frame: &mut Frame<'_>, depth: usize) -> Result<(), Bad> {
    if depth < DEPTH_UNPACKED_MAX {
        return Ok(());
    }
    Err(Bad::Raised(frame.raise("stack overflow (too many nested values)")))
}

/// Elements must have arrived before room is made for them, so the length is no promise.
fn unpack_array(
    frame: &mut Frame<'_>,
    rest: &mut &[u8],
    len: usize,
    depth: usize,
) -> Result<(), Bad> {
    check_depth(frame, depth)?;
    frame.push_table(len.min(rest.len()).min(1024), 0);
    for number in 1..=len {
        unpack_value(frame, rest, depth + 1)?;
        frame.raw_set_element(-2, i32::try_from(number).unwrap_or(i32::MAX));
    }
    Ok(())
}

fn unpack_map(
    frame: &mut Frame<'_>,
    rest: &mut &[u8],
    len: usize,
    depth: usize,
) -> Result<(), Bad> {
    check_depth(frame, depth)?;
    frame.push_table(0, 0);
    for _ in 0..len {
        unpack_value(frame, rest, depth + 1)?;
        unpack_value(frame, rest, depth + 1)?;
        if let Some(text) = frame.bad_key(-2) {
            frame.push(text);
            return Err(Bad::Raised(Raised));
        }
        frame.raw_set(-3);
    }
    Ok(())
}

/// Puts what the library says of itself into the table on top.
pub(crate) fn fill_constants(frame: &mut Frame<'_>) {
    for (name, text) in [
        ("_NAME", "cmsgpack"),
        ("_VERSION", "lua-cmsgpack 0.4.0"),
        ("_COPYRIGHT", "Copyright (C) 2012, Redis Ltd."),
        ("_DESCRIPTION", "MessagePack C implementation for Lua"),
    ] {
        frame.push(text);
        frame.raw_set_field(-2, name);
    }
}
