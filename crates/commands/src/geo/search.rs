//! Searches by circle, box and polygon.

use super::query::{Kind, Order, Query};
use super::{READ, UNIT, distance_text};
use command::grammar::{Argument, block, double, integer, key, key_of, one_of, string, word};
use command::{Args, Command, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{Event, KeyRef};
use resp::Reply;
use std::cmp::Ordering;
use types::geo::{Area, Point};
use types::zset::{ScoreRange, ZSet, ZSetView};

/// From where is searched.
const FROM: Argument = one_of(
    "from",
    &[
        string("member").token("FROMMEMBER"),
        block("fromlonlat", &[double("longitude"), double("latitude")]).token("FROMLONLAT"),
    ],
);

/// The shape of the area.
const BY: Argument = one_of(
    "by",
    &[
        block("circle", &[double("radius").token("BYRADIUS"), UNIT]),
        block("box", &[double("width").token("BYBOX"), double("height"), UNIT]),
        block(
            "polygon",
            &[
                integer("vertices").token("BYPOLYGON").samples(&["3"]),
                block("vertex", &[double("longitude"), double("latitude")]).many(),
            ],
        )
        .since("9.0.0"),
    ],
);

const ORDER: Argument = one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional();
const COUNT: Argument =
    block("count-block", &[integer("count").token("COUNT"), word("any", "ANY").optional()])
        .optional();
const STORE: Argument = one_of(
    "store",
    &[
        key_of("storekey", 1).token("STORE").display("key"),
        key_of("storedistkey", 2).token("STOREDIST").display("key"),
    ],
)
.optional();

pub(super) const GEORADIUS: Command = Command::data("GEORADIUS", georadius)
    .group(Group::Geo)
    .since("3.2.0")
    .arity(-6)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[
        KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS)),
        KeySpec::after("STORE", 6, KeyFlags::OW.or(KeyFlags::UPDATE)),
        KeySpec::after("STOREDIST", 6, KeyFlags::OW.or(KeyFlags::UPDATE)),
    ])
    .args(&[
        key("key"),
        double("longitude"),
        double("latitude"),
        double("radius"),
        UNIT,
        word("withcoord", "WITHCOORD").optional(),
        word("withdist", "WITHDIST").optional(),
        word("withhash", "WITHHASH").optional(),
        block(
            "count-block",
            &[integer("count").token("COUNT"), word("any", "ANY").optional().since("6.2.0")],
        )
        .optional(),
        ORDER,
        STORE,
    ])
    .summary("Answers or stores the places within a distance of a point.")
    .complexity("O(N+log(M)), N places in the squares around the circle, M in the index")
    .history(&[("6.2.0", "Option ANY of COUNT."), ("7.0.0", "Units in upper case.")])
    .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument");

pub(super) const GEORADIUSBYMEMBER: Command = Command::data("GEORADIUSBYMEMBER", georadiusbymember)
    .group(Group::Geo)
    .since("3.2.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[
        KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS)),
        KeySpec::after("STORE", 5, KeyFlags::OW.or(KeyFlags::UPDATE)),
        KeySpec::after("STOREDIST", 5, KeyFlags::OW.or(KeyFlags::UPDATE)),
    ])
    .args(&[
        key("key"),
        string("member"),
        double("radius"),
        UNIT,
        word("withcoord", "WITHCOORD").optional(),
        word("withdist", "WITHDIST").optional(),
        word("withhash", "WITHHASH").optional(),
        COUNT,
        ORDER,
        STORE,
    ])
    .summary("Answers or stores the places within a distance of one of them.")
    .complexity("O(N+log(M)), N places in the squares around the circle, M in the index")
    .history(&[("6.2.0", "Option ANY of COUNT."), ("7.0.0", "Units in upper case.")])
    .deprecated(
        "6.2.0",
        "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    );

pub(super) const GEORADIUSBYMEMBER_RO: Command =
    Command::data("GEORADIUSBYMEMBER_RO", georadiusbymember_ro)
        .group(Group::Geo)
        .since("3.2.10")
        .arity(-5)
        .flags(Flags::READONLY)
        .keys(READ)
        .args(&[
            key("key"),
            string("member"),
            double("radius"),
            UNIT,
            word("withcoord", "WITHCOORD").optional(),
            word("withdist", "WITHDIST").optional(),
            word("withhash", "WITHHASH").optional(),
            COUNT,
            ORDER,
        ])
        .summary("Answers the places within a distance of one of them.")
        .complexity("O(N+log(M)), N places in the squares around the circle, M in the index")
        .history(&[("6.2.0", "Option ANY of COUNT."), ("7.0.0", "Units in upper case.")])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments");

pub(super) const GEORADIUS_RO: Command = Command::data("GEORADIUS_RO", georadius_ro)
    .group(Group::Geo)
    .since("3.2.10")
    .arity(-6)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        double("longitude"),
        double("latitude"),
        double("radius"),
        UNIT,
        word("withcoord", "WITHCOORD").optional(),
        word("withdist", "WITHDIST").optional(),
        word("withhash", "WITHHASH").optional(),
        block(
            "count-block",
            &[integer("count").token("COUNT"), word("any", "ANY").optional().since("6.2.0")],
        )
        .optional(),
        ORDER,
    ])
    .summary("Answers the places within a distance of a point.")
    .complexity("O(N+log(M)), N places in the squares around the circle, M in the index")
    .history(&[("6.2.0", "Option ANY of COUNT."), ("7.0.0", "Units in upper case.")])
    .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument");

pub(super) const GEOSEARCH: Command = Command::data("GEOSEARCH", geosearch)
    .group(Group::Geo)
    .since("6.2.0")
    .arity(-7)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        FROM,
        BY,
        ORDER,
        COUNT,
        word("withcoord", "WITHCOORD").optional(),
        word("withdist", "WITHDIST").optional(),
        word("withhash", "WITHHASH").optional(),
    ])
    .summary("Answers the places within a circle, a box or a polygon.")
    .complexity("O(N+log(M)), N places in the squares around the area, M in the index")
    .history(&[("7.0.0", "Units in upper case.")]);

pub(super) const GEOSEARCHSTORE: Command = Command::data("GEOSEARCHSTORE", geosearchstore)
    .group(Group::Geo)
    .since("6.2.0")
    .arity(-8)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[
        KeySpec::at(1, KeyFlags::OW.or(KeyFlags::UPDATE)),
        KeySpec::at(2, KeyFlags::RO.or(KeyFlags::ACCESS)),
    ])
    .args(&[
        key("destination"),
        key_of("source", 1),
        FROM,
        BY,
        ORDER,
        COUNT,
        word("storedist", "STOREDIST").optional(),
    ])
    .summary("Stores the places within a circle, a box or a polygon.")
    .complexity("O(N+log(M)), N places in the squares around the area, M in the index")
    .history(&[("7.0.0", "Units in upper case.")]);

/// A place that was found.
struct Found {
    member: Vec<u8>,
    score: f64,
    place: Point,
    /// Meters from the center.
    distance: f64,
}

/// The places of `area`, at most `most` of them, in the order of the cells and of their scores.
fn places(set: ZSetView<'_>, area: &Area, most: usize) -> Vec<Found> {
    let center = area.center();
    let mut found = Vec::new();
    for (min, max) in area.ranges() {
        let cell = ScoreRange { min, max, min_open: false, max_open: true };
        for (member, score) in set.range(set.ranks_by_score(&cell)) {
            let place = Point::of_score(score);
            let Some(distance) = area.distance_within(center, place) else { continue };
            found.push(Found { member: member.to_vec(), score, place, distance });
            if found.len() >= most {
                return found;
            }
        }
    }
    found
}

/// What the query asks for.
fn answer(set: ZSetView<'_>, area: &Area, query: &Query<'_>) -> Vec<Found> {
    let count = query.count.unwrap_or(usize::MAX);
    let mut found = places(set, area, if query.any { count } else { usize::MAX });
    let nearest = |one: &Found, other: &Found| {
        one.distance.partial_cmp(&other.distance).unwrap_or(Ordering::Equal)
    };
    match query.order {
        Some(Order::Nearest) => found.sort_by(nearest),
        Some(Order::Farthest) => found.sort_by(|one, other| nearest(other, one)),
        None => {}
    }
    found.truncate(count);
    found
}

fn reply_found(reply: &mut Reply, found: &[Found], query: &Query<'_>) {
    let parts = [query.with_distance, query.with_hash, query.with_place];
    let parts = parts.into_iter().filter(|part| *part).count();
    reply.array(found.len());
    for found in found {
        if parts > 0 {
            reply.array(1 + parts);
        }
        reply.bulk(&found.member);
        if query.with_distance {
            reply.bulk(&distance_text(found.distance / query.meters));
        }
        if query.with_hash {
            reply.integer(found.score as i64);
        }
        if query.with_place {
            reply.array(2);
            reply.double(found.place.longitude);
            reply.double(found.place.latitude);
        }
    }
}

/// Answers what was found, or stores it under the target.
fn finish(
    cx: &mut Cx<'_>,
    reply: &mut Reply,
    found: Vec<Found>,
    query: &Query<'_>,
    event: Event,
) -> Outcome {
    let Some(target) = &query.target else {
        reply_found(reply, &found, query);
        return Ok(Effect::None);
    };
    let score = |found: &Found| {
        if query.stores_distance { found.distance / query.meters } else { found.score }
    };
    let members: Vec<_> =
        found.into_iter().map(|found| (score(&found), found.member)).map(|(s, m)| (m, s)).collect();
    reply.count(members.len());
    cx.db.replace(target, ZSet::from_distinct(members, &cx.settings.limits), event);
    Ok(Effect::Same)
}

fn radius(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    kind: Kind,
    by_member: bool,
) -> Outcome {
    const EVENT: Event = Event::zset("georadiusstore");
    let key = args.key()?;
    let set = cx.db.read::<ZSet>(&key)?;
    let query = Query::radius(args, kind, by_member, set)?;
    let found = found(set, &query);
    finish(cx, reply, found, &query, EVENT)
}

fn found(set: Option<ZSetView<'_>>, query: &Query<'_>) -> Vec<Found> {
    match (set, &query.area) {
        (Some(set), Some(area)) => answer(set, area, query),
        _ => Vec::new(),
    }
}

fn georadius(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    radius(cx, args, reply, Kind::Radius, false)
}

fn georadius_ro(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    radius(cx, args, reply, Kind::RadiusReadOnly, false)
}

fn georadiusbymember(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    radius(cx, args, reply, Kind::Radius, true)
}

fn georadiusbymember_ro(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    radius(cx, args, reply, Kind::RadiusReadOnly, true)
}

fn geosearch(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    search(cx, args, reply, &key, None)
}

fn geosearchstore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (target, source) = (args.key()?, args.key()?);
    search(cx, args, reply, &source, Some(target))
}

fn search<'a>(
    cx: &mut Cx<'_>,
    args: &mut Args<'a>,
    reply: &mut Reply,
    source: &KeyRef<'_>,
    target: Option<KeyRef<'a>>,
) -> Outcome {
    const EVENT: Event = Event::zset("geosearchstore");
    let kind = if target.is_some() { Kind::SearchStore } else { Kind::Search };
    let set = cx.db.read::<ZSet>(source)?;
    let query = Query::search(args, kind, target, set)?;
    let found = found(set, &query);
    finish(cx, reply, found, &query, EVENT)
}
