//! Transactions: what is queued between MULTI and EXEC runs as one, unless a watched key has
//! changed. Queueing and running are the engine's (`engine::transaction`); here is what opens,
//! ends and guards a transaction.

use command::grammar::key;
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use resp::Reply;

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    of_family(Command::conn("DISCARD", discard))
        .since("2.0.0")
        .flags(AT_ONCE.or(Flags::FAST).or(Flags::ALLOW_BUSY))
        .summary("Forgets what is queued.")
        .complexity("O(N), N queued commands"),
    of_family(Command::exec("EXEC"))
        .since("1.2.0")
        .flags(AT_ONCE.or(Flags::SKIP_SLOWLOG))
        .summary("Runs what is queued, as one.")
        .complexity("That of the commands"),
    of_family(Command::conn("MULTI", multi))
        .since("1.2.0")
        .flags(AT_ONCE.or(Flags::FAST).or(Flags::ALLOW_BUSY))
        .summary("Starts to queue commands."),
    of_family(Command::conn("UNWATCH", unwatch))
        .since("2.2.0")
        .flags(ANY_TIME.or(Flags::FAST).or(Flags::ALLOW_BUSY))
        .summary("Ends the watching of keys."),
    of_family(Command::data("WATCH", watch))
        .since("2.2.0")
        .arity(-2)
        .flags(AT_ONCE.or(Flags::FAST).or(Flags::ALLOW_BUSY))
        .keys(&[KeySpec::from(1, 1, KeyFlags::RO)])
        .args(&[key("key").many()])
        .summary("Lets the next EXEC run only if these keys have not changed until then.")
        .complexity("O(1) for each key"),
];

/// Not from scripts; while loading and with stale data too.
const ANY_TIME: Flags = Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE);
/// As `ANY_TIME`, and never queued.
const AT_ONCE: Flags = ANY_TIME.or(Flags::UNQUEUED);

/// What most of the family have in common.
const fn of_family(row: Command) -> Command {
    row.group(Group::Transactions).arity(1).complexity("O(1)")
}

fn multi(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if cx.session.transaction.is_some() {
        cx.session.fail_transaction();
        return Err(CommandError::MultiNested);
    }
    cx.session.transaction = Some(Box::default());
    reply.ok();
    Ok(Effect::None)
}

fn discard(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if cx.session.transaction.take().is_none() {
        return Err(CommandError::DiscardWithoutMulti);
    }
    cx.session.unwatch(cx.space);
    reply.ok();
    Ok(Effect::None)
}

fn watch(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if cx.session.transaction.is_some() {
        cx.session.fail_transaction();
        return Err(CommandError::WatchInMulti);
    }
    // After a change EXEC will do nothing, whatever else is watched.
    if !cx.session.card.watch.touched() {
        for key in args.keys() {
            if let Some(watched) = cx.db.watch(key, &cx.session.card.watch) {
                cx.session.remember(watched);
            }
        }
    }
    reply.ok();
    Ok(Effect::None)
}

/// In a transaction it has nothing to do: EXEC does it.
fn unwatch(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    cx.session.unwatch(cx.space);
    reply.ok();
    Ok(Effect::None)
}
