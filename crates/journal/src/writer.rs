//! The side of the workers: room before the locks, append under them.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use stdx::sync::atomic::{Ordering, fence};

use crate::frame::{Frame, SELECT_BYTES_MAX, Tail};
use crate::log::{CLEAR, Journal};
use crate::segment::CELL;
use crate::{Lsn, Patience};

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// More than the journal can ever hold, or than is left of it while readers lag.
    TooLarge,
    /// A reader that must not be dropped lags; only [`Writer::try_room`] says so.
    Stalled,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the record does not fit in the journal",
            Self::Stalled => "a reader of the journal lags behind",
        })
    }
}

impl std::error::Error for Refused {}

/// One worker's access to the journal. One thread uses it at a time.
#[derive(Debug)]
pub struct Writer {
    journal: Arc<Journal>,
    index: usize,
    /// What is left of the bytes drawn in advance.
    grant: u64,
    /// The journal's activity when they were drawn.
    seen: u64,
    /// Reservations that were not filled yet; the slot is published while there are some.
    pending: u32,
    /// Something was appended since the last nudge.
    news: bool,
    /// Numbers the rooms: only the newest is valid.
    rooms: u64,
}

/// Bytes of the journal that are certain, for the appends of one lock's hold.
///
/// Valid until the next room of the same writer. Dropping it gives the bytes back.
#[derive(Debug)]
#[must_use]
pub struct Room {
    left: u64,
    active: bool,
    number: u64,
}

impl Room {
    /// Whether appends go anywhere. If not, there is no need to compose records.
    #[inline]
    pub fn active(&self) -> bool {
        self.active
    }

    /// How many bytes are certain. One SELECT per record is counted in, MULTI and EXEC are not.
    #[inline]
    pub fn left_bytes(&self) -> u64 {
        self.left
    }
}

/// A record that has its place and not yet its bytes. Must be filled by its writer, soon: readers wait.
#[derive(Debug)]
#[must_use]
pub struct Reserved {
    at: u64,
    len: u64,
    end: Lsn,
    foot: &'static [u8],
}

impl Reserved {
    /// Behind the record.
    #[inline]
    pub fn end(&self) -> Lsn {
        self.end
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let filled = self.len == 0 || std::thread::panicking();
        assert!(filled, "a reserved record was not filled: readers would wait for ever");
    }
}

impl Writer {
    pub(crate) fn new(journal: Arc<Journal>, index: usize) -> Self {
        Self { journal, index, grant: 0, seen: 0, pending: 0, news: false, rooms: 0 }
    }

    #[inline]
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Secures room for `records` records of `bytes` bytes in all, SELECTs not counted. Waits while a
    /// reader that must not be dropped ([`Patience::Stall`]) lags; drops others that lag.
    ///
    /// Never under locks, and not inside a pass: the waiting is for a disk.
    #[inline]
    pub fn room(&mut self, bytes: u64, records: u32) -> Result<Room, Refused> {
        match self.drawn(bytes, records) {
            Some(room) => Ok(room),
            None => self.draw(bytes, records, OnLag::Wait),
        }
    }

    /// As [`room`](Self::room), but [`Refused::Stalled`] instead of waiting.
    #[inline]
    pub fn try_room(&mut self, bytes: u64, records: u32) -> Result<Room, Refused> {
        match self.drawn(bytes, records) {
            Some(room) => Ok(room),
            None => self.draw(bytes, records, OnLag::Refuse),
        }
    }

    /// Within a pass: a reader may have come since `room` was taken, at the last cut perhaps. What runs in
    /// this pass is behind that, so the room becomes an active one; it is enlarged when it is used.
    ///
    /// # Panics
    /// If there is no memory for an empty journal.
    #[inline]
    pub fn look_again(&mut self, room: &mut Room) {
        if !room.active && self.journal.active() {
            self.activate(room);
        }
    }

    #[cold]
    fn activate(&mut self, room: &mut Room) {
        let drawn = self.draw(0, 0, OnLag::Ignore);
        self.rooms = room.number;
        room.active = drawn.expect("the journal was empty until a moment ago").active;
    }

    /// Enlarges `room` for a record whose size was known only after its command ran (a script's effects, a
    /// waiter that was served). Does not wait for readers, so it may be called under locks; the lag is
    /// made up for by the next [`room`](Self::room).
    ///
    /// An error means that the journal's memory is exhausted and the record cannot be logged.
    pub fn extend(&mut self, room: &mut Room, bytes: u64, records: u32) -> Result<(), Refused> {
        if !room.active {
            return Ok(());
        }
        self.check(room);
        let more = need(bytes, records)?;
        let total = room.left.checked_add(more).ok_or(Refused::TooLarge)?;
        if self.grant < total {
            // The journal may have lost its last reader meanwhile: then there is nothing to log.
            let drawn = self.draw(total, 0, OnLag::Ignore);
            self.rooms = room.number;
            room.active = drawn?.active;
        }
        room.left = total;
        Ok(())
    }

    /// Appends one record: `parts`, one after the other, are its RESP commands. Returns the LSN behind it,
    /// on which the command's reply depends; without readers the tail, unchanged.
    ///
    /// Under the locks of all that the record touched.
    ///
    /// # Panics
    /// If the record is larger than `room`, or shorter than 8 bytes: a broken invariant.
    #[inline]
    pub fn append(&mut self, room: &mut Room, frame: Frame, parts: &[&[u8]]) -> Lsn {
        if !room.active {
            return self.journal.tail();
        }
        let len = parts.iter().map(|part| part.len() as u64).sum();
        let reserved = self.reserve(room, frame, len);
        let end = reserved.end;
        self.fill(reserved, parts);
        end
    }

    /// The first half of [`append`](Self::append), under the locks: takes a place for `len` bytes. Only
    /// in an [active](Room::active) room.
    ///
    /// # Panics
    /// As [`append`](Self::append).
    #[inline]
    pub fn reserve(&mut self, room: &mut Room, frame: Frame, len: u64) -> Reserved {
        assert!(room.active && len >= CELL, "a record of {len} bytes; active: {}", room.active);
        self.check(room);
        let journal = &*self.journal;
        let (tail, slot) = (&journal.tail.0, &journal.slots[self.index].0);

        // 1. Publish a lower bound. Release, so that also who reads this value, and not the clearing
        // that it replaces, sees the bytes of the record before.
        let mut word = tail.load(Ordering::Relaxed);
        if self.pending == 0 && !journal.publishes_late() {
            slot.store(Tail(word).lsn().0, Ordering::Release);
        }
        // 2. Reserve. Release: who sees the new tail sees the slot. Acquire: we see the memory that
        // was provided by the writers that moved the tail to here.
        let (head, begin, end) = loop {
            let (head, next) = frame.place(Tail(word), len);
            let used = next.lsn().0 - Tail(word).lsn().0;
            assert!(used <= room.left, "a record of {used} bytes in a room of {}", room.left);
            match tail.compare_exchange_weak(word, next.0, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break (head, Tail(word).lsn().0, next.lsn()),
                Err(now) => word = now,
            }
        };
        if self.pending == 0 && journal.publishes_late() {
            slot.store(begin, Ordering::Release);
        }
        self.pending += 1;
        self.news = true;

        let used = end.0 - begin;
        room.left -= used;
        self.grant -= used;
        let mut at = begin;
        if let Some(head) = &head {
            // SAFETY: reserved above; the slot is published.
            unsafe { journal.directory.write(begin, head.as_bytes()) };
            at += head.as_bytes().len() as u64;
        }
        Reserved { at, len, end, foot: frame.foot() }
    }

    /// The second half, under the locks or after them: copies the bytes.
    ///
    /// # Panics
    /// If `parts` have not the length that was reserved, or another writer reserved it.
    #[inline]
    pub fn fill(&mut self, mut reserved: Reserved, parts: &[&[u8]]) {
        let journal = &*self.journal;
        assert!(self.pending > 0, "reserved by another writer");
        let mut at = reserved.at;
        let end = reserved.at + reserved.len;
        // 3. Copy.
        for part in parts {
            assert!(part.len() as u64 <= end - at, "more bytes than were reserved");
            #[cfg(shuttle)]
            stdx::sync::thread::yield_now();
            // SAFETY: inside the range of `reserved`, which exists once; the slot is published.
            unsafe { journal.directory.write(at, part) };
            at += part.len() as u64;
        }
        assert!(at == end, "fewer bytes than were reserved");
        if !reserved.foot.is_empty() {
            // SAFETY: as above.
            unsafe { journal.directory.write(end, reserved.foot) };
        }
        // SAFETY: as above.
        unsafe { journal.directory.mark(reserved.end.0) };
        reserved.len = 0;
        self.pending -= 1;
        if self.pending == 0 {
            // 4. Clear. Release: the partner of the acquire load in `Journal::safe`.
            journal.slots[self.index].0.store(CLEAR, Ordering::Release);
        }
    }

    /// Wakes sleeping readers if this writer has appended something. Once per batch, without locks.
    #[inline]
    pub fn nudge(&mut self) {
        if std::mem::take(&mut self.news) {
            self.journal.nudge();
        }
    }

    #[inline]
    fn check(&self, room: &Room) {
        assert!(room.number == self.rooms, "a room that is not the newest of its writer");
    }

    /// A room out of what was drawn already.
    #[inline]
    fn drawn(&mut self, bytes: u64, records: u32) -> Option<Room> {
        // Acquire: the partner of `Journal::settle`.
        let activity = self.journal.activity.0.load(Ordering::Acquire);
        if activity != self.seen {
            return None;
        }
        self.rooms += 1;
        if activity & 1 == 0 {
            return Some(Room { left: 0, active: false, number: self.rooms });
        }
        let left = need(bytes, records).ok()?;
        (self.grant >= left).then_some(Room { left, active: true, number: self.rooms })
    }

    #[cold]
    fn draw(&mut self, bytes: u64, records: u32, on_lag: OnLag) -> Result<Room, Refused> {
        let left = need(bytes, records)?;
        let journal = &*self.journal;
        let mut wakers = Vec::new();
        let mut state = journal.state.lock();
        self.rooms += 1;
        let result = loop {
            let stalled = on_lag != OnLag::Ignore && lags(journal, &mut state, left, &mut wakers);
            self.seen = journal.activity.0.load(Ordering::Acquire);
            if self.seen & 1 == 0 {
                // A grant of 0 says that nothing is being copied.
                if self.pending == 0 {
                    state.grant(self.index, 0);
                    self.grant = 0;
                    journal.settle(&mut state);
                }
                break Ok(Room { left: 0, active: false, number: self.rooms });
            }
            if stalled {
                if on_lag == OnLag::Refuse {
                    break Err(Refused::Stalled);
                }
                journal.stalled.fetch_add(1, Ordering::Relaxed);
                // Partner: the fence in `Reader::poll`.
                fence(Ordering::SeqCst);
                // Looks again under the mutex, which a reader takes before it notifies.
                if lags(journal, &mut state, left, &mut wakers) {
                    journal.progress.wait(&mut state);
                }
                journal.stalled.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            // Memory that readers are through with comes back here, once per grant.
            state.trim(journal);
            let granted = left.max(journal.limits.grant_bytes);
            // A reset took away all grants.
            let rest = std::mem::replace(&mut self.grant, granted).min(state.grants[self.index]);
            state.grant(self.index, granted);
            if !state.back(journal) {
                self.grant = rest;
                state.grant(self.index, rest);
                break Err(Refused::TooLarge);
            }
            break Ok(Room { left, active: true, number: self.rooms });
        };
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Otherwise the slot stays published: readers must not pass the gap.
        if self.pending == 0 {
            self.journal.release_slot(self.index);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OnLag {
    Wait,
    Refuse,
    Ignore,
}

/// Whether a reader for which writers wait lags. Readers for which they do not are dropped on the way.
fn lags(
    journal: &Journal,
    state: &mut crate::log::State,
    more: u64,
    wakers: &mut Vec<Waker>,
) -> bool {
    let tail = journal.tail().0;
    let mut stall = false;
    let mut dropped = false;
    state.readers.retain(|reader| {
        let lag = tail.saturating_sub(reader.consumed().0);
        // Who has read everything never lags, however large the next record is.
        if lag == 0 || lag.saturating_add(more) <= reader.patience.bytes() {
            return true;
        }
        if let Patience::Stall(_) = reader.patience {
            stall = true;
            return true;
        }
        reader.drop_behind();
        dropped = true;
        false
    });
    if dropped {
        wakers.extend(state.wake(|reader| reader.lagged(), journal));
        journal.settle(state);
    }
    stall
}

#[inline]
fn need(bytes: u64, records: u32) -> Result<u64, Refused> {
    let selects = u64::from(records) * SELECT_BYTES_MAX;
    bytes.checked_add(selects).filter(|&sum| sum <= Lsn::MAX.0).ok_or(Refused::TooLarge)
}
