//! Reading single elements and counts.

use super::{READ, index, index_of};
use crate::element::reply_element;
use command::grammar::{integer, key};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;
use types::View as _;
use types::array::{Array, ArrayView, INDEX_MAX};

const KEY: &[command::Argument] = &[key("key")];

const fn count_row(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::Array)
        .since("8.8.0")
        .arity(2)
        .flags(Flags::READONLY.or(Flags::FAST))
        .keys(READ)
        .args(KEY)
        .complexity("O(1)")
}

pub(super) const ARCOUNT: Command =
    count_row("ARCOUNT", arcount).summary("Answers the number of elements of an array.");

pub(super) const ARLEN: Command = count_row("ARLEN", arlen)
    .summary("Answers the highest index of an array, plus one.")
    .complexity("O(log N), N the number of elements");

pub(super) const ARNEXT: Command =
    count_row("ARNEXT", arnext).summary("Answers the index at which the next value is inserted.");

pub(super) const ARGET: Command = Command::data("ARGET", arget)
    .group(Group::Array)
    .since("8.8.0")
    .arity(3)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key"), integer("index")])
    .summary("Answers an element of an array.")
    .complexity("O(log N), N the number of elements");

pub(super) const ARMGET: Command = Command::data("ARMGET", armget)
    .group(Group::Array)
    .since("8.8.0")
    .arity(-3)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key"), integer("index").many()])
    .summary("Answers several elements of an array.")
    .complexity("O(M log N), M indexes, N the number of elements");

/// Answers what `number` says of the array, 0 if there is none, null for nothing.
fn number(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    number: impl FnOnce(ArrayView<'_>) -> Option<u64>,
) -> Outcome {
    let key = args.key()?;
    match cx.db.read::<Array>(&key)?.map_or(Some(0), number) {
        Some(number) => reply.count(number as usize),
        None => reply.null(),
    }
    Ok(Effect::None)
}

fn arcount(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    number(cx, args, reply, |array| Some(array.len() as u64))
}

fn arlen(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    number(cx, args, reply, |array| Some(array.span()))
}

fn arnext(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    number(cx, args, reply, |array| match array.cursor() {
        Some(cursor) => (cursor < INDEX_MAX).then_some(cursor + 1),
        None => Some(0),
    })
}

fn reply_at(reply: &mut Reply, array: Option<ArrayView<'_>>, index: u64) {
    match array.and_then(|array| array.get(index)) {
        Some(element) => reply_element(reply, element),
        None => reply.null(),
    }
}

fn arget(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    // A key of another type is told before the index is looked at.
    let array = cx.db.read::<Array>(&key)?;
    reply_at(reply, array, index(args)?);
    Ok(Effect::None)
}

fn armget(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let array = cx.db.read::<Array>(&key)?;
    let words = args.rest().iter();
    let indexes = words.map(|word| index_of(word)).collect::<Result<Vec<_>, CommandError>>()?;
    reply.array(indexes.len());
    indexes.into_iter().for_each(|index| reply_at(reply, array, index));
    Ok(Effect::None)
}
