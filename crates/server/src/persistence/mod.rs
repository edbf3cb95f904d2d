//! What the server keeps on disk: which file is loaded at start, who writes it, and when.
//!
//! ```text
//!  start ─► load ─┬ appendonly no:  dump.rdb           (snapshot_load)
//!                 └ appendonly yes: the append-only file
//!  SAVE, BGSAVE, rules, shutdown ─► snapshot_save ─► a thread that reads keyspace::Snapshot
//! ```
//!
//! The state machines are in `durability`; here are their threads, clocks and log lines.

mod functions;
pub(crate) mod log;
mod log_load;
mod rules;
mod shutdown;
mod snapshot_load;
mod snapshot_save;

pub(crate) use log_load::reload as reload_log;
pub(crate) use rules::tick;
pub(crate) use shutdown::{CannotStop, stop};
pub(crate) use snapshot_load::reload;
pub(crate) use snapshot_save::{bgsave, judge, save};

use crate::node::Server;
use config::{Config, id};
use disk::{Disk as _, RealDisk};
use parking_lot::{Condvar, Mutex};
use runtime::{clock, log_notice, log_warning};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use tokio::sync::Notify;

/// What INFO says of it, and what the rules go by.
#[derive(Debug, Default)]
pub(crate) struct Persistence {
    pub loading: Loading,
    pub log: log::Log,
    /// The snapshot that is being written, and those that were.
    pub snapshot: Mutex<snapshot_save::State>,
    pub saving: snapshot_save::Progress,
    /// No snapshot is being written any more.
    pub idle: Condvar,
    /// All databases were emptied, and by the rules the file is to be, too.
    pub emptied: AtomicBool,
    /// Changes that are in the file, as the workers count them.
    saved_changes: AtomicU64,
}

impl Persistence {
    /// Changes of which the file knows nothing.
    pub(crate) fn unsaved_changes(&self, server: &Server) -> u64 {
        let changes = server.engine.stats.total().changes;
        changes.saturating_sub(self.saved_changes.load(Ordering::Relaxed))
    }

    /// The file is as it was when the workers had counted so many changes.
    fn saved(&self, changes: u64) {
        self.saved_changes.store(changes, Ordering::Relaxed);
    }
}

/// How far a load is.
#[derive(Debug, Default)]
pub(crate) struct Loading {
    /// There is something to load.
    pub begun: Notify,
    /// All is loaded that there was at start.
    pub ended: Notify,
    pub started_ms: AtomicI64,
    pub progress: durability::aof::Progress,
    /// What the file says of the memory that its keys took.
    pub file_used_memory: AtomicU64,
    /// Of the last load that was done.
    pub keys_loaded: AtomicU64,
    pub keys_expired: AtomicU64,
}

impl Loading {
    /// A load of so many bytes begins.
    fn begin(&self, bytes: u64) {
        self.started_ms.store(clock::now().0, Ordering::Relaxed);
        self.progress.total_bytes.store(bytes, Ordering::Relaxed);
        self.progress.bytes.store(0, Ordering::Relaxed);
        self.begun.notify_one();
    }
}

/// The snapshot's file, wherever the working directory will be.
pub(crate) fn snapshot_path(config: &Config) -> PathBuf {
    let dir = OsStr::from_bytes(config.bytes(id("dir")));
    Path::new(dir).join(config.text(id("dbfilename")))
}

/// Under which name it is written, beside it.
fn temp_path(path: &Path) -> PathBuf {
    path.with_file_name(format!("temp-{}.rdb", std::process::id()))
}

/// Removes what processes left that were ended while they saved.
fn remove_orphans() {
    for name in RealDisk.list(Path::new(".")).unwrap_or_default() {
        let pid = name.to_str().and_then(|name| name.strip_prefix("temp-")?.strip_suffix(".rdb"));
        let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        // Another server may save into the same folder.
        let lives = RealDisk.metadata(&Path::new("/proc").join(pid.to_string())).is_ok();
        if lives && pid != std::process::id() {
            continue;
        }
        match RealDisk.remove(Path::new(&name)) {
            Ok(()) => log_notice!("Removed {}, which was never finished", name.display()),
            Err(error) => log_warning!("Cannot remove {}: {error}", name.display()),
        }
    }
}

/// Loads the data set at the start of the server, on a thread of its own. Commands that need data
/// are refused meanwhile.
///
/// # Errors
/// A line for the log. The server must not go on: what is there is not the data set.
pub(crate) fn load(server: &Server) -> Result<(), String> {
    remove_orphans();
    if server.config.lock().yes(id("appendonly")) {
        return log_load::load(server);
    }
    snapshot_load::load(server)
}
