//! MEMORY: where the memory is. The figures are those of INFO.

use super::{CALM, container, help_row, node};
use command::grammar::{integer, key};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use resp::Reply;

pub(super) const MEMORY: Command =
    container("MEMORY", SUBCOMMANDS).since("4.0.0").summary("Tells where the memory is.");

const ALL_SPECIAL: &[&str] =
    &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

const SUBCOMMANDS: &[Command] = &[
    node("DOCTOR", doctor, 2)
        .since("4.0.0")
        .summary("Reports on problems with memory in words.")
        .tips(ALL_SPECIAL),
    help_row(help, "4.0.0").flags(CALM),
    node("MALLOC-STATS", malloc_stats, 2)
        .flags(Flags::LOADING)
        .since("4.0.0")
        .summary("Tells what the allocator tells about itself.")
        .tips(ALL_SPECIAL),
    node("PURGE", purge, 2)
        .flags(Flags::LOADING)
        .since("4.0.0")
        .summary("Gives memory that is not in use back to the system.")
        .complexity("O(N), N pages")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    node("STATS", stats, 2)
        .since("4.0.0")
        .summary("Answers what takes how much memory.")
        .tips(ALL_SPECIAL),
    Command::data("USAGE", usage)
        .group(Group::Server)
        .since("4.0.0")
        .arity(-3)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::at(2, KeyFlags::RO)])
        .args(&[key("key"), integer("count").token("SAMPLES").optional().samples(&["0", "5"])])
        .summary("Answers how many bytes a key and its value take.")
        .complexity("O(1)"),
];

fn usage(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    while args.left() > 0 {
        if args.left() < 2 || !args.token("SAMPLES") {
            return Err(CommandError::Syntax);
        }
        if args.integer()? < 0 {
            return Err(CommandError::Syntax);
        }
    }
    match cx.db.peek(&key) {
        // The pointer to the entry in its bucket is the key's, too.
        Some(entry) => reply.count(entry.bytes() + size_of::<usize>()),
        None => reply.null(),
    }
    Ok(Effect::None)
}

/// The figures of INFO's section on memory.
struct Figures(String);

impl Figures {
    fn of(cx: &Cx<'_>) -> Self {
        Self(cx.node.info(&["memory".to_owned()]))
    }

    fn text(&self, name: &str) -> &str {
        let values = self.0.lines().filter_map(|line| line.split_once(':'));
        values
            .filter(|(field, _)| *field == name)
            .map(|(_, value)| value.trim())
            .next()
            .unwrap_or("")
    }

    fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or(0)
    }

    fn ratio(&self, name: &str) -> f64 {
        self.text(name).trim_end_matches('%').parse().unwrap_or(0.0)
    }
}

fn stats(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let figures = Figures::of(cx);
    let sizes: Vec<_> = (0..cx.space.databases())
        .map(|db| (db, cx.space.size(db)))
        .filter(|(_, size)| size.table_bytes > 0)
        .collect();
    let keys: u64 = sizes.iter().map(|(_, size)| size.keys).sum();
    let used = figures.number("used_memory");
    let mut fields = 0;
    let map = reply.map_deferred();
    let mut integer = |reply: &mut Reply, name: &str, value: i64| {
        reply.bulk(name.as_bytes());
        reply.integer(value);
        fields += 1;
    };
    integer(reply, "peak.allocated", figures.number("used_memory_peak"));
    integer(reply, "total.allocated", used);
    integer(reply, "startup.allocated", figures.number("used_memory_startup"));
    integer(reply, "replication.backlog", figures.number("mem_replication_backlog"));
    integer(reply, "replica.fullsync.buffer", figures.number("mem_replica_full_sync_buffer"));
    integer(reply, "clients.slaves", figures.number("mem_clients_slaves"));
    integer(reply, "clients.normal", figures.number("mem_clients_normal"));
    integer(reply, "cluster.links", figures.number("mem_cluster_links"));
    integer(reply, "aof.buffer", figures.number("mem_aof_buffer"));
    integer(reply, "lua.caches", figures.number("used_memory_scripts_eval"));
    integer(reply, "functions.caches", figures.number("used_memory_functions"));
    integer(reply, "script.VMs", figures.number("used_memory_vm_total"));
    let pointers = keys.saturating_mul(size_of::<usize>() as u64) as i64;
    integer(reply, "overhead.db.hashtable.lut", pointers);
    // Tables grow segment by segment: none is ever in two places.
    integer(reply, "overhead.db.hashtable.rehashing", 0);
    integer(reply, "db.dict.rehashing.count", 0);
    integer(reply, "overhead.total", figures.number("used_memory_overhead"));
    integer(reply, "keys.count", keys as i64);
    let dataset = figures.number("used_memory_dataset");
    integer(reply, "keys.bytes-per-key", dataset.checked_div(keys as i64).unwrap_or(0));
    integer(reply, "dataset.bytes", dataset);
    for name in ["allocated", "active", "resident", "muzzy"] {
        integer(reply, &format!("allocator.{name}"), figures.number(&format!("allocator_{name}")));
    }
    integer(reply, "allocator-fragmentation.bytes", figures.number("allocator_frag_bytes"));
    integer(reply, "allocator-rss.bytes", figures.number("allocator_rss_bytes"));
    integer(reply, "rss-overhead.bytes", figures.number("rss_overhead_bytes"));
    integer(reply, "fragmentation.bytes", figures.number("mem_fragmentation_bytes"));
    for (name, field) in [
        ("dataset.percentage", "used_memory_dataset_perc"),
        ("peak.percentage", "used_memory_peak_perc"),
        ("allocator-fragmentation.ratio", "allocator_frag_ratio"),
        ("allocator-rss.ratio", "allocator_rss_ratio"),
        ("rss-overhead.ratio", "rss_overhead_ratio"),
        ("fragmentation", "mem_fragmentation_ratio"),
    ] {
        reply.bulk(name.as_bytes());
        reply.double(figures.ratio(field));
        fields += 1;
    }
    for (db, size) in sizes {
        reply.bulk(format!("db.{db}").as_bytes());
        reply.map(2);
        reply.bulk(b"overhead.hashtable.main");
        reply.count(size.keys as usize * size_of::<usize>());
        reply.bulk(b"overhead.hashtable.expires");
        reply.integer(0);
        fields += 1;
    }
    reply.set_len(map, fields);
    Ok(Effect::None)
}

fn doctor(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.verbatim(*b"txt", diagnose(&Figures::of(cx)).as_bytes());
    Ok(Effect::None)
}

/// A remark on each figure that is out of the ordinary; the thresholds are Redis's.
fn diagnose(figures: &Figures) -> String {
    const SMALL_BYTES: i64 = 5 << 20;
    const WORTH_BYTES: i64 = 10 << 20;
    let used = figures.number("used_memory");
    if used < SMALL_BYTES {
        return "There is too little in memory to say anything about it.\n".to_owned();
    }
    let wasteful = |ratio: &str, bytes: &str, most: f64| {
        figures.ratio(ratio) > most && figures.number(bytes) > WORTH_BYTES
    };
    let findings = [
        (
            figures.number("used_memory_peak") as f64 / used as f64 > 1.5,
            "Memory was half as large again at its peak, and the pages may still be held: \
             MEMORY PURGE gives back what it can.",
        ),
        (
            wasteful("mem_fragmentation_ratio", "mem_fragmentation_bytes", 1.4),
            "The process is much larger than what is allocated in it.",
        ),
        (
            wasteful("allocator_frag_ratio", "allocator_frag_bytes", 1.1),
            "The allocator's pages are in part empty.",
        ),
        (
            wasteful("allocator_rss_ratio", "allocator_rss_bytes", 1.1),
            "The allocator holds pages that it does not use: MEMORY PURGE gives back what it can.",
        ),
        (
            wasteful("rss_overhead_ratio", "rss_overhead_bytes", 1.1),
            "The process holds much memory that is not the allocator's.",
        ),
    ];
    let found: Vec<_> = findings.iter().filter(|(is, _)| *is).collect();
    if found.is_empty() {
        return "Memory is in order.\n".to_owned();
    }
    found.iter().map(|(_, text)| format!("* {text}\n")).collect()
}

fn malloc_stats(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let figures = Figures::of(cx);
    let ours = |line: &&str| line.starts_with("allocator") || line.starts_with("mem_allocator");
    let report: String =
        figures.0.lines().filter(ours).map(|line| format!("{}\n", line.trim_end())).collect();
    reply.verbatim(*b"txt", report.as_bytes());
    Ok(Effect::None)
}

fn purge(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    cx.node.purge_memory();
    reply.ok();
    Ok(Effect::None)
}

fn help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "DOCTOR",
        "    A report on problems in words.",
        "MALLOC-STATS",
        "    What the allocator tells about itself.",
        "PURGE",
        "    Give memory that is not in use back to the system.",
        "STATS",
        "    What takes how much memory.",
        "USAGE <key> [SAMPLES <count>]",
        "    Bytes that a key and its value take.",
    ];
    command::help("MEMORY", LINES, reply);
    Ok(Effect::None)
}
