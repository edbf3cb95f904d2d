//! Eviction: before a command that takes memory runs above `maxmemory`, keys go by the policy, for
//! a bounded time. No lock is held when it begins, and one shard's at a time while it lasts.

use crate::blocking::Serving;
use crate::notify::Happened;
use crate::{Engine, Now, Worker, WorkerStats};
use command::{Changed, Rewrites, Settings, deletion};
use config::events;
use journal::{Frame, Refused, Room, Writer};
use keyspace::{Event, Evictor, Gone, Position, Record, Search, Stalled, Swept};
use lock::{Participant, ShardId};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use stdx::rng::Rng;

/// How an attempt to get below the limit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evicting {
    /// Memory is below the limit, or nothing may go now: CLIENT PAUSE, or a script that does not end.
    Done,
    /// Keys went, but time ran out: the command is let through, and the next goes on.
    Going,
    /// Nothing more may go.
    Failed,
}

/// What of a worker evicts.
pub struct Hand<'a> {
    pub(crate) participant: &'a mut Participant,
    pub(crate) writer: &'a mut Writer,
    pub(crate) rng: &'a mut Rng,
    pub(crate) record: &'a mut Record,
    pub(crate) log: &'a mut Rewrites,
    pub(crate) broadcast: &'a mut Changed,
    pub(crate) evictor: &'a mut Evictor,
    pub(crate) stats: &'a WorkerStats,
    pub(crate) now: Now,
}

impl Worker {
    /// The worker as one that evicts, between batches.
    pub fn hand(&mut self, now: Now) -> Hand<'_> {
        Hand {
            participant: &mut self.participant,
            writer: &mut self.writer,
            rng: &mut self.rng,
            record: &mut self.record,
            log: &mut self.log,
            broadcast: &mut self.broadcast,
            evictor: &mut self.evictor,
            stats: &self.stats,
            now,
        }
    }
}

/// For how long memory was above its limit although keys were evicted, in milliseconds.
#[derive(Debug, Default)]
pub struct Pressure {
    /// Milliseconds since 1970; 0 while memory is below.
    since_ms: AtomicI64,
    total_ms: AtomicU64,
}

impl Pressure {
    /// In all (with what lasts), and what lasts.
    pub fn exceeded_ms(&self, now_ms: i64) -> (u64, u64) {
        let lasts = match self.since_ms.load(Ordering::Relaxed) {
            0 => 0,
            since => now_ms.saturating_sub(since).max(0) as u64,
        };
        (self.total_ms.load(Ordering::Relaxed) + lasts, lasts)
    }

    pub fn reset(&self) {
        self.total_ms.store(0, Ordering::Relaxed);
        self.since_ms.store(0, Ordering::Relaxed);
    }

    fn exceeds(&self, exceeds: bool, now_ms: i64) {
        let since = self.since_ms.load(Ordering::Relaxed);
        if exceeds == (since != 0) {
            return;
        }
        let next = if exceeds { now_ms } else { 0 };
        let swap =
            self.since_ms.compare_exchange(since, next, Ordering::Relaxed, Ordering::Relaxed);
        if swap.is_ok() && !exceeds {
            let lasted = now_ms.saturating_sub(since).max(0) as u64;
            self.total_ms.fetch_add(lasted, Ordering::Relaxed);
        }
    }
}

/// Microseconds that a command waits for eviction, by `maxmemory-eviction-tenacity`, as in Redis:
/// 50 for each of the first ten, 15 % more for each above, and no limit at 100.
fn patience_micros(tenacity: u32) -> Option<u64> {
    match tenacity {
        0..=10 => Some(50 * u64::from(tenacity)),
        11..=99 => Some((500.0 * 1.15f64.powi(tenacity as i32 - 10)) as u64),
        _ => None,
    }
}

/// Age in milliseconds up to which the allocator's answer counts as news.
const FRESH_MS: i64 = 5;

impl Engine {
    /// Close to the limit, asks the allocator more often than the cron does: what grows beside the
    /// keyspace is not in its account. Called without locks.
    #[inline]
    pub(crate) fn watch_memory(&self, settings: &Settings, now_ms: i64) {
        /// How close, in bytes, and at most this part of the limit.
        const CLOSE_BYTES: u64 = 1 << 20;
        const CLOSE_PART: u64 = 8;
        let limit = settings.maxmemory;
        if limit > 0 && self.space.out_of_memory(limit - CLOSE_BYTES.min(limit / CLOSE_PART)) {
            self.space.refresh_memory(now_ms, FRESH_MS);
        }
    }

    /// Evicts until memory is below the limit or time runs out. Called without locks or pass; the
    /// writer's room becomes invalid.
    pub fn evict(&self, hand: &mut Hand<'_>, settings: &Settings) -> Evicting {
        let verdict = self.evict_some(hand, settings);
        self.broadcast(hand.broadcast, settings);
        hand.writer.nudge();
        self.space.dispose(&mut hand.record.garbage);
        self.pressure.exceeds(verdict != Evicting::Done, hand.now.wall_ms);
        verdict
    }

    fn evict_some(&self, hand: &mut Hand<'_>, settings: &Settings) -> Evicting {
        /// Keys between two looks at the clock.
        const SLICE_KEYS: u32 = 16;
        let now = hand.now;
        let over = || self.space.out_of_memory(settings.maxmemory);
        if over() {
            self.space.refresh_memory(now.wall_ms, FRESH_MS);
        }
        if !over() {
            return Evicting::Done;
        }
        let Some(policy) = settings.eviction else { return Evicting::Failed };
        if settings.import_mode {
            // What came is deleted by who brought it.
            return Evicting::Failed;
        }
        if self.pause.active(now.wall_ms) {
            return Evicting::Done;
        }
        let search = Search {
            policy,
            samples: settings.eviction_samples,
            clock: settings.access_clock,
            now_ms: now.wall_ms,
        };
        let start = (now.ticks)();
        let patience = patience_micros(settings.eviction_tenacity)
            .map(|micros| micros.saturating_mul(now.stale_ticks) / 1000);
        let mut keys = 0u32;
        loop {
            let Some(candidate) = hand.evictor.next(&self.space, &search, hand.rng) else {
                // What is said to be too much may be the samples' age.
                self.space.sample_memory(now.wall_ms);
                return if over() { Evicting::Failed } else { Evicting::Done };
            };
            match self.evict_one(hand, &candidate, &search, settings) {
                Ok(true) if over() => {}
                Ok(_) => return Evicting::Done,
                Err(refused) => {
                    debug_assert!(refused == Refused::TooLarge, "`room` waits for readers");
                    return Evicting::Failed;
                }
            }
            keys = keys.wrapping_add(1);
            let late = |ticks| (now.ticks)().saturating_sub(start) >= ticks;
            if keys.is_multiple_of(SLICE_KEYS) && patience.is_some_and(late) {
                return Evicting::Going;
            }
        }
    }

    /// A slice of the walk that deletes what has expired: looks at up to `buckets` buckets of a
    /// shard's part of a database, from `at` on.
    pub fn sweep(
        &self,
        worker: &mut Worker,
        (shard, db, at): (ShardId, u32, Option<Position>),
        buckets: usize,
        wall: impl Fn() -> i64,
    ) -> Swept {
        /// A slice deletes at most what its buckets hold; keys of more bytes wait for the next.
        const ROOM_BYTES: u64 = 1 << 20;
        const KEYS_MAX: u32 = 1024;
        worker.refresh(self);
        let Worker { participant, writer, stats, settings, rng, log, broadcast, .. } = worker;
        let Ok(mut room) = writer.room(ROOM_BYTES, KEYS_MAX) else { return Swept::default() };
        // Whoever closes the gate may wait for this very thread, the clock's.
        let Some(pass) = participant.try_enter() else { return Swept::default() };
        writer.look_again(&mut room);
        let now_ms = wall();
        // A pause that began meanwhile has closed the gate, and counts on nothing going on.
        if self.pause.active(now_ms) {
            return Swept::default();
        }
        let mut record = Record::default();
        // Whether anybody listens is known under the lock only.
        record.listening = true;
        record.naming = settings.notify_events & events::SUBKEYS != 0;
        let tell = |db: u32, gone: Gone<'_>, record: &mut Record| {
            let lsn = match gone {
                Gone::Key(key) => {
                    let words = [deletion(settings.lazy_expire), key];
                    append_deletion(writer, &mut room, db, &words)
                }
                Gone::Elements(gone) => append_deletion(writer, &mut room, db, &gone.command()),
            };
            for change in record.noted.drain(..) {
                self.tell(settings, Happened::of(&change, None), broadcast);
            }
            lsn
        };
        let swept = self.space.sweep(shard, db, at, buckets, now_ms, &mut record, tell);
        if !record.ready.is_empty() {
            log.active = room.active();
            let now = Now { wall_ms: now_ms, ticks: || 0, wall: || 0, stale_ticks: u64::MAX };
            let (engine, record, room) = (self, &mut record, &mut room);
            engine.serve_gone(Serving {
                engine,
                rng,
                settings,
                record,
                log,
                broadcast,
                writer,
                room,
                stats,
                now,
            });
        }
        self.broadcast(broadcast, settings);
        drop(pass);
        writer.nudge();
        stats.expired_keys.add(swept.expired);
        self.space.dispose(&mut record.garbage);
        swept
    }

    /// Deletes one candidate through the log, if it has not been used meanwhile. `false`: nothing may
    /// go now, as there is a pause, or the gate is closed, or a script holds the key. That may have begun
    /// at any time, and last for any, so nobody goes on trying.
    fn evict_one(
        &self,
        hand: &mut Hand<'_>,
        candidate: &keyspace::Candidate,
        search: &Search,
        settings: &Settings,
    ) -> Result<bool, Refused> {
        /// What the words of a DEL take beside its key.
        const FRAME_BYTES: u64 = 64;
        let bytes = candidate.key().len() as u64 + FRAME_BYTES;
        let mut room = hand.writer.room(bytes, 1)?;
        let Some(pass) = hand.participant.try_enter() else { return Ok(false) };
        hand.writer.look_again(&mut room);
        if self.pause.active(hand.now.wall_ms) {
            return Ok(false);
        }
        let (writer, broadcast) = (&mut *hand.writer, &mut *hand.broadcast);
        let gone = self.space.evict(candidate, search, hand.record, |db, key| {
            let lsn =
                append_deletion(writer, &mut room, db, &[deletion(settings.lazy_eviction), key]);
            let happened = Happened { db, key, event: Event::EVICTED, elements: &[], by: None };
            self.tell(settings, happened, broadcast);
            lsn
        });
        if !hand.record.ready.is_empty() {
            hand.log.active = room.active();
            self.serve_gone(Serving {
                engine: self,
                rng: hand.rng,
                settings,
                record: hand.record,
                log: hand.log,
                broadcast: hand.broadcast,
                writer: hand.writer,
                room: &mut room,
                stats: hand.stats,
                now: hand.now,
            });
        }
        drop(pass);
        hand.record.clear();
        hand.stats.evicted_keys.add(u64::from(gone == Ok(true)));
        Ok(gone != Err(Stalled))
    }
}

/// Tells the journal that a key was deleted; answers the record's end, 0 without readers.
pub(crate) fn append_deletion(
    writer: &mut Writer,
    room: &mut Room,
    db: u32,
    words: &[&[u8]],
) -> u64 {
    if !room.active() {
        return 0;
    }
    let mut bytes = Vec::new();
    resp::write_command(&mut bytes, words);
    let needed = bytes.len() as u64 + journal::SELECT_BYTES_MAX;
    if needed > room.left_bytes() {
        // Names of elements may be long. Only memory can be short.
        let enlarged = writer.extend(room, needed, 1);
        assert!(enlarged.is_ok(), "the journal has no memory for a deletion");
    }
    writer.append(room, Frame::new(db), &[&bytes]).0
}
