//! Lines between the records of an AOF, which Redis and Valkey skip from version 7 on.
//!
//! ```text
//!   #TS:<seconds since 1970>
//!   #CK:<lsn>,<length>,<synced>,<crc>        16 hexadecimal digits
//! ```
//!
//! A `#CK` line seals the bytes of the file since the line before it, or since the file's beginning. Its
//! checksum is the CRC-64 of the checksum before (8 bytes, 0 at the beginning), of those bytes, and of
//! the three numbers (8 bytes each, all little-endian), so nothing before it can be missing or changed.
//!
//! - `lsn`: the position of the journal at the line. Lines are not part of the journal.
//! - `length`: how many bytes are sealed.
//! - `synced`: up to where the file was durable when the line was written. Damage before is not what a power
//!   failure leaves.
//!
//! Not every write ends in a seal: a power failure leaves each sector of 512 bytes as it was or as it was
//! to be, so what lies within two of them shows by its first byte and its last line end whether it is
//! whole. [`Seal::wanted`] knows when that is not enough.
//!
//! A file that is complete, for good or for a while, ends in a line that seals nothing and tells that all
//! before it is durable: without it, a changed bit in what was written last, or in the line that seals
//! that, would pass for a torn end.

use journal::Lsn;
use rdb::crc64;

/// The longest annotation that other servers take.
pub const LINE_BYTES_MAX: usize = 1024;
/// What a disk writes whole or not at all.
pub(crate) const SECTOR_BYTES: u64 = 512;
/// No more bytes than about these go without a checksum.
const UNSEALED_BYTES_MAX: u64 = 4096;

/// A `#CK` line taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    pub lsn: Lsn,
    pub length: u64,
    pub synced: u64,
    pub crc: u64,
}

/// The running checksum of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seal {
    /// The checksum of the bytes since the last line, begun with that line's.
    crc: u64,
    /// So many bytes came since.
    length: u64,
    begun: bool,
}

impl Seal {
    /// Takes in bytes of the file that are no `#CK` line.
    pub fn add(&mut self, bytes: &[u8]) {
        if !self.begun {
            *self = Self::after(0);
        }
        self.crc = crc64::update(self.crc, bytes);
        self.length = self.length.saturating_add(bytes.len() as u64);
    }

    fn after(crc: u64) -> Self {
        Self { crc: crc64::update(0, &crc.to_le_bytes()), length: 0, begun: true }
    }

    /// Bytes since the last line.
    pub fn unsealed_bytes(&self) -> u64 {
        self.length
    }

    /// Whether the write that brought the bytes from `from` to `to` of the file should end in a line.
    pub fn wanted(&self, from: u64, to: u64) -> bool {
        let sectors = to.div_ceil(SECTOR_BYTES).saturating_sub(from / SECTOR_BYTES);
        sectors > 2 || self.length >= UNSEALED_BYTES_MAX
    }

    fn crc(&self, lsn: Lsn, synced: u64) -> u64 {
        let begun = if self.begun { *self } else { Self::after(0) };
        let crc = crc64::update(begun.crc, &lsn.0.to_le_bytes());
        let crc = crc64::update(crc, &begun.length.to_le_bytes());
        crc64::update(crc, &synced.to_le_bytes())
    }

    /// Appends the line that seals what was added, and begins anew.
    pub fn write(&mut self, lsn: Lsn, synced: u64, out: &mut Vec<u8>) {
        let crc = self.crc(lsn, synced);
        let line = format!("#CK:{lsn},{},{synced},{crc:016x}\r\n", self.length);
        out.extend_from_slice(line.as_bytes());
        *self = Self::after(crc);
    }

    /// Whether `check` seals exactly what was added; if so, begins anew.
    pub fn verify(&mut self, check: &Check) -> bool {
        let fits = check.length == self.length && check.crc == self.crc(check.lsn, check.synced);
        if fits {
            *self = Self::after(check.crc);
        }
        fits
    }
}

/// Takes a `#CK` line apart, line end included; `None` if it is not one.
pub fn parse_check(line: &[u8]) -> Option<Check> {
    let rest = line.strip_prefix(b"#CK:")?.strip_suffix(b"\r\n")?;
    let mut fields = rest.split(|&byte| byte == b',');
    let mut number = || stdx::num::parse_u64(fields.next()?);
    let (lsn, length, synced) = (Lsn(number()?), number()?, number()?);
    let digits = fields.next().filter(|digits| digits.len() == 16)?;
    if digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut crc = 0u64;
    for digit in digits {
        crc = crc << 4 | u64::from(stdx::quote::unhex(*digit)?);
    }
    (fields.next().is_none() && lsn <= Lsn::MAX).then_some(Check { lsn, length, synced, crc })
}

/// Whether `bytes` are the beginning of a line that a server writes, without its end.
pub(crate) fn is_begun(bytes: &[u8]) -> bool {
    let fits = |name: &[u8]| bytes.starts_with(name) || name.starts_with(bytes);
    bytes.len() < LINE_BYTES_MAX && !bytes.contains(&b'\n') && (fits(b"#CK:") || fits(b"#TS:"))
}

/// The seconds since 1970 of a `#TS` line, line end included; `None` if it is not one.
pub fn parse_time(line: &[u8]) -> Option<i64> {
    stdx::num::parse_i64(line.strip_prefix(b"#TS:")?.strip_suffix(b"\r\n")?)
}

/// Appends a `#TS` line.
pub fn write_time(seconds: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("#TS:{seconds}\r\n").as_bytes());
}
