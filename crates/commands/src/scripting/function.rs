//! FUNCTION: libraries of functions, told of; what changes them is in `load.rs`.

use super::{help_row, load, node};
use command::grammar::{string, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, Library, Outcome, help as write_help,
};
use resp::Reply;

pub(super) const FUNCTION: Command = Command::container("FUNCTION", SUBCOMMANDS)
    .group(Group::Scripting)
    .since("7.0.0")
    .summary("Keeps libraries of functions.")
    .complexity("That of the subcommand");

const SUBCOMMANDS: &[Command] = &[
    load::DELETE,
    node("DUMP", load::dump, 2)
        .since("7.0.0")
        .summary("Answers all libraries as bytes for FUNCTION RESTORE.")
        .complexity("O(N), N libraries"),
    load::FLUSH,
    help_row(help, "7.0.0"),
    node("KILL", kill, 2)
        .since("7.0.0")
        .flags(Flags::NOSCRIPT.or(Flags::ALLOW_BUSY))
        .summary("Ends a function that runs for too long and has not written.")
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
    node("LIST", list, -2)
        .since("7.0.0")
        .args(&[
            string("library-name-pattern").token("LIBRARYNAME").optional(),
            word("withcode", "WITHCODE").optional(),
        ])
        .summary("Lists libraries and their functions.")
        .complexity("O(N), N functions")
        .tips(&["nondeterministic_output_order"]),
    load::LOAD,
    load::RESTORE,
    node("STATS", stats, 2)
        .since("7.0.0")
        .flags(Flags::NOSCRIPT.or(Flags::ALLOW_BUSY))
        .summary("Tells which function runs for too long, and how many there are.")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
];

/// Too many words.
pub(super) fn syntax(args: &Args<'_>) -> CommandError {
    let word = args.all().get(1).copied().unwrap_or_default();
    CommandError::unknown_or_arity("FUNCTION", word)
}

fn kill(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    cx.scripts.overdue.kill(false)?;
    reply.ok();
    Ok(Effect::None)
}

fn list(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (mut with_code, mut pattern) = (false, None);
    while let Some(word) = args.peek() {
        if !with_code && args.token("WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && args.token("LIBRARYNAME") {
            let missing = "library name argument was not given";
            let name = args.next();
            pattern = Some(name.ok_or_else(|| CommandError::err(format_args!("{missing}")))?);
        } else {
            return Err(CommandError::err_bytes(&[b"Unknown argument ", word]));
        }
    }
    let libraries = cx.functions.libraries();
    let asked = |library: &&std::sync::Arc<Library>| {
        pattern.is_none_or(|pattern| stdx::glob::matches(pattern, &library.name, true))
    };
    reply.array(libraries.iter().filter(asked).count());
    for library in libraries.iter().filter(asked) {
        write_library(library, with_code, reply);
    }
    Ok(Effect::None)
}

fn write_library(library: &Library, with_code: bool, reply: &mut Reply) {
    reply.map(if with_code { 4 } else { 3 });
    reply.bulk(b"library_name");
    reply.bulk(&library.name);
    reply.bulk(b"engine");
    reply.bulk(b"LUA");
    reply.bulk(b"functions");
    reply.array(library.functions.len());
    for function in &library.functions {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(&function.name);
        reply.bulk(b"description");
        reply.bulk_or_null(function.description.as_deref());
        reply.bulk(b"flags");
        reply.set(function.flags.names().count());
        function.flags.names().for_each(|name| reply.simple(name));
    }
    if with_code {
        reply.bulk(b"library_code");
        reply.bulk(&library.source);
    }
}

fn stats(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let running = cx.scripts.overdue.first();
    if running.as_ref().is_some_and(|running| running.eval) {
        return Err(CommandError::Busy);
    }
    reply.map(2);
    reply.bulk(b"running_script");
    match running {
        None => reply.null(),
        Some(running) => {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(&running.name);
            reply.bulk(b"command");
            reply.array(running.words.len());
            running.words.iter().for_each(|word| reply.bulk(word));
            reply.bulk(b"duration_ms");
            reply.integer(running.duration_ms() as i64);
        }
    }
    let (libraries, functions) = cx.functions.len();
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.count(libraries);
    reply.bulk(b"functions_count");
    reply.count(functions);
    Ok(Effect::None)
}

fn help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "DELETE <library-name>",
        "    Deletes a library and its functions.",
        "DUMP",
        "    Answers all libraries as bytes for RESTORE.",
        "FLUSH [ASYNC|SYNC]",
        "    Deletes all libraries. Both modes do the same.",
        "KILL",
        "    Ends a function that runs for too long and has not written.",
        "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
        "    Lists libraries and their functions, with their texts if WITHCODE is given.",
        "LOAD [REPLACE] <code>",
        "    Makes a library of its text, which names it in its first line.",
        "RESTORE <bytes> [FLUSH|APPEND|REPLACE]",
        "    Makes libraries of the bytes that DUMP answered, and deletes all others first",
        "    (FLUSH), adds them (APPEND, the default), or those of the same name give way (REPLACE).",
        "STATS",
        "    Tells which function runs for too long, and how many there are.",
    ];
    write_help("FUNCTION", LINES, reply);
    Ok(Effect::None)
}
