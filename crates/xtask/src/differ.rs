//! Random commands to us and to Valkey, their replies compared byte for byte.
//!
//! `tests/differ/options.txt` holds options of the shared differ, a line each (which families are
//! there, which commands are not yet); `tests/differ/known.tsv` the differences that are meant, a
//! pattern, a tab and the reason.

use std::process::Command;

use crate::Result;
use crate::project::Project;
use crate::run;

const OPTIONS: &str = "tests/differ/options.txt";
const KNOWN: &str = "tests/differ/known.tsv";

/// `differ [--rounds N] [OPTION...]`; further options go to the shared differ as they are.
pub(crate) fn verb(project: &Project, args: &[String]) -> Result<()> {
    project.build_release()?;
    run::plain(&mut command(project, args)?)
}

/// The differ's command line, ready to run.
pub(crate) fn command(project: &Project, args: &[String]) -> Result<Command> {
    let differ = project.shared("conformance/differ.py").ok_or("shared suites not present")?;
    let valkey = peer(project, "valkey")?;
    let mut command = project.python(&differ);
    command.arg("--spawn-a").arg(project.server());
    command.arg("--spawn-b").arg(format!("{valkey} --port {{port}} --dir {{dir}} --save ''"));
    // Two ports of our own: another differ on this machine must not be mistaken for a server of ours.
    command.arg("--base-port").arg((20_000 + std::process::id() % 5_000 * 2).to_string());
    command.arg("--known").arg(project.root.join(KNOWN));
    for line in project.read(OPTIONS)?.lines().filter(|line| !line.starts_with('#')) {
        command.args(line.split_whitespace());
    }
    command.args(args);
    Ok(command)
}

/// The path of a peer server; builds the peers on the first call on a machine.
fn peer(project: &Project, name: &str) -> Result<String> {
    let peers = project.shared("bench/peers").ok_or("shared suites not present")?;
    let listed = run::output(&mut Command::new(peers))?;
    listed
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        .ok_or_else(|| format!("bench/peers names no {name}"))
}
