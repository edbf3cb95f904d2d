//! MODULE: there are none. What modules bring to Redis is built in.

use super::{container, help_row, node};
use command::grammar::{block, string};
use command::{Args, ClientFlags, Command, CommandError, Cx, Effect, Flags, Outcome};
use resp::Reply;

pub(super) const MODULE: Command =
    container("MODULE", SUBCOMMANDS).since("4.0.0").summary("Asks for loaded modules.");

const LOADS: Flags =
    Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING).or(Flags::PROTECTED);

const SUBCOMMANDS: &[Command] = &[
    help_row(help, "5.0.0"),
    node("LIST", list, 2)
        .since("4.0.0")
        .flags(Flags::ADMIN.or(Flags::NOSCRIPT))
        .summary("Answers the empty list.")
        .complexity("O(1)")
        .tips(&["nondeterministic_output_order"]),
    node("LOAD", load, -3)
        .since("4.0.0")
        .flags(LOADS)
        .args(&[string("path"), string("arg").optional().many()])
        .summary("Refuses to load a module."),
    node("LOADEX", load, -3)
        .since("7.0.0")
        .flags(LOADS)
        .args(&[
            string("path"),
            block("configs", &[string("name"), string("value")])
                .token("CONFIG")
                .optional()
                .many_tokens(),
            string("args").token("ARGS").optional().many(),
        ])
        .summary("Refuses to load a module with parameters."),
    node("UNLOAD", unload, 3)
        .since("4.0.0")
        .flags(LOADS)
        .args(&[string("name")])
        .summary("Finds no module to unload."),
];

fn list(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.array(0);
    Ok(Effect::None)
}

/// Whether the parameter `enable-module-command` lets the client ask at all.
fn allowed(cx: &Cx<'_>) -> Result<(), CommandError> {
    let value = cx.node.config_get(&[b"enable-module-command"]).pop().map(|(_, value)| value);
    let card = &cx.session.card;
    let local = card.has(ClientFlags::LOCAL) || card.has(ClientFlags::UNIX_SOCKET);
    match value.as_deref() {
        Some(b"yes") => Ok(()),
        Some(b"local") if local => Ok(()),
        _ => Err(CommandError::ModuleNotAllowed),
    }
}

fn load(cx: &mut Cx<'_>, _: &mut Args<'_>, _: &mut Reply) -> Outcome {
    allowed(cx)?;
    Err(CommandError::ModuleLoad)
}

fn unload(cx: &mut Cx<'_>, _: &mut Args<'_>, _: &mut Reply) -> Outcome {
    allowed(cx)?;
    Err(CommandError::ModuleUnload)
}

fn help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "LIST",
        "    The loaded modules: none.",
        "LOAD <path> [<arg> ...]",
        "    Refused, as modules cannot be loaded.",
        "LOADEX <path> [CONFIG <name> <value> ...] [ARGS <arg> ...]",
        "    Refused as well.",
        "UNLOAD <name>",
        "    Refused, as there is none.",
    ];
    command::help("MODULE", LINES, reply);
    Ok(Effect::None)
}
