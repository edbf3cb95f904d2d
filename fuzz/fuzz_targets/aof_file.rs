//! Whatever a file holds: what is given out of it is whole records from its beginning, and the check of
//! it ends. A fixed file is valid.
#![no_main]

use disk::{Disk, MemDisk, Open};
use durability::aof::{Check, CheckOptions, Scanner};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let disk = MemDisk::new();
    let path = Path::new("appendonly.aof");
    let file = disk.open(path, Open::Create { mode: 0o600 }).unwrap();
    disk::write_all_at(&*file, bytes, 0).unwrap();
    let mut scanner = Scanner::new(&*file, 0);
    let mut end = 0;
    while let Some((offset, records)) = scanner.next_records().unwrap() {
        assert_eq!(offset, end);
        end += records.len() as u64;
        assert!(bytes[..end as usize].ends_with(records));
    }
    let check = |fix| {
        let options = CheckOptions { fix, ..CheckOptions::default() };
        let (mut out, mut confirm) = (Vec::new(), || true);
        Check { disk: &disk, options, out: &mut out, confirm: &mut confirm }.run(path).unwrap()
    };
    check(false);
    if check(true) {
        assert!(check(false));
    }
});
