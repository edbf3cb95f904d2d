//! What surrounds the commands of a record: the database they are for, and where the record ends.
//!
//! ```text
//!   record = [ MULTI ] [ SELECT db ] commands [ EXEC ]     all of it RESP, all of it counted by the LSN
//!   tail   = database tag (8 bits) | LSN (56 bits)
//! ```
//!
//! A RESP stream carries the selected database as state, so the bytes of a record depend on the record
//! before it. The tail remembers in which database the stream stands; the one atomic step that reserves
//! a record's bytes therefore also knows whether they begin with a `SELECT`. In a transaction that stands
//! behind `MULTI`, where Redis and Valkey put it.

use crate::Lsn;

/// No `SELECT` is longer than this.
pub const SELECT_BYTES_MAX: u64 = 40;

/// What stands around the commands of a transaction, SELECT not counted.
pub const TRANSACTION_BYTES: u64 = (MULTI.len() + EXEC.len()) as u64;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

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
    /// Whether the commands stand between MULTI and EXEC.
    whole: bool,
}

impl Frame {
    /// One command that runs in `database`.
    pub fn new(database: u32) -> Self {
        Self { begins: Some(database), ends: Some(database), whole: false }
    }

    /// Several commands, the first of which runs in `database`, put between MULTI and EXEC: they take
    /// place together or not at all.
    pub fn transaction(database: u32) -> Self {
        Self { whole: true, ..Self::new(database) }
    }

    /// The commands contain `SELECT`s of their own, the last of which names `database`.
    pub fn ending_in(self, database: u32) -> Self {
        Self { ends: Some(database), ..self }
    }

    /// A command without a database: PING, REPLCONF GETACK.
    pub fn global() -> Self {
        Self { begins: None, ends: None, whole: false }
    }

    /// Bytes as a primary sent them, `SELECT`s included, after which `database` is selected.
    pub fn verbatim(database: u32) -> Self {
        Self { begins: None, ends: Some(database), whole: false }
    }

    /// What this record needs before its commands behind `tail`, and the tail behind a record of `bytes`.
    #[inline]
    pub(crate) fn place(self, tail: Tail, bytes: u64) -> (Option<Head>, Tail) {
        let select = self.begins.filter(|database| {
            let tag = tag(*database);
            tag == UNKNOWN || tail.tag() != tag
        });
        let head = (self.whole || select.is_some()).then(|| Head::new(self.whole, select));
        let head_len = head.as_ref().map_or(0, |head| head.as_bytes().len());
        let around = (head_len + self.foot().len()) as u64;
        let end = tail.lsn().0 + around + bytes;
        assert!(end <= Lsn::MAX.0, "the journal is full: {end} bytes");
        (head, Tail::new(self.ends.map_or(tail.tag(), tag), Lsn(end)))
    }

    /// What stands behind the commands.
    #[inline]
    pub(crate) fn foot(self) -> &'static [u8] {
        if self.whole { EXEC } else { b"" }
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

/// What stands before the commands of a record: `MULTI` and `SELECT n`, each if it is needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    bytes: [u8; HEAD_BYTES_MAX],
    len: usize,
}

const HEAD_BYTES_MAX: usize = MULTI.len() + SELECT_BYTES_MAX as usize;

impl Head {
    #[cold]
    fn new(whole: bool, select: Option<u32>) -> Self {
        let mut head = Self { bytes: [0; HEAD_BYTES_MAX], len: 0 };
        if whole {
            head.push(MULTI);
        }
        if let Some(database) = select {
            head.push_select(database);
        }
        head
    }

    fn push_select(&mut self, database: u32) {
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
        self.push(b"*2\r\n$6\r\nSELECT\r\n$");
        match digits.len() {
            10 => self.push(b"10"),
            count => self.push(&[b'0' + count as u8]),
        }
        self.push(b"\r\n");
        self.push(digits);
        self.push(b"\r\n");
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
