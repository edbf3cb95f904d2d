//! Parameters that are read on the hot path, typed. Rebuilt from `config` when it changes and
//! shared by pointer, so that reading one is a load.

use crate::OutputLimits;
use config::{Config, ParamId, id};

/// One consistent set of hot parameters.
#[derive(Clone, Debug)]
pub struct Settings {
    pub databases: u32,
    /// Bytes; no string may grow past it (`proto-max-bulk-len`).
    pub bulk_bytes_max: u64,
    /// Bytes; 0 means no limit.
    pub maxmemory: u64,
    /// Name of the policy, as CONFIG GET prints it.
    pub maxmemory_policy: &'static str,
    /// The same, parsed; `None` is `noeviction`.
    pub eviction: Option<keyspace::EvictionPolicy>,
    /// `maxmemory-samples`.
    pub eviction_samples: usize,
    /// `maxmemory-eviction-tenacity`: 0 to 100.
    pub eviction_tenacity: u32,
    /// How accesses are recorded; follows the policy.
    pub access_clock: keyspace::AccessClock,
    /// Whether durations go to the latency histograms (`latency-tracking`).
    pub latency_tracking: bool,
    /// A password is asked for before anything else.
    pub password_required: bool,
    /// `notify-keyspace-events`, as a bit set of classes.
    pub notify_events: u32,
    /// Keys of the tracking table (`tracking-table-max-keys`); 0 means no limit.
    pub tracking_keys_max: u64,
    /// `durability-timeout`: how long a reply waits for the disk.
    pub durability_timeout_ms: u64,
    /// `inline-commands`.
    pub inline_commands: bool,
    /// `import-mode`: what has expired is kept until the import source deletes it.
    pub import_mode: bool,
    /// `lazyfree-lazy-expire`: what expired is told to the journal as UNLINK, not DEL.
    pub lazy_expire: bool,
    /// `lazyfree-lazy-eviction`: the same of what is evicted.
    pub lazy_eviction: bool,
    /// `lazyfree-lazy-server-del`: what empties a key is told to the journal as UNLINK, not DEL.
    pub lazy_deletion: bool,
    /// `rdb-version-check relaxed`: payloads of versions that nobody here knows are tried.
    pub rdb_relaxed: bool,
    /// Bytes of unparsed input a client may pile up.
    pub query_buffer_bytes_max: u64,
    /// Bytes that all normal clients may take together (`maxmemory-clients`); 0 means no limit.
    pub clients_bytes_max: u64,
    /// Bytes of the log kept for replicas that come back (`repl-backlog-size`).
    pub backlog_bytes: u64,
    /// `repl-timeout`, in milliseconds.
    pub replica_timeout_ms: i64,
    /// `rdbcompression`.
    pub rdb_compression: bool,
    /// `rdb-format`.
    pub rdb_format: keyspace::Dialect,
    /// How much clients may leave unread (`client-output-buffer-limit`).
    pub output: OutputLimits,
    /// `enable-debug-command`: whether DEBUG may be called: 0 no, 1 local, 2 yes.
    pub debug_command: u8,
    /// Milliseconds that a script may run before others are told BUSY (`busy-reply-threshold`); 0: no
    /// limit.
    pub busy_after_ms: u64,
    /// Which commands go to the log of commands.
    pub command_log: crate::LogLimits,
    /// Where collections change shape.
    pub limits: types::Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            databases: 16,
            bulk_bytes_max: 512 << 20,
            maxmemory: 0,
            maxmemory_policy: "noeviction",
            eviction: None,
            eviction_samples: 5,
            eviction_tenacity: 10,
            access_clock: keyspace::AccessClock::Lru,
            latency_tracking: true,
            password_required: false,
            notify_events: 0,
            tracking_keys_max: 1_000_000,
            durability_timeout_ms: 5000,
            inline_commands: true,
            import_mode: false,
            lazy_expire: true,
            lazy_eviction: true,
            lazy_deletion: true,
            rdb_relaxed: false,
            query_buffer_bytes_max: 1 << 30,
            clients_bytes_max: 0,
            backlog_bytes: 64 << 20,
            replica_timeout_ms: 60_000,
            rdb_compression: true,
            rdb_format: keyspace::Dialect::Common,
            output: OutputLimits::default(),
            debug_command: 0,
            busy_after_ms: 5000,
            command_log: crate::LogLimits::default(),
            limits: types::Limits::default(),
        }
    }
}

/// The command by which the journal is told that a key went of itself. Nothing is freed in the
/// foreground here, whatever it is called.
pub fn deletion(lazy: bool) -> &'static [u8] {
    if lazy { b"UNLINK" } else { b"DEL" }
}

/// Where collections change shape, by `config`. The seed is the engine's to put in.
pub fn limits(config: &Config) -> types::Limits {
    const HASH_ENTRIES: ParamId = id("hash-max-listpack-entries");
    const HASH_VALUE: ParamId = id("hash-max-listpack-value");
    const SET_INTSET: ParamId = id("set-max-intset-entries");
    const SET_ENTRIES: ParamId = id("set-max-listpack-entries");
    const SET_VALUE: ParamId = id("set-max-listpack-value");
    const ZSET_ENTRIES: ParamId = id("zset-max-listpack-entries");
    const ZSET_VALUE: ParamId = id("zset-max-listpack-value");
    const LIST: ParamId = id("list-max-listpack-size");
    const STREAM_BYTES: ParamId = id("stream-node-max-bytes");
    const STREAM_ENTRIES: ParamId = id("stream-node-max-entries");
    const IDMP_SECONDS: ParamId = id("stream-idmp-duration");
    const IDMP_NAMES: ParamId = id("stream-idmp-maxsize");
    const HLL: ParamId = id("hll-sparse-max-bytes");
    let size = |param| usize::try_from(config.int(param)).unwrap_or(0);
    types::Limits {
        hash_entries: size(HASH_ENTRIES),
        hash_value_bytes: size(HASH_VALUE),
        set_intset_entries: size(SET_INTSET),
        set_entries: size(SET_ENTRIES),
        set_value_bytes: size(SET_VALUE),
        zset_entries: size(ZSET_ENTRIES),
        zset_value_bytes: size(ZSET_VALUE),
        list_size: config.int(LIST) as i32,
        stream_node_bytes: size(STREAM_BYTES),
        stream_node_entries: size(STREAM_ENTRIES),
        stream_memory: types::stream::Memory {
            seconds: config.int(IDMP_SECONDS) as u32,
            names_max: config.int(IDMP_NAMES) as u32,
        },
        hll_sparse_bytes: size(HLL),
        ..types::Limits::default()
    }
}
