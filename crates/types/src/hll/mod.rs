//! HyperLogLog: counting distinct elements in a string of fixed size, byte-compatible with Redis.
//!
//! ```text
//!  0        4          5        8                  16
//! ┌────────┬──────────┬────────┬──────────────────┬──────────────────
//! │ "HYLL" │ encoding │ unused │ cached count: u64│ registers ...
//! └────────┴──────────┴────────┴──────────────────┴──────────────────
//! ```
//!
//! There are 16,384 registers. Each holds the longest run of zeros, plus one, that the hash of an
//! element chosen for it ended in. The cached count is little endian; its highest bit says that it
//! is out of date.
//!
//! - *Dense* (0): 6 bits a register, four registers in three bytes, least significant bits first.
//! - *Sparse* (1): runs of equal registers, see `sparse`. A string becomes dense when a register
//!   exceeds 32 or the string would exceed `hll-sparse-max-bytes`, and never sparse again.
//!
//! Strings come from anywhere (SET, RESTORE): [`Hll::parse`] checks the header, and whatever walks
//! sparse registers answers [`HllError::Corrupt`] where they do not add up.

mod dense;
mod estimate;
mod hash;
mod sparse;
#[cfg(test)]
mod tests;

pub use sparse::Run;

/// Number of registers.
pub const REGISTERS: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 14;
/// The largest value that a hash gives a register: all of its other bits zeros, plus one.
const VALUE_MAX: usize = 64 - INDEX_BITS as usize + 1;

const MAGIC: &[u8; 4] = b"HYLL";
const HEADER: usize = 16;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const DENSE_BYTES: usize = HEADER + REGISTERS * 6 / 8;
/// In the last byte of the cached count: it is out of date.
const STALE: u8 = 0x80;

/// Why a string does not serve as a HyperLogLog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HllError {
    /// It is none: the header or the length is wrong.
    NotHll,
    /// It says it is one, but its registers do not add up.
    Corrupt,
}

/// A HyperLogLog, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Hll<'a> {
    bytes: &'a [u8],
}

impl<'a> Hll<'a> {
    /// Checks the header.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HllError> {
        let whole = bytes.len() >= HEADER && bytes.starts_with(MAGIC);
        match bytes.get(4) {
            Some(&DENSE) if whole && bytes.len() == DENSE_BYTES => Ok(Self { bytes }),
            Some(&SPARSE) if whole => Ok(Self { bytes }),
            _ => Err(HllError::NotHll),
        }
    }

    pub fn is_dense(self) -> bool {
        self.bytes[4] == DENSE
    }

    fn registers(self) -> &'a [u8] {
        &self.bytes[HEADER..]
    }

    /// The count as of the last time that it was computed, if nothing has changed since.
    pub fn cached(self) -> Option<u64> {
        let count: [u8; 8] = *self.bytes[8..].first_chunk()?;
        (count[7] & STALE == 0).then(|| u64::from_le_bytes(count))
    }

    /// Computes the count.
    pub fn count(self) -> Result<u64, HllError> {
        let mut histogram = [0; 64];
        if self.is_dense() {
            for group in dense::groups(self.registers()) {
                group.iter().for_each(|value| histogram[usize::from(*value)] += 1);
            }
        } else {
            sparse::each(self.registers(), |run| {
                histogram[usize::from(run.value)] += run.len as u32;
            })?;
        }
        Ok(estimate::estimate(&histogram))
    }

    /// The runs of a sparse one, as PFDEBUG DECODE shows them: up to where they cannot be read.
    pub fn runs(self) -> impl Iterator<Item = Run> + 'a {
        sparse::runs(self.registers()).map_while(Result::ok)
    }
}

/// Registers unpacked, to merge in.
#[derive(Clone, Debug)]
pub struct Registers(Box<[u8; REGISTERS]>);

impl Default for Registers {
    /// All zeros.
    fn default() -> Self {
        Self(Box::new([0; REGISTERS]))
    }
}

impl Registers {
    /// Takes over each register of `hll` that is greater; some of them before an error.
    pub fn merge(&mut self, hll: Hll<'_>) -> Result<(), HllError> {
        if hll.is_dense() {
            let (own, _) = self.0.as_chunks_mut::<4>();
            for (own, other) in own.iter_mut().zip(dense::groups(hll.registers())) {
                own.iter_mut().zip(other).for_each(|(own, other)| *own = (*own).max(other));
            }
            return Ok(());
        }
        let mut at = 0;
        sparse::each(hll.registers(), |run| {
            let own = &mut self.0[at..at + run.len];
            own.iter_mut().for_each(|own| *own = (*own).max(run.value));
            at += run.len;
        })
    }

    pub fn count(&self) -> u64 {
        let mut histogram = [0; 64];
        for value in self.0.iter() {
            histogram[usize::from(*value)] += 1;
        }
        estimate::estimate(&histogram)
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.0[..]
    }
}

/// A new one: sparse, all registers zero.
pub fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4] = SPARSE;
    sparse::write_zeros(&mut bytes, REGISTERS);
    bytes
}

/// Adds `element` to a dense one, whose length stays; whether a register changed.
pub fn add_dense(bytes: &mut [u8], element: &[u8]) -> bool {
    let (index, value) = hash::register_of(element);
    dense::raise(&mut bytes[HEADER..], index, value)
}

/// Adds `element` to one that [`Hll::parse`] let pass; whether a register changed. `bytes_max`
/// limits the string as long as it is sparse. After an error the bytes are to be thrown away.
pub fn add(bytes: &mut Vec<u8>, element: &[u8], bytes_max: usize) -> Result<bool, HllError> {
    let (index, value) = hash::register_of(element);
    raise(bytes, index, value, bytes_max)
}

/// Puts `registers` in, none of which is less than its own: the last step of PFMERGE.
pub fn put(bytes: &mut Vec<u8>, registers: &Registers, bytes_max: usize) -> Result<(), HllError> {
    if bytes[4] == DENSE {
        put_dense(bytes, registers);
        return Ok(());
    }
    for (index, value) in registers.0.iter().enumerate().filter(|(_, value)| **value > 0) {
        raise(bytes, index, *value, bytes_max)?;
    }
    Ok(())
}

/// As [`put`], for a dense one, whose length stays.
pub fn put_dense(bytes: &mut [u8], registers: &Registers) {
    dense::fill(&mut bytes[HEADER..], registers.as_slice());
}

/// Makes a sparse one dense; whether it was sparse. The cached count stays.
pub fn to_dense(bytes: &mut Vec<u8>) -> Result<bool, HllError> {
    if bytes[4] == DENSE {
        return Ok(false);
    }
    let mut registers = Registers::default();
    registers.merge(Hll { bytes })?;
    bytes.truncate(HEADER);
    bytes[4] = DENSE;
    bytes.resize(DENSE_BYTES, 0);
    dense::fill(&mut bytes[HEADER..], registers.as_slice());
    Ok(true)
}

/// Says that the cached count is out of date.
pub fn invalidate(bytes: &mut [u8]) {
    bytes[HEADER - 1] |= STALE;
}

/// Writes the cached count.
pub fn set_cached(bytes: &mut [u8], count: u64) {
    bytes[8..HEADER].copy_from_slice(&count.to_le_bytes());
}

/// Raises one register to `value`; whether it was less.
fn raise(bytes: &mut Vec<u8>, index: usize, value: u8, bytes_max: usize) -> Result<bool, HllError> {
    if bytes[4] == SPARSE && value <= sparse::VALUE_MAX {
        let room = bytes_max.saturating_sub(bytes.len());
        match sparse::raise(bytes, index, value, room)? {
            sparse::Raised::Done(changed) => return Ok(changed),
            sparse::Raised::NoRoom => {}
        }
    }
    to_dense(bytes)?;
    Ok(dense::raise(&mut bytes[HEADER..], index, value))
}
