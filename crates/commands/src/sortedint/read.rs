//! SICARD and SIEXISTS.

use super::{LOOK, READ, SAMPLES, ids};
use command::grammar::{key, string};
use command::{Args, Command, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;
use types::View as _;
use types::sortedint::SortedInt;

pub(super) const SICARD: Command = Command::data("SICARD", sicard)
    .group(Group::SortedInt)
    .since("8.12.0")
    .arity(2)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(LOOK)
    .args(&[key("key")])
    .summary("Answers how many ids a sorted set of integers has.")
    .complexity("O(1)");

pub(super) const SIEXISTS: Command = Command::data("SIEXISTS", siexists)
    .group(Group::SortedInt)
    .since("8.12.0")
    .arity(-3)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key"), string("id").samples(SAMPLES).many()])
    .summary("Says which ids are in a sorted set of integers.")
    .complexity("O(N*log(M)), N ids asked for, M in the set");

fn sicard(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    reply.count(cx.db.read::<SortedInt>(&key)?.map_or(0, |set| set.len()));
    Ok(Effect::None)
}

fn siexists(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let ids = ids(args)?;
    let set = cx.db.read::<SortedInt>(&key)?;
    reply.array(ids.len());
    for id in ids {
        reply.integer(set.is_some_and(|set| set.contains(id)).into());
    }
    Ok(Effect::None)
}
