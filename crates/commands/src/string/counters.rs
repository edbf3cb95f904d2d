//! Strings as numbers: INCR and its kin. INCREX has a file of its own.

use super::MODIFY;
use command::grammar::{double, integer, key};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use keyspace::{Event, ExpiryChange, KeyRef, NewValue, Str};
use resp::Reply;
use stdx::extended::Extended;

const COUNTER: Flags = Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST);

pub(super) const INCR: Command = Command::data("INCR", incr)
    .group(Group::String)
    .since("1.0.0")
    .arity(2)
    .flags(COUNTER)
    .keys(MODIFY)
    .args(&[key("key")])
    .summary("Adds one to an integer; a missing key counts as 0.")
    .complexity("O(1)");

pub(super) const DECR: Command = Command::data("DECR", decr)
    .group(Group::String)
    .since("1.0.0")
    .arity(2)
    .flags(COUNTER)
    .keys(MODIFY)
    .args(&[key("key")])
    .summary("Takes one from an integer; a missing key counts as 0.")
    .complexity("O(1)");

pub(super) const INCRBY: Command = Command::data("INCRBY", incrby)
    .group(Group::String)
    .since("1.0.0")
    .arity(3)
    .flags(COUNTER)
    .keys(MODIFY)
    .args(&[key("key"), integer("increment")])
    .summary("Adds to an integer; a missing key counts as 0.")
    .complexity("O(1)");

pub(super) const DECRBY: Command = Command::data("DECRBY", decrby)
    .group(Group::String)
    .since("1.0.0")
    .arity(3)
    .flags(COUNTER)
    .keys(MODIFY)
    .args(&[key("key"), integer("decrement")])
    .summary("Takes from an integer; a missing key counts as 0.")
    .complexity("O(1)");

pub(super) const INCRBYFLOAT: Command = Command::data("INCRBYFLOAT", incrbyfloat)
    .group(Group::String)
    .since("2.6.0")
    .arity(3)
    .flags(COUNTER)
    .keys(MODIFY)
    .args(&[key("key"), double("increment")])
    .summary("Adds to a floating-point number; a missing key counts as 0.")
    .complexity("O(1)");

/// The events of a changed number.
pub(super) const INCRBY_EVENT: Event = Event::string("incrby");
pub(super) const INCRBYFLOAT_EVENT: Event = Event::string("incrbyfloat");

/// The string as an integer; a missing one is 0.
#[inline]
pub(super) fn integer_of(value: Option<&Str<'_>>) -> Result<i64, CommandError> {
    match value {
        None => Ok(0),
        Some(Str::Int(number)) => Ok(*number),
        Some(Str::Bytes(bytes)) => stdx::num::parse_i64(bytes).ok_or(CommandError::NotAnInteger),
        Some(Str::Long(_)) => Err(CommandError::NotAnInteger),
    }
}

/// The string as a float; a missing one is 0.
pub(super) fn float_of(value: Option<&Str<'_>>) -> Result<Extended, CommandError> {
    match value {
        None => Ok(Extended::ZERO),
        Some(Str::Int(number)) => Ok(Extended::from_i64(*number)),
        Some(Str::Bytes(bytes)) => Extended::parse(bytes).ok_or(CommandError::NotAFloat),
        Some(Str::Long(_)) => Err(CommandError::NotAFloat),
    }
}

#[inline]
fn add(cx: &mut Cx<'_>, key: &KeyRef<'_>, increment: i64, reply: &mut Reply) -> Outcome {
    let step = |old: i64| old.checked_add(increment).ok_or(CommandError::IncrementOverflow);
    // PERF: a counter that is there is counted up where it stands (INCR P32 of `side_by_side.py ops`).
    let new = match cx.db.change_integer(key, INCRBY_EVENT, step) {
        Some(new) => new?,
        None => {
            let new = step(integer_of(cx.db.string_peek(key)?.as_ref())?)?;
            cx.db.put_changed(key, NewValue::Int(new), ExpiryChange::Keep, INCRBY_EVENT);
            new
        }
    };
    reply.integer(new);
    Ok(Effect::Same)
}

fn incr(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    add(cx, &key, 1, reply)
}

fn decr(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    add(cx, &key, -1, reply)
}

fn incrby(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let increment = args.integer()?;
    add(cx, &key, increment, reply)
}

fn decrby(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let increment = args.integer()?.checked_neg().ok_or(CommandError::DecrementOverflow)?;
    add(cx, &key, increment, reply)
}

fn incrbyfloat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let text = args.bytes()?;
    // What is wrong with the key is told before what is wrong with the argument.
    let old = float_of(cx.db.string_peek(&key)?.as_ref())?;
    let increment = Extended::parse(text).ok_or(CommandError::NotAFloat)?;
    let new = old.checked_add(increment).ok_or(CommandError::IncrementNotFinite)?;
    let mut text = Vec::new();
    new.write(&mut text);
    let value = NewValue::bytes(&text);
    let tagged = cx.db.put_changed(&key, value, ExpiryChange::Keep, INCRBYFLOAT_EVENT);
    reply.bulk(&text);
    Ok(super::set::tell(cx, &key, &text, ExpiryChange::Keep, tagged))
}
