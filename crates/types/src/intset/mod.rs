//! Intsets: sorted integers in one block, byte-compatible with Redis, so that RDB files and DUMP
//! payloads hold the block as it stands.
//!
//! ```text
//!  0            4            8
//! ┌────────────┬────────────┬──────────┬──────────┬─ ─
//! │ width: u32 │ count: u32 │ integer  │ integer  │ ...    all little endian
//! └────────────┴────────────┴──────────┴──────────┴─ ─
//! ```
//!
//! The width is 2, 4 or 8 bytes, the same for all integers, which ascend strictly. A set begins
//! with the width 2, is widened as a whole by the first integer that needs more, and never
//! narrowed: so does Redis, and equal histories give equal bytes.

use stdx::Rng;

#[cfg(test)]
mod tests;

const HEADER: usize = 8;

/// A block that is no intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// An intset, borrowed: all reads.
#[derive(Clone, Copy, Debug)]
pub struct IntSet<'a> {
    width: Width,
    /// The integers without the header; a multiple of the width.
    integers: &'a [u8],
}

/// Bytes of each integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    Two = 2,
    Four = 4,
    Eight = 8,
}

impl Width {
    /// The least that holds `value`.
    fn of(value: i64) -> Self {
        if i16::try_from(value).is_ok() {
            Self::Two
        } else if i32::try_from(value).is_ok() {
            Self::Four
        } else {
            Self::Eight
        }
    }

    fn of_header(bytes: &[u8]) -> Option<Self> {
        match u32::from_le_bytes(*bytes.first_chunk()?) {
            2 => Some(Self::Two),
            4 => Some(Self::Four),
            8 => Some(Self::Eight),
            _ => None,
        }
    }

    #[inline]
    fn read(self, integers: &[u8], index: usize) -> i64 {
        let at = &integers[index * self as usize..];
        const INSIDE: &str = "the index lies within the set";
        match self {
            Self::Two => i16::from_le_bytes(*at.first_chunk().expect(INSIDE)).into(),
            Self::Four => i32::from_le_bytes(*at.first_chunk().expect(INSIDE)).into(),
            Self::Eight => i64::from_le_bytes(*at.first_chunk().expect(INSIDE)),
        }
    }

    /// Writes `value`, which fits, at the beginning of `at`.
    #[inline]
    fn write(self, at: &mut [u8], value: i64) {
        at[..self as usize].copy_from_slice(&value.to_le_bytes()[..self as usize]);
    }
}

impl<'a> IntSet<'a> {
    /// A block that [`empty`] and the changes below made, or that [`IntSet::parse`] let pass.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        let width = Width::of_header(bytes).expect("an intset of our own making");
        Self { width, integers: &bytes[HEADER..] }
    }

    /// A foreign block, checked in full: its sizes agree, it is not empty, its integers ascend.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let width = Width::of_header(bytes).ok_or(Malformed)?;
        let count = bytes.get(4..).and_then(<[u8]>::first_chunk).ok_or(Malformed)?;
        let count = u64::from(u32::from_le_bytes(*count));
        let integers = &bytes[HEADER..];
        if count == 0 || count * width as u64 != integers.len() as u64 {
            return Err(Malformed);
        }
        let set = Self { width, integers };
        if set.iter().zip(set.iter().skip(1)).all(|(one, next)| one < next) {
            Ok(set)
        } else {
            Err(Malformed)
        }
    }

    #[inline]
    pub fn len(self) -> usize {
        self.integers.len() / self.width as usize
    }

    pub fn is_empty(self) -> bool {
        self.integers.is_empty()
    }

    /// The integer at `index` in ascending order.
    #[inline]
    pub fn get(self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.width.read(self.integers, index))
    }

    /// Where `value` is, or where it would have to be put.
    pub fn find(self, value: i64) -> Result<usize, usize> {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from.midpoint(to);
            let found = self.width.read(self.integers, middle);
            if found == value {
                return Ok(middle);
            }
            if found < value { from = middle + 1 } else { to = middle }
        }
        Err(from)
    }

    pub fn contains(self, value: i64) -> bool {
        self.find(value).is_ok()
    }

    /// One of the integers, each as likely as the others.
    pub fn random(self, rng: &mut Rng) -> Option<i64> {
        (!self.is_empty()).then(|| self.width.read(self.integers, rng.index(self.len())))
    }

    /// The block, copied.
    pub fn to_block(self) -> Vec<u8> {
        let mut block = Vec::with_capacity(HEADER + self.integers.len());
        block.extend_from_slice(&[self.width as u8, 0, 0, 0]);
        block.extend_from_slice(&(self.len() as u32).to_le_bytes());
        block.extend_from_slice(self.integers);
        block
    }

    /// All integers, ascending.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + Clone + 'a {
        (0..self.len()).map(move |index| self.width.read(self.integers, index))
    }
}

/// The block of an empty set.
pub fn empty() -> Vec<u8> {
    vec![Width::Two as u8, 0, 0, 0, 0, 0, 0, 0]
}

/// Adds `value`; `false` if it was there.
pub fn insert(block: &mut Vec<u8>, value: i64) -> bool {
    let set = IntSet::new(block);
    let (len, width) = (set.len(), set.width);
    if Width::of(value) > width {
        *block = widened(set, value);
        return true;
    }
    let Err(index) = set.find(value) else { return false };
    let (at, width_bytes) = (HEADER + index * width as usize, width as usize);
    let old_end = block.len();
    block.resize(old_end + width_bytes, 0);
    block.copy_within(at..old_end, at + width_bytes);
    width.write(&mut block[at..], value);
    set_count(block, len + 1);
    true
}

/// Takes `value` away; `false` if it was not there.
pub fn remove(block: &mut Vec<u8>, value: i64) -> bool {
    let Ok(index) = IntSet::new(block).find(value) else { return false };
    remove_at(block, index);
    true
}

/// Takes away the integer at `index`, which exists.
pub fn remove_at(block: &mut Vec<u8>, index: usize) {
    let set = IntSet::new(block);
    let (len, width) = (set.len(), set.width as usize);
    let at = HEADER + index * width;
    block.drain(at..at + width);
    set_count(block, len - 1);
}

/// All of `set` and `value`, which is too wide for it and so less or greater than all others.
fn widened(set: IntSet<'_>, value: i64) -> Vec<u8> {
    let (width, len) = (Width::of(value), set.len() + 1);
    let mut block = vec![0; HEADER + len * width as usize];
    block[0] = width as u8;
    set_count(&mut block, len);
    let (first, last) = if value < 0 { (Some(value), None) } else { (None, Some(value)) };
    let values = first.into_iter().chain(set.iter()).chain(last);
    for (at, value) in block[HEADER..].chunks_exact_mut(width as usize).zip(values) {
        width.write(at, value);
    }
    block
}

fn set_count(block: &mut [u8], count: usize) {
    let count = u32::try_from(count).expect("thresholds keep intsets far below 2^32 members");
    block[4..HEADER].copy_from_slice(&count.to_le_bytes());
}
