//! The power goes, or the disk fails, at every operation of saving snapshots: what is there afterwards is
//! the last one that was finished, or the one that was being put in its place, and never a mixture.

mod crash_bench;

use crash_bench::{Tally, data_of, fingerprint, images, load_base, node};
use disk::{Disk, Fault, MemDisk};
use durability::rdb_file::{Head, Image, Saving};
use std::path::Path;
use testkit::{Node, Snapshot};

const PATH: &str = "/dump.rdb";
const TEMP: &str = "/temp-1.rdb";
const SAVES: usize = 3;

/// Saves three times, with writes before each and while it is under way. The data as of each cut, and
/// how many of the saves were reported as done.
fn run(disk: &MemDisk) -> (Vec<Snapshot>, usize) {
    let mut node = node();
    let mut client = node.session();
    let (mut cuts, mut last) = (Vec::new(), 0);
    for round in 1..=SAVES {
        let number = round.to_string();
        node.send(&mut client, &[b"INCR", b"counter"]);
        node.send(&mut client, &[b"RPUSH", b"list", number.as_bytes(), &[b'x'; 600]]);
        node.send(&mut client, &[b"HSET", b"hash", number.as_bytes(), b"field"]);
        cuts.push(data_of(&node));
        if save(disk, &mut node).is_ok() {
            last = round;
        }
    }
    (cuts, last)
}

fn save(disk: &MemDisk, node: &mut Node) -> std::io::Result<()> {
    let mut client = node.session();
    let mut snapshot = node.begin_snapshot(|_| {});
    let image = Image::new(&Head { version: 11, ..Head::default() }, true);
    let mut saving = Saving::begin(disk, Path::new(PATH), Path::new(TEMP), image, true)?;
    // What comes behind the cut is not in the file.
    node.send(&mut client, &[b"INCR", b"counter"]);
    while saving.step(&mut |out, _| snapshot.read(out, 100))? {
        node.send(&mut client, &[b"RPUSH", b"list", b"meanwhile"]);
    }
    saving.commit()
}

/// Which of the saves the file is from: 0 is none.
fn there(disk: &MemDisk, cuts: &[Snapshot], at: &str) -> usize {
    if disk.metadata(Path::new(PATH)).is_err() {
        return 0;
    }
    let node = node();
    load_base(&node, disk, Path::new(PATH)).unwrap_or_else(|error| panic!("{at}: {error}"));
    let data = data_of(&node);
    let found = cuts.iter().rposition(|cut| *cut == data);
    found.unwrap_or_else(|| panic!("{at}: the data were never like that")) + 1
}

#[test]
fn a_crash_leaves_one_snapshot_or_the_next() {
    let mut tally = Tally::default();
    let whole = run(&MemDisk::new());
    assert_eq!(whole.1, SAVES);
    for point in 1.. {
        let disk = MemDisk::new();
        disk.inject(point, Fault::PowerOff);
        let (_, last) = run(&disk);
        tally.points += 1;
        images(&disk, 512, |image, _| {
            tally.images += 1;
            let at = format!("power off at operation {point}");
            let found = there(&image, &whole.0, &at);
            assert!(found == last || found == last + 1, "{at}: {found}, {last} were finished");
        });
        if !disk.fired() {
            break;
        }
    }
    assert!(tally.points > 20 && tally.images > 80, "{tally:?}");
    println!("snapshots: {} operations, {} states", tally.points, tally.images);
}

#[test]
fn a_fault_costs_one_save() {
    for fault in [Fault::Eio, Fault::Enospc, Fault::Short, Fault::Interrupted] {
        for point in 1.. {
            let disk = MemDisk::new();
            disk.inject(point, fault);
            let (cuts, last) = run(&disk);
            let at = format!("{fault:?} at operation {point}");
            assert!(last >= SAVES - 1, "{at}: {last} is the last that was finished");
            assert_eq!(disk.violations(), Vec::<String>::new(), "{at}");
            images(&disk, 64, |image, _| {
                let found = there(&image, &cuts, &at);
                assert!(found >= last, "{at}: {found}, {last} were finished");
            });
            let left = fingerprint(&disk.kill());
            assert!(left.iter().all(|(name, _)| name == PATH), "{at}: temporary files stay");
            if !disk.fired() {
                break;
            }
        }
    }
}
