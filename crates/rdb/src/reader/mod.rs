//! The reader: lengths, strings, numbers, over a slice or over bytes that arrive.
//!
//! ```text
//!   00LLLLLL                a length of 6 bits
//!   01LLLLLL llllllll       of 14 bits
//!   10000000 4 bytes        of 32 bits, big-endian
//!   10000001 8 bytes        of 64 bits, big-endian
//!   11KKKKKK                no length: a string of kind K (int8, int16, int32, LZF)
//! ```

use crate::{Error, crc64, lzf};

/// Where the bytes of a stream come from.
pub trait Source {
    /// Appends the next bytes to `into`, as many as come at once (the reader asks again), and says
    /// how many; 0: the end.
    fn read(&mut self, into: &mut Vec<u8>) -> Result<usize, Error>;
}

/// A window that grew beyond this for one string is given back.
const WINDOW_KEPT: usize = 1 << 20;
/// Long strings are copied out of the window in pieces of this size.
const PIECE: usize = 64 << 10;

enum Window<'a> {
    Slice(&'a [u8]),
    Stream { bytes: Vec<u8>, source: &'a mut dyn Source },
}

impl Window<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Slice(bytes) => bytes,
            Self::Stream { bytes, .. } => bytes,
        }
    }
}

/// Reads from front to back. What it hands out is borrowed until the next call.
pub struct Reader<'a> {
    window: Window<'a>,
    /// Position in the window.
    at: usize,
    /// Offset of the window's first byte.
    base: u64,
    /// Of everything before the window, and of the window's first `hashed` bytes.
    crc: u64,
    hashed: usize,
    checksums: bool,
    scratch: Vec<u8>,
}

/// How a string begins.
enum Head {
    Plain(u64),
    Int(i64),
    Lzf { packed: u64, len: u64 },
}

const ENCODED: u8 = 0b11;

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::over(Window::Slice(bytes))
    }

    pub fn streaming(source: &'a mut dyn Source) -> Self {
        Self::over(Window::Stream { bytes: Vec::new(), source })
    }

    fn over(window: Window<'a>) -> Self {
        let scratch = Vec::new();
        Self { window, at: 0, base: 0, crc: 0, hashed: 0, checksums: true, scratch }
    }

    /// Goes on at `offset`, behind bytes whose checksum is `crc`.
    pub fn resumed(mut self, offset: u64, crc: u64) -> Self {
        self.base = offset;
        self.crc = crc;
        self
    }

    /// Turns checksums off, which cost a tenth of the time of a load.
    pub fn without_checksum(mut self) -> Self {
        self.checksums = false;
        self
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.base.saturating_add(self.at as u64)
    }

    /// CRC-64 of all bytes read so far; `None` if checksums are off.
    pub fn checksum(&mut self) -> Option<u64> {
        self.hash_read();
        self.checksums.then_some(self.crc)
    }

    fn hash_read(&mut self) {
        if self.checksums {
            let read = self.window.bytes().get(self.hashed..self.at).unwrap_or_default();
            self.crc = crc64::update(self.crc, read);
        }
        self.hashed = self.at;
    }

    /// Sees to it that the window holds `len` bytes from here on.
    fn fill(&mut self, len: usize) -> Result<(), Error> {
        let held = |window: &Window<'_>, at| window.bytes().len().saturating_sub(at);
        if held(&self.window, self.at) >= len {
            return Ok(());
        }
        self.hash_read();
        let Window::Stream { bytes, source } = &mut self.window else {
            return Err(Error::Truncated);
        };
        if bytes.capacity() > WINDOW_KEPT {
            *bytes = bytes.split_off(self.at.min(bytes.len()));
        } else {
            bytes.drain(..self.at.min(bytes.len()));
        }
        self.base = self.base.saturating_add(self.at as u64);
        self.at = 0;
        self.hashed = 0;
        while bytes.len() < len {
            if source.read(bytes)? == 0 {
                return Err(Error::Truncated);
            }
        }
        Ok(())
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&[u8], Error> {
        self.fill(len)?;
        let start = self.at;
        self.at = start.saturating_add(len);
        self.window.bytes().get(start..self.at).ok_or(Error::Truncated)
    }

    /// Appends the next `len` bytes to `out`, which grows as they arrive.
    pub fn take_into(&mut self, len: u64, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut left = len;
        while left > 0 {
            let piece = match self.window {
                Window::Slice(_) => left,
                Window::Stream { .. } => left.min(PIECE as u64),
            };
            out.extend_from_slice(self.take(usize::try_from(piece).unwrap_or(usize::MAX))?);
            left = left.saturating_sub(piece);
        }
        Ok(())
    }

    /// Passes over `len` bytes.
    pub fn skip(&mut self, len: u64) -> Result<(), Error> {
        let mut left = len;
        while left > 0 {
            let piece = left.min(PIECE as u64);
            self.take(usize::try_from(piece).unwrap_or(PIECE))?;
            left = left.saturating_sub(piece);
        }
        Ok(())
    }

    /// What is left of a slice; of a stream, what has arrived.
    pub fn rest(&self) -> &[u8] {
        self.window.bytes().get(self.at..).unwrap_or_default()
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.take(N)?.try_into().map_err(|_| Error::Truncated)
    }

    pub fn u8(&mut self) -> Result<u8, Error> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// Either a length, or the kind of an encoded string.
    fn length_or_kind(&mut self) -> Result<Result<u64, u8>, Error> {
        let first = self.u8()?;
        let low = first & 0x3F;
        Ok(Ok(match first >> 6 {
            0 => u64::from(low),
            1 => u64::from(low) << 8 | u64::from(self.u8()?),
            ENCODED => return Ok(Err(low)),
            _ => match low {
                0 => u64::from(u32::from_be_bytes(self.array()?)),
                1 => u64::from_be_bytes(self.array()?),
                _ => return Err(Error::Corrupt("unknown form of a length")),
            },
        }))
    }

    /// A length, or any number that is written like one.
    pub fn length(&mut self) -> Result<u64, Error> {
        self.length_or_kind()?.map_err(|_| Error::Corrupt("a string where a length belongs"))
    }

    fn head(&mut self) -> Result<Head, Error> {
        let kind = match self.length_or_kind()? {
            Ok(len) => return Ok(Head::Plain(len)),
            Err(kind) => kind,
        };
        Ok(match kind {
            0 => Head::Int(i64::from(i8::from_le_bytes(self.array()?))),
            1 => Head::Int(i64::from(i16::from_le_bytes(self.array()?))),
            2 => Head::Int(i64::from(i32::from_le_bytes(self.array()?))),
            3 => Head::Lzf { packed: self.length()?, len: self.length()? },
            _ => return Err(Error::Corrupt("unknown kind of string")),
        })
    }

    /// A string, borrowed.
    pub fn string(&mut self) -> Result<&[u8], Error> {
        match self.head()? {
            Head::Plain(len) => self.take(usize_of(len)?),
            Head::Int(number) => {
                self.scratch.clear();
                stdx::num::write_i64(&mut self.scratch, number);
                Ok(&self.scratch)
            }
            Head::Lzf { packed, len } => {
                let mut out = std::mem::take(&mut self.scratch);
                out.clear();
                let done = self.expand(packed, len, &mut out);
                self.scratch = out;
                done?;
                Ok(&self.scratch)
            }
        }
    }

    fn expand(&mut self, packed: u64, len: u64, out: &mut Vec<u8>) -> Result<(), Error> {
        let len = usize_of(len)?;
        lzf::decompress(self.take(usize_of(packed)?)?, len, out)
    }

    /// A string, appended to `out`.
    pub fn string_into(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self.head()? {
            Head::Plain(len) => self.take_into(len, out),
            Head::Int(number) => {
                stdx::num::write_i64(out, number);
                Ok(())
            }
            Head::Lzf { packed, len } => self.expand(packed, len, out),
        }
    }

    /// A string of its own.
    pub fn string_vec(&mut self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        self.string_into(&mut out)?;
        Ok(out)
    }

    /// Passes over a string, which is not expanded.
    pub fn skip_string(&mut self) -> Result<(), Error> {
        match self.head()? {
            Head::Plain(len) | Head::Lzf { packed: len, .. } => self.skip(len),
            Head::Int(_) => Ok(()),
        }
    }

    pub fn double(&mut self) -> Result<f64, Error> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A double as text behind one byte of length, as files up to version 7 have it.
    pub fn double_text(&mut self) -> Result<f64, Error> {
        Ok(match self.u8()? {
            253 => f64::NAN,
            254 => f64::INFINITY,
            255 => f64::NEG_INFINITY,
            len => {
                let text = self.take(usize::from(len))?;
                stdx::num::parse_f64(text).ok_or(Error::Corrupt("not a number"))?
            }
        })
    }

    /// Passes over a double as text.
    pub fn skip_text_double(&mut self) -> Result<(), Error> {
        match self.u8()? {
            253.. => Ok(()),
            len => self.skip(u64::from(len)),
        }
    }

    /// A time in milliseconds.
    pub fn millis(&mut self) -> Result<i64, Error> {
        Ok(i64::from_le_bytes(self.array()?))
    }
}

fn usize_of(len: u64) -> Result<usize, Error> {
    usize::try_from(len).map_err(|_| Error::Truncated)
}

#[cfg(test)]
mod tests;
