//! Values and replies as the debugger shows them. What is made ends soon behind a longest length, as more
//! would be cut.

use crate::machine::{Frame, Kind, Printed, print_number};
use stdx::quote::repr;

/// Tables within tables, and replies within replies.
const DEPTH_MAX: usize = 10;
const REPLY_DEPTH_MAX: usize = 64;

/// Appends the value at an index.
pub(super) fn value(frame: &mut Frame<'_>, index: i32, out: &mut Vec<u8>, longest: usize) {
    if frame.has_room(8 * DEPTH_MAX) {
        let index = frame.absolute(index);
        nested(frame, index, 0, out, longest);
    }
}

fn nested(frame: &mut Frame<'_>, index: i32, depth: usize, out: &mut Vec<u8>, longest: usize) {
    if depth == DEPTH_MAX {
        out.extend_from_slice(b"<max recursion level reached! Nested table?>");
        return;
    }
    match frame.kind(index) {
        Kind::String => text(out, frame.string(index).unwrap_or_default(), longest),
        Kind::Boolean => out.extend_from_slice(frame.truth(index).to_string().as_bytes()),
        Kind::Number => {
            let number = frame.to_number(index).unwrap_or_default();
            print_number(out, c"%g", Printed::Double(number));
        }
        Kind::Nil | Kind::None => out.extend_from_slice(b"nil"),
        Kind::Table => {
            out.push(b'{');
            frame.push_copy(index);
            frame.look_through(-1);
            let table = frame.top();
            elements(frame, table, depth + 1, out, longest);
            frame.pop(1);
            out.push(b'}');
        }
        kind => {
            let name = match kind {
                Kind::Function => "function",
                Kind::Thread => "thread",
                _ => "light-userdata",
            };
            let address = frame.address(index);
            out.extend_from_slice(format!("\"{name}@{address:p}\"").as_bytes());
        }
    }
}

/// Appends the elements of a table: without their keys if these are 1, 2 and so on.
fn elements(frame: &mut Frame<'_>, table: i32, depth: usize, out: &mut Vec<u8>, longest: usize) {
    let is_array = is_array(frame, table);
    let start = out.len();
    frame.push_nil();
    while frame.next(table) {
        let key = frame.top() - 1;
        if out.len() > longest {
            return frame.set_top(table);
        }
        if out.len() > start {
            out.extend_from_slice(b"; ");
        }
        if !is_array {
            out.push(b'[');
            nested(frame, key, depth, out, longest);
            out.extend_from_slice(b"]=");
        }
        nested(frame, key + 1, depth, out, longest);
        frame.pop(1);
    }
}

fn is_array(frame: &mut Frame<'_>, table: i32) -> bool {
    let mut expected = 1.0;
    frame.push_nil();
    while frame.next(table) {
        if frame.exact_number(-2) != Some(expected) {
            frame.set_top(table);
            return false;
        }
        expected += 1.0;
        frame.pop(1);
    }
    true
}

fn text(out: &mut Vec<u8>, text: &[u8], longest: usize) {
    // A byte more, so that it shows that it is cut.
    let left = longest.saturating_sub(out.len()).saturating_add(1);
    repr(out, &text[..text.len().min(left)]);
}

/// Appends a reply of the server. What it cannot read it leaves out.
pub(super) fn reply(out: &mut Vec<u8>, bytes: &[u8], longest: usize) {
    let mut reader = Replies { rest: bytes, longest };
    reader.one(out, 0);
}

struct Replies<'a> {
    rest: &'a [u8],
    longest: usize,
}

impl Replies<'_> {
    /// Appends the next reply. `None`: there is no more to be shown.
    fn one(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        if out.len() > self.longest || depth > REPLY_DEPTH_MAX {
            return None;
        }
        let end = memchr::memchr(b'\r', self.rest)?;
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..)?;
        let (marker, body) = line.split_first()?;
        let len = || stdx::num::parse_i64(body);
        match marker {
            b':' | b'(' => out.extend_from_slice(body),
            b'+' | b'-' => text(out, line, self.longest),
            b'_' => out.extend_from_slice(b"(null)"),
            b'#' => out.extend_from_slice(if body == b"t" { b"#true" } else { b"#false" }),
            b',' => {
                out.extend_from_slice(b"(double) ");
                out.extend_from_slice(body);
            }
            b'$' | b'=' | b'!' | b'*' if len()? < 0 => out.extend_from_slice(b"NULL"),
            b'$' | b'=' | b'!' => {
                let len = usize::try_from(len()?).ok()?;
                text(out, self.rest.get(..len)?, self.longest);
                self.rest = self.rest.get(len.checked_add(2)?..)?;
            }
            b'*' | b'>' => self.many(out, len()?, ("[", "]"), depth)?,
            b'~' => self.many(out, len()?, ("~(", ")"), depth)?,
            b'%' => self.map(out, len()?, depth)?,
            _ => return None,
        }
        Some(())
    }

    fn many(
        &mut self,
        out: &mut Vec<u8>,
        count: i64,
        (begin, end): (&str, &str),
        depth: usize,
    ) -> Option<()> {
        out.extend_from_slice(begin.as_bytes());
        for number in 0..count {
            if number > 0 {
                out.push(b',');
            }
            self.one(out, depth + 1)?;
        }
        out.extend_from_slice(end.as_bytes());
        Some(())
    }

    fn map(&mut self, out: &mut Vec<u8>, count: i64, depth: usize) -> Option<()> {
        out.push(b'{');
        for number in 0..count {
            if number > 0 {
                out.push(b',');
            }
            self.one(out, depth + 1)?;
            out.extend_from_slice(b" => ");
            self.one(out, depth + 1)?;
        }
        out.push(b'}');
        Some(())
    }
}
