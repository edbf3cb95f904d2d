//! A record as bytes: `[key length << 2 | kind] [key] [expiry 8] [value length] [value]`, lengths as
//! LEB128. The kind says which parts there are.

/// Key alone.
const BARE: usize = 0;
/// Key and value.
const PAIR: usize = 1;
/// Key, expiry and value.
const EXPIRING: usize = 2;
/// The number of a large block takes the place of the key's length; nothing follows.
const LARGE: usize = 3;

/// Records of more bytes than these live in a block of their own.
pub(super) const INLINE_MAX: usize = 256;

/// A key with its value and expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub key: &'a [u8],
    /// Empty if there is none.
    pub value: &'a [u8],
    /// Milliseconds since 1970.
    pub expiry: Option<i64>,
}

/// What stands at an offset of an arena.
pub(super) enum Stored<'a> {
    Inline(Record<'a>),
    Large(usize),
}

impl<'a> Record<'a> {
    fn kind(self) -> usize {
        match (self.expiry, self.value.is_empty()) {
            (Some(_), _) => EXPIRING,
            (None, false) => PAIR,
            (None, true) => BARE,
        }
    }

    /// Bytes of the encoded record.
    pub(super) fn encoded_len(self) -> usize {
        let key = varint_len(self.key.len() << 2) + self.key.len();
        let value = varint_len(self.value.len()) + self.value.len();
        match self.kind() {
            BARE => key,
            PAIR => key + value,
            _ => key + 8 + value,
        }
    }

    /// Writes the record to the head of `out`, which has room.
    pub(super) fn encode(self, out: &mut [u8]) {
        let kind = self.kind();
        let mut at = put_varint(out, self.key.len() << 2 | kind);
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(self.key);
        if let Some(expiry) = self.expiry {
            put(&expiry.to_le_bytes());
        }
        if kind != BARE {
            at += put_varint(&mut out[at..], self.value.len());
            out[at..at + self.value.len()].copy_from_slice(self.value);
        }
    }

    /// The record of a large block.
    pub(super) fn of_block(block: &'a [u8]) -> Self {
        match decode(block).0 {
            Stored::Inline(record) => record,
            Stored::Large(_) => unreachable!("a large block holds a whole record"),
        }
    }

    /// A large block.
    pub(super) fn to_block(self) -> triomphe::Arc<[u8]> {
        let mut block = vec![0; self.encoded_len()];
        self.encode(&mut block);
        block.into()
    }
}

/// What stands at the head of `bytes`, and its length.
#[inline]
pub(super) fn decode(bytes: &[u8]) -> (Stored<'_>, usize) {
    let (head, key_at) = varint(bytes);
    let key_len = head >> 2;
    let kind = head & 3;
    if kind == LARGE {
        return (Stored::Large(key_len), key_at);
    }
    let (key, rest) = bytes[key_at..].split_at(key_len);
    let at = key_at + key_len;
    if kind == BARE {
        return (Stored::Inline(Record { key, value: &[], expiry: None }), at);
    }
    let (expiry, rest, at) = match rest.split_first_chunk() {
        Some((ms, rest)) if kind == EXPIRING => (Some(i64::from_le_bytes(*ms)), rest, at + 8),
        _ => (None, rest, at),
    };
    let (value_len, value_at) = varint(rest);
    let value = &rest[value_at..value_at + value_len];
    (Stored::Inline(Record { key, value, expiry }), at + value_at + value_len)
}

/// Bytes of the reference to a large block.
pub(super) fn large_len(number: usize) -> usize {
    varint_len(number << 2)
}

pub(super) fn put_large(out: &mut [u8], number: usize) {
    put_varint(out, number << 2 | LARGE);
}

fn varint_len(number: usize) -> usize {
    (number.max(1).ilog2() / 7 + 1) as usize
}

#[inline]
fn varint(bytes: &[u8]) -> (usize, usize) {
    if bytes[0] < 0x80 {
        return (usize::from(bytes[0]), 1);
    }
    let (mut number, mut at) = (0, 0);
    loop {
        let byte = bytes[at];
        number |= usize::from(byte & 0x7F) << (7 * at);
        at += 1;
        if byte < 0x80 {
            return (number, at);
        }
    }
}

#[inline]
fn put_varint(out: &mut [u8], mut number: usize) -> usize {
    let mut at = 0;
    while number >= 0x80 {
        out[at] = number as u8 | 0x80;
        number >>= 7;
        at += 1;
    }
    out[at] = number as u8;
    at + 1
}
