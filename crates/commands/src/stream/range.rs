//! Reading a stream by ID: XRANGE, XREVRANGE, XLEN.

use super::{IDS, READ, parse_end, parse_start, reply_entry};
use command::grammar::{Argument, integer, key, string};
use command::{Args, Command, Cx, Effect, Flags, Group, Job, JobStep, KeyFlags, KeySpec, Outcome};
use keyspace::Keyspace;
use resp::Reply;
use std::ops::RangeInclusive;
use types::View as _;
use types::stream::{IdText, Log, Stream, StreamId};

pub(super) const XLEN: Command = Command::data("XLEN", xlen)
    .group(Group::Stream)
    .since("5.0.0")
    .arity(2)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RO)])
    .args(&[key("key")])
    .summary("Answers the number of entries of a stream.")
    .complexity("O(1)");

pub(super) const XRANGE: Command = row("XRANGE", xrange)
    .args(&[key("key"), START, END, COUNT])
    .summary("Answers the entries of a stream between two IDs, in order.");

pub(super) const XREVRANGE: Command = row("XREVRANGE", xrevrange)
    .args(&[key("key"), END, START, COUNT])
    .summary("Answers the entries of a stream between two IDs, from the end.");

const START: Argument = string("start").samples(IDS);
const END: Argument = string("end").samples(IDS);
const COUNT: Argument = integer("count").token("COUNT").optional();

const fn row(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::Stream)
        .since("5.0.0")
        .arity(-4)
        .flags(Flags::READONLY)
        .keys(READ)
        .complexity("O(log S + N), S the length of the stream, N the number of entries answered")
        .history(&[("6.2.0", "Intervals that exclude their ends.")])
}

fn xlen(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    reply.count(cx.db.read::<Stream>(&key)?.map_or(0, |stream| stream.len()));
    Ok(Effect::None)
}

fn xrange(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (start, end) = (args.bytes()?, args.bytes()?);
    let ids = parse_start(start)?..=parse_end(end)?;
    answer(cx, args, reply, key, ids, false)
}

fn xrevrange(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (end, start) = (args.bytes()?, args.bytes()?);
    let ids = parse_start(start)?..=parse_end(end)?;
    answer(cx, args, reply, key, ids, true)
}

fn answer(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    key: keyspace::KeyRef<'_>,
    ids: RangeInclusive<StreamId>,
    reverse: bool,
) -> Outcome {
    let mut count = None;
    while args.left() > 0 {
        if !(args.token("COUNT") && args.left() > 0) {
            return Err(command::CommandError::Syntax);
        }
        count = Some(usize::try_from(args.integer()?).unwrap_or(0));
    }
    let Some(stream) = cx.db.read::<Stream>(&key)? else {
        reply.array(0);
        return Ok(Effect::None);
    };
    if count == Some(0) {
        reply.null_array();
        return Ok(Effect::None);
    }
    let log = stream.log();
    let len = log.len_between(&ids).min(count.unwrap_or(usize::MAX));
    reply.array(len);
    let mut range = Range { log: log.clone(), ids, reverse, left: len };
    if !range.write(reply, SLICE) {
        *cx.later = Some(Box::new(range));
    }
    Ok(Effect::None)
}

/// So many entries are written at once; the rest of a reply from a clone, outside the lock.
const SLICE: usize = 1000;

/// A reply under way.
struct Range {
    log: Log,
    ids: RangeInclusive<StreamId>,
    reverse: bool,
    /// Entries yet to be written.
    left: usize,
}

impl Range {
    /// Writes up to `count` entries; says whether that was all.
    fn write(&mut self, reply: &mut Reply, count: usize) -> bool {
        let ids = self.ids.clone();
        let entries = if self.reverse { self.log.range_reverse(ids) } else { self.log.range(ids) };
        let mut room = IdText::default();
        let mut last = None;
        for entry in entries.take(count.min(self.left)) {
            reply_entry(reply, &entry, &mut room);
            self.left -= 1;
            last = Some(entry.id);
        }
        let (start, end) = (*self.ids.start(), *self.ids.end());
        let rest = if self.reverse {
            last.and_then(StreamId::prev).map(|end| start..=end)
        } else {
            last.and_then(StreamId::next).map(|start| start..=end)
        };
        match rest {
            Some(ids) if self.left > 0 => self.ids = ids,
            _ => return true,
        }
        false
    }
}

impl Job for Range {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        if self.write(reply, SLICE) { JobStep::Done } else { JobStep::More }
    }
}
