//! Applies records of a log, as a client whose replies nobody reads.

use super::scan::annotation_at;
use command::{Card, ClientFlags, JobStep, Session};
use engine::{End, Engine, Now, Worker};
use resp::{Limits, Progress as Parsing, Reply, Requests, Value};
use std::sync::Arc;

/// Reads the clocks.
pub(super) type Clocks = fn() -> Now;

/// What is wrong with a record, or worth telling of it, and where it is among the bytes it came in.
pub(super) type Finding = (usize, String);

/// Records after which replies are looked at.
pub(super) const BATCH_REQUESTS: usize = 64;
/// Errors that are told one by one.
pub(super) const REMARKS_MAX: usize = 10;

/// What a file may hold.
pub(super) fn limits() -> Limits {
    Limits { bulk_bytes_max: u64::from(u32::MAX), inline: false, ..Limits::default() }
}

/// One who applies records.
///
/// Nothing has expired for it, as deletions are in the log, and commands give the time of the load as
/// the time of access.
pub(super) struct Replay<'e> {
    engine: &'e Engine,
    worker: &'e mut Worker,
    clocks: Clocks,
    session: Session,
    requests: Requests,
    reply: Reply,
    remarks: Vec<Finding>,
    remarked: usize,
}

impl<'e> Replay<'e> {
    pub(super) fn new(engine: &'e Engine, worker: &'e mut Worker, clocks: Clocks) -> Self {
        let card = Arc::new(Card::new(0, "aof".into(), String::new(), -1, 0));
        card.set(ClientFlags::LOCAL, true);
        let mut session = Session::new(card, true);
        session.no_touch = true;
        session.replays = true;
        Self {
            engine,
            worker,
            clocks,
            session,
            requests: Requests::new(),
            reply: Reply::new(resp::Protocol::Resp2),
            remarks: Vec::new(),
            remarked: 0,
        }
    }

    /// The database that is selected.
    pub(super) fn db(&self) -> u32 {
        self.session.db
    }

    /// What is worth telling of the records that were applied last.
    pub(super) fn remarks(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.remarks)
    }

    /// Applies whole records, up to the first that is wrong.
    pub(super) fn apply(&mut self, records: &[u8]) -> Result<(), Finding> {
        let limits = limits();
        let mut at = 0;
        while let Some(rest) = records.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some((len, _)) = annotation_at(rest) {
                at += len;
                continue;
            }
            let mut parsing = Parsing::default();
            let parsed = self.requests.parse(&mut parsing, rest, &limits, BATCH_REQUESTS);
            if self.requests.is_empty() {
                return Err((at, format!("the command cannot be read: {:?}", parsed.stop)));
            }
            let done = self.serve(rest);
            self.look_at_replies(at, done)?;
            at += self.requests.end_of(done);
        }
        Ok(())
    }

    /// Runs the requests that were parsed; returns how many.
    fn serve(&mut self, input: &[u8]) -> usize {
        let now = (self.clocks)();
        let served = self.engine.serve(
            self.worker,
            &mut self.session,
            &self.requests,
            input,
            now,
            &mut self.reply,
        );
        match served.end {
            End::Later(mut job) => {
                let space = &self.engine.space;
                while job.step(space, now.wall_ms, &mut self.reply) == JobStep::More {}
            }
            End::Wait(waiting) => self.engine.abandon(&waiting),
            End::Done | End::Again | End::Paused | End::Feed(_) | End::Close => {}
        }
        // Whatever held it back or closed it holds for nobody here.
        self.session.close_after_reply = false;
        served.done.max(1)
    }

    /// Looks through the replies of `done` requests, the first of which begins at `at`. Of errors, those
    /// matter that say that the command is not known here.
    fn look_at_replies(&mut self, at: usize, done: usize) -> Result<(), Finding> {
        let suspicious = self.reply.out.as_contiguous().is_none_or(|bytes| bytes.contains(&b'-'));
        let replies = if suspicious { self.reply.out.to_vec() } else { Vec::new() };
        self.reply.out.clear();
        let mut rest = &replies[..];
        let mut index = 0;
        while let Ok(Some((value, len))) = resp::parse_reply(rest) {
            if let Value::Error(text) = &value {
                let begin = at + self.requests.end_of(index.min(done.saturating_sub(1)));
                let text = String::from_utf8_lossy(text).into_owned();
                if is_unknown(&text) {
                    return Err((begin, text.trim_start_matches("ERR ").to_owned()));
                }
                self.remark(begin, &text);
            }
            rest = rest.get(len..).unwrap_or_default();
            index += 1;
        }
        Ok(())
    }

    /// A command that fails here has failed where it was logged: Redis logs it all the same.
    fn remark(&mut self, at: usize, text: &str) {
        self.remarked += 1;
        if self.remarked <= REMARKS_MAX {
            let text = format!(
                "== CRITICAL == This server is sending an error to its AOF-loading-client: '{text}'"
            );
            self.remarks.push((at, text));
        }
    }
}

/// Whether an error means that the file needs another server.
fn is_unknown(text: &str) -> bool {
    [
        "ERR unknown command",
        "ERR unknown subcommand",
        "ERR wrong number of arguments",
        "ERR DB index",
    ]
    .iter()
    .any(|prefix| text.starts_with(prefix))
        || text.starts_with("EXECABORT")
}
