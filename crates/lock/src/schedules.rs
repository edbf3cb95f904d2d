//! The protocols under shuttle: every operation is a point where another thread may go on.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p lock -p journal --target-dir target/shuttle`
//!
//! A deadlock or a lost wake-up ends the run, as does a failed assertion. Faults put in on purpose show
//! that these tests can fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use stdx::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use stdx::sync::{Arc, thread};

use crate::{Epochs, Participant, ShardId, Shards};

/// Random schedules, and schedules with few but well-placed switches.
fn explore(model: fn()) {
    shuttle::check_random(model, 2_000);
    shuttle::check_pct(model, 2_000, 3);
}

fn finds_the_fault(model: fn()) {
    assert!(catch_unwind(AssertUnwindSafe(|| explore(model))).is_err(), "the fault was not found");
}

fn run(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("shuttle reports the panic"));
}

/// An account that notices company.
#[derive(Default)]
struct Account {
    balance: i64,
    changes: u64,
    taken: bool,
}

impl Account {
    fn add(&mut self, amount: i64) {
        assert!(!std::mem::replace(&mut self.taken, true), "two holders of one shard");
        thread::yield_now();
        self.balance += amount;
        self.changes += 1;
        self.taken = false;
    }
}

const ACCOUNTS: u16 = 4;

fn bank() -> Arc<Shards<Account>> {
    Arc::new(Shards::new(usize::from(ACCOUNTS), |_| Account::default()))
}

fn transfer(bank: &Shards<Account>, from: u16, to: u16) {
    let (low, high) = (ShardId(from.min(to)), ShardId(from.max(to)));
    let mut held = bank.many(&[low, high]);
    held.get(ShardId(from)).add(-1);
    held.get(ShardId(to)).add(1);
}

/// Moves along a cycle that no order of shards allows to lock.
fn wander(bank: &Shards<Account>, path: &[u16]) {
    let mut held = bank.exclusive();
    for step in path.windows(2) {
        held.lock_also(ShardId(step[0])).add(-1);
        held.lock_also(ShardId(step[1])).add(1);
    }
}

fn audit(bank: &Shards<Account>) {
    let mut held = bank.all();
    let sum: i64 = held.iter_mut().map(|(_, account)| account.balance).sum();
    assert_eq!(sum, 0, "half a transfer was seen");
}

/// F74: all four kinds of holders in any schedule.
#[test]
fn holders_of_every_kind_exclude_each_other_and_never_deadlock() {
    explore(|| {
        let bank = bank();
        let of = |work: fn(&Shards<Account>)| -> Box<dyn FnOnce() + Send> {
            let bank = Arc::clone(&bank);
            Box::new(move || work(&bank))
        };
        run(vec![
            of(|bank| {
                transfer(bank, 0, 2);
                transfer(bank, 3, 1);
            }),
            of(|bank| {
                transfer(bank, 2, 0);
                audit(bank);
            }),
            of(|bank| wander(bank, &[3, 0, 2, 1])),
            of(|bank| {
                for id in [2, 0, 3] {
                    let mut account = bank.one(ShardId(id));
                    account.add(5);
                    account.add(-5);
                }
            }),
        ]);
        audit(&bank);
        let changes: u64 = bank.all().iter_mut().map(|(_, account)| account.changes).sum();
        assert_eq!(changes, 3 * 2 + 3 * 2 + 3 * 2, "no change was lost");
    });
}

/// Serializable means one order for all: who reads two accounts while others write both sees the
/// effects of whole commands only, whichever kind of lock they took.
#[test]
fn multi_shard_commands_are_serializable() {
    explore(|| {
        let shards = Arc::new(Shards::new(2, |_| Vec::<u8>::new()));
        let both = [ShardId(0), ShardId(1)];
        let write = |tag: u8, exclusive: bool| -> Box<dyn FnOnce() + Send> {
            let shards = Arc::clone(&shards);
            Box::new(move || {
                if exclusive {
                    let mut held = shards.exclusive();
                    held.lock_also(ShardId(1)).push(tag);
                    held.lock_also(ShardId(0)).push(tag);
                } else {
                    shards.many(&both).iter_mut().for_each(|(_, log)| log.push(tag));
                }
            })
        };
        let read: Box<dyn FnOnce() + Send> = {
            let shards = Arc::clone(&shards);
            Box::new(move || {
                let mut held = shards.many(&both);
                let (a, b) = held.pair(ShardId(0), ShardId(1));
                assert_eq!(a, b, "half a command was seen");
            })
        };
        run(vec![write(1, false), write(2, true), write(3, false), read]);
        let mut held = shards.all();
        let first = held.get(ShardId(0)).clone();
        assert_eq!(*held.get(ShardId(1)), first, "two orders");
    });
}

/// M24: shards in the order of arrival.
#[test]
fn finds_shards_locked_in_any_order_under_the_shared_gate() {
    finds_the_fault(|| {
        let bank = bank();
        let work = |first: u16, second: u16| -> Box<dyn FnOnce() + Send> {
            let bank = Arc::clone(&bank);
            Box::new(move || {
                let _a = bank.many(&[ShardId(first)]);
                let _b = bank.one(ShardId(second));
            })
        };
        run(vec![work(0, 1), work(1, 0)]);
    });
}

/// Two workers, two closers; `inside` counts who is in a pass.
fn gate_model(looks_first: bool) {
    let mut epochs = Epochs::with_slots(4);
    epochs.looks_first = looks_first;
    let epochs = Arc::new(epochs);
    let inside = Arc::new(AtomicU64::new(0));
    let register = || epochs.register().expect("four slots");
    let worker = |mut participant: Participant| -> Box<dyn FnOnce() + Send> {
        let inside = Arc::clone(&inside);
        Box::new(move || {
            for _ in 0..2 {
                let _pass = participant.enter();
                inside.fetch_add(1, Ordering::SeqCst);
                thread::yield_now();
                inside.fetch_sub(1, Ordering::SeqCst);
            }
        })
    };
    let closer = |mut participant: Participant| -> Box<dyn FnOnce() + Send> {
        let inside = Arc::clone(&inside);
        Box::new(move || {
            let _closed = participant.close();
            for _ in 0..3 {
                assert_eq!(inside.load(Ordering::SeqCst), 0, "inside while the gate is closed");
            }
            // A closer is alone, too.
            inside.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1, "two closers at once");
        })
    };
    run(vec![worker(register()), worker(register()), closer(register()), closer(register())]);
}

/// F78 at the level of the gate, and no wake-up is lost when it opens.
#[test]
fn nobody_is_inside_while_the_gate_is_closed() {
    explore(|| gate_model(false));
}

#[test]
fn finds_a_worker_that_looks_before_it_steps_in() {
    finds_the_fault(|| gate_model(true));
}

/// Frees by poisoning.
struct Grave(Arc<Vec<AtomicBool>>, usize);

impl Drop for Grave {
    fn drop(&mut self) {
        self.0[self.1].store(true, Ordering::SeqCst);
    }
}

const OBJECTS: usize = 4;

/// Readers follow a pointer without a lock; writers replace what it points to, and retire the old one.
fn reclaim_model(retire_before_unlinking: bool) {
    let epochs = Arc::new(Epochs::with_slots(4));
    let current = Arc::new(AtomicUsize::new(0));
    let fresh = Arc::new(AtomicUsize::new(1));
    let dead = Arc::new((0..OBJECTS).map(|_| AtomicBool::new(false)).collect::<Vec<_>>());

    let reader = || -> Box<dyn FnOnce() + Send> {
        let (current, dead) = (Arc::clone(&current), Arc::clone(&dead));
        let mut participant = epochs.register().expect("four slots");
        Box::new(move || {
            for _ in 0..2 {
                let _pass = participant.enter();
                let seen = current.load(Ordering::SeqCst);
                thread::yield_now();
                assert!(!dead[seen].load(Ordering::SeqCst), "read what was freed");
            }
        })
    };
    let writer = || -> Box<dyn FnOnce() + Send> {
        let (current, fresh, dead) = (Arc::clone(&current), Arc::clone(&fresh), Arc::clone(&dead));
        let epochs = Arc::clone(&epochs);
        Box::new(move || {
            let next = fresh.fetch_add(1, Ordering::SeqCst);
            if retire_before_unlinking {
                let old = current.load(Ordering::SeqCst);
                epochs.retire(Box::new(Grave(Arc::clone(&dead), old)));
                epochs.collect();
                current.store(next, Ordering::SeqCst);
            } else {
                let old = current.swap(next, Ordering::SeqCst);
                epochs.retire(Box::new(Grave(Arc::clone(&dead), old)));
                epochs.collect();
            }
        })
    };
    run(vec![reader(), reader(), writer(), writer()]);
    if !retire_before_unlinking {
        epochs.collect();
        assert_eq!(epochs.retired(), 0, "everybody has left");
        let freed = dead.iter().filter(|dead| dead.load(Ordering::SeqCst)).count();
        assert_eq!(freed, 2);
    }
}

#[test]
fn a_pass_never_reads_what_was_freed() {
    explore(|| reclaim_model(false));
}

#[test]
fn finds_garbage_that_is_still_linked() {
    finds_the_fault(|| reclaim_model(true));
}
