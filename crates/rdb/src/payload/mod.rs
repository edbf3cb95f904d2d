//! The frame of a DUMP payload.
//!
//! ```text
//!   │ type, u8 │ value ... │ version, u16 LE │ CRC-64 of all before, u64 LE │
//! ```

use crate::{Writer, crc64, opcode};

const FOOTER: usize = 10;

/// A payload whose version is known and whose checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    pub version: u16,
    /// The type of the value and the value.
    pub body: &'a [u8],
}

/// What a payload is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// Versions that nobody here knows are refused (`rdb-version-check strict`).
    pub version: bool,
    pub crc: bool,
}

impl Checks {
    pub const ALL: Self = Self { version: true, crc: true };
}

/// Takes the frame away. `None`: "DUMP payload version or checksum are wrong".
pub fn open(bytes: &[u8], checks: Checks) -> Option<Payload<'_>> {
    let (body, footer) = bytes.split_last_chunk::<FOOTER>()?;
    let (version, crc) = footer.split_first_chunk::<2>()?;
    let version = u16::from_le_bytes(*version);
    let covered = bytes.len().saturating_sub(crc.len());
    let right = || crc64::update(0, bytes.get(..covered).unwrap_or_default()).to_le_bytes() == *crc;
    let known = !checks.version || opcode::is_known(version);
    (known && (!checks.crc || right())).then_some(Payload { version, body })
}

/// Writes the end of the payload of a value of type `of`, under the oldest version that knows it.
pub fn seal(writer: &mut Writer<'_>, of: u8) {
    writer.raw(&opcode::version_of(of).to_le_bytes());
    let crc = writer.checksum();
    writer.raw(&crc.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::{Checks, Payload, open, seal};

    const NO_CRC: Checks = Checks { version: true, crc: false };
    use crate::Writer;
    use crate::opcode::value;

    #[test]
    fn sealed_and_opened() {
        let mut writer = Writer::new();
        writer.u8(value::STRING);
        writer.string(b"text");
        seal(&mut writer, value::STRING);
        let bytes = writer.into_bytes();
        assert_eq!(open(&bytes, Checks::ALL), Some(Payload { version: 9, body: b"\x00\x04text" }));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(open(&bad, Checks::ALL), None);
            assert_eq!(open(&bytes[..at], Checks::ALL), None);
        }
        let mut bad = bytes.clone();
        bad[1] ^= 1;
        assert!(open(&bad, NO_CRC).is_some());
        // A version that nobody knows.
        let at = bytes.len() - 10;
        bad[at] = 60;
        assert_eq!(open(&bad, NO_CRC), None);
        assert!(open(&bad, Checks { version: false, crc: false }).is_some());
    }

    #[test]
    fn as_redis_and_valkey_write_it() {
        let foo = b"\x00\x03bar\x0b\x00\x8f\x0a\x8e\x1f\x5a\x8d\x11\x0e";
        assert_eq!(open(foo, NO_CRC), Some(Payload { version: 11, body: b"\x00\x03bar" }));
    }
}
