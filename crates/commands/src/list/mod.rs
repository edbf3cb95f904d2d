//! The list family. How a list is kept and when it changes its shape is `types::list`. Here:
//! arguments, answers, and what the journal is told.
//!
//! What many commands share has one place: [`pop::take`] takes elements off an end and answers them,
//! [`pop::take_first`] does so for the first of several keys, [`moving::shift`] moves one element,
//! [`moving::shift_many`] several.
//! They do not wait for anything; the commands that do ([`blocking`]) call them.
//!
//! A range of many elements is answered from a clone of the list, outside the lock.

mod blocking;
mod moving;
mod pop;
mod push;
mod read;
mod remove;

use crate::element::{reply_element, reply_raw};
use command::{Args, Command, CommandError, Cx, Job, JobStep, KeyFlags, KeySpec};
use keyspace::{Event, Keyspace};
use resp::Reply;
use std::ops::Range;
use types::Collection as _;
use types::list::{End, List, ListView};
use types::listpack::Element;

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    blocking::BLMOVE,
    blocking::BLMOVEM,
    blocking::BLMPOP,
    blocking::BLPOP,
    blocking::BRPOP,
    blocking::BRPOPLPUSH,
    read::LINDEX,
    push::LINSERT,
    read::LLEN,
    moving::LMOVE,
    moving::LMOVEM,
    pop::LMPOP,
    pop::LPOP,
    read::LPOS,
    push::LPUSH,
    push::LPUSHX,
    read::LRANGE,
    remove::LREM,
    push::LSET,
    remove::LTRIM,
    pop::RPOP,
    moving::RPOPLPUSH,
    push::RPUSH,
    push::RPUSHX,
];

const READ: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))];
const INSERT: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::INSERT))];
const DELETE: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::DELETE))];

/// Elements that are answered at once, under the lock, and in one step outside it.
const SLICE: usize = 1000;

/// The event of elements put in at `end`.
fn pushed(end: End) -> Event {
    match end {
        End::Front => Event::list("lpush"),
        End::Back => Event::list("rpush"),
    }
}

/// The event of elements taken off `end`.
fn popped(end: End) -> Event {
    match end {
        End::Front => Event::list("lpop"),
        End::Back => Event::list("rpop"),
    }
}

/// The next word as LEFT or RIGHT.
fn end_of(args: &mut Args<'_>) -> Result<End, CommandError> {
    let word = args.bytes()?;
    match () {
        () if word.eq_ignore_ascii_case(b"LEFT") => Ok(End::Front),
        () if word.eq_ignore_ascii_case(b"RIGHT") => Ok(End::Back),
        () => Err(CommandError::Syntax),
    }
}

/// The index that `index` means in a list of `len`: negative ones count from the end. May be
/// beyond either end.
fn resolve(index: i64, len: usize) -> i64 {
    // `len` elements are in memory, so it fits; adding to a negative one cannot overflow.
    if index < 0 { index.saturating_add(len as i64) } else { index }
}

/// The elements that `start` to `stop` (inclusive, negative from the end) mean in a list of `len`.
fn range_of(start: i64, stop: i64, len: usize) -> Range<usize> {
    let start = usize::try_from(resolve(start, len)).unwrap_or(0);
    let end = usize::try_from(resolve(stop, len).saturating_add(1)).unwrap_or(0).min(len);
    if start < end { start..end } else { 0..0 }
}

/// Answers the elements at `range` as an array, from `end` on: at once if they are few, else they
/// follow outside the lock.
fn reply_range(
    later: &mut Option<Box<dyn Job>>,
    reply: &mut Reply,
    view: ListView<'_>,
    range: Range<usize>,
    end: End,
) {
    reply.array(range.len());
    if range.len() > SLICE {
        *later = Some(Box::new(RangeJob { list: view.to_list(), range, end }));
        return;
    }
    write_elements(reply, view, range, end);
}

fn write_elements(reply: &mut Reply, view: ListView<'_>, range: Range<usize>, end: End) {
    match end {
        End::Front => view.visit(range, |element| reply_raw(reply, element)),
        End::Back => {
            view.range(range).rev().for_each(|element| reply_element(reply, element));
        }
    }
}

/// A long answer under way.
struct RangeJob {
    list: List,
    /// What has not been answered yet.
    range: Range<usize>,
    end: End,
}

impl Job for RangeJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        let count = self.range.len().min(SLICE);
        let slice = match self.end {
            End::Front => self.range.start..self.range.start + count,
            End::Back => self.range.end - count..self.range.end,
        };
        match self.end {
            End::Front => self.range.start = slice.end,
            End::Back => self.range.end = slice.start,
        }
        write_elements(reply, self.list.view(), slice, self.end);
        if self.range.is_empty() { JobStep::Done } else { JobStep::More }
    }
}

/// The one element at `end`.
fn element_at(view: ListView<'_>, end: End) -> Option<Element<'_>> {
    match end {
        End::Front => view.first(),
        End::Back => view.last(),
    }
}

/// Reads a word as a number from `least` on; anything else is `error`.
fn at_least(args: &mut Args<'_>, least: i64, error: CommandError) -> Result<usize, CommandError> {
    match stdx::num::parse_i64(args.bytes()?) {
        Some(value) if value >= least => Ok(usize::try_from(value).unwrap_or(usize::MAX)),
        _ => Err(error),
    }
}

/// Reads a word as a number whose negative is one, too.
fn negatable(args: &mut Args<'_>) -> Result<i64, CommandError> {
    match args.integer()? {
        i64::MIN => Err(CommandError::NotNegatable),
        value => Ok(value),
    }
}

/// The thresholds for one command.
fn limits<'c>(cx: &Cx<'c>) -> &'c types::Limits {
    &cx.settings.limits
}
