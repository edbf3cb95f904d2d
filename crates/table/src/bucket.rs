//! Slots, and eight of them in a cache line.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) const SLOTS: usize = 8;
/// Bytes of a cache line, and of a bucket.
pub(crate) const LINE: usize = 64;
pub(crate) const TAG_SHIFT: u32 = 48;
pub(crate) const TAG_BITS: u32 = 64 - TAG_SHIFT;
/// Number of different tags.
pub(crate) const TAGS: usize = 1 << 16;
pub(crate) const TAG: u64 = 0xFFFF << TAG_SHIFT;
pub(crate) const ADDRESS: u64 = 0x0000_FFFF_FFFF_FFF8;
/// Set while a `BorrowedMut` is out.
pub(crate) const BORROWED: u64 = 1;

#[inline]
pub(crate) fn tag_of(word: u64) -> usize {
    (word >> TAG_SHIFT) as usize
}

/// One cache line. Written by the owner under its lock, read by anyone, hence atomics; the owner is
/// the only writer and may therefore read it in any way.
#[repr(C, align(64))]
pub(crate) struct Bucket([AtomicU64; SLOTS]);

impl Bucket {
    #[inline]
    pub(crate) fn slot(&self, idx: usize) -> &AtomicU64 {
        &self.0[idx]
    }

    #[inline]
    pub(crate) fn word(&self, idx: usize) -> u64 {
        self.0[idx].load(Relaxed)
    }

    #[inline]
    pub(crate) fn set(&self, idx: usize, word: u64) {
        self.0[idx].store(word, Relaxed);
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.word(SLOTS - 1) != 0
    }

    /// Number of slots in use; they are the first ones.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        (0..SLOTS).map(|idx| usize::from(self.word(idx) != 0)).sum()
    }

    /// The words in use.
    #[inline]
    pub(crate) fn words(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(|slot| slot.load(Relaxed)).take_while(|&word| word != 0)
    }

    /// The slots whose tag is `tag`, for the owner of the table. Tag 0 also matches empty slots.
    #[inline]
    pub(crate) fn matches(&self, tag: usize) -> Matches {
        #[cfg(target_arch = "x86_64")]
        {
            Matches(self.matches_sse2(tag))
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            Matches((0..SLOTS).fold(0, |mask, idx| {
                mask | u32::from(tag_of(self.word(idx)) == tag) << (4 * idx + 3)
            }))
        }
    }

    // PERF: `get hit` of examples/table_bench.rs.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn matches_sse2(&self, tag: usize) -> u32 {
        use std::arch::x86_64::{
            __m128i, _mm_cmpeq_epi16, _mm_load_si128, _mm_movemask_epi8, _mm_packs_epi16,
            _mm_set1_epi16,
        };
        let line = self.0.as_ptr().cast::<__m128i>();
        // SAFETY: SSE2 is part of x86_64; the four loads cover exactly this aligned line. The
        // caller is the owner, who is the only writer, so that plain loads cannot race.
        unsafe {
            let wanted = _mm_set1_epi16(tag as i16);
            let pair = |idx: usize| {
                let low = _mm_cmpeq_epi16(_mm_load_si128(line.add(idx)), wanted);
                let high = _mm_cmpeq_epi16(_mm_load_si128(line.add(idx + 1)), wanted);
                // Lanes of 16 bits become bytes; the tags are every fourth of them.
                _mm_movemask_epi8(_mm_packs_epi16(low, high)) as u32 & 0x8888
            };
            pair(0) | pair(2) << 16
        }
    }
}

/// Slots of a bucket as a bit set: slot `i` is bit `4 i + 3`.
pub(crate) struct Matches(u32);

impl Iterator for Matches {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let idx = self.0.trailing_zeros() >> 2;
        self.0 &= self.0 - 1;
        Some(idx as usize)
    }
}
