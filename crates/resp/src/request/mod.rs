//! The request parser: from the bytes that a client sent to requests that borrow them.
//!
//! ```text
//!   read buffer  [ request | request | request | part of one ]
//!                  └────── Requests (a worker's scratch) ───┘   └── Progress (the connection's)
//! ```
//!
//! A worker parses all that a read brought in one call, before it executes anything. The bytes after
//! [`Parsed::consumed`] belong to the connection, which keeps them, appends what arrives next and
//! calls again; [`Progress`] remembers how far the partial request was read, so that neither a bulk of
//! 512 MB nor a request of a million arguments is ever read twice.
//!
//! Offsets are relative to the start of their request, so that they hold when its bytes move.
//!
//! Invariants:
//! - Memory follows the bytes that arrived (an [`Arg`] has 8 bytes, its shortest encoding 6), never a
//!   number that was announced.
//! - How the bytes were cut into reads does not change what is parsed.
//! - As in Redis, the byte after a CR of a header and the two bytes after an argument are skipped
//!   without a look.

#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation
    )
)]

mod inline;
#[cfg(test)]
mod tests;

use crate::error::{Foreign, ProtocolError};
use std::ops::Index;

pub use inline::split_line;

/// More arguments than this end a batch, after the request that passed it.
const ARGS_PER_BATCH: usize = 4096;
/// Scratch above this is given back before the next batch: arguments, bytes.
const ARGS_KEPT: usize = 4 * ARGS_PER_BATCH;
const UNQUOTED_BYTES_KEPT: usize = 64 * 1024;
/// The largest number of arguments, as in Redis.
const ARGS_MAX: i64 = i32::MAX as i64;
/// What a client may send before it has authenticated itself, as in Redis.
const UNAUTHENTICATED_ARGS_MAX: u32 = 10;
const UNAUTHENTICATED_BULK_BYTES_MAX: u32 = 16_384;

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Whether the client may run commands. Before, its requests are small, and each call parses one
    /// of them, because it may be the AUTH that lifts the limits for the next.
    pub authenticated: bool,
    /// `proto-max-bulk-len`; no request exceeds 4 GB whatever is said here.
    pub bulk_bytes_max: u64,
    /// The longest inline request, and the longest line of a header.
    pub inline_bytes_max: usize,
    /// Whether a request may be a line of words.
    pub inline: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            authenticated: true,
            bulk_bytes_max: 512 * 1024 * 1024,
            inline_bytes_max: 64 * 1024,
            inline: true,
        }
    }
}

impl Limits {
    /// What is allowed without a thought about which limit it might break.
    fn sure(&self) -> Sure {
        let bulk = u32::try_from(self.bulk_bytes_max).unwrap_or(u32::MAX);
        if self.authenticated {
            Sure { count: u32::MAX, bulk }
        } else {
            let bulk = bulk.min(UNAUTHENTICATED_BULK_BYTES_MAX);
            Sure { count: UNAUTHENTICATED_ARGS_MAX, bulk }
        }
    }
}

/// The largest argument count and length that break no limit.
#[derive(Clone, Copy)]
struct Sure {
    count: u32,
    bulk: u32,
}

/// What [`Requests::parse`] did with the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Bytes of whole requests (and ignored empty ones): the caller is done with them once the batch
    /// was executed.
    pub consumed: usize,
    pub stop: Stop,
}

/// Why the parser stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing is left.
    Drained,
    /// The rest is the beginning of a request. Keep it, append what arrives, call again with the same
    /// `Progress` and a buffer that starts where this request starts.
    Partial,
    /// The batch is full. Execute it, then call again with the rest, before reading more.
    Full,
    /// The rest is broken. Execute the batch, answer the error, close.
    Error(ProtocolError),
}

/// One argument: bytes of its request, or of the unquoted text of an inline request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Arg {
    start: u32,
    len: u32,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    /// Size of the request as sent.
    bytes: usize,
    first_arg: usize,
    arg_count: usize,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Multibulk,
    Inline,
    /// Inline with quotes: the arguments are in `Requests::unquoted`.
    Unquoted,
}

/// How far a request of the form `*N` has been read.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// Where reading goes on, relative to the request's start; 0 means that its first line is not
    /// complete.
    at: usize,
    /// Arguments that are missing.
    missing: u32,
    /// The length of the argument that starts at `at`, if its header was read.
    bulk: Option<u32>,
}

#[derive(Debug, Default)]
struct Partial {
    args: Vec<Arg>,
    cursor: Cursor,
    /// Bytes that hold no end of line, for inline requests.
    scanned: usize,
    /// Bytes of the request that have arrived.
    arrived: usize,
}

/// What a connection remembers of the one request that has not arrived whole. One pointer while
/// there is none.
#[derive(Debug, Default)]
pub struct Progress(Option<Box<Partial>>);

impl Progress {
    /// Whether no request is half read.
    pub fn is_idle(&self) -> bool {
        self.0.is_none()
    }

    /// How many more bytes the argument needs that is being received, if that is known.
    pub fn wanted(&self) -> Option<usize> {
        let partial = self.0.as_ref()?;
        let bulk = partial.cursor.bulk? as usize;
        let end = partial.cursor.at.saturating_add(bulk).saturating_add(2);
        Some(end.saturating_sub(partial.arrived))
    }

    /// How much room to make for what comes next, in steps of `step` at least: what the argument
    /// wants, or as much as has arrived if that is much less, if it is not known, or if it is so
    /// little that more arguments must follow. So a buffer grows to nine quarters at most, whatever
    /// was announced, and one that holds a single large argument ends with it: a step that would
    /// leave less than an eighth takes that along.
    pub fn room(&self, step: usize) -> usize {
        let arrived = self.0.as_ref().map_or(0, |partial| partial.arrived);
        let most = arrived.saturating_add(step);
        match self.wanted() {
            Some(wanted) if wanted >= arrived / 8 && wanted <= most.saturating_add(most / 4) => {
                wanted.max(step)
            }
            _ => most,
        }
    }

    /// How many bytes of the partial request have been taken apart.
    pub fn parsed_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |partial| partial.cursor.at)
    }

    /// Bytes on the heap, for the account of a client's memory.
    pub fn heap_bytes(&self) -> usize {
        let args = |partial: &Partial| partial.args.capacity().saturating_mul(size_of::<Arg>());
        self.0.as_ref().map_or(0, |partial| size_of::<Partial>().saturating_add(args(partial)))
    }
}

/// The requests of one buffer. A worker's scratch: it is reused, and holds offsets only.
#[derive(Debug, Default)]
pub struct Requests {
    spans: Vec<Span>,
    args: Vec<Arg>,
    /// Arguments of inline requests that had quotes.
    unquoted: Vec<u8>,
}

/// How one step of the parser ended.
enum Step {
    /// A request, or an empty one, of so many bytes.
    Done(usize),
    Partial,
    Error(ProtocolError),
}

impl Requests {
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the last batch and reads the requests in `buf`, up to `requests_max` (at least one).
    ///
    /// `progress` belongs to the connection. While it is not idle, `buf` must begin with the bytes
    /// that were left over, in full.
    pub fn parse(
        &mut self,
        progress: &mut Progress,
        buf: &[u8],
        limits: &Limits,
        requests_max: usize,
    ) -> Parsed {
        self.clear();
        let requests_max = if limits.authenticated { requests_max.max(1) } else { 1 };
        let sure = limits.sure();
        let mut at: usize = 0;
        if let Some(mut partial) = progress.0.take() {
            match self.resume(&mut partial, buf, limits) {
                Step::Done(bytes) => at = bytes,
                Step::Partial => {
                    partial.arrived = buf.len();
                    progress.0 = Some(partial);
                    return Parsed { consumed: 0, stop: Stop::Partial };
                }
                Step::Error(error) => return Parsed { consumed: 0, stop: Stop::Error(error) },
            }
        }
        let stop = loop {
            let frame = buf.get(at..).unwrap_or_default();
            let Some(&first) = frame.first() else { break Stop::Drained };
            if self.is_full(requests_max) {
                break Stop::Full;
            }
            let first_arg = self.args.len();
            let mut cursor = Cursor::default();
            let mut scanned = 0;
            let (step, form) = if first == b'*' {
                let step = multibulk(frame, &mut cursor, &mut self.args, limits, sure);
                (step, Form::Multibulk)
            } else {
                self.inline(frame, &mut scanned, limits)
            };
            match step {
                Step::Done(bytes) => {
                    self.finish(at, bytes, first_arg, form);
                    at = at.wrapping_add(bytes); // Within `buf`.
                }
                Step::Partial => {
                    // A vector of its own size: the scratch keeps its capacity.
                    let args = self.args.drain(first_arg..).collect();
                    let arrived = frame.len();
                    progress.0 = Some(Box::new(Partial { args, cursor, scanned, arrived }));
                    break Stop::Partial;
                }
                Step::Error(error) => {
                    self.args.truncate(first_arg);
                    break Stop::Error(error);
                }
            }
        };
        Parsed { consumed: at, stop }
    }

    /// The number of requests found.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The request at `index`. `buf` is the buffer that was parsed.
    #[inline]
    pub fn get<'a>(&'a self, index: usize, buf: &'a [u8]) -> Option<Request<'a>> {
        let span = self.spans.get(index)?;
        let end = span.first_arg.wrapping_add(span.arg_count); // Within `args`.
        let args = self.args.get(span.first_arg..end)?;
        let base = match span.form {
            Form::Unquoted => &self.unquoted,
            Form::Multibulk | Form::Inline => buf.get(span.start..)?.get(..span.bytes)?,
        };
        let inline = span.form != Form::Multibulk;
        Some(Request { args: Args { base, args }, bytes: span.bytes, inline })
    }

    /// Where, in the buffer that was parsed, the first `count` requests end.
    pub fn end_of(&self, count: usize) -> usize {
        let last = count.checked_sub(1).and_then(|last| self.spans.get(last));
        last.map_or(0, |span| span.start.saturating_add(span.bytes))
    }

    /// The requests in order. `buf` is the buffer that was parsed.
    pub fn iter<'a>(&'a self, buf: &'a [u8]) -> impl Iterator<Item = Request<'a>> {
        (0..self.spans.len()).filter_map(move |index| self.get(index, buf))
    }

    /// Forgets the batch, and gives back scratch that an unusual one left behind.
    fn clear(&mut self) {
        self.spans.clear();
        self.args.clear();
        self.unquoted.clear();
        if self.args.capacity() > ARGS_KEPT {
            self.args = Vec::new();
        }
        if self.unquoted.capacity() > UNQUOTED_BYTES_KEPT.saturating_mul(2) {
            self.unquoted = Vec::new();
        }
    }

    #[inline]
    fn is_full(&self, requests_max: usize) -> bool {
        self.spans.len() >= requests_max
            || self.args.len() >= ARGS_PER_BATCH
            || self.unquoted.len() >= UNQUOTED_BYTES_KEPT
    }

    /// Notes the request that was read, unless it has no arguments: such are ignored.
    #[inline]
    fn finish(&mut self, start: usize, bytes: usize, first_arg: usize, form: Form) {
        let arg_count = self.args.len().wrapping_sub(first_arg); // Arguments are only appended.
        if arg_count > 0 {
            self.spans.push(Span { start, bytes, first_arg, arg_count, form });
        }
    }

    /// Goes on with the request that stands at the start of `frame`.
    fn resume(&mut self, partial: &mut Partial, frame: &[u8], limits: &Limits) -> Step {
        let (step, form) = if frame.first() == Some(&b'*') {
            let Partial { cursor, args, .. } = partial;
            let step = multibulk(frame, cursor, args, limits, limits.sure());
            (step, Form::Multibulk)
        } else {
            self.inline(frame, &mut partial.scanned, limits)
        };
        if let Step::Done(bytes) = step {
            if form == Form::Multibulk {
                std::mem::swap(&mut self.args, &mut partial.args);
            }
            self.finish(0, bytes, 0, form);
        }
        step
    }

    /// Reads a request that is a line of words.
    #[inline(never)]
    fn inline(&mut self, frame: &[u8], scanned: &mut usize, limits: &Limits) -> (Step, Form) {
        let first_arg = self.args.len();
        let foreign = |foreign| (Step::Error(ProtocolError::CrossProtocol(foreign)), Form::Inline);
        match frame {
            [0x16, 0x03, ..] => return foreign(Foreign::Tls),
            [b'S', b'S', b'H', b'-', ..] => return foreign(Foreign::Ssh),
            _ => {}
        }
        let (line, bytes) = match inline::line(frame, scanned, limits.inline_bytes_max) {
            Ok(Some(found)) => found,
            Ok(None) => return (Step::Partial, Form::Inline),
            Err(error) => return (Step::Error(error), Form::Inline),
        };
        let Ok(unquoted) = inline::split(line, &mut self.args, &mut self.unquoted) else {
            return (Step::Error(ProtocolError::UnbalancedQuotes), Form::Inline);
        };
        let (form, base) =
            if unquoted { (Form::Unquoted, &*self.unquoted) } else { (Form::Inline, line) };
        let args = self.args.get(first_arg..).unwrap_or_default();
        if inline::is_http(Args { base, args }) {
            return foreign(Foreign::Http);
        }
        if !limits.inline && !args.is_empty() {
            return (Step::Error(ProtocolError::InlineOff), Form::Inline);
        }
        (Step::Done(bytes), form)
    }
}

/// Reads a request of the form `*N`, from where `cursor` stands.
#[inline]
fn multibulk(
    frame: &[u8],
    cursor: &mut Cursor,
    args: &mut Vec<Arg>,
    limits: &Limits,
    sure: Sure,
) -> Step {
    if cursor.at == 0 {
        let (count, next) = match frame.get(1..).and_then(short_length) {
            Some((count, next)) if count <= sure.count => (count, next),
            _ => match count_line(frame, limits) {
                Ok(Some(header)) => header,
                Ok(None) => return Step::Partial,
                Err(error) => return Step::Error(error),
            },
        };
        *cursor = Cursor { at: next, missing: count, bulk: None };
    }
    let Cursor { mut at, mut missing, mut bulk } = *cursor;
    let whole = loop {
        if missing == 0 {
            break true;
        }
        let len = match bulk {
            Some(len) => len,
            None => {
                let rest = frame.get(at..).unwrap_or_default();
                let short = match rest {
                    [b'$', rest @ ..] => short_length(rest),
                    _ => None,
                };
                let (len, next) = match short {
                    Some((len, next)) if len <= sure.bulk => (len, next),
                    _ => match bulk_line(rest, limits) {
                        Ok(Some(header)) => header,
                        Ok(None) => break false,
                        Err(error) => return Step::Error(error),
                    },
                };
                at = at.wrapping_add(next); // Within `frame`.
                len
            }
        };
        // No overflow: both are below 2^63.
        let end = at.wrapping_add(len as usize).wrapping_add(2);
        let (Ok(start), Ok(_)) = (u32::try_from(at), u32::try_from(end)) else {
            return Step::Error(ProtocolError::InvalidBulkLength);
        };
        bulk = Some(len);
        if end > frame.len() {
            break false;
        }
        args.push(Arg { start, len });
        bulk = None;
        at = end;
        missing = missing.wrapping_sub(1); // Not zero here.
    };
    if whole {
        return Step::Done(at);
    }
    *cursor = Cursor { at, missing, bulk };
    Step::Partial
}

/// Reads a length of up to three digits and its line's end; answers it and where the next item
/// begins, counted from the marker before `rest`. Nothing means "look closer", not "wrong".
// PERF: example `bench`, case `set 16 16`: nearly every header of a real request is that short.
#[inline]
fn short_length(rest: &[u8]) -> Option<(u32, usize)> {
    let &[a, b, c, d, _] = rest.first_chunk::<5>()?;
    let digit = |byte: u8| u32::from(byte.wrapping_sub(b'0'));
    let (a, b_digit, c_digit) = (digit(a), digit(b), digit(c));
    if a > 9 {
        None
    } else if b == b'\r' {
        Some((a, 4))
    } else if a == 0 || b_digit > 9 {
        None
    } else if c == b'\r' {
        Some((a.wrapping_mul(10).wrapping_add(b_digit), 5))
    } else if c_digit > 9 || d != b'\r' {
        None
    } else {
        Some((a.wrapping_mul(100).wrapping_add(b_digit.wrapping_mul(10)).wrapping_add(c_digit), 6))
    }
}

/// Reads `*N` in full generality: the count (0 for an empty request) and where the arguments begin.
#[inline(never)]
fn count_line(frame: &[u8], limits: &Limits) -> Result<Option<(u32, usize)>, ProtocolError> {
    let too_big = ProtocolError::TooBigMultibulkCount;
    let Some((line, next)) = header_line(frame, limits.inline_bytes_max, too_big)? else {
        return Ok(None);
    };
    let count = line.get(1..).and_then(stdx::num::parse_i64);
    let Some(count) = count.filter(|count| *count <= ARGS_MAX) else {
        return Err(ProtocolError::InvalidMultibulkLength);
    };
    let count = u32::try_from(count).unwrap_or(0); // Negative counts are empty requests.
    if count > UNAUTHENTICATED_ARGS_MAX && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedMultibulkLength);
    }
    Ok(Some((count, next)))
}

/// Reads `$N` in full generality: the length and where the argument begins.
#[inline(never)]
fn bulk_line(rest: &[u8], limits: &Limits) -> Result<Option<(u32, usize)>, ProtocolError> {
    let too_big = ProtocolError::TooBigBulkCount;
    let Some((line, next)) = header_line(rest, limits.inline_bytes_max, too_big)? else {
        return Ok(None);
    };
    // The line may be empty, then its CR is what was found.
    let marker = line.first().copied().unwrap_or(b'\r');
    if marker != b'$' {
        return Err(ProtocolError::ExpectedDollar(marker));
    }
    let len = line.get(1..).and_then(stdx::num::parse_u64);
    let Some(len) = len.filter(|len| *len <= limits.bulk_bytes_max) else {
        return Err(ProtocolError::InvalidBulkLength);
    };
    if len > u64::from(UNAUTHENTICATED_BULK_BYTES_MAX) && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedBulkLength);
    }
    let len = u32::try_from(len).map_err(|_| ProtocolError::InvalidBulkLength)?;
    Ok(Some((len, next)))
}

/// Finds the line at the start of `rest`: its bytes before the CR, and where the next one begins.
/// Nothing while it is incomplete.
#[inline]
fn header_line(
    rest: &[u8],
    bytes_max: usize,
    too_big: ProtocolError,
) -> Result<Option<(&[u8], usize)>, ProtocolError> {
    let window = rest.get(..=bytes_max).unwrap_or(rest);
    let Some(end) = memchr::memchr(b'\r', window) else {
        return if rest.len() > bytes_max { Err(too_big) } else { Ok(None) };
    };
    let next = end.wrapping_add(2); // At most one past the end of a slice.
    if next > rest.len() {
        return Ok(None);
    }
    Ok(Some((window.get(..end).unwrap_or_default(), next)))
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The command's name and its arguments; never empty.
    pub args: Args<'a>,
    /// Size as sent.
    pub bytes: usize,
    /// Whether it was a line of words instead of `*N`.
    pub inline: bool,
}

/// The words of a request.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    base: &'a [u8],
    args: &'a [Arg],
}

impl<'a> Args<'a> {
    #[inline]
    pub fn len(&self) -> usize {
        self.args.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.args.is_empty()
    }

    /// The word at `index`, 0 being the command's name.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.args.get(index).map(|arg| arg.of(self.base))
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let base = self.base;
        self.args.iter().map(move |arg| arg.of(base))
    }

    /// The words from `index` on.
    pub fn skip(&self, index: usize) -> Args<'a> {
        Args { base: self.base, args: self.args.get(index..).unwrap_or_default() }
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    #[cfg_attr(not(test), expect(clippy::indexing_slicing, reason = "the contract of Index"))]
    fn index(&self, index: usize) -> &[u8] {
        self.args[index].of(self.base)
    }
}

impl Arg {
    #[inline]
    fn of(self, base: &[u8]) -> &[u8] {
        base.get(self.start as usize..)
            .and_then(|rest| rest.get(..self.len as usize))
            .expect("the parser checked that the argument lies in the buffer")
    }
}

/// Appends a request in the form `*N`, the form of journals and replication too.
pub fn write_command(into: &mut Vec<u8>, args: &[&[u8]]) {
    crate::reply::write_header(into, b'*', args.len() as u64);
    for arg in args {
        crate::reply::write_bulk(into, arg);
    }
}
