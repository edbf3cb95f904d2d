//! `replace` under every crash and every fault; the model of [`MemDisk`]; [`RealDisk`] beside it.

use std::io;
use std::path::Path;

use super::*;

const PATH: &str = "/data/state";

fn old() -> Vec<u8> {
    b"old".to_vec()
}

/// Four sectors, so that a torn state exists.
fn new() -> Vec<u8> {
    (0..1900_u32).map(|n| n as u8 | 1).collect()
}

fn put(disk: &dyn Disk, path: &str, bytes: &[u8]) {
    let file = disk.open(Path::new(path), Open::Create { mode: PRIVATE }).unwrap();
    write_all_at(&*file, bytes, 0).unwrap();
    file.sync().unwrap();
    disk.sync_dir(folder(Path::new(path))).unwrap();
}

fn content(disk: &dyn Disk, path: &str) -> Option<Vec<u8>> {
    match read(disk, Path::new(path), 1 << 20) {
        Ok(content) => Some(content),
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            None
        }
    }
}

fn prepared() -> MemDisk {
    let disk = MemDisk::new();
    disk.create_dir(Path::new("/data"), 0o755).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    put(&disk, PATH, &old());
    disk
}

/// Runs `body` with the fault at operation 1, 2, ... until it comes too late to strike.
fn at_every_operation(fault: Fault, mut body: impl FnMut(&MemDisk)) -> u64 {
    for nth in 1.. {
        let disk = prepared();
        disk.inject(nth, fault);
        body(&disk);
        if !disk.fired() {
            return nth - 1;
        }
    }
    unreachable!()
}

#[test]
fn replace_leaves_old_or_new_after_every_crash() {
    let mut states = 0;
    let operations = at_every_operation(Fault::PowerOff, |disk| {
        let result = replace(disk, Path::new(PATH), &new(), PRIVATE);
        assert_eq!(result.is_err(), disk.fired());
        let complete = disk.every_crash(1_000_000, |after| {
            states += 1;
            let found = content(&after, PATH).unwrap();
            assert!(found == new() || (result.is_err() && found == old()));
            // The next replacement sweeps up whatever was left.
            replace(&after, Path::new(PATH), b"third", PRIVATE).unwrap();
            assert_eq!(after.list(Path::new("/data")).unwrap(), ["state"]);
        });
        assert!(complete);
        assert_eq!(disk.violations(), Vec::<String>::new());
        let killed = content(&disk.kill(), PATH).unwrap();
        assert!(killed == new() || killed == old());
    });
    assert_eq!(operations, 6, "remove, open, write, sync, rename, sync_dir");
    assert!(states > 40, "only {states} states");
}

#[test]
fn replace_of_a_new_file_leaves_none_or_new() {
    at_every_operation(Fault::PowerOff, |disk| {
        let path = Path::new("/data/fresh");
        let result = replace(disk, path, &new(), SHARED);
        disk.every_crash(1_000_000, |after| match content(&after, "/data/fresh") {
            None => assert!(result.is_err()),
            Some(found) => assert_eq!(found, new()),
        });
    });
}

#[test]
fn replace_survives_every_fault() {
    for fault in [Fault::Eio, Fault::Enospc, Fault::Short, Fault::Interrupted] {
        at_every_operation(fault, |disk| {
            let result = replace(disk, Path::new(PATH), &new(), PRIVATE);
            if fault == Fault::Short {
                result.as_ref().unwrap();
            }
            let alive = disk.kill();
            let found = content(&alive, PATH).unwrap();
            assert!(found == new() || (result.is_err() && found == old()), "{fault:?}");
            assert_eq!(disk.violations(), Vec::<String>::new());
            assert_eq!(alive.list(Path::new("/data")).unwrap(), ["state"], "{fault:?}: orphan");
            disk.every_crash(1_000_000, |after| {
                let found = content(&after, PATH).unwrap();
                assert!(found == new() || (result.is_err() && found == old()));
            });
        });
    }
}

#[test]
fn replace_meets_a_full_disk_at_every_byte() {
    let need = (old().len() + new().len()) as u64;
    for capacity in old().len() as u64..=need {
        let disk = prepared();
        disk.set_capacity(Some(capacity));
        let result = replace(&disk, Path::new(PATH), &new(), PRIVATE);
        assert_eq!(result.is_ok(), capacity == need);
        if let Err(error) = result {
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            assert_eq!(content(&disk, PATH).unwrap(), old());
        }
        assert_eq!(disk.list(Path::new("/data")).unwrap(), ["state"]);
    }
}

#[test]
fn a_careless_replacement_is_caught() {
    // No fsync: flagged, and a crash that shows neither content exists.
    let disk = prepared();
    let file = disk.open(Path::new("/data/t"), Open::CreateNew { mode: PRIVATE }).unwrap();
    write_all_at(&*file, &new(), 0).unwrap();
    disk.rename(Path::new("/data/t"), Path::new(PATH)).unwrap();
    disk.sync_dir(Path::new("/data")).unwrap();
    assert_eq!(disk.violations().len(), 1);
    let mut broken = 0;
    disk.every_crash(1000, |after| {
        let found = content(&after, PATH).unwrap();
        broken += u32::from(found != old() && found != new());
    });
    assert!(broken > 0);

    // No fsync of the folder: the old content comes back.
    let disk = prepared();
    put(&disk, "/data/t", &new());
    disk.rename(Path::new("/data/t"), Path::new(PATH)).unwrap();
    assert_eq!(disk.violations(), Vec::<String>::new());
    let mut reverted = 0;
    disk.every_crash(1000, |after| {
        reverted += u32::from(content(&after, PATH).unwrap() == old());
    });
    assert!(reverted > 0);
}

#[test]
fn unsynced_sectors_persist_in_any_combination() {
    let disk = prepared();
    let file = disk.open(Path::new("/data/log"), Open::Append { mode: PRIVATE }).unwrap();
    append_all(&*file, &[1; 512]).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("/data")).unwrap();
    append_all(&*file, &[2; 1024]).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    assert!(disk.every_crash(1000, |after| {
        let found = content(&after, "/data/log").unwrap();
        assert_eq!(found[..512], [1; 512]);
        let shape: Vec<u8> = found[512..].chunks(512).map(|sector| sector[0]).collect();
        seen.insert(shape);
    }));
    // Lost, first only, hole before the second, both, and tails of zeros or garbage.
    for shape in [&[][..], &[2], &[0, 2], &[2, 2], &[0, 0], &[0xa5, 0xa5], &[2, 0], &[2, 0xa5]] {
        assert!(seen.contains(shape), "{shape:?} not in {seen:?}");
    }
    let by_seed = content(&disk.crash(7), "/data/log");
    assert_eq!(by_seed, content(&disk.crash(7), "/data/log"));
}

#[test]
fn a_failed_sync_loses_its_pages_for_good() {
    let disk = prepared();
    let file = disk.open(Path::new(PATH), Open::Write).unwrap();
    file.write_at(b"OLD", 0).unwrap();
    disk.inject(1, Fault::Eio);
    file.sync().unwrap_err();
    file.sync().unwrap();
    assert_eq!(content(&disk, PATH).unwrap(), b"OLD");
    assert!(disk.every_crash(1000, |after| assert_eq!(content(&after, PATH).unwrap(), old())));
    disk.rename(Path::new(PATH), Path::new("/data/moved")).unwrap();
    assert_eq!(disk.violations().len(), 1);
}

#[test]
fn a_name_is_durable_after_its_folder_was_synced() {
    let disk = prepared();
    let file = disk.open(Path::new("/data/a"), Open::CreateNew { mode: PRIVATE }).unwrap();
    file.sync().unwrap();
    let mut missing = 0;
    disk.every_crash(100, |after| missing += u32::from(content(&after, "/data/a").is_none()));
    assert!(missing > 0);

    disk.create_dir(Path::new("/data/sub"), 0o755).unwrap();
    disk.rename(Path::new("/data/a"), Path::new("/data/sub/a")).unwrap();
    disk.sync_dir(Path::new("/data/sub")).unwrap();
    disk.every_crash(100, |after| {
        // One step: never under both names.
        assert!(content(&after, "/data/a").is_none() || content(&after, "/data/sub/a").is_none());
    });
    disk.sync_dir(Path::new("/data")).unwrap();
    assert!(disk.every_crash(100, |after| {
        assert!(content(&after, "/data/sub/a").is_some());
        assert!(content(&after, "/data/a").is_none());
    }));
}

#[test]
fn power_off_stops_everything() {
    let disk = prepared();
    disk.inject(1, Fault::PowerOff);
    assert!(disk.list(Path::new("/data")).is_err());
    assert!(disk.remove(Path::new(PATH)).is_err());
    assert_eq!(content(&disk.kill(), PATH).unwrap(), old());
}

/// What both disks must agree on.
fn behaves(disk: &dyn Disk, root: &Path) {
    let kind = |result: io::Result<()>| result.unwrap_err().kind();
    let file = root.join("file");
    assert_eq!(kind(disk.open(&file, Open::Read).map(drop)), io::ErrorKind::NotFound);
    assert_eq!(kind(disk.open(&file, Open::Write).map(drop)), io::ErrorKind::NotFound);
    let log = disk.open(&file, Open::Append { mode: PRIVATE }).unwrap();
    append_all(&*log, b"hello ").unwrap();
    append_all(&*log, b"world").unwrap();
    assert_eq!(log.size().unwrap(), 11);
    log.set_size(5).unwrap();
    append_all(&*log, b"!").unwrap();
    log.sync_data().unwrap();
    assert_eq!(read(disk, &file, 100).unwrap(), b"hello!");
    assert_eq!(read(disk, &file, 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    let mut buf = [0; 2];
    read_exact_at(&*log, &mut buf, 4).unwrap();
    assert_eq!(&buf, b"o!");
    assert_eq!(kind(read_exact_at(&*log, &mut buf, 5)), io::ErrorKind::UnexpectedEof);
    let meta = disk.metadata(&file).unwrap();
    assert_eq!((meta.size_bytes, meta.is_dir, meta.mode), (6, false, PRIVATE));
    let again = Open::CreateNew { mode: PRIVATE };
    assert_eq!(kind(disk.open(&file, again).map(drop)), io::ErrorKind::AlreadyExists);

    let sub = root.join("sub");
    disk.create_dir(&sub, 0o755).unwrap();
    assert_eq!(kind(disk.create_dir(&sub, 0o755)), io::ErrorKind::AlreadyExists);
    assert!(disk.metadata(&sub).unwrap().is_dir);
    disk.rename(&file, &sub.join("moved")).unwrap();
    assert_eq!(kind(disk.remove_dir(&sub)), io::ErrorKind::DirectoryNotEmpty);
    assert_eq!(disk.list(&sub).unwrap(), ["moved"]);
    assert_eq!(kind(disk.remove(&file)), io::ErrorKind::NotFound);

    let lock = root.join("lock");
    let held = disk.lock(&lock).unwrap();
    assert_eq!(kind(disk.lock(&lock).map(drop)), io::ErrorKind::WouldBlock);
    drop(held);
    drop(disk.lock(&lock).unwrap());

    let state = root.join("state");
    replace(disk, &state, b"one", SHARED).unwrap();
    replace(disk, &state, b"two", PRIVATE).unwrap();
    assert_eq!(read(disk, &state, 100).unwrap(), b"two");
    assert_eq!(disk.metadata(&state).unwrap().mode, PRIVATE);
    drop(Replacement::begin(disk, &state, PRIVATE).unwrap());
    assert_eq!(disk.list(root).unwrap(), ["lock", "state", "sub"]);
    disk.remove(&sub.join("moved")).unwrap();
    disk.remove_dir(&sub).unwrap();
    disk.sync_dir(root).unwrap();
}

#[test]
fn both_disks_behave_alike() {
    behaves(&prepared(), Path::new("."));
    let dir = tempfile::tempdir().unwrap();
    behaves(&RealDisk, dir.path());
}

#[test]
fn readers_and_writers_follow_the_offset() {
    use std::io::{Read, Write};
    let disk = prepared();
    let file = disk.open(Path::new(PATH), Open::Write).unwrap();
    let mut writer = Writer::new(&*file, 3);
    writer.write_all(b" and new").unwrap();
    assert_eq!(writer.offset(), 11);
    let mut text = String::new();
    let mut reader = Reader::new(&*file, 0);
    reader.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), reader.offset()), ("old and new", 11));
}

#[test]
fn the_folder_of_a_path() {
    for (path, expected) in [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("d/a", "d"), ("/", "/")] {
        assert_eq!(folder(Path::new(path)), Path::new(expected));
    }
}
