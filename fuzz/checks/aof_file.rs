//! What must hold for every append-only file. Shared by the fuzz target and the test that replays its
//! corpus.
//!
//! What is given out of it is whole records from its beginning. The check of it ends, and a file that it
//! has cut is valid.

use disk::{Disk, MemDisk, Open};
use durability::aof::{Check, CheckOptions, Scanner};
use std::path::Path;

/// Panics if something does not hold.
pub(crate) fn check(data: &[u8]) {
    let disk = MemDisk::new();
    let path = Path::new("appendonly.aof");
    let file = disk.open(path, Open::Create { mode: 0o600 }).expect("an empty disk");
    disk::write_all_at(&*file, data, 0).expect("an empty disk");
    let mut scanner = Scanner::new(&*file, 0);
    let mut end = 0;
    while let Some((offset, records)) = scanner.next_records().expect("no faults") {
        assert_eq!(offset, end);
        end += records.len() as u64;
        assert!(data[..end as usize].ends_with(records));
    }
    if run(&disk, path, true) {
        assert!(run(&disk, path, false));
    }
}

fn run(disk: &MemDisk, path: &Path, fix: bool) -> bool {
    let options = CheckOptions { fix, ..CheckOptions::default() };
    let (mut out, mut confirm) = (Vec::new(), || true);
    let mut check = Check { disk, options, out: &mut out, confirm: &mut confirm };
    check.run(path).expect("no faults")
}
