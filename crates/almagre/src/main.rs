//! The one binary: a list of tools, found by the name it was called by or by its first argument.

mod allocator;
mod check_aof;
mod check_rdb;
mod docs;

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

#[global_allocator]
static GLOBAL: allocator::Global = allocator::Global;

/// One tool of the binary.
struct Tool {
    name: &'static str,
    /// Names of programs that it takes the place of.
    aliases: &'static [&'static str],
    summary: &'static str,
    /// Takes the words after its name.
    run: fn(&[Vec<u8>]) -> ExitCode,
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "server",
        aliases: &["almagre", "almagre-server", "redis-server", "valkey-server"],
        summary: "runs a server (also what a bare 'almagre' does)",
        run: server::run,
    },
    Tool {
        name: "docs",
        aliases: &[],
        summary: "prints what the documentation is generated from: commands, configuration",
        run: docs::run,
    },
    missing("cli", &["redis-cli", "valkey-cli"], "a client for the terminal"),
    missing("benchmark", &["redis-benchmark", "valkey-benchmark"], "puts load on a server"),
    missing("sentinel", &["redis-sentinel", "valkey-sentinel"], "watches servers and fails over"),
    Tool {
        name: "check-rdb",
        aliases: &["redis-check-rdb", "valkey-check-rdb"],
        summary: "checks a snapshot file",
        run: check_rdb::run,
    },
    Tool {
        name: "check-aof",
        aliases: &["redis-check-aof", "valkey-check-aof"],
        summary: "checks an append-only file, and cuts off a broken end",
        run: check_aof::run,
    },
];

/// A tool that does not exist yet, and says so.
const fn missing(
    name: &'static str,
    aliases: &'static [&'static str],
    summary: &'static str,
) -> Tool {
    Tool { name, aliases, summary, run: not_yet }
}

fn not_yet(_: &[Vec<u8>]) -> ExitCode {
    complain("this tool is not part of this version of Almagre")
}

fn complain(text: &str) -> ExitCode {
    // Nobody is left to tell if standard error is gone.
    drop(writeln!(std::io::stderr(), "almagre: {text}"));
    ExitCode::FAILURE
}

fn help() -> ExitCode {
    let mut text = String::from("Usage: almagre [TOOL] [ARGUMENTS]\n\nTools:\n");
    for tool in TOOLS {
        text.push_str(&format!("  {:10} {}\n", tool.name, tool.summary));
    }
    text.push_str("\n'almagre server --help' tells more. Without a tool a server is run.\n");
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn main() -> ExitCode {
    runtime::sysinfo::set_allocator(&allocator::JEMALLOC);
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    let program =
        std::path::Path::new(&program).file_name().map_or(b"".as_slice(), OsStr::as_bytes);
    let args: Vec<Vec<u8>> = args.map(OsStringExt::into_vec).collect();
    let called = |tool: &&Tool| tool.aliases.iter().any(|alias| alias.as_bytes() == program);
    if program != b"almagre"
        && let Some(tool) = TOOLS.iter().find(called)
    {
        return (tool.run)(&args);
    }
    match args.split_first() {
        Some((word, rest)) => match TOOLS.iter().find(|tool| tool.name.as_bytes() == word) {
            Some(tool) => (tool.run)(rest),
            None if word == b"help" || word == b"--help" || word == b"-h" => help(),
            None => server::run(&args),
        },
        None => server::run(&args),
    }
}
