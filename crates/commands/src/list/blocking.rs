//! The commands that wait for an element. Once there is one they do what their kin without a B do,
//! and the journal is told so.

use super::end_of;
use super::moving::{Batch, END, HOW_MANY, KEYS, shift, shift_many};
use super::pop::{POPPED, many, take, take_first};
use command::grammar::{Argument, double, integer, key, key_of, one_of};
use command::{Args, Command, Cx, Effect, Flags, Group, KeySpec, Outcome, Version, Wait, Wanted};
use keyspace::KeyRef;
use resp::Reply;
use types::Type;
use types::list::End;

const POP_KEYS: &[KeySpec] = &[KeySpec::range(1, -2, POPPED)];
const POP_ARGS: &[Argument] = &[key("key").many(), TIMEOUT];
const TIMEOUT: Argument = double("timeout").samples(&["0.001", "1"]);
const SECONDS: &[(Version, &str)] = &[("6.0.0", "A timeout with a fraction.")];

const fn row(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler).group(Group::List).flags(Flags::WRITE.or(Flags::BLOCKING))
}

const fn pop_row(name: &'static str, handler: command::Handler) -> Command {
    row(name, handler)
        .since("2.0.0")
        .arity(-3)
        .keys(POP_KEYS)
        .args(POP_ARGS)
        .complexity("O(N), N keys named")
        .history(SECONDS)
}

pub(super) const BLMOVE: Command = row("BLMOVE", blmove)
    .since("6.2.0")
    .arity(6)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::BLOCKING))
    .keys(KEYS)
    .args(&[
        key("source"),
        key_of("destination", 1),
        one_of("wherefrom", END),
        one_of("whereto", END),
        TIMEOUT,
    ])
    .summary("Waits for an element, moves it from one list to another, and answers it.")
    .complexity("O(1)");

pub(super) const BLMOVEM: Command = row("BLMOVEM", blmovem)
    .since("8.10.0")
    .arity(-6)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::BLOCKING))
    .keys(KEYS)
    .args(&[
        key("source"),
        key_of("destination", 1),
        one_of("wherefrom", END),
        one_of("whereto", END),
        TIMEOUT,
        HOW_MANY,
    ])
    .summary("Waits for elements, moves them from one list to another, and answers them.")
    .complexity("O(N), N elements moved");

pub(super) const BLMPOP: Command = row("BLMPOP", blmpop)
    .since("7.0.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::BLOCKING).or(Flags::MOVABLE_KEYS))
    .keys(&[KeySpec::counted(2, 1, POPPED)])
    .args(&[
        TIMEOUT,
        integer("numkeys"),
        key("key").many(),
        one_of("where", END),
        integer("count").token("COUNT").optional(),
    ])
    .summary("Waits for elements and takes them off the first of several lists that has any.")
    .complexity("O(N+M), N keys named, M elements taken");

pub(super) const BLPOP: Command = pop_row("BLPOP", blpop)
    .summary("Waits for an element and takes it off the front of the first list that has any.");

pub(super) const BRPOP: Command = pop_row("BRPOP", brpop)
    .summary("Waits for an element and takes it off the back of the first list that has any.");

pub(super) const BRPOPLPUSH: Command = row("BRPOPLPUSH", brpoplpush)
    .since("2.2.0")
    .arity(4)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::BLOCKING))
    .keys(KEYS)
    .args(&[key("source"), key_of("destination", 1), TIMEOUT])
    .summary("Waits for an element, moves it from the back of one list before all of another.")
    .complexity("O(1)")
    .history(SECONDS)
    .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments");

fn blpop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    pop(cx, args, reply, End::Front)
}

fn brpop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    pop(cx, args, reply, End::Back)
}

fn pop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply, end: End) -> Outcome {
    let keys = args.keys();
    args.skip(keys.len());
    let until_ms = args.deadline_seconds(cx.now_ms)?;
    for key in &cx.candidates(keys) {
        let start = reply.mark();
        reply.array(2);
        reply.bulk(key.bytes());
        if take(cx, key, end, None, reply)? {
            let name: &[u8] = if end == End::Front { b"LPOP" } else { b"RPOP" };
            cx.rewrite(&[name, key.bytes()]);
            return Ok(Effect::Rewrite);
        }
        reply.truncate(start);
    }
    cx.wait(for_lists(keys.len(), until_ms), reply, Reply::null_array);
    Ok(Effect::None)
}

fn blmpop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let until_ms = args.deadline_seconds(cx.now_ms)?;
    let (end, count) = many(args)?;
    let keys = args.keys();
    if take_first(cx, &cx.candidates(keys), end, count, reply)? {
        return Ok(Effect::Rewrite);
    }
    cx.wait(for_lists(keys.len(), until_ms), reply, Reply::null_array);
    Ok(Effect::None)
}

fn blmove(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    let ends = (end_of(args)?, end_of(args)?);
    r#move(cx, args, reply, (&source, &target), ends)
}

fn brpoplpush(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    r#move(cx, args, reply, (&source, &target), (End::Back, End::Front))
}

fn r#move(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    (source, target): (&KeyRef<'_>, &KeyRef<'_>),
    (from, to): (End, End),
) -> Outcome {
    let until_ms = args.deadline_seconds(cx.now_ms)?;
    if shift(cx, source, target, (from, to), reply)? {
        cx.rewrite(&[b"LMOVE", source.bytes(), target.bytes(), name(from), name(to)]);
        return Ok(Effect::Rewrite);
    }
    // Only the source is waited for; the target is needed once there is something.
    cx.wait(for_lists(1, until_ms), reply, Reply::null);
    Ok(Effect::None)
}

/// The journal is told how many went: there may be more elements when it is read.
fn blmovem(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    let (from, to) = (end_of(args)?, end_of(args)?);
    let until_ms = args.deadline_seconds(cx.now_ms)?;
    let batch = Batch::parse(args)?;
    if let Some(moved) = shift_many(cx, &source, &target, (from, to), batch, reply)? {
        let [source, target] = [source.bytes(), target.bytes()];
        let count = moved.to_string();
        let order: &[u8] = if batch.one_by_one { b"OBO" } else { b"BULK" };
        let ends = [name(from), name(to)];
        cx.rewrite(&[
            b"LMOVEM",
            source,
            target,
            ends[0],
            ends[1],
            b"EXACTLY",
            count.as_bytes(),
            order,
        ]);
        return Ok(Effect::Rewrite);
    }
    cx.wait(for_lists(1, until_ms), reply, Reply::null_array);
    Ok(Effect::None)
}

fn name(end: End) -> &'static [u8] {
    if end == End::Front { b"left" } else { b"right" }
}

fn for_lists(keys: usize, until_ms: Option<i64>) -> Wait {
    Wait { wanted: Wanted::Type(Type::List), keys, until_ms, again_ms: None, meant: Vec::new() }
}
