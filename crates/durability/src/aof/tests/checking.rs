//! The check of a set, and what it may cut.

use crate::aof::{Check, CheckOptions, Files};
use disk::{Disk, MemDisk, Open};
use std::path::Path;
use std::sync::Arc;

fn put(disk: &MemDisk, name: &str, bytes: &[u8]) {
    let file = disk.open(Path::new(name), Open::Create { mode: 0o600 }).unwrap();
    disk::write_all_at(&*file, bytes, 0).unwrap();
}

fn check(disk: &MemDisk, name: &str, options: CheckOptions) -> (bool, String) {
    let (mut out, mut confirm) = (Vec::new(), || true);
    let mut check = Check { disk, options, out: &mut out, confirm: &mut confirm };
    let valid = check.run(Path::new(name)).unwrap();
    (valid, String::from_utf8(out).unwrap())
}

/// The moment 0 is none: nothing is cut, and the file is checked as without it.
#[test]
fn the_moment_0_is_none() {
    let disk = MemDisk::new();
    let bytes = b"#TS:1628217470\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n";
    put(&disk, "a.aof", bytes);
    let options = CheckOptions { timestamp: Some(0), ..CheckOptions::default() };
    let (valid, text) = check(&disk, "a.aof", options);
    assert!(valid && text.contains("AOF a.aof is valid"), "{text}");
    let (valid, text) = check(&disk, "a.aof", CheckOptions { timestamp: Some(1), ..options });
    assert!(!valid && text.contains("nothing before timestamp 1"), "{text}");
    assert_eq!(disk::read(&disk, Path::new("a.aof"), 1000).unwrap(), bytes);
}

/// What a server appends to is not cut, whichever of the names is given; it may be looked at.
#[test]
fn files_in_use_are_not_cut() {
    let disk = MemDisk::new();
    let files = Files::new(Arc::new(disk.clone()), Path::new(""), "dir", "a.aof");
    let held = files.hold().unwrap();
    let bytes = b"#TS:1\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n#TS:9\r\n*2\r\n$3\r\nDE";
    put(&disk, "dir/a.aof.1.incr.aof", bytes);
    put(&disk, "dir/a.aof.manifest", b"file a.aof.1.incr.aof seq 1 type i\n");
    let fix = CheckOptions { fix: true, ..CheckOptions::default() };
    let time = CheckOptions { timestamp: Some(2), ..CheckOptions::default() };
    for name in ["dir/a.aof.manifest", "dir/a.aof.1.incr.aof"] {
        for options in [fix, time] {
            let (valid, text) = check(&disk, name, options);
            assert!(
                !valid && text.contains("another server") && text.contains("a.aof.lock"),
                "{text}"
            );
        }
        let (_, text) = check(&disk, name, CheckOptions::default());
        assert!(text.contains("is not valid"), "{text}");
    }
    let path = Path::new("dir/a.aof.1.incr.aof");
    assert_eq!(disk::read(&disk, path, 1000).unwrap(), bytes);
    drop(held);
    assert!(check(&disk, "dir/a.aof.manifest", fix).0);
    assert!(disk::read(&disk, path, 1000).unwrap().len() < bytes.len());
}

/// A base under the name of an RDB file that is none is not cut to nothing.
#[test]
fn a_base_of_another_kind_is_not_cut() {
    for bytes in [&b"SEDIS0011 and so on"[..], b""] {
        let disk = MemDisk::new();
        put(&disk, "a.aof.1.base.rdb", bytes);
        put(&disk, "a.aof.manifest", b"file a.aof.1.base.rdb seq 1 type b\n");
        let options = CheckOptions { fix: true, ..CheckOptions::default() };
        let (valid, text) = check(&disk, "a.aof.manifest", options);
        assert!(!valid && text.contains("not in RDB format"), "{text}");
        assert_eq!(disk::read(&disk, Path::new("a.aof.1.base.rdb"), 1000).unwrap(), bytes);
    }
}
