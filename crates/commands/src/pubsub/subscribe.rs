//! Subscribing and unsubscribing: a confirmation for each channel, in the form of a message.

use super::{COMMON, pubsub};
use command::grammar::{pattern, string};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, KeyFlags, KeySpec, Outcome, Session, Topic,
};
use resp::Reply;

const FLAGS: Flags = COMMON.or(Flags::NOSCRIPT).or(Flags::WHILE_SUBSCRIBED);
const CHANNELS: &[KeySpec] = &[KeySpec::from(1, 1, KeyFlags::NOT_KEY)];

pub(super) const SUBSCRIBE: Command = pubsub("SUBSCRIBE", subscribe, -2)
    .since("2.0.0")
    .flags(FLAGS)
    .args(&[string("channel").many()])
    .summary("Listens for messages of channels.")
    .complexity("O(N), N channels");

pub(super) const PSUBSCRIBE: Command = pubsub("PSUBSCRIBE", psubscribe, -2)
    .since("2.0.0")
    .flags(FLAGS)
    .args(&[pattern("pattern").many()])
    .summary("Listens for messages of all channels that match patterns.")
    .complexity("O(N), N patterns");

pub(super) const SSUBSCRIBE: Command = pubsub("SSUBSCRIBE", ssubscribe, -2)
    .since("7.0.0")
    .flags(FLAGS)
    .keys(CHANNELS)
    .args(&[string("shardchannel").many()])
    .summary("Listens for messages of channels of a shard.")
    .complexity("O(N), N channels");

pub(super) const UNSUBSCRIBE: Command = pubsub("UNSUBSCRIBE", unsubscribe, -1)
    .since("2.0.0")
    .flags(FLAGS)
    .args(&[string("channel").optional().many()])
    .summary("Ends listening to channels, to all of them if none is named.")
    .complexity("O(N), N channels");

pub(super) const PUNSUBSCRIBE: Command = pubsub("PUNSUBSCRIBE", punsubscribe, -1)
    .since("2.0.0")
    .flags(FLAGS)
    .args(&[pattern("pattern").optional().many()])
    .summary("Ends listening by patterns, by all of them if none is named.")
    .complexity("O(N), N patterns");

pub(super) const SUNSUBSCRIBE: Command = pubsub("SUNSUBSCRIBE", sunsubscribe, -1)
    .since("7.0.0")
    .flags(FLAGS)
    .keys(CHANNELS)
    .args(&[string("shardchannel").optional().many()])
    .summary("Ends listening to channels of a shard, to all of them if none is named.")
    .complexity("O(N), N channels");

fn subscribe(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    listen(cx, Topic::Channel, args.rest(), reply)
}

fn psubscribe(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    listen(cx, Topic::Pattern, args.rest(), reply)
}

fn ssubscribe(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    // Its elder kin are allowed, as they always were.
    if cx.in_transaction {
        return Err(CommandError::SsubscribeDenied);
    }
    listen(cx, Topic::Shard, args.rest(), reply)
}

fn unsubscribe(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    stop(cx, Topic::Channel, args.rest(), reply)
}

fn punsubscribe(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    stop(cx, Topic::Pattern, args.rest(), reply)
}

fn sunsubscribe(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    stop(cx, Topic::Shard, args.rest(), reply)
}

fn listen(cx: &mut Cx<'_>, topic: Topic, names: &[&[u8]], reply: &mut Reply) -> Outcome {
    cx.session.pushed = true;
    for name in names {
        cx.pubsub.subscribe(cx.session, topic, name);
        confirm(cx.session, topic.words()[0], Some(name), topic, reply);
    }
    Ok(Effect::None)
}

fn stop(cx: &mut Cx<'_>, topic: Topic, names: &[&[u8]], reply: &mut Reply) -> Outcome {
    cx.session.pushed = true;
    let word = topic.words()[1];
    let all = match &cx.session.subscriptions {
        Some(own) if names.is_empty() => own.names(topic),
        _ => Vec::new(),
    };
    let all = all.iter().map(|name| &**name);
    let mut none = true;
    for name in names.iter().copied().chain(all) {
        cx.pubsub.unsubscribe(cx.session, topic, name);
        if !cx.in_transaction && cx.session.card.has_mail() {
            // No message comes behind the confirmation.
            cx.session.collect(reply);
        }
        confirm(cx.session, word, Some(name), topic, reply);
        none = false;
    }
    if none {
        confirm(cx.session, word, None, topic, reply);
    }
    Ok(Effect::None)
}

/// Writes a confirmation: with how many subscriptions the client has, of its kind for channels of
/// shards, of both other kinds together for these.
fn confirm(session: &Session, word: &str, name: Option<&[u8]>, topic: Topic, reply: &mut Reply) {
    let count = |topic| session.subscriptions.as_ref().map_or(0, |own| own.len(topic));
    reply.push(3);
    reply.bulk(word.as_bytes());
    reply.bulk_or_null(name);
    reply.count(match topic {
        Topic::Shard => count(Topic::Shard),
        Topic::Channel | Topic::Pattern => count(Topic::Channel) + count(Topic::Pattern),
    });
}
