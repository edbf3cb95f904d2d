//! What a script holds for too long: nobody waits for it who has something else to do.

use crate::snapshot::Helper;
use crate::{Busy, Db, Event, ExpiryChange, Keyspace, NewValue, Record, SnapshotOptions, Stalled};
use std::sync::Arc;
use stdx::hash::Seed;
use stdx::sync::thread;

const OPTIONS: SnapshotOptions = SnapshotOptions { now_ms: 0, access: None, compress: false };

/// A keyspace of four shards and some keys.
fn filled() -> Arc<Keyspace> {
    let space = Arc::new(Keyspace::new(4, 1, Seed::new(1, 2)));
    let mut record = Record::default();
    for number in 0..1000u32 {
        let name = number.to_string();
        let key = space.key(name.as_bytes(), 0);
        let mut shard = space.shards().one(key.shard());
        let mut db = Db::under_one(&mut shard, &mut record, 0, 0);
        db.put(&key, NewValue::bytes(b"value"), ExpiryChange::Clear, Event::string("set"));
        record.clear();
    }
    space
}

/// A snapshot is walked over and given up while one of its shards is held; what of it is there goes when
/// the script ends.
#[test]
fn a_snapshot_goes_around_a_script() {
    let space = filled();
    let snapshot = space.prepare_snapshot(OPTIONS).unwrap().cut();
    let held = space.shards().one(space.key(b"0", 0).shard());
    space.script_is_overdue();
    let other = Arc::clone(&space);
    let worker = thread::spawn(move || {
        let mut helper = Helper::new(&other, 0);
        (0..100).for_each(|_| helper.step());
        drop((helper, snapshot));
    });
    worker.join().unwrap();
    assert_eq!(space.prepare_snapshot(OPTIONS).err(), Some(Busy));
    drop(held);
    space.overdue_script_ended();
    let mut body = Vec::new();
    let mut snapshot = space.prepare_snapshot(OPTIONS).unwrap().cut();
    while snapshot.read(&mut body, 1 << 20) {}
    assert_eq!(snapshot.keys_done(), 1000);
}

/// A snapshot that was prepared and not cut has nothing in the tables: it is given up under a script.
#[test]
fn nothing_is_waited_for_before_the_cut() {
    let space = filled();
    let _held = space.shards().one(space.key(b"0", 0).shard());
    drop(space.prepare_snapshot(OPTIONS).unwrap());
    assert!(space.prepare_snapshot(OPTIONS).is_ok());
}

/// A script that holds the write gate, and one inside a pass.
#[test]
fn the_gate_is_not_waited_for() {
    let space = filled();
    let (mut script, mut other) =
        (space.epochs().register().unwrap(), space.epochs().register().unwrap());
    let closed = space.reach_gate(&mut script).unwrap();
    space.script_is_overdue();
    assert_eq!(space.reach_pass(&mut other).err(), Some(Stalled));
    drop(closed);
    assert!(space.reach_pass(&mut other).is_ok());
    let pass = script.enter();
    assert_eq!(space.reach_gate(&mut other).err(), Some(Stalled));
    space.overdue_script_ended();
    // It may end in time, but not soon.
    assert_eq!(space.soon_gate(&mut other).err(), Some(Stalled));
    drop(pass);
    assert!(space.soon_gate(&mut other).is_ok());
}
