//! LATENCY: how long commands take. The distribution per command is always there; spikes by event
//! are not recorded, so what is told about events is that there are none.

use super::{OPERATOR, container, help_row, node};
use command::grammar::string;
use command::{Args, Command, CommandError, Cx, Effect, Outcome};
use resp::Reply;

pub(super) const LATENCY: Command =
    container("LATENCY", SUBCOMMANDS).since("2.8.13").summary("Tells how long things take.");

const ALL_SPECIAL: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

const SUBCOMMANDS: &[Command] = &[
    node("DOCTOR", doctor, 2)
        .since("2.8.13")
        .flags(OPERATOR)
        .summary("Reports on spikes in words.")
        .tips(ALL_SPECIAL),
    node("GRAPH", graph, 3)
        .since("2.8.13")
        .flags(OPERATOR)
        .args(&[string("event")])
        .summary("Draws the spikes of an event.")
        .tips(ALL_SPECIAL),
    help_row(help, "2.8.13"),
    node("HISTOGRAM", histogram, -2)
        .since("7.0.0")
        .flags(OPERATOR)
        .args(&[string("command").optional().many().samples(&["get"])])
        .summary("Answers how many calls of a command took at most how long.")
        .complexity("O(N), N commands that have been called")
        .tips(ALL_SPECIAL),
    node("HISTORY", history, 3)
        .since("2.8.13")
        .flags(OPERATOR)
        .args(&[string("event")])
        .summary("Answers the spikes of an event.")
        .tips(ALL_SPECIAL),
    node("LATEST", latest, 2)
        .since("2.8.13")
        .flags(OPERATOR)
        .summary("Answers the latest spike of each event.")
        .tips(ALL_SPECIAL),
    node("RESET", reset, -2)
        .since("2.8.13")
        .flags(OPERATOR)
        .args(&[string("event").optional().many()])
        .summary("Forgets the spikes of some events, or of all.")
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum"]),
];

fn doctor(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.verbatim(
        *b"txt",
        b"No spikes are recorded. LATENCY HISTOGRAM tells how long commands take.\n",
    );
    Ok(Effect::None)
}

fn graph(_: &mut Cx<'_>, args: &mut Args<'_>, _: &mut Reply) -> Outcome {
    let event = args.bytes()?;
    Err(CommandError::err_bytes(&[b"No samples available for event '", event, b"'"]))
}

fn history(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.array(0);
    Ok(Effect::None)
}

fn latest(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.array(0);
    Ok(Effect::None)
}

fn reset(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.integer(0);
    Ok(Effect::None)
}

fn histogram(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let names = args.rest();
    let mut ids: Vec<u16> = Vec::new();
    if names.is_empty() {
        ids.extend(cx.table.entries().map(|(id, _)| id));
    } else {
        for id in names.iter().filter_map(|name| cx.table.find_full(name)) {
            ids.push(id);
            ids.extend_from_slice(&cx.table.entry(id).children);
        }
    }
    let mut commands = 0;
    let map = reply.map_deferred();
    for id in ids {
        let (calls, bounds) = cx.node.latency_histogram(id);
        if calls == 0 || bounds.is_empty() {
            continue;
        }
        commands += 1;
        reply.bulk(cx.table.entry(id).full_name.as_bytes());
        reply.map(2);
        reply.bulk(b"calls");
        reply.integer(calls as i64);
        reply.bulk(b"histogram_usec");
        reply.map(bounds.len());
        for (micros, upto) in bounds {
            reply.integer(micros as i64);
            reply.integer(upto as i64);
        }
    }
    reply.set_len(map, commands);
    Ok(Effect::None)
}

fn help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "DOCTOR",
        "    A report on spikes in words.",
        "GRAPH <event>",
        "    A drawing of the spikes of an event.",
        "HISTOGRAM [<command> ...]",
        "    How many calls of these commands, or of all, took at most how many microseconds.",
        "HISTORY <event>",
        "    The spikes of an event.",
        "LATEST",
        "    The latest spike of each event.",
        "RESET [<event> ...]",
        "    Forget the spikes of these events, or of all.",
    ];
    command::help("LATENCY", LINES, reply);
    Ok(Effect::None)
}
