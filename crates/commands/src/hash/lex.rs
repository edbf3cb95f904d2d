//! HRANGEBYLEX, as Kvrocks has it: fields in the order of their names. No order is kept, so all are
//! looked at; those of a large hash from a clone, outside the lock.

use super::READ;
use command::grammar::{block, integer, key, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, Outcome};
use keyspace::Keyspace;
use resp::Reply;
use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use types::Collection as _;
use types::hash::Hash;
use types::listpack::Digits;

pub(super) const HRANGEBYLEX: Command = Command::data("HRANGEBYLEX", hrangebylex)
    .group(Group::Hash)
    .since("8.12.0")
    .arity(-4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        string("min").samples(&["-", "[a", "(k"]),
        string("max").samples(&["+", "[z", "(k"]),
        word("rev", "REV").optional(),
        block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
    ])
    .summary("Answers the fields of a hash in a range of names, in their order.")
    .complexity("O(N*log(M)), N fields, M of them in the range");

/// Fields that are looked at, or answered, in one step.
const SLICE: usize = 1000;

/// The bounds of a range of names.
type Names = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// A range under way: fields are gathered, then answered.
struct Range {
    hash: Hash,
    /// What expires at or before this has expired.
    horizon_ms: i64,
    names: Names,
    backwards: bool,
    /// Fields of the range that are passed over.
    offset: usize,
    /// Fields that are answered at most.
    count: usize,
    cursor: u64,
    /// All have been looked at, and the answer has begun.
    answers: bool,
    /// The first `offset + count` of the range so far, with their values.
    found: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Range {
    /// Looks at some fields. `false`: those were the last.
    fn gather(&mut self) -> bool {
        let (min, max) = &self.names;
        let names = (min.as_ref().map(Vec::as_slice), max.as_ref().map(Vec::as_slice));
        let wanted = self.offset.saturating_add(self.count);
        let (found, backwards) = (&mut self.found, self.backwards);
        let (mut name, mut value) = <(Digits, Digits)>::default();
        let live = self.hash.view().at(self.horizon_ms);
        self.cursor = live.scan(self.cursor, SLICE, |field| {
            let text = field.name.text(&mut name);
            if RangeBounds::<[u8]>::contains(&names, text) {
                found.insert(text.to_vec(), field.value.text(&mut value).to_vec());
                if found.len() > wanted {
                    if backwards {
                        found.pop_first()
                    } else {
                        found.pop_last()
                    };
                }
            }
        });
        self.cursor != 0
    }

    fn next(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        if self.backwards { self.found.pop_last() } else { self.found.pop_first() }
    }

    fn begin(&mut self, reply: &mut Reply) {
        for _ in 0..self.offset.min(self.found.len()) {
            self.next();
        }
        reply.array(self.found.len() * 2);
        self.answers = true;
    }
}

impl Job for Range {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        if !self.answers {
            if !self.gather() {
                self.begin(reply);
            }
            return if self.answers && self.found.is_empty() {
                JobStep::Done
            } else {
                JobStep::More
            };
        }
        for _ in 0..SLICE {
            let Some((name, value)) = self.next() else { break };
            reply.bulk(&name);
            reply.bulk(&value);
        }
        if self.found.is_empty() { JobStep::Done } else { JobStep::More }
    }
}

/// The bounds of a range; `min` before `max`, whatever the direction.
fn bounds(min: &[u8], max: &[u8]) -> Result<Names, CommandError> {
    if min == b"+" || max == b"-" {
        return Err(CommandError::MinAboveMax);
    }
    let bound = |text: &[u8], infinite: &[u8], error| match text {
        text if text == infinite => Ok(Bound::Unbounded),
        [b'[', name @ ..] => Ok(Bound::Included(name.to_vec())),
        [b'(', name @ ..] => Ok(Bound::Excluded(name.to_vec())),
        _ => Err(error),
    };
    let min = bound(min, b"-", CommandError::LexMinIllegal)?;
    Ok((min, bound(max, b"+", CommandError::LexMaxIllegal)?))
}

fn hrangebylex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (first, second) = (args.bytes()?, args.bytes()?);
    let (mut backwards, mut limit) = (false, (0, -1));
    while args.left() > 0 {
        if args.token("REV") {
            backwards = true;
        } else if args.token("LIMIT") {
            if args.left() < 2 {
                return Err(CommandError::NothingToParse);
            }
            limit = (args.integer()?, args.integer()?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let names = if backwards { bounds(second, first)? } else { bounds(first, second)? };
    let horizon_ms = cx.db.horizon_ms();
    let hash = cx.db.read::<Hash>(&key)?.filter(|_| limit.1 != 0);
    let Some(hash) = hash else {
        reply.array(0);
        return Ok(Effect::None);
    };
    let is_long = types::View::len(hash) > SLICE;
    let mut range = Range {
        hash: hash.to_hash(),
        horizon_ms,
        names,
        backwards,
        // As with Kvrocks, a negative offset is none and a negative count is no limit.
        offset: usize::try_from(limit.0).unwrap_or(0),
        count: usize::try_from(limit.1).unwrap_or(usize::MAX),
        cursor: 0,
        answers: false,
        found: BTreeMap::new(),
    };
    if is_long {
        *cx.later = Some(Box::new(range));
    } else {
        while range.step(cx.space, cx.now_ms, reply) == JobStep::More {}
    }
    Ok(Effect::None)
}
