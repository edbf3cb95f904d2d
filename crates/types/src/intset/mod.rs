//! Intsets: sorted integers in one block, as what each is above a base.
//!
//! ```text
//!  0           1           9
//! ┌───────────┬───────────┬──────────┬──────────┬─ ─
//! │ width: u8 │ base: i64 │ distance │ distance │ ...    all little endian
//! └───────────┴───────────┴──────────┴──────────┴─ ─
//! ```
//!
//! The width is 1, 2, 4 or 8 bytes, the same for all distances, which ascend strictly: a search
//! halves them. No integer is below the base. An integer that is, or that is too far above it, has
//! all distances written anew; they are never narrowed. No bytes at all are the empty set.
//!
//! RDB files and DUMP payloads hold Redis's form ([`IntSet::to_redis`], [`of_redis`]): width (u32),
//! count (u32), and the integers themselves in 2, 4 or 8 bytes each.

use stdx::Rng;

#[cfg(test)]
mod tests;

const HEADER: usize = 9;
/// Bytes of the header of Redis's form.
const REDIS_HEADER: usize = 8;

/// A block that is no intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// An intset, borrowed: all reads.
#[derive(Clone, Copy, Debug)]
pub struct IntSet<'a> {
    width: Width,
    base: i64,
    /// A multiple of the width.
    distances: &'a [u8],
}

/// Bytes of each distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    One = 1,
    Two = 2,
    Four = 4,
    Eight = 8,
}

impl Width {
    /// The least that holds `distance`.
    fn of(distance: u64) -> Self {
        match distance {
            0..=0xFF => Self::One,
            0x100..=0xFFFF => Self::Two,
            0x1_0000..=0xFFFF_FFFF => Self::Four,
            _ => Self::Eight,
        }
    }

    #[inline]
    fn read(self, distances: &[u8], index: usize) -> u64 {
        let at = &distances[index * self as usize..];
        const INSIDE: &str = "the index lies within the set";
        match self {
            Self::One => at[0].into(),
            Self::Two => u16::from_le_bytes(*at.first_chunk().expect(INSIDE)).into(),
            Self::Four => u32::from_le_bytes(*at.first_chunk().expect(INSIDE)).into(),
            Self::Eight => u64::from_le_bytes(*at.first_chunk().expect(INSIDE)),
        }
    }

    /// Writes `distance`, which fits, at the beginning of `at`.
    #[inline]
    fn write(self, at: &mut [u8], distance: u64) {
        at[..self as usize].copy_from_slice(&distance.to_le_bytes()[..self as usize]);
    }
}

impl<'a> IntSet<'a> {
    /// A block that the changes below made, or [`of_redis`].
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        const OURS: &str = "an intset of our own making";
        let Some((&width, rest)) = bytes.split_first() else {
            return Self { width: Width::One, base: 0, distances: bytes };
        };
        let width = match width {
            1 => Width::One,
            2 => Width::Two,
            4 => Width::Four,
            _ => Width::Eight,
        };
        let (base, distances) = rest.split_first_chunk().expect(OURS);
        Self { width, base: i64::from_le_bytes(*base), distances }
    }

    #[inline]
    pub fn len(self) -> usize {
        self.distances.len() / self.width as usize
    }

    pub fn is_empty(self) -> bool {
        self.distances.is_empty()
    }

    #[inline]
    fn read(self, index: usize) -> i64 {
        self.base.wrapping_add_unsigned(self.width.read(self.distances, index))
    }

    /// The integer at `index` in ascending order.
    #[inline]
    pub fn get(self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.read(index))
    }

    fn last(self) -> Option<i64> {
        self.get(self.len().wrapping_sub(1))
    }

    /// Where `value` is, or where it would have to be put.
    pub fn find(self, value: i64) -> Result<usize, usize> {
        if value < self.base {
            return Err(0);
        }
        let distance = above(value, self.base);
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from.midpoint(to);
            let found = self.width.read(self.distances, middle);
            if found == distance {
                return Ok(middle);
            }
            if found < distance { from = middle + 1 } else { to = middle }
        }
        Err(from)
    }

    pub fn contains(self, value: i64) -> bool {
        self.find(value).is_ok()
    }

    /// One of the integers, each as likely as the others.
    pub fn random(self, rng: &mut Rng) -> Option<i64> {
        (!self.is_empty()).then(|| self.read(rng.index(self.len())))
    }

    /// The block, copied.
    pub fn to_block(self) -> Vec<u8> {
        let mut block = Vec::new();
        if !self.is_empty() {
            block.reserve_exact(HEADER + self.distances.len());
            block.push(self.width as u8);
            block.extend_from_slice(&self.base.to_le_bytes());
            block.extend_from_slice(self.distances);
        }
        block
    }

    /// Redis's form, in the least width that holds all.
    pub fn to_redis(self) -> Vec<u8> {
        let ends = [self.get(0), self.last()];
        let fits = |holds: fn(i64) -> bool| ends.iter().flatten().all(|value| holds(*value));
        let width = if fits(|value| i16::try_from(value).is_ok()) {
            2
        } else if fits(|value| i32::try_from(value).is_ok()) {
            4
        } else {
            8
        };
        let mut block = Vec::with_capacity(REDIS_HEADER + self.len() * width);
        block.extend_from_slice(&[width as u8, 0, 0, 0]);
        block.extend_from_slice(&(self.len() as u32).to_le_bytes());
        self.iter().for_each(|value| block.extend_from_slice(&value.to_le_bytes()[..width]));
        block
    }

    /// All integers, ascending.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + Clone + 'a {
        (0..self.len()).map(move |index| self.read(index))
    }
}

/// How far `value` is above `base`, which is not greater.
fn above(value: i64, base: i64) -> u64 {
    value.wrapping_sub(base).cast_unsigned()
}

/// The block of a foreign one of Redis's form, checked in full: its sizes agree, it is not empty,
/// its integers ascend.
pub fn of_redis(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    let (header, integers) = bytes.split_first_chunk::<REDIS_HEADER>().ok_or(Malformed)?;
    let [width @ (2 | 4 | 8), 0, 0, 0, count @ ..] = *header else { return Err(Malformed) };
    let count = u64::from(u32::from_le_bytes(count));
    if count == 0 || count * u64::from(width) != integers.len() as u64 {
        return Err(Malformed);
    }
    let values = integers.chunks_exact(usize::from(width)).map(|at| {
        let mut value = [if at[at.len() - 1] & 0x80 == 0 { 0 } else { 0xFF }; 8];
        value[..at.len()].copy_from_slice(at);
        i64::from_le_bytes(value)
    });
    if !values.clone().zip(values.clone().skip(1)).all(|(one, next)| one < next) {
        return Err(Malformed);
    }
    Ok(block_of(values))
}

/// The block of these integers, which ascend.
pub fn block_of(values: impl Iterator<Item = i64> + Clone) -> Vec<u8> {
    let Some(base) = values.clone().next() else { return Vec::new() };
    let (count, last) = values.clone().fold((0, base), |(count, _), value| (count + 1, value));
    written(Width::of(above(last, base)), base, count, values)
}

fn written(width: Width, base: i64, count: usize, values: impl Iterator<Item = i64>) -> Vec<u8> {
    let mut block = vec![0; HEADER + count * width as usize];
    block[0] = width as u8;
    block[1..HEADER].copy_from_slice(&base.to_le_bytes());
    for (at, value) in block[HEADER..].chunks_exact_mut(width as usize).zip(values) {
        width.write(at, above(value, base));
    }
    block
}

/// Adds `value`; `false` if it was there.
pub fn insert(block: &mut Vec<u8>, value: i64) -> bool {
    let set = IntSet::new(block);
    let Err(index) = set.find(value) else { return false };
    let Some(last) = set.last() else {
        *block = block_of(std::iter::once(value));
        return true;
    };
    let base = set.base.min(value);
    let width = set.width.max(Width::of(above(last.max(value), base)));
    if (base, width) != (set.base, set.width) {
        let values = set.iter().take(index).chain([value]).chain(set.iter().skip(index));
        *block = written(width, base, set.len() + 1, values);
        return true;
    }
    let (at, width_bytes) = (HEADER + index * width as usize, width as usize);
    let old_end = block.len();
    block.resize(old_end + width_bytes, 0);
    block.copy_within(at..old_end, at + width_bytes);
    width.write(&mut block[at..], above(value, base));
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
    let width = IntSet::new(block).width as usize;
    let at = HEADER + index * width;
    block.drain(at..at + width);
    if block.len() == HEADER {
        block.clear();
    }
}
