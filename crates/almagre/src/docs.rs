//! `almagre docs`: the text that documentation is generated from, so that it cannot differ from
//! the program.

use std::io::Write;
use std::process::ExitCode;

/// `docs commands`: a line per command, `FULL NAME<TAB>page`. `docs configuration`: the table of
/// parameters. `docs sample`: a configuration file.
pub(crate) fn run(args: &[Vec<u8>]) -> ExitCode {
    let text = match args.first().map(Vec::as_slice) {
        Some(b"commands") => commands(),
        Some(b"configuration") => config::markdown(),
        Some(b"sample") => config::sample(),
        _ => return crate::complain("docs: one of commands, configuration, sample"),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn commands() -> String {
    let mut text = String::new();
    let mut add = |name: &str, group: command::Group| {
        text.push_str(&format!("{name}\t{}\n", group.name()));
    };
    for row in commands::FAMILIES.iter().flat_map(|family| family.iter()) {
        add(row.name, row.group);
        for sub in row.subcommands {
            add(&format!("{} {}", row.name, sub.name), row.group);
        }
    }
    text
}
