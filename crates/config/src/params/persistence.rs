//! RDB, AOF, and what a reply promises.

use crate::param::{Flags, INT, Kind, LONG, Param, Source, Unit, choice, flag, int, list, text};
use crate::value;

const FSYNC: &[(&str, u32)] = &[("everysec", 2), ("always", 1), ("no", 0)];
const ON_ERROR: &[(&str, u32)] = &[("ignore", 0), ("panic", 1), ("panic-on-replicas", 2)];
const RDB_VERSION: &[(&str, u32)] = &[("strict", 0), ("relaxed", 1)];
const FORMAT: &[(&str, u32)] = &[("common", 0), ("redis-7.0", 1), ("valkey-9.0", 2)];
const DURABILITY: &[(&str, u32)] =
    &[("async", 0), ("fsync", 1), ("quorum", 2), ("quorum-fsync", 3)];
const NO_BACKUP: &str = "there is no BACKUP command";

pub(super) const PARAMS: &[Param] = &[
    flag("aof-annotations", "yes", "Put checksums into the AOF, in lines that others skip.")
        .of(Source::Almagre),
    // Redis: 0. A torn tail of that size is what a power failure leaves; above it a person must
    // look.
    int(
        "aof-load-corrupt-tail-max-size",
        (0, INT, Unit::Memory),
        "4mb",
        "Corrupt end of an AOF that is cut off at load.",
    )
    .of(Source::Redis),
    flag("aof-load-truncated", "yes", "Load an AOF whose last command is incomplete."),
    flag("aof-rewrite-incremental-fsync", "yes", "Sync a new base every few megabytes."),
    flag("aof-timestamp-enabled", "no", "Note the time in the AOF, to load it up to an instant."),
    flag("aof-use-rdb-preamble", "yes", "Write the base of the AOF as RDB."),
    text("appenddirname", "appendonlydir", "Directory of the AOF, below dir.")
        .fixed()
        .check(value::aof_dir_name),
    text("appendfilename", "appendonly.aof", "Name that files of the AOF begin with.")
        .fixed()
        .check(value::aof_file_name),
    choice(
        "appendfsync",
        FSYNC,
        "everysec",
        "When the AOF is synced; always is the same as write-durability fsync.",
    ),
    // Valkey refuses a change while loading, Redis does not; the change would be lost.
    flag("appendonly", "no", "Keep an append only file.").with(Flags::DENY_LOADING),
    int(
        "auto-aof-rewrite-min-size",
        (0, LONG, Unit::Memory),
        "64mb",
        "Size below which the AOF is not rewritten.",
    ),
    int(
        "auto-aof-rewrite-percentage",
        (0, INT, Unit::Percent),
        "100",
        "Growth since the last rewrite that starts one; 0 is never.",
    ),
    int(
        "backup-sealed-ttl",
        (0, INT, Unit::Seconds),
        "0",
        "How long a finished backup is kept; 0 is until it is removed.",
    )
    .of(Source::Redis)
    .idle(NO_BACKUP),
    text("backupdirname", "backupdir", "Directory of backups, below dir.")
        .fixed()
        .of(Source::Redis)
        .idle(NO_BACKUP),
    text("dbfilename", "dump.rdb", "Name of the RDB file.")
        .with(Flags::PROTECTED)
        .check(value::db_file_name),
    int(
        "durability-timeout",
        (0, LONG, Unit::Milliseconds),
        "5000",
        "How long a reply waits for the level of durability asked for.",
    )
    .of(Source::Almagre),
    flag("no-appendfsync-on-rewrite", "no", "Do not sync the AOF while a snapshot is written."),
    text("preload-file", "", "Load only this file at start: rdb:PATH or aof:PATH.")
        .fixed()
        .of(Source::Redis)
        .idle("a foreign file is put in place of the data file before the start"),
    choice(
        "propagation-error-behavior",
        ON_ERROR,
        "ignore",
        "What happens when a replicated or logged command fails.",
    ),
    flag("rdb-del-sync-files", "no", "Delete RDB files that were only made for replication."),
    choice(
        "rdb-format",
        FORMAT,
        "common",
        "Whom RDB files are for: all from Redis 7.2 on, Redis 7.0 too, or Valkey from 9.0.",
    )
    .of(Source::Almagre),
    flag("rdb-save-incremental-fsync", "yes", "Sync an RDB file every few megabytes."),
    choice(
        "rdb-version-check",
        RDB_VERSION,
        "strict",
        "Whether RDB files of unknown versions are tried.",
    )
    .of(Source::Valkey),
    flag("rdbchecksum", "yes", "End RDB files with a checksum, and check it.").fixed(),
    flag("rdbcompression", "yes", "Compress strings in RDB files."),
    list(
        "save",
        Kind::Save,
        "3600 1 300 100 60 10000",
        "Save after so many seconds if so many keys changed; \"\" is never.",
    )
    .with(Flags::ALWAYS_WRITTEN),
    flag("stop-writes-on-bgsave-error", "yes", "Refuse writes when the last snapshot failed."),
    choice(
        "write-durability",
        DURABILITY,
        "async",
        "What an OK promises: applied, synced here, held or synced by a quorum.",
    )
    .of(Source::Almagre),
];
