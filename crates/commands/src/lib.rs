//! The core command families, one folder or file each: the rows of the command table beside their
//! handlers. Families do not see each other.

mod array;
mod bitmap;
mod cluster;
mod connection;
mod dump;
mod element;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod list;
mod pubsub;
mod scripting;
mod server;
mod set;
mod sort;
mod stream;
mod string;
#[cfg(test)]
mod tests;
mod transactions;
mod zset;

use command::Command;

/// The rows of all families.
#[rustfmt::skip] // One line each.
pub const FAMILIES: &[&[Command]] = &[
    string::COMMANDS,
    list::COMMANDS,
    set::COMMANDS,
    hash::COMMANDS,
    zset::COMMANDS,
    stream::COMMANDS,
    array::COMMANDS,
    bitmap::COMMANDS,
    hyperloglog::COMMANDS,
    geo::COMMANDS,
    sort::COMMANDS,
    dump::COMMANDS,
    transactions::COMMANDS,
    pubsub::COMMANDS,
    scripting::COMMANDS,
    connection::COMMANDS,
    server::COMMANDS,
    generic::COMMANDS,
    cluster::COMMANDS,
];
