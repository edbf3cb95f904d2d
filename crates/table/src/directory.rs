//! The directory: `2^depth` segment words, indexed by the hash bits that follow those of the shard.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

use stdx::prefetch::prefetch;

use crate::bucket::{LINE, SLOTS, TAG_SHIFT, tag_of};
use crate::segment::Segment;

/// The address of a directory (a multiple of 64) and its depth in the low 6 bits; 0 when there is
/// none. One word, so that a reader without the lock gets both at once.
///
/// INVARIANT: used while its memory and that of its segments is live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Directory(u64);

impl Directory {
    pub(crate) const NONE: Self = Self(0);

    /// # Safety
    /// `word` comes from [`Directory::word`], and the result is used only while that directory and
    /// its segments are live.
    #[inline]
    pub(crate) unsafe fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// A directory without segments: the caller sets each entry before anyone sees it.
    pub(crate) fn allocate(depth: u32) -> Self {
        let layout = layout(depth);
        // SAFETY: the layout is not empty.
        let base = unsafe { alloc_zeroed(layout) };
        if base.is_null() {
            handle_alloc_error(layout);
        }
        Self(base.expose_provenance() as u64 | u64::from(depth))
    }

    #[inline]
    pub(crate) fn word(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(crate) fn depth(self) -> u32 {
        self.0 as u32 & 63
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        1 << self.depth()
    }

    pub(crate) fn allocation(self) -> (*mut u8, Layout) {
        (std::ptr::with_exposed_provenance_mut((self.0 & !63) as usize), layout(self.depth()))
    }

    pub(crate) fn bytes(self) -> usize {
        layout(self.depth()).size()
    }

    #[inline]
    fn entry<'a>(self, idx: usize) -> &'a AtomicU64 {
        debug_assert!(!self.is_none() && idx < self.len());
        let first = std::ptr::with_exposed_provenance::<AtomicU64>((self.0 & !63) as usize);
        // SAFETY: the directory is live, and every caller derives `idx` from its depth.
        unsafe { &*first.add(idx) }
    }

    /// `position`: the hash without its shard bits, shifted to the top.
    #[inline]
    pub(crate) fn index(self, position: u64) -> usize {
        // Two shifts, since one by 64 (depth 0) would overflow.
        (position >> 1 >> (63 - self.depth())) as usize
    }

    /// The segment at an index below `len()`, or at `index()` of a position.
    #[inline]
    pub(crate) fn segment(self, idx: usize) -> Segment {
        // SAFETY: entries hold words of segments that live as long as the directory is in use.
        unsafe { Segment::from_word(self.entry(idx).load(Acquire)) }
    }

    /// The segment of a position, and the tag that an item there has in it.
    #[inline]
    pub(crate) fn lookup(self, position: u64) -> (Segment, usize) {
        let segment = self.segment(self.index(position));
        (segment, tag_at(position, segment.depth()))
    }

    /// Enters a segment under every index of its prefix.
    pub(crate) fn set(self, position: u64, segment: Segment) {
        let span = self.span(segment);
        self.fill(self.index(position) & !(span - 1), span, segment);
    }

    /// Enters a segment under `span` indices from `begin` on.
    pub(crate) fn fill(self, begin: usize, span: usize, segment: Segment) {
        for idx in begin..begin + span {
            self.entry(idx).store(segment.word(), Release);
        }
    }

    /// Number of entries that a segment fills.
    #[inline]
    pub(crate) fn span(self, segment: Segment) -> usize {
        1 << (self.depth() - segment.depth())
    }

    /// The segments in order of hash, each once.
    pub(crate) fn segments(self) -> impl Iterator<Item = Segment> {
        self.segments_by_index().map(|(_, segment)| segment)
    }

    /// The segments in order of hash, each with its first index.
    pub(crate) fn segments_by_index(self) -> impl Iterator<Item = (usize, Segment)> {
        let len = if self.is_none() { 0 } else { self.len() };
        let mut next = 0;
        std::iter::from_fn(move || {
            (next < len).then(|| {
                let (idx, segment) = (next, self.segment(next));
                next += self.span(segment);
                (idx, segment)
            })
        })
    }

    #[inline]
    pub(crate) fn prefetch_bucket(self, position: u64) {
        if !self.is_none() {
            let (segment, tag) = self.lookup(position);
            segment.prefetch_bucket(tag);
        }
    }

    /// Prefetches what an insertion touches: the home bucket, and the count of its segment.
    #[inline]
    pub(crate) fn prefetch_for_insert(self, position: u64) {
        if !self.is_none() {
            let (segment, tag) = self.lookup(position);
            segment.prefetch_bucket(tag);
            segment.prefetch_header();
        }
    }

    /// Prefetches the items that may be the one looked for: those with its tag in the home bucket,
    /// or, when that is full and has none, in the next.
    #[inline]
    pub(crate) fn prefetch_items(self, position: u64) {
        if self.is_none() {
            return;
        }
        let (segment, tag) = self.lookup(position);
        let home = segment.home(tag);
        for idx in [home, home + 1] {
            // SAFETY: a home, or the bucket after a full one; the last slot of a segment is empty
            // from its birth to its end, so this holds also for a reader that races with the owner.
            let bucket = unsafe { segment.bucket(idx) };
            // PERF: which slot matches is random, so a mask, whose one bit most often ends the loop,
            // instead of a branch a slot.
            let mut matches = 0u32;
            let mut last = 0;
            for slot in 0..SLOTS {
                last = bucket.word(slot);
                matches |= u32::from(tag_of(last) == tag) << slot;
            }
            let found = matches != 0;
            while matches != 0 {
                let word = bucket.word(matches.trailing_zeros() as usize);
                let item = (word & !(0xFFFF << TAG_SHIFT)) as usize;
                prefetch(item);
                prefetch(item + ITEM_BYTES - 1);
                matches &= matches - 1;
            }
            if found || last == 0 {
                return;
            }
        }
    }
}

/// Bytes of an item that are prefetched: most are not longer, and many lie in one line.
const ITEM_BYTES: usize = 48;

/// The tag of a position in a segment of depth `depth`.
#[inline]
pub(crate) fn tag_at(position: u64, depth: u32) -> usize {
    tag_of(position << depth)
}

fn layout(depth: u32) -> Layout {
    Layout::from_size_align((8 << depth).max(LINE), LINE)
        .expect("a directory is far below isize::MAX")
}
