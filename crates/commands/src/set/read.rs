//! Looking at one set.

use super::{LOOK, READ, reply_members};
use command::grammar::{integer, key, pattern, string};
use command::scan::{ElementScan, Words};
use command::{Args, Command, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;
use types::View as _;
use types::listpack::Digits;
use types::set::Set;

pub(super) const SCARD: Command = Command::data("SCARD", scard)
    .group(Group::Set)
    .since("1.0.0")
    .arity(2)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(LOOK)
    .args(&[key("key")])
    .summary("Answers how many members a set has.")
    .complexity("O(1)");

pub(super) const SISMEMBER: Command = Command::data("SISMEMBER", sismember)
    .group(Group::Set)
    .since("1.0.0")
    .arity(3)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(LOOK)
    .args(&[key("key"), string("member")])
    .summary("Answers whether a set has a member.")
    .complexity("O(1)");

pub(super) const SMISMEMBER: Command = Command::data("SMISMEMBER", smismember)
    .group(Group::Set)
    .since("6.2.0")
    .arity(-3)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key"), string("member").many()])
    .summary("Answers of several members whether a set has them.")
    .complexity("O(1) for each member");

pub(super) const SMEMBERS: Command = Command::data("SMEMBERS", smembers)
    .group(Group::Set)
    .since("1.0.0")
    .arity(2)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key")])
    .summary("Answers all members of a set.")
    .complexity("O(N), N the members")
    .tips(&["nondeterministic_output_order"]);

pub(super) const SSCAN: Command = Command::data("SSCAN", sscan)
    .group(Group::Set)
    .since("2.8.0")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        integer("cursor").samples(&["0"]),
        pattern("pattern").token("MATCH").optional(),
        integer("count").token("COUNT").optional().samples(&["1", "10", "1000"]),
    ])
    .summary("Answers some members of a set, and where to go on.")
    .complexity("O(COUNT) for a call; O(N) for a whole walk over N members")
    .tips(&["nondeterministic_output"]);

fn scard(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    reply.count(cx.db.read::<Set>(&key)?.map_or(0, |set| set.len()));
    Ok(Effect::None)
}

fn sismember(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let member = args.bytes()?;
    let set = cx.db.read::<Set>(&key)?;
    reply.integer(set.is_some_and(|set| set.contains(member)).into());
    Ok(Effect::None)
}

fn smismember(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let members = args.rest();
    let set = cx.db.read::<Set>(&key)?;
    reply.array(members.len());
    for member in members {
        reply.integer(set.is_some_and(|set| set.contains(*member)).into());
    }
    Ok(Effect::None)
}

fn smembers(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    match cx.db.read::<Set>(&key)? {
        Some(set) => *cx.later = reply_members(reply, set),
        None => reply.set(0),
    }
    Ok(Effect::None)
}

fn sscan(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let cursor = args.cursor()?;
    let mut words = Words::default();
    // A missing key is told before the options are looked at.
    let Some(set) = cx.db.read::<Set>(&key)? else {
        words.reply_from(0, reply);
        return Ok(Effect::None);
    };
    let scan = ElementScan::parse(args, None)?;
    let mut digits = Digits::default();
    let next = set.scan(cursor, scan.count, |member| {
        let text = member.text(&mut digits);
        if scan.matches(text) {
            words.push(text);
        }
    });
    words.reply_from(next, reply);
    Ok(Effect::None)
}
