//! Whole databases: their size, exchange and emptying.

use super::valid_database;
use command::grammar::{Argument, integer, one_of, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Locks, Outcome};
use resp::Reply;

pub(super) const DBSIZE: Command = Command::walk("DBSIZE", dbsize)
    .group(Group::Server)
    .since("1.0.0")
    .arity(1)
    .flags(Flags::READONLY.or(Flags::FAST).or(Flags::KEYSPACE))
    .summary("Counts the keys of the selected database.")
    .complexity("O(1)")
    .tips(&["request_policy:all_shards", "response_policy:agg_sum"]);

pub(super) const SWAPDB: Command = Command::data("SWAPDB", swapdb)
    .group(Group::Server)
    .since("4.0.0")
    .arity(3)
    .flags(Flags::WRITE.or(Flags::FAST).or(Flags::KEYSPACE).or(Flags::DANGEROUS))
    .locks(Locks::All)
    .args(&[integer("index1").samples(&["0", "1"]), integer("index2").samples(&["0", "1"])])
    .summary("Exchanges two databases.")
    .complexity("O(N), N clients that watch or wait for keys of either");

const FLUSH_TYPE: Argument = one_of(
    "flush-type",
    &[word("async", "ASYNC").since("4.0.0"), word("sync", "SYNC").since("6.2.0")],
)
.optional();

const FLUSH_HISTORY: &[(command::Version, &str)] =
    &[("4.0.0", "Option ASYNC."), ("6.2.0", "Option SYNC.")];

const FLUSH_TIPS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

const FLUSH_FLAGS: Flags = Flags::WRITE.or(Flags::KEYSPACE).or(Flags::DANGEROUS);

pub(super) const FLUSHDB: Command = Command::data("FLUSHDB", flushdb)
    .group(Group::Server)
    .since("1.0.0")
    .arity(-1)
    .flags(FLUSH_FLAGS)
    .locks(Locks::All)
    .args(&[FLUSH_TYPE])
    .summary("Deletes all keys of the selected database.")
    .complexity("O(1); the values are freed in the background")
    .history(FLUSH_HISTORY)
    .tips(FLUSH_TIPS);

pub(super) const FLUSHALL: Command = Command::data("FLUSHALL", flushall)
    .group(Group::Server)
    .since("1.0.0")
    .arity(-1)
    .flags(FLUSH_FLAGS)
    .locks(Locks::All)
    .args(&[FLUSH_TYPE])
    .summary("Deletes all keys of all databases.")
    .complexity("O(1); the values are freed in the background")
    .history(FLUSH_HISTORY)
    .tips(FLUSH_TIPS);

fn dbsize(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.integer(cx.space.size(cx.db.index()).keys as i64);
    Ok(Effect::None)
}

fn swapdb(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut index = |error: CommandError| {
        i32::try_from(args.integer().map_err(|_| error.clone())?).map_err(|_| error)
    };
    let first = index(CommandError::InvalidFirstDbIndex)?;
    let second = index(CommandError::InvalidSecondDbIndex)?;
    let (first, second) = (valid_database(cx, first)?, valid_database(cx, second)?);
    if first != second {
        cx.db.swap(first, second);
    }
    reply.ok();
    Ok(Effect::Same)
}

/// ASYNC or SYNC. Values are freed in the background either way.
fn flush_type(args: &mut Args<'_>) -> Result<(), CommandError> {
    if args.left() > 0 && !args.token("ASYNC") && !args.token("SYNC") {
        return Err(CommandError::Syntax);
    }
    args.end()
}

fn flushdb(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    flush_type(args)?;
    let index = cx.db.index();
    cx.db.flush(Some(index));
    reply.ok();
    Ok(Effect::Same)
}

fn flushall(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    flush_type(args)?;
    cx.db.flush(None);
    cx.node.emptied();
    reply.ok();
    Ok(Effect::Same)
}
