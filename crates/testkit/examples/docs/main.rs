//! Runs the blocks of `docs/commands/*.md` against a running server, which is emptied for each.
//! What a page marks as different elsewhere may fail; what else fails is printed.
//!
//! ```sh
//! cargo run -p testkit --example docs -- --against 127.0.0.1:7411
//! ```
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a tool talks to its terminal, reads pages and waits"
)]

use std::io;
use std::path::Path;
use std::process::ExitCode;
use testkit::client::Client;
use testkit::{Step, Transcript, blocks, matches};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [flag, address] = &args[..] else {
        eprintln!("--against HOST:PORT");
        return ExitCode::from(2);
    };
    if flag != "--against" {
        eprintln!("no option {flag}");
        return ExitCode::from(2);
    }
    match run(address) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("docs: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How many commands answered otherwise without a mark.
fn run(address: &str) -> io::Result<usize> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands");
    let mut pages: Vec<_> =
        folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    pages.sort();
    let (mut count, mut marked, mut failed) = (0, 0, 0);
    for path in pages.iter().filter(|path| path.extension().is_some_and(|kind| kind == "md")) {
        let page = std::fs::read_to_string(path)?;
        for (first, block) in blocks(&page) {
            let transcript = Transcript::parse(block, first).map_err(io::Error::other)?;
            let mut client = Client::connect(address)?;
            client.line("FLUSHALL")?;
            // Neither is part of a database.
            client.line("FUNCTION FLUSH")?;
            client.line("SCRIPT FLUSH")?;
            for step in transcript.steps {
                match step {
                    Step::Wait(millis) => {
                        let millis = u64::try_from(millis).unwrap_or(0);
                        std::thread::sleep(std::time::Duration::from_millis(millis));
                    }
                    Step::Command { line, expect, differs, at } => {
                        count += 1;
                        let printed = match client.line(&line) {
                            Ok(reply) => reply.cli(),
                            Err(_) => {
                                client = Client::connect(address)?;
                                client.line(&line)?.cli()
                            }
                        };
                        if matches(&expect, &printed) {
                            continue;
                        }
                        marked += usize::from(differs.is_some());
                        if differs.is_none() {
                            failed += 1;
                            let page = path.file_name().unwrap_or_default().display();
                            println!("{page}:{at}\n> {line}\nexpected\n{expect}\ngot\n{printed}\n");
                        }
                    }
                }
            }
        }
    }
    println!("{count} commands, {marked} differ and say so, {failed} differ");
    Ok(failed)
}
