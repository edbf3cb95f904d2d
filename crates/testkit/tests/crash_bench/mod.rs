//! A server's durable half in one value, on a disk that crashes: a node, the writer of its append-only
//! file, rewrites. Scripts drive it step by step, and a model remembers what the data were at each
//! position of the journal.
//!
//! What must hold, after a crash at any operation and for everything that a disk may have kept: the data
//! are those of one position of the journal, no older than what was said to be durable.

#![allow(dead_code, reason = "each test uses a part of it")]

use command::Session;
use disk::{Disk, Fault, MemDisk};
use durability::aof::{
    Files, Form, Found, Fsync, LoadOptions, Loader, Moment, Next, Part, Policy, Progress, State,
    Status, Writer, write_base,
};
use durability::rdb_file::{self, FileSource, Frames, Head, Image};
use engine::{Now, Worker};
use journal::{Lsn, Watermark};
use keyspace::persist::{self, Loader as Keys};
use keyspace::{AccessClock, Snapshot as Cut};
use rdb::file::Versions;
use std::path::Path;
use std::sync::Arc;
use stdx::hash::{Map, Seed, Set};
use testkit::{Node, Options, Snapshot};

/// What a script does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A command of a client, as one types it.
    Do(&'static str),
    /// So many milliseconds pass, and the writer has its turns.
    Wait(i64),
    /// The walk for what has expired looks at everything.
    Sweep,
    /// The rewrite makes its file and cuts, writes its base, puts it in place.
    Begin,
    Write,
    Adopt,
}

/// How a machine is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) fsync: Fsync,
    pub(crate) timestamps: bool,
    pub(crate) checksums: bool,
    /// Bases are RDB files, or commands.
    pub(crate) rdb: bool,
}

impl Setup {
    pub(crate) const ALWAYS: Self =
        Self { fsync: Fsync::Always, timestamps: false, checksums: true, rdb: true };
}

/// The data at each position of the journal at which they changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    states: Vec<(Lsn, Snapshot)>,
}

impl History {
    fn note(&mut self, lsn: Lsn, data: Snapshot) {
        if self.states.last().is_none_or(|(last, _)| *last != lsn) {
            self.states.push((lsn, data));
        }
    }

    /// The last position at which the data were these.
    pub(crate) fn found(&self, data: &Snapshot) -> Option<Lsn> {
        self.states.iter().rev().find(|(_, state)| state == data).map(|(lsn, _)| *lsn)
    }

    fn at(&self, lsn: Lsn) -> &Snapshot {
        let found = self.states.iter().rev().find(|(at, _)| *at <= lsn);
        &found.expect("the history begins with the beginning").1
    }
}

struct Rewrite {
    part: Part,
    snapshot: Cut,
    size: Option<u64>,
}

/// A node with its files.
pub(crate) struct Machine {
    pub(crate) node: Node,
    client: Session,
    pub(crate) writer: Writer,
    pub(crate) status: Arc<Status>,
    pub(crate) durable: Arc<Watermark>,
    rewrite: Option<Rewrite>,
    pub(crate) history: History,
    setup: Setup,
    began_ms: i64,
    /// Where the journal stood at the end of each millisecond in which something happened.
    times: Vec<(i64, Lsn)>,
}

const DIR: &str = "/";
/// What a disk that crashes leaves of sectors that were never written, if not zeros.
const STALE: u8 = 0xa5;

pub(crate) fn files(disk: &MemDisk) -> Files {
    Files::new(Arc::new(disk.clone()), Path::new(DIR), "appendonlydir", "a.aof")
}

fn policy(setup: Setup) -> Policy {
    Policy {
        fsync: setup.fsync,
        holds_sync: false,
        timestamps: setup.timestamps,
        checksums: setup.checksums,
        keeps_history: false,
    }
}

pub(crate) fn node() -> Node {
    Node::new(Options { databases: 2, journal: false, ..Options::default() })
}

/// All keys of a data set, expired ones too.
pub(crate) fn data_of(node: &Node) -> Snapshot {
    let mut data = node.snapshot_at(0);
    // A load may choose another encoding.
    data.keys.values_mut().for_each(|entry| entry.encoding = "");
    data
}

pub(crate) fn load_base(node: &Node, disk: &dyn Disk, path: &Path) -> Result<u64, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let (mut source, _) = FileSource::open(disk, path).map_err(|error| text(&error))?;
    let mut frames =
        Frames::begin(&mut source, Versions::Known, true).map_err(|error| text(&error))?;
    let settings = node.engine.settings();
    let options = persist::LoadOptions {
        limits: &settings.limits,
        clock: AccessClock::Lru,
        now_ms: 0,
        horizon_ms: i64::MIN,
        replace: false,
    };
    let mut keys = Keys::new(&node.engine.space, frames.version(), options);
    rdb_file::load(&mut frames, &mut keys, &mut |_| Ok(())).map_err(|error| text(&error))?;
    Ok(frames.offset())
}

impl Machine {
    /// Starts as the server does: loads what there is, or makes the first base.
    pub(crate) fn start(disk: &MemDisk, setup: Setup) -> Result<Self, String> {
        let (node, files, status) = (node(), files(disk), Arc::new(Status::default()));
        let durable = Watermark::new(Lsn(0), 16);
        let streams = (Arc::clone(&node.engine.journal), Arc::clone(&durable));
        let found = files.find().map_err(|fault| fault.0)?;
        let (writer, is_new) = match found {
            Found::Nothing => {
                let manifest = Default::default();
                let status = Arc::clone(&status);
                (Writer::waiting(files, manifest, policy(setup), streams, status), true)
            }
            Found::Set(manifest) => {
                let mut worker = Worker::new(&node.engine, 1).expect("the first worker");
                let progress = Progress::default();
                let mut base = |path: &Path| load_base(&node, disk, path);
                let loader = Loader {
                    engine: &node.engine,
                    worker: &mut worker,
                    threads: 2,
                    clocks: || Now { wall_ms: 0, ticks: || 0, wall: || 0, stale_ticks: 1 },
                    base: &mut base,
                    progress: &progress,
                    options: LoadOptions { truncated: true, corrupt_tail_bytes_max: 4 << 20 },
                };
                let loaded = loader.load(&files, manifest).map_err(|fault| fault.0)?;
                drop(worker);
                let opened = loaded.writer(files, policy(setup), streams, Arc::clone(&status));
                (opened.map_err(|error| error.to_string())?, false)
            }
        };
        let (client, began_ms) = (node.session(), node.now_ms());
        let (rewrite, history, times) = (None, History::default(), Vec::new());
        let mut machine = Self {
            node,
            client,
            writer,
            status,
            durable,
            rewrite,
            history,
            setup,
            began_ms,
            times,
        };
        machine.remember();
        if is_new {
            machine.rewrite_whole().map_err(|error| error.to_string())?;
        }
        Ok(machine)
    }

    fn remember(&mut self) {
        let tail = self.node.engine.journal.tail();
        self.history.note(tail, data_of(&self.node));
        self.times.push((self.node.now_ms(), tail));
    }

    pub(crate) fn moment(&self) -> Moment {
        let millis = (self.node.now_ms() - self.began_ms + 1) as u64;
        Moment { micros: millis * 1000, seconds: self.node.now_ms() / 1000 }
    }

    /// The writer's thread has its turns until it would sleep.
    pub(crate) fn turns(&mut self) {
        for _ in 0..100 {
            if let Next::Later(_) = self.writer.step(self.moment()) {
                return;
            }
        }
        panic!("the writer does not come to rest");
    }

    pub(crate) fn run(&mut self, step: Step) -> std::io::Result<()> {
        match step {
            Step::Do(line) => {
                let words = testkit::words(line);
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                self.node.send(&mut self.client, &words);
            }
            Step::Wait(millis) => self.node.advance_ms(millis),
            Step::Sweep => self.node.hand(3).sweep(),
            Step::Begin => return self.begin(),
            Step::Write => return self.write(),
            Step::Adopt => return self.adopt(),
        }
        self.remember();
        self.turns();
        Ok(())
    }

    fn begin(&mut self) -> std::io::Result<()> {
        self.writer.prepare()?;
        let writer = &mut self.writer;
        let snapshot = self.node.begin_snapshot(|cut| writer.cut(cut.lsn));
        let part = self.writer.next_base(self.setup.rdb);
        self.rewrite = Some(Rewrite { part, snapshot, size: None });
        self.turns();
        Ok(())
    }

    fn write(&mut self) -> std::io::Result<()> {
        let Some(rewrite) = &mut self.rewrite else { return Ok(()) };
        let form = if self.setup.rdb {
            let head = Head { version: 11, ..Head::default() };
            Form::Rdb(Image::new(&head, true))
        } else {
            let limits = self.node.engine.settings().limits;
            Form::Commands { seconds: None, functions: Vec::new(), limits }
        };
        let (files, part) = (self.writer.files().clone(), rewrite.part.clone());
        let snapshot = &mut rewrite.snapshot;
        let written = write_base(&files, &part, form, snapshot, false, &mut |_| true);
        let error = match written {
            Ok(size) => {
                rewrite.size = Some(size);
                return Ok(());
            }
            Err(durability::aof::Unwritten::Io(error)) => error,
            Err(durability::aof::Unwritten::Cancelled) => unreachable!("nobody cancels"),
        };
        self.rewrite = None;
        self.writer.abandon();
        Err(error)
    }

    fn adopt(&mut self) -> std::io::Result<()> {
        let Some(Rewrite { part, size: Some(size), .. }) = self.rewrite.take() else {
            return Ok(());
        };
        if let Err(error) = self.writer.adopt(part, size, self.moment()) {
            self.writer.abandon();
            return Err(error);
        }
        self.writer.collect(false)?;
        self.turns();
        Ok(())
    }

    pub(crate) fn rewrite_whole(&mut self) -> std::io::Result<()> {
        self.begin()?;
        self.write()?;
        self.adopt()
    }

    /// What the server does after a failure: rewrites until there is a base again. `false`: that does
    /// not help.
    pub(crate) fn recovers(&mut self) -> bool {
        for _ in 0..4 {
            // Longer than the pause after a full disk.
            self.node.advance_ms(200);
            self.turns();
            match self.status.state() {
                State::Good if self.rewrite.is_none() => return true,
                State::Good | State::Full => {
                    self.rewrite = None;
                    self.writer.abandon();
                }
                State::Waits | State::Lost | State::Off => drop(self.rewrite_whole()),
            }
        }
        false
    }

    /// What a client was told to be safe.
    pub(crate) fn promised(&self) -> Lsn {
        self.durable.value()
    }

    /// The journal's position so many milliseconds ago.
    pub(crate) fn position_before(&self, millis: i64) -> Lsn {
        let then = self.node.now_ms() - millis;
        let found = self.times.iter().rev().find(|(at, _)| *at <= then);
        found.map_or(Lsn(0), |(_, lsn)| *lsn)
    }
}

/// What came of an enumeration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Operations at which the power went.
    pub(crate) points: u64,
    /// States of the disk that were looked at.
    pub(crate) images: u64,
    /// Of these, different ones, from which was recovered.
    pub(crate) recovered: u64,
    /// Of these, such that a person must look at.
    pub(crate) refused: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.points += other.points;
        self.images += other.images;
        self.recovered += other.recovered;
        self.refused += other.refused;
    }
}

/// All files with their contents.
pub(crate) fn fingerprint(disk: &MemDisk) -> Vec<(String, Vec<u8>)> {
    fn walk(disk: &MemDisk, dir: &Path, into: &mut Vec<(String, Vec<u8>)>) {
        for name in disk.list(dir).expect("a folder") {
            let path = dir.join(name);
            if disk.metadata(&path).expect("listed").is_dir {
                into.push((path.display().to_string(), Vec::new()));
                walk(disk, &path, into);
            } else {
                let bytes = disk::read(disk, &path, 1 << 24).expect("a file");
                into.push((path.display().to_string(), bytes));
            }
        }
    }
    let mut all = Vec::new();
    walk(disk, Path::new(DIR), &mut all);
    all
}

/// States of the disk after the power has gone, and after the process was killed: all of them, up to
/// `images_max`, and some drawn at random beyond.
pub(crate) fn images(disk: &MemDisk, images_max: u64, mut visit: impl FnMut(MemDisk, bool)) {
    visit(disk.kill(), true);
    if !disk.every_crash(images_max, |image| visit(image, false)) {
        (0..images_max.min(16)).for_each(|seed| visit(disk.crash(seed), false));
    }
}

/// Runs `script` with the power going at each of its operations in turn, and recovers from everything
/// that may be left. `bound` names the least position that must be there, besides what was promised.
pub(crate) fn enumerate(
    setup: Setup,
    script: &[Step],
    images_max: u64,
    bound: impl Fn(&Machine) -> Lsn,
) -> Tally {
    let whole = whole_run(setup, script);
    let mut tally = Tally::default();
    // What was recovered from a state, by its contents.
    let mut known: Map<Vec<(String, Vec<u8>)>, Option<Lsn>> = Map::with_hasher(Seed::new(1, 2));
    for point in 1.. {
        let disk = MemDisk::new();
        if setup.fsync != Fsync::Always {
            // Stale sectors are told from lost ones by seals alone, and there is not always one.
            disk.set_zeroes();
        }
        disk.inject(point, Fault::PowerOff);
        let before = crashed_run(&disk, setup, script);
        if !disk.fired() {
            break;
        }
        tally.points += 1;
        let least =
            before.as_ref().map_or(Lsn(0), |machine| machine.promised().max(bound(machine)));
        let written = before.as_ref().map_or(Lsn(0), |machine| {
            let good = machine.status.state() == State::Good;
            if good { machine.writer.written() } else { machine.promised() }
        });
        images(&disk, images_max, |image, killed| {
            tally.images += 1;
            let contents = fingerprint(&image);
            let lsn = *known.entry(contents).or_insert_with_key(|contents| {
                tally.recovered += 1;
                let found = recovered(&image, setup, &whole, point, contents);
                tally.refused += u64::from(found.is_none());
                found
            });
            let Some(lsn) = lsn else { return };
            let least = if killed { least.max(written) } else { least };
            assert!(
                lsn >= least,
                "power off at operation {point}: what is there ends at {lsn}, {least} was promised\n{}",
                show(&fingerprint(&image))
            );
        });
    }
    tally
}

fn whole_run(setup: Setup, script: &[Step]) -> History {
    let disk = MemDisk::new();
    let mut machine = Machine::start(&disk, setup).expect("a disk that works");
    for step in script {
        machine.run(*step).expect("a disk that works");
    }
    assert_eq!(disk.violations(), Vec::<String>::new());
    machine.history
}

/// Runs until the power is gone. `None`: it went before the first base was there.
fn crashed_run(disk: &MemDisk, setup: Setup, script: &[Step]) -> Option<Machine> {
    let mut machine = Machine::start(disk, setup).ok()?;
    for step in script {
        if disk.fired() {
            break;
        }
        // What fails now fails since the power is gone.
        drop(machine.run(*step));
    }
    Some(machine)
}

/// Whether an incremental file has stale bytes and not one seal: nothing tells it from another kind of file.
fn is_stale(contents: &[(String, Vec<u8>)]) -> bool {
    contents.iter().any(|(name, bytes)| {
        let sealed = bytes.windows(4).any(|window| window == b"#CK:");
        name.ends_with(".incr.aof") && bytes.contains(&STALE) && !sealed
    })
}

/// Starts from what is left, twice, and finds the position at which the data were as they are now. `None`:
/// a stale file was refused, and not touched.
fn recovered(
    image: &MemDisk,
    setup: Setup,
    whole: &History,
    point: u64,
    contents: &[(String, Vec<u8>)],
) -> Option<Lsn> {
    let fail =
        |what: &str| -> ! { panic!("power off at operation {point}: {what}\n{}", show(contents)) };
    let machine = match Machine::start(image, setup) {
        Ok(machine) => machine,
        Err(error) if !is_stale(contents) => fail(&error),
        Err(_) if fingerprint(image) == contents => return None,
        Err(error) => fail(&format!("touched, though refused: {error}")),
    };
    let data = data_of(&machine.node);
    let Some(lsn) = whole.found(&data) else {
        fail(&format!("the data were never like that:\n{}", nearest(whole, &data)))
    };
    drop(machine);
    // What a start leaves is as good as what it found.
    let mut again = Machine::start(&image.kill(), setup).unwrap_or_else(|error| fail(&error));
    if data_of(&again.node) != data {
        fail("another start found something else");
    }
    again.run(Step::Do("SET after crash")).expect("a disk that works");
    again.run(Step::Wait(2000)).expect("a disk that works");
    Some(lsn)
}

fn nearest(whole: &History, data: &Snapshot) -> String {
    let differences = whole.states.iter().map(|(lsn, state)| (*lsn, state.difference(data, false)));
    let least = differences.min_by_key(|(_, difference)| difference.len());
    least.map_or_else(String::new, |(lsn, text)| format!("nearest to {lsn}: {text}"))
}

pub(crate) fn show(contents: &[(String, Vec<u8>)]) -> String {
    let line = |(name, bytes): &(String, Vec<u8>)| {
        format!("{name} ({} bytes): {}\n", bytes.len(), bytes.escape_ascii())
    };
    contents.iter().map(line).collect()
}

/// Runs `script` with `fault` at each of its operations in turn; the server does what it does after a
/// failure. Then the power goes.
pub(crate) fn under_faults(setup: Setup, script: &[Step], fault: Fault, images_max: u64) -> Tally {
    let mut tally = Tally::default();
    for point in 1.. {
        let disk = MemDisk::new();
        disk.inject(point, fault);
        let Ok(mut machine) = Machine::start(&disk, setup) else {
            // No server without its first base; the next start makes it.
            assert!(disk.fired());
            tally.points += 1;
            Machine::start(&disk, setup).expect("the disk works again");
            continue;
        };
        let mut failing = Set::with_hasher(Seed::new(1, 2));
        for step in script {
            drop(machine.run(*step));
            let state = machine.status.state();
            failing.insert(format!("{state:?}"));
            let broken = matches!(state, State::Full | State::Lost);
            assert_eq!(
                machine.durable.broken(),
                broken,
                "{fault:?} at operation {point}: {state:?}"
            );
            if broken {
                assert_ne!(machine.status.error(), "", "{fault:?} at operation {point}");
            }
        }
        // The fault may strike in what follows, too, but only once.
        for _ in 0..3 {
            assert!(machine.recovers(), "{fault:?} at operation {point}: it does not recover");
            drop(machine.run(Step::Do("SET at end")));
            drop(machine.run(Step::Wait(2000)));
            let tail = machine.node.engine.journal.tail();
            if machine.status.state() == State::Good && machine.promised() == tail {
                break;
            }
        }
        let tail = machine.node.engine.journal.tail();
        if setup.fsync != Fsync::No {
            let (state, error) = (machine.status.state(), machine.status.error());
            let at = format!("{fault:?} at operation {point}: {state:?} {error} {failing:?}");
            assert_eq!(machine.promised(), tail, "{at}");
        }
        let fired = disk.fired();
        let promised = machine.promised();
        images(&disk, images_max, |image, killed| {
            tally.images += 1;
            let least = if killed { tail } else { promised };
            let contents = fingerprint(&image);
            let after = Machine::start(&image, setup).unwrap_or_else(|error| {
                panic!("{fault:?} at operation {point}: {error}\n{}", show(&contents))
            });
            let lsn = machine.history.found(&data_of(&after.node)).unwrap_or_else(|| {
                panic!("{fault:?} at operation {point}: never like that\n{}", show(&contents))
            });
            tally.recovered += 1;
            assert!(lsn >= least, "{fault:?} at operation {point}: {lsn}, promised {least}");
        });
        if !fired {
            break;
        }
        tally.points += 1;
    }
    tally
}
