//! The power goes at every operation of the disk, and what may be left then is all tried: the append-only
//! file, its rewrite and its manifest.

#![expect(
    clippy::print_stdout,
    reason = "how many states were tried is what one wants to know of a run"
)]

mod crash_bench;

use crash_bench::Step::{Adopt, Begin, Do, Sweep, Wait, Write};
use crash_bench::{Machine, Setup, Step, Tally, enumerate};
use durability::aof::Fsync;
use journal::Lsn;

/// One key after the other, keys that go, things that are whole or absent.
const WORKLOAD: &[Step] = &[
    Do("SET a 1"),
    Do("INCR a"),
    Do("MSET b 1 c 2 d 3"),
    Do("MULTI"),
    Do("SET left 1"),
    Do("SET right 1"),
    Do("EXEC"),
    Wait(700),
    Do("RPUSH list one two three"),
    Do("LMOVE list other LEFT RIGHT"),
    Do("RENAME b e"),
    Do("MULTI"),
    Do("INCR left"),
    Do("SELECT 1"),
    Do("SET elsewhere yes"),
    Do("SELECT 0"),
    Do("INCR right"),
    Do("EXEC"),
    Wait(700),
    Do("SET short lived PX 500"),
    Do("HSET hash f 1 g 2"),
    Wait(501),
    Do("GET short"),
    Do("SADD set x y z"),
    Do("SPOP set 2"),
    Wait(1100),
    Do("DEL c d"),
];

/// A rewrite with writes between its steps, and one more.
const REWRITES: &[Step] = &[
    Do("SET a 1"),
    Do("RPUSH list one two"),
    Begin,
    Do("MULTI"),
    Do("INCR a"),
    Do("RPUSH list three"),
    Do("EXEC"),
    Write,
    Do("SET b 2"),
    Adopt,
    Do("INCR a"),
    Wait(1100),
    Do("SET short lived PX 10"),
    Wait(11),
    Begin,
    Sweep,
    Do("DEL b"),
    Write,
    Adopt,
    Do("INCR a"),
    Wait(1100),
];

fn nothing(_: &Machine) -> Lsn {
    Lsn(0)
}

/// Of what is older than a second and a turn of the writer, nothing is lost.
fn a_second(machine: &Machine) -> Lsn {
    machine.position_before(2000)
}

fn report(name: &str, tally: Tally) {
    let Tally { points, images, recovered, refused } = tally;
    println!(
        "{name}: {points} operations, {images} states, {recovered} different ones, {refused} refused"
    );
    // Stale sectors in a file that has no seal yet, and nothing else.
    assert!(refused * 3 <= recovered, "{tally:?}");
}

#[test]
fn with_always_nothing_that_was_promised_is_lost() {
    let tally = enumerate(Setup::ALWAYS, WORKLOAD, 4096, |machine| {
        // Every turn ends in a sync: what a client was answered is promised.
        machine.promised()
    });
    report("always", tally);
    assert!(tally.images > 150, "{tally:?}");
}

#[test]
fn every_second_bounds_the_loss() {
    let setup = Setup { fsync: Fsync::EverySecond, ..Setup::ALWAYS };
    report("everysec", enumerate(setup, WORKLOAD, 512, a_second));
}

#[test]
fn without_syncs_what_is_there_is_whole() {
    let setup = Setup { fsync: Fsync::No, ..Setup::ALWAYS };
    report("no", enumerate(setup, WORKLOAD, 128, nothing));
    let setup = Setup { timestamps: true, ..setup };
    report("no, with timestamps", enumerate(setup, WORKLOAD, 64, nothing));
}

#[test]
fn rewrites_lose_nothing() {
    report("rewrite, always", enumerate(Setup::ALWAYS, REWRITES, 256, Machine::promised));
    let setup = Setup { fsync: Fsync::EverySecond, ..Setup::ALWAYS };
    report("rewrite, everysec", enumerate(setup, REWRITES, 64, a_second));
    let setup = Setup { rdb: false, ..Setup::ALWAYS };
    report("rewrite to commands", enumerate(setup, REWRITES, 256, Machine::promised));
}
