//! From the parameter list to the typed settings of the hot path.

#[cfg(test)]
mod tests;

use command::{LogLimit, LogLimits, OutputLimits, Settings};
use config::{Config, Limit, ParamId, id};
use keyspace::{AccessClock, Dialect, EvictionPolicy};

const DATABASES: ParamId = id("databases");
const BULK: ParamId = id("proto-max-bulk-len");
const MAXMEMORY: ParamId = id("maxmemory");
const POLICY: ParamId = id("maxmemory-policy");
const SAMPLES: ParamId = id("maxmemory-samples");
const TENACITY: ParamId = id("maxmemory-eviction-tenacity");
const LFU_LOG: ParamId = id("lfu-log-factor");
const LFU_DECAY: ParamId = id("lfu-decay-time");
const TRACKING: ParamId = id("latency-tracking");
const PASSWORD: ParamId = id("requirepass");
const TRACKING_KEYS: ParamId = id("tracking-table-max-keys");
const EVENTS: ParamId = id("notify-keyspace-events");
const INLINE: ParamId = id("inline-commands");
const IMPORT: ParamId = id("import-mode");
const LAZY_EXPIRE: ParamId = id("lazyfree-lazy-expire");
const LAZY_EVICTION: ParamId = id("lazyfree-lazy-eviction");
const LAZY_DELETION: ParamId = id("lazyfree-lazy-server-del");
const RDB_VERSION: ParamId = id("rdb-version-check");
const CLIENTS: ParamId = id("maxmemory-clients");
const QUERY_LIMIT: ParamId = id("client-query-buffer-limit");
const BUSY: ParamId = id("busy-reply-threshold");
const BACKLOG: ParamId = id("repl-backlog-size");
const REPLICA_TIMEOUT: ParamId = id("repl-timeout");
const COMPRESSION: ParamId = id("rdbcompression");
const FORMAT: ParamId = id("rdb-format");
const DEBUG: ParamId = id("enable-debug-command");

/// From where on commands are logged; -1 is never.
fn log_limits(config: &Config) -> LogLimits {
    const SLOW: ParamId = id("slowlog-log-slower-than");
    const SLOW_ENTRIES: ParamId = id("slowlog-max-len");
    const REQUEST: ParamId = id("commandlog-request-larger-than");
    const REQUEST_ENTRIES: ParamId = id("commandlog-large-request-max-len");
    const REPLY: ParamId = id("commandlog-reply-larger-than");
    const REPLY_ENTRIES: ParamId = id("commandlog-large-reply-max-len");
    const WORDS: ParamId = id("slowlog-entry-max-argc");
    const WORD_BYTES: ParamId = id("slowlog-entry-max-string-len");
    let limit = |threshold, entries| LogLimit {
        threshold: u64::try_from(config.int(threshold)).ok(),
        entries_max: config.uint(entries) as usize,
    };
    LogLimits {
        slow: limit(SLOW, SLOW_ENTRIES),
        large_request: limit(REQUEST, REQUEST_ENTRIES),
        large_reply: limit(REPLY, REPLY_ENTRIES),
        words_max: config.uint(WORDS) as usize,
        word_bytes_max: config.uint(WORD_BYTES) as usize,
    }
}

/// `maxmemory-clients`, which may be a part of `maxmemory`; 0 is no limit. No limit is so small
/// that nobody could raise it; and one that nobody chose does not stand in the way of clients of a
/// small server.
fn clients_bytes_max(config: &Config) -> u64 {
    /// As in Redis.
    const LEAST: u64 = 128 << 10;
    const LEAST_BY_DEFAULT: u64 = 64 << 20;
    let least = if config.is_named(CLIENTS) { LEAST } else { LEAST_BY_DEFAULT };
    match (config.limit(CLIENTS), config.uint(MAXMEMORY)) {
        (Limit::Bytes(0), _) | (Limit::Percent(_), 0) => 0,
        (Limit::Bytes(bytes), _) => bytes.max(least),
        (Limit::Percent(percent), all) => {
            let part = u128::from(all) * u128::from(percent) / 100;
            u64::try_from(part).unwrap_or(u64::MAX).max(least)
        }
    }
}

/// The hot parameters of `config`.
pub(crate) fn settings(config: &Config) -> Settings {
    let [normal, replica, pubsub] = config.output_limits();
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
        databases: config.uint(DATABASES) as u32,
        bulk_bytes_max: config.uint(BULK),
        maxmemory: config.uint(MAXMEMORY),
        maxmemory_policy: policy,
        eviction: EvictionPolicy::from_name(policy),
        eviction_samples: config.uint(SAMPLES) as usize,
        eviction_tenacity: config.uint(TENACITY) as u32,
        access_clock,
        latency_tracking: config.yes(TRACKING),
        password_required: !config.bytes(PASSWORD).is_empty(),
        notify_events: config.bits(EVENTS),
        tracking_keys_max: config.uint(TRACKING_KEYS),
        durability_timeout_ms: config.uint(id("durability-timeout")),
        inline_commands: config.yes(INLINE),
        import_mode: config.yes(IMPORT),
        lazy_expire: config.yes(LAZY_EXPIRE),
        lazy_eviction: config.yes(LAZY_EVICTION),
        lazy_deletion: config.yes(LAZY_DELETION),
        rdb_relaxed: config.word(RDB_VERSION) == "relaxed",
        clients_bytes_max: clients_bytes_max(config),
        query_buffer_bytes_max: config.uint(QUERY_LIMIT),
        backlog_bytes: config.uint(BACKLOG),
        replica_timeout_ms: config.int(REPLICA_TIMEOUT).saturating_mul(1000),
        rdb_compression: config.yes(COMPRESSION),
        rdb_format: match config.word(FORMAT) {
            "redis-7.0" => Dialect::Redis70,
            "valkey-9.0" => Dialect::Valkey9,
            _ => Dialect::Common,
        },
        output: OutputLimits { normal, replica, pubsub },
        debug_command: match config.word(DEBUG) {
            "yes" => 2,
            "local" => 1,
            _ => 0,
        },
        busy_after_ms: config.uint(BUSY),
        command_log: log_limits(config),
        limits: command::limits(config),
    }
}
