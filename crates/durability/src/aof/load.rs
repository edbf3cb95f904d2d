//! Loading: the base, then the incremental files in order, each record applied as a client's command is.
//!
//! Nothing is applied that is not whole: a transaction whose EXEC is missing is not begun. Only the last file
//! that is not empty may be torn; it is cut off where it is well, if the parameters allow that, once all has
//! been applied. Every other fault is an error, and no file is touched.
//!
//! **The clock stands at 0 meanwhile**: nothing has expired, as deletions are in the log.

use super::files::Files;
use super::manifest::{Kind, Manifest, Part};
use super::scan::{Damage, Ending, Scanner, annotation_at};
use super::writer::{Policy, Status, Writer};
use super::{Fault, State};
use command::{Card, ClientFlags, JobStep, Session};
use disk::DiskFile;
use engine::{End, Engine, Now, Worker};
use journal::{Journal, Lsn, Watermark};
use resp::{Limits, Progress as Parsing, Reply, Requests, Value};
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
    pub base: &'a mut Base<'a>,
    pub progress: &'a Progress,
    pub options: LoadOptions,
}

impl Loader<'_> {
    /// Loads all files of `manifest`.
    pub fn load(mut self, files: &Files, manifest: Manifest) -> Result<Loaded, Fault> {
        let sizes = sizes(files, &manifest)?;
        let bytes = sizes.iter().sum();
        let mut replay = Replay::new(self.engine, self.worker);
        let mut loaded = Loaded { manifest, bytes, remarks: Vec::new(), lsn: None, ending: None };
        let parts: Vec<Part> = loaded.manifest.parts().cloned().collect();
        for (at, part) in parts.iter().enumerate() {
            let last = sizes.iter().skip(at + 1).all(|size| *size == 0);
            let name = String::from_utf8_lossy(&part.name).into_owned();
            let file =
                files.read(&part.name).map_err(|error| Fault::io("Opening", &name, &error))?;
            let mut one = One {
                replay: &mut replay,
                progress: self.progress,
                file: &*file,
                name: &name,
                path: &files.path(&part.name),
            };
            let begin = one.snapshot(&mut self.base)?;
            let ending = one.records(begin)?;
            if let Some(damage) = &ending.damage {
                let size = sizes.get(at).copied().unwrap_or(0);
                judge(self.options, damage, &name, size, last)?;
                loaded.remarks.append(&mut remarks(damage, &name));
                cut(files, part, damage.valid_bytes)
                    .map_err(|error| Fault::io("Cutting off the end of", &name, &error))?;
            }
            loaded.lsn = ending.lsn.or(loaded.lsn);
            if part.kind == Kind::Incremental {
                loaded.ending = Some(ending);
            }
        }
        loaded.remarks.append(&mut replay.remarks);
        Ok(loaded)
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

/// Whether the end of a damaged file may be cut off.
fn judge(
    options: LoadOptions,
    damage: &Damage,
    name: &str,
    size: u64,
    last: bool,
) -> Result<(), Fault> {
    let Damage { valid_bytes, offset, reason, cut_off, torn } = *damage;
    let tail = size.saturating_sub(valid_bytes);
    let small = cut_off || tail <= options.corrupt_tail_bytes_max;
    if torn && last && options.truncated && small {
        return Ok(());
    }
    let what = match cut_off {
        true => "Unexpected end of file reading",
        false => "Bad file format reading",
    };
    let why = if !torn {
        "This is not what a crash leaves: more follows that was safe on disk."
    } else if !last {
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
struct One<'a, 'e> {
    replay: &'a mut Replay<'e>,
    progress: &'a Progress,
    file: &'a dyn DiskFile,
    name: &'a str,
    path: &'a Path,
}

impl One<'_, '_> {
    /// Loads the snapshot with which the file begins, if it does.
    fn snapshot(&mut self, base: &mut Base<'_>) -> Result<u64, Fault> {
        let mut head = [0; 6];
        let io = |error| Fault::io("Reading", self.name, &error);
        match disk::read_exact_at(self.file, &mut head, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            read => read.map_err(io)?,
        }
        if !head.starts_with(b"REDIS") && head != *b"VALKEY" {
            return Ok(0);
        }
        let end = base(self.path).map_err(|error| {
            Fault(format!("Error reading the RDB base file {}: {error}", self.name))
        })?;
        self.progress.bytes.fetch_add(end, Ordering::Relaxed);
        Ok(end)
    }

    fn records(&mut self, begin: u64) -> Result<Ending, Fault> {
        let mut scanner = Scanner::new(self.file, begin);
        let io = |error| Fault::io("Reading", self.name, &error);
        while let Some((offset, bytes)) = scanner.next_records().map_err(io)? {
            self.replay.apply(bytes).map_err(|(at, error)| {
                let offset = offset.saturating_add(at as u64);
                let name = self.name;
                Fault(format!(
                    "Error reading the append only file {name}, error: {error} (at offset {offset})"
                ))
            })?;
            self.progress.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Ok(scanner.ending())
    }
}

/// Applies records, as a client whose replies nobody reads.
struct Replay<'e> {
    engine: &'e Engine,
    worker: &'e mut Worker,
    session: Session,
    requests: Requests,
    reply: Reply,
    remarks: Vec<String>,
    ignored: u64,
}

/// Records after which replies are looked at.
const BATCH_REQUESTS: usize = 64;
/// Errors that are told one by one.
const REMARKS_MAX: u64 = 10;

impl<'e> Replay<'e> {
    fn new(engine: &'e Engine, worker: &'e mut Worker) -> Self {
        let card = Arc::new(Card::new(0, "aof".into(), String::new(), -1, 0));
        card.set(ClientFlags::LOCAL, true);
        let mut session = Session::new(card, true);
        session.no_touch = true;
        session.replays = true;
        Self {
            engine,
            worker,
            session,
            requests: Requests::new(),
            reply: Reply::new(resp::Protocol::Resp2),
            remarks: Vec::new(),
            ignored: 0,
        }
    }

    /// Applies whole records. An error has its place.
    fn apply(&mut self, records: &[u8]) -> Result<(), (usize, String)> {
        let limits =
            Limits { bulk_bytes_max: u64::from(u32::MAX), inline: false, ..Limits::default() };
        let mut at = 0;
        while let Some(rest) = records.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some((len, _)) = annotation_at(rest) {
                at += len;
                continue;
            }
            let mut parsing = Parsing::default();
            let parsed = self.requests.parse(&mut parsing, rest, &limits, BATCH_REQUESTS);
            if self.requests.is_empty() {
                return Err((at, format!("the command cannot be read: {:?}", parsed.stop)));
            }
            let done = self.serve(rest);
            if let Some((index, error)) = self.first_error() {
                let begin = self.requests.end_of(index.min(done.saturating_sub(1)));
                return Err((at + begin, error));
            }
            at += self.requests.end_of(done);
        }
        Ok(())
    }

    /// Runs the requests that were parsed; returns how many.
    fn serve(&mut self, input: &[u8]) -> usize {
        fn stands() -> u64 {
            0
        }
        let now = Now { wall_ms: 0, ticks: stands, wall: || 0, stale_ticks: u64::MAX };
        let served = self.engine.serve(
            self.worker,
            &mut self.session,
            &self.requests,
            input,
            now,
            &mut self.reply,
        );
        match served.end {
            End::Later(mut job) => {
                let space = &self.engine.space;
                while job.step(space, 0, &mut self.reply) == JobStep::More {}
            }
            End::Wait(waiting) => self.engine.abandon(&waiting),
            End::Done | End::Again | End::Paused | End::Feed(_) | End::Close => {}
        }
        // Whatever held it back or closed it holds for nobody here.
        self.session.close_after_reply = false;
        served.done.max(1)
    }

    /// Looks through the replies. Of errors, those matter that say that the command is not known here.
    fn first_error(&mut self) -> Option<(usize, String)> {
        let suspicious = self.reply.out.as_contiguous().is_none_or(|bytes| bytes.contains(&b'-'));
        let replies = if suspicious { self.reply.out.to_vec() } else { Vec::new() };
        self.reply.out.clear();
        let mut rest = &replies[..];
        let mut index = 0;
        while let Ok(Some((value, len))) = resp::parse_reply(rest) {
            if let Value::Error(text) = &value {
                let text = String::from_utf8_lossy(text).into_owned();
                if is_unknown(&text) {
                    return Some((index, text.trim_start_matches("ERR ").to_owned()));
                }
                self.remark(&text);
            }
            rest = rest.get(len..).unwrap_or_default();
            index += 1;
        }
        None
    }

    /// A command that fails here has failed where it was logged: Redis logs it all the same.
    fn remark(&mut self, text: &str) {
        self.ignored += 1;
        if self.ignored <= REMARKS_MAX {
            self.remarks.push(format!(
                "== CRITICAL == This server is sending an error to its AOF-loading-client: '{text}'"
            ));
        }
    }
}

/// Whether an error means that the file needs another server.
fn is_unknown(text: &str) -> bool {
    [
        "ERR unknown command",
        "ERR unknown subcommand",
        "ERR wrong number of arguments",
        "ERR DB index",
    ]
    .iter()
    .any(|prefix| text.starts_with(prefix))
        || text.starts_with("EXECABORT")
}
