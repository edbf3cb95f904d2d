//! The loop of one connection, as one hand-written `poll`.
//!
//! ```text
//!            ┌──────────── input left over ◄──────────┐
//!            ▼                                         │ job done, pause over
//!  READ ─► PARSE+SERVE ─► WRITE ─► READ ...            │
//!            │   └ long job: a slice, yield, a slice ──┤
//!            └ paused: wait for the end of it ─────────┘
//! ```
//!
//! State lives in the struct, not in a future's locals: dropping the task at any point loses only
//! the connection. Replies that the kernel does not take at once are kept here, up to the client's
//! output limit; requests go on being read meanwhile, as clients may write a whole pipeline before
//! they read.

mod feed;
mod held;
mod meanwhile;

use crate::scratch::{INPUT_BYTES, Scratch, State};
use command::{ClientFlags, Job, JobStep, ReplyMode, Session, Sync, Waiting, Wanted};
use durability::replica_feed::{Feed, Over};
use engine::{End, Engine, Large, Now};
use held::Held;
use journal::Lsn;
use journal::watermark::Registration;
use resp::{Limits, Out, Progress, Reply, Stop};
use runtime::clock;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Requests parsed and executed at a time.
const BATCH_REQUESTS: usize = 64;
/// Replies of one connection that are made before they are offered to the kernel, and before the
/// worker's other connections have their turn.
const REPLY_BYTES_PER_TURN: usize = 1 << 20;
/// A long reply is written on when less than this waits to be sent.
const JOB_PENDING_MAX: usize = 1 << 20;
/// Arguments of this many bytes and more are not copied: the buffer they came in becomes the value.
const LARGE_BYTES_MIN: usize = 1 << 20;
/// Input of a large argument that is taken before that.
const INPUT_BYTES_PER_TURN: usize = 8 * INPUT_BYTES;
/// How long one connection's requests run, batch after batch, before that.
const TURN_MS: u64 = 2;
/// What a client may send and leave unread before it has authenticated itself.
const UNAUTHENTICATED_INPUT_BYTES_MAX: u64 = 1 << 20;
const UNAUTHENTICATED_OUTPUT_BYTES_MAX: u64 = 17 << 10;
/// Replies of less than this never exceed an output limit, as in Redis.
const REPLY_BYTES_FREE: u64 = 16 << 10;
/// Room of a connection's own buffer, which it has from its first partial request until it has been
/// silent for a while.
const OWN_BUFFER_BYTES: usize = 16 << 10;
/// Silence after which the room goes.
const OWN_BUFFER_IDLE_MS: i64 = 2000;

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum Exit {
    /// The peer closed, or was told to.
    Closed,
    /// CLIENT KILL, idle timeout, shutdown.
    Killed,
    /// The output limit was reached.
    OutputLimit,
    /// More unparsed input than allowed.
    QueryLimit,
    /// The peer broke the protocol, in the request that begins so.
    Protocol(resp::ProtocolError, Box<[u8]>),
    /// What it was fed by the log is over.
    Fed(Over),
    /// A replica asked for something that is answered.
    AnswerToReplica,
    Io(io::Error),
    /// To be served by another worker.
    Moved,
}

/// One connection.
pub(crate) struct Connection<S> {
    pub stream: S,
    pub session: Session,
    progress: Progress,
    /// Input that is not executed yet: a partial frame, or what waits behind a job or a pause.
    kept: Vec<u8>,
    /// `kept` may hold whole requests.
    kept_whole: bool,
    /// Replies that the kernel has not taken.
    pending: Out,
    /// Replies behind those, which wait for the disk.
    held: Option<Box<Held>>,
    /// What replies under way depend on.
    lsn: Lsn,
    /// The last request waits for the disk.
    registration: Option<Registration>,
    job: Option<Box<dyn Job>>,
    /// What the log sends; requests are served beside.
    feed: Option<Feed>,
    /// The last request waits for a key. Whoever serves it wakes the task, or the server when its
    /// time is over.
    waiting: Option<Arc<Waiting>>,
    /// Held back by CLIENT PAUSE. The server wakes the task when the pause ends.
    paused: bool,
    closing: Option<Exit>,
    /// Milliseconds since 1970 since when the soft output limit is exceeded.
    soft_since_ms: Option<i64>,
    /// Ticks when the last read had come in, and the worker's count of changes then.
    began: u64,
    began_changes: u64,
    scratch: Rc<Scratch>,
    registered: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(stream: S, session: Session, scratch: Rc<Scratch>) -> Self {
        Self {
            stream,
            session,
            progress: Progress::default(),
            kept: Vec::new(),
            kept_whole: false,
            pending: Out::default(),
            held: None,
            lsn: Lsn(0),
            registration: None,
            job: None,
            feed: None,
            waiting: None,
            paused: false,
            closing: None,
            soft_since_ms: None,
            began: 0,
            began_changes: 0,
            scratch,
            registered: false,
        }
    }

    /// Whether nothing is under way, so that another worker could take over.
    fn at_rest(&self) -> bool {
        self.kept.is_empty() && self.unsent() == 0 && !self.is_held() && self.feed.is_none()
    }

    /// Bytes of replies that are still here.
    fn unsent(&self) -> usize {
        self.pending.len() + self.held.as_ref().map_or(0, |held| held.len())
    }

    /// Whether requests must wait for what is under way.
    fn is_held(&self) -> bool {
        self.job.is_some() || self.paused || self.waiting.is_some()
    }

    /// Writes what waits, and what the log has for a replica.
    fn send_on(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        self.write_pending(cx).map_err(Exit::Io)?;
        if self.feed.is_some() && self.closing.is_none() { self.go_on_feeding(cx) } else { Ok(()) }
    }

    /// The end: takes the client out of what others know it by.
    pub(crate) fn leave(&mut self) {
        let engine = &self.scratch.engine;
        if let Some(waiting) = self.waiting.take() {
            engine.abandon(&waiting);
        }
        engine.leave(&mut self.session);
        self.feed = None;
    }

    /// Polls the connection to its end.
    pub(crate) fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        if !self.registered {
            self.session.card.set_waker(cx.waker());
            self.registered = true;
        }
        let mut taken = 0;
        loop {
            if let Some(exit) = self.tidy_up(cx) {
                return Poll::Ready(exit);
            }
            if self.closing.is_some() {
                return self.wind_up();
            }
            if let Some(job) = &self.job {
                if job.ends_with_client() {
                    match self.read_behind(cx) {
                        Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Exit::Closed),
                        Poll::Ready(Ok(_)) => self.check_limits(&Rc::clone(&self.scratch)),
                        Poll::Pending => {}
                    }
                }
                self.work(cx);
                return Poll::Pending;
            }
            if let Some(waiting) = self.waiting.take() {
                match ready!(self.wait(cx, waiting)) {
                    Ok(()) => continue,
                    Err(exit) => return Poll::Ready(exit),
                }
            }
            if self.still_paused() {
                return Poll::Pending;
            }
            if self.kept_whole {
                self.kept_whole = false;
                let input = std::mem::take(&mut self.kept);
                self.progress = Progress::default();
                self.serve_kept(input);
                if self.after_serving(cx) {
                    return Poll::Pending;
                }
                if self.kept_whole && !self.is_held() {
                    // The worker's other clients come first.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                continue;
            }
            let len = match ready!(self.read(cx)) {
                Ok(0) => {
                    // It may still read what it asked for before it closed its half.
                    self.closing = Some(Exit::Closed);
                    continue;
                }
                Ok(len) => len,
                Err(error) => return Poll::Ready(Exit::Io(error)),
            };
            if self.after_serving(cx) {
                return Poll::Pending;
            }
            taken += len;
            let receives = self.progress.wanted().is_some_and(|wanted| wanted >= INPUT_BYTES);
            let full = len == INPUT_BYTES && !(receives && taken < INPUT_BYTES_PER_TURN);
            if full || self.kept_whole && !self.is_held() {
                // The worker's other clients come first.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// What comes before the next request: being sent away, what can be written, mail.
    fn tidy_up(&mut self, cx: &mut Context<'_>) -> Option<Exit> {
        if self.session.card.killed() {
            return Some(self.killed());
        }
        if self.session.card.moving() && self.at_rest() {
            return Some(Exit::Moved);
        }
        if self.held.is_some() {
            self.release_held(cx);
        }
        if let Err(exit) = self.send_on(cx) {
            return Some(exit);
        }
        self.take_mail(cx);
        if self.session.card.takes_trim() {
            self.trim();
        }
        self.check_soft_limit();
        None
    }

    /// What is queued goes out first; a peer that stops reading is cut off by the clock.
    fn wind_up(&mut self) -> Poll<Exit> {
        if self.unsent() > 0 && self.feed.is_none() {
            self.session.card.set(ClientFlags::CLOSE_AFTER_REPLY, true);
            return Poll::Pending;
        }
        Poll::Ready(self.closing.take().unwrap_or(Exit::Closed))
    }

    /// Answers a client that has waited; while it waits on, takes in what it sends.
    fn wait(&mut self, cx: &mut Context<'_>, waiting: Arc<Waiting>) -> Poll<Result<(), Exit>> {
        if self.resume(cx, &waiting) {
            self.registration = None;
            return Poll::Ready(Ok(()));
        }
        if let Wanted::Acks(acks) = waiting.wait.wanted {
            self.wait_for_disk(cx, acks);
        }
        self.waiting = Some(waiting);
        Poll::Ready(match ready!(self.read_behind(cx)) {
            Ok(0) => Err(Exit::Closed),
            Ok(_) => {
                self.check_limits(&Rc::clone(&self.scratch));
                Ok(())
            }
            Err(error) => Err(Exit::Io(error)),
        })
    }

    /// Writes the answer to a client that has waited, if there is one. `false`: it waits on.
    fn resume(&mut self, cx: &mut Context<'_>, waiting: &Arc<Waiting>) -> bool {
        let scratch = Rc::clone(&self.scratch);
        let State { worker, reply, .. } = &mut *scratch.state.borrow_mut();
        reply.protocol = self.session.wire();
        let engine = &scratch.engine;
        if !engine.resume(worker, &mut self.session, waiting, clock_readings(), reply) {
            return false;
        }
        if self.exceeds_output(engine, reply.out.len()) {
            reply.out = Out::default(); // with the room that the replies took
            self.cut_off();
        }
        if !matches!(waiting.wait.wanted, Wanted::Acks(_)) {
            self.depend_on_all();
        }
        self.send(cx, &mut reply.out, worker);
        self.publish_buffers();
        true
    }

    /// Reads what comes while the client waits, to be served later: so that its end is seen.
    fn read_behind(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let scratch = Rc::clone(&self.scratch);
        let State { input, .. } = &mut *scratch.state.borrow_mut();
        let mut buffer = ReadBuf::new(input);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let len = buffer.filled().len();
        self.keep(&input[..len])?;
        self.publish_buffers();
        Poll::Ready(Ok(len))
    }

    /// Reads once into the worker's buffer and serves what came.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let scratch = Rc::clone(&self.scratch);
        let state = &mut *scratch.state.borrow_mut();
        let State { worker, input, requests, reply } = state;
        let mut buffer = ReadBuf::new(input);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let len = buffer.filled().len();
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        self.began = clock::ticks();
        self.began_changes = worker.stats.changes.get();
        worker.stats.reads.add(1);
        worker.stats.net_in_bytes.add(len as u64);
        let card = &self.session.card;
        card.net_in_bytes.store(card.net_in_bytes.load(Relaxed) + len as u64, Relaxed);
        card.reads.store(card.reads.load(Relaxed) + 1, Relaxed);
        let from_scratch = self.kept.is_empty();
        if !from_scratch {
            self.keep(&input[..len])?;
        }
        let mut serving = Serving {
            engine: &scratch.engine,
            worker,
            requests,
            reply,
            session: &mut self.session,
            meanwhile: false,
        };
        if from_scratch {
            let outcome = serving.serve(&mut self.progress, &input[..len]);
            let used = outcome.used;
            self.adopt(outcome);
            self.keep(&input[used..len])?;
        } else {
            let outcome = if self.kept.len() < LARGE_BYTES_MIN {
                serving.serve(&mut self.progress, &self.kept)
            } else {
                serving.serve_large(&mut self.progress, &mut self.kept)
            };
            let used = outcome.used;
            self.adopt(outcome);
            self.kept.drain(..used);
        }
        Poll::Ready(Ok(len))
    }

    /// Puts input behind what is kept.
    ///
    /// # Errors
    /// There is no memory for it.
    fn keep(&mut self, input: &[u8]) -> io::Result<()> {
        if self.kept.capacity() - self.kept.len() < input.len() {
            let room = input.len().max(self.progress.room(OWN_BUFFER_BYTES));
            self.kept.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory)?;
        }
        self.kept.extend_from_slice(input);
        Ok(())
    }

    /// Gives back room of the buffer: all that is free if the client is silent, else what only an
    /// unusual request needed.
    fn trim(&mut self) {
        let silent_ms = wall_ms().saturating_sub(self.session.card.last_ms.load(Relaxed));
        let least = if silent_ms >= OWN_BUFFER_IDLE_MS { 0 } else { OWN_BUFFER_BYTES };
        self.kept.shrink_to(least);
        self.publish_buffers();
    }

    /// Brings the sizes of the buffers to where others see them.
    fn publish_buffers(&self) {
        let card = &self.session.card;
        let parsed = self.progress.parsed_bytes().min(self.kept.len());
        card.output_bytes.store(self.unsent() as u64, Relaxed);
        card.query_bytes.store((self.kept.len() - parsed) as u64, Relaxed);
        card.query_free_bytes.store((self.kept.capacity() - self.kept.len()) as u64, Relaxed);
        card.argv_bytes.store((parsed + self.progress.heap_bytes()) as u64, Relaxed);
        self.scratch.engine.node().clients().tell(card);
    }

    /// Serves input that was kept because a job or a pause came first.
    fn serve_kept(&mut self, mut input: Vec<u8>) {
        self.began = clock::ticks();
        let scratch = Rc::clone(&self.scratch);
        let State { worker, requests, reply, .. } = &mut *scratch.state.borrow_mut();
        self.began_changes = worker.stats.changes.get();
        let mut serving = Serving {
            engine: &scratch.engine,
            worker,
            requests,
            reply,
            session: &mut self.session,
            meanwhile: false,
        };
        let outcome = serving.serve(&mut self.progress, &input);
        input.drain(..outcome.used);
        self.kept = input;
        self.adopt(outcome);
    }

    /// Takes over how serving ended.
    fn adopt(&mut self, outcome: Outcome) {
        self.lsn = self.lsn.max(outcome.lsn);
        match outcome.end {
            ServeEnd::Need => {}
            ServeEnd::Turn => self.kept_whole = true,
            ServeEnd::Later(job) => {
                self.job = Some(job);
                self.kept_whole = true;
            }
            ServeEnd::Wait(waiting) => {
                self.waiting = Some(waiting);
                self.kept_whole = true;
            }
            ServeEnd::Paused => {
                self.paused = true;
                self.kept_whole = true;
                self.session.card.set(ClientFlags::BLOCKED, true);
            }
            ServeEnd::Feed(kind) => {
                self.begin_feed(kind);
                self.kept_whole = true;
            }
            ServeEnd::Close(exit) => self.closing = Some(exit),
        }
    }

    /// Whether CLIENT PAUSE holds the connection back; notes that it does not any more.
    fn still_paused(&mut self) -> bool {
        if self.paused && !self.scratch.engine.pause.active(wall_ms()) {
            self.paused = false;
            self.session.card.set(ClientFlags::BLOCKED, false);
        }
        self.paused
    }

    /// Does one slice of the long job, then lets the worker's other clients go first. A client that
    /// does not read what there is waits for its own sake.
    fn work(&mut self, cx: &mut Context<'_>) {
        if self.unsent() >= JOB_PENDING_MAX {
            // The socket wakes us when it takes more.
            return;
        }
        let scratch = Rc::clone(&self.scratch);
        let State { reply, .. } = &mut *scratch.state.borrow_mut();
        reply.protocol = self.session.wire();
        let Some(job) = &mut self.job else { return };
        let mark = reply.mark();
        let step = job.step(&scratch.engine.space, wall_ms(), reply);
        let shows_data = job.shows_data();
        if self.session.reply_mode != ReplyMode::On {
            reply.truncate(mark);
        }
        match step {
            JobStep::More => {}
            // Whoever has something wakes the task.
            JobStep::Wait => return,
            JobStep::Done => self.job = None,
        }
        if self.exceeds_output(&scratch.engine, reply.out.len()) {
            reply.out = Out::default();
            self.cut_off();
        }
        if shows_data {
            self.depend_on_all();
        }
        if !self.hold(&mut reply.out) {
            self.pending.append(&mut reply.out);
        }
        cx.waker().wake_by_ref();
    }

    /// Writes the worker's reply buffer, keeps what the kernel did not take, and settles accounts.
    /// Returns whether the connection rests, as it changed more than a snapshot's reader can take.
    fn after_serving(&mut self, cx: &mut Context<'_>) -> bool {
        let scratch = Rc::clone(&self.scratch);
        let State { reply, worker, .. } = &mut *scratch.state.borrow_mut();
        let out = &mut reply.out;
        let made = out.len();
        if made > 0 && self.feed.is_some() {
            out.clear();
            self.pending.clear();
            self.closing = Some(Exit::AnswerToReplica);
        } else if made > 0 && self.exceeds_output(&scratch.engine, made) {
            *out = Out::default();
            self.cut_off();
        }
        self.send(cx, out, worker);
        let card = &self.session.card;
        if card.has(ClientFlags::UNAUTHENTICATED) == self.session.authenticated {
            card.set(ClientFlags::UNAUTHENTICATED, !self.session.authenticated);
        }
        if self.kept.is_empty() && self.kept.capacity() > INPUT_BYTES {
            self.kept.shrink_to(INPUT_BYTES);
        }
        let busy = clock::ticks().saturating_sub(self.began);
        worker.stats.busy_ticks.add(busy);
        worker.stats.longest_ticks.raise(busy);
        self.publish_buffers();
        self.check_limits(&scratch);
        worker.stats.changes.get() != self.began_changes && scratch.engine.space.rests(cx.waker())
    }

    /// Why the connection is told to end.
    fn killed(&mut self) -> Exit {
        let reason =
            if self.session.card.mail_overflowed() { Exit::OutputLimit } else { Exit::Killed };
        self.closing.take().unwrap_or(reason)
    }

    /// Writes what waits in the inbox of the card: between two replies, and behind those before.
    fn take_mail(&mut self, cx: &mut Context<'_>) {
        if !self.session.card.has_mail() || self.closing.is_some() || self.job.is_some() {
            return;
        }
        let scratch = Rc::clone(&self.scratch);
        let State { reply, worker, .. } = &mut *scratch.state.borrow_mut();
        reply.protocol = self.session.wire();
        match self.waiting.clone() {
            Some(waiting) => waiting.meanwhile(|| self.session.collect(reply)),
            None => self.session.collect(reply),
        }
        if self.exceeds_output(&scratch.engine, reply.out.len()) {
            reply.out = Out::default();
            self.cut_off();
        }
        self.depend_on_all();
        self.send(cx, &mut reply.out, worker);
        self.publish_buffers();
        self.check_limits(&scratch);
    }

    /// Offers `out` to the kernel if nothing is before it, and keeps what is not taken.
    fn send(&mut self, cx: &mut Context<'_>, out: &mut Out, worker: &engine::Worker) {
        let made = out.len();
        let held = made > 0 && self.hold(out);
        if held {
            self.release_held(cx);
        }
        if self.pending.is_empty() && !out.is_empty() {
            let sent = write(&mut self.stream, cx, out);
            match sent {
                Ok(len) => out.advance(len),
                Err(error) => self.closing = Some(Exit::Io(error)),
            }
        }
        if matches!(self.closing, Some(Exit::Io(_))) {
            out.clear();
            self.pending.clear();
            self.held = None;
        } else if !out.is_empty() {
            self.pending.append(out);
        }
        if made > 0 {
            let card = &self.session.card;
            worker.stats.writes.add(1);
            worker.stats.net_out_bytes.add(made as u64);
            card.net_out_bytes.store(card.net_out_bytes.load(Relaxed) + made as u64, Relaxed);
        }
    }

    /// Whether `made` bytes of replies are too many for what the client leaves unread.
    fn exceeds_output(&self, engine: &Engine, made: usize) -> bool {
        let mut output = self.unsent().saturating_add(made) as u64;
        if engine.counts_blocks.load(Relaxed) {
            output = output.saturating_add(2 * REPLY_BYTES_FREE);
        }
        if output < REPLY_BYTES_FREE {
            return false;
        }
        let bytes_max = engine.settings().output.of(self.session.card.kind()).hard_bytes;
        bytes_max > 0 && output > bytes_max
            || !self.session.is_known() && output > UNAUTHENTICATED_OUTPUT_BYTES_MAX
    }

    /// Ends the connection, and what was to be sent with it.
    fn cut_off(&mut self) {
        self.pending.clear();
        self.held = None;
        self.closing = Some(Exit::OutputLimit);
        self.session.card.kill();
    }

    /// Whoever is over the soft limit was woken by the clock, most likely: it is a limit of time.
    fn check_soft_limit(&mut self) {
        if self.soft_since_ms.is_some() && self.closing.is_none() {
            let scratch = Rc::clone(&self.scratch);
            self.check_limits(&scratch);
        }
    }

    fn check_limits(&mut self, scratch: &Scratch) {
        let queued_bytes = self.session.card.multi_bytes.load(Relaxed);
        if self.unsent() == 0 && self.kept.is_empty() && queued_bytes == 0 {
            self.soft_since_ms = None;
            return;
        }
        let settings = scratch.engine.settings();
        let output = self.unsent() as u64;
        let input_max = if self.session.authenticated {
            settings.query_buffer_bytes_max
        } else {
            settings.query_buffer_bytes_max.min(UNAUTHENTICATED_INPUT_BYTES_MAX)
        };
        let limit = settings.output.of(self.session.card.kind());
        let soft = limit.soft_bytes > 0 && output > limit.soft_bytes;
        let now_ms = wall_ms();
        let since = if soft { *self.soft_since_ms.get_or_insert(now_ms) } else { now_ms };
        if !soft {
            self.soft_since_ms = None;
        }
        let patience_ms = limit.soft_seconds.saturating_mul(1000) as i64;
        if soft && now_ms.saturating_sub(since) >= patience_ms {
            self.cut_off();
        } else if (self.kept.len() as u64).saturating_add(queued_bytes) > input_max {
            self.closing = Some(Exit::QueryLimit);
        }
    }

    fn write_pending(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        while !self.pending.is_empty() {
            let sent = write(&mut self.stream, cx, &self.pending)?;
            if sent == 0 {
                break;
            }
            if let Some(feed) = &mut self.feed {
                feed.taken(wall_ms());
            }
            self.pending.advance(sent);
            self.session.card.output_bytes.store(self.unsent() as u64, Relaxed);
            if self.closing.is_some() {
                self.session.card.last_ms.store(wall_ms(), Relaxed);
            }
        }
        if self.pending.is_empty() {
            // Of what was behind, its room stays with nobody.
            self.pending = Out::default();
        }
        Ok(())
    }
}

/// Writes what the kernel takes now. 0: it takes nothing, and the task is woken when it does.
fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    out: &Out,
) -> io::Result<usize> {
    let mut total = 0;
    let stream = Pin::new(stream);
    let polled = if let Some(bytes) = out.as_contiguous() {
        stream.poll_write(cx, bytes)
    } else {
        let mut slices = [IoSlice::new(&[]); 64];
        let count = out.slices(&mut slices);
        stream.poll_write_vectored(cx, &slices[..count])
    };
    match polled {
        Poll::Pending => {}
        Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
        Poll::Ready(Ok(len)) => total = len,
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
        Poll::Ready(Err(error)) => return Err(error),
    }
    Ok(total)
}

/// How a stretch of input ended.
enum ServeEnd {
    /// More input is needed.
    Need,
    /// There is more to execute, after the replies so far were offered to the kernel.
    Turn,
    Later(Box<dyn Job>),
    Wait(Arc<Waiting>),
    Paused,
    Feed(Sync),
    Close(Exit),
}

struct Outcome {
    /// Bytes of input that are done with.
    used: usize,
    end: ServeEnd,
    /// What the replies depend on.
    lsn: Lsn,
}

/// What serving needs besides the connection's own buffers.
struct Serving<'a> {
    engine: &'a Engine,
    worker: &'a mut engine::Worker,
    requests: &'a mut resp::Requests,
    reply: &'a mut Reply,
    session: &'a mut Session,
    /// A script runs for too long on this thread.
    meanwhile: bool,
}

impl Serving<'_> {
    /// Parses and executes all whole requests of `input`, which begins where `progress` says.
    fn serve(&mut self, progress: &mut Progress, input: &[u8]) -> Outcome {
        let (mut used, mut lsn) = (0, Lsn(0));
        let mut turn_ends = None;
        self.reply.protocol = self.session.wire();
        loop {
            let limits = self.limits();
            let rest = &input[used..];
            let parsed = self.requests.parse(progress, rest, &limits, BATCH_REQUESTS);
            if !self.requests.is_empty() {
                let now = clock_readings();
                let serve = if self.meanwhile { Engine::serve_meanwhile } else { Engine::serve };
                let served = serve(
                    self.engine,
                    self.worker,
                    self.session,
                    self.requests,
                    rest,
                    now,
                    self.reply,
                );
                lsn = lsn.max(served.lsn);
                let end = match served.end {
                    End::Done => None,
                    End::Again => {
                        used += self.requests.end_of(served.done);
                        *progress = Progress::default();
                        continue;
                    }
                    End::Later(job) => Some(ServeEnd::Later(job)),
                    End::Wait(waiting) => Some(ServeEnd::Wait(waiting)),
                    End::Paused => Some(ServeEnd::Paused),
                    End::Feed(kind) => Some(ServeEnd::Feed(kind)),
                    End::Close => Some(ServeEnd::Close(Exit::Closed)),
                };
                if let Some(end) = end {
                    used += self.requests.end_of(served.done);
                    return Outcome { used, end, lsn };
                }
            }
            used += parsed.consumed;
            match parsed.stop {
                Stop::Full => {
                    let now = clock::ticks();
                    let ends = *turn_ends.get_or_insert_with(|| {
                        now.saturating_add(clock::ticks_per_milli().saturating_mul(TURN_MS))
                    });
                    if now > ends || self.reply.out.len() >= REPLY_BYTES_PER_TURN {
                        return Outcome { used, end: ServeEnd::Turn, lsn };
                    }
                }
                Stop::Drained | Stop::Partial => {
                    return Outcome { used, end: ServeEnd::Need, lsn };
                }
                Stop::Error(error) => {
                    return Outcome { lsn, ..self.protocol_error(error, input, used) };
                }
            }
        }
    }

    /// As `serve`, for input that may hold a large argument. If it does, `input` becomes that
    /// argument, and what came behind the request is put in its place.
    #[cold]
    fn serve_large(&mut self, progress: &mut Progress, input: &mut Vec<u8>) -> Outcome {
        let parsed = self.requests.parse(progress, input, &self.limits(), 1);
        let Some(request) = self.requests.get(0, input) else {
            return match parsed.stop {
                Stop::Error(error) => self.protocol_error(error, input, parsed.consumed),
                _ => Outcome { used: parsed.consumed, end: ServeEnd::Need, lsn: Lsn(0) },
            };
        };
        let base = input.as_ptr().addr();
        let spans =
            request.args.iter().map(|arg| (arg.as_ptr().addr().wrapping_sub(base), arg.len()));
        let spans: Vec<(usize, usize)> = spans.collect();
        let largest = spans.iter().enumerate().max_by_key(|(_, (_, len))| *len);
        let Some((large, &(at, len))) = largest.filter(|_| !request.inline) else {
            return self.serve_again(progress, input);
        };
        if len < LARGE_BYTES_MIN {
            return self.serve_again(progress, input);
        }
        let end = at + len;
        let (head, behind) = (input[..at].to_vec(), input[end..].to_vec());
        let mut value = std::mem::take(input);
        value.copy_within(at..end, 0);
        value.truncate(len);
        value.shrink_to_fit();
        let value = Arc::new(value);
        let word = |&(from, len): &(usize, usize)| match from {
            _ if from == at => &value[..],
            _ if from < at => &head[from..from + len],
            _ => &behind[from - end..from - end + len],
        };
        let words: Vec<&[u8]> = spans.iter().map(word).collect();
        let bytes = parsed.consumed;
        self.reply.protocol = self.session.wire();
        let large = Large { words: &words, large, value: Arc::clone(&value), bytes };
        let served =
            self.engine.serve_large(self.worker, self.session, large, clock_readings(), self.reply);
        if served.done == 0 {
            resp::write_command(input, &words);
        }
        input.extend_from_slice(&behind[bytes - end..]);
        let end = match served.end {
            End::Done if input.is_empty() => ServeEnd::Need,
            End::Done | End::Again => ServeEnd::Turn,
            End::Later(job) => ServeEnd::Later(job),
            End::Wait(waiting) => ServeEnd::Wait(waiting),
            End::Paused => ServeEnd::Paused,
            End::Feed(kind) => ServeEnd::Feed(kind),
            End::Close => ServeEnd::Close(Exit::Closed),
        };
        Outcome { used: 0, end, lsn: served.lsn }
    }

    /// Parses from the start what was parsed without being executed.
    fn serve_again(&mut self, progress: &mut Progress, input: &[u8]) -> Outcome {
        *progress = Progress::default();
        self.serve(progress, input)
    }

    fn limits(&self) -> Limits {
        let settings = self.engine.settings();
        Limits {
            authenticated: self.session.authenticated,
            bulk_bytes_max: settings.bulk_bytes_max,
            inline: settings.inline_commands,
            ..Limits::default()
        }
    }

    /// The request that begins at `at` is none.
    fn protocol_error(&mut self, error: resp::ProtocolError, input: &[u8], at: usize) -> Outcome {
        /// More is not shown in the log.
        const SAMPLE_BYTES_MAX: usize = 128;
        if self.session.reply_mode == ReplyMode::On {
            self.reply.protocol_error(&error);
        }
        self.worker.stats.error("ERR".to_owned());
        let begin = input.get(at..).unwrap_or_default();
        let sample = begin.get(..SAMPLE_BYTES_MAX).unwrap_or(begin).into();
        let end = ServeEnd::Close(Exit::Protocol(error, sample));
        Outcome { used: input.len(), end, lsn: Lsn(0) }
    }
}

#[inline]
fn clock_readings() -> Now {
    Now {
        wall_ms: wall_ms(),
        ticks: clock::ticks,
        wall: wall_ms,
        stale_ticks: clock::ticks_per_milli(),
    }
}

/// The wall clock in milliseconds since 1970.
fn wall_ms() -> i64 {
    clock::now().0
}
