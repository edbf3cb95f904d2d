//! Clients that wait: how they begin to, how they are served, how it ends.
//!
//! A blocking command that finds nothing wishes to wait. Under the same locks its client is put into
//! the queues of the keys, so no change is missed. Whoever changes such a key runs, before the locks
//! go, the commands of those who wait for it, first come, first served: the same handler, by the
//! same `execute`, told which keys became ready. In the journal that is a command of its own,
//! behind the one that made the key ready.
//!
//! What serving needs is locked before the change is made: a list that is moved on to another key
//! needs that key's shard, and those of who waits there ([`keyspace::missing_shards`]).

use crate::batch::{Locked, Now, Run};
use crate::command_log::Cost;
use crate::{Engine, Ledger, Worker, WorkerStats};
use command::{
    Card, Changed, ClientFlags, Clock, Cx, Ending, JobStep, Machine, Others, Ready, Resolved,
    Rewrites, Session, Settings, Wait, WaitOutcome, Waiting, Waits, Wanted,
};
use journal::{Room, Writer};
use keyspace::{ReadyKey, Record, Waiter};
use parking_lot::Mutex;
use resp::{Out, Reply};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use stdx::rng::Rng;

/// When waiting clients give up. Whoever owns a clock asks [`Deadlines::expire`].
#[derive(Default)]
pub struct Deadlines {
    /// By moment (milliseconds since 1970) and client.
    table: Mutex<BTreeMap<(i64, u64), Arc<Card>>>,
    /// Called when there is an earlier deadline than before.
    sooner: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl std::fmt::Debug for Deadlines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deadlines").field("clients", &self.len()).finish_non_exhaustive()
    }
}

impl Deadlines {
    /// Says who is told of an earlier deadline; the first to say so is heard. It may be called under
    /// locks.
    pub fn set_listener(&self, sooner: Box<dyn Fn() + Send + Sync>) {
        let first = self.sooner.set(sooner).is_ok();
        debug_assert!(first, "the listener is set once");
    }

    fn add(&self, until_ms: i64, card: &Arc<Card>) {
        let mut table = self.table.lock();
        let first = table.first_key_value().is_none_or(|(first, _)| (until_ms, card.id) < *first);
        table.insert((until_ms, card.id), Arc::clone(card));
        drop(table);
        if first && let Some(sooner) = self.sooner.get() {
            sooner();
        }
    }

    fn remove(&self, until_ms: i64, client: u64) {
        self.table.lock().remove(&(until_ms, client));
    }

    /// Wakes the connections whose time is over; returns when the next one's is.
    pub fn expire(&self, now_ms: i64) -> Option<i64> {
        let mut table = self.table.lock();
        while let Some(first) = table.first_entry() {
            let until_ms = first.key().0;
            if until_ms > now_ms {
                return Some(until_ms);
            }
            first.remove().wake();
        }
        None
    }

    /// How many clients wait with a deadline.
    pub fn len(&self) -> usize {
        self.table.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What of a worker serves those who wait.
pub(crate) struct Serving<'w> {
    pub engine: &'w Engine,
    pub rng: &'w mut Rng,
    pub settings: &'w Settings,
    pub record: &'w mut Record,
    pub log: &'w mut Rewrites,
    pub broadcast: &'w mut Changed,
    pub writer: &'w mut Writer,
    pub room: &'w mut Room,
    pub stats: &'w WorkerStats,
    pub now: Now,
}

impl Run<'_, '_> {
    /// Lets the client wait, under the locks under which there was nothing for it.
    pub(crate) fn park(
        &mut self,
        request: &Resolved<'_>,
        wait: Wait,
        ticks: u64,
        locked: &mut Locked<'_>,
    ) -> Arc<Waiting> {
        let waiting = Waiting::new(self.session, request, wait, ticks);
        let mut db = locked.db(self.record, self.session.db, self.now.wall_ms);
        let keys = &request.keys[..waiting.wait.keys.min(request.keys.len())];
        for (at, key) in keys.iter().enumerate() {
            if !keys[..at].iter().any(|before| before.bytes() == key.bytes()) {
                db.wait(key, Arc::clone(&waiting) as Arc<dyn Waiter>);
            }
        }
        let card = &self.session.card;
        *card.waiting.lock() = Some(Arc::clone(&waiting));
        card.set(ClientFlags::BLOCKED, true);
        card.waiting_bytes.store(waiting.memory_bytes(), Ordering::Relaxed);
        if let Some(due_ms) = waiting.due_ms() {
            self.engine.deadlines.add(due_ms, card);
        }
        waiting
    }

    /// Serves those who wait for keys that have become ready, before their locks go.
    #[cold]
    pub(crate) fn serve_ready(&mut self, locked: &mut Locked<'_>, now_ms: i64) {
        let mut serving = Serving {
            engine: self.engine,
            rng: self.rng,
            settings: self.settings,
            record: self.record,
            log: self.log,
            broadcast: self.broadcast,
            writer: self.writer,
            room: &mut self.room,
            stats: self.stats,
            now: self.now,
        };
        serving.serve(locked, now_ms);
        // The time is not the next command's.
        self.ticks = (self.now.ticks)();
    }
}

impl Serving<'_> {
    /// Serves until nothing is ready any more: what one client is given may make a key ready for
    /// another.
    pub(crate) fn serve(&mut self, locked: &mut Locked<'_>, now_ms: i64) {
        let mut ready = std::mem::take(&mut self.record.ready);
        let mut at = 0;
        while at < ready.len() {
            self.serve_key(locked, &mut ready, at, now_ms);
            at += 1;
        }
    }

    /// Goes through the queue of one key. What becomes ready on the way is there for the next client
    /// in it, too: the first key that he named may be among it.
    fn serve_key(
        &mut self,
        locked: &mut Locked<'_>,
        ready: &mut Vec<ReadyKey>,
        at: usize,
        now_ms: i64,
    ) {
        let mut place = 0;
        loop {
            ready.append(&mut self.record.ready);
            let key = &ready[at];
            let mut db = locked.db(self.record, key.db, now_ms);
            let there = db.type_of(key);
            if there.is_none() && !db.heeds_absence(key) {
                return;
            }
            let Some(waiter) = db.waiter(key, place) else { return };
            let Some(waiting) = (&*waiter as &dyn Any).downcast_ref::<Waiting>() else { return };
            let is_for = match &waiting.wait.wanted {
                Wanted::Type(wanted) => there == Some(*wanted),
                Wanted::Change => true,
                Wanted::Acks(_) => false,
                Wanted::Transfer(transfer) => {
                    transfer.note_change(&key.place.key);
                    false
                }
            };
            let within = waiting.beyond().iter().all(|place| locked.holds(place.shard));
            let mut run = || self.run(waiting, locked, ready, now_ms);
            let waits_on = !is_for || !within || waiting.serve(&mut run);
            if waits_on {
                place += 1;
            } else {
                locked.db(self.record, key.db, now_ms).remove_waiter(key, place);
                waiting.left_queue();
            }
        }
    }

    /// Runs the command of a client that waits. `None`: there is still nothing for it.
    fn run(
        &mut self,
        waiting: &Waiting,
        locked: &mut Locked<'_>,
        ready: &[ReadyKey],
        now_ms: i64,
    ) -> Option<Out> {
        let engine = self.engine;
        let words: Vec<&[u8]> = waiting.words.iter().map(|word| &**word).collect();
        let mut keys = Vec::new();
        let mut plan = engine.resolve(&words, 0, &mut keys, &mut None);
        plan.bytes = words.iter().map(|word| word.len()).sum();
        let request = plan.resolved(plan.row?, &words, &keys);
        // Without room its effect could not be told: it waits on.
        let bytes = engine.journal_bytes(std::slice::from_ref(&plan));
        self.writer.extend(self.room, bytes, 1).ok()?;
        let (noted, began) = (self.record.ready.len(), (self.now.ticks)());
        let mut session = waiting.session();
        let mut reply = Reply::new(session.wire());
        let mut later = None;
        let touch = !session.no_touch;
        engine.listen(self.settings, self.record);
        let db = locked.db(self.record, waiting.db, now_ms);
        let mut cx = Cx {
            db: db.accesses(self.settings.access_clock, touch, self.rng.u64()),
            space: &engine.space,
            session: &mut session,
            node: engine.node(),
            pubsub: &engine.pubsub,
            tracking: &engine.tracking,
            monitors: &engine.monitors,
            scripts: &engine.scripts,
            functions: &engine.functions,
            machine: &mut Machine::default(),
            clock: Clock { ticks: self.now.ticks, ticks_per_milli: self.now.stale_ticks },
            news: None,
            table: &engine.table,
            rng: self.rng,
            settings: self.settings,
            now_ms,
            later: &mut later,
            log: self.log,
            ready: &mut Ready::default(),
            others: Others::Run,
            in_transaction: false,
            waits: Waits::Woken { ready, wanted: &waiting.wait.wanted, wish: None },
        };
        let mut ledger = Ledger {
            writer: self.writer,
            room: self.room,
            stats: self.stats,
            broadcast: self.broadcast,
            transaction: None,
        };
        let succeeded = engine.execute(&mut cx, &request, &mut ledger, &mut reply);
        if let Some(wish) = cx.waits.wish() {
            if waiting.wait.again_ms.is_some() {
                engine.runs_again(waiting, wish.again_ms);
            }
            // What it did on the way (a consumer that was made) is news to nobody who waits.
            self.record.ready.truncate(noted);
            return None;
        }
        if let Some(mut job) = later {
            while job.step(&engine.space, now_ms, &mut reply) == JobStep::More {}
        }
        let stats = self.stats.command(request.id);
        let ticks = waiting.ticks.saturating_add((self.now.ticks)().saturating_sub(began));
        stats.called(ticks, self.settings.latency_tracking);
        stats.failed.add(u64::from(!succeeded));
        self.stats.commands_processed.add(1);
        let cost = Cost { bytes: plan.bytes, ticks, reply_bytes: reply.out.len() };
        let request = Resolved { args: &waiting.sent(), ..request };
        engine.note_if_outstanding(self.settings, &request, cost, (&waiting.card, self.now));
        Some(std::mem::take(&mut reply.out))
    }
}

impl Engine {
    /// Serves those who wait for keys that went without a command: by expiry or eviction. Called
    /// without locks, inside a pass; the room is enlarged as needed.
    #[cold]
    pub(crate) fn serve_gone(&self, mut serving: Serving<'_>) {
        // What has been told of is no change of those who are served.
        serving.record.clear();
        for ready in std::mem::take(&mut serving.record.ready) {
            let Ok(mut held) = self.space.reach_one(ready.place.shard) else {
                // Whoever changes the key next looks after those who wait.
                continue;
            };
            serving.record.ready.push(ready);
            let now_ms = self.space.now_under_locks(serving.now.wall_ms);
            serving.serve(&mut Locked::One(&mut held), now_ms);
        }
    }

    /// For the connection of a client that waits: writes the answer, if there is one by now or the
    /// time is over, and ends the waiting. `false`: it waits on.
    pub fn resume(
        &self,
        worker: &mut Worker,
        session: &mut Session,
        waiting: &Arc<Waiting>,
        now: Now,
        reply: &mut Reply,
    ) -> bool {
        if waiting.runs_again(now.wall_ms) {
            self.run_again(worker, waiting, now);
        }
        let synced = match waiting.wait.wanted {
            Wanted::Acks(_) => self.node().synced(),
            Wanted::Type(_) | Wanted::Change | Wanted::Transfer(_) => None,
        };
        waiting.acknowledge(synced);
        waiting.expire(now.wall_ms);
        let Some(outcome) = waiting.answer(session, synced, reply) else { return false };
        if let WaitOutcome::Ended(ending) = outcome {
            self.count_ended(worker, waiting, ending, now);
        }
        self.forget(waiting);
        let card = &session.card;
        card.last_ms.store(now.wall_ms, Ordering::Relaxed);
        card.commands.store(card.commands.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        true
    }

    /// Runs the command of a client that waits although none of its keys has changed: there may be
    /// something for it by now. It keeps its place in the queues.
    #[cold]
    fn run_again(&self, worker: &mut Worker, waiting: &Waiting, now: Now) {
        worker.refresh(self);
        let Worker { participant, writer, settings, rng, log, broadcast, stats, record, .. } =
            worker;
        /// When it is looked at again, where it could not be run.
        const SOON_MS: i64 = 10;
        let soon_ms = now.wall_ms.checked_add(SOON_MS);
        let Ok(mut room) = writer.room(0, 1) else { return self.runs_again(waiting, soon_ms) };
        let Ok(pass) = self.space.reach_pass(participant) else {
            return self.runs_again(waiting, soon_ms);
        };
        writer.look_again(&mut room);
        if self.pause.active(now.wall_ms) {
            return self.runs_again(waiting, soon_ms);
        }
        log.active = room.active();
        let ready = waiting.all_ready();
        let mut shards: Vec<_> = ready.iter().map(|ready| ready.place.shard).collect();
        shards.sort_unstable();
        shards.dedup();
        let Ok(mut held) = self.space.reach_many(&shards) else {
            return self.runs_again(waiting, soon_ms);
        };
        let now_ms = self.space.now_under_locks(now.wall_ms);
        let room = &mut room;
        let mut serving = Serving {
            engine: self,
            rng,
            settings,
            record,
            log,
            broadcast,
            writer,
            room,
            stats,
            now,
        };
        let mut locked = Locked::Many(&mut held);
        let waits_on = waiting.serve(|| serving.run(waiting, &mut locked, &ready, now_ms));
        serving.serve(&mut locked, now_ms);
        drop(held);
        if waits_on && matches!(waiting.wait.wanted, Wanted::Transfer(_)) {
            // There was no room in the journal, or another round has begun.
            let again_ms = if waiting.runs_again(now.wall_ms) { soon_ms } else { None };
            self.runs_again(waiting, again_ms);
        }
        self.broadcast(broadcast, settings);
        drop(pass);
        self.space.dispose(&mut record.garbage);
    }

    /// The command of a client that waits is to be run again then.
    fn runs_again(&self, waiting: &Waiting, again_ms: Option<i64>) {
        let before = waiting.due_ms();
        waiting.set_again(again_ms);
        let due_ms = waiting.due_ms();
        if before != due_ms {
            before.inspect(|before| self.deadlines.remove(*before, waiting.card.id));
        }
        if let Some(due_ms) = due_ms {
            self.deadlines.add(due_ms, &waiting.card);
        }
    }

    /// Counts a command whose waiting came to nothing. As in Valkey, one that CLIENT UNBLOCK ended
    /// with an error counts as rejected.
    #[cold]
    fn count_ended(&self, worker: &Worker, waiting: &Waiting, ending: Ending, now: Now) {
        let command = worker.stats.command(waiting.id);
        command.called(waiting.ticks, worker.settings.latency_tracking);
        worker.stats.commands_processed.add(1);
        if ending == Ending::Error {
            command.rejected.add(1);
            worker.stats.error("UNBLOCKED".to_owned());
        }
        let (words, mut keys) = (waiting.sent(), Vec::new());
        let plan = self.resolve(&words, 0, &mut keys, &mut None);
        let Some(row) = plan.row else { return };
        let request = plan.resolved(row, &words, &keys);
        let cost = Cost { bytes: 0, ticks: waiting.ticks, reply_bytes: 0 };
        self.note_if_outstanding(&worker.settings, &request, cost, (&waiting.card, now));
    }

    /// The connection of a client that waits has ended.
    pub fn abandon(&self, waiting: &Arc<Waiting>) {
        waiting.end(Ending::Gone);
        self.forget(waiting);
    }

    /// Takes a client that waits no more out of all lists.
    fn forget(&self, waiting: &Arc<Waiting>) {
        waiting.leave(&self.space);
        let card = &waiting.card;
        if let Some(due_ms) = waiting.due_ms() {
            self.deadlines.remove(due_ms, card.id);
        }
        *card.waiting.lock() = None;
        card.set(ClientFlags::BLOCKED, false);
        card.waiting_bytes.store(0, Ordering::Relaxed);
    }
}
