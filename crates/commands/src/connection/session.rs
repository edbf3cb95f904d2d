//! The connection as such: is it alive, which database, end it, begin anew.

use super::{FIRST, conn};
use command::grammar::{integer, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Outcome};
use resp::Reply;

pub(super) const ECHO: Command = conn("ECHO", echo, 2)
    .flags(Flags::LOADING.or(Flags::STALE).or(Flags::FAST))
    .args(&[string("message")])
    .summary("Answers what it is given.");

pub(super) const PING: Command = conn("PING", ping, -1)
    .flags(Flags::FAST.or(Flags::WHILE_SUBSCRIBED))
    .args(&[string("message").optional()])
    .summary("Answers PONG, or what it is given: says that the server is there.")
    .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]);

pub(super) const QUIT: Command = conn("QUIT", quit, -1)
    .flags(FIRST.or(Flags::UNQUEUED).or(Flags::WHILE_SUBSCRIBED))
    .summary("Ends the connection once the replies before it have been sent.")
    .deprecated("7.2.0", "just closing the connection");

pub(super) const RESET: Command = conn("RESET", reset, 1)
    .since("6.2.0")
    .flags(FIRST.or(Flags::UNQUEUED).or(Flags::WHILE_SUBSCRIBED))
    .summary("Puts the connection back into the state of a new one.");

pub(super) const SELECT: Command = conn("SELECT", select, 2)
    .flags(Flags::LOADING.or(Flags::STALE).or(Flags::FAST))
    .args(&[integer("index").samples(&["0", "1"])])
    .summary("Chooses the database of the commands that follow.");

fn echo(_: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.bulk(args.bytes()?);
    Ok(Effect::None)
}

fn ping(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let message = args.next();
    args.end().map_err(|_| CommandError::arity("ping"))?;
    if cx.session.only_listens() {
        // In the shape of a message, among which the client looks for it.
        reply.array(2);
        reply.bulk(b"pong");
        reply.bulk(message.unwrap_or_default());
        return Ok(Effect::None);
    }
    match message {
        Some(message) => reply.bulk(message),
        None => reply.simple("PONG"),
    }
    Ok(Effect::None)
}

fn quit(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.ok();
    cx.session.close_after_reply = true;
    Ok(Effect::None)
}

fn reset(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    use command::ClientFlags as Flag;
    if cx.session.card.has(Flag::REPLICA) {
        return Err(CommandError::ResetReplica);
    }
    cx.session.leave(cx.space, cx.pubsub, cx.tracking, cx.monitors);
    cx.session.reset(!cx.node.password_required());
    let card = &cx.session.card;
    card.set(Flag::NO_EVICT | Flag::NO_TOUCH | Flag::READONLY | Flag::IMPORT_SOURCE, false);
    let mut identity = card.identity.lock();
    identity.name.clear();
    "default".clone_into(&mut identity.user);
    drop(identity);
    reply.protocol = cx.session.wire();
    reply.simple("RESET");
    Ok(Effect::None)
}

fn select(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let index = i32::try_from(args.integer()?).map_err(|_| CommandError::NotAnInt)?;
    let index = u32::try_from(index).ok().filter(|index| *index < cx.settings.databases);
    cx.session.db = index.ok_or(CommandError::DbIndexOutOfRange)?;
    reply.ok();
    Ok(Effect::None)
}
