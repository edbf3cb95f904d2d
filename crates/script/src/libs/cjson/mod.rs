//! `cjson`: JSON, with the leniency and the error texts of lua-cjson 2.1.

mod decode;
mod encode;

use super::Functions;
use crate::machine::{Fixed, Frame, Kind, Raised};

pub(crate) const FUNCTIONS: Functions = &[
    ("decode", decode::decode),
    ("decode_array_with_array_mt", decode_array_with_array_mt),
    ("decode_invalid_numbers", decode_invalid_numbers),
    ("decode_max_depth", decode_max_depth),
    ("encode", encode::encode),
    ("encode_invalid_numbers", encode_invalid_numbers),
    ("encode_keep_buffer", encode_keep_buffer),
    ("encode_max_depth", encode_max_depth),
    ("encode_number_precision", encode_number_precision),
    ("encode_sparse_array", encode_sparse_array),
    ("new", new),
];

/// Whatever the options say, nothing nests deeper than what the stack of a thread surely holds.
const DEPTH_MAX: i32 = 1500;

/// What to do with numbers that JSON has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    Refuse,
    Write,
    Null,
}

/// The options, which last as long as the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    sparse_convert: bool,
    sparse_ratio: i32,
    sparse_safe: i32,
    encode_depth: i32,
    decode_depth: i32,
    encode_invalid: Invalid,
    decode_invalid: bool,
    keep_buffer: bool,
    precision: i32,
    mark_arrays: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: 1000,
            decode_depth: 1000,
            encode_invalid: Invalid::Refuse,
            decode_invalid: true,
            keep_buffer: true,
            precision: 14,
            mark_arrays: false,
        }
    }
}

type Results = Result<usize, Raised>;

/// Begins an option's function that takes up to `count` arguments, and fills them up with nil.
fn arguments(frame: &mut Frame<'_>, count: i32) -> Result<Options, Raised> {
    if frame.top() > count {
        return Err(frame.bad_argument(count + 1, "found too many arguments"));
    }
    frame.set_top(count);
    Ok(frame.core.json.get())
}

fn integer(
    frame: &mut Frame<'_>,
    number: i32,
    setting: &mut i32,
    range: (i32, i32),
) -> Result<(), Raised> {
    if frame.kind(number) != Kind::Nil {
        let value = frame.arg_int(number)?;
        if value < range.0 || value > range.1 {
            let (low, high) = range;
            return Err(frame.bad_argument(1, format!("expected integer between {low} and {high}")));
        }
        *setting = value;
    }
    Ok(())
}

/// A choice by name or by truth; its number.
fn choice(frame: &mut Frame<'_>, number: i32, names: &[&str]) -> Result<Option<usize>, Raised> {
    match frame.kind(number) {
        Kind::Nil => Ok(None),
        Kind::Boolean => Ok(Some(usize::from(frame.truth(number)))),
        _ => {
            let name = frame.arg_text(number)?;
            match names.iter().position(|known| known.as_bytes() == name) {
                Some(choice) => Ok(Some(choice)),
                None => {
                    let name = String::from_utf8_lossy(name).into_owned();
                    Err(frame.bad_argument(number, format!("invalid option '{name}'")))
                }
            }
        }
    }
}

fn switch(frame: &mut Frame<'_>, number: i32, setting: &mut bool) -> Result<(), Raised> {
    if let Some(choice) = choice(frame, number, &["off", "on"])? {
        *setting = choice == 1;
    }
    Ok(())
}

fn encode_sparse_array(frame: &mut Frame<'_>) -> Results {
    let mut options = arguments(frame, 3)?;
    switch(frame, 1, &mut options.sparse_convert)?;
    integer(frame, 2, &mut options.sparse_ratio, (0, i32::MAX))?;
    integer(frame, 3, &mut options.sparse_safe, (0, i32::MAX))?;
    frame.core.json.set(options);
    frame.push_bool(options.sparse_convert);
    frame.push_number(f64::from(options.sparse_ratio));
    frame.push_number(f64::from(options.sparse_safe));
    Ok(3)
}

fn encode_max_depth(frame: &mut Frame<'_>) -> Results {
    let mut options = arguments(frame, 1)?;
    integer(frame, 1, &mut options.encode_depth, (1, i32::MAX))?;
    frame.core.json.set(options);
    frame.push_number(f64::from(options.encode_depth));
    Ok(1)
}

fn decode_max_depth(frame: &mut Frame<'_>) -> Results {
    let mut options = arguments(frame, 1)?;
    integer(frame, 1, &mut options.decode_depth, (1, i32::MAX))?;
    frame.core.json.set(options);
    frame.push_number(f64::from(options.decode_depth));
    Ok(1)
}

fn encode_number_precision(frame: &mut Frame<'_>) -> Results {
    let mut options = arguments(frame, 1)?;
    integer(frame, 1, &mut options.precision, (1, 14))?;
    frame.core.json.set(options);
    frame.push_number(f64::from(options.precision));
    Ok(1)
}

/// Has no effect: a buffer of the encoder does not outlive its call.
fn encode_keep_buffer(frame: &mut Frame<'_>) -> Results {
    let mut options = arguments(frame, 1)?;
    switch(frame, 1, &mut options.keep_buffer)?;
    frame.core.json.set(options);
    frame.push_bool(options.keep_buffer);
    Ok(1)
}

fn encode_invalid_numbers(frame: &mut Frame<'_>) -> Results {
    let mut options = arguments(frame, 1)?;
    if let Some(choice) = choice(frame, 1, &["off", "on", "null"])? {
        options.encode_invalid = [Invalid::Refuse, Invalid::Write, Invalid::Null][choice];
    }
    frame.core.json.set(options);
    match options.encode_invalid {
        Invalid::Refuse => frame.push_bool(false),
        Invalid::Write => frame.push_bool(true),
        Invalid::Null => frame.push("null"),
    }
    Ok(1)
}

fn decode_invalid_numbers(frame: &mut Frame<'_>) -> Results {
    let mut options = arguments(frame, 1)?;
    switch(frame, 1, &mut options.decode_invalid)?;
    frame.core.json.set(options);
    frame.push_bool(options.decode_invalid);
    Ok(1)
}

/// Whether `decode` marks arrays by the metatable `cjson.array_mt`, by which `encode` knows an empty one.
fn decode_array_with_array_mt(frame: &mut Frame<'_>) -> Results {
    let mut options = arguments(frame, 1)?;
    switch(frame, 1, &mut options.mark_arrays)?;
    frame.core.json.set(options);
    frame.push_bool(options.mark_arrays);
    Ok(1)
}

/// A table with the same functions; it may be changed. The options are shared.
fn new(frame: &mut Frame<'_>) -> Results {
    frame.push_table(0, FUNCTIONS.len() + 4);
    fill(frame);
    Ok(1)
}

/// Puts functions and constants into the table on top.
pub(crate) fn fill(frame: &mut Frame<'_>) {
    for &(name, function) in FUNCTIONS {
        frame.push_native(function, 0);
        frame.raw_set_field(-2, name);
    }
    push_null(frame);
    frame.raw_set_field(-2, "null");
    frame.push_fixed(Fixed::ArrayMark);
    frame.raw_set_field(-2, "array_mt");
    frame.push("cjson");
    frame.raw_set_field(-2, "_NAME");
    frame.push("2.1.0");
    frame.raw_set_field(-2, "_VERSION");
}

/// JSON's null: the null pointer.
fn push_null(frame: &mut Frame<'_>) {
    frame.push_pointer(std::ptr::null_mut());
}
