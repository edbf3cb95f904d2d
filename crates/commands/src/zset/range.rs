//! Ranges: by rank, by score, by member, forwards and backwards.

use super::{LONG_REPLY_MIN, READ, open_members, reply_listed};
use command::grammar::{block, double, integer, key, key_of, one_of, string, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, KeyFlags, KeySpec, Outcome,
};
use keyspace::{Event, Keyspace};
use resp::Reply;
use std::ops::Range;
use stdx::num;
use types::View as _;
use types::zset::{LexBound, LexRange, ScoreRange, ZSet, ZSetView};

pub(super) const ZRANGE: Command = Command::data("ZRANGE", zrange)
    .group(Group::SortedSet)
    .since("1.2.0")
    .arity(-4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        string("start"),
        string("stop"),
        one_of("sortby", &[word("byscore", "BYSCORE"), word("bylex", "BYLEX")])
            .optional()
            .since("6.2.0"),
        word("rev", "REV").optional().since("6.2.0"),
        block("limit", &[integer("offset"), integer("count")])
            .token("LIMIT")
            .optional()
            .since("6.2.0"),
        word("withscores", "WITHSCORES").optional(),
    ])
    .summary("Answers the members in a range of ranks, scores or members.")
    .complexity("O(log(N)+M), M members answered, of N")
    .history(&[("6.2.0", "Options REV, BYSCORE, BYLEX and LIMIT.")]);

pub(super) const ZRANGEBYLEX: Command = Command::data("ZRANGEBYLEX", zrangebylex)
    .group(Group::SortedSet)
    .since("2.8.9")
    .arity(-4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        string("min"),
        string("max"),
        block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
    ])
    .summary("Answers the members in a range, where all have one score.")
    .complexity("O(log(N)+M), M members answered, of N")
    .deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument");

pub(super) const ZRANGEBYSCORE: Command = Command::data("ZRANGEBYSCORE", zrangebyscore)
    .group(Group::SortedSet)
    .since("1.0.5")
    .arity(-4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        double("min"),
        double("max"),
        word("withscores", "WITHSCORES").optional().since("2.0.0"),
        block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
    ])
    .summary("Answers the members whose scores are in a range.")
    .complexity("O(log(N)+M), M members answered, of N")
    .history(&[("2.0.0", "Option WITHSCORES.")])
    .deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument");

pub(super) const ZRANGESTORE: Command = Command::data("ZRANGESTORE", zrangestore)
    .group(Group::SortedSet)
    .since("6.2.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[
        KeySpec::at(1, KeyFlags::OW.or(KeyFlags::UPDATE)),
        KeySpec::at(2, KeyFlags::RO.or(KeyFlags::ACCESS)),
    ])
    .args(&[
        key("dst"),
        key_of("src", 1),
        string("min"),
        string("max"),
        one_of("sortby", &[word("byscore", "BYSCORE"), word("bylex", "BYLEX")]).optional(),
        word("rev", "REV").optional(),
        block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
    ])
    .summary("Stores the members in a range of ranks, scores or members.")
    .complexity("O(log(N)+M log(M)), M members stored, of N");

pub(super) const ZREVRANGE: Command = Command::data("ZREVRANGE", zrevrange)
    .group(Group::SortedSet)
    .since("1.2.0")
    .arity(-4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        integer("start"),
        integer("stop"),
        word("withscores", "WITHSCORES").optional(),
    ])
    .summary("Answers the members in a range of ranks, counted from the greatest score.")
    .complexity("O(log(N)+M), M members answered, of N")
    .deprecated("6.2.0", "`ZRANGE` with the `REV` argument");

pub(super) const ZREVRANGEBYLEX: Command = Command::data("ZREVRANGEBYLEX", zrevrangebylex)
    .group(Group::SortedSet)
    .since("2.8.9")
    .arity(-4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        string("max"),
        string("min"),
        block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
    ])
    .summary("Answers the members in a range backwards, where all have one score.")
    .complexity("O(log(N)+M), M members answered, of N")
    .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments");

pub(super) const ZREVRANGEBYSCORE: Command = Command::data("ZREVRANGEBYSCORE", zrevrangebyscore)
    .group(Group::SortedSet)
    .since("2.2.0")
    .arity(-4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        double("max"),
        double("min"),
        word("withscores", "WITHSCORES").optional(),
        block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
    ])
    .summary("Answers the members whose scores are in a range, the greatest first.")
    .complexity("O(log(N)+M), M members answered, of N")
    .history(&[("2.1.6", "Bounds may be left out of the range.")])
    .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments");

/// What a range is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// The members that are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Span<'a> {
    /// First and last, from the end if negative.
    Ranks(i64, i64),
    Scores(ScoreRange),
    Members(LexRange<'a>),
}

impl Span<'_> {
    /// As ranks, counted from the least member; those of [`Span::Ranks`] are counted from the
    /// greatest if `from_greatest`.
    pub(super) fn ranks(&self, set: ZSetView<'_>, from_greatest: bool) -> Range<usize> {
        match self {
            Self::Ranks(first, last) => {
                let ranks = whole_ranks(*first, *last, set.len());
                if from_greatest { set.len() - ranks.end..set.len() - ranks.start } else { ranks }
            }
            Self::Scores(range) => set.ranks_by_score(range),
            Self::Members(range) => set.ranks_by_member(range),
        }
    }
}

/// The ranks from `first` to `last`, both included, of `len`; negative ones count from the end.
fn whole_ranks(first: i64, last: i64, len: usize) -> Range<usize> {
    let len_signed = len as i64;
    let at = |index: i64| if index < 0 { index.saturating_add(len_signed) } else { index };
    let start = at(first).max(0);
    let end = at(last).saturating_add(1).min(len_signed);
    if start >= end { 0..0 } else { start as usize..end as usize }
}

/// Reads a range of scores. An empty bound is 0, as with the peers; `1e400` is infinite.
pub(super) fn score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange, CommandError> {
    let bound = |text: &[u8]| {
        let (open, number) = match text.split_first() {
            Some((b'(', rest)) => (true, rest),
            _ => (false, text),
        };
        // As C reads it: spaces before a number, and an end at the first NUL.
        let number = number.split(|byte| *byte == 0).next().unwrap_or_default().trim_ascii_start();
        let score = if number.is_empty() { Some(0.0) } else { num::parse_f64_saturating(number) };
        score.map(|score| (score, open)).ok_or(CommandError::NotAScoreRange)
    };
    let ((min, min_open), (max, max_open)) = (bound(min)?, bound(max)?);
    Ok(ScoreRange { min, max, min_open, max_open })
}

/// Reads a range of members: `[m`, `(m`, `-` and `+`.
pub(super) fn lex_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, CommandError> {
    let bound = |text: &'a [u8]| match text {
        b"-" => Ok(LexBound::Least),
        b"+" => Ok(LexBound::Greatest),
        [b'[', member @ ..] => Ok(LexBound::At(member)),
        [b'(', member @ ..] => Ok(LexBound::Beyond(member)),
        _ => Err(CommandError::NotALexRange),
    };
    Ok(LexRange { min: bound(min)?, max: bound(max)? })
}

/// What one command of the family asks for.
#[derive(Debug)]
struct Query<'a> {
    span: Span<'a>,
    backwards: bool,
    /// Offset and count within the span; a negative count is no limit.
    limit: Option<(i64, i64)>,
    with_scores: bool,
}

/// What a command's name says already.
#[derive(Clone, Copy, Debug, Default)]
struct Fixed {
    by: Option<By>,
    backwards: Option<bool>,
    stores: bool,
}

impl<'a> Query<'a> {
    fn parse(args: &mut Args<'a>, fixed: Fixed) -> Result<Self, CommandError> {
        let (first, second) = (args.bytes()?, args.bytes()?);
        let (mut by, mut backwards) = (fixed.by, fixed.backwards);
        let (mut limit, mut with_scores) = (None, false);
        while args.left() > 0 {
            if !fixed.stores && args.token("WITHSCORES") {
                with_scores = true;
            } else if args.left() >= 3 && args.token("LIMIT") {
                limit = Some((args.integer()?, args.integer()?));
            } else if backwards.is_none() && args.token("REV") {
                backwards = Some(true);
            } else if by.is_none() && args.token("BYLEX") {
                by = Some(By::Member);
            } else if by.is_none() && args.token("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let by = by.unwrap_or(By::Rank);
        let backwards = backwards.unwrap_or(false);
        if by == By::Rank && limit.is_some_and(|(_, count)| count != -1) {
            return Err(CommandError::LimitOfRanks);
        }
        if by == By::Member && with_scores {
            return Err(CommandError::ScoresOfLexRange);
        }
        let (min, max) = if backwards { (second, first) } else { (first, second) };
        let number = |text| num::parse_i64(text).ok_or(CommandError::NotAnInteger);
        let span = match by {
            By::Rank => Span::Ranks(number(first)?, number(second)?),
            By::Score => Span::Scores(score_range(min, max)?),
            By::Member => Span::Members(lex_range(min, max)?),
        };
        let limit = limit.filter(|_| by != By::Rank);
        Ok(Self { span, backwards, limit, with_scores })
    }

    /// The ranks of the members that are asked for, counted from the least.
    fn ranks(&self, set: ZSetView<'_>) -> Range<usize> {
        let ranks = self.span.ranks(set, self.backwards);
        let Some((offset, count)) = self.limit else { return ranks };
        // A negative offset is beyond all members.
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX).min(ranks.len());
        let left = ranks.len() - skipped;
        let taken = usize::try_from(count).map_or(left, |count| count.min(left));
        if self.backwards {
            let end = ranks.end - skipped;
            end - taken..end
        } else {
            let start = ranks.start + skipped;
            start..start + taken
        }
    }
}

fn zrange(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    range(cx, args, reply, Fixed::default())
}

fn zrevrange(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let fixed = Fixed { by: Some(By::Rank), backwards: Some(true), ..Fixed::default() };
    range(cx, args, reply, fixed)
}

fn zrangebyscore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let fixed = Fixed { by: Some(By::Score), backwards: Some(false), ..Fixed::default() };
    range(cx, args, reply, fixed)
}

fn zrevrangebyscore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let fixed = Fixed { by: Some(By::Score), backwards: Some(true), ..Fixed::default() };
    range(cx, args, reply, fixed)
}

fn zrangebylex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let fixed = Fixed { by: Some(By::Member), backwards: Some(false), ..Fixed::default() };
    range(cx, args, reply, fixed)
}

fn zrevrangebylex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let fixed = Fixed { by: Some(By::Member), backwards: Some(true), ..Fixed::default() };
    range(cx, args, reply, fixed)
}

fn range(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply, fixed: Fixed) -> Outcome {
    let key = args.key()?;
    let query = Query::parse(args, fixed)?;
    let Some(set) = cx.db.read::<ZSet>(&key)? else {
        reply.array(0);
        return Ok(Effect::None);
    };
    let ranks = query.ranks(set);
    open_members(reply, ranks.len(), query.with_scores);
    if ranks.len() > LONG_REPLY_MIN {
        let (set, with_scores) = (set.to_owned(), query.with_scores);
        let backwards = query.backwards;
        *cx.later = Some(Box::new(RangeJob { set, ranks, backwards, with_scores }));
    } else {
        reply_range(reply, set, ranks, &query);
    }
    Ok(Effect::None)
}

fn reply_range(reply: &mut Reply, set: ZSetView<'_>, ranks: Range<usize>, query: &Query<'_>) {
    let members = set.range(ranks);
    let mut list = |(member, score)| reply_listed(reply, member, score, query.with_scores);
    if query.backwards { members.rev().for_each(&mut list) } else { members.for_each(&mut list) }
}

/// The rest of a long reply.
struct RangeJob {
    set: ZSet,
    ranks: Range<usize>,
    backwards: bool,
    with_scores: bool,
}

impl Job for RangeJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        use types::Collection as _;
        let len = self.ranks.len().min(LONG_REPLY_MIN);
        let slice = if self.backwards {
            self.ranks.end -= len;
            self.ranks.end..self.ranks.end + len
        } else {
            self.ranks.start += len;
            self.ranks.start - len..self.ranks.start
        };
        let members = self.set.view().range(slice);
        let mut list = |(member, score)| reply_listed(reply, member, score, self.with_scores);
        if self.backwards {
            members.rev().for_each(&mut list)
        } else {
            members.for_each(&mut list)
        }
        if self.ranks.is_empty() { JobStep::Done } else { JobStep::More }
    }
}

fn zrangestore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const EVENT: Event = Event::zset("zrangestore");
    let (target, source) = (args.key()?, args.key()?);
    let query = Query::parse(args, Fixed { stores: true, ..Fixed::default() })?;
    let limits = cx.settings.limits;
    // The journal is told the command as it was sent, and no clock.
    cx.db.purge_expired_elements(&source);
    let stored = match cx.db.read::<ZSet>(&source)? {
        Some(set) => {
            let members = set.range(query.ranks(set));
            let members = members.map(|(member, score)| (member.to_vec(), score)).collect();
            ZSet::from_distinct(members, &limits)
        }
        None => ZSet::default(),
    };
    reply.count(types::Collection::view(&stored).len());
    cx.db.replace(&target, stored, EVENT);
    Ok(Effect::Same)
}
