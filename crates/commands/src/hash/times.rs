//! When fields expire: HTTL and its kin.

use super::{FIELDS, READ, fields};
use command::grammar::key;
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;
use types::hash::Hash;

const TIMER: Flags = Flags::READONLY.or(Flags::FAST);

pub(super) const HTTL: Command = Command::data("HTTL", httl)
    .group(Group::Hash)
    .since("7.4.0")
    .arity(-5)
    .flags(TIMER)
    .keys(READ)
    .args(&[key("key"), FIELDS])
    .summary("Answers in how many seconds fields of a hash expire.")
    .complexity("O(N), N fields asked for")
    .tips(&["nondeterministic_output"]);

pub(super) const HPTTL: Command = Command::data("HPTTL", hpttl)
    .group(Group::Hash)
    .since("7.4.0")
    .arity(-5)
    .flags(TIMER)
    .keys(READ)
    .args(&[key("key"), FIELDS])
    .summary("Answers in how many milliseconds fields of a hash expire.")
    .complexity("O(N), N fields asked for")
    .tips(&["nondeterministic_output"]);

pub(super) const HEXPIRETIME: Command = Command::data("HEXPIRETIME", hexpiretime)
    .group(Group::Hash)
    .since("7.4.0")
    .arity(-5)
    .flags(TIMER)
    .keys(READ)
    .args(&[key("key"), FIELDS])
    .summary("Answers the Unix times in seconds at which fields of a hash expire.")
    .complexity("O(N), N fields asked for");

pub(super) const HPEXPIRETIME: Command = Command::data("HPEXPIRETIME", hpexpiretime)
    .group(Group::Hash)
    .since("7.4.0")
    .arity(-5)
    .flags(TIMER)
    .keys(READ)
    .args(&[key("key"), FIELDS])
    .summary("Answers the Unix times in milliseconds at which fields of a hash expire.")
    .complexity("O(N), N fields asked for");

/// Answers for each field what `show` makes of its expiry, -1 if it has none, -2 if it is not there.
fn reply_times(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    show: impl Fn(i64) -> i64,
) -> Outcome {
    const NO_FIELD: i64 = -2;
    const NO_EXPIRY: i64 = -1;
    let key = args.key()?;
    let horizon_ms = cx.db.horizon_ms();
    // Another type is told before what is wrong with the arguments.
    let hash = cx.db.read::<Hash>(&key)?.map(|hash| hash.at(horizon_ms));
    let fields = fields(args, CommandError::FieldsNotPositive)?;
    reply.array(fields.len());
    for field in fields {
        reply.integer(match hash.and_then(|hash| hash.get(field)) {
            None => NO_FIELD,
            Some(field) => field.expiry.map_or(NO_EXPIRY, &show),
        });
    }
    Ok(Effect::None)
}

/// Milliseconds as seconds, rounded up.
fn seconds(ms: i64) -> i64 {
    ms.saturating_add(999) / 1000
}

fn httl(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    reply_times(cx, args, reply, |at| seconds(at.saturating_sub(now_ms)))
}

fn hpttl(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    reply_times(cx, args, reply, |at| at.saturating_sub(now_ms))
}

fn hexpiretime(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply_times(cx, args, reply, seconds)
}

fn hpexpiretime(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply_times(cx, args, reply, |at| at)
}
