//! Holding clients back, and letting them go: CLIENT PAUSE, UNPAUSE and UNBLOCK.

use super::{OPERATOR, conn};
use command::grammar::{integer, one_of, word};
use command::{Args, Command, CommandError, Cx, Effect, Ending, Group, Outcome, PauseMode};
use resp::Reply;

/// Closes the write gate, so it is the node's: no lock may be held.
pub(super) const PAUSE: Command = Command::node("PAUSE", pause)
    .group(Group::Connection)
    .arity(-3)
    .complexity("O(1)")
    .since("3.0.0")
    .flags(OPERATOR)
    .args(&[
        integer("timeout").samples(&["0", "1"]),
        one_of("mode", &[word("write", "WRITE"), word("all", "ALL")]).optional().since("6.2.0"),
    ])
    .summary("Holds back the commands of all clients, or only those that write.")
    .history(&[("6.2.0", "Mode WRITE.")]);

pub(super) const UNBLOCK: Command = conn("UNBLOCK", unblock, -3)
    .since("5.0.0")
    .flags(OPERATOR)
    .args(&[
        integer("client-id"),
        one_of("unblock-type", &[word("timeout", "TIMEOUT"), word("error", "ERROR")]).optional(),
    ])
    .summary("Ends the waiting of a client that waits in a blocking command.")
    .complexity("O(log N), N connections");

pub(super) const UNPAUSE: Command = conn("UNPAUSE", unpause, 2)
    .since("6.2.0")
    .flags(OPERATOR)
    .summary("Ends CLIENT PAUSE.")
    .complexity("O(N), N connections that are held back");

fn pause(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let timeout = args.bytes()?;
    let mode = match args.left() {
        0 => PauseMode::All,
        1 if args.token("WRITE") => PauseMode::Write,
        1 if args.token("ALL") => PauseMode::All,
        1 => return Err(CommandError::PauseMode),
        _ => return Err(CommandError::unknown_or_arity("CLIENT", args.all()[1])),
    };
    let timeout_ms = stdx::num::parse_i64(timeout).ok_or(CommandError::TimeoutNotInteger)?;
    if timeout_ms < 0 {
        return Err(CommandError::TimeoutNegative);
    }
    let until_ms = cx.now_ms.checked_add(timeout_ms).ok_or(CommandError::TimeoutOutOfRange)?;
    cx.node.pause(mode, until_ms, cx.others);
    reply.ok();
    Ok(Effect::None)
}

fn unpause(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    cx.node.unpause();
    reply.ok();
    Ok(Effect::None)
}

/// Whether the client waited: one that CLIENT PAUSE holds back does not.
fn unblock(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let id = args.bytes()?;
    let mut ending = Ending::Timeout;
    if args.left() == 1 {
        ending = if args.token("TIMEOUT") {
            Ending::Timeout
        } else if args.token("ERROR") {
            Ending::Error
        } else {
            return Err(CommandError::UnblockReason);
        };
    }
    if args.end().is_err() {
        return Err(CommandError::unknown_or_arity("CLIENT", args.all()[1]));
    }
    let id = stdx::num::parse_i64(id).ok_or(CommandError::NotAnInteger)?;
    let card = u64::try_from(id).ok().and_then(|id| cx.node.clients().get(id));
    let waiting = card.and_then(|card| card.waiting.lock().clone());
    reply.integer(i64::from(waiting.is_some_and(|waiting| waiting.end(ending))));
    Ok(Effect::None)
}
