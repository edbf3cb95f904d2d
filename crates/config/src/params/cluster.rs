//! Cluster mode.

use crate::param::{INT, LONG, Param, Source, ULONG, Unit, choice, flag, int, optional, text};
use crate::value;

const ENDPOINT: &[(&str, u32)] = &[("ip", 0), ("hostname", 1), ("unknown-endpoint", 2)];
const SAVE_BEHAVIOR: &[(&str, u32)] = &[("sync", 0), ("best-effort", 1)];

pub(super) const PARAMS: &[Param] = &[
    flag(
        "cluster-allow-pubsubshard-when-down",
        "yes",
        "Serve sharded channels while the cluster is down.",
    ),
    flag("cluster-allow-reads-when-down", "no", "Serve reads while the cluster is down."),
    flag(
        "cluster-allow-replica-migration",
        "yes",
        "Let replicas move to primaries that have none.",
    ),
    int(
        "cluster-announce-bus-port",
        (0, 65535, Unit::Count),
        "0",
        "Bus port told to others; 0 is the real one.",
    ),
    optional("cluster-announce-client-ipv4", "IPv4 address told to clients.")
        .of(Source::Valkey)
        .check(value::ipv4),
    optional("cluster-announce-client-ipv6", "IPv6 address told to clients.")
        .of(Source::Valkey)
        .check(value::ipv6),
    int(
        "cluster-announce-client-port",
        (0, 65535, Unit::Count),
        "0",
        "Port told to clients; 0 is the real one.",
    )
    .of(Source::Valkey),
    int(
        "cluster-announce-client-tls-port",
        (0, 65535, Unit::Count),
        "0",
        "TLS port told to clients; 0 is the real one.",
    )
    .of(Source::Valkey),
    optional("cluster-announce-hostname", "Host name told to others.").check(value::host_name),
    optional("cluster-announce-human-nodename", "Name for people, in logs.")
        .check(value::node_name),
    optional("cluster-announce-ip", "Address told to others."),
    int(
        "cluster-announce-port",
        (0, 65535, Unit::Count),
        "0",
        "Port told to others; 0 is the real one.",
    ),
    int(
        "cluster-announce-tls-port",
        (0, 65535, Unit::Count),
        "0",
        "TLS port told to others; 0 is the real one.",
    ),
    // Valkey's upper bound is the largest unsigned number, which its signed check turns into -1.
    int(
        "cluster-blacklist-ttl",
        (0, LONG, Unit::Seconds),
        "60",
        "How long a forgotten node is not taken back.",
    )
    .of(Source::Valkey),
    int(
        "cluster-compatibility-sample-ratio",
        (0, 100, Unit::Percent),
        "0",
        "Share of commands checked for whether a cluster could run them.",
    )
    .of(Source::Redis),
    text(
        "cluster-config-file",
        "nodes.conf",
        "File in which the node keeps what it knows of the cluster.",
    )
    .fixed()
    .check(value::cluster_file),
    choice(
        "cluster-config-save-behavior",
        SAVE_BEHAVIOR,
        "sync",
        "Whether a failure to write that file ends the server.",
    )
    .of(Source::Valkey),
    int("cluster-databases", (1, INT, Unit::Count), "1", "Number of databases in cluster mode.")
        .fixed()
        .of(Source::Valkey),
    flag("cluster-enabled", "no", "Run as a node of a cluster.").fixed(),
    int(
        "cluster-link-sendbuf-limit",
        (0, ULONG, Unit::Memory),
        "0",
        "Unsent bytes of a link at which it is cut; 0 is no limit.",
    ),
    int(
        "cluster-manual-failover-timeout",
        (1, INT, Unit::Milliseconds),
        "5000",
        "How long a manual failover may take.",
    )
    .of(Source::Valkey),
    int(
        "cluster-message-gossip-perc",
        (1, 100, Unit::Percent),
        "10",
        "Share of nodes that a ping tells of.",
    )
    .of(Source::Valkey)
    .hidden(),
    int(
        "cluster-migration-barrier",
        (0, INT, Unit::Count),
        "1",
        "Replicas a primary keeps when one moves away.",
    ),
    int(
        "cluster-node-timeout",
        (0, LONG, Unit::Milliseconds),
        "15000",
        "Silence after which a node is suspected.",
    ),
    int(
        "cluster-ping-interval",
        (0, LONG, Unit::Milliseconds),
        "0",
        "Time between pings; 0 follows from the timeout.",
    )
    .hidden(),
    int(
        "cluster-port",
        (0, 65535, Unit::Count),
        "0",
        "Port of the bus; 0 is the data port plus 10000.",
    )
    .fixed(),
    choice(
        "cluster-preferred-endpoint-type",
        ENDPOINT,
        "ip",
        "What clients are told to connect to.",
    ),
    flag("cluster-replica-no-failover", "no", "Never take the primary's place without being told.")
        .alias(&["cluster-slave-no-failover"]),
    int(
        "cluster-replica-validity-factor",
        (0, INT, Unit::Count),
        "10",
        "How old a replica's data may be when it stands for election; 0 is any age.",
    )
    .alias(&["cluster-slave-validity-factor"]),
    flag("cluster-require-full-coverage", "yes", "Serve nothing while a slot has no node."),
    int(
        "cluster-slot-migration-handoff-max-lag-bytes",
        (0, LONG, Unit::Memory),
        "1mb",
        "Lag at which a moving slot's writes are paused for hand-over.",
    )
    .of(Source::Redis),
    int(
        "cluster-slot-migration-log-max-len",
        (0, LONG, Unit::Count),
        "1000",
        "Finished slot migrations remembered.",
    )
    .of(Source::Valkey),
    int(
        "cluster-slot-migration-max-archived-tasks",
        (1, INT, Unit::Count),
        "32",
        "Finished slot migrations remembered.",
    )
    .of(Source::Redis)
    .hidden(),
    int(
        "cluster-slot-migration-write-pause-timeout",
        (0, LONG, Unit::Milliseconds),
        "10000",
        "How long writes to a moving slot are paused at most.",
    )
    .of(Source::Redis),
    flag("cluster-slot-stats-enabled", "no", "Count CPU and bytes by slot."),
    int(
        "slot-migration-max-failover-repl-bytes",
        (-1, LONG, Unit::Memory),
        "0",
        "Lag at which a moving slot is handed over; -1 is any.",
    )
    .of(Source::Valkey),
];
