//! From the command line to a server that serves, and to its end.

use crate::crash_report::{self, SECTIONS};
use crate::cron::Cron;
use crate::migrate::Migrations;
use crate::node::Server;
use crate::persistence::{self, CannotStop, Persistence};
use crate::samples::Samples;
use crate::{accept, apply, disposal, promises};
use command::{Clients, CommandTable, Node};
use config::{Config, ConfigError, Files, Invocation, Startup, id};
use disk::Disk;
use engine::{Engine, Worker};
use journal::{Journal, Lsn};
use keyspace::Keyspace;
use net::{Listeners, Pool};
use parking_lot::Mutex;
use runtime::process::{self, banner, code, crash, daemon, limits, signal, title};
use runtime::{clock, log, log_notice, log_warning, sysinfo};
use socket2::Socket;
use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;
use stdx::hash::Seed;
use stdx::rng::Rng;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, oneshot};
use tokio::task::LocalSet;

const BUILD: banner::Build<'_> =
    banner::Build { version: command::VERSION, commit: "00000000", is_modified: false };

/// Reads the files that a configuration names.
struct ConfigFiles;

impl Files for ConfigFiles {
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        /// No configuration is longer.
        const BYTES_MAX: usize = 64 << 20;
        disk::read(&disk::RealDisk, path, BYTES_MAX)
    }

    fn names(&mut self, dir: &Path) -> Vec<OsString> {
        disk::RealDisk.list(dir).unwrap_or_default()
    }
}

/// Runs the server until it is told to stop. `args` are the words after the program's name.
pub fn run(args: &[Vec<u8>]) -> ExitCode {
    match config::parse_arguments(args) {
        Ok(Invocation::Serve(startup)) => serve(&startup),
        Ok(Invocation::Version) => say(&version()),
        Ok(Invocation::Help) => say(HELP),
        Ok(Invocation::CheckSystem) => check_system(),
        Ok(Invocation::TestMemory(_)) => complain("The memory test is not part of this server."),
        Err(error) => complain(&error.report(&product())),
    }
}

const HELP: &str = "\
Usage: almagre server [FILE] [--DIRECTIVE VALUE ...] [-]
       almagre server -v | --version
       almagre server -h | --help
       almagre server --check-system

  FILE        a configuration file in redis.conf form
  -           more configuration from standard input
  --port 7000 any directive of the file; later ones win

Examples:
  almagre server
  almagre server /etc/almagre.conf --port 7000 --save \"\"
  echo 'maxmemory 1gb' | almagre server -
";

fn product() -> String {
    format!("Almagre {}", command::VERSION)
}

/// What `-v` says: tools look for `v=`. Called by the name of a peer's server this is that server,
/// in the version that it is compatible with, and its own name stands behind.
fn version() -> String {
    let (almagre, redis) = (command::VERSION, command::REDIS_VERSION);
    let program = title::args().first().map(Path::new).and_then(Path::file_name);
    let (name, number, behind) = match program.and_then(OsStr::to_str) {
        Some("redis-server") => ("Redis", redis, product()),
        Some("valkey-server") => ("Valkey", command::VALKEY_VERSION, product()),
        _ => ("Almagre", almagre, format!("Redis {redis}")),
    };
    let allocator = sysinfo::allocator().map_or("system", |allocator| allocator.name());
    let bits = usize::BITS;
    format!(
        "{name} server v={number} sha=00000000:0 malloc={allocator} bits={bits} build=0 ({behind})\n"
    )
}

fn say(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) -> ExitCode {
    // Nobody is left to tell if standard error is gone.
    drop(io::stderr().write_all(format!("{}\n", text.trim_end()).as_bytes()));
    ExitCode::FAILURE
}

fn check_system() -> ExitCode {
    let mut failed = false;
    let mut text = String::new();
    for (name, outcome) in process::checks::all() {
        failed |= matches!(outcome, process::checks::Outcome::Bad(_));
        text.push_str(&format!("[{name}] {outcome:?}\n"));
    }
    let said = say(&text);
    if failed { ExitCode::FAILURE } else { said }
}

fn serve(startup: &Startup) -> ExitCode {
    let (mut config, remarks) = match load(startup) {
        Ok(loaded) => loaded,
        Err(report) => return complain(&report),
    };
    if startup.sentinel {
        return complain("Sentinel is not part of this version of Almagre.");
    }
    // Before the directory changes: CONFIG REWRITE means the file that was read.
    let file = startup.file.as_deref().map(|file| std::path::absolute(file).unwrap_or(file.into()));
    let startup = &Startup { file, ..startup.clone() };
    let opened = apply::enter_dir(&mut config).and_then(|()| apply::open_log(&config));
    if let Err(error) = opened {
        return complain(&error);
    }
    title::init();
    let supervisor = daemon::supervise(supervised(&config));
    let background =
        config.yes(id("daemonize")) && matches!(supervisor, daemon::Supervisor::Nobody);
    if background && let Err(error) = daemon::daemonize() {
        return complain(&format!("Can't go to the background: {error}"));
    }
    apply::set_allocator_threads(&config);
    let shown = startup.file.as_ref().map(|file| file.display().to_string());
    let input = startup.standard_input.then_some("standard input");
    banner::starting(BUILD, &Vec::from_iter(shown.as_deref().into_iter().chain(input)));
    remarks.iter().for_each(|remark| log_notice!("{remark}"));
    match start(config, startup, supervisor) {
        Ok(code) => code,
        Err(error) => {
            log_warning!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn load(startup: &Startup) -> Result<(Config, Vec<String>), String> {
    let mut input = Vec::new();
    if startup.standard_input {
        io::stdin()
            .read_to_end(&mut input)
            .map_err(|error| format!("Reading standard input: {error}"))?;
    }
    let mut config = Config::new();
    startup
        .directives(&input, &mut ConfigFiles, stdx::glob::matches)
        .and_then(|directives| {
            let remarks = config.load(&directives)?;
            promises::check(&config, &directives)?;
            rename_commands(&mut CommandTable::new(commands::FAMILIES), &config)?;
            Ok((config, remarks))
        })
        .map_err(|error| error.report(&product()))
}

fn supervised(config: &Config) -> daemon::Supervised {
    match config.word(id("supervised")) {
        "systemd" => daemon::Supervised::Systemd,
        "upstart" => daemon::Supervised::Upstart,
        "auto" => daemon::Supervised::Auto,
        _ => daemon::Supervised::No,
    }
}

/// `io-threads`: 0 is one for each core that the process may use.
pub(crate) fn threads(config: &Config) -> usize {
    match config.uint(id("io-threads")) {
        0 => sysinfo::processors().max(1),
        count => count as usize,
    }
}

/// Number of shards: several for each worker there could be, so that two rarely meet.
fn shards(config: &Config) -> usize {
    match config.uint(id("shards")) {
        0 => (threads(config) * 8).next_power_of_two().clamp(16, 1024),
        count => count as usize,
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let bytes = ConfigFiles.entropy(N)?;
    <[u8; N]>::try_from(bytes.as_slice()).map_err(|_| io::ErrorKind::UnexpectedEof.into())
}

impl ConfigFiles {
    /// Random bytes from the system.
    fn entropy(&self, count: usize) -> io::Result<Vec<u8>> {
        let file = disk::RealDisk.open(Path::new("/dev/urandom"), disk::Open::Read)?;
        let mut bytes = vec![0; count];
        disk::read_exact_at(&*file, &mut bytes, 0)?;
        Ok(bytes)
    }
}

fn start(
    config: Config,
    startup: &Startup,
    supervisor: daemon::Supervisor,
) -> Result<ExitCode, String> {
    let fail = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let guard = crash::install(crash::Options { version: command::VERSION, sections: SECTIONS })
        .map_err(fail("Can't install the crash handlers"))?;
    signal::install().map_err(fail("Can't install signal handlers"))?;
    let maxclients = config.uint(id("maxclients")) as u32;
    let mut config = config;
    code::populate();
    let Some(reached) = limits::raise_open_files(maxclients) else {
        return Err("There are too few file descriptors.".into());
    };
    config.replace(id("maxclients"), config::Value::Int(i128::from(reached)));
    crash::set_enabled(config.yes(id("crash-log-enabled")))
        .map_err(fail("Can't install the crash handlers"))?;
    crash::set_exits_on_panic(config.yes(id("use-exit-on-panic")));
    process::checks::warn(config.uint(id("tcp-backlog")) as u32, config.yes(id("disable-thp")));
    let port = config.uint(id("port")) as u16;
    let logo = if config.yes(id("always-show-logo")) {
        banner::Logo::Always
    } else {
        banner::Logo::OnTerminal
    };
    banner::running(banner::Mode::Standalone, port, logo, BUILD);
    log::set_role(log::Role::Primary);
    let listeners = apply::listen(&config)?;
    let (new_listeners, rebound) = unbounded_channel();
    let server = build(config, startup, supervisor, new_listeners)?;
    keep_listeners(&server, &listeners).map_err(fail("Can't keep the listeners"))?;
    crash_report::set_server(&server);
    {
        let config = server.config.lock();
        apply::show_title(&server, &config);
        crate::replication::judge(&server, &config);
        // A failure is in the log; the server starts all the same.
        drop(apply::apply_oom_score(&server, &config));
        crash::watch(apply::watchdog_ms(&config));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(fail("Can't start the main loop"))?;
    let code = LocalSet::new().block_on(&runtime, serve_until_told(&server, listeners, rebound));
    // Threads that talk to other servers are not waited for.
    runtime.shutdown_background();
    drop(guard);
    Ok(code)
}

/// Twins of the listeners, by which CONFIG SET can close them.
fn keep_listeners(server: &Server, listeners: &Listeners) -> io::Result<()> {
    let twins = listeners.tcp.iter().map(Socket::try_clone).collect::<io::Result<Vec<Socket>>>()?;
    *server.listening.lock() = twins;
    Ok(())
}

/// Memory of the journal, which eviction does not count: to evict makes it longer.
pub(crate) fn not_counted_for_evict(journal: &Journal) -> u64 {
    journal.memory_bytes()
}

fn build(
    config: Config,
    startup: &Startup,
    supervisor: daemon::Supervisor,
    new_listeners: UnboundedSender<Socket>,
) -> Result<Arc<Server>, String> {
    let entropy = |error: io::Error| format!("No randomness from the system: {error}");
    let seed = Seed::from_bytes(random().map_err(entropy)?);
    let id_bytes: [u8; 20] = random().map_err(entropy)?;
    let space = Arc::new(Keyspace::new(shards(&config), config.uint(id("databases")) as u32, seed));
    let journal = Journal::new(Lsn(0), journal::Limits::default());
    let mut engine = Engine::new(Arc::clone(&space), journal, commands::FAMILIES);
    rename_commands(&mut engine.table, &config).map_err(|error| error.to_string())?;
    let engine = Arc::new(engine);
    engine.set_settings(crate::settings::settings(&config));
    let clients = Clients::default();
    clients.limit_bytes(engine.settings().clients_bytes_max);
    let disposed =
        disposal::start(&space).map_err(|error| format!("Can't start a thread: {error}"))?;
    let (counts, log) = (Arc::clone(&disposed), Arc::clone(&engine.journal));
    space.set_sampler(Box::new(move || {
        let allocated = sysinfo::allocator().map_or(0, |allocator| allocator.stats().allocated);
        let pending = counts.pending_bytes.load(Ordering::Relaxed);
        allocated.saturating_sub(pending).saturating_sub(not_counted_for_evict(&log))
    }));
    let memory_at_start = sysinfo::allocator().map_or(0, |allocator| allocator.stats().allocated);
    let server = Arc::new(Server {
        engine: Arc::clone(&engine),
        pool: OnceLock::new(),
        config: Mutex::new(config),
        config_file: startup.file.clone(),
        clients,
        disposed,
        samples: Samples::default(),
        run_id: id_bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        started_ms: clock::now().0,
        supervisor,
        cron_paused: AtomicBool::new(false),
        memory_at_start,
        reset_ms: AtomicI64::new(clock::now().0),
        pause_changed: Notify::new(),
        deadlines_changed: Notify::new(),
        stopping: AtomicBool::new(false),
        listening: Mutex::default(),
        new_listeners,
        oom_score: Mutex::default(),
        persistence: Persistence::default(),
        migrations: Migrations::default(),
        me: OnceLock::new(),
    });
    let first = server.me.set(Arc::downgrade(&server)).is_ok();
    debug_assert!(first, "a server meets itself once");
    engine.condition.set_loading(true);
    engine.set_node(Arc::clone(&server) as Arc<dyn Node>);
    let listener = Arc::downgrade(&server);
    engine.deadlines.set_listener(Box::new(move || {
        if let Some(server) = listener.upgrade() {
            server.deadlines_changed.notify_one();
        }
    }));
    let count = threads(&server.config.lock());
    let seed = u64::from_le_bytes(random().map_err(entropy)?);
    let own = u64::from_le_bytes(random().map_err(entropy)?);
    engine.history.rename(&mut Rng::new(own));
    let pool = Pool::start(engine, Arc::clone(&server) as Arc<dyn net::Admission>, count, seed)
        .map_err(|error| format!("Can't start the workers: {error}"))?;
    let first = server.pool.set(pool).is_ok();
    debug_assert!(first, "the pool is set once");
    Ok(server)
}

/// `rename-command`, in the order of the lines.
fn rename_commands(table: &mut CommandTable, config: &Config) -> Result<(), ConfigError> {
    for line in config.lines(id("rename-command")) {
        let [from, to] = line.args.as_slice() else { continue };
        table.rename(from, to).map_err(|error| line.error(error))?;
    }
    Ok(())
}

async fn serve_until_told(
    server: &Arc<Server>,
    listeners: Listeners,
    mut rebound: UnboundedReceiver<Socket>,
) -> ExitCode {
    banner::initialized();
    let pid_file = server.config.lock().text(id("pidfile"));
    if !pid_file.is_empty() {
        daemon::write_pid_file(Path::new(&pid_file));
    }
    let (tcp, unix) = (!listeners.tcp.is_empty(), !listeners.unix.is_empty());
    tokio::task::spawn_local(let_in(Arc::clone(server), listeners));
    let rebinder = Arc::clone(server);
    tokio::task::spawn_local(async move {
        while let Some(listener) = rebound.recv().await {
            tokio::task::spawn_local(accept::accept_tcp(Arc::clone(&rebinder), listener));
        }
    });
    tokio::task::spawn_local(crate::cron::end_pauses(Arc::clone(server)));
    tokio::task::spawn_local(crate::cron::end_waits(Arc::clone(server)));
    tokio::task::spawn_local(crate::migrate::run(Arc::clone(server)));
    let signals = match signal::Listener::new() {
        Ok(signals) => Some(signals),
        Err(error) => {
            log_warning!("Signals cannot be waited for: {error}");
            None
        }
    };
    let loaded = match load_data(server) {
        Ok(loaded) => loaded,
        Err(error) => return cannot_load(server, &error),
    };
    match either(loaded, end_wanted(server, signals.as_ref())).await {
        Either::First(Ok(Ok(()))) => {}
        Either::First(Ok(Err(error))) => return cannot_load(server, &error),
        Either::First(Err(_)) => return cannot_load(server, "the thread that loads is gone"),
        Either::Second(signal) => {
            follow(server, signal).await;
            return ExitCode::FAILURE;
        }
    }
    signal::set_loading(false);
    server.engine.condition.set_loading(false);
    server.persistence.loading.ended.notify_one();
    if let Some(worker) = Worker::new(&server.engine, 0) {
        tokio::task::spawn_local(Cron::new(Arc::clone(server), worker).run());
    }
    if tcp {
        banner::ready("tcp");
    }
    if unix {
        banner::ready("unix");
    }
    server.supervisor.ready();
    loop {
        let signal = end_wanted(server, signals.as_ref()).await;
        follow(server, signal).await;
    }
}

/// Accepts connections once the data set is loaded, or takes its time: whoever comes to a server with nothing
/// to load, or little, is not told that it is loading.
async fn let_in(server: Arc<Server>, listeners: Listeners) {
    const PATIENCE: Duration = Duration::from_millis(100);
    let loading = &server.persistence.loading;
    let takes_its_time = async {
        loading.begun.notified().await;
        tokio::time::sleep(PATIENCE).await;
    };
    either(loading.ended.notified(), takes_its_time).await;
    for listener in listeners.tcp {
        tokio::task::spawn_local(accept::accept_tcp(Arc::clone(&server), listener));
    }
    for listener in listeners.unix {
        tokio::task::spawn_local(accept::accept_unix(Arc::clone(&server), listener));
    }
}

/// The data set cannot be loaded: to serve without it, or to write over it, would be worse.
fn cannot_load(server: &Server, error: &str) -> ExitCode {
    if !server.config.lock().yes(id("appendonly")) {
        log_warning!("{error}");
        log_warning!("Terminating server after rdb file reading failure.");
    }
    // Whoever looks at the last line alone finds the reason there, too.
    log_warning!("Fatal error loading the DB: {error}. Exiting.");
    process::leave(1)
}

/// Loads what was saved, on a thread of its own.
fn load_data(server: &Arc<Server>) -> Result<oneshot::Receiver<Result<(), String>>, String> {
    signal::set_loading(true);
    let (done, loaded) = oneshot::channel();
    let server = Arc::clone(server);
    let load = move || drop(done.send(persistence::load(&server)));
    std::thread::Builder::new()
        .name("load".into())
        .spawn(load)
        .map_err(|error| format!("Can't start the thread that loads: {error}"))?;
    Ok(loaded)
}

enum Either<A, B> {
    First(A),
    Second(B),
}

/// Whichever is ready first.
async fn either<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut first, mut second) = (std::pin::pin!(first), std::pin::pin!(second));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(value) = first.as_mut().poll(cx) {
            return Poll::Ready(Either::First(value));
        }
        second.as_mut().poll(cx).map(Either::Second)
    })
    .await
}

/// Until a signal asks for the end of the server.
async fn end_wanted(server: &Server, signals: Option<&signal::Listener>) -> signal::Signal {
    /// How often a signal is looked at again while the cron stands still, and SHUTDOWN ABORT may come.
    const LOOK_AGAIN: Duration = Duration::from_millis(10);
    let Some(signals) = signals else { return std::future::pending().await };
    loop {
        let signal = match signals.shutdown().await {
            Ok(signal) => signal,
            Err(error) => {
                log_warning!("Signals cannot be waited for: {error}");
                return std::future::pending().await;
            }
        };
        while server.cron_paused.load(Ordering::Relaxed) && signal::shutdown_requested().is_some() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        if signal::shutdown_requested().is_some() {
            return signal;
        }
    }
}

/// Ends the process, once no script is in the way. Returns only if that cannot be done, or is no longer
/// wanted.
async fn follow(server: &Server, signal: signal::Signal) {
    /// How often it is tried while a script runs. Somebody may end that, or the shutdown (SHUTDOWN ABORT).
    const TRY_AGAIN: Duration = Duration::from_millis(100);
    let parameter = match signal {
        signal::Signal::Interrupt => id("shutdown-on-sigint"),
        signal::Signal::Terminate => id("shutdown-on-sigterm"),
    };
    let bits = server.config.lock().bits(parameter);
    let has = |flag: u32| bits & flag != 0;
    // As the parameter's words are numbered.
    let request = command::ShutdownRequest {
        save: has(1),
        nosave: has(2),
        now: has(4),
        force: has(8),
        abort: false,
    };
    let mut told = false;
    while persistence::stop(server, request) == CannotStop::Stalled {
        if !std::mem::replace(&mut told, true) {
            log_warning!("A script runs for too long: the server ends when the script has.");
        }
        tokio::time::sleep(TRY_AGAIN).await;
        if signal::shutdown_requested().is_none() {
            return;
        }
    }
    log_warning!("The signal cannot be followed: see above. Send it again to try once more.");
    signal::forget_shutdown();
}

/// Leaves. What was to be saved is saved, and nobody writes any more.
pub(crate) fn leave(server: &Server) -> ! {
    server.supervisor.stopping();
    // Who sees the end of its connection cannot connect again.
    for listener in &*server.listening.lock() {
        if let Err(error) = listener.shutdown(std::net::Shutdown::Both) {
            log_warning!("Closing a listening socket: {error}");
        }
    }
    let path = server.config.lock().text(id("unixsocket"));
    if !path.is_empty()
        && let Err(error) = disk::RealDisk.remove(Path::new(&path))
    {
        log_warning!("Removing the Unix socket {path}: {error}");
    }
    banner::bye(banner::Mode::Standalone);
    process::leave(0)
}
