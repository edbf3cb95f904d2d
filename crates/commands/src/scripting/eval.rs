//! EVAL, EVALSHA, FCALL and their read-only kin: rows only, as the engine runs scripts.

use command::grammar::{Argument, integer, key, string};
use command::{Command, Flags, Group, KeyFlags, KeySpec, ScriptCall};

pub(super) const EVAL: Command = writing("EVAL", ScriptCall::Source, SCRIPT_ARGS)
    .since("2.6.0")
    .summary("Runs a script in Lua.");
pub(super) const EVAL_RO: Command = reading("EVAL_RO", ScriptCall::Source, SCRIPT_ARGS)
    .summary("Runs a script in Lua that may not write.");
pub(super) const EVALSHA: Command = writing("EVALSHA", ScriptCall::Sha, SHA_ARGS)
    .since("2.6.0")
    .summary("Runs a script that the server knows, by the SHA-1 of its text.");
pub(super) const EVALSHA_RO: Command = reading("EVALSHA_RO", ScriptCall::Sha, SHA_ARGS).summary(
    "Runs a script that the server knows and that may not write, by the SHA-1 of its text.",
);
pub(super) const FCALL: Command = writing("FCALL", ScriptCall::Function, FUNCTION_ARGS)
    .since("7.0.0")
    .summary("Calls a function of a library.");
pub(super) const FCALL_RO: Command = reading("FCALL_RO", ScriptCall::Function, FUNCTION_ARGS)
    .summary("Calls a function of a library that may not write.");

const SCRIPT_ARGS: &[Argument] = &[string("script").samples(SCRIPTS), NUMBER, KEYS, ARGS];
const SHA_ARGS: &[Argument] = &[string("sha1"), NUMBER, KEYS, ARGS];
const FUNCTION_ARGS: &[Argument] = &[string("function"), NUMBER, KEYS, ARGS];

const NUMBER: Argument = integer("numkeys").samples(&["0", "1", "2"]);
const KEYS: Argument = key("key").optional().many();
const ARGS: Argument = string("arg").optional().many();

/// For the generator of requests.
const SCRIPTS: &[&str] = &[
    "return {KEYS, ARGV}",
    "return redis.call('type', KEYS[1])",
    "return redis.pcall('incr', KEYS[1])",
    "return redis.call('set', KEYS[1], ARGV[1] or 'x')",
];

const COMMON: Flags = Flags::NOSCRIPT
    .or(Flags::SKIP_MONITOR)
    .or(Flags::NO_MANDATORY_KEYS)
    .or(Flags::STALE)
    .or(Flags::MOVABLE_KEYS);

const fn row(name: &'static str, call: ScriptCall, args: &'static [Argument]) -> Command {
    Command::script(name, call)
        .group(Group::Scripting)
        .arity(-3)
        .args(args)
        .complexity("That of the script")
}

const fn writing(name: &'static str, call: ScriptCall, args: &'static [Argument]) -> Command {
    const KEYS: &[KeySpec] =
        &[KeySpec::counted(2, 1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))
            .notes("What the script does to its keys is not known: the worst is assumed.")];
    row(name, call, args).flags(COMMON.or(Flags::MAY_REPLICATE)).keys(KEYS)
}

const fn reading(name: &'static str, call: ScriptCall, args: &'static [Argument]) -> Command {
    const KEYS: &[KeySpec] = &[KeySpec::counted(2, 1, KeyFlags::RO.or(KeyFlags::ACCESS))
        .notes("What the script does to its keys is not known: the worst is assumed.")];
    row(name, call, args).since("7.0.0").flags(COMMON.or(Flags::READONLY)).keys(KEYS)
}
