//! The chunks of a large array: elements in order, with their indexes only where there are holes.

use std::ops::Range;

use crate::tree::{Chunk, Edit};

/// A chunk is split when it has more bytes than this.
pub(super) const RUN_BYTES_MAX: usize = 4096;

/// An element from here on has a chunk of its own, so that offsets have 16 bits.
const ALONE_BYTES_MIN: usize = 1024;

/// Chunks are joined up to this.
pub(super) const JOIN_BYTES_MAX: usize = RUN_BYTES_MAX / 4 * 3;

#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// The index of the first element.
    first: u64,
    /// The index of each element; empty if there is no hole between them.
    indexes: Vec<u64>,
    /// Where in `texts` each begins; each ends where the next begins.
    starts: Vec<u16>,
    texts: Vec<u8>,
}

impl Run {
    /// The index of the element at `at`, which there is.
    #[inline]
    pub(super) fn index(&self, at: usize) -> u64 {
        // Indexes end before the last number, so the sum is one.
        self.indexes.get(at).copied().unwrap_or_else(|| self.first + at as u64)
    }

    pub(super) fn last_index(&self) -> Option<u64> {
        self.starts.len().checked_sub(1).map(|last| self.index(last))
    }

    #[inline]
    pub(super) fn text(&self, at: usize) -> &[u8] {
        &self.texts[self.start(at)..self.start(at + 1)]
    }

    /// Where the element at `at` begins, or all ends.
    #[inline]
    fn start(&self, at: usize) -> usize {
        self.starts.get(at).map_or(self.texts.len(), |start| usize::from(*start))
    }

    /// The place of an element, or the one that it would have.
    #[inline]
    pub(super) fn find(&self, index: u64) -> Result<usize, usize> {
        if !self.indexes.is_empty() {
            return self.indexes.binary_search(&index);
        }
        let Some(at) = index.checked_sub(self.first) else { return Err(0) };
        let len = self.starts.len();
        match usize::try_from(at) {
            Ok(at) if at < len => Ok(at),
            _ => Err(len),
        }
    }

    /// Whether its elements stand side by side.
    pub(super) fn is_dense(&self) -> bool {
        self.indexes.is_empty()
    }

    fn used_bytes(&self) -> usize {
        self.indexes.len() * size_of::<u64>()
            + self.starts.len() * size_of::<u16>()
            + self.texts.len()
    }

    /// Puts an element behind all others, if the chunk has room for it.
    pub(super) fn push(&mut self, index: u64, text: &[u8]) -> bool {
        let more = size_of::<u64>() + size_of::<u16>() + text.len();
        if !self.starts.is_empty() && self.used_bytes() + more > RUN_BYTES_MAX {
            return false;
        }
        self.insert(self.starts.len(), index, text);
        true
    }

    fn insert(&mut self, at: usize, index: u64, text: &[u8]) {
        let len = self.starts.len();
        let extends_back = at == len && (len == 0 || self.last_index() == index.checked_sub(1));
        let extends_front = at == 0 && len > 0 && index.checked_add(1) == Some(self.first);
        if !self.indexes.is_empty() || !(extends_back || extends_front) {
            self.spell_out();
            make_room(&mut self.indexes, 1);
            self.indexes.insert(at, index);
        }
        if at == 0 {
            self.first = index;
        }
        let start = self.start(at);
        make_room(&mut self.starts, 1);
        // Only long texts have a start beyond 16 bits, and they are alone.
        self.starts.insert(at, start as u16);
        self.splice(at, 0, text);
        self.close_up();
    }

    /// Puts `text` where the element at `at` begins, in the place of `old` bytes of it.
    fn splice(&mut self, at: usize, old: usize, text: &[u8]) {
        let (start, len, new) = (self.start(at), self.texts.len(), text.len());
        if new > old {
            make_room(&mut self.texts, new - old);
            self.texts.resize(len + (new - old), 0);
        }
        self.texts.copy_within(start + old..len, start + new);
        self.texts.truncate(len - old + new);
        self.texts[start..start + new].copy_from_slice(text);
        // PERF: what cannot overflow is added without a check, so that it is done many at a time.
        let shift = (new as u16).wrapping_sub(old as u16);
        self.starts[at + 1..].iter_mut().for_each(|start| *start = start.wrapping_add(shift));
    }

    /// Writes the indexes down, if they are not.
    fn spell_out(&mut self) {
        if self.indexes.is_empty() && !self.starts.is_empty() {
            self.indexes.reserve_exact(self.starts.len() + 1);
            self.indexes.extend((0..self.starts.len() as u64).map(|at| self.first + at));
        }
    }

    /// Drops the indexes, if there is no hole between them.
    fn close_up(&mut self) {
        if let (Some(first), Some(last)) = (self.indexes.first(), self.indexes.last())
            && last - first == self.indexes.len() as u64 - 1
        {
            self.first = *first;
            self.indexes = Vec::new();
        }
    }

    /// Cuts off the elements from `at` on.
    fn split_off(&mut self, at: usize) -> Self {
        let cut = self.start(at);
        let first = if at < self.starts.len() { self.index(at) } else { 0 };
        let mut right = Self {
            first,
            indexes: self.indexes.split_off(at.min(self.indexes.len())),
            starts: self.starts.split_off(at),
            texts: self.texts.split_off(cut),
        };
        right.starts.iter_mut().for_each(|start| *start = start.wrapping_sub(cut as u16));
        self.close_up();
        right.close_up();
        right
    }

    fn shrink(&mut self) {
        give_room_back(&mut self.indexes);
        give_room_back(&mut self.starts);
        give_room_back(&mut self.texts);
    }

    /// Nothing will be added soon.
    pub(super) fn seal(&mut self) {
        self.indexes.shrink_to_fit();
        self.starts.shrink_to_fit();
        self.texts.shrink_to_fit();
    }
}

/// Makes room for `more` elements: with some to spare, but far less than a `Vec` would take.
fn make_room<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(list.len() / 4 + 4));
    }
}

/// Gives room back if more than half is unused.
fn give_room_back<T>(list: &mut Vec<T>) {
    if list.len() < list.capacity() / 2 {
        list.shrink_to_fit();
    }
}

/// Puts an element into the chunk that is being changed; answers whether there was none of `index`.
pub(super) fn set(edit: &mut Edit<'_, Run>, index: u64, text: &[u8]) -> bool {
    let found = edit.chunk().find(index);
    let (at, had) = match found {
        Ok(at) => (at, 1),
        Err(at) => (at, 0),
    };
    let len = edit.chunk().starts.len();
    let has_long = edit.chunk().texts.len() > RUN_BYTES_MAX;
    if len > had && (text.len() >= ALONE_BYTES_MIN || has_long) {
        // Three chunks: what is before, the new one alone, what is after.
        let run = edit.chunk_mut();
        let right = run.split_off(at + had);
        run.remove(at..at + had);
        let mut alone = Run::default();
        alone.insert(0, index, text);
        edit.put_after(alone);
        edit.put_after(right);
        return had == 0;
    }
    let (is_first, is_last) = (edit.is_first, edit.is_last);
    let run = edit.chunk_mut();
    if had == 1 {
        let old = run.text(at).len();
        run.splice(at, old, text);
    } else {
        run.insert(at, index, text);
    }
    let len = run.starts.len();
    if run.used_bytes() > RUN_BYTES_MAX && len > 1 {
        let cut = match at {
            _ if had == 1 => len / 2,
            at if is_last && at + 1 == len => at,
            0 if is_first => 1,
            _ => len / 2,
        };
        let right = run.split_off(cut);
        run.seal();
        edit.put_after(right);
    }
    had == 0
}

/// Takes an element out of the chunk that is being changed; answers whether there was one.
pub(super) fn remove(edit: &mut Edit<'_, Run>, index: u64) -> bool {
    let Ok(at) = edit.chunk().find(index) else { return false };
    let run = edit.chunk_mut();
    run.remove(at..at + 1);
    if run.used_bytes() < RUN_BYTES_MAX / 4 {
        edit.join_bytes = JOIN_BYTES_MAX;
    }
    true
}

impl Chunk for Run {
    type Key = u64;
    type Sum = ();

    #[inline]
    fn len(&self) -> usize {
        self.starts.len()
    }

    fn heap_bytes(&self) -> usize {
        self.indexes.capacity() * size_of::<u64>()
            + self.starts.capacity() * size_of::<u16>()
            + self.texts.capacity()
    }

    fn separator(_: &Self, right: &Self) -> u64 {
        right.index(0)
    }

    fn remove(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let len = self.starts.len();
        let (start, end) = (self.start(range.start), self.start(range.end));
        if range.start > 0 && range.end < len {
            self.spell_out();
        } else if range.start == 0 && range.end < len {
            self.first = self.index(range.end);
        }
        if !self.indexes.is_empty() {
            self.indexes.drain(range.clone());
        }
        self.texts.drain(start..end);
        self.starts.drain(range.clone());
        let cut = (end - start) as u16;
        self.starts[range.start..].iter_mut().for_each(|later| *later = later.wrapping_sub(cut));
        self.close_up();
        self.shrink();
    }

    fn append(&mut self, right: &Self) {
        let follows = self.is_dense() && right.is_dense();
        let follows =
            follows && self.last_index().and_then(|last| last.checked_add(1)) == Some(right.first);
        if !follows {
            self.spell_out();
            self.indexes.extend((0..right.starts.len()).map(|at| right.index(at)));
        }
        let offset = self.texts.len() as u16;
        self.starts.extend(right.starts.iter().map(|start| start.wrapping_add(offset)));
        self.texts.extend_from_slice(&right.texts);
    }
}
