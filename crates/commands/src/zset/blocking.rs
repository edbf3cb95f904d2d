//! The commands that wait for a member. Once there is one they do what their kin without a B do, and
//! the journal is told so.

use super::pop::{End, Request, pop, reply_from};
use command::grammar::{Argument, double, integer, key, one_of, word};
use command::{
    Args, Command, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome, Version, Wait, Wanted,
};
use resp::Reply;
use types::Type;

const POPPED: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE);
const POP_KEYS: &[KeySpec] = &[KeySpec::range(1, -2, POPPED)];
const POP_ARGS: &[Argument] = &[key("key").many(), TIMEOUT];
const TIMEOUT: Argument = double("timeout").samples(&["0.001", "1"]);
const SECONDS: &[(Version, &str)] = &[("6.0.0", "A timeout with a fraction.")];

const fn pop_row(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::SortedSet)
        .since("5.0.0")
        .arity(-3)
        .flags(Flags::WRITE.or(Flags::FAST).or(Flags::BLOCKING))
        .keys(POP_KEYS)
        .args(POP_ARGS)
        .complexity("O(log(N)), N members")
        .history(SECONDS)
}

pub(super) const BZMPOP: Command = Command::data("BZMPOP", bzmpop)
    .group(Group::SortedSet)
    .since("7.0.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::BLOCKING))
    .keys(&[KeySpec::counted(2, 1, POPPED)])
    .args(&[
        TIMEOUT,
        integer("numkeys"),
        key("key").many(),
        one_of("where", &[word("min", "MIN"), word("max", "MAX")]),
        integer("count").token("COUNT").optional(),
    ])
    .summary("Waits for members and takes them from the first of several sorted sets that has any.")
    .complexity("O(K) for K keys, O(M log(N)) for M members taken from N");

pub(super) const BZPOPMAX: Command = pop_row("BZPOPMAX", bzpopmax)
    .summary("Waits for a member and takes the one with the greatest score.");

pub(super) const BZPOPMIN: Command = pop_row("BZPOPMIN", bzpopmin)
    .summary("Waits for a member and takes the one with the least score.");

fn bzpopmin(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    pop_one(cx, args, reply, End::Least)
}

fn bzpopmax(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    pop_one(cx, args, reply, End::Greatest)
}

fn pop_one(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply, end: End) -> Outcome {
    let keys = args.keys();
    args.skip(keys.len());
    let until_ms = args.deadline_seconds(cx.now_ms)?;
    for key in &cx.candidates(keys) {
        if let [(member, score)] = &pop(&mut cx.db, key, end, 1)?[..] {
            reply.array(3);
            reply.bulk(key.bytes());
            reply.bulk(member);
            reply.double(*score);
            cx.rewrite(&[end.command(), key.bytes()]);
            return Ok(Effect::Rewrite);
        }
    }
    cx.wait(for_sets(keys.len(), until_ms), reply, Reply::null_array);
    Ok(Effect::None)
}

fn bzmpop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let until_ms = args.deadline_seconds(cx.now_ms)?;
    let request = Request::parse(args)?;
    for key in &cx.candidates(&request.keys) {
        let popped = pop(&mut cx.db, key, request.end, request.count)?;
        if popped.is_empty() {
            continue;
        }
        reply_from(reply, key, &popped);
        cx.rewrite_number(&[request.end.command(), key.bytes()], popped.len() as i64);
        return Ok(Effect::Rewrite);
    }
    cx.wait(for_sets(request.keys.len(), until_ms), reply, Reply::null_array);
    Ok(Effect::None)
}

fn for_sets(keys: usize, until_ms: Option<i64>) -> Wait {
    Wait { wanted: Wanted::Type(Type::ZSet), keys, until_ms, again_ms: None, meant: Vec::new() }
}
