//! Deals the records of a log out to threads.
//!
//! ```text
//!                        ┌─► applier 0:  keys of shards 0, N, 2N ..     ─┐  batches come back empty,
//!   records ─► Dealer ───┼─► applier 1:  keys of shards 1, N + 1 ..     ─┤  or with what is wrong
//!                        └─► here:       all else, while appliers rest
//! ```
//!
//! **Of two records with a key in common, the first is applied first**: both go to the same applier, or one
//! of them is applied here, once the appliers have come to rest. That costs as much as many records do, so
//! those that follow are applied here, too, until it has paid.
//!
//! A transaction is dealt out as a whole. Places are offsets in the file.

use super::replay::{BATCH_REQUESTS, Clocks, Finding, REMARKS_MAX, Replay, limits};
use super::scan::annotation_at;
use engine::{Engine, Worker};
use resp::{Progress as Parsing, Requests};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

/// Dealt out at a time: some tenths of a millisecond's work.
const BATCH_BYTES: usize = 64 << 10;
/// On their way at a time, and at least one batch, of any size.
const UNDERWAY_BYTES_MAX: usize = 1 << 20;
/// So many records are applied here with one that has to be.
const ALONG: usize = 256;

/// Records that were copied out of the file.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Where in `bytes` a stretch of the file begins, and where in the file.
    places: Vec<(usize, u64)>,
}

impl Batch {
    fn push(&mut self, record: &[u8], place: u64) {
        let at = self.bytes.len();
        if self.place(at) != Some(place) {
            self.places.push((at, place));
        }
        self.bytes.extend_from_slice(record);
    }

    /// Where in the file the byte at `at` is, or would be if the last stretch went on.
    fn place(&self, at: usize) -> Option<u64> {
        let behind = self.places.partition_point(|(begin, _)| *begin <= at);
        let (begin, place) = *self.places.get(behind.checked_sub(1)?)?;
        Some(place + (at - begin) as u64)
    }

    /// Empties it, and gives back what a huge record took.
    fn clear(&mut self) {
        if self.bytes.capacity() > 4 * BATCH_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.places.clear();
    }
}

/// What has become of a batch.
struct Applied {
    batch: Batch,
    failure: Option<Wrong>,
    remarks: Vec<Wrong>,
}

/// What is wrong at a place.
pub(super) type Wrong = (u64, String);

/// Applies a batch.
fn apply(replay: &mut Replay<'_>, batch: Batch) -> Applied {
    let place = |(at, text): Finding| (batch.place(at).unwrap_or(0), text);
    let failure = replay.apply(&batch.bytes).err().map(place);
    let remarks = replay.remarks().into_iter().map(place).collect();
    Applied { batch, failure, remarks }
}

/// One thread that applies records.
struct Applier {
    batches: Sender<Batch>,
    filling: Batch,
}

/// A transaction that was begun.
struct Group {
    begin: usize,
    /// The applier of all that it contains so far.
    applier: Option<usize>,
    alone: bool,
}

/// See the head of this file.
pub(super) struct Dealer<'e> {
    engine: &'e Engine,
    here: Replay<'e>,
    /// What is to be applied here.
    own: Batch,
    /// So many records are still to be applied here.
    along: usize,
    /// The database that the appliers have selected.
    db: u32,
    appliers: Vec<Applier>,
    applied: Receiver<Applied>,
    underway: usize,
    underway_bytes: usize,
    spare: Vec<Batch>,
    /// The first.
    failure: Option<Wrong>,
    remarks: Vec<Wrong>,
}

impl<'e> Dealer<'e> {
    /// Starts `threads` appliers; with fewer than two, all is applied here, by `worker`.
    pub(super) fn start<'s>(
        scope: &'s Scope<'s, 'e>,
        engine: &'e Engine,
        worker: &'e mut Worker,
        clocks: Clocks,
        threads: usize,
    ) -> Self {
        let (done, applied) = channel();
        let threads = if threads < 2 { 0 } else { threads };
        let start = |_| {
            let (sender, batches) = channel();
            let done = done.clone();
            scope.spawn(move || run(engine, clocks, &batches, &done));
            Applier { batches: sender, filling: Batch::default() }
        };
        Self {
            engine,
            here: Replay::new(engine, worker, clocks),
            own: Batch::default(),
            along: 0,
            db: 0,
            appliers: (0..threads).map(start).collect(),
            applied,
            underway: 0,
            underway_bytes: 0,
            spare: Vec::new(),
            failure: None,
            remarks: Vec::new(),
        }
    }

    /// Deals out whole records, which begin at `place`, no transaction half. False: something is wrong, and
    /// there is no sense in going on.
    pub(super) fn deal(&mut self, records: &[u8], place: u64) -> bool {
        if self.appliers.is_empty() {
            let find = |(at, text): Finding| (place + at as u64, text);
            let failure = self.here.apply(records).err().map(find);
            self.remarks.extend(self.here.remarks().into_iter().map(find));
            self.failure = failure;
            return self.failure.is_none();
        }
        let (limits, mut requests) = (limits(), Requests::new());
        let (mut at, mut group) = (0, None);
        while let Some(rest) = records.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some((len, _)) = annotation_at(rest) {
                at += len;
                continue;
            }
            let parsed = requests.parse(&mut Parsing::default(), rest, &limits, BATCH_REQUESTS);
            if requests.is_empty() {
                let reason = format!("the command cannot be read: {:?}", parsed.stop);
                self.note((place + at as u64, reason));
                break;
            }
            let shards = self.engine.single_shards(&requests, rest);
            for (index, (request, shard)) in requests.iter(rest).zip(shards).enumerate() {
                let name = request.args.get(0).unwrap_or_default();
                let (begin, end) = (at + requests.end_of(index), at + requests.end_of(index + 1));
                if let Some((begin, to)) = self.route(&mut group, name, shard, begin) {
                    let record = records.get(begin..end).unwrap_or_default();
                    self.give(to, record, place + begin as u64);
                }
            }
            at += requests.end_of(requests.len());
        }
        self.failure.is_none()
    }

    /// Where a request is applied that begins at `begin`, and what came before it and belongs to it.
    fn route(
        &self,
        group: &mut Option<Group>,
        name: &[u8],
        shard: Option<usize>,
        begin: usize,
    ) -> Option<(usize, To)> {
        let applier = shard.and_then(|shard| shard.checked_rem(self.appliers.len()));
        let is = |word: &[u8]| shard.is_none() && name.eq_ignore_ascii_case(word);
        let Some(open) = group else {
            if is(b"MULTI") {
                *group = Some(Group { begin, applier: None, alone: false });
                return None;
            }
            let other = if is(b"SELECT") { To::Here } else { To::Alone };
            return Some((begin, applier.map_or(other, To::Applier)));
        };
        if !is(b"EXEC") && !is(b"DISCARD") {
            open.alone |= applier.is_none() || open.applier.is_some_and(|one| applier != Some(one));
            open.applier = applier;
            return None;
        }
        let open = group.take()?;
        Some((open.begin, open.applier.filter(|_| !open.alone).map_or(To::Alone, To::Applier)))
    }

    fn give(&mut self, to: To, record: &[u8], place: u64) {
        match to {
            To::Applier(index) if self.along == 0 => {
                let Some(applier) = self.appliers.get_mut(index) else { return };
                applier.filling.push(record, place);
                if applier.filling.bytes.len() >= BATCH_BYTES {
                    self.send(index);
                }
                return;
            }
            To::Alone => {
                if self.along == 0 {
                    self.rest();
                }
                self.along = ALONG;
            }
            To::Applier(_) | To::Here => {}
        }
        self.own.push(record, place);
        self.along = self.along.saturating_sub(1);
        if self.along == 0 || self.own.bytes.len() >= BATCH_BYTES {
            self.apply_own();
        }
    }

    /// Applies here what is to be, and has the appliers select the same database.
    fn apply_own(&mut self) {
        if self.own.bytes.is_empty() {
            return;
        }
        let applied = apply(&mut self.here, std::mem::take(&mut self.own));
        self.note_applied(applied);
        self.own = self.spare.pop().unwrap_or_default();
        if self.here.db() != self.db {
            self.db = self.here.db();
            let mut select = Vec::new();
            resp::write_command(&mut select, &[b"SELECT", self.db.to_string().as_bytes()]);
            for applier in &mut self.appliers {
                applier.filling.push(&select, 0);
            }
        }
    }

    /// Sends an applier what was gathered for it, once there is not too much on its way.
    fn send(&mut self, index: usize) {
        let Some(applier) = self.appliers.get_mut(index) else { return };
        let batch = std::mem::replace(&mut applier.filling, self.spare.pop().unwrap_or_default());
        let bytes = batch.bytes.len();
        self.underway += 1;
        self.underway_bytes += bytes;
        if applier.batches.send(batch).is_err() {
            self.note((0, "a thread that applies records has ended".into()));
        }
        while self.underway > 1 && self.underway_bytes > UNDERWAY_BYTES_MAX {
            self.wait();
        }
    }

    /// Waits for one batch.
    fn wait(&mut self) {
        match self.applied.recv() {
            Ok(applied) => {
                self.underway -= 1;
                self.underway_bytes -= applied.batch.bytes.len();
                self.note_applied(applied);
            }
            Err(_) => self.underway = 0,
        }
    }

    /// Has the appliers come to rest, with nothing left to do.
    fn rest(&mut self) {
        for index in 0..self.appliers.len() {
            if self.appliers.get(index).is_some_and(|applier| !applier.filling.bytes.is_empty()) {
                self.send(index);
            }
        }
        while self.underway > 0 {
            self.wait();
        }
    }

    fn note_applied(&mut self, applied: Applied) {
        let Applied { mut batch, failure, remarks } = applied;
        self.remarks.extend(remarks);
        if let Some(failure) = failure {
            self.note(failure);
        }
        batch.clear();
        self.spare.push(batch);
    }

    /// Of two failures, the first in the file counts.
    fn note(&mut self, failure: Wrong) {
        if self.failure.as_ref().is_none_or(|first| failure.0 < first.0) {
            self.failure = Some(failure);
        }
    }

    /// The file is at its end: what is worth telling of it, or what is wrong.
    pub(super) fn finish(&mut self) -> Result<Vec<String>, Wrong> {
        self.rest();
        self.along = 0;
        self.apply_own();
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut remarks = std::mem::take(&mut self.remarks);
        remarks.sort();
        remarks.truncate(REMARKS_MAX);
        Ok(remarks.into_iter().map(|(_, text)| text).collect())
    }
}

/// Where records are applied.
#[derive(Clone, Copy)]
enum To {
    Applier(usize),
    /// Here, whatever the appliers do meanwhile.
    Here,
    /// Here, while they rest.
    Alone,
}

/// An applier, until nothing comes any more.
fn run(engine: &Engine, clocks: Clocks, batches: &Receiver<Batch>, done: &Sender<Applied>) {
    let mut worker = Worker::new(engine, 0);
    let mut replay = worker.as_mut().map(|worker| Replay::new(engine, worker, clocks));
    while let Ok(batch) = batches.recv() {
        let applied = match &mut replay {
            Some(replay) => apply(replay, batch),
            None => {
                let place = batch.place(0).unwrap_or(0);
                let failure = Some((place, "there are too many threads".into()));
                Applied { batch, failure, remarks: Vec::new() }
            }
        };
        if done.send(applied).is_err() {
            return;
        }
    }
}
