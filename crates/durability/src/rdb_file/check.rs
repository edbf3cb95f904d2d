//! Reads a file as a load would, but keeps nothing, and tells what it meets: `check-rdb`. The lines
//! are those that scripts around the peers' tools look for.

use rdb::file::{self, Header, Next, Versions};
use rdb::{Error, Reader, Source};
use types::Limits;

/// How the tool calls the types of values, by number.
const KINDS: &[&str] = &[
    "string",
    "list-linked",
    "set-hashtable",
    "zset-v1",
    "hash-hashtable",
    "zset-v2",
    "module-pre-release",
    "module-value",
    "",
    "hash-zipmap",
    "list-ziplist",
    "set-intset",
    "zset-ziplist",
    "hash-ziplist",
    "quicklist",
    "stream",
    "hash-listpack",
    "zset-listpack",
    "quicklist-v2",
    "stream-v2",
    "set-listpack",
    "stream-v3",
    "hash-hashtable-md-pre-release",
    "hash-listpack-md-pre-release",
    "hash-hashtable-md",
    "hash-listpack-md",
    "stream-v4",
    "stream-v5",
    "array",
];

/// Numbers of what was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// Of these, keys that have expired.
    pub expired: u64,
    /// Keys with elements that expire.
    pub subexpires: u64,
    /// Keys without elements, which a load leaves out.
    pub empty: u64,
    /// Where the reader stood at last, in bytes.
    pub offset: u64,
}

/// What is wrong, with what was being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub error: Error,
    pub doing: &'static str,
    pub key: Option<Vec<u8>>,
    pub kind: Option<u8>,
}

impl Fault {
    /// The lines of the tool, the first with the offset.
    pub fn lines(&self, offset: u64) -> Vec<String> {
        let what = match &self.error {
            Error::Truncated => "Unexpected EOF reading RDB file".to_owned(),
            other => other.to_string(),
        };
        let mut lines = vec![
            "--- RDB ERROR DETECTED ---".to_owned(),
            format!("[offset {offset}] {what}"),
            format!("[additional info] While doing: {}", self.doing),
        ];
        if let Some(key) = &self.key {
            lines.push(format!("[additional info] Reading key '{}'", key.escape_ascii()));
        }
        if let Some(kind) = self.kind {
            let name = KINDS.get(usize::from(kind)).unwrap_or(&"unknown");
            lines.push(format!("[additional info] Reading type {kind} ({name})"));
        }
        lines
    }
}

impl Checked {
    /// The lines of the tool at its end.
    pub fn lines(&self) -> Vec<String> {
        vec![
            format!("[info] {} keys read", self.keys),
            format!("[info] {} expires", self.expires),
            format!("[info] {} already expired", self.expired),
            format!("[info] {} subexpires", self.subexpires),
        ]
    }
}

/// Checks a file. `say` is given an offset and a line for what the file tells of itself.
pub fn check(
    source: &mut dyn Source,
    now_ms: i64,
    say: &mut dyn FnMut(u64, String),
) -> (Checked, Result<(), Fault>) {
    let mut reader = Reader::streaming(source);
    let mut walk = Walk { now_ms, checked: Checked::default(), doing: "start", reading: None };
    let outcome = walk.run(&mut reader, say).map_err(|error| {
        let (kind, key) = walk.reading.take().unzip();
        Fault { error, doing: walk.doing, key: key.filter(|key: &Vec<u8>| !key.is_empty()), kind }
    });
    walk.checked.offset = reader.offset();
    (walk.checked, outcome)
}

struct Walk {
    now_ms: i64,
    checked: Checked,
    doing: &'static str,
    /// Type and name of the key that is being read.
    reading: Option<(u8, Vec<u8>)>,
}

impl Walk {
    fn run(
        &mut self,
        reader: &mut Reader<'_>,
        say: &mut dyn FnMut(u64, String),
    ) -> Result<(), Error> {
        let limits = Limits::default();
        let Header { version } = Header::read(reader, Versions::Known)?;
        loop {
            self.doing = "read-type";
            match file::next(reader, version)? {
                Next::Aux { name, value } => {
                    let (name, value) = (name.escape_ascii(), value.escape_ascii());
                    say(reader.offset(), format!("AUX FIELD {name} = '{value}'"));
                }
                Next::Database(db) => say(reader.offset(), format!("Selecting DB ID {db}")),
                Next::Sizes { .. } | Next::Function(_) => {}
                Next::Key { of, meta } => {
                    self.doing = "read-key";
                    let (_, name) = self.reading.insert((of, Vec::new()));
                    reader.string_into(name)?;
                    self.doing = "read-object-value";
                    self.count(meta.expiry);
                    match types::persist::load(of, version, reader, &limits) {
                        Ok(types::persist::Loaded::Any(types::Any::Hash(hash))) => {
                            let expires = types::Collection::view(&hash).expiring() > 0;
                            self.checked.subexpires += u64::from(expires);
                        }
                        Ok(_) => {}
                        Err(Error::EmptyKey) => self.checked.empty += 1,
                        Err(error) => return Err(error),
                    }
                    self.reading = None;
                }
                Next::End { checked } => {
                    let line = if checked {
                        "Checksum OK"
                    } else {
                        "RDB file was saved with checksum disabled: no check performed."
                    };
                    say(reader.offset(), line.to_owned());
                    return Ok(());
                }
            }
        }
    }

    fn count(&mut self, expiry: Option<i64>) {
        self.checked.keys += 1;
        self.checked.expires += u64::from(expiry.is_some());
        self.checked.expired += u64::from(expiry.is_some_and(|at| at < self.now_ms));
    }
}
