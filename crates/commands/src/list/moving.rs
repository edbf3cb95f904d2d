//! Moving an element from one list to another, or within one.

use super::{element_at, end_of, limits, popped, pushed};
use crate::element::reply_element;
use command::grammar::{key, key_of, one_of, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::KeyRef;
use resp::Reply;
use std::iter;
use types::list::{End, List};

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
    KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
];

pub(super) const LMOVE: Command = Command::data("LMOVE", lmove)
    .group(Group::List)
    .since("6.2.0")
    .arity(5)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(KEYS)
    .args(&[
        key("source"),
        key_of("destination", 1),
        one_of("wherefrom", &[word("left", "LEFT"), word("right", "RIGHT")]),
        one_of("whereto", &[word("left", "LEFT"), word("right", "RIGHT")]),
    ])
    .summary("Moves an element from an end of one list to an end of another, and answers it.")
    .complexity("O(1)");

pub(super) const RPOPLPUSH: Command = Command::data("RPOPLPUSH", rpoplpush)
    .group(Group::List)
    .since("1.2.0")
    .arity(3)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(KEYS)
    .args(&[key("source"), key_of("destination", 1)])
    .summary("Moves the last element of one list before all of another, and answers it.")
    .complexity("O(1)")
    .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments");

fn lmove(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    let (from, to) = (end_of(args)?, end_of(args)?);
    if !shift(cx, &source, &target, (from, to), reply)? {
        reply.null();
    }
    Ok(Effect::Same)
}

fn rpoplpush(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    if !shift(cx, &source, &target, (End::Back, End::Front), reply)? {
        reply.null();
    }
    Ok(Effect::Same)
}

/// Moves an element of `source` from the one end to the other of `target`, and answers it; both may
/// be one key. `false` if there is no source: then nothing is answered, nor is `target` looked at.
pub(super) fn shift(
    cx: &mut Cx<'_>,
    source: &KeyRef<'_>,
    target: &KeyRef<'_>,
    (from, to): (End, End),
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    let limits = limits(cx);
    let Some(mut list) = cx.db.write::<List>(source)? else { return Ok(false) };
    let Some(element) = element_at(list.view(), from) else { return Ok(false) };
    if source.bytes() == target.bytes() {
        reply_element(reply, element);
        list.edit_told(
            |list| list.rotate(from, to, limits),
            |_, tell| {
                tell(pushed(to));
                tell(popped(from));
            },
        );
        return Ok(true);
    }
    let element = element.to_vec();
    let mut list = cx.db.write_or_new::<List>(target)?;
    list.edit(pushed(to), |list| list.push(to, iter::once(&element[..]), limits));
    reply.bulk(&element);
    if let Some(mut list) = cx.db.write::<List>(source)? {
        list.edit(popped(from), |list| list.pop(from, 1, limits));
    }
    Ok(true)
}
