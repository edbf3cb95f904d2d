//! Putting members in and taking them out.

use super::{SADD_EVENT, SREM_EVENT};
use command::grammar::{key, key_of, string};
use command::{Args, Command, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use resp::Reply;
use types::set::Set;

pub(super) const SADD: Command = Command::data("SADD", sadd)
    .group(Group::Set)
    .since("1.0.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::INSERT))])
    .args(&[key("key"), string("member").many()])
    .summary("Adds members to a set; a missing key is made.")
    .complexity("O(1) for each member")
    .history(&[("2.4.0", "Accepts multiple `member` arguments.")]);

pub(super) const SREM: Command = Command::data("SREM", srem)
    .group(Group::Set)
    .since("1.0.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::DELETE))])
    .args(&[key("key"), string("member").many()])
    .summary("Takes members out of a set; an empty set is deleted.")
    .complexity("O(1) for each member")
    .history(&[("2.4.0", "Accepts multiple `member` arguments.")]);

pub(super) const SMOVE: Command = Command::data("SMOVE", smove)
    .group(Group::Set)
    .since("1.0.0")
    .arity(4)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[
        KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
        KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
    ])
    .args(&[key_of("source", 0), key_of("destination", 1), string("member")])
    .summary("Moves a member from one set to another.")
    .complexity("O(1)");

fn sadd(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let members = args.rest();
    let limits = &cx.settings.limits;
    let mut set = cx.db.write_or_new::<Set>(&key)?;
    set.purge_elements(members.iter().copied());
    let added = set.edit(SADD_EVENT, |set| set.add_all(members, limits));
    reply.count(added);
    Ok(if added > 0 { Effect::Same } else { Effect::None })
}

fn srem(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let members = args.rest();
    let removed = match cx.db.write::<Set>(&key)? {
        Some(mut set) => {
            set.purge_elements(members.iter().copied());
            set.edit(SREM_EVENT, |set| members.iter().filter(|member| set.remove(**member)).count())
        }
        None => 0,
    };
    reply.count(removed);
    Ok(if removed > 0 { Effect::Same } else { Effect::None })
}

fn smove(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    let member = args.bytes()?;
    cx.db.purge(&target);
    let Some(mut from) = cx.db.write::<Set>(&source)? else {
        reply.integer(0);
        return Ok(Effect::None);
    };
    from.purge_elements([member]);
    let found = from.view().contains(member);
    // The type is looked at even if there is nothing to move.
    cx.db.write_or_new::<Set>(&target)?.purge_elements([member]);
    reply.integer(found.into());
    if !found || source.bytes() == target.bytes() {
        return Ok(Effect::None);
    }
    if let Some(mut from) = cx.db.write::<Set>(&source)? {
        from.edit(SREM_EVENT, |set| set.remove(member));
    }
    let limits = &cx.settings.limits;
    cx.db.write_or_new::<Set>(&target)?.edit(SADD_EVENT, |set| set.add_all(&[member], limits));
    Ok(Effect::Same)
}
