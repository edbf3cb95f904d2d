//! `check-aof`: whether the files of a set can be loaded, and how much of the last one can. It says what the
//! tools of Redis and Valkey say, and cuts off what they cut off.

use super::files::Held;
use super::manifest::{Manifest, RDB_SUFFIX};
use super::scan::{Damage, Frame, Scanner, annotation_at, command};
use crate::rdb_file::{self, FileSource};
use disk::{Disk, DiskFile, Open};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What is to be done beside looking.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// Cuts off the end of the last file where it is broken, if `confirm` agrees.
    pub fix: bool,
    /// Cuts off what the last file has from after that moment, in seconds since 1970; 0 is none, as for others.
    pub timestamp: Option<i64>,
    /// Milliseconds since 1970: what of a snapshot has expired.
    pub now_ms: i64,
}

/// The check of one path.
pub struct Check<'a> {
    pub disk: &'a dyn Disk,
    pub options: CheckOptions,
    pub out: &'a mut dyn Write,
    pub confirm: &'a mut dyn FnMut() -> bool,
}

/// What became of a file.
enum Verdict {
    Valid,
    Empty,
    Truncated,
    TruncatedToTime(i64),
    /// The reason is told.
    Refused,
}

/// A file that has been read.
struct Read {
    size: u64,
    damage: Option<Damage>,
    /// Where the first moment after the one that is wanted is noted.
    later: Option<u64>,
}

/// How far a file's lines are counted.
#[derive(Default)]
struct Lines(u64);

impl Check<'_> {
    /// Checks a manifest and its files, or a single file. `false`: something is wrong; it has been told.
    pub fn run(&mut self, path: &Path) -> io::Result<bool> {
        const MANIFEST_BYTES_MAX: usize = 16 << 20;
        self.options.timestamp = self.options.timestamp.filter(|seconds| *seconds != 0);
        let cuts = self.options.fix || self.options.timestamp.is_some();
        // Until the end: what a server appends to must not be cut.
        let _held = match cuts.then(|| Held::of_file(self.disk, path)).transpose() {
            Ok(held) => held,
            Err(error) => {
                writeln!(self.out, "Cannot change {}: {error}", path.display())?;
                return Ok(false);
            }
        };
        let mut head = [0; 8];
        let file = match self.disk.open(path, Open::Read) {
            Ok(file) => file,
            Err(error) => {
                writeln!(self.out, "Cannot open file {}: {error}", path.display())?;
                return Ok(false);
            }
        };
        let size = file.size()?;
        if size >= head.len() as u64 {
            disk::read_exact_at(&*file, &mut head, 0)?;
        }
        if head.starts_with(b"file") || head.starts_with(b"#") && names_files(&*file, size)? {
            let bytes = disk::read(self.disk, path, MANIFEST_BYTES_MAX)?;
            return self.set(disk::folder(path), &bytes);
        }
        writeln!(self.out, "Start checking Old-Style AOF")?;
        let name = path.display().to_string();
        let verdict = self.one(&name, path, true, &mut Lines::default())?;
        self.tell(&verdict, "AOF", &name)
    }

    fn set(&mut self, dir: &Path, bytes: &[u8]) -> io::Result<bool> {
        writeln!(self.out, "Start checking Multi Part AOF")?;
        let manifest = match Manifest::parse(bytes) {
            Ok(manifest) => manifest,
            Err(error) => {
                writeln!(self.out, "\n*** FATAL AOF MANIFEST FILE ERROR ***")?;
                writeln!(self.out, "{error}")?;
                return Ok(false);
            }
        };
        let path = |name: &[u8]| -> PathBuf { dir.join(OsStr::from_bytes(name)) };
        let mut lines = Lines::default();
        if let Some(base) = &manifest.base {
            let (name, path) = (String::from_utf8_lossy(&base.name), path(&base.name));
            let form = if self.is_rdb(&path) { "RDB" } else { "RESP" };
            writeln!(self.out, "Start to check BASE AOF ({form} format).")?;
            if form != "RDB" && base.name.ends_with(RDB_SUFFIX) {
                // Nothing of it could be kept.
                writeln!(self.out, "BASE AOF {name} is not in RDB format, aborting...")?;
                return Ok(false);
            }
            let last = manifest.incrementals.is_empty();
            let verdict = self.one(&name, &path, last, &mut lines)?;
            if !self.tell(&verdict, "BASE AOF", &name)? {
                return Ok(false);
            }
        }
        if !manifest.incrementals.is_empty() {
            writeln!(self.out, "Start to check INCR files.")?;
        }
        for (at, part) in manifest.incrementals.iter().enumerate() {
            let (name, path) = (String::from_utf8_lossy(&part.name), path(&part.name));
            let last = at + 1 == manifest.incrementals.len();
            let verdict = self.one(&name, &path, last, &mut lines)?;
            if !self.tell(&verdict, "INCR AOF", &name)? {
                return Ok(false);
            }
        }
        writeln!(self.out, "All AOF files and manifest are valid")?;
        Ok(true)
    }

    fn tell(&mut self, verdict: &Verdict, kind: &str, name: &str) -> io::Result<bool> {
        match verdict {
            Verdict::Valid => writeln!(self.out, "{kind} {name} is valid")?,
            Verdict::Empty => writeln!(self.out, "{kind} {name} is empty")?,
            Verdict::Truncated => writeln!(self.out, "Successfully truncated AOF {name}")?,
            Verdict::TruncatedToTime(seconds) => {
                writeln!(self.out, "Successfully truncated AOF {name} to timestamp {seconds}")?;
            }
            Verdict::Refused => return Ok(false),
        }
        Ok(true)
    }

    fn is_rdb(&self, path: &Path) -> bool {
        let mut head = [0; 6];
        let read = self.disk.open(path, Open::Read);
        let read = read.and_then(|file| disk::read_exact_at(&*file, &mut head, 0));
        read.is_ok() && (head.starts_with(b"REDIS") || head == *b"VALKEY")
    }

    fn one(
        &mut self,
        name: &str,
        path: &Path,
        last: bool,
        lines: &mut Lines,
    ) -> io::Result<Verdict> {
        let file = match self.disk.open(path, Open::Write) {
            Ok(file) => file,
            Err(error) => {
                let shown = path.display();
                writeln!(self.out, "Cannot open file {shown}: {error}, aborting...")?;
                return Ok(Verdict::Refused);
            }
        };
        if file.size()? == 0 {
            return Ok(Verdict::Empty);
        }
        let Some(begin) = self.preamble(path)? else { return Ok(Verdict::Refused) };
        let read = self.read(&*file, begin, lines)?;
        if let (Some(later), Some(seconds)) = (read.later, self.options.timestamp) {
            return self.cut_time(&*file, name, later, seconds, last);
        }
        if let Some(damage) = &read.damage {
            let what = if damage.cut_off { "Unexpected end of file" } else { "format error" };
            writeln!(self.out, "AOF {name} {what}")?;
            writeln!(self.out, "0x{:16x}: {}", damage.offset, damage.reason)?;
        }
        let valid = read.damage.as_ref().map_or(read.size, |damage| damage.valid_bytes);
        let diff = read.size.saturating_sub(valid);
        if let (0, Some(seconds)) = (diff, self.options.timestamp) {
            writeln!(self.out, "Truncate nothing in AOF {name} to timestamp {seconds}")?;
            return Ok(Verdict::Valid);
        }
        writeln!(
            self.out,
            "AOF analyzed: filename={name}, size={}, ok_up_to={valid}, ok_up_to_line={}, diff={diff}",
            read.size,
            lines.0 + 1
        )?;
        if diff == 0 {
            return Ok(Verdict::Valid);
        }
        self.cut_damage(&*file, name, valid, read.size, last)
    }

    fn cut_damage(
        &mut self,
        file: &dyn DiskFile,
        name: &str,
        valid: u64,
        size: u64,
        last: bool,
    ) -> io::Result<Verdict> {
        if !self.options.fix {
            writeln!(self.out, "AOF {name} is not valid. Use the --fix option to try fixing it.")?;
            return Ok(Verdict::Refused);
        }
        if !last {
            writeln!(self.out, "Failed to truncate AOF {name} because it is not the last file")?;
            return Ok(Verdict::Refused);
        }
        let diff = size.saturating_sub(valid);
        writeln!(
            self.out,
            "This will shrink the AOF {name} from {size} bytes, with {diff} bytes, to {valid} bytes"
        )?;
        write!(self.out, "Continue? [y/N]: ")?;
        self.out.flush()?;
        if !(self.confirm)() {
            writeln!(self.out, "Aborting...")?;
            return Ok(Verdict::Refused);
        }
        file.set_size(valid)?;
        file.sync()?;
        Ok(Verdict::Truncated)
    }

    fn cut_time(
        &mut self,
        file: &dyn DiskFile,
        name: &str,
        at: u64,
        seconds: i64,
        last: bool,
    ) -> io::Result<Verdict> {
        if at == 0 {
            writeln!(self.out, "AOF {name} has nothing before timestamp {seconds}, aborting...")?;
            return Ok(Verdict::Refused);
        }
        if !last {
            writeln!(
                self.out,
                "Failed to truncate AOF {name} to timestamp {seconds} to offset {at} because it \
                 is not the last file.\nIf you insist, please delete all files after this file \
                 according to the manifest file and delete the corresponding records in manifest \
                 file manually. Then re-run the check."
            )?;
            return Ok(Verdict::Refused);
        }
        file.set_size(at)?;
        file.sync()?;
        Ok(Verdict::TruncatedToTime(seconds))
    }

    /// Where the commands begin: behind the snapshot, if there is one. `None`: it is broken.
    fn preamble(&mut self, path: &Path) -> io::Result<Option<u64>> {
        if !self.is_rdb(path) {
            return Ok(Some(0));
        }
        let (mut source, _) = FileSource::open(self.disk, path)?;
        let out = &mut *self.out;
        let mut told = Ok(());
        let mut say = |offset: u64, line: String| {
            if told.is_ok() {
                told = writeln!(out, "[offset {offset}] {line}");
            }
        };
        let (checked, outcome) = rdb_file::check(&mut source, self.options.now_ms, &mut say);
        told?;
        if let Err(fault) = outcome {
            for line in fault.lines(checked.offset).iter().chain(&checked.lines()) {
                writeln!(self.out, "{line}")?;
            }
            writeln!(self.out, "RDB preamble of AOF file is not sane, aborting.")?;
            return Ok(None);
        }
        writeln!(self.out, "RDB preamble is OK, proceeding with AOF tail...")?;
        Ok(Some(checked.offset))
    }

    fn read(&self, file: &dyn DiskFile, begin: u64, lines: &mut Lines) -> io::Result<Read> {
        let mut scanner = Scanner::new(file, begin);
        let mut later = None;
        while let Some((offset, bytes)) = scanner.next_records()? {
            let found = lines.walk(bytes, self.options.timestamp);
            if let Some(at) = found {
                later = Some(offset.saturating_add(at as u64));
                break;
            }
        }
        Ok(Read { size: file.size()?, damage: scanner.ending().damage, later })
    }
}

impl Lines {
    /// Counts the lines of whole commands. Where the first moment after `seconds` is noted.
    fn walk(&mut self, bytes: &[u8], seconds: Option<i64>) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some((len, time)) = annotation_at(rest) {
                if seconds.zip(time).is_some_and(|(wanted, time)| time > wanted) {
                    return Some(at);
                }
                at += len;
                continue;
            }
            let Frame::Whole { len, .. } = command(rest) else { return None };
            let count = rest.get(1..len).and_then(|rest| {
                let end = rest.iter().position(|&byte| byte == b'\r')?;
                stdx::num::parse_u64(rest.get(..end)?)
            });
            self.0 += 1 + 2 * count.unwrap_or(0);
            at += len;
        }
        None
    }
}

/// Whether lines of a file that begins with a comment name files.
fn names_files(file: &dyn DiskFile, size: u64) -> io::Result<bool> {
    let mut head = vec![0; size.min(64 << 10) as usize];
    disk::read_exact_at(file, &mut head, 0)?;
    let mut lines = head.split(|&byte| byte == b'\n');
    Ok(lines.find(|line| !line.starts_with(b"#")).is_some_and(|line| line.starts_with(b"file")))
}
