//! What surrounds the commands of a record: the database they are for, and where the record ends.
//!
//! ```text
//!   record = [ SELECT db ] commands          all of it RESP, all of it counted by the LSN
//!   tail   = database tag (8 bits) | LSN (56 bits)
//! ```
//!
//! A RESP stream carries the selected database as state, so the bytes of a record depend on the record
//! before it. The tail remembers in which database the stream stands; the one atomic step that reserves
//! a record's bytes therefore also knows whether they begin with a `SELECT`.

use crate::Lsn;

/// No `SELECT` is longer than this.
pub const SELECT_BYTES_MAX: u64 = 40;

const LSN_BITS: u32 = 56;

/// The tag of a stream of which no database is known, or one with a large number: the next command
/// of any database begins with a `SELECT`.
const UNKNOWN: u64 = 0;

/// How one record stands in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The database that must be selected before the first command; none if it does not matter.
    begins: Option<u32>,
    /// The database selected after the last command; none if it is the same as before the record.
    ends: Option<u32>,
}

impl Frame {
    /// Commands that run in `database`: one, or several between MULTI and EXEC.
    pub fn new(database: u32) -> Self {
        Self { begins: Some(database), ends: Some(database) }
    }

    /// The commands contain `SELECT`s of their own, the last of which names `database`.
    pub fn ending_in(self, database: u32) -> Self {
        Self { ends: Some(database), ..self }
    }

    /// A command without a database: PING, REPLCONF GETACK.
    pub fn global() -> Self {
        Self { begins: None, ends: None }
    }

    /// Bytes as a primary sent them, `SELECT`s included, after which `database` is selected.
    pub fn verbatim(database: u32) -> Self {
        Self { begins: None, ends: Some(database) }
    }

    /// The `SELECT` that this record needs behind `tail`, and the tail behind a record of `bytes`.
    #[inline]
    pub(crate) fn place(self, tail: Tail, bytes: u64) -> (Option<Select>, Tail) {
        let select = match self.begins {
            Some(database) if tag(database) == UNKNOWN || tail.tag() != tag(database) => {
                Some(Select::new(database))
            }
            _ => None,
        };
        let prefix = select.as_ref().map_or(0, |select| select.as_bytes().len() as u64);
        let end = tail.lsn().0 + prefix + bytes;
        assert!(end <= Lsn::MAX.0, "the journal is full: {end} bytes");
        (select, Tail::new(self.ends.map_or(tail.tag(), tag), Lsn(end)))
    }
}

#[inline]
fn tag(database: u32) -> u64 {
    if database < 255 { u64::from(database) + 1 } else { UNKNOWN }
}

/// The journal's tail in one word, so that one atomic step moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail(pub(crate) u64);

impl Tail {
    /// At `lsn`, with no known database.
    pub(crate) fn at(lsn: Lsn) -> Self {
        Self::new(UNKNOWN, lsn)
    }

    #[inline]
    fn new(tag: u64, lsn: Lsn) -> Self {
        Self(tag << LSN_BITS | lsn.0)
    }

    #[inline]
    fn tag(self) -> u64 {
        self.0 >> LSN_BITS
    }

    #[inline]
    pub(crate) fn lsn(self) -> Lsn {
        Lsn(self.0 & Lsn::MAX.0)
    }
}

/// `SELECT n` as a RESP array, built on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Select {
    bytes: [u8; SELECT_BYTES_MAX as usize],
    len: usize,
}

impl Select {
    #[cold]
    fn new(database: u32) -> Self {
        let mut digits = [0; 10];
        let mut first = digits.len();
        let mut rest = database;
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let digits = &digits[first..];
        let mut select = Self { bytes: [0; SELECT_BYTES_MAX as usize], len: 0 };
        select.push(b"*2\r\n$6\r\nSELECT\r\n$");
        match digits.len() {
            10 => select.push(b"10"),
            count => select.push(&[b'0' + count as u8]),
        }
        select.push(b"\r\n");
        select.push(digits);
        select.push(b"\r\n");
        select
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
