//! The core command families, one folder or file each: the rows of the command table beside their
//! handlers. Families do not see each other.

mod connection;
mod generic;
mod server;
mod string;
#[cfg(test)]
mod tests;

use command::Command;

/// The rows of all families.
#[rustfmt::skip] // One line each.
pub const FAMILIES: &[&[Command]] = &[
    string::COMMANDS,
    connection::COMMANDS,
    server::COMMANDS,
    generic::COMMANDS,
];
