//! Putting fields in and taking them out: HSET, HMSET, HSETNX, HDEL.

use super::{HDEL_EVENT, HSET_EVENT, UPDATE};
use command::grammar::{block, key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
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

/// Sets the fields and returns how many are new.
fn set_all(cx: &mut Cx<'_>, args: &mut Args<'_>) -> Result<usize, CommandError> {
    let key = args.key()?;
    let words = args.rest();
    if !words.len().is_multiple_of(2) {
        return Err(CommandError::arity(&args.spec().name.to_ascii_lowercase()));
    }
    let limits = &cx.settings.limits;
    let mut hash = cx.db.write_or_new::<Hash>(&key)?;
    hash.purge_elements(words.iter().step_by(2).copied());
    let set = |hash: &mut Hash| {
        hash.prepare(words.iter().copied(), limits);
        let pairs = words.chunks_exact(2);
        pairs.filter(|pair| hash.set(pair[0], pair[1], Ttl::Clear, limits)).count()
    };
    Ok(hash.edit_told(set, |_, tell| tell(HSET_EVENT)))
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
        deleted =
            hash.edit(HDEL_EVENT, |hash| fields.iter().filter(|field| hash.remove(field)).count());
    }
    reply.count(deleted);
    Ok(Effect::Same)
}
