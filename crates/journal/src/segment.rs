//! The journal's memory: segments of fixed size, and a directory to find them by LSN.
//!
//! ```text
//!   LSN space   ───┬────────┬────────┬────────┬────────┬───►
//!                  │ seg k  │ seg k+1│ seg k+2│ seg k+3│
//!                  └────────┴──▲─────┴─────▲──┴────────┘
//!                     read by  │    tail ──┘   promised to writers, not reserved yet
//!   directory   slot (lsn / size) % slots ──► segment        readers hold segments by count
//!   a segment   bytes[size]   marks[size / 8]: "a record ends in these 8 bytes, after so many"
//! ```
//!
//! All `unsafe` of the crate is here. It rests on these rules, kept by `log.rs` and `writer.rs`:
//! 1. A byte range is written by the one writer that reserved it, once in a segment's life, between its
//!    reservation and the clearing of its slot.
//! 2. A range is read only below the safe tail: after the slot was cleared (release) and seen to be
//!    cleared, or beyond, (acquire).
//! 3. A segment leaves the directory only when it lies wholly below the safe tail, so nobody writes to it
//!    any more; and it is given a new life only when no reader counts on it.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use stdx::sync::atomic::{AtomicPtr, Ordering};

/// The unit of a mark. No record is shorter, so at most one record ends in a cell.
pub(crate) const CELL: u64 = 8;

/// What fresh memory is filled with: touching the pages here keeps page faults out of appends.
const FRESH: u8 = 0xA5;

pub(crate) struct Segment {
    bytes: Box<[UnsafeCell<u8>]>,
    /// One per cell: how many of its bytes belong to the record that ends there; 0 if none does.
    marks: Box<[AtomicU8]>,
}

// SAFETY: the cells are plain bytes; rules 1-3 above keep every access to one of them ordered.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

impl Segment {
    pub(crate) fn new(size: u64) -> Self {
        let size = usize::try_from(size).expect("a segment fits in memory");
        Self {
            bytes: (0..size).map(|_| UnsafeCell::new(FRESH)).collect(),
            marks: (0..size / CELL as usize).map(|_| AtomicU8::new(0)).collect(),
        }
    }

    /// What a segment of `size` bytes takes.
    pub(crate) fn memory_bytes(size: u64) -> u64 {
        size + size / CELL
    }

    /// Makes a used segment fresh again.
    pub(crate) fn renew(&mut self) {
        for mark in &mut self.marks {
            *mark.get_mut() = 0;
        }
    }

    /// # Safety
    /// The caller has reserved this range and not yet cleared its slot (rule 1).
    unsafe fn write(&self, offset: usize, bytes: &[u8]) {
        let target = &self.bytes[offset..offset + bytes.len()];
        // SAFETY: `target` is in bounds and inside `UnsafeCell`s; by the contract nobody else accesses
        // it now; `bytes` is a live reference, hence does not overlap what only we may access.
        unsafe {
            ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                UnsafeCell::raw_get(target.as_ptr()),
                bytes.len(),
            )
        }
    }

    /// # Safety
    /// The range lies below the safe tail (rule 2).
    unsafe fn read(&self, offset: usize, len: usize) -> &[u8] {
        let source = &self.bytes[offset..offset + len];
        // SAFETY: `UnsafeCell<u8>` has the layout of `u8`; below the safe tail nobody writes while the
        // segment lives, and the borrow keeps it alive.
        unsafe { std::slice::from_raw_parts(source.as_ptr().cast(), len) }
    }
}

/// Where writers find segments.
pub(crate) struct Directory {
    size: u64,
    slots: Box<[AtomicPtr<Segment>]>,
}

impl Directory {
    /// For segments of `size` bytes, a power of two, of which `slots` may be alive at a time.
    pub(crate) fn new(size: u64, slots: u64) -> Self {
        assert!(size.is_power_of_two() && size >= CELL && slots.is_power_of_two());
        Self { size, slots: (0..slots).map(|_| AtomicPtr::new(ptr::null_mut())).collect() }
    }

    pub(crate) fn segment_bytes(&self) -> u64 {
        self.size
    }

    /// How many bytes can be in memory at a time.
    pub(crate) fn bytes_max(&self) -> u64 {
        self.size * self.slots.len() as u64
    }

    fn slot(&self, number: u64) -> &AtomicPtr<Segment> {
        &self.slots[(number % self.slots.len() as u64) as usize]
    }

    /// Makes segment `number` visible. The caller keeps `segment` alive until [`remove`](Self::remove).
    pub(crate) fn insert(&self, number: u64, segment: &Arc<Segment>) {
        let previous = self.slot(number).swap(Arc::as_ptr(segment).cast_mut(), Ordering::Release);
        assert!(previous.is_null(), "segment {number} overtook its predecessor");
    }

    pub(crate) fn remove(&self, number: u64) {
        self.slot(number).store(ptr::null_mut(), Ordering::Release);
    }

    /// Copies `bytes` to `lsn`.
    ///
    /// # Safety
    /// The caller has reserved the range and has not cleared its slot yet (rules 1 and 3).
    pub(crate) unsafe fn write(&self, mut lsn: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let offset = lsn % self.size;
            let count = bytes.len().min((self.size - offset) as usize);
            let (now, rest) = bytes.split_at(count);
            // SAFETY: passed on to the caller.
            unsafe { self.find(lsn).write(offset as usize, now) };
            lsn += count as u64;
            bytes = rest;
        }
    }

    /// Notes that a record ends before `end`.
    ///
    /// # Safety
    /// As for [`write`](Self::write), of the record that ends there.
    pub(crate) unsafe fn mark(&self, end: u64) {
        let last = end - 1;
        // SAFETY: passed on to the caller.
        let segment = unsafe { self.find(last) };
        // Relaxed: published with the bytes, by the clearing of the writer's slot.
        segment.marks[(last % self.size / CELL) as usize]
            .store((last % CELL) as u8 + 1, Ordering::Relaxed);
    }

    /// # Safety
    /// The segment of `lsn` holds a byte that the caller has reserved.
    unsafe fn find(&self, lsn: u64) -> &Segment {
        // Acquire: the partner of `insert`.
        let segment = self.slot(lsn / self.size).load(Ordering::Acquire);
        assert!(!segment.is_null(), "appended at {lsn} without room");
        // SAFETY: what is in the directory is alive, and by rule 3 stays there while the caller's
        // reservation is above the safe tail.
        unsafe { &*segment }
    }
}

/// Segments that a reader counts on, from one LSN on.
pub(crate) struct Extent {
    /// The LSN of the first byte of the first segment.
    pub(crate) begin: u64,
    pub(crate) size: u64,
    pub(crate) segments: Vec<Arc<Segment>>,
}

impl Extent {
    /// Appends the bytes from `from` to `to`.
    ///
    /// # Safety
    /// The range is covered by the segments, and lies below the safe tail (rule 2).
    pub(crate) unsafe fn read(&self, from: u64, to: u64, buf: &mut Vec<u8>) {
        let mut at = from;
        while at < to {
            let offset = at % self.size;
            let len = (to - at).min(self.size - offset);
            // SAFETY: passed on to the caller.
            buf.extend_from_slice(unsafe { self.segment(at).read(offset as usize, len as usize) });
            at += len;
        }
    }

    /// The last end of a record in `from + 1 ..= to`. The range lies below the safe tail.
    pub(crate) fn last_end(&self, from: u64, to: u64) -> Option<u64> {
        let mut at = to;
        while at > from {
            let cell = (at - 1) / CELL * CELL;
            let marks = &self.segment(at - 1).marks;
            let mark = marks[(cell % self.size / CELL) as usize].load(Ordering::Relaxed);
            let end = cell + u64::from(mark);
            if mark != 0 && end <= to && end > from {
                return Some(end);
            }
            at = cell;
        }
        None
    }

    fn segment(&self, lsn: u64) -> &Segment {
        &self.segments[((lsn - self.begin) / self.size) as usize]
    }
}
