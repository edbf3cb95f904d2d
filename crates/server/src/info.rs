//! INFO: sections in Redis's layout and with its field names, which exporters and tools read by
//! name. Fields of parts that do not exist here say so by their neutral value.

use crate::node::Server;
use command::{ClientFlags, Node, PauseMode, REDIS_VERSION, VERSION};
use config::{ParamId, id};
use durability::aof;
use engine::Histogram;
use runtime::{clock, sysinfo};
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// Writes one section.
type Section = fn(&Server, &mut String);

/// Sections in their order; the flag says whether plain INFO prints it.
const SECTIONS: &[(&str, bool, Section)] = &[
    ("server", true, server),
    ("clients", true, clients),
    ("memory", true, memory),
    ("persistence", true, persistence),
    ("threads", true, threads),
    ("stats", true, stats),
    ("debug", false, debug),
    ("replication", true, crate::replication::info),
    ("cpu", true, cpu),
    ("modules", true, modules),
    ("commandstats", false, commandstats),
    ("errorstats", true, errorstats),
    ("latencystats", false, latencystats),
    ("cluster", true, cluster),
    ("keyspace", true, keyspace),
];

/// The text of INFO for the sections named in lower case; none named: the default ones.
pub(crate) fn info(server: &Server, names: &[String]) -> String {
    let named = |name: &str| names.iter().any(|asked| asked == name);
    let everything = named("everything") || named("all");
    let defaults = names.is_empty() || named("default");
    let mut text = String::new();
    for (name, default, write) in SECTIONS {
        let asked = named(name) || everything && *name != "debug";
        if asked || (defaults && *default) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            write(server, &mut text);
        }
    }
    text
}

pub(crate) fn head(out: &mut String, title: &str) {
    line(out, format_args!("# {title}"));
}

pub(crate) fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _infallible = out.write_fmt(text);
    out.push_str("\r\n");
}

macro_rules! fields {
    ($out:expr, $($name:literal = $value:expr;)*) => {
        { $($crate::info::line($out, format_args!(concat!($name, ":{}"), $value));)* }
    };
}
pub(crate) use fields;

fn server(server: &Server, out: &mut String) {
    const PORT: ParamId = id("port");
    const HZ: ParamId = id("hz");
    let uptime = server.uptime_seconds();
    let micros = clock::now_micros().0;
    let port = server.int(PORT);
    let file = server.config_file.as_ref().map(|file| file.display().to_string());
    let active = server.pool.get().map_or(1, |pool| pool.active());
    head(out, "Server");
    fields! { out,
        "redis_version" = REDIS_VERSION;
        "redis_git_sha1" = "00000000";
        "redis_git_dirty" = 0;
        "redis_build_id" = "0";
        "redis_mode" = "standalone";
        "server_name" = "redis";
        "almagre_version" = VERSION;
        "os" = sysinfo::os();
        "arch_bits" = usize::BITS;
        "monotonic_clock" = clock::description();
        "multiplexing_api" = "epoll";
        "atomicvar_api" = "rust-atomics";
        "gcc_version" = "0.0.0";
        "process_id" = std::process::id();
        "process_supervised" = server.supervisor.name();
        "run_id" = server.run_id;
        "tcp_port" = port;
        "server_time_usec" = micros;
        "uptime_in_seconds" = uptime;
        "uptime_in_days" = uptime / 86_400;
        "hz" = server.int(HZ);
        "configured_hz" = server.int(HZ);
        "clients_hz" = server.int(HZ);
        "lru_clock" = (micros / 1_000_000) & 0xFF_FFFF;
        "executable" = sysinfo::executable().display();
        "config_file" = file.unwrap_or_default();
        "io_threads_active" = u8::from(active > 1);
        "io_threads" = active;
        "shards" = server.engine.space.shards().count();
    }
    listeners(server, out);
}

/// A line for each way to connect; the numbers stand for TCP and Unix sockets.
fn listeners(server: &Server, out: &mut String) {
    let config = server.config.lock();
    let mut text = String::new();
    let endpoints = crate::apply::tcp_endpoints(&config);
    for endpoint in &endpoints {
        if let net::Endpoint::Tcp { bind, .. } = endpoint {
            text.push_str(&format!(",bind={bind}"));
        }
    }
    if !endpoints.is_empty() {
        line(out, format_args!("listener0:name=tcp{text},port={}", config.uint(id("port"))));
    }
    let path = config.text(id("unixsocket"));
    if !path.is_empty() {
        line(out, format_args!("listener1:name=unix,bind={path}"));
    }
}

/// The threads that serve clients.
fn threads(server: &Server, out: &mut String) {
    head(out, "Threads");
    let count = server.pool.get().map_or(1, |pool| pool.active());
    let cards = server.clients().all();
    for (index, (reads, writes)) in server.engine.stats.threads(count).into_iter().enumerate() {
        let here = cards.iter().filter(|card| usize::from(card.worker.load(Relaxed)) == index);
        let clients = here.count();
        line(
            out,
            format_args!("io_thread_{index}:clients={clients},reads={reads},writes={writes}"),
        );
    }
}

fn clients(server: &Server, out: &mut String) {
    const MAXCLIENTS: ParamId = id("maxclients");
    let cards = server.clients().all();
    let having = |flag| cards.iter().filter(|card| card.has(flag)).count();
    head(out, "Clients");
    fields! { out,
        "connected_clients" = cards.len();
        "cluster_connections" = 0;
        "maxclients" = server.int(MAXCLIENTS);
        "client_recent_max_input_buffer" = server.samples.input_buffer.get();
        "client_recent_max_output_buffer" = server.samples.output_buffer.get();
        "blocked_clients" = having(ClientFlags::BLOCKED);
        "tracking_clients" = server.engine.tracking.clients();
        "pubsub_clients" = having(ClientFlags::PUBSUB);
        "watching_clients" = cards.iter().filter(|card| card.watch.keys() > 0).count();
        "clients_in_timeout_table" = server.engine.deadlines.len();
        "total_watched_keys" = server.engine.space.watched_keys();
        "total_blocking_keys" = server.engine.space.waited_keys();
        "total_blocking_keys_on_nokey" = server.engine.space.heeded_keys();
    }
    match server.engine.pause.current(clock::now().0) {
        Some((mode, left_ms)) => {
            let mode = if mode == PauseMode::All { "all" } else { "write" };
            fields! { out,
                "paused_reason" = "client_pause";
                "paused_actions" = mode;
                "paused_timeout_milliseconds" = left_ms;
            }
        }
        None => fields! { out,
            "paused_reason" = "none";
            "paused_actions" = "none";
            "paused_timeout_milliseconds" = 0;
        },
    }
}

/// Bytes with a unit, as in "1.50M".
fn human(bytes: u64) -> String {
    let units = [("T", 1u64 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];
    match units.iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => format!("{:.2}{unit}", bytes as f64 / *size as f64),
        None => format!("{bytes}B"),
    }
}

fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 1.0 } else { a as f64 / b as f64 }
}

fn memory(server: &Server, out: &mut String) {
    let heap = sysinfo::allocator().map(|allocator| allocator.stats()).unwrap_or_default();
    let name = sysinfo::allocator().map_or("system", |allocator| allocator.name());
    let settings = server.engine.settings();
    let (used, rss, total) = (heap.allocated, sysinfo::resident_memory(), sysinfo::total_memory());
    let peak = server.samples.memory_peak.load(Relaxed).max(used);
    let space = &server.engine.space;
    let dataset: u64 = (0..space.databases()).map(|db| space.size(db).entry_bytes).sum();
    let overhead = used.saturating_sub(dataset);
    let free = used.saturating_sub(server.memory_at_start).max(1);
    head(out, "Memory");
    fields! { out,
        "used_memory" = used;
        "used_memory_human" = human(used);
        "used_memory_rss" = rss;
        "used_memory_rss_human" = human(rss);
        "used_memory_peak" = peak;
        "used_memory_peak_human" = human(peak);
        "used_memory_peak_time" = server.started_ms / 1000;
        "used_memory_peak_perc" = format_args!("{:.2}%", 100.0 * used as f64 / peak.max(1) as f64);
        "used_memory_overhead" = overhead;
        "used_memory_startup" = server.memory_at_start;
        "used_memory_dataset" = dataset;
        "used_memory_dataset_perc" = format_args!("{:.2}%", (100.0 * dataset as f64 / free as f64).min(100.0));
        "allocator_allocated" = heap.allocated;
        "allocator_active" = heap.active;
        "allocator_resident" = heap.resident;
        "allocator_muzzy" = heap.muzzy;
        "total_system_memory" = total;
        "total_system_memory_human" = human(total);
    }
    memory_of_scripts(server, out);
    fields! { out,
        "maxmemory" = settings.maxmemory;
        "maxmemory_human" = human(settings.maxmemory);
        "maxmemory_policy" = settings.maxmemory_policy;
        "allocator_frag_ratio" = format_args!("{:.2}", ratio(heap.active, heap.allocated));
        "allocator_frag_bytes" = heap.active.saturating_sub(heap.allocated);
        "allocator_rss_ratio" = format_args!("{:.2}", ratio(heap.resident, heap.active));
        "allocator_rss_bytes" = heap.resident as i64 - heap.active as i64;
        "rss_overhead_ratio" = format_args!("{:.2}", ratio(rss, heap.resident));
        "rss_overhead_bytes" = rss as i64 - heap.resident as i64;
        "mem_fragmentation_ratio" = format_args!("{:.2}", ratio(rss, used));
        "mem_fragmentation_bytes" = rss as i64 - used as i64;
        "mem_not_counted_for_evict" = crate::start::not_counted_for_evict(&server.engine.journal);
        "mem_replication_backlog" = crate::replication::backlog_bytes(server);
        "mem_total_replication_buffers" = 0;
        "mem_replica_full_sync_buffer" = 0;
        "mem_clients_slaves" = 0;
        "mem_clients_normal" = clients_bytes(server);
        "mem_cluster_links" = 0;
        "mem_aof_buffer" = 0;
        "mem_allocator" = name;
        "mem_overhead_db_hashtable_rehashing" = 0;
        "active_defrag_running" = 0;
        "lazyfree_pending_objects" = server.disposed.pending.load(Relaxed);
        "lazyfreed_objects" = server.disposed.freed.load(Relaxed);
    }
}

fn memory_of_scripts(server: &Server, out: &mut String) {
    let (scripts, functions) = (&server.engine.scripts, &server.engine.functions);
    // The old name means one machine; each worker has one.
    let stats = server.engine.stats.total();
    let (machines, largest) = (stats.machine_bytes, stats.machine_bytes_max);
    let texts = scripts.memory_bytes() + functions.memory_bytes();
    let (libraries, function_count) = functions.len();
    fields! { out,
        "used_memory_lua" = largest;
        "used_memory_vm_eval" = machines;
        "used_memory_lua_human" = human(largest);
        "used_memory_scripts_eval" = scripts.memory_bytes();
        "number_of_cached_scripts" = scripts.len();
        "number_of_functions" = function_count;
        "number_of_libraries" = libraries;
        "used_memory_vm_functions" = 0;
        "used_memory_vm_total" = machines;
        "used_memory_vm_total_human" = human(machines);
        "used_memory_functions" = functions.memory_bytes();
        "used_memory_scripts" = texts;
        "used_memory_scripts_human" = human(texts);
    }
}

fn clients_bytes(server: &Server) -> u64 {
    server.clients().bytes()
}

fn persistence(server: &Server, out: &mut String) {
    let now = clock::now().0.div_euclid(1000);
    let loading = server.engine.condition.is_loading();
    let (done, total) = {
        let saving = &server.persistence.saving;
        (saving.keys_done.load(Relaxed), saving.keys_total.load(Relaxed))
    };
    let state = server.persistence.snapshot.lock();
    let current = state.running.as_ref().filter(|running| running.background);
    let (done, total) = if current.is_some() { (done, total) } else { (0, 0) };
    let percent = if total == 0 { 0.0 } else { done as f64 * 100.0 / total as f64 };
    let load = &server.persistence.loading;
    let (log, journal) = (&server.persistence.log, &server.engine.journal);
    let rewriting = log.rewriting.lock();
    let (wanted, blocked) = (rewriting.wanted, rewriting.blocked || current.is_some());
    let fails = matches!(log.status.state(), aof::State::Full | aof::State::Lost);
    head(out, "Persistence");
    fields! { out,
        "loading" = u8::from(loading);
        "async_loading" = 0;
        "current_cow_peak" = 0;
        "current_cow_size" = 0;
        "current_cow_size_age" = 0;
        "current_fork_perc" = format_args!("{percent:.2}");
        "current_save_keys_processed" = done;
        "current_save_keys_total" = total;
        "rdb_changes_since_last_save" = server.persistence.unsaved_changes(server);
        "rdb_bgsave_in_progress" = u8::from(current.is_some());
        "rdb_last_save_time" = state.last_save_seconds;
        "rdb_last_bgsave_status" = if state.last_succeeded { "ok" } else { "err" };
        "rdb_last_bgsave_time_sec" = state.last_took_seconds.unwrap_or(-1);
        "rdb_current_bgsave_time_sec" = current.map_or(-1, |running| now - running.started_seconds);
        "rdb_saves" = state.saves;
        "rdb_last_cow_size" = 0;
        "rdb_last_cut_usec" = server.engine.cuts.last_micros();
        "rdb_longest_cut_usec" = server.engine.cuts.longest_micros();
        "rdb_last_load_keys_expired" = load.keys_expired.load(Relaxed);
        "rdb_last_load_keys_loaded" = load.keys_loaded.load(Relaxed);
        "aof_enabled" = u8::from(log.is_on());
        "aof_rewrite_in_progress" = u8::from(rewriting.running.is_some() || wanted && !blocked);
        "aof_rewrite_scheduled" = u8::from(wanted && blocked);
        "aof_last_rewrite_time_sec" = rewriting.last_took_seconds.unwrap_or(-1);
        "aof_current_rewrite_time_sec" = rewriting.running.as_ref().map_or(-1, |running| now - running.started_seconds);
        "aof_last_bgrewrite_status" = if rewriting.last_succeeded { "ok" } else { "err" };
        "aof_rewrites" = rewriting.count;
        "aof_rewrites_consecutive_failures" = rewriting.failures;
        "aof_last_write_status" = if fails { "err" } else { "ok" };
        "aof_last_cow_size" = 0;
        "module_fork_in_progress" = 0;
        "module_fork_last_cow_size" = 0;
    }
    if log.is_on() {
        let waiting = journal.tail().0.saturating_sub(log.status.written.load(Relaxed));
        fields! { out,
            "aof_current_size" = log.status.size_bytes.load(Relaxed);
            "aof_base_size" = log.status.base_bytes.load(Relaxed);
            "aof_pending_rewrite" = u8::from(wanted);
            "aof_buffer_length" = waiting;
            "aof_pending_bio_fsync" = u8::from(log.status.syncing_since.load(Relaxed) > 0);
            "aof_delayed_fsync" = log.delayed.load(Relaxed);
        }
    }
    if loading {
        progress(load, now, out);
    }
}

/// How far the load is that is under way.
fn progress(load: &crate::persistence::Loading, now: i64, out: &mut String) {
    let started = load.started_ms.load(Relaxed).div_euclid(1000);
    let (done, total) =
        (load.progress.bytes.load(Relaxed), load.progress.total_bytes.load(Relaxed).max(1));
    let elapsed = now.saturating_sub(started).max(0) as u64;
    let left = total.saturating_sub(done);
    fields! { out,
        "loading_start_time" = started;
        "loading_total_bytes" = total;
        "loading_rdb_used_mem" = load.file_used_memory.load(Relaxed);
        "loading_loaded_bytes" = done;
        "loading_loaded_perc" = format_args!("{:.2}", done as f64 * 100.0 / total as f64);
        "loading_eta_seconds" = elapsed.saturating_mul(left).checked_div(done).unwrap_or(1);
    }
}

#[expect(clippy::too_many_lines, reason = "a line for each field")]
fn stats(server: &Server, out: &mut String) {
    let total = server.engine.stats.total();
    let samples = &server.samples;
    let kilobytes = |bytes: u64| bytes as f64 / 1024.0;
    let (exceeded, exceeded_now) = server.engine.pressure.exceeded_ms(clock::now().0);
    let stale = samples.stale.get() * 100.0;
    head(out, "Stats");
    fields! { out,
        "total_connections_received" = samples.connections.load(Relaxed);
        "total_commands_processed" = total.commands_processed;
        "instantaneous_ops_per_sec" = samples.ops_per_second.load(Relaxed);
        "total_net_input_bytes" = total.net_in_bytes;
        "total_net_output_bytes" = total.net_out_bytes;
        "total_net_repl_input_bytes" = 0;
        "total_net_repl_output_bytes" = total.net_repl_out_bytes;
        "instantaneous_input_kbps" = format_args!("{:.2}", kilobytes(samples.input_bytes_per_second.load(Relaxed)));
        "instantaneous_output_kbps" = format_args!("{:.2}", kilobytes(samples.output_bytes_per_second.load(Relaxed)));
        "instantaneous_input_repl_kbps" = "0.00";
        "instantaneous_output_repl_kbps" = "0.00";
        "rejected_connections" = samples.rejected_connections.load(Relaxed);
        "sync_full" = server.engine.history.full.load(Relaxed);
        "sync_partial_ok" = 0;
        "sync_partial_err" = server.engine.history.partial_refused.load(Relaxed);
        "expired_subkeys" = server.engine.space.expired_elements();
        "expired_keys" = server.engine.space.expired_keys();
        "expired_stale_perc" = format_args!("{stale:.2}");
        "expired_time_cap_reached_count" = samples.expire_time_capped.load(Relaxed);
        "expire_cycle_cpu_milliseconds" = samples.expire_micros.load(Relaxed) / 1000;
        "evicted_keys" = total.evicted_keys;
        "evicted_clients" = server.clients().evicted();
        "evicted_scripts" = server.engine.scripts.evicted();
        "total_eviction_exceeded_time" = exceeded;
        "current_eviction_exceeded_time" = exceeded_now;
        "keyspace_hits" = total.keyspace_hits;
        "keyspace_misses" = total.keyspace_misses;
        "pubsub_channels" = server.engine.pubsub.count(command::Topic::Channel);
        "pubsub_patterns" = server.engine.pubsub.count(command::Topic::Pattern);
        "pubsubshard_channels" = server.engine.pubsub.count(command::Topic::Shard);
        // Nothing forks. What waits for the peers' forks looks here: snapshots, and how long the last held writers up.
        "latest_fork_usec" = server.engine.cuts.last_micros();
        "total_forks" = server.engine.cuts.made();
        "migrate_cached_sockets" = server.migrations.links();
        "slave_expires_tracked_keys" = 0;
        "active_defrag_hits" = 0;
        "active_defrag_misses" = 0;
        "active_defrag_key_hits" = 0;
        "active_defrag_key_misses" = 0;
        "total_active_defrag_time" = 0;
        "current_active_defrag_time" = 0;
        "tracking_total_keys" = server.engine.tracking.keys();
        "tracking_total_items" = server.engine.tracking.items();
        "tracking_total_prefixes" = server.engine.tracking.prefixes();
        "unexpected_error_replies" = 0;
        "total_error_replies" = total.error_replies;
        "dump_payload_sanitizations" = 0;
        "total_reads_processed" = total.reads;
        "total_writes_processed" = total.writes;
        "io_threaded_reads_processed" = 0;
        "io_threaded_writes_processed" = 0;
        "io_threaded_total_prefetch_batches" = 0;
        "io_threaded_total_prefetch_entries" = 0;
        "client_query_buffer_limit_disconnections" = total.query_buffer_disconnections;
        "client_output_buffer_limit_disconnections" = total.output_buffer_disconnections;
        "reply_buffer_shrinks" = 0;
        "reply_buffer_expands" = 0;
        "eventloop_cycles" = total.batches;
        "eventloop_duration_sum" = clock::ticks_to_micros(total.busy_ticks);
        "eventloop_duration_cmd_sum" = clock::ticks_to_micros(total.command_ticks);
        "instantaneous_eventloop_cycles_per_sec" = samples.cycles_per_second.load(Relaxed);
        "instantaneous_eventloop_duration_usec" = samples.cycle_micros.load(Relaxed);
        "acl_access_denied_auth" = total.auth_failures;
        "acl_access_denied_cmd" = 0;
        "acl_access_denied_key" = 0;
        "acl_access_denied_channel" = 0;
    }
}

/// A section that is printed only if it is named.
fn debug(server: &Server, out: &mut String) {
    let total = server.engine.stats.total();
    head(out, "Debug");
    fields! { out,
        "eventloop_duration_aof_sum" = 0;
        "eventloop_duration_cron_sum" = clock::ticks_to_micros(total.cron_ticks);
        "eventloop_duration_max" = clock::ticks_to_micros(total.longest_ticks);
        "eventloop_cmd_per_cycle_max" = total.most_commands;
    }
}

fn cpu(_: &Server, out: &mut String) {
    let seconds = |micros: u64| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let (own, children, main) =
        (sysinfo::cpu_of_process(), sysinfo::cpu_of_children(), sysinfo::cpu_of_main_thread());
    head(out, "CPU");
    fields! { out,
        "used_cpu_sys" = seconds(own.system_us);
        "used_cpu_user" = seconds(own.user_us);
        "used_cpu_sys_children" = seconds(children.system_us);
        "used_cpu_user_children" = seconds(children.user_us);
        "used_cpu_sys_main_thread" = seconds(main.system_us);
        "used_cpu_user_main_thread" = seconds(main.user_us);
    }
}

fn modules(_: &Server, out: &mut String) {
    head(out, "Modules");
}

fn commandstats(server: &Server, out: &mut String) {
    head(out, "Commandstats");
    for (id, entry) in server.engine.table.entries() {
        let total = server.engine.stats.command(id);
        if total.calls + total.rejected == 0 {
            continue;
        }
        let micros = clock::ticks_to_micros(total.ticks);
        let each = if total.calls == 0 { 0.0 } else { micros as f64 / total.calls as f64 };
        line(
            out,
            format_args!(
                "cmdstat_{}:calls={},usec={micros},usec_per_call={each:.2},rejected_calls={},failed_calls={}",
                entry.full_name, total.calls, total.rejected, total.failed
            ),
        );
    }
}

fn errorstats(server: &Server, out: &mut String) {
    head(out, "Errorstats");
    for (code, count) in &server.engine.stats.total().errors {
        line(out, format_args!("errorstat_{code}:count={count}"));
    }
}

fn latencystats(server: &Server, out: &mut String) {
    head(out, "Latencystats");
    let percentiles = server.config.lock().percentiles().to_vec();
    for (id, entry) in server.engine.table.entries() {
        let total = server.engine.stats.command(id);
        if total.calls == 0 || total.durations.is_empty() {
            continue;
        }
        let shares: Vec<String> = percentiles
            .iter()
            .map(|percent| {
                let ticks = Histogram::percentile(&total.durations, *percent);
                format!("p{percent}={:.3}", clock::ticks_to_nanos(ticks) as f64 / 1000.0)
            })
            .collect();
        line(
            out,
            format_args!("latency_percentiles_usec_{}:{}", entry.full_name, shares.join(",")),
        );
    }
}

fn cluster(_: &Server, out: &mut String) {
    head(out, "Cluster");
    fields! { out, "cluster_enabled" = 0; }
}

fn keyspace(server: &Server, out: &mut String) {
    head(out, "Keyspace");
    let space = &server.engine.space;
    for db in 0..space.databases() {
        let size = space.size(db);
        if size.keys > 0 {
            let (keys, expires, ttl) = (size.keys, size.expires, size.average_ttl_ms);
            let subexpiry = size.subexpiry;
            line(
                out,
                format_args!(
                    "db{db}:keys={keys},expires={expires},avg_ttl={ttl},subexpiry={subexpiry}"
                ),
            );
        }
    }
}
