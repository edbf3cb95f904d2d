//! The feed of a connection that asked for the log: a snapshot, then the stream of effects.
//!
//! ```text
//!  Waiting ─cut─► Streaming ──► AwaitingAck ─┐       a peer that takes `$EOF:mark`
//!     │   └─────► Gathering ──► Sending ─────┴─► Online      one that needs `$length` first
//!     └ newlines                     └ Transmitted: it wanted the snapshot alone
//! ```
//!
//! What has to be whole before the first byte of it goes out is gathered in a file, by a [thread](Gathering):
//! not in memory, and a disk that is slow holds up nobody else.
//!
//! The bytes of the stream are the journal's own, from the cut on. A peer that finds the end of the
//! snapshot by its mark is sent nothing behind it before it has acknowledged: what it reads in one go
//! may hold both.

mod spool;
#[cfg(test)]
mod tests;

use crate::rdb_file::{Head, Image, Purpose};
use command::{Card, ClientFlags, Others, ReplicaState, Sync};
use engine::{Engine, Lent, hex40};
use journal::{Patience, ReadOutcome, Reader};
use keyspace::SnapshotOptions;
use resp::{Chunk, Out};
use spool::{Gathering, Spool};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use stdx::rng::Rng;

/// How often a peer that waits for its snapshot is told that somebody is there.
const NEWLINE_MS: i64 = 1000;

/// What [`Feed::step`] has done.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to send.
    More,
    /// Not for now. The waker is called when there is, or time will tell: call again within a second.
    Wait,
    Over(Over),
}

/// Why a feed ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The peer left too much unread (`client-output-buffer-limit replica`).
    OutputLimit,
    /// It was silent for too long (`repl-timeout`).
    Timeout,
    /// The snapshot for a peer without `capa eof` could not be kept on the disk, or read from there.
    NotKept(io::ErrorKind),
    /// The snapshot was taken back: the server needs the place of the one that there can be.
    TakenBack,
    /// There can be no snapshot in the form that is asked for, as this says.
    Unfit(&'static str),
}

pub use spool::{Place, Work};

/// One connection's feed.
pub struct Feed {
    engine: Arc<Engine>,
    place: Place,
    card: Arc<Card>,
    kind: Sync,
    stage: Stage,
    /// From the cut on; `None`: before it, or the peer wants the snapshot alone.
    reader: Option<Reader>,
    /// When the peer was last told or heard of, in milliseconds since 1970.
    alive_ms: i64,
    /// Since when the soft limit is exceeded.
    soft_since_ms: Option<i64>,
    now_ms: i64,
}

enum Stage {
    Waiting,
    Gathering(Gathering),
    Sending { spool: Spool, at: u64 },
    Streaming { whole: Whole, mark: String },
    AwaitingAck,
    Online,
    Transmitted,
}

/// An RDB file that is made as it is sent.
struct Whole {
    /// `None`: no keys.
    snapshot: Option<Lent>,
    image: Image,
}

impl Whole {
    /// Appends about `bytes_max` bytes of the file. Whether there is more; `None`: there is no more to
    /// have, and what there was is not a file.
    fn read(&mut self, out: &mut Vec<u8>, bytes_max: usize) -> Option<bool> {
        let Self { snapshot, image } = self;
        let Some(lent) = snapshot else {
            return Some(image.read(&mut |_: &mut Vec<u8>, _| false, out, bytes_max));
        };
        lent.with(|snapshot| {
            let mut body = |out: &mut Vec<u8>, bytes_max| snapshot.read(out, bytes_max);
            image.read(&mut body, out, bytes_max)
        })
    }
}

impl Feed {
    /// A feed for the client of `card`, which counts as a replica until this is dropped. A snapshot that
    /// has to be kept is, in `place`.
    pub fn new(
        engine: Arc<Engine>,
        place: Place,
        card: Arc<Card>,
        kind: Sync,
        now_ms: i64,
    ) -> Self {
        card.set(ClientFlags::REPLICA, true);
        engine.history.arrived();
        engine.history.full.fetch_add(1, Ordering::Relaxed);
        if kind == (Sync::WithOffset { refused: true }) {
            engine.history.partial_refused.fetch_add(1, Ordering::Relaxed);
        }
        card.replica().set_state(ReplicaState::WaitBgsave);
        card.replica().acked_ms.store(0, Ordering::Relaxed);
        Self {
            engine,
            place,
            card,
            kind,
            stage: Stage::Waiting,
            reader: None,
            alive_ms: now_ms,
            soft_since_ms: None,
            now_ms,
        }
    }

    /// Puts what is next, about `bytes_max` bytes, behind `out`. Called without locks, outside a pass.
    pub fn step(
        &mut self,
        rng: &mut Rng,
        now_ms: i64,
        bytes_max: usize,
        waker: &Waker,
        out: &mut Out,
    ) -> Step {
        self.now_ms = now_ms;
        if let Some(over) = self.limits() {
            return Step::Over(over);
        }
        match &mut self.stage {
            Stage::Waiting => {
                match self.begin(rng, waker, out) {
                    Ok(true) => return Step::More,
                    Ok(false) => {}
                    Err(over) => return Step::Over(over),
                }
                self.say_newline(out);
                Step::Wait
            }
            Stage::Gathering(gathering) => match gathering.take() {
                None => {
                    self.say_newline(out);
                    Step::Wait
                }
                Some(Err(over)) => Step::Over(over),
                Some(Ok(spool)) => {
                    out.push(format!("${}\r\n", spool.len_bytes()).as_bytes());
                    self.stage = Stage::Sending { spool, at: 0 };
                    self.card.replica().set_state(ReplicaState::SendBulk);
                    Step::More
                }
            },
            Stage::Sending { spool, at } => {
                let bytes = match spool.read(*at, bytes_max) {
                    Ok(bytes) => bytes,
                    Err(error) => return Step::Over(Over::NotKept(error.kind())),
                };
                *at += bytes.len() as u64;
                push(out, bytes);
                if *at == spool.len_bytes() {
                    self.go_online();
                }
                Step::More
            }
            Stage::Streaming { whole, mark } => {
                let mut bytes = Vec::with_capacity(bytes_max);
                let Some(more) = whole.read(&mut bytes, bytes_max) else {
                    return Step::Over(Over::TakenBack);
                };
                if !more {
                    bytes.extend_from_slice(mark.as_bytes());
                    self.go_online();
                    if self.reader.is_some() {
                        self.stage = Stage::AwaitingAck;
                    }
                }
                push(out, bytes);
                Step::More
            }
            Stage::AwaitingAck => {
                if self.card.replica().acked_ms.load(Ordering::Relaxed) == 0 {
                    return Step::Wait;
                }
                self.stage = Stage::Online;
                Step::More
            }
            Stage::Online => self.read(bytes_max, waker, out),
            Stage::Transmitted => Step::Wait,
        }
    }

    /// The peer takes nothing at the moment. What of it?
    pub fn hold(&mut self, now_ms: i64) -> Option<Over> {
        self.now_ms = now_ms;
        self.limits()
    }

    /// The peer has taken something.
    pub fn taken(&mut self, now_ms: i64) {
        self.alive_ms = now_ms;
    }

    /// Cuts, if no other snapshot is under way, and says what will come.
    fn begin(&mut self, rng: &mut Rng, waker: &Waker, out: &mut Out) -> Result<bool, Over> {
        let engine = &self.engine;
        let settings = engine.settings();
        let replica = self.card.replica();
        let contents = *replica.contents.lock();
        let snapshot_only = replica.snapshot_only.load(Ordering::Relaxed);
        let hard = settings.output.replica.hard_bytes;
        // No less than what a replica that comes back is sent.
        let hard = if hard == 0 { u64::MAX } else { hard.max(settings.backlog_bytes) };
        let (mut reader, mut cut) = (None, None);
        let mut functions = Vec::new();
        let options = SnapshotOptions {
            now_ms: self.now_ms,
            access: None,
            compress: settings.rdb_compression,
        };
        let begun = engine.begin_snapshot(options, Others::Run, |at| {
            engine.history.keep(&engine.journal, settings.backlog_bytes, rng);
            if !snapshot_only {
                reader = engine.journal.reader(at.lsn, Patience::Drop(hard)).ok();
            }
            if contents.functions {
                functions =
                    engine.functions.sources().iter().map(|source| source.to_vec()).collect();
            }
            cut = Some(at.lsn);
        });
        let (Ok(mut snapshot), Some(lsn)) = (begun, cut) else { return Ok(false) };
        let head = Head::new(engine, &mut snapshot, functions, Purpose::Data(lsn));
        let head = head.map_err(Over::Unfit)?;
        self.reader = reader;
        if self.kind != Sync::Plain {
            let id = engine.history.id();
            out.push(format!("+FULLRESYNC {id} {lsn}\r\n").as_bytes());
        }
        let image = Image::new(&head, true);
        let snapshot = contents.keys.then(|| engine.lend(snapshot));
        let whole = Whole { snapshot, image };
        self.stage = if replica.takes_eof.load(Ordering::Relaxed) {
            let mark = hex40(rng);
            out.push(format!("$EOF:{mark}\r\n").as_bytes());
            replica.set_state(ReplicaState::SendBulk);
            Stage::Streaming { whole, mark }
        } else {
            Stage::Gathering(Gathering::begin(&self.place, whole, waker.clone())?)
        };
        Ok(true)
    }

    fn say_newline(&mut self, out: &mut Out) {
        if self.now_ms.saturating_sub(self.alive_ms) >= NEWLINE_MS {
            self.alive_ms = self.now_ms;
            out.push(b"\n");
        }
    }

    fn go_online(&mut self) {
        self.alive_ms = self.now_ms;
        let (stage, state) = match self.reader {
            Some(_) => (Stage::Online, ReplicaState::Online),
            None => (Stage::Transmitted, ReplicaState::Transmitted),
        };
        self.stage = stage;
        self.card.replica().set_state(state);
    }

    /// Passes on what the journal has.
    fn read(&mut self, bytes_max: usize, waker: &Waker, out: &mut Out) -> Step {
        let Some(reader) = &mut self.reader else { return Step::Wait };
        let mut bytes = Vec::new();
        match reader.poll(&mut bytes, bytes_max) {
            ReadOutcome::Data { .. } => {
                push(out, bytes);
                Step::More
            }
            ReadOutcome::Empty if reader.sleep(waker) => Step::Wait,
            ReadOutcome::Empty => Step::More,
            ReadOutcome::Lagged => Step::Over(Over::OutputLimit),
        }
    }

    /// Whether the peer lags too far behind, or was silent for too long.
    fn limits(&mut self) -> Option<Over> {
        let settings = self.engine.settings();
        let limit = settings.output.replica;
        let lag = self
            .reader
            .as_ref()
            .map_or(0, |reader| reader.journal().tail().0.saturating_sub(reader.position().0));
        let floor = settings.backlog_bytes;
        if limit.hard_bytes > 0 && lag > limit.hard_bytes.max(floor) {
            return Some(Over::OutputLimit);
        }
        if limit.soft_bytes > 0 && lag > limit.soft_bytes.max(floor) {
            let since = *self.soft_since_ms.get_or_insert(self.now_ms);
            let patience_ms = limit.soft_seconds.saturating_mul(1000) as i64;
            if self.now_ms.saturating_sub(since) >= patience_ms {
                return Some(Over::OutputLimit);
            }
        } else {
            self.soft_since_ms = None;
        }
        let heard_ms = match self.stage {
            // Newlines are sent, and nothing is asked for.
            Stage::Waiting | Stage::Gathering(_) => return None,
            // SYNC is not acknowledged.
            Stage::Online | Stage::Transmitted if self.kind == Sync::Plain => return None,
            Stage::Online => self.card.replica().acked_ms.load(Ordering::Relaxed),
            _ => 0,
        };
        let silent_ms = self.now_ms.saturating_sub(heard_ms.max(self.alive_ms));
        (silent_ms > settings.replica_timeout_ms).then_some(Over::Timeout)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.engine.history.left(self.now_ms);
    }
}

fn push(out: &mut Out, bytes: Vec<u8>) {
    if !bytes.is_empty() {
        out.push_chunk(Chunk::new(Arc::new(bytes)));
    }
}
