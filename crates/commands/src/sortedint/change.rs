//! SIADD and SIREM.

use super::{SAMPLES, ids};
use command::grammar::{key, string};
use command::{Args, Command, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::Event;
use resp::Reply;
use types::sortedint::SortedInt;

pub(super) const SIADD: Command = Command::data("SIADD", siadd)
    .group(Group::SortedInt)
    .since("8.12.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::INSERT))])
    .args(&[key("key"), string("id").samples(SAMPLES).many()])
    .summary("Adds ids to a sorted set of integers.")
    .complexity("O(N*log(M)), N ids to add, M in the set");

pub(super) const SIREM: Command = Command::data("SIREM", sirem)
    .group(Group::SortedInt)
    .since("8.12.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::DELETE))])
    .args(&[key("key"), string("id").samples(SAMPLES).many()])
    .summary("Takes ids out of a sorted set of integers.")
    .complexity("O(N*log(M)), N ids to take out, M in the set");

fn siadd(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let ids = ids(args)?;
    let mut set = cx.db.write_or_new::<SortedInt>(&key)?;
    let added = set.edit(Event::set("siadd"), |set| ids.iter().filter(|id| set.add(**id)).count());
    reply.count(added);
    Ok(Effect::Same)
}

fn sirem(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let ids = ids(args)?;
    let mut removed = 0;
    if let Some(mut set) = cx.db.write::<SortedInt>(&key)? {
        let remove = |set: &mut SortedInt| ids.iter().filter(|id| set.remove(**id)).count();
        removed = set.edit(Event::set("sirem"), remove);
    }
    reply.count(removed);
    Ok(Effect::Same)
}
