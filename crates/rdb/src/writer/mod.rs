//! The writer: the counterpart of the reader.

use crate::{Error, crc64, lzf};

/// Where a writer puts its bytes block by block.
pub trait Sink: Send {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;
}

/// For whom a file is written, where one form does not suit all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// The oldest form that carries the value. Redis from 7.2 on and Valkey load it, as far as they
    /// have such values.
    #[default]
    Common,
    /// What Redis 7.0 has, too. When a consumer of a stream was last active is left out.
    Redis70,
    /// What Valkey from 9.0 on has: fields that expire in its own form.
    Valkey9,
}

/// A block goes to the sink when it has this many bytes.
const BLOCK: usize = 64 << 10;
/// Shorter strings cannot win by LZF.
const COMPRESS_MIN: usize = 21;
/// What compression must win, or the string is written as it is.
const GAIN_MIN: usize = 4;
/// Longer texts are no number that has a short form.
const INT_LEN_MAX: usize = 11;

/// Writes into memory, or through blocks into a sink. The first error of the sink stays and is
/// returned by [`Writer::finish`]; nothing is written after it.
pub struct Writer<'a> {
    buf: Vec<u8>,
    sink: Option<&'a mut dyn Sink>,
    error: Option<Error>,
    /// Of all that went to the sink.
    crc: u64,
    sent: u64,
    compressor: Option<lzf::Compressor>,
    /// Where strings are compressed.
    packed: Vec<u8>,
    dialect: Dialect,
}

impl Default for Writer<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Writer<'a> {
    /// Into memory, compressing long strings.
    pub fn new() -> Self {
        Self {
            buf: Vec::new(),
            sink: None,
            error: None,
            crc: 0,
            sent: 0,
            compressor: Some(lzf::Compressor::default()),
            packed: Vec::new(),
            dialect: Dialect::Common,
        }
    }

    /// Into `sink`, compressing long strings.
    pub fn streaming(sink: &'a mut dyn Sink) -> Self {
        Self { sink: Some(sink), ..Self::new() }
    }

    /// Strings are written as they are: the parameter `rdbcompression`.
    pub fn without_compression(mut self) -> Self {
        self.compressor = None;
        self
    }

    /// What follows is written for these readers.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Bytes written so far.
    pub fn offset(&self) -> u64 {
        self.sent.saturating_add(self.buf.len() as u64)
    }

    /// CRC-64 of all bytes so far.
    pub fn checksum(&self) -> u64 {
        crc64::update(self.crc, &self.buf)
    }

    /// Hands the last block to the sink.
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush();
        self.error.map_or(Ok(()), Err)
    }

    /// What was written into memory.
    pub fn into_bytes(self) -> Vec<u8> {
        self.buf
    }

    /// Bytes in memory.
    pub fn buffered(&self) -> usize {
        self.buf.len()
    }

    /// Moves what was written into memory behind `out`; offset and checksum begin anew.
    pub fn take(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() {
            std::mem::swap(out, &mut self.buf);
        } else {
            out.append(&mut self.buf);
        }
    }

    fn flush(&mut self) {
        let Some(sink) = &mut self.sink else { return };
        if self.error.is_none() {
            self.error = sink.write(&self.buf).err();
        }
        self.crc = crc64::update(self.crc, &self.buf);
        self.sent = self.sent.saturating_add(self.buf.len() as u64);
        self.buf.clear();
    }

    #[inline]
    fn flush_block(&mut self) {
        if self.buf.len() >= BLOCK && self.sink.is_some() {
            self.flush();
        }
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
        self.flush_block();
    }

    pub fn u8(&mut self, byte: u8) {
        self.buf.push(byte);
    }

    /// A length, or any number to be read by [`crate::Reader::length`].
    pub fn length(&mut self, len: u64) {
        let small = u16::try_from(len).ok();
        let [high, low] = small.unwrap_or(u16::MAX).to_be_bytes();
        match small {
            Some(..64) => self.buf.push(low),
            Some(..16384) => self.buf.extend_from_slice(&[0x40 | high, low]),
            _ => match u32::try_from(len) {
                Ok(len) => {
                    self.buf.push(0x80);
                    self.buf.extend_from_slice(&len.to_be_bytes());
                }
                Err(_) => {
                    self.buf.push(0x81);
                    self.buf.extend_from_slice(&len.to_be_bytes());
                }
            },
        }
    }

    /// The number in its short form; `false`: it has none.
    fn short_int(&mut self, number: i64) -> bool {
        if let Ok(number) = i8::try_from(number) {
            self.buf.push(0xC0);
            self.buf.extend_from_slice(&number.to_le_bytes());
        } else if let Ok(number) = i16::try_from(number) {
            self.buf.push(0xC1);
            self.buf.extend_from_slice(&number.to_le_bytes());
        } else if let Ok(number) = i32::try_from(number) {
            self.buf.push(0xC2);
            self.buf.extend_from_slice(&number.to_le_bytes());
        } else {
            return false;
        }
        true
    }

    /// A string that is the decimal of `number`.
    pub fn int(&mut self, number: i64) {
        if !self.short_int(number) {
            let mut text = Vec::with_capacity(20);
            stdx::num::write_i64(&mut text, number);
            self.length(text.len() as u64);
            self.raw(&text);
        }
    }

    /// A string: as a short number, compressed, or as it is.
    pub fn string(&mut self, bytes: &[u8]) {
        if bytes.len() <= INT_LEN_MAX
            && let Some(number) = stdx::num::parse_i64(bytes)
            && self.short_int(number)
        {
            return;
        }
        if bytes.len() >= COMPRESS_MIN && self.compressed(bytes) {
            return;
        }
        self.length(bytes.len() as u64);
        self.raw(bytes);
    }

    fn compressed(&mut self, bytes: &[u8]) -> bool {
        let Some(compressor) = &mut self.compressor else { return false };
        /// Room that is kept for the next string.
        const PACKED_KEPT: usize = 64 << 10;
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        let is_shorter = compressor.compress(bytes, GAIN_MIN, &mut packed);
        if is_shorter {
            self.buf.push(0xC3);
            self.length(packed.len() as u64);
            self.length(bytes.len() as u64);
            self.raw(&packed);
        }
        packed.shrink_to(PACKED_KEPT);
        self.packed = packed;
        is_shorter
    }

    pub fn double(&mut self, value: f64) {
        self.buf.extend_from_slice(&value.to_le_bytes());
    }

    /// A time in milliseconds.
    pub fn millis(&mut self, at: i64) {
        self.buf.extend_from_slice(&at.to_le_bytes());
    }
}
