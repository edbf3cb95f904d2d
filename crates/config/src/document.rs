//! The list as a sample configuration and as tables of the manual.

use std::fmt::Write as _;

use crate::param::{Effect, Flags, Kind, Param, Source, Theme, Unit};
use crate::params::PARAMS;
use crate::value::plain;

/// A configuration file that sets nothing: every parameter stands in it as a comment, at its
/// default, below what it is.
pub fn sample() -> String {
    let mut out = String::from(
        "# Almagre configuration: every parameter at its default.\n\
         #\n\
         # One directive a line: a name, then its arguments. Quote an argument that holds blanks.\n\
         # Amounts of memory: 1k is 1000 bytes, 1kb is 1024, likewise m, mb, g, gb.\n\
         # Later lines win over earlier ones, the command line wins over this file.\n",
    );
    for theme in Theme::ALL {
        push(&mut out, format_args!("\n# ---- {} ----\n", theme.title()));
        for param in shown(*theme) {
            push(&mut out, format_args!("\n# {}\n", param.summary));
            push(&mut out, format_args!("# Takes {}.", takes(param)));
            if let Effect::None(why) = param.effect {
                push(&mut out, format_args!(" No effect: {why}."));
            }
            if !param.flags.has(Flags::FILE_ONLY) {
                push(&mut out, format_args!("\n# {} {}", param.name, default(param)));
            }
            out.push('\n');
        }
    }
    out
}

/// The tables of `docs/operations/configuration.md`: a section a theme.
pub fn markdown() -> String {
    let mut out = String::new();
    for theme in Theme::ALL {
        push(&mut out, format_args!("\n### {}\n\n", theme.title()));
        out.push_str("| name | takes | default | what it does |\n|---|---|---|---|\n");
        for param in shown(*theme) {
            let names = std::iter::once(&param.name).chain(param.aliases);
            let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            let (names, takes) = (names.join("<br>"), takes(param));
            let default = match param.flags.has(Flags::FILE_ONLY) {
                true => String::new(),
                false => format!("`{}`", default(param)),
            };
            push(&mut out, format_args!("| {names} | {takes} | {default} | {}", param.summary));
            out.push_str(&remarks(param));
            out.push_str(" |\n");
        }
    }
    out
}

/// The rows of a theme, sorted; hidden ones are in the manual too.
fn shown(theme: Theme) -> Vec<&'static Param> {
    let mut rows: Vec<&Param> = PARAMS.iter().filter(|param| param.theme == theme).collect();
    rows.sort_unstable_by_key(|param| param.name);
    rows
}

/// The default as a file would hold it.
fn default(param: &Param) -> String {
    match param.kind {
        Kind::Text | Kind::Optional => {
            let word = plain(param.default.as_bytes());
            String::from_utf8_lossy(&word).into_owned()
        }
        _ => param.default.into(),
    }
}

fn remarks(param: &Param) -> String {
    let mut out = String::new();
    if param.flags.has(Flags::IMMUTABLE) && !param.flags.has(Flags::FILE_ONLY) {
        out.push_str(" Only at start.");
    }
    if param.flags.has(Flags::PROTECTED) {
        out.push_str(" Protected.");
    }
    if param.flags.has(Flags::HIDDEN) {
        out.push_str(" Hidden.");
    }
    match param.source {
        Source::Both => {}
        Source::Redis => out.push_str(" From Redis."),
        Source::Valkey => out.push_str(" From Valkey."),
        Source::Almagre => out.push_str(" Almagre's own."),
    }
    if let Effect::None(why) = param.effect {
        push(&mut out, format_args!(" **No effect**: {why}."));
    }
    out
}

/// What values a parameter takes, in words.
fn takes(param: &Param) -> String {
    match param.kind {
        Kind::Bool => "yes or no".into(),
        Kind::Int { min, max, unit } => {
            let what = match unit {
                Unit::Count => "a number",
                Unit::Percent => "percent",
                Unit::Seconds => "seconds",
                Unit::Milliseconds => "milliseconds",
                Unit::Microseconds => "microseconds",
                Unit::Hertz => "times a second",
                Unit::Bytes => "bytes",
                Unit::Memory => "memory",
                Unit::MemoryOrPercent => return "memory, or a percentage of maxmemory".into(),
                Unit::Mode => return format!("an octal mode, {min:o} to {max:o}"),
            };
            if max >= i128::from(i32::MAX) {
                if min <= -i128::from(i32::MAX) {
                    return what.into();
                }
                return format!("{what}, {min} or more");
            }
            format!("{what}, {min} to {max}")
        }
        Kind::Choice(words) => words_of(words),
        Kind::Set(words) => format!("one or more of {}", words_of(words)),
        Kind::Events => "letters of Ag$lshzxeKEtmdanocSTIV".into(),
        Kind::Text | Kind::Optional => "text".into(),
        Kind::Words { .. } => "words".into(),
        Kind::Primary => "host and port, or no one".into(),
        Kind::Save => "pairs of seconds and changes".into(),
        Kind::OutputLimits => "class, hard limit, soft limit, soft seconds".into(),
        Kind::OomScores => "three numbers, -2000 to 2000".into(),
        Kind::Percentiles => "numbers, 0 to 100".into(),
        Kind::Lines { .. } => "arguments of its own".into(),
    }
}

fn words_of(words: &[(&str, u32)]) -> String {
    words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _infallible = out.write_fmt(text);
}
