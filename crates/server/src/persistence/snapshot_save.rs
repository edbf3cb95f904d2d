//! From the keyspace to the snapshot's file, on a thread of its own. One at a time; nobody is held up
//! but for the moment of the cut, and but for who sent SAVE.

use super::{snapshot_path, temp_path};
use crate::node::Server;
use command::{Bgsave, Card, CommandError, Job, JobStep, Others};
use config::{Config, id};
use disk::RealDisk;
use durability::rdb_file::{Head, Image, Purpose, Saving};
use engine::SnapshotError;
use journal::Lsn;
use keyspace::{Keyspace, Snapshot, SnapshotOptions};
use resp::Reply;
use runtime::process::{limits, signal};
use runtime::{clock, log_notice, log_warning};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What is known of snapshots.
#[derive(Debug)]
pub(crate) struct State {
    pub running: Option<Running>,
    /// One is to begin as soon as nothing is in the way.
    pub scheduled: bool,
    /// Seconds since 1970.
    pub last_save_seconds: i64,
    pub last_try_seconds: i64,
    pub last_succeeded: bool,
    /// How long the last one in the background took.
    pub last_took_seconds: Option<i64>,
    /// How many succeeded.
    pub saves: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            running: None,
            scheduled: false,
            last_save_seconds: seconds(),
            last_try_seconds: 0,
            last_succeeded: true,
            last_took_seconds: None,
            saves: 0,
        }
    }
}

/// The snapshot that is being written.
#[derive(Debug)]
pub(crate) struct Running {
    pub started_seconds: i64,
    pub background: bool,
    cancelled: Arc<AtomicBool>,
}

/// How far it is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub keys_done: AtomicU64,
    pub keys_total: AtomicU64,
}

/// Why no file came of it.
#[derive(Debug)]
enum Failure {
    Cancelled,
    Io(String),
}

/// A snapshot at its cut.
struct Begun {
    snapshot: Snapshot,
    /// Where the log was.
    lsn: Lsn,
    /// Changes up to the cut, as the workers count them.
    changes: u64,
    /// `dir` may change meanwhile.
    path: PathBuf,
    cancelled: Arc<AtomicBool>,
}

fn seconds() -> i64 {
    clock::now().0.div_euclid(1000)
}

/// The file of a snapshot that nobody has read from yet; `checksum`: as `rdbchecksum` says, which is not
/// looked up here: the writer's lock may be held.
pub(crate) fn image(
    server: &Server,
    snapshot: &mut Snapshot,
    purpose: Purpose,
    checksum: bool,
) -> Result<Image, String> {
    let functions = super::functions::sources(server);
    let head = Head::new(&server.engine, snapshot, functions, purpose)?;
    Ok(Image::new(&head, checksum))
}

/// What a snapshot is told of the configuration.
pub(crate) fn options(config: &Config, now_ms: i64) -> SnapshotOptions {
    let settings = crate::settings::settings(config);
    let evicts_by_access = ["lru", "lfu", "lrm"];
    let access = evicts_by_access.iter().any(|kind| settings.maxmemory_policy.ends_with(kind));
    SnapshotOptions {
        now_ms,
        access: access.then_some(settings.access_clock),
        compress: config.yes(id("rdbcompression")),
    }
}

/// Why no snapshot has begun.
#[derive(Debug)]
pub(super) enum NotBegun {
    /// A script runs, or another command that takes long: to be tried again.
    Stalled,
    Refused(CommandError),
}

/// Takes the place of the one snapshot, and cuts.
fn begin(server: &Server, others: Others, background: bool) -> Result<Begun, NotBegun> {
    let cancelled = claim(server, background).map_err(NotBegun::Refused)?;
    cut(server, others, &cancelled).inspect_err(|_| give_up(server))
}

/// Takes the place of the one that saves.
fn claim(server: &Server, background: bool) -> Result<Arc<AtomicBool>, CommandError> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let mut state = server.persistence.snapshot.lock();
    if state.running.is_some() {
        return Err(CommandError::SaveInProgress);
    }
    let running =
        Running { started_seconds: seconds(), background, cancelled: Arc::clone(&cancelled) };
    state.running = Some(running);
    Ok(cancelled)
}

/// Gives the place up.
fn give_up(server: &Server) {
    server.persistence.snapshot.lock().running = None;
    server.persistence.idle.notify_all();
}

/// Cuts, in a place that is taken.
fn cut(server: &Server, others: Others, cancelled: &Arc<AtomicBool>) -> Result<Begun, NotBegun> {
    let (options, path) = {
        let config = server.config.lock();
        (options(&config, clock::now().0), snapshot_path(&config))
    };
    let (mut changes, mut lsn) = (0, Lsn(0));
    let begun = server.engine.begin_snapshot(options, others, |cut| {
        lsn = cut.lsn;
        changes = server.engine.stats.total().changes;
    });
    match begun {
        Ok(snapshot) => {
            let progress = &server.persistence.saving;
            progress.keys_done.store(0, Ordering::Relaxed);
            progress.keys_total.store(snapshot.totals().keys, Ordering::Relaxed);
            server.persistence.snapshot.lock().last_try_seconds = seconds();
            Ok(Begun { snapshot, lsn, changes, path, cancelled: Arc::clone(cancelled) })
        }
        Err(SnapshotError::Stalled) => Err(NotBegun::Stalled),
        Err(SnapshotError::Busy) => Err(NotBegun::Refused(CommandError::SnapshotInProgress)),
        Err(error @ SnapshotError::Full) => {
            Err(NotBegun::Refused(CommandError::err(format_args!("{error}"))))
        }
    }
}

/// Cuts, in a place that is taken, once no script is in the way, if that is soon.
#[expect(clippy::disallowed_methods, reason = "nobody wakes who waits for the write gate")]
fn cut_soon(server: &Server, cancelled: &Arc<AtomicBool>) -> Result<Begun, CommandError> {
    const TRY_AGAIN: Duration = Duration::from_millis(10);
    loop {
        match cut(server, Others::Run, cancelled) {
            Ok(begun) => return Ok(begun),
            Err(NotBegun::Refused(error)) => return Err(error),
            Err(NotBegun::Stalled) => unless_overdue(server)?,
        }
        std::thread::sleep(TRY_AGAIN);
    }
}

/// What a client is told who needs the write gate: that a script holds it for too long.
pub(super) fn unless_overdue(server: &Server) -> Result<(), CommandError> {
    let stalled = server.engine.space.is_stalled();
    if stalled { Err(server.engine.scripts.overdue.error()) } else { Ok(()) }
}

/// Writes the file, and puts it in its place.
fn write(server: &Server, begun: &mut Begun) -> Result<(), Failure> {
    let (path, temp) = (begun.path.clone(), temp_path(&begun.path));
    let (incremental, checksum) = {
        let config = server.config.lock();
        (config.yes(id("rdb-save-incremental-fsync")), config.yes(id("rdbchecksum")))
    };
    let failed = |what: &'static str| {
        let path = path.display().to_string();
        move |error: std::io::Error| Failure::Io(format!("{what} {path}: {error}"))
    };
    let image = image(server, &mut begun.snapshot, Purpose::Data(begun.lsn), checksum);
    let image = image.map_err(Failure::Io)?;
    let mut saving = Saving::begin(&RealDisk, &path, &temp, image, incremental)
        .map_err(failed("Failed opening the temp RDB file for"))?;
    signal::set_temporary_file(Some(&temp));
    let written = fill(server, begun, &mut saving);
    let outcome = written.map_err(|error| match error {
        Some(error) => failed("Write error saving DB on disk:")(error),
        None => Failure::Cancelled,
    });
    let outcome = outcome.and_then(|()| {
        saving.commit().map_err(failed("Error moving the temp RDB file to its final destination"))
    });
    signal::set_temporary_file(None);
    outcome
}

/// Writes all of the snapshot. `Err(None)`: it was cancelled.
fn fill(
    server: &Server,
    begun: &mut Begun,
    saving: &mut Saving<'_>,
) -> Result<(), Option<std::io::Error>> {
    let (snapshot, cancelled) = (&mut begun.snapshot, &begun.cancelled);
    let delay = Delay::of(server);
    let mut done = 0;
    loop {
        let mut read = |out: &mut Vec<u8>, bytes_max: usize| {
            snapshot.read(out, if delay.is_some() { 1 } else { bytes_max })
        };
        let more = saving.step(&mut read)?;
        let keys = snapshot.keys_done();
        server.persistence.saving.keys_done.store(keys, Ordering::Relaxed);
        delay.wait(keys.saturating_sub(done), cancelled);
        done = keys;
        if cancelled.load(Ordering::Relaxed) {
            return Err(None);
        }
        if !more {
            return Ok(());
        }
    }
}

/// Writes the file, and notes what came of it.
fn run(server: &Server, mut begun: Begun) -> Result<(), Failure> {
    let outcome = write(server, &mut begun);
    drop(begun.snapshot);
    let mut state = server.persistence.snapshot.lock();
    let running = state.running.take().filter(|running| running.background);
    if let Some(Running { started_seconds, .. }) = running {
        state.last_took_seconds = Some((seconds() - started_seconds).max(0));
    }
    match &outcome {
        Ok(()) => {
            state.last_save_seconds = seconds();
            state.last_succeeded = true;
            state.saves += 1;
            server.persistence.saved(begun.changes);
            log_notice!("DB saved on disk");
        }
        Err(Failure::Cancelled) => {}
        Err(Failure::Io(error)) => {
            // Whoever saves in the foreground is told.
            state.last_succeeded &= running.is_none();
            log_warning!("{error}");
        }
    }
    drop(state);
    server.persistence.idle.notify_all();
    judge(server, &server.config.lock());
    outcome
}

/// Whether writes are refused, since they could not be kept.
pub(crate) fn judge(server: &Server, config: &Config) {
    let failed = !server.persistence.snapshot.lock().last_succeeded
        && config.yes(id("stop-writes-on-bgsave-error"))
        && !config.save_points().is_empty();
    server.engine.condition.set_snapshot_failed(failed);
}

/// What the client of SAVE waits for: whether the file is in its place.
struct Saved(Arc<OnceLock<Result<(), CommandError>>>);

impl Job for Saved {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        match self.0.get() {
            None => return JobStep::Wait,
            Some(Ok(())) => reply.ok(),
            Some(Err(error)) => reply.error(error.text()),
        }
        JobStep::Done
    }

    /// It tells of a file of its own, and most of all where the append-only file cannot be written.
    fn shows_data(&self) -> bool {
        false
    }
}

/// SAVE: as BGSAVE, with a client that waits, for a rewrite of the append-only file, too. Its worker serves
/// others meanwhile.
pub(crate) fn save(server: &Server, card: &Arc<Card>) -> Result<Box<dyn Job>, CommandError> {
    unless_overdue(server)?;
    let cancelled = claim(server, false)?;
    let (outcome, card) = (Arc::new(OnceLock::new()), Arc::clone(card));
    let saved = Saved(Arc::clone(&outcome));
    spawn(server, move |server| {
        server.persistence.log.wait_until_idle();
        let saved = cut_soon(server, &cancelled)
            .map_err(|error| in_the_way(server, error))
            .inspect_err(|_| give_up(server))
            .and_then(|begun| run(server, begun).map_err(|_| CommandError::SaveFailed));
        outcome.get_or_init(|| saved);
        card.wake();
    })?;
    Ok(Box::new(saved))
}

/// Ends what reads the one snapshot that there can be: a save in the background, a rewrite, what a replica
/// is sent. SAVE is waited for. Returns whether there was a rewrite.
///
/// Not under the write gate: who has begun one may be waiting for it. So whoever finds, with the gate closed,
/// that somebody was quicker opens it and comes again.
pub(super) fn make_way(server: &Server) -> bool {
    if cancel(server) {
        log_warning!("A snapshot is being written, which ends now");
    }
    let rewrites = server.persistence.log.cancel_running();
    if rewrites {
        log_warning!("The append-only file is being rewritten, which ends now");
    }
    if server.engine.take_back() {
        log_warning!("A snapshot is being sent to a replica, which ends now");
    }
    wait_until_idle(server);
    server.persistence.log.wait_until_idle();
    rewrites
}

/// Why there is no file.
#[derive(Debug)]
pub(super) enum NotSaved {
    /// Somebody has begun a snapshot, and may be waiting for the write gate.
    Busy,
    Failed(String),
}

/// Saves on this thread, which has closed the write gate.
pub(super) fn save_now(server: &Server) -> Result<(), NotSaved> {
    let begun = begin(server, Others::Stand, false).map_err(|not| match not {
        NotBegun::Refused(CommandError::SaveInProgress | CommandError::SnapshotInProgress) => {
            NotSaved::Busy
        }
        NotBegun::Refused(error) => NotSaved::Failed(error.to_string()),
        NotBegun::Stalled => NotSaved::Failed(SnapshotError::Stalled.to_string()),
    })?;
    run(server, begun).map_err(|failure| match failure {
        Failure::Cancelled => NotSaved::Failed("Saving the DB was cancelled".to_owned()),
        Failure::Io(error) => NotSaved::Failed(error),
    })
}

/// BGSAVE.
pub(crate) fn bgsave(server: &Server, how: Bgsave) -> Result<&'static str, CommandError> {
    match how {
        Bgsave::Now | Bgsave::Scheduled => {
            unless_overdue(server)?;
            match start(server, None) {
                Ok(()) => Ok("Background saving started"),
                Err(NotBegun::Refused(error)) => match in_the_way(server, error) {
                    CommandError::SnapshotInProgress if how == Bgsave::Scheduled => {
                        Ok(schedule(server))
                    }
                    error => Err(error),
                },
                Err(NotBegun::Stalled) => Ok(schedule(server)),
            }
        }
        Bgsave::Later if server.persistence.snapshot.lock().running.is_some() => {
            Err(CommandError::SaveInProgress)
        }
        Bgsave::Later => Ok(schedule(server)),
        Bgsave::Cancel => {
            if cancel(server) {
                return Ok("Background saving cancelled");
            }
            let mut state = server.persistence.snapshot.lock();
            if std::mem::take(&mut state.scheduled) {
                return Ok("Scheduled background saving cancelled");
            }
            Err(CommandError::NoSaveToCancel)
        }
    }
}

/// What a client is told whose snapshot another one is in the way of: a replica's is a save, as with the
/// servers that fork for it.
fn in_the_way(server: &Server, error: CommandError) -> CommandError {
    match error {
        CommandError::SnapshotInProgress if !server.persistence.log.is_rewriting() => {
            CommandError::SaveInProgress
        }
        error => error,
    }
}

fn schedule(server: &Server) -> &'static str {
    server.persistence.snapshot.lock().scheduled = true;
    "Background saving scheduled"
}

/// Begins a snapshot in the background. The log is told why, if somebody asks.
pub(super) fn start(server: &Server, why: Option<&str>) -> Result<(), NotBegun> {
    let begun = begin(server, Others::Run, true)?;
    if let Some(why) = why {
        log_notice!("{why}");
    }
    server.persistence.snapshot.lock().scheduled = false;
    spawn(server, |server| match run(server, begun) {
        Ok(()) => log_notice!("Background saving terminated with success"),
        Err(Failure::Cancelled) => log_warning!("Background saving was cancelled"),
        Err(Failure::Io(_)) => log_warning!("Background saving error"),
    })
    .map_err(NotBegun::Refused)?;
    log_notice!("Background saving started");
    Ok(())
}

/// Saves on a thread of its own, which does `work`.
fn spawn(server: &Server, work: impl FnOnce(&Server) + Send + 'static) -> Result<(), CommandError> {
    let Some(server) = server.me.get().and_then(std::sync::Weak::upgrade) else { return Ok(()) };
    let keeper = Arc::clone(&server);
    let thread = std::thread::Builder::new().name("snapshot".into()).spawn(move || {
        if let Err(error) = limits::step_back() {
            log_warning!("A snapshot is written at the clients' priority: {error}");
        }
        work(&server);
    });
    let Err(error) = thread else { return Ok(()) };
    log_warning!("Can't save in background: {error}");
    let mut state = keeper.persistence.snapshot.lock();
    state.running = None;
    state.last_succeeded = false;
    drop(state);
    keeper.persistence.idle.notify_all();
    judge(&keeper, &keeper.config.lock());
    Err(CommandError::SaveFailed)
}

/// Ends the snapshot that is written in the background. `false`: there is none.
pub(crate) fn cancel(server: &Server) -> bool {
    let state = server.persistence.snapshot.lock();
    let running = state.running.as_ref().filter(|running| running.background);
    if let Some(running) = running {
        running.cancelled.store(true, Ordering::Relaxed);
    }
    running.is_some()
}

/// Waits for the snapshot that is being written.
pub(super) fn wait_until_idle(server: &Server) {
    let mut state = server.persistence.snapshot.lock();
    while state.running.is_some() {
        server.persistence.idle.wait(&mut state);
    }
}

/// `rdb-key-save-delay`: a pause after each key, for tests that look at a save under way.
#[derive(Clone, Copy)]
pub(super) struct Delay<'a>(&'a Server);

impl<'a> Delay<'a> {
    pub(super) fn of(server: &'a Server) -> Self {
        Self(server)
    }

    fn is_some(self) -> bool {
        self.0.int(id("rdb-key-save-delay")) != 0
    }

    /// Waits as long as so many keys ask for, if nobody cancels, and the parameter stays.
    #[expect(clippy::disallowed_methods, reason = "the parameter asks for it")]
    pub(super) fn wait(self, keys: u64, cancelled: &AtomicBool) {
        const SLICE_MICROS: u64 = 10_000;
        let each = self.0.int(id("rdb-key-save-delay"));
        let mut left = match u64::try_from(each) {
            Ok(each) => keys.saturating_mul(each),
            // Below 0: a microsecond for so many keys.
            Err(_) => keys / each.unsigned_abs(),
        };
        while left > 0 && self.is_some() && !cancelled.load(Ordering::Relaxed) {
            let slice = left.min(SLICE_MICROS);
            std::thread::sleep(Duration::from_micros(slice));
            left -= slice;
        }
    }
}
