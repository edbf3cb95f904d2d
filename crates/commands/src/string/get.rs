//! GET, and GET with something done to the key afterwards.

use super::expiration::{EX, EXAT, Expiration, PX, PXAT, Unit};
use super::{DEL_EVENT, EXPIRE_EVENT, READ, reply_str};
use command::grammar::{key, one_of, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::Event;
use resp::Reply;

pub(super) const GET: Command = Command::data("GET", get)
    .group(Group::String)
    .since("1.0.0")
    .arity(2)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key")])
    .summary("Answers the string that a key holds.")
    .complexity("O(1)");

pub(super) const GETDEL: Command = Command::data("GETDEL", getdel)
    .group(Group::String)
    .since("6.2.0")
    .arity(2)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))])
    .args(&[key("key")])
    .summary("Answers the string that a key holds, and deletes the key.")
    .complexity("O(1)");

pub(super) const GETEX: Command = Command::data("GETEX", getex)
    .group(Group::String)
    .since("6.2.0")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))
        .notes("RW and UPDATE because it changes the TTL")])
    .args(&[
        key("key"),
        one_of("expiration", &[EX, PX, EXAT, PXAT, word("persist", "PERSIST")]).optional(),
    ])
    .summary("Answers the string that a key holds, and sets or removes its expiry.")
    .complexity("O(1)");

fn get(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    match cx.db.string(&key)? {
        Some(value) => reply_str(reply, &value),
        None => reply.null(),
    }
    Ok(Effect::None)
}

fn getdel(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let Some(value) = cx.db.string(&key)? else {
        reply.null();
        return Ok(Effect::None);
    };
    reply_str(reply, &value);
    cx.db.delete(&key, DEL_EVENT);
    cx.rewrite(&[b"DEL", key.bytes()]);
    Ok(Effect::Rewrite)
}

/// The option of GETEX, if there is one.
fn expiration<'a>(args: &mut Args<'a>) -> Result<Option<Expiration<'a>>, CommandError> {
    let mut expiration = None;
    while let Some(word) = args.next() {
        let next = if word.eq_ignore_ascii_case(b"PERSIST") {
            Expiration::Persist
        } else {
            Expiration::At(Unit::of(word).ok_or(CommandError::Syntax)?, args.bytes()?)
        };
        expiration = Expiration::then(expiration, next)?;
    }
    Ok(expiration)
}

fn getex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let expiration = expiration(args)?;
    // A missing key is told before the time is read.
    let Some(value) = cx.db.string(&key)? else {
        reply.null();
        return Ok(Effect::None);
    };
    let deadline = match expiration {
        Some(Expiration::At(unit, text)) => Some(unit.deadline(text, cx.now_ms, "getex")?),
        _ => None,
    };
    reply_str(reply, &value);
    match deadline {
        Some(at) if cx.has_passed(at) => {
            cx.delete_passed(&key);
        }
        Some(at) => {
            cx.db.set_expiry(&key, Some(at), EXPIRE_EVENT);
            cx.rewrite_number(&[b"PEXPIREAT", key.bytes()], at);
        }
        None => {
            let persists =
                expiration == Some(Expiration::Persist) && cx.db.expiry(&key).flatten().is_some();
            if !persists {
                return Ok(Effect::None);
            }
            cx.db.set_expiry(&key, None, Event::generic("persist"));
            cx.rewrite(&[b"PERSIST", key.bytes()]);
        }
    }
    Ok(Effect::Rewrite)
}
