//! The chunks of a large sorted set: members with their scores, in order, in three runs.

use std::cmp::Ordering;
use std::ops::Range;
use stdx::prefetch::prefetch;

use crate::tree::{Chunk, Edit, Sum};

/// A chunk is split when it has more bytes than this, by what is in it.
///
/// PERF: a chunk costs 110 bytes in the tree, so much less would waste memory, and inserting moves
/// half of its bytes (`one big zset` and `ZADD P32` of `side_by_side.py`).
pub(super) const LEAF_BYTES_MAX: usize = 4096;

/// A member from here on has a chunk of its own, so that offsets have 16 bits.
const ALONE_BYTES_MIN: usize = 1024;

/// Chunks are joined up to this.
pub(super) const JOIN_BYTES_MAX: usize = LEAF_BYTES_MAX / 4 * 3;

/// Bytes of a member beside its own.
const MEMBER_OVERHEAD: usize = size_of::<f64>() + size_of::<u16>();

/// Where an element stands: by score, then by member, byte by byte.
pub(super) fn compare(score: f64, member: &[u8], other_score: f64, other: &[u8]) -> Ordering {
    // Scores are never NaN; both zeros are equal.
    score.partial_cmp(&other_score).unwrap_or(Ordering::Equal).then_with(|| member.cmp(other))
}

/// What stands between two chunks.
#[derive(Clone, Debug, Default)]
pub(super) struct Separator {
    pub(super) score: f64,
    /// As short as it may be; mostly empty.
    pub(super) member: Box<[u8]>,
}

impl Separator {
    /// Whether it is at most this element.
    pub(super) fn is_before(&self, score: f64, member: &[u8]) -> bool {
        compare(self.score, &self.member, score, member).is_le()
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Leaf {
    scores: Vec<f64>,
    /// Where in `members` each begins; each ends where the next begins.
    starts: Vec<u16>,
    members: Vec<u8>,
    /// When each member expires, or [`NEVER`]; empty if none does.
    expiries: Vec<i64>,
}

/// The expiry of a member that stays.
pub(super) const NEVER: i64 = i64::MAX;

/// Between which times, both included, some members expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Default for Span {
    fn default() -> Self {
        Self { first: i64::MAX, last: i64::MIN }
    }
}

impl Sum for Span {
    fn join(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// Makes room for `more` elements: with some to spare, but far less than a `Vec` would take.
pub(super) fn make_room<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(list.len() / 4 + 4));
    }
}

/// Gives room back if more than half is unused.
pub(super) fn give_room_back<T>(list: &mut Vec<T>) {
    if list.len() < list.capacity() / 2 {
        list.shrink_to_fit();
    }
}

impl Leaf {
    #[inline]
    pub(super) fn score(&self, at: usize) -> f64 {
        self.scores[at]
    }

    #[inline]
    pub(super) fn member(&self, at: usize) -> &[u8] {
        let end = self.starts.get(at + 1).map_or(self.members.len(), |end| usize::from(*end));
        &self.members[usize::from(self.starts[at])..end]
    }

    #[inline]
    pub(super) fn expiry(&self, at: usize) -> i64 {
        self.expiries.get(at).copied().unwrap_or(NEVER)
    }

    /// Makes sure that each member has a place for its expiry.
    fn spread_expiries(&mut self) {
        let missing = self.scores.len() - self.expiries.len();
        make_room(&mut self.expiries, missing);
        self.expiries.resize(self.scores.len(), NEVER);
    }

    /// Keeps no expiries if none is left.
    fn settle_expiries(&mut self) {
        if self.expiries.iter().all(|at| *at == NEVER) {
            self.expiries = Vec::new();
        }
    }

    /// Number of elements before the first that `is_before` refuses.
    #[inline]
    pub(super) fn count_before(&self, is_before: impl Fn(f64, &[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.scores.len());
        while low < high {
            let middle = low.midpoint(high);
            if is_before(self.scores[middle], self.member(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The place of an element, or the one that it would have.
    #[inline]
    pub(super) fn find(&self, score: f64, member: &[u8]) -> Result<usize, usize> {
        let at = self
            .count_before(|other_score, other| compare(other_score, other, score, member).is_lt());
        let is_it = at < self.scores.len() && self.scores[at] == score && self.member(at) == member;
        if is_it { Ok(at) } else { Err(at) }
    }

    /// Whether the element at `at` may have another score and stay where it is, as far as this chunk
    /// can tell.
    fn stays(&self, at: usize, score: f64, ends: (bool, bool)) -> bool {
        let member = self.member(at);
        let is_after_left = match at.checked_sub(1) {
            Some(left) => compare(self.scores[left], self.member(left), score, member).is_lt(),
            None => ends.0,
        };
        let right = at + 1;
        is_after_left
            && if right < self.scores.len() {
                compare(score, member, self.scores[right], self.member(right)).is_lt()
            } else {
                ends.1
            }
    }

    /// Puts an element at the end, if the chunk has room for it.
    pub(super) fn push(&mut self, score: f64, member: &[u8], expiry: i64) -> bool {
        let is_full = self.used_bytes() + MEMBER_OVERHEAD + member.len() > LEAF_BYTES_MAX;
        if is_full && !self.scores.is_empty() {
            return false;
        }
        self.insert(self.scores.len(), score, member);
        if expiry != NEVER {
            self.spread_expiries();
            self.expiries[self.scores.len() - 1] = expiry;
        }
        true
    }

    fn insert(&mut self, at: usize, score: f64, member: &[u8]) {
        let old = self.members.len();
        let start = self.starts.get(at).map_or(old, |start| usize::from(*start));
        make_room(&mut self.scores, 1);
        make_room(&mut self.starts, 1);
        make_room(&mut self.members, member.len());
        self.scores.insert(at, score);
        if !self.expiries.is_empty() {
            make_room(&mut self.expiries, 1);
            self.expiries.insert(at, NEVER);
        }
        // Only long members have a start beyond 16 bits, and they are alone.
        self.starts.insert(at, start as u16);
        // PERF: what cannot overflow is added without a check, so that it is done many at a time.
        for start in &mut self.starts[at + 1..] {
            *start = start.wrapping_add(member.len() as u16);
        }
        self.members.resize(old + member.len(), 0);
        self.members.copy_within(start..old, start + member.len());
        self.members[start..start + member.len()].copy_from_slice(member);
    }

    /// Starts the first loads that a search will wait for.
    #[inline]
    pub(super) fn prefetch(&self) {
        let (scores, len) = (self.scores.as_ptr().addr(), self.scores.len());
        for at in [len / 4, len / 2, len * 3 / 4] {
            prefetch(scores + at * size_of::<f64>());
        }
    }

    fn used_bytes(&self) -> usize {
        self.scores.len() * MEMBER_OVERHEAD + self.members.len()
    }

    /// Cuts off the elements from `at` on.
    fn split_off(&mut self, at: usize) -> Self {
        let cut = self.starts.get(at).map_or(self.members.len(), |start| usize::from(*start));
        let mut right = Self {
            scores: self.scores.split_off(at),
            starts: self.starts.split_off(at),
            members: self.members.split_off(cut),
            expiries: self.expiries.split_off(at.min(self.expiries.len())),
        };
        self.settle_expiries();
        right.settle_expiries();
        right.starts.iter_mut().for_each(|start| *start = start.wrapping_sub(cut as u16));
        right
    }

    fn shrink(&mut self) {
        give_room_back(&mut self.scores);
        give_room_back(&mut self.starts);
        give_room_back(&mut self.members);
        give_room_back(&mut self.expiries);
    }

    /// The first element from which on a chunk that is too large may be cut, so that both parts are
    /// about equal in bytes.
    fn middle(&self) -> usize {
        let half = self.members.len() / 2;
        let at = self.starts.partition_point(|start| usize::from(*start) < half);
        at.clamp(1, self.scores.len() - 1)
    }
}

/// Puts an element into the chunk that is being changed.
pub(super) fn insert(edit: &mut Edit<'_, Leaf>, score: f64, member: &[u8]) {
    let at = match edit.chunk().find(score, member) {
        Ok(at) | Err(at) => at,
    };
    let (is_first, is_last) = (edit.is_first, edit.is_last);
    let len = edit.chunk().len();
    let has_long = edit.chunk().members.len() > LEAF_BYTES_MAX;
    if len > 0 && (member.len() >= ALONE_BYTES_MIN || has_long) {
        // Three chunks: what is before, the new one alone, what is after.
        let right = edit.chunk_mut().split_off(at);
        let mut alone = Leaf::default();
        alone.insert(0, score, member);
        edit.put_after(alone);
        edit.put_after(right);
        return;
    }
    let leaf = edit.chunk_mut();
    leaf.insert(at, score, member);
    if leaf.used_bytes() <= LEAF_BYTES_MAX || leaf.scores.len() < 2 {
        return;
    }
    let cut = if is_last && at == len {
        len
    } else if is_first && at == 0 {
        1
    } else {
        leaf.middle()
    };
    let right = leaf.split_off(cut);
    leaf.scores.shrink_to_fit();
    leaf.starts.shrink_to_fit();
    leaf.members.shrink_to_fit();
    leaf.expiries.shrink_to_fit();
    edit.put_after(right);
}

/// Gives the element another score if it stays where it is, else takes it out; says which: `true` if
/// it stayed. With no new score it is taken out. `None`: it is not in this chunk.
pub(super) fn change(
    edit: &mut Edit<'_, Leaf>,
    (score, member): (f64, &[u8]),
    new_score: Option<f64>,
) -> Option<bool> {
    let at = edit.chunk().find(score, member).ok()?;
    let ends = (edit.is_first, edit.is_last);
    let leaf = edit.chunk_mut();
    if let Some(new_score) = new_score
        && leaf.stays(at, new_score, ends)
    {
        leaf.scores[at] = new_score;
        return Some(true);
    }
    leaf.remove(at..at + 1);
    if leaf.used_bytes() < LEAF_BYTES_MAX / 4 {
        edit.join_bytes = JOIN_BYTES_MAX;
    }
    Some(false)
}

/// Lets a member of the chunk that is being changed expire, or stay.
pub(super) fn set_expiry(edit: &mut Edit<'_, Leaf>, score: f64, member: &[u8], expiry: i64) {
    let Ok(at) = edit.chunk().find(score, member) else { return };
    if edit.chunk().expiry(at) == expiry {
        return;
    }
    let leaf = edit.chunk_mut();
    leaf.spread_expiries();
    leaf.expiries[at] = expiry;
    if expiry == NEVER {
        leaf.settle_expiries();
    }
}

impl Chunk for Leaf {
    type Key = Separator;
    type Sum = Span;

    #[inline]
    fn len(&self) -> usize {
        self.scores.len()
    }

    fn heap_bytes(&self) -> usize {
        self.scores.capacity() * size_of::<f64>()
            + self.starts.capacity() * size_of::<u16>()
            + self.members.capacity()
            + self.expiries.capacity() * size_of::<i64>()
    }

    fn sum(&self) -> Span {
        if self.expiries.is_empty() && !self.is_empty() {
            return Span { first: NEVER, last: NEVER };
        }
        let each = |at: &i64| Span { first: *at, last: *at };
        self.expiries.iter().map(each).fold(Span::default(), Span::join)
    }

    fn separator(left: &Self, right: &Self) -> Separator {
        let (score, first) = (right.scores[0], right.member(0));
        let last = left.scores.len() - 1;
        if left.scores[last] < score {
            return Separator { score, member: Box::default() };
        }
        let last = left.member(last);
        let common = last.iter().zip(first).take_while(|(left, right)| left == right).count();
        Separator { score, member: first[..first.len().min(common + 1)].into() }
    }

    fn key_heap_bytes(key: &Separator) -> usize {
        key.member.len()
    }

    fn remove(&mut self, range: Range<usize>) {
        let end_of =
            |at: usize| self.starts.get(at).map_or(self.members.len(), |s| usize::from(*s));
        let (start, end) = (end_of(range.start), end_of(range.end));
        self.members.drain(start..end);
        self.scores.drain(range.clone());
        self.starts.drain(range.clone());
        if !self.expiries.is_empty() {
            self.expiries.drain(range.clone());
            self.settle_expiries();
        }
        for later in &mut self.starts[range.start..] {
            *later = later.wrapping_sub((end - start) as u16);
        }
        self.shrink();
    }

    fn append(&mut self, right: &Self) {
        let offset = self.members.len() as u16;
        if !self.expiries.is_empty() || !right.expiries.is_empty() {
            self.spread_expiries();
            self.expiries.extend((0..right.len()).map(|at| right.expiry(at)));
        }
        self.scores.extend_from_slice(&right.scores);
        self.starts.extend(right.starts.iter().map(|start| start.wrapping_add(offset)));
        self.members.extend_from_slice(&right.members);
    }
}
