//! The server as commands see it: configuration, clients, statistics, life and death.

use crate::disposal::Disposed;
use crate::migrate::Migrations;
use crate::persistence::{self, CannotStop, Persistence};
use crate::samples::Samples;
use crate::settings::settings;
use command::{Bgsave, Card, Clients, CommandError, CommandLog, Job, Node, Others, PauseMode};
use command::{ReloadRequest, Settings, ShutdownRequest, Transfer};
use config::{Caller, Config, ParamId, Scope, SetError, id};
use durability::aof::State as AofState;
use engine::{Engine, Histogram};
use net::Pool;
use parking_lot::Mutex;
use resp::Reply;
use runtime::process::daemon::Supervisor;
use runtime::process::limits::OomScore;
use runtime::process::{signal, title};
use runtime::{clock, log_debug, log_notice, log_verbose, log_warning, sysinfo};
use socket2::Socket;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

/// The server.
pub struct Server {
    pub engine: Arc<Engine>,
    pub(crate) pool: OnceLock<Arc<Pool>>,
    pub(crate) config: Mutex<Config>,
    /// The file that CONFIG REWRITE rewrites.
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) clients: Clients,
    pub(crate) disposed: Arc<Disposed>,
    pub(crate) samples: Samples,
    pub(crate) run_id: String,
    /// Milliseconds since 1970.
    pub(crate) started_ms: i64,
    pub(crate) supervisor: Supervisor,
    pub(crate) cron_paused: AtomicBool,
    pub(crate) memory_at_start: u64,
    /// Milliseconds since 1970 of the last CONFIG RESETSTAT.
    pub(crate) reset_ms: AtomicI64,
    /// A pause began or was prolonged.
    pub(crate) pause_changed: Notify,
    /// A client waits whose time is over sooner than that of others.
    pub(crate) deadlines_changed: Notify,
    pub(crate) stopping: AtomicBool,
    /// The TCP listeners once more, to close them from where CONFIG SET runs.
    pub(crate) listening: Mutex<Vec<Socket>>,
    /// To the main loop, which accepts on them.
    pub(crate) new_listeners: UnboundedSender<Socket>,
    pub(crate) oom_score: Mutex<OomScore>,
    pub(crate) persistence: Persistence,
    pub(crate) migrations: Migrations,
    /// Itself, for threads that it starts.
    pub(crate) me: OnceLock<Weak<Server>>,
}

impl Server {
    /// For what DEBUG is allowed to do at any time: half of a data set is not to be saved, nor replaced.
    fn refuse_while_loading(&self) -> Result<(), CommandError> {
        if self.engine.condition.is_loading() { Err(CommandError::Loading) } else { Ok(()) }
    }

    pub(crate) fn int(&self, id: ParamId) -> i64 {
        self.config.lock().int(id)
    }

    fn rewrite(&self, scope: Scope) -> Result<(), CommandError> {
        let Some(path) = &self.config_file else {
            return Err(CommandError::err(format_args!(
                "The server is running without a config file"
            )));
        };
        let failed = |error: &dyn std::fmt::Display| {
            log_warning!("CONFIG REWRITE failed: {error}");
            CommandError::err(format_args!("Rewriting config file: {error}"))
        };
        let disk = disk::RealDisk;
        /// No configuration is longer.
        const BYTES_MAX: usize = 64 << 20;
        let old = match disk::read(&disk, path, BYTES_MAX) {
            Ok(old) => old,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(&error)),
        };
        let new = config::rewrite(&old, &self.config.lock(), &[], scope);
        disk::replace(&disk, path, &new, disk::SHARED).map_err(|error| failed(&error))?;
        log_notice!("CONFIG REWRITE executed with success.");
        Ok(())
    }
}

impl Node for Server {
    fn clients(&self) -> &Clients {
        &self.clients
    }

    fn info(&self, sections: &[String]) -> String {
        crate::info::info(self, sections)
    }

    fn config_get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.config.lock().get(patterns, stdx::glob::matches)
    }

    fn config_set(&self, args: &[&[u8]], local: bool) -> Result<(), CommandError> {
        let mut config = self.config.lock();
        let caller = Caller { local, loading: self.engine.condition.is_loading() };
        let outcome = config.set(args, caller, &mut |config, id| {
            crate::apply::apply(self, config, id.param().name)
        });
        let settings: Settings = settings(&config);
        drop(config);
        match outcome {
            Ok(_) => {
                self.clients.limit_bytes(settings.clients_bytes_max);
                self.engine.tracking.shrink(settings.tracking_keys_max, &settings.output);
                self.engine.history.resize(settings.backlog_bytes);
                self.engine.set_settings(settings);
                Ok(())
            }
            Err(SetError::Loading) => Err(CommandError::Loading),
            Err(error) => Err(CommandError::err_bytes(&[&error.message()])),
        }
    }

    fn config_rewrite(&self) -> Result<(), CommandError> {
        self.rewrite(Scope::Needed)
    }

    fn config_rewrite_all(&self) -> Result<(), CommandError> {
        self.rewrite(Scope::All)
    }

    fn reset_stats(&self) {
        self.engine.stats.reset();
        self.engine.space.reset_stats();
        self.engine.pressure.reset();
        self.engine.scripts.reset_stats();
        self.clients.reset_stats();
        self.disposed.freed.store(0, Ordering::Relaxed);
        self.engine.cuts.reset();
        self.engine.history.full.store(0, Ordering::Relaxed);
        self.engine.history.partial_refused.store(0, Ordering::Relaxed);
        self.samples.rejected_connections.store(0, Ordering::Relaxed);
        self.samples.connections.store(0, Ordering::Relaxed);
        self.samples.expire_micros.store(0, Ordering::Relaxed);
        self.samples.expire_time_capped.store(0, Ordering::Relaxed);
        self.samples.stale.reset();
        self.reset_ms.store(clock::now().0, Ordering::Relaxed);
    }

    fn authenticate(&self, user: &[u8], password: &[u8]) -> Result<(), CommandError> {
        const PASSWORD: ParamId = id("requirepass");
        let config = self.config.lock();
        let wanted = config.bytes(PASSWORD);
        let known = user == b"default" && (wanted.is_empty() || equal(wanted, password));
        if known { Ok(()) } else { Err(CommandError::WrongPass) }
    }

    fn monotonic_micros(&self) -> u64 {
        clock::monotonic().0
    }

    fn password_required(&self) -> bool {
        self.engine.settings().password_required
    }

    fn save(&self, card: &Arc<Card>) -> Result<Box<dyn Job>, CommandError> {
        persistence::save(self, card)
    }

    fn bgsave(&self, how: Bgsave) -> Result<&'static str, CommandError> {
        persistence::bgsave(self, how)
    }

    fn rewrite_log(&self, in_transaction: bool) -> Result<&'static str, CommandError> {
        persistence::log::rewrite(self, in_transaction)
    }

    fn load_log(&self, others: Others) -> Result<(), CommandError> {
        self.refuse_while_loading()?;
        persistence::reload_log(self, others)
    }

    fn delay_log(&self, micros: u64) {
        self.persistence.log.write_delay.store(micros, Ordering::Relaxed);
    }

    fn synced(&self) -> Option<u64> {
        match self.persistence.log.status.state() {
            AofState::Off => None,
            AofState::Waits => Some(0),
            _ => Some(self.engine.reply_gate.durable.value().0.saturating_add(1)),
        }
    }

    fn last_save_seconds(&self) -> i64 {
        self.persistence.snapshot.lock().last_save_seconds
    }

    fn migrate(&self, transfer: &Arc<Transfer>) -> Result<(), CommandError> {
        self.migrations.add(transfer);
        Ok(())
    }

    fn emptied(&self) {
        self.all_emptied();
    }

    fn reload(&self, request: ReloadRequest, others: Others) -> Result<(), CommandError> {
        self.refuse_while_loading()?;
        persistence::reload(self, request, others)
    }

    fn shutdown(&self, request: ShutdownRequest) -> Result<(), CommandError> {
        if request.abort {
            // A signal has asked, and the next tick of the cron would have done it.
            if signal::shutdown_requested().is_none() || self.stopping.load(Ordering::Acquire) {
                return Err(CommandError::NoShutdown);
            }
            signal::forget_shutdown();
            log_notice!("Shutdown manually aborted.");
            return Ok(());
        }
        Err(match persistence::stop(self, request) {
            CannotStop::Stalled => self.engine.scripts.overdue.error(),
            CannotStop::Failed => CommandError::ShutdownFailed,
        })
    }

    fn pause(&self, mode: PauseMode, until_ms: i64, others: Others) {
        self.engine.pause.start(mode, until_ms, clock::now().0);
        // Whoever was inside when the pause began has passed once the gate could be closed.
        if others == Others::Run
            && let Ok(mut participant) = self.engine.space.epochs().register()
        {
            drop(self.engine.space.reach_gate(&mut participant));
        }
        self.pause_changed.notify_one();
    }

    fn unpause(&self) {
        self.engine.pause.end();
        self.clients.all().iter().for_each(|card| card.wake());
    }

    fn debug(&self, args: &[&[u8]], _: &mut Reply) -> Result<bool, CommandError> {
        let Some((name, rest)) = args.split_first() else { return Ok(false) };
        match &name.to_ascii_lowercase()[..] {
            b"segfault" => runtime::process::crash::provoke(),
            b"oom" => std::alloc::handle_alloc_error(std::alloc::Layout::new::<[u8; 1 << 40]>()),
            b"restart" => self.restart(rest, true)?,
            b"crash-and-recover" => self.restart(rest, false)?,
            _ => return Ok(false),
        }
        Err(CommandError::err(format_args!("the server lives on. Check server logs.")))
    }

    #[expect(clippy::disallowed_methods, reason = "the command is to stop the server for a while")]
    fn sleep(&self, micros: u64, others: Others) {
        let mut participant = match others {
            Others::Run => self.engine.space.epochs().register().ok(),
            Others::Stand => None,
        };
        let space = &self.engine.space;
        let closed = participant.as_mut().map(|participant| space.reach_gate(participant));
        std::thread::sleep(Duration::from_micros(micros));
        drop(closed);
    }

    fn count_reply_blocks(&self, on: bool) {
        self.engine.counts_blocks.store(on, Ordering::Relaxed);
    }

    fn set_active_expire(&self, on: bool) {
        self.engine.active_expire.store(on, Ordering::Relaxed);
    }

    fn set_skip_checksums(&self, on: bool) {
        self.engine.skips_checksums.store(on, Ordering::Relaxed);
    }

    fn skips_checksums(&self) -> bool {
        self.engine.skips_checksums.load(Ordering::Relaxed)
    }

    fn pause_cron(&self, on: bool) {
        self.cron_paused.store(on, Ordering::Relaxed);
    }

    fn memory_bytes(&self) -> u64 {
        sysinfo::allocator().map_or(0, |allocator| allocator.stats().allocated)
    }

    fn latency_histogram(&self, id: u16) -> (u64, Vec<(u64, u64)>) {
        let total = self.engine.stats.command(id);
        let mut bounds: Vec<(u64, u64)> = Vec::new();
        let mut seen = 0;
        for (ticks, count) in Histogram::buckets(&total.durations) {
            seen += count;
            let micros = clock::ticks_to_micros(ticks).max(1).next_power_of_two();
            match bounds.last_mut() {
                Some((bound, upto)) if *bound == micros => *upto = seen,
                _ => bounds.push((micros, seen)),
            }
        }
        (total.calls, bounds)
    }

    fn command_log(&self) -> &CommandLog {
        &self.engine.command_log
    }

    fn purge_memory(&self) {
        if let Some(allocator) = sysinfo::allocator() {
            allocator.purge();
        }
    }

    fn script_log(&self, level: script::LogLevel, line: &str) {
        match level {
            script::LogLevel::Debug => log_debug!("{line}"),
            script::LogLevel::Verbose => log_verbose!("{line}"),
            script::LogLevel::Notice => log_notice!("{line}"),
            script::LogLevel::Warning => log_warning!("{line}"),
        }
    }

    fn serve_others(&self) {
        net::serve_others();
    }

    fn log(&self, line: &str) {
        log_warning!("{line}");
    }

    fn log_verbose(&self, line: &str) {
        log_verbose!("{line}");
    }

    fn wall_micros(&self) -> i64 {
        clock::now_micros().0
    }

    fn run_id(&self) -> &str {
        &self.run_id
    }

    fn log_offset(&self) -> u64 {
        self.engine.journal.tail().0
    }

    fn uptime_seconds(&self) -> u64 {
        (clock::now().0 - self.started_ms).max(0) as u64 / 1000
    }
}

impl Server {
    /// Puts a new process in the place of this one, after so many milliseconds, with the same
    /// arguments; `in_order`: with the parameters in force. Returns only if that fails.
    #[expect(clippy::disallowed_methods, reason = "DEBUG stops the server for a while")]
    fn restart(&self, delay: &[&[u8]], in_order: bool) -> Result<(), CommandError> {
        use std::os::unix::process::CommandExt;
        let delay_ms = match delay.first() {
            Some(text) => stdx::num::parse_i64(text).ok_or(CommandError::NotAnInteger)?.max(0),
            None => 0,
        };
        if in_order && self.config_file.is_some() {
            self.rewrite(Scope::Needed)?;
        }
        std::thread::sleep(Duration::from_millis(delay_ms as u64));
        let mut args: Vec<_> = title::args().iter().skip(1).cloned().collect();
        if let (Some(file), Some(first)) = (&self.config_file, args.first_mut())
            && !first.as_encoded_bytes().starts_with(b"-")
        {
            // The directory is no longer the one in which the server was started.
            *first = file.clone().into_os_string();
        }
        let error = std::process::Command::new(sysinfo::executable()).args(args).exec();
        log_warning!("Cannot start the server again: {error}");
        Ok(())
    }
}

/// Whether two secrets are equal, in a time that depends on their lengths alone.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}
