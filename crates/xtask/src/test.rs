//! `check`, the quick gate before a commit, and `test`, the whole gate that CI runs.
//!
//! A step runs by itself and sets up what it needs; a step that fails does not stop the others, so
//! that one run tells all. Nothing is skipped silently: what needs the shared suites says so where
//! they are not (a stranger's clone), and fails in CI, where they must be.

use std::process::Command;

use crate::project::{Project, in_ci};
use crate::run::{self, Counts, counted};
use crate::{Result, conformance, differ, fuzz, generate, tidy};

/// How a step ended, when it did not break off with an error.
enum Outcome {
    Counted(Counts),
    Skipped(&'static str),
}

type Step = fn(&Project) -> Result<Outcome>;

const QUICK: &[(&str, Step)] = &[
    ("fmt", fmt),
    ("clippy", clippy),
    ("tidy", |project| one(tidy::verb(project, &[]))),
    ("gen", |project| one(generate::verb(project, &["--check".into()]))),
    ("unit", unit),
];

const FULL: &[(&str, Step)] = &[
    ("shuttle", |project| counted(&mut shuttle_command(project)).map(Outcome::Counted)),
    ("corpus", |project| fuzz::replay(project).map(Outcome::Counted)),
    ("build", |project| one(project.build_release())),
    ("clients", |project| script(project, "tests/clients/run.py")),
    ("limits", |project| script(project, "tests/limits.py")),
    ("stress", |project| script(project, "tests/stress.py")),
    ("crash", |project| script(project, "tests/crash.py")),
    ("dumps", |project| beside_peers(project, "tests/dumps.py")),
    ("aof", |project| beside_peers(project, "tests/aof.py")),
    ("migrate", |project| beside_peers(project, "tests/migrate.py")),
    ("scripts", |project| script(project, "tests/scripts.py")),
    ("rdb-files", rdb_files),
    ("differential", |project| beside_peers(project, "tests/differential.py")),
    ("conformance", conformance),
    ("differ", differ),
];

/// `check`.
pub(crate) fn check(project: &Project, args: &[String]) -> Result<()> {
    if !args.is_empty() {
        return Err("takes no arguments; `cargo x test STEP` runs one step".into());
    }
    run_steps(project, QUICK)
}

/// `test [STEP...]`.
pub(crate) fn test(project: &Project, args: &[String]) -> Result<()> {
    let all: Vec<(&str, Step)> = QUICK.iter().chain(FULL).copied().collect();
    if let Some(unknown) = args.iter().find(|arg| !all.iter().any(|(name, _)| name == arg)) {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        return Err(format!("no step {unknown}; there are {}", names.join(", ")));
    }
    let chosen: Vec<(&str, Step)> = all
        .into_iter()
        .filter(|(name, _)| args.is_empty() || args.iter().any(|a| a == name))
        .collect();
    run_steps(project, &chosen)
}

fn run_steps(project: &Project, steps: &[(&str, Step)]) -> Result<()> {
    let mut total = Counts::default();
    let mut table = String::new();
    let (mut failed, mut skipped) = (Vec::new(), Vec::new());
    for (name, step) in steps {
        println!("==> {name}");
        let (outcome, seconds) = run::timed(|| step(project));
        let (counts, said) = match outcome {
            Ok(Outcome::Counted(counts)) => {
                (counts, format!("{} passed, {} failed", counts.passed, counts.failed))
            }
            Ok(Outcome::Skipped(why)) => {
                skipped.push(*name);
                (Counts::default(), format!("skipped: {why}"))
            }
            Err(error) => (Counts { passed: 0, failed: 1 }, format!("FAILED: {error}")),
        };
        if counts.failed > 0 {
            failed.push(*name);
        }
        println!("<== {name}: {said} ({seconds:.0} s)");
        table.push_str(&format!("{seconds:>7.0} s  {name:<12} {said}\n"));
        total.add(counts);
    }
    print!("\n{table}");
    if !skipped.is_empty() {
        println!("skipped: {}", skipped.join(", "));
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// A step that is a single test.
fn one(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Counted(Counts { passed: 1, failed: 0 }))
}

fn fmt(project: &Project) -> Result<Outcome> {
    run::plain(project.cargo().args(["fmt", "--all", "--check"]))?;
    for manifest in ["tests/clients/rust/Cargo.toml", "fuzz/Cargo.toml"] {
        if project.root.join(manifest).exists() {
            run::plain(project.cargo().args(["fmt", "--check", "--manifest-path", manifest]))?;
        }
    }
    one(Ok(()))
}

fn clippy(project: &Project) -> Result<Outcome> {
    let mut command = project.cargo();
    command.args(["clippy", "--workspace", "--all-targets", "--locked", "--quiet"]);
    one(run::plain(command.args(["--", "-D", "warnings"])))
}

fn unit(project: &Project) -> Result<Outcome> {
    let mut command = project.cargo();
    if run::exists("cargo-nextest") {
        command.args(["nextest", "run", "--workspace", "--locked", "--no-tests", "pass"]);
        command.args(["--show-progress", "none", "--status-level", "fail", "--no-fail-fast"]);
        // Its summary goes to standard error: read both as one.
        let mut both = Command::new("sh");
        both.current_dir(&project.root).args(["-c", "exec \"$@\" 2>&1", "sh"]);
        both.arg(command.get_program()).args(command.get_args());
        return counted(&mut both).map(Outcome::Counted);
    }
    command.args(["test", "--workspace", "--locked", "--quiet", "--no-fail-fast"]);
    counted(&mut command).map(Outcome::Counted)
}

/// `shuttle [OPTION...]`; options go to `cargo test` as they are.
pub(crate) fn shuttle(project: &Project, args: &[String]) -> Result<()> {
    run::plain(shuttle_command(project).args(args))
}

/// Tests the crates that have protocols between threads, under a randomized scheduler.
fn shuttle_command(project: &Project) -> Command {
    let mut command = project.cargo();
    command.env("RUSTFLAGS", "--cfg shuttle").args(["test", "--locked", "--quiet"]);
    command.args(["-p", "lock", "-p", "journal", "-p", "keyspace", "-p", "engine"]);
    command.arg("--target-dir").arg(project.target.join("shuttle"));
    command
}

fn script(project: &Project, name: &str) -> Result<Outcome> {
    project.build_release()?;
    let mut command = project.python(&project.root.join(name));
    counted(command.args(["--server", &project.server()])).map(Outcome::Counted)
}

/// A script that needs the peers; they are built on the first call on a machine.
fn beside_peers(project: &Project, name: &str) -> Result<Outcome> {
    if let Some(skipped) = shared(project)? {
        return Ok(skipped);
    }
    differ::peer(project, "valkey")?;
    redis70(project);
    script(project, name)
}

/// Redis 7.0, if it can be had: tests do without it.
fn redis70(project: &Project) {
    if let Err(error) = run::output(&mut Command::new(project.root.join("tests/redis70.sh"))) {
        println!("tests run without Redis 7.0: {error}");
    }
}

/// Files of other servers; without the peers, those that they made once.
fn rdb_files(project: &Project) -> Result<Outcome> {
    const SCRIPT: &str = "tests/rdb_files.py";
    if shared(project)?.is_none() {
        differ::peer(project, "valkey")?;
        redis70(project);
        return script(project, SCRIPT);
    }
    project.build_release()?;
    let mut command = project.python(&project.root.join(SCRIPT));
    counted(command.args(["--no-peers", "--server", &project.server()])).map(Outcome::Counted)
}

fn shared(project: &Project) -> Result<Option<Outcome>> {
    match project.shared("conformance/tcl-suite") {
        Some(_) => Ok(None),
        None if in_ci() => Err("the shared suites must lie beside the checkout in CI".into()),
        None => Ok(Some(Outcome::Skipped("shared suites not present"))),
    }
}

fn conformance(project: &Project) -> Result<Outcome> {
    if let Some(skipped) = shared(project)? {
        return Ok(skipped);
    }
    project.build_release()?;
    conformance::ratchet(project, false, &[]).map(Outcome::Counted)
}

fn differ(project: &Project) -> Result<Outcome> {
    if let Some(skipped) = shared(project)? {
        return Ok(skipped);
    }
    project.build_release()?;
    one(differ::run(project, &["--rounds".into(), "40".into()]))
}
