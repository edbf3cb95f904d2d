//! EVAL, FCALL and their like: a script runs as a transaction does, under the locks of all that it
//! touches, as one record of the journal.
//!
//! ```text
//!   keys declared:    pass, their shards ─ run ─────────────► record, news, who waited
//!                                            │ meets another key
//!                                            ▼
//!                                         take back, remember that it roams
//!                                            ▼
//!   roams:            pass, gate exclusive ─ run, locking shards as it meets them ─► record, ...
//! ```
//!
//! So scripts that keep to what they declare run side by side, and those that do not run one after
//! the other, beside all commands on other shards. A run that is taken back has left nothing: its
//! effects were not logged, its news not told, its keys are what they were. What a script calls goes
//! through RESOLVE and [`Engine::execute`] like any request.

mod debug;
mod job;

pub(crate) use job::JobRun;

use crate::Engine;
use crate::batch::{Locked, Memory, Ran, Run};
use crate::command_log::Cost;
use crate::ledger::Composed;
use crate::notify::Happened;
use crate::resolve::Plan;
use crate::union::{Extended, Union};
use crate::worker::recycled;
use command::{
    Clock, Command, CommandError, Flags, Group, JobStep, Library, News, OverdueScript, Place,
    Reach, Resolved, Script, ScriptCall, Scripts,
};
use keyspace::{KeyRef, Stalled, Undo};
use lock::{Participant, ShardId};
use resp::Reply;
use script::{CommandCheck, Ended, Header, Host, LogLevel, Pulse, ScriptError, Sha, Vm};
use std::sync::Arc;
use std::time::Duration;

/// What is to run.
enum What {
    Script(Arc<Script>),
    Function(Arc<Library>, usize),
}

impl What {
    /// What it says of itself; `None`: nothing, as scripts without a header do.
    fn flags(&self) -> Option<script::Flags> {
        match self {
            Self::Script(script) => script.flags,
            Self::Function(library, at) => Some(library.functions[*at].flags),
        }
    }
}

/// A call of a script or function, taken apart.
struct Call<'c> {
    what: What,
    /// What it says of itself; `None`: nothing, as scripts without a header do.
    flags: Option<script::Flags>,
    /// By EVAL_RO and the like.
    read_only: bool,
    keys: &'c [&'c [u8]],
    args: &'c [&'c [u8]],
}

impl Call<'_> {
    fn reach(&self) -> &Reach {
        match &self.what {
            What::Script(script) => &script.reach,
            What::Function(library, at) => &library.functions[*at].reach,
        }
    }

    fn says(&self, flag: script::Flags) -> bool {
        self.flags.is_some_and(|flags| flags.has(flag))
    }

    /// Whether it may not write.
    fn only_reads(&self) -> bool {
        self.read_only || self.says(script::Flags::NO_WRITES)
    }

    /// Whether it may be refused for what it would take of memory.
    fn takes_memory(&self) -> bool {
        !self.says(script::Flags::ALLOW_OOM) && !self.says(script::Flags::NO_WRITES)
    }

    fn name(&self) -> Vec<u8> {
        match &self.what {
            What::Script(script) => script.sha.as_bytes().to_vec(),
            What::Function(library, at) => library.functions[*at].name.clone(),
        }
    }

    fn run(
        &self,
        vm: &mut Vm,
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> Result<Ended, ScriptError> {
        match &self.what {
            What::Script(script) => vm.run(&script.sha, self.keys, self.args, host, reply),
            What::Function(library, at) => {
                let function = (library.id, &library.functions[*at].name[..]);
                vm.call_function(function, self.keys, self.args, host, reply)
            }
        }
    }
}

/// Why a run was broken off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// It met a key beyond its locks: it is to run again.
    Roams,
    Killed,
    /// Another script holds what it needs, for too long.
    Stalled,
}

/// How a run came out.
enum Outcome {
    /// Its reply is written. What it has done is taken back unless it `stays`.
    Ran { succeeded: bool, stays: bool },
    /// It has come to no end, and nothing is left of it: it roams, or is debugged.
    TakenBack,
}

impl Run<'_, '_> {
    /// Runs a request of EVAL, FCALL and their like.
    pub(crate) fn script(
        &mut self,
        participant: &mut Participant,
        plan: &Plan,
        shards: &mut Vec<ShardId>,
    ) -> Ran {
        let Some(row) = plan.row.filter(|_| plan.refused.is_none()) else {
            return self.one(plan, Locked::Nothing);
        };
        let request = plan.resolved(row, self.words, self.keys);
        let known = self.known(&request);
        let flags = effective_flags(&request, known.as_ref());
        let row = if flags == row.flags { row } else { &Command { flags, ..*row } };
        if self.engine.pause.holds(row, self.now.wall_ms) {
            return (0, Some(crate::End::Paused));
        }
        if let Err(error) = self.admit(plan, row) {
            self.refuse(plan, Some(&error));
            return (1, None);
        }
        let queues = self.session.transaction.is_some();
        // One that declares what it is has been told already; one that is queued is told at EXEC.
        let told = queues || row.flags.has(Flags::DENYOOM);
        let out_of_memory = !told && self.is_out_of_memory().is_err();
        if self.memory == Memory::Wanted {
            return (0, None);
        }
        if queues {
            return self.queue(plan, row);
        }
        if self.session.debugging.is_some() && !request.spec.place.is_function() {
            return self.debug(participant, plan, &request, out_of_memory);
        }
        let (start, started) = (self.reply.mark(), self.ticks);
        if self.engine.monitors.active() {
            self.show(&request);
        }
        let call = self.take_apart(&request, known);
        let call =
            call.and_then(|call| refused_by_flags(&call, out_of_memory).map_or(Ok(call), Err));
        let ran = match &call {
            Err(error) => {
                self.reply.error(error.text());
                self.stats.error(error.code());
                self.pass_job_over(participant, &request, shards)
            }
            Ok(call) => self.run_script(participant, (call, &request), out_of_memory, shards),
        };
        let Ok(succeeded) = ran else { return self.refuse_busy(plan) };
        self.count_script(&request, plan.bytes, (start, started), succeeded);
        self.caching_ends(plan);
        let end = self.after(start, None);
        if self.session.card.has_mail() && end.is_none() {
            self.session.collect(self.reply);
        }
        (1, end)
    }

    /// Counts the script as one command, from its begin on.
    fn count_script(
        &mut self,
        request: &Resolved<'_>,
        bytes: usize,
        (start, started): (resp::Mark, u64),
        succeeded: bool,
    ) {
        self.ticks = started;
        let ticks = self.count(request.id, succeeded);
        let reply_bytes = self.reply.out.since(start).map_or(0, <[u8]>::len);
        self.note_if_outstanding(request, Cost { bytes, ticks, reply_bytes });
        self.stats.machine_bytes.set(self.machine.memory_bytes() as u64);
    }

    /// Runs a script that is part of a transaction, under its locks.
    pub(crate) fn script_of_exec(
        &mut self,
        plan: &Plan,
        request: &Resolved<'_>,
        union: &mut Union<'_>,
        now_ms: i64,
        out_of_memory: bool,
    ) {
        let (start, started) = (self.reply.mark(), self.ticks);
        if self.engine.monitors.active() {
            self.show(request);
        }
        let known = self.known(request);
        let call = if self.session.debugging.is_some() && !request.spec.place.is_function() {
            Err(CommandError::ScriptDebugExec)
        } else {
            self.take_apart(request, known)
        };
        let call =
            call.and_then(|call| refused_by_flags(&call, out_of_memory).map_or(Ok(call), Err));
        let outcome = match call {
            Ok(call) => self.stage(&(&call, request), union, now_ms, out_of_memory),
            Err(error) => {
                self.reply.error(error.text());
                self.stats.error(error.code());
                Outcome::Ran { succeeded: false, stays: true }
            }
        };
        self.tell_news();
        let succeeded = matches!(outcome, Outcome::Ran { succeeded: true, .. });
        self.count_script(request, plan.bytes, (start, started), succeeded);
    }

    /// Evicts for what may take memory, as scripts may. An error: there is nothing to evict.
    pub(crate) fn is_out_of_memory(&mut self) -> Result<(), CommandError> {
        let over = self.engine.space.out_of_memory(self.settings.maxmemory);
        if over && !self.session.replays { self.under_pressure() } else { Ok(()) }
    }

    /// What a request calls, if the server knows it.
    fn known(&self, request: &Resolved<'_>) -> Option<What> {
        let (engine, word) = (self.engine, request.args[1]);
        match request.spec.place {
            Place::Script(ScriptCall::Function) => {
                engine.functions.find(word).map(|(library, at)| What::Function(library, at))
            }
            Place::Script(ScriptCall::Sha) => {
                let recent = self.machine.recent_by_sha(word);
                let found = recent.or_else(|| engine.scripts.get(&Sha::parse(word)?));
                found.map(What::Script)
            }
            _ => {
                let recent = self.machine.recent_by_text(word);
                recent.or_else(|| engine.scripts.get(&Sha::of(word))).map(What::Script)
            }
        }
    }

    /// Compiles what is called if need be, and tells keys and arguments apart.
    fn take_apart<'c>(
        &mut self,
        request: &Resolved<'c>,
        known: Option<What>,
    ) -> Result<Call<'c>, CommandError> {
        let words = request.args;
        let is = |call| request.spec.place == Place::Script(call);
        let (is_sha, is_function) = (is(ScriptCall::Sha), is(ScriptCall::Function));
        // What cannot be the name of anything is refused before the number is looked at.
        if known.is_none() && is_function {
            return Err(CommandError::FunctionNotFound);
        }
        if is_sha && words[1].len() != Sha::DIGITS {
            return Err(CommandError::NoScript);
        }
        let number = stdx::num::parse_i64(words[2]).ok_or(if is_function {
            CommandError::FunctionKeys
        } else {
            CommandError::NotAnInteger
        })?;
        let rest = &words[3..];
        if number < 0 {
            return Err(CommandError::ScriptKeysNegative);
        }
        let number = usize::try_from(number).ok().filter(|number| *number <= rest.len());
        let (keys, args) = rest.split_at(number.ok_or(CommandError::ScriptKeysTooMany)?);
        let what = match known {
            Some(what) => what,
            None if is_sha => return Err(CommandError::NoScript),
            None => {
                let script = Scripts::parse(words[1])?;
                self.machine.load(&self.engine.scripts, &script)?;
                What::Script(self.engine.scripts.add(script, false))
            }
        };
        let clock = self.now.clock();
        match &what {
            What::Script(script) => {
                self.engine.scripts.called(script);
                self.machine.ready(&self.engine.scripts, script)?;
            }
            What::Function(library, _) => {
                self.machine.load_library(&self.engine.functions, library, clock)?;
            }
        }
        let (flags, read_only) = (what.flags(), request.spec.flags.has(Flags::READONLY));
        Ok(Call { what, flags, read_only, keys, args })
    }

    /// Runs a script under its own locks. Returns whether it succeeded.
    fn run_script(
        &mut self,
        participant: &mut Participant,
        (call, request): (&Call<'_>, &Resolved<'_>),
        out_of_memory: bool,
        shards: &mut Vec<ShardId>,
    ) -> Result<bool, Stalled> {
        let engine = self.engine;
        // Who monitors is told of each call once, so nothing may be taken back.
        let mut roams = call.reach().roams() || engine.monitors.active();
        loop {
            let pass = engine.space.reach_pass(participant)?;
            self.look_again();
            if !self.prefetched {
                self.prefetched = true;
                self.prefetch(&pass, self.keys);
            }
            let mut union = if roams {
                Union::as_met(engine)?
            } else {
                Union::declared(engine, !call.only_reads(), request.keys, shards)?
            };
            let now_ms = engine.space.now_under_locks(self.now.wall_ms);
            if !self.may_run_job(&mut union, now_ms)? {
                return Ok(false);
            }
            self.transaction = Some(Composed::new(self.session.db));
            self.record.undo = (!roams).then(|| Undo::new(&engine.space, self.record));
            match self.stage(&(call, request), &mut union, now_ms, out_of_memory) {
                Outcome::Ran { succeeded, .. } => {
                    self.end_job(&mut union, now_ms);
                    let lsn = self.write_record();
                    self.tell_news();
                    self.finish_queue(lsn, &mut union);
                    return Ok(succeeded);
                }
                Outcome::TakenBack => {
                    self.transaction = None;
                    self.news = None;
                    roams = true;
                    call.reach().roamed();
                }
            }
            drop(union);
            drop(pass);
            self.end_overdue();
        }
    }

    /// Others need not be told any more that a script runs for too long: its locks are gone.
    #[inline]
    pub(crate) fn end_overdue(&mut self) {
        for _ in 0..std::mem::take(&mut self.ended_overdue) {
            self.engine.space.overdue_script_ended();
        }
    }

    /// Runs a script under the locks of `union`. With an [`Undo`] in the record, everything that it has
    /// done is taken back if it roams, or is debugged and does not stay.
    fn stage(
        &mut self,
        (call, request): &(&Call<'_>, &Resolved<'_>),
        union: &mut Union<'_>,
        now_ms: i64,
        out_of_memory: bool,
    ) -> Outcome {
        let (engine, db, ready) = (self.engine, self.session.db, self.record.ready.len());
        self.news = Some(Vec::new());
        let mut reply = std::mem::take(self.reply);
        let mark = reply.mark();
        // What a script prepares is its own.
        let fieldsets = self.session.take_fieldsets();
        let mut vm = self.machine.take();
        let mut debugged = self.debugged_begins();
        // When the command before ended.
        let began_ticks = self.ticks;
        let mut stage = Stage {
            run: self,
            call,
            request,
            union,
            now_ms,
            out_of_memory,
            wrote: false,
            broken: None,
            began_ticks,
            overdue: None,
            attended_ticks: 0,
            keys: Vec::new(),
            debugged: debugged.is_some(),
            logged: 0,
            log_skips: debugged.as_ref().map_or(0, |(session, _)| session.logged),
        };
        let ended = match &mut debugged {
            None => call.run(&mut vm, &mut stage, &mut reply),
            Some((session, _)) => call.debug(&mut vm, &mut stage, &mut reply, session),
        };
        let (broken, overdue, logged) = (stage.broken, stage.overdue.take(), stage.logged);
        self.machine.give_back(vm);
        self.session.db = db;
        if let Some(record) = &mut self.transaction {
            // What it asked for by set_repl was for itself.
            record.muted = false;
        }
        if fieldsets.is_some() || self.session.fieldsets().is_some() {
            self.session.put_fieldsets(fieldsets);
        }
        *self.reply = reply;
        if let Some(overdue) = overdue {
            engine.scripts.overdue.remove(&overdue);
            self.ended_overdue += 1;
        }
        let (mut back, mut unfinished) = (broken == Some(Broken::Roams), false);
        if let Some(debugged) = debugged {
            let killed = ended.as_ref().is_err_and(|error| error.killed);
            (back, unfinished) = self.debugged_ended(debugged, (broken, killed), logged);
        }
        unfinished |= broken == Some(Broken::Roams);
        if let Some(mut undo) = self.record.undo.take() {
            if back {
                if let Some(held) = union.held() {
                    undo.take_back(&engine.space, held, self.record);
                }
                self.record.ready.truncate(ready);
            } else {
                undo.end(self.record);
            }
        }
        if unfinished {
            self.reply.truncate(mark);
            return Outcome::TakenBack;
        }
        if broken == Some(Broken::Stalled) {
            // It has done nothing yet. A job stays due.
            self.job = None;
        }
        let succeeded = self.answer(ended, broken, mark);
        Outcome::Ran { succeeded, stays: !back }
    }

    /// Writes what a script has come to behind `mark`. Whether it succeeded.
    fn answer(
        &mut self,
        ended: Result<Ended, ScriptError>,
        broken: Option<Broken>,
        mark: resp::Mark,
    ) -> bool {
        match ended {
            Ok(Ended::Well) => true,
            Ok(Ended::WithError { counted }) => {
                self.count_error(mark, counted);
                false
            }
            Err(error) => {
                self.reply.truncate(mark);
                if broken == Some(Broken::Stalled) {
                    self.reply.error(self.engine.scripts.overdue.error().text());
                } else {
                    self.reply.error(&error.text);
                }
                self.count_error(mark, error.counted);
                false
            }
        }
    }

    /// Counts the error that stands behind `mark`, unless the command did that caused it. A text that
    /// has no blank early on has no code.
    fn count_error(&self, mark: resp::Mark, counted: bool) {
        /// With the mark of an error, as in Redis.
        const CODE_BYTES_MAX: usize = 32;
        if !counted {
            let text = self.reply.out.since(mark).unwrap_or_default();
            let start = &text[..text.len().min(CODE_BYTES_MAX)];
            let code =
                start.iter().position(|byte| *byte == b' ').and_then(|end| start.get(1..end));
            self.stats.script_error(String::from_utf8_lossy(code.unwrap_or(b"ERR")).into_owned());
        }
    }

    /// Tells what a script has done, under its locks.
    fn tell_news(&mut self) {
        let (engine, settings) = (self.engine, self.settings);
        let by = Some(self.session.card.id);
        for news in self.news.take().unwrap_or_default() {
            match news {
                News::Change(change) => {
                    engine.tell(settings, Happened::of(&change, by), self.broadcast);
                }
                News::Flushed => engine.tracking.flushed(&settings.output),
                News::Message { topic, channel, message } => {
                    engine.pubsub.publish_to(topic, &channel, &message, &settings.output);
                }
            }
        }
    }
}

/// The flags of a request: what a script declares counts instead of what the command says.
fn effective_flags(request: &Resolved<'_>, known: Option<&What>) -> Flags {
    let flags = request.spec.flags;
    let declared = match (known, request.spec.place) {
        (Some(what), _) => what.flags(),
        (None, Place::Script(ScriptCall::Source)) => {
            Header::of_script(request.args[1]).ok().flatten().map(|header| header.flags)
        }
        (None, _) => None,
    };
    let Some(declared) = declared else { return flags };
    let set = |flags: Flags, flag: Flags, on: bool| {
        if on { flags.or(flag) } else { Flags(flags.0 & !flag.0) }
    };
    let writes = !declared.has(script::Flags::NO_WRITES);
    let takes_memory = writes && !declared.has(script::Flags::ALLOW_OOM);
    let flags = set(flags, Flags::MAY_REPLICATE, false);
    let flags = set(flags, Flags::STALE, declared.has(script::Flags::ALLOW_STALE));
    let flags = set(flags, Flags::DENYOOM, takes_memory);
    set(flags, Flags::WRITE, writes)
}

/// Whether what a script declares keeps it from running now.
fn refused_by_flags(call: &Call<'_>, out_of_memory: bool) -> Option<CommandError> {
    call.flags?;
    if call.read_only && !call.says(script::Flags::NO_WRITES) {
        return Some(CommandError::ScriptWriteFlag);
    }
    (out_of_memory && call.takes_memory()).then_some(CommandError::ScriptOom)
}

/// The world of a running script.
struct Stage<'s, 'f, 'a, 'u> {
    run: &'s mut Run<'f, 'a>,
    call: &'s Call<'s>,
    request: &'s Resolved<'s>,
    union: &'s mut Union<'u>,
    now_ms: i64,
    /// Memory was above its limit when the script began.
    out_of_memory: bool,
    /// It has called a write command.
    wrote: bool,
    broken: Option<Broken>,
    began_ticks: u64,
    /// It runs for too long.
    overdue: Option<Arc<OverdueScript>>,
    /// When others were last served.
    attended_ticks: u64,
    /// For the keys of one command.
    keys: Vec<KeyRef<'static>>,
    /// It can be taken back at any time.
    debugged: bool,
    /// Lines that it has brought into the log, and how many of them are there from runs before.
    logged: usize,
    log_skips: usize,
}

impl Stage<'_, '_, '_, '_> {
    /// Whether the script may call this now, in the order in which Redis looks.
    fn check(&self, plan: &Plan, words: &[&[u8]]) -> Result<&'static Command, CommandError> {
        let row = plan.row.ok_or(CommandError::ScriptUnknownCommand)?;
        if plan.refused.is_some() {
            let unknown = row.place == Place::Container && row.arity_fits(words.len());
            return Err(if unknown {
                CommandError::ScriptUnknownCommand
            } else {
                CommandError::ScriptArity
            });
        }
        if row.flags.has(Flags::NOSCRIPT) && !self.is_allowed_all_the_same(row) {
            return Err(CommandError::ScriptRefused);
        }
        let writes = row.flags.has(Flags::WRITE);
        if self.call.only_reads() && (writes || row.flags.has(Flags::MAY_REPLICATE)) {
            return Err(CommandError::ScriptReadOnly);
        }
        if writes && !self.wrote && !self.run.session.replays {
            let refused = self.run.engine.condition.refuses(row, None);
            refused.map_or(Ok(()), Err)?;
        }
        if self.debugged && writes && plan.keys.is_empty() {
            return Err(CommandError::ScriptDebugAllKeys);
        }
        let refuses = self.out_of_memory && !self.wrote && self.call.takes_memory();
        if refuses && row.flags.has(Flags::DENYOOM) {
            return Err(CommandError::Oom);
        }
        Ok(row)
    }

    /// Whether the command may be called though it is not for scripts: what tests ask for with DEBUG.
    #[cold]
    fn is_allowed_all_the_same(&self, row: &Command) -> bool {
        let alone = matches!(row.group, Group::Connection | Group::Server);
        self.run.engine.scripts.allows_all()
            && alone
            && matches!(row.place, Place::Conn | Place::Node)
    }

    /// Locks what the command needs, and readies its taking back.
    fn reach(&mut self, plan: &Plan, keys: &[KeyRef<'_>]) -> Result<(), Broken> {
        let engine = self.run.engine;
        loop {
            match self.union.extend(plan, keys, engine.space.shards().ids()) {
                Extended::Done => break,
                Extended::Beyond => return Err(Broken::Roams),
                // One that has written goes on to its end, whatever comes.
                Extended::Waits if !self.wrote && self.meets_overdue() => {
                    return Err(Broken::Stalled);
                }
                // Waiting is a part of the script's time.
                Extended::Waits if self.interrupt() == Pulse::Continue => {}
                Extended::Waits => return Err(Broken::Killed),
            }
        }
        let may = |flag| plan.row.is_some_and(|row| row.flags.has(flag));
        let writes = may(Flags::WRITE);
        if writes && !self.wrote {
            self.wrote = true;
            let overdue = self.overdue.as_ref().filter(|_| !self.debugged);
            if overdue.is_some_and(|overdue| !overdue.writes()) {
                return Err(Broken::Killed);
            }
        }
        // What is a read may change the form of its key (PFCOUNT).
        let (changes, undo) = (writes || may(Flags::MAY_REPLICATE), &mut self.run.record.undo);
        if let (true, Some(undo), Some(held)) = (changes, undo, self.union.held()) {
            if self.debugged {
                keys.iter().for_each(|key| undo.keep_at_any_cost(held, key));
            } else if !keys.iter().all(|key| undo.keep(held, key)) {
                return Err(Broken::Roams);
            }
        }
        Ok(())
    }

    /// Whether another script runs for too long.
    fn meets_overdue(&self) -> bool {
        self.run.engine.scripts.overdue.has_others(self.overdue.as_ref())
    }

    /// Sees to it that the effects so far and those of one more command can be logged.
    fn secure_room(&mut self, plan: &Plan) -> Result<(), CommandError> {
        /// Enlarged by so much at least.
        const STEP_BYTES: u64 = 64 << 10;
        let run = &mut *self.run;
        let composed = run.transaction.as_ref().map_or(0, Composed::len) + run.job_bytes();
        let needed = run.engine.journal_bytes(std::slice::from_ref(plan)).saturating_add(composed);
        let left = run.room.left_bytes();
        if !run.room.active() || needed <= left {
            return Ok(());
        }
        run.writer.extend(&mut run.room, (needed - left).max(STEP_BYTES), 1).map_err(|refused| {
            CommandError::err(format_args!("the journal cannot take the write: {refused}"))
        })
    }

    /// A command that did not run.
    fn refuse(&self, plan: &Plan, error: &CommandError, reply: &mut Reply) {
        reply.error(error.text());
        self.run.stats.error(error.code());
        if plan.row.is_some() {
            self.run.stats.command(plan.id).rejected.add(1);
        }
    }

    fn elapsed_ms(&self) -> u64 {
        let ticks = (self.run.now.ticks)().saturating_sub(self.began_ticks);
        ticks / self.run.now.stale_ticks.max(1)
    }

    fn kill(&self) -> Pulse {
        Pulse::Kill(match self.call.what {
            What::Script(_) => "Script killed by user with SCRIPT KILL.",
            What::Function(..) => "Script killed by user with FUNCTION KILL.",
        })
    }

    /// The script runs for too long: others are told so from now on.
    #[cold]
    fn become_overdue(&mut self) {
        let run = &*self.run;
        let eval = matches!(self.call.what, What::Script(_));
        let clock = (self.began_ticks, run.now.ticks, run.now.stale_ticks);
        let name = self.call.name();
        let text = format!(
            "Slow script detected: still in execution after {} milliseconds. You can try killing \
             the script using the {} command. Script name is: {}.",
            self.elapsed_ms(),
            if eval { "SCRIPT KILL" } else { "FUNCTION KILL" },
            String::from_utf8_lossy(&name),
        );
        run.engine.node().script_log(LogLevel::Warning, &text);
        let overdue = Arc::new(OverdueScript::new(name, eval, self.request.args, clock));
        if self.wrote && !self.debugged {
            overdue.writes();
        }
        run.engine.scripts.overdue.add(Arc::clone(&overdue));
        run.engine.space.script_is_overdue();
        self.overdue = Some(overdue);
    }
}

impl Host for Stage<'_, '_, '_, '_> {
    fn call(&mut self, words: &[&[u8]], reply: &mut Reply) {
        if self.broken.is_some() {
            return;
        }
        let engine = self.run.engine;
        let mut keys = recycled(std::mem::take(&mut self.keys));
        let mut plan = engine.resolve(words, 0, &mut keys, &mut None);
        plan.bytes = words.iter().map(|word| word.len()).sum();
        let checked = self.check(&plan, words);
        let secured = checked.and_then(|row| self.secure_room(&plan).map(|()| row));
        let row = match secured {
            Ok(row) => row,
            Err(error) => return self.refuse(&plan, &error, reply),
        };
        if let Err(broken) = self.reach(&plan, &keys) {
            self.broken = Some(broken);
            return;
        }
        let request = plan.resolved(row, words, &keys);
        let mut later = None;
        std::mem::swap(self.run.reply, reply);
        let mut locked = self.union.locked();
        self.run.call(&request, plan.bytes, &mut locked, self.now_ms, &mut later);
        if let Some(mut job) = later {
            while job.step(&engine.space, self.now_ms, self.run.reply) == JobStep::More {}
        }
        std::mem::swap(self.run.reply, reply);
        self.run.uncounted += 1;
        self.keys = recycled(keys);
    }

    fn log(&mut self, level: LogLevel, message: &[u8]) {
        self.logged += 1;
        if self.broken.is_none() && self.logged > self.log_skips {
            self.run.engine.node().script_log(level, &String::from_utf8_lossy(message));
        }
    }

    fn set_repl(&mut self, aof: bool, replicas: bool) {
        if let Some(record) = &mut self.run.transaction {
            record.muted = !aof && !replicas;
        }
    }

    fn check_command(&mut self, words: &[&[u8]]) -> CommandCheck {
        match self.run.engine.table.lookup(words) {
            Some((_, row, _)) if row.place != Place::Container => CommandCheck::Allowed,
            _ => CommandCheck::Unknown,
        }
    }

    fn interrupt(&mut self) -> Pulse {
        match self.broken {
            None => {}
            Some(Broken::Roams | Broken::Stalled) => return Pulse::Kill("it waits for others"),
            Some(Broken::Killed) => return self.kill(),
        }
        let ticks = (self.run.now.ticks)();
        let (millis, after_ms) = (self.run.now.stale_ticks, self.run.settings.busy_after_ms);
        if self.overdue.is_none() {
            let limit = after_ms.saturating_mul(millis);
            if after_ms == 0 || ticks.saturating_sub(self.began_ticks) < limit {
                return Pulse::Continue;
            }
            self.become_overdue();
        }
        if ticks.saturating_sub(self.attended_ticks) >= millis {
            self.run.engine.node().serve_others();
            self.attended_ticks = (self.run.now.ticks)();
        }
        if self.overdue.as_ref().is_some_and(|overdue| overdue.killed()) {
            return self.kill();
        }
        Pulse::Continue
    }

    fn clock(&mut self) -> Duration {
        let (ticks, millis) = ((self.run.now.ticks)(), self.run.now.stale_ticks.max(1));
        let micros = (ticks % millis).saturating_mul(1000) / millis;
        Duration::from_micros((ticks / millis).saturating_mul(1000).saturating_add(micros))
    }
}

impl Engine {
    /// Adds a library by its text, as FUNCTION LOAD does: for a file that is loaded.
    pub fn load_library(&self, source: &[u8]) -> Result<(), CommandError> {
        /// A file is obeyed, however long it takes.
        const CLOCK: Clock = Clock { ticks: || 0, ticks_per_milli: 1 };
        let mut machine = command::Machine::default();
        self.functions.load(&mut machine, source, false, CLOCK).map(|_| ())
    }
}
