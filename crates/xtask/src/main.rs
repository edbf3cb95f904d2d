//! All automation of the project behind one door: `cargo x VERB`.
//!
//! Every verb works on the checkout that holds this crate, from any folder, with nothing but the
//! toolchain and, where a verb says so, Python and the shared suites beside the checkout. CI calls
//! `cargo x test` and holds no logic of its own. Standard library only: this crate is the first
//! thing a newcomer compiles.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a development tool talks to its terminal, reads the checkout and measures time"
)]

mod bench;
mod conformance;
mod differ;
mod fuzz;
mod generate;
mod json;
mod project;
mod run;
mod test;
mod tidy;

use std::process::ExitCode;

use project::Project;

/// What a verb returns: the text of an error says what to do about it.
type Result<T> = std::result::Result<T, String>;

type Verb = fn(&Project, &[String]) -> Result<()>;

/// Name, usage, what it does.
const VERBS: &[(&str, &str, &str, Verb)] = &[
    (
        "check",
        "",
        "the gate before a commit: fmt, clippy, tidy, gen --check, unit tests",
        test::check,
    ),
    ("test", "[STEP...]", "everything CI runs, or the named steps of it", test::test),
    ("tidy", "", "layers, sizes, words, documents", tidy::verb),
    ("gen", "[--check]", "the generated parts of the documents", generate::verb),
    (
        "conformance",
        "[--update] [FILE...]",
        "the peers' suite against the ratchet",
        conformance::verb,
    ),
    (
        "differ",
        "[--rounds N]",
        "random commands to us and to Valkey, replies compared",
        differ::verb,
    ),
    ("bench", "NAME", "side by side with the peers; writes bench/results/NAME.json", bench::verb),
    (
        "fuzz",
        "TARGET [--seconds N] | --replay",
        "fuzzes a decoder, or replays all corpora",
        fuzz::verb,
    ),
    ("shuttle", "", "the lock and log protocols under a randomized scheduler", test::shuttle),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = args.split_first() else {
        eprint!("{}", usage());
        return ExitCode::from(2);
    };
    let Some((.., verb)) = VERBS.iter().find(|(verb, ..)| verb == name) else {
        eprint!("no verb {name}\n{}", usage());
        return ExitCode::from(2);
    };
    match Project::open().and_then(|project| verb(&project, rest)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo x {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let mut out = String::from("usage: cargo x VERB\n");
    for (name, arguments, summary, _) in VERBS {
        out.push_str(&format!("  {:<40} {summary}\n", format!("{name} {arguments}")));
    }
    out
}
