//! SLOWLOG and COMMANDLOG: commands that stood out by their time, or the size of their request or
//! reply. SLOWLOG is the older way to ask for the slow ones.

use super::{CALM, container, help_row, node};
use command::grammar::{Argument, integer, one_of, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, LogKind, Outcome};
use resp::Reply;

pub(super) const SLOWLOG: Command = container("SLOWLOG", SLOWLOG_SUBCOMMANDS)
    .since("2.2.12")
    .summary("Tells which commands took long.");

pub(super) const COMMANDLOG: Command = container("COMMANDLOG", COMMANDLOG_SUBCOMMANDS)
    .since("8.1.0")
    .summary("Tells which commands took long, or were large.");

const READ: Flags = CALM.or(Flags::ADMIN);
const GET_TIPS: &[&str] = &["request_policy:all_nodes", "nondeterministic_output"];
const LEN_TIPS: &[&str] =
    &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"];

const SLOWLOG_SUBCOMMANDS: &[Command] = &[
    node("GET", slowlog_get, -2)
        .since("2.2.12")
        .flags(READ)
        .args(&[integer("count").optional().samples(&["-1", "0", "10"])])
        .summary("Answers the latest entries, by default 10.")
        .complexity("O(N), N entries answered")
        .history(&[("4.0.0", "Address and name of the client.")])
        .tips(GET_TIPS),
    help_row(slowlog_help, "6.2.0"),
    node("LEN", slowlog_len, 2)
        .since("2.2.12")
        .flags(READ)
        .summary("Counts the entries.")
        .tips(LEN_TIPS),
    node("RESET", slowlog_reset, 2)
        .since("2.2.12")
        .flags(READ)
        .summary("Forgets the entries.")
        .complexity("O(N), N entries")
        .tips(super::ON_ALL_NODES),
];

const TYPE: Argument =
    one_of("type", &[string("slow"), string("large-request"), string("large-reply")]).samples(&[
        "slow",
        "large-request",
        "large-reply",
    ]);

const COMMANDLOG_SUBCOMMANDS: &[Command] = &[
    node("GET", commandlog_get, 4)
        .since("8.1.0")
        .flags(READ)
        .args(&[integer("count").samples(&["-1", "0", "10"]), TYPE])
        .summary("Answers the latest entries of a kind.")
        .complexity("O(N), N entries answered")
        .tips(GET_TIPS),
    help_row(commandlog_help, "8.1.0"),
    node("LEN", commandlog_len, 3)
        .since("8.1.0")
        .flags(READ)
        .args(&[TYPE])
        .summary("Counts the entries of a kind.")
        .tips(LEN_TIPS),
    node("RESET", commandlog_reset, 3)
        .since("8.1.0")
        .flags(READ)
        .args(&[TYPE])
        .summary("Forgets the entries of a kind.")
        .complexity("O(N), N entries")
        .tips(super::ON_ALL_NODES),
];

/// How many entries are asked for; all if it is -1.
fn count(args: &mut Args<'_>) -> Result<usize, CommandError> {
    match args.integer() {
        Ok(-1) => Ok(usize::MAX),
        Ok(count) => usize::try_from(count).map_err(|_| CommandError::LogCount),
        Err(_) => Err(CommandError::LogCount),
    }
}

fn kind(args: &mut Args<'_>) -> Result<LogKind, CommandError> {
    Ok(match &args.bytes()?.to_ascii_lowercase()[..] {
        b"slow" => LogKind::Slow,
        b"large-request" => LogKind::LargeRequest,
        b"large-reply" => LogKind::LargeReply,
        _ => return Err(CommandError::LogKind),
    })
}

fn write_entries(cx: &Cx<'_>, kind: LogKind, count: usize, reply: &mut Reply) -> Outcome {
    let entries = cx.node.command_log().newest(kind, count);
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.integer(entry.id as i64);
        reply.integer(entry.time);
        reply.integer(entry.value as i64);
        reply.array(entry.words.len());
        entry.words.iter().for_each(|word| reply.bulk(word));
        reply.bulk(entry.addr.as_bytes());
        reply.bulk(&entry.client_name);
    }
    Ok(Effect::None)
}

fn slowlog_get(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let count = args.optional(count)?.unwrap_or(10);
    if args.end().is_err() {
        return Err(CommandError::unknown_or_arity("SLOWLOG", args.all()[1]));
    }
    write_entries(cx, LogKind::Slow, count, reply)
}

fn commandlog_get(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let count = count(args)?;
    let kind = kind(args)?;
    write_entries(cx, kind, count, reply)
}

fn slowlog_len(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.count(cx.node.command_log().count(LogKind::Slow));
    Ok(Effect::None)
}

fn commandlog_len(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.count(cx.node.command_log().count(kind(args)?));
    Ok(Effect::None)
}

fn slowlog_reset(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    cx.node.command_log().reset(LogKind::Slow);
    reply.ok();
    Ok(Effect::None)
}

fn commandlog_reset(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    cx.node.command_log().reset(kind(args)?);
    reply.ok();
    Ok(Effect::None)
}

fn slowlog_help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "GET [<count>]",
        "    The latest entries, 10 by default, -1 for all. An entry is: id, seconds since 1970,",
        "    microseconds, words of the request, address and name of the client.",
        "LEN",
        "    How many entries there are.",
        "RESET",
        "    Forget them.",
    ];
    command::help("SLOWLOG", LINES, reply);
    Ok(Effect::None)
}

fn commandlog_help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "GET <count> (slow|large-request|large-reply)",
        "    The latest entries of a kind, -1 for all. An entry is: id, seconds since 1970,",
        "    microseconds or bytes, words of the request, address and name of the client.",
        "LEN (slow|large-request|large-reply)",
        "    How many entries there are.",
        "RESET (slow|large-request|large-reply)",
        "    Forget them.",
    ];
    command::help("COMMANDLOG", LINES, reply);
    Ok(Effect::None)
}
