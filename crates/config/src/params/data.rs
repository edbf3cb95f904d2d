//! Thresholds between encodings, and limits of data types and scripts.

use crate::param::{INT, LONG, Param, Source, UINT, Unit, choice, flag, int, text};
use crate::value;

const SANITIZE: &[(&str, u32)] = &[("no", 0), ("yes", 1), ("clients", 2)];
const NO_ARRAY: &str = "chunks of arrays are cut by their bytes";
const NO_TEMPLATE: &str = "hashes do not share field names";

pub(super) const PARAMS: &[Param] = &[
    int("array-slice-size", (1, INT, Unit::Count), "4096", "Entries of a slice of an array.")
        .of(Source::Redis)
        .check(value::power_of_two)
        .idle(NO_ARRAY),
    int("array-sparse-kmax", (0, UINT, Unit::Count), "10", "Entries above which a slice is dense.")
        .of(Source::Redis)
        .idle(NO_ARRAY),
    int("array-sparse-kmin", (0, UINT, Unit::Count), "5", "Entries below which a slice is sparse.")
        .of(Source::Redis)
        .idle(NO_ARRAY),
    int(
        "busy-reply-threshold",
        (0, LONG, Unit::Milliseconds),
        "5000",
        "How long a script may hold keys before others are told BUSY.",
    )
    .alias(&["lua-time-limit"]),
    int(
        "hash-max-listpack-entries",
        (0, LONG, Unit::Count),
        "512",
        "Fields up to which a hash is compact.",
    )
    .alias(&["hash-max-ziplist-entries"]),
    int(
        "hash-max-listpack-value",
        (0, LONG, Unit::Memory),
        "64",
        "Size of field or value up to which a hash is compact.",
    )
    .alias(&["hash-max-ziplist-value"]),
    int(
        "hash-max-template-entries",
        (0, LONG, Unit::Count),
        "0",
        "Fields up to which a hash shares its field names.",
    )
    .of(Source::Redis)
    .idle(NO_TEMPLATE),
    int(
        "hash-min-template-entries",
        (0, LONG, Unit::Count),
        "0",
        "Fields from which a hash shares its field names; 0 is never.",
    )
    .of(Source::Redis)
    .idle(NO_TEMPLATE),
    int(
        "hash-rdb-load-max-template-entries",
        (0, LONG, Unit::Count),
        "0",
        "The same upper bound while an RDB file loads.",
    )
    .of(Source::Redis)
    .idle(NO_TEMPLATE),
    int(
        "hash-rdb-load-min-template-entries",
        (0, LONG, Unit::Count),
        "0",
        "The same lower bound while an RDB file loads.",
    )
    .of(Source::Redis)
    .idle(NO_TEMPLATE),
    int(
        "hash-rdb-load-template-disassembly-threshold",
        (0, LONG, Unit::Count),
        "0",
        "Hashes below which shared names are given up after loading.",
    )
    .of(Source::Redis)
    .idle(NO_TEMPLATE),
    text(
        "hash-seed",
        "",
        "Seed of the hash function, the same on several servers for stable SCAN cursors.",
    )
    .fixed()
    .of(Source::Valkey)
    .check(value::hash_seed),
    int(
        "hll-sparse-max-bytes",
        (0, LONG, Unit::Memory),
        "3000",
        "Size up to which a HyperLogLog is sparse.",
    ),
    int(
        "list-compress-depth",
        (0, INT, Unit::Count),
        "0",
        "Nodes at each end of a list that stay uncompressed; 0 compresses none.",
    )
    .idle("nodes of lists are not compressed"),
    int(
        "list-max-listpack-size",
        (-1 - INT, INT, Unit::Count),
        "-2",
        "Entries of a list node, or -1 to -5 for 4 to 64 kB.",
    )
    .alias(&["list-max-ziplist-size"]),
    text("locale-collate", "", "Locale of SORT ALPHA.")
        .idle("SORT ALPHA compares bytes, whatever the locale"),
    choice(
        "sanitize-dump-payload",
        SANITIZE,
        "no",
        "Check the inside of values from RDB and RESTORE.",
    )
    .idle("values are always checked while they are decoded"),
    int(
        "set-max-intset-entries",
        (0, LONG, Unit::Count),
        "512",
        "Members up to which a set of numbers is compact.",
    ),
    int(
        "set-max-listpack-entries",
        (0, LONG, Unit::Count),
        "128",
        "Members up to which a set is compact.",
    ),
    int(
        "set-max-listpack-value",
        (0, LONG, Unit::Count),
        "64",
        "Size of a member up to which a set is compact.",
    ),
    int(
        "stream-idmp-duration",
        (1, 86_400, Unit::Seconds),
        "100",
        "How long a stream remembers the id of an idempotent message.",
    )
    .of(Source::Redis),
    int(
        "stream-idmp-maxsize",
        (1, 10_000, Unit::Count),
        "100",
        "Ids of idempotent messages remembered for each producer.",
    )
    .of(Source::Redis),
    int(
        "stream-node-max-bytes",
        (0, LONG, Unit::Memory),
        "4096",
        "Size of a stream node; 0 is no limit.",
    ),
    int(
        "stream-node-max-entries",
        (0, LONG, Unit::Count),
        "100",
        "Entries of a stream node; 0 is no limit.",
    ),
    flag("vset-force-single-threaded-execution", "no", "Run vector set commands on one thread.")
        .of(Source::Redis)
        .idle("a command runs on the thread that read it"),
    int(
        "zset-max-listpack-entries",
        (0, LONG, Unit::Count),
        "128",
        "Members up to which a sorted set is compact.",
    )
    .alias(&["zset-max-ziplist-entries"]),
    int(
        "zset-max-listpack-value",
        (0, LONG, Unit::Memory),
        "64",
        "Size of a member up to which a sorted set is compact.",
    )
    .alias(&["zset-max-ziplist-value"]),
];
