//! MONITOR: the client is shown every command that runs.

use super::{OPERATOR, node};
use command::{Args, Command, CommandError, Cx, Effect, Outcome};
use resp::Reply;

pub(super) const MONITOR: Command = node("MONITOR", monitor, 1)
    .since("1.0.0")
    .flags(OPERATOR)
    .summary("Shows the client every command that runs.");

fn monitor(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if cx.in_transaction {
        return Err(CommandError::MonitorDenied);
    }
    cx.monitors.join(cx.session);
    reply.ok();
    Ok(Effect::None)
}
