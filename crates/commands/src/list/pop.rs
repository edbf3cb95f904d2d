//! Taking elements off the ends.

use super::moving::END;
use super::{at_least, element_at, end_of, limits, popped, reply_range};
use crate::element::reply_element;
use command::grammar::{integer, key, one_of};
use command::{
    Args, Argument, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome,
};
use keyspace::KeyRef;
use resp::Reply;
use types::View as _;
use types::list::{End, List};

pub(super) const POPPED: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE);
const POP_KEYS: &[KeySpec] = &[KeySpec::at(1, POPPED)];
const POP_ARGS: &[Argument] = &[key("key"), integer("count").optional().since("6.2.0")];

const fn pop_row(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::List)
        .since("1.0.0")
        .arity(-2)
        .flags(Flags::WRITE.or(Flags::FAST))
        .keys(POP_KEYS)
        .args(POP_ARGS)
        .complexity("O(N), N elements taken")
        .history(&[("6.2.0", "Takes a count.")])
}

pub(super) const LPOP: Command =
    pop_row("LPOP", lpop).summary("Takes the first elements of a list and answers them.");

pub(super) const RPOP: Command =
    pop_row("RPOP", rpop).summary("Takes the last elements of a list and answers them.");

pub(super) const LMPOP: Command = Command::data("LMPOP", lmpop)
    .group(Group::List)
    .since("7.0.0")
    .arity(-4)
    .flags(Flags::WRITE.or(Flags::MOVABLE_KEYS))
    .keys(&[KeySpec::counted(1, 1, POPPED)])
    .args(&[
        integer("numkeys"),
        key("key").many(),
        one_of("where", END),
        integer("count").token("COUNT").optional(),
    ])
    .summary("Takes elements off the first of several lists that has any.")
    .complexity("O(N+M), N keys named, M elements taken");

fn lpop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    pop(cx, args, reply, End::Front)
}

fn rpop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    pop(cx, args, reply, End::Back)
}

fn pop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply, end: End) -> Outcome {
    let key = args.key()?;
    if args.left() > 1 {
        let name = args.spec().name.to_ascii_lowercase();
        return Err(CommandError::arity(&name));
    }
    let count = args.optional(|args| at_least(args, 0, CommandError::MustBePositive))?;
    if !take(cx, &key, end, count, reply)? {
        match count {
            Some(_) => reply.null_array(),
            None => reply.null(),
        }
    }
    Ok(Effect::Same)
}

/// Takes up to `count` elements off `end` of the list at `key` and answers them as an array; without
/// `count` one, which is answered alone. `false` if there is no list: then nothing is answered.
pub(super) fn take(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    end: End,
    count: Option<usize>,
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    let limits = limits(cx);
    let Some(mut list) = cx.db.write::<List>(key)? else { return Ok(false) };
    let view = list.view();
    let len = view.len();
    let taken = count.unwrap_or(1).min(len);
    match (count, element_at(view, end)) {
        (None, Some(element)) => reply_element(reply, element),
        _ => {
            let range = match end {
                End::Front => 0..taken,
                End::Back => len - taken..len,
            };
            reply_range(cx.later, reply, view, range, end);
        }
    }
    list.edit(popped(end), |list| list.pop(end, taken, limits));
    Ok(true)
}

/// Takes up to `count` elements off the first of `keys` that is a list, and answers its name and
/// them; tells the journal. `false` if there is none: then nothing is answered.
pub(super) fn take_first(
    cx: &mut Cx<'_>,
    keys: &[KeyRef<'_>],
    end: End,
    count: usize,
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    for key in keys {
        let Some(view) = cx.db.peek_as::<List>(key)? else { continue };
        let taken = count.min(view.len());
        reply.array(2);
        reply.bulk(key.bytes());
        take(cx, key, end, Some(taken), reply)?;
        log_taken(cx, key, end, taken);
        return Ok(true);
    }
    Ok(false)
}

/// Tells the journal that `taken` elements went off `end`.
fn log_taken(cx: &mut Cx<'_>, key: &KeyRef<'_>, end: End, taken: usize) {
    let name: &[u8] = match end {
        End::Front => b"LPOP",
        End::Back => b"RPOP",
    };
    cx.rewrite_number(&[name, key.bytes()], i64::try_from(taken).unwrap_or(i64::MAX));
}

fn lmpop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (end, count) = many(args)?;
    if take_first(cx, args.keys(), end, count, reply)? {
        return Ok(Effect::Rewrite);
    }
    reply.null_array();
    Ok(Effect::None)
}

/// Reads `numkeys key... LEFT|RIGHT [COUNT count]`; the keys are those that RESOLVE found.
pub(super) fn many(args: &mut Args<'_>) -> Result<(End, usize), CommandError> {
    let numkeys = at_least(args, 1, CommandError::NumkeysTooSmall)?;
    if numkeys >= args.left() {
        return Err(CommandError::Syntax);
    }
    args.skip(numkeys);
    let end = end_of(args)?;
    let mut count = None;
    while args.left() > 0 {
        if count.is_some() || args.left() < 2 || !args.token("COUNT") {
            return Err(CommandError::Syntax);
        }
        count = Some(at_least(args, 1, CommandError::CountTooSmall)?);
    }
    Ok((end, count.unwrap_or(1)))
}
