//! What a connection has still to send.
//!
//! ```text
//!   bytes   [sent····|$5 hello $1048576 ↑ $3 foo ]      small things, contiguous
//!   chunks                              └ 1 MB, shared   placed at an offset of `bytes`
//! ```
//!
//! A value of 100 MB is queued by reference. Sending goes by slices for one vectored write;
//! [`Out::advance`] tells how much of them was taken.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;

/// From this size on a shared value is queued by reference; below, a copy is cheaper.
pub const SHARED_BYTES_MIN: usize = 16 * 1024;
/// Bytes already sent are dropped from the vector when they are this many and half of it.
const SENT_BYTES_KEPT: usize = 64 * 1024;

/// A part of a shared, immutable value.
#[derive(Clone)]
pub struct Chunk {
    owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
    start: usize,
    len: usize,
}

impl Chunk {
    /// The whole of `owner`.
    pub fn new<T: AsRef<[u8]> + Send + Sync + 'static>(owner: Arc<T>) -> Self {
        let len = (*owner).as_ref().len();
        Self { owner, start: 0, len }
    }

    /// The bytes from `start` on, `len` of them, as far as there are any.
    pub fn part(&self, start: usize, len: usize) -> Self {
        let start = start.min(self.len);
        let len = len.min(self.len - start);
        Self { owner: Arc::clone(&self.owner), start: self.start + start, len }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn as_bytes(&self) -> &[u8] {
        let whole = (*self.owner).as_ref();
        whole.get(self.start..self.start + self.len).expect("a shared value does not change")
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} bytes)", self.len)
    }
}

#[derive(Debug)]
struct Placed {
    /// The offset in `bytes` before which the chunk is to be sent.
    at: usize,
    chunk: Chunk,
}

/// Bytes to be sent, in order.
// INVARIANT: sent <= bytes.len(); chunks are ordered by `at`, and each `at` is in sent..=bytes.len().
#[derive(Debug, Default)]
pub struct Out {
    pub(crate) bytes: Vec<u8>,
    chunks: VecDeque<Placed>,
    /// Bytes of `bytes` that were sent.
    sent: usize,
    /// Bytes of the first chunk that were sent.
    sent_of_chunk: usize,
    /// Bytes of all chunks that were not sent.
    chunk_bytes: usize,
}

/// A place in an [`Out`], to cut it back to. Void after [`Out::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    bytes: usize,
    chunks: usize,
}

impl Out {
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that are still to be sent.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent + self.chunk_bytes
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it keeps from being freed: its own capacity, and what it shares.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.chunk_bytes + self.chunks.capacity() * size_of::<Placed>()
    }

    /// The bytes, if all of them lie in one piece.
    #[inline]
    pub fn as_contiguous(&self) -> Option<&[u8]> {
        if self.chunks.is_empty() { self.bytes.get(self.sent..) } else { None }
    }

    /// Appends bytes.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a shared value, by reference if it is large.
    pub fn push_chunk(&mut self, chunk: Chunk) {
        if chunk.len() < SHARED_BYTES_MIN {
            self.bytes.extend_from_slice(chunk.as_bytes());
        } else {
            self.chunk_bytes += chunk.len();
            self.chunks.push_back(Placed { at: self.bytes.len(), chunk });
        }
    }

    /// Moves everything from `other`, which is left empty, to the end.
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() && (other.bytes.len() >= SHARED_BYTES_MIN || !other.chunks.is_empty()) {
            self.clear();
            std::mem::swap(self, other);
            return;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes[other.sent..]);
        for Placed { at, chunk } in other.chunks.drain(..) {
            let chunk = chunk.part(std::mem::take(&mut other.sent_of_chunk), usize::MAX);
            self.chunk_bytes += chunk.len();
            self.chunks.push_back(Placed { at: at - other.sent + start, chunk });
        }
        other.clear();
    }

    /// Fills `into` with what is to be sent next; answers how many slices that is.
    pub fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let slices_max = into.len();
        let mut count = 0;
        let mut put = |bytes: &'a [u8]| {
            if !bytes.is_empty() && count < slices_max {
                into[count] = IoSlice::new(bytes);
                count += 1;
            }
        };
        let (mut at, mut skip) = (self.sent, self.sent_of_chunk);
        // Every chunk fills a slice, so more chunks than slices need not be visited.
        for placed in self.chunks.iter().take(slices_max) {
            put(&self.bytes[at..placed.at]);
            put(&placed.chunk.as_bytes()[skip..]);
            (at, skip) = (placed.at, 0);
        }
        if self.chunks.len() <= slices_max {
            put(&self.bytes[at..]);
        }
        count
    }

    /// Notes that the first `sent` bytes were sent. Bytes that are not there are ignored.
    pub fn advance(&mut self, mut sent: usize) {
        loop {
            let run_end = self.chunks.front().map_or(self.bytes.len(), |placed| placed.at);
            let run = sent.min(run_end - self.sent);
            self.sent += run;
            sent -= run;
            let Some(placed) = self.chunks.front() else { break };
            if sent == 0 {
                break;
            }
            let left = placed.chunk.len() - self.sent_of_chunk;
            let taken = sent.min(left);
            sent -= taken;
            self.chunk_bytes -= taken;
            self.sent_of_chunk += taken;
            if taken == left {
                self.chunks.pop_front();
                self.sent_of_chunk = 0;
            }
        }
        if self.is_empty() {
            self.clear();
        } else if self.sent >= SENT_BYTES_KEPT && self.sent >= self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            for placed in &mut self.chunks {
                placed.at -= self.sent;
            }
            self.sent = 0;
        }
    }

    /// Forgets everything; keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.chunks.clear();
        self.sent = 0;
        self.sent_of_chunk = 0;
        self.chunk_bytes = 0;
    }

    /// Gives back memory above `bytes_kept`.
    pub fn shrink_to(&mut self, bytes_kept: usize) {
        self.bytes.shrink_to(bytes_kept);
        self.chunks.shrink_to(16);
    }

    /// The end, as a place.
    #[inline]
    pub fn place(&self) -> Place {
        Place { bytes: self.bytes.len(), chunks: self.chunks.len() }
    }

    /// Cuts off all that was appended since `place` was taken.
    pub fn truncate(&mut self, place: Place) {
        self.bytes.truncate(place.bytes.max(self.sent));
        while self.chunks.len() > place.chunks {
            let Some(placed) = self.chunks.pop_back() else { break };
            self.chunk_bytes = self.chunk_bytes.saturating_sub(placed.chunk.len());
            if self.chunks.is_empty() {
                self.chunk_bytes = 0;
                self.sent_of_chunk = 0;
            }
        }
    }

    /// The bytes that were appended since `place`, if no shared value is among them.
    pub fn since(&self, place: Place) -> Option<&[u8]> {
        if self.chunks.len() == place.chunks { self.bytes.get(place.bytes..) } else { None }
    }

    /// All bytes in one vector, for tests and tools.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        let (mut at, mut skip) = (self.sent, self.sent_of_chunk);
        for placed in &self.chunks {
            all.extend_from_slice(&self.bytes[at..placed.at]);
            all.extend_from_slice(&placed.chunk.as_bytes()[skip..]);
            (at, skip) = (placed.at, 0);
        }
        all.extend_from_slice(&self.bytes[at..]);
        all
    }

    /// Puts bytes in front of all that follows offset `at`, by moving it, or, where that is much, by
    /// a chunk of its own.
    pub(crate) fn insert(&mut self, at: usize, text: &[u8]) {
        const MOVED_BYTES_MAX: usize = 64 * 1024;
        let end = self.bytes.len();
        let next = self.chunks.partition_point(|placed| placed.at < at);
        if text.is_empty() {
        } else if end - at > MOVED_BYTES_MAX {
            self.chunk_bytes += text.len();
            self.chunks.insert(next, Placed { at, chunk: Chunk::new(Arc::new(text.to_vec())) });
        } else {
            self.bytes.extend_from_slice(text);
            self.bytes.copy_within(at..end, at + text.len());
            self.bytes[at..at + text.len()].copy_from_slice(text);
            for placed in self.chunks.range_mut(next..) {
                placed.at += text.len();
            }
        }
    }
}
