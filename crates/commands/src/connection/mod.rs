//! The connection family: what a client says about itself and its connection, and what operators
//! ask of the connections of others.
//!
//! A connection's own state is its `Session`; what others may see of it is its `Card`. A handler
//! here changes only its own session. Another worker's connection is reached by its card alone: to
//! kill it, its card is flagged and its task woken.

mod auth;
mod client;
mod filter;
mod line;
mod list;
mod pause;
mod session;
#[cfg(test)]
mod tests;
mod tracking;

use command::{Command, Flags, Group, Handler};

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    auth::AUTH,
    client::CLIENT,
    session::ECHO,
    auth::HELLO,
    session::PING,
    session::QUIT,
    session::RESET,
    session::SELECT,
];

/// What nearly all of the family have in common.
const fn conn(name: &'static str, handler: Handler, arity: i16) -> Command {
    Command::conn(name, handler)
        .group(Group::Connection)
        .arity(arity)
        .flags(ANY_TIME)
        .complexity("O(1)")
}

/// Not from scripts; while loading and with stale data too.
const ANY_TIME: Flags = Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE);
/// As `ANY_TIME`, for operators.
const OPERATOR: Flags = ANY_TIME.or(Flags::ADMIN);
/// Before the client has authenticated, and while a script runs too long.
const FIRST: Flags = ANY_TIME.or(Flags::FAST).or(Flags::NO_AUTH).or(Flags::ALLOW_BUSY);
