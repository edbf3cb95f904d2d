//! The one writer of replies.
//!
//! Its words are richer than either version of the protocol: a map is flattened for RESP2, a double
//! becomes a bulk string, an attribute vanishes. Which version a client speaks is a field here, and
//! no caller asks for it.
//!
//! Text lines cannot be broken up: CR and LF inside of them become spaces, so that no argument can
//! smuggle a reply of its own into the stream.

#[cfg(test)]
mod tests;

use crate::error::ProtocolError;
use crate::out::{Chunk, Out, Place, SHARED_BYTES_MIN};
use crate::value::Value;
use std::sync::Arc;

/// The version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

/// A place in a reply, to cut it back to.
pub type Mark = Place;

/// An aggregate whose length is told later, by [`Reply::set_len`].
#[derive(Debug)]
#[must_use = "an aggregate without its length makes the rest of the stream unreadable"]
pub struct Deferred {
    at: usize,
    marker: u8,
    /// Elements on the wire for each one that is counted.
    factor: u64,
}

/// Writes replies for a client to `out`.
#[derive(Debug, Default)]
pub struct Reply {
    pub out: Out,
    pub protocol: Protocol,
}

impl Reply {
    pub fn new(protocol: Protocol) -> Self {
        Self { out: Out::new(), protocol }
    }

    /// `OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.bytes.extend_from_slice(b"+OK\r\n");
    }

    /// A status line.
    #[inline]
    pub fn simple(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'+', text.as_ref());
    }

    /// An error. The first word of its text is the code, such as `ERR`.
    #[inline]
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'-', text.as_ref());
    }

    /// The answer to broken bytes; none for a foreign protocol.
    pub fn protocol_error(&mut self, error: &ProtocolError) {
        if let Some(message) = error.message() {
            let mut text = b"ERR ".to_vec();
            text.extend_from_slice(&message);
            self.error(text);
        }
    }

    #[inline]
    pub fn integer(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => write_header(&mut self.out.bytes, b':', value),
            Err(_) => self.negative_integer(value),
        }
    }

    /// A count as an integer.
    #[inline]
    pub fn count(&mut self, count: usize) {
        write_header(&mut self.out.bytes, b':', count as u64);
    }

    /// A string of bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        write_bulk(&mut self.out.bytes, bytes);
    }

    /// A string of `len` bytes, with which `from` begins. What follows it may be read: so short ones
    /// are copied without a call.
    // PERF: `LRANGE_100 P8` and `HGETALL P16` of `side_by_side.py`.
    #[inline]
    pub fn bulk_from(&mut self, from: &[u8], len: usize) {
        let bytes = &mut self.out.bytes;
        bytes.reserve(len.max(AT_ONCE).saturating_add(24));
        write_header(bytes, b'$', len as u64);
        extend_from(bytes, from, len);
        bytes.extend_from_slice(b"\r\n");
    }

    /// As [`Reply::bulk_from`], in two parts.
    #[inline]
    pub fn bulk_joined(&mut self, from: [&[u8]; 2], lens: [usize; 2]) {
        let bytes = &mut self.out.bytes;
        let len = lens[0] + lens[1];
        bytes.reserve(len.saturating_add(AT_ONCE + 24));
        write_header(bytes, b'$', len as u64);
        extend_from(bytes, from[0], lens[0]);
        extend_from(bytes, from[1], lens[1]);
        bytes.extend_from_slice(b"\r\n");
    }

    /// A string, or null.
    #[inline]
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// A string that is shared: queued by reference if it is large ([`SHARED_BYTES_MIN`]).
    pub fn bulk_shared<T>(&mut self, owner: &Arc<T>)
    where
        T: AsRef<[u8]> + Send + Sync + 'static,
    {
        let bytes = (**owner).as_ref();
        if bytes.len() < SHARED_BYTES_MIN {
            self.bulk(bytes);
        } else {
            self.bulk_chunk(Chunk::new(Arc::clone(owner)));
        }
    }

    /// A string that is a part of a shared value.
    pub fn bulk_chunk(&mut self, chunk: Chunk) {
        write_header(&mut self.out.bytes, b'$', chunk.len() as u64);
        self.out.push_chunk(chunk);
        self.out.bytes.extend_from_slice(b"\r\n");
    }

    /// An integer as a string.
    pub fn bulk_integer(&mut self, value: i64) {
        let bytes = &mut self.out.bytes;
        write_header(bytes, b'$', stdx::num::decimal_len(value) as u64);
        stdx::num::write_i64(bytes, value);
        bytes.extend_from_slice(b"\r\n");
    }

    /// Nothing, where a string might be.
    #[inline]
    pub fn null(&mut self) {
        self.out.bytes.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// Nothing, where an array might be.
    pub fn null_array(&mut self) {
        self.out.bytes.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// An array: `len` elements follow.
    #[inline]
    pub fn array(&mut self, len: usize) {
        write_header(&mut self.out.bytes, b'*', len as u64);
    }

    /// A map: `len` pairs follow, each a key and a value.
    pub fn map(&mut self, len: usize) {
        let (marker, factor) = self.map_form();
        write_header(&mut self.out.bytes, marker, (len as u64).saturating_mul(factor));
    }

    /// Pairs in a list: `len` of them follow, each opened by [`Reply::pair`] and of two values. In
    /// RESP2 one flat array.
    pub fn pairs(&mut self, len: usize) {
        let factor = if self.protocol == Protocol::Resp2 { 2 } else { 1 };
        write_header(&mut self.out.bytes, b'*', (len as u64).saturating_mul(factor));
    }

    /// Opens one of the pairs of [`Reply::pairs`].
    #[inline]
    pub fn pair(&mut self) {
        if self.protocol == Protocol::Resp3 {
            self.array(2);
        }
    }

    /// A set: `len` elements follow.
    pub fn set(&mut self, len: usize) {
        let marker = self.marker(b'~');
        write_header(&mut self.out.bytes, marker, len as u64);
    }

    /// A message out of band: `len` elements follow. In RESP2 an array, as pub/sub wants it.
    pub fn push(&mut self, len: usize) {
        let marker = self.marker(b'>');
        write_header(&mut self.out.bytes, marker, len as u64);
    }

    /// Facts about the next value: `write` writes `len` pairs. RESP2 has no such thing, and `write`
    /// does not run.
    pub fn attribute(&mut self, len: usize, write: impl FnOnce(&mut Self)) {
        if self.protocol == Protocol::Resp3 {
            write_header(&mut self.out.bytes, b'|', len as u64);
            write(self);
        }
    }

    /// A number, in the shortest form that reads back as the same number.
    pub fn double(&mut self, value: f64) {
        match self.protocol {
            Protocol::Resp2 => {
                let at = self.header_room(b'$');
                stdx::num::write_f64(&mut self.out.bytes, value);
                self.end_text(at);
            }
            Protocol::Resp3 => {
                self.out.bytes.push(b',');
                stdx::num::write_f64(&mut self.out.bytes, value);
                self.out.bytes.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A number whose text the caller chose, such as one with 17 fixed digits.
    pub fn double_text(&mut self, text: &[u8]) {
        self.text_or_bulk(b',', text);
    }

    /// An integer of any size, in decimal.
    pub fn big_number(&mut self, digits: &[u8]) {
        self.text_or_bulk(b'(', digits);
    }

    pub fn boolean(&mut self, value: bool) {
        self.out.bytes.extend_from_slice(match (self.protocol, value) {
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
        });
    }

    /// Text to be shown to a human as it is; `extension` is `txt` or `mkd`.
    pub fn verbatim(&mut self, extension: [u8; 3], text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                let bytes = &mut self.out.bytes;
                write_header(bytes, b'=', (text.len() as u64).saturating_add(4));
                bytes.extend_from_slice(&extension);
                bytes.push(b':');
                bytes.extend_from_slice(text);
                bytes.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A value that was read from RESP, in this client's version.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Simple(text) => self.simple(text),
            Value::Error(text) => self.error(text),
            Value::Integer(value) => self.integer(*value),
            Value::Unsigned(value) => self.count(*value as usize),
            Value::Bulk(bytes) => self.bulk(bytes),
            Value::Null => self.null(),
            Value::NullArray => self.null_array(),
            Value::Double(text) => self.double_text(text),
            Value::BigNumber(digits) => self.big_number(digits),
            Value::Boolean(value) => self.boolean(*value),
            Value::Verbatim(extension, text) => self.verbatim(*extension, text),
            Value::Array(items) => {
                self.array(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Set(items) => {
                self.set(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Push(items) => {
                self.push(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Map(pairs) => {
                self.map(pairs.len());
                self.value_pairs(pairs);
            }
            Value::Attribute(pairs, value) => {
                self.attribute(pairs.len(), |reply| reply.value_pairs(pairs));
                self.value(value);
            }
        }
    }

    /// An array whose length is told later.
    pub fn array_deferred(&mut self) -> Deferred {
        self.deferred(b'*', 1)
    }

    /// A map whose number of pairs is told later.
    pub fn map_deferred(&mut self) -> Deferred {
        let (marker, factor) = self.map_form();
        self.deferred(marker, factor)
    }

    /// A map whose number of pairs is told later, in RESP2 an array of arrays of two: each pair begins
    /// with [`Reply::entry`].
    pub fn entries_deferred(&mut self) -> Deferred {
        let marker = self.marker(b'%');
        self.deferred(marker, 1)
    }

    /// Opens one pair within [`Reply::entries_deferred`]; its two values follow.
    pub fn entry(&mut self) {
        if self.protocol == Protocol::Resp2 {
            self.array(2);
        }
    }

    /// A set whose length is told later.
    pub fn set_deferred(&mut self) -> Deferred {
        let marker = self.marker(b'~');
        self.deferred(marker, 1)
    }

    /// A push whose length is told later.
    pub fn push_deferred(&mut self) -> Deferred {
        let marker = self.marker(b'>');
        self.deferred(marker, 1)
    }

    /// Tells the length of an aggregate. Inner ones come before outer ones, and nothing may have been
    /// cut off or sent in between.
    pub fn set_len(&mut self, deferred: Deferred, len: usize) {
        let Deferred { at, marker, factor } = deferred;
        self.set_header(at, marker, (len as u64).saturating_mul(factor));
    }

    /// Where the next reply will begin.
    #[inline]
    pub fn mark(&self) -> Mark {
        self.out.place()
    }

    /// Cuts off all that was written since `mark`.
    pub fn truncate(&mut self, mark: Mark) {
        self.out.truncate(mark);
    }

    fn value_pairs(&mut self, pairs: &[(Value, Value)]) {
        for (key, value) in pairs {
            self.value(key);
            self.value(value);
        }
    }

    /// The marker of an aggregate that RESP2 knows as an array.
    fn marker(&self, resp3: u8) -> u8 {
        match self.protocol {
            Protocol::Resp2 => b'*',
            Protocol::Resp3 => resp3,
        }
    }

    fn map_form(&self) -> (u8, u64) {
        match self.protocol {
            Protocol::Resp2 => (b'*', 2),
            Protocol::Resp3 => (b'%', 1),
        }
    }

    fn text_or_bulk(&mut self, marker: u8, text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => self.line(marker, text),
        }
    }

    /// A line of text that cannot be broken up.
    #[inline(never)]
    fn line(&mut self, marker: u8, text: &[u8]) {
        let bytes = &mut self.out.bytes;
        bytes.reserve(text.len().saturating_add(3));
        bytes.push(marker);
        let text = trim_line_ends(text);
        let start = bytes.len();
        bytes.extend_from_slice(text);
        if memchr::memchr2(b'\r', b'\n', text).is_some() {
            for byte in &mut bytes[start..] {
                if matches!(byte, b'\r' | b'\n') {
                    *byte = b' ';
                }
            }
        }
        bytes.extend_from_slice(b"\r\n");
    }

    #[inline(never)]
    fn negative_integer(&mut self, value: i64) {
        let bytes = &mut self.out.bytes;
        if value == -1 {
            bytes.extend_from_slice(b":-1\r\n");
        } else if value == -2 {
            bytes.extend_from_slice(b":-2\r\n");
        } else {
            bytes.push(b':');
            stdx::num::write_i64(bytes, value);
            bytes.extend_from_slice(b"\r\n");
        }
    }

    fn deferred(&mut self, marker: u8, factor: u64) -> Deferred {
        let at = self.header_room(marker);
        Deferred { at, marker, factor }
    }

    /// Writes the header of a length that is not known yet; most are one digit.
    fn header_room(&mut self, marker: u8) -> usize {
        let at = self.out.bytes.len();
        self.out.bytes.extend_from_slice(&[marker, b'0', b'\r', b'\n']);
        at
    }

    /// Ends the string whose header has room at `at`.
    fn end_text(&mut self, at: usize) {
        let len = self.out.bytes.len() - at - HEADER_ROOM;
        self.out.bytes.extend_from_slice(b"\r\n");
        self.set_header(at, b'$', len as u64);
    }

    /// Overwrites the header at `at`. Its first bytes fit the room; what is longer is put in behind.
    fn set_header(&mut self, at: usize, marker: u8, len: u64) {
        if len < 10 {
            self.out.bytes[at + 1] = digit(len);
            return;
        }
        let mut header = Vec::with_capacity(24);
        write_header(&mut header, marker, len);
        let (fits, rest) = header.split_at(HEADER_ROOM);
        self.out.bytes[at..at + HEADER_ROOM].copy_from_slice(fits);
        self.out.insert(at + HEADER_ROOM, rest);
    }
}

/// The shortest header: a marker, a digit, CR, LF.
const HEADER_ROOM: usize = 4;

/// Appends a marker, a number and the end of the line.
// PERF: example `bench`, case `bulk 16`: up to three digits are a store of constant size.
#[inline]
pub(crate) fn write_header(bytes: &mut Vec<u8>, marker: u8, number: u64) {
    if number < 10 {
        bytes.extend_from_slice(&[marker, digit(number), b'\r', b'\n']);
    } else if number < 100 {
        bytes.extend_from_slice(&[marker, digit(number / 10), digit(number % 10), b'\r', b'\n']);
    } else {
        write_long_header(bytes, marker, number);
    }
}

#[inline(never)]
fn write_long_header(bytes: &mut Vec<u8>, marker: u8, number: u64) {
    bytes.push(marker);
    stdx::num::write_u64(bytes, number);
    bytes.extend_from_slice(b"\r\n");
}

/// What [`extend_from`] copies at once.
const AT_ONCE: usize = 32;

/// Appends the first `len` bytes of `from`.
#[inline]
fn extend_from(bytes: &mut Vec<u8>, from: &[u8], len: usize) {
    match from.first_chunk::<AT_ONCE>() {
        Some(chunk) if len <= AT_ONCE => {
            let end = bytes.len() + len;
            bytes.extend_from_slice(chunk);
            bytes.truncate(end);
        }
        _ => bytes.extend_from_slice(&from[..len]),
    }
}

/// Appends a string of bytes with its header.
#[inline]
pub(crate) fn write_bulk(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.reserve(text.len().saturating_add(24));
    write_header(bytes, b'$', text.len() as u64);
    bytes.extend_from_slice(text);
    bytes.extend_from_slice(b"\r\n");
}

/// The digit of a number below ten.
#[inline]
fn digit(number: u64) -> u8 {
    b'0' | (number & 15) as u8
}

fn trim_line_ends(mut text: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] | [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    text
}
