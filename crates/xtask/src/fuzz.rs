//! Fuzz targets of the decoders, driven without cargo-fuzz, on the pinned toolchain.
//!
//! A target is a file of `fuzz/fuzz_targets/`, built on libfuzzer-sys in the package `fuzz/`,
//! outside the workspace; its inputs are kept in `fuzz/corpus/TARGET/`. Replaying a corpus needs a
//! plain build. Fuzzing adds what cargo-fuzz would: coverage counters, which are stable options of
//! code generation, and the address sanitizer, which is not and for which RUSTC_BOOTSTRAP asks.

use std::process::Command;

use crate::Result;
use crate::project::Project;
use crate::run::{self, Counts};

const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions=on -Ccodegen-units=1 -Zsanitizer=address";

/// `fuzz TARGET [--seconds N] | --replay`.
pub(crate) fn verb(project: &Project, args: &[String]) -> Result<()> {
    match args {
        [replay] if replay == "--replay" => {
            let counts = self::replay(project)?;
            println!("{} passed, {} failed", counts.passed, counts.failed);
            if counts.failed > 0 { Err("a corpus entry fails".into()) } else { Ok(()) }
        }
        [target] => fuzz(project, target, "60"),
        [target, flag, seconds] if flag == "--seconds" => fuzz(project, target, seconds),
        _ => Err(format!("name a target of {}", targets(project)?.join(", "))),
    }
}

/// The names of the targets, sorted; none when there is no fuzz package.
fn targets(project: &Project) -> Result<Vec<String>> {
    let mut names: Vec<String> = project
        .files()?
        .iter()
        .filter_map(|name| name.strip_prefix("fuzz/fuzz_targets/")?.strip_suffix(".rs"))
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// Runs every target over its corpus once: found bugs stay found.
pub(crate) fn replay(project: &Project) -> Result<Counts> {
    let mut counts = Counts::default();
    let targets = targets(project)?;
    if targets.is_empty() {
        return Err("no targets in fuzz/fuzz_targets/: every decoder has one".into());
    }
    for target in targets {
        let corpus = project.root.join("fuzz/corpus").join(&target);
        if !corpus.is_dir() {
            return Err(format!("{target} has no fuzz/corpus/{target}/: commit some seeds"));
        }
        let mut command = project.cargo();
        command.args([
            "run",
            "--quiet",
            "--release",
            "--locked",
            "--manifest-path",
            "fuzz/Cargo.toml",
        ]);
        command.arg("--target-dir").arg(project.target.join("fuzz"));
        command.args(["--bin", &target, "--", "-runs=0"]).arg(&corpus);
        let held = run::plain(&mut command);
        if let Err(error) = &held {
            println!("FAIL  corpus of {target}: {error}");
        }
        counts.add(Counts { passed: u64::from(held.is_ok()), failed: u64::from(held.is_err()) });
    }
    Ok(counts)
}

fn fuzz(project: &Project, target: &str, seconds: &str) -> Result<()> {
    if !targets(project)?.iter().any(|name| name == target) {
        return Err(format!("no target {target}; there are {}", targets(project)?.join(", ")));
    }
    let host = host()?;
    let found = project.root.join("fuzz/artifacts").join(target);
    // New inputs go to the first folder, which is not tracked; the second is the kept corpus.
    let work = project.target.join("fuzz-work").join(target);
    let corpus = project.root.join("fuzz/corpus").join(target);
    for folder in [&found, &work, &corpus] {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let mut command = project.cargo();
    command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS);
    command.args(["run", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", &host]);
    command.arg("--target-dir").arg(project.target.join("fuzz-asan")).args(["--bin", target, "--"]);
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", found.display())).arg(&work).arg(&corpus);
    run::plain(&mut command)
}

/// The host's target triple. Naming it keeps the sanitizer out of build scripts.
fn host() -> Result<String> {
    let version = run::output(Command::new("rustc").arg("-vV"))?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "rustc -vV names no host".into())
}
