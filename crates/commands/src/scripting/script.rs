//! SCRIPT: the texts that EVALSHA knows.

use super::{help_row, node};
use command::grammar::{one_of, string, word};
use command::{
    Args, Command, CommandError, Cx, Debugging, Effect, Flags, Group, Outcome, Scripts,
    help as write_help,
};
use resp::Reply;
use script::Sha;

pub(super) const SCRIPT: Command = Command::container("SCRIPT", SUBCOMMANDS)
    .group(Group::Scripting)
    .since("2.6.0")
    .summary("Keeps the scripts that EVALSHA runs.")
    .complexity("That of the subcommand");

const SUBCOMMANDS: &[Command] = &[
    node("DEBUG", debug, 3)
        .since("3.2.0")
        .args(&[one_of("mode", &[word("yes", "YES"), word("sync", "SYNC"), word("no", "NO")])])
        .summary("Makes EVAL debug scripts."),
    node("EXISTS", exists, -3)
        .since("2.6.0")
        .args(&[string("sha1").many()])
        .summary("Says of each script whether EVALSHA knows it.")
        .complexity("O(N), N scripts asked for")
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"]),
    node("FLUSH", flush, -2)
        .since("2.6.0")
        .args(&[one_of("flush-type", &[word("async", "ASYNC"), word("sync", "SYNC")])
            .optional()
            .since("6.2.0")])
        .summary("Forgets all scripts.")
        .complexity("O(N), N scripts")
        .history(&[("6.2.0", "The options ASYNC and SYNC.")])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    help_row(help, "5.0.0"),
    node("KILL", kill, 2)
        .since("2.6.0")
        .flags(Flags::NOSCRIPT.or(Flags::ALLOW_BUSY))
        .summary("Ends a script that runs for too long and has not written.")
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
    node("LOAD", load, 3)
        .since("2.6.0")
        .flags(Flags::NOSCRIPT.or(Flags::STALE))
        .args(&[string("script")])
        .summary("Compiles and keeps a script, and answers its SHA-1.")
        .complexity("O(N), N bytes of the script")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    node("SHOW", show, 3)
        .since("8.0.0")
        .flags(Flags::NOSCRIPT.or(Flags::STALE))
        .args(&[string("sha1")])
        .summary("Answers the text of a script."),
];

fn load(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let script = Scripts::parse(args.bytes()?)?;
    cx.machine.load(cx.scripts, &script)?;
    reply.bulk(cx.scripts.add(script, true).sha.as_bytes());
    Ok(Effect::None)
}

fn exists(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let shas = args.rest();
    reply.array(shas.len());
    for sha in shas {
        let known = Sha::parse(sha).is_some_and(|sha| cx.scripts.get(&sha).is_some());
        reply.integer(i64::from(known));
    }
    Ok(Effect::None)
}

fn flush(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let plain = args.left() == 0 || args.token("SYNC") || args.token("ASYNC");
    if !plain || args.left() > 0 {
        return Err(CommandError::ScriptFlushMode);
    }
    cx.scripts.flush();
    reply.ok();
    Ok(Effect::None)
}

fn kill(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    cx.scripts.overdue.kill(true)?;
    reply.ok();
    Ok(Effect::None)
}

fn show(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let found = Sha::parse(args.bytes()?).and_then(|sha| cx.scripts.get(&sha));
    reply.bulk(&found.ok_or(CommandError::NoScript)?.source);
    Ok(Effect::None)
}

fn debug(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    // What is sent before the answer is known would be taken for commands of the debugger.
    if cx.in_transaction || !reply.out.is_empty() {
        return Err(CommandError::ScriptDebugPipeline);
    }
    let keeps = args.token("SYNC");
    cx.session.debugging = if keeps || args.token("YES") {
        Some(Box::new(Debugging { keeps, ..Debugging::default() }))
    } else if args.token("NO") {
        None
    } else {
        return Err(CommandError::ScriptDebugMode);
    };
    reply.ok();
    Ok(Effect::None)
}

fn help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "DEBUG (YES|SYNC|NO)",
        "    EVAL debugs from now on, and takes back what the script changes (YES) or keeps it (SYNC).",
        "EXISTS <sha1> [<sha1> ...]",
        "    Says of each script whether EVALSHA knows it.",
        "FLUSH [ASYNC|SYNC]",
        "    Forgets all scripts. Both modes do the same.",
        "KILL",
        "    Ends a script that runs for too long and has not written.",
        "LOAD <script>",
        "    Compiles and keeps a script, and answers its SHA-1.",
        "SHOW <sha1>",
        "    Answers the text of a script.",
    ];
    write_help("SCRIPT", LINES, reply);
    Ok(Effect::None)
}
