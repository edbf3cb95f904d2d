//! What stands in for the server around the engine: configuration, a registry of clients, a clock
//! that the test moves. Nothing of it starts a thread or touches the system.

use command::{Bgsave, Card, Clients, CommandError, CommandLog, Job, JobStep, Node, Others};
use command::{PauseMode, ReloadRequest, Settings, ShutdownRequest, Transfer};
use config::{Caller, Config, ParamId, SetError, id};
use engine::Engine;
use keyspace::{AccessClock, Keyspace, persist};
use parking_lot::Mutex;
use resp::Reply;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// SAVE without a disk.
struct NothingToSave;

impl Job for NothingToSave {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        reply.ok();
        JobStep::Done
    }
}

pub(crate) struct Host {
    pub engine: OnceLock<Weak<Engine>>,
    pub config: Mutex<Config>,
    pub clients: Clients,
    /// Stays empty: nothing takes time here.
    pub command_log: CommandLog,
    /// Milliseconds since 1970.
    pub now_ms: AtomicI64,
    pub started_ms: i64,
    /// What scripts and jobs have told the log.
    pub told: Mutex<Vec<String>>,
}

impl Host {
    pub(crate) fn new(now_ms: i64) -> Self {
        Self {
            engine: OnceLock::new(),
            config: Mutex::new(Config::new()),
            clients: Clients::default(),
            command_log: CommandLog::default(),
            now_ms: AtomicI64::new(now_ms),
            started_ms: now_ms,
            told: Mutex::default(),
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn with_engine(&self, act: impl FnOnce(&Engine)) {
        if let Some(engine) = self.engine.get().and_then(Weak::upgrade) {
            act(&engine);
        }
    }
}

/// The parameters that change what a command answers.
pub(crate) fn settings(config: &Config, databases: u32) -> Settings {
    const BULK: ParamId = id("proto-max-bulk-len");
    const POLICY: ParamId = id("maxmemory-policy");
    const LFU_LOG: ParamId = id("lfu-log-factor");
    const LFU_DECAY: ParamId = id("lfu-decay-time");
    const PASSWORD: ParamId = id("requirepass");
    const RDB_VERSION: ParamId = id("rdb-version-check");
    const TRACKING_KEYS: ParamId = id("tracking-table-max-keys");
    const EVENTS: ParamId = id("notify-keyspace-events");
    let policy = config.word(POLICY);
    let access_clock = if policy.ends_with("lfu") {
        AccessClock::Lfu {
            log_factor: config.uint(LFU_LOG) as u32,
            decay_minutes: config.uint(LFU_DECAY) as u32,
        }
    } else if policy.ends_with("lrm") {
        AccessClock::Lrm
    } else {
        AccessClock::Lru
    };
    Settings {
        databases,
        bulk_bytes_max: config.uint(BULK),
        maxmemory_policy: policy,
        access_clock,
        limits: command::limits(config),
        password_required: !config.bytes(PASSWORD).is_empty(),
        notify_events: config.bits(EVENTS),
        tracking_keys_max: config.uint(TRACKING_KEYS),
        latency_tracking: false,
        rdb_relaxed: config.word(RDB_VERSION) == "relaxed",
        debug_command: 2,
        ..Settings::default()
    }
}

impl Node for Host {
    fn clients(&self) -> &Clients {
        &self.clients
    }

    fn info(&self, sections: &[String]) -> String {
        const SERVER: [&str; 4] = ["server", "default", "all", "everything"];
        let wanted = |section: &String| SERVER.contains(&section.as_str());
        if !sections.is_empty() && !sections.iter().any(wanted) {
            return String::new();
        }
        format!("# Server\r\nredis_version:{}\r\n", command::REDIS_VERSION)
    }

    fn config_get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.config.lock().get(patterns, stdx::glob::matches)
    }

    fn config_set(&self, args: &[&[u8]], local: bool) -> Result<(), CommandError> {
        let mut config = self.config.lock();
        match config.set(args, Caller { local, loading: false }, &mut |_, _| Ok(())) {
            Ok(_) => {
                self.with_engine(|engine| {
                    engine.set_settings(settings(&config, engine.space.databases()));
                });
                Ok(())
            }
            Err(SetError::Loading) => Err(CommandError::Loading),
            Err(error) => Err(CommandError::err_bytes(&[&error.message()])),
        }
    }

    fn config_rewrite(&self) -> Result<(), CommandError> {
        Err(CommandError::err(format_args!("The server is running without a config file")))
    }

    fn config_rewrite_all(&self) -> Result<(), CommandError> {
        self.config_rewrite()
    }

    fn reset_stats(&self) {
        self.with_engine(|engine| {
            engine.stats.reset();
            engine.space.reset_stats();
        });
    }

    fn authenticate(&self, user: &[u8], password: &[u8]) -> Result<(), CommandError> {
        const PASSWORD: ParamId = id("requirepass");
        let config = self.config.lock();
        let wanted = config.bytes(PASSWORD);
        let known = user == b"default" && (wanted.is_empty() || wanted == password);
        if known { Ok(()) } else { Err(CommandError::WrongPass) }
    }

    fn monotonic_micros(&self) -> u64 {
        0
    }

    fn password_required(&self) -> bool {
        const PASSWORD: ParamId = id("requirepass");
        !self.config.lock().bytes(PASSWORD).is_empty()
    }

    fn save(&self, _: &Arc<Card>) -> Result<Box<dyn Job>, CommandError> {
        Ok(Box::new(NothingToSave))
    }

    fn migrate(&self, _: &Arc<Transfer>) -> Result<(), CommandError> {
        Err(CommandError::TargetConnect)
    }

    fn bgsave(&self, how: Bgsave) -> Result<&'static str, CommandError> {
        match how {
            Bgsave::Now | Bgsave::Scheduled => Ok("Background saving started"),
            Bgsave::Later => Ok("Background saving scheduled"),
            Bgsave::Cancel => Err(CommandError::NoSaveToCancel),
        }
    }

    fn rewrite_log(&self, in_transaction: bool) -> Result<&'static str, CommandError> {
        Ok(match in_transaction {
            true => "Background append only file rewriting scheduled",
            false => "Background append only file rewriting started",
        })
    }

    fn load_log(&self, _: Others) -> Result<(), CommandError> {
        Err(CommandError::NoPersistence)
    }

    fn delay_log(&self, _: u64) {}

    fn synced(&self) -> Option<u64> {
        None
    }

    fn last_save_seconds(&self) -> i64 {
        self.started_ms / 1000
    }

    fn emptied(&self) {}

    /// By way of a file in memory, so one that was saved before does not exist.
    fn reload(&self, request: ReloadRequest, _: Others) -> Result<(), CommandError> {
        let engine = self.engine.get().and_then(Weak::upgrade);
        let engine = engine.filter(|_| request.save).ok_or(CommandError::ReloadFailed)?;
        let (space, settings, now_ms) = (&engine.space, engine.settings(), self.now_ms());
        let mut held = space.hold_all();
        let mut file = rdb::Writer::new();
        let clock = settings.access_clock;
        persist::save_all(&mut file, &mut held, space.databases(), &[], Some(clock), now_ms);
        drop(held);
        engine.make_way(request.flush, now_ms);
        let file = file.into_bytes();
        let options = persist::LoadOptions {
            limits: &settings.limits,
            clock,
            now_ms,
            horizon_ms: if settings.import_mode { i64::MIN } else { now_ms },
            replace: request.merge,
        };
        let loaded = persist::load_all(&mut rdb::Reader::new(&file), space, options);
        loaded.map(drop).map_err(|_| CommandError::ReloadFailed)
    }

    fn shutdown(&self, request: ShutdownRequest) -> Result<(), CommandError> {
        if request.abort {
            return Err(CommandError::err(format_args!("No shutdown in progress.")));
        }
        Err(CommandError::err(format_args!("this node ends with its test")))
    }

    fn pause(&self, mode: PauseMode, until_ms: i64, _: Others) {
        self.with_engine(|engine| engine.pause.start(mode, until_ms, self.now_ms()));
    }

    fn unpause(&self) {
        self.with_engine(|engine| engine.pause.end());
    }

    fn debug(&self, _: &[&[u8]], _: &mut Reply) -> Result<bool, CommandError> {
        Ok(false)
    }

    fn sleep(&self, micros: u64, _: Others) {
        let millis = i64::try_from(micros / 1000).unwrap_or(i64::MAX);
        self.now_ms.store(self.now_ms().saturating_add(millis), Ordering::Relaxed);
    }

    fn set_active_expire(&self, on: bool) {
        self.with_engine(|engine| engine.active_expire.store(on, Ordering::Relaxed));
    }

    fn count_reply_blocks(&self, on: bool) {
        self.with_engine(|engine| engine.counts_blocks.store(on, Ordering::Relaxed));
    }

    fn set_skip_checksums(&self, on: bool) {
        self.with_engine(|engine| engine.skips_checksums.store(on, Ordering::Relaxed));
    }

    fn skips_checksums(&self) -> bool {
        let engine = self.engine.get().and_then(Weak::upgrade);
        engine.is_some_and(|engine| engine.skips_checksums.load(Ordering::Relaxed))
    }

    fn pause_cron(&self, _: bool) {}

    fn memory_bytes(&self) -> u64 {
        0
    }

    fn command_log(&self) -> &CommandLog {
        &self.command_log
    }

    fn latency_histogram(&self, _: u16) -> (u64, Vec<(u64, u64)>) {
        (0, Vec::new())
    }

    fn script_log(&self, _: script::LogLevel, line: &str) {
        self.told.lock().push(line.to_owned());
    }

    fn log(&self, _: &str) {}

    fn log_verbose(&self, _: &str) {}

    fn wall_micros(&self) -> i64 {
        self.now_ms().saturating_mul(1000)
    }

    fn run_id(&self) -> &str {
        "0123456789abcdef0123456789abcdef01234567"
    }

    fn log_offset(&self) -> u64 {
        0
    }

    fn uptime_seconds(&self) -> u64 {
        self.now_ms().saturating_sub(self.started_ms).max(0) as u64 / 1000
    }
}
