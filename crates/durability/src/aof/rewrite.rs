//! The next base: a snapshot written beside the files in use, while the writer goes on. As an RDB file, or
//! as the commands that make the same data (`aof-use-rdb-preamble no`).

use super::annotation;
use super::files::Files;
use super::manifest::Part;
use crate::rdb_file::{Image, Saving};
use disk::{PRIVATE, Replacement};
use keyspace::{Dialect, Snapshot};
use rdb::file::{self, Meta, Next};
use rdb::opcode::op;
use rdb::{Error, Reader, Source};
use std::io;
use types::collection::{Any, Collection};
use types::listpack::{Digits, Element};
use types::persist::{Loaded, Saved};

/// What a base looks like.
pub enum Form {
    Rdb(Image),
    /// Begins with a `#TS` line of these seconds, if they are given, and with these libraries of functions.
    Commands {
        seconds: Option<i64>,
        functions: Vec<Vec<u8>>,
        limits: types::Limits,
    },
}

/// Asked after each part whether to go on.
pub type Between<'a> = &'a mut dyn FnMut(&Snapshot) -> bool;

/// Why there is no new base.
#[derive(Debug)]
pub enum Unwritten {
    Cancelled,
    Io(io::Error),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for Unwritten {
    fn from(error: Error) -> Self {
        Self::Io(io::Error::other(error.to_string()))
    }
}

/// Writes a whole base, durable under its name when this returns; its size. `incremental`: syncs every
/// few megabytes (`aof-rewrite-incremental-fsync`).
pub fn write_base(
    files: &Files,
    part: &Part,
    form: Form,
    snapshot: &mut Snapshot,
    incremental: bool,
    between: Between<'_>,
) -> Result<u64, Unwritten> {
    let path = files.path(&part.name);
    let image = match form {
        Form::Rdb(image) => image,
        Form::Commands { seconds, functions, limits } => {
            let new = Replacement::begin(&*files.disk, &path, PRIVATE)?;
            let dialect = snapshot.dialect();
            let out = Vec::new();
            let plain = Plain { files, new, out, incremental, unsynced: 0, db: 0, dialect };
            return plain.write(snapshot, seconds, &functions, &limits, between);
        }
    };
    let temp = disk::temp_path(&path);
    let mut saving = Saving::begin(&*files.disk, &path, &temp, image, incremental)?;
    let mut more = true;
    while more {
        more = saving.step(&mut |out, bytes_max| snapshot.read(out, bytes_max))?;
        if !between(snapshot) {
            return Err(Unwritten::Cancelled);
        }
    }
    let size = saving.size_bytes();
    files.announce()?;
    saving.commit()?;
    Ok(size)
}

/// The body of a snapshot as a stream that ends.
struct Body<'a> {
    snapshot: &'a mut Snapshot,
    between: Between<'a>,
    cancelled: bool,
    ended: bool,
}

impl Source for Body<'_> {
    fn read(&mut self, into: &mut Vec<u8>) -> Result<usize, Error> {
        const READ_BYTES: usize = 64 << 10;
        let begin = into.len();
        while into.len() == begin && !self.ended {
            self.ended = !self.snapshot.read(into, READ_BYTES);
            if self.ended {
                into.push(op::EOF);
                into.extend_from_slice(&0u64.to_le_bytes());
            }
            if !(self.between)(self.snapshot) {
                self.cancelled = true;
                return Err(Error::Truncated);
            }
        }
        Ok(into.len() - begin)
    }
}

/// So many elements go into a command.
const ELEMENTS_MAX: usize = 64;
/// Written at a time.
const BLOCK: usize = 64 << 10;
const SYNC_BYTES: u64 = 4 << 20;

/// A base of commands under way.
struct Plain<'a> {
    files: &'a Files,
    new: Replacement<'a>,
    out: Vec<u8>,
    incremental: bool,
    unsynced: u64,
    /// The database that is selected.
    db: u64,
    dialect: Dialect,
}

impl Plain<'_> {
    fn write(
        mut self,
        snapshot: &mut Snapshot,
        seconds: Option<i64>,
        functions: &[Vec<u8>],
        limits: &types::Limits,
        between: Between<'_>,
    ) -> Result<u64, Unwritten> {
        if let Some(seconds) = seconds {
            annotation::write_time(seconds, &mut self.out);
        }
        for source in functions {
            resp::write_command(&mut self.out, &[b"FUNCTION", b"LOAD", source]);
        }
        let mut body = Body { snapshot, between, cancelled: false, ended: false };
        let outcome = self.entries(&mut body, limits);
        if body.cancelled {
            return Err(Unwritten::Cancelled);
        }
        outcome?;
        self.flush()?;
        let size = self.new.size_bytes();
        self.files.announce()?;
        self.new.commit()?;
        Ok(size)
    }

    fn entries(&mut self, body: &mut Body<'_>, limits: &types::Limits) -> Result<(), Unwritten> {
        /// Of the newest types that snapshots hold.
        const VERSION: u16 = rdb::opcode::REDIS_MAX;
        let mut reader = Reader::streaming(body).without_checksum();
        let (mut db, mut key) = (0, Vec::new());
        loop {
            match file::next(&mut reader, VERSION)? {
                Next::Database(number) => db = number,
                Next::Key { of, meta } => {
                    key.clear();
                    reader.string_into(&mut key)?;
                    let value = types::persist::load(of, VERSION, &mut reader, limits)?;
                    self.select(db);
                    self.entry(&key, &value, meta)?;
                }
                Next::End { .. } => return Ok(()),
                _ => {}
            }
        }
    }

    fn select(&mut self, db: u64) {
        if self.db != db {
            self.db = db;
            resp::write_command(&mut self.out, &[b"SELECT", db.to_string().as_bytes()]);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.new.write(&self.out)?;
        self.unsynced = self.unsynced.saturating_add(self.out.len() as u64);
        self.out.clear();
        if self.incremental && self.unsynced >= SYNC_BYTES {
            self.new.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    fn command(&mut self, words: &[&[u8]]) -> io::Result<()> {
        resp::write_command(&mut self.out, words);
        if self.out.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    fn entry(&mut self, key: &[u8], value: &Loaded, meta: Meta) -> io::Result<()> {
        match value {
            Loaded::Text(text) => self.command(&[b"SET", key, text])?,
            Loaded::Tagged(text, tag) => {
                self.command(&[b"SETIFGREATER", key, text, tag.to_string().as_bytes()])?;
            }
            Loaded::Any(Any::List(list)) => {
                let texts = list.view().iter().map(text);
                self.many(&[b"RPUSH", key], texts, 1)?;
            }
            Loaded::Any(Any::Set(set)) => self.set(key, set.view())?,
            Loaded::Any(Any::ZSet(set)) => self.zset(key, set.view())?,
            Loaded::Any(Any::Hash(hash)) => self.hash(key, hash.view())?,
            Loaded::Any(Any::Array(array)) => self.array(key, array.view())?,
            Loaded::Any(Any::SortedInt(set)) => {
                let mut texts = Vec::new();
                let all = set.view();
                all.visit(0..usize::MAX, false, |id| texts.push(id.to_string().into_bytes()));
                self.many(&[b"SIADD", key], texts.into_iter(), 1)?;
            }
            Loaded::Any(Any::Job(job)) => {
                let (job, [kind, start, interval]) = (job.view(), job.view().schedule().words());
                let number = job.keys().to_string();
                let mut words: Vec<&[u8]> = vec![b"KEYDB.CRON", key, &kind, &start, &interval];
                words.extend(job.words());
                words.insert(6, number.as_bytes());
                self.command(&words)?;
            }
            Loaded::Any(any @ Any::Stream(_)) => {
                // Its groups, and what they know, have no commands of their own.
                let payload = Saved::Any(any).payload_for(self.dialect);
                self.command(&[b"RESTORE", key, b"0", &payload])?;
            }
        }
        if meta.pinned {
            self.command(&[b"STICK", key])?;
        }
        let Some(at) = meta.expiry else { return Ok(()) };
        self.command(&[b"PEXPIREAT", key, at.to_string().as_bytes()])
    }

    fn hash(&mut self, key: &[u8], hash: types::hash::HashView<'_>) -> io::Result<()> {
        let fields = hash.iter().flat_map(|field| [text(field.name), text(field.value)]);
        self.many(&[b"HSET", key], fields, 2)?;
        let times = hash.iter().filter_map(|field| Some((text(field.name), field.expiry?)));
        self.times([b"HPEXPIREAT", key, b"FIELDS"], times)
    }

    fn array(&mut self, key: &[u8], array: types::array::ArrayView<'_>) -> io::Result<()> {
        let elements = array.iter();
        let words = elements.flat_map(|(index, one)| [index.to_string().into_bytes(), text(one)]);
        self.many(&[b"ARMSET", key], words, 2)?;
        let Some(cursor) = array.cursor() else { return Ok(()) };
        // The next index, of which there is one even behind the last.
        self.command(&[b"ARSEEK", key, cursor.saturating_add(1).to_string().as_bytes()])
    }

    fn set(&mut self, key: &[u8], set: types::set::SetView<'_>) -> io::Result<()> {
        self.many(&[b"SADD", key], set.iter().map(text), 1)?;
        let times =
            set.iter().filter_map(|member| Some((text(member), set.expiry(member).flatten()?)));
        self.times([b"SPEXPIREAT", key, b"MEMBERS"], times)
    }

    fn zset(&mut self, key: &[u8], set: types::zset::ZSetView<'_>) -> io::Result<()> {
        let all = || set.range(0..usize::MAX);
        let texts = all().flat_map(|(member, score)| [score_text(score), text(member)]);
        self.many(&[b"ZADD", key], texts, 2)?;
        if types::View::earliest_expiry(set).is_none() {
            return Ok(());
        }
        let members = all().map(|(member, _)| text(member));
        let times = members.filter_map(|member| {
            let at = set.expiry(&member).flatten()?;
            Some((member, at))
        });
        self.times([b"ZPEXPIREAT", key, b"MEMBERS"], times)
    }

    /// When elements expire, a command each.
    fn times(
        &mut self,
        [name, key, block]: [&[u8]; 3],
        times: impl Iterator<Item = (Vec<u8>, i64)>,
    ) -> io::Result<()> {
        for (element, at) in times {
            self.command(&[name, key, at.to_string().as_bytes(), block, b"1", &element])?;
        }
        Ok(())
    }

    /// Commands that begin with `head` and have up to 64 elements of `width` words each.
    fn many(
        &mut self,
        head: &[&[u8]],
        mut words: impl Iterator<Item = Vec<u8>>,
        width: usize,
    ) -> io::Result<()> {
        loop {
            let some: Vec<Vec<u8>> = words.by_ref().take(ELEMENTS_MAX * width).collect();
            if some.is_empty() {
                return Ok(());
            }
            let mut command = head.to_vec();
            command.extend(some.iter().map(|word| &word[..]));
            self.command(&command)?;
        }
    }
}

fn text(element: Element<'_>) -> Vec<u8> {
    let mut digits = Digits::default();
    element.text(&mut digits).to_vec()
}

fn score_text(score: f64) -> Vec<u8> {
    let mut text = Vec::new();
    stdx::num::write_f64(&mut text, score);
    text
}

/// Holds back automatic rewrites after several have failed, for a minute, then two, up to an hour.
#[derive(Debug, Default)]
pub struct Limiter {
    failures: u32,
    delay_minutes: u64,
    /// Monotonic microseconds.
    until: Option<u64>,
}

impl Limiter {
    const FAILURES: u32 = 3;
    const MINUTES_MAX: u64 = 60;

    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// One has succeeded, or a person has asked for one.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether an automatic one must wait. `Err`: it must, from now on, for so many minutes.
    pub fn holds(&mut self, now_micros: u64) -> Result<bool, u64> {
        const MINUTE: u64 = 60_000_000;
        if self.failures < Self::FAILURES {
            (self.delay_minutes, self.until) = (0, None);
            return Ok(false);
        }
        if let Some(until) = self.until {
            if now_micros >= until {
                self.until = None;
            }
            return Ok(now_micros < until);
        }
        self.delay_minutes = (self.delay_minutes * 2).clamp(1, Self::MINUTES_MAX);
        self.until = Some(now_micros.saturating_add(self.delay_minutes * MINUTE));
        Err(self.delay_minutes)
    }
}
