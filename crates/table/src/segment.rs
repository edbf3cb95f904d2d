//! A segment: the buckets of one range of hashes, in one allocation of a header line and `lines -
//! 1` buckets.
//!
//! Sizes are the size classes of a jemalloc-like allocator (four per doubling), so that nothing is
//! lost to rounding. Of the buckets the first `homes` are homes, the rest are spill; how many of
//! each is decided from the tags when a segment is laid out.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::sync::atomic::Ordering::Relaxed;

use stdx::prefetch::prefetch;

use crate::bucket::{Bucket, LINE, SLOTS, TAGS, tag_of};

/// Lines of 64 bytes at which a segment splits instead of growing.
pub const SEGMENT_LINES_MAX: usize = 128;
/// Lines of the smallest segment: the header and 8 slots, of which 7 can be used.
pub(crate) const LINES_MIN: usize = 2;
/// A segment grows when more than this share of its slots, in 1/256, would be in use. Averages over
/// sizes: 224 takes 10.1 bytes per item and 2.6 buckets per miss, 228 takes 9.9 and 2.9, 236 takes
/// 9.6 and 3.9; a hit takes 1.2 to 1.3 of them all along.
const FILL_MAX: usize = 228;
/// A segment shrinks, or merges, when less than this share of its slots, in 1/256, is in use.
const FILL_MIN: usize = 90;
/// Up to this size a segment is a list with one home, which may be filled to the last usable slot.
const LIST_LINES_MAX: usize = 4;
/// Most homes that fit into a directory word.
const HOMES_MAX: usize = 0xFFFF;

/// Line 0 of a segment. Only the owner of the table reads or writes it.
#[repr(C, align(64))]
struct Header {
    lines: u32,
    /// Slots in use.
    count: u32,
    /// `count` at which the segment grows.
    high: u32,
    /// `count` below which it shrinks.
    low: u32,
}

/// A directory word: homes in the high 16 bits, the address of the allocation (a multiple of 64),
/// the local depth in the low 6. A reader without the lock learns from one load all that it needs.
///
/// INVARIANT: a `Segment` is made from a word of a live table, and used while its memory is live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment(u64);

/// How a set of words is to be laid out: see [`Segment::plan`].
pub(crate) struct Plan {
    pub(crate) lines: usize,
    homes: usize,
    /// For each home the slot, counted over all buckets, where its first item goes.
    starts: Vec<u32>,
}

impl Segment {
    /// # Safety
    /// `word` comes from [`Segment::word`], and the result is used only while the segment is live.
    #[inline]
    pub(crate) unsafe fn from_word(word: u64) -> Self {
        Self(word)
    }

    #[inline]
    pub(crate) fn word(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn homes(self) -> usize {
        (self.0 >> 48) as usize
    }

    /// Number of hash bits, after those of the shard, that all items share.
    #[inline]
    pub(crate) fn depth(self) -> u32 {
        self.0 as u32 & 63
    }

    #[inline]
    fn base(self) -> usize {
        (self.0 & 0x0000_FFFF_FFFF_FFC0) as usize
    }

    /// The allocation, for whoever frees it.
    pub(crate) fn allocation(self) -> (*mut u8, Layout) {
        (std::ptr::with_exposed_provenance_mut(self.base()), layout(self.lines()))
    }

    #[inline]
    fn header(self) -> *mut Header {
        std::ptr::with_exposed_provenance_mut(self.base())
    }

    #[inline]
    pub(crate) fn lines(self) -> usize {
        // SAFETY: the segment is live; its first line is a header that only the owner uses.
        unsafe { (*self.header()).lines as usize }
    }

    #[inline]
    pub(crate) fn count(self) -> usize {
        // SAFETY: as in `lines`.
        unsafe { (*self.header()).count as usize }
    }

    #[inline]
    fn set_count(self, count: usize) {
        // SAFETY: as in `lines`.
        unsafe { (*self.header()).count = count as u32 };
    }

    #[inline]
    pub(crate) fn is_at_limit(self) -> bool {
        // SAFETY: as in `lines`.
        unsafe { (*self.header()).count >= (*self.header()).high }
    }

    #[inline]
    pub(crate) fn is_sparse(self) -> bool {
        // SAFETY: as in `lines`.
        unsafe { (*self.header()).count < (*self.header()).low }
    }

    /// Homes and spill.
    #[inline]
    pub(crate) fn buckets(self) -> usize {
        self.lines() - 1
    }

    #[inline]
    pub(crate) fn home(self, tag: usize) -> usize {
        home(tag, self.homes())
    }

    /// The first tag whose home lies behind bucket `bucket`; `TAGS` if there is none.
    #[inline]
    pub(crate) fn tags_end(self, bucket: usize) -> usize {
        let homes = self.homes();
        if bucket + 1 >= homes { TAGS } else { ((bucket + 1) * TAGS).div_ceil(homes) }
    }

    /// # Safety
    /// `idx` is below `buckets()`: any home is, and so is the bucket after a full one, since the
    /// last is never full.
    #[inline]
    pub(crate) unsafe fn bucket<'a>(self, idx: usize) -> &'a Bucket {
        let first = std::ptr::with_exposed_provenance::<Bucket>(self.base() + LINE);
        // SAFETY: the segment is live and holds `buckets()` initialized buckets behind the header.
        unsafe { &*first.add(idx) }
    }

    #[inline]
    pub(crate) fn prefetch_bucket(self, tag: usize) {
        prefetch(self.base() + LINE + self.home(tag) * LINE);
    }

    #[inline]
    pub(crate) fn prefetch_header(self) {
        prefetch(self.base());
    }

    /// All words in use, bucket by bucket.
    pub(crate) fn words<'a>(self) -> impl Iterator<Item = u64> + 'a {
        (0..self.buckets()).flat_map(move |idx| {
            // SAFETY: `idx` is below the number of buckets.
            let bucket = unsafe { self.bucket(idx) };
            bucket.words()
        })
    }

    /// Puts a word into the first bucket with room from its home on; `None` when only the last slot
    /// of the segment is left.
    #[inline]
    pub(crate) fn push<'a>(self, word: u64) -> Option<(&'a Bucket, usize)> {
        let mut idx = self.home(tag_of(word));
        loop {
            // SAFETY: a home, or the bucket after a full one.
            let bucket = unsafe { self.bucket(idx) };
            if bucket.is_full() {
                idx += 1;
                continue;
            }
            let slot = bucket.len();
            if slot == SLOTS - 1 && idx + 1 == self.buckets() {
                return None;
            }
            bucket.set(slot, word);
            self.set_count(self.count() + 1);
            return Some((bucket, slot));
        }
    }

    /// The slot that holds exactly `word`, which is in the segment.
    pub(crate) fn position<'a>(self, word: u64) -> (&'a Bucket, usize) {
        let mut idx = self.home(tag_of(word));
        loop {
            // SAFETY: a home, or a bucket after a full one: the word is in the segment, so all
            // before it are full.
            let bucket = unsafe { self.bucket(idx) };
            match (0..SLOTS).find(|&slot| bucket.word(slot) == word) {
                Some(slot) => return (bucket, slot),
                None => idx += 1,
            }
        }
    }

    /// Empties a slot, given by its address, and pulls back what had to spill over it.
    pub(crate) fn remove(self, slot_address: usize) {
        let offset = slot_address - (self.base() + LINE);
        let (mut hole_bucket, mut hole_slot) = (offset / LINE, offset % LINE / SLOTS);
        debug_assert!(hole_bucket < self.buckets());
        // SAFETY: the caller found an item there.
        let mut hole = unsafe { self.bucket(hole_bucket) };
        let mut full = hole.is_full();
        let mut idx = hole_bucket + 1;
        // One pass over the run of full buckets: an item whose home is at or before the hole moves
        // into it.
        while full {
            // SAFETY: the bucket after a full one.
            let bucket = unsafe { self.bucket(idx) };
            full = bucket.is_full();
            let end = self.tags_end(hole_bucket);
            if let Some(slot) = bucket.words().position(|word| tag_of(word) < end) {
                hole.set(hole_slot, bucket.word(slot));
                (hole, hole_bucket, hole_slot) = (bucket, idx, slot);
            }
            idx += 1;
        }
        let last = hole.len() - 1;
        hole.set(hole_slot, hole.word(last));
        hole.set(last, 0);
        self.set_count(self.count() - 1);
    }

    /// Decides size and layout for `words`, in at least `lines_min` lines and a size class meant
    /// for `wanted` items.
    ///
    /// Items in the order of their homes, each at its home or right behind the one before, are a
    /// valid layout, and the place of the last tells exactly how much spill is needed. Colliding
    /// hashes need more spill than usual: they get it from the homes while at least half of the
    /// buckets remain homes, then from the next size class.
    pub(crate) fn plan(words: &[u64], wanted: usize, lines_min: usize) -> Plan {
        let mut lines = lines_min.max(lines_for(wanted.max(words.len())));
        let mut starts = Vec::new();
        loop {
            let buckets = lines - 1;
            let mut homes = (buckets - spill(lines)).min(HOMES_MAX);
            loop {
                let end = layout_starts(words, homes, &mut starts);
                let needed = (end + slack(lines) + 1).div_ceil(SLOTS);
                if needed <= buckets {
                    return Plan { lines, homes, starts };
                }
                let more = needed - buckets;
                if homes < more + buckets.div_ceil(2) {
                    break;
                }
                homes -= more;
            }
            lines = next_class(lines);
        }
    }

    /// Allocates a segment and fills it as planned.
    pub(crate) fn build(words: &[u64], depth: u32, mut plan: Plan) -> Self {
        let layout = layout(plan.lines);
        // SAFETY: the layout is not empty.
        let base = unsafe { alloc_zeroed(layout) };
        if base.is_null() {
            handle_alloc_error(layout);
        }
        let slots = (plan.lines - 1) * SLOTS;
        let header = Header {
            lines: plan.lines as u32,
            count: words.len() as u32,
            high: count_max(plan.lines) as u32,
            low: if plan.lines == LINES_MIN { 3 } else { (slots * FILL_MIN / 256) as u32 },
        };
        // SAFETY: fresh memory of at least one line, aligned to 64.
        unsafe { base.cast::<Header>().write(header) };
        let address = base.expose_provenance() as u64;
        assert!(address >> 48 == 0, "user space addresses have 48 bits");
        let segment = Self((plan.homes as u64) << 48 | address | u64::from(depth));
        for &word in words {
            let start = &mut plan.starts[home(tag_of(word), plan.homes)];
            let at = *start as usize;
            *start += 1;
            debug_assert!(at + 1 < slots);
            // SAFETY: the plan was made for these words and fits them into the buckets.
            let bucket = unsafe { segment.bucket(at / SLOTS) };
            bucket.slot(at % SLOTS).store(word, Relaxed);
        }
        segment
    }
}

/// Computes where the items of each home start, and returns the slot behind the last item.
fn layout_starts(words: &[u64], homes: usize, starts: &mut Vec<u32>) -> usize {
    starts.clear();
    starts.resize(homes, 0);
    for &word in words {
        starts[home(tag_of(word), homes)] += 1;
    }
    let mut end = 0;
    for (idx, start) in starts.iter_mut().enumerate() {
        let count = *start as usize;
        let first = end.max(idx * SLOTS);
        *start = first as u32;
        if count > 0 {
            end = first + count;
        }
    }
    end
}

#[inline]
fn home(tag: usize, homes: usize) -> usize {
    (tag * homes) >> 16
}

fn layout(lines: usize) -> Layout {
    Layout::from_size_align(lines * LINE, LINE).expect("a segment is far below isize::MAX")
}

/// Most items that a segment of `lines` takes before it grows.
pub(crate) fn count_max(lines: usize) -> usize {
    let slots = (lines - 1) * SLOTS;
    if lines <= LIST_LINES_MAX { slots - 1 } else { slots * FILL_MAX / 256 }
}

/// The smallest size class that takes `count` items.
pub(crate) fn lines_for(count: usize) -> usize {
    let mut lines = LINES_MIN;
    while count_max(lines) < count {
        lines = next_class(lines);
    }
    lines
}

/// The size class after `lines`: 1, 2, ... 8, 10, 12, 14, 16, 20, 24, 28, 32, 40 ...
pub(crate) fn next_class(lines: usize) -> usize {
    if lines < 8 { lines + 1 } else { lines + (1 << lines.ilog2()) / 4 }
}

/// Buckets that are spill when the hashes are well spread.
fn spill(lines: usize) -> usize {
    match lines {
        0..=LIST_LINES_MAX => lines - 2,
        5..=40 => 1,
        _ => 2,
    }
}

/// Slots that a new layout keeps free at its end. A segment beyond the usual maximum is there
/// because hashes collide, perhaps all at its end: much more, so that it is not laid out anew for
/// every few items.
fn slack(lines: usize) -> usize {
    match lines {
        0..=LIST_LINES_MAX => 0,
        5..=SEGMENT_LINES_MAX => 3,
        _ => lines / 2,
    }
}
