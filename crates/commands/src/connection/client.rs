//! CLIENT: what a client says about its own connection. Lists and pauses are beside this file.

use super::{ANY_TIME, OPERATOR, conn, list, pause, tracking};
use command::grammar::{Argument, one_of, string, word};
use command::{
    Args, ClientFlags, Command, CommandError, Cx, Effect, Flags, Group, Outcome, ReplyMode,
};
use resp::Reply;

pub(super) const CLIENT: Command = Command::container("CLIENT", SUBCOMMANDS)
    .group(Group::Connection)
    .since("2.4.0")
    .summary("Asks and tells about connections.")
    .complexity("That of the subcommand");

const SUBCOMMANDS: &[Command] = &[
    tracking::CACHING,
    conn("CAPA", capa, -3)
        .since("8.0.0")
        .flags(ANY_TIME.or(Flags::ALLOW_BUSY))
        .args(&[string("capability").many().samples(&["redirect"])])
        .summary("Says what the client is able to do."),
    conn("GETNAME", getname, 2).since("2.6.9").summary("Answers the name of the connection."),
    tracking::GETREDIR,
    conn("HELP", help, 2)
        .since("5.0.0")
        .flags(Flags::LOADING.or(Flags::STALE))
        .summary("Lists the subcommands."),
    conn("ID", id, 2).since("5.0.0").summary("Answers the number of the connection."),
    conn("IMPORT-SOURCE", import_source, 3)
        .since("8.1.0")
        .args(&[ON_OFF])
        .summary("Says that the client brings data from elsewhere, in import mode."),
    list::INFO,
    list::KILL,
    list::LIST,
    conn("NO-EVICT", no_evict, 3)
        .since("7.0.0")
        .flags(OPERATOR)
        .args(&[ON_OFF])
        .summary("Spares the connection when clients take too much memory."),
    conn("NO-TOUCH", no_touch, 3)
        .since("7.2.0")
        .args(&[ON_OFF])
        .summary("Lets the commands of the connection leave no trace in when keys were last used."),
    pause::PAUSE,
    conn("REPLY", reply_mode, 3)
        .since("3.2.0")
        .args(&[one_of("action", &[ON, OFF, word("skip", "SKIP")])])
        .summary("Says which replies the client wants."),
    conn("SETINFO", setinfo, 4)
        .since("7.2.0")
        .args(&[one_of(
            "attr",
            &[string("libname").token("LIB-NAME"), string("libver").token("LIB-VER")],
        )])
        .summary("Names the client's library, or its version.")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    conn("SETNAME", setname, 3)
        .since("2.6.9")
        .args(&[string("connection-name")])
        .summary("Names the connection.")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    tracking::TRACKING,
    tracking::TRACKINGINFO,
    pause::UNBLOCK,
    pause::UNPAUSE,
];

const ON: Argument = word("on", "ON");
const OFF: Argument = word("off", "OFF");
const ON_OFF: Argument = one_of("enabled", &[ON, OFF]);

/// Whether a name or version can stand in a line of CLIENT LIST.
fn printable(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

/// `name` if a connection may be called so; empty removes the name.
pub(super) fn valid_name(name: &[u8]) -> Result<&[u8], CommandError> {
    if printable(name) { Ok(name) } else { Err(CommandError::ClientName) }
}

fn on_off(args: &mut Args<'_>) -> Result<bool, CommandError> {
    if args.token("ON") {
        Ok(true)
    } else if args.token("OFF") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}

fn capa(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if args.rest().iter().any(|word| word.eq_ignore_ascii_case(b"redirect")) {
        "r".clone_into(&mut cx.session.card.identity.lock().capabilities);
    }
    reply.ok();
    Ok(Effect::None)
}

fn getname(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let name = &cx.session.card.identity.lock().name;
    reply.bulk_or_null((!name.is_empty()).then_some(name));
    Ok(Effect::None)
}

fn id(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.integer(cx.session.card.id as i64);
    Ok(Effect::None)
}

fn import_source(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let off = args.peek().is_some_and(|word| word.eq_ignore_ascii_case(b"off"));
    if !off && !cx.settings.import_mode {
        return Err(CommandError::NotImportMode);
    }
    cx.session.card.set(ClientFlags::IMPORT_SOURCE, on_off(args)?);
    reply.ok();
    Ok(Effect::None)
}

fn no_evict(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    cx.session.card.set(ClientFlags::NO_EVICT, on_off(args)?);
    reply.ok();
    Ok(Effect::None)
}

fn no_touch(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let on = on_off(args)?;
    cx.session.no_touch = on;
    cx.session.card.set(ClientFlags::NO_TOUCH, on);
    reply.ok();
    Ok(Effect::None)
}

fn reply_mode(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if args.token("ON") {
        cx.session.reply_mode = ReplyMode::On;
        reply.ok();
    } else if args.token("OFF") {
        cx.session.reply_mode = ReplyMode::Off;
    } else if args.token("SKIP") {
        if cx.session.reply_mode != ReplyMode::Off {
            cx.session.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(CommandError::Syntax);
    }
    Ok(Effect::None)
}

fn setinfo(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (attribute, value) = (args.bytes()?, args.bytes()?);
    let is_name = attribute.eq_ignore_ascii_case(b"lib-name");
    if !is_name && !attribute.eq_ignore_ascii_case(b"lib-ver") {
        return Err(CommandError::err_bytes(&[b"Unrecognized option '", attribute, b"'"]));
    }
    if !printable(value) {
        let what = b" cannot contain spaces, newlines or special characters.";
        return Err(CommandError::err_bytes(&[attribute, what]));
    }
    let mut identity = cx.session.card.identity.lock();
    let own = if is_name { &mut identity.lib_name } else { &mut identity.lib_ver };
    value.clone_into(own);
    reply.ok();
    Ok(Effect::None)
}

fn setname(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let name = valid_name(args.bytes()?)?;
    name.clone_into(&mut cx.session.card.identity.lock().name);
    reply.ok();
    Ok(Effect::None)
}

fn help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "CACHING (YES|NO)",
        "    Keep, or do not keep, what the next command reads.",
        "CAPA <capability> [<capability> ...]",
        "    Say what the client is able to do: REDIRECT.",
        "GETNAME",
        "    The name of this connection.",
        "GETREDIR",
        "    The number of the connection to which invalidations go.",
        "ID",
        "    The number of this connection.",
        "IMPORT-SOURCE (ON|OFF)",
        "    Say that this connection brings data from elsewhere (in import mode).",
        "INFO",
        "    The line of this connection in the list.",
        "KILL <ip:port>",
        "    End the connection from that address.",
        "KILL <filter> <value> [<filter> <value> ...]",
        "    End the connections that pass all filters; this one only after SKIPME NO.",
        "LIST [<filter> <value> ...]",
        "    A line for each connection that passes all filters, which are:",
        "    ID <id> [<id> ...], TYPE (NORMAL|MASTER|PRIMARY|REPLICA|PUBSUB), USER <name>,",
        "    ADDR <ip:port>, LADDR <ip:port>, IP <ip>, NAME <name>, LIB-NAME <name>,",
        "    LIB-VER <version>, FLAGS <letters>, CAPA <letters>, DB <index>; all of these",
        "    also with NOT- before them; MAXAGE <seconds>, IDLE <seconds>, SKIPME (YES|NO).",
        "NO-EVICT (ON|OFF)",
        "    Spare this connection when clients take too much memory.",
        "NO-TOUCH (ON|OFF)",
        "    Leave no trace in when keys were last used.",
        "PAUSE <milliseconds> [WRITE|ALL]",
        "    Hold back all commands, or those that write.",
        "REPLY (ON|OFF|SKIP)",
        "    Send replies, send none, or do not send the next one.",
        "SETINFO (LIB-NAME|LIB-VER) <value>",
        "    Name the client's library or its version.",
        "SETNAME <name>",
        "    Name this connection.",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> ...] [OPTIN] [OPTOUT] [NOLOOP]",
        "    Hear of changes of keys that this connection has read.",
        "TRACKINGINFO",
        "    How this connection tracks.",
        "UNBLOCK <id> [TIMEOUT|ERROR]",
        "    End the waiting of a client in a blocking command.",
        "UNPAUSE",
        "    End the pause.",
    ];
    command::help("CLIENT", LINES, reply);
    Ok(Effect::None)
}
