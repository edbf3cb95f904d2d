//! One line of the log in a fixed buffer: no allocation, so that it can be written with no memory
//! left, and from a signal handler.

use std::fmt::{self, Write};

/// Text in a buffer of `N` bytes; what does not fit is cut off, between characters.
pub(crate) struct Line<const N: usize> {
    bytes: [u8; N],
    len: usize,
    is_cut: bool,
}

impl<const N: usize> Line<N> {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; N], len: 0, is_cut: false }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// Adds formatted text. A `Display` that fails ends the line early.
    pub(crate) fn add(&mut self, text: fmt::Arguments<'_>) {
        if self.write_fmt(text).is_err() {
            self.is_cut = true;
        }
    }

    /// Adds `tail`, over the end of the text if it has no room otherwise.
    pub(crate) fn end(&mut self, tail: &str) {
        let room = N.saturating_sub(tail.len());
        if self.len > room {
            self.len = floor(self.text(), room);
        }
        self.is_cut = false;
        self.add(format_args!("{tail}"));
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.is_cut = false;
    }
}

/// The end of the last whole character within `limit` bytes of `text`.
fn floor(text: &str, limit: usize) -> usize {
    (0..=limit.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

impl<const N: usize> Write for Line<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_cut {
            return Ok(());
        }
        let count = floor(text, N - self.len);
        self.bytes[self.len..self.len + count].copy_from_slice(&text.as_bytes()[..count]);
        self.len += count;
        self.is_cut = count < text.len();
        Ok(())
    }
}

/// Passes text on with control characters made visible (`\n`, `\x1b`): what a client sent must not
/// be able to forge a line or to steer a terminal.
pub(crate) struct Visible<'a, W>(pub(crate) &'a mut W);

impl<W: Write> Write for Visible<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(char::is_control) {
            match piece.char_indices().next_back() {
                Some((at, last)) if last.is_control() => {
                    self.0.write_str(&piece[..at])?;
                    match last {
                        '\n' => self.0.write_str("\\n")?,
                        '\r' => self.0.write_str("\\r")?,
                        '\t' => self.0.write_char('\t')?,
                        other => write!(self.0, "\\x{:02x}", u32::from(other))?,
                    }
                }
                _ => self.0.write_str(piece)?,
            }
        }
        Ok(())
    }
}

/// Passes text on as the inside of a JSON string.
pub(crate) struct Json<'a, W>(pub(crate) &'a mut W);

impl<W: Write> Write for Json<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for symbol in text.chars() {
            match symbol {
                '"' => self.0.write_str("\\\"")?,
                '\\' => self.0.write_str("\\\\")?,
                '\n' => self.0.write_str("\\n")?,
                '\r' => self.0.write_str("\\r")?,
                '\t' => self.0.write_str("\\t")?,
                other if other < ' ' => write!(self.0, "\\u{:04x}", u32::from(other))?,
                other => self.0.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// Passes text on as the inside of a logfmt value, as Valkey does: `"` becomes `'`, line ends
/// become spaces. Other control characters are made visible.
pub(crate) struct Logfmt<'a, W>(pub(crate) &'a mut W);

impl<W: Write> Write for Logfmt<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for symbol in text.chars() {
            match symbol {
                '"' => self.0.write_char('\'')?,
                '\n' | '\r' => self.0.write_char(' ')?,
                other => Visible(self.0).write_str(other.encode_utf8(&mut [0; 4]))?,
            }
        }
        Ok(())
    }
}
