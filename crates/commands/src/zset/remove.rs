//! Taking members out.

use super::range::{Span, lex_range, score_range};
use command::grammar::{double, integer, key, string};
use command::{Args, Command, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::Event;
use resp::Reply;
use types::View as _;
use types::zset::ZSet;

pub(super) const ZREM: Command = Command::data("ZREM", zrem)
    .group(Group::SortedSet)
    .since("1.2.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::DELETE))])
    .args(&[key("key"), string("member").many()])
    .summary("Takes members out of a sorted set.")
    .complexity("O(M log(N)), M members given, of N")
    .history(&[("2.4.0", "Several members at once.")]);

pub(super) const ZREMRANGEBYLEX: Command = Command::data("ZREMRANGEBYLEX", zremrangebylex)
    .group(Group::SortedSet)
    .since("2.8.9")
    .arity(4)
    .flags(Flags::WRITE)
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::DELETE))])
    .args(&[key("key"), string("min"), string("max")])
    .summary("Takes out the members in a range, where all have one score.")
    .complexity("O(log(N)+M), M members taken out, of N");

pub(super) const ZREMRANGEBYRANK: Command = Command::data("ZREMRANGEBYRANK", zremrangebyrank)
    .group(Group::SortedSet)
    .since("2.0.0")
    .arity(4)
    .flags(Flags::WRITE)
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::DELETE))])
    .args(&[key("key"), integer("start"), integer("stop")])
    .summary("Takes out the members in a range of ranks.")
    .complexity("O(log(N)+M), M members taken out, of N");

pub(super) const ZREMRANGEBYSCORE: Command = Command::data("ZREMRANGEBYSCORE", zremrangebyscore)
    .group(Group::SortedSet)
    .since("1.2.0")
    .arity(4)
    .flags(Flags::WRITE)
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::DELETE))])
    .args(&[key("key"), double("min"), double("max")])
    .summary("Takes out the members whose scores are in a range.")
    .complexity("O(log(N)+M), M members taken out, of N");

fn zrem(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const EVENT: Event = Event::zset("zrem");
    let key = args.key()?;
    let members = args.rest();
    let removed = match cx.db.write::<ZSet>(&key)? {
        Some(mut guard) => {
            guard.purge_elements(members.iter().copied());
            guard.edit(EVENT, |set| {
                members.iter().filter(|member| set.remove(member).is_some()).count()
            })
        }
        None => 0,
    };
    reply.count(removed);
    Ok(Effect::Same)
}

fn zremrangebyrank(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const EVENT: Event = Event::zset("zremrangebyrank");
    remove(cx, args, reply, EVENT, |args| Ok(Span::Ranks(args.integer()?, args.integer()?)))
}

fn zremrangebyscore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const EVENT: Event = Event::zset("zremrangebyscore");
    remove(cx, args, reply, EVENT, |args| {
        Ok(Span::Scores(score_range(args.bytes()?, args.bytes()?)?))
    })
}

fn zremrangebylex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const EVENT: Event = Event::zset("zremrangebylex");
    remove(cx, args, reply, EVENT, |args| {
        Ok(Span::Members(lex_range(args.bytes()?, args.bytes()?)?))
    })
}

fn remove<'a>(
    cx: &mut Cx<'_>,
    args: &mut Args<'a>,
    reply: &mut Reply,
    event: Event,
    span: fn(&mut Args<'a>) -> Result<Span<'a>, command::CommandError>,
) -> Outcome {
    let key = args.key()?;
    let span = span(args)?;
    let removed = match cx.db.write::<ZSet>(&key)? {
        Some(mut guard) => {
            guard.purge_all_elements();
            let ranks = span.ranks(guard.view(), false);
            debug_assert!(ranks.end <= guard.view().len());
            guard.edit(event, |set| set.remove_ranks(ranks))
        }
        None => 0,
    };
    reply.count(removed);
    Ok(Effect::Same)
}
