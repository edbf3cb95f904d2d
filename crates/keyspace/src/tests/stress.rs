//! Prefetching without locks while tables grow, shrink, go and change places. What it proves, it
//! proves under a sanitizer.

use super::model::keyspace;
use crate::{Db, Event, EvictionPolicy, Evictor, ExpiryChange, NewValue, Record, Search};
use std::sync::atomic::{AtomicBool, Ordering};
use stdx::rng::Rng;

#[test]
fn prefetching_reads_nothing_that_was_freed() {
    const ROUNDS: u64 = 20;
    let space = keyspace(4);
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for reader in 0..2 {
            let (space, stop) = (&space, &stop);
            threads.spawn(move || {
                let mut participant = space.epochs().register().expect("a slot is free");
                let mut rng = Rng::new(reader);
                while !stop.load(Ordering::Relaxed) {
                    let pass = participant.enter();
                    for _ in 0..50 {
                        let text = rng.below(4000).to_string();
                        let key = space.key(text.as_bytes(), 0);
                        let db = rng.below(3) as u32;
                        space.prefetch_bucket(&pass, db, &key);
                        space.prefetch_entry(&pass, db, &key);
                    }
                    drop(pass);
                    space.random_key(0, &mut rng, 0, &mut Vec::new());
                }
            });
        }
        let writers: Vec<_> = (0..3u64)
            .map(|writer| {
                let space = &space;
                threads.spawn(move || write(space, writer, ROUNDS))
            })
            .collect();
        for writer in writers {
            writer.join().expect("no writer panics");
        }
        stop.store(true, Ordering::Relaxed);
    });
    let walked: u64 = (0..3)
        .map(|db| {
            let size = space.size(db);
            size.entry_bytes + size.table_bytes
        })
        .sum();
    assert!(space.accounted_bytes().abs_diff(walked) < 4 * 512);
}

/// Fills, evicts, empties and swaps, by turns.
fn write(space: &crate::Keyspace, writer: u64, rounds: u64) {
    let mut participant = space.epochs().register().expect("a slot is free");
    let mut rng = Rng::new(100 + writer);
    let mut record = Record::default();
    let mut evictor = Evictor::default();
    let policy = EvictionPolicy::from_name("allkeys-lru").expect("a policy");
    let search = Search { policy, samples: 5, clock: crate::AccessClock::Lru, now_ms: 0 };
    for round in 0..rounds {
        for _ in 0..1500 {
            let pass = participant.enter();
            let text = rng.below(4000).to_string();
            let key = space.key(text.as_bytes(), 0);
            let mut held = space.shards().one(key.shard());
            let mut db = Db::under_one(&mut held, &mut record, rng.below(3) as u32, 0);
            if rng.below(4) == 0 {
                db.delete(&key, Event::generic("del"));
            } else {
                db.put(
                    &key,
                    NewValue::Bytes(text.as_bytes()),
                    ExpiryChange::Clear,
                    Event::string("set"),
                );
            }
            drop(held);
            drop(pass);
            space.dispose(&mut record.garbage);
        }
        for _ in 0..200 {
            if let Some(candidate) = evictor.next(space, &search, &mut rng) {
                space.evict(&candidate, &search, &mut record, |_, _| 0).ok();
            }
        }
        if round % 3 == writer {
            let mut held = space.hold_all();
            let mut db = Db::under_many(&mut held, &mut record, 0, 0);
            db.swap(0, 1);
            db.flush(Some(rng.below(3) as u32));
        }
        record.clear();
        space.dispose(&mut record.garbage);
    }
}
