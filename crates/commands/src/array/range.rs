//! Reading ranges: with their holes, without them, and what was inserted last.

use super::{POSITIONS_MAX, READ, SLICE, Slices, Walk, answer, index};
use crate::element::reply_element;
use command::grammar::{integer, key, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, JobStep, Outcome};
use resp::Reply;
use types::array::Array;
use types::{Collection as _, View as _};

pub(super) const ARGETRANGE: Command = Command::data("ARGETRANGE", argetrange)
    .group(Group::Array)
    .since("8.8.0")
    .arity(4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key"), integer("start"), integer("end")])
    .summary("Answers what is at each index of a range of an array, holes as null.")
    .complexity("O(N), N the length of the range");

pub(super) const ARSCAN: Command = Command::data("ARSCAN", arscan)
    .group(Group::Array)
    .since("8.8.0")
    .arity(-4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        integer("start"),
        integer("end"),
        integer("limit").token("LIMIT").optional(),
    ])
    .summary("Answers the elements of a range of an array with their indexes.")
    .complexity("O(log N + M), N the number of elements, M of them answered");

pub(super) const ARLASTITEMS: Command = Command::data("ARLASTITEMS", arlastitems)
    .group(Group::Array)
    .since("8.8.0")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key"), integer("count"), word("rev", "REV").optional()])
    .summary("Answers the elements of an array that were inserted last.")
    .complexity("O(N), N the count");

/// The positions between pairs of indexes, both included, from the first to the second of each,
/// holes as null.
struct Positions {
    array: Array,
    runs: [Option<(u64, u64)>; 2],
}

impl Slices for Positions {
    fn slice(&mut self, reply: &mut Reply) -> JobStep {
        let Some(run) = self.runs.iter_mut().find(|run| run.is_some()) else {
            return JobStep::Done;
        };
        let Some((start, end)) = *run else { return JobStep::Done };
        let more = (start.abs_diff(end)).min(SLICE as u64 - 1);
        // Both are between start and end.
        let last = if start <= end { start + more } else { start - more };
        *run = match last {
            _ if last == end => None,
            _ if start <= end => Some((last + 1, end)),
            _ => Some((last - 1, end)),
        };
        let mut elements = self.array.view().range(start.min(last), start.max(last));
        let mut next = || if start <= last { elements.next() } else { elements.next_back() };
        let mut element = next();
        for step in 0..=more {
            let index = if start <= last { start + step } else { start - step };
            match element {
                Some((at, here)) if at == index => {
                    reply_element(reply, here);
                    element = next();
                }
                _ => reply.null(),
            }
        }
        if self.runs.iter().any(Option::is_some) { JobStep::More } else { JobStep::Done }
    }
}

fn argetrange(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (start, end) = (index(args)?, index(args)?);
    let array = cx.db.read::<Array>(&key)?.map(|array| array.to_array()).unwrap_or_default();
    let count = start.abs_diff(end).saturating_add(1);
    if count > POSITIONS_MAX {
        return Err(CommandError::ArrayRange);
    }
    reply.array(count as usize);
    answer(cx, reply, Positions { array, runs: [Some((start, end)), None] }, count as usize)
}

/// Elements with their indexes.
struct Pairs {
    array: Array,
    walk: Walk,
    left: usize,
}

impl Slices for Pairs {
    fn slice(&mut self, reply: &mut Reply) -> JobStep {
        let left = &mut self.left;
        self.walk.slice(self.array.view(), |index, element| {
            reply.array(2);
            reply.count(index as usize);
            reply_element(reply, element);
            *left = left.saturating_sub(1);
            *left > 0
        })
    }
}

/// The next word as the most elements that are to be answered.
pub(super) fn limit(args: &mut Args<'_>) -> Result<usize, CommandError> {
    match args.integer()? {
        limit @ 1.. => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
        _ => Err(CommandError::ArrayLimit),
    }
}

fn arscan(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let walk = Walk::new(index(args)?, index(args)?);
    let most = match args.left() {
        0 => usize::MAX,
        2 if args.token("LIMIT") => limit(args)?,
        2 => return Err(CommandError::Syntax),
        _ => return Err(CommandError::arity("arscan")),
    };
    let Some(array) = cx.db.read::<Array>(&key)? else {
        reply.array(0);
        return Ok(Effect::None);
    };
    let (array, left) = (array.to_array(), walk.count(array).min(most));
    reply.array(left);
    answer(cx, reply, Pairs { array, walk, left }, left)
}

fn arlastitems(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let count = stdx::num::parse_i64(args.bytes()?).ok_or(CommandError::ArrayCount)?;
    let Some(count) = u64::try_from(count).ok().filter(|count| *count > 0) else {
        // Whatever follows, and whatever the key is.
        reply.array(0);
        return Ok(Effect::None);
    };
    let newest_first = match args.left() {
        0 => false,
        1 if args.token("REV") => true,
        1 => return Err(CommandError::Syntax),
        _ => return Err(CommandError::arity("arlastitems")),
    };
    let Some(array) = cx.db.read::<Array>(&key)? else {
        reply.array(0);
        return Ok(Effect::None);
    };
    let span = array.span();
    let count = count.min(span);
    if count > array.len() as u64 && count > POSITIONS_MAX {
        return Err(CommandError::ArrayCountExceeds);
    }
    // Down from the newest to 0, then from the last index on.
    let newest = array.cursor().filter(|cursor| *cursor < span).unwrap_or(span - 1);
    let front = count.min(newest + 1);
    let first = Some((newest, newest + 1 - front));
    let second = (count > front).then(|| (span - 1, span - (count - front)));
    let runs = match newest_first {
        true => [first, second],
        false => [second, first].map(|run| run.map(|(start, end)| (end, start))),
    };
    let array = array.to_array();
    reply.array(count as usize);
    answer(cx, reply, Positions { array, runs }, count as usize)
}
