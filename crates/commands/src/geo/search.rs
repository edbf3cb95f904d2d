//! Searches by circle, box and polygon.

use super::query::{Kind, Order, Query, Search};
use super::{READ, UNIT, distance_text};
use command::grammar::{Argument, block, double, integer, key, key_of, one_of, string, word};
use command::{Args, Command, Cx, Effect, Flags, Group, Job, JobStep, KeyFlags, KeySpec, Outcome};
use keyspace::{Event, KeyRef, Keyspace};
use resp::Reply;
use std::cmp::Ordering;
use std::ops::Range;
use types::Collection as _;
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

/// A search under way.
struct Hunt {
    /// Ranks of the places to be looked at, the next ones last.
    ranges: Vec<Range<usize>>,
    found: Vec<Found>,
}

impl Hunt {
    fn begin(set: ZSetView<'_>, area: &Area) -> Self {
        let ranks = |(min, max): (f64, f64)| {
            set.ranks_by_score(&ScoreRange { min, max, min_open: false, max_open: true })
        };
        let mut ranges: Vec<Range<usize>> = area.ranges().into_iter().map(ranks).collect();
        ranges.reverse();
        Self { ranges, found: Vec::new() }
    }

    /// How many places are yet to be looked at.
    fn left(&self) -> usize {
        self.ranges.iter().map(Range::len).sum()
    }

    /// Looks at up to `most` places; returns whether there are more. They come in the order of the
    /// cells and of their scores.
    fn go_on(&mut self, set: ZSetView<'_>, search: &Search, mut most: usize) -> bool {
        let Some(area) = &search.area else { return false };
        let enough = search.count.filter(|_| search.any).unwrap_or(usize::MAX);
        let center = area.center();
        while let Some(range) = self.ranges.pop() {
            let end = range.end.min(range.start.saturating_add(most));
            most -= end - range.start;
            for (member, score) in set.range(range.start..end) {
                let place = Point::of_score(score);
                let Some(distance) = area.distance_within(center, place) else { continue };
                self.found.push(Found { member: member.to_vec(), score, place, distance });
                if self.found.len() >= enough {
                    return false;
                }
            }
            if end < range.end {
                self.ranges.push(end..range.end);
                return true;
            }
        }
        false
    }

    /// What the search asks for of what was found.
    fn end(self, search: &Search) -> Vec<Found> {
        let mut found = self.found;
        let nearest = |one: &Found, other: &Found| {
            one.distance.partial_cmp(&other.distance).unwrap_or(Ordering::Equal)
        };
        match search.order {
            Some(Order::Nearest) => found.sort_by(nearest),
            Some(Order::Farthest) => found.sort_by(|one, other| nearest(other, one)),
            None => {}
        }
        found.truncate(search.count.unwrap_or(usize::MAX));
        found
    }
}

fn reply_found(reply: &mut Reply, found: &Found, search: &Search) {
    let parts = [search.with_distance, search.with_hash, search.with_place];
    let parts = parts.into_iter().filter(|part| *part).count();
    if parts > 0 {
        reply.array(1 + parts);
    }
    reply.bulk(&found.member);
    if search.with_distance {
        reply.bulk(&distance_text(found.distance / search.meters));
    }
    if search.with_hash {
        reply.integer(found.score as i64);
    }
    if search.with_place {
        reply.array(2);
        reply.double(found.place.longitude);
        reply.double(found.place.latitude);
    }
}

/// So many places are looked at in a step. Most take but a glance.
const LOOK_SLICE: usize = 8000;
/// So many are answered in a step; of more to look at, a clone is searched outside the lock.
const SLICE: usize = 1000;

/// A long search.
struct SearchJob {
    set: ZSet,
    search: Search,
    stage: Stage,
}

enum Stage {
    Looking(Hunt),
    Answering(std::vec::IntoIter<Found>),
}

impl Job for SearchJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        match &mut self.stage {
            Stage::Looking(hunt) => {
                if !hunt.go_on(self.set.view(), &self.search, LOOK_SLICE) {
                    let hunt = Hunt { ranges: Vec::new(), found: std::mem::take(&mut hunt.found) };
                    let found = hunt.end(&self.search);
                    reply.array(found.len());
                    self.stage = Stage::Answering(found.into_iter());
                }
                JobStep::More
            }
            Stage::Answering(found) => {
                for found in found.by_ref().take(SLICE) {
                    reply_found(reply, &found, &self.search);
                }
                if found.len() > 0 { JobStep::More } else { JobStep::Done }
            }
        }
    }
}

/// Searches, and answers what is found or stores it under the target.
fn run(
    cx: &mut Cx<'_>,
    reply: &mut Reply,
    source: &KeyRef<'_>,
    query: Query<'_>,
    event: Event,
) -> Outcome {
    let Query { search, target, stores_distance } = query;
    let mut found = Vec::new();
    if target.is_some() {
        // The journal is told the command as it was sent, and no clock.
        cx.db.purge_expired_elements(source);
    }
    if let Some(set) = cx.db.peek_as::<ZSet>(source)?
        && let Some(area) = &search.area
    {
        let mut hunt = Hunt::begin(set, area);
        if target.is_none() && hunt.left() > SLICE {
            let (set, stage) = (set.to_owned(), Stage::Looking(hunt));
            *cx.later = Some(Box::new(SearchJob { set, search, stage }));
            return Ok(Effect::None);
        }
        hunt.go_on(set, &search, usize::MAX);
        found = hunt.end(&search);
    }
    let Some(target) = &target else {
        reply.array(found.len());
        found.iter().for_each(|found| reply_found(reply, found, &search));
        return Ok(Effect::None);
    };
    let score =
        |found: &Found| if stores_distance { found.distance / search.meters } else { found.score };
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
    run(cx, reply, &key, query, EVENT)
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
    run(cx, reply, source, query, EVENT)
}
