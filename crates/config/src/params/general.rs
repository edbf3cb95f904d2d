//! The process: where it runs, how it shows itself, how it ends.

use crate::param::{
    Flags, INT, Kind, Param, Source, Unit, choice, directive, flag, int, list, optional, text,
};
use crate::value;

const NO_CHILD: &str = "there are no child processes to place: snapshots and rewrites do not fork";

const SUPERVISED: &[(&str, u32)] = &[("upstart", 2), ("systemd", 3), ("auto", 1), ("no", 0)];
const SHUTDOWN: &[(&str, u32)] =
    &[("default", 0), ("save", 1), ("nosave", 2), ("now", 4), ("force", 8)];
const OOM_ADJUST: &[(&str, u32)] = &[("no", 0), ("yes", 1), ("relative", 1), ("absolute", 2)];

pub(super) const PARAMS: &[Param] = &[
    flag("always-show-logo", "no", "Print the logo at start even when the log is not a terminal.")
        .fixed(),
    optional("aof-rewrite-cpulist", "CPUs for the process that rewrites the AOF.")
        .fixed()
        .alias(&["aof_rewrite_cpulist"])
        .idle(NO_CHILD),
    optional("bgsave-cpulist", "CPUs for the process that saves a snapshot.")
        .fixed()
        .alias(&["bgsave_cpulist"])
        .idle(NO_CHILD),
    optional("bio-cpulist", "CPUs for the background threads.").fixed().alias(&["bio_cpulist"]),
    flag("daemonize", "no", "Run in the background.").fixed(),
    // The peers take any number. Here every shard counts each database from the start.
    int("databases", (1, 16_384, Unit::Count), "16", "Number of databases that SELECT can reach.")
        .fixed(),
    text("dir", "./", "Working directory: data files are made below it.")
        .with(Flags::PROTECTED)
        .with(Flags::DENY_LOADING)
        .with(Flags::ALWAYS_WRITTEN)
        .check(value::dir),
    flag("disable-thp", "yes", "Ask the kernel for no transparent huge pages in this process.")
        .fixed(),
    flag("dynamic-hz", "yes", "Run the timers more often when there are many clients.")
        .of(Source::Redis)
        .idle("timers cost nothing per idle client, so their rate need not follow the clients"),
    flag(
        "extended-redis-compatibility",
        "no",
        "Call the server Redis in every reply and log line.",
    )
    .of(Source::Valkey),
    int("hz", (0, INT, Unit::Hertz), "10", "How often the periodic work runs, 1 to 500.")
        .clamp(1, 500),
    text("ignore-warnings", "", "Warnings about the system that do not stop the start."),
    directive("include", 1, 1, "Read another file here; the name may be a glob pattern."),
    // The peers' default is one thread. Here every core serves commands unless told otherwise.
    int(
        "io-threads",
        (0, 256, Unit::Count),
        "0",
        "Threads that serve; 0 is one for each core, 1 the plain single-threaded server.",
    ),
    directive("loadmodule", 1, usize::MAX, "Load a native module.")
        .idle("native modules are not loaded"),
    choice(
        "oom-score-adj",
        OOM_ADJUST,
        "no",
        "Tell the kernel whom to kill first when memory runs out.",
    ),
    list(
        "oom-score-adj-values",
        Kind::OomScores,
        "0 200 800",
        "Scores for a primary, a replica and a background child.",
    ),
    optional("pidfile", "File that holds the process id while the server runs.").fixed(),
    text(
        "proc-title-template",
        "{title} {listen-addr} {server-mode}",
        "What the process list shows.",
    )
    .check(value::proc_title),
    directive("rename-command", 2, 2, "Give a command another name, or none."),
    directive("sentinel", 0, usize::MAX, "A line of the Sentinel's own configuration."),
    optional("server-cpulist", "CPUs for the threads that serve commands.")
        .fixed()
        .alias(&["server_cpulist"]),
    flag("set-proc-title", "yes", "Show the state in the process list.").fixed(),
    int(
        "shards",
        (0, 65536, Unit::Count),
        "0",
        "Number of keyspace shards, a power of two; 0 is several for each thread.",
    )
    .fixed()
    .of(Source::Almagre)
    .check(value::power_of_two_or_zero),
    list("shutdown-on-sigint", Kind::Set(SHUTDOWN), "default", "How SIGINT ends the server.")
        .check(value::shutdown),
    list("shutdown-on-sigterm", Kind::Set(SHUTDOWN), "default", "How SIGTERM ends the server.")
        .check(value::shutdown),
    int(
        "shutdown-timeout",
        (0, INT, Unit::Seconds),
        "10",
        "How long a shutdown waits for replicas to catch up.",
    ),
    choice("supervised", SUPERVISED, "no", "Report readiness to systemd or upstart.").fixed(),
];
