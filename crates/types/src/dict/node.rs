//! A node: 32 slots by five bits of hash, each leading to a segment or to a node of the next level.

use triomphe::Arc;

use stdx::hash::{Seed, sip13};
use stdx::prefetch::prefetch;
use stdx::rng::Rng;

use super::record::Record;
use super::segment::{Put, Segment, TAG_BITS};
use super::{Totals, earlier};

const SLOT_BITS: u32 = 5;
const SLOTS: usize = 1 << SLOT_BITS;
/// The deepest level: tags there end where cursors end.
const LEVEL_MAX: u32 = 6;
const _: () = assert!(LEVEL_MAX * SLOT_BITS + TAG_BITS <= super::CURSOR_BITS);

#[derive(Clone)]
pub(super) struct Node {
    /// Child of each slot. Those of a segment are neighbors: `32 >> depth` slots.
    index: [u8; SLOTS],
    children: Vec<Child>,
}

#[derive(Clone)]
pub(super) enum Child {
    Segment(Segment),
    Node { node: Arc<Node>, len: usize, earliest: Option<i64> },
}

fn slot_of(hash: u64, level: u32) -> usize {
    (hash << (level * SLOT_BITS) >> (64 - SLOT_BITS)) as usize
}

fn tag_of(hash: u64, level: u32) -> u32 {
    (hash << (level * SLOT_BITS) >> (64 - TAG_BITS)) as u32
}

impl Child {
    fn len(&self) -> usize {
        match self {
            Self::Segment(segment) => segment.count(),
            Self::Node { len, .. } => *len,
        }
    }

    fn earliest(&self) -> Option<i64> {
        match self {
            Self::Segment(segment) => segment.earliest,
            Self::Node { earliest, .. } => *earliest,
        }
    }
}

/// A way down to a segment.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    node: &'a Node,
    hash: u64,
    level: u32,
}

impl<'a> Way<'a> {
    #[inline]
    pub(super) fn new(root: &'a Node, hash: u64) -> Self {
        Self { node: root, hash, level: 0 }
    }

    #[inline]
    fn child(&self) -> &'a Child {
        self.node.child(slot_of(self.hash, self.level))
    }

    /// Asks for the next child.
    #[inline]
    pub(super) fn prefetch_child(&self) {
        let child = (&raw const *self.child()).addr();
        prefetch(child);
        prefetch(child + size_of::<Child>() - 1);
    }

    /// Goes to the next node, if there is one, and asks for it.
    #[inline]
    pub(super) fn descend(&mut self) -> bool {
        let Child::Node { node, .. } = self.child() else { return false };
        let at = (&raw const **node).addr();
        prefetch(at);
        prefetch(at + size_of::<Node>() - 1);
        self.node = node;
        self.level += 1;
        true
    }

    /// The segment, and the tag under which the hash is there.
    #[inline]
    pub(super) fn segment(mut self) -> (&'a Segment, u32) {
        loop {
            match self.child() {
                Child::Segment(segment) => return (segment, tag_of(self.hash, self.level)),
                Child::Node { node, .. } => self.node = node,
            }
            self.level += 1;
        }
    }
}

impl Node {
    pub(super) fn new() -> Self {
        Self::of(Segment::empty(0))
    }

    fn of(segment: Segment) -> Self {
        Self { index: [0; SLOTS], children: vec![Child::Segment(segment)] }
    }

    /// Bytes on the heap, those of child nodes left out.
    pub(super) fn own_heap(&self) -> usize {
        let segments = self.children.iter().map(|child| match child {
            Child::Segment(segment) => segment.heap(),
            Child::Node { .. } => 0,
        });
        self.frame_heap() + segments.sum::<usize>()
    }

    /// Bytes on the heap for the node alone.
    fn frame_heap(&self) -> usize {
        size_of::<usize>() + size_of::<Self>() + self.children.len() * size_of::<Child>()
    }

    pub(super) fn earliest(&self) -> Option<i64> {
        self.children.iter().map(Child::earliest).fold(None, earlier)
    }

    /// The children; only the node is copied if it is shared.
    pub(super) fn into_children(this: Arc<Self>) -> Vec<Child> {
        Arc::try_unwrap(this).map_or_else(|this| this.children.clone(), |this| this.children)
    }

    pub(super) fn children(&self) -> &[Child] {
        &self.children
    }

    #[inline]
    fn child(&self, slot: usize) -> &Child {
        &self.children[usize::from(self.index[slot])]
    }

    #[inline]
    pub(super) fn get(&self, hash: u64, key: &[u8]) -> Option<Record<'_>> {
        let (segment, tag) = Way::new(self, hash).segment();
        segment.get(tag, key)
    }

    /// Says whether the key is new.
    pub(super) fn insert(
        this: &mut Arc<Self>,
        level: u32,
        hash: u64,
        record: Record<'_>,
        seed: Seed,
        totals: &mut Totals,
    ) -> bool {
        let node = Arc::make_mut(this);
        let slot = slot_of(hash, level);
        loop {
            let child = &mut node.children[usize::from(node.index[slot])];
            match child {
                Child::Node { node: next, len, earliest } => {
                    let is_new = Self::insert(next, level + 1, hash, record, seed, totals);
                    *len += usize::from(is_new);
                    *earliest = earlier(*earliest, record.expiry);
                    return is_new;
                }
                Child::Segment(segment) => {
                    let before = segment.heap();
                    let put = segment.put(tag_of(hash, level), record);
                    totals.replace_heap(before, segment.heap());
                    let is_new = match put {
                        Put::New => true,
                        Put::Replaced(old_expiry) => {
                            totals.expiring -= usize::from(old_expiry.is_some());
                            false
                        }
                        Put::Full => {
                            node.split(slot, level, seed, totals);
                            continue;
                        }
                    };
                    totals.expiry(record.expiry);
                    return is_new;
                }
            }
        }
    }

    /// Splits the full segment of a slot in two, or turns it into a node if it has but this slot.
    fn split(&mut self, slot: usize, level: u32, seed: Seed, totals: &mut Totals) {
        let frame = self.frame_heap();
        let at = self.index[slot];
        let Child::Segment(full) = &self.children[usize::from(at)] else { return };
        let full_heap = full.heap();
        let span = SLOTS >> full.depth;
        if span > 1 {
            let (lower, upper) = full.split();
            totals.replace_heap(full_heap, lower.heap() + upper.heap());
            let middle = (slot & !(span - 1)) + span / 2;
            self.index[middle..middle + span / 2].fill(self.children.len() as u8);
            self.children[usize::from(at)] = Child::Segment(lower);
            // Exactly: a clone has no spare capacity either, and both count the same.
            self.children.reserve_exact(1);
            self.children.push(Child::Segment(upper));
        } else {
            assert!(level < LEVEL_MAX, "a segment's worth of equal hashes");
            let below = level + 1;
            let whole = Segment::gather(&[full], 0, |_, record| {
                Some(tag_of(sip13(seed, record.key), below))
            });
            let (len, earliest) = (whole.count(), whole.earliest);
            let node = Self::of(whole);
            totals.replace_heap(full_heap, node.own_heap());
            self.children[usize::from(at)] = Child::Node { node: Arc::new(node), len, earliest };
        }
        totals.replace_heap(frame, self.frame_heap());
    }

    /// Removes a record that is there.
    pub(super) fn remove(
        this: &mut Arc<Self>,
        level: u32,
        hash: u64,
        key: &[u8],
        seed: Seed,
        totals: &mut Totals,
    ) {
        let node = Arc::make_mut(this);
        let slot = slot_of(hash, level);
        match &mut node.children[usize::from(node.index[slot])] {
            Child::Node { node: next, len, .. } => {
                Self::remove(next, level + 1, hash, key, seed, totals);
                *len -= 1;
                node.pull_up(slot, level, seed, totals);
            }
            Child::Segment(segment) => {
                let before = segment.heap();
                let expiry = segment.remove(tag_of(hash, level), key).flatten();
                totals.expiring -= usize::from(expiry.is_some());
                totals.replace_heap(before, segment.heap());
                while node.merge(slot, totals) {}
            }
        }
    }

    /// Merges the segment of a slot with its neighbor, if both are small. Says whether it did.
    fn merge(&mut self, slot: usize, totals: &mut Totals) -> bool {
        let Child::Segment(one) = self.child(slot) else { return false };
        if one.depth == 0 {
            return false;
        }
        let span = SLOTS >> one.depth;
        let first = slot & !(span - 1);
        let Child::Segment(other) = self.child(first ^ span) else { return false };
        if other.depth != one.depth || !one.fits_with(other) {
            return false;
        }
        let merged = Segment::gather(&[one, other], one.depth - 1, |tag, _| Some(tag));
        totals.replace_heap(one.heap() + other.heap(), merged.heap());
        let frame = self.frame_heap();
        let (keep, gone) = (self.index[first], self.index[first ^ span]);
        self.index[first ^ span..][..span].fill(keep);
        self.children[usize::from(keep)] = Child::Segment(merged);
        self.children.swap_remove(usize::from(gone));
        let moved = self.children.len() as u8;
        for entry in &mut self.index {
            if *entry == moved {
                *entry = gone;
            }
        }
        self.children.shrink_to_fit();
        totals.replace_heap(frame, self.frame_heap());
        true
    }

    /// Turns the child node of a slot back into a segment, if it has one small segment.
    fn pull_up(&mut self, slot: usize, level: u32, seed: Seed, totals: &mut Totals) {
        let at = usize::from(self.index[slot]);
        let Child::Node { node, .. } = &self.children[at] else { return };
        let [Child::Segment(only)] = node.children() else { return };
        if !only.fits_with(&Segment::empty(0)) {
            return;
        }
        let depth = SLOT_BITS as u8;
        let whole = Segment::gather(&[only], depth, |_, record| {
            Some(tag_of(sip13(seed, record.key), level))
        });
        totals.replace_heap(node.own_heap(), whole.heap());
        self.children[at] = Child::Segment(whole);
        while self.merge(slot, totals) {}
    }

    /// See [`super::Dict::expire`]. What has become small stays until the next removal.
    pub(super) fn expire(
        this: &mut Arc<Self>,
        now: i64,
        budget: usize,
        gone: &mut impl FnMut(Record<'_>),
        totals: &mut Totals,
    ) -> usize {
        let node = Arc::make_mut(this);
        let mut removed = 0;
        for child in &mut node.children {
            if removed >= budget {
                break;
            }
            if child.earliest().is_none_or(|at| at > now) {
                continue;
            }
            match child {
                Child::Segment(segment) => {
                    let before = segment.heap();
                    let count = segment.expire(now, gone);
                    totals.replace_heap(before, segment.heap());
                    totals.expiring -= count;
                    removed += count;
                }
                Child::Node { node: next, len, earliest } => {
                    let count = Self::expire(next, now, budget - removed, gone, totals);
                    *len -= count;
                    *earliest = next.earliest();
                    removed += count;
                }
            }
        }
        removed
    }

    /// See [`super::Dict::each_due`].
    pub(super) fn each_due<'a>(&'a self, now: i64, visit: &mut impl FnMut(Record<'a>)) {
        for child in &self.children {
            if child.earliest().is_none_or(|at| at > now) {
                continue;
            }
            match child {
                Child::Segment(segment) => {
                    let mut at = 0;
                    while let Some((record, next)) = segment.next(at) {
                        if record.expiry.is_some_and(|at| at <= now) {
                            visit(record);
                        }
                        at = next;
                    }
                }
                Child::Node { node, .. } => node.each_due(now, visit),
            }
        }
    }

    /// A random record of the child that holds the record of number `rank`.
    pub(super) fn random(&self, mut rank: usize, rng: &mut Rng) -> Record<'_> {
        for child in &self.children {
            if rank < child.len() {
                return match child {
                    Child::Segment(segment) => segment.random(rng),
                    Child::Node { node, .. } => node.random(rank, rng),
                };
            }
            rank -= child.len();
        }
        unreachable!("a rank below the number of records")
    }

    /// Visits the records of the home bucket at a position of hash space, from there on. Returns the
    /// position of the next, `None` at the end, and the number of records.
    pub(super) fn scan_bucket(
        &self,
        position: u64,
        visit: &mut impl FnMut(Record<'_>),
    ) -> (Option<u64>, usize) {
        let (mut node, mut level) = (self, 0);
        loop {
            match node.child(slot_of(position, level)) {
                Child::Segment(segment) => {
                    let (end, visited) = segment.scan_home(tag_of(position, level), visit);
                    let used = level * SLOT_BITS;
                    let first = position & !(u64::MAX >> used);
                    let next = if end < 1 << TAG_BITS {
                        Some(first | u64::from(end) << (64 - TAG_BITS - used))
                    } else if used == 0 {
                        None
                    } else {
                        first.checked_add(1 << (64 - used))
                    };
                    return (next, visited);
                }
                Child::Node { node: next, .. } => node = next,
            }
            level += 1;
        }
    }

    /// Checks the invariants and returns the records and the bytes on the heap.
    #[cfg(test)]
    pub(super) fn check(&self) -> (usize, usize) {
        let mut slot = 0;
        let (mut records, mut heap) = (0, self.frame_heap());
        let mut seen = 0;
        while slot < SLOTS {
            seen += 1;
            let child = self.child(slot);
            records += child.len();
            match child {
                Child::Segment(segment) => {
                    let span = SLOTS >> segment.depth;
                    assert!(slot % span == 0);
                    assert!(self.index[slot..slot + span].iter().all(|&at| at == self.index[slot]));
                    segment.check((slot as u32) << (TAG_BITS - SLOT_BITS));
                    heap += segment.heap();
                    slot += span;
                }
                Child::Node { node, len, earliest } => {
                    let (below, bytes) = node.check();
                    assert_eq!(below, *len);
                    if let Some(at) = node.earliest() {
                        assert!(earliest.is_some_and(|earliest| earliest <= at));
                    }
                    heap += bytes;
                    slot += 1;
                }
            }
        }
        assert_eq!(seen, self.children.len());
        (records, heap)
    }
}
