//! What holds without contention; schedules are in `schedules.rs`.

use std::sync::Arc;
use std::time::Duration;

use stdx::sync::atomic::{AtomicU64, Ordering};
use stdx::sync::thread;

use crate::{Epochs, ShardId, Shards};

fn ids(range: impl Iterator<Item = u16>) -> Vec<ShardId> {
    range.map(ShardId).collect()
}

#[test]
fn one_shard_at_a_time() {
    let shards = Shards::new(8, |id| u64::from(id.0));
    assert_eq!(shards.count(), 8);
    assert_eq!(shards.of_hash((3 << 61) | 0xfff), ShardId(3));
    *shards.one(ShardId(3)) += 10;
    assert_eq!(*shards.try_one(ShardId(3)).unwrap(), 13);
    assert_eq!(*shards.one_within(ShardId(4), Duration::ZERO).unwrap(), 4);
}

#[test]
fn a_held_shard_is_busy_after_the_limit() {
    let shards = Arc::new(Shards::new(2, |_| 0));
    let held = shards.one(ShardId(1));
    let other = Arc::clone(&shards);
    let limit = Duration::from_millis(1);
    thread::spawn(move || {
        assert!(other.try_one(ShardId(1)).is_none());
        assert!(other.one_within(ShardId(1), limit).is_none());
        assert!(other.many_within(&ids(0..2), limit).is_none());
        assert!(other.many_within(&ids(0..1), limit).is_some());
        assert!(other.try_one(ShardId(0)).is_some(), "the failed attempt let go of shard 0");
    })
    .join()
    .unwrap();
    drop(held);
    let held = shards.exclusive();
    let other = Arc::clone(&shards);
    thread::spawn(move || {
        assert!(other.exclusive_within(limit).is_none());
        assert!(other.many_within(&ids(0..1), limit).is_none());
    })
    .join()
    .unwrap();
    drop(held);
}

#[test]
fn several_shards_inline_and_spilled() {
    let shards = Shards::new(64, |id| u64::from(id.0));
    for count in [1, 2, 15, 16, 17, 40, 64] {
        let wanted = ids(0..count);
        let mut many = shards.many(&wanted);
        for &id in &wanted {
            assert_eq!(*many.get(id), u64::from(id.0));
        }
        assert!(many.holds(ShardId(count - 1)));
        assert!(!many.holds(ShardId(count)));
        assert_eq!(many.iter_mut().map(|(id, _)| id).collect::<Vec<_>>(), wanted);
    }
    let mut many = shards.many(&ids(0..40));
    let (a, b) = many.pair(ShardId(39), ShardId(2));
    std::mem::swap(a, b);
    drop(many);
    assert_eq!((*shards.one(ShardId(2))), 39);
    assert_eq!((*shards.one(ShardId(39))), 2);
}

#[test]
#[should_panic(expected = "ascending")]
fn descending_shards_are_a_broken_invariant() {
    let shards = Shards::new(4, |_| ());
    drop(shards.many(&[ShardId(2), ShardId(1)]));
}

#[test]
#[should_panic(expected = "holds shards already")]
#[cfg(debug_assertions)]
fn a_second_guard_is_a_broken_invariant() {
    let shards = Shards::new(4, |_| ());
    let _one = shards.one(ShardId(0));
    let _two = shards.one(ShardId(1));
}

#[test]
fn everything_and_as_met() {
    let mut shards = Shards::new(4, |id| u64::from(id.0));
    let mut all = shards.all();
    assert_eq!(all.iter_mut().map(|(id, value)| u64::from(id.0) + *value).sum::<u64>(), 12);
    *all.get(ShardId(1)) = 7;
    drop(all);
    let mut exclusive = shards.exclusive();
    *exclusive.lock_also(ShardId(3)) += 1;
    *exclusive.lock_also(ShardId(1)) += 1;
    assert_eq!(*exclusive.lock_also(ShardId(3)), 4);
    assert_eq!(exclusive.get(ShardId(1)), Some(&mut 8));
    assert_eq!(exclusive.get(ShardId(0)), None);
    assert_eq!(exclusive.iter_mut().map(|(id, _)| id.0).collect::<Vec<_>>(), [1, 3]);
    drop(exclusive);
    assert_eq!(*shards.get_mut(ShardId(1)), 8);
}

struct Counted(Arc<AtomicU64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn garbage_outlives_the_passes_that_could_see_it() {
    let epochs = Epochs::new();
    let freed = Arc::new(AtomicU64::new(0));
    let garbage = || Box::new(Counted(Arc::clone(&freed)));
    let (mut old, mut young) = (epochs.register().unwrap(), epochs.register().unwrap());

    let pass = old.enter();
    epochs.retire(garbage());
    assert_eq!(epochs.collect(), 0);
    let newcomer = young.enter();
    assert_eq!(epochs.collect(), 0);
    drop(pass);
    assert_eq!(epochs.collect(), 1, "the newcomer entered later");
    epochs.retire(garbage());
    assert_eq!((epochs.collect(), epochs.retired()), (0, 1));
    drop(newcomer);
    assert_eq!((epochs.collect(), epochs.retired()), (1, 0));
    assert_eq!(freed.load(Ordering::Relaxed), 2);
}

#[test]
fn slots_are_bounded_and_used_again() {
    let epochs = Arc::new(Epochs::with_slots(2));
    let (first, _second) = (epochs.register().unwrap(), epochs.register().unwrap());
    assert_eq!(epochs.register().unwrap_err(), crate::Full);
    drop(first);
    epochs.register().unwrap();
}

#[test]
fn the_write_gate_closes_and_opens() {
    let epochs = Epochs::new();
    let mut closer = epochs.register().unwrap();
    let closed = closer.close();
    assert!(epochs.is_closed());
    epochs.retire(Box::new(()));
    assert_eq!(epochs.collect(), 0, "the closer may be reading");
    let mut worker = epochs.register().unwrap();
    assert!(worker.try_enter().is_none());
    assert!(worker.enter_unless(Duration::from_millis(1), || true).is_none(), "it may give up");
    let waiting = thread::spawn(move || drop(worker.enter()));
    drop(closed);
    waiting.join().unwrap();
    assert_eq!(epochs.collect(), 1);
    assert!(!epochs.is_closed());
}

#[test]
fn threads_and_a_closer() {
    let epochs = Epochs::new();
    let shards = Arc::new(Shards::new(4, |_| 0_u64));
    let workers: Vec<_> = (0..3)
        .map(|worker| {
            let (mut participant, shards) = (epochs.register().unwrap(), Arc::clone(&shards));
            thread::spawn(move || {
                for round in 0..2000_u16 {
                    let _pass = participant.enter();
                    *shards.one(ShardId(round % 4)) += 1;
                    if worker == 0 && round % 16 == 0 {
                        for (_, value) in shards.many(&ids(1..3)).iter_mut() {
                            *value += 1;
                        }
                    }
                }
            })
        })
        .collect();
    let mut closer = epochs.register().unwrap();
    for _ in 0..100 {
        let _closed = closer.close();
        let sum = || shards.all().iter_mut().map(|(_, value)| *value).sum::<u64>();
        assert_eq!(sum(), sum(), "nobody writes while the gate is closed");
    }
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!(shards.all().iter_mut().map(|(_, value)| *value).sum::<u64>(), 6000 + 2 * 125);
}
