//! The append-only file of the server: the thread that writes it, and when it is rewritten.
//!
//! ```text
//!   thread "aof":      Writer::step ─ sleeps until the journal has more ─ begins rewrites
//!   thread "rewrite":  write_base, then Writer::adopt
//! ```
//!
//! Who changes something (CONFIG SET, BGREWRITEAOF) leaves a note and wakes the thread: closing the write
//! gate is not for who may have closed it already.
//!
//! **Order of locks:** the write gate, `Server::config`, the writer, then `Persistence::snapshot`,
//! `Log::rewriting` and what is within the keyspace and the journal. Who holds one takes none to the left
//! of it; so what a rewrite needs of the configuration is read before it takes the writer.

use super::snapshot_save;
use crate::node::Server;
use command::{CommandError, Node, Others};
use config::{Config, id};
use disk::RealDisk;
use durability::aof::{
    Files, Form, Fsync, Limiter, Moment, Next, Part, Policy, State, Status, Unwritten, Writer,
    write_base,
};
use durability::rdb_file::Purpose;
use engine::{Level, SnapshotError};
use keyspace::{Snapshot, SnapshotOptions};
use parking_lot::{Condvar, Mutex, MutexGuard};
use runtime::{clock, log_notice, log_warning};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// The append-only file, as the server sees it.
#[derive(Default)]
pub(crate) struct Log {
    /// Held for as long as a step takes, a sync included: nobody waits for it who serves clients. Nobody who
    /// holds it takes the configuration: see the order of locks above.
    pub(super) writer: Mutex<Option<Writer>>,
    pub status: Arc<Status>,
    /// What the writer is to go by from its next step on.
    policy: Mutex<Option<Policy>>,
    thread: OnceLock<Thread>,
    pub rewriting: Mutex<Rewriting>,
    /// A rewrite has begun, could not, or has ended.
    changed: Condvar,
    /// DEBUG AOF-FLUSH-SLEEP: microseconds before each write.
    pub write_delay: AtomicU64,
    /// How many waited for the last syncs, under `always`.
    group: AtomicUsize,
    /// How long the last write and its sync took.
    sync_micros: AtomicU64,
    /// A sync under `everysec` takes so long that replies wait for it.
    stalled: AtomicBool,
    /// Syncs that took so long that clients were held up.
    pub delayed: AtomicU64,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What is known of rewrites.
#[derive(Debug)]
pub(crate) struct Rewriting {
    pub running: Option<Running>,
    /// One is to begin as soon as nothing is in the way.
    pub wanted: bool,
    pub last_succeeded: bool,
    pub last_took_seconds: Option<i64>,
    pub count: u64,
    pub limiter: Limiter,
    pub failures: u64,
    /// The one that is wanted waits for another snapshot to end, or for a script.
    pub blocked: bool,
    /// After a failure, in monotonic microseconds.
    retry_at: u64,
}

impl Default for Rewriting {
    fn default() -> Self {
        Self {
            running: None,
            wanted: false,
            last_succeeded: true,
            last_took_seconds: None,
            count: 0,
            limiter: Limiter::default(),
            failures: 0,
            blocked: false,
            retry_at: 0,
        }
    }
}

/// The rewrite under way.
#[derive(Debug)]
pub(crate) struct Running {
    pub started_seconds: i64,
    cancelled: Arc<AtomicBool>,
}

impl Running {
    /// It has been told to end, and will within milliseconds.
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

/// Wakes the writer's thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(super) fn moment() -> Moment {
    Moment { micros: clock::monotonic().0, seconds: clock::now().0.div_euclid(1000) }
}

/// Where the parameters say that the files are. A writer has its own, which stay where they are.
pub(super) fn files(config: &Config) -> Files {
    let dir = config.text(id("dir"));
    let (sub, name) = (config.text(id("appenddirname")), config.text(id("appendfilename")));
    Files::new(Arc::new(RealDisk), Path::new(&dir), &sub, &name)
}

/// Whether replies wait for the disk, by the parameters alone.
fn is_always(config: &Config) -> bool {
    config.word(id("appendfsync")) == "always" || config.word(id("write-durability")) == "fsync"
}

pub(super) fn policy(server: &Server, config: &Config) -> Policy {
    let saving = server.persistence.snapshot.lock().running.is_some()
        || server.persistence.log.rewriting.lock().running.is_some();
    let fsync = match config.word(id("appendfsync")) {
        _ if is_always(config) => Fsync::Always,
        "no" => Fsync::No,
        _ => Fsync::EverySecond,
    };
    Policy {
        fsync,
        holds_sync: config.yes(id("no-appendfsync-on-rewrite")) && saving,
        timestamps: config.yes(id("aof-timestamp-enabled")),
        checksums: config.yes(id("aof-annotations")),
        keeps_history: config.yes(id("aof-disable-auto-gc")),
    }
}

/// Puts changed parameters to work: of the gate before replies at once, of the writer when it gets to it.
pub(crate) fn apply_policy(server: &Server, config: &Config) {
    let log = &server.persistence.log;
    let policy = policy(server, config);
    *log.policy.lock() = Some(policy);
    set_gate(server, log.is_on() && policy.fsync == Fsync::Always && !policy.holds_sync);
    log.kick();
}

/// Whether replies wait; who waits in vain then is let go.
fn set_gate(server: &Server, waits: bool) {
    let gate = &server.engine.reply_gate;
    gate.set_level(if waits { Level::Fsync } else { Level::Memory });
    if !waits {
        server.clients().all().iter().for_each(|card| card.wake());
    }
}

impl Log {
    /// Wakes the writer's thread.
    pub(crate) fn kick(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.status.state() != State::Off
    }

    /// The writer, once what CONFIG SET wants of it is done. Waits for the disk.
    pub(super) fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        let mut guard = self.writer.lock();
        self.settle(&mut guard);
        guard
    }

    /// Ends the writer of an AOF that has been switched off, and passes on changed parameters.
    fn settle(&self, slot: &mut Option<Writer>) {
        if !self.is_on()
            && let Some(mut writer) = slot.take()
        {
            // One that began before it could be seen that the AOF is off.
            self.cancel_running();
            if let Err(error) = writer.flush(moment()) {
                log_warning!("Fail to fsync the AOF file: {error}");
            }
        }
        let policy = self.policy.lock().take();
        if let (Some(writer), Some(policy)) = (slot, policy) {
            writer.set_policy(policy);
            collect(writer, false);
        }
    }

    /// A rewrite is wanted, as soon as may be.
    pub(crate) fn want_rewrite(&self) {
        self.rewriting.lock().wanted = true;
        self.kick();
    }

    /// Ends the rewrite under way, and wants none.
    fn cancel_rewrite(&self) -> bool {
        self.rewriting.lock().wanted = false;
        self.cancel_running()
    }

    /// Waits for the rewrite under way.
    pub(super) fn wait_until_idle(&self) {
        let mut rewriting = self.rewriting.lock();
        self.changed.wait_while(&mut rewriting, |rewriting| rewriting.running.is_some());
    }

    pub(super) fn is_rewriting(&self) -> bool {
        self.rewriting.lock().running.is_some()
    }

    /// Ends the rewrite under way, within milliseconds. `false`: there is none.
    pub(super) fn cancel_running(&self) -> bool {
        let rewriting = self.rewriting.lock();
        if let Some(running) = &rewriting.running {
            running.cancelled.store(true, Ordering::Release);
        }
        rewriting.running.is_some()
    }
}

/// Starts the writer's thread, unless it runs.
pub(super) fn start_thread(server: &Server) -> Result<(), String> {
    let log = &server.persistence.log;
    if log.thread.get().is_some() {
        return Ok(());
    }
    let Some(server) = server.me.get().and_then(std::sync::Weak::upgrade) else { return Ok(()) };
    let thread = std::thread::Builder::new()
        .name("aof".into())
        .spawn(move || run(&server))
        .map_err(|error| format!("Can't start the thread that writes the AOF: {error}"))?;
    // Two who start it at once: the other thread finds nothing to do that is not done.
    drop(log.thread.set(thread.thread().clone()));
    Ok(())
}

fn run(server: &Server) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    server.engine.reply_gate.gatherer.get_or_init(|| waker.clone());
    let mut seen = State::Off;
    loop {
        let wait = turn(server, &waker);
        seen = tell(server, seen);
        if server.persistence.log.rewriting.lock().wanted {
            begin_rewrite(server);
        }
        match wait {
            None => std::thread::park(),
            Some(0) => {}
            Some(micros) => std::thread::park_timeout(Duration::from_micros(micros)),
        }
    }
}

/// One step of the writer; how many microseconds to wait before the next.
fn turn(server: &Server, waker: &Waker) -> Option<u64> {
    /// What a busy server's journal gathers meanwhile is one write.
    const SOON_MICROS: u64 = 2_000;
    let log = &server.persistence.log;
    delay(log.write_delay.load(Ordering::Relaxed));
    if server.engine.reply_gate.level() == Level::Fsync {
        gather(server);
    }
    let mut guard = log.writer();
    let writer = guard.as_mut()?;
    let (began, durable) = (moment(), &server.engine.reply_gate.durable);
    let before = durable.value();
    let next = writer.step(began);
    if durable.value() > before {
        let micros = clock::monotonic().0.saturating_sub(began.micros);
        log.sync_micros.store(micros, Ordering::Relaxed);
    }
    match next {
        Next::Now => Some(0),
        Next::Soon => Some(SOON_MICROS),
        Next::Later(micros) if writer.sleep(waker) => micros,
        Next::Later(_) => Some(0),
    }
}

/// Under `always`: whom the last sync let go writes again soon, and who has to wait for the next sync
/// anyway is better served by this one. Waits for as many as there were during a sync, those whom it let go
/// and those who came meanwhile, for a part of a sync's time.
fn gather(server: &Server) {
    const MICROS_MAX: u64 = 1000;
    let (log, gate) = (&server.persistence.log, &server.engine.reply_gate);
    if server.engine.journal.tail().0 == log.status.written.load(Ordering::Relaxed) {
        return;
    }
    let most = gate.most();
    let last = log.group.load(Ordering::Relaxed);
    // Who is gone is forgotten slowly, and who comes is counted at once.
    let group = most.max(last - last.div_ceil(8));
    log.group.store(group, Ordering::Relaxed);
    let micros = (log.sync_micros.load(Ordering::Relaxed) / 2).min(MICROS_MAX);
    let until = clock::monotonic().0 + micros;
    while gate.want(group) < group {
        let left = until.saturating_sub(clock::monotonic().0);
        if left == 0 {
            break;
        }
        std::thread::park_timeout(Duration::from_micros(left));
    }
    gate.want(0);
}

#[expect(clippy::disallowed_methods, reason = "a test asks for a slow disk")]
fn delay(micros: u64) {
    if micros > 0 {
        std::thread::sleep(Duration::from_micros(micros));
    }
}

/// Says what has become of the writer: to the log, and to clients that write.
fn tell(server: &Server, seen: State) -> State {
    let log = &server.persistence.log;
    let state = log.status.state();
    if state == seen {
        return state;
    }
    let failing = |state| matches!(state, State::Full | State::Lost);
    if failing(state) {
        let error = log.status.error();
        log_warning!("Error writing to the AOF file: {error}");
        server.engine.condition.set_log_failed(Some(&error));
        if state == State::Lost {
            log_warning!("What was not synced may be lost on disk: a new base is needed.");
            log.want_rewrite();
        }
    } else if failing(seen) {
        log_notice!("AOF write error looks solved. The server can write again.");
        server.engine.condition.set_log_failed(None);
        server.clients().all().iter().for_each(|card| card.wake());
    }
    state
}

/// Begins the rewrite that is wanted, unless another snapshot is in the way.
fn begin_rewrite(server: &Server) {
    /// Until it is tried again what was in the way.
    const RETRY_MICROS: u64 = 50_000;
    let log = &server.persistence.log;
    {
        let rewriting = log.rewriting.lock();
        let early = clock::monotonic().0 < rewriting.retry_at;
        if rewriting.running.is_some() || early {
            return;
        }
    }
    if server.persistence.snapshot.lock().running.is_some() {
        log.rewriting.lock().blocked = true;
        log.changed.notify_all();
        return;
    }
    match prepare_rewrite(server) {
        Ok(Some(begun)) => spawn_rewrite(server, begun),
        Ok(None) => {
            let mut rewriting = log.rewriting.lock();
            rewriting.retry_at = clock::monotonic().0 + RETRY_MICROS;
        }
        Err(error) => {
            log_warning!("Can't rewrite append only file in background: {error}");
            rewrite_failed(server);
        }
    }
    log.changed.notify_all();
}

/// A rewrite at its cut.
struct Begun {
    files: Files,
    part: Part,
    form: Form,
    snapshot: Snapshot,
    incremental: bool,
    /// A writer writes what comes after the cut. If there is one now and was none, or the other way
    /// round, the base is not its.
    follows: bool,
    cancelled: Arc<AtomicBool>,
}

/// The parameters of a rewrite.
struct Wanted {
    options: SnapshotOptions,
    files: Files,
    rdb: bool,
    incremental: bool,
    timestamps: bool,
    checksum: bool,
}

impl Wanted {
    fn of(config: &Config) -> Self {
        let yes = |name| config.yes(name);
        Self {
            options: snapshot_save::options(config, clock::now().0),
            files: files(config),
            rdb: yes(id("aof-use-rdb-preamble")),
            incremental: yes(id("aof-rewrite-incremental-fsync")),
            timestamps: yes(id("aof-timestamp-enabled")),
            checksum: yes(id("rdbchecksum")),
        }
    }
}

/// Makes the next file, and cuts. `None`: something is in the way for now.
///
/// The writer's lock is not held while the gate closes: whoever has closed it may wait for the writer.
fn prepare_rewrite(server: &Server) -> Result<Option<Begun>, String> {
    let log = &server.persistence.log;
    let wanted = Wanted::of(&server.config.lock());
    if let Some(writer) = &mut *log.writer()
        && !writer.is_prepared()
    {
        writer.prepare().map_err(|error| error.to_string())?;
    }
    let Ok(mut participant) = server.engine.space.epochs().register() else {
        return Err("there are too many threads".into());
    };
    let began = clock::monotonic().0;
    let Ok(closed) = server.engine.space.soon_gate(&mut participant) else {
        log.rewriting.lock().blocked = true;
        return Ok(None);
    };
    let Some(mut guard) = log.writer.try_lock() else { return Ok(None) };
    if guard.as_ref().is_some_and(|writer| !writer.is_prepared() || !log.is_on()) {
        return Ok(None);
    }
    let cut = server.engine.begin_snapshot(wanted.options, Others::Stand, |cut| {
        if let Some(writer) = guard.as_mut() {
            writer.cut(cut.lsn);
        }
    });
    drop(closed);
    server.engine.cuts.note(clock::monotonic().0.saturating_sub(began));
    let mut snapshot = match cut {
        Ok(snapshot) => snapshot,
        Err(SnapshotError::Busy) => {
            log.rewriting.lock().blocked = true;
            return Ok(None);
        }
        Err(error) => return Err(error.to_string()),
    };
    let (files, part) = match guard.as_ref() {
        // Not where `dir` points to by now: the base belongs beside the files that follow it.
        Some(writer) => (writer.files().clone(), Ok(writer.next_base(wanted.rdb))),
        None => (wanted.files.clone(), wanted.files.next_base(wanted.rdb)),
    };
    let part = part.map_err(|fault| fault.0)?;
    let form = match form(server, &wanted, &mut snapshot) {
        Ok(form) => form,
        Err(error) => {
            if let Some(writer) = guard.as_mut() {
                writer.abandon();
            }
            return Err(error);
        }
    };
    let cancelled = Arc::new(AtomicBool::new(false));
    let started_seconds = clock::now().0.div_euclid(1000);
    {
        // Under the writer's lock: who takes the writer away finds what to cancel.
        let mut rewriting = log.rewriting.lock();
        rewriting.running = Some(Running { started_seconds, cancelled: Arc::clone(&cancelled) });
        (rewriting.wanted, rewriting.blocked) = (false, false);
        rewriting.count += 1;
    }
    let (incremental, follows) = (wanted.incremental, guard.is_some());
    drop(guard);
    Ok(Some(Begun { files, part, form, snapshot, incremental, follows, cancelled }))
}

fn form(server: &Server, wanted: &Wanted, snapshot: &mut Snapshot) -> Result<Form, String> {
    if wanted.rdb {
        let image = snapshot_save::image(server, snapshot, Purpose::LogBase, wanted.checksum);
        return image.map(Form::Rdb);
    }
    snapshot.set_dialect(server.engine.settings().rdb_format);
    Ok(Form::Commands {
        seconds: wanted.timestamps.then(|| clock::now().0.div_euclid(1000)),
        functions: super::functions::sources(server),
        limits: server.engine.settings().limits,
    })
}

fn spawn_rewrite(server: &Server, begun: Begun) {
    let Some(server) = server.me.get().and_then(std::sync::Weak::upgrade) else { return };
    log_notice!("Background append only file rewriting started");
    let keeper = Arc::clone(&server);
    let thread = std::thread::Builder::new()
        .name("rewrite".into())
        .spawn(move || finish_rewrite(&server, begun));
    if let Err(error) = thread {
        log_warning!("Can't start the thread of a rewrite: {error}");
        if let Some(writer) = &mut *keeper.persistence.log.writer() {
            writer.abandon();
        }
        rewrite_failed(&keeper);
    }
}

/// Removes what the new base has replaced, and what was left of others. `idle`: no rewrite is under way.
/// What cannot be removed now is tried again later.
pub(super) fn collect(writer: &mut Writer, idle: bool) {
    match writer.collect(idle) {
        Ok(orphans) => {
            for name in orphans {
                let name = String::from_utf8_lossy(&name);
                log_notice!("Removed {name}, which an AOF rewrite has left that was broken off");
            }
        }
        Err(error) => log_warning!("Removing files that the AOF does not need: {error}"),
    }
}

/// Writes the base, and puts it in place.
fn finish_rewrite(server: &Server, mut begun: Begun) {
    apply_policy(server, &server.config.lock());
    let outcome = write(server, &mut begun);
    drop(begun.snapshot);
    let log = &server.persistence.log;
    let mut guard = log.writer();
    let cancelled = begun.cancelled.load(Ordering::Acquire) || begun.follows != guard.is_some();
    let mends = log.status.state() != State::Good;
    let adopted = match (outcome, guard.as_mut()) {
        (Ok(_), _) if cancelled => Err(Unwritten::Cancelled),
        (Ok(size), Some(writer)) => writer.adopt(begun.part, size, moment()).map_err(Unwritten::Io),
        (Ok(_), None) => begun
            .files
            .adopt(begun.part)
            .map_err(|fault| Unwritten::Io(std::io::Error::other(fault.0))),
        (Err(error), _) => Err(error),
    };
    if let Some(writer) = guard.as_mut() {
        if adopted.is_ok() {
            // Before it is said that the rewrite is over: who hears that may look at the files.
            collect(writer, false);
        } else {
            writer.abandon();
        }
    }
    drop(guard);
    match adopted {
        Ok(()) => {
            end_rewrite(server, true);
            if mends {
                server.clients().all().iter().for_each(|card| card.wake());
            }
            log_notice!("Background AOF rewrite finished successfully");
        }
        Err(Unwritten::Cancelled) => {
            end_rewrite(server, true);
            log_warning!("Background AOF rewrite was cancelled");
        }
        Err(Unwritten::Io(error)) => {
            log_warning!("Write error writing append only file on disk: {error}");
            rewrite_failed(server);
        }
    }
    apply_policy(server, &server.config.lock());
}

fn write(server: &Server, begun: &mut Begun) -> Result<u64, Unwritten> {
    let form = std::mem::replace(
        &mut begun.form,
        Form::Commands {
            seconds: None,
            functions: Vec::new(),
            limits: server.engine.settings().limits,
        },
    );
    let delay = snapshot_save::Delay::of(server);
    let (cancelled, mut done) = (&begun.cancelled, 0);
    let mut between = |snapshot: &Snapshot| {
        let keys = snapshot.keys_done();
        delay.wait(keys.saturating_sub(done), cancelled);
        done = keys;
        !cancelled.load(Ordering::Acquire)
    };
    let incremental = begun.incremental;
    write_base(&begun.files, &begun.part, form, &mut begun.snapshot, incremental, &mut between)
}

fn end_rewrite(server: &Server, succeeded: bool) {
    let mut rewriting = server.persistence.log.rewriting.lock();
    if let Some(running) = rewriting.running.take() {
        let now = clock::now().0.div_euclid(1000);
        rewriting.last_took_seconds = Some((now - running.started_seconds).max(0));
    }
    rewriting.last_succeeded = succeeded;
    if succeeded {
        rewriting.limiter.reset();
        rewriting.failures = 0;
        rewriting.retry_at = 0;
    }
    server.persistence.log.changed.notify_all();
}

/// A rewrite came to nothing. If there can be no AOF without it, it is tried again.
fn rewrite_failed(server: &Server) {
    /// First, and at most, between two attempts.
    const PAUSE_MICROS: (u64, u64) = (100_000, 60_000_000);
    let log = &server.persistence.log;
    end_rewrite(server, false);
    log_warning!("Background AOF rewrite terminated with error");
    let needed = matches!(log.status.state(), State::Waits | State::Lost);
    let mut rewriting = log.rewriting.lock();
    rewriting.failures += 1;
    rewriting.limiter.failed();
    let pause = PAUSE_MICROS.0 << rewriting.failures.min(16);
    rewriting.retry_at = clock::monotonic().0.saturating_add(pause.min(PAUSE_MICROS.1));
    rewriting.wanted = needed;
}

/// BGREWRITEAOF.
pub(crate) fn rewrite(server: &Server, in_transaction: bool) -> Result<&'static str, CommandError> {
    /// How long a client waits to hear whether it has begun: for the gate, and some syncs.
    const BEGIN_MS: u64 = 1000;
    let log = &server.persistence.log;
    start_thread(server).map_err(|error| CommandError::err(format_args!("{error}")))?;
    let saving = server.persistence.snapshot.lock().running.is_some();
    let failures = {
        let mut rewriting = log.rewriting.lock();
        if rewriting.running.as_ref().is_some_and(|running| !running.is_cancelled()) {
            return Err(CommandError::err(format_args!(
                "Background append only file rewriting already in progress"
            )));
        }
        rewriting.limiter.reset();
        rewriting.retry_at = 0;
        (rewriting.wanted, rewriting.blocked) = (true, saving);
        rewriting.failures
    };
    log.kick();
    let mut rewriting = log.rewriting.lock();
    if !in_transaction {
        let waits = |now: &mut Rewriting| now.wanted && !now.blocked && now.failures == failures;
        log.changed.wait_while_for(&mut rewriting, waits, Duration::from_millis(BEGIN_MS));
    }
    if rewriting.wanted && rewriting.failures <= failures {
        log_notice!("Background append only file rewriting scheduled.");
        return Ok("Background append only file rewriting scheduled");
    }
    if rewriting.failures > failures {
        return Err(CommandError::err(format_args!(
            "Can't execute an AOF background rewriting. Please check the server logs for more \
             information."
        )));
    }
    Ok("Background append only file rewriting started")
}

/// `appendonly` has changed.
pub(crate) fn apply_appendonly(server: &Server, config: &Config) -> Result<(), String> {
    match (config.yes(id("appendonly")), server.persistence.log.is_on()) {
        (true, false) => switch_on(server, config),
        (false, true) => {
            switch_off(server);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `dir` has changed. The set stays where it is: half of it here and half of it there would be none.
pub(crate) fn dir_changed(server: &Server) {
    if server.persistence.log.is_on() {
        log_warning!(
            "The append-only file stays in the folder that was 'dir' when it was switched on, until \
             'appendonly' is switched off and on again. A start with the new 'dir' does not find it."
        );
    }
}

/// The data as it is becomes the first base.
fn switch_on(server: &Server, config: &Config) -> Result<(), String> {
    /// How long the last bytes of the writer before may take: the configuration waits with us.
    const PATIENCE: Duration = Duration::from_secs(1);
    let log = &server.persistence.log;
    let Some(mut slot) = log.writer.try_lock_for(PATIENCE) else {
        return Err("Unable to turn on AOF: the disk is busy with the one before.".into());
    };
    log.settle(&mut slot);
    let files = files(config);
    let failed = |error: &dyn std::fmt::Display| {
        log_warning!("{error}");
        "Unable to turn on AOF. Check server logs.".to_owned()
    };
    let manifest = files.manifest().map_err(|fault| failed(&fault))?;
    start_thread(server)?;
    let policy = policy(server, config);
    let streams =
        (Arc::clone(&server.engine.journal), Arc::clone(&server.engine.reply_gate.durable));
    let status = Arc::clone(&log.status);
    log.policy.lock().take();
    let mut writer = Writer::waiting(files, manifest, policy, streams, status);
    if let Err(error) = writer.prepare() {
        drop(writer);
        log.status.set(State::Off);
        set_gate(server, false);
        return Err(failed(&format_args!("Can't create the append-only file: {error}")));
    }
    *slot = Some(writer);
    drop(slot);
    set_gate(server, policy.fsync == Fsync::Always && !policy.holds_sync);
    {
        let mut rewriting = log.rewriting.lock();
        rewriting.retry_at = 0;
        rewriting.limiter.reset();
    }
    log_notice!("AOF was enabled. An AOF background was scheduled, which makes its first base.");
    log.want_rewrite();
    Ok(())
}

/// There is no AOF from now on. Its thread brings the last bytes to disk, however long that takes.
fn switch_off(server: &Server) {
    let log = &server.persistence.log;
    // Whoever waits for a sync hears that there is no AOF.
    log.status.set(State::Off);
    if log.cancel_rewrite() {
        log_notice!("Killing running AOF rewrite child: the rewrite is given up");
    }
    set_gate(server, false);
    server.engine.condition.set_log_failed(None);
    log.kick();
}

/// Brings all to disk: the process ends, and nobody writes any more.
pub(super) fn flush(server: &Server) -> Result<(), String> {
    match &mut *server.persistence.log.writer() {
        Some(writer) => writer.flush(moment()).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

/// Looked at by the cron: under `everysec`, clients must not run ahead of a disk that hangs. Replies wait
/// from two seconds on.
fn watch_disk(server: &Server) {
    const PATIENCE_MICROS: u64 = 2_000_000;
    let log = &server.persistence.log;
    let gate = &server.engine.reply_gate;
    let since = log.status.syncing_since.load(Ordering::Acquire);
    let hangs = since > 0 && clock::monotonic().0.saturating_sub(since) > PATIENCE_MICROS;
    if hangs && gate.level() == Level::Memory && !log.stalled.swap(true, Ordering::Relaxed) {
        log.delayed.fetch_add(1, Ordering::Relaxed);
        log_notice!(
            "Asynchronous AOF fsync is taking too long (disk is busy?). Replies to writes wait for it."
        );
        gate.set_level(Level::Fsync);
    } else if !hangs && log.stalled.swap(false, Ordering::Relaxed) {
        set_gate(server, is_always(&server.config.lock()) && log.is_on());
    }
}

/// Looked at by the cron: whether the file has grown so much that it should be rewritten.
pub(crate) fn tick(server: &Server) {
    let log = &server.persistence.log;
    watch_disk(server);
    if !log.is_on() {
        if log.rewriting.lock().wanted {
            log.kick();
        }
        return;
    }
    let (percent, least) = {
        let config = server.config.lock();
        (
            config.uint(id("auto-aof-rewrite-percentage")),
            config.uint(id("auto-aof-rewrite-min-size")),
        )
    };
    let mut rewriting = log.rewriting.lock();
    if rewriting.wanted {
        return log.kick();
    }
    let idle = rewriting.running.is_none() && log.status.state() == State::Good;
    let size = log.status.size_bytes.load(Ordering::Relaxed);
    let base = log.status.base_bytes.load(Ordering::Relaxed).max(1);
    let growth = size.saturating_sub(base).saturating_mul(100) / base;
    if !idle || percent == 0 || size <= least || growth < percent {
        return;
    }
    match rewriting.limiter.holds(clock::monotonic().0) {
        Ok(true) => return,
        Err(minutes) => {
            log_warning!(
                "Background AOF rewrite has repeatedly failed and triggered the limit, will retry \
                 in {minutes} minutes"
            );
            return;
        }
        Ok(false) => {}
    }
    log_notice!("Starting automatic rewriting of AOF on {growth}% growth");
    rewriting.wanted = true;
    drop(rewriting);
    log.kick();
}
