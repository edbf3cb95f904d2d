//! Fields as numbers. A field keeps its expiry.

use command::grammar::{double, integer, key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::Event;
use resp::Reply;
use stdx::extended::Extended;
use types::hash::{Field, Hash, Ttl};
use types::listpack::{Digits, Element};

const COUNTER: Flags = Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST);
const HINCRBY_EVENT: Event = Event::hash("hincrby");
const HINCRBYFLOAT_EVENT: Event = Event::hash("hincrbyfloat");
const MODIFY: &[KeySpec] =
    &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))];

pub(super) const HINCRBY: Command = Command::data("HINCRBY", hincrby)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(4)
    .flags(COUNTER)
    .keys(MODIFY)
    .args(&[key("key"), string("field"), integer("increment")])
    .summary("Adds to an integer in a field of a hash; a missing field counts as 0.")
    .complexity("O(1)");

pub(super) const HINCRBYFLOAT: Command = Command::data("HINCRBYFLOAT", hincrbyfloat)
    .group(Group::Hash)
    .since("2.6.0")
    .arity(4)
    .flags(COUNTER)
    .keys(MODIFY)
    .args(&[key("key"), string("field"), double("increment")])
    .summary("Adds to a floating-point number in a field of a hash; a missing field counts as 0.")
    .complexity("O(1)");

fn integer_of(field: Option<Field<'_>>) -> Result<i64, CommandError> {
    field.map_or(Ok(0), |field| field.value.as_i64().ok_or(CommandError::HashValueNotInteger))
}

fn float_of(field: Option<Field<'_>>) -> Result<Extended, CommandError> {
    match field.map(|field| field.value) {
        None => Ok(Extended::ZERO),
        Some(Element::Int(number)) => Ok(Extended::from_i64(number)),
        Some(text) => Extended::parse(text.text(&mut Digits::default()))
            .ok_or(CommandError::HashValueNotFloat),
    }
}

fn hincrby(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (key, field, increment) = (args.key()?, args.bytes()?, args.integer()?);
    let limits = &cx.settings.limits;
    let mut hash = cx.db.write_or_new::<Hash>(&key)?;
    hash.purge_elements([field]);
    let old = integer_of(hash.view().get(field))?;
    let new = old.checked_add(increment).ok_or(CommandError::IncrementOverflow)?;
    let mut digits = [0; stdx::num::I64_TEXT_MAX];
    let text = stdx::num::decimal(&mut digits, new);
    hash.edit(HINCRBY_EVENT, |hash| {
        hash.set(field, text, Ttl::Keep, limits);
    });
    hash.name_elements(HINCRBY_EVENT, [field]);
    reply.integer(new);
    Ok(Effect::Same)
}

fn hincrbyfloat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (key, field, increment) = (args.key()?, args.bytes()?, args.bytes()?);
    let increment = Extended::parse(increment).ok_or(CommandError::NotAFloat)?;
    if !increment.is_finite() {
        return Err(CommandError::NanOrInfinity);
    }
    let limits = &cx.settings.limits;
    let mut hash = cx.db.write_or_new::<Hash>(&key)?;
    hash.purge_elements([field]);
    let found = hash.view().get(field);
    let expires = found.is_some_and(|field| field.expiry.is_some());
    let new = float_of(found)?.checked_add(increment).ok_or(CommandError::IncrementNotFinite)?;
    let mut text = Vec::new();
    new.write(&mut text);
    hash.edit(HINCRBYFLOAT_EVENT, |hash| {
        hash.set(field, &text, Ttl::Keep, limits);
    });
    hash.name_elements(HINCRBYFLOAT_EVENT, [field]);
    reply.bulk(&text);
    if expires {
        cx.rewrite(&[b"HSETEX", key.bytes(), b"KEEPTTL", b"FIELDS", b"1", field, &text]);
    } else {
        cx.rewrite(&[b"HSET", key.bytes(), field, &text]);
    }
    Ok(Effect::Rewrite)
}
