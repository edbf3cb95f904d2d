//! Several strings at once. All shards of the keys are held, so that these are plain loops.

use super::expiration::{EX, EXAT, Expiration, PX, PXAT, Unit};
use super::{EXPIRE_EVENT, SET_EVENT, reply_str};
use command::grammar::{block, integer, key, one_of, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{ExpiryChange, KeyRef};
use resp::Reply;

pub(super) const MGET: Command = Command::data("MGET", mget)
    .group(Group::String)
    .since("1.0.0")
    .arity(-2)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(&[KeySpec::from(1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[key("key").many()])
    .summary("Answers the strings that several keys hold, as of one moment.")
    .complexity("O(N), N keys asked for")
    .tips(&["request_policy:multi_shard"]);

pub(super) const MSET: Command = Command::data("MSET", mset)
    .group(Group::String)
    .since("1.0.1")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::from(1, 2, KeyFlags::OW.or(KeyFlags::UPDATE))])
    .args(&[block("data", &[key("key"), string("value")]).many()])
    .summary("Stores several strings at one moment.")
    .complexity("O(N), N keys to set")
    .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]);

pub(super) const MSETNX: Command = Command::data("MSETNX", msetnx)
    .group(Group::String)
    .since("1.0.1")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::from(1, 2, KeyFlags::OW.or(KeyFlags::INSERT))])
    .args(&[block("data", &[key("key"), string("value")]).many()])
    .summary("Stores several strings at one moment, if none of their keys exists.")
    .complexity("O(N), N keys to set");

pub(super) const MSETEX: Command = Command::data("MSETEX", msetex)
    .group(Group::String)
    .since("8.4.0")
    .arity(-4)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLE_KEYS))
    .keys(&[KeySpec::counted(1, 2, KeyFlags::OW.or(KeyFlags::UPDATE))])
    .args(&[
        integer("numkeys"),
        block("data", &[key("key"), string("value")]).many(),
        one_of("condition", &[word("nx", "NX"), word("xx", "XX")]).optional(),
        one_of("expiration", &[EX, PX, EXAT, PXAT, word("keepttl", "KEEPTTL")]).optional(),
    ])
    .summary("Stores several strings at one moment, with one expiry for all.")
    .complexity("O(N), N keys to set")
    .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]);

fn mget(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let keys = args.keys();
    reply.array(keys.len());
    for key in keys {
        match cx.db.string(key) {
            Ok(Some(value)) => reply_str(reply, &value),
            // A key of another type is answered like a missing one.
            Ok(None) | Err(_) => reply.null(),
        }
    }
    Ok(Effect::None)
}

/// The keys with the values that stand behind them in `words`.
fn pairs<'a>(
    keys: &'a [KeyRef<'a>],
    words: &'a [&'a [u8]],
) -> impl Iterator<Item = (&'a KeyRef<'a>, &'a [u8])> {
    keys.iter().zip(words.chunks_exact(2).map(|pair| pair[1]))
}

fn set_all<'a>(
    cx: &mut Cx<'_>,
    pairs: impl Iterator<Item = (&'a KeyRef<'a>, &'a [u8])>,
    expiry: ExpiryChange,
) {
    for (key, value) in pairs {
        let value = cx.value(value);
        cx.db.put(key, value, expiry, SET_EVENT);
        if matches!(expiry, ExpiryChange::At(_)) {
            cx.db.note(key, EXPIRE_EVENT);
        }
    }
}

fn mset(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let words = args.rest();
    if !words.len().is_multiple_of(2) {
        return Err(CommandError::arity("mset"));
    }
    set_all(cx, pairs(args.keys(), words), ExpiryChange::Clear);
    reply.ok();
    Ok(Effect::Same)
}

fn msetnx(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let words = args.rest();
    if !words.len().is_multiple_of(2) {
        return Err(CommandError::arity("msetnx"));
    }
    if args.keys().iter().any(|key| cx.db.peek(key).is_some()) {
        reply.integer(0);
        return Ok(Effect::None);
    }
    set_all(cx, pairs(args.keys(), words), ExpiryChange::Clear);
    reply.integer(1);
    Ok(Effect::Same)
}

/// What must hold of all keys for MSETEX to set any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Missing,
    Present,
}

/// The options of MSETEX, behind the pairs.
fn options<'a>(
    args: &mut Args<'a>,
) -> Result<(Option<Condition>, Option<Expiration<'a>>), CommandError> {
    let (mut condition, mut expiration) = (None, None);
    while let Some(word) = args.next() {
        if word.eq_ignore_ascii_case(b"NX") && condition != Some(Condition::Present) {
            condition = Some(Condition::Missing);
        } else if word.eq_ignore_ascii_case(b"XX") && condition != Some(Condition::Missing) {
            condition = Some(Condition::Present);
        } else if word.eq_ignore_ascii_case(b"KEEPTTL") {
            expiration = Expiration::then(expiration, Expiration::Keep)?;
        } else {
            let unit = Unit::of(word).ok_or(CommandError::Syntax)?;
            expiration = Expiration::then(expiration, Expiration::At(unit, args.bytes()?))?;
        }
    }
    Ok((condition, expiration))
}

fn msetex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let count = stdx::num::parse_i64(args.bytes()?)
        .filter(|count| (1..=i64::from(i32::MAX)).contains(count))
        .ok_or(CommandError::InvalidNumkeys)? as usize;
    if args.left() / 2 < count {
        return Err(CommandError::WrongNumberOfPairs);
    }
    let words = &args.all()[2..2 + 2 * count];
    args.skip(2 * count);
    let (condition, expiration) = options(args)?;
    let expiry = match expiration {
        Some(Expiration::At(unit, text)) => {
            ExpiryChange::At(unit.deadline(text, cx.now_ms, "msetex")?)
        }
        Some(Expiration::Keep) => ExpiryChange::Keep,
        _ => ExpiryChange::Clear,
    };
    let keys = args.keys();
    let holds = match condition {
        None => true,
        Some(Condition::Missing) => keys.iter().all(|key| cx.db.peek(key).is_none()),
        Some(Condition::Present) => keys.iter().all(|key| cx.db.peek(key).is_some()),
    };
    reply.integer(i64::from(holds));
    if !holds {
        return Ok(Effect::None);
    }
    if super::set::deletes(cx, expiry) {
        return Ok(delete_all(cx, keys));
    }
    set_all(cx, pairs(keys, words), expiry);
    log_msetex(cx, &args.all()[1..2 + 2 * count], expiry);
    Ok(Effect::Rewrite)
}

/// The time has passed: what is there goes.
fn delete_all(cx: &mut Cx<'_>, keys: &[KeyRef<'_>]) -> Effect {
    let mut effect = Effect::None;
    for key in keys {
        if cx.delete_passed(key) {
            effect = Effect::Rewrite;
        }
    }
    effect
}

/// Logs `pairs`, which begin with their count, with an absolute expiry and without a condition.
fn log_msetex(cx: &mut Cx<'_>, pairs: &[&[u8]], expiry: ExpiryChange) {
    let mut at_text = Vec::new();
    let mut words = Vec::with_capacity(pairs.len() + 3);
    words.push(&b"MSETEX"[..]);
    words.extend_from_slice(pairs);
    match expiry {
        ExpiryChange::Clear => {}
        ExpiryChange::Keep => words.push(b"KEEPTTL"),
        ExpiryChange::At(at) => {
            stdx::num::write_i64(&mut at_text, at);
            words.push(b"PXAT");
            words.push(&at_text);
        }
    }
    cx.rewrite(&words);
}
