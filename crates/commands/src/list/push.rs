//! Putting elements in: at the ends, beside others, in the place of others.

use super::{INSERT, limits, pushed, resolve};
use command::grammar::{integer, key, one_of, string, word};
use command::{
    Args, Argument, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome,
};
use keyspace::Event;
use resp::Reply;
use types::View as _;
use types::list::{End, List};

const PUSH_ARGS: &[Argument] = &[key("key"), string("element").many()];

const fn push_row(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::List)
        .arity(-3)
        .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
        .keys(INSERT)
        .args(PUSH_ARGS)
        .complexity("O(N), N elements put in")
}

pub(super) const LPUSH: Command = push_row("LPUSH", lpush)
    .since("1.0.0")
    .summary("Puts elements before all others of a list, which is made if it is not there.")
    .history(&[("2.4.0", "Takes several elements.")]);

pub(super) const RPUSH: Command = push_row("RPUSH", rpush)
    .since("1.0.0")
    .summary("Puts elements behind all others of a list, which is made if it is not there.")
    .history(&[("2.4.0", "Takes several elements.")]);

pub(super) const LPUSHX: Command = push_row("LPUSHX", lpushx)
    .since("2.2.0")
    .summary("Puts elements before all others of a list, if there is one.")
    .history(&[("4.0.0", "Takes several elements.")]);

pub(super) const RPUSHX: Command = push_row("RPUSHX", rpushx)
    .since("2.2.0")
    .summary("Puts elements behind all others of a list, if there is one.")
    .history(&[("4.0.0", "Takes several elements.")]);

pub(super) const LINSERT: Command = Command::data("LINSERT", linsert)
    .group(Group::List)
    .since("2.2.0")
    .arity(5)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(INSERT)
    .args(&[
        key("key"),
        one_of("where", &[word("before", "BEFORE"), word("after", "AFTER")]),
        string("pivot"),
        string("element"),
    ])
    .summary("Puts an element before or after another one of a list.")
    .complexity("O(N), N elements before the pivot");

pub(super) const LSET: Command = Command::data("LSET", lset)
    .group(Group::List)
    .since("1.0.0")
    .arity(4)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))])
    .args(&[key("key"), integer("index"), string("element")])
    .summary("Replaces an element of a list by its index.")
    .complexity("O(log N), N the length of the list");

fn lpush(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    push(cx, args, reply, End::Front)
}

fn rpush(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    push(cx, args, reply, End::Back)
}

fn lpushx(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    push_existing(cx, args, reply, End::Front)
}

fn rpushx(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    push_existing(cx, args, reply, End::Back)
}

fn push(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply, end: End) -> Outcome {
    let key = args.key()?;
    let elements = args.rest();
    let limits = limits(cx);
    let mut list = cx.db.write_or_new::<List>(&key)?;
    let len = list.edit(pushed(end), |list| list.push(end, elements.iter().copied(), limits));
    reply.count(len);
    Ok(Effect::Same)
}

fn push_existing(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply, end: End) -> Outcome {
    let key = args.key()?;
    let elements = args.rest();
    let limits = limits(cx);
    let Some(mut list) = cx.db.write::<List>(&key)? else {
        reply.integer(0);
        return Ok(Effect::None);
    };
    let len = list.edit(pushed(end), |list| list.push(end, elements.iter().copied(), limits));
    reply.count(len);
    Ok(Effect::Same)
}

fn linsert(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let behind = if args.token("AFTER") {
        1
    } else if args.token("BEFORE") {
        0
    } else {
        return Err(CommandError::Syntax);
    };
    let (pivot, element) = (args.bytes()?, args.bytes()?);
    let limits = limits(cx);
    let Some(mut list) = cx.db.write::<List>(&key)? else {
        reply.integer(0);
        return Ok(Effect::None);
    };
    let Some(at) = list.view().position(pivot) else {
        reply.integer(-1);
        return Ok(Effect::None);
    };
    list.edit(Event::list("linsert"), |list| list.insert(at + behind, element, limits));
    reply.count(list.view().len());
    Ok(Effect::Same)
}

fn lset(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let limits = limits(cx);
    // Whether there is a list is told before the index is looked at.
    let mut list = cx.db.write::<List>(&key)?.ok_or(CommandError::NoSuchKey)?;
    let index = resolve(args.integer()?, list.view().len());
    let element = args.bytes()?;
    let index = usize::try_from(index).map_err(|_| CommandError::IndexOutOfRange)?;
    if !list.edit(Event::list("lset"), |list| list.set(index, element, limits)) {
        return Err(CommandError::IndexOutOfRange);
    }
    reply.ok();
    Ok(Effect::Same)
}
