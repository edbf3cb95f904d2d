//! The entries of a stream, and what it remembers of those that are gone.

use super::StreamId;
use super::node::{Entry, Node, NodeEntries};
use crate::tree::{Chunk, Chunks, Tree};
use std::cmp::Ordering;
use std::ops::RangeInclusive;

/// Entries in order. A clone is O(1).
#[derive(Clone, Debug, Default)]
pub struct Log {
    pub(super) nodes: Tree<Node>,
    pub(super) last_id: StreamId,
    pub(super) max_deleted_id: StreamId,
    pub(super) entries_added: u64,
}

/// Which entries a trim takes away, from the oldest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// Until so many are left.
    MaxLen(u64),
    /// Until none has an ID below.
    MinId(StreamId),
}

impl Log {
    /// Number of live entries.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The ID of the last entry ever added.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The greatest ID that was deleted one by one.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// The ID of the first entry.
    pub fn first_entry_id(&self) -> Option<StreamId> {
        self.range(StreamId::MIN..=StreamId::MAX).next().map(|entry| entry.id)
    }

    /// The ID of the last entry.
    pub fn last_entry_id(&self) -> Option<StreamId> {
        // PERF: mostly the last entry ever added is there.
        let node = self.nodes.last()?;
        node.entries().rev().find(|entry| !entry.deleted).map(|entry| entry.id)
    }

    /// The live entry with this ID.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        let node = self.nodes.chunk_by(|master| *master <= id)?.chunk;
        if id > node.last() {
            return None;
        }
        let entry = node.entries().find(|entry| entry.id >= id)?;
        (entry.id == id && !entry.deleted).then_some(entry)
    }

    pub fn contains(&self, id: StreamId) -> bool {
        self.get(id).is_some()
    }

    /// Looks for one entry after the other.
    pub fn finder(&self) -> Finder<'_> {
        Finder { log: self, node: None, next: None, asked: StreamId::MIN }
    }

    /// The live entries within these bounds, in order.
    pub fn range(&self, ids: RangeInclusive<StreamId>) -> Entries<'_> {
        let start =
            self.nodes.chunk_by(|master| *master <= *ids.start()).map_or(0, |spot| spot.start);
        Entries { nodes: self.nodes.range(start..usize::MAX), node: None, ids, reverse: false }
    }

    /// The same from the end.
    pub fn range_reverse(&self, ids: RangeInclusive<StreamId>) -> Entries<'_> {
        let spot = self.nodes.chunk_by(|master| *master <= *ids.end());
        let end = spot.map_or(0, |spot| spot.start + spot.chunk.len());
        Entries { nodes: self.nodes.range(0..end), node: None, ids, reverse: true }
    }

    /// The nodes, as RDB files keep them.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> + '_ {
        self.nodes.range(0..usize::MAX).map(|(node, _)| node)
    }

    /// Number of nodes. O(n) of them.
    pub fn nodes_len(&self) -> usize {
        self.nodes().count()
    }

    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        if !self.contains(id) {
            return false;
        }
        self.nodes.edit_by(|master| *master <= id, |edit| edit.chunk_mut().delete(id));
        true
    }

    /// Removes these live entries; their IDs ascend.
    pub(super) fn delete_all(&mut self, mut ids: &[StreamId]) {
        while let Some(first) = ids.first() {
            let gone = self.nodes.edit_by(
                |master| *master <= *first,
                |edit| {
                    let here = ids.partition_point(|id| *id <= edit.chunk().last());
                    edit.chunk_mut().delete_all(&ids[..here]);
                    here
                },
            );
            ids = &ids[gone.max(1)..];
        }
    }

    /// How many of the oldest entries `trim` takes away: all that it asks for, or, if it is
    /// approximate, only whole nodes with at most `limit` entries in all (0: any number).
    pub(super) fn trim_len(&self, trim: Trim, approximate: Option<usize>) -> usize {
        let exact = match trim {
            Trim::MaxLen(keep) => {
                self.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX))
            }
            Trim::MinId(id) => self.live_below(id),
        };
        let Some(limit) = approximate.filter(|_| exact > 0) else { return exact };
        let limit = if limit == 0 { usize::MAX } else { limit };
        let mut len = 0;
        for node in self.nodes() {
            let with = len + node.len();
            let whole = match trim {
                Trim::MaxLen(_) => with <= exact,
                Trim::MinId(id) => node.last() < id,
            };
            if !whole || with > limit {
                break;
            }
            len = with;
        }
        len
    }

    /// How many live entries have an ID below `id`.
    fn live_below(&self, id: StreamId) -> usize {
        let spot = self.nodes.chunk_by(|master| *master <= id);
        spot.map_or(0, |spot| spot.start + spot.chunk.live_below(id))
    }

    /// Takes the `len` oldest entries away.
    pub(super) fn drop_first(&mut self, len: usize) {
        self.nodes.remove(0..len, 0);
    }

    /// What is needed to count how far groups have read.
    pub fn counter(&self) -> Counter {
        Counter {
            len: self.len() as u64,
            added: self.entries_added,
            first_id: self.first_entry_id().unwrap_or(StreamId::MIN),
            last_id: self.last_id,
            max_deleted_id: self.max_deleted_id,
        }
    }

    /// How many live entries are within these bounds.
    pub fn len_between(&self, ids: &RangeInclusive<StreamId>) -> usize {
        let past = ids.end().next().map_or(self.len(), |past| self.live_below(past));
        past.saturating_sub(self.live_below(*ids.start()))
    }

    /// How many live entries the nodes hold that these bounds touch; no fewer than lie within.
    pub fn len_about(&self, ids: &RangeInclusive<StreamId>) -> usize {
        let start = self.nodes.chunk_by(|master| *master <= *ids.start());
        let end = self.nodes.chunk_by(|master| *master <= *ids.end());
        let start = start.map_or(0, |spot| spot.start);
        end.map_or(0, |spot| spot.start + spot.chunk.len()).saturating_sub(start)
    }
}

/// Counts how far groups have read, as far as the ends of the log and what was deleted let tell.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    len: u64,
    added: u64,
    first_id: StreamId,
    last_id: StreamId,
    max_deleted_id: StreamId,
}

impl Counter {
    /// Whether an entry from `start` on may have been deleted one by one.
    fn has_gap_from(&self, start: StreamId) -> bool {
        self.len > 0 && self.max_deleted_id != StreamId::MIN && start <= self.max_deleted_id
    }

    /// How many entries were added up to `id`.
    pub fn added_until(&self, id: StreamId) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id {
            return Some(self.added);
        }
        if id != StreamId::MIN && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.added);
        }
        if self.max_deleted_id != StreamId::MIN && self.max_deleted_id >= self.first_id {
            return None;
        }
        let gone = self.added.saturating_sub(self.len);
        match id.cmp(&self.first_id) {
            Ordering::Less => Some(gone),
            Ordering::Equal => Some(gone + 1),
            Ordering::Greater => None,
        }
    }

    /// How many of the entries ever added a group that has read up to `last_id` has not read, those
    /// among them that were trimmed away since. Of an empty stream there is nothing to read, as in
    /// Redis 8.
    pub fn lag(&self, last_id: StreamId, entries_read: Option<u64>) -> Option<i64> {
        if self.added == 0 || self.len == 0 {
            return Some(0);
        }
        let read = entries_read.filter(|_| !self.has_gap_from(last_id));
        if read.is_none() && self.len > 0 && last_id.max(self.max_deleted_id) < self.first_id {
            return Some(self.len as i64);
        }
        let read = read.or_else(|| self.added_until(last_id))?;
        Some((self.added as i64).wrapping_sub(read as i64))
    }

    /// The count of entries read by a group that goes on from `before` to read the entry `id`.
    pub fn read_next(&self, read: Option<u64>, before: StreamId, id: StreamId) -> Option<u64> {
        match read {
            Some(read) if before >= self.first_id && !self.has_gap_from(before) => {
                Some(read.saturating_add(1))
            }
            _ if self.added == 0 => read,
            _ => self.added_until(id),
        }
    }
}

/// Finds entries by their IDs. Where these ascend it takes a step from one to the next.
pub struct Finder<'a> {
    log: &'a Log,
    node: Option<(StreamId, NodeEntries<'a>)>,
    /// What was read last of the node.
    next: Option<Entry<'a>>,
    asked: StreamId,
}

impl<'a> Finder<'a> {
    /// The live entry with this ID.
    pub fn get(&mut self, id: StreamId) -> Option<Entry<'a>> {
        if id < self.asked || self.node.as_ref().is_none_or(|(last, _)| id > *last) {
            let node = self.log.nodes.chunk_by(|master| *master <= id)?.chunk;
            (self.node, self.next) = (Some((node.last(), node.entries())), None);
        }
        self.asked = id;
        let (_, entries) = self.node.as_mut()?;
        while self.next.as_ref().is_none_or(|next| next.id < id) {
            self.next = Some(entries.next()?);
        }
        self.next.clone().filter(|entry| entry.id == id && !entry.deleted)
    }

    pub fn contains(&mut self, id: StreamId) -> bool {
        self.get(id).is_some()
    }
}

/// Live entries, in order or from the end.
pub struct Entries<'a> {
    nodes: Chunks<'a, Node>,
    node: Option<NodeEntries<'a>>,
    ids: RangeInclusive<StreamId>,
    reverse: bool,
}

impl<'a> Entries<'a> {
    /// The next entry of this node, deleted or out of bounds as it may be.
    fn step(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(node) = &mut self.node {
                let entry = if self.reverse { node.next_back() } else { node.next() };
                if entry.is_some() {
                    return entry;
                }
            }
            let next = if self.reverse { self.nodes.next_back() } else { self.nodes.next() };
            self.node = Some(next?.0.entries());
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        if self.ids.is_empty() {
            return None;
        }
        loop {
            let entry = self.step()?;
            let (start, end) = (*self.ids.start(), *self.ids.end());
            let past = if self.reverse { entry.id < start } else { entry.id > end };
            if past {
                return None;
            }
            if !entry.deleted && start <= entry.id && entry.id <= end {
                return Some(entry);
            }
        }
    }
}
