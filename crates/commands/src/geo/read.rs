//! Places and their distances.

use super::{READ, UNIT, distance_text, unit};
use command::grammar::{key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;
use types::geo::Point;
use types::zset::ZSet;

pub(super) const GEODIST: Command = Command::data("GEODIST", geodist)
    .group(Group::Geo)
    .since("3.2.0")
    .arity(-4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key"), string("member1"), string("member2"), UNIT.optional()])
    .summary("Answers the distance of two places.")
    .complexity("O(log(N)), N places in the index");

pub(super) const GEOHASH: Command = Command::data("GEOHASH", geohash)
    .group(Group::Geo)
    .since("3.2.0")
    .arity(-2)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key"), string("member").optional().many()])
    .summary("Answers places as geohash strings.")
    .complexity("O(log(N)) for each place, N places in the index");

pub(super) const GEOPOS: Command = Command::data("GEOPOS", geopos)
    .group(Group::Geo)
    .since("3.2.0")
    .arity(-2)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key"), string("member").optional().many()])
    .summary("Answers longitude and latitude of places.")
    .complexity("O(log(N)) for each place, N places in the index");

fn geodist(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (from, to) = (args.bytes()?, args.bytes()?);
    if args.left() > 1 {
        return Err(CommandError::Syntax);
    }
    let meters = args.optional(unit)?.unwrap_or(1.0);
    let set = cx.db.read::<ZSet>(&key)?;
    let place = |member| Some(Point::of_score(set?.score(member)?));
    match place(from).zip(place(to)) {
        Some((from, to)) => reply.bulk(&distance_text(from.distance(to) / meters)),
        None => reply.null(),
    }
    Ok(Effect::None)
}

fn geohash(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let members = args.rest();
    let set = cx.db.read::<ZSet>(&key)?;
    reply.array(members.len());
    for member in members {
        let score = set.and_then(|set| set.score(member));
        reply.bulk_or_null(
            score.map(|score| Point::of_score(score).geohash()).as_ref().map(|hash| &hash[..]),
        );
    }
    Ok(Effect::None)
}

fn geopos(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let members = args.rest();
    let set = cx.db.read::<ZSet>(&key)?;
    reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)).map(Point::of_score) {
            Some(place) => {
                reply.array(2);
                reply.double(place.longitude);
                reply.double(place.latitude);
            }
            None => reply.null_array(),
        }
    }
    Ok(Effect::None)
}
