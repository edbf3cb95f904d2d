//! Jobs (KEYDB.CRON): scripts that the server runs by itself when their time has come.
//!
//! A job runs as EVAL of its script does, under the locks of the keys that it declares and of its own.
//! Under the same locks, and in the same record of the journal, its next run is made another one, or
//! the key deleted: so after a crash it has run and is told so, or neither. Only who holds its key can
//! say that its time has come, so no run of it is there twice.
//!
//! What keeps clients from writing keeps jobs from running: they stay due, and run when that is over.

use super::Run;
use crate::Now;
use crate::ledger::Composed;
use crate::union::{Extended, Union};
use crate::{Engine, Worker};
use command::{Ready, Resolved, Session};
use keyspace::{DueJob, Stalled};
use lock::{Participant, ShardId};
use resp::{Protocol, Reply};
use script::LogLevel;
use std::cell::Cell;
use types::Collection as _;
use types::job::Job;

/// A job whose script a worker serves.
pub(crate) struct JobRun {
    due: DueJob,
    /// It has run, whatever came of it, and its next run is another.
    ran: Cell<bool>,
}

/// The command that runs a script.
const EVAL: &str = "eval";
/// The command that makes a job's next run another one.
const CRON: &str = "keydb.cron";

impl Engine {
    /// The jobs that are due, unless nobody may write, or run scripts.
    pub fn due_jobs(&self, now_ms: i64) -> Vec<DueJob> {
        let settings = self.settings();
        if self.condition.denies_writes() || settings.import_mode || self.pause.active(now_ms) {
            return Vec::new();
        }
        if [EVAL, CRON].iter().any(|command| self.name_of(command).is_empty()) {
            return Vec::new();
        }
        self.space.due_jobs(now_ms)
    }

    /// What a command is called after `rename-command`; nothing if it may not be called.
    fn name_of(&self, command: &str) -> &'static [u8] {
        let entry = self.table.entries().find(|(_, entry)| entry.full_name == command);
        entry.map_or(b"", |(_, entry)| entry.row.name.as_bytes())
    }

    /// Runs a job that was due just now, if it still is. A script that fails is told to the log, and
    /// counts as a run. Returns whether it ran.
    pub fn run_job(
        &self,
        worker: &mut Worker,
        session: &mut Session,
        due: DueJob,
        now: Now,
    ) -> bool {
        worker.refresh(self);
        session.db = due.db;
        let view = due.job.view();
        let number = view.keys().to_string().into_bytes();
        let mut words: Vec<&[u8]> = vec![self.name_of(EVAL)];
        words.extend(view.words());
        words.insert(2, &number);
        let mut scratch = worker.take_scratch();
        scratch.words.extend_from_slice(&words);
        let mut plan = self.resolve(&scratch.words, 0, &mut scratch.keys, &mut None);
        scratch.keys.push(self.space.key(&due.key, 0));
        plan.keys.end += 1;
        plan.bytes = words.iter().map(|word| word.len()).sum::<usize>() + due.key.len();
        scratch.plans.push(plan);
        let mut reply = Reply::new(Protocol::Resp2);
        worker.job = Some(JobRun { due: due.clone(), ran: Cell::new(false) });
        self.run(worker, session, &mut scratch, Ready::default(), now, &mut reply);
        let ran = worker.job.take().is_some_and(|job| job.ran.get());
        worker.give_scratch(scratch);
        let reply = reply.out.to_vec();
        if let (true, Some((b'-', error))) = (ran, reply.split_first()) {
            let error = String::from_utf8_lossy(error.trim_ascii_end());
            let (key, db) = (due.key.escape_ascii(), due.db);
            let text = format!("The job {key} of database {db} failed: {error}");
            self.node().script_log(LogLevel::Warning, &text);
        }
        ran
    }
}

impl Run<'_, '_> {
    /// Bytes that the end of a job may add to its record.
    pub(super) fn job_bytes(&self) -> u64 {
        const WORDS_BYTES: u64 = 256;
        self.job.map_or(0, |job| WORDS_BYTES + job.due.key.len() as u64)
    }

    /// Whether the job whose script is about to run, if it is one, is still what it was, and may run. Its
    /// key is locked then.
    pub(super) fn may_run_job(
        &mut self,
        union: &mut Union<'_>,
        now_ms: i64,
    ) -> Result<bool, Stalled> {
        let Some(JobRun { due, .. }) = self.job else { return Ok(true) };
        let engine = self.engine;
        // A pause that began meanwhile has closed the gate, and counts on nothing going on.
        let wall_ms = (self.now.wall)().max(self.now.wall_ms);
        if engine.condition.denies_writes() || engine.pause.active(wall_ms) {
            return Ok(false);
        }
        let words: [&[u8]; 5] = [engine.name_of(CRON), &due.key, b"NEXT", b"0", b"0"];
        let mut keys = Vec::new();
        let plan = engine.resolve(&words, 0, &mut keys, &mut None);
        while union.extend(&plan, &keys, engine.space.shards().ids()) != Extended::Done {
            if engine.space.is_stalled() {
                return Err(Stalled);
            }
        }
        Ok(self.job_stands(union, now_ms))
    }

    /// Whether the job is what it was when it was found due.
    fn job_stands(&mut self, union: &mut Union<'_>, now_ms: i64) -> bool {
        let Some(JobRun { due, .. }) = self.job else { return false };
        let mut locked = union.locked();
        let db = locked.db(self.record, due.db, now_ms);
        let job = db.seen::<Job>(&self.engine.space.key(&due.key, 0));
        job.is_ok_and(|job| job.is_some_and(|job| job == due.job.view()))
    }

    /// The script of a job has run: its next run is another one, unless the script has seen to that.
    pub(super) fn end_job(&mut self, union: &mut Union<'_>, now_ms: i64) {
        let Some(JobRun { due, ran }) = self.job else { return };
        ran.set(true);
        if !self.job_stands(union, now_ms) {
            return;
        }
        let schedule = due.job.view().schedule();
        let number = |at: i64| at.to_string().into_bytes();
        let (was, next) = (number(schedule.due_ms), number(schedule.next_ms(now_ms)));
        let words: [&[u8]; 5] = [self.engine.name_of(CRON), &due.key, b"NEXT", &was, &next];
        let mut keys = Vec::new();
        let mut plan = self.engine.resolve(&words, 0, &mut keys, &mut None);
        plan.bytes = words.iter().map(|word| word.len()).sum();
        let Some(row) = plan.row else { return };
        let (request, mark) = (plan.resolved(row, &words, &keys), self.reply.mark());
        self.call(&request, plan.bytes, &mut union.locked(), now_ms, &mut None);
        self.reply.truncate(mark);
        self.uncounted += 1;
    }

    /// The script of a job, if it is one, cannot even begin to run: that was its run. `false` in any case,
    /// as no script has succeeded.
    pub(super) fn pass_job_over(
        &mut self,
        participant: &mut Participant,
        request: &Resolved<'_>,
        shards: &mut Vec<ShardId>,
    ) -> Result<bool, Stalled> {
        if self.job.is_none() {
            return Ok(false);
        }
        let pass = self.engine.space.reach_pass(participant)?;
        self.look_again();
        let mut union = Union::declared(self.engine, true, request.keys, shards)?;
        let now_ms = self.engine.space.now_under_locks(self.now.wall_ms);
        if self.may_run_job(&mut union, now_ms)? {
            self.transaction = Some(Composed::new(self.session.db));
            self.end_job(&mut union, now_ms);
            let lsn = self.write_record();
            self.finish_queue(lsn, &mut union);
        }
        drop(union);
        drop(pass);
        Ok(false)
    }
}
