//! From a snapshot's body to a file: the frame around it, and the way to its place.

use disk::{Disk, PRIVATE, Replacement};
use engine::Engine;
use journal::Lsn;
use keyspace::{Dialect, Snapshot};
use rdb::file::{self, Header};
use rdb::opcode::op;
use rdb::{Writer, crc64};
use std::io;
use std::path::Path;

/// What stands before the data.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub version: u16,
    /// Names and values, in order.
    pub aux: Vec<(&'static str, String)>,
    /// Sources of libraries of functions.
    pub functions: Vec<Vec<u8>>,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The data as they are at this position of the log.
    Data(Lsn),
    /// The base of an append-only file, which goes on where it ends.
    LogBase,
}

impl Head {
    /// The head for a snapshot that nobody has read from yet, in the oldest version that carries its
    /// data, among those that `rdb-format` allows. `functions`: sources of libraries, as of the cut.
    ///
    /// # Errors
    /// `rdb-format` allows none.
    pub fn new(
        engine: &Engine,
        snapshot: &mut Snapshot,
        functions: Vec<Vec<u8>>,
        purpose: Purpose,
    ) -> Result<Self, &'static str> {
        let dialect = engine.settings().rdb_format;
        let version = match (dialect, snapshot.totals().subexpiry) {
            (Dialect::Redis70, 0) => 10,
            (Dialect::Redis70, _) => {
                return Err("rdb-format redis-7.0 cannot carry fields and members that expire");
            }
            (Dialect::Valkey9, _) => 80,
            (Dialect::Common, 0) => 11,
            (Dialect::Common, _) => 12,
        };
        snapshot.set_dialect(dialect);
        let mut aux = vec![
            ("redis-ver", command::REDIS_VERSION.to_owned()),
            ("redis-bits", usize::BITS.to_string()),
            ("ctime", snapshot.now_ms().div_euclid(1000).to_string()),
            ("used-mem", engine.node().memory_bytes().to_string()),
        ];
        if let Purpose::Data(lsn) = purpose
            && engine.history.backlog(&engine.journal).active
        {
            aux.extend([
                // The log's next record brings its SELECT along.
                ("repl-stream-db", "0".to_owned()),
                ("repl-id", engine.history.id()),
                ("repl-offset", lsn.to_string()),
            ]);
        }
        let base = u8::from(purpose == Purpose::LogBase).to_string();
        aux.extend([("aof-base", base), ("almagre-ver", command::VERSION.to_owned())]);
        Ok(Self { version, aux, functions })
    }
}

/// Appends the next bytes of the data, about as many as it is told, and says whether there is more:
/// [`keyspace::Snapshot::read`].
pub type Body<'a> = &'a mut dyn FnMut(&mut Vec<u8>, usize) -> bool;

/// A whole file as it is put together: head, body, end.
pub struct Image {
    /// The head, until it has gone out.
    head: Vec<u8>,
    crc: u64,
    checksum: bool,
}

impl Image {
    /// `checksum`: whether the file ends in one (`rdbchecksum`), or in zeros.
    pub fn new(head: &Head, checksum: bool) -> Self {
        let mut writer = Writer::new();
        Header { version: head.version }.write(&mut writer);
        for (name, value) in &head.aux {
            file::write_aux(&mut writer, name.as_bytes(), value.as_bytes());
        }
        for source in &head.functions {
            writer.u8(op::FUNCTION2);
            writer.string(source);
        }
        Self { head: writer.into_bytes(), crc: 0, checksum }
    }

    /// Appends the next bytes, about `bytes_max`. `false`: they were the last.
    pub fn read(&mut self, body: Body<'_>, out: &mut Vec<u8>, bytes_max: usize) -> bool {
        let before = out.len();
        out.append(&mut self.head);
        let more = body(out, bytes_max);
        if !more {
            out.push(op::EOF);
        }
        if self.checksum {
            self.crc = crc64::update(self.crc, out.get(before..).unwrap_or_default());
        }
        if !more {
            out.extend_from_slice(&self.crc.to_le_bytes());
        }
        more
    }
}

/// Bytes that are written at once.
const BLOCK: usize = 128 << 10;
/// `rdb-save-incremental-fsync`: so many bytes are written between two syncs, and so few are left
/// for the last.
const SYNC_BYTES: u64 = 4 << 20;

/// A file on its way: first under a name of its own, which goes when this is dropped too early.
pub struct Saving<'a> {
    new: Replacement<'a>,
    image: Image,
    block: Vec<u8>,
    /// Whether to sync in between.
    incremental: bool,
    unsynced_bytes: u64,
}

impl<'a> Saving<'a> {
    /// Begins to write `path`, as `temp` for now.
    pub fn begin(
        disk: &'a dyn Disk,
        path: &Path,
        temp: &Path,
        image: Image,
        incremental: bool,
    ) -> io::Result<Self> {
        let new = Replacement::begin_as(disk, path, temp, PRIVATE)?;
        Ok(Self { new, image, block: Vec::new(), incremental, unsynced_bytes: 0 })
    }

    /// Writes some more. `false`: all is written; [`Saving::commit`] is next.
    pub fn step(&mut self, body: Body<'_>) -> io::Result<bool> {
        self.block.clear();
        let more = self.image.read(body, &mut self.block, BLOCK);
        self.new.write(&self.block)?;
        self.unsynced_bytes = self.unsynced_bytes.saturating_add(self.block.len() as u64);
        if self.incremental && self.unsynced_bytes >= SYNC_BYTES {
            self.new.sync_data()?;
            self.unsynced_bytes = 0;
        }
        Ok(more)
    }

    /// Bytes written so far.
    pub fn size_bytes(&self) -> u64 {
        self.new.size_bytes()
    }

    /// Puts the file in its place, durably.
    pub fn commit(self) -> io::Result<()> {
        self.new.commit()
    }
}
