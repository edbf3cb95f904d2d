//! Primaries and replicas.

use crate::param::{
    Flags, INT, Kind, LONG, Param, Source, Unit, choice, flag, int, list, optional, text,
};

const DISKLESS_LOAD: &[(&str, u32)] =
    &[("disabled", 0), ("on-empty-db", 1), ("swapdb", 2), ("flush-before-load", 3)];
const OWN_CHANNEL: &str =
    "a full synchronization always has its own channel where the other side can";

pub(super) const PARAMS: &[Param] = &[
    text("availability-zone", "", "Zone this server runs in, told to clients.").of(Source::Valkey),
    flag(
        "dual-channel-replication-enabled",
        "no",
        "Send the data set of a full synchronization on its own connection.",
    )
    .of(Source::Valkey),
    flag("import-mode", "no", "Keep expired keys while data is imported from another server.")
        .of(Source::Valkey),
    // Redis's names are primary, since Valkey knows them too and Redis does not know Valkey's.
    optional("masterauth", "Password shown to the primary.")
        .alias(&["primaryauth"])
        .with(Flags::SENSITIVE),
    optional("masteruser", "User shown to the primary.")
        .alias(&["primaryuser"])
        .with(Flags::SENSITIVE),
    int(
        "min-replicas-max-lag",
        (0, INT, Unit::Seconds),
        "10",
        "Silence after which a replica no longer counts; 0 turns `min-replicas-to-write` off.",
    )
    .alias(&["min-slaves-max-lag"]),
    int(
        "min-replicas-to-write",
        (0, INT, Unit::Count),
        "0",
        "Replicas without which writes are refused.",
    )
    .alias(&["min-slaves-to-write"]),
    // Redis: 1mb, Valkey: 10mb. A second of a fast primary is more than either.
    int(
        "repl-backlog-size",
        (1, LONG, Unit::Memory),
        "64mb",
        "Journal kept for replicas that come back.",
    )
    .clamp(16 << 10, LONG),
    int(
        "repl-backlog-ttl",
        (0, LONG, Unit::Seconds),
        "3600",
        "How long it is kept without a replica; 0 is for ever.",
    ),
    flag("repl-disable-tcp-nodelay", "no", "Collect small packets to replicas."),
    choice(
        "repl-diskless-load",
        DISKLESS_LOAD,
        "disabled",
        "Load a primary's data set from the socket.",
    )
    .with(Flags::DENY_LOADING),
    flag("repl-diskless-sync", "yes", "Send a data set without writing it to disk first."),
    int(
        "repl-diskless-sync-delay",
        (0, INT, Unit::Seconds),
        "5",
        "Wait for more replicas before sending.",
    ),
    int(
        "repl-diskless-sync-max-replicas",
        (0, INT, Unit::Count),
        "0",
        "Replicas that end the wait; 0 is no number.",
    ),
    flag("repl-mptcp", "no", "Use multipath TCP towards the primary.")
        .fixed()
        .of(Source::Valkey)
        .idle("multipath TCP is not used"),
    int(
        "repl-ping-replica-period",
        (1, INT, Unit::Seconds),
        "10",
        "How often replicas are pinged.",
    )
    .alias(&["repl-ping-slave-period"]),
    flag(
        "repl-rdb-channel",
        "yes",
        "Send the data set of a full synchronization on its own connection.",
    )
    .of(Source::Redis)
    .hidden()
    .idle(OWN_CHANNEL),
    int(
        "repl-timeout",
        (1, INT, Unit::Seconds),
        "60",
        "Silence after which the other side is given up.",
    ),
    optional("replica-announce-ip", "Address told to the primary.").alias(&["slave-announce-ip"]),
    int(
        "replica-announce-port",
        (0, 65535, Unit::Count),
        "0",
        "Port told to the primary; 0 is the real one.",
    )
    .alias(&["slave-announce-port"]),
    flag("replica-announced", "yes", "Let Sentinel name this replica to clients."),
    int(
        "replica-full-sync-buffer-limit",
        (0, LONG, Unit::Memory),
        "0",
        "Journal a replica keeps while it loads; 0 is the output limit of replicas.",
    )
    .of(Source::Redis),
    flag(
        "replica-ignore-disk-write-errors",
        "no",
        "Go on when the journal of the primary cannot be written.",
    ),
    flag("replica-ignore-maxmemory", "yes", "Leave eviction to the primary.")
        .alias(&["slave-ignore-maxmemory"]),
    // Lazy freeing is the default since Valkey 8.0.
    flag("replica-lazy-flush", "yes", "Free the old data set in the background.")
        .alias(&["slave-lazy-flush"]),
    int(
        "replica-priority",
        (0, INT, Unit::Count),
        "100",
        "Rank for Sentinel; lower goes first, 0 never.",
    )
    .alias(&["slave-priority"]),
    flag("replica-read-only", "yes", "Refuse writes on a replica.").alias(&["slave-read-only"]),
    flag("replica-serve-stale-data", "yes", "Serve reads without a link to the primary.")
        .alias(&["slave-serve-stale-data"]),
    list("replicaof", Kind::Primary, "no one", "Address and port of the primary.")
        .alias(&["slaveof"])
        .fixed(),
];
