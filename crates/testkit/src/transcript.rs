//! Sessions written down: commands and what `redis-cli` prints, as in the blocks of
//! `docs/commands/`.
//!
//! ```text
//! > SET k v              a command
//! OK                     what it prints; "..." stands for any text within a line,
//! ...                    and, on a line of its own, for any lines
//! # differs: why         the next command answers otherwise elsewhere
//! # wait: 100 ms         time goes by
//! ```

use resp::Value;
use std::fmt;

/// One step of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Command {
        line: String,
        expect: String,
        /// Why other servers answer otherwise.
        differs: Option<String>,
        /// Position in the text, from 1.
        at: usize,
    },
    /// Milliseconds.
    Wait(i64),
}

/// A session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    pub steps: Vec<Step>,
}

/// A text that is no session: its line, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub usize, pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.0, self.1)
    }
}

impl std::error::Error for Malformed {}

impl Transcript {
    /// Reads a session whose first line is number `first` of its file.
    pub fn parse(text: &str, first: usize) -> Result<Self, Malformed> {
        let mut steps = Vec::new();
        let mut differs = None;
        for (at, line) in text.lines().enumerate().map(|(index, line)| (first + index, line)) {
            if let Some(command) = line.strip_prefix("> ") {
                let (line, expect, differs) = (command.to_owned(), String::new(), differs.take());
                steps.push(Step::Command { line, expect, differs, at });
            } else if let Some(why) = line.strip_prefix("# differs") {
                differs = Some(why.trim_start_matches(':').trim().to_owned());
            } else if let Some(span) = line.strip_prefix("# wait:") {
                let span = span.trim().strip_suffix("ms").map(str::trim);
                let millis = span.and_then(|span| span.parse().ok());
                steps.push(Step::Wait(millis.ok_or(Malformed(at, "# wait: N ms"))?));
            } else if let Some(Step::Command { expect, .. }) = steps.last_mut() {
                if !expect.is_empty() {
                    expect.push('\n');
                }
                expect.push_str(line);
            } else {
                return Err(Malformed(at, "output before the first command"));
            }
        }
        Ok(Self { steps })
    }
}

/// The words of a command line, quoted as in redis-cli.
///
/// # Panics
/// If its quotes are unbalanced: a mistake in the test.
pub fn words(line: &str) -> Vec<Vec<u8>> {
    resp::split_line(line.as_bytes()).unwrap_or_else(|| panic!("unbalanced quotes: {line}"))
}

/// Whether `printed` is what `expect` says.
pub fn matches(expect: &str, printed: &str) -> bool {
    let expect: Vec<&str> = expect.lines().map(str::trim_end).collect();
    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    lines_match(&expect, &printed)
}

fn lines_match(expect: &[&str], printed: &[&str]) -> bool {
    match expect.split_first() {
        None => printed.is_empty(),
        Some((&"...", rest)) => (0..=printed.len()).any(|skip| lines_match(rest, &printed[skip..])),
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| line_matches(line, first) && lines_match(rest, others)),
    }
}

fn line_matches(expect: &str, line: &str) -> bool {
    match expect.split_once("...") {
        None => expect == line,
        Some((head, tail)) => line.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|at| rest.is_char_boundary(*at))
                .any(|at| line_matches(tail, &rest[at..]))
        }),
    }
}

/// What a RESP3 reply is to a RESP2 client.
pub fn to_resp2(value: Value) -> Value {
    let all = |items: Vec<Value>| Value::Array(items.into_iter().map(to_resp2).collect());
    match value {
        Value::Array(items) | Value::Set(items) | Value::Push(items) => all(items),
        Value::Map(pairs) => all(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()),
        Value::Double(text) | Value::BigNumber(text) | Value::Verbatim(_, text) => {
            Value::Bulk(text)
        }
        Value::Boolean(value) => Value::Integer(i64::from(value)),
        Value::NullArray => Value::Null,
        Value::Attribute(_, value) => to_resp2(*value),
        other => other,
    }
}

/// A page's blocks: the line of each block's first line, from 1, and the block.
pub type Pages<'a> = Vec<(usize, &'a str)>;

/// The blocks fenced as `redis` in a page.
pub fn blocks(page: &str) -> Pages<'_> {
    let mut found = Vec::new();
    let (mut at, mut line, mut open) = (0, 1, None);
    for text in page.split_inclusive('\n') {
        match (open, text.trim_end()) {
            (None, "```redis") => open = Some((line + 1, at + text.len())),
            (Some((first, start)), "```") => {
                found.push((first, &page[start..at]));
                open = None;
            }
            _ => {}
        }
        at += text.len();
        line += 1;
    }
    found
}
