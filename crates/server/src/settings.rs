//! From the parameter list to the typed settings of the hot path.

use command::Settings;
use config::{Config, ParamId, id};
use keyspace::{AccessClock, EvictionPolicy};

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
const EVENTS: ParamId = id("notify-keyspace-events");
const INLINE: ParamId = id("inline-commands");
const QUERY_LIMIT: ParamId = id("client-query-buffer-limit");
const DEBUG: ParamId = id("enable-debug-command");

/// The hot parameters of `config`.
pub(crate) fn settings(config: &Config) -> Settings {
    let [normal, ..] = config.output_limits();
    let policy = config.word(POLICY);
    let access_clock = if policy.ends_with("lfu") {
        AccessClock::Lfu {
            log_factor: config.uint(LFU_LOG) as u32,
            decay_minutes: config.uint(LFU_DECAY) as u32,
        }
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
        inline_commands: config.yes(INLINE),
        query_buffer_bytes_max: config.uint(QUERY_LIMIT),
        output_bytes_max: normal.hard_bytes,
        output_bytes_soft: normal.soft_bytes,
        output_soft_seconds: normal.soft_seconds,
        debug_command: match config.word(DEBUG) {
            "yes" => 2,
            "local" => 1,
            _ => 0,
        },
    }
}

