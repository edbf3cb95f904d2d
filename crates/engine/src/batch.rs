//! A batch: the requests of one read, resolved and prefetched together, executed in runs that
//! share a shard's lock.
//!
//! A run is capped, so that nobody starves, and so is the batch. A pass through the epochs spans
//! the data commands of a batch; commands of the node leave it first, so that they may close the
//! write gate themselves.

use crate::command_log::Cost;
use crate::evict::{Evicting, Hand};
use crate::ledger::{Composed, Ledger};
use crate::resolve::{LockPlan, Plan};
use crate::script::JobRun;
use crate::union::{Union, writes};
use crate::worker::Scratch;
use crate::{Engine, Level, Worker, WorkerStats};
use command::{
    Argument, ArgumentKind, Changed, ClientFlags, Clock, CommandError, Cx, Flags, Group, Job,
    Locks, Machine, News, Others, Place, Preparing, Ready, ReplyMode, Resolved, Rewrites, Session,
    Settings, Sync, Waiting, Waits,
};
use journal::{Lsn, Room, Writer};
use keyspace::{
    AccessClock, Db, Evictor, HeldShards, KeyRef, Record, Shard, Stalled, missing_shards,
};
use lock::{Participant, ShardId};
use resp::{Reply, Requests};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stdx::rng::Rng;

/// At most so many requests run under one acquisition of a shard's lock.
pub const RUN_REQUESTS_MAX: usize = 64;

/// Why `serve` stopped.
pub enum End {
    /// All requests were executed.
    Done,
    /// The last executed request goes on in slices; the rest waits for it.
    Later(Box<dyn Job>),
    /// The last executed request waits for a key; the rest waits for it.
    Wait(Arc<Waiting>),
    /// The last executed request has changed parameters; the rest is to be served under these.
    Again,
    /// The next request is held back by CLIENT PAUSE.
    Paused,
    /// From here on the connection is fed by the log; the rest is executed beside.
    Feed(Sync),
    /// The connection closes after what is queued; the rest is not executed.
    Close,
}

/// What `serve` did.
pub struct Served {
    /// How many of the requests were executed.
    pub done: usize,
    pub end: End,
    /// What the replies depend on: they may leave when [`crate::ReplyGate::open`] says so.
    pub lsn: Lsn,
}

/// A request with one word that is owned already.
pub struct Large<'a> {
    pub words: &'a [&'a [u8]],
    pub large: usize,
    /// The bytes of `words[large]`.
    pub value: Arc<Vec<u8>>,
    pub bytes: usize,
}

/// Clock readings for one batch.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Milliseconds since 1970.
    pub wall_ms: i64,
    /// Reads the tick counter: durations are differences of it.
    pub ticks: fn() -> u64,
    /// Reads the wall clock again, after a command that took long.
    pub wall: fn() -> i64,
    /// A command that takes longer than this makes the wall clock stale.
    pub stale_ticks: u64,
}

impl Now {
    pub(crate) fn clock(self) -> Clock {
        Clock { ticks: self.ticks, ticks_per_milli: self.stale_ticks }
    }
}

impl Engine {
    /// Executes parsed requests for one client; replies go to `reply` in order.
    pub fn serve(
        &self,
        worker: &mut Worker,
        session: &mut Session,
        requests: &Requests,
        input: &[u8],
        now: Now,
        reply: &mut Reply,
    ) -> Served {
        worker.refresh(self);
        if session.debugged().is_some()
            && let Some(request) = requests.iter(input).next()
        {
            let words: Vec<&[u8]> = request.args.iter().collect();
            return self.serve_debugger(worker, session, &words, now, reply);
        }
        let mut scratch = worker.take_scratch();
        let mut before = None;
        for request in requests.iter(input) {
            let from = scratch.words.len();
            scratch.words.extend(request.args.iter());
            let mut plan = self.resolve(&scratch.words, from, &mut scratch.keys, &mut before);
            plan.bytes = request.bytes;
            scratch.plans.push(plan);
        }
        let ready = long_words(&scratch.plans, &scratch.words);
        let served = self.run(worker, session, &mut scratch, ready, now, reply);
        worker.give_scratch(scratch);
        served
    }

    /// As [`Engine::serve`], while a script runs for too long on this very thread, under locks and
    /// inside a pass of another worker: what needs neither and is allowed is executed, everything
    /// else is told BUSY.
    pub fn serve_meanwhile(
        &self,
        deputy: &mut Worker,
        session: &mut Session,
        requests: &Requests,
        input: &[u8],
        now: Now,
        reply: &mut Reply,
    ) -> Served {
        deputy.meanwhile = true;
        self.serve(deputy, session, requests, input, now, reply)
    }

    /// Executes one request whose word at `large` is `value`: what SET stores without a copy.
    /// `bytes` is the request's size on the wire.
    pub fn serve_large(
        &self,
        worker: &mut Worker,
        session: &mut Session,
        Large { words, large, value, bytes }: Large<'_>,
        now: Now,
        reply: &mut Reply,
    ) -> Served {
        worker.refresh(self);
        if session.debugged().is_some() {
            return self.serve_debugger(worker, session, words, now, reply);
        }
        let mut ready = Ready::default();
        let others = words.iter().enumerate().filter(|(at, _)| *at != large);
        others.for_each(|(_, word)| ready.add(word));
        ready.give(words[large], value);
        let mut scratch = worker.take_scratch();
        scratch.words.extend_from_slice(words);
        let mut plan = self.resolve(&scratch.words, 0, &mut scratch.keys, &mut None);
        plan.bytes = bytes;
        scratch.plans.push(plan);
        let served = self.run(worker, session, &mut scratch, ready, now, reply);
        worker.give_scratch(scratch);
        served
    }

    /// The journal's memory is exhausted: nothing is executed, and the client is told.
    #[cold]
    fn refuse_all(
        &self,
        worker: &Worker,
        plans: &[Plan],
        refused: journal::Refused,
        reply: &mut Reply,
    ) -> Served {
        for _ in plans {
            let error =
                CommandError::err(format_args!("the journal cannot take the write: {refused}"));
            reply.error(error.text());
            worker.stats.error(error.code());
        }
        Served { done: plans.len(), end: End::Done, lsn: Lsn(0) }
    }

    /// A new limit is in force when CONFIG SET answers, and what a batch took beyond the limit is
    /// gone before the next.
    fn evict_behind(&self, worker: &mut Worker, now: Now) {
        let changed = worker.refresh(self);
        if (changed || worker.settings.eviction.is_some())
            && self.space.out_of_memory(worker.settings.maxmemory)
        {
            let settings = Arc::clone(&worker.settings);
            self.evict(&mut worker.hand(now), &settings);
        }
    }

    /// Why a batch ends when parameters have changed since it began.
    fn changed_since(&self, generation: u64) -> Option<End> {
        (self.settings_generation() != generation).then_some(End::Again)
    }

    pub(crate) fn run(
        &self,
        worker: &mut Worker,
        session: &mut Session,
        scratch: &mut Scratch<'_>,
        ready: Ready,
        now: Now,
        reply: &mut Reply,
    ) -> Served {
        let Scratch { words, keys, plans, shards } = scratch;
        let (queued, meanwhile) = (&mut worker.queued, worker.meanwhile);
        self.watch_memory(&worker.settings, now.wall_ms);
        // Before any lock, and outside a pass: a slow reader of the journal makes us wait here.
        let bytes = if meanwhile { 0 } else { self.journal_bytes(plans) };
        let room = match worker.writer.room(bytes, plans.len() as u32) {
            Ok(room) => room,
            Err(refused) => return self.refuse_all(worker, plans, refused, reply),
        };
        let began = (now.ticks)();
        let mut run = Run {
            began,
            engine: self,
            session,
            rng: &mut worker.rng,
            settings: &worker.settings,
            record: &mut worker.record,
            broadcast: &mut worker.broadcast,
            log: &mut worker.log,
            writer: &mut worker.writer,
            room,
            stats: &worker.stats,
            reply,
            now,
            ticks: began,
            words,
            keys,
            ready,
            evictor: &mut worker.evictor,
            memory: Memory::Unknown,
            transaction: None,
            prefetched: false,
            others: Others::Run,
            uncounted: 0,
            machine: &mut worker.machine,
            news: None,
            ended_overdue: 0,
            job: worker.job.as_ref(),
            gated: self.reply_gate.level() == Level::Fsync,
            lsn: Lsn(0),
        };
        run.log.active = run.room.active();
        let (generation, mut done, mut stop) = (worker.settings_generation, 0, None);
        while done < plans.len() && stop.is_none() {
            let stretch = &plans[done..];
            let ran = if meanwhile {
                Ok(run.meanwhile(&stretch[0]))
            } else {
                run.stretch(&mut worker.participant, stretch, queued, shards)
            };
            let ready = ran.and_then(|(ran, end)| {
                done += ran;
                stop = end.or_else(|| self.changed_since(generation));
                run.expire_met(&mut worker.participant);
                if run.memory == Memory::Wanted {
                    run.evict(&mut worker.participant, &plans[done..])
                } else {
                    Ok(())
                }
            });
            if let Err(refused) = ready {
                let lsn = run.settle(plans, done);
                let rest = self.refuse_all(worker, &plans[done..], refused, reply);
                return Served { done: done + rest.done, lsn, ..rest };
            }
        }
        let lsn = run.settle(plans, done);
        // What comes from a log depends on what came before, all of it.
        if !meanwhile && !session.replays {
            self.evict_behind(worker, now);
        }
        Served { done, end: stop.unwrap_or(End::Done), lsn }
    }
}

impl Plan {
    /// Whether the request runs within a pass through the epochs.
    fn concerns_data(&self) -> bool {
        self.row.is_none_or(|row| row.place == Place::Data) || self.refused.is_some()
    }
}

/// Copies of the long words that writes may store.
#[inline]
pub(crate) fn long_words(plans: &[Plan], words: &[&[u8]]) -> Ready {
    let mut ready = Ready::default();
    for plan in plans.iter().filter(|plan| plan.bytes >= Ready::WORD_BYTES_MIN) {
        if plan.row.is_some_and(|row| row.flags.has(Flags::DENYOOM)) {
            words[plan.words.clone()].iter().for_each(|word| ready.add(word));
        }
    }
    ready
}

impl Engine {
    /// Bytes that the effects of these requests may take in the journal.
    pub(crate) fn journal_bytes(&self, plans: &[Plan]) -> u64 {
        /// What rewriting and framing may add to the words of a request.
        const REWRITE_BYTES: u64 = 512;
        /// The text of a sum, which may be far longer than its terms: `1e4000` is a word of six.
        const FLOAT_BYTES: u64 = 5 * 1024;
        let one = |plan: &Plan| {
            let floats = plan.row.is_some() && self.writes_floats[usize::from(plan.id)];
            plan.bytes as u64 * 3 + REWRITE_BYTES + if floats { FLOAT_BYTES } else { 0 }
        };
        plans.iter().map(one).sum()
    }
}

/// Whether a row may log a float that the request does not spell out.
pub(crate) fn writes_floats(row: &command::Command) -> bool {
    fn any_double(args: &[Argument]) -> bool {
        args.iter().any(|argument| match argument.kind {
            ArgumentKind::Double => true,
            ArgumentKind::OneOf(parts) | ArgumentKind::Block(parts) => any_double(parts),
            _ => false,
        })
    }
    row.flags.has(Flags::WRITE) && any_double(row.args)
}

/// What has expired for a client: all up to now; for one that brings data in, nothing, as deleting
/// is up to the source, or in the log.
pub(crate) fn horizon_ms(session: &Session, settings: &Settings, now_ms: i64) -> i64 {
    let imports = settings.import_mode && session.card.has(ClientFlags::IMPORT_SOURCE);
    if imports || session.replays { i64::MIN } else { now_ms }
}

/// The shards that are locked for a request.
pub(crate) enum Locked<'a> {
    Nothing,
    One(&'a mut Shard),
    Many(&'a mut dyn HeldShards),
}

impl Locked<'_> {
    /// A database under these locks.
    #[inline]
    pub(crate) fn db<'s>(&'s mut self, record: &'s mut Record, index: u32, now_ms: i64) -> Db<'s> {
        match self {
            Self::Nothing => Db::under_none(record, index, now_ms),
            Self::One(shard) => Db::under_one(shard, record, index, now_ms),
            Self::Many(shards) => Db::under_many(&mut **shards, record, index, now_ms),
        }
    }

    pub(crate) fn holds(&self, id: ShardId) -> bool {
        match self {
            Self::Nothing => false,
            Self::One(shard) => shard.id() == id,
            Self::Many(shards) => shards.holds(id),
        }
    }
}

/// What the requests of one batch share while they run.
pub(crate) struct Run<'f, 'a> {
    pub(crate) engine: &'f Engine,
    pub(crate) session: &'f mut Session,
    pub(crate) rng: &'f mut Rng,
    pub(crate) settings: &'f Settings,
    pub(crate) record: &'f mut Record,
    pub(crate) log: &'f mut Rewrites,
    pub(crate) writer: &'f mut Writer,
    pub(crate) room: Room,
    pub(crate) stats: &'f WorkerStats,
    pub(crate) reply: &'f mut Reply,
    pub(crate) now: Now,
    /// When the batch began.
    began: u64,
    /// When the last command ended.
    pub(crate) ticks: u64,
    pub(crate) words: &'f [&'a [u8]],
    pub(crate) keys: &'f [KeyRef<'a>],
    pub(crate) ready: Ready,
    pub(crate) evictor: &'f mut Evictor,
    pub(crate) memory: Memory,
    /// The record of the transaction that runs.
    pub(crate) transaction: Option<Composed>,
    /// What changed, for those who hear of all changes.
    pub(crate) broadcast: &'f mut Changed,
    /// The keys of the batch were prefetched for its scripts.
    pub(crate) prefetched: bool,
    /// Whether the write gate is closed, by this worker.
    pub(crate) others: Others,
    /// Commands that ran beside the requests (in EXEC and scripts), less requests that were
    /// refused, only queued or wait.
    pub(crate) uncounted: i64,
    pub(crate) machine: &'f mut Machine,
    /// While a script runs: what others are to be told when it has ended.
    pub(crate) news: Option<Vec<News>>,
    /// Scripts that ran for too long and have ended, while what they held is still held.
    pub(crate) ended_overdue: u32,
    /// The job whose script the request is.
    pub(crate) job: Option<&'f JobRun>,
    /// Whether replies wait for what they depend on to be safe.
    gated: bool,
    /// The last change that a reply of the batch may show.
    lsn: Lsn,
}

/// What is known of memory for the next command that takes some.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    Unknown,
    /// The command waits for keys to be evicted: its locks and the pass are let go first.
    Wanted,
    /// Eviction has done what it could.
    Evicted(Evicting),
}

pub(crate) type Ran = (usize, Option<End>);

impl Run<'_, '_> {
    /// Runs what is at the head of `plans`, where it belongs.
    fn stretch(
        &mut self,
        participant: &mut Participant,
        plans: &[Plan],
        queued: &mut Scratch<'static>,
        shards: &mut Vec<ShardId>,
    ) -> Result<Ran, journal::Refused> {
        let first = &plans[0];
        if first.concerns_data() {
            return Ok(self.data(participant, plans, shards));
        }
        let ran = if first.row.is_some_and(|row| row.place == Place::Exec) {
            self.exec(participant, plans, queued, shards)
        } else if first.row.is_some_and(|row| row.place.is_script()) {
            Ok(self.script(participant, first, shards))
        } else {
            Ok(self.one(first, Locked::Nothing))
        };
        self.end_overdue();
        ran
    }

    /// Runs the data commands at the head of `plans`, within one pass.
    fn data(
        &mut self,
        participant: &mut Participant,
        plans: &[Plan],
        shards: &mut Vec<ShardId>,
    ) -> Ran {
        let Ok(pass) = self.engine.space.reach_pass(participant) else {
            return self.refuse_busy(&plans[0]);
        };
        self.look_again();
        if plans.len() > 1 || self.keys.len() > 3 {
            self.prefetch(&pass, self.keys);
        }
        let mut done = 0;
        while done < plans.len() && plans[done].concerns_data() {
            // What is only queued needs no lock.
            let queues = self.session.transaction.is_some();
            let (ran, end) = match plans[done].lock {
                _ if queues => self.one(&plans[done], Locked::Nothing),
                LockPlan::Nothing => self.one(&plans[done], Locked::Nothing),
                LockPlan::One(shard) => self.on_one_shard(shard, &plans[done..], shards),
                LockPlan::Many | LockPlan::All => self.on_many(&plans[done], shards),
            };
            done += ran;
            if end.is_some() || self.memory == Memory::Wanted {
                return (done, end);
            }
        }
        (done, None)
    }

    /// Once within a pass: whether the log has got a reader since there was room taken in it.
    #[inline]
    pub(crate) fn look_again(&mut self) {
        if !self.room.active() {
            self.writer.look_again(&mut self.room);
            self.log.active = self.room.active();
        }
    }

    /// Starts the loads that the requests will wait for: first the buckets of all keys, then the
    /// entries.
    pub(crate) fn prefetch(&self, pass: &lock::Pass<'_>, keys: &[KeyRef<'_>]) {
        // Often all requests of a pipeline are on one key.
        let changes = |pair: &&[KeyRef<'_>]| pair[0].hash() != pair[1].hash();
        if !keys.windows(2).any(|pair| changes(&pair)) {
            return;
        }
        for key in keys {
            self.engine.space.prefetch_bucket(pass, self.session.db, key);
        }
        for key in keys {
            self.engine.space.prefetch_entry(pass, self.session.db, key);
        }
    }

    /// Runs the requests at the head of `plans` that are on `shard`, under one acquisition.
    fn on_one_shard(&mut self, shard: ShardId, plans: &[Plan], shards: &mut Vec<ShardId>) -> Ran {
        let run = plans.iter().take(RUN_REQUESTS_MAX);
        // A script on the same shard locks by itself.
        let here = |plan: &&Plan| plan.lock == LockPlan::One(shard) && plan.concerns_data();
        let run = run.take_while(here).count();
        let Ok(mut held) = self.engine.space.reach_one(shard) else {
            return self.refuse_busy(&plans[0]);
        };
        if run > 1 {
            let (db, run) = (self.session.db, &plans[..run]);
            self.engine.prefetch_elements(&held, db, run, self.keys, self.words);
        }
        for (done, plan) in plans[..run].iter().enumerate() {
            if held.reaches_beyond() && writes(plan) {
                let missing = missing_shards(&mut *held, &self.keys[plan.keys.clone()]);
                if !missing.is_empty() {
                    drop(held);
                    let (ran, end) = self.on_many(plan, shards);
                    return (done + ran, end);
                }
            }
            let (ran, end) = self.one(plan, Locked::One(&mut held));
            if end.is_some() || ran == 0 {
                return (done + ran, end);
            }
        }
        (run, None)
    }

    /// Runs one request on several shards.
    fn on_many(&mut self, plan: &Plan, shards: &mut Vec<ShardId>) -> Ran {
        let keys = &self.keys[plan.keys.clone()];
        let prepares = self.session.authenticated && self.prepare(plan, self.words);
        let ran = match Union::lock(self.engine, std::slice::from_ref(plan), keys, shards) {
            Ok(mut union) => self.one(plan, union.locked()),
            Err(Stalled) => self.refuse_busy(plan),
        };
        if prepares {
            self.machine.prepared_is_over();
        }
        ran
    }

    /// Does what a request wants done before its locks are taken. Whether there was something.
    #[inline]
    pub(crate) fn prepare(&mut self, plan: &Plan, words: &[&[u8]]) -> bool {
        let row = plan.row.filter(|_| plan.refused.is_none());
        let Some(Locks::AllAfter(prepare)) = row.map(|row| row.locks) else { return false };
        let words = &words[plan.words.clone()];
        let (machine, functions) = (&mut *self.machine, &self.engine.functions);
        prepare(&mut Preparing { words, machine, functions, clock: self.now.clock() });
        true
    }

    /// Runs one request while a script runs on this thread.
    #[cold]
    fn meanwhile(&mut self, plan: &Plan) -> Ran {
        let may_run = |row: &command::Command| {
            row.flags.has(Flags::ALLOW_BUSY) && matches!(row.place, Place::Conn | Place::Node)
        };
        // Without locks nobody can stop watching.
        let allowed = self.session.watched.is_empty() && plan.row.is_none_or(may_run);
        if allowed { self.one(plan, Locked::Nothing) } else { self.refuse_busy(plan) }
    }

    /// A script holds what the request needs, and has for too long.
    #[cold]
    pub(crate) fn refuse_busy(&mut self, plan: &Plan) -> Ran {
        let error =
            plan.row.map_or_else(|| self.engine.scripts.overdue.error(), |row| self.busy(row));
        self.refuse(plan, Some(&error));
        (1, None)
    }

    /// What is told of a command that a script keeps from running: that the server loads, for one, goes
    /// before.
    #[cold]
    fn busy(&self, row: &command::Command) -> CommandError {
        let queued = self.session.transaction.as_deref();
        let refused = self.engine.condition.refuses(row, queued);
        refused.unwrap_or_else(|| self.engine.scripts.overdue.error())
    }

    /// Admits and executes one request. 0 means that it was not executed.
    pub(crate) fn one(&mut self, plan: &Plan, mut locked: Locked<'_>) -> Ran {
        let Some(row) = plan.row.filter(|_| plan.refused.is_none()) else {
            self.refuse(plan, plan.refused.as_deref());
            return (1, None);
        };
        if self.engine.pause.holds(row, self.now.wall_ms) {
            return (0, Some(End::Paused));
        }
        if let Err(error) = self.admit(plan, row) {
            self.refuse(plan, Some(&error));
            return (1, None);
        }
        if self.memory == Memory::Wanted {
            return (0, None);
        }
        if self.session.transaction.is_some() && !row.flags.has(Flags::UNQUEUED) {
            return self.queue(plan, row);
        }
        let mut later = None;
        let start = self.reply.mark();
        let request = plan.resolved(row, self.words, self.keys);
        let now_ms = self.engine.space.now_under_locks(self.now.wall_ms);
        if let Some(waiting) = self.call(&request, plan.bytes, &mut locked, now_ms, &mut later) {
            self.uncounted -= 1;
            self.caching_ends(plan);
            return (1, Some(End::Wait(waiting)));
        }
        self.caching_ends(plan);
        let end = self.after(start, later);
        if self.session.card.has_mail() && end.is_none() {
            self.session.collect(self.reply);
        }
        (1, end)
    }

    /// Executes one request under the locks that it needs, and serves who waited for what it did.
    /// The result: the client waits.
    pub(crate) fn call(
        &mut self,
        request: &Resolved<'_>,
        bytes: usize,
        locked: &mut Locked<'_>,
        now_ms: i64,
        later: &mut Option<Box<dyn Job>>,
    ) -> Option<Arc<Waiting>> {
        let (engine, index) = (self.engine, self.session.db);
        engine.listen(self.settings, self.record);
        let db = locked.db(self.record, index, now_ms);
        let touch = !self.session.no_touch;
        let horizon_ms = horizon_ms(self.session, self.settings, now_ms);
        let clock = self.now.clock();
        // Within a script's pass nobody may close the write gate.
        let others = if self.news.is_some() { Others::Stand } else { self.others };
        let access_clock = self.settings.access_clock;
        let random = if access_clock == AccessClock::Lru { 0 } else { self.rng.u64() };
        let mut cx = Cx {
            db: db.accesses(access_clock, touch, random).horizon(horizon_ms),
            space: &engine.space,
            session: self.session,
            node: engine.node(),
            pubsub: &engine.pubsub,
            tracking: &engine.tracking,
            monitors: &engine.monitors,
            scripts: &engine.scripts,
            functions: &engine.functions,
            machine: self.machine,
            clock,
            news: self.news.as_mut(),
            in_transaction: self.transaction.is_some(),
            table: &engine.table,
            rng: self.rng,
            settings: self.settings,
            now_ms,
            later,
            log: self.log,
            ready: &mut self.ready,
            others,
            waits: if self.transaction.is_some() { Waits::Never } else { Waits::May(None) },
        };
        let mut ledger = Ledger {
            writer: self.writer,
            room: &mut self.room,
            stats: self.stats,
            transaction: self.transaction.as_mut(),
            broadcast: self.broadcast,
        };
        let written = self.reply.out.len();
        let succeeded = engine.execute(&mut cx, request, &mut ledger, self.reply);
        let wish = cx.waits.wish();
        if self.gated {
            self.depend(request, locked);
        }
        if engine.monitors.active() {
            self.show(request);
        }
        if wish.is_none() {
            let ticks = self.count(request.id, succeeded);
            let reply_bytes = self.reply.out.len().saturating_sub(written);
            self.note_if_outstanding(request, Cost { bytes, ticks, reply_bytes });
        }
        if !self.record.ready.is_empty() && self.transaction.is_none() {
            self.serve_ready(locked, now_ms);
        }
        let wait = wish?;
        let ticks = (self.now.ticks)();
        let taken = ticks.saturating_sub(std::mem::replace(&mut self.ticks, ticks));
        Some(self.park(request, wait, taken, locked))
    }

    /// Notes what the reply of a command may show. A shard knows its last change; without locks it may
    /// be any.
    #[cold]
    fn depend(&mut self, request: &Resolved<'_>, locked: &mut Locked<'_>) {
        let lsn = match locked {
            // INFO says what is wrong with the disk, and must not wait for it.
            Locked::Nothing if request.spec.place == Place::Node => Lsn(0),
            // WAITAOF has a time of its own.
            Locked::Nothing if request.spec.flags.has(Flags::BLOCKING) => Lsn(0),
            Locked::Nothing if request.spec.group == Group::Connection => Lsn(0),
            Locked::Nothing => self.engine.journal.tail(),
            Locked::One(shard) => Lsn(shard.lsn),
            Locked::Many(shards) => {
                let mut last = 0;
                shards.each(&mut |shard| last = last.max(shard.lsn));
                Lsn(last)
            }
        };
        self.depend_on(lsn);
    }

    pub(crate) fn depend_on(&mut self, lsn: Lsn) {
        self.lsn = self.lsn.max(lsn);
    }

    /// Shows a command that has run to who monitors.
    #[cold]
    pub(crate) fn show(&self, request: &Resolved<'_>) {
        if self.session.debugging.as_ref().is_some_and(|debugging| debugging.runs) {
            return;
        }
        let micros = self.engine.node().wall_micros();
        let (monitors, limits) = (&self.engine.monitors, &self.settings.output);
        monitors.show(self.session, request, micros, self.news.is_some(), limits);
    }

    /// Whether the client may run `row` now.
    #[inline]
    pub(crate) fn admit(
        &mut self,
        plan: &Plan,
        row: &command::Command,
    ) -> Result<(), CommandError> {
        if !self.session.authenticated && !row.flags.has(Flags::NO_AUTH) {
            return Err(CommandError::NoAuth);
        }
        if self.session.transaction.is_some() && row.flags.has(Flags::NO_MULTI) {
            return Err(CommandError::NotInMulti);
        }
        if self.session.only_listens() && !row.flags.has(Flags::WHILE_SUBSCRIBED) {
            let name = &self.engine.table.entry(plan.id).full_name;
            return Err(CommandError::while_subscribed(name));
        }
        if self.engine.space.is_stalled() && self.is_busy(row) {
            return Err(self.busy(row));
        }
        if self.session.replays {
            return Ok(());
        }
        let queued = self.session.transaction.as_deref();
        if let Some(error) = self.engine.condition.refuses(row, queued) {
            return Err(error);
        }
        if self.engine.space.out_of_memory(self.settings.maxmemory) && self.takes_memory(row) {
            return self.under_pressure();
        }
        Ok(())
    }

    /// Whether a script that runs for too long keeps the client from running `row`. What needs locks
    /// finds that out by itself, and what administers the node goes on.
    #[cold]
    fn is_busy(&self, row: &command::Command) -> bool {
        let queues = self.session.transaction.is_some() && !row.flags.has(Flags::UNQUEUED);
        let refused = matches!(row.place, Place::Conn | Place::Exec) || queues;
        refused && !row.flags.has(Flags::ALLOW_BUSY)
    }

    /// Whether the command takes memory, or EXEC what is queued. A queue's own memory counts against its
    /// client's limits.
    fn takes_memory(&self, row: &command::Command) -> bool {
        let queue = || self.session.transaction.as_ref();
        row.flags.has(Flags::DENYOOM)
            || row.place == Place::Exec && queue().is_some_and(|it| it.has(Flags::DENYOOM))
    }

    /// A command that takes memory meets the limit: eviction is asked for, or has failed.
    #[cold]
    pub(crate) fn under_pressure(&mut self) -> Result<(), CommandError> {
        match std::mem::replace(&mut self.memory, Memory::Unknown) {
            Memory::Evicted(Evicting::Failed) => Err(CommandError::Oom),
            Memory::Evicted(_) => Ok(()),
            Memory::Unknown | Memory::Wanted => {
                self.memory = Memory::Wanted;
                Ok(())
            }
        }
    }

    /// Evicts for the request at the head of `plans`, and secures room in the journal for the rest
    /// again.
    fn evict(
        &mut self,
        participant: &mut Participant,
        plans: &[Plan],
    ) -> Result<(), journal::Refused> {
        let mut hand = Hand {
            participant,
            writer: self.writer,
            rng: self.rng,
            record: self.record,
            log: self.log,
            broadcast: self.broadcast,
            evictor: self.evictor,
            stats: self.stats,
            now: self.now,
        };
        self.memory = Memory::Evicted(self.engine.evict(&mut hand, self.settings));
        let ticks = (self.now.ticks)();
        if ticks.saturating_sub(self.ticks) > self.now.stale_ticks {
            self.now.wall_ms = (self.now.wall)();
        }
        // The time is not the command's.
        self.ticks = ticks;
        if self.session.card.has_mail() {
            // What was evicted is told before the command that needed the room.
            self.session.collect(self.reply);
        }
        self.room = self.writer.room(self.engine.journal_bytes(plans), plans.len() as u32)?;
        self.log.active = self.room.active();
        Ok(())
    }

    #[cold]
    pub(crate) fn refuse(&mut self, plan: &Plan, error: Option<&CommandError>) {
        if plan.row.is_some_and(|row| row.place == Place::Exec) {
            return self.refuse_exec(plan, error);
        }
        self.session.fail_transaction();
        self.answer_refused(plan, error);
    }

    pub(crate) fn answer_refused(&mut self, plan: &Plan, error: Option<&CommandError>) {
        let start = self.reply.mark();
        self.uncounted -= 1;
        if let Some(error) = error {
            self.reply.error(error.text());
            self.stats.error(error.code());
        }
        if plan.row.is_some() {
            self.stats.command(plan.id).rejected.add(1);
        } else {
            self.stats.unexpected_errors.add(1);
        }
        self.caching_ends(plan);
        self.after(start, None);
    }

    /// CLIENT CACHING was for the request that is answered or waits, whatever came of it, or for the
    /// transaction that is over. Subcommands of CLIENT do not count.
    #[inline]
    pub(crate) fn caching_ends(&mut self, plan: &Plan) {
        if self.session.caches()
            && !self.engine.table.entry(plan.id).full_name.starts_with("client|")
        {
            self.session.caching_ends();
        }
    }

    #[inline]
    pub(crate) fn count(&mut self, id: u16, succeeded: bool) -> u64 {
        let ticks = (self.now.ticks)();
        let taken = ticks.saturating_sub(self.ticks);
        self.ticks = ticks;
        if taken > self.now.stale_ticks {
            self.now.wall_ms = (self.now.wall)();
        }
        let stats = self.stats.command(id);
        stats.called(taken, self.settings.latency_tracking);
        if !succeeded {
            stats.failed.add(1);
        }
        taken
    }

    /// Puts the command into the log of commands if it took long or was large.
    #[inline]
    pub(crate) fn note_if_outstanding(&self, request: &Resolved<'_>, cost: Cost) {
        let client = (&*self.session.card, self.now);
        if request.spec.place == Place::Node {
            // CONFIG SET is held against the limits that it sets.
            let settings = self.engine.settings();
            return self.engine.note_if_outstanding(&settings, request, cost, client);
        }
        self.engine.note_if_outstanding(self.settings, request, cost, client);
    }

    /// Applies CLIENT REPLY to what was written since `start`, and says if the batch goes on.
    #[inline]
    pub(crate) fn after(
        &mut self,
        start: resp::Mark,
        mut later: Option<Box<dyn Job>>,
    ) -> Option<End> {
        let pushed = std::mem::take(&mut self.session.pushed);
        if self.session.reply_mode != ReplyMode::On {
            if !pushed {
                self.reply.truncate(start);
                later = None;
            }
            self.session.reply_mode = match self.session.reply_mode {
                ReplyMode::SkipNext => ReplyMode::Skip,
                ReplyMode::Off => ReplyMode::Off,
                ReplyMode::Skip | ReplyMode::On => ReplyMode::On,
            };
        }
        if self.session.close_after_reply {
            return Some(self.close());
        }
        if let Some(kind) = self.session.feed.take() {
            return Some(End::Feed(kind));
        }
        later.map(End::Later)
    }

    /// The client is on its way out, which others know before it has its last reply.
    #[cold]
    pub(crate) fn close(&self) -> End {
        self.session.card.set(ClientFlags::CLOSE_AFTER_REPLY, true);
        End::Close
    }

    /// Brings the batch's numbers to where others see them; what its replies depend on.
    fn settle(self, plans: &[Plan], done: usize) -> Lsn {
        self.engine.broadcast(self.broadcast, self.settings);
        let stats = self.stats;
        let commands = (done as u64).saturating_add_signed(self.uncounted);
        stats.commands_processed.add(commands);
        stats.batches.add(1);
        stats.command_ticks.add(self.ticks.saturating_sub(self.began));
        stats.most_commands.raise(done as u64);
        stats.keyspace_hits.add(std::mem::take(&mut self.record.hits));
        stats.keyspace_misses.add(std::mem::take(&mut self.record.misses));
        self.writer.nudge();
        if !self.record.garbage.is_empty() {
            self.engine.space.dispose(&mut self.record.garbage);
        }
        self.session.publish();
        let card = &self.session.card;
        card.last_ms.store(self.now.wall_ms, Ordering::Relaxed);
        card.db.store(self.session.db, Ordering::Relaxed);
        card.protocol.store(self.session.protocol, Ordering::Relaxed);
        card.commands.store(card.commands.load(Ordering::Relaxed) + commands, Ordering::Relaxed);
        if let Some(plan) = plans[..done].last() {
            card.last_command.store(plan.id, Ordering::Relaxed);
        }
        self.lsn
    }
}
