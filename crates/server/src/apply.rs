//! What parameters mean beside the settings of the hot path: at start, and when CONFIG SET changes
//! them. Parameters that are read where they are used (`timeout`, `hz`, `maxclients` on accepting)
//! need nothing here.

use crate::node::Server;
use config::{Config, Value, id};
use net::{Endpoint, Unbound};
use runtime::process::limits::{self, OomMode};
use runtime::process::{banner, crash, title};
use runtime::{log, log_warning, sysinfo};
use std::path::Path;

/// Puts a changed parameter to work. The text of an error is the client's.
pub(crate) fn apply(server: &Server, config: &mut Config, name: &str) -> Result<(), String> {
    match name {
        "io-threads" => {
            let Some(pool) = server.pool.get() else { return Ok(()) };
            pool.resize(crate::start::threads(config))
                .map_err(|error| format!("Unable to start threads: {error}"))
        }
        "loglevel" | "log-format" | "log-timestamp-format" | "hide-user-data-from-log" => {
            set_log(config);
            Ok(())
        }
        "maxclients" => raise_maxclients(config),
        "port" => rebind(server, config)
            .map_err(|()| "Unable to listen on this port. Check server logs.".into()),
        "bind" => {
            rebind(server, config).map_err(|()| "Failed to bind to specified addresses.".into())
        }
        "crash-log-enabled" => crash::set_enabled(config.yes(id("crash-log-enabled")))
            .map_err(|error| format!("Signal handlers cannot be changed: {error}")),
        "use-exit-on-panic" => {
            crash::set_exits_on_panic(config.yes(id("use-exit-on-panic")));
            Ok(())
        }
        "proc-title-template" => {
            show_title(server, config);
            Ok(())
        }
        "oom-score-adj" | "oom-score-adj-values" => apply_oom_score(server, config).map_err(|_| {
            "Failed to apply new oom_score_adj configuration, check server logs.".into()
        }),
        "locale-collate" if !sysinfo::has_locale(&config.text(id("locale-collate"))) => {
            Err("Invalid locale name".into())
        }
        "jemalloc-bg-thread" => {
            set_allocator_threads(config);
            Ok(())
        }
        "watchdog-period" => {
            crash::watch(watchdog_ms(config));
            Ok(())
        }
        "dir" => {
            enter_dir(config)?;
            crate::persistence::log::dir_changed(server);
            Ok(())
        }
        "save" | "stop-writes-on-bgsave-error" => {
            crate::persistence::judge(server, config);
            Ok(())
        }
        "min-replicas-to-write" | "min-replicas-max-lag" => {
            crate::replication::judge(server, config);
            Ok(())
        }
        "appendonly" => crate::persistence::log::apply_appendonly(server, config),
        "appendfsync"
        | "write-durability"
        | "no-appendfsync-on-rewrite"
        | "aof-timestamp-enabled"
        | "aof-annotations"
        | "aof-disable-auto-gc" => {
            crate::persistence::log::apply_policy(server, config);
            Ok(())
        }
        "tls-port" if config.uint(id("tls-port")) != 0 => {
            Err("this version does not speak TLS".into())
        }
        _ => Ok(()),
    }
}

/// `loglevel` and the log's form.
pub(crate) fn set_log(config: &Config) {
    log::set_threshold(match config.word(id("loglevel")) {
        "debug" => log::Threshold::Debug,
        "verbose" => log::Threshold::Verbose,
        "warning" => log::Threshold::Warning,
        "nothing" => log::Threshold::Nothing,
        _ => log::Threshold::Notice,
    });
    let format = match config.word(id("log-format")) {
        "json" => log::Format::Json,
        "logfmt" => log::Format::Logfmt,
        _ => log::Format::Legacy,
    };
    let timestamp = match config.word(id("log-timestamp-format")) {
        "iso8601" => log::Timestamp::Iso8601,
        "milliseconds" => log::Timestamp::Milliseconds,
        _ => log::Timestamp::Legacy,
    };
    log::set_format(format, timestamp);
    log::set_hides_user_data(config.yes(id("hide-user-data-from-log")));
}

/// Puts the log where the configuration says, before there are threads.
pub(crate) fn open_log(config: &Config) -> Result<(), String> {
    set_log(config);
    let file = config.text(id("logfile"));
    log::set_file(&file).map_err(|error| format!("Can't open the log file {file}: {error}"))?;
    if !config.yes(id("syslog-enabled")) {
        return Ok(());
    }
    let facility = match config.word(id("syslog-facility")).strip_prefix("local") {
        Some(number) => log::Facility::Local(number.parse().unwrap_or(0)),
        None => log::Facility::User,
    };
    log::set_syslog(&config.text(id("syslog-ident")), facility)
        .map_err(|error| format!("Can't open syslog: {error}"))
}

/// Enters `dir`, which is known by its absolute path from then on.
pub(crate) fn enter_dir(config: &mut Config) -> Result<(), String> {
    let dir = config.text(id("dir"));
    std::env::set_current_dir(&dir).map_err(|error| format!("Can't chdir to '{dir}': {error}"))?;
    if let Ok(path) = std::env::current_dir() {
        config.replace(id("dir"), Value::Text(path.into_os_string().into_encoded_bytes()));
    }
    Ok(())
}

/// Descriptors for more clients. Fewer need nothing: who is connected stays.
fn raise_maxclients(config: &Config) -> Result<(), String> {
    let wanted = config.uint(id("maxclients")).min(u64::from(u32::MAX)) as u32;
    match limits::raise_open_files(wanted) {
        Some(reached) if reached >= wanted => Ok(()),
        reached => Err(format!(
            "The operating system is not able to handle the specified number of clients, try with {}",
            reached.unwrap_or(1)
        )),
    }
}

/// Where to listen for TCP, as `port` and `bind` say.
pub(crate) fn tcp_endpoints(config: &Config) -> Vec<Endpoint> {
    let port = config.uint(id("port")) as u16;
    let all = config
        .words(id("bind"))
        .iter()
        .map(|bind| Endpoint::Tcp { bind: String::from_utf8_lossy(bind).into_owned(), port });
    if port == 0 { Vec::new() } else { all.collect() }
}

/// Closes the TCP listeners and opens those that `config` names. On an error none is open: CONFIG
/// SET then puts the old values back and comes here again.
fn rebind(server: &Server, config: &Config) -> Result<(), ()> {
    let mut open = server.listening.lock();
    for socket in open.drain(..) {
        // Ends the listening at once, whoever waits in accept; that task then closes the socket.
        if let Err(error) = socket.shutdown(std::net::Shutdown::Both) {
            log_warning!("Closing a listener: {error}");
        }
    }
    let backlog = config.int(id("tcp-backlog")) as i32;
    let listeners = net::bind_all(&tcp_endpoints(config), backlog)
        .map_err(|error| log_warning!("Warning: {error}"))?;
    for socket in listeners.tcp {
        match socket.try_clone() {
            Ok(twin) => open.push(twin),
            Err(error) => {
                log_warning!("Keeping a listener: {error}");
                return Err(());
            }
        }
        // The main loop is gone only when the process ends.
        drop(server.new_listeners.send(socket));
    }
    show_title(server, config);
    Ok(())
}

/// `set-proc-title` and `proc-title-template`.
pub(crate) fn show_title(server: &Server, config: &Config) {
    if !config.yes(id("set-proc-title")) {
        return;
    }
    let port = config.uint(id("port")) as u16;
    let socket = config.text(id("unixsocket"));
    let bind = config.words(id("bind")).first();
    let host = bind.map_or_else(|| "*".into(), |bind| String::from_utf8_lossy(bind).into_owned());
    let listen =
        if port != 0 { format!("{}:{port}", host.trim_start_matches('-')) } else { socket.clone() };
    let file = server.config_file.as_ref().map(|file| file.display().to_string());
    let program = title::args().first().map_or("almagre".into(), |name| name.to_string_lossy());
    let variables = title::Variables {
        title: &program,
        listen_addr: &listen,
        server_mode: "",
        port,
        tls_port: 0,
        unixsocket: &socket,
        config_file: file.as_deref().unwrap_or("-"),
    };
    let template = config.text(id("proc-title-template"));
    if let Some(shown) = title::expand(&template, &variables)
        && let Err(error) = title::set(&shown)
    {
        log_warning!("The process title cannot be set: {error}");
    }
}

pub(crate) fn apply_oom_score(server: &Server, config: &Config) -> std::io::Result<()> {
    let mode = match config.word(id("oom-score-adj")) {
        "no" => OomMode::No,
        "absolute" => OomMode::Absolute,
        _ => OomMode::Relative,
    };
    let [primary, ..] = config.oom_scores();
    server.oom_score.lock().apply(mode, primary)
}

/// `jemalloc-bg-thread`.
pub(crate) fn set_allocator_threads(config: &Config) {
    let on = config.yes(id("jemalloc-bg-thread"));
    if let Some(allocator) = sysinfo::allocator()
        && !allocator.purge_in_background(on)
    {
        log_warning!("The allocator's threads cannot be started or stopped.");
    }
}

/// `watchdog-period`, no shorter than two ticks of the cron, which feeds the watchdog. 0: off.
pub(crate) fn watchdog_ms(config: &Config) -> u32 {
    let period = config.uint(id("watchdog-period"));
    let ticks = 2000 / config.uint(id("hz")).clamp(1, 500);
    if period == 0 { 0 } else { period.max(ticks).min(u64::from(u32::MAX)) as u32 }
}

/// Opens the listeners at start.
///
/// # Errors
/// A text for the end of the start; what is wrong is in the log.
pub(crate) fn listen(config: &Config) -> Result<net::Listeners, String> {
    let mut endpoints = tcp_endpoints(config);
    let path = config.text(id("unixsocket"));
    if !path.is_empty() {
        let mode = config.uint(id("unixsocketperm")) as u32;
        let group = group_id(&config.text(id("unixsocketgroup")))?;
        endpoints.push(Endpoint::Unix { path, mode, group });
    }
    let listeners = net::bind_all(&endpoints, config.int(id("tcp-backlog")) as i32).map_err(
        |error| match error {
            Unbound::Tcp(error) => {
                log_warning!("Warning: {error}");
                banner::listen_failed(config.uint(id("port")) as u16, "tcp");
                "Configuring the listeners failed, exiting.".to_owned()
            }
            Unbound::Unix(error) => error,
        },
    )?;
    if listeners.tcp.is_empty() && listeners.unix.is_empty() {
        return Err("Configured to not listen anywhere, exiting.".into());
    }
    Ok(listeners)
}

/// The number of a group, given by name (of `/etc/group`) or number; an empty name is none.
fn group_id(name: &str) -> Result<Option<u32>, String> {
    /// No group file is longer.
    const BYTES_MAX: usize = 16 << 20;
    if name.is_empty() {
        return Ok(None);
    }
    let file = disk::read(&disk::RealDisk, Path::new("/etc/group"), BYTES_MAX).unwrap_or_default();
    let file = String::from_utf8_lossy(&file);
    let named = file.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        fields.nth(1).filter(|_| is_it)?.parse().ok()
    });
    named
        .or_else(|| name.parse().ok())
        .map(Some)
        .ok_or_else(|| format!("Failed finding group '{name}' of 'unixsocketgroup'"))
}
