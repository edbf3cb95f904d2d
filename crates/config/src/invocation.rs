//! The server's command line, as redis-server reads it.
//!
//! ```text
//! server [FILE] [-] [--NAME VALUE...]... [-]
//! ```
//! The first argument is a file unless it begins with a dash. `--name` begins a directive and what
//! follows is its arguments, up to the next `--name` that comes after at least one argument: so a
//! value may begin with `--` when it is the first. A lone `-` first or last reads directives from
//! standard input. File, then standard input, then command line: the last one counts.

use std::path::PathBuf;

use crate::args::{quote, split_args};
use crate::file::{ConfigError, Directive, Files, Glob, Origin, expand, parse_file, path_of};

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Invocation {
    Serve(Startup),
    /// `-v`, `--version`.
    Version,
    /// `-h`, `--help`.
    Help,
    /// `--test-memory MEGABYTES`; `None` when the size is missing, which is a mistake to report.
    TestMemory(Option<u64>),
    /// `--check-system`.
    CheckSystem,
}

/// What to read for a start, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Startup {
    pub file: Option<PathBuf>,
    pub standard_input: bool,
    /// The options, as directives.
    pub options: Vec<Directive>,
    /// `--sentinel` is among the arguments.
    pub sentinel: bool,
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// Quotes that do not match within an argument such as `--port "6379`.
pub fn parse_arguments(args: &[Vec<u8>]) -> Result<Invocation, ConfigError> {
    let first = args.first().map(Vec::as_slice).unwrap_or_default();
    match first {
        b"-v" | b"--version" => return Ok(Invocation::Version),
        b"-h" | b"--help" => return Ok(Invocation::Help),
        b"--check-system" => return Ok(Invocation::CheckSystem),
        b"--test-memory" => {
            let size = args.get(1).filter(|_| args.len() == 2);
            let size = size.and_then(|size| std::str::from_utf8(size).ok()?.parse().ok());
            return Ok(Invocation::TestMemory(size));
        }
        _ => {}
    }
    let mut startup =
        Startup { sentinel: args.iter().any(|arg| arg == b"--sentinel"), ..Startup::default() };
    let mut rest = args;
    if let [file, options @ ..] = args
        && !file.starts_with(b"-")
    {
        startup.file = Some(path_of(file));
        rest = options;
    }
    let (text, standard_input) = options_as_lines(rest, startup.file.is_none());
    startup.standard_input = standard_input;
    startup.options = parse_file(&text, "the command line", Origin::CommandLine)?;
    Ok(Invocation::Serve(startup))
}

impl Startup {
    /// All directives of the start in their order, those of included files among them, ready for
    /// [`crate::Config::load`]. `standard_input` is its content, when [`Startup::standard_input`]
    /// asks.
    ///
    /// # Errors
    /// A file that cannot be read, or text that is no list of directives.
    pub fn directives(
        &self,
        standard_input: &[u8],
        files: &mut dyn Files,
        glob: Glob,
    ) -> Result<Vec<Directive>, ConfigError> {
        let mut all = Vec::new();
        if let Some(file) = &self.file {
            let shown = file.display().to_string();
            let text = files.read(file).map_err(|error| {
                ConfigError::whole(&format!(
                    "Fatal error, can't open config file '{shown}': {error}"
                ))
            })?;
            all.extend(parse_file(&text, &shown, Origin::File)?);
        }
        if self.standard_input {
            all.extend(parse_file(standard_input, "standard input", Origin::StandardInput)?);
        }
        all.extend_from_slice(&self.options);
        expand(all, files, glob)
    }
}

/// Writes the options as lines of a file, which then are read as such; and whether `-` is among
/// them.
fn options_as_lines(args: &[Vec<u8>], dash_may_be_first: bool) -> (Vec<u8>, bool) {
    let mut text = Vec::new();
    let mut standard_input = false;
    let mut complete = true;
    for (at, arg) in args.iter().enumerate() {
        let next = args.get(at + 1);
        let first = at == 0 && dash_may_be_first;
        if arg == b"-" && (first || next.is_none()) {
            standard_input = true;
        } else if let Some(name) = arg.strip_prefix(b"--")
            && complete
        {
            if !text.is_empty() {
                text.push(b'\n');
            }
            text.extend(name);
            text.push(b' ');
            // `--port 6380` may also come as one argument, which then is complete.
            complete = split_args(arg).is_none_or(|words| words.len() != 1);
            let bare = next.is_none_or(|next| next.starts_with(b"--"));
            if !complete && bare && name.eq_ignore_ascii_case(b"save") {
                // A list made by a script may be empty: `--save` alone means `--save ""`.
                text.extend(b"\"\"");
                complete = true;
            } else if !complete && bare && name.eq_ignore_ascii_case(b"sentinel") {
                complete = true;
            }
        } else {
            quote(arg, &mut text);
            text.push(b' ');
            complete = true;
        }
    }
    (text, standard_input)
}
