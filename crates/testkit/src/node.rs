//! A server in one value: engine, keyspace, a journal that is read, one worker. Built in well
//! under a millisecond, deterministic: the test owns its clock and its seeds.

use crate::Snapshot;
use crate::host::{self, Host};
use command::{Card, ClientFlags, Ending, JobStep, Session, Waiting};
use engine::{End, Engine, Now, Worker};
use journal::{Journal, Lsn, Patience, ReadOutcome, Reader};
use keyspace::{DueJob, Keyspace, Position, ScanFilter, persist};
use resp::{Limits, Progress, Reply, Requests, Stop, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stdx::hash::Seed;

/// Where a node's clock starts: a moment in 2023, in milliseconds since 1970.
pub const START_MS: i64 = 1_700_000_000_000;

/// How a node is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A power of two.
    pub shards: usize,
    pub databases: u32,
    /// Of the hash function and of every random choice.
    pub seed: u64,
    /// Milliseconds since 1970.
    pub now_ms: i64,
    /// Whether the journal is read, for replays; a benchmark goes without.
    pub journal: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { shards: 1, databases: 16, seed: 1, now_ms: START_MS, journal: true }
    }
}

/// Why a journal cannot be replayed.
#[derive(Debug)]
pub struct Fault(pub String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

/// An in-process server.
pub struct Node {
    pub engine: Arc<Engine>,
    hand: Hand,
    reader: Option<Reader>,
    log: Vec<u8>,
    options: Options,
}

/// A worker of a node, which may be on a thread of its own.
pub struct Hand {
    pub engine: Arc<Engine>,
    host: Arc<Host>,
    worker: Worker,
    requests: Requests,
    reply: Reply,
}

impl Node {
    pub fn new(options: Options) -> Self {
        /// Small: a node lives for one test, and its journal is read after each request.
        const LIMITS: journal::Limits = journal::Limits {
            segment_bytes: 64 << 10,
            memory_bytes_max: 256 << 20,
            grant_bytes: 64 << 10,
            writers_max: 64,
        };
        let seed = Seed::new(options.seed, !options.seed);
        let space = Arc::new(Keyspace::new(options.shards, options.databases, seed));
        let journal = Journal::new(Lsn(0), LIMITS);
        let reader = options
            .journal
            .then(|| journal.reader(Lsn(0), Patience::Drop(u64::MAX)).expect("an empty journal"));
        let engine = Arc::new(Engine::new(space, journal, commands::FAMILIES));
        let host = Arc::new(Host::new(options.now_ms));
        let introduced = host.engine.set(Arc::downgrade(&engine)).is_ok();
        debug_assert!(introduced, "a new host knows no engine");
        engine.set_node(Arc::clone(&host) as Arc<dyn command::Node>);
        engine.set_settings(host::settings(&host.config.lock(), options.databases));
        let hand = Hand::new(&engine, &host, options.seed);
        Self { engine, hand, reader, log: Vec::new(), options }
    }

    /// Another worker. What it writes is in the journal once [`Node::drain`] has been called.
    ///
    /// # Panics
    /// Beyond 64 of them.
    pub fn hand(&self, seed: u64) -> Hand {
        Hand::new(&self.engine, &self.hand.host, seed)
    }

    /// An empty node of the same shape and seed.
    #[must_use]
    pub fn sibling(&self) -> Self {
        Self::new(self.options)
    }

    /// A new client from this host, allowed to do everything.
    pub fn session(&self) -> Session {
        self.hand.session()
    }

    /// A new client that speaks version 2 or 3 of the protocol.
    pub fn session_of(&self, protocol: u8) -> Session {
        let mut session = self.session();
        session.protocol = protocol;
        session
    }

    pub fn now_ms(&self) -> i64 {
        self.hand.host.now_ms()
    }

    pub fn set_now_ms(&mut self, now_ms: i64) {
        self.hand.host.now_ms.store(now_ms, Ordering::Relaxed);
    }

    pub fn advance_ms(&mut self, millis: i64) {
        self.set_now_ms(self.now_ms().saturating_add(millis));
    }

    /// Sends one command; `None` if the client wants no reply to it.
    pub fn send(&mut self, session: &mut Session, words: &[&[u8]]) -> Option<Value> {
        let reply = self.hand.send(session, words);
        self.drain();
        reply
    }

    /// Sends one command and answers all that comes back: its replies, and letters behind them.
    pub fn send_all(&mut self, session: &mut Session, words: &[&[u8]]) -> Vec<Value> {
        let replies = self.hand.send_all(session, words);
        self.drain();
        replies
    }

    /// The letters that have come for a client since it last sent something.
    pub fn mail(&mut self, session: &mut Session) -> Vec<Value> {
        let mut reply = Reply::new(session.wire());
        session.collect(&mut reply);
        values(&reply.out.to_vec())
    }

    /// Sends bytes as they are, whole requests in any number, and answers what comes back. Long
    /// jobs are done to their end; a client that is held back by CLIENT PAUSE waits on the clock.
    pub fn send_bytes(&mut self, session: &mut Session, input: &[u8]) -> Vec<u8> {
        let reply = self.hand.send_bytes(session, input);
        self.drain();
        reply
    }

    /// Runs the jobs that are due; see [`Hand::run_jobs`].
    pub fn run_jobs(&mut self) -> usize {
        let ran = self.hand.run_jobs();
        self.drain();
        ran
    }

    /// What scripts and jobs have told the log.
    pub fn told(&self) -> Vec<String> {
        self.hand.host.told.lock().clone()
    }

    /// Takes what the journal has.
    pub fn drain(&mut self) {
        let Some(reader) = &mut self.reader else { return };
        while let ReadOutcome::Data { .. } = reader.poll(&mut self.log, 16 << 20) {}
    }

    /// All bytes of the journal since the node's birth.
    pub fn journal(&self) -> &[u8] {
        &self.log
    }

    /// The data as of now.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_at(self.now_ms())
    }

    /// What a client can see now.
    pub fn visible(&self) -> Snapshot {
        Snapshot::take_visible(&self.engine.space, self.now_ms())
    }

    /// What of the data lives at another moment.
    pub fn snapshot_at(&self, now_ms: i64) -> Snapshot {
        Snapshot::take(&self.engine.space, now_ms)
    }

    /// Applies the bytes of another node's journal, as a replica or a load of the AOF does: SELECT
    /// chooses the database, MULTI and EXEC frame a record, and no command may fail. The clock
    /// stands at 0 meanwhile.
    pub fn replay(&mut self, journal: &[u8]) -> Result<(), Fault> {
        let clock = self.now_ms();
        self.set_now_ms(0);
        let replayed = self.replay_all(journal);
        self.set_now_ms(clock);
        replayed
    }

    fn replay_all(&mut self, journal: &[u8]) -> Result<(), Fault> {
        let mut session = self.session();
        session.no_touch = true;
        session.replays = true;
        let (mut requests, mut at, mut framed) = (Requests::new(), 0, false);
        while at < journal.len() {
            let rest = &journal[at..];
            let parsed = requests.parse(&mut Progress::default(), rest, &Limits::default(), 64);
            if parsed.consumed == 0 {
                return Err(Fault(format!("{:?} at byte {at} of the journal", parsed.stop)));
            }
            for request in requests.iter(rest) {
                let words: Vec<&[u8]> = request.args.iter().collect();
                self.replay_one(&mut session, &words, &mut framed)?;
            }
            at += parsed.consumed;
        }
        if framed { Err(Fault("the journal ends within a record".into())) } else { Ok(()) }
    }

    fn replay_one(
        &mut self,
        session: &mut Session,
        words: &[&[u8]],
        framed: &mut bool,
    ) -> Result<(), Fault> {
        let fault = |what: &str| Err(Fault(format!("{what}: {}", show(words))));
        match words {
            [b"MULTI"] if !*framed => *framed = true,
            [b"EXEC"] if *framed => *framed = false,
            [b"MULTI" | b"EXEC"] => return fault("records do not nest"),
            [b"SELECT", number] => match stdx::num::parse_i64(number).map(u32::try_from) {
                Some(Ok(db)) if db < self.options.databases => session.db = db,
                _ => return fault("no such database"),
            },
            _ => {
                if let Some(Value::Error(text)) = self.send(session, words) {
                    return fault(&String::from_utf8_lossy(&text));
                }
            }
        }
        Ok(())
    }

    /// Replays this node's journal into an empty sibling and compares the data, moments of expiry
    /// included.
    pub fn check_replay(&self) -> Result<(), Fault> {
        let mut copy = self.sibling();
        copy.replay(self.journal())?;
        let difference = self.snapshot().difference(&copy.snapshot_at(self.now_ms()), false);
        if difference.is_empty() {
            return Ok(());
        }
        let log = String::from_utf8_lossy(self.journal());
        Err(Fault(format!("live / replayed:\n{difference}of the journal\n{log}")))
    }
}

impl Node {
    /// The data set as an RDB file.
    pub fn save(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut snapshot = self.begin_snapshot(|_| {});
        while snapshot.read(&mut body, 4096) {}
        framed(&body)
    }

    /// Begins a snapshot; none is under way.
    pub fn begin_snapshot(&self, at_cut: impl FnOnce(&engine::Cut)) -> keyspace::Snapshot {
        let options = keyspace::SnapshotOptions {
            now_ms: self.now_ms(),
            access: Some(self.engine.settings().access_clock),
            compress: true,
        };
        let mut participant = self.engine.space.epochs().register().expect("a free slot");
        let closed = self.engine.space.reach_gate(&mut participant).expect("no script runs");
        let snapshot = self.engine.begin_snapshot(options, command::Others::Stand, at_cut);
        drop(closed);
        snapshot.expect("one at a time")
    }

    /// Loads an RDB file into the databases as they are; nothing in it has expired.
    pub fn load(&mut self, file: &[u8]) -> Result<persist::LoadOutcome, Fault> {
        let settings = self.engine.settings();
        let options = persist::LoadOptions {
            limits: &settings.limits,
            clock: settings.access_clock,
            now_ms: self.now_ms(),
            horizon_ms: i64::MIN,
            replace: false,
        };
        let mut reader = rdb::Reader::new(file);
        persist::load_all(&mut reader, &self.engine.space, options)
            .map_err(|error| Fault(format!("{error} at byte {} of the file", reader.offset())))
    }

    /// All streams as payloads: their digests leave out what is not an entry.
    fn streams(&self) -> BTreeMap<(u32, Vec<u8>), Vec<u8>> {
        let mut streams = BTreeMap::new();
        for db in 0..self.options.databases {
            let (all, filter) = (Position::default(), ScanFilter::default());
            let visit = |entry: &keyspace::Entry| {
                if entry.type_of() == types::Type::Stream {
                    let payload = entry.value().saved().payload();
                    streams.insert((db, entry.key().to_vec()), payload);
                }
            };
            self.engine.space.scan(db, all, usize::MAX, &filter, visit);
        }
        streams
    }

    /// Saves an RDB file, loads it into an empty sibling and compares the data, moments of expiry
    /// included.
    pub fn check_reload(&self) -> Result<(), Fault> {
        let file = self.save();
        let mut copy = self.sibling();
        copy.load(&file)?;
        let now_ms = self.now_ms();
        let mut difference = self.snapshot().difference(&copy.snapshot_at(now_ms), false);
        if difference.is_empty() && self.streams() != copy.streams() {
            difference = "consumer groups, producers or counts of a stream\n".into();
        }
        if difference.is_empty() {
            return Ok(());
        }
        let file = file.escape_ascii();
        Err(Fault(format!("live / saved and loaded:\n{difference}of the file\n{file}")))
    }
}

/// An RDB file with this body.
pub fn framed(body: &[u8]) -> Vec<u8> {
    let mut file = rdb::Writer::new();
    rdb::file::Header { version: persist::FILE_VERSION }.write(&mut file);
    rdb::file::write_aux(&mut file, b"redis-ver", command::REDIS_VERSION.as_bytes());
    file.raw(body);
    rdb::file::write_end(&mut file, true);
    file.into_bytes()
}

impl Hand {
    fn new(engine: &Arc<Engine>, host: &Arc<Host>, seed: u64) -> Self {
        Self {
            engine: Arc::clone(engine),
            host: Arc::clone(host),
            worker: Worker::new(engine, seed).expect("fewer workers than the epochs have slots"),
            requests: Requests::new(),
            reply: Reply::new(resp::Protocol::Resp2),
        }
    }

    /// A new client from this host, allowed to do everything.
    pub fn session(&self) -> Session {
        let id = self.host.clients.next_id();
        let (addr, laddr) =
            (format!("127.0.0.1:{}", 50_000 + id % 10_000), "127.0.0.1:6379".into());
        let card = Arc::new(Card::new(id, addr, laddr, 8, self.host.now_ms()));
        card.set(ClientFlags::LOCAL, true);
        self.host.clients.add(Arc::clone(&card));
        Session::new(card, !self.engine.settings().password_required)
    }

    /// Moves the clock that all workers of the node share.
    pub fn advance_ms(&mut self, millis: i64) {
        self.host.now_ms.fetch_add(millis, Ordering::Relaxed);
    }

    /// Sends one command; `None` if the client wants no reply to it.
    pub fn send(&mut self, session: &mut Session, words: &[&[u8]]) -> Option<Value> {
        let mut replies = self.send_all(session, words);
        assert!(replies.len() < 2, "no single reply to {words:?}: {replies:?}");
        replies.pop()
    }

    /// Sends one command; see [`Node::send_all`].
    pub fn send_all(&mut self, session: &mut Session, words: &[&[u8]]) -> Vec<Value> {
        let mut request = Vec::new();
        resp::write_command(&mut request, words);
        values(&self.send_bytes(session, &request))
    }

    /// Sends bytes as they are; see [`Node::send_bytes`].
    pub fn send_bytes(&mut self, session: &mut Session, input: &[u8]) -> Vec<u8> {
        self.serve(session, input, Self::wait_out)
    }

    /// Sends one command, and lets the client wait if it is one that waits: [`Hand::resume`] tells
    /// when it has been served.
    pub fn start(&mut self, session: &mut Session, words: &[&[u8]]) -> Option<Value> {
        let mut request = Vec::new();
        resp::write_command(&mut request, words);
        let bytes = self.serve(session, &request, |_, _, _| {});
        resp::parse_reply(&bytes).ok().flatten().map(|(value, _)| value)
    }

    /// The reply to a command that has waited, once there is one.
    pub fn resume(&mut self, session: &mut Session) -> Option<Value> {
        let waiting = session.card.waiting.lock().clone()?;
        self.reply.protocol = session.wire();
        let now = now(self.host.now_ms());
        if !self.engine.resume(&mut self.worker, session, &waiting, now, &mut self.reply) {
            return None;
        }
        let bytes = self.reply.out.to_vec();
        self.reply.out.clear();
        resp::parse_reply(&bytes).ok().flatten().map(|(value, _)| value)
    }

    /// The client closes its connection. The reply that it will never read, if it was served just
    /// before.
    pub fn close(&mut self, session: &mut Session) -> Option<Value> {
        let waiting = session.card.waiting.lock().clone();
        let lost = match waiting {
            Some(waiting) if !waiting.end(Ending::Gone) => self.resume(session),
            Some(waiting) => {
                self.engine.abandon(&waiting);
                None
            }
            None => None,
        };
        session.unwatch(&self.engine.space);
        self.engine.pubsub.leave(session);
        self.host.clients.remove(session.card.id);
        lost
    }

    /// Deletes what has expired, as the server does by the clock.
    pub fn sweep(&mut self) {
        const BUCKETS: usize = 1 << 16;
        let Self { engine, worker, host, .. } = self;
        for shard in engine.space.shards().ids() {
            for db in 0..engine.space.databases() {
                engine.sweep(worker, (shard, db, None), BUCKETS, || host.now_ms());
            }
        }
    }

    /// Runs the jobs that are due, as the server does by the clock. Returns how many ran.
    pub fn run_jobs(&mut self) -> usize {
        let due = self.engine.due_jobs(self.host.now_ms());
        self.run_due(&due)
    }

    /// Runs these jobs, as far as they are due yet. Returns how many ran.
    pub fn run_due(&mut self, due: &[DueJob]) -> usize {
        let mut session = self.session();
        let now = now(self.host.now_ms());
        let run = |due: &&DueJob| {
            self.engine.run_job(&mut self.worker, &mut session, (*due).clone(), now)
        };
        let ran = due.iter().filter(run).count();
        self.host.clients.remove(session.card.id);
        ran
    }

    /// Nobody else is there who could serve the client: its time goes by.
    fn wait_out(&mut self, session: &mut Session, waiting: &Arc<Waiting>) {
        /// Looks at what time alone may bring, before the rest of the time is over.
        const ROUNDS_MAX: usize = 4;
        for _ in 0..ROUNDS_MAX {
            let Some(due_ms) = waiting.due_ms() else { break };
            self.host.now_ms.fetch_max(due_ms, Ordering::Relaxed);
            let now = now(self.host.now_ms());
            if self.engine.resume(&mut self.worker, session, waiting, now, &mut self.reply) {
                return;
            }
        }
        match waiting.wait.until_ms {
            Some(until_ms) => {
                self.host.now_ms.fetch_max(until_ms, Ordering::Relaxed);
            }
            None => {
                waiting.end(Ending::Timeout);
            }
        }
        let now = now(self.host.now_ms());
        self.engine.resume(&mut self.worker, session, waiting, now, &mut self.reply);
    }

    /// Runs a long answer to its end.
    fn finish(&mut self, job: &mut dyn command::Job, session: &Session) {
        let mark = self.reply.mark();
        let space = &self.engine.space;
        while job.step(space, self.host.now_ms(), &mut self.reply) == JobStep::More {}
        if session.reply_mode != command::ReplyMode::On {
            self.reply.truncate(mark);
        }
    }

    fn serve(
        &mut self,
        session: &mut Session,
        mut input: &[u8],
        waits: fn(&mut Self, &mut Session, &Arc<Waiting>),
    ) -> Vec<u8> {
        /// As a connection does.
        const BATCH_REQUESTS: usize = 64;
        self.reply.protocol = session.wire();
        let mut progress = Progress::default();
        while !input.is_empty() && !session.close_after_reply {
            let settings = self.engine.settings();
            let limits = Limits {
                authenticated: session.authenticated,
                bulk_bytes_max: settings.bulk_bytes_max,
                ..Limits::default()
            };
            let parsed = self.requests.parse(&mut progress, input, &limits, BATCH_REQUESTS);
            let (mut used, mut whole) = (parsed.consumed, true);
            if !self.requests.is_empty() {
                let now = now(self.host.now_ms());
                let requests = &self.requests;
                let worker = &mut self.worker;
                let served =
                    self.engine.serve(worker, session, requests, input, now, &mut self.reply);
                whole = served.done == requests.len();
                if !whole {
                    used = requests.end_of(served.done);
                }
                match served.end {
                    End::Done | End::Again => {}
                    End::Later(mut job) => {
                        used = requests.end_of(served.done);
                        whole = false;
                        self.finish(&mut *job, session);
                    }
                    End::Wait(waiting) => {
                        used = requests.end_of(served.done);
                        whole = false;
                        waits(self, session, &waiting);
                    }
                    End::Paused => {
                        let left = self
                            .engine
                            .pause
                            .current(self.host.now_ms())
                            .map_or(1, |(_, left)| left);
                        self.advance_ms(left.max(1));
                    }
                    // Nobody here reads what such a connection is sent.
                    End::Feed(_) => {
                        used = requests.end_of(served.done);
                        whole = false;
                    }
                    End::Close => session.close_after_reply = true,
                }
            }
            match parsed.stop {
                Stop::Error(error) if whole => {
                    self.reply.protocol_error(&error);
                    session.close_after_reply = true;
                }
                Stop::Partial if whole => break,
                _ => {}
            }
            if !whole {
                progress = Progress::default();
            }
            input = &input[used..];
        }
        session.collect(&mut self.reply);
        let out = self.reply.out.to_vec();
        self.reply.out.clear();
        out
    }
}

/// The replies that these bytes are.
fn values(mut bytes: &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        match resp::parse_reply(bytes) {
            Ok(Some((value, size))) => {
                values.push(value);
                bytes = &bytes[size..];
            }
            other => panic!("no reply: {other:?} in {bytes:?}"),
        }
    }
    values
}

/// A frozen clock: nothing takes time here.
fn now(wall_ms: i64) -> Now {
    Now { wall_ms, ticks: || 0, wall: || 0, stale_ticks: u64::MAX }
}

/// The words as one would type them.
pub(crate) fn show(words: &[&[u8]]) -> String {
    let mut out = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        if word.is_empty() || stdx::quote::needs_repr(word) {
            stdx::quote::repr(&mut out, word);
        } else {
            out.extend_from_slice(word);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
