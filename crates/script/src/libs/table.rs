//! `table`, what of it does not call back.

use super::Functions;
use super::string::push_made;
use crate::machine::{Frame, Kind, Raised};

pub(crate) const FUNCTIONS: Functions = &[
    ("concat", concat),
    ("getn", getn),
    ("insert", insert),
    ("maxn", maxn),
    ("remove", remove),
    ("setn", setn),
];

/// From this many elements on, sorting in one go would keep the host waiting.
const PLAIN_SORT_MAX: i32 = 1 << 16;

type Results = Result<usize, Raised>;

fn border(frame: &Frame<'_>, index: i32) -> i32 {
    i32::try_from(frame.len(index)).unwrap_or(i32::MAX)
}

fn concat(frame: &mut Frame<'_>) -> Results {
    let separator = if frame.is_nothing(2) { b"" } else { frame.arg_text(2)? };
    frame.arg_table(1)?;
    let first = frame.arg_int_or(3, 1)?;
    let last = if frame.is_nothing(4) { border(frame, 1) } else { frame.arg_int(4)? };
    let mut out = Vec::new();
    for number in first..=last {
        frame.raw_element(1, number);
        let Some(text) = frame.text(-1) else {
            let kind = frame.kind_name(-1);
            return Err(frame
                .raise(format!("invalid value ({kind}) at index {number} in table for 'concat'")));
        };
        out.extend_from_slice(text);
        frame.pop(1);
        if number != last {
            out.extend_from_slice(separator);
        }
        frame.charge(4)?;
        if out.len() >= 1 << 16 {
            frame.reserve(out.len())?;
        }
    }
    push_made(frame, &out)
}

fn getn(frame: &mut Frame<'_>) -> Results {
    frame.arg_table(1)?;
    let len = frame.len(1);
    frame.push_number(len as f64);
    Ok(1)
}

fn setn(frame: &mut Frame<'_>) -> Results {
    frame.arg_table(1)?;
    Err(frame.raise("'setn' is obsolete"))
}

fn maxn(frame: &mut Frame<'_>) -> Results {
    frame.arg_table(1)?;
    let mut max = 0.0f64;
    frame.push_nil();
    while frame.next(1) {
        frame.pop(1);
        if frame.kind(-1) == Kind::Number {
            let key = frame.to_number(-1).unwrap_or(0.0);
            max = if key > max { key } else { max };
        }
        frame.charge(4)?;
    }
    frame.push_number(max);
    Ok(1)
}

fn insert(frame: &mut Frame<'_>) -> Results {
    frame.arg_table_mut(1)?;
    let mut end = border(frame, 1).wrapping_add(1);
    let at = match frame.top() {
        2 => end,
        3 => {
            let at = frame.arg_int(2)?;
            end = end.max(at);
            let mut to = end;
            while to > at {
                frame.raw_element(1, to.wrapping_sub(1));
                frame.raw_set_element(1, to);
                to -= 1;
                frame.charge(4)?;
            }
            at
        }
        _ => return Err(frame.raise("wrong number of arguments to 'insert'")),
    };
    frame.raw_set_element(1, at);
    Ok(0)
}

fn remove(frame: &mut Frame<'_>) -> Results {
    frame.arg_table_mut(1)?;
    let end = border(frame, 1);
    let at = frame.arg_int_or(2, end)?;
    if !(1..=end).contains(&at) {
        return Ok(0);
    }
    frame.raw_element(1, at);
    for number in at..end {
        frame.raw_element(1, number + 1);
        frame.raw_set_element(1, number);
        frame.charge(4)?;
    }
    frame.push_nil();
    frame.raw_set_element(1, end);
    Ok(1)
}

/// Sorts the table at 1 if it has no comparison function at 2, and only numbers or only strings, which
/// are indistinguishable when they are equal. Not: false.
pub(crate) fn sort_plain(frame: &mut Frame<'_>, len: i32) -> Result<bool, Raised> {
    if !frame.is_nothing(2) || len > PLAIN_SORT_MAX {
        return Ok(false);
    }
    frame.raw_element(1, 1);
    let kind = frame.kind(-1);
    frame.pop(1);
    frame.charge(usize::try_from(len).unwrap_or(0) * 16)?;
    match kind {
        Kind::Number => Ok(sort_numbers(frame, len)),
        Kind::String => Ok(sort_strings(frame, len)),
        _ => Ok(false),
    }
}

fn sort_numbers(frame: &mut Frame<'_>, len: i32) -> bool {
    let mut numbers = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    for number in 1..=len {
        frame.raw_element(1, number);
        let value = if frame.kind(-1) == Kind::Number { frame.to_number(-1) } else { None };
        frame.pop(1);
        // Zeros differ by their sign, NaN is not ordered.
        match value.filter(|value| *value != 0.0 && !value.is_nan()) {
            Some(value) => numbers.push(value),
            None => return false,
        }
    }
    numbers.sort_unstable_by(f64::total_cmp);
    for (number, value) in (1..).zip(numbers) {
        frame.push_number(value);
        frame.raw_set_element(1, number);
    }
    true
}

fn sort_strings(frame: &mut Frame<'_>, len: i32) -> bool {
    let mut texts = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    for number in 1..=len {
        frame.raw_element(1, number);
        let text = frame.string(-1);
        frame.pop(1);
        match text {
            Some(text) => texts.push(text),
            None => return false,
        }
    }
    texts.sort_unstable();
    // Every string must stay in some table all the time, or it could be collected.
    frame.push_table(texts.len(), 0);
    for (number, text) in (1..).zip(texts) {
        frame.push(text);
        frame.raw_set_element(-2, number);
    }
    for number in 1..=len {
        frame.raw_element(-1, number);
        frame.raw_set_element(1, number);
    }
    frame.pop(1);
    true
}
