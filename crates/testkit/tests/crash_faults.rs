//! The disk fails at every operation in turn, in every way: promises are kept, the failure is said, and
//! all is well again when the disk is.

#![expect(
    clippy::print_stdout,
    reason = "how many states were tried is what one wants to know of a run"
)]

mod crash_bench;

use crash_bench::Step::{Adopt, Begin, Do, Wait, Write};
use crash_bench::{Machine, Setup, Step, data_of, fingerprint, images, under_faults};
use disk::{Fault, MemDisk};
use durability::aof::{Fsync, State};

const WORKLOAD: &[Step] = &[
    Do("SET a 1"),
    Do("MULTI"),
    Do("INCR a"),
    Do("RPUSH list one"),
    Do("EXEC"),
    Wait(1100),
    Begin,
    Do("INCR a"),
    Write,
    Do("MSET b 1 c 2"),
    Adopt,
    Do("INCR a"),
    Wait(1100),
    Do("RPUSH list two"),
];

const FAULTS: [Fault; 4] = [Fault::Eio, Fault::Enospc, Fault::Short, Fault::Interrupted];

fn promises_outlive(fsync: Fsync) {
    for fault in FAULTS {
        let tally = under_faults(Setup { fsync, ..Setup::ALWAYS }, WORKLOAD, fault, 4);
        println!("{fsync:?}, {fault:?}: {} operations, {} states", tally.points, tally.images);
        assert!(tally.points > 20, "{tally:?}");
    }
}

#[test]
fn promises_outlive_every_fault_with_always() {
    promises_outlive(Fsync::Always);
}

#[test]
fn promises_outlive_every_fault_every_second() {
    promises_outlive(Fsync::EverySecond);
}

/// A failed read is an error at start, and nothing is touched by it; what is merely interrupted or
/// short is read again.
#[test]
fn failed_reads_touch_nothing() {
    let disk = MemDisk::new();
    let mut machine = Machine::start(&disk, Setup::ALWAYS).unwrap();
    for step in WORKLOAD {
        machine.run(*step).unwrap();
    }
    let data = data_of(&machine.node);
    drop(machine);
    let (mut refused, mut starts) = (0, 0);
    for fault in FAULTS {
        for point in 1.. {
            let copy = disk.kill();
            let before = fingerprint(&copy);
            copy.inject(point, fault);
            let started = Machine::start(&copy, Setup::ALWAYS);
            if !copy.fired() {
                break;
            }
            match started {
                Ok(machine) => {
                    starts += 1;
                    assert_eq!(data_of(&machine.node), data, "{fault:?} at operation {point}");
                }
                Err(error) => {
                    refused += 1;
                    assert!(!matches!(fault, Fault::Short), "operation {point}: {error}");
                    assert_eq!(fingerprint(&copy), before, "{fault:?} at operation {point}");
                    let again = Machine::start(&copy, Setup::ALWAYS).unwrap();
                    assert_eq!(data_of(&again.node), data, "{fault:?} at operation {point}");
                }
            }
        }
    }
    println!("{starts} starts, {refused} refused");
    assert!(starts > 5 && refused > 5, "{starts} starts, {refused} refused");
}

/// A disk that is full says so, keeps what it has promised, and goes on when there is room.
#[test]
fn a_full_disk_is_waited_for() {
    for capacity in (100..1500).step_by(50) {
        let disk = MemDisk::new();
        // So little has no seal yet, by which stale sectors could be told from another kind of file.
        disk.set_zeroes();
        disk.set_capacity(Some(capacity));
        let Ok(mut machine) = Machine::start(&disk, Setup::ALWAYS) else {
            disk.set_capacity(None);
            Machine::start(&disk, Setup::ALWAYS).unwrap();
            continue;
        };
        for _ in 0..10 {
            drop(machine.run(Do("RPUSH list an-element-of-some-length")));
            if machine.status.state() != State::Good {
                break;
            }
        }
        let promised = machine.promised();
        let full = machine.status.state() == State::Full;
        assert!(full || machine.status.state() == State::Good, "{capacity}");
        images(&disk, 64, |image, _| {
            image.set_capacity(None);
            let after = Machine::start(&image, Setup::ALWAYS).unwrap();
            let there = machine.history.found(&data_of(&after.node));
            assert!(there.is_some_and(|lsn| lsn >= promised), "{capacity}: {there:?}, {promised}");
        });
        disk.set_capacity(None);
        machine.node.advance_ms(200);
        machine.turns();
        assert_eq!(machine.status.state(), State::Good, "{capacity}");
        assert_eq!(machine.promised(), machine.node.engine.journal.tail(), "{capacity}");
    }
}
