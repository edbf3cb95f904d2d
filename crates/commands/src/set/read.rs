//! Looking at one set.

use super::{LOOK, READ, reply_members};
use command::grammar::{integer, key, pattern, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;
use types::View as _;
use types::listpack::Digits;
use types::set::Set;

/// Members that one SSCAN looks at, whatever COUNT says.
const COUNT_MAX: usize = 1 << 16;

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

struct ScanOptions<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
}

impl<'a> ScanOptions<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, CommandError> {
        let mut options = Self { pattern: None, count: 10 };
        while args.left() > 0 {
            if args.left() > 1 && args.token("COUNT") {
                let count = usize::try_from(args.integer()?).ok().filter(|count| *count > 0);
                options.count = count.ok_or(CommandError::Syntax)?;
            } else if args.left() > 1 && args.token("MATCH") {
                options.pattern = Some(args.bytes()?).filter(|pattern| *pattern != b"*");
            } else if args.token("NOVALUES") {
                return Err(CommandError::NovaluesNotHscan);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

fn sscan(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let cursor = args.cursor()?;
    // The options are looked at only if there is a key.
    let Some(set) = cx.db.read::<Set>(&key)? else {
        reply.array(2);
        reply.bulk(b"0");
        reply.array(0);
        return Ok(Effect::None);
    };
    let options = ScanOptions::parse(args)?;
    // The cursor comes first and is known last.
    let (mut members, mut digits) = (Vec::new(), Digits::default());
    let next = set.scan(cursor, options.count.min(COUNT_MAX), |member| {
        let text = member.text(&mut digits);
        if options.pattern.is_none_or(|pattern| stdx::glob::matches(pattern, text, false)) {
            members.push(text.to_vec());
        }
    });
    let mut text = Vec::new();
    stdx::num::write_u64(&mut text, next);
    reply.array(2);
    reply.bulk(&text);
    reply.array(members.len());
    members.iter().for_each(|member| reply.bulk(member));
    Ok(Effect::None)
}
