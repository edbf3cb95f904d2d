//! Scripts and functions: the rows of what runs them, and the commands that keep their texts. How a
//! script runs (locks, effects, limits) is the engine's (`engine::script`); what it can do is the
//! machine's (crate `script`).

mod eval;
mod function;
mod job;
mod load;
mod script;

use command::{Command, Flags, Group, Handler};

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    eval::EVAL,
    eval::EVALSHA,
    eval::EVALSHA_RO,
    eval::EVAL_RO,
    eval::FCALL,
    eval::FCALL_RO,
    function::FUNCTION,
    job::KEYDB_CRON,
    script::SCRIPT,
];

/// A subcommand that is not about keys.
const fn node(name: &'static str, handler: Handler, arity: i16) -> Command {
    Command::node(name, handler)
        .group(Group::Scripting)
        .arity(arity)
        .flags(Flags::NOSCRIPT)
        .complexity("O(1)")
}

/// HELP of a container.
const fn help_row(handler: Handler, since: &'static str) -> Command {
    node("HELP", handler, 2)
        .since(since)
        .flags(Flags::LOADING.or(Flags::STALE))
        .summary("Lists the subcommands.")
}
