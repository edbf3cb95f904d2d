//! Parameters that exist so that a test can see something happen slowly, or at all.

use crate::param::{INT, Param, Source, Unit, flag, int, optional, text};

pub(super) const PARAMS: &[Param] = &[
    flag("aof-disable-auto-gc", "no", "Leave files that the AOF no longer needs.").hidden(),
    int("client-default-resp", (2, 3, Unit::Count), "2", "Protocol version of a new connection.")
        .fixed()
        .hidden(),
    text("debug-context", "", "Text that crash reports repeat.").of(Source::Valkey).hidden(),
    flag("enable-debug-assert", "no", "Check invariants that are costly to check.")
        .fixed()
        .of(Source::Valkey)
        .hidden(),
    int(
        "events-per-io-thread",
        (0, INT, Unit::Count),
        "2",
        "Events that wake one more I/O thread.",
    )
    .of(Source::Valkey)
    .hidden()
    .idle("every thread waits for its own connections"),
    int(
        "key-load-delay",
        (-1 - INT, INT, Unit::Microseconds),
        "0",
        "Pause after each key loaded; below 0, keys per microsecond.",
    )
    .hidden(),
    int(
        "loading-process-events-interval-bytes",
        (1024, INT, Unit::Bytes),
        "2097152",
        "Bytes loaded between two looks at the clients.",
    )
    .hidden(),
    int(
        "rdb-key-save-delay",
        (-1 - INT, INT, Unit::Microseconds),
        "0",
        "Pause after each key saved; below 0, keys per microsecond.",
    )
    .hidden(),
    optional("req-res-logfile", "Log every request and reply here.")
        .fixed()
        .hidden()
        .idle("requests and replies are not logged"),
    flag("use-exit-on-panic", "no", "Exit instead of aborting when an invariant breaks.").hidden(),
    int(
        "watchdog-period",
        (0, INT, Unit::Milliseconds),
        "0",
        "Log where a command is that runs for so long; 0 is never.",
    )
    .hidden(),
];
