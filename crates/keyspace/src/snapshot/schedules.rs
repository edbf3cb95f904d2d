//! A snapshot, its helpers and writers under shuttle: every operation is a point where another thread
//! may go on.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p keyspace --target-dir target/shuttle`

use super::{Helper, Snapshot, SnapshotOptions};
use crate::{Db, Event, ExpiryChange, Keyspace, NewValue, Record};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use stdx::hash::Seed;
use stdx::sync::{Condvar, Mutex, thread};

/// A waker for a thread.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    ring: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock() = true;
        self.ring.notify_one();
    }
}

impl Bell {
    /// Waits for a ring; shuttle reports a deadlock if there is none.
    fn wait(&self) {
        let mut rung = self.rung.lock();
        while !std::mem::take(&mut *rung) {
            self.ring.wait(&mut rung);
        }
    }
}

const KEYS: u8 = 6;

fn with(space: &Keyspace, key: &str, command: impl FnOnce(&mut Db<'_>, &crate::KeyRef<'_>)) {
    let key = space.key(key.as_bytes(), 0);
    let mut record = Record::default();
    let mut held = space.shards().one(key.shard());
    command(&mut Db::under_one(&mut held, &mut record, 0, 0), &key);
    drop(held);
    space.dispose(&mut record.garbage);
}

fn put(space: &Keyspace, key: &str, value: i64) {
    with(space, key, |db, key| {
        db.put(key, NewValue::Int(value), ExpiryChange::Clear, Event::string("set"));
    });
}

fn filled() -> Arc<Keyspace> {
    let space = Arc::new(Keyspace::new(2, 2, Seed::from_bytes([7; 16])));
    (0..KEYS).for_each(|key| put(&space, &format!("k{key}"), 0));
    space
}

fn cut(space: &Arc<Keyspace>) -> Snapshot {
    let options = SnapshotOptions { now_ms: 0, access: None, compress: false };
    space.prepare_snapshot(options).expect("the first").cut()
}

/// Keys and values of a body, which are numbers.
fn entries(body: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut file = body.to_vec();
    file.push(rdb::opcode::op::EOF);
    file.extend_from_slice(&[0; 8]);
    let mut reader = rdb::Reader::new(&file);
    loop {
        match rdb::file::next(&mut reader, 11).expect("a good body") {
            rdb::file::Next::End { .. } => return found,
            rdb::file::Next::Key { .. } => {
                let (key, value) = (reader.string_vec().unwrap(), reader.string_vec().unwrap());
                assert!(found.insert(key, value).is_none(), "a key comes twice");
            }
            _ => {}
        }
    }
}

fn is_as_at_the_cut(body: &[u8]) {
    let found = entries(body);
    assert_eq!(found.len(), usize::from(KEYS));
    assert!(found.values().all(|value| value == b"0"));
}

/// Changes, deletes and adds, and rests when it is told to.
fn write(space: &Keyspace, number: u8) {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    for key in 0..KEYS {
        match (key + number) % 3 {
            0 => put(space, &format!("k{key}"), 1),
            1 => with(space, &format!("k{key}"), |db, key| {
                db.delete(key, Event::generic("del"));
            }),
            _ => put(space, &format!("new{key}"), 1),
        }
        if space.rests(&waker) {
            bell.wait();
        }
    }
}

/// Helps until the snapshot is over, and sleeps when there is nothing to do.
fn help(space: &Arc<Keyspace>, bell: &Arc<Bell>) {
    let mut helper = Helper::new(space, 1);
    let waker = Waker::from(Arc::clone(bell));
    while space.has_snapshot() {
        match helper.poll(&waker) {
            Poll::Ready(()) => helper.step(),
            Poll::Pending => bell.wait(),
        }
    }
}

fn read_all(mut snapshot: Snapshot) -> Vec<u8> {
    let mut body = Vec::new();
    while snapshot.read(&mut body, 20) {}
    body
}

#[test]
fn each_key_once_whoever_comes_first() {
    shuttle::check_random(
        || {
            let space = filled();
            let snapshot = cut(&space);
            let threads = [0, 1].map(|number| {
                let space = Arc::clone(&space);
                thread::spawn(move || write(&space, number))
            });
            let bell = Arc::new(Bell::default());
            let (helped, rung) = (Arc::clone(&space), Arc::clone(&bell));
            let helper = thread::spawn(move || help(&helped, &rung));
            is_as_at_the_cut(&read_all(snapshot));
            bell.wake();
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            helper.join().expect("no panic");
        },
        2_000,
    );
}

/// A flush hands whole tables over; databases change their places.
#[test]
fn tables_go_and_change_places() {
    shuttle::check_random(
        || {
            let space = filled();
            let snapshot = cut(&space);
            let flushed = Arc::clone(&space);
            let flusher = thread::spawn(move || {
                let mut record = Record::default();
                let mut held = flushed.hold_all();
                let mut db = Db::under_many(&mut held, &mut record, 0, 0);
                db.swap(0, 1);
                db.flush(Some(1));
                drop(held);
                flushed.dispose(&mut record.garbage);
                put(&flushed, "k0", 5);
            });
            let written = Arc::clone(&space);
            let writer = thread::spawn(move || write(&written, 2));
            is_as_at_the_cut(&read_all(snapshot));
            flusher.join().expect("no panic");
            writer.join().expect("no panic");
        },
        2_000,
    );
}

/// Given up in the middle: nobody waits for ever, and nothing stays.
#[test]
fn given_up() {
    shuttle::check_random(
        || {
            let space = filled();
            let mut snapshot = cut(&space);
            let threads = [0, 1].map(|number| {
                let space = Arc::clone(&space);
                thread::spawn(move || write(&space, number))
            });
            snapshot.read(&mut Vec::new(), 1);
            drop(snapshot);
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            assert_eq!(space.snapshot_lag(), 0);
            is_whole_again(&space);
        },
        2_000,
    );
}

fn is_whole_again(space: &Arc<Keyspace>) {
    let wanted = space.size(0).keys as usize;
    assert_eq!(entries(&read_all(cut(space))).len(), wanted);
}
