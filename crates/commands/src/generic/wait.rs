//! WAIT and WAITAOF: until the client's own writes are where it wants them.

use command::grammar::{Argument, integer};
use command::{Acks, Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome, Wait, Wanted};
use resp::Reply;

const TIMEOUT: Argument = integer("timeout").samples(&["1", "10"]);
const REPLICAS: Argument = integer("numreplicas").samples(&["0", "1"]);
const TIPS: &[&str] = &["request_policy:all_shards", "response_policy:agg_min"];

const fn row(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::Generic)
        .flags(Flags::BLOCKING.or(Flags::IN_CONNECTION))
        .tips(TIPS)
        .complexity("O(1)")
}

pub(super) const WAIT: Command = row("WAIT", wait)
    .since("3.0.0")
    .arity(3)
    .args(&[REPLICAS, TIMEOUT])
    .summary("Waits until so many replicas have what the client has written.");

pub(super) const WAITAOF: Command = row("WAITAOF", waitaof)
    .since("7.2.0")
    .arity(4)
    .args(&[integer("numlocal").samples(&["0"]), REPLICAS, TIMEOUT])
    .summary("Waits until what the client has written is safe on disk, here and on replicas.");

fn wait(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let replicas = args.integer()?;
    let until_ms = args.deadline_millis(cx.now_ms)?;
    let acks = Acks { lsn: cx.session.wrote, local: false, replicas, on_disk: false };
    wait_for(cx, acks, until_ms, reply)
}

fn waitaof(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let local = match args.integer()? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::NotZeroOrOne),
    };
    let replicas = args.integer().ok().filter(|replicas| *replicas >= 0);
    let replicas = replicas.ok_or(CommandError::MustBePositive)?;
    let until_ms = args.deadline_millis(cx.now_ms)?;
    if local && cx.node.synced().is_none() {
        return Err(CommandError::WaitaofWithoutLog);
    }
    let acks = Acks { lsn: cx.session.wrote, local, replicas, on_disk: true };
    wait_for(cx, acks, until_ms, reply)
}

fn wait_for(cx: &mut Cx<'_>, acks: Acks, until_ms: Option<i64>, reply: &mut Reply) -> Outcome {
    let synced = cx.node.synced();
    if acks.reached(synced) {
        acks.answer(synced, reply);
    } else {
        let wait = Wait {
            wanted: Wanted::Acks(acks),
            keys: 0,
            until_ms,
            again_ms: None,
            meant: Vec::new(),
        };
        cx.wait(wait, reply, |reply| acks.answer(synced, reply));
    }
    Ok(Effect::None)
}
