//! The node, as commands see it: configuration, statistics, clients, life and death. Cold path,
//! so one `dyn` trait that the server implements.

use crate::{Card, Clients, CommandError, CommandLog, Job, Others, Transfer};
use resp::Reply;
use std::sync::Arc;

/// How SHUTDOWN was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownRequest {
    pub nosave: bool,
    pub save: bool,
    pub now: bool,
    pub force: bool,
    /// Take back a shutdown that waits.
    pub abort: bool,
}

/// What BGSAVE is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bgsave {
    /// At once, or not at all.
    Now,
    /// At once, or as soon as nothing else is in the way any more.
    Scheduled,
    /// When the transaction is over.
    Later,
    Cancel,
}

/// How DEBUG RELOAD was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReloadRequest {
    /// Whether the data is saved before, or the file that is there is loaded.
    pub save: bool,
    /// Whether the databases are emptied before.
    pub flush: bool,
    /// Whether keys that are there are replaced; else they are an error.
    pub merge: bool,
}

/// What CLIENT PAUSE holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseMode {
    Write,
    All,
}

/// What commands may ask of the server around them.
pub trait Node: Send + Sync {
    fn clients(&self) -> &Clients;

    /// The reply to INFO: the named sections (lower case), or the default ones.
    fn info(&self, sections: &[String]) -> String;

    /// CONFIG GET: name and value pairs for the patterns.
    fn config_get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)>;

    /// CONFIG SET: `args` are names and values in turn; all or nothing. `local`: the client is on
    /// this machine.
    fn config_set(&self, args: &[&[u8]], local: bool) -> Result<(), CommandError>;

    /// CONFIG REWRITE.
    fn config_rewrite(&self) -> Result<(), CommandError>;

    /// DEBUG CONFIG-REWRITE-FORCE-ALL: CONFIG REWRITE with every parameter.
    fn config_rewrite_all(&self) -> Result<(), CommandError>;

    /// CONFIG RESETSTAT.
    fn reset_stats(&self);

    /// Checks a password for `user` (the default user: "default").
    fn authenticate(&self, user: &[u8], password: &[u8]) -> Result<(), CommandError>;

    /// A clock that never goes back, in microseconds.
    fn monotonic_micros(&self) -> u64;

    /// Whether a new connection must authenticate.
    fn password_required(&self) -> bool;

    /// SAVE: begins it. What comes of it is asked of the job, whose client is woken then.
    fn save(&self, card: &Arc<Card>) -> Result<Box<dyn Job>, CommandError>;

    /// BGSAVE: what became of it.
    fn bgsave(&self, how: Bgsave) -> Result<&'static str, CommandError>;

    /// BGREWRITEAOF: what became of it.
    fn rewrite_log(&self, in_transaction: bool) -> Result<&'static str, CommandError>;

    /// DEBUG LOADAOF: what the append-only file holds takes the place of the data.
    fn load_log(&self, others: Others) -> Result<(), CommandError>;

    /// DEBUG AOF-FLUSH-SLEEP: so many microseconds pass before each write of the append-only file.
    fn delay_log(&self, micros: u64);

    /// All of the journal before this position is safe on disk; 0: not even what was there before the
    /// journal was; `None`: there is no append-only file.
    fn synced(&self) -> Option<u64>;

    /// When the data was last saved, in seconds since 1970.
    fn last_save_seconds(&self) -> i64;

    /// Sees to the orders of a transfer, and settles it. Called under the locks of its keys.
    fn migrate(&self, transfer: &Arc<Transfer>) -> Result<(), CommandError>;

    /// All databases were emptied, which concerns a snapshot that is under way, and rules by which
    /// the file becomes empty too. Called under the locks.
    fn emptied(&self);

    /// DEBUG RELOAD.
    fn reload(&self, request: ReloadRequest, others: Others) -> Result<(), CommandError>;

    /// Returns only if the shutdown cannot be done or was taken back.
    fn shutdown(&self, request: ShutdownRequest) -> Result<(), CommandError>;

    /// Holds back commands until `until_ms` (milliseconds since 1970); a longer pause stays.
    fn pause(&self, mode: PauseMode, until_ms: i64, others: Others);

    fn unpause(&self);

    /// DEBUG subcommands that concern the node and not the keys (SLEEP, LOG, SEGFAULT ...);
    /// `Ok(false)`: not one of these.
    fn debug(&self, args: &[&[u8]], reply: &mut Reply) -> Result<bool, CommandError>;

    /// Holds the whole server still for that long (DEBUG SLEEP).
    fn sleep(&self, micros: u64, others: Others);

    /// Whether even small replies count against output limits (DEBUG CLIENT-ENFORCE-REPLY-LIST).
    fn count_reply_blocks(&self, on: bool);

    /// DEBUG SET-ACTIVE-EXPIRE.
    fn set_active_expire(&self, on: bool);

    /// DEBUG SET-SKIP-CHECKSUM-VALIDATION: whether RESTORE takes a payload under a wrong checksum.
    fn set_skip_checksums(&self, on: bool);

    fn skips_checksums(&self) -> bool;

    /// DEBUG PAUSE-CRON.
    fn pause_cron(&self, on: bool);

    /// What the allocator has handed out, in bytes.
    fn memory_bytes(&self) -> u64;

    /// Gives memory that is not in use back to the system, as far as the allocator can.
    fn purge_memory(&self) {}

    /// A durations histogram of a command for LATENCY HISTOGRAM: its calls, and pairs of a
    /// power-of-two bound in microseconds and the calls up to it.
    fn latency_histogram(&self, id: u16) -> (u64, Vec<(u64, u64)>);

    /// Commands that took long or were large.
    fn command_log(&self) -> &CommandLog;

    /// A line of a script in the log.
    fn script_log(&self, level: script::LogLevel, line: &str);

    /// A script runs for too long on this thread: answers what the thread's other clients may still
    /// ask for. Called again and again until the script ends.
    fn serve_others(&self) {}

    /// A line in the log at notice level.
    fn log(&self, line: &str);

    /// A line in the log at verbose level.
    fn log_verbose(&self, line: &str);

    /// Wall clock in microseconds since 1970 (TIME).
    fn wall_micros(&self) -> i64;

    /// 40 hexadecimal digits that name this run of the server.
    fn run_id(&self) -> &str;

    /// Behind the last byte of the log: the replication offset.
    fn log_offset(&self) -> u64;

    /// Names of the commands called so far with their counts are the server's; this resets none.
    fn uptime_seconds(&self) -> u64;
}
