//! Reads a file of the set from front to back: where records begin and end, and whether they are as they
//! were written. What is given out may be applied: it is whole, and sealed as far as there are seals.
//!
//! ```text
//!   given ─► sealed ─► whole ─► at ─► end of what was read
//!      └ records, outside of a transaction
//! ```
//!
//! **Torn or damaged.** A crash leaves an end that is cut off, or in which sectors are missing; it may be
//! dropped, as nobody was promised what was never synced. Anything else is damage, and a person must look.
//!
//! - Seals behind the damage say what was durable before it.
//! - Behind the last seal, whole commands that follow the damage say that it is none of a crash, unless
//!   zeros stand where a sector was lost.
//! - A file without seals is another server's, or so young that it has none yet. It may end within a
//!   record, or so but for zeros behind; sectors are missing only in a young one. Nothing else tells a torn
//!   file from one that never was an append-only file.

use super::annotation::{self, Check, LINE_BYTES_MAX, Seal, parse_check};
use disk::DiskFile;
use journal::Lsn;
use std::io;
use std::ops::Range;

/// Read at a time.
const READ_BYTES: usize = 1 << 20;
/// So many bytes of whole records wait for their seal; more, and the file is another server's.
const HOLD_BYTES: usize = 4 << 20;
/// Of our files, none is longer without a seal but for what was not synced.
const YOUNG_BYTES_MAX: u64 = 16 << 10;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Up to here all is well, and no transaction is half there.
    pub valid_bytes: u64,
    /// Where it was seen.
    pub offset: u64,
    pub reason: &'static str,
    /// The file ends within a command or a transaction, which is well as far as it goes.
    pub cut_off: bool,
    /// Whether a crash explains it.
    pub torn: bool,
}

/// How a file ended.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// For who appends behind the last valid byte.
    pub seal: Seal,
    /// It ends in a line that seals nothing and says that all before it is durable.
    pub confirmed: bool,
    /// The position of the journal there, if a seal tells.
    pub lsn: Option<Lsn>,
    pub valid_bytes: u64,
    pub damage: Option<Damage>,
}

/// A file being read.
pub struct Scanner<'a> {
    file: &'a dyn DiskFile,
    /// Where records begin.
    begin: u64,
    buf: Vec<u8>,
    /// Offset in the file of `buf[0]`.
    base: u64,
    given: usize,
    sealed: usize,
    whole: usize,
    at: usize,
    /// Up to where bytes are in `seal`; at most `whole`.
    summed: usize,
    in_transaction: bool,
    seal: Seal,
    /// The same as of the last `#CK` line, and where in the file that ended.
    last: (Seal, u64),
    check: Option<Check>,
    /// That line sealed nothing and said that all before it was durable.
    confirmed: bool,
    /// Bytes of other annotations since.
    annotations: u64,
    ended: bool,
    settled: bool,
    damage: Option<Damage>,
}

enum Step {
    Went,
    /// More bytes are needed.
    Short,
    Broken(&'static str),
    /// What came since the last seal is not what was written.
    Unsealed,
}

impl<'a> Scanner<'a> {
    /// Reads `file` from `offset` on, where its records begin.
    pub fn new(file: &'a dyn DiskFile, offset: u64) -> Self {
        Self {
            file,
            begin: offset,
            buf: Vec::new(),
            base: offset,
            given: 0,
            sealed: 0,
            whole: 0,
            at: 0,
            summed: 0,
            in_transaction: false,
            seal: Seal::default(),
            last: (Seal::default(), offset),
            check: None,
            confirmed: false,
            annotations: 0,
            ended: false,
            settled: false,
            damage: None,
        }
    }

    /// The next records, whole ones, annotations between them, and the offset of the first. `None`: that
    /// was all.
    pub fn next_records(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            if self.damage.is_none() && !self.ended {
                self.advance();
            }
            let ready = if self.ended || self.damage.is_some() {
                self.settle()?;
                self.valid_end()
            } else if self.whole - self.given >= HOLD_BYTES {
                self.whole
            } else {
                self.sealed
            };
            if ready > self.given {
                let range = self.given..ready;
                self.given = ready;
                return Ok(Some((self.offset(range.start), self.part(range))));
            }
            if self.ended || self.damage.is_some() {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    /// How the file ended; after the last records.
    pub(crate) fn ending(mut self) -> Ending {
        let end = self.valid_end();
        self.sum_to(end);
        let valid_bytes = self.offset(end);
        let is_at_seal = valid_bytes == self.last.1;
        let seal = if is_at_seal { self.last.0 } else { self.seal };
        let behind = valid_bytes.saturating_sub(self.last.1).saturating_sub(self.annotations);
        let behind = if is_at_seal { 0 } else { behind };
        let lsn = self.check.and_then(|check| check.lsn.0.checked_add(behind)).map(Lsn);
        let confirmed = valid_bytes == 0 || is_at_seal && self.confirmed;
        Ending { seal, confirmed, lsn, valid_bytes, damage: self.damage }
    }

    fn offset(&self, at: usize) -> u64 {
        self.base.saturating_add(at as u64)
    }

    fn part(&self, range: Range<usize>) -> &[u8] {
        self.buf.get(range).unwrap_or_default()
    }

    /// Up to where records may be used, once the end or damage was met.
    fn valid_end(&self) -> usize {
        match &self.damage {
            None => self.whole,
            Some(damage) => (damage.valid_bytes.saturating_sub(self.base) as usize).max(self.given),
        }
    }

    /// Goes over all commands that were read.
    fn advance(&mut self) {
        loop {
            match self.step() {
                Step::Went => {}
                Step::Short => return,
                Step::Broken(reason) => return self.note(reason, self.whole, false),
                Step::Unsealed => {
                    let sealed = self.last.1.saturating_sub(self.base) as usize;
                    return self.note("a checksum does not match", sealed, false);
                }
            }
        }
    }

    fn note(&mut self, reason: &'static str, valid: usize, cut_off: bool) {
        self.damage = Some(Damage {
            valid_bytes: self.offset(valid),
            offset: self.offset(self.at),
            reason,
            cut_off,
            torn: cut_off,
        });
    }

    fn step(&mut self) -> Step {
        let rest = self.buf.get(self.at..).unwrap_or_default();
        match rest.first() {
            None => Step::Short,
            Some(b'#') => self.annotation(),
            Some(b'*') => match command(rest) {
                Frame::Whole { len, word } => {
                    match word {
                        Word::Multi => self.in_transaction = true,
                        Word::Exec => self.in_transaction = false,
                        Word::Other => {}
                    }
                    self.went(len);
                    Step::Went
                }
                Frame::Short => Step::Short,
                Frame::Broken(reason) => Step::Broken(reason),
            },
            Some(0) => Step::Broken("zero bytes where a command should begin"),
            Some(_) => Step::Broken("a command should begin with '*'"),
        }
    }

    fn went(&mut self, len: usize) {
        self.at += len;
        if !self.in_transaction {
            self.whole = self.at;
        }
    }

    fn annotation(&mut self) -> Step {
        let rest = self.buf.get(self.at..).unwrap_or_default();
        let head = rest.get(..LINE_BYTES_MAX).unwrap_or(rest);
        let Some(end) = head.iter().position(|&byte| byte == b'\n') else {
            let is_short = head.len() < LINE_BYTES_MAX;
            return if is_short { Step::Short } else { Step::Broken("an annotation is too long") };
        };
        let len = end + 1;
        let line = rest.get(..len).unwrap_or_default();
        if !line.starts_with(b"#CK:") {
            self.annotations = self.annotations.saturating_add(len as u64);
            self.went(len);
            return Step::Went;
        }
        let Some(check) = parse_check(line) else {
            return Step::Broken("a checksum line is not well-formed");
        };
        if self.in_transaction {
            return Step::Broken("a checksum line within a transaction");
        }
        self.sum_to(self.at);
        if !self.seal.verify(&check) {
            return Step::Unsealed;
        }
        self.confirmed = check.length == 0 && check.synced == self.offset(self.at);
        self.went(len);
        (self.sealed, self.summed) = (self.at, self.at);
        self.last = (self.seal, self.offset(self.at));
        (self.check, self.annotations) = (Some(check), 0);
        Step::Went
    }

    /// Takes bytes up to `end` into the seal, those that are not yet.
    fn sum_to(&mut self, end: usize) {
        if let Some(bytes) = self.buf.get(self.summed..end).filter(|bytes| !bytes.is_empty()) {
            self.seal.add(bytes);
            self.summed = end;
        }
    }

    /// Reads on, behind what is not given out yet. A command that is not whole doubles the buffer, so
    /// that it is looked at few times; nothing is allocated by a length that the file merely says.
    fn fill(&mut self) -> io::Result<()> {
        self.sum_to(self.given);
        let gone = self.given;
        self.buf.drain(..gone);
        self.base = self.offset(gone);
        for mark in
            [&mut self.given, &mut self.sealed, &mut self.whole, &mut self.at, &mut self.summed]
        {
            *mark = mark.saturating_sub(gone);
        }
        let more = self.buf.len().saturating_sub(self.at).max(READ_BYTES);
        let (begin, mut end) = (self.buf.len(), self.buf.len());
        self.buf.resize(begin.saturating_add(more), 0);
        while end < self.buf.len() {
            let offset = self.base.saturating_add(end as u64);
            let room = self.buf.get_mut(end..).unwrap_or_default();
            match self.file.read_at(room, offset) {
                Ok(0) => break,
                Ok(count) => end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buf.truncate(end);
                    return Err(error);
                }
            }
        }
        self.buf.truncate(end);
        if end == begin {
            self.ended = true;
            if self.at < self.buf.len() {
                self.note("the file ends within a command", self.whole, true);
            } else if self.in_transaction {
                self.note("the file ends within a transaction", self.whole, true);
            }
        }
        Ok(())
    }

    /// Finds out whether damage is what a crash leaves.
    fn settle(&mut self) -> io::Result<()> {
        let settled = std::mem::replace(&mut self.settled, true);
        let Some(damage) = self.damage.as_mut().filter(|_| !settled) else { return Ok(()) };
        let mut rest = Rest::new(self.file, damage.offset);
        let (mut safe, mut synced, mut sealed_later) = (self.last.1, 0, false);
        while let Some(check) = rest.next_check()? {
            sealed_later = true;
            synced = check.synced.max(synced);
            safe = safe.max(check.synced);
        }
        damage.torn = if sealed_later {
            let torn = synced <= damage.valid_bytes;
            // What the line was to seal is not what was written; what was safe before it is.
            damage.valid_bytes = damage.valid_bytes.min(safe);
            torn
        } else {
            let tail = Tail::read(self.file, damage.offset)?;
            let young = rest.offset.saturating_sub(self.begin) <= YOUNG_BYTES_MAX;
            let broken = match self.check {
                Some(_) => tail.has_hole() || !tail.has_command(),
                None => young && tail.has_hole(),
            };
            broken || tail.is_cut_off() && !tail.has_command()
        };
        // What was given out cannot be taken back.
        let given = self.base.saturating_add(self.given as u64);
        damage.torn &= damage.valid_bytes >= given;
        Ok(())
    }
}

/// What is behind damage, looked through for what a whole file would have there.
struct Rest<'a> {
    file: &'a dyn DiskFile,
    offset: u64,
    buf: Vec<u8>,
    at: usize,
}

impl<'a> Rest<'a> {
    fn new(file: &'a dyn DiskFile, offset: u64) -> Self {
        Self { file, offset, buf: Vec::new(), at: 0 }
    }

    fn fill(&mut self) -> io::Result<bool> {
        self.buf.drain(..self.at);
        self.at = 0;
        let begin = self.buf.len();
        self.buf.resize(begin + READ_BYTES, 0);
        let count = loop {
            match self.file.read_at(self.buf.get_mut(begin..).unwrap_or_default(), self.offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.buf.truncate(begin + count);
        self.offset = self.offset.saturating_add(count as u64);
        Ok(count > 0)
    }

    /// The next `#CK` line.
    fn next_check(&mut self) -> io::Result<Option<Check>> {
        const MARK: &[u8] = b"#CK:";
        loop {
            let rest = self.buf.get(self.at..).unwrap_or_default();
            let Some(begin) = rest.windows(MARK.len()).position(|window| window == MARK) else {
                self.at = self.buf.len().saturating_sub(MARK.len()).max(self.at);
                if self.fill()? {
                    continue;
                }
                return Ok(None);
            };
            let head = rest.get(begin..).unwrap_or_default();
            let head = head.get(..LINE_BYTES_MAX).unwrap_or(head);
            let end = head.iter().position(|&byte| byte == b'\n');
            let check = end.and_then(|end| parse_check(head.get(..=end)?));
            if end.is_none() && head.len() < LINE_BYTES_MAX && self.fill()? {
                continue;
            }
            self.at += begin + MARK.len();
            if check.is_some() {
                return Ok(check);
            }
        }
    }
}

/// The end of a file from a command on that is broken, without a seal.
struct Tail {
    /// Its beginning, if it is very long.
    bytes: Vec<u8>,
    offset: u64,
    /// There are zeros alone behind `bytes`, or nothing.
    zeros_follow: bool,
}

impl Tail {
    /// Damage hides behind no more.
    const BYTES_MAX: usize = 16 << 20;

    fn read(file: &dyn DiskFile, offset: u64) -> io::Result<Self> {
        let mut rest = Rest::new(file, offset);
        while rest.buf.len() < Self::BYTES_MAX && rest.fill()? {}
        let bytes = std::mem::take(&mut rest.buf);
        let mut zeros_follow = true;
        while zeros_follow && rest.fill()? {
            zeros_follow = rest.buf.iter().all(|byte| *byte == 0);
            rest.at = rest.buf.len();
        }
        Ok(Self { bytes, offset, zeros_follow })
    }

    /// Whether it is the beginning of a record, and no more than zeros follow, as behind a write that was
    /// lost while the length of the file was not.
    fn is_cut_off(&self) -> bool {
        let zeros = self.bytes.iter().rev().take_while(|byte| **byte == 0).count();
        let end = self.bytes.len().saturating_sub(zeros);
        let bytes = self.bytes.get(..end).unwrap_or_default();
        self.zeros_follow
            && match bytes.first() {
                None => true,
                Some(b'*') => matches!(command(bytes), Frame::Short),
                Some(b'#') => annotation::is_begun(bytes),
                Some(_) => false,
            }
    }

    /// Whether zeros stand for a sector that was lost while one behind it was not: from where the first record
    /// should begin to the end of that sector, or in one of the next, as a write without a seal spans no more.
    fn has_hole(&self) -> bool {
        const SECTOR: usize = annotation::SECTOR_BYTES as usize;
        let rest = SECTOR - (self.offset % annotation::SECTOR_BYTES) as usize;
        let (head, next) = self.bytes.split_at(rest.min(self.bytes.len()));
        let is_lost = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
        match head.first() {
            Some(0) => is_lost(head),
            Some(b'*' | b'#') => next.chunks(SECTOR).take(2).any(is_lost),
            _ => false,
        }
    }

    /// Whether a whole command follows a line end, anywhere.
    fn has_command(&self) -> bool {
        let starts = self.bytes.windows(3).enumerate().filter(|(_, window)| *window == b"\r\n*");
        starts.map(|(at, _)| at + 2).any(|at| {
            let rest = self.bytes.get(at..).unwrap_or_default();
            matches!(command(rest), Frame::Whole { .. })
        })
    }
}

/// What a command is to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Multi,
    /// EXEC or DISCARD.
    Exec,
    Other,
}

/// What stands at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Whole { len: usize, word: Word },
    Short,
    Broken(&'static str),
}

/// Finds the end of the command with which `bytes` begin. As strict as the writer is: every line ends in
/// CR and LF, every argument, too.
pub(crate) fn command(bytes: &[u8]) -> Frame {
    let (count, mut at) = match line(bytes, 0, b'*') {
        Ok(read) => read,
        Err(frame) => return frame,
    };
    if count == 0 {
        return Frame::Broken("a command without words");
    }
    let mut word = Word::Other;
    for index in 0..count {
        let (len, begin) = match line(bytes, at, b'$') {
            Ok(read) => read,
            Err(frame) => return frame,
        };
        let Some(end) = begin.checked_add(len) else {
            return Frame::Broken("a length beyond all bounds");
        };
        match bytes.get(end..end.saturating_add(2)) {
            Some(b"\r\n") => {}
            Some(_) => return Frame::Broken("an argument without a line end"),
            None => return Frame::Short,
        }
        if index == 0 && count == 1 {
            word = match bytes.get(begin..end).unwrap_or_default() {
                name if name.eq_ignore_ascii_case(b"multi") => Word::Multi,
                name if name.eq_ignore_ascii_case(b"exec") => Word::Exec,
                name if name.eq_ignore_ascii_case(b"discard") => Word::Exec,
                _ => Word::Other,
            };
        }
        at = end + 2;
    }
    Frame::Whole { len: at, word }
}

/// A line of `mark` and a number; the number, and where the line ends.
fn line(bytes: &[u8], at: usize, mark: u8) -> Result<(usize, usize), Frame> {
    /// More than any length.
    const DIGITS_MAX: usize = 12;
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first() {
        None => return Err(Frame::Short),
        Some(first) if *first != mark => {
            return Err(Frame::Broken("an argument should begin with '$'"));
        }
        Some(_) => {}
    }
    let mut number = 0usize;
    for (index, byte) in rest.iter().enumerate().skip(1).take(DIGITS_MAX) {
        match byte {
            b'0'..=b'9' => number = number * 10 + usize::from(byte - b'0'),
            b'\r' if index > 1 => {
                return match rest.get(index + 1) {
                    None => Err(Frame::Short),
                    Some(b'\n') => Ok((number, at + index + 2)),
                    Some(_) => Err(Frame::Broken("a line without its end")),
                };
            }
            _ => return Err(Frame::Broken("a length that is no number")),
        }
    }
    let is_short = rest.len() <= DIGITS_MAX;
    Err(if is_short { Frame::Short } else { Frame::Broken("a length beyond all bounds") })
}

/// The seconds of a `#TS` line at the beginning of `bytes`, and the length of any annotation there.
pub(crate) fn annotation_at(bytes: &[u8]) -> Option<(usize, Option<i64>)> {
    if bytes.first() != Some(&b'#') {
        return None;
    }
    let head = bytes.get(..LINE_BYTES_MAX).unwrap_or(bytes);
    let len = head.iter().position(|&byte| byte == b'\n')? + 1;
    Some((len, annotation::parse_time(head.get(..len)?)))
}
