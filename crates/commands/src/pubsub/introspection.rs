//! PUBSUB: which channels are listened to, and by how many.

use super::pubsub;
use command::grammar::{pattern, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome, Topic};
use resp::Reply;

pub(super) const PUBSUB: Command = Command::container("PUBSUB", SUBCOMMANDS)
    .group(Group::Pubsub)
    .since("2.8.0")
    .summary("Asks about channels and subscribers.")
    .complexity("That of the subcommand");

const SUBCOMMANDS: &[Command] = &[
    pubsub("CHANNELS", channels, -2)
        .since("2.8.0")
        .args(&[pattern("pattern").optional()])
        .summary("Lists the channels that have a subscriber.")
        .complexity("O(N), N channels"),
    pubsub("HELP", help, 2)
        .since("6.2.0")
        .flags(Flags::LOADING.or(Flags::STALE))
        .summary("Lists the subcommands.")
        .complexity("O(1)"),
    pubsub("NUMPAT", numpat, 2)
        .since("2.8.0")
        .summary("Counts the patterns that have a subscriber.")
        .complexity("O(1)"),
    pubsub("NUMSUB", numsub, -2)
        .since("2.8.0")
        .args(&[string("channel").optional().many()])
        .summary("Counts the subscribers of channels.")
        .complexity("O(N), N channels asked for"),
    pubsub("SHARDCHANNELS", shardchannels, -2)
        .since("7.0.0")
        .args(&[pattern("pattern").optional()])
        .summary("Lists the channels of the shard that have a subscriber.")
        .complexity("O(N), N channels"),
    pubsub("SHARDNUMSUB", shardnumsub, -2)
        .since("7.0.0")
        .args(&[string("shardchannel").optional().many()])
        .summary("Counts the subscribers of channels of the shard.")
        .complexity("O(N), N channels asked for"),
];

fn channels(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    list(cx, Topic::Channel, args, reply)
}

fn shardchannels(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    list(cx, Topic::Shard, args, reply)
}

fn list(cx: &Cx<'_>, topic: Topic, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let pattern = args.next();
    if args.left() > 0 {
        return Err(CommandError::unknown_or_arity("PUBSUB", args.all()[1]));
    }
    let names = cx.pubsub.active(topic, pattern);
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name));
    Ok(Effect::None)
}

fn numpat(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.count(cx.pubsub.count(Topic::Pattern));
    Ok(Effect::None)
}

fn numsub(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    count(cx, Topic::Channel, args.rest(), reply)
}

fn shardnumsub(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    count(cx, Topic::Shard, args.rest(), reply)
}

fn count(cx: &Cx<'_>, topic: Topic, names: &[&[u8]], reply: &mut Reply) -> Outcome {
    reply.array(2 * names.len());
    for name in names {
        reply.bulk(name);
        reply.count(cx.pubsub.subscribers(topic, name));
    }
    Ok(Effect::None)
}

fn help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "CHANNELS [<pattern>]",
        "    The channels that have a subscriber, those that match the pattern if there is one.",
        "NUMPAT",
        "    The number of patterns that have a subscriber.",
        "NUMSUB [<channel> ...]",
        "    The numbers of subscribers of these channels, without those of patterns.",
        "SHARDCHANNELS [<pattern>]",
        "    As CHANNELS, for channels of the shard.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    As NUMSUB, for channels of the shard.",
    ];
    command::help("PUBSUB", LINES, reply);
    Ok(Effect::None)
}
