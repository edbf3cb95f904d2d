//! Numbers as C prints, reads and casts them.

use std::ffi::{CStr, c_char, c_int};

/// The longest number that a format of two digits' width and precision prints, and more.
const NUMBER_TEXT_MAX: usize = 512;

/// What a C compiler for x86-64 makes of a double as a 64-bit integer: what does not fit is the least
/// one.
#[inline]
pub(crate) fn to_integer(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&value) { value as i64 } else { i64::MIN }
}

/// The low 32 bits.
#[inline]
pub(crate) fn to_int(value: i64) -> i32 {
    value as i32
}

/// One number for `snprintf`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Printed {
    Int(i32),
    Long(i64),
    Double(f64),
}

/// Appends a number in one of C's formats. `format` holds one conversion, one that fits the number's
/// type, with at most two digits of width and two of precision.
pub(crate) fn print_number(out: &mut Vec<u8>, format: &CStr, number: Printed) {
    let mut buffer = [0u8; NUMBER_TEXT_MAX];
    let start = buffer.as_mut_ptr().cast::<c_char>();
    let format = format.as_ptr();
    let written: c_int = match number {
        // SAFETY: the buffer has this size, and the format asks for one int.
        Printed::Int(value) => unsafe {
            libc::snprintf(start, NUMBER_TEXT_MAX, format, value as c_int)
        },
        // SAFETY: as above, one long.
        Printed::Long(value) => unsafe { libc::snprintf(start, NUMBER_TEXT_MAX, format, value) },
        // SAFETY: as above, one double.
        Printed::Double(value) => unsafe { libc::snprintf(start, NUMBER_TEXT_MAX, format, value) },
    };
    let len = usize::try_from(written).unwrap_or(0).min(NUMBER_TEXT_MAX - 1);
    out.extend_from_slice(&buffer[..len]);
}

/// Reads a number as `strtod` does at the start of `text`: the number and how many bytes it takes.
/// `text` must not go on behind what the caller wants read; a zero byte ends it.
pub(crate) fn read_number(text: &[u8]) -> Option<(f64, usize)> {
    let mut copy = [0u8; NUMBER_TEXT_MAX];
    let owned: Vec<u8>;
    let start = if text.len() < copy.len() {
        copy[..text.len()].copy_from_slice(text);
        copy.as_ptr()
    } else {
        owned = [text, &[0]].concat();
        owned.as_ptr()
    };
    let mut end: *mut c_char = std::ptr::null_mut();
    // SAFETY: the text ends by a zero, and `end` is written to.
    let value = unsafe { libc::strtod(start.cast::<c_char>(), &raw mut end) };
    let taken = (end as usize).wrapping_sub(start as usize);
    (taken != 0).then_some((value, taken))
}
