//! Replies to Lua values and back.
//!
//! | RESP | Lua | | Lua | RESP |
//! |---|---|---|---|---|
//! | integer | number | | number | integer, cut |
//! | string | string | | string | string |
//! | null string or array | false | | false | null |
//! | status | `{ok=}` | | true | 1 |
//! | error | `{err=}` | | `{ok=}`, `{err=}` | status, error |
//! | array | table | | table | array up to the first nil |
//! | null (RESP3) | nil | | nil, functions | null |
//! | map, set | `{map=}`, `{set=}` | | the same | the same |
//! | double, big number, verbatim | `{double=}`, `{big_number=}`, `{verbatim_string=}` | | the same | the same |
//! | boolean (RESP3) | boolean | | boolean, after `setresp(3)` | boolean |

use crate::machine::{Frame, Kind, Raised, to_integer};
use resp::Reply;

/// Replies nest less than this.
const DEPTH_MAX: usize = 128;

/// The text of an error reply: `CODE text` as it is if it begins with `-` (which goes), else after `ERR`.
pub(crate) fn error_text(text: &[u8]) -> Vec<u8> {
    let Some(text) = text.strip_prefix(b"-") else {
        return [b"ERR ", trim(text)].concat();
    };
    match memchr::memchr(b' ', text) {
        Some(space) => [&text[..=space], trim(&text[space + 1..])].concat(),
        None => [b"ERR ", trim(text)].concat(),
    }
}

/// What is told of a status or an error: they end at a zero byte, as C's texts do.
pub(crate) fn until_zero(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] | [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    text
}

/// Pushes the value of one whole reply.
pub(crate) fn push_reply(frame: &mut Frame<'_>, bytes: &[u8]) -> Result<(), Raised> {
    let mut reader = Reader { rest: bytes };
    match reader.value(frame, 0)? {
        Some(()) => Ok(()),
        None => Err(frame.raise_reply("the server wrote a malformed reply")),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

/// `None`: the bytes are no reply.
type Read<T> = Result<Option<T>, Raised>;

/// Unwraps what is there, leaves the function otherwise.
macro_rules! present {
    ($step:expr) => {
        match $step {
            Some(step) => step,
            None => return Ok(None),
        }
    };
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(b'\r', self.rest)?;
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..)?;
        Some(line)
    }

    fn bulk(&mut self, len: i64) -> Option<&'a [u8]> {
        let len = usize::try_from(len).ok()?;
        let bytes = self.rest.get(..len)?;
        self.rest = self.rest.get(len.checked_add(2)?..)?;
        Some(bytes)
    }

    fn value(&mut self, frame: &mut Frame<'_>, depth: usize) -> Read<()> {
        if depth > DEPTH_MAX {
            return Ok(None);
        }
        frame.room(8, "reply")?;
        let (&marker, rest) = present!(self.rest.split_first());
        self.rest = rest;
        let line = present!(self.line());
        if matches!(marker, b'+' | b'-' | b'(' | b',' | b'_' | b'#') {
            return Ok(push_line(frame, marker, line));
        }
        if marker == b':'
            && let Some(number) = stdx::num::parse_u64(line)
        {
            // Beyond `i64`, too: indexes of arrays.
            frame.push_number(number as f64);
            return Ok(Some(()));
        }
        let number = present!(stdx::num::parse_i64(line));
        match marker {
            b':' => frame.push_number(number as f64),
            b'$' | b'*' if number < 0 => frame.push_bool(false),
            b'$' => frame.push(present!(self.bulk(number))),
            b'=' => push_verbatim(frame, present!(self.bulk(number))),
            b'!' => push_error(frame, present!(self.bulk(number))),
            b'*' | b'>' => return self.array(frame, number, depth),
            b'%' => return self.map(frame, number, depth),
            b'~' => return self.set(frame, number, depth),
            b'|' => {
                for _ in 0..number.saturating_mul(2) {
                    present!(self.value(frame, depth + 1)?);
                    frame.pop(1);
                }
                return self.value(frame, depth + 1);
            }
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// The number of elements, as far as they can be there.
    fn capacity(&self, number: i64) -> usize {
        usize::try_from(number).unwrap_or(0).min(self.rest.len())
    }

    fn element(&mut self, frame: &mut Frame<'_>, depth: usize) -> Read<()> {
        frame.charge(4)?;
        frame.reserve(0)?;
        self.value(frame, depth + 1)
    }

    fn array(&mut self, frame: &mut Frame<'_>, number: i64, depth: usize) -> Read<()> {
        frame.push_table(self.capacity(number), 0);
        for number in 1..=present!(i32::try_from(number).ok()) {
            present!(self.element(frame, depth)?);
            frame.raw_set_element(-2, number);
        }
        Ok(Some(()))
    }

    fn map(&mut self, frame: &mut Frame<'_>, number: i64, depth: usize) -> Read<()> {
        frame.push_table(0, 1);
        frame.push_table(0, GROWN);
        for _ in 0..number {
            present!(self.element(frame, depth)?);
            present!(self.element(frame, depth)?);
            set_pair(frame);
        }
        frame.raw_set_field(-2, "map");
        Ok(Some(()))
    }

    fn set(&mut self, frame: &mut Frame<'_>, number: i64, depth: usize) -> Read<()> {
        frame.push_table(0, 1);
        frame.push_table(0, GROWN);
        for _ in 0..number {
            present!(self.element(frame, depth)?);
            frame.push_bool(true);
            set_pair(frame);
        }
        frame.raw_set_field(-2, "set");
        Ok(Some(()))
    }
}

/// Pops a key and a value into the table below; what cannot be a key is dropped.
fn set_pair(frame: &mut Frame<'_>) {
    if frame.bad_key(-2).is_some() {
        frame.pop(2);
    } else {
        frame.raw_set(-3);
    }
}

/// Tables whose order scripts can see grow field by field: their size decides how `next` walks them, and
/// peers grow them so.
const GROWN: usize = 0;

fn push_line(frame: &mut Frame<'_>, marker: u8, line: &[u8]) -> Option<()> {
    match marker {
        b'+' => push_field(frame, "ok", line),
        b'-' => push_error(frame, line),
        b'(' => push_field(frame, "big_number", line),
        b',' => {
            let value = str::from_utf8(line).ok()?.parse().ok()?;
            frame.push_table(0, 1);
            frame.push_number(value);
            frame.raw_set_field(-2, "double");
        }
        b'_' => frame.push_nil(),
        _ => frame.push_bool(line == b"t"),
    }
    Some(())
}

fn push_field(frame: &mut Frame<'_>, name: &str, text: &[u8]) {
    frame.push_table(0, 1);
    frame.push(text);
    frame.raw_set_field(-2, name);
}

/// Errors of commands are counted where they happen; the field says so.
fn push_error(frame: &mut Frame<'_>, text: &[u8]) {
    frame.push_error_reply(&[b"-", text].concat());
    frame.push_bool(true);
    frame.raw_set_field(-2, "ignore_error_stats_update");
}

fn push_verbatim(frame: &mut Frame<'_>, bytes: &[u8]) {
    let (format, text) = bytes.split_at_checked(4).unwrap_or((b"txt:", bytes));
    frame.push_table(0, 1);
    frame.push_table(0, GROWN);
    frame.push(text);
    frame.raw_set_field(-2, "string");
    frame.push(&format[..3]);
    frame.raw_set_field(-2, "format");
    frame.raw_set_field(-2, "verbatim_string");
}

/// What became of a script's value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    /// The value as a whole is an error; whether its field says that it is counted.
    pub(crate) error: Option<bool>,
}

/// An aggregate that is being written: its table is on the stack.
enum Level {
    /// Elements are left from `next` on.
    Array {
        next: i32,
        last: i32,
    },
    /// The key is on the stack above the table; `value`: and its value is to be written.
    Map {
        value: bool,
    },
    Set,
}

/// Pops a value and writes it. `resp3`: the script called `setresp(3)`. An error: it is too large, or the
/// host stopped the script; the message is on top, and parts of the reply are written.
pub(crate) fn write_value(
    frame: &mut Frame<'_>,
    reply: &mut Reply,
    resp3: bool,
) -> Result<Written, Raised> {
    let mut writer = Writer { resp3, levels: Vec::new(), written: Written::default() };
    let start = reply.out.len();
    writer.emit(frame, reply)?;
    while let Some(level) = writer.levels.last_mut() {
        frame.charge(4)?;
        if reply.out.len().saturating_sub(start) > frame.core.limits.reply_bytes {
            return Err(frame.raise_reply("the reply of the script is too large"));
        }
        let more = match level {
            Level::Array { next, last } if *next <= *last => {
                frame.raw_element(-1, *next);
                *next += 1;
                true
            }
            Level::Array { .. } => false,
            Level::Map { value: true } => {
                *level = Level::Map { value: false };
                true
            }
            Level::Map { value: false } => {
                let more = frame.next(-2);
                if more {
                    *level = Level::Map { value: true };
                    frame.push_copy(-2);
                }
                more
            }
            Level::Set => {
                let more = frame.next(-2);
                if more {
                    frame.pop(1);
                    frame.push_copy(-1);
                }
                more
            }
        };
        if more {
            writer.emit(frame, reply)?;
        } else {
            frame.pop(1);
            writer.levels.pop();
        }
    }
    Ok(writer.written)
}

struct Writer {
    resp3: bool,
    levels: Vec<Level>,
    written: Written,
}

impl Writer {
    /// Writes the value on top and pops it, or leaves its table there as a new level.
    fn emit(&mut self, frame: &mut Frame<'_>, reply: &mut Reply) -> Result<(), Raised> {
        if !frame.has_room(6) {
            reply.error("ERR reached lua stack limit");
            frame.pop(1);
            return Ok(());
        }
        match frame.kind(-1) {
            Kind::String => reply.bulk(frame.string(-1).unwrap_or_default()),
            Kind::Number => reply.integer(to_integer(frame.to_number(-1).unwrap_or(0.0))),
            Kind::Boolean if self.resp3 => reply.boolean(frame.truth(-1)),
            Kind::Boolean if frame.truth(-1) => reply.integer(1),
            Kind::Table => return self.table(frame, reply),
            _ => reply.null(),
        }
        frame.pop(1);
        Ok(())
    }

    fn table(&mut self, frame: &mut Frame<'_>, reply: &mut Reply) -> Result<(), Raised> {
        let text = |frame: &mut Frame<'_>| frame.string(-1).unwrap_or_default().to_vec();
        if field(frame, "err", &[Kind::String]) {
            let message = text(frame);
            frame.pop(1);
            if self.levels.is_empty() {
                let kind = frame.raw_field(-1, "ignore_error_stats_update");
                self.written.error = Some(kind == Kind::Boolean && frame.truth(-1));
                frame.pop(1);
            }
            // Ends of lines go at its end and nowhere else.
            let message = until_zero(&message);
            let ends = message.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n'));
            let kept = message.len() - ends.count();
            reply.error(one_line(&message[..kept]));
            frame.pop(1);
        } else if field(frame, "ok", &[Kind::String]) {
            let message = text(frame);
            reply.simple(one_line(until_zero(&message)));
            frame.pop(2);
        } else if field(frame, "double", &[Kind::Number]) {
            reply.double(frame.to_number(-1).unwrap_or(0.0));
            frame.pop(2);
        } else if field(frame, "big_number", &[Kind::String]) {
            let digits = text(frame);
            reply.big_number(&one_line(&digits));
            frame.pop(2);
        } else if write_verbatim(frame, reply) {
            frame.pop(1);
        } else if field(frame, "map", &[Kind::Table]) {
            frame.remove(-2);
            reply.map(count(frame)?);
            frame.push_nil();
            self.levels.push(Level::Map { value: false });
        } else if field(frame, "set", &[Kind::Table]) {
            frame.remove(-2);
            reply.set(count(frame)?);
            frame.push_nil();
            self.levels.push(Level::Set);
        } else {
            let last = array_len(frame)?;
            reply.array(usize::try_from(last).unwrap_or(0));
            self.levels.push(Level::Array { next: 1, last });
        }
        Ok(())
    }
}

/// Pushes a field of the table on top if it is of one of these kinds.
fn field(frame: &mut Frame<'_>, name: &str, kinds: &[Kind]) -> bool {
    let found = kinds.contains(&frame.raw_field(-1, name));
    if !found {
        frame.pop(1);
    }
    found
}

fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }).collect()
}

fn write_verbatim(frame: &mut Frame<'_>, reply: &mut Reply) -> bool {
    if !field(frame, "verbatim_string", &[Kind::Table]) {
        return false;
    }
    let mut written = false;
    if field(frame, "format", &[Kind::String]) {
        let mut extension = [b' '; 3];
        for (byte, given) in extension.iter_mut().zip(frame.string(-1).unwrap_or_default()) {
            *byte = *given;
        }
        frame.pop(1);
        if field(frame, "string", &[Kind::String]) {
            reply.verbatim(extension, frame.string(-1).unwrap_or_default());
            frame.pop(1);
            written = true;
        }
    }
    frame.pop(1);
    written
}

/// The number of pairs of the table on top.
fn count(frame: &mut Frame<'_>) -> Result<usize, Raised> {
    let mut pairs = 0;
    frame.push_nil();
    while frame.next(-2) {
        frame.pop(1);
        pairs += 1;
        frame.charge(2)?;
    }
    Ok(pairs)
}

/// The number of elements before the first nil of the table on top.
fn array_len(frame: &mut Frame<'_>) -> Result<i32, Raised> {
    let mut len = 0;
    loop {
        frame.raw_element(-1, len + 1);
        let end = frame.kind(-1) == Kind::Nil;
        frame.pop(1);
        if end || len == i32::MAX - 1 {
            return Ok(len);
        }
        len += 1;
        frame.charge(2)?;
    }
}
