//! AROP: sums, extremes, bits and counts over a range.
//!
//! Numbers are added and compared as the C type `long double`, as Redis does, and printed with 17
//! digits. A text is a number to AROP if Redis would read it as one: floats that Redis keeps as
//! doubles count as those, others as their text says.

use super::{READ, Slices, Walk, answer, index};
use command::grammar::{block, integer, key, one_of, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, JobStep, Outcome};
use resp::Reply;
use stdx::extended::Extended;
use stdx::num;
use types::Collection as _;
use types::array::Array;
use types::listpack::{Digits, Element};

pub(super) const AROP: Command = Command::data("AROP", arop)
    .group(Group::Array)
    .since("8.8.0")
    .arity(-5)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        integer("start"),
        integer("end"),
        one_of(
            "operation",
            &[
                word("sum", "SUM"),
                word("min", "MIN"),
                word("max", "MAX"),
                word("and", "AND"),
                word("or", "OR"),
                word("xor", "XOR"),
                block("match", &[word("match", "MATCH"), string("value")]),
                word("used", "USED"),
            ],
        ),
    ])
    .summary("Answers a sum, an extreme, or a count over a range of an array.")
    .complexity("O(log N + M), N the number of elements, M of them in the range");

/// What an operation has come to.
enum Total {
    /// `Err`: it is no number any more.
    Sum(Option<Result<Extended, ()>>),
    Min(Option<Extended>),
    Max(Option<Extended>),
    Bits(fn(i64, i64) -> i64, Option<i64>),
    Match(Vec<u8>, usize),
    Used(usize),
}

impl Total {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let total = match () {
            () if args.token("SUM") => Self::Sum(None),
            () if args.token("MIN") => Self::Min(None),
            () if args.token("MAX") => Self::Max(None),
            () if args.token("AND") => Self::Bits(|one, other| one & other, None),
            () if args.token("OR") => Self::Bits(|one, other| one | other, None),
            () if args.token("XOR") => Self::Bits(|one, other| one ^ other, None),
            () if args.token("USED") => Self::Used(0),
            () if args.token("MATCH") => match args.rest() {
                [value] => Self::Match(value.to_vec(), 0),
                _ => return Err(CommandError::ArrayMatch),
            },
            () => return Err(CommandError::ArrayOperation),
        };
        if args.left() > 0 { Err(CommandError::arity("arop")) } else { Ok(total) }
    }

    fn add(&mut self, element: Element<'_>) {
        match self {
            Self::Used(count) => *count += 1,
            Self::Match(text, count) => *count += usize::from(element.eq_bytes(text)),
            Self::Sum(sum) => {
                if let Some(number) = number(element) {
                    let own = sum.unwrap_or(Ok(Extended::ZERO));
                    *sum = Some(own.and_then(|own| own.sum(number).ok_or(())));
                }
            }
            Self::Min(least) => {
                let number = number(element);
                if let Some(number) = number.filter(|number| least.is_none_or(|own| *number < own))
                {
                    *least = Some(number);
                }
            }
            Self::Max(most) => {
                let number = number(element);
                if let Some(number) = number.filter(|number| most.is_none_or(|own| *number > own)) {
                    *most = Some(number);
                }
            }
            Self::Bits(operation, bits) => {
                if let Some(number) = number(element).and_then(Extended::truncated) {
                    *bits = Some(bits.map_or(number, |own| operation(own, number)));
                }
            }
        }
    }

    fn reply(&self, reply: &mut Reply) {
        let mut text = Vec::new();
        match self {
            Self::Used(count) | Self::Match(_, count) => return reply.count(*count),
            Self::Bits(_, Some(bits)) => return reply.integer(*bits),
            Self::Sum(Some(Err(()))) => text.extend_from_slice(b"nan"),
            Self::Sum(Some(Ok(number))) | Self::Min(Some(number)) | Self::Max(Some(number)) => {
                number.write_general(&mut text);
            }
            Self::Bits(_, None) | Self::Sum(None) | Self::Min(None) | Self::Max(None) => {
                return reply.null();
            }
        }
        reply.bulk(&text);
    }
}

/// The number that an element is.
fn number(element: Element<'_>) -> Option<Extended> {
    let mut digits = Digits::default();
    let text = element.text(&mut digits);
    if let Some(number) = num::parse_i64(text) {
        return Some(Extended::from_i64(number));
    }
    match num::parse_f64(text) {
        Some(double) if is_kept(double, text) => Extended::from_f64(double),
        _ => Extended::parse(text),
    }
}

/// Whether Redis keeps the text as this double: it has 62 bits for one, and the text must be the one
/// that it would print.
fn is_kept(double: f64, text: &[u8]) -> bool {
    const MISSING: u64 = 0b11;
    if double.to_bits() & MISSING != 0 {
        return false;
    }
    let mut own = Vec::with_capacity(24);
    num::write_f64(&mut own, double);
    own == text || [&own, &b".0"[..]].concat() == text
}

/// An operation under way.
struct Fold {
    array: Array,
    walk: Walk,
    total: Total,
}

impl Slices for Fold {
    fn slice(&mut self, reply: &mut Reply) -> JobStep {
        let total = &mut self.total;
        let step = self.walk.slice(self.array.view(), |_, element| {
            total.add(element);
            true
        });
        if step == JobStep::Done {
            self.total.reply(reply);
        }
        step
    }
}

fn arop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let walk = Walk::new(index(args)?, index(args)?);
    let total = Total::parse(args)?;
    let Some(array) = cx.db.read::<Array>(&key)? else {
        total.reply(reply);
        return Ok(Effect::None);
    };
    let (array, elements) = (array.to_array(), walk.count(array));
    answer(cx, reply, Fold { array, walk, total }, elements)
}
