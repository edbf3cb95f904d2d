//! The manifest: which files make up the append-only file, as Redis 7 writes it.
//!
//! ```text
//!   file appendonly.aof.2.base.rdb seq 2 type b       at most one, first
//!   file appendonly.aof.1.incr.aof seq 1 type h       no longer needed, to be removed
//!   file appendonly.aof.3.incr.aof seq 3 type i       in order
//! ```
//!
//! Keys may come in any order, unknown ones are passed over, a line that begins with `#` is a comment.
//! Names with spaces and the like are in double quotes. Nothing else is taken: a manifest that is not
//! understood must not be replaced by an empty one.

use std::fmt;

/// Numbers beyond are nobody's; up to it there is always a next one.
const SEQ_MAX: i64 = i64::MAX / 2;

/// No line is longer, its end included, as in Redis.
const LINE_BYTES_MAX: usize = 1024;

/// What a file of the set is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Base,
    History,
    Incremental,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Self::Base => 'b',
            Self::History => 'h',
            Self::Incremental => 'i',
        }
    }
}

/// One file of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// A bare name: the file is in the directory of the manifest.
    pub name: Vec<u8>,
    /// Above 0.
    pub seq: i64,
    pub kind: Kind,
}

impl Part {
    fn print(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"file ");
        if stdx::quote::needs_repr(&self.name) {
            stdx::quote::repr(out, &self.name);
        } else {
            out.extend_from_slice(&self.name);
        }
        let rest = format!(" seq {} type {}\n", self.seq, self.kind.letter());
        out.extend_from_slice(rest.as_bytes());
    }
}

/// The set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub base: Option<Part>,
    pub history: Vec<Part>,
    /// Ascending by `seq`.
    pub incrementals: Vec<Part>,
}

/// How the name of a base ends that is an RDB file.
pub(crate) const RDB_SUFFIX: &[u8] = b".base.rdb";

/// Why a manifest cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// From 1; 0 if it is no line's fault.
    pub line: usize,
    pub text: Vec<u8>,
    pub reason: &'static str,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)?;
        if self.line > 0 {
            write!(f, ", at line {}: '{}'", self.line, self.text.escape_ascii())?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl Manifest {
    /// Whether no file holds data.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incrementals.is_empty()
    }

    /// The files to load, in order.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.incrementals)
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (mut manifest, mut printed) = (Self::default(), Vec::new());
        if bytes.is_empty() {
            let reason = "Found an empty AOF manifest";
            return Err(Error { line: 0, text: Vec::new(), reason });
        }
        for (at, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let error = |reason| Error { line: at + 1, text: shown(line), reason };
            if line.first() == Some(&b'#') && line.len() <= LINE_BYTES_MAX {
                continue;
            }
            if line.len() > LINE_BYTES_MAX || line.last() != Some(&b'\n') {
                return Err(error("The AOF manifest file contains too long line"));
            }
            let part = parse_line(line).map_err(error)?;
            // In quotes a name may be longer than it came.
            printed.clear();
            part.print(&mut printed);
            if printed.len() > LINE_BYTES_MAX {
                return Err(error("The AOF manifest file contains too long line"));
            }
            manifest.add(part).map_err(error)?;
        }
        Ok(manifest)
    }

    fn add(&mut self, part: Part) -> Result<(), &'static str> {
        match part.kind {
            Kind::Base if self.base.is_some() => {
                return Err("Found duplicate base file information");
            }
            Kind::Base => self.base = Some(part),
            Kind::History => self.history.push(part),
            Kind::Incremental => {
                if self.incrementals.last().is_some_and(|last| last.seq >= part.seq) {
                    return Err("Found a non-monotonic sequence number");
                }
                self.incrementals.push(part);
            }
        }
        Ok(())
    }

    pub fn print(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.is_empty() && self.history.is_empty() {
            // An empty file is no manifest, a comment is.
            out.extend_from_slice(b"# no files yet\n");
        }
        for part in self.base.iter().chain(&self.history).chain(&self.incrementals) {
            part.print(&mut out);
        }
        out
    }

    /// Adds the next incremental file, and returns its name.
    pub fn add_incremental(&mut self, prefix: &[u8]) -> Vec<u8> {
        // A file of the history may still be there under its name.
        let history = self.history.iter().filter(|part| is_incremental(prefix, &part.name));
        let last = history.chain(&self.incrementals).map(|part| part.seq).max().unwrap_or(0);
        let seq = last.saturating_add(1);
        let name = named(prefix, seq, b".incr.aof");
        self.incrementals.push(Part { name: name.clone(), seq, kind: Kind::Incremental });
        name
    }

    /// What the next base will be called.
    pub fn next_base(&self, prefix: &[u8], rdb: bool) -> Part {
        let history = self.history.iter().filter(|part| !is_incremental(prefix, &part.name));
        let last = history.chain(&self.base).map(|part| part.seq).max().unwrap_or(0);
        let seq = last.saturating_add(1);
        let suffix = if rdb { RDB_SUFFIX } else { b".base.aof" };
        Part { name: named(prefix, seq, suffix), seq, kind: Kind::Base }
    }

    /// Puts `base` in place. All incremental files but the last `kept`, and the base before, become
    /// history.
    pub fn rebase(&mut self, base: Part, kept: usize) {
        let mut old = self.incrementals.clone();
        self.incrementals = old.split_off(old.len().saturating_sub(kept));
        let replaced = old.into_iter().chain(self.base.replace(base));
        let mut history: Vec<Part> =
            replaced.map(|part| Part { kind: Kind::History, ..part }).collect();
        history.append(&mut self.history);
        self.history = history;
    }
}

fn named(prefix: &[u8], seq: i64, suffix: &[u8]) -> Vec<u8> {
    [prefix, format!(".{seq}").as_bytes(), suffix].concat()
}

/// The digits and the suffix of a name that a server gives to a file.
fn number_and_suffix<'a>(prefix: &[u8], name: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let rest = name.strip_prefix(prefix)?.strip_prefix(b".")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest.split_at_checked(digits).filter(|_| digits > 0)
}

/// Whether a server gives that name to a base or to an incremental file.
pub(crate) fn is_part(prefix: &[u8], name: &[u8]) -> bool {
    let parts = number_and_suffix(prefix, name);
    parts.is_some_and(|(_, suffix)| matches!(suffix, b".base.rdb" | b".base.aof" | b".incr.aof"))
}

/// The sequence number in the name that a server gives to a base.
pub(crate) fn base_seq(prefix: &[u8], name: &[u8]) -> Option<i64> {
    let (digits, suffix) = number_and_suffix(prefix, name)?;
    let is_base = matches!(suffix, b".base.rdb" | b".base.aof");
    is_base.then(|| stdx::num::parse_i64(digits)).flatten()
}

fn is_incremental(prefix: &[u8], name: &[u8]) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.ends_with(b".incr.aof"))
}

/// As much of a line as a message shows.
fn shown(line: &[u8]) -> Vec<u8> {
    const BYTES_MAX: usize = 200;
    let line = line.trim_ascii();
    line.get(..BYTES_MAX).unwrap_or(line).to_vec()
}

fn parse_line(line: &[u8]) -> Result<Part, &'static str> {
    const INVALID: &str = "Invalid AOF manifest file format";
    let words = resp::split_line(line.trim_ascii()).ok_or(INVALID)?;
    // More pairs than today's are for versions to come.
    if words.len() < 6 || !words.len().is_multiple_of(2) {
        return Err(INVALID);
    }
    let (mut name, mut seq, mut kind) = (None, None, None);
    for pair in words.chunks_exact(2) {
        let [key, value] = pair else { return Err(INVALID) };
        match &key.to_ascii_lowercase()[..] {
            b"file" => {
                let is_path = value.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0));
                if is_path || matches!(&value[..], b"." | b".." | b"") {
                    return Err("File can't be a path, just a filename");
                }
                name = Some(value.clone());
            }
            b"seq" => {
                seq = stdx::num::parse_i64(value).filter(|seq| *seq > 0);
                if seq.is_some_and(|seq| seq > SEQ_MAX) {
                    return Err("A sequence number is too large");
                }
            }
            b"type" => {
                kind = Some(match &value[..] {
                    b"b" => Kind::Base,
                    b"h" => Kind::History,
                    b"i" => Kind::Incremental,
                    _ => return Err("Unknown AOF file type"),
                });
            }
            _ => {}
        }
    }
    match (name, seq, kind) {
        (Some(name), Some(seq), Some(kind)) => Ok(Part { name, seq, kind }),
        _ => Err(INVALID),
    }
}
