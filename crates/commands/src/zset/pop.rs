//! Taking the least or greatest members.

use command::grammar::{integer, key, one_of, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{Db, Event, KeyRef};
use resp::Reply;
use types::zset::ZSet;

pub(super) const ZMPOP: Command = Command::data("ZMPOP", zmpop)
    .group(Group::SortedSet)
    .since("7.0.0")
    .arity(-4)
    .flags(Flags::WRITE)
    .keys(&[KeySpec::counted(1, 1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))])
    .args(&[
        integer("numkeys"),
        key("key").many(),
        one_of("where", &[word("min", "MIN"), word("max", "MAX")]),
        integer("count").token("COUNT").optional(),
    ])
    .summary(
        "Takes members with the least or greatest scores from the first sorted set that has any.",
    )
    .complexity("O(K) for K keys, O(M log(N)) for M members taken from N");

pub(super) const ZPOPMAX: Command = Command::data("ZPOPMAX", zpopmax)
    .group(Group::SortedSet)
    .since("5.0.0")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))])
    .args(&[key("key"), integer("count").optional()])
    .summary("Takes out the members with the greatest scores.")
    .complexity("O(M log(N)), M members taken from N");

pub(super) const ZPOPMIN: Command = Command::data("ZPOPMIN", zpopmin)
    .group(Group::SortedSet)
    .since("5.0.0")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))])
    .args(&[key("key"), integer("count").optional()])
    .summary("Takes out the members with the least scores.")
    .complexity("O(M log(N)), M members taken from N");

/// Which end of a set is popped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Least,
    Greatest,
}

impl End {
    /// The next word: `MIN` or `MAX`.
    pub(crate) fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        if args.token("MIN") {
            Ok(Self::Least)
        } else if args.token("MAX") {
            Ok(Self::Greatest)
        } else {
            Err(CommandError::Syntax)
        }
    }

    /// The command that pops here, for the journal.
    pub(crate) fn command(self) -> &'static [u8] {
        match self {
            Self::Least => b"ZPOPMIN",
            Self::Greatest => b"ZPOPMAX",
        }
    }

    fn event(self) -> Event {
        match self {
            Self::Least => Event::zset("zpopmin"),
            Self::Greatest => Event::zset("zpopmax"),
        }
    }
}

/// Members with their scores.
pub(crate) type Popped = Vec<(Vec<u8>, f64)>;

/// Takes up to `count` members out of the set at `key`; none if there is no such key.
pub(crate) fn pop(
    db: &mut Db<'_>,
    key: &KeyRef<'_>,
    end: End,
    count: usize,
) -> Result<Popped, CommandError> {
    let Some(mut guard) = db.write::<ZSet>(key)? else { return Ok(Popped::new()) };
    guard.purge_end(end == End::Least, count);
    Ok(guard.edit(end.event(), |set| match end {
        End::Least => set.pop_least(count),
        End::Greatest => set.pop_greatest(count),
    }))
}

/// Key and members, as ZMPOP and BZMPOP answer them.
pub(crate) fn reply_from(reply: &mut Reply, key: &KeyRef<'_>, popped: &Popped) {
    reply.array(2);
    reply.bulk(key.bytes());
    reply.array(popped.len());
    for (member, score) in popped {
        reply.array(2);
        reply.bulk(member);
        reply.double(*score);
    }
}

fn zpopmin(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    pop_one(cx, args, reply, End::Least)
}

fn zpopmax(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    pop_one(cx, args, reply, End::Greatest)
}

fn pop_one(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply, end: End) -> Outcome {
    let key = args.key()?;
    if args.left() > 1 {
        return Err(CommandError::Syntax);
    }
    let positive = |args: &mut Args<'_>| {
        let count = args.integer().map_err(|_| CommandError::MustBePositive)?;
        usize::try_from(count).map_err(|_| CommandError::MustBePositive)
    };
    let count = args.optional(positive)?;
    let popped = pop(&mut cx.db, &key, end, count.unwrap_or(1))?;
    // One member without a count stands for itself, not as a pair in a list.
    if count.is_some() {
        reply.pairs(popped.len());
    } else {
        reply.array(popped.len() * 2);
    }
    for (member, score) in &popped {
        if count.is_some() {
            reply.pair();
        }
        reply.bulk(member);
        reply.double(*score);
    }
    Ok(Effect::Same)
}

/// What ZMPOP and BZMPOP ask for, after the number of keys.
pub(crate) struct Request<'a> {
    pub(crate) keys: Vec<KeyRef<'a>>,
    pub(crate) end: End,
    pub(crate) count: usize,
}

impl<'a> Request<'a> {
    /// Reads `numkeys key [key ...] MIN|MAX [COUNT count]`.
    pub(crate) fn parse(args: &mut Args<'a>) -> Result<Self, CommandError> {
        let number = args.integer().ok().and_then(|number| usize::try_from(number).ok());
        let number = number.filter(|number| *number > 0).ok_or(CommandError::NumkeysTooSmall)?;
        if number >= args.left() {
            return Err(CommandError::Syntax);
        }
        let keys = (0..number).map(|_| args.key()).collect::<Result<Vec<_>, _>>()?;
        let end = End::parse(args)?;
        let mut count = None;
        while args.left() > 0 {
            if count.is_some() || args.left() < 2 || !args.token("COUNT") {
                return Err(CommandError::Syntax);
            }
            let given = args.integer().ok().and_then(|given| usize::try_from(given).ok());
            count = Some(given.filter(|given| *given > 0).ok_or(CommandError::CountTooSmall)?);
        }
        Ok(Self { keys, end, count: count.unwrap_or(1) })
    }
}

fn zmpop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let request = Request::parse(args)?;
    for key in &request.keys {
        let popped = pop(&mut cx.db, key, request.end, request.count)?;
        if popped.is_empty() {
            continue;
        }
        reply_from(reply, key, &popped);
        cx.rewrite_number(&[request.end.command(), key.bytes()], popped.len() as i64);
        return Ok(Effect::Rewrite);
    }
    reply.null_array();
    Ok(Effect::None)
}
