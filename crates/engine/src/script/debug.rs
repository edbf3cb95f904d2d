//! Scripts that are debugged: each command of the debugger runs the script again from its beginning to
//! where it leads ([`script::Debugger`]), and what that has done is taken back.
//!
//! Between two commands nothing runs, nothing is locked, and nobody waits. Only the run in which the
//! script comes to its end may stay, if the client wants it to: that one is logged as any script.
//! Such a run locks shards as it meets them, and keeps what each key was.

use super::{Broken, Call, Outcome, refused_by_flags};
use crate::batch::{Now, Ran, Run};
use crate::ledger::Composed;
use crate::resolve::Plan;
use crate::union::Union;
use crate::{End, Engine, Served, Worker};
use command::{CommandError, DebugSession, Place, Ready, Resolved, ScriptCall, Session};
use keyspace::{Stalled, Undo};
use lock::Participant;
use resp::Reply;
use script::{Ended, Host, ScriptError, Sha, Vm};
use stdx::rng::Rng;

impl Engine {
    /// Carries out a command for the debugger of the client: runs its EVAL again.
    pub(crate) fn serve_debugger(
        &self,
        worker: &mut Worker,
        session: &mut Session,
        words: &[&[u8]],
        now: Now,
        reply: &mut Reply,
    ) -> Served {
        let eval = session.debugged_mut().map(|debugged| {
            debugged.full = !debugged.debugger.push(words);
            debugged.ran = false;
            debugged.words.clone()
        });
        let eval = eval.unwrap_or_default();
        let mut scratch = worker.take_scratch();
        scratch.words.extend(eval.iter().map(|word| &**word));
        let mut plan = self.resolve(&scratch.words, 0, &mut scratch.keys, &mut None);
        plan.bytes = eval.iter().map(|word| word.len()).sum();
        scratch.plans.push(plan);
        let mut served = self.run(worker, session, &mut scratch, Ready::default(), now, reply);
        worker.give_scratch(scratch);
        if let Some(debugged) = session.debugged_mut().filter(|debugged| !debugged.ran) {
            debugged.debugger.pop();
        }
        if matches!(served.end, End::Done) {
            // What follows is for the debugger, too.
            served.end = End::Again;
        }
        served
    }
}

impl Call<'_> {
    pub(super) fn debug(
        &self,
        vm: &mut Vm,
        host: &mut dyn Host,
        reply: &mut Reply,
        session: &mut DebugSession,
    ) -> Result<Ended, ScriptError> {
        let sha = Sha::of(&session.words[1]);
        vm.debug(&sha, (self.keys, self.args), host, reply, &mut session.debugger)
    }
}

/// Why the client that debugs may not run this: the text is needed.
fn refused(request: &Resolved<'_>) -> Option<CommandError> {
    if request.spec.place != Place::Script(ScriptCall::Sha) {
        return None;
    }
    let is_sha = request.args[1].len() == Sha::DIGITS;
    Some(if is_sha { CommandError::ScriptDebugSha } else { CommandError::NoScript })
}

impl Run<'_, '_> {
    /// Runs EVAL for a client that debugs: up to the newest command of its session, or the first if it
    /// has none.
    pub(super) fn debug(
        &mut self,
        participant: &mut Participant,
        plan: &Plan,
        request: &Resolved<'_>,
        out_of_memory: bool,
    ) -> Ran {
        let (start, started) = (self.reply.mark(), self.ticks);
        if let Some(error) = refused(request) {
            self.refuse(plan, Some(&error));
            return (1, None);
        }
        let begins = self.session.debugged().is_none();
        if begins {
            self.begin_session(request);
        }
        let outer = std::mem::replace(self.reply, Reply::new(self.session.wire()));
        let ran = self.debug_call(participant, request, out_of_memory);
        let reply = std::mem::replace(self.reply, outer);
        let Ok(ended) = ran else {
            if begins && let Some(debugging) = &mut self.session.debugging {
                debugging.session = None;
            }
            return self.refuse_busy(plan);
        };
        let answer = self.session.debugged_mut().map(|debugged| debugged.debugger.take_answer());
        let answer = answer.unwrap_or_default();
        self.reply.array(answer.len() + usize::from(ended.is_some()));
        answer.iter().for_each(|line| self.reply.simple(line));
        if let Some(succeeded) = ended {
            self.reply.simple("<endsession>");
            self.reply.out.push(&reply.out.to_vec());
            self.session.debugging = None;
            self.session.close_after_reply = true;
            self.count_script(request, plan.bytes, (start, started), succeeded);
        }
        self.ticks = (self.now.ticks)();
        self.caching_ends(plan);
        let end = self.after(start, None);
        if self.session.card.has_mail() && end.is_none() {
            self.session.collect(self.reply);
        }
        (1, end.or(Some(End::Again)))
    }

    fn begin_session(&mut self, request: &Resolved<'_>) {
        if self.engine.monitors.active() {
            self.show(request);
        }
        let now_ms = self.engine.space.now_under_locks(self.now.wall_ms);
        let rng = Rng::new(self.rng.u64());
        if let Some(debugging) = &mut self.session.debugging {
            let session = DebugSession::new(request.args, now_ms, rng);
            debugging.session = Some(Box::new(session));
        }
    }

    /// Whether the script has come to its end, and well; `None`: it has stopped.
    fn debug_call(
        &mut self,
        participant: &mut Participant,
        request: &Resolved<'_>,
        out_of_memory: bool,
    ) -> Result<Option<bool>, Stalled> {
        let known = self.known(request);
        let call = self.take_apart(request, known);
        let full = self.session.debugged().is_some_and(|debugged| debugged.full);
        let call = if full { Err(CommandError::ScriptDebugFull) } else { call };
        let call =
            call.and_then(|call| refused_by_flags(&call, out_of_memory).map_or(Ok(call), Err));
        match call {
            Ok(call) => self.debug_run(participant, (&call, request), out_of_memory),
            Err(error) => {
                self.reply.error(error.text());
                self.stats.error(error.code());
                Ok(Some(false))
            }
        }
    }

    fn debug_run(
        &mut self,
        participant: &mut Participant,
        (call, request): (&Call<'_>, &Resolved<'_>),
        out_of_memory: bool,
    ) -> Result<Option<bool>, Stalled> {
        let engine = self.engine;
        let _pass = engine.space.reach_pass(participant)?;
        self.look_again();
        let mut union = Union::as_met(engine)?;
        let now_ms = self.session.debugged().map_or(self.now.wall_ms, |debugged| debugged.now_ms);
        self.transaction = Some(Composed::new(self.session.db));
        self.record.undo = Some(Undo::new(&engine.space, self.record));
        match self.stage(&(call, request), &mut union, now_ms, out_of_memory) {
            Outcome::Ran { succeeded, stays: true } => {
                let lsn = self.write_record();
                self.tell_news();
                self.finish_queue(lsn, &mut union);
                Ok(Some(succeeded))
            }
            Outcome::Ran { succeeded, stays: false } => {
                (self.transaction, self.news) = (None, None);
                Ok(Some(succeeded))
            }
            Outcome::TakenBack => {
                (self.transaction, self.news) = (None, None);
                let stopped =
                    self.session.debugged().is_some_and(|debugged| debugged.debugger.stopped());
                if stopped { Ok(None) } else { Err(Stalled) }
            }
        }
    }

    /// A run begins: the session of the script, if it is debugged, and the random numbers of others.
    pub(super) fn debugged_begins(&mut self) -> Option<(Box<DebugSession>, Rng)> {
        let debugging = self.session.debugging.as_mut()?;
        let session = debugging.session.take()?;
        debugging.runs = true;
        let rng = std::mem::replace(self.rng, session.rng.clone());
        Some((session, rng))
    }

    /// A run has ended. Whether what it has done is taken back, and whether it has come to no end.
    pub(super) fn debugged_ended(
        &mut self,
        (mut session, rng): (Box<DebugSession>, Rng),
        (broken, killed): (Option<Broken>, bool),
        logged: usize,
    ) -> (bool, bool) {
        *self.rng = rng;
        session.logged = session.logged.max(logged);
        let stalled = broken == Some(Broken::Stalled);
        session.ran = !stalled;
        let stopped = session.debugger.stopped();
        let ended_by_others = killed && !session.debugger.aborted();
        let Some(debugging) = &mut self.session.debugging else { return (true, true) };
        debugging.runs = false;
        debugging.session = Some(session);
        let stays = debugging.keeps && !stopped && broken.is_none() && !ended_by_others;
        (!stays, stopped || stalled)
    }
}
