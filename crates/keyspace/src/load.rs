//! Loading a file: its keys, taken apart by any number of threads at once.
//!
//! A [`Loader`] is one thread's part. It decodes keys and keeps them until it has some for most
//! shards, then locks each shard once and puts its share in place; so a lock is taken for many keys,
//! and what one key waits for in memory is asked for while others are put in place.

use crate::{AccessClock, Entry, Keyspace, NewValue, Record};
use lock::ShardId;
use rdb::file::{self, Header, Meta, Next, Versions};
use rdb::opcode::value;
use rdb::{Error, Reader};
use types::Limits;

/// How a file is loaded.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions<'a> {
    pub limits: &'a Limits,
    pub clock: AccessClock,
    /// For access clocks: milliseconds since 1970.
    pub now_ms: i64,
    /// What expires at or before this moment is left out; `i64::MIN`: nothing is.
    pub horizon_ms: i64,
    /// Whether a key that is there already is replaced; else it is an error.
    pub replace: bool,
}

/// Numbers of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadCounts {
    pub keys: u64,
    /// Left out, since they had expired.
    pub expired: u64,
    /// Left out, since nothing was in them.
    pub empty: u64,
}

/// What a load brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOutcome {
    pub counts: LoadCounts,
    /// Names and values of the head.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// Sources of libraries of functions.
    pub functions: Vec<Vec<u8>>,
}

/// A key that was read and has no place yet.
struct Staged {
    shard: ShardId,
    db: u32,
    hash: u64,
    entry: Entry,
}

/// So many keys are kept before they are put in place: some for each shard, and few enough that they
/// are still in the processor's cache then.
const STAGED_MAX: usize = 512;
/// So many names of empty keys are remembered.
const NAMES_MAX: usize = 10;
/// So many keys ahead, the bucket is asked for.
const AHEAD: usize = 16;

/// One of those who load a file.
pub struct Loader<'a> {
    space: &'a Keyspace,
    options: LoadOptions<'a>,
    /// Of the file.
    version: u16,
    /// The database that is selected.
    db: u32,
    staged: Vec<Staged>,
    record: Record,
    key: Vec<u8>,
    keep: Vec<u8>,
    counts: LoadCounts,
    empty: Vec<Vec<u8>>,
}

impl<'a> Loader<'a> {
    /// For a file of `version`.
    pub fn new(space: &'a Keyspace, version: u16, options: LoadOptions<'a>) -> Self {
        Self {
            space,
            options,
            version,
            db: 0,
            staged: Vec::new(),
            record: Record::default(),
            key: Vec::new(),
            keep: Vec::new(),
            counts: LoadCounts::default(),
            empty: Vec::new(),
        }
    }

    /// What has been read so far, what is still staged included.
    pub fn counts(&self) -> LoadCounts {
        self.counts
    }

    /// Names of keys that were left out since nothing was in them; the first few.
    pub fn empty_names(&self) -> &[Vec<u8>] {
        &self.empty
    }

    /// The database that the next key is for, unless the file says otherwise.
    pub fn database(&self) -> u32 {
        self.db
    }

    /// Says in which database what is read next begins.
    pub fn select(&mut self, db: u64) -> Result<(), Error> {
        let known = u32::try_from(db).ok().filter(|db| *db < self.space.databases());
        let databases = self.space.databases();
        self.db = known.ok_or_else(|| {
            Error::Unsupported(
                format!("a key of database {db}, while there are {databases} databases").into(),
            )
        })?;
        Ok(())
    }

    /// Makes room for so many keys in a database that has none yet. Whoever calls has seen to it that
    /// there may be so many.
    pub fn expect(&self, db: u64, keys: u64) {
        let Some(db) = u32::try_from(db).ok().filter(|db| *db < self.space.databases()) else {
            return;
        };
        let each = keys / self.space.shards().count() as u64;
        for id in self.space.shards().ids() {
            self.space.shards().one(id).expect_keys(db, usize::try_from(each).unwrap_or(0));
        }
    }

    /// Reads one item. `Some`: it concerns the caller, which is all but keys and databases.
    pub fn item(&mut self, reader: &mut Reader<'_>) -> Result<Option<Next>, Error> {
        match file::next(reader, self.version)? {
            Next::Key { of, meta } => self.key(of, meta, reader).map(|()| None),
            Next::Database(db) => self.select(db).map(|()| None),
            Next::Sizes { .. } => Ok(None),
            other => Ok(Some(other)),
        }
    }

    fn key(&mut self, of: u8, meta: Meta, reader: &mut Reader<'_>) -> Result<(), Error> {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        let read = reader.string_into(&mut key);
        self.key = key;
        read?;
        let entry = match self.entry(of, meta, reader) {
            Err(Error::EmptyKey) => {
                self.counts.empty += 1;
                if self.empty.len() < NAMES_MAX {
                    self.empty.push(self.key.clone());
                }
                return Ok(());
            }
            entry => entry?,
        };
        if meta.expiry.is_some_and(|at| at <= self.options.horizon_ms) {
            self.counts.expired += 1;
            return Ok(());
        }
        self.counts.keys += 1;
        let (hash, shard) = self.space.place(&self.key);
        self.staged.push(Staged { shard, db: self.db, hash, entry });
        if self.staged.len() >= STAGED_MAX { self.place() } else { Ok(()) }
    }

    fn entry(&mut self, of: u8, meta: Meta, reader: &mut Reader<'_>) -> Result<Entry, Error> {
        let LoadOptions { limits, clock, now_ms, .. } = self.options;
        let bits = clock.restored(meta.idle_seconds, meta.frequency, now_ms);
        let bits = bits.unwrap_or_else(|| clock.fresh(now_ms));
        let (value, tag) = if of == value::STRING {
            (NewValue::detect(reader.string()?), 0)
        } else {
            let loaded = types::persist::load(of, self.version, reader, limits)?;
            let tag = loaded.tag();
            (NewValue::of_loaded(loaded, &mut self.keep), tag)
        };
        let mut entry = Entry::tagged(&self.key, value, meta.expiry, bits, tag);
        if meta.pinned {
            entry.set_pinned(true);
        }
        Ok(entry)
    }

    /// Puts in place what is staged. At the end of what was to be read, and whenever no lock is held.
    pub fn place(&mut self) -> Result<(), Error> {
        let mut staged = std::mem::take(&mut self.staged);
        staged.sort_unstable_by_key(|one| one.shard.index());
        let mut left = staged.drain(..).peekable();
        let mut outcome = Ok(());
        while let (Some(first), Ok(())) = (left.peek(), &outcome) {
            let id = first.shard;
            let mut shard = self.space.shards().one(id);
            let mut group = Vec::with_capacity(AHEAD);
            while let Some(one) = left.next_if(|one| one.shard == id) {
                shard.prefetch(one.db, one.hash);
                group.push(one);
                if group.len() == AHEAD {
                    outcome = outcome.and_then(|()| self.put(&mut shard, &mut group));
                }
            }
            outcome = outcome.and_then(|()| self.put(&mut shard, &mut group));
        }
        drop(left);
        self.staged = staged;
        if !self.record.garbage.is_empty() {
            self.space.dispose(&mut self.record.garbage);
        }
        outcome
    }

    fn put(&mut self, shard: &mut crate::Shard, group: &mut Vec<Staged>) -> Result<(), Error> {
        for Staged { db, hash, entry, .. } in group.drain(..) {
            let put = shard.load(db, hash, entry, self.options.replace, &mut self.record);
            put.map_err(|entry| {
                let name = String::from_utf8_lossy(entry.key()).into_owned();
                Error::Unsupported(format!("RDB has duplicated key '{name}' in DB {db}").into())
            })?;
        }
        Ok(())
    }
}

/// Loads a whole file. After an error some keys may be there: the caller empties the databases or
/// ends.
pub fn load_all(
    reader: &mut Reader<'_>,
    space: &Keyspace,
    options: LoadOptions<'_>,
) -> Result<LoadOutcome, Error> {
    let Header { version } = Header::read(reader, Versions::Known)?;
    let mut loader = Loader::new(space, version, options);
    let mut outcome = LoadOutcome::default();
    loop {
        match loader.item(reader)? {
            Some(Next::Aux { name, value }) => outcome.aux.push((name, value)),
            Some(Next::Function(source)) => outcome.functions.push(source),
            Some(Next::End { .. }) => break,
            _ => {}
        }
    }
    loader.place()?;
    outcome.counts = loader.counts();
    Ok(outcome)
}
