//! MULTI and EXEC: requests are queued by the session, resolved at EXEC, and run under the union
//! of their locks, as one record of the journal.
//!
//! ```text
//!   all commands work on their keys:  pass, gate shared, union of their shards   (or all shards)
//!   one runs a script:                pass, gate exclusive, their shards, and those that it meets
//!   one walks, or is the node's:      the write gate; each command then locks for itself
//! ```
//!
//! Either way nobody sees a part of it. What is watched is looked at once the locks are there. A
//! command that answers with an error does not undo the others, as in Redis.

use crate::End;
use crate::batch::{Locked, Memory, Ran, Run, horizon_ms, long_words};
use crate::ledger::Composed;
use crate::resolve::Plan;
use crate::union::Union;
use crate::worker::Scratch;
use command::{Command, CommandError, Flags, Job, JobStep, Others, Place, ReplyMode, Transaction};
use journal::Refused;
use keyspace::{KeyRef, Keyspace, Stalled, WatchedKey};
use lock::{Participant, ShardId};
use resp::{Out, Reply};
use std::collections::VecDeque;

/// Replies of a transaction that go on after its locks are gone: long ones, and those behind them.
struct Tail {
    parts: VecDeque<(Box<dyn Job>, Out)>,
}

impl Job for Tail {
    fn step(&mut self, space: &Keyspace, now_ms: i64, reply: &mut Reply) -> JobStep {
        if let Some((job, behind)) = self.parts.front_mut() {
            if job.step(space, now_ms, reply) == JobStep::More {
                return JobStep::More;
            }
            reply.out.append(behind);
            self.parts.pop_front();
        }
        if self.parts.is_empty() { JobStep::Done } else { JobStep::More }
    }
}

/// The commands of a transaction, resolved, and what their replies have come to.
struct Queue<'q, 'w> {
    words: &'q [&'w [u8]],
    keys: &'q [KeyRef<'w>],
    plans: &'q [Plan],
    watched: &'q [WatchedKey],
    /// Memory was above its limit at the begin, and nothing could be evicted.
    out_of_memory: bool,
    /// The reply up to the first long one, once there is one.
    head: Option<Out>,
    parts: VecDeque<(Box<dyn Job>, Out)>,
}

impl<'f> Run<'f, '_> {
    /// Puts a request behind those that wait for EXEC.
    pub(crate) fn queue(&mut self, plan: &Plan, row: &Command) -> Ran {
        let start = self.reply.mark();
        if let Some(queue) = &mut self.session.transaction {
            queue.push(row, &self.words[plan.words.clone()], plan.bytes);
        }
        self.reply.simple("QUEUED");
        self.uncounted -= 1;
        (1, self.after(start, None))
    }

    /// EXEC cannot run now: the transaction is over.
    #[cold]
    pub(crate) fn refuse_exec(&mut self, plan: &Plan, error: Option<&CommandError>) {
        self.discard();
        let error = error.map(CommandError::exec_abort);
        self.answer_refused(plan, error.as_ref());
    }

    fn discard(&mut self) {
        self.session.transaction = None;
        self.session.unwatch(&self.engine.space);
    }

    /// Runs EXEC, the first of `plans`. An error: the journal has no room for it or for the rest.
    pub(crate) fn exec(
        &mut self,
        participant: &mut Participant,
        plans: &[Plan],
        scratch: &mut Scratch<'static>,
        shards: &mut Vec<ShardId>,
    ) -> Result<Ran, Refused> {
        let plan = &plans[0];
        let Some(row) = plan.row.filter(|_| plan.refused.is_none()) else {
            return Ok(self.one(plan, Locked::Nothing));
        };
        let now_ms = self.now.wall_ms;
        let queue = self.session.transaction.as_ref();
        let pauses = queue.is_some_and(|queue| self.engine.pause.holds_queue(queue, now_ms));
        if pauses || self.engine.pause.holds(row, now_ms) {
            return Ok((0, Some(End::Paused)));
        }
        if let Err(error) = self.admit(plan, row) {
            self.refuse(plan, Some(&error));
            return Ok((1, None));
        }
        // If a command is known to take memory, that has been looked at.
        let takes = self.session.transaction.as_ref().is_some_and(|it| it.has(Flags::DENYOOM));
        let out_of_memory = !takes && self.is_out_of_memory().is_err();
        if self.memory == Memory::Wanted {
            return Ok((0, None));
        }
        let (start, mode) = (self.reply.mark(), self.session.reply_mode);
        let mut tail = None;
        let failed = match self.session.transaction.take() {
            None => Some(CommandError::ExecWithoutMulti),
            Some(queue) if queue.failed() => Some(CommandError::ExecAbort),
            Some(queue) => {
                // What runs finds nothing watched: UNWATCH has nothing to do.
                let watched = std::mem::take(&mut self.session.watched);
                let queue = (&*queue, &watched[..], out_of_memory);
                let ran = self.exec_queue(participant, plans, queue, scratch, shards);
                self.session.watched = watched;
                let Ok(ran) = ran? else {
                    self.refuse(plan, Some(&self.engine.scripts.overdue.error()));
                    return Ok((1, None));
                };
                self.discard();
                tail = ran;
                None
            }
        };
        if let Some(error) = &failed {
            self.discard();
            self.reply.error(error.text());
            self.stats.error(error.code());
        }
        self.count(plan.id, failed.is_none());
        self.caching_ends(plan);
        if self.engine.monitors.active() {
            self.show(&plan.resolved(row, self.words, &[]));
        }
        let end = self.after_exec(start, mode, tail);
        if self.session.card.has_mail() && end.is_none() {
            self.session.collect(self.reply);
        }
        Ok((1, end))
    }

    /// Applies CLIENT REPLY to the reply of EXEC. A mode that EXEC's own commands have chosen has
    /// been applied to their replies.
    fn after_exec(
        &mut self,
        start: resp::Mark,
        before: ReplyMode,
        tail: Option<Tail>,
    ) -> Option<End> {
        self.session.pushed = false;
        let chosen = self.session.reply_mode;
        let unwanted = matches!(before, ReplyMode::Off | ReplyMode::Skip);
        if unwanted {
            self.reply.truncate(start);
        }
        self.session.reply_mode = match chosen {
            ReplyMode::SkipNext => ReplyMode::Skip,
            ReplyMode::Skip => ReplyMode::On,
            chosen => chosen,
        };
        if self.session.close_after_reply {
            return Some(self.close());
        }
        let tail = tail.filter(|_| !unwanted)?;
        Some(End::Later(Box::new(tail)))
    }

    /// Resolves, secures room, locks, looks at what is watched, runs.
    fn exec_queue(
        &mut self,
        participant: &mut Participant,
        plans: &[Plan],
        (queue, watched, out_of_memory): (&Transaction, &[WatchedKey], bool),
        recycled: &mut Scratch<'static>,
        shards: &mut Vec<ShardId>,
    ) -> Result<Result<Option<Tail>, Stalled>, Refused> {
        let mut scratch = std::mem::take(recycled).recycle();
        scratch.words.extend(queue.words());
        let mut before = None;
        for (span, bytes) in queue.commands() {
            let words = &scratch.words[..span.end];
            let mut plan = self.engine.resolve(words, span.start, &mut scratch.keys, &mut before);
            plan.bytes = bytes;
            scratch.plans.push(plan);
        }
        let inner = &scratch.plans;
        let bytes =
            self.engine.journal_bytes(inner).saturating_add(self.engine.journal_bytes(plans));
        self.room = self.writer.room(bytes, plans.len() as u32 + 1)?;
        self.log.active = self.room.active();
        let ready = std::mem::replace(&mut self.ready, long_words(inner, &scratch.words));
        let mut queue = Queue {
            words: &scratch.words,
            keys: &scratch.keys,
            plans: inner,
            watched,
            out_of_memory,
            head: None,
            parts: VecDeque::new(),
        };
        let alone = |plan: &Plan| {
            plan.row.is_some_and(|row| matches!(row.place, Place::Walk | Place::Node))
        };
        let space = &self.engine.space;
        let ran = if inner.iter().any(alone) {
            space.reach_gate(participant).map(|closed| {
                self.others = Others::Stand;
                self.look_again();
                self.run_queue(&mut queue, None);
                self.others = Others::Run;
                let (lsn, served) = (self.write_record(), !self.record.ready.is_empty());
                if lsn.is_some() || served {
                    self.finish_queue(lsn, &mut Union::All(space.hold_all()));
                }
                drop(closed);
            })
        } else {
            let prepared = inner.iter().filter(|plan| self.prepare(plan, queue.words)).count();
            let ran = space.reach_pass(participant).and_then(|pass| {
                self.look_again();
                self.prefetch(&pass, queue.keys);
                let mut union = Union::lock(self.engine, inner, queue.keys, shards)?;
                self.run_queue(&mut queue, Some(&mut union));
                let lsn = self.write_record();
                self.finish_queue(lsn, &mut union);
                Ok(())
            });
            if prepared > 0 {
                self.machine.prepared_is_over();
            }
            ran
        };
        self.ready = ready;
        let Queue { head, mut parts, .. } = queue;
        if let (Some(head), Some((_, behind))) = (head, parts.back_mut()) {
            *behind = std::mem::replace(&mut self.reply.out, head);
        }
        *recycled = scratch.recycle();
        Ok(ran.map(|()| (!parts.is_empty()).then_some(Tail { parts })))
    }

    /// Marks the shards with the end of the record, and serves who waited for what was done.
    pub(crate) fn finish_queue(&mut self, lsn: Option<u64>, union: &mut Union<'_>) {
        if let Some(lsn) = lsn {
            union.stamp(lsn);
            self.depend_on(journal::Lsn(lsn));
        }
        if !self.record.ready.is_empty() {
            let now_ms = self.engine.space.now_under_locks(self.now.wall_ms);
            self.serve_ready(&mut union.locked(), now_ms);
        }
    }

    pub(crate) fn write_record(&mut self) -> Option<u64> {
        let lsn = self.transaction.take()?.write(self.writer, &mut self.room)?;
        self.session.wrote = lsn.0;
        Some(lsn.0)
    }

    /// Runs the commands, with `union` locked or the write gate closed, unless a watched key has
    /// changed.
    fn run_queue(&mut self, queue: &mut Queue<'_, '_>, mut union: Option<&mut Union<'f>>) {
        let now_ms = self.engine.space.now_under_locks(self.now.wall_ms);
        let horizon_ms = horizon_ms(self.session, self.settings, now_ms);
        let expired = |key: &WatchedKey| key.expired(horizon_ms);
        if self.session.card.watch.touched() || queue.watched.iter().any(expired) {
            self.reply.null_array();
            return;
        }
        self.reply.array(queue.plans.len());
        self.transaction = Some(Composed::new(self.session.db));
        for plan in queue.plans {
            let Some(row) = plan.row.filter(|_| plan.refused.is_none()) else {
                self.refuse(plan, plan.refused.as_deref());
                self.uncounted += 1;
                continue;
            };
            let request = plan.resolved(row, queue.words, queue.keys);
            let start = self.reply.mark();
            let mut later = None;
            let mut own = None;
            let union = match &mut union {
                Some(union) => union,
                // The write gate is closed: nobody holds anything for long.
                None => own.insert(Union::alone(self.engine, plan, request.keys)),
            };
            if row.place.is_script() {
                self.script_of_exec(plan, &request, union, now_ms, queue.out_of_memory);
            } else {
                self.call(&request, plan.bytes, &mut union.locked(), now_ms, &mut later);
            }
            self.uncounted += 1;
            if self.session.reply_mode == ReplyMode::Off {
                self.reply.truncate(start);
            } else if let Some(job) = later {
                self.go_on(job, row, now_ms, queue);
            }
        }
    }

    /// A reply that is written in slices: at once if it walks the keyspace, which must not change
    /// meanwhile; else once the locks are gone, and the replies behind it with it.
    fn go_on(
        &mut self,
        mut job: Box<dyn Job>,
        row: &Command,
        now_ms: i64,
        queue: &mut Queue<'_, '_>,
    ) {
        if row.place == Place::Walk {
            while job.step(&self.engine.space, now_ms, self.reply) == JobStep::More {}
            return;
        }
        let before = std::mem::take(&mut self.reply.out);
        match queue.parts.back_mut() {
            Some((_, behind)) => *behind = before,
            None => queue.head = Some(before),
        }
        queue.parts.push_back((job, Out::default()));
    }
}
