//! Scores, ranks and numbers.

use super::READ;
use super::range::{lex_range, score_range};
use command::grammar::{double, key, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use resp::Reply;
use types::View as _;
use types::zset::ZSet;

pub(super) const ZCARD: Command = Command::data("ZCARD", zcard)
    .group(Group::SortedSet)
    .since("1.2.0")
    .arity(2)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RO)])
    .args(&[key("key")])
    .summary("Answers the number of members of a sorted set.")
    .complexity("O(1)");

pub(super) const ZCOUNT: Command = Command::data("ZCOUNT", zcount)
    .group(Group::SortedSet)
    .since("2.0.0")
    .arity(4)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key"), double("min"), double("max")])
    .summary("Counts the members whose scores are in a range.")
    .complexity("O(log(N)), N members in the set");

pub(super) const ZLEXCOUNT: Command = Command::data("ZLEXCOUNT", zlexcount)
    .group(Group::SortedSet)
    .since("2.8.9")
    .arity(4)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key"), string("min"), string("max")])
    .summary("Counts the members in a range, where all have one score.")
    .complexity("O(log(N)), N members in the set");

pub(super) const ZMSCORE: Command = Command::data("ZMSCORE", zmscore)
    .group(Group::SortedSet)
    .since("6.2.0")
    .arity(-3)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key"), string("member").many()])
    .summary("Answers the scores of members.")
    .complexity("O(N), N members asked for");

pub(super) const ZRANK: Command = Command::data("ZRANK", zrank)
    .group(Group::SortedSet)
    .since("2.0.0")
    .arity(-3)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key"), string("member"), word("withscore", "WITHSCORE").optional()])
    .summary("Answers how many members come before one.")
    .complexity("O(log(N)), N members in the set")
    .history(&[("7.2.0", "Option WITHSCORE.")]);

pub(super) const ZREVRANK: Command = Command::data("ZREVRANK", zrevrank)
    .group(Group::SortedSet)
    .since("2.0.0")
    .arity(-3)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key"), string("member"), word("withscore", "WITHSCORE").optional()])
    .summary("Answers how many members come after one.")
    .complexity("O(log(N)), N members in the set")
    .history(&[("7.2.0", "Option WITHSCORE.")]);

pub(super) const ZSCORE: Command = Command::data("ZSCORE", zscore)
    .group(Group::SortedSet)
    .since("1.2.0")
    .arity(3)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key"), string("member")])
    .summary("Answers the score of a member.")
    .complexity("O(1) on average");

fn zcard(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    reply.count(cx.db.read::<ZSet>(&key)?.map_or(0, |set| set.len()));
    Ok(Effect::None)
}

fn zscore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let member = args.bytes()?;
    match cx.db.read::<ZSet>(&key)?.and_then(|set| set.score(member)) {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
    Ok(Effect::None)
}

fn zmscore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let members = args.rest();
    let set = cx.db.read::<ZSet>(&key)?;
    reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => reply.double(score),
            None => reply.null(),
        }
    }
    Ok(Effect::None)
}

fn zcount(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let range = score_range(args.bytes()?, args.bytes()?)?;
    reply.count(cx.db.read::<ZSet>(&key)?.map_or(0, |set| set.ranks_by_score(&range).len()));
    Ok(Effect::None)
}

fn zlexcount(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let range = lex_range(args.bytes()?, args.bytes()?)?;
    reply.count(cx.db.read::<ZSet>(&key)?.map_or(0, |set| set.ranks_by_member(&range).len()));
    Ok(Effect::None)
}

fn zrank(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    rank(cx, args, reply, |rank, _| rank)
}

fn zrevrank(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    rank(cx, args, reply, |rank, len| len - 1 - rank)
}

/// `answer` makes of rank and number of members what is answered.
fn rank(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    answer: fn(usize, usize) -> usize,
) -> Outcome {
    let key = args.key()?;
    let member = args.bytes()?;
    if args.left() > 1 {
        return Err(CommandError::arity(&args.spec().name.to_ascii_lowercase()));
    }
    let with_score = args.token("WITHSCORE");
    args.end()?;
    let found = cx.db.read::<ZSet>(&key)?.and_then(|set| Some((set.rank(member)?, set.len())));
    match found {
        Some(((rank, score), len)) => {
            if with_score {
                reply.array(2);
            }
            reply.count(answer(rank, len));
            if with_score {
                reply.double(score);
            }
        }
        None if with_score => reply.null_array(),
        None => reply.null(),
    }
    Ok(Effect::None)
}
