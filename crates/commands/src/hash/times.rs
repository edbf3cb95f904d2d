//! When fields expire: HTTL and its kin.

use super::{FIELDS, READ};
use command::grammar::{Argument, key};
use command::{Args, Command, Cx, Flags, Group, Handler, Outcome, element_expiry};
use resp::Reply;
use types::hash::Hash;

const ARGS: &[Argument] = &[key("key"), FIELDS];

const fn timer(name: &'static str, handler: Handler) -> Command {
    Command::data(name, handler)
        .group(Group::Hash)
        .since("7.4.0")
        .arity(-5)
        .flags(Flags::READONLY.or(Flags::FAST))
        .keys(READ)
        .args(ARGS)
        .complexity("O(N), N fields asked for")
}

pub(super) const HTTL: Command = timer("HTTL", httl)
    .summary("Answers in how many seconds fields of a hash expire.")
    .tips(&["nondeterministic_output"]);

pub(super) const HPTTL: Command = timer("HPTTL", hpttl)
    .summary("Answers in how many milliseconds fields of a hash expire.")
    .tips(&["nondeterministic_output"]);

pub(super) const HEXPIRETIME: Command = timer("HEXPIRETIME", hexpiretime)
    .summary("Answers the Unix times in seconds at which fields of a hash expire.");

pub(super) const HPEXPIRETIME: Command = timer("HPEXPIRETIME", hpexpiretime)
    .summary("Answers the Unix times in milliseconds at which fields of a hash expire.");

fn httl(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::times::<Hash>(cx, args, reply, |at| {
        element_expiry::seconds(at.saturating_sub(now_ms))
    })
}

fn hpttl(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::times::<Hash>(cx, args, reply, |at| at.saturating_sub(now_ms))
}

fn hexpiretime(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::times::<Hash>(cx, args, reply, element_expiry::seconds)
}

fn hpexpiretime(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::times::<Hash>(cx, args, reply, |at| at)
}
