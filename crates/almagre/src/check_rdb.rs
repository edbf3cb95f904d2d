//! `almagre check-rdb`: whether a snapshot file can be loaded, and what is in it.

use durability::rdb_file::{self, FileSource};
use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

/// Takes the words after the tool's name. 0: the file is fine.
pub(crate) fn run(args: &[Vec<u8>]) -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = match args {
        [flag] if flag == b"-v" || flag == b"--version" => {
            writeln!(out, "almagre check-rdb {}", command::VERSION).map(|()| true)
        }
        [path] => check(Path::new(OsStr::from_bytes(path)), &mut out),
        _ => writeln!(io::stderr(), "Usage: almagre check-rdb <rdb-file-name>").map(|()| false),
    };
    match outcome.and_then(|fine| out.flush().map(|()| fine)) {
        Ok(true) => ExitCode::SUCCESS,
        // If nobody reads, nobody is told that it is fine.
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

fn check(path: &Path, out: &mut dyn Write) -> io::Result<bool> {
    writeln!(out, "[offset 0] Checking RDB file {}", path.display())?;
    let mut source = match FileSource::open(&disk::RealDisk, path) {
        Ok((source, _)) => source,
        Err(error) => {
            writeln!(out, "Cannot open file: {error}")?;
            return Ok(false);
        }
    };
    let mut told = Ok(());
    let mut say = |offset: u64, line: String| {
        if told.is_ok() {
            told = writeln!(out, "[offset {offset}] {line}").and_then(|()| out.flush());
        }
    };
    let (checked, outcome) = rdb_file::check(&mut source, runtime::clock::now().0, &mut say);
    told?;
    let offset = checked.offset;
    let fault = outcome.err();
    let lines = match &fault {
        None => vec![format!("[offset {offset}] \\o/ RDB looks OK! \\o/")],
        Some(fault) => fault.lines(offset),
    };
    for line in lines.iter().chain(&checked.lines()) {
        writeln!(out, "{line}")?;
    }
    Ok(fault.is_none())
}
