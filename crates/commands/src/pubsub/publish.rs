//! PUBLISH, MPUBLISH and SPUBLISH: a message goes to those who are subscribed at this moment, and is gone. Replicas hand
//! it to their own.

use super::{COMMON, pubsub};
use command::grammar::string;
use command::{Args, Command, Cx, Effect, Flags, KeyFlags, KeySpec, Outcome, Topic};
use resp::Reply;

const FLAGS: Flags = COMMON.or(Flags::FAST).or(Flags::MAY_REPLICATE);

pub(super) const PUBLISH: Command = pubsub("PUBLISH", publish, 3)
    .since("2.0.0")
    .flags(FLAGS)
    .args(&[string("channel"), string("message")])
    .summary("Sends a message to the subscribers of a channel.")
    .complexity("O(N+M), N subscribers of the channel, M patterns that anybody is subscribed to");

/// Kvrocks': PUBLISH of each message in turn.
pub(super) const MPUBLISH: Command = pubsub("MPUBLISH", mpublish, -3)
    .since("8.12.0")
    .flags(FLAGS)
    .args(&[string("channel"), string("message").many()])
    .summary("Sends messages to the subscribers of a channel.")
    .complexity("O(K*(N+M)), K messages, N subscribers of the channel, M patterns that anybody is subscribed to");

pub(super) const SPUBLISH: Command = pubsub("SPUBLISH", spublish, 3)
    .since("7.0.0")
    .flags(FLAGS)
    .keys(&[KeySpec::at(1, KeyFlags::NOT_KEY)])
    .args(&[string("shardchannel"), string("message")])
    .summary("Sends a message to the subscribers of a channel of a shard.")
    .complexity("O(N), N subscribers of the channel");

fn publish(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (channel, message) = (args.bytes()?, args.bytes()?);
    reply.count(cx.publish(Topic::Channel, channel, message));
    Ok(Effect::Relay)
}

fn mpublish(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let channel = args.bytes()?;
    let messages = args.rest().iter();
    reply.count(messages.map(|message| cx.publish(Topic::Channel, channel, message)).sum());
    Ok(Effect::Relay)
}

fn spublish(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (channel, message) = (args.bytes()?, args.bytes()?);
    reply.count(cx.publish(Topic::Shard, channel, message));
    Ok(Effect::Relay)
}
