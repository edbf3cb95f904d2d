//! Lua values to JSON.

use super::super::string::push_made;
use super::{DEPTH_MAX, Invalid, Options, Results};
use crate::machine::{Fixed, Frame, Kind, Printed, Raised, print_number};
use std::ffi::CString;

pub(super) fn encode(frame: &mut Frame<'_>) -> Results {
    if frame.top() != 1 {
        return Err(frame.bad_argument(1, "expected 1 argument"));
    }
    frame.look_through(1);
    let mut writer = Writer { options: frame.core.json.get(), out: Vec::new(), depth: 0 };
    writer.value(frame)?;
    push_made(frame, &writer.out)
}

struct Writer {
    options: Options,
    out: Vec<u8>,
    depth: i32,
}

fn refuse(frame: &mut Frame<'_>, index: i32, reason: &str) -> Raised {
    let kind = frame.kind_name(index);
    frame.raise(format!("Cannot serialise {kind}: {reason}"))
}

impl Writer {
    /// Writes the value on top, which stays.
    fn value(&mut self, frame: &mut Frame<'_>) -> Result<(), Raised> {
        match frame.kind(-1) {
            Kind::String => self.text(frame.string(-1).unwrap_or_default()),
            Kind::Number => self.number(frame, -1)?,
            Kind::Boolean if frame.truth(-1) => self.out.extend_from_slice(b"true"),
            Kind::Boolean => self.out.extend_from_slice(b"false"),
            Kind::Nil => self.out.extend_from_slice(b"null"),
            Kind::Pointer if frame.address(-1).is_null() => self.out.extend_from_slice(b"null"),
            Kind::Table => {
                self.depth += 1;
                if self.depth > self.options.encode_depth.min(DEPTH_MAX) || !frame.has_room(6) {
                    let depth = self.depth;
                    let text = format!("Cannot serialise, excessive nesting ({depth})");
                    return Err(frame.raise(text));
                }
                match self.array_len(frame)? {
                    Some(len) if len > 0 => self.array(frame, len)?,
                    Some(_) if is_marked(frame) => self.out.extend_from_slice(b"[]"),
                    _ => self.object(frame)?,
                }
                self.depth -= 1;
            }
            _ => return Err(refuse(frame, -1, "type not supported")),
        }
        frame.charge(8)?;
        if self.out.len() >= 1 << 16 {
            frame.reserve(self.out.len())?;
        }
        Ok(())
    }

    /// The largest key of the table on top, if all are integers from 1 on; 0 if it is empty.
    fn array_len(&self, frame: &mut Frame<'_>) -> Result<Option<i32>, Raised> {
        let (mut max, mut items) = (0i32, 0i32);
        frame.push_nil();
        while frame.next(-2) {
            frame.pop(1);
            frame.charge(2)?;
            let key = if frame.kind(-1) == Kind::Number { frame.to_number(-1) } else { None };
            let Some(key) = key.filter(|key| *key >= 1.0 && key.floor() == *key) else {
                frame.pop(1);
                return Ok(None);
            };
            // C's cast of what does not fit.
            let key = if key > f64::from(i32::MAX) { i32::MIN } else { key as i32 };
            max = max.max(key);
            items += 1;
        }
        let Options { sparse_ratio, sparse_safe, sparse_convert, .. } = self.options;
        let sparse = sparse_ratio > 0
            && i64::from(max) > i64::from(items) * i64::from(sparse_ratio)
            && max > sparse_safe;
        match (sparse, sparse_convert) {
            (true, true) => Ok(None),
            (true, false) => Err(refuse(frame, -1, "excessively sparse array")),
            _ => Ok(Some(max)),
        }
    }

    fn array(&mut self, frame: &mut Frame<'_>, len: i32) -> Result<(), Raised> {
        self.out.push(b'[');
        for number in 1..=len {
            if number > 1 {
                self.out.push(b',');
            }
            frame.raw_element(-1, number);
            self.value(frame)?;
            frame.pop(1);
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, frame: &mut Frame<'_>) -> Result<(), Raised> {
        self.out.push(b'{');
        let mut first = true;
        frame.push_nil();
        while frame.next(-2) {
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            match frame.kind(-2) {
                Kind::Number => {
                    self.out.push(b'"');
                    self.number(frame, -2)?;
                    self.out.extend_from_slice(b"\":");
                }
                Kind::String => {
                    self.text(frame.string(-2).unwrap_or_default());
                    self.out.push(b':');
                }
                _ => return Err(refuse(frame, -2, "table key must be a number or string")),
            }
            self.value(frame)?;
            frame.pop(1);
        }
        self.out.push(b'}');
        Ok(())
    }

    fn number(&mut self, frame: &mut Frame<'_>, index: i32) -> Result<(), Raised> {
        let value = frame.to_number(index).unwrap_or(0.0);
        if !value.is_finite() {
            match self.options.encode_invalid {
                Invalid::Refuse => return Err(refuse(frame, index, "must not be NaN or Inf")),
                Invalid::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                Invalid::Write if value.is_nan() => {
                    self.out.extend_from_slice(b"nan");
                    return Ok(());
                }
                Invalid::Write => {}
            }
        }
        if self.options.precision != 14 {
            let format = CString::new(format!("%.{}g", self.options.precision)).unwrap_or_default();
            print_number(&mut self.out, &format, Printed::Double(value));
        } else if value.fract() == 0.0 && value.abs() < 1e14 && value != 0.0 {
            stdx::num::write_i64(&mut self.out, value as i64);
        } else {
            print_number(&mut self.out, c"%.14g", Printed::Double(value));
        }
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for &byte in text {
            match byte {
                b'"' | b'\\' | b'/' => self.out.extend_from_slice(&[b'\\', byte]),
                0x08 => self.out.extend_from_slice(b"\\b"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                0x0c => self.out.extend_from_slice(b"\\f"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                0..=0x1f | 0x7f => {
                    self.out.extend_from_slice(b"\\u00");
                    self.out.extend_from_slice(&stdx::quote::hex(byte));
                }
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }
}

/// Whether the table on top is marked as an array.
fn is_marked(frame: &mut Frame<'_>) -> bool {
    if !frame.push_metatable(-1) {
        return false;
    }
    frame.push_fixed(Fixed::ArrayMark);
    let marked = frame.raw_equal(-1, -2);
    frame.pop(2);
    marked
}
