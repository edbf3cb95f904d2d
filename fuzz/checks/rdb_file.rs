//! What must hold for every snapshot file. Shared by the fuzz target and the test that replays its
//! corpus.
//!
//! The first byte chooses thresholds and the size of reads, the rest is the file; its checksum is not
//! looked at. Read in parts, as the server does it, and key by key, the outcome is the same: it is
//! refused both times, or the same keys are there. What was loaded is saved for every kind of reader
//! and loaded again.

use durability::rdb_file::{Frames, load};
use keyspace::persist::{LoadOptions, Loader, load_all, save_all};
use keyspace::{AccessClock, Keyspace, Position, ScanFilter};
use rdb::file::Versions;
use rdb::{Dialect, Error, Reader, Source, Writer};
use std::collections::BTreeMap;
use stdx::hash::Seed;
use types::digest::Digest;
use types::{Limits, Type};

const DATABASES: u32 = 16;

/// A file that comes a few bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Source for Trickle<'_> {
    fn read(&mut self, into: &mut Vec<u8>) -> Result<usize, Error> {
        let (now, later) = self.0.split_at(self.0.len().min(self.1));
        self.0 = later;
        into.extend_from_slice(now);
        Ok(now.len())
    }
}

fn space() -> Keyspace {
    Keyspace::new(4, DATABASES, Seed::from_bytes([7; 16]))
}

fn options(limits: &Limits) -> LoadOptions<'_> {
    let (clock, now_ms) = (AccessClock::Lru, 1_700_000_000_000);
    LoadOptions { limits, clock, now_ms, horizon_ms: i64::MIN, replace: false }
}

/// Loads as the server does, on one thread.
fn in_parts(file: &[u8], piece: usize, limits: &Limits) -> Option<Keyspace> {
    let space = space();
    let mut source = Trickle(file, piece);
    let mut frames = Frames::begin(&mut source, Versions::Known, false).ok()?;
    let mut loader = Loader::new(&space, frames.version(), options(limits));
    let outcome = load(&mut frames, &mut loader, &mut |_| Ok(()));
    if let Err(error) = &outcome {
        assert!(error.offset <= file.len() as u64, "{error}");
    }
    outcome.ok()?;
    Some(space)
}

fn key_by_key(file: &[u8], limits: &Limits) -> Option<Keyspace> {
    let space = space();
    let mut reader = Reader::new(file).without_checksum();
    load_all(&mut reader, &space, options(limits)).ok()?;
    Some(space)
}

/// By database and name: the expiry and the digest.
type Content = BTreeMap<(u32, Vec<u8>), (Option<i64>, [u8; 40])>;

/// All keys.
fn content(space: &Keyspace) -> Content {
    let mut all = BTreeMap::new();
    for db in 0..DATABASES {
        let filter = ScanFilter::default();
        space.scan(db, Position::default(), usize::MAX, &filter, |entry| {
            let mut digest = Digest::ZERO;
            entry.fold(&mut digest);
            let key = (db, entry.key().to_vec());
            all.insert(key, (entry.expiry(), digest.hex()));
        });
    }
    all
}

pub(crate) fn check(data: &[u8]) {
    let Some((choice, file)) = data.split_first() else { return };
    let limits = match choice & 1 {
        0 => Limits::default(),
        _ => Limits {
            hash_entries: 2,
            zset_entries: 2,
            set_entries: 2,
            set_intset_entries: 2,
            list_size: 2,
            ..Limits::default()
        },
    };
    let piece = if choice & 2 == 0 { 1 << 20 } else { 7 };
    let (parts, keys) = (in_parts(file, piece, &limits), key_by_key(file, &limits));
    assert_eq!(parts.is_some(), keys.is_some(), "one refuses what the other takes");
    let (Some(parts), Some(keys)) = (parts, keys) else { return };
    let expected = content(&keys);
    assert_eq!(content(&parts), expected);
    let elements_expire = (0..DATABASES).any(|db| keys.size(db).subexpiry > 0);
    let has = |of: Type| {
        let (mut found, kind) = (false, Some(of.name().as_bytes().to_vec()));
        let filter = ScanFilter { kind, ..ScanFilter::default() };
        for db in 0..DATABASES {
            keys.scan(db, Position::default(), usize::MAX, &filter, |_| found = true);
        }
        found
    };
    // These become what other servers have.
    let only_ours = has(Type::SortedInt) || has(Type::Job);
    for dialect in [Dialect::Common, Dialect::Redis70, Dialect::Valkey9] {
        if (elements_expire || only_ours) && dialect != Dialect::Common {
            // One cannot carry them, the other only those of hashes.
            continue;
        }
        let mut writer = Writer::new();
        writer.set_dialect(dialect);
        let clock = Some(AccessClock::Lru);
        save_all(&mut writer, &mut keys.hold_all(), DATABASES, &[], clock, 1_700_000_000_000);
        let mut file = writer.into_bytes();
        if dialect == Dialect::Valkey9 {
            file[..9].copy_from_slice(b"VALKEY080");
        }
        let again = in_parts(&file, piece, &limits).expect("what was saved is loaded");
        assert_eq!(content(&again), expected, "{dialect:?}");
    }
}
