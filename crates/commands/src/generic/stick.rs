//! STICK, as Dragonfly has it: keys that eviction passes over. They expire as others do.

use command::grammar::key;
use command::{Args, Command, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use resp::Reply;

pub(super) const STICK: Command = Command::data("STICK", stick)
    .group(Group::Generic)
    .since("8.12.0")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::FAST).or(Flags::KEYSPACE))
    .keys(&[KeySpec::from(1, 1, KeyFlags::RW.or(KeyFlags::UPDATE))])
    .args(&[key("key").many()])
    .summary("Lets keys never be evicted.")
    .complexity("O(N), N keys to pin")
    .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]);

fn stick(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let pinned = args.keys().iter().filter(|key| cx.db.pin(key)).count();
    reply.count(pinned);
    Ok(Effect::Same)
}
