//! A server in a value, its journal, a writer and a disk: what is acknowledged is loaded again.

use crate::aof::{
    Files, Form, Found, Fsync, LoadOptions, Loader, Moment, Next, Policy, Progress, State, Status,
    Unwritten, Writer, write_base,
};
use crate::rdb_file::{FileSource, Frames, Head, Image, load};
use command::{Others, Session};
use disk::{Disk, Fault, MemDisk};
use engine::{Now, Worker};
use keyspace::SnapshotOptions;
use keyspace::persist::{LoadOptions as Entries, Loader as EntryLoader};
use rdb::file::Versions;
use std::path::Path;
use std::sync::Arc;
use testkit::{Node, Options};

const POLICY: Policy = Policy {
    fsync: Fsync::Always,
    holds_sync: false,
    timestamps: false,
    checksums: true,
    keeps_history: false,
};

struct Rig {
    node: Node,
    session: Session,
    writer: Option<Writer>,
    status: Arc<Status>,
    micros: u64,
    rdb: bool,
}

fn files(disk: &MemDisk) -> Files {
    Files::new(Arc::new(disk.clone()), Path::new(""), "dir", "a.aof")
}

const LOAD: LoadOptions = LoadOptions { truncated: true, corrupt_tail_bytes_max: 1 << 20 };

impl Rig {
    /// Starts on what `disk` holds, as the server does.
    fn start(disk: &MemDisk, policy: Policy) -> Result<Self, String> {
        let node = Node::new(Options { journal: false, shards: 4, ..Options::default() });
        let status = Arc::new(Status::default());
        let session = node.session();
        let mut rig = Self { session, node, writer: None, status, micros: 1, rdb: true };
        let engine = Arc::clone(&rig.node.engine);
        let streams = (Arc::clone(&engine.journal), Arc::clone(&engine.reply_gate.durable));
        let files = files(disk);
        let writer = match files.find().map_err(|fault| fault.0)? {
            Found::Nothing => {
                let status = Arc::clone(&rig.status);
                let writer = Writer::waiting(files, Default::default(), policy, streams, status);
                rig.writer = Some(writer);
                rig.rewrite().map_err(|error| format!("{error:?}"))?;
                return Ok(rig);
            }
            Found::Set(manifest) => {
                let mut worker = Worker::new(&engine, 1).unwrap();
                let mut base = |path: &Path| load_base(&rig.node, disk, path);
                let loader = Loader {
                    engine: &engine,
                    worker: &mut worker,
                    threads: 3,
                    clocks: || Now { wall_ms: 0, ticks: || 0, wall: || 0, stale_ticks: 1 },
                    base: &mut base,
                    progress: &Progress::default(),
                    options: LOAD,
                };
                let loaded = loader.load(&files, manifest).map_err(|fault| fault.0)?;
                let opened = loaded.writer(files, policy, streams, Arc::clone(&rig.status));
                opened.map_err(|error| error.to_string())?
            }
        };
        rig.writer = Some(writer);
        Ok(rig)
    }

    fn now(&self) -> Moment {
        Moment { micros: self.micros, seconds: (self.micros / 1_000_000) as i64 }
    }

    fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().unwrap()
    }

    fn send(&mut self, words: &[&[u8]]) {
        self.node.send(&mut self.session, words);
    }

    /// Sends commands, a line each; the replies.
    fn lines(&mut self, text: &str) -> Vec<Option<resp::Value>> {
        let lines = text.lines().filter(|line| !line.is_empty());
        let words = lines.map(|line| line.split_whitespace().map(str::as_bytes).collect());
        words.map(|words: Vec<&[u8]>| self.node.send(&mut self.session, &words)).collect()
    }

    /// Lets the writer do what it can at this moment.
    fn settle(&mut self) {
        for _ in 0..100 {
            let now = self.now();
            if let Next::Later(_) = self.writer().step(now) {
                return;
            }
        }
        panic!("the writer does not come to rest");
    }

    fn acknowledged(&self) -> bool {
        let engine = &self.node.engine;
        !engine.reply_gate.durable.broken()
            && engine.reply_gate.durable.reached(engine.journal.tail())
    }

    fn rewrite(&mut self) -> Result<(), Unwritten> {
        let options = SnapshotOptions { now_ms: self.node.now_ms(), access: None, compress: false };
        let engine = Arc::clone(&self.node.engine);
        let (now, rdb) = (self.now(), self.rdb);
        let writer = self.writer();
        writer.prepare()?;
        let mut snapshot =
            engine.begin_snapshot(options, Others::Run, |cut| writer.cut(cut.lsn)).unwrap();
        let part = writer.next_base(rdb);
        let form = if rdb {
            Form::Rdb(Image::new(&Head { version: 12, ..Head::default() }, true))
        } else {
            let limits = engine.settings().limits;
            Form::Commands { seconds: Some(1), functions: Vec::new(), limits }
        };
        let files = writer.files().clone();
        let written = write_base(&files, &part, form, &mut snapshot, true, &mut |_| true);
        let adopted = written.and_then(|size| Ok(writer.adopt(part, size, now)?));
        if adopted.is_err() {
            writer.abandon();
        } else {
            // What is left is removed another time.
            drop(writer.collect(false));
        }
        adopted
    }
}

fn load_base(node: &Node, disk: &MemDisk, path: &Path) -> Result<u64, String> {
    let (mut source, _) = FileSource::open(disk, path).map_err(|error| error.to_string())?;
    let settings = node.engine.settings();
    let options = Entries {
        limits: &settings.limits,
        clock: settings.access_clock,
        now_ms: node.now_ms(),
        horizon_ms: i64::MIN,
        replace: false,
    };
    let mut frames =
        Frames::begin(&mut source, Versions::Known, true).map_err(|error| error.to_string())?;
    let mut loader = EntryLoader::new(&node.engine.space, frames.version(), options);
    load(&mut frames, &mut loader, &mut |_| Ok(())).map_err(|error| error.to_string())?;
    Ok(frames.offset())
}

/// What `disk` holds, loaded; all of it must be in order.
fn recovered(disk: &MemDisk) -> testkit::Snapshot {
    match Rig::start(disk, POLICY) {
        Ok(rig) => rig.node.snapshot(),
        Err(error) => panic!("{error}"),
    }
}

fn same(a: &testkit::Snapshot, b: &testkit::Snapshot) -> bool {
    a.difference(b, false).is_empty()
}

/// Commands of which each changes something, some in a transaction.
fn work(rig: &mut Rig, at: usize) {
    let number = at.to_string();
    let number = number.as_bytes();
    match at % 5 {
        0 => rig.send(&[b"SET", &[b"key", number].concat(), &[b'v'; 700]]),
        1 => rig.send(&[b"RPUSH", b"list", number]),
        2 => {
            rig.send(&[b"MULTI"]);
            rig.send(&[b"INCR", b"one"]);
            rig.send(&[b"INCR", b"other"]);
            rig.send(&[b"EXEC"]);
        }
        3 => {
            rig.send(&[b"SELECT", b"1"]);
            rig.send(&[b"ZADD", b"zset", number, number]);
            rig.send(&[b"SELECT", b"0"]);
        }
        _ => rig.send(&[b"HSET", b"hash", number, &[b'x'; 90]]),
    }
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    for rdb in [true, false] {
        let disk = MemDisk::new();
        let mut rig = Rig::start(&disk, POLICY).unwrap();
        rig.rdb = rdb;
        for at in 0..40 {
            work(&mut rig, at);
            rig.settle();
            assert!(rig.acknowledged());
            if at % 13 == 7 {
                rig.rewrite().unwrap();
            }
            assert!(same(&rig.node.snapshot(), &recovered(&disk.kill())), "{at} rdb={rdb}");
        }
        assert_eq!(rig.writer().manifest().print().iter().filter(|b| **b == b'\n').count(), 2);
        assert!(disk.violations().is_empty());
        // A clean end and a new beginning, several times.
        for _ in 0..3 {
            let now = rig.now();
            rig.writer().flush(now).unwrap();
            let before = rig.node.snapshot();
            rig = Rig::start(&disk.kill(), POLICY).unwrap();
            assert!(same(&before, &rig.node.snapshot()));
            work(&mut rig, 3);
            rig.settle();
        }
    }
}

fn contents(disk: &MemDisk, path: &Path) -> Vec<u8> {
    disk::read(disk, path, 1 << 20).unwrap()
}

fn put(disk: &MemDisk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, disk::Open::Create { mode: 0o600 }).unwrap();
    file.set_size(0).unwrap();
    disk::write_all_at(&*file, bytes, 0).unwrap();
}

/// A set with a base of three keys and nothing behind it, and where the base is.
fn only_a_base(rdb: bool) -> (MemDisk, std::path::PathBuf) {
    let disk = MemDisk::new();
    let mut rig = Rig::start(&disk, POLICY).unwrap();
    rig.rdb = rdb;
    (0..3).for_each(|at| work(&mut rig, at));
    rig.settle();
    rig.rewrite().unwrap();
    let name = rig.writer().manifest().base.clone().unwrap().name;
    (disk.kill(), files(&disk).path(&name))
}

/// A base is complete before it is used: whatever is wrong with it, it is refused and left as it is, also
/// when nothing follows it.
#[test]
fn a_damaged_base_is_refused_and_not_touched() {
    for rdb in [true, false] {
        let (disk, path) = only_a_base(rdb);
        let good = contents(&disk, &path);
        let flips = (0..good.len()).step_by(if rdb { 1 } else { 7 });
        let flips = flips.map(|at| {
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            flipped
        });
        let others = [
            good[..good.len() - 1].to_vec(),
            [&good[..good.len() - 30], &[0; 30][..]].concat(),
            [b"not a base\n", &good[..]].concat(),
            vec![0; 100],
        ];
        let empty = rdb.then(Vec::new);
        for bad in flips.chain(others).chain(empty) {
            put(&disk, &path, &bad);
            let started = Rig::start(&disk, POLICY);
            assert_eq!(contents(&disk, &path), bad, "touched");
            // Without a checksum, another value is as good as the one that was.
            let Err(error) = started.map(drop) else {
                assert!(!rdb, "{}", bad.escape_ascii());
                continue;
            };
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(error.contains(name) && error.contains("offset"), "{error}");
        }
        put(&disk, &path, &good);
        Rig::start(&disk, POLICY).unwrap();
    }
}

/// Files that no server left so are refused, too, where one might be torn: the last incremental one, and the
/// single file of an older server.
#[test]
fn only_what_a_crash_leaves_is_cut() {
    let mut good = Vec::new();
    for at in 0..50 {
        let key = format!("key:{at}");
        resp::write_command(&mut good, &[b"SET", key.as_bytes(), &[b'v'; 300]]);
    }
    let cut = good.len() - 10;
    for single in [true, false] {
        let disk = MemDisk::new();
        let path = if single {
            Path::new("a.aof").to_path_buf()
        } else {
            let mut rig = Rig::start(&disk, POLICY).unwrap();
            let name = rig.writer().manifest().incrementals[0].name.clone();
            files(&disk).path(&name)
        };
        for bad in
            [&b"hello\n".repeat(200)[..], b"\x1f\x8b\x08 and so on", b"#!/bin/sh", &good[1..]]
        {
            let disk = disk.kill();
            put(&disk, &path, bad);
            let started = Rig::start(&disk, POLICY);
            assert!(started.is_err_and(|error| error.contains("not what a crash leaves")));
            let now = if single { files(&disk).path(b"a.aof") } else { path.clone() };
            assert_eq!(contents(&disk, &now), bad);
        }
        for zeros in [0, 5000] {
            let disk = disk.kill();
            put(&disk, &path, &[&good[..cut], &vec![0; zeros][..]].concat());
            let rig = Rig::start(&disk, POLICY).unwrap();
            assert_eq!(rig.node.snapshot().keys.len(), 49);
        }
    }
}

/// Once a file is complete - a rewrite went on to the next one, the server has ended, or nobody wrote for a
/// while - a changed bit in it is no torn end, wherever it is: it is refused, or it changes no data.
#[test]
fn a_changed_bit_in_a_complete_file_loses_nothing() {
    let switch = |rig: &mut Rig| {
        rig.writer().prepare().unwrap();
        let tail = rig.node.engine.journal.tail();
        rig.writer().cut(tail);
        rig.settle();
    };
    let close = |rig: &mut Rig| {
        let now = rig.now();
        rig.writer().flush(now).unwrap();
    };
    let be_silent = |rig: &mut Rig| {
        rig.micros += 20_000_000;
        rig.settle();
        // The sync of what seals the last write.
        rig.micros += 2_000_000;
        rig.settle();
    };
    type Complete = fn(&mut Rig);
    let ways: [(Complete, Fsync); 4] = [
        (switch, Fsync::EverySecond),
        (close, Fsync::EverySecond),
        (be_silent, Fsync::EverySecond),
        (be_silent, Fsync::Always),
    ];
    for (complete, fsync) in ways {
        let policy = Policy { fsync, ..POLICY };
        let disk = MemDisk::new();
        let mut rig = Rig::start(&disk, policy).unwrap();
        let name = rig.writer().manifest().incrementals[0].name.clone();
        let path = files(&disk).path(&name);
        // Sealed at once. Each digit of the sizes behind leads to one before if it is changed.
        rig.send(&[b"SET", b"long", &[b'v'; 4600]]);
        for at in [1, 2, 3, 4] {
            work(&mut rig, at);
            rig.settle();
        }
        complete(&mut rig);
        let (whole, good) = (rig.node.snapshot(), contents(&disk, &path));
        let disk = disk.kill();
        // All of the last line, most of the one before; the steps go through all bits of a byte.
        let (line, end) = ((good.len() - 48) * 8, good.len() * 8);
        let lines = line.saturating_sub(80 * 8);
        let bits = (0..lines).step_by(401).chain((lines..line).step_by(13)).chain(line..end);
        for (at, bit) in bits.map(|at| (at / 8, at % 8)) {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << bit;
            put(&disk, &path, &flipped);
            let Ok(rig) = Rig::start(&disk.kill(), POLICY) else { continue };
            let kept = same(&rig.node.snapshot(), &whole);
            assert!(kept, "byte {at} of {}", flipped.escape_ascii());
        }
        put(&disk, &path, &good);
        // What is complete already is not said to be again.
        let mut again = Rig::start(&disk, policy).unwrap();
        let now = again.now();
        again.writer().flush(now).unwrap();
        assert!(same(&again.node.snapshot(), &whole));
        assert_eq!(contents(&disk, &path), good);
    }
}

/// A sync that is held up (`no-appendfsync-on-rewrite`) is waited for, not asked for again and again.
#[test]
fn who_may_not_sync_rests() {
    let disk = MemDisk::new();
    let policy = Policy { fsync: Fsync::EverySecond, holds_sync: true, ..POLICY };
    let mut rig = Rig::start(&disk, policy).unwrap();
    work(&mut rig, 1);
    rig.settle();
    rig.micros += 3_000_000;
    let now = rig.now();
    assert_eq!(rig.writer().step(now), Next::Later(Some(1_000_000)));
    rig.writer().set_policy(Policy { holds_sync: false, ..policy });
    rig.settle();
    assert!(rig.acknowledged());
}

/// What killed rewrites leave behind does not pile up, whichever form their bases had; a rewrite under way
/// loses nothing, nor what is none of the set.
#[test]
fn orphans_are_removed() {
    let disk = MemDisk::new();
    let mut rig = Rig::start(&disk, POLICY).unwrap();
    let files = files(&disk);
    let there = || -> Vec<String> {
        let names = disk.list(Path::new("dir")).unwrap().into_iter();
        names.map(|name| name.into_string().unwrap()).filter(|name| name.contains("base")).collect()
    };
    assert_eq!(there(), ["a.aof.1.base.rdb"]);
    let others = ["a.aof.0x1.base.rdb", "b.aof.1.base.aof", "mya.aof.1.base.aof"];
    for name in [".a.aof.2.base.aof.tmp", "a.aof.2.base.aof"].iter().chain(&others) {
        put(&disk, &files.path(name.as_bytes()), b"x");
    }
    // They may be of the rewrite under way.
    assert!(rig.writer().collect(false).unwrap().is_empty());
    assert_eq!(rig.writer().collect(true).unwrap(), [b".a.aof.2.base.aof.tmp"]);
    put(&disk, &files.path(b".a.aof.2.base.aof.tmp"), b"x");
    rig.rewrite().unwrap();
    let mut left = others.to_vec();
    left.push("a.aof.2.base.rdb");
    left.sort_unstable();
    assert_eq!(there(), left);
    assert!(same(&recovered(&disk.kill()), &rig.node.snapshot()));
}

/// Without the manifest, a start with empty data would write over what is there.
#[test]
fn files_without_a_manifest_are_refused() {
    let (disk, path) = only_a_base(true);
    let files = files(&disk);
    let manifest = contents(&disk, &files.manifest_path());
    disk.remove(&files.manifest_path()).unwrap();
    let before = contents(&disk, &path);
    let error = Rig::start(&disk, POLICY).map(drop).unwrap_err();
    assert!(error.contains("a.aof.manifest") && error.contains("a.aof.2.base.rdb"), "{error}");
    assert!(files.next_base(true).is_err());
    assert_eq!(contents(&disk, &path), before);
    put(&disk, &files.manifest_path(), &manifest);
    assert!(!Rig::start(&disk, POLICY).unwrap().node.snapshot().keys.is_empty());
    // What has other names, or no bytes, is none of a set.
    let disk = MemDisk::new();
    let files = Files::new(Arc::new(disk.clone()), Path::new(""), "dir", "a.aof");
    files.make_dir().unwrap();
    for name in ["a.aof.1.base.aof", "a.aof.1.incr.aof"] {
        put(&disk, &files.path(name.as_bytes()), b"");
    }
    for name in ["b.aof.1.base.rdb", "temp-a.aof.incr", ".a.aof.1.base.rdb.tmp", "a.aof.base.rdb"] {
        put(&disk, &files.path(name.as_bytes()), b"bytes");
    }
    Rig::start(&disk, POLICY).unwrap();
}

/// Two writers of one set would lose each other's data.
#[test]
fn a_set_has_one_writer() {
    let disk = MemDisk::new();
    let rig = Rig::start(&disk, POLICY).unwrap();
    let error = files(&disk).hold().unwrap_err().to_string();
    let process = format!("process {}", std::process::id());
    assert!(error.contains(&process) && error.contains("a.aof.lock"), "{error}");
    // Another name is another set.
    Files::new(Arc::new(disk.clone()), Path::new(""), "dir", "b.aof").hold().unwrap();
    drop(rig);
    files(&disk).hold().unwrap();
}

/// Every state that a power failure may leave, after every acknowledged command: the command is
/// there, and at most the one that follows it, whole.
#[test]
fn crashes_keep_what_was_acknowledged() {
    let disk = MemDisk::new();
    let mut rig = Rig::start(&disk, POLICY).unwrap();
    let mut states = vec![rig.node.snapshot()];
    for at in 0..12 {
        work(&mut rig, at);
        if at == 6 {
            rig.rewrite().unwrap();
        }
        states.push(rig.node.snapshot());
        // In the midst of it: written, not synced.
        let (old, new) = (&states[at], &states[at + 1]);
        rig.settle();
        disk.every_crash(20, |crashed| {
            let found = recovered(&crashed);
            assert!(same(&found, new) || (at == 6 && same(&found, old)), "{at}");
        });
    }
}

/// Written and not synced, then a crash: a prefix, never a hole, never half of a transaction.
#[test]
fn crashes_leave_a_prefix() {
    let policy = Policy { fsync: Fsync::No, ..POLICY };
    for seed in 0..40 {
        let disk = MemDisk::new();
        // Without syncs nothing tells a lost sector from damage, but that file systems give zeros.
        disk.set_zeroes();
        let mut rig = Rig::start(&disk, policy).unwrap();
        let mut states = vec![rig.node.snapshot()];
        for at in 0..14 {
            work(&mut rig, at);
            rig.settle();
            states.push(rig.node.snapshot());
            if seed % 3 == 0 && at == 5 {
                rig.rewrite().unwrap();
            }
        }
        let found = recovered(&disk.crash(seed));
        assert!(states.iter().any(|state| same(&found, state)), "seed {seed}");
    }
}

/// Each kind of fault at each operation: nothing that was acknowledged is lost in a crash, and with the
/// disk well again, so is the writer.
#[test]
fn faults_at_every_operation() {
    for fault in [Fault::Eio, Fault::Enospc, Fault::Short, Fault::Interrupted] {
        let mut at = 1;
        loop {
            let fired = run_with_fault(fault, at);
            if !fired {
                break;
            }
            at += 1;
        }
        assert!(at > 20, "{fault:?} {at}");
    }
}

fn run_with_fault(fault: Fault, nth: u64) -> bool {
    let disk = MemDisk::new();
    // Nothing tells stale sectors from another kind of file before there is a seal.
    disk.set_zeroes();
    let mut rig = Rig::start(&disk, POLICY).unwrap();
    disk.inject(nth, fault);
    let mut acknowledged = rig.node.snapshot();
    for at in 0..5 {
        work(&mut rig, at);
        rig.settle();
        if at == 2 {
            // It may fail: the next one is not its fault.
            drop(rig.rewrite());
            rig.settle();
        }
        let is_safe = rig.acknowledged();
        if is_safe {
            acknowledged = rig.node.snapshot();
        }
        {
            let found = recovered(&disk.crash(nth * 31 + at as u64));
            // What was not acknowledged may be there, too.
            let now = rig.node.snapshot();
            let ok = same(&found, &acknowledged) || same(&found, &now) || !is_safe;
            assert!(ok, "{fault:?} at {nth}, command {at}");
        }
        if !is_safe {
            // A new base, or another try, and all is well.
            rig.micros += 1_000_000;
            if rig.status.state() == State::Lost {
                rig.rewrite().unwrap();
            }
            rig.settle();
            assert!(rig.acknowledged(), "{fault:?} at {nth}, command {at}: it does not recover");
            assert!(same(&recovered(&disk.kill()), &rig.node.snapshot()));
        }
    }
    assert!(disk.violations().is_empty(), "{:?}", disk.violations());
    disk.fired()
}

/// A failed sync is sticky: a later one that succeeds acknowledges nothing.
#[test]
fn a_failed_sync_is_not_forgotten() {
    let disk = MemDisk::new();
    let policy = Policy { fsync: Fsync::EverySecond, ..POLICY };
    let mut rig = Rig::start(&disk, policy).unwrap();
    rig.micros = 2_000_000;
    work(&mut rig, 0);
    rig.settle();
    assert!(rig.acknowledged());
    work(&mut rig, 1);
    rig.settle();
    assert!(!rig.acknowledged());
    rig.micros += 1_000_000;
    disk.inject(1, Fault::Eio);
    rig.settle();
    assert_eq!(rig.status.state(), State::Lost);
    for _ in 0..5 {
        rig.micros += 1_000_000;
        rig.settle();
        assert!(!rig.acknowledged());
    }
    rig.rewrite().unwrap();
    assert!(rig.acknowledged());
    assert!(same(&recovered(&disk.crash(7)), &rig.node.snapshot()));
}

/// A full disk: the file ends with a record, and goes on when there is room again.
#[test]
fn a_full_disk_recovers() {
    for room in [0, 1, 50, 300, 600] {
        let disk = MemDisk::new();
        let mut rig = Rig::start(&disk, POLICY).unwrap();
        for at in 0..5 {
            work(&mut rig, at);
        }
        rig.settle();
        let size: u64 = disk
            .list(Path::new("dir"))
            .unwrap()
            .iter()
            .map(|name| disk.metadata(&Path::new("dir").join(name)).unwrap().size_bytes)
            .sum();
        disk.set_capacity(Some(size + room));
        let before = rig.node.snapshot();
        let mut last = before;
        for at in 5..10 {
            work(&mut rig, at);
            rig.settle();
            if rig.acknowledged() {
                last = rig.node.snapshot();
            }
        }
        assert!(!rig.acknowledged());
        assert_eq!(rig.status.state(), State::Full);
        assert_eq!(rig.status.error(), "No space left on device");
        let killed = disk.kill();
        killed.set_capacity(None);
        assert!(same(&recovered(&killed), &last), "room {room}");
        disk.set_capacity(None);
        rig.micros += 1_000_000;
        rig.settle();
        assert!(rig.acknowledged());
        assert!(same(&recovered(&disk.kill()), &rig.node.snapshot()));
    }
}

/// Both forms of a base keep all there is to know of a value of any type.
#[test]
fn a_base_holds_every_type_whole() {
    const MAKE: &str = "
        SET text v PXAT 4102444800000
        SETIFGREATER tagged v 9 PXAT 4102444800000
        RPUSH list a 1 b
        SADD ints 1 2 3
        SADD words a 1
        SADD expiring b c d 7
        SPEXPIREAT expiring 4102444800000 MEMBERS 1 b
        SPEXPIREAT expiring 4102444801000 MEMBERS 2 d 7
        ZADD zset 1.5 a -2 b
        ZADD timed 1.5 a -2 b 3 7 4 stays
        ZPEXPIREAT timed 4102444800000 MEMBERS 1 a
        ZPEXPIREAT timed 4102444801000 MEMBERS 2 b 7
        HSET hash a 1 b 2 c 3
        HPEXPIREAT hash 4102444800000 FIELDS 2 a c
        ARSET array 5 a 7 1.5
        ARINSERT array first
        ARINSERT drained last
        ARSEEK drained 18446744073709551615
        SIADD ids 0 7 18446744073709551615
        KEYDB.CRON once single 4102444800000 1000 return 0
        KEYDB.CRON job repeat 4102444800000 1000 return 1 k a
        PEXPIREAT job 4102444900000
        XADD stream IDMP p i * f v
        XADD stream MAXLEN 1 * f w
        XGROUP CREATE stream group 0
        XREADGROUP GROUP group alice STREAMS stream >
        XCFGSET stream IDMP-MAXSIZE 7";
    const ASK: &str = "
        GET text
        PEXPIRETIME text
        GETWITHETAG tagged
        PEXPIRETIME tagged
        LRANGE list 0 -1
        SMEMBERS ints
        SISMEMBER words a
        SCARD words
        SCARD expiring
        SPEXPIRETIME expiring MEMBERS 4 b c d 7
        ZRANGE zset 0 -1 WITHSCORES
        ZRANGE timed 0 -1 WITHSCORES
        ZPEXPIRETIME timed MEMBERS 4 a b 7 stays
        HMGET hash a b c
        HPEXPIRETIME hash FIELDS 3 a b c
        ARSCAN array 0 18446744073709551614
        ARNEXT array
        ARNEXT drained
        ARLEN drained
        SIRANGE ids 0 0
        DEBUG DIGEST-VALUE once job
        PEXPIRETIME job
        XINFO STREAM stream FULL";
    for rdb in [true, false] {
        let disk = MemDisk::new();
        let mut rig = Rig::start(&disk, POLICY).unwrap();
        rig.rdb = rdb;
        rig.lines(MAKE);
        rig.rewrite().unwrap();
        rig.settle();
        let before = rig.lines(ASK);
        let mut after = Rig::start(&disk.kill(), POLICY).unwrap();
        assert_eq!(after.lines(ASK), before, "rdb={rdb}");
    }
}
