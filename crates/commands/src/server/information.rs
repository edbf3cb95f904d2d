//! What the server is and does, and its end: INFO, ROLE, TIME, SHUTDOWN.

use super::{CALM, OPERATOR, node};
use command::grammar::{one_of, string, word};
use command::{
    Args, ClientFlags, Command, CommandError, Cx, Effect, Flags, Outcome, ReplicaState,
    ShutdownRequest,
};
use resp::Reply;
use std::sync::atomic::Ordering::Relaxed;

pub(super) const INFO: Command = node("INFO", info, -1)
    .since("1.0.0")
    .flags(CALM.or(Flags::DANGEROUS))
    .args(&[string("section").optional().many().samples(&["server", "everything"])])
    .summary("Tells how the server is doing.")
    .history(&[("7.0.0", "Several sections.")])
    .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]);

pub(super) const ROLE: Command = node("ROLE", role, 1)
    .since("2.8.12")
    .flags(CALM.or(Flags::NOSCRIPT).or(Flags::FAST).or(Flags::IN_ADMIN).or(Flags::DANGEROUS))
    .summary("Answers the server's part in replication.");

pub(super) const SHUTDOWN: Command = node("SHUTDOWN", shutdown, -1)
    .since("1.0.0")
    .flags(OPERATOR.or(Flags::NO_MULTI).or(Flags::ALLOW_BUSY))
    .args(&[
        one_of("save-selector", &[word("nosave", "NOSAVE"), word("save", "SAVE")]).optional(),
        word("now", "NOW").optional().since("7.0.0"),
        word("force", "FORCE").optional().since("7.0.0"),
        word("abort", "ABORT").optional().since("7.0.0"),
    ])
    .summary("Ends the server, with what is to be saved saved.")
    .complexity("O(N) if it saves, N keys, else O(1)")
    .history(&[("7.0.0", "Options NOW, FORCE and ABORT.")]);

pub(super) const TIME: Command = node("TIME", time, 1)
    .since("2.6.0")
    .flags(CALM.or(Flags::FAST))
    .summary("Answers the time of day.")
    .tips(&["nondeterministic_output"]);

fn info(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let lower = |section: &&[u8]| String::from_utf8_lossy(section).to_ascii_lowercase();
    let sections: Vec<String> = args.rest().iter().map(lower).collect();
    reply.verbatim(*b"txt", cx.node.info(&sections).as_bytes());
    Ok(Effect::None)
}

fn role(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut online = cx.node.clients().all();
    online.retain(|card| {
        card.has(ClientFlags::REPLICA) && card.replica().state() == ReplicaState::Online
    });
    reply.array(3);
    reply.bulk(b"master");
    reply.integer(cx.node.log_offset() as i64);
    reply.array(online.len());
    for card in online {
        let replica = card.replica();
        reply.array(3);
        reply.bulk(card.replica_address().as_bytes());
        reply.bulk_integer(i64::from(replica.port.load(Relaxed)));
        reply.bulk_integer(replica.acked.load(Relaxed) as i64);
    }
    Ok(Effect::None)
}

fn time(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    // Time stands still in a script.
    let script_micros = cx.in_script().then(|| cx.now_ms.saturating_mul(1000));
    let micros = script_micros.unwrap_or_else(|| cx.node.wall_micros());
    reply.array(2);
    reply.bulk_integer(micros.div_euclid(1_000_000));
    reply.bulk_integer(micros.rem_euclid(1_000_000));
    Ok(Effect::None)
}

fn shutdown(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut request = ShutdownRequest::default();
    while args.left() > 0 {
        let (word, chosen) = match () {
            () if args.token("NOSAVE") => (&mut request.nosave, true),
            () if args.token("SAVE") => (&mut request.save, true),
            () if args.token("NOW") => (&mut request.now, true),
            () if args.token("FORCE") => (&mut request.force, true),
            () if args.token("ABORT") => (&mut request.abort, true),
            () => return Err(CommandError::Syntax),
        };
        *word = chosen;
    }
    let others = request.nosave || request.save || request.now || request.force;
    if (request.abort && others) || (request.nosave && request.save) {
        return Err(CommandError::Syntax);
    }
    if cx.space.is_stalled() && !request.nosave && !request.abort {
        return Err(cx.scripts.overdue.error());
    }
    cx.node.shutdown(request)?;
    if request.abort {
        reply.ok();
    } else {
        // The server ends while the client waits: the end of the connection is the answer.
        cx.session.close_after_reply = true;
    }
    Ok(Effect::None)
}
