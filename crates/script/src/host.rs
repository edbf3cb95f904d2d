//! What a script can reach: its host.

use resp::Reply;
use std::time::Duration;

/// The levels of `redis.log`, with their numbers in Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Debug = 0,
    Verbose = 1,
    Notice = 2,
    Warning = 3,
}

/// The answer to an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    Continue,
    /// End the script with this error, such as `Script killed by user with SCRIPT KILL.`; nothing in
    /// the script can catch it. Without a code of its own (`-CODE text`) it gets `ERR`.
    Kill(&'static str),
}

/// The answer to `redis.acl_check_cmd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandCheck {
    Allowed,
    Denied,
    /// No such command.
    Unknown,
}

/// The world around a running script. Each method is called on the thread that runs it, between two
/// of its steps; none of them may use the same [`crate::Vm`].
pub trait Host {
    /// Runs one command (`words[0]` is its name, there is at least one word) and writes exactly one
    /// reply, an error too; or none, where the script is to end: then [`Host::interrupt`] says so. `reply` is empty; its protocol is RESP2 unless the script called
    /// `redis.setresp(3)`.
    ///
    /// Errors of the command and errors about it (unknown, not allowed, denied) are written alike, with
    /// their code: the script gets them as `{err = "CODE text"}` from `redis.pcall`, and raised from
    /// `redis.call`. The host counts them.
    fn call(&mut self, words: &[&[u8]], reply: &mut Reply);

    /// `redis.log`; what its level hides is the host's to drop.
    fn log(&mut self, level: LogLevel, message: &[u8]);

    /// `redis.set_repl`: whether what follows goes to the append-only file and to replicas.
    fn set_repl(&mut self, aof: bool, replicas: bool);

    /// `redis.acl_check_cmd`: may the user who runs the script run this command?
    fn check_command(&mut self, words: &[&[u8]]) -> CommandCheck;

    /// Asked again and again while the script runs: after at most [`crate::Limits::steps_per_pulse`]
    /// instructions, or as much work in a library function, and never within [`Host::call`].
    fn interrupt(&mut self) -> Pulse;

    /// The processor time that this process has used, or any clock that does not run backwards:
    /// `os.clock`, and how often [`Host::interrupt`] is asked when steps are slow.
    fn clock(&mut self) -> Duration;
}
