//! A log that several threads apply leaves what one thread makes of it, and tells the same of what is wrong.

use crate::aof::{Files, Found, LoadOptions, Loader, Progress};
use disk::{Disk, MemDisk, Open};
use engine::{Now, Worker};
use std::path::Path;
use std::sync::Arc;
use stdx::rng::Rng;
use testkit::{Node, Options, Snapshot};

const NOW_MS: i64 = 1_700_000_000_000;

/// The words of a line become a command.
fn log(lines: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        resp::write_command(&mut bytes, &words);
    }
    bytes
}

/// What the files hold, and the remarks.
type Outcome = Result<(Snapshot, Vec<String>), String>;

fn load(bytes: &[u8], threads: usize) -> Outcome {
    let disk = MemDisk::new();
    disk.create_dir(Path::new("dir"), 0o700).unwrap();
    for (name, content) in
        [("a.manifest", &b"file a.1.incr seq 1 type i\n"[..]), ("a.1.incr", bytes)]
    {
        let path = Path::new("dir").join(name);
        let file = disk.open(&path, Open::Create { mode: 0o600 }).unwrap();
        disk::write_all_at(&*file, content, 0).unwrap();
    }
    let files = Files::new(Arc::new(disk), Path::new(""), "dir", "a");
    let Found::Set(manifest) = files.find().map_err(|fault| fault.0)? else {
        return Err("nothing there".into());
    };
    let node = Node::new(Options { journal: false, shards: 16, ..Options::default() });
    let mut worker = Worker::new(&node.engine, 1).unwrap();
    let loader = Loader {
        engine: &node.engine,
        worker: &mut worker,
        threads,
        clocks: || Now { wall_ms: NOW_MS, ticks: || 0, wall: || NOW_MS, stale_ticks: 1 },
        base: &mut |_| unreachable!("there is no base"),
        progress: &Progress::default(),
        options: LoadOptions { truncated: true, corrupt_tail_bytes_max: 0 },
    };
    let loaded = loader.load(&files, manifest).map_err(|fault| fault.0)?;
    Ok((node.snapshot_at(0), loaded.remarks))
}

/// Everything that goes to one applier, to all of them, or to none, at random.
fn line(rng: &mut Rng) -> String {
    let mut below = |bound: u64| rng.u64() % bound;
    let (a, b, n) = (below(300), below(300), below(1000));
    match below(400) {
        0..=99 => format!("SET k{a} {n}"),
        100..=159 => format!("APPEND k{a} {n}"),
        160..=219 => format!("RPUSH l{a} {n} {b}"),
        220..=249 => format!("LPOP l{a}"),
        250..=279 => format!("SADD s{a} {n}"),
        280..=299 => format!("HSET h{a} f{b} {n}"),
        300..=319 => format!("PEXPIREAT l{a} {}", 1_600_000_000_000 + n),
        320..=329 => format!("DEL k{a}"),
        330..=335 => format!("DEL k{a} l{b}"),
        336..=341 => format!("MSET k{a} x{n} k{b} y{n}"),
        342..=347 => format!("SUNIONSTORE s{a} s{b} s{n}"),
        348..=353 => format!("SELECT {}", n % 3),
        354..=363 => format!("MULTI|APPEND k{a} m|RPUSH k{a} wrong|EXEC"),
        364..=373 => format!("MULTI|APPEND k{a} m|APPEND k{b} n|EXEC"),
        374..=377 => format!("MULTI|SELECT {}|APPEND k{a} t|EXEC", n % 3),
        378..=380 => format!("MULTI|APPEND k{a} t|DISCARD"),
        381..=383 => "MULTI|EXEC".into(),
        384 => "SWAPDB 0 1".into(),
        385 if n < 50 => "FLUSHDB".into(),
        386 => format!("COPY k{a} k{b} REPLACE"),
        387 => format!("MOVE k{a} 2"),
        388..=395 => format!("SET k{a} {} EX {n}1", "v".repeat(n as usize * 20)),
        _ => format!("EVAL redis.call('append',KEYS[1],'e') 1 k{a}"),
    }
}

fn lines(seed: u64, count: usize) -> Vec<String> {
    let mut rng = Rng::new(seed);
    let drawn: Vec<String> = (0..count).map(|_| line(&mut rng)).collect();
    drawn.iter().flat_map(|line| line.split('|')).map(str::to_owned).collect()
}

#[test]
fn threads_make_no_difference() {
    for seed in 0..2 {
        let bytes = log(&lines(seed, 10_000));
        let (alone, remarks) = load(&bytes, 1).unwrap();
        assert!(alone.keys.len() > 500);
        for threads in [2, 3, 16] {
            let (found, told) = load(&bytes, threads).unwrap();
            assert!(found == alone, "seed {seed}, {threads} threads");
            assert_eq!(told, remarks);
        }
    }
}

/// What is relative counts from the load, and what has expired is still there: a deletion would be in the log.
#[test]
fn the_clock_is_that_of_the_load() {
    let told =
        ["SET a 1", "EXPIRE a 100", "SET b 1", "PEXPIREAT b 1000", "PERSIST b", "SETEX c 1 x"];
    for threads in [1, 2] {
        let bytes = log(&told.map(str::to_owned));
        let (found, _) = load(&bytes, threads).unwrap();
        let expiry: Vec<_> = found.keys.values().map(|entry| entry.expiry_ms).collect();
        assert_eq!(expiry, [Some(NOW_MS + 100_000), None, Some(NOW_MS + 1000)]);
    }
}

/// The first that is wrong counts, whoever finds it.
#[test]
fn the_first_fault_is_told() {
    for at in [0, 10, 3001, 7000] {
        let mut told = lines(9, 8000);
        let before = told.iter().take(at).filter(|line| *line == "MULTI").count();
        let after =
            told.iter().take(at).filter(|line| *line == "EXEC" || *line == "DISCARD").count();
        let at = if before > after { at + 4 } else { at };
        let wrong = ["GET k1 k2", "NOSUCHCOMMAND k1", "SELECT 99"][at % 3];
        told.insert(at, wrong.to_owned());
        told.insert(at + 700, "SET k5".to_owned());
        let bytes = log(&told);
        let offset = log(told.get(..at).unwrap()).len();
        let alone = load(&bytes, 1).unwrap_err();
        assert!(alone.ends_with(&format!("(at offset {offset})")), "{alone} {offset}");
        assert_eq!(load(&bytes, 2).unwrap_err(), alone);
        assert_eq!(load(&bytes, 5).unwrap_err(), alone);
    }
}
