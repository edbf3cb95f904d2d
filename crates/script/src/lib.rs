//! Scripts: a Lua 5.1 machine per worker behind one small interface, with limits, and the libraries
//! that Redis offers.
//!
//! ```text
//!   engine ── Vm::run(sha, keys, args, host, reply) ──> Lua ── redis.call ──> Host::call ──> engine
//!                                                        │                     │ reply, as RESP
//!                                                        └── values <──────────┘
//! ```
//!
//! - [`Vm`] holds compiled scripts and libraries of functions, and runs one at a time. It belongs to
//!   one worker; it is `Send`, not `Sync`.
//! - [`Host`] is all that a script can reach: commands, the log, the interrupt.
//! - [`Debugger`] is a session of the script debugger, which runs a script again for each command.
//! - [`Header`] is the first line of a script or library (`#!lua name=mylib flags=no-writes`).
//!
//! What a script sees is that of Redis 7.2 and later, which is also Valkey 8: the same globals, error texts, number
//! formats and conversions. **Nothing here knows a key, a lock, a clock or a file.** A script gets at
//! nothing but its own values and its host, is stopped by the host's [`Host::interrupt`], which no
//! `pcall` can hold back, and lives within [`Limits`].
//!
//! The machine is PUC Lua 5.1.5; `docs/decisions/2026-11-21-scripting.md` says why. Of its C code only
//! the core is linked in: every library function is Rust, and the module `machine` is the only one that
//! touches the C interface.

mod convert;
mod debugger;
mod error;
mod header;
mod host;
mod libs;
mod machine;
mod vm;

pub use debugger::Debugger;
pub use error::{CompileError, ScriptError};
pub use header::{Flags, Header};
pub use host::{CommandCheck, Host, LogLevel, Pulse};
pub use vm::{Ended, Function, LibraryId, Limits, Sha, Vm};

/// The version of Redis whose commands and replies we follow: the feature checks of clients and of
/// scripts read it.
pub const REDIS_VERSION: &str = "8.4.0";

/// The same of Valkey, as far as one can say that of a server which is Redis.
pub const VALKEY_VERSION: &str = "8.1.1";
