//! From a file to keys: where each begins and ends is found out by one reader, what is in it by as
//! many as there are.

use disk::{Disk, DiskFile, Open};
use keyspace::persist::Loader;
use rdb::file::{self, Header, Next, Versions};
use rdb::{Error, Reader, Source, crc64};
use std::fmt;
use std::path::Path;

/// Bytes of a batch, if its keys are short.
const BATCH: usize = 256 << 10;
/// A key whose value ends beyond is not framed, but read as it comes.
const FRAMED_MAX: usize = 16 << 20;
/// Bytes that are read at once.
const READ: usize = 256 << 10;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// In bytes from the beginning of the file.
    pub offset: u64,
    pub error: Error,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at offset {}: {}", self.offset, self.error)
    }
}

impl std::error::Error for LoadError {}

/// A file, read from front to back.
pub struct FileSource {
    file: Box<dyn DiskFile>,
    offset: u64,
}

impl FileSource {
    /// The file and its length in bytes.
    pub fn open(disk: &dyn Disk, path: &Path) -> std::io::Result<(Self, u64)> {
        let file = disk.open(path, Open::Read)?;
        let size = file.size()?;
        Ok((Self { file, offset: 0 }, size))
    }
}

impl Source for FileSource {
    fn read(&mut self, into: &mut Vec<u8>) -> Result<usize, Error> {
        let held = into.len();
        into.resize(held.saturating_add(READ), 0);
        let room = into.get_mut(held..).unwrap_or_default();
        let read = loop {
            match self.file.read_at(room, self.offset) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        let count = *read.as_ref().unwrap_or(&0);
        into.truncate(held.saturating_add(count));
        self.offset = self.offset.saturating_add(count as u64);
        read.map_err(|error| Error::Io(format!("reading the file: {error}").into()))
    }
}

/// Some keys of a file, whole.
pub struct Batch {
    bytes: Vec<u8>,
    /// Where they begin in `bytes`.
    from: usize,
    /// And in the file.
    offset: u64,
    /// The database that is selected at the beginning.
    db: u64,
    keys: u64,
}

impl Batch {
    /// Reads the keys; the last of them are staged afterwards ([`Loader::place`]).
    pub fn load(&self, loader: &mut Loader<'_>) -> Result<(), LoadError> {
        let bytes = self.bytes.get(self.from..).unwrap_or_default();
        let mut reader = Reader::new(bytes).without_checksum();
        let mut run = || {
            loader.select(self.db)?;
            while !reader.rest().is_empty() {
                loader.item(&mut reader)?;
            }
            Ok(())
        };
        let outcome = run();
        outcome.map_err(|error| LoadError {
            offset: self.offset.saturating_add(reader.offset()),
            error,
        })
    }

    /// Where it begins in the file, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many keys it has.
    pub fn keys(&self) -> u64 {
        self.keys
    }
}

/// What comes next in a file.
pub enum Event {
    Keys(Batch),
    /// A key with a value that is too long for a batch: [`Frames::load_large`].
    Large,
    /// How many keys there are in the database that was selected, if it is true.
    Sizes {
        db: u64,
        keys: u64,
    },
    Aux {
        name: Vec<u8>,
        value: Vec<u8>,
    },
    /// The source of a library of functions.
    Function(Vec<u8>),
    /// The end. `checked`: its checksum is right; else there is none.
    End {
        checked: bool,
    },
}

/// The parts of a file, in order.
pub struct Frames<'a> {
    source: &'a mut dyn Source,
    version: u16,
    /// The database that is selected.
    db: u64,
    buf: Vec<u8>,
    /// Position in `buf`; what is before is done.
    at: usize,
    /// Offset of the first byte of `buf`.
    base: u64,
    /// Of all that is done.
    crc: u64,
    checksums: bool,
    /// The source has no more.
    dry: bool,
}

/// Whole keys: how many, of how many bytes, and the database that is selected behind them.
#[derive(Clone, Copy)]
struct Whole {
    keys: u64,
    size: usize,
    db: u64,
}

/// What a look at the bytes at hand found.
enum Found {
    Keys(Whole),
    /// Something else of so many bytes.
    Other(Next, usize),
    /// Not even one item is there whole.
    Short,
}

impl<'a> Frames<'a> {
    /// Reads the header. `checksums`: whether the one at the end is looked at.
    pub fn begin(
        source: &'a mut dyn Source,
        versions: Versions,
        checksums: bool,
    ) -> Result<Self, LoadError> {
        let (buf, version) = (Vec::new(), 0);
        let mut frames =
            Self { source, version, db: 0, buf, at: 0, base: 0, crc: 0, checksums, dry: false };
        frames.fill(BATCH)?;
        let mut reader = Reader::new(&frames.buf);
        let header = Header::read(&mut reader, versions);
        let header = header.map_err(|error| LoadError { offset: 0, error })?;
        let size = frames.buf.len() - reader.rest().len();
        frames.version = header.version;
        frames.done(size);
        Ok(frames)
    }

    /// Of the file, as its head says.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Bytes of the file that are done.
    pub fn offset(&self) -> u64 {
        self.base.saturating_add(self.at as u64)
    }

    /// What was read of the source beyond [`Frames::offset`].
    pub fn rest(&self) -> &[u8] {
        self.buf.get(self.at..).unwrap_or_default()
    }

    fn error(&self, offset: usize, error: Error) -> LoadError {
        LoadError { offset: self.offset().saturating_add(offset as u64), error }
    }

    /// Sees to it that so many bytes are at hand, if there are so many.
    fn fill(&mut self, bytes: usize) -> Result<(), LoadError> {
        while !self.dry && self.rest().len() < bytes {
            let read = self.source.read(&mut self.buf);
            let offset = self.base.saturating_add(self.buf.len() as u64);
            self.dry = read.map_err(|error| LoadError { offset, error })? == 0;
        }
        Ok(())
    }

    /// The next `size` bytes are done.
    fn done(&mut self, size: usize) {
        let end = self.at.saturating_add(size);
        if self.checksums {
            let bytes = self.buf.get(self.at..end).unwrap_or_default();
            self.crc = crc64::update(self.crc, bytes);
        }
        self.at = end;
    }

    /// The next part of the file.
    pub fn event(&mut self) -> Result<Event, LoadError> {
        let mut wanted = BATCH;
        loop {
            self.fill(wanted)?;
            match self.look()? {
                Found::Keys(whole) => return Ok(Event::Keys(self.batch(whole))),
                Found::Other(Next::End { .. }, size) => return self.end(size),
                Found::Other(next, size) => {
                    self.done(size);
                    match next {
                        Next::Aux { name, value } => return Ok(Event::Aux { name, value }),
                        Next::Function(source) => return Ok(Event::Function(source)),
                        Next::Sizes { keys, .. } => return Ok(Event::Sizes { db: self.db, keys }),
                        _ => {}
                    }
                }
                Found::Short if self.dry => {
                    return Err(self.error(self.rest().len(), Error::Truncated));
                }
                Found::Short if wanted >= FRAMED_MAX => return Ok(Event::Large),
                Found::Short => wanted = wanted.saturating_mul(2),
            }
        }
    }

    /// Looks at what is at hand, as far as it is keys.
    fn look(&self) -> Result<Found, LoadError> {
        let rest = self.rest();
        let mut reader = Reader::new(rest).without_checksum();
        let mut whole = Whole { keys: 0, size: 0, db: self.db };
        while whole.size < rest.len() {
            let item = file::next(&mut reader, self.version).and_then(|next| {
                if let Next::Key { of, .. } = next {
                    file::skip_key(of, self.version, &mut reader)?;
                }
                Ok(next)
            });
            let at = rest.len() - reader.rest().len();
            match item {
                Ok(Next::Key { .. }) => whole.keys = whole.keys.saturating_add(1),
                Ok(Next::Database(number)) => whole.db = number,
                // What comes before is dealt with first.
                Ok(_) | Err(_) if whole.size > 0 => return Ok(Found::Keys(whole)),
                Ok(other) => return Ok(Found::Other(other, at)),
                Err(Error::Truncated) => return Ok(Found::Short),
                Err(error) => return Err(self.error(at, error)),
            }
            whole.size = at;
        }
        Ok(if whole.size > 0 { Found::Keys(whole) } else { Found::Short })
    }

    /// Gives the next bytes away, and keeps those behind.
    fn batch(&mut self, Whole { keys, size, db }: Whole) -> Batch {
        let (from, offset) = (self.at, self.offset());
        self.done(size);
        let mut rest = Vec::with_capacity(BATCH.saturating_add(READ));
        rest.extend_from_slice(self.rest());
        self.base = self.offset();
        let mut bytes = std::mem::replace(&mut self.buf, rest);
        bytes.truncate(std::mem::take(&mut self.at));
        Batch { bytes, from, offset, db: std::mem::replace(&mut self.db, db), keys }
    }

    fn end(&mut self, size: usize) -> Result<Event, LoadError> {
        /// Older versions have none.
        const CHECKSUM_SINCE: u16 = 5;
        if self.version < CHECKSUM_SINCE {
            self.done(size);
            return Ok(Event::End { checked: false });
        }
        let body = size.saturating_sub(8);
        self.done(body);
        let written = self.rest().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if self.checksums && written != 0 && written != self.crc {
            let crc = self.crc;
            let text = format!("RDB CRC error: it says {written:016x}, but is {crc:016x}");
            return Err(self.error(0, Error::Unsupported(text.into())));
        }
        self.at = self.at.saturating_add(8);
        Ok(Event::End { checked: self.checksums && written != 0 })
    }

    /// Reads the one key of [`Event::Large`].
    pub fn load_large(&mut self, loader: &mut Loader<'_>) -> Result<(), LoadError> {
        let mut chained = Chained { first: self.rest().to_vec(), then: &mut *self.source };
        let (offset, crc) = (self.base.saturating_add(self.at as u64), self.crc);
        self.buf = Vec::new();
        let mut reader = Reader::streaming(&mut chained).resumed(offset, crc);
        if !self.checksums {
            reader = reader.without_checksum();
        }
        let loaded = loader.select(self.db).and_then(|()| loader.item(&mut reader));
        loaded.map_err(|error| LoadError { offset: reader.offset(), error })?;
        self.crc = reader.checksum().unwrap_or(0);
        self.base = reader.offset();
        self.buf = reader.rest().to_vec();
        self.at = 0;
        // What the reader never asked for.
        self.buf.append(&mut chained.first);
        Ok(())
    }
}

/// Bytes that were read already, then those of a source.
struct Chained<'a> {
    first: Vec<u8>,
    then: &'a mut dyn Source,
}

impl Source for Chained<'_> {
    fn read(&mut self, into: &mut Vec<u8>) -> Result<usize, Error> {
        if self.first.is_empty() {
            return self.then.read(into);
        }
        let count = self.first.len();
        into.append(&mut self.first);
        Ok(count)
    }
}

/// Loads a whole file on this thread. `other` is told what is no key; it may refuse it.
pub fn load(
    frames: &mut Frames<'_>,
    loader: &mut Loader<'_>,
    other: &mut dyn FnMut(&Event) -> Result<(), Error>,
) -> Result<(), LoadError> {
    loop {
        let event = frames.event()?;
        match &event {
            Event::Keys(batch) => batch.load(loader)?,
            Event::Large => frames.load_large(loader)?,
            Event::Sizes { .. } => {}
            event => other(event).map_err(|error| frames.error(0, error))?,
        }
        if matches!(event, Event::End { .. }) {
            return loader.place().map_err(|error| frames.error(0, error));
        }
    }
}
