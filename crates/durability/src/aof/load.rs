//! Loading: the base, then the incremental files in order, each record applied as a client's command is.
//!
//! Nothing is applied that is not whole: a transaction whose EXEC is missing is not begun. Only a file that a
//! server was appending to may be torn: the last incremental one that is not empty, or the single file of an
//! older server. It is cut off where it is well, if the parameters allow that, once all has been applied.
//! Every other fault is an error, and no file is touched.
//!
//! **Nothing has expired meanwhile**, as deletions are in the log.

use super::deal::Dealer;
use super::files::Files;
use super::manifest::{Kind, Manifest, Part, RDB_SUFFIX};
use super::replay::REMARKS_MAX;
use super::scan::{Damage, Ending, Scanner};
use super::writer::{Policy, Status, Writer};
use super::{Fault, State};
use disk::DiskFile;
use engine::{Engine, Now, Worker};
use journal::{Journal, Lsn, Watermark};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What may be done about a file that is torn.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// `aof-load-truncated`.
    pub truncated: bool,
    /// `aof-load-corrupt-tail-max-size`.
    pub corrupt_tail_bytes_max: u64,
}

/// What was read so far, for others to see.
#[derive(Debug, Default)]
pub struct Progress {
    pub bytes: AtomicU64,
    /// Of all files.
    pub total_bytes: AtomicU64,
}

/// A set that was loaded.
#[derive(Debug)]
pub struct Loaded {
    pub manifest: Manifest,
    /// Of all files.
    pub bytes: u64,
    /// What a person should know of.
    pub remarks: Vec<String>,
    /// The position of the journal at the end, if the files tell.
    pub lsn: Option<Lsn>,
    ending: Option<Ending>,
}

/// Reads the snapshot at the beginning of a file; returns where it ends.
pub type Base<'a> = dyn FnMut(&Path) -> Result<u64, String> + 'a;

/// Loads a set into an engine that nobody else uses.
pub struct Loader<'a> {
    pub engine: &'a Engine,
    pub worker: &'a mut Worker,
    /// So many threads apply records, beside the one that reads them; below two, that one does.
    pub threads: usize,
    /// What is relative to the time of a command is relative to the time of the load.
    pub clocks: fn() -> Now,
    pub base: &'a mut Base<'a>,
    pub progress: &'a Progress,
    pub options: LoadOptions,
}

impl Loader<'_> {
    /// Loads all files of `manifest`.
    pub fn load(self, files: &Files, manifest: Manifest) -> Result<Loaded, Fault> {
        let Self { engine, worker, threads, clocks, base, progress, options } = self;
        std::thread::scope(|scope| {
            let dealer = Dealer::start(scope, engine, worker, clocks, threads);
            Load { dealer, base, progress, options }.all(files, manifest)
        })
    }
}

/// A load under way.
struct Load<'a, 'e> {
    dealer: Dealer<'e>,
    base: &'a mut Base<'e>,
    progress: &'a Progress,
    options: LoadOptions,
}

impl Load<'_, '_> {
    fn all(&mut self, files: &Files, manifest: Manifest) -> Result<Loaded, Fault> {
        let sizes = sizes(files, &manifest)?;
        let bytes = sizes.iter().sum();
        self.progress.total_bytes.store(bytes, Ordering::Relaxed);
        let mut remarked = Vec::new();
        let mut loaded = Loaded { manifest, bytes, remarks: Vec::new(), lsn: None, ending: None };
        let parts: Vec<Part> = loaded.manifest.parts().cloned().collect();
        for (at, part) in parts.iter().enumerate() {
            let last = sizes.iter().skip(at + 1).all(|size| *size == 0);
            let appended = part.kind == Kind::Incremental || files.is_single(&loaded.manifest);
            let name = String::from_utf8_lossy(&part.name).into_owned();
            let file =
                files.read(&part.name).map_err(|error| Fault::io("Opening", &name, &error))?;
            let before = sizes.iter().take(at).sum();
            let size = sizes.get(at).copied().unwrap_or(0);
            let path = files.path(&part.name);
            let one = One { file: &*file, name: &name, path: &path, size, before };
            let begin = self.snapshot(&one, part)?;
            let (ending, mut told) = self.records(&one, begin)?;
            remarked.append(&mut told);
            if let Some(damage) = &ending.damage {
                let place = Place { appended, last };
                judge(self.options, damage, &one, place)?;
                loaded.remarks.append(&mut remarks(damage, &name));
                cut(files, part, damage.valid_bytes)
                    .map_err(|error| Fault::io("Cutting off the end of", &name, &error))?;
            }
            loaded.lsn = ending.lsn.or(loaded.lsn);
            if part.kind == Kind::Incremental {
                loaded.ending = Some(ending);
            }
        }
        remarked.truncate(REMARKS_MAX);
        loaded.remarks.append(&mut remarked);
        Ok(loaded)
    }

    /// Loads the snapshot with which the file begins, if it does.
    fn snapshot(&mut self, one: &One<'_>, part: &Part) -> Result<u64, Fault> {
        let mut head = [0; 6];
        let io = |error| Fault::io("Reading", one.name, &error);
        match disk::read_exact_at(one.file, &mut head, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            read => read.map_err(io)?,
        }
        if !head.starts_with(b"REDIS") && head != *b"VALKEY" {
            if part.kind == Kind::Base && part.name.ends_with(RDB_SUFFIX) {
                let what = if one.size == 0 { "it is empty" } else { "it does not begin as one" };
                return Err(Fault(format!(
                    "Error reading the RDB base file {}: {what}, at offset 0 of {}",
                    one.name, one.size
                )));
            }
            return Ok(0);
        }
        let end = (self.base)(one.path).map_err(|error| {
            Fault(format!("Error reading the RDB base file {}: {error}", one.name))
        })?;
        Ok(end)
    }

    /// Applies the records of a file; how it ended, and what is worth telling.
    fn records(&mut self, one: &One<'_>, begin: u64) -> Result<(Ending, Vec<String>), Fault> {
        let before = one.before;
        let mut scanner = Scanner::new(one.file, begin);
        let io = |error| Fault::io("Reading", one.name, &error);
        while let Some((offset, bytes)) = scanner.next_records().map_err(io)? {
            if !self.dealer.deal(bytes, offset) {
                break;
            }
            let read = before.saturating_add(offset).saturating_add(bytes.len() as u64);
            self.progress.bytes.store(read, Ordering::Relaxed);
        }
        let told = self.dealer.finish().map_err(|(offset, error)| {
            let name = one.name;
            Fault(format!(
                "Error reading the append only file {name}, error: {error} (at offset {offset})"
            ))
        })?;
        Ok((scanner.ending(), told))
    }
}

impl Loaded {
    /// A writer that goes on where these files end.
    pub fn writer(
        self,
        files: Files,
        policy: Policy,
        (journal, durable): (Arc<Journal>, Arc<Watermark>),
        status: Arc<Status>,
    ) -> io::Result<Writer> {
        let mut writer =
            Writer::waiting(files, self.manifest, policy, (journal, durable), Arc::clone(&status));
        status.set(State::Off);
        writer.resume(self.ending)?;
        Ok(writer)
    }
}

/// Where a file stands in its set.
#[derive(Clone, Copy)]
struct Place {
    /// A server appends to it, or did: other files are complete before they are named.
    appended: bool,
    /// All files behind are empty.
    last: bool,
}

/// Whether the end of a damaged file may be cut off.
fn judge(options: LoadOptions, damage: &Damage, one: &One<'_>, place: Place) -> Result<(), Fault> {
    let Damage { valid_bytes, offset, reason, cut_off, torn } = *damage;
    let (name, size) = (one.name, one.size);
    let tail = size.saturating_sub(valid_bytes);
    let small = cut_off || tail <= options.corrupt_tail_bytes_max;
    if torn && place.appended && place.last && options.truncated && small {
        return Ok(());
    }
    let what = match cut_off {
        true => "Unexpected end of file reading",
        false => "Bad file format reading",
    };
    let why = if !torn {
        "This is not what a crash leaves: bytes were changed, or it is a file of another kind."
    } else if !place.appended {
        "A crash does not tear a base, which was complete before it was used."
    } else if !place.last {
        "It is not the last file of the set."
    } else if !options.truncated {
        "The end may be dropped: set 'aof-load-truncated' to yes, and start the server again."
    } else {
        "More than 'aof-load-corrupt-tail-max-size' allows would be dropped."
    };
    Err(Fault(format!(
        "{what} the append only file {name}: {reason}, at offset {offset}; valid up to offset \
             {valid_bytes} of {size}. {why} Make a backup of the files, then look at them with \
             'almagre check-aof', which can drop the end of the last one with --fix."
    )))
}

fn sizes(files: &Files, manifest: &Manifest) -> Result<Vec<u64>, Fault> {
    let size = |part: &Part| {
        files.size_bytes(&part.name).map_err(|error| {
            let name = String::from_utf8_lossy(&part.name);
            Fault(format!("The append only file {name} can't be opened: {error}"))
        })
    };
    manifest.parts().map(size).collect()
}

fn remarks(damage: &Damage, name: &str) -> Vec<String> {
    let Damage { valid_bytes, reason, cut_off, .. } = damage;
    let what = if *cut_off { "short read" } else { "torn end" };
    vec![
        format!("!!! Warning: {what} while loading the AOF file {name}!!! ({reason})"),
        format!("!!! Truncating the AOF {name} at offset {valid_bytes} !!!"),
        format!("AOF {name} loaded anyway because aof-load-truncated is enabled"),
    ]
}

fn cut(files: &Files, part: &Part, size: u64) -> io::Result<()> {
    let file = files.disk.open(&files.path(&part.name), disk::Open::Write)?;
    file.set_size(size)?;
    file.sync()
}

/// One file being loaded.
struct One<'a> {
    file: &'a dyn DiskFile,
    name: &'a str,
    path: &'a Path,
    size: u64,
    /// Bytes of the files before.
    before: u64,
}
