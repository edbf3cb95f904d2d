//! CONFIG: the parameters. Names, values and the errors of wrong ones are `config`'s.

use super::{ON_ALL_NODES, OPERATOR, container, help_row, node};
use command::grammar::{block, string};
use command::{Args, ClientFlags, Command, CommandError, Cx, Effect, Outcome};
use resp::Reply;

pub(super) const CONFIG: Command = container("CONFIG", SUBCOMMANDS)
    .since("2.0.0")
    .summary("Asks and tells the server's parameters.");

const SUBCOMMANDS: &[Command] = &[
    node("GET", get, -3)
        .since("2.0.0")
        .flags(OPERATOR)
        .args(&[string("parameter").many().samples(&["maxmemory", "*"])])
        .summary("Answers parameters and their values.")
        .complexity("O(N), N parameters asked for")
        .history(&[("7.0.0", "Several names and patterns.")]),
    help_row(help, "5.0.0"),
    node("RESETSTAT", resetstat, 2)
        .since("2.0.0")
        .flags(OPERATOR)
        .summary("Sets the counters of INFO to zero.")
        .tips(ON_ALL_NODES),
    node("REWRITE", rewrite, 2)
        .since("2.8.0")
        .flags(OPERATOR)
        .summary("Writes the parameters in force into the configuration file.")
        .tips(ON_ALL_NODES),
    node("SET", set, -4)
        .since("2.0.0")
        .flags(OPERATOR)
        .args(&[block("data", &[string("parameter"), string("value")]).many()])
        .secrets(|words, at| at > 2 && at % 2 == 1 && config::is_sensitive(words[at - 1]))
        .summary("Changes parameters, all or none.")
        .complexity("O(N), N parameters")
        .history(&[("7.0.0", "Several parameters.")])
        .tips(ON_ALL_NODES),
];

fn get(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut pairs = cx.node.config_get(args.rest());
    // A parameter that is asked for in two spellings is answered once.
    let mut seen: Vec<Vec<u8>> = Vec::new();
    pairs.retain(|(name, _)| {
        let name = name.to_ascii_lowercase();
        let first = !seen.contains(&name);
        if first {
            seen.push(name);
        }
        first
    });
    reply.map(pairs.len());
    for (name, value) in pairs {
        reply.bulk(&name);
        reply.bulk(&value);
    }
    Ok(Effect::None)
}

fn set(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let pairs = args.rest();
    if !pairs.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let card = &cx.session.card;
    let local = card.has(ClientFlags::LOCAL) || card.has(ClientFlags::UNIX_SOCKET);
    cx.node.config_set(pairs, local)?;
    reply.ok();
    Ok(Effect::None)
}

fn rewrite(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    cx.node.config_rewrite()?;
    reply.ok();
    Ok(Effect::None)
}

fn resetstat(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    cx.node.reset_stats();
    reply.ok();
    Ok(Effect::None)
}

fn help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "GET <pattern> [<pattern> ...]",
        "    The parameters whose names match, and their values.",
        "RESETSTAT",
        "    Set the counters of INFO to zero.",
        "REWRITE",
        "    Write the parameters in force into the configuration file.",
        "SET <parameter> <value> [<parameter> <value> ...]",
        "    Change parameters, all or none.",
    ];
    command::help("CONFIG", LINES, reply);
    Ok(Effect::None)
}
