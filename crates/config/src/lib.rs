//! The parameters of the server: one list of them, and everything that is derived from it.
//!
//! [`PARAMS`] names every parameter with its kind, range, default and what it does here. The parser
//! of redis.conf files and command lines, CONFIG GET, SET and REWRITE, the sample configuration and
//! the tables of the manual read that list and nothing else; **to add a parameter, add a row** in
//! `params/<theme>.rs`.
//!
//! The crate is pure. It opens no file (a [`Files`] reads for it), applies nothing (CONFIG SET
//! calls a hook for each changed parameter and takes everything back when one fails) and holds no
//! lock: the owner of the one [`Config`] decides who sees a change when, and may watch
//! [`Config::generation`].
//!
//! Text is bytes throughout: passwords and paths need not be UTF-8, and a comment in a legacy
//! encoding must survive CONFIG REWRITE.

mod args;
mod change;
mod config;
mod document;
mod file;
mod invocation;
mod memory;
mod param;
mod params;
mod rewrite;
mod value;

#[cfg(test)]
mod tests;

pub use args::{quote, split_args};
pub use change::{Apply, Caller, SetError, is_sensitive};
pub use config::Config;
pub use document::{markdown, sample};
pub use file::{ConfigError, Directive, Files, Glob, Origin, Place, expand, parse_file};
pub use invocation::{Invocation, Startup, parse_arguments};
pub use memory::{format_memory, parse_memory};
pub use param::{Effect, Flags, Kind, Param, ParamId, Source, Theme, Unit};
pub use params::{DEPRECATED, PARAMS, id, lookup};
pub use rewrite::{Generated, Scope, rewrite};
pub use value::{Limit, OutputLimit, SavePoint, Value, events};
