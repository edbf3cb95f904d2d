//! Files on a disk in memory: saved and loaded, cut and flipped; a disk that fails, tears and crashes.

use super::{Event, FileSource, Frames, Head, Image, LoadError, Saving, load};
use disk::{Disk as _, Fault, MemDisk};
use keyspace::persist::{LoadCounts, LoadOptions, Loader};
use keyspace::{AccessClock, Keyspace};
use rdb::file::{Meta, Versions, write_database, write_key};
use rdb::opcode::value;
use rdb::{Error, Source, Writer};
use std::path::Path;
use stdx::hash::Seed;
use types::Limits;

const PATH: &str = "dump.rdb";
const TEMP: &str = "temp-1.rdb";

/// Keys of two databases: short ones, and a list of the length given.
fn body(keys: u32, list: u32) -> Vec<u8> {
    let mut writer = Writer::new().without_compression();
    for db in [0, 3] {
        write_database(&mut writer, db, u64::from(keys), 0);
        for number in 0..keys {
            let meta = Meta { expiry: (number % 7 == 0).then_some(1 << 50), ..Meta::default() };
            write_key(&mut writer, value::STRING, format!("key:{number}").as_bytes(), meta);
            writer.string(format!("text {number}").as_bytes());
        }
    }
    if list > 0 {
        write_key(&mut writer, value::LIST, b"list", Meta::default());
        writer.length(u64::from(list));
        for number in 0..list {
            writer.string(format!("a longer element with the number {number}").as_bytes());
        }
    }
    writer.into_bytes()
}

fn head() -> Head {
    Head {
        version: 11,
        aux: vec![("redis-ver", "7.2.0".into()), ("aof-base", "0".into())],
        functions: vec![b"#!lua name=lib\n".to_vec()],
    }
}

/// Saves `body` in blocks of an odd size.
fn save(disk: &MemDisk, mut body: &[u8], checksum: bool) -> std::io::Result<()> {
    let image = Image::new(&head(), checksum);
    let mut saving = Saving::begin(disk, Path::new(PATH), Path::new(TEMP), image, true)?;
    let mut read = |out: &mut Vec<u8>, _: usize| {
        let (part, rest) = body.split_at(body.len().min(777));
        out.extend_from_slice(part);
        body = rest;
        !body.is_empty()
    };
    while saving.step(&mut read)? {}
    saving.commit()
}

fn file(body: &[u8], checksum: bool) -> Vec<u8> {
    let disk = MemDisk::new();
    save(&disk, body, checksum).unwrap();
    disk::read(&disk, Path::new(PATH), 1 << 30).unwrap()
}

/// Bytes that come a few at a time.
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
    Keyspace::new(16, 16, Seed::from_bytes([7; 16]))
}

/// Loads a file; what is no key is counted.
fn load_from(source: &mut dyn Source, space: &Keyspace) -> Result<(LoadCounts, u32), LoadError> {
    let limits = Limits::default();
    let options = LoadOptions {
        limits: &limits,
        clock: AccessClock::Lru,
        now_ms: 1_700_000_000_000,
        horizon_ms: 1_700_000_000_000,
        replace: false,
    };
    let mut frames = Frames::begin(source, Versions::Known, true)?;
    let mut loader = Loader::new(space, frames.version(), options);
    let mut others = 0;
    load(&mut frames, &mut loader, &mut |_: &Event| {
        others += 1;
        Ok(())
    })?;
    Ok((loader.counts(), others))
}

fn load_bytes(bytes: &[u8], piece: usize) -> Result<(LoadCounts, u32), LoadError> {
    load_from(&mut Trickle(bytes, piece), &space())
}

#[test]
fn saved_and_loaded() {
    let file = file(&body(20_000, 10_000), true);
    for piece in [1 << 16, 100_003] {
        let space = space();
        let (counts, others) = load_from(&mut Trickle(&file, piece), &space).unwrap();
        assert_eq!(counts, LoadCounts { keys: 40_001, expired: 0, empty: 0 });
        // Two fields, one library, the end.
        assert_eq!(others, 4);
        assert_eq!((space.size(0).keys, space.size(3).keys), (20_000, 20_001));
        assert_eq!(space.size(0).expires, 20_000_u64.div_ceil(7));
    }
}

#[test]
fn a_value_that_is_longer_than_a_batch_may_be() {
    let file = file(&body(10, 700_000), true);
    assert!(file.len() > 24 << 20);
    let (counts, _) = load_bytes(&file, 1 << 20).unwrap();
    assert_eq!(counts.keys, 21);
    let mut bad = file;
    let at = bad.len() - 1;
    bad[at] ^= 1;
    load_bytes(&bad, 1 << 20).unwrap_err();
}

#[test]
fn every_cut_and_every_flip_is_noticed() {
    let good = file(&body(12, 3), true);
    load_bytes(&good, good.len()).unwrap();
    for at in 0..good.len() {
        let error = load_bytes(&good[..at], 50).unwrap_err();
        assert!(error.offset <= at as u64);
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        // Byte 8 is the last digit of the version.
        assert!(load_bytes(&bad, 50).is_err() || at == 8, "byte {at}");
    }
}

#[test]
fn without_checksum() {
    let bytes = file(&body(12, 0), false);
    assert_eq!(bytes[bytes.len() - 8..], [0; 8]);
    load_bytes(&bytes, 10).unwrap();
}

#[test]
fn where_and_why() {
    let text = |bytes: &[u8]| load_bytes(bytes, 100).unwrap_err().to_string();
    assert_eq!(text(b""), "at offset 0: unexpected end");
    assert_eq!(
        text(b"not a snapshot at all"),
        "at offset 0: Wrong signature trying to load DB from file"
    );
    assert_eq!(text(b"REDIS0099"), "at offset 0: Can't handle RDB format version 99");
    assert_eq!(text(b"REDIS0011\xf1"), "at offset 10: unknown opcode");
    assert_eq!(text(b"REDIS0011\xfe\x00\x00\x03key\x05val"), "at offset 20: unexpected end");
    let twice = b"REDIS0011\x00\x01k\x01v\x00\x01k\x01w\xff\0\0\0\0\0\0\0\0";
    assert_eq!(text(twice), "at offset 28: RDB has duplicated key 'k' in DB 0");
    let database = text(b"REDIS0011\xfe\x10\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0");
    assert!(database.ends_with("a key of database 16, while there are 16 databases"), "{database}");
}

/// Loads what is on the disk: how many keys.
fn keys_on(disk: &MemDisk) -> u64 {
    let (mut source, _) = FileSource::open(disk, Path::new(PATH)).unwrap();
    load_from(&mut source, &space()).unwrap().0.keys
}

#[test]
fn a_disk_that_fails_leaves_the_old_file_or_the_new() {
    let (old, new) = (body(5, 0), body(50, 0));
    for fault in [Fault::Eio, Fault::Enospc, Fault::Short, Fault::Interrupted] {
        for nth in 1.. {
            let disk = MemDisk::new();
            save(&disk, &old, true).unwrap();
            disk.inject(nth, fault);
            let saved = save(&disk, &new, true);
            if !disk.fired() {
                assert!(nth > 5, "{nth}");
                break;
            }
            let keys = keys_on(&disk);
            assert!(keys == 100 || keys == 10 && saved.is_err(), "{fault:?} {nth}: {keys}");
            assert_eq!(disk.violations(), Vec::<String>::new());
            let tidied = disk.metadata(Path::new(TEMP)).is_err();
            // Removing it may be what failed.
            assert!(tidied || fault == Fault::Eio, "{fault:?} {nth}");
            save(&disk, &new, true).unwrap();
            assert_eq!(keys_on(&disk), 100);
        }
    }
}

#[test]
fn a_crash_leaves_the_old_file_or_the_new() {
    let (old, new) = (body(2, 0), body(3, 0));
    for nth in 1.. {
        let disk = MemDisk::new();
        save(&disk, &old, true).unwrap();
        disk.inject(nth, Fault::PowerOff);
        let saved = save(&disk, &new, true);
        disk.every_crash(5000, |crashed| {
            let keys = keys_on(&crashed);
            assert!(keys == 6 || keys == 4 && saved.is_err(), "power off at {nth}: {keys}");
        });
        if !disk.fired() {
            break;
        }
    }
}

#[test]
fn a_read_that_fails_is_an_error() {
    for nth in 1.. {
        let disk = MemDisk::new();
        save(&disk, &body(20_000, 0), true).unwrap();
        disk.inject(nth, Fault::Eio);
        let opened = FileSource::open(&disk, Path::new(PATH));
        let loaded = opened.ok().map(|(mut source, _)| load_from(&mut source, &space()).is_ok());
        if !disk.fired() {
            assert_eq!(loaded, Some(true));
            break;
        }
        assert_ne!(loaded, Some(true), "{nth}");
    }
}
