//! ZRANDMEMBER.

use super::{LONG_REPLY_MIN, READ, open_members, reply_listed};
use crate::element::reply_element;
use command::grammar::{block, integer, key, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, Outcome};
use keyspace::Keyspace;
use resp::Reply;
use stdx::rng::Rng;
use types::listpack::Element;
use types::zset::{ZSet, ZSetView};
use types::{Collection as _, View as _};

pub(super) const ZRANDMEMBER: Command = Command::data("ZRANDMEMBER", zrandmember)
    .group(Group::SortedSet)
    .since("6.2.0")
    .arity(-2)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        block("options", &[integer("count"), word("withscores", "WITHSCORES").optional()])
            .optional(),
    ])
    .summary("Answers members chosen at random.")
    .complexity("O(M log(N)), M members asked for, of N")
    .tips(&["nondeterministic_output"]);

/// Which members are drawn.
enum Draw {
    /// So many different ones.
    Wanted(usize, Rng),
    /// These ranks, each once.
    Distinct(Vec<usize>),
    /// So many times any.
    Repeated(u64, Rng),
}

impl Draw {
    fn next(&mut self, len: usize) -> Option<usize> {
        if let Self::Wanted(count, rng) = self {
            *self = Self::Distinct(distinct(rng, *count, len));
        }
        match self {
            Self::Wanted(..) => None,
            Self::Distinct(ranks) => ranks.pop(),
            Self::Repeated(left, rng) => {
                *left = left.checked_sub(1)?;
                Some(rng.index(len))
            }
        }
    }

    /// Answers up to [`LONG_REPLY_MIN`] members; says whether these were all.
    fn reply(&mut self, set: ZSetView<'_>, with_scores: bool, reply: &mut Reply) -> JobStep {
        for _ in 0..LONG_REPLY_MIN {
            let Some((member, score)) = self.next(set.len()).and_then(|rank| set.nth(rank)) else {
                return JobStep::Done;
            };
            reply_listed(reply, member, score, with_scores);
        }
        JobStep::More
    }
}

/// The rest of a long reply.
struct DrawJob {
    set: ZSet,
    draw: Draw,
    with_scores: bool,
}

impl Job for DrawJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        self.draw.reply(self.set.view(), self.with_scores, reply)
    }
}

/// A member, each equally likely.
fn random<'a>(set: ZSetView<'a>, rng: &mut Rng) -> Option<(Element<'a>, f64)> {
    let len = set.len();
    if len == 0 { None } else { set.nth(rng.index(len)) }
}

/// `count` different ranks below `len`, in any order.
fn distinct(rng: &mut Rng, count: usize, len: usize) -> Vec<usize> {
    if count >= len {
        return (0..len).rev().collect();
    }
    // Robert Floyd's way: each step adds one rank, and takes no memory but for the result.
    let mut chosen = stdx::hash::Set::with_hasher(stdx::hash::Seed::new(rng.u64(), rng.u64()));
    let mut ranks = Vec::with_capacity(count);
    for most in len - count..len {
        let rank = rng.index(most + 1);
        let rank = if chosen.insert(rank) { rank } else { most };
        chosen.insert(rank);
        ranks.push(rank);
    }
    ranks
}

fn zrandmember(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let Some(count) = args.optional(count)? else {
        let set = cx.db.read::<ZSet>(&key)?;
        match set.and_then(|set| random(set, cx.rng)) {
            Some((member, _)) => reply_element(reply, member),
            None => reply.null(),
        }
        return Ok(Effect::None);
    };
    let with_scores = args.token("WITHSCORES");
    args.end()?;
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(CommandError::OutOfRange);
    }
    let Some(set) = cx.db.read::<ZSet>(&key)? else {
        reply.array(0);
        return Ok(Effect::None);
    };
    // Ranks are found fast where nothing is hidden.
    let left = set.hides().then(|| set.to_owned());
    let set = left.as_ref().map_or(set, ZSet::view);
    let mut draw = match usize::try_from(count) {
        Ok(count) => {
            open_members(reply, count.min(set.len()), with_scores);
            Draw::Wanted(count, cx.rng.fork())
        }
        Err(_) => {
            // Nothing can be drawn from what has expired to the last.
            let count = if set.is_empty() { 0 } else { count.unsigned_abs() };
            open_members(reply, count as usize, with_scores);
            Draw::Repeated(count, cx.rng.fork())
        }
    };
    // Drawing many takes its time, too.
    let is_long = matches!(&draw, Draw::Wanted(count, _) if *count > LONG_REPLY_MIN);
    if is_long || draw.reply(set, with_scores, reply) == JobStep::More {
        let set = set.to_owned();
        *cx.later = Some(Box::new(DrawJob { set, draw, with_scores }));
    }
    Ok(Effect::None)
}

/// A number of members: any integer but the least.
fn count(args: &mut Args<'_>) -> Result<i64, CommandError> {
    let count = args.integer()?;
    if count == i64::MIN {
        return Err(CommandError::err(format_args!(
            "value is out of range, value must between {} and {}",
            -i64::MAX,
            i64::MAX
        )));
    }
    Ok(count)
}
