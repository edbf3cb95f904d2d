//! Listeners, connections, and what a connection may hold.

use crate::param::{INT, Kind, LONG, Param, Source, UINT, Unit, flag, int, list, optional};

const BATCH: &str = "a batch is what one read brought, and is always prefetched";
const NO_RDMA: &str = "there is no RDMA transport";
const HANDOVER: &str = "the thread that reads a command executes it; nothing is handed over";

pub(super) const PARAMS: &[Param] = &[
    list(
        "bind",
        Kind::Words { max: 16 },
        "* -::*",
        "Addresses to listen on; a leading - makes one optional.",
    ),
    optional("bind-source-addr", "Local address of outgoing connections."),
    // Redis has no limit for normal clients; a reply of unbounded size is memory without an owner.
    list(
        "client-output-buffer-limit",
        Kind::OutputLimits,
        "normal 1gb 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
        "Unread replies at which a client is closed, by class of clients.",
    ),
    int(
        "client-query-buffer-limit",
        (1 << 20, LONG, Unit::Memory),
        "1gb",
        "Size of an unfinished request.",
    ),
    flag("inline-commands", "yes", "Accept requests as plain lines, as telnet sends them.")
        .of(Source::Almagre),
    flag("io-threads-always-active", "no", "Keep the I/O threads running without load.")
        .of(Source::Valkey)
        .hidden()
        .idle("idle threads sleep"),
    int("lookahead", (1, INT, Unit::Count), "16", "Commands parsed ahead of the one that runs.")
        .of(Source::Redis)
        .idle(BATCH),
    int(
        "max-new-connections-per-cycle",
        (1, 1000, Unit::Count),
        "10",
        "New connections taken before others are served again.",
    ),
    int(
        "max-new-tls-connections-per-cycle",
        (1, 1000, Unit::Count),
        "1",
        "New TLS connections taken before others are served again.",
    ),
    int("maxclients", (1, UINT, Unit::Count), "10000", "Connections at the same time."),
    int(
        "maxmemory-clients",
        (-100, LONG, Unit::MemoryOrPercent),
        "5%",
        "Memory of all clients, at least 128kb; above it the largest are closed. 0 is no limit.",
    ),
    int(
        "min-io-threads-avoid-copy-reply",
        (0, INT, Unit::Count),
        "7",
        "Threads from which large replies are sent without a copy.",
    )
    .of(Source::Valkey)
    .hidden()
    .idle(HANDOVER),
    int(
        "min-string-size-avoid-copy-reply",
        (0, INT, Unit::Bytes),
        "16384",
        "Size from which a reply is sent without a copy.",
    )
    .of(Source::Valkey)
    .hidden()
    .idle(HANDOVER),
    int(
        "min-string-size-avoid-copy-reply-threaded",
        (0, INT, Unit::Bytes),
        "65536",
        "The same with several threads.",
    )
    .of(Source::Valkey)
    .hidden()
    .idle(HANDOVER),
    flag("mptcp", "no", "Listen with multipath TCP.")
        .fixed()
        .of(Source::Valkey)
        .idle("multipath TCP is not used"),
    int("port", (0, 65535, Unit::Count), "6379", "TCP port; 0 is none."),
    int(
        "prefetch-batch-max-size",
        (0, 128, Unit::Count),
        "16",
        "Commands whose keys are prefetched together.",
    )
    .of(Source::Valkey)
    .idle(BATCH),
    flag("protected-mode", "yes", "Without a password, serve only clients of this machine."),
    int(
        "proto-max-bulk-len",
        (1 << 20, LONG, Unit::Memory),
        "512mb",
        "Size of one argument, and of a string value.",
    ),
    list("rdma-bind", Kind::Words { max: 16 }, "\"\"", "Addresses to listen on with RDMA.")
        .of(Source::Valkey)
        .idle(NO_RDMA),
    int(
        "rdma-completion-vector",
        (-1, 1024, Unit::Count),
        "-1",
        "Completion vector of RDMA connections.",
    )
    .fixed()
    .of(Source::Valkey)
    .idle(NO_RDMA),
    int("rdma-port", (0, 65535, Unit::Count), "0", "RDMA port; 0 is none.")
        .of(Source::Valkey)
        .idle(NO_RDMA),
    int(
        "rdma-rx-size",
        (64 << 10, 16 << 20, Unit::Bytes),
        "1048576",
        "Receive buffer of an RDMA connection.",
    )
    .fixed()
    .of(Source::Valkey)
    .idle(NO_RDMA),
    int("socket-mark-id", (0, UINT, Unit::Count), "0", "Mark on packets sent, for the firewall.")
        .fixed(),
    int(
        "tcp-backlog",
        (0, INT, Unit::Count),
        "511",
        "Connections the kernel may hold before they are taken.",
    )
    .fixed(),
    int(
        "tcp-keepalive",
        (0, INT, Unit::Seconds),
        "300",
        "How often TCP asks a silent client for a sign of life.",
    ),
    int(
        "timeout",
        (0, INT, Unit::Seconds),
        "0",
        "Close a client that has been idle for so long; 0 is never.",
    ),
    int(
        "tracking-table-max-keys",
        (0, LONG, Unit::Count),
        "1000000",
        "Keys remembered for client side caching; 0 is no limit.",
    ),
    optional("unixsocket", "Path of a Unix socket to listen on.").fixed(),
    optional("unixsocketgroup", "Group that owns the Unix socket.").fixed().of(Source::Valkey),
    int(
        "unixsocketperm",
        (0, 0o777, Unit::Mode),
        "0",
        "Mode of the Unix socket, in octal; 0 leaves it.",
    )
    .fixed(),
];
