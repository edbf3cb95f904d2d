//! SIRANGE, SIRANGEBYVALUE, and both from the greatest id on.

use super::{READ, SAMPLES, id, id_of};
use command::grammar::{block, integer, key, string};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, Handler, Job, JobStep, Outcome,
};
use keyspace::{KeyRef, Keyspace};
use resp::Reply;
use std::ops::Range;
use types::sortedint::{SortedInt, SortedIntView};
use types::{Collection as _, View as _};

const fn range(name: &'static str, handler: Handler) -> Command {
    Command::data(name, handler)
        .group(Group::SortedInt)
        .since("8.12.0")
        .arity(-4)
        .flags(Flags::READONLY)
        .keys(READ)
        .complexity("O(log(N)+M), N ids in the set, M of them answered")
}

pub(super) const SIRANGE: Command =
    range("SIRANGE", |cx, args, reply| by_place(cx, args, reply, false))
        .args(&[
            key("key"),
            string("offset").samples(&["0", "1", "2"]),
            string("limit").samples(&["0", "1", "20"]),
            string("id").token("CURSOR").samples(SAMPLES).optional(),
        ])
        .summary("Answers ids of a sorted set of integers, from the least on.");

pub(super) const SIREVRANGE: Command =
    range("SIREVRANGE", |cx, args, reply| by_place(cx, args, reply, true))
        .args(SIRANGE.args)
        .summary("Answers ids of a sorted set of integers, from the greatest on.");

pub(super) const SIRANGEBYVALUE: Command =
    range("SIRANGEBYVALUE", |cx, args, reply| by_value(cx, args, reply, false))
        .args(&[
            key("key"),
            string("min").samples(&["-inf", "0", "(1", "5"]),
            string("max").samples(&["+inf", "3", "(100", "65536"]),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ])
        .summary("Answers ids between two values, from the least on.");

pub(super) const SIREVRANGEBYVALUE: Command =
    range("SIREVRANGEBYVALUE", |cx, args, reply| by_value(cx, args, reply, true))
        .args(&[
            key("key"),
            string("max").samples(&["+inf", "3", "(100", "65536"]),
            string("min").samples(&["-inf", "0", "(1", "5"]),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ])
        .summary("Answers ids between two values, from the greatest on.");

/// Which of the ranks of a range are answered.
struct Limit {
    /// Ids passed over.
    offset: usize,
    /// Ids answered at most.
    count: usize,
    backwards: bool,
}

impl Limit {
    fn of(&self, ranks: Range<usize>) -> Range<usize> {
        let len = ranks.len().saturating_sub(self.offset).min(self.count);
        let start = if self.backwards {
            ranks.start + ranks.len().saturating_sub(self.offset.saturating_add(len))
        } else {
            ranks.start + self.offset.min(ranks.len())
        };
        start..start + len
    }
}

fn by_place(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply, backwards: bool) -> Outcome {
    let key = args.key()?;
    let (offset, count) = (id(args)?, id(args)?);
    let mut cursor = None;
    if args.left() > 0 {
        if !args.token("CURSOR") {
            return Err(CommandError::Syntax);
        }
        cursor = Some(id(args)?);
        args.end()?;
    }
    let limit = Limit {
        offset: usize::try_from(offset).unwrap_or(usize::MAX),
        count: if count == 0 { usize::MAX } else { usize::try_from(count).unwrap_or(usize::MAX) },
        backwards,
    };
    let ranks = |set: SortedIntView<'_>| match cursor {
        None => 0..set.len(),
        // As with Kvrocks, 0 is the end to begin from in either direction, and no answer.
        Some(0) => usize::from(set.contains(0))..set.len(),
        Some(id) if backwards => 0..set.len_below(id),
        Some(id) => set.len_below(id) + usize::from(set.contains(id))..set.len(),
    };
    answer(cx, &key, &limit, ranks, reply)
}

/// The first value that is in, and the last: none if there is nothing between them.
fn between(min: &[u8], max: &[u8]) -> Result<Option<(u64, u64)>, CommandError> {
    if min == b"+inf" || max == b"-inf" {
        return Err(CommandError::MinAboveMax);
    }
    let bound = |text: &[u8]| match text.strip_prefix(b"(") {
        Some(text) => id_of(text).map(|id| (id, 1)),
        None => id_of(text).map(|id| (id, 0)),
    };
    let (min, min_out) = match min {
        b"-inf" => (0, 0),
        min => bound(min).map_err(|_| CommandError::SortedIntMin)?,
    };
    let (max, max_out) = match max {
        b"+inf" => (u64::MAX, 0),
        max => bound(max).map_err(|_| CommandError::SortedIntMax)?,
    };
    let ends = min.checked_add(min_out).zip(max.checked_sub(max_out));
    Ok(ends.filter(|(first, last)| first <= last))
}

fn by_value(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply, backwards: bool) -> Outcome {
    let key = args.key()?;
    let (first, second) = (args.bytes()?, args.bytes()?);
    let (min, max) = if backwards { (second, first) } else { (first, second) };
    let ends = between(min, max)?;
    let mut limit = Limit { offset: 0, count: usize::MAX, backwards };
    if args.left() > 0 {
        if !args.token("LIMIT") {
            return Err(CommandError::Syntax);
        }
        // As with Kvrocks, a negative offset is none, and a count of 0 or less no limit.
        limit.offset = usize::try_from(args.integer()?).unwrap_or(0);
        let count = usize::try_from(args.integer()?).ok().filter(|count| *count > 0);
        limit.count = count.unwrap_or(usize::MAX);
        args.end()?;
    }
    let ranks = |set: SortedIntView<'_>| {
        ends.map_or(0..0, |(first, last)| {
            set.len_below(first)..set.len_below(last) + usize::from(set.contains(last))
        })
    };
    answer(cx, &key, &limit, ranks, reply)
}

/// Ids answered in one step.
const SLICE: usize = 1000;

fn answer(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    limit: &Limit,
    ranks: impl FnOnce(SortedIntView<'_>) -> Range<usize>,
    reply: &mut Reply,
) -> Outcome {
    let Some(set) = cx.db.read::<SortedInt>(key)? else {
        reply.array(0);
        return Ok(Effect::None);
    };
    let ranks = limit.of(ranks(set));
    reply.array(ranks.len());
    if ranks.len() > SLICE {
        let job = RangeJob { set: set.to_owned(), ranks, backwards: limit.backwards };
        *cx.later = Some(Box::new(job));
    } else {
        set.visit(ranks, limit.backwards, |id| reply.bulk(id.to_string().as_bytes()));
    }
    Ok(Effect::None)
}

/// An answer of many ids under way.
struct RangeJob {
    set: SortedInt,
    /// What is still to be answered.
    ranks: Range<usize>,
    backwards: bool,
}

impl Job for RangeJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        let len = self.ranks.len().min(SLICE);
        let some = if self.backwards {
            self.ranks.end -= len;
            self.ranks.end..self.ranks.end + len
        } else {
            self.ranks.start += len;
            self.ranks.start - len..self.ranks.start
        };
        self.set.view().visit(some, self.backwards, |id| reply.bulk(id.to_string().as_bytes()));
        if self.ranks.is_empty() { JobStep::Done } else { JobStep::More }
    }
}
