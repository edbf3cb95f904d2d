//! The style guide that runs: what can be checked is checked, and each message says what to do.
//!
//! Three families of checks: `layers` (who may depend on whom), `sources` (sizes, words, file
//! heads, the one caller of handlers) and `documents` (promises, pages, change log, leaks). All
//! work on the list of files that git tracks or would track.

pub(crate) mod documents;
pub(crate) mod layers;
pub(crate) mod sources;

use crate::Result;
use crate::project::Project;

/// Collects what is wrong, so that one run tells all.
#[derive(Default)]
pub(crate) struct Findings {
    found: Vec<String>,
}

impl Findings {
    pub(crate) fn add(&mut self, place: &str, message: &str) {
        self.found.push(format!("{place}: {message}"));
    }
}

/// A tracked text file, read once.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        self.name.ends_with(".rs")
    }
}

/// `tidy`.
pub(crate) fn verb(project: &Project, args: &[String]) -> Result<()> {
    if !args.is_empty() {
        return Err("takes no arguments".into());
    }
    let mut findings = Findings::default();
    let sources = read_all(project, &mut findings)?;
    layers::check(project, &mut findings)?;
    sources::check(&sources, &mut findings);
    documents::check(project, &sources, &mut findings)?;
    for finding in &findings.found {
        println!("tidy: {finding}");
    }
    match findings.found.len() {
        0 => {
            println!("tidy: {} files are in order", sources.len());
            Ok(())
        }
        count => Err(format!("{count} findings")),
    }
}

const BLOB_BYTES_MAX: u64 = 256 << 10;

fn read_all(project: &Project, findings: &mut Findings) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for name in project.files()? {
        let path = project.root.join(&name);
        let size_bytes = path.metadata().map_err(|e| format!("{name}: {e}"))?.len();
        if size_bytes > BLOB_BYTES_MAX {
            findings.add(&name, "over 256 KiB; generate it, fetch it, or split it");
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|e| format!("{name}: {e}"))?;
        // What is not text, such as a fuzz corpus, is only held to its size.
        if let Ok(text) = String::from_utf8(bytes)
            && !name.starts_with("fuzz/corpus/")
        {
            sources.push(Source { name, text });
        }
    }
    Ok(sources)
}
