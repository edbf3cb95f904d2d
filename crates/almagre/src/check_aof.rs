//! `almagre check-aof`: whether an append-only file can be loaded; cuts off what cannot.

use durability::aof::{Check, CheckOptions};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

/// Takes the words after the tool's name. 0: the files are fine, or are now.
pub(crate) fn run(args: &[Vec<u8>]) -> ExitCode {
    let now_ms = runtime::clock::now().0;
    let options = CheckOptions { now_ms, ..CheckOptions::default() };
    let outcome = match args {
        [flag] if flag == b"-v" || flag == b"--version" => {
            writeln!(io::stdout(), "almagre check-aof {}", command::VERSION).map(|()| true)
        }
        [path] => check(path, options),
        [flag, path] if flag == b"--fix" => check(path, CheckOptions { fix: true, ..options }),
        [flag, time, path] if flag == b"--truncate-to-timestamp" => {
            match stdx::num::parse_i64(time) {
                Some(seconds) => check(path, CheckOptions { timestamp: Some(seconds), ..options }),
                None => writeln!(io::stdout(), "Invalid timestamp, aborting...").map(|()| false),
            }
        }
        _ => usage(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // If nobody reads, nobody is told.
            drop(writeln!(io::stdout(), "{error}, aborting..."));
            ExitCode::FAILURE
        }
    }
}

fn usage() -> io::Result<bool> {
    let usage = "Usage: almagre check-aof [--fix|--truncate-to-timestamp $timestamp] \
                 <file.manifest|file.aof>";
    writeln!(io::stdout(), "{usage}").map(|()| false)
}

fn check(path: &[u8], options: CheckOptions) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let mut check =
        Check { disk: &disk::RealDisk, options, out: &mut out, confirm: &mut confirmed };
    check.run(Path::new(OsStr::from_bytes(path)))
}

/// Whether the answer is yes.
fn confirmed() -> bool {
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    read.is_ok() && matches!(line.bytes().next(), Some(b'y' | b'Y'))
}
