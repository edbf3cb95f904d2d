//! The server family: what the server tells about itself and its commands, its configuration, and
//! its end. All of it is the node's; handlers ask it through `Node` and word the answer.
//!
//! COMMAND, ACL CAT and LATENCY HISTOGRAM derive from the table, so that no command is described
//! twice. (DBSIZE, SWAPDB and the flushes are documented here and live with the keys.)

mod acl;
mod command_info;
mod command_list;
mod command_log;
mod config;
mod debug;
mod debug_data;
mod information;
mod latency;
mod lolwut;
mod memory;
mod module;
mod monitor;
mod replication;
mod save;
#[cfg(test)]
mod tests;

use command::{Command, Flags, Group, Handler};

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    acl::ACL,
    save::BGREWRITEAOF,
    save::BGSAVE,
    command_list::COMMAND,
    command_log::COMMANDLOG,
    config::CONFIG,
    debug::DEBUG,
    replication::FAILOVER,
    information::INFO,
    save::LASTSAVE,
    latency::LATENCY,
    lolwut::LOLWUT,
    memory::MEMORY,
    module::MODULE,
    monitor::MONITOR,
    replication::PSYNC,
    replication::REPLCONF,
    replication::REPLICAOF,
    information::ROLE,
    save::SAVE,
    information::SHUTDOWN,
    replication::SLAVEOF,
    command_log::SLOWLOG,
    replication::SYNC,
    information::TIME,
];

/// What nearly all of the family have in common.
const fn node(name: &'static str, handler: Handler, arity: i16) -> Command {
    Command::node(name, handler).group(Group::Server).arity(arity).complexity("O(1)")
}

/// A command that is nothing but its subcommands.
const fn container(name: &'static str, subcommands: &'static [Command]) -> Command {
    Command::container(name, subcommands).group(Group::Server).complexity("That of the subcommand")
}

/// HELP of a container.
const fn help_row(handler: Handler, since: &'static str) -> Command {
    node("HELP", handler, 2).since(since).flags(CALM).summary("Lists the subcommands.")
}

/// While loading and with stale data too.
const CALM: Flags = Flags::LOADING.or(Flags::STALE);
/// As `CALM`, for operators, and not from scripts.
const OPERATOR: Flags = CALM.or(Flags::ADMIN).or(Flags::NOSCRIPT);
const ON_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
