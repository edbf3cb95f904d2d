//! One element: what is read from a listpack, and how it is encoded.

use std::cmp::Ordering;

use stdx::num;

/// An element as it is stored.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// Text that is a canonical decimal `i64`.
    Int(i64),
    /// Any other text. Blocks from elsewhere may hold decimal numbers so, too.
    Bytes(&'a [u8]),
    /// Text in two parts, of at most [`TEXT_ROOM`] bytes: one that shares its beginning with others.
    Joined(&'a [u8], &'a [u8]),
}

/// An element as it stands in its block: what follows its text may be read, too.
#[derive(Clone, Copy, Debug)]
pub enum Raw<'a> {
    Int(i64),
    /// So many bytes, with which these begin.
    Text(&'a [u8], usize),
    /// So many bytes of each.
    Joined([&'a [u8]; 2], [usize; 2]),
}

impl<'a> From<Element<'a>> for Raw<'a> {
    fn from(element: Element<'a>) -> Self {
        match element {
            Element::Int(value) => Self::Int(value),
            Element::Bytes(text) => Self::Text(text, text.len()),
            Element::Joined(start, rest) => Self::Joined([start, rest], [start.len(), rest.len()]),
        }
    }
}

/// Bytes of the longest text that [`Digits`] have room for.
pub(crate) const TEXT_ROOM: usize = 64;

/// Room for text that does not stand in one piece: see [`Element::text`].
#[derive(Clone, Debug)]
pub struct Digits([u8; TEXT_ROOM]);

impl Default for Digits {
    fn default() -> Self {
        Self([0; TEXT_ROOM])
    }
}

impl<'a> From<&'a [u8]> for Element<'a> {
    /// The form in which the peers store `text`.
    #[inline]
    fn from(text: &'a [u8]) -> Self {
        match parse(text) {
            Some(value) => Self::Int(value),
            None => Self::Bytes(text),
        }
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Element<'a> {
    fn from(text: &'a [u8; N]) -> Self {
        Self::from(text.as_slice())
    }
}

impl<'a> From<&'a Vec<u8>> for Element<'a> {
    fn from(text: &'a Vec<u8>) -> Self {
        Self::from(text.as_slice())
    }
}

impl From<i64> for Element<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// A number, if `text` is one in canonical form.
#[inline]
fn parse(text: &[u8]) -> Option<i64> {
    // PERF: most text is ruled out by its length or its first byte.
    match text {
        [b'0'..=b'9' | b'-', ..] if text.len() <= num::I64_TEXT_MAX => num::parse_i64(text),
        _ => None,
    }
}

impl PartialEq for Element<'_> {
    /// Equal text, however stored.
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (element, Self::Bytes(text)) | (Self::Bytes(text), element) => element.eq_bytes(text),
            (element, joined) => element.eq_bytes(joined.text(&mut Digits::default())),
        }
    }
}

impl Eq for Element<'_> {}

#[expect(clippy::len_without_is_empty, reason = "an element is no container")]
impl<'a> Element<'a> {
    /// Bytes of its text.
    pub fn len(self) -> usize {
        match self {
            Self::Int(value) => num::decimal_len(value),
            Self::Bytes(text) => text.len(),
            Self::Joined(start, rest) => start.len() + rest.len(),
        }
    }

    /// Whether its text is `text`.
    #[inline]
    pub fn eq_bytes(self, text: &[u8]) -> bool {
        match self {
            Self::Int(value) => parse(text) == Some(value),
            Self::Bytes(own) => own == text,
            Self::Joined(start, rest) => text.strip_prefix(start) == Some(rest),
        }
    }

    /// The parts of its text, unless it is an integer.
    pub(crate) fn parts(self) -> Option<[&'a [u8]; 2]> {
        match self {
            Self::Int(_) => None,
            Self::Bytes(text) => Some([text, &[]]),
            Self::Joined(start, rest) => Some([start, rest]),
        }
    }

    /// Orders by text, byte by byte.
    pub fn cmp_bytes(self, text: &[u8]) -> Ordering {
        self.text(&mut Digits::default()).cmp(text)
    }

    /// Appends its text.
    #[inline]
    pub fn write_to(self, out: &mut Vec<u8>) {
        match self {
            Self::Int(value) => num::write_i64(out, value),
            Self::Bytes(text) => out.extend_from_slice(text),
            Self::Joined(start, rest) => {
                out.extend_from_slice(start);
                out.extend_from_slice(rest);
            }
        }
    }

    /// Its text: borrowed, or written to `digits`.
    #[inline]
    pub fn text<'b>(self, digits: &'b mut Digits) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Int(value) => {
                let (room, _) = digits.0.split_first_chunk_mut().expect("room for 20 digits");
                num::decimal(room, value)
            }
            Self::Bytes(text) => text,
            Self::Joined(start, rest) => {
                let len = start.len() + rest.len();
                digits.0[..start.len()].copy_from_slice(start);
                digits.0[start.len()..len].copy_from_slice(rest);
                &digits.0[..len]
            }
        }
    }

    /// Its text, copied.
    pub fn to_vec(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.write_to(&mut out);
        out
    }

    /// The number that its text is, if it is one in canonical form.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::Bytes(text) => parse(text),
            joined @ Self::Joined(..) => parse(joined.text(&mut Digits::default())),
        }
    }
}

/// An element ready to be written.
#[derive(Debug)]
pub(crate) struct Encoded<'a> {
    /// Encoding, length and integer, then the back length.
    ends: [u8; 16],
    /// Bytes of `ends` before the data, and in all.
    head: u8,
    filled: u8,
    data: [&'a [u8]; 2],
}

impl<'a> Encoded<'a> {
    #[inline]
    pub(crate) fn of(element: Element<'a>) -> Self {
        let (head, data) = match element {
            Element::Int(value) => (Head::of_int(value), [&[][..], &[]]),
            Element::Bytes(text) => (Head::of_len(text.len()), [text, &[]]),
            Element::Joined(start, rest) => (Head::of_len(element.len()), [start, rest]),
        };
        let before = usize::from(head.len) + data[0].len() + data[1].len();
        // PERF: put together in a register: what is stored byte by byte cannot be loaded at once.
        let ends = head.bytes | encode_back(before) << (8 * head.len);
        let filled = head.len + back_bytes(before) as u8;
        Self { ends: ends.to_le_bytes(), head: head.len, filled, data }
    }

    /// Bytes it takes in a block.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        usize::from(self.filled) + self.data[0].len() + self.data[1].len()
    }

    #[inline]
    pub(crate) fn push_to(&self, out: &mut Vec<u8>) {
        let (head, filled) = (usize::from(self.head), usize::from(self.filled));
        out.extend_from_slice(&self.ends[..head]);
        out.extend_from_slice(self.data[0]);
        out.extend_from_slice(self.data[1]);
        out.extend_from_slice(&self.ends[head..filled]);
    }

    /// Writes it to `out`, which has its size.
    #[inline]
    pub(crate) fn fill(&self, out: &mut [u8]) {
        let (head, filled) = (usize::from(self.head), usize::from(self.filled));
        let (start, rest) = out.split_at_mut(head);
        let (data, rest) = rest.split_at_mut(self.data[0].len());
        let (more, back) = rest.split_at_mut(self.data[1].len());
        start.copy_from_slice(&self.ends[..head]);
        data.copy_from_slice(self.data[0]);
        more.copy_from_slice(self.data[1]);
        back.copy_from_slice(&self.ends[head..filled]);
    }
}

/// Bytes that an element takes in a block.
#[inline]
pub(crate) fn bytes_of(element: Element<'_>) -> usize {
    let before = match element {
        Element::Int(value) => usize::from(Head::of_int(value).len),
        text => usize::from(Head::of_len(text.len()).len) + text.len(),
    };
    before + back_bytes(before)
}

/// What comes before the data, little-endian.
struct Head {
    bytes: u128,
    len: u8,
}

impl Head {
    #[inline]
    fn of_int(value: i64) -> Self {
        /// What follows the first byte, in so many bytes.
        const fn low(value: i64, bytes: u32) -> u128 {
            value as u128 & ((1 << (8 * bytes)) - 1)
        }
        let (first, rest, len) = match value {
            0..=127 => (low(value, 1), 0, 1),
            -4096..=4095 => (0xC0 | low(value >> 8, 1) & 0x1F, low(value, 1), 2),
            -0x8000..=0x7FFF => (0xF1, low(value, 2), 3),
            -0x80_0000..=0x7F_FFFF => (0xF2, low(value, 3), 4),
            -0x8000_0000..=0x7FFF_FFFF => (0xF3, low(value, 4), 5),
            _ => (0xF4, low(value, 8), 9),
        };
        Self { bytes: first | rest << 8, len }
    }

    #[inline]
    fn of_len(data: usize) -> Self {
        match data {
            0..=0x3F => Self { bytes: 0x80 | data as u128, len: 1 },
            0x40..=0xFFF => {
                Self { bytes: 0xE0 | data as u128 >> 8 | (data as u128 & 0xFF) << 8, len: 2 }
            }
            _ => {
                let data = u32::try_from(data).expect("callers keep within MAX_BYTES");
                Self { bytes: 0xF0 | u128::from(data) << 8, len: 5 }
            }
        }
    }
}

/// The back length that says `size`, little-endian as it stands in the block: the least significant
/// 7 bits come last, and all but the first byte say that there is more before them.
#[inline]
fn encode_back(size: usize) -> u128 {
    let mut back = (size & 127) as u128;
    let mut rest = size >> 7;
    for _ in 1..back_bytes(size) {
        back = (back | 128) << 8 | (rest & 127) as u128;
        rest >>= 7;
    }
    back
}

/// Bytes of a back length that says `size`. The limits are those of the peers' encoder, one short of
/// what would fit.
#[inline]
fn back_bytes(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// Bytes of encoding and data of the element that `rest` starts with, if it has that many bytes at
/// least for its encoding and is one.
#[inline]
fn size(rest: &[u8]) -> Option<usize> {
    Some(match *rest.first()? {
        0..=0x7F => 1,
        first @ 0x80..=0xBF => 1 + usize::from(first & 0x3F),
        0xC0..=0xDF => 2,
        first @ 0xE0..=0xEF => 2 + (usize::from(first & 0xF) << 8 | usize::from(*rest.get(1)?)),
        0xF0 => {
            let len = rest.get(1..)?.first_chunk()?;
            usize::try_from(u32::from_le_bytes(*len)).ok()?.checked_add(5)?
        }
        0xF1 => 3,
        0xF2 => 4,
        0xF3 => 5,
        0xF4 => 9,
        0xF5..=0xFF => return None,
    })
}

/// Bytes of the element that `rest` starts with, its back length included.
#[inline]
pub(super) fn whole_size(rest: &[u8]) -> Option<usize> {
    let size = size(rest)?;
    size.checked_add(back_bytes(size))
}

/// What the back length at the end of `before` says, and how many bytes it has.
#[inline]
pub(super) fn back_length(before: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (at, &byte) in before.iter().rev().take(5).enumerate() {
        value |= usize::from(byte & 127) << (7 * at);
        if byte & 128 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

/// The element that `rest` starts with, and its bytes with the back length.
#[inline]
pub(super) fn decode(rest: &[u8]) -> Option<(Element<'_>, usize)> {
    let size = size(rest)?;
    let whole = size.checked_add(back_bytes(size))?;
    let data = rest.get(..size)?;
    let element = match (data[0], data) {
        (first @ 0..=0x7F, _) => Element::Int(i64::from(first)),
        (0x80..=0xBF, [_, text @ ..])
        | (0xE0..=0xEF, [_, _, text @ ..])
        | (0xF0, [_, _, _, _, _, text @ ..]) => Element::Bytes(text),
        (0xC0..=0xDF, &[high, low]) => {
            // Shifted up and down again, so that bit 12 becomes the sign.
            let value = i16::from_be_bytes([high, low]) << 3 >> 3;
            Element::Int(i64::from(value))
        }
        (0xF1, &[_, a, b]) => Element::Int(i64::from(i16::from_le_bytes([a, b]))),
        (0xF2, &[_, a, b, c]) => Element::Int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)),
        (0xF3, &[_, a, b, c, d]) => Element::Int(i64::from(i32::from_le_bytes([a, b, c, d]))),
        (0xF4, [_, value @ ..]) => Element::Int(i64::from_le_bytes(*value.first_chunk()?)),
        _ => return None,
    };
    Some((element, whole))
}
