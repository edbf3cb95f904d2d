//! Values of modules: a 64-bit id, then parts that say what they are, so that one can pass over
//! them without knowing the module.

use crate::{Error, Reader};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The name of the module's type: nine letters of six bits above ten bits of version.
pub fn name(id: u64) -> String {
    let letter = |at: u32| {
        let bits = id >> 10u32.saturating_add(at.saturating_mul(6)) & 0x3F;
        ALPHABET.get(bits.to_le_bytes()[0] as usize).map_or('?', |byte| char::from(*byte))
    };
    (0..9).rev().map(letter).collect()
}

/// Passes over the parts of a value, its end included.
pub fn skip_parts(reader: &mut Reader<'_>) -> Result<(), Error> {
    loop {
        match reader.length()? {
            0 => return Ok(()),
            1 | 2 => {
                reader.length()?;
            }
            3 => reader.skip(4)?,
            4 => reader.skip(8)?,
            5 => reader.skip_string()?,
            _ => return Err(Error::Corrupt("unknown part of a module's value")),
        }
    }
}

/// The error for a value of a module that nobody here can keep.
pub fn unsupported(id: u64) -> Error {
    Error::Unsupported(format!("a value of the module type '{}'", name(id)).into())
}

#[cfg(test)]
mod tests {
    use super::{name, skip_parts};
    use crate::Reader;

    #[test]
    fn names() {
        let id = b"ReJSON-RL".iter().fold(0u64, |id, letter| {
            let bits = super::ALPHABET.iter().position(|one| one == letter).unwrap();
            id << 6 | bits as u64
        });
        assert_eq!(name(id << 10 | 3), "ReJSON-RL");
    }

    #[test]
    fn parts() {
        let value = b"\x01\x07\x02\x40\x41\x03....\x04........\x05\x03abc\x00rest";
        let mut reader = Reader::new(value);
        skip_parts(&mut reader).unwrap();
        assert_eq!(reader.rest(), b"rest");
        skip_parts(&mut Reader::new(b"\x06")).unwrap_err();
        skip_parts(&mut Reader::new(b"\x01\x01")).unwrap_err();
    }
}
