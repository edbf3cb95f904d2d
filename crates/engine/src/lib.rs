//! From parsed requests to replies: resolve, prefetch, lock, execute, log. Synchronous, without
//! sockets and clocks, so that fuzzing, simulation and scripts call the same `execute`.
//!
//! ```text
//!  serve(batch) ─ RESOLVE all ─ PREFETCH all keys ─ per run on one shard: ROOM, LOCK, EXECUTE.., UNLOCK
//!                     │                                                        │
//!                 resolve.rs                                              execute.rs
//! ```

#![allow(unsafe_code, reason = "prefetching by raw address, under an epoch pass")]

mod ahead;
mod batch;
mod blocking;
mod command_log;
mod condition;
mod evict;
mod execute;
mod expire;
mod histogram;
mod history;
mod ledger;
mod notify;
mod pause;
mod reply_gate;
mod resolve;
mod script;
mod snapshot;
mod stats;
#[cfg(test)]
mod tests;
mod transaction;
mod union;
mod worker;

pub use batch::{End, Large, Now, RUN_REQUESTS_MAX, Served};
pub use blocking::Deadlines;
pub use condition::Condition;
pub use evict::{Evicting, Pressure};
pub use histogram::Histogram;
pub use history::{Backlog, History, hex40};
pub use ledger::Ledger;
pub use pause::Pause;
pub use reply_gate::{Level, ReplyGate};
pub use resolve::{KeyList, key_list};
pub use snapshot::{Cut, Cuts, Lent, SnapshotError};
pub use stats::{CommandStats, CommandTotal, Counter, Stats, StatsTotal, WorkerStats};
pub use worker::Worker;

use command::{
    Command, CommandLog, CommandTable, Functions, Monitors, Node, PubSub, Scripts, Session,
    Settings, Tracking,
};
use journal::Journal;
use keyspace::{Keyspace, Snapshot};
use parking_lot::{Mutex, RwLock};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// The shared state of the server's data plane. Built in well under a millisecond.
pub struct Engine {
    pub space: Arc<Keyspace>,
    pub journal: Arc<Journal>,
    pub table: CommandTable,
    pub stats: Stats,
    pub pause: Pause,
    /// What keeps the server from some commands.
    pub condition: Condition,
    pub reply_gate: ReplyGate,
    /// The name of the log, and what is kept of it.
    pub history: History,
    pub cuts: Cuts,
    /// The snapshot that [`Engine::lend`] has given away.
    lent: Mutex<Weak<Mutex<Option<Snapshot>>>>,
    /// Who is subscribed to what.
    pub pubsub: PubSub,
    /// When clients that wait give up.
    pub deadlines: Deadlines,
    /// Who may have which keys in a memory of its own.
    pub tracking: Tracking,
    /// Who is shown every command.
    pub monitors: Monitors,
    /// Scripts that may be called by their SHA, and those that run for too long.
    pub scripts: Scripts,
    /// Libraries of functions.
    pub functions: Functions,
    /// Commands that took long or were large.
    pub command_log: CommandLog,
    /// DEBUG CLIENT-ENFORCE-REPLY-LIST: every reply counts against output limits.
    pub counts_blocks: AtomicBool,
    /// Whether payloads under a wrong checksum are taken (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    pub skips_checksums: AtomicBool,
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub active_expire: AtomicBool,
    /// Since when, and how long in all, memory was above its limit.
    pub pressure: Pressure,
    /// By row: see [`batch::writes_floats`].
    pub(crate) writes_floats: Vec<bool>,
    /// By row: see [`ahead::Names::of`].
    names: Vec<Option<ahead::Names>>,
    settings: RwLock<Arc<Settings>>,
    settings_generation: AtomicU64,
    node: OnceLock<Arc<dyn Node>>,
}

impl Engine {
    pub fn new(
        space: Arc<Keyspace>,
        journal: Arc<Journal>,
        families: &[&'static [Command]],
    ) -> Self {
        let table = CommandTable::new(families);
        let stats = Stats::new(table.len());
        let writes_floats = table.entries().map(|(_, entry)| batch::writes_floats(entry.row));
        let writes_floats = writes_floats.collect();
        let space_seed = space.seed();
        let names = table.entries().map(|(_, entry)| ahead::Names::of(entry.row)).collect();
        let pubsub = PubSub::new(space_seed);
        let tracking = Tracking::new(space.shards().count(), space.seed());
        Self {
            space,
            journal,
            table,
            stats,
            pause: Pause::default(),
            condition: Condition::default(),
            reply_gate: ReplyGate::default(),
            history: History::default(),
            cuts: Cuts::default(),
            lent: Mutex::default(),
            pubsub,
            deadlines: Deadlines::default(),
            tracking,
            monitors: Monitors::default(),
            scripts: Scripts::new(space_seed),
            functions: Functions::default(),
            command_log: CommandLog::default(),
            counts_blocks: AtomicBool::new(false),
            skips_checksums: AtomicBool::new(false),
            active_expire: AtomicBool::new(true),
            pressure: Pressure::default(),
            writes_floats,
            names,
            settings: RwLock::new(Arc::new(Settings::default())),
            settings_generation: AtomicU64::new(0),
            node: OnceLock::new(),
        }
    }

    /// The server around the engine introduces itself, once.
    pub fn set_node(&self, node: Arc<dyn Node>) {
        let first = self.node.set(node).is_ok();
        debug_assert!(first, "the node is set once");
    }

    pub fn node(&self) -> &dyn Node {
        &**self.node.get().expect("the server sets the node before it serves")
    }

    /// A connection has ended: nobody tells it anything any more.
    pub fn leave(&self, session: &mut Session) {
        session.leave(&self.space, &self.pubsub, &self.tracking, &self.monitors);
    }

    /// Hot parameters as of now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().clone()
    }

    /// Puts new hot parameters in force; each worker takes them up with its next batch.
    pub fn set_settings(&self, mut settings: Settings) {
        settings.limits.seed = self.space.seed();
        *self.settings.write() = Arc::new(settings);
        self.settings_generation.fetch_add(1, Ordering::Release); // pairs with `refresh`
    }

    pub(crate) fn settings_generation(&self) -> u64 {
        self.settings_generation.load(Ordering::Acquire)
    }
}
