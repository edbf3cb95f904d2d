//! The peers' own Tcl suite as a ratchet: what once passed must pass for ever.
//!
//! `tests/conformance/files.txt` lists the suite's files that are run, `passing.tsv` the tests of
//! them that pass (file, n-th of that name, name). `--update` adds what newly passes and never
//! takes anything away: a test leaves the list by hand, with a reason in the commit.
//!
//! `waiting.tsv` names tests that are left out because they wait for a feature and would break those
//! after them (a queue that stays open, say), each with its reason.
//!
//! The suite has timing in it and runs on loaded machines, so the files of tests that broke are run
//! again, alone and with more patience, up to twice; what passes then is reported by name, with the
//! run that it passed on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::project::Project;
use crate::run::{self, Counts};

const FILES: &str = "tests/conformance/files.txt";
const PASSING: &str = "tests/conformance/passing.tsv";
const WAITING: &str = "tests/conformance/waiting.tsv";

/// How often a test may be run before it counts as lost.
const RUNS: u32 = 3;

/// Options of a further run. A limit that means a hang on a machine like that of the suite's
/// baseline may only mean a slow one.
const ALONE: &[&str] =
    &["--jobs", "1", "--slack", "20", "--min-test-timeout", "90", "--start-timeout", "120"];

/// A test of the suite: its file, its name, and which of that name it is.
type Test = (String, String, u32);

/// `conformance [--update] [FILE...]`.
pub(crate) fn verb(project: &Project, args: &[String]) -> Result<()> {
    let update = args.iter().any(|arg| arg == "--update");
    let only: Vec<&String> = args.iter().filter(|arg| *arg != "--update").collect();
    project.build_release()?;
    let counts = ratchet(project, update, &only)?;
    println!("{} passed, {} failed", counts.passed, counts.failed);
    if counts.failed > 0 { Err("the ratchet slipped".into()) } else { Ok(()) }
}

/// Runs the listed files, or those of `only`, and compares.
pub(crate) fn ratchet(project: &Project, update: bool, only: &[&String]) -> Result<Counts> {
    let mut files: Vec<String> = lines(&project.read(FILES)?).map(str::to_owned).collect();
    if !only.is_empty() {
        files.retain(|file| only.contains(&file));
    }
    if files.is_empty() {
        return Err(format!("no such file in {FILES}"));
    }
    let listed: BTreeSet<Test> = read_tests(&project.read(PASSING)?)
        .into_iter()
        .filter(|(file, ..)| files.contains(file))
        .collect();
    let results = run_suite(project, &files, "results.tsv", &["--jobs", "2"])?;
    let passed = passed(&results)?;
    let broke: BTreeSet<Test> = listed.difference(&passed).cloned().collect();
    let lost = further_runs(project, broke)?;
    let new: BTreeSet<Test> = passed.difference(&listed).cloned().collect();
    for (file, name, n) in &new {
        println!("new   {file}: {name}{}", nth(*n));
    }
    for (file, name, n) in &lost {
        println!("FAIL  {file}: {name}{} passed before", nth(*n));
    }
    println!("conformance: {} listed, {} newly pass, {} lost", listed.len(), new.len(), lost.len());
    what_is_missing(project, &results)?;
    if update && !new.is_empty() {
        let mut all = read_tests(&project.read(PASSING)?);
        all.extend(new);
        write_tests(&project.root.join(PASSING), &all)?;
    } else if !new.is_empty() {
        println!("`cargo x conformance --update` adds what newly passes");
    }
    let failed = lost.len() as u64;
    Ok(Counts { passed: listed.len() as u64 - failed, failed })
}

/// Those of the broken tests that break each time when their files are run alone.
fn further_runs(project: &Project, mut broke: BTreeSet<Test>) -> Result<BTreeSet<Test>> {
    for run in 2..=RUNS {
        if broke.is_empty() {
            break;
        }
        let files: BTreeSet<String> = broke.iter().map(|(file, ..)| file.clone()).collect();
        let files: Vec<String> = files.into_iter().collect();
        println!("conformance: {} tests broke; run {run} of their files, alone", broke.len());
        let again = passed(&run_suite(project, &files, "again.tsv", ALONE)?)?;
        for (file, name, n) in broke.intersection(&again) {
            println!("flaky {file}: {name}{} passed on run {run} only", nth(*n));
        }
        broke.retain(|test| !again.contains(test));
    }
    Ok(broke)
}

fn run_suite(project: &Project, files: &[String], out: &str, how: &[&str]) -> Result<PathBuf> {
    let suite = project.shared("conformance/tcl-suite").ok_or("shared suites not present")?;
    let folder = project.target.join("conformance");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let out = folder.join(out);
    let mut command = project.python(&suite);
    command.arg("--server").arg(project.binary()).arg("--only").arg(files.join(","));
    command.args(how).arg("--out").arg(&out);
    for line in lines(&project.read(WAITING)?) {
        command.arg("--skiptest").arg(line.split('\t').next().unwrap_or(line));
    }
    match peer_tools() {
        Some((cli, benchmark)) => {
            command.arg("--cli").arg(cli).arg("--benchmark").arg(benchmark);
        }
        None => {
            command.arg("--real-tools");
        }
    }
    // The suite's status tells that tests failed, which is ours to judge; no results is an error.
    let removed = std::fs::remove_file(&out);
    if let Err(error) = removed
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(format!("{}: {error}", out.display()));
    }
    let status = command.status().map_err(|e| format!("cannot run {}: {e}", suite.display()))?;
    if out.exists() { Ok(out) } else { Err(format!("{} ended with {status}", suite.display())) }
}

/// The peers' cli and benchmark, if they were built for comparison.
fn peer_tools() -> Option<(PathBuf, PathBuf)> {
    let folder = PathBuf::from(std::env::var_os("HOME")?).join(".cache/peers/valkey/src");
    let tools = (folder.join("valkey-cli"), folder.join("valkey-benchmark"));
    (tools.0.exists() && tools.1.exists()).then_some(tools)
}

/// Prints by name what the peer's own server passes and ours does not.
fn what_is_missing(project: &Project, results: &Path) -> Result<()> {
    let summary = project.shared("conformance/summary").ok_or("shared suites not present")?;
    run::plain(project.python(&summary).arg(results).arg("--failures"))
}

/// The tests with status `ok` in a table of results; rows in brackets are no tests.
fn passed(results: &Path) -> Result<BTreeSet<Test>> {
    let text = std::fs::read(results).map_err(|e| format!("{}: {e}", results.display()))?;
    Ok(passed_rows(&String::from_utf8_lossy(&text)))
}

fn passed_rows(text: &str) -> BTreeSet<Test> {
    lines(text)
        .filter_map(|line| {
            let mut fields = line.split('\t').skip(1);
            let (file, n, name) = (fields.next()?, fields.next()?, fields.next()?);
            let ok = fields.next()? == "ok" && !name.starts_with('(');
            ok.then_some((file.to_owned(), name.to_owned(), n.parse().ok()?))
        })
        .collect()
}

fn read_tests(text: &str) -> BTreeSet<Test> {
    lines(text)
        .filter_map(|line| {
            let mut fields = line.splitn(3, '\t');
            let (file, n, name) = (fields.next()?, fields.next()?, fields.next()?);
            Some((file.to_owned(), name.to_owned(), n.parse().ok()?))
        })
        .collect()
}

fn write_tests(path: &Path, tests: &BTreeSet<Test>) -> Result<()> {
    let mut out = String::from(
        "# Tests of the Valkey 8.1.1 suite that pass: file, n-th of that name, name.\n",
    );
    for (file, name, n) in tests {
        out.push_str(&format!("{file}\t{n}\t{name}\n"));
    }
    std::fs::write(path, out).map_err(|e| format!("{}: {e}", path.display()))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn nth(n: u32) -> String {
    if n == 1 { String::new() } else { format!(" (the {n}th of that name)") }
}

#[cfg(test)]
mod tests {
    use super::{passed_rows, read_tests};

    #[test]
    fn rows() {
        let text = "# suite: valkey\nsuite\tfile\tn\ttest\tstatus\tms\tattempt\tdetail\n\
                    valkey\tunit/a\t2\tSET # and\tok\t1\t1\t\n\
                    valkey\tunit/a\t1\tGET\terr\t1\t1\twhy\n\
                    valkey\tunit/a\t1\t(block)\tok\t1\t1\t\n";
        let passed = passed_rows(text);
        assert_eq!(
            passed.into_iter().collect::<Vec<_>>(),
            [("unit/a".into(), "SET # and".into(), 2)]
        );
        let read = read_tests("# c\nunit/a\t2\tSET # and\n");
        assert_eq!(
            read.into_iter().collect::<Vec<_>>(),
            [("unit/a".into(), "SET # and".into(), 2)]
        );
    }
}
