//! Snapshots on demand: SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF.

use super::{CALM, node};
use command::grammar::{one_of, word};
use command::{Args, Bgsave, Command, CommandError, Cx, Effect, Flags, Outcome};
use resp::Reply;

const SNAPSHOT: Flags = Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING);

pub(super) const BGSAVE: Command = node("BGSAVE", bgsave, -1)
    .since("1.0.0")
    .flags(SNAPSHOT)
    .args(&[one_of(
        "operation",
        &[word("schedule", "SCHEDULE").since("3.2.2"), word("cancel", "CANCEL").since("8.1.0")],
    )
    .optional()])
    .summary("Saves the data set as of now to disk, while the server goes on.")
    .history(&[("3.2.2", "The option SCHEDULE."), ("8.1.0", "The option CANCEL.")]);

pub(super) const BGREWRITEAOF: Command = node("BGREWRITEAOF", bgrewriteaof, 1)
    .since("1.0.0")
    .flags(SNAPSHOT)
    .summary("Rewrites the append-only file as short as may be, while the server goes on.");

pub(super) const LASTSAVE: Command = node("LASTSAVE", lastsave, 1)
    .since("1.0.0")
    .flags(CALM.or(Flags::FAST).or(Flags::IN_ADMIN).or(Flags::DANGEROUS))
    .summary("Answers when the data set was last saved, in seconds since 1970.")
    .tips(&["nondeterministic_output"]);

pub(super) const SAVE: Command = node("SAVE", save, 1)
    .since("1.0.0")
    .flags(SNAPSHOT.or(Flags::NO_MULTI))
    .summary("Saves the data set to disk, and answers when it is there.")
    .complexity("O(N), N keys of all databases");

fn bgsave(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let how = match args.left() {
        0 => Bgsave::Now,
        1 if args.token("SCHEDULE") => Bgsave::Scheduled,
        1 if args.token("CANCEL") => Bgsave::Cancel,
        _ => return Err(CommandError::Syntax),
    };
    // All of a transaction is in a snapshot, or nothing.
    let how = if cx.in_transaction && how != Bgsave::Cancel { Bgsave::Later } else { how };
    reply.simple(cx.node.bgsave(how)?);
    Ok(Effect::None)
}

fn bgrewriteaof(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.simple(cx.node.rewrite_log(cx.in_transaction)?);
    Ok(Effect::None)
}

fn lastsave(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.integer(cx.node.last_save_seconds());
    Ok(Effect::None)
}

fn save(cx: &mut Cx<'_>, _: &mut Args<'_>, _: &mut Reply) -> Outcome {
    *cx.later = Some(cx.node.save(&cx.session.card)?);
    Ok(Effect::None)
}
