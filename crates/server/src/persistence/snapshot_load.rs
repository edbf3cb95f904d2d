//! From the snapshot's file to the keyspace, with as many threads as serve commands.

use super::snapshot_path;
use super::snapshot_save::{self, NotSaved};
use crate::node::Server;
use command::{CommandError, Others, ReloadRequest};
use config::id;
use disk::RealDisk;
use durability::rdb_file::{Batch, Event, FileSource, Frames, LoadError};
use keyspace::persist::{LoadCounts, LoadOptions, Loader};
use parking_lot::Mutex;
use rdb::file::Versions;
use runtime::{clock, log_notice, log_verbose, log_warning};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::time::Duration;

/// How a file is loaded into the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Whether keys that have expired are left out. Not where a log goes on from here.
    pub expire: bool,
    /// Whether keys that are there are replaced; else they are an error.
    pub replace: bool,
}

/// Loads the snapshot at start, if there is one.
pub(super) fn load(server: &Server) -> Result<(), String> {
    let path = snapshot_path(&server.config.lock());
    let started = clock::monotonic().0;
    let how = Load { expire: !server.engine.settings().import_mode, replace: false };
    match load_file(server, &path, how) {
        Ok(None) => Ok(()),
        Ok(Some(counts)) => {
            let micros = clock::monotonic().0.saturating_sub(started);
            report(counts, micros);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn report(counts: LoadCounts, micros: u64) {
    let LoadCounts { keys, expired, empty } = counts;
    log_notice!(
        "Done loading RDB, keys loaded: {keys}, keys expired: {expired}, empty keys skipped: {empty}."
    );
    log_notice!("DB loaded from disk: {:.3} seconds", micros as f64 / 1e6);
}

/// DEBUG RELOAD: saves, empties and loads while nobody else does anything.
pub(crate) fn reload(
    server: &Server,
    request: ReloadRequest,
    others: Others,
) -> Result<(), CommandError> {
    let mut participant = match others {
        Others::Run => server.engine.space.epochs().register().ok(),
        Others::Stand => None,
    };
    snapshot_save::unless_overdue(server)?;
    let mut rewrites = false;
    let outcome = loop {
        // Within a transaction the gate is closed: there is nothing that could be waited for.
        if request.save && participant.is_some() {
            rewrites |= snapshot_save::make_way(server);
        }
        let closed = participant.as_mut().map(|one| server.engine.space.reach_gate(one));
        let Ok(closed) = closed.transpose() else {
            break Err(server.engine.scripts.overdue.error());
        };
        let saved = if request.save { snapshot_save::save_now(server) } else { Ok(()) };
        match saved {
            Ok(()) => break reload_alone(server, request),
            Err(NotSaved::Busy) if closed.is_some() => {}
            Err(NotSaved::Busy) => break Err(CommandError::SaveInProgress),
            Err(NotSaved::Failed(error)) => {
                log_warning!("{error}");
                break Err(CommandError::SaveFailed);
            }
        }
    };
    if rewrites {
        server.persistence.log.want_rewrite();
    }
    outcome
}

/// Empties and loads. The write gate is closed.
fn reload_alone(server: &Server, request: ReloadRequest) -> Result<(), CommandError> {
    server.engine.make_way(request.flush, clock::now().0);
    if request.flush {
        super::functions::empty(server);
    }
    let how = Load { expire: !server.engine.settings().import_mode, replace: request.merge };
    let path = snapshot_path(&server.config.lock());
    let loaded = load_file(server, &path, how);
    match loaded {
        Ok(Some(_)) => {
            log_warning!("DB reloaded by DEBUG RELOAD");
            Ok(())
        }
        Ok(None) => Err(CommandError::ReloadFailed),
        Err(error) => {
            log_warning!("{error}");
            Err(CommandError::ReloadFailed)
        }
    }
}

/// Loads an RDB file. `None`: there is no such file.
pub(crate) fn load_file(
    server: &Server,
    path: &Path,
    how: Load,
) -> Result<Option<LoadCounts>, String> {
    let (mut source, size_bytes) = match FileSource::open(&RealDisk, path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(format!(
                "Fatal error: can't open the RDB file {}: {error}",
                path.display()
            ));
        }
    };
    let loading = &server.persistence.loading;
    loading.begin(size_bytes);
    let relaxed = server.engine.settings().rdb_relaxed;
    let versions = if relaxed { Versions::Any } else { Versions::Known };
    let checksum =
        server.config.lock().yes(id("rdbchecksum")) && !command::Node::skips_checksums(server);
    let outcome = Frames::begin(&mut source, versions, checksum)
        .and_then(|mut frames| load_frames(server, &mut frames, how));
    match outcome {
        Ok(counts) => {
            loading.keys_loaded.store(counts.keys, Ordering::Relaxed);
            loading.keys_expired.store(counts.expired, Ordering::Relaxed);
            Ok(Some(counts))
        }
        Err(error) => Err(format!("Error loading the RDB file {} {error}", path.display())),
    }
}

/// Loads what is left of a file, on this thread and helpers of its own.
pub(crate) fn load_frames(
    server: &Server,
    frames: &mut Frames<'_>,
    how: Load,
) -> Result<LoadCounts, LoadError> {
    let settings = server.engine.settings();
    let now_ms = clock::now().0;
    let options = LoadOptions {
        limits: &settings.limits,
        clock: settings.access_clock,
        now_ms,
        horizon_ms: if how.expire { now_ms } else { i64::MIN },
        replace: how.replace,
    };
    let space = &server.engine.space;
    let version = frames.version();
    let helpers = crate::start::threads(&server.config.lock()).saturating_sub(1);
    let failure = Mutex::new(None);
    let counts = Mutex::new(LoadCounts::default());
    // Without helpers it has no room: what nobody will take must not be given away.
    let (sender, receiver) = sync_channel::<Batch>(2 * helpers);
    let receiver = Mutex::new(receiver);
    let mut loader = Loader::new(space, version, options);
    let outcome = std::thread::scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(|| {
                let mut loader = Loader::new(space, version, options);
                let done = help(&receiver, &mut loader, &failure);
                if let Err(error) = done {
                    failure.lock().get_or_insert(error);
                }
                account(&mut counts.lock(), &loader);
            });
        }
        let mut reader = ReadingThread { server, how, failed: &failure, delay: Delay::of(server) };
        let outcome = reader.run(frames, &mut loader, |batch| sender.try_send(batch));
        drop(sender);
        outcome
    });
    if let Some(error) = failure.into_inner() {
        return Err(error);
    }
    outcome?;
    let mut counts = counts.into_inner();
    account(&mut counts, &loader);
    Ok(counts)
}

/// Adds what one of those who load has done.
fn account(sum: &mut LoadCounts, loader: &Loader<'_>) {
    for name in loader.empty_names() {
        log_notice!("Loading RDB: skipping empty key: {}", String::from_utf8_lossy(name));
    }
    let one = loader.counts();
    sum.keys += one.keys;
    sum.expired += one.expired;
    sum.empty += one.empty;
}

/// Loads batches for as long as some come.
fn help(
    batches: &Mutex<Receiver<Batch>>,
    loader: &mut Loader<'_>,
    failed: &Mutex<Option<LoadError>>,
) -> Result<(), LoadError> {
    let mut offset = 0;
    loop {
        let batch = batches.lock().recv();
        let Ok(batch) = batch else {
            return loader.place().map_err(|error| LoadError { offset, error });
        };
        offset = batch.offset();
        if failed.lock().is_none() {
            batch.load(loader)?;
        }
    }
}

/// The thread that reads the file.
struct ReadingThread<'a> {
    server: &'a Server,
    how: Load,
    failed: &'a Mutex<Option<LoadError>>,
    delay: Delay,
}

impl ReadingThread<'_> {
    /// Reads all of the file; batches that nobody takes are loaded here.
    fn run(
        &mut self,
        frames: &mut Frames<'_>,
        loader: &mut Loader<'_>,
        give: impl Fn(Batch) -> Result<(), TrySendError<Batch>>,
    ) -> Result<(), LoadError> {
        loop {
            let event = frames.event()?;
            let loading = &self.server.persistence.loading;
            loading.progress.bytes.store(frames.offset(), Ordering::Relaxed);
            if self.failed.lock().is_some() {
                return Ok(());
            }
            match event {
                Event::Keys(batch) => {
                    self.delay.wait(batch.keys());
                    match give(batch) {
                        Ok(()) => {}
                        Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => {
                            batch.load(loader)?;
                        }
                    }
                }
                Event::Large => frames.load_large(loader)?,
                Event::Sizes { db, keys } => {
                    // No key is shorter; what a file merely says is no reason to take memory.
                    const KEY_BYTES_MIN: u64 = 3;
                    let size_bytes = loading.progress.total_bytes.load(Ordering::Relaxed);
                    loader.expect(db, keys.min(size_bytes / KEY_BYTES_MIN));
                }
                Event::Aux { name, value } => self.tell(&name, &value),
                Event::Function(source) => {
                    super::functions::load(self.server, &source, self.how.replace)
                        .map_err(|error| LoadError { offset: frames.offset(), error })?
                }
                Event::End { checked } => {
                    if !checked {
                        log_notice!(
                            "RDB file was saved with checksum disabled: no check performed."
                        );
                    }
                    return loader
                        .place()
                        .map_err(|error| LoadError { offset: frames.offset(), error });
                }
            }
        }
    }

    /// A field of the head.
    fn tell(&self, name: &[u8], value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        let number = || stdx::num::parse_i64(value);
        match name {
            b"redis-ver" => log_notice!("Loading RDB produced by Redis version {text}"),
            b"valkey-ver" => log_notice!("Loading RDB produced by Valkey version {text}"),
            b"almagre-ver" => log_notice!("Loading RDB produced by Almagre version {text}"),
            b"ctime" => {
                let age = number().map_or(0, |at| (clock::now().0 / 1000 - at).max(0));
                log_notice!("RDB age {age} seconds");
            }
            b"used-mem" => {
                let bytes = number().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
                let loading = &self.server.persistence.loading;
                loading.file_used_memory.store(bytes, Ordering::Relaxed);
                log_notice!("RDB memory usage when created {:.2} Mb", bytes as f64 / 1048576.0);
            }
            b"aof-base" if value != b"0" => log_notice!("RDB is base AOF"),
            b"aof-base" | b"redis-bits" | b"repl-stream-db" | b"repl-id" | b"repl-offset" => {}
            _ => log_verbose!(
                "RDB field '{}' of unknown meaning: {text}",
                String::from_utf8_lossy(name)
            ),
        }
    }
}

/// `key-load-delay`: a pause after each key, for tests that look at a load under way.
pub(super) struct Delay {
    micros: i64,
    owed: u64,
}

impl Delay {
    fn of(server: &Server) -> Self {
        Self { micros: server.int(id("key-load-delay")), owed: 0 }
    }

    /// Waits as long as so many keys ask for.
    #[expect(clippy::disallowed_methods, reason = "the parameter asks for it")]
    fn wait(&mut self, keys: u64) {
        const SLICE_MICROS: u64 = 10_000;
        self.owed += match u64::try_from(self.micros) {
            Ok(each) => keys.saturating_mul(each),
            // Below 0: one microsecond for so many keys.
            Err(_) => keys / self.micros.unsigned_abs().max(1),
        };
        while self.owed >= SLICE_MICROS.min(1000) {
            let slice = self.owed.min(SLICE_MICROS);
            std::thread::sleep(Duration::from_micros(slice));
            self.owed -= slice;
        }
    }
}
