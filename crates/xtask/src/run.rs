//! Running other programs: shown, timed, and their counted results added up.
//!
//! Test programs here end with a line of counts, each family in its own words; `counts` reads
//! those, so that the closing line of `cargo x test` is a sum over tests and not over programs.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Result;

/// How many tests passed and failed.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs a command on this terminal; an error if it does not end with status 0.
pub(crate) fn plain(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", shown(command))) }
}

/// Runs a command and returns its standard output; its standard error goes to this terminal.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done =
        command.stderr(Stdio::inherit()).output().map_err(|error| cannot_start(command, &error))?;
    if !done.status.success() {
        return Err(format!("{} ended with {}", shown(command), done.status));
    }
    String::from_utf8(done.stdout).map_err(|_| format!("{} did not print UTF-8", shown(command)))
}

/// Runs a test program, shows what it prints, and counts its tests. A program that fails without
/// counting a failed test, or says nothing about tests, counts as one test itself.
pub(crate) fn counted(command: &mut Command) -> Result<Counts> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| cannot_start(command, &error))?;
    let stdout = child.stdout.take().expect("stdout was asked to be a pipe");
    let mut total = Counts::default();
    let mut said = false;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(|error| format!("reading from {}: {error}", shown(command)))?;
        let text = String::from_utf8_lossy(&line);
        if let Some(counts) = counts(&text) {
            total.add(counts);
            said = true;
        }
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.write_all(b"\n"))
            .map_err(|error| format!("cannot print: {error}"))?;
    }
    let status = child.wait().map_err(|error| cannot_start(command, &error))?;
    if !status.success() && total.failed == 0 {
        println!("FAIL  {} ended with {status}", shown(command));
        total.failed = 1;
    } else if !said {
        total.passed += 1;
    }
    Ok(total)
}

/// The counts in a closing line of our test programs, of `cargo test`, or of `cargo nextest`.
fn counts(line: &str) -> Option<Counts> {
    let line = line.trim();
    let words: Vec<&str> = line.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    let before = |label: &str| {
        let at = words.iter().position(|word| *word == label)?;
        words.get(at.checked_sub(1)?)?.parse::<u64>().ok()
    };
    let ours = words.len() == 4 && words[1] == "passed" && words[3] == "failed";
    let theirs = line.starts_with("test result:") || line.starts_with("Summary [");
    if !ours && !theirs {
        return None;
    }
    Some(Counts { passed: before("passed")?, failed: before("failed").unwrap_or(0) })
}

/// Seconds that a closure takes, and what it returns.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begin = Instant::now();
    let result = work();
    (result, begin.elapsed().as_secs_f64())
}

/// Whether a program is on the PATH.
pub(crate) fn exists(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("cannot run {}: {error}", shown(command))
}

fn shown(command: &Command) -> String {
    let mut out = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        out.push(' ');
        out.push_str(&arg.to_string_lossy());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Counts, counts};

    #[test]
    fn closing_lines() {
        let is = |passed, failed| Some(Counts { passed, failed });
        assert_eq!(counts("121 passed, 3 failed"), is(121, 3));
        let cargo = "test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(counts(cargo), is(7, 0));
        let nextest = "     Summary [   0.013s] 12 tests run: 11 passed, 1 failed, 0 skipped";
        assert_eq!(counts(nextest), is(11, 1));
        assert_eq!(counts("Summary [   0.013s] 12 tests run: 12 passed, 0 skipped"), is(12, 0));
        assert_eq!(counts("ok    words load (1.0 s): 3 passed, 1 failed"), None);
    }
}
