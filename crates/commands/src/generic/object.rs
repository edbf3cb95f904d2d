//! OBJECT: how a value is kept, and how it is used.

use command::grammar::{Argument, key};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{AccessClock, Entry, Value};
use resp::Reply;

pub(super) const OBJECT: Command = Command::container("OBJECT", SUBCOMMANDS)
    .group(Group::Generic)
    .since("2.2.3")
    .summary("Looks behind the value that a key holds.")
    .complexity("That of the subcommand");

const SUBCOMMANDS: &[Command] = &[
    look("ENCODING", encoding).since("2.2.3").summary("Names the form in which a value is kept."),
    look("FREQ", freq)
        .since("4.0.0")
        .summary("Answers the logarithmic counter of accesses to a key."),
    Command::data("HELP", help)
        .group(Group::Generic)
        .since("6.2.0")
        .arity(2)
        .flags(Flags::LOADING.or(Flags::STALE).or(Flags::KEYSPACE))
        .summary("Lists the subcommands.")
        .complexity("O(1)"),
    look("IDLETIME", idletime)
        .since("2.2.3")
        .summary("Answers the seconds since the last access to a key."),
    look("REFCOUNT", refcount)
        .since("2.2.3")
        .summary("Answers how many references to a value there are."),
];

const LOOKED_AT: &[KeySpec] = &[KeySpec::at(2, KeyFlags::RO)];
const ONE_KEY: &[Argument] = &[key("key")];

/// What the subcommands on a key have in common.
const fn look(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::Generic)
        .arity(3)
        .flags(Flags::READONLY.or(Flags::KEYSPACE))
        .keys(LOOKED_AT)
        .args(ONE_KEY)
        .complexity("O(1)")
        .tips(&["nondeterministic_output"])
}

/// Integers below this are shared by all keys in Redis, and have the reference count that says so.
const SHARED_INTEGERS: i64 = 10_000;

/// Answers what `answer` makes of the live entry, or null.
fn answer(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    answer: impl FnOnce(&Entry, &mut Reply) -> Result<(), CommandError>,
) -> Outcome {
    let key = args.key()?;
    match cx.db.peek(&key) {
        Some(entry) => answer(&entry, reply)?,
        None => reply.null(),
    }
    Ok(Effect::None)
}

fn encoding(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    answer(cx, args, reply, |entry, reply| {
        reply.bulk(entry.encoding().as_bytes());
        Ok(())
    })
}

fn freq(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (clock, now_ms) = (cx.settings.access_clock, cx.now_ms);
    answer(cx, args, reply, |entry, reply| {
        if !clock.counts() {
            return Err(CommandError::NotLfu);
        }
        reply.integer(i64::from(clock.frequency(entry.clock(), now_ms)));
        Ok(())
    })
}

fn idletime(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (clock, now_ms) = (cx.settings.access_clock, cx.now_ms);
    answer(cx, args, reply, |entry, reply| {
        if clock.counts() {
            return Err(CommandError::NotLru);
        }
        reply.integer(i64::from(AccessClock::idle_seconds(entry.clock(), now_ms)));
        Ok(())
    })
}

/// Redis shares small integers among keys, unless it keeps an access clock with each.
fn refcount(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let policy = cx.settings.maxmemory_policy;
    let by_clock = ["lru", "lrm", "lfu"].iter().any(|kind| policy.ends_with(kind));
    let clocked = cx.settings.maxmemory > 0 && by_clock;
    answer(cx, args, reply, |entry, reply| {
        let shared = matches!(entry.value(), Value::Int(0..SHARED_INTEGERS)) && !clocked;
        reply.integer(if shared { i64::from(i32::MAX) } else { 1 });
        Ok(())
    })
}

fn help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    The form in which the value is kept.",
        "FREQ <key>",
        "    The logarithmic counter of accesses, under an LFU maxmemory-policy.",
        "HELP",
        "    This list.",
        "IDLETIME <key>",
        "    Seconds since the last access, or change under LRM; under any other maxmemory-policy.",
        "REFCOUNT <key>",
        "    How many references to the value there are.",
    ];
    reply.array(LINES.len());
    LINES.iter().for_each(|line| reply.simple(line));
    Ok(Effect::None)
}
