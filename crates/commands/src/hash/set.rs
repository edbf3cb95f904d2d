//! Putting fields in and taking them out: HSET, HMSET, HSETNX, HDEL, and what KeyDB and Kvrocks have
//! beside them.

use super::{HDEL_EVENT, HSET_EVENT, UPDATE};
use command::grammar::{block, integer, key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{Event, KeyRef};
use resp::Reply;
use types::hash::{Hash, Ttl};

const SETTER: Flags = Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST);

pub(super) const HSET: Command = Command::data("HSET", hset)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(-4)
    .flags(SETTER)
    .keys(UPDATE)
    .args(&[key("key"), block("data", &[string("field"), string("value")]).many()])
    .summary("Sets fields of a hash.")
    .complexity("O(N), N fields to set")
    .history(&[("4.0.0", "Several fields at once.")]);

pub(super) const HMSET: Command = Command::data("HMSET", hmset)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(-4)
    .flags(SETTER)
    .keys(UPDATE)
    .args(&[key("key"), block("data", &[string("field"), string("value")]).many()])
    .summary("Sets fields of a hash.")
    .complexity("O(N), N fields to set")
    .deprecated("4.0.0", "HSET with several fields");

pub(super) const HSETNX: Command = Command::data("HSETNX", hsetnx)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(4)
    .flags(SETTER)
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::INSERT))])
    .args(&[key("key"), string("field"), string("value")])
    .summary("Sets a field of a hash if it is not there.")
    .complexity("O(1)");

pub(super) const HDEL: Command = Command::data("HDEL", hdel)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::DELETE))])
    .args(&[key("key"), string("field").many()])
    .summary("Deletes fields of a hash.")
    .complexity("O(N), N fields to delete")
    .history(&[("2.4.0", "Several fields at once.")]);

/// Kvrocks': HSET and EXPIRE at once.
pub(super) const HSETEXPIRE: Command = Command::data("HSETEXPIRE", hsetexpire)
    .group(Group::Hash)
    .since("8.12.0")
    .arity(-5)
    .flags(SETTER)
    .keys(UPDATE)
    .args(&[
        key("key"),
        integer("seconds").samples(&["1", "100"]),
        block("data", &[string("field"), string("value")]).many(),
    ])
    .summary("Sets fields of a hash, and when the hash expires.")
    .complexity("O(N), N fields to set");

/// KeyDB's.
pub(super) const HRENAME: Command = Command::data("KEYDB.HRENAME", hrename)
    .group(Group::Hash)
    .since("8.12.0")
    .arity(4)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))])
    .args(&[key("key"), string("field"), string("newfield")])
    .summary("Gives a field of a hash another name.")
    .complexity("O(1)");

/// Sets the fields and returns how many are new.
fn set_all(cx: &mut Cx<'_>, args: &mut Args<'_>) -> Result<usize, CommandError> {
    let key = args.key()?;
    let words = args.rest();
    if !words.len().is_multiple_of(2) {
        return Err(CommandError::arity(&args.spec().name.to_ascii_lowercase()));
    }
    set_pairs(cx, &key, words)
}

/// Sets fields, of names and values in turn, and returns how many are new.
fn set_pairs(cx: &mut Cx<'_>, key: &KeyRef<'_>, words: &[&[u8]]) -> Result<usize, CommandError> {
    let limits = &cx.settings.limits;
    let mut hash = cx.db.write_or_new::<Hash>(key)?;
    hash.purge_elements(words.iter().step_by(2).copied());
    let set = |hash: &mut Hash| {
        hash.prepare(words.iter().copied(), limits);
        let pairs = words.chunks_exact(2);
        pairs.filter(|pair| hash.set(pair[0], pair[1], Ttl::Clear, limits)).count()
    };
    let added = hash.edit_told(set, |_, tell| tell(HSET_EVENT));
    hash.name_elements(HSET_EVENT, words.iter().step_by(2).copied());
    Ok(added)
}

fn hset(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.count(set_all(cx, args)?);
    Ok(Effect::Same)
}

fn hmset(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    set_all(cx, args)?;
    reply.ok();
    Ok(Effect::Same)
}

fn hsetnx(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (field, value) = (args.bytes()?, args.bytes()?);
    let limits = &cx.settings.limits;
    let mut hash = cx.db.write_or_new::<Hash>(&key)?;
    hash.purge_elements([field]);
    let is_new = hash.view().get(field).is_none();
    if is_new {
        hash.edit(HSET_EVENT, |hash| hash.set(field, value, Ttl::Clear, limits));
        hash.name_elements(HSET_EVENT, [field]);
    }
    reply.integer(i64::from(is_new));
    Ok(Effect::Same)
}

fn hdel(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let fields = args.rest();
    let mut deleted = 0;
    if let Some(mut hash) = cx.db.write::<Hash>(&key)? {
        hash.purge_elements(fields.iter().copied());
        let (naming, mut gone) = (hash.names_elements(), Vec::new());
        deleted = hash.edit(HDEL_EVENT, |hash| {
            let removed = fields.iter().filter(|field| hash.remove(field));
            removed.inspect(|field| gone.extend(naming.then_some(**field))).count()
        });
        hash.name_elements(HDEL_EVENT, gone);
    }
    reply.count(deleted);
    Ok(Effect::Same)
}

/// The journal is told what Redis knows, and a moment.
fn hsetexpire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let seconds = args.integer()?;
    let words = args.rest();
    if !words.len().is_multiple_of(2) {
        return Err(CommandError::PairsIncomplete);
    }
    let at = seconds.checked_mul(1000).and_then(|span| span.checked_add(cx.now_ms));
    let at =
        at.filter(|_| seconds >= 0).ok_or_else(|| CommandError::invalid_expire("HSETEXPIRE"))?;
    if cx.has_passed(at) {
        // Of another type it is an error all the same.
        cx.db.peek_as::<Hash>(&key)?;
        reply.ok();
        let deleted = cx.delete_passed(&key);
        return Ok(if deleted { Effect::Rewrite } else { Effect::None });
    }
    set_pairs(cx, &key, words)?;
    cx.db.set_expiry(&key, Some(at), Event::generic("expire"));
    reply.ok();
    cx.rewrite(&[&[b"HSET".as_slice(), key.bytes()], words].concat());
    cx.rewrite_number(&[b"PEXPIREAT", key.bytes()], at);
    Ok(Effect::Rewrite)
}

/// A field that expires does so under its new name. The journal is told what Redis knows.
fn hrename(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (from, to) = (args.bytes()?, args.bytes()?);
    let limits = &cx.settings.limits;
    let Some(mut hash) = cx.db.write::<Hash>(&key)? else {
        reply.null();
        return Ok(Effect::None);
    };
    hash.purge_elements([from, to]);
    let Some(field) = hash.view().get(from) else { return Err(CommandError::NoSuchField) };
    let (value, expiry) = (field.value.to_vec(), field.expiry);
    hash.edit_told(
        |hash| {
            hash.remove(from);
            hash.set(to, &value, expiry.map_or(Ttl::Clear, Ttl::At), limits);
        },
        |(), tell| {
            tell(HDEL_EVENT);
            tell(HSET_EVENT);
        },
    );
    hash.name_elements(HDEL_EVENT, [from]);
    hash.name_elements(HSET_EVENT, [to]);
    reply.integer(1);
    cx.rewrite(&[b"HSET", key.bytes(), to, &value]);
    if let Some(at) = expiry {
        let at = at.to_string();
        cx.rewrite(&[b"HPEXPIREAT", key.bytes(), at.as_bytes(), b"FIELDS", b"1", to]);
    }
    if from != to {
        cx.rewrite(&[b"HDEL", key.bytes(), from]);
    }
    Ok(Effect::Rewrite)
}
