//! Intersections, unions and differences of sets. All shards of the keys are held; reads that look at
//! many members take O(1) clones with them and compute when the locks are gone.

use super::{MembersJob, reply_members, seen};
use crate::element::reply_element;
use command::grammar::{Argument, integer, key, key_of, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, KeyFlags, KeySpec, Outcome,
};
use keyspace::{Event, KeyRef, Keyspace};
use resp::Reply;
use types::hll::{self, Hll};
use types::listpack::Digits;
use types::set::{self, Set, SetView};
use types::{Collection as _, Limits, View as _};

const SOURCES: &[KeySpec] = &[KeySpec::from(1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))];
const COUNTED: &[KeySpec] = &[KeySpec::counted(1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))];
const TARGET_AND_SOURCES: &[KeySpec] = &[
    KeySpec::at(1, KeyFlags::OW.or(KeyFlags::UPDATE)),
    KeySpec::from(2, 1, KeyFlags::RO.or(KeyFlags::ACCESS)),
];
const STORE_ARGS: &[Argument] = &[key_of("destination", 0), key_of("key", 1).many()];
const LIMIT: Argument = integer("limit").token("LIMIT").optional().samples(&["0", "1", "10"]);
const LIST_ARGS: &[Argument] = &[key("key").many()];
const COUNT_ARGS: &[Argument] = &[integer("numkeys"), key("key").many(), LIMIT];

const INTER_COMPLEXITY: &str = "O(N*M) at worst, N the members of the smallest of M sets";
const ALL_COMPLEXITY: &str = "O(N), N the members of all sets";
const UNORDERED: &[&str] = &["nondeterministic_output_order"];

const fn row(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler).group(Group::Set).since("1.0.0")
}

/// A row that answers members.
const fn listing(name: &'static str, handler: command::Handler) -> Command {
    row(name, handler)
        .arity(-2)
        .flags(Flags::READONLY)
        .keys(SOURCES)
        .args(LIST_ARGS)
        .tips(UNORDERED)
}

/// A row that stores them.
const fn storing(name: &'static str, handler: command::Handler) -> Command {
    row(name, handler)
        .arity(-3)
        .flags(Flags::WRITE.or(Flags::DENYOOM))
        .keys(TARGET_AND_SOURCES)
        .args(STORE_ARGS)
}

/// A row that counts them.
const fn counting(name: &'static str, handler: command::Handler) -> Command {
    row(name, handler)
        .arity(-3)
        .flags(Flags::READONLY.or(Flags::MOVABLE_KEYS))
        .keys(COUNTED)
        .args(COUNT_ARGS)
}

pub(super) const SINTER: Command = listing("SINTER", sinter)
    .summary("Answers the members that all sets have.")
    .complexity(INTER_COMPLEXITY);

pub(super) const SINTERSTORE: Command = storing("SINTERSTORE", sinterstore)
    .summary("Stores the members that all sets have and answers how many they are.")
    .complexity(INTER_COMPLEXITY);

pub(super) const SINTERCARD: Command = counting("SINTERCARD", sintercard)
    .since("7.0.0")
    .summary("Answers how many members all sets have.")
    .complexity(INTER_COMPLEXITY);

pub(super) const SUNION: Command = listing("SUNION", sunion)
    .summary("Answers the members that any of several sets has.")
    .complexity(ALL_COMPLEXITY);

pub(super) const SUNIONSTORE: Command = storing("SUNIONSTORE", sunionstore)
    .summary("Stores the members that any of several sets has and answers how many they are.")
    .complexity(ALL_COMPLEXITY);

pub(super) const SUNIONCARD: Command = counting("SUNIONCARD", sunioncard)
    .since("8.10.0")
    .args(&[integer("numkeys"), key("key").many(), word("approx", "APPROX").optional(), LIMIT])
    .summary("Answers how many members several sets have together.")
    .complexity(ALL_COMPLEXITY);

pub(super) const SDIFF: Command = listing("SDIFF", sdiff)
    .summary("Answers the members that the first set has and no other.")
    .complexity(ALL_COMPLEXITY);

pub(super) const SDIFFSTORE: Command = storing("SDIFFSTORE", sdiffstore)
    .summary(
        "Stores the members that the first set has and no other and answers how many they are.",
    )
    .complexity(ALL_COMPLEXITY);

pub(super) const SDIFFCARD: Command = counting("SDIFFCARD", sdiffcard)
    .since("8.10.0")
    .summary("Answers how many members the first set has that no other has.")
    .complexity(ALL_COMPLEXITY);

type Sources<'a> = Vec<Option<SetView<'a>>>;

/// Where more members than this are to be looked at, it is done outside the locks, from clones.
const AT_ONCE_MAX: usize = 1000;

/// What reads make of several sets.
#[derive(Clone, Copy, Debug)]
enum Make {
    Intersection,
    Union,
    Difference,
}

impl Make {
    /// Answers all of it, or begins to.
    fn answer(self, sets: &Sources<'_>, limits: &Limits, reply: &mut Reply) -> Option<MembersJob> {
        let start = || Set::collector(sets, limits);
        let made = match self {
            Self::Intersection => {
                let (list, mut len) = (reply.set_deferred(), 0);
                set::intersect(sets, |member| {
                    reply_element(reply, member);
                    len += 1;
                    true
                });
                reply.set_len(list, len);
                return None;
            }
            Self::Union => set::union(sets, start(), limits),
            Self::Difference => set::difference(sets, start(), limits),
        };
        reply.set(made.view().len());
        let mut job = MembersJob { set: made, horizon_ms: None, cursor: 0 };
        (job.slice(reply) == JobStep::More).then_some(job)
    }
}

/// An answer that is made of several large sets, as they were when their locks were held.
struct MakeJob {
    make: Make,
    sets: Vec<Option<(Set, Option<i64>)>>,
    limits: Limits,
    members: Option<MembersJob>,
}

impl Job for MakeJob {
    fn step(&mut self, space: &Keyspace, now_ms: i64, reply: &mut Reply) -> JobStep {
        if let Some(members) = &mut self.members {
            return members.step(space, now_ms, reply);
        }
        let carried = std::mem::take(&mut self.sets);
        let sets: Sources<'_> = carried
            .iter()
            .map(|carried| carried.as_ref().map(|(set, horizon_ms)| seen(set, *horizon_ms)))
            .collect();
        self.members = self.make.answer(&sets, &self.limits, reply);
        if self.members.is_some() { JobStep::More } else { JobStep::Done }
    }
}

/// Answers what `make` makes of the sets: at once if they are small.
fn list(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply, make: Make) -> Outcome {
    let sets = cx.db.read_all::<Set>(args.keys())?;
    if let ([Some(only)], Make::Intersection | Make::Union) = (&sets[..], make) {
        *cx.later = reply_members(reply, *only);
        return Ok(Effect::None);
    }
    let limits = &cx.settings.limits;
    let sizes = || sets.iter().map(|set| set.map_or(0, |set| set.len()));
    let looked_at = match make {
        Make::Intersection => sizes().min().unwrap_or(0),
        Make::Union | Make::Difference => sizes().sum(),
    };
    *cx.later = if looked_at > AT_ONCE_MAX {
        let carry = |set: &Option<SetView<'_>>| set.map(|set| (set.to_owned(), set.horizon()));
        let sets = sets.iter().map(carry).collect();
        Some(Box::new(MakeJob { make, sets, limits: *limits, members: None }))
    } else {
        make.answer(&sets, limits, reply).map(|job| Box::new(job) as Box<dyn Job>)
    };
    Ok(Effect::None)
}

fn sinter(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    list(cx, args, reply, Make::Intersection)
}

fn sunion(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    list(cx, args, reply, Make::Union)
}

fn sdiff(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    list(cx, args, reply, Make::Difference)
}

/// Stores what `combine` makes of the sets.
fn store(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    event: Event,
    combine: fn(&Sources<'_>, &Limits) -> Set,
) -> Outcome {
    let target: KeyRef<'_> = args.key()?;
    let sources = &args.keys()[1..];
    // The journal is told the command as it was sent, and no clock.
    sources.iter().for_each(|key| cx.db.purge_expired_elements(key));
    let sets = cx.db.read_all::<Set>(sources)?;
    let combined = combine(&sets, &cx.settings.limits);
    reply.count(combined.view().len());
    let changed = cx.db.replace(&target, combined, event);
    Ok(if changed { Effect::Same } else { Effect::None })
}

fn sinterstore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    store(cx, args, reply, Event::set("sinterstore"), |sets, limits| {
        set::intersection(sets, limits)
    })
}

fn sunionstore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    store(cx, args, reply, Event::set("sunionstore"), |sets, limits| {
        set::union(sets, Set::ints(), limits)
    })
}

fn sdiffstore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    store(cx, args, reply, Event::set("sdiffstore"), |sets, limits| {
        set::difference(sets, Set::ints(), limits)
    })
}

/// What to count.
struct Counted {
    /// Stop there; at least 1.
    limit: usize,
    approx: bool,
}

/// The number of keys, the keys, and the options behind them.
fn counted(args: &mut Args<'_>, may_approx: bool) -> Result<Counted, CommandError> {
    let number = args.integer().map_err(|_| CommandError::NumkeysTooSmall)?;
    let number = usize::try_from(number).ok().filter(|number| *number > 0);
    let number = number.ok_or(CommandError::NumkeysTooSmall)?;
    if number > args.left() {
        return Err(CommandError::NumkeysTooLarge);
    }
    args.skip(number);
    let mut counted = Counted { limit: usize::MAX, approx: false };
    while args.left() > 0 {
        if args.left() > 1 && args.token("LIMIT") {
            let limit = args.integer().map_err(|_| CommandError::NegativeLimit)?;
            let limit = usize::try_from(limit).map_err(|_| CommandError::NegativeLimit)?;
            counted.limit = if limit == 0 { usize::MAX } else { limit };
        } else if may_approx && args.token("APPROX") {
            counted.approx = true;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(counted)
}

fn sintercard(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let Counted { limit, .. } = counted(args, false)?;
    let sets = cx.db.read_all::<Set>(args.keys())?;
    let mut count = 0;
    set::intersect(&sets, |_| {
        count += 1;
        count < limit
    });
    reply.count(count);
    Ok(Effect::None)
}

fn sunioncard(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let Counted { limit, approx } = counted(args, true)?;
    let sets = cx.db.read_all::<Set>(args.keys())?;
    let count = match sets.iter().flatten().collect::<Vec<_>>()[..] {
        [] => 0,
        [only] => only.len(),
        _ if approx => estimated(&sets),
        _ => {
            let limits = &cx.settings.limits;
            let mut all = Set::collector(&sets, limits);
            let mut members = sets.iter().flatten().flat_map(|set| set.iter());
            let mut count = 0;
            while count < limit
                && let Some(member) = members.next()
            {
                count += usize::from(all.add(member, limits));
            }
            count
        }
    };
    reply.count(count.min(limit));
    Ok(Effect::None)
}

/// About how many distinct members the sets have: in the memory of one HyperLogLog.
fn estimated(sets: &Sources<'_>) -> usize {
    let mut bytes = hll::empty();
    let mut digits = Digits::default();
    let mut add = |text: &[u8]| hll::add(&mut bytes, text, 0).is_ok();
    let sound = sets
        .iter()
        .flatten()
        .flat_map(|set| set.iter())
        .all(|member| add(member.text(&mut digits)));
    debug_assert!(sound, "one of our own making adds up");
    Hll::parse(&bytes).and_then(Hll::count).map_or(0, |count| count as usize)
}

fn sdiffcard(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let Counted { limit, .. } = counted(args, false)?;
    let sets = cx.db.read_all::<Set>(args.keys())?;
    let limits = &cx.settings.limits;
    let left = set::difference(&sets, Set::collector(&sets, limits), limits);
    reply.count(left.view().len().min(limit));
    Ok(Effect::None)
}
