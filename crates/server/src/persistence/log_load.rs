//! From the append-only file to the keyspace: at start, and for DEBUG LOADAOF.

use super::log::{self, files, moment, policy};
use super::snapshot_load::{Load, load_frames};
use crate::node::Server;
use command::{CommandError, Node, Others};
use config::id;
use disk::RealDisk;
use durability::aof::{
    Files, Form, Found, Held, LoadOptions, Loaded, Loader, State, Writer, write_base,
};
use durability::rdb_file::{FileSource, Frames};
use engine::{Now, SnapshotError, Worker};
use keyspace::Stalled;
use rdb::file::Versions;
use runtime::{clock, log_notice, log_warning};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Loads the set at start, and begins to write behind it.
pub(super) fn load(server: &Server) -> Result<(), String> {
    let (files, policy) = {
        let config = server.config.lock();
        (files(&config), policy(server, &config))
    };
    let started = clock::monotonic().0;
    let log = &server.persistence.log;
    let streams =
        || (Arc::clone(&server.engine.journal), Arc::clone(&server.engine.reply_gate.durable));
    let held = hold(&files)?;
    let writer = match files.find().map_err(|fault| fault.0)? {
        Found::Nothing => create(server, &files, held)?,
        Found::Set(manifest) => {
            let loaded = load_set(server, &files, manifest)?;
            let micros = clock::monotonic().0.saturating_sub(started);
            log_notice!("DB loaded from append only file: {:.3} seconds", micros as f64 / 1e6);
            go_on_at(server, &loaded);
            let opened = loaded.writer(files, policy, streams(), Arc::clone(&log.status));
            let mut writer =
                opened.map_err(|error| format!("Can't open the append-only file: {error}"))?;
            writer.hold(held);
            log::collect(&mut writer, true);
            writer
        }
    };
    for part in &writer.manifest().incrementals {
        let name = String::from_utf8_lossy(&part.name);
        log_notice!("Opening AOF incr file {name} on server start");
    }
    *log.writer.lock() = Some(writer);
    log::start_thread(server)?;
    log::apply_policy(server, &server.config.lock());
    Ok(())
}

/// Before anything is read: what another server writes may look torn.
fn hold(files: &Files) -> Result<Held, String> {
    files.hold().map_err(|error| format!("Can't use the append-only file: {error}"))
}

/// The journal goes on at the position that the files tell.
fn go_on_at(server: &Server, loaded: &Loaded) {
    let journal = &server.engine.journal;
    if let Some(lsn) = loaded.lsn
        && lsn > journal.tail()
        && !journal.active()
        && let Ok(mut participant) = server.engine.space.epochs().register()
    {
        // No script runs while the server loads.
        let closed = server.engine.space.reach_gate(&mut participant);
        journal.reset(lsn);
        drop(closed);
    }
}

/// An empty data set gets a base, so that what follows has something to follow.
fn create(server: &Server, files: &Files, held: Held) -> Result<Writer, String> {
    let failed = |error: std::io::Error| format!("Can't create the append-only file: {error}");
    let log = &server.persistence.log;
    let (policy, options, rdb, checksum) = {
        let config = server.config.lock();
        (
            policy(server, &config),
            super::snapshot_save::options(&config, clock::now().0),
            config.yes(id("aof-use-rdb-preamble")),
            config.yes(id("rdbchecksum")),
        )
    };
    let engine = &server.engine;
    let streams = (Arc::clone(&engine.journal), Arc::clone(&engine.reply_gate.durable));
    let status = Arc::clone(&log.status);
    let mut writer = Writer::waiting(files.clone(), Default::default(), policy, streams, status);
    writer.hold(held);
    writer.prepare().map_err(failed)?;
    let mut snapshot = loop {
        match engine.begin_snapshot(options, Others::Run, |cut| writer.cut(cut.lsn)) {
            Ok(snapshot) => break snapshot,
            // Nothing takes long while the server starts.
            Err(SnapshotError::Stalled) => {}
            Err(error) => return Err(error.to_string()),
        }
    };
    let part = writer.next_base(rdb);
    let form = if rdb {
        let purpose = durability::rdb_file::Purpose::LogBase;
        Form::Rdb(super::snapshot_save::image(server, &mut snapshot, purpose, checksum)?)
    } else {
        let limits = engine.settings().limits;
        Form::Commands { seconds: None, functions: Vec::new(), limits }
    };
    let size = write_base(files, &part, form, &mut snapshot, false, &mut |_| true)
        .map_err(|error| format!("Can't create the append-only file: {error:?}"))?;
    let name = String::from_utf8_lossy(&part.name).into_owned();
    writer.adopt(part, size, moment()).map_err(failed)?;
    log_notice!("Creating AOF base file {name} on server start");
    Ok(writer)
}

fn load_set(
    server: &Server,
    files: &Files,
    manifest: durability::aof::Manifest,
) -> Result<Loaded, String> {
    let options = {
        let config = server.config.lock();
        LoadOptions {
            truncated: config.yes(id("aof-load-truncated")),
            corrupt_tail_bytes_max: config.uint(id("aof-load-corrupt-tail-max-size")),
        }
    };
    let engine = &server.engine;
    let Some(mut worker) = Worker::new(engine, clock::now_micros().0 as u64) else {
        return Err("There are too many threads to load the append-only file".into());
    };
    let loading = &server.persistence.loading;
    loading.begin(0);
    let loader = Loader {
        engine,
        worker: &mut worker,
        threads: crate::start::threads(&server.config.lock()),
        clocks: || Now {
            wall_ms: clock::now().0,
            ticks: clock::ticks,
            wall: || clock::now().0,
            stale_ticks: clock::ticks_per_milli(),
        },
        base: &mut |path: &Path| load_base(server, path),
        progress: &loading.progress,
        options,
    };
    let loaded = loader.load(files, manifest).map_err(|fault| fault.0)?;
    loaded.remarks.iter().for_each(|remark| log_warning!("{remark}"));
    Ok(loaded)
}

/// Loads the snapshot at the beginning of a file; returns where it ends.
fn load_base(server: &Server, path: &Path) -> Result<u64, String> {
    let (mut source, _) = FileSource::open(&RealDisk, path).map_err(|error| error.to_string())?;
    let relaxed = server.engine.settings().rdb_relaxed;
    let versions = if relaxed { Versions::Any } else { Versions::Known };
    let checksum = server.config.lock().yes(id("rdbchecksum")) && !server.skips_checksums();
    let mut frames =
        Frames::begin(&mut source, versions, checksum).map_err(|error| error.to_string())?;
    let how = Load { expire: false, replace: false };
    let counts = load_frames(server, &mut frames, how).map_err(|error| error.to_string())?;
    server.persistence.loading.keys_loaded.store(counts.keys, Ordering::Relaxed);
    Ok(frames.offset())
}

/// Brings the log to disk and stops it, and empties the databases. The gate is closed.
fn empty(server: &Server) -> Result<(), String> {
    let log = &server.persistence.log;
    let mut writer = log.writer();
    if let Some(writer) = writer.as_mut() {
        writer.flush(moment()).map_err(|error| format!("Fail to fsync the AOF file: {error}"))?;
    }
    *writer = None;
    drop(writer);
    server.engine.make_way(true, clock::now().0);
    super::functions::empty(server);
    Ok(())
}

/// DEBUG LOADAOF: what is in memory is replaced by what is on disk. Others are told that the server is
/// loading.
pub(crate) fn reload(server: &Server, others: Others) -> Result<(), CommandError> {
    if others == Others::Stand {
        return Err(CommandError::err(format_args!("DEBUG LOADAOF is not for transactions")));
    }
    super::snapshot_save::unless_overdue(server)?;
    let (files, policy) = {
        let config = server.config.lock();
        (files(&config), policy(server, &config))
    };
    let log = &server.persistence.log;
    let condition = &server.engine.condition;
    condition.set_loading(true);
    let failed = |error: String| {
        log_warning!("{error}");
        condition.set_loading(false);
        CommandError::err(format_args!("Error trying to load the AOF files, check server logs."))
    };
    let state = log.status.state();
    let files = log.writer().as_ref().map_or(files, |writer| writer.files().clone());
    let manifest = files.manifest().map_err(|fault| failed(fault.0))?;
    if manifest.is_empty() {
        return Err(failed("There is no append-only file to load".into()));
    }
    let Ok(mut participant) = server.engine.space.epochs().register() else {
        return Err(failed("there are too many threads".into()));
    };
    let rewrites = log.cancel_running();
    log.wait_until_idle();
    // Whoever was inside has passed once the gate is closed; who comes later is told that the server is
    // loading.
    let closed = server.engine.space.reach_gate(&mut participant).map_err(|Stalled| {
        condition.set_loading(false);
        server.engine.scripts.overdue.error()
    })?;
    let held = log.writer().as_mut().and_then(Writer::release);
    let held = held.map_or_else(|| hold(&files), Ok).map_err(failed)?;
    empty(server).map_err(failed)?;
    drop(closed);
    let manifest = files.manifest().map_err(|fault| failed(fault.0))?;
    let loaded = load_set(server, &files, manifest).map_err(failed)?;
    let streams =
        (Arc::clone(&server.engine.journal), Arc::clone(&server.engine.reply_gate.durable));
    let status = Arc::clone(&log.status);
    let mut writer = match state {
        State::Off => None,
        State::Good | State::Full => {
            let opened = loaded.writer(files, policy, streams, status);
            Some(opened.map_err(|error| failed(error.to_string()))?)
        }
        State::Waits | State::Lost => {
            let manifest = loaded.manifest;
            Some(Writer::waiting(files, manifest, policy, streams, status))
        }
    };
    if let Some(writer) = &mut writer {
        writer.hold(held);
    }
    *log.writer.lock() = writer;
    if rewrites || matches!(state, State::Waits | State::Lost) {
        log.want_rewrite();
    }
    condition.set_loading(false);
    log.kick();
    log_warning!("Append Only File loaded by DEBUG LOADAOF");
    Ok(())
}
