//! Single bits.

use super::{SETBIT_EVENT, offset};
use command::grammar::{integer, key};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use resp::Reply;
use types::bits;

pub(super) const GETBIT: Command = Command::data("GETBIT", getbit)
    .group(Group::Bitmap)
    .since("2.2.0")
    .arity(3)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[key("key"), integer("offset").samples(&["0", "7", "100"])])
    .summary("Answers one bit of a string.")
    .complexity("O(1)");

pub(super) const SETBIT: Command = Command::data("SETBIT", setbit)
    .group(Group::Bitmap)
    .since("2.2.0")
    .arity(4)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))])
    .args(&[
        key("key"),
        integer("offset").samples(&["0", "7", "100"]),
        integer("value").samples(&["0", "1"]),
    ])
    .summary("Sets or clears one bit of a string and answers what it was.")
    .complexity("O(1), if the string need not grow");

fn getbit(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let at = offset(args.bytes()?, 1, cx.settings.bulk_bytes_max).ok_or(CommandError::BitOffset)?;
    let value = cx.db.string(&key)?;
    let on = value.is_some_and(|value| bits::get(value.text(&mut Vec::new()), at));
    reply.integer(on.into());
    Ok(Effect::None)
}

fn setbit(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let at = offset(args.bytes()?, 1, cx.settings.bulk_bytes_max).ok_or(CommandError::BitOffset)?;
    let on = match stdx::num::parse_i64(args.bytes()?) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(CommandError::BitValue),
    };
    let len = (at / 8 + 1) as usize;
    let held = cx.db.string_for_write(&key)?.is_some_and(|value| value.len() >= len);
    if !held {
        cx.db.edit(&key, SETBIT_EVENT, |bytes| {
            bytes.resize(len, 0);
            bits::set(bytes, at, on);
        });
        reply.integer(0);
        return Ok(Effect::Same);
    }
    let changed = cx.db.patch(&key, SETBIT_EVENT, |bytes| bits::set(bytes, at, on));
    reply.integer((on != changed).into());
    Ok(if changed { Effect::Same } else { Effect::None })
}
