//! Parts and lengths of strings.

use super::READ;
use command::grammar::{integer, key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{Event, ExpiryChange, Str};
use resp::{Chunk, Reply, SHARED_BYTES_MIN};
use std::sync::Arc;

pub(super) const APPEND: Command = Command::data("APPEND", append)
    .group(Group::String)
    .since("2.0.0")
    .arity(3)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::INSERT))])
    .args(&[key("key"), string("value")])
    .summary("Adds bytes at the end of a string; a missing key counts as empty.")
    .complexity("O(1) on average, if what is appended is short");

/// Dragonfly's.
pub(super) const PREPEND: Command = Command::data("PREPEND", prepend)
    .group(Group::String)
    .since("8.12.0")
    .arity(3)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::INSERT))])
    .args(&[key("key"), string("value")])
    .summary("Adds bytes at the beginning of a string; a missing key counts as empty.")
    .complexity("O(N), N the length of the string afterwards");

pub(super) const GETRANGE: Command = Command::data("GETRANGE", getrange)
    .group(Group::String)
    .since("2.4.0")
    .arity(4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key"), integer("start"), integer("end")])
    .summary("Answers the part of a string between two offsets.")
    .complexity("O(N), N the length of the part");

pub(super) const SUBSTR: Command = Command::data("SUBSTR", getrange)
    .group(Group::String)
    .since("1.0.0")
    .arity(4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key"), integer("start"), integer("end")])
    .summary("Answers the part of a string between two offsets.")
    .complexity("O(N), N the length of the part")
    .deprecated("2.0.0", "`GETRANGE`");

pub(super) const SETRANGE: Command = Command::data("SETRANGE", setrange)
    .group(Group::String)
    .since("2.2.0")
    .arity(4)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))])
    .args(&[key("key"), integer("offset").samples(&["0", "3", "20"]), string("value")])
    .summary("Overwrites part of a string from an offset on; a missing key counts as empty.")
    .complexity("O(M), M the length of the value, and of the gap before it if there is one");

pub(super) const STRLEN: Command = Command::data("STRLEN", strlen)
    .group(Group::String)
    .since("2.2.0")
    .arity(2)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RO)])
    .args(&[key("key")])
    .summary("Answers the length of a string in bytes.")
    .complexity("O(1)");

fn append(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const EVENT: Event = Event::string("append");
    let key = args.key()?;
    let tail = args.bytes()?;
    let Some(len) = cx.db.string_peek(&key)?.map(|value| value.len()) else {
        let value = cx.value(tail);
        cx.db.put(&key, value, ExpiryChange::Clear, EVENT);
        reply.integer(tail.len() as i64);
        return Ok(Effect::Same);
    };
    types::string::grown_len(len, tail.len(), cx.settings.bulk_bytes_max)
        .ok_or(CommandError::StringTooLong)?;
    let len = cx.db.append(&key, tail, EVENT);
    reply.integer(len as i64);
    Ok(Effect::Same)
}

/// The journal is told the string as it is then: by SETRANGE, which every server knows and which
/// leaves the expiry, or by the SET of a new one.
fn prepend(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const EVENT: Event = Event::string("append");
    let key = args.key()?;
    let head = args.bytes()?;
    let Some(len) = cx.db.string_peek(&key)?.map(|value| value.len()) else {
        let value = cx.value(head);
        cx.db.put(&key, value, ExpiryChange::Clear, EVENT);
        reply.integer(head.len() as i64);
        cx.rewrite(&[b"SET", key.bytes(), head]);
        return Ok(Effect::Rewrite);
    };
    types::string::grown_len(len, head.len(), cx.settings.bulk_bytes_max)
        .ok_or(CommandError::StringTooLong)?;
    if head.is_empty() {
        reply.integer(len as i64);
        return Ok(Effect::None);
    }
    let mut whole = Vec::new();
    let active = cx.log.active;
    let len = cx.db.edit(&key, EVENT, |bytes| {
        bytes.splice(..0, head.iter().copied());
        if active {
            whole.clone_from(bytes);
        }
    });
    reply.integer(len as i64);
    cx.rewrite(&[b"SETRANGE", key.bytes(), b"0", &whole]);
    Ok(Effect::Rewrite)
}

fn getrange(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (start, end) = (args.integer()?, args.integer()?);
    let Some(value) = cx.db.string(&key)? else {
        reply.bulk(b"");
        return Ok(Effect::None);
    };
    let range = types::string::range(value.len(), start, end);
    match &value {
        Str::Long(shared) if range.len() >= SHARED_BYTES_MIN => {
            reply.bulk_chunk(Chunk::new(Arc::clone(shared)).part(range.start, range.len()));
        }
        value => reply.bulk(&value.text(&mut Vec::new())[range]),
    }
    Ok(Effect::None)
}

fn setrange(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let offset = usize::try_from(args.integer()?).map_err(|_| CommandError::OffsetOutOfRange)?;
    let patch = args.bytes()?;
    let len = cx.db.string_peek(&key)?.map_or(0, |value| value.len());
    if patch.is_empty() {
        reply.integer(len as i64);
        return Ok(Effect::None);
    }
    types::string::grown_len(offset, patch.len(), cx.settings.bulk_bytes_max)
        .ok_or(CommandError::StringTooLong)?;
    let len = cx.db.set_range(&key, offset, patch, Event::string("setrange"));
    reply.integer(len as i64);
    Ok(Effect::Same)
}

fn strlen(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let len = cx.db.string(&key)?.map_or(0, |value| value.len());
    reply.integer(len as i64);
    Ok(Effect::None)
}
