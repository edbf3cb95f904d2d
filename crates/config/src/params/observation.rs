//! What the server tells: log, slow log, latency, keyspace events.

use crate::param::{
    Flags, INT, Kind, LONG, Param, Source, Unit, choice, events, flag, int, list, text,
};

const LEVELS: &[(&str, u32)] =
    &[("debug", 0), ("verbose", 1), ("notice", 2), ("warning", 3), ("nothing", 4)];
const FORMATS: &[(&str, u32)] = &[("legacy", 0), ("text", 0), ("logfmt", 1), ("json", 2)];
const STAMPS: &[(&str, u32)] = &[("legacy", 0), ("iso8601", 1), ("milliseconds", 2)];
const FACILITIES: &[(&str, u32)] = &[
    ("user", 8),
    ("local0", 128),
    ("local1", 136),
    ("local2", 144),
    ("local3", 152),
    ("local4", 160),
    ("local5", 168),
    ("local6", 176),
    ("local7", 184),
];

pub(super) const PARAMS: &[Param] = &[
    int(
        "commandlog-large-reply-max-len",
        (0, LONG, Unit::Count),
        "128",
        "Entries of the log of large replies.",
    )
    .of(Source::Valkey),
    int(
        "commandlog-large-request-max-len",
        (0, LONG, Unit::Count),
        "128",
        "Entries of the log of large requests.",
    )
    .of(Source::Valkey),
    int(
        "commandlog-reply-larger-than",
        (-1, LONG, Unit::Bytes),
        "1048576",
        "Size from which a reply is logged; -1 is never.",
    )
    .of(Source::Valkey),
    int(
        "commandlog-request-larger-than",
        (-1, LONG, Unit::Bytes),
        "1048576",
        "Size from which a request is logged; -1 is never.",
    )
    .of(Source::Valkey),
    flag("crash-log-enabled", "yes", "Write a report when the server crashes."),
    flag("crash-memcheck-enabled", "yes", "Test memory when the server crashes.")
        .idle("memory is not tested by a process that has just crashed"),
    int(
        "latency-monitor-threshold",
        (0, LONG, Unit::Milliseconds),
        "0",
        "Delay from which an event is kept for LATENCY; 0 is never.",
    ),
    flag("latency-tracking", "yes", "Keep distributions of command times."),
    list(
        "latency-tracking-info-percentiles",
        Kind::Percentiles,
        "50 99 99.9",
        "Percentiles shown by INFO latencystats.",
    )
    .with(Flags::ALWAYS_WRITTEN),
    choice(
        "log-format",
        FORMATS,
        "legacy",
        "Layout of log lines; text is another word for legacy.",
    )
    .of(Source::Valkey),
    choice("log-timestamp-format", STAMPS, "legacy", "Time in log lines.").of(Source::Valkey),
    text("logfile", "", "Log file; empty is standard output.").fixed(),
    choice("loglevel", LEVELS, "notice", "Least importance that is logged."),
    events("notify-keyspace-events", "Classes of events that are published, a letter each."),
    int(
        "slowlog-entry-max-argc",
        (2, INT, Unit::Count),
        "32",
        "Arguments kept in an entry of the slow log.",
    )
    .of(Source::Redis),
    int(
        "slowlog-entry-max-string-len",
        (1, LONG, Unit::Bytes),
        "128",
        "Bytes of an argument kept in an entry of the slow log.",
    )
    .of(Source::Redis),
    int(
        "slowlog-log-slower-than",
        (-1, LONG, Unit::Microseconds),
        "10000",
        "Time from which a command is logged; -1 is never.",
    )
    .alias(&["commandlog-execution-slower-than"]),
    int("slowlog-max-len", (0, LONG, Unit::Count), "128", "Entries of the slow log.")
        .alias(&["commandlog-slow-execution-max-len"]),
    flag("syslog-enabled", "no", "Log to syslog too.").fixed(),
    choice("syslog-facility", FACILITIES, "local0", "Facility of syslog entries.").fixed(),
    text("syslog-ident", "redis", "Name in syslog entries.").fixed(),
];
