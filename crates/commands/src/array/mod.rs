//! The array family. How an array is kept is `types::array`. Here: arguments, answers, and what the
//! journal is told, which is each command as it was sent.
//!
//! What reads many elements works on a clone of the array, a slice at a time ([`Slices`]): at once if
//! they are few, else outside the lock.
//!
//! Facts about the commands: the documentation of Redis 8.8, its table of commands, and what the
//! source and tests of that version show.

mod grep;
mod info;
mod op;
mod range;
mod read;
mod regex;
#[cfg(test)]
mod tests;
mod write;

use command::{Args, Command, CommandError, Cx, Effect, Job, JobStep, KeyFlags, KeySpec, Outcome};
use keyspace::Keyspace;
use resp::Reply;
use types::array::{ArrayView, INDEX_MAX};
use types::listpack::Element;

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    read::ARCOUNT,
    write::ARDEL,
    write::ARDELRANGE,
    read::ARGET,
    range::ARGETRANGE,
    grep::ARGREP,
    info::ARINFO,
    write::ARINSERT,
    range::ARLASTITEMS,
    read::ARLEN,
    read::ARMGET,
    write::ARMSET,
    read::ARNEXT,
    op::AROP,
    write::ARRING,
    range::ARSCAN,
    write::ARSEEK,
    write::ARSET,
];

const READ: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))];
const UPDATE: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))];
const DELETE: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::DELETE))];

/// Elements that are looked at at once, under the lock, and in one step outside it.
const SLICE: usize = 1000;

/// Positions that one answer may have, if most of them are holes.
const POSITIONS_MAX: u64 = 1_000_000;

/// A word as an index.
fn index_of(word: &[u8]) -> Result<u64, CommandError> {
    let index = stdx::num::parse_u64(word).filter(|index| *index <= INDEX_MAX);
    index.ok_or(CommandError::ArrayIndex)
}

/// The next word as an index.
fn index(args: &mut Args<'_>) -> Result<u64, CommandError> {
    index_of(args.bytes()?)
}

/// An answer that is written in slices.
trait Slices {
    /// Writes on; it is done with about a thousand elements.
    fn slice(&mut self, reply: &mut Reply) -> JobStep;
}

struct Later<T>(T);

impl<T: Slices> Job for Later<T> {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        self.0.slice(reply)
    }
}

/// Answers at once, if that takes so few elements that others may wait for it, else outside the lock.
fn answer<T: Slices + 'static>(
    cx: &mut Cx<'_>,
    reply: &mut Reply,
    mut slices: T,
    elements: usize,
) -> Outcome {
    if elements > SLICE {
        *cx.later = Some(Box::new(Later(slices)));
    } else {
        while slices.slice(reply) == JobStep::More {}
    }
    Ok(Effect::None)
}

/// A walk over the elements between two indexes, both included, from the first to the second.
#[derive(Clone, Debug)]
struct Walk {
    low: u64,
    high: u64,
    reverse: bool,
    done: bool,
}

impl Walk {
    fn new(start: u64, end: u64) -> Self {
        Self { low: start.min(end), high: start.max(end), reverse: start > end, done: false }
    }

    /// Number of elements to come.
    fn count(&self, view: ArrayView<'_>) -> usize {
        view.count(self.low, self.high)
    }

    /// Visits the next elements, up to a slice of them and until `visit` says that it has enough.
    fn slice(
        &mut self,
        view: ArrayView<'_>,
        mut visit: impl FnMut(u64, Element<'_>) -> bool,
    ) -> JobStep {
        let mut elements = view.range(self.low, self.high);
        for _ in 0..SLICE {
            let next = if self.reverse { elements.next_back() } else { elements.next() };
            let Some((index, element)) = next.filter(|_| !self.done) else {
                return JobStep::Done;
            };
            let goes_on = visit(index, element);
            let rest = if self.reverse { index.checked_sub(1) } else { index.checked_add(1) };
            match rest.filter(|rest| goes_on && (self.low..=self.high).contains(rest)) {
                Some(high) if self.reverse => self.high = high,
                Some(low) => self.low = low,
                None => self.done = true,
            }
        }
        if self.done { JobStep::Done } else { JobStep::More }
    }
}
