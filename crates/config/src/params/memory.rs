//! How much memory, what goes first, how it is given back.

use crate::param::{INT, LONG, Param, Source, ULONG, Unit, choice, flag, int};
use crate::value;

const POLICY: &[(&str, u32)] = &[
    ("volatile-lru", 0),
    ("volatile-lfu", 1),
    ("volatile-random", 2),
    ("volatile-ttl", 3),
    // Redis from 8.6 on.
    ("volatile-lrm", 4),
    ("allkeys-lru", 5),
    ("allkeys-lfu", 6),
    ("allkeys-random", 7),
    ("allkeys-lrm", 8),
    ("noeviction", 9),
];
const NO_DEFRAG: &str =
    "values are not moved: large ones are trees of small nodes, small ones one block";
const ALWAYS_LAZY: &str = "large values are always freed on a background thread";

pub(super) const PARAMS: &[Param] = &[
    int(
        "active-defrag-cycle-max",
        (1, 99, Unit::Percent),
        "25",
        "CPU share of defragmentation at most.",
    )
    .idle(NO_DEFRAG),
    int(
        "active-defrag-cycle-min",
        (1, 99, Unit::Percent),
        "1",
        "CPU share of defragmentation at least.",
    )
    .idle(NO_DEFRAG),
    int(
        "active-defrag-cycle-us",
        (0, 100_000, Unit::Microseconds),
        "500",
        "Length of a step of defragmentation.",
    )
    .of(Source::Valkey)
    .idle(NO_DEFRAG),
    int(
        "active-defrag-ignore-bytes",
        (1, LONG, Unit::Memory),
        "100mb",
        "Waste below which nothing is done.",
    )
    .idle(NO_DEFRAG),
    int(
        "active-defrag-max-scan-fields",
        (1, LONG, Unit::Count),
        "1000",
        "Size from which a value is defragmented in steps.",
    )
    .idle(NO_DEFRAG),
    int(
        "active-defrag-threshold-lower",
        (0, 1000, Unit::Percent),
        "10",
        "Waste at which defragmentation starts.",
    )
    .idle(NO_DEFRAG),
    int(
        "active-defrag-threshold-upper",
        (0, 1000, Unit::Percent),
        "100",
        "Waste at which it works hardest.",
    )
    .idle(NO_DEFRAG),
    int("active-expire-effort", (1, 10, Unit::Count), "1", "How hard expired keys are looked for."),
    flag("activedefrag", "no", "Defragment memory while serving.")
        .check(value::active_defrag)
        .idle(NO_DEFRAG),
    flag("activerehashing", "yes", "Finish resizing tables when idle.")
        .idle("tables grow a small segment at a time; there is no unfinished resize to drive"),
    flag("jemalloc-bg-thread", "yes", "Let the allocator return memory in the background."),
    flag("key-memory-histograms", "no", "Keep distributions of the memory of keys by type.")
        .of(Source::Redis),
    // Lazy freeing is the default since Valkey 8.0.
    flag(
        "lazyfree-lazy-eviction",
        "yes",
        "Tell replicas and the log UNLINK, not DEL, of evicted keys.",
    ),
    flag(
        "lazyfree-lazy-expire",
        "yes",
        "Tell replicas and the log UNLINK, not DEL, of expired keys.",
    ),
    flag(
        "lazyfree-lazy-server-del",
        "yes",
        "Tell replicas and the log UNLINK, not DEL, where a command took all of a value.",
    ),
    flag("lazyfree-lazy-user-del", "yes", "Make DEL free in the background, as UNLINK does.")
        .idle(ALWAYS_LAZY),
    flag(
        "lazyfree-lazy-user-flush",
        "yes",
        "Make FLUSHALL without an option free in the background.",
    ),
    int("lfu-decay-time", (0, INT, Unit::Count), "1", "Minutes after which a use counts for less."),
    int("lfu-log-factor", (0, INT, Unit::Count), "10", "How many uses the counter tells apart."),
    int("maxmemory", (0, ULONG, Unit::Memory), "0", "Memory for data; 0 is no limit."),
    int(
        "maxmemory-eviction-tenacity",
        (0, 100, Unit::Count),
        "10",
        "How long a command may wait for eviction.",
    ),
    choice("maxmemory-policy", POLICY, "noeviction", "What goes when memory is full."),
    int("maxmemory-samples", (1, 64, Unit::Count), "5", "Keys compared to find one to evict."),
];
