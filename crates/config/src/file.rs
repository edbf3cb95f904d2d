//! Files of directives: one a line, `#` for comments, `include` for other files.

use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::{error, ffi, fmt};

use crate::args::{is_space, split_args};
use crate::param::Flags;
use crate::params::lookup;

/// Matches a glob pattern against a name: pattern, name, whether case does not matter.
pub type Glob = fn(pattern: &[u8], text: &[u8], nocase: bool) -> bool;

/// Files that may be included, one inside the other.
const DEPTH_MAX: usize = 16;
/// Files that may be included in all.
const FILES_MAX: usize = 1024;

/// One directive with its arguments.
#[derive(Clone, PartialEq, Eq)]
pub struct Directive {
    /// In lower case.
    pub name: String,
    pub args: Vec<Vec<u8>>,
    /// The line it is on.
    pub text: Vec<u8>,
    pub place: Place,
}

/// Where a directive stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the file, or what stands for one.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: usize,
    pub origin: Origin,
}

/// What kind of text a directive comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file named on the command line.
    File,
    /// A file that another one includes.
    Include,
    StandardInput,
    CommandLine,
}

/// Arguments may be passwords.
impl fmt::Debug for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} arguments at {:?}", self.name, self.args.len(), self.place)
    }
}

impl Directive {
    /// An error that points here.
    pub fn error(&self, message: &str) -> ConfigError {
        ConfigError::at(self.place.clone(), &self.text, message)
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where, and the text there.
    place: Option<(Place, Vec<u8>)>,
    message: String,
}

impl ConfigError {
    /// An error of the configuration as a whole.
    pub fn whole(message: &str) -> Self {
        Self { place: None, message: message.to_string() }
    }

    fn at(place: Place, text: &[u8], message: &str) -> Self {
        let name = text.split(|byte| is_space(*byte)).next().unwrap_or_default();
        let secret = lookup(name).is_some_and(|(_, id)| id.param().flags.has(Flags::SENSITIVE));
        let shown = if secret { [name, b" (redacted)"].concat() } else { text.to_vec() };
        Self { place: Some((place, shown)), message: message.to_string() }
    }

    /// The report for standard error before the server ends; `product` is name and version, which
    /// the peers print there too (`Redis 8.0.2`). Its first line is what tests and scripts look
    /// for.
    pub fn report(&self, product: &str) -> String {
        let mut report = format!("\n*** FATAL CONFIG FILE ERROR ({product}) ***\n");
        if let Some((place, text)) = &self.place {
            let text = String::from_utf8_lossy(text);
            // Writing to a String cannot fail.
            let _infallible = writeln!(
                report,
                "Reading the configuration file, at line {}\nIn {}\n>>> '{text}'",
                place.line, place.file,
            );
        }
        report.push_str(&self.message);
        report.push('\n');
        report
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((place, _)) => write!(f, "{}:{}: {}", place.file, place.line, self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl error::Error for ConfigError {}

/// Splits a text into directives; `include` is one of them and not followed.
///
/// # Errors
/// A line whose quotes do not match.
pub fn parse_file(text: &[u8], file: &str, origin: Origin) -> Result<Vec<Directive>, ConfigError> {
    let file: Arc<str> = file.into();
    let mut directives = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = trim(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let place = Place { file: Arc::clone(&file), line: index + 1, origin };
        let Some(mut words) = split_args(line) else {
            return Err(ConfigError::at(place, line, "Unbalanced quotes in configuration line"));
        };
        if words.is_empty() {
            continue;
        }
        let name = words.remove(0);
        let name = String::from_utf8_lossy(&name).to_ascii_lowercase();
        directives.push(Directive { name, args: words, text: line.to_vec(), place });
    }
    Ok(directives)
}

/// Without blanks at both ends, as Redis trims.
pub(crate) fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let begin = line.iter().position(|byte| !blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !blank(byte)).map_or(begin, |last| last + 1);
    line.get(begin..end).unwrap_or_default()
}

/// Reads files and directories for `include`.
pub trait Files {
    /// The content of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names of the entries of a directory, in any order; none when there is no such directory.
    fn names(&mut self, dir: &Path) -> Vec<ffi::OsString>;
}

/// Puts the directives of included files in the place of each `include`.
///
/// A relative name counts from the working directory, as in Redis. A pattern that matches nothing
/// is no error, a name without a file is one.
///
/// # Errors
/// A file that cannot be read or parsed, includes itself, or lies too deep.
pub fn expand(
    directives: Vec<Directive>,
    files: &mut dyn Files,
    glob: Glob,
) -> Result<Vec<Directive>, ConfigError> {
    let mut expansion = Expansion { files, glob, open: Vec::new(), count: 0, out: Vec::new() };
    expansion.follow(directives)?;
    Ok(expansion.out)
}

struct Expansion<'a> {
    files: &'a mut dyn Files,
    glob: Glob,
    /// The files that are being read, outermost first.
    open: Vec<PathBuf>,
    count: usize,
    out: Vec<Directive>,
}

impl Expansion<'_> {
    fn follow(&mut self, directives: Vec<Directive>) -> Result<(), ConfigError> {
        for directive in directives {
            match directive.args.as_slice() {
                [pattern] if directive.name == "include" => {
                    let pattern = PathBuf::from(ffi::OsStr::from_bytes(pattern));
                    for path in self.matching(&pattern) {
                        self.include(&directive, path)?;
                    }
                }
                _ => self.out.push(directive),
            }
        }
        Ok(())
    }

    fn include(&mut self, directive: &Directive, path: PathBuf) -> Result<(), ConfigError> {
        let shown = path.display().to_string();
        if self.open.contains(&path) || *directive.place.file == *shown {
            return Err(directive.error(&format!("'{shown}' includes itself")));
        }
        self.count += 1;
        if self.open.len() >= DEPTH_MAX || self.count > FILES_MAX {
            return Err(directive.error("Too many included files"));
        }
        let text = self.files.read(&path).map_err(|error| {
            directive.error(&format!("Fatal error, can't open config file '{shown}': {error}"))
        })?;
        let inner = parse_file(&text, &shown, Origin::Include)?;
        self.open.push(path);
        self.follow(inner)?;
        self.open.pop();
        Ok(())
    }

    /// The paths that a pattern stands for, sorted; a path without wildcards stands for itself.
    fn matching(&mut self, pattern: &Path) -> Vec<PathBuf> {
        if !is_pattern(pattern.as_os_str()) {
            return vec![pattern.to_path_buf()];
        }
        let mut paths = vec![PathBuf::new()];
        for part in pattern.components() {
            match part {
                Component::Normal(name) if is_pattern(name) => {
                    let mut next = Vec::new();
                    for dir in paths {
                        let listed = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
                        let mut names = self.files.names(listed);
                        names.retain(|entry| self.fits(name.as_bytes(), entry.as_bytes()));
                        next.extend(names.into_iter().map(|entry| dir.join(entry)));
                    }
                    paths = next;
                }
                _ => paths.iter_mut().for_each(|path| path.push(part)),
            }
        }
        paths.sort_unstable();
        paths
    }

    /// As in a shell, a wildcard does not match a leading dot.
    fn fits(&self, pattern: &[u8], name: &[u8]) -> bool {
        (!name.starts_with(b".") || pattern.starts_with(b".")) && (self.glob)(pattern, name, false)
    }
}

fn is_pattern(name: &ffi::OsStr) -> bool {
    name.as_bytes().iter().any(|byte| b"*?[".contains(byte))
}

/// A path from an argument.
pub(crate) fn path_of(arg: &[u8]) -> PathBuf {
    ffi::OsString::from_vec(arg.to_vec()).into()
}
