//! Reading single fields.

use super::{LOOK, READ};
use crate::element::reply_element;
use command::grammar::{key, string};
use command::{Args, Command, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;
use types::View as _;
use types::hash::Hash;

const GETTER: Flags = Flags::READONLY.or(Flags::FAST);

pub(super) const HGET: Command = Command::data("HGET", hget)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(3)
    .flags(GETTER)
    .keys(READ)
    .args(&[key("key"), string("field")])
    .summary("Answers the value of a field of a hash.")
    .complexity("O(1)");

pub(super) const HMGET: Command = Command::data("HMGET", hmget)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(-3)
    .flags(GETTER)
    .keys(READ)
    .args(&[key("key"), string("field").many()])
    .summary("Answers the values of several fields of a hash.")
    .complexity("O(N), N fields asked for");

pub(super) const HEXISTS: Command = Command::data("HEXISTS", hexists)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(3)
    .flags(GETTER)
    .keys(LOOK)
    .args(&[key("key"), string("field")])
    .summary("Says whether a field is in a hash.")
    .complexity("O(1)");

pub(super) const HLEN: Command = Command::data("HLEN", hlen)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(2)
    .flags(GETTER)
    .keys(LOOK)
    .args(&[key("key")])
    .summary("Answers the number of fields of a hash.")
    .complexity("O(1)");

pub(super) const HSTRLEN: Command = Command::data("HSTRLEN", hstrlen)
    .group(Group::Hash)
    .since("3.2.0")
    .arity(3)
    .flags(GETTER)
    .keys(LOOK)
    .args(&[key("key"), string("field")])
    .summary("Answers the length of the value of a field of a hash.")
    .complexity("O(1)");

fn hget(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (key, field) = (args.key()?, args.bytes()?);
    let horizon_ms = cx.db.horizon_ms();
    match cx.db.read::<Hash>(&key)?.and_then(|hash| hash.at(horizon_ms).get(field)) {
        Some(field) => reply_element(reply, field.value),
        None => reply.null(),
    }
    Ok(Effect::None)
}

fn hmget(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (key, fields) = (args.key()?, args.rest());
    let horizon_ms = cx.db.horizon_ms();
    let hash = cx.db.read::<Hash>(&key)?.map(|hash| hash.at(horizon_ms));
    reply.array(fields.len());
    for field in fields {
        match hash.and_then(|hash| hash.get(field)) {
            Some(field) => reply_element(reply, field.value),
            None => reply.null(),
        }
    }
    Ok(Effect::None)
}

fn hexists(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (key, field) = (args.key()?, args.bytes()?);
    let horizon_ms = cx.db.horizon_ms();
    let found = cx.db.read::<Hash>(&key)?.and_then(|hash| hash.at(horizon_ms).get(field));
    reply.integer(i64::from(found.is_some()));
    Ok(Effect::None)
}

/// Counts fields that have expired and wait for their deletion, too: in O(1), as the peers do.
fn hlen(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    reply.count(cx.db.read::<Hash>(&key)?.map_or(0, |hash| hash.len()));
    Ok(Effect::None)
}

fn hstrlen(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (key, field) = (args.key()?, args.bytes()?);
    let horizon_ms = cx.db.horizon_ms();
    let found = cx.db.read::<Hash>(&key)?.and_then(|hash| hash.at(horizon_ms).get(field));
    reply.count(found.map_or(0, |field| field.value.len()));
    Ok(Effect::None)
}
