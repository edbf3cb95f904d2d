//! Random commands to us and to Valkey, their replies compared byte for byte.
//!
//! `tests/differ/options.txt` holds options of the shared differ, a line each (which families are
//! there, which commands are not yet); `tests/differ/known.tsv` the differences that are meant, a
//! pattern, a tab and the reason.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::Result;
use crate::project::Project;
use crate::run as process;

const OPTIONS: &str = "tests/differ/options.txt";
const KNOWN: &str = "tests/differ/known.tsv";

/// `differ [--rounds N] [OPTION...]`; further options go to the shared differ as they are.
pub(crate) fn verb(project: &Project, args: &[String]) -> Result<()> {
    project.build_release()?;
    run(project, args)
}

/// Runs the differ; the build is there. Its requests are the same in each run, so a difference that
/// does not come again was one of the moments at which they were served.
pub(crate) fn run(project: &Project, args: &[String]) -> Result<()> {
    run_once(project, args).or_else(|error| {
        println!("{error}; once more, with the same requests:");
        run_once(project, args)
    })
}

/// The closing line counts: the status is also that of a difference when only a command is not
/// there yet, of which the differ says so by itself.
fn run_once(project: &Project, args: &[String]) -> Result<()> {
    const CLEAN: &str = " steps, 0 kinds of difference, ";
    let done = command(project, args)?
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run the differ: {error}"))?;
    let report = String::from_utf8_lossy(&done.stdout);
    print!("{report}");
    match report.lines().last() {
        Some(closing) if closing.contains(CLEAN) => Ok(()),
        Some(closing) => Err(format!("the differ found something: {closing}")),
        None => Err(format!("the differ said nothing and ended with {}", done.status)),
    }
}

/// The differ's command line, ready to run.
pub(crate) fn command(project: &Project, args: &[String]) -> Result<Command> {
    let differ = project.shared("conformance/differ.py").ok_or("shared suites not present")?;
    let valkey = peer(project, "valkey")?;
    let mut command = project.python(&differ);
    command.arg("--spawn-a").arg(project.server());
    command.arg("--spawn-b").arg(format!("{valkey} --port {{port}} --dir {{dir}} --save ''"));
    command.arg("--base-port").arg(two_free_ports()?.to_string());
    command.arg("--known").arg(project.root.join(KNOWN));
    for line in project.read(OPTIONS)?.lines().filter(|line| !line.starts_with('#')) {
        command.args(line.split_whitespace());
    }
    command.args(args);
    Ok(command)
}

/// The first of two ports on which nobody listens, below those that the kernel gives away. Another
/// differ on this machine begins to look elsewhere.
fn two_free_ports() -> Result<u16> {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let begin = std::process::id() % 5_000 * 2;
    (0..5_000)
        .filter_map(|n| u16::try_from(20_000 + (begin + 2 * n) % 10_000).ok())
        .find(|port| is_free(port) && is_free(&(port + 1)))
        .ok_or_else(|| "no two free ports between 20000 and 30000".into())
}

/// The path of a peer server; builds the peers on the first call on a machine.
pub(crate) fn peer(project: &Project, name: &str) -> Result<String> {
    let peers = project.shared("bench/peers").ok_or("shared suites not present")?;
    let listed = process::output(&mut Command::new(peers))?;
    listed
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        .ok_or_else(|| format!("bench/peers names no {name}"))
}
