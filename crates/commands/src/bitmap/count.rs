//! Counting and finding bits. Long strings are searched outside the lock, slice by slice.

use command::grammar::{Argument, block, integer, key, one_of, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, KeyFlags, KeySpec, Outcome,
};
use keyspace::{Keyspace, Str};
use resp::Reply;
use std::sync::Arc;
use types::bits::{self, BitRange, Unit};

const UNIT: Argument = one_of("unit", &[word("byte", "BYTE"), word("bit", "BIT")]);
const END: Argument =
    block("end-unit-block", &[integer("end"), UNIT.optional().since("7.0.0")]).optional();
const RANGE: Argument = block("range", &[integer("start"), END]).optional();

pub(super) const BITCOUNT: Command = Command::data("BITCOUNT", bitcount)
    .group(Group::Bitmap)
    .since("2.6.0")
    .arity(-2)
    .flags(Flags::READONLY)
    .keys(&[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[key("key"), RANGE])
    .summary("Counts the bits of a string that are set.")
    .complexity("O(N), N the bytes looked at")
    .history(&[
        ("7.0.0", "Added the `BYTE|BIT` option."),
        ("8.0.0", "`end` is optional: without it, up to the last byte."),
    ]);

pub(super) const BITPOS: Command = Command::data("BITPOS", bitpos)
    .group(Group::Bitmap)
    .since("2.8.7")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(&[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[key("key"), integer("bit").samples(&["0", "1"]), RANGE])
    .summary("Finds the first bit of a string that is set, or that is clear.")
    .complexity("O(N), N the bytes looked at")
    .history(&[("7.0.0", "Added the `BYTE|BIT` option.")]);

/// From this many bytes on a string is searched outside the lock.
const LONG: usize = 256 << 10;
/// Bits searched before other clients of the worker have their turn.
const SLICE: u64 = 8 << 20;

/// What is asked of a range of bits.
#[derive(Clone, Copy, Debug)]
enum Search {
    /// How many are set; so many were so far.
    Count(u64),
    /// Where the first is that is `on`; the answer if there is none.
    Position { on: bool, otherwise: i64 },
}

impl Search {
    /// Searches one part; the answer, if no other part is needed.
    fn part(&mut self, bytes: &[u8], range: BitRange) -> Option<i64> {
        match self {
            Self::Count(sum) => {
                *sum += bits::count_in(bytes, range);
                None
            }
            Self::Position { on, .. } => {
                bits::position_in(bytes, range, *on).map(|position| position as i64)
            }
        }
    }

    /// The answer after the last part.
    fn end(self) -> i64 {
        match self {
            Self::Count(sum) => sum as i64,
            Self::Position { otherwise, .. } => otherwise,
        }
    }
}

struct SearchJob {
    bytes: Arc<Vec<u8>>,
    left: BitRange,
    search: Search,
}

impl Job for SearchJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        let BitRange { start, end } = self.left;
        let middle = ((start + SLICE) / 8 * 8).min(end);
        let part = BitRange { start, end: middle };
        let answer = self.search.part(&self.bytes, part);
        self.left.start = middle;
        if answer.is_none() && middle < end {
            return JobStep::More;
        }
        reply.integer(answer.unwrap_or_else(|| self.search.end()));
        JobStep::Done
    }
}

/// Answers `search` over `range` of the string: at once, or later if it is long.
fn answer(
    value: &Str<'_>,
    range: Option<BitRange>,
    mut search: Search,
    reply: &mut Reply,
) -> Option<Box<dyn Job>> {
    let Some(range) = range else {
        reply.integer(search.end());
        return None;
    };
    if let Str::Long(shared) = value
        && shared.len() >= LONG
    {
        return Some(Box::new(SearchJob { bytes: Arc::clone(shared), left: range, search }));
    }
    let found = search.part(value.text(&mut Vec::new()), range);
    reply.integer(found.unwrap_or_else(|| search.end()));
    None
}

/// Which part of a string is asked for.
struct Part {
    start: i64,
    end: Option<i64>,
    unit: Unit,
}

impl Part {
    /// The words that are left: none for the whole string.
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        if args.left() > 3 {
            return Err(CommandError::Syntax);
        }
        let start = args.optional(Args::integer)?.unwrap_or(0);
        // A bad unit is told before a bad end.
        let end = args.next();
        let unit = if args.left() == 0 || args.token("BYTE") {
            Unit::Byte
        } else if args.token("BIT") {
            Unit::Bit
        } else {
            return Err(CommandError::Syntax);
        };
        let end = end.map(|word| stdx::num::parse_i64(word).ok_or(CommandError::NotAnInteger));
        Ok(Self { start, end: end.transpose()?, unit })
    }

    /// Its bits in a string of `len` bytes.
    fn bits(&self, len: usize) -> Option<BitRange> {
        BitRange::of(len, self.start, self.end, self.unit)
    }
}

fn bitcount(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let part = Part::parse(args)?;
    let Some(value) = cx.db.string(&key)? else {
        reply.integer(0);
        return Ok(Effect::None);
    };
    // Clamping to the string would make both its first byte.
    let reversed = part.end.is_some_and(|end| end < part.start && part.start < 0);
    let range = if reversed { None } else { part.bits(value.len()) };
    *cx.later = answer(&value, range, Search::Count(0), reply);
    Ok(Effect::None)
}

fn bitpos(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let on = match args.integer()? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::BitArgument),
    };
    let part = Part::parse(args)?;
    let Some(value) = cx.db.string(&key)? else {
        reply.integer(if on { -1 } else { 0 });
        return Ok(Effect::None);
    };
    let range = part.bits(value.len());
    // Without an end, zeros follow the string.
    let otherwise = match range {
        Some(range) if !on && part.end.is_none() => range.end as i64,
        _ => -1,
    };
    *cx.later = answer(&value, range, Search::Position { on, otherwise }, reply);
    Ok(Effect::None)
}
