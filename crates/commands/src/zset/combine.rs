//! Unions, intersections and differences of sorted sets and sets.

use super::{open_members, reply_listed};
use command::grammar::{integer, key, key_of, one_of, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, KeyFlags, KeySpec, Outcome,
};
use keyspace::{Db, Event, KeyRef, Keyspace, WrongType};
use resp::Reply;
use stdx::hash::{Map, Seed};
use types::listpack::{Digits, Element};
use types::set::{Set, SetView};
use types::zset::{ZSet, ZSetView, sort};
use types::{Collection as _, View as _};

pub(super) const ZDIFF: Command = Command::data("ZDIFF", zdiff)
    .group(Group::SortedSet)
    .since("6.2.0")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(&[KeySpec::counted(1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[integer("numkeys"), key("key").many(), word("withscores", "WITHSCORES").optional()])
    .summary("Answers the members of the first sorted set that no other one has.")
    .complexity("O(L) in all members of the inputs, and O(N log(N)) for N members of the result");

pub(super) const ZDIFFSTORE: Command = Command::data("ZDIFFSTORE", zdiffstore)
    .group(Group::SortedSet)
    .since("6.2.0")
    .arity(-4)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[
        KeySpec::at(1, KeyFlags::OW.or(KeyFlags::UPDATE)),
        KeySpec::counted(2, 1, KeyFlags::RO.or(KeyFlags::ACCESS)),
    ])
    .args(&[key("destination"), integer("numkeys"), key_of("key", 1).many()])
    .summary("Stores the members of the first sorted set that no other one has.")
    .complexity("O(L) in all members of the inputs, and O(N log(N)) for N members of the result");

pub(super) const ZINTER: Command = Command::data("ZINTER", zinter)
    .group(Group::SortedSet)
    .since("6.2.0")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(&[KeySpec::counted(1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[integer("numkeys"), key("key").many(), integer("weight").token("WEIGHTS").optional().many(), one_of("aggregate", &[word("sum", "SUM"), word("min", "MIN"), word("max", "MAX"), word("count", "COUNT").since("8.8.0")]).token("AGGREGATE").optional(), word("withscores", "WITHSCORES").optional()])
    .summary("Answers the members that all sorted sets have.")
    .complexity("O(N*K) for the smallest of K inputs with N members, and O(M log(M)) for M members of the result")
    .history(&[("8.8.0", "Option AGGREGATE COUNT.")]);

pub(super) const ZINTERCARD: Command = Command::data("ZINTERCARD", zintercard)
    .group(Group::SortedSet)
    .since("7.0.0")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(&[KeySpec::counted(1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[integer("numkeys"), key("key").many(), integer("limit").token("LIMIT").optional()])
    .summary("Counts the members that all sorted sets have.")
    .complexity("O(N*K) for the smallest of K inputs with N members");

pub(super) const ZINTERSTORE: Command = Command::data("ZINTERSTORE", zinterstore)
    .group(Group::SortedSet)
    .since("2.0.0")
    .arity(-4)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::at(1, KeyFlags::OW.or(KeyFlags::UPDATE)), KeySpec::counted(2, 1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[key("destination"), integer("numkeys"), key_of("key", 1).many(), integer("weight").token("WEIGHTS").optional().many(), one_of("aggregate", &[word("sum", "SUM"), word("min", "MIN"), word("max", "MAX"), word("count", "COUNT").since("8.8.0")]).token("AGGREGATE").optional()])
    .summary("Stores the members that all sorted sets have.")
    .complexity("O(N*K) for the smallest of K inputs with N members, and O(M log(M)) for M members of the result")
    .history(&[("8.8.0", "Option AGGREGATE COUNT.")]);

pub(super) const ZUNION: Command = Command::data("ZUNION", zunion)
    .group(Group::SortedSet)
    .since("6.2.0")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(&[KeySpec::counted(1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[
        integer("numkeys"),
        key("key").many(),
        integer("weight").token("WEIGHTS").optional().many(),
        one_of(
            "aggregate",
            &[
                word("sum", "SUM"),
                word("min", "MIN"),
                word("max", "MAX"),
                word("count", "COUNT").since("8.8.0"),
            ],
        )
        .token("AGGREGATE")
        .optional(),
        word("withscores", "WITHSCORES").optional(),
    ])
    .summary("Answers the members that any of the sorted sets has.")
    .complexity("O(N) in all members of the inputs, and O(M log(M)) for M members of the result")
    .history(&[("8.8.0", "Option AGGREGATE COUNT.")]);

pub(super) const ZUNIONSTORE: Command = Command::data("ZUNIONSTORE", zunionstore)
    .group(Group::SortedSet)
    .since("2.0.0")
    .arity(-4)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[
        KeySpec::at(1, KeyFlags::OW.or(KeyFlags::UPDATE)),
        KeySpec::counted(2, 1, KeyFlags::RO.or(KeyFlags::ACCESS)),
    ])
    .args(&[
        key("destination"),
        integer("numkeys"),
        key_of("key", 1).many(),
        integer("weight").token("WEIGHTS").optional().many(),
        one_of(
            "aggregate",
            &[
                word("sum", "SUM"),
                word("min", "MIN"),
                word("max", "MAX"),
                word("count", "COUNT").since("8.8.0"),
            ],
        )
        .token("AGGREGATE")
        .optional(),
    ])
    .summary("Stores the members that any of the sorted sets has.")
    .complexity("O(N) in all members of the inputs, and O(M log(M)) for M members of the result")
    .history(&[("8.8.0", "Option AGGREGATE COUNT.")]);

/// One input: the members of a plain set have the score 1.
#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    None,
    ZSet(ZSetView<'a>),
    Set(SetView<'a>),
}

impl<'a> Source<'a> {
    fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::ZSet(set) => set.len(),
            Self::Set(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::None => None,
            Self::ZSet(set) => set.score(member),
            Self::Set(set) => set.contains(member).then_some(1.0),
        }
    }

    fn carry(self) -> Carried {
        match self {
            Self::None => Carried::None,
            Self::ZSet(set) => Carried::ZSet(set.to_owned()),
            Self::Set(set) => Carried::Set(set.to_owned(), set.horizon()),
        }
    }

    fn elements(self) -> Box<dyn Iterator<Item = (Element<'a>, f64)> + 'a> {
        match self {
            Self::None => Box::new(std::iter::empty()),
            Self::ZSet(set) => Box::new(set.range(0..set.len())),
            Self::Set(set) => Box::new(set.iter().map(|member| (member, 1.0))),
        }
    }
}

/// An input that was carried away: O(1) if it is large.
enum Carried {
    None,
    ZSet(ZSet),
    /// What expires at or before the moment is hidden.
    Set(Set, Option<i64>),
}

impl Carried {
    fn source(&self) -> Source<'_> {
        match self {
            Self::None => Source::None,
            Self::ZSet(set) => Source::ZSet(set.view()),
            Self::Set(set, horizon_ms) => {
                Source::Set(horizon_ms.map_or(set.view(), |at| set.view().at(at)))
            }
        }
    }
}

/// The inputs at `keys`.
fn sources<'d>(db: &'d mut Db<'_>, keys: &[KeyRef<'_>]) -> Result<Vec<Source<'d>>, CommandError> {
    for key in keys {
        db.get(key);
    }
    let db = &*db;
    let source = |key| match db.seen::<ZSet>(key) {
        Ok(set) => Ok(set.map_or(Source::None, Source::ZSet)),
        Err(WrongType) => Ok(db.seen::<Set>(key)?.map_or(Source::None, Source::Set)),
    };
    keys.iter().map(source).collect()
}

/// Reads `numkeys key [key ...]`.
fn keys<'a>(args: &mut Args<'a>) -> Result<Vec<KeyRef<'a>>, CommandError> {
    let number = args.integer()?;
    let Some(number) = usize::try_from(number).ok().filter(|number| *number > 0) else {
        let name = args.spec().name.to_ascii_lowercase();
        return Err(CommandError::err(format_args!(
            "at least 1 input key is needed for '{name}' command"
        )));
    };
    if number > args.left() {
        return Err(CommandError::Syntax);
    }
    (0..number).map(|_| args.key()).collect()
}

/// What becomes of the scores that one member has in several inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
    /// As `Sum`, of the weights alone.
    Count,
}

impl Aggregate {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let known =
            [("SUM", Self::Sum), ("MIN", Self::Min), ("MAX", Self::Max), ("COUNT", Self::Count)];
        let found = known.into_iter().find(|(word, _)| args.token(word));
        found.map(|(_, aggregate)| aggregate).ok_or(CommandError::Syntax)
    }

    /// The part of one input.
    fn weighed(self, score: f64, weight: f64) -> f64 {
        if self == Self::Count { weight } else { score * weight }
    }

    /// The first part. What is no number (infinity times 0) counts as 0.
    fn first(self, score: f64, weight: f64) -> f64 {
        number(self.weighed(score, weight))
    }

    fn with(self, sum: f64, part: f64) -> f64 {
        match self {
            Self::Sum | Self::Count => number(sum + part),
            Self::Min => sum.min(part),
            Self::Max => sum.max(part),
        }
    }
}

/// What is no number is 0.
fn number(sum: f64) -> f64 {
    if sum.is_nan() { 0.0 } else { sum }
}

/// The options of unions and intersections.
struct Options {
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

impl Options {
    fn parse(args: &mut Args<'_>, keys: usize, place: Place) -> Result<Self, CommandError> {
        let mut options =
            Self { weights: vec![1.0; keys], aggregate: Aggregate::Sum, with_scores: false };
        while args.left() > 0 {
            if place.is_weighed && args.left() > keys && args.token("WEIGHTS") {
                for weight in &mut options.weights {
                    *weight = args.double().map_err(|_| CommandError::WeightNotAFloat)?;
                }
            } else if place.is_weighed && args.left() > 1 && args.token("AGGREGATE") {
                options.aggregate = Aggregate::parse(args)?;
            } else if !place.stores && args.token("WITHSCORES") {
                options.with_scores = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

/// Which options a command has.
#[derive(Clone, Copy)]
struct Place {
    is_weighed: bool,
    stores: bool,
}

type Members = Vec<(Vec<u8>, f64)>;
type Combine = fn(&[Source<'_>], &Options, Seed) -> Members;

/// The inputs with their weights, the one with the fewest members first: sums depend on it.
fn by_len<'a>(sources: &[Source<'a>], options: &Options) -> Vec<(Source<'a>, f64)> {
    let mut inputs: Vec<_> = sources.iter().copied().zip(options.weights.iter().copied()).collect();
    inputs.sort_by_key(|(source, _)| source.len());
    inputs
}

fn union(sources: &[Source<'_>], options: &Options, seed: Seed) -> Members {
    let aggregate = options.aggregate;
    let inputs = by_len(sources, options);
    let most = inputs.last().map_or(0, |(source, _)| source.len());
    let mut scores: Map<Vec<u8>, f64> = Map::with_capacity_and_hasher(most, seed);
    let mut digits = Digits::default();
    for (source, weight) in inputs {
        for (member, score) in source.elements() {
            let part = aggregate.first(score, weight);
            let member = member.text(&mut digits);
            match scores.get_mut(member) {
                Some(sum) => *sum = aggregate.with(*sum, part),
                None => drop(scores.insert(member.to_vec(), part)),
            }
        }
    }
    scores.into_iter().collect()
}

fn intersection(sources: &[Source<'_>], options: &Options, _: Seed) -> Members {
    let mut common = Members::new();
    let inputs = by_len(sources, options);
    let Some(((first, weight), rest)) = inputs.split_first() else { return common };
    let aggregate = options.aggregate;
    let mut digits = Digits::default();
    for (member, score) in first.elements() {
        let member = member.text(&mut digits);
        let sum = rest.iter().try_fold(aggregate.first(score, *weight), |sum, (other, weight)| {
            Some(aggregate.with(sum, aggregate.weighed(other.score(member)?, *weight)))
        });
        if let Some(sum) = sum {
            common.push((member.to_vec(), sum));
        }
    }
    common
}

fn difference(sources: &[Source<'_>], _: &Options, _: Seed) -> Members {
    let Some((first, rest)) = sources.split_first() else { return Members::new() };
    let mut digits = Digits::default();
    let mut left = Members::new();
    for (member, score) in first.elements() {
        let member = member.text(&mut digits);
        if rest.iter().all(|other| other.score(member).is_none()) {
            left.push((member.to_vec(), score));
        }
    }
    left
}

/// A command that answers what it finds.
fn answer(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    is_weighed: bool,
    combine: Combine,
) -> Outcome {
    let keys = keys(args)?;
    let seed = cx.settings.limits.seed;
    // The types of the keys are looked at before the options are.
    let sources = sources(&mut cx.db, &keys)?;
    let options = Options::parse(args, keys.len(), Place { is_weighed, stores: false })?;
    if sources.iter().map(|source| source.len()).sum::<usize>() > AT_ONCE_MAX {
        let sources = sources.iter().map(|source| source.carry()).collect();
        *cx.later = Some(Box::new(CombineJob { combine, sources, options, seed }));
    } else {
        list(reply, combine(&sources, &options, seed), &options);
    }
    Ok(Effect::None)
}

fn list(reply: &mut Reply, mut members: Members, options: &Options) {
    sort(&mut members);
    open_members(reply, members.len(), options.with_scores);
    for (member, score) in &members {
        reply_listed(reply, Element::Bytes(member), *score, options.with_scores);
    }
}

/// Inputs of more members than this are combined outside the locks, from clones.
const AT_ONCE_MAX: usize = 1000;

/// An answer that is made of large inputs, as they were when their locks were held.
struct CombineJob {
    combine: Combine,
    sources: Vec<Carried>,
    options: Options,
    seed: Seed,
}

impl Job for CombineJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        let sources: Vec<_> = self.sources.iter().map(Carried::source).collect();
        list(reply, (self.combine)(&sources, &self.options, self.seed), &self.options);
        JobStep::Done
    }
}

/// A command that stores what it finds.
fn store(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    is_weighed: bool,
    (combine, event): (Combine, Event),
) -> Outcome {
    let target = args.key()?;
    let keys = keys(args)?;
    let limits = &cx.settings.limits;
    // The journal is told the command as it was sent, and no clock.
    keys.iter().for_each(|key| cx.db.purge_expired_elements(key));
    let sources = sources(&mut cx.db, &keys)?;
    let options = Options::parse(args, keys.len(), Place { is_weighed, stores: true })?;
    let members = combine(&sources, &options, limits.seed);
    reply.count(members.len());
    cx.db.replace(&target, ZSet::from_distinct(members, limits), event);
    Ok(Effect::Same)
}

fn zunion(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    answer(cx, args, reply, true, union)
}

fn zinter(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    answer(cx, args, reply, true, intersection)
}

fn zdiff(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    answer(cx, args, reply, false, difference)
}

fn zunionstore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    store(cx, args, reply, true, (union, Event::zset("zunionstore")))
}

fn zinterstore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    store(cx, args, reply, true, (intersection, Event::zset("zinterstore")))
}

fn zdiffstore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    store(cx, args, reply, false, (difference, Event::zset("zdiffstore")))
}

fn zintercard(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let keys = keys(args)?;
    let sources = sources(&mut cx.db, &keys)?;
    let mut limit = 0;
    while args.left() > 0 {
        if args.left() < 2 || !args.token("LIMIT") {
            return Err(CommandError::Syntax);
        }
        let given = args.integer().ok().and_then(|given| usize::try_from(given).ok());
        limit = given.ok_or(CommandError::NegativeLimit)?;
    }
    let most = if limit == 0 { usize::MAX } else { limit };
    let first = sources.iter().enumerate().min_by_key(|(_, source)| source.len());
    let mut digits = Digits::default();
    let count = first.map_or(0, |(at, first)| {
        let is_common = |(member, _): &(Element<'_>, f64)| {
            let member = member.text(&mut digits);
            let mut others = sources.iter().enumerate().filter(|(other, _)| *other != at);
            others.all(|(_, other)| other.score(member).is_some())
        };
        first.elements().filter(is_common).take(most).count()
    });
    reply.count(count);
    Ok(Effect::None)
}
