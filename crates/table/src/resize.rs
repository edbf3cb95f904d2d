//! How a table grows and shrinks: one segment at a time.

use stdx::prefetch::prefetch;

use crate::bucket::{Bucket, LINE, TAG, TAG_SHIFT, tag_of};
use crate::directory::{Directory, tag_at};
use crate::item::{Borrowed, Item, address};
use crate::segment::{LINES_MIN, SEGMENT_LINES_MAX, Segment, count_max, lines_for};
use crate::table::Table;

/// Directory bits and shard bits together. With a tag's 16 that makes 48 bits that decide a place.
const PREFIX_BITS_MAX: u32 = 32;
/// A directory may have this many entries whatever its segments, which takes apart hashes that
/// share up to 14 bits ...
const DIRECTORY_FREE: usize = 1 << 14;
/// ... and this many per segment. Well spread hashes need two.
const DIRECTORY_PER_SEGMENT: usize = 8;
/// Items are prefetched this far ahead when their keys are hashed.
const AHEAD: usize = 24;

impl<T: Item, H: Fn(&[u8]) -> u64> Table<T, H> {
    /// The first segments, of the least size, and a directory of `depth` bits for them.
    pub(crate) fn plant(&mut self, depth: u32) {
        self.directory = Directory::allocate(depth);
        self.renew_stamp();
        self.bytes += self.directory.bytes();
        for idx in 0..self.directory.len() {
            let segment = Segment::build(&[], depth, Segment::plan(&[], 0, LINES_MIN));
            self.directory.fill(idx, 1, segment);
            self.bytes += segment.lines() * LINE;
        }
        (self.segments, self.deepest) = (self.directory.len(), self.directory.len());
        self.show();
    }

    /// Tells a table that has never held anything how many items will come, so that its segments
    /// need not be split, for which all items are read. Takes about a byte for each.
    pub fn expect(&mut self, items: usize) {
        /// A segment is about so full on the way from one split to the next.
        const FILL_PERCENT: usize = 70;
        let fill = count_max(SEGMENT_LINES_MAX) * FILL_PERCENT / 100;
        let most = DIRECTORY_FREE.ilog2().min(PREFIX_BITS_MAX - self.shard_bits);
        let depth = (0..most).find(|depth| items >> depth <= fill).unwrap_or(most);
        if self.directory.is_none() && depth > 0 {
            self.plant(depth);
        }
    }

    /// Makes room for `word` in a segment that has none: places it in a larger layout of the
    /// segment, or splits the segment, in which case the caller tries again.
    #[cold]
    pub(crate) fn make_room<'a>(
        &mut self,
        position: u64,
        segment: Segment,
        word: u64,
    ) -> Option<(&'a Bucket, usize)> {
        let mut words = Vec::with_capacity(segment.count() + 1);
        words.extend(segment.words());
        words.push(word);
        let plan = Segment::plan(&words, words.len(), segment.lines());
        if plan.lines > SEGMENT_LINES_MAX && self.may_split(segment) {
            words.pop();
            self.split(position, segment, &words);
            return None;
        }
        let grown = Segment::build(&words, segment.depth(), plan);
        self.replace(position, segment, grown);
        Some(grown.position(word))
    }

    fn may_split(&self, segment: Segment) -> bool {
        let (depth, directory) = (segment.depth(), self.directory);
        depth < PREFIX_BITS_MAX - self.shard_bits
            && (depth < directory.depth()
                || directory.len() * 2 <= DIRECTORY_FREE + DIRECTORY_PER_SEGMENT * self.segments)
    }

    /// Splits a segment by the first bit of the tags. Each tag moves on by one bit of the hash,
    /// which only the key can tell.
    fn split(&mut self, position: u64, segment: Segment, words: &[u64]) {
        let depth = segment.depth() + 1;
        let mut sides = [Vec::with_capacity(words.len()), Vec::with_capacity(words.len())];
        for (idx, &word) in words.iter().enumerate() {
            if let Some(&ahead) = words.get(idx + AHEAD) {
                prefetch(address(ahead).as_ptr().addr());
            }
            // SAFETY: a slot in use of this table.
            let item = unsafe { Borrowed::<T>::new(word) };
            let item_position = self.position((self.hasher)(item.key()));
            assert!(
                tag_at(item_position, segment.depth()) == tag_of(word),
                "the hash of a key changed"
            );
            let side = tag_of(word) >> 15;
            sides[side].push((tag_at(item_position, depth) as u64) << TAG_SHIFT | word & !TAG);
        }
        if depth > self.directory.depth() {
            self.double();
        }
        let bit = 1 << (64 - depth);
        for (words, position) in sides.iter().zip([position & !bit, position | bit]) {
            let half = Segment::build(words, depth, Segment::plan(words, words.len(), LINES_MIN));
            self.bytes += half.lines() * LINE;
            self.directory.set(position, half);
        }
        self.segments += 1;
        if depth == self.directory.depth() {
            self.deepest += 2;
        }
        self.retire(segment.allocation());
    }

    /// Doubles the directory.
    fn double(&mut self) {
        let old = self.directory;
        let doubled = Directory::allocate(old.depth() + 1);
        for (idx, segment) in old.segments_by_index() {
            doubled.fill(2 * idx, 2 * old.span(segment), segment);
        }
        self.deepest = 0;
        self.change_directory(doubled);
    }

    fn change_directory(&mut self, directory: Directory) {
        let old = std::mem::replace(&mut self.directory, directory);
        self.bytes += directory.bytes();
        self.show();
        self.retire(old.allocation());
    }

    /// Puts `new` in the place of `old`, of the same depth.
    fn replace(&mut self, position: u64, old: Segment, new: Segment) {
        self.bytes += new.lines() * LINE;
        self.directory.set(position, new);
        self.retire(old.allocation());
    }

    /// Gives memory back after a removal from a segment that has become sparse: merges it with its
    /// sibling as often as that works, else lays it out smaller. An empty table keeps the smallest
    /// segment: one key that comes and goes, as a queue does, moves no memory.
    #[cold]
    pub(crate) fn make_smaller(&mut self, position: u64) {
        let mut merged = false;
        while self.merge(position) {
            merged = true;
        }
        let (segment, _) = self.directory.lookup(position);
        if !merged {
            let wanted = segment.count() + segment.count() / 4;
            if lines_for(wanted) < segment.lines() {
                let words: Vec<u64> = segment.words().collect();
                let plan = Segment::plan(&words, wanted, LINES_MIN);
                // Colliding hashes may need what they have.
                if plan.lines < segment.lines() {
                    let shrunk = Segment::build(&words, segment.depth(), plan);
                    self.replace(position, segment, shrunk);
                }
            }
        }
    }

    /// Merges the segment of a position with its sibling if they fit into half of the largest
    /// segment. Tags lose their last bit and get the bit that told the two apart, so the items are
    /// not read.
    fn merge(&mut self, position: u64) -> bool {
        let (segment, _) = self.directory.lookup(position);
        let depth = segment.depth();
        if depth == 0 {
            return false;
        }
        let bit = 1 << (64 - depth);
        let (left, _) = self.directory.lookup(position & !bit);
        let (right, _) = self.directory.lookup(position | bit);
        let count = left.count() + right.count();
        if left.depth() != right.depth() || count > count_max(SEGMENT_LINES_MAX) / 2 {
            return false;
        }
        let mut words = Vec::with_capacity(count);
        for (side, segment) in [(0, left), (1, right)] {
            words.extend(
                segment.words().map(|word| side << 63 | (word & TAG) >> 1 & TAG | word & !TAG),
            );
        }
        let plan = Segment::plan(&words, count + count / 8, LINES_MIN);
        let merged = Segment::build(&words, depth - 1, plan);
        self.bytes += merged.lines() * LINE;
        self.directory.set(position, merged);
        self.segments -= 1;
        if depth == self.directory.depth() {
            self.deepest -= 2;
        }
        self.retire(left.allocation());
        self.retire(right.allocation());
        while self.deepest == 0 {
            self.halve();
        }
        true
    }

    /// Halves a directory in which every segment fills two entries at least.
    fn halve(&mut self) {
        let old = self.directory;
        let halved = Directory::allocate(old.depth() - 1);
        self.deepest = 0;
        for (idx, segment) in old.segments_by_index() {
            let span = old.span(segment) / 2;
            halved.fill(idx / 2, span, segment);
            self.deepest += usize::from(span == 1);
        }
        self.change_directory(halved);
    }
}
