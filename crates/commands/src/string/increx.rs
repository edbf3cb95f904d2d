//! INCREX: a counter with bounds and an expiry of its own, for rate limits and quotas.
//!
//! A sum outside the bounds is refused: the reply is the old value and an increment of 0, and
//! neither value nor expiry change. With SATURATE it is moved to the nearer bound. The journal is
//! told the SET of the result.

use super::counters::{INCRBY_EVENT, INCRBYFLOAT_EVENT, float_of, integer_of};
use super::expiration::{EX, EXAT, PX, PXAT, Unit};
use super::{EXPIRE_EVENT, MODIFY};
use command::grammar::{double, integer, key, one_of, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use keyspace::{Event, ExpiryChange, KeyRef, NewValue};
use resp::Reply;
use stdx::extended::Extended;

pub(super) const INCREX: Command = Command::data("INCREX", increx)
    .group(Group::String)
    .since("8.8.0")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(MODIFY)
    .args(&[
        key("key"),
        one_of("condition", &[word("nx", "NX"), word("xx", "XX")]).optional().since("9.2.0"),
        one_of("increment", &[double("float").token("BYFLOAT"), integer("integer").token("BYINT")])
            .optional(),
        word("saturate", "SATURATE").optional(),
        string("lowerbound").token("LBOUND").optional().samples(&["-5", "0"]),
        string("upperbound").token("UBOUND").optional().samples(&["5", "100"]),
        one_of("expiration", &[EX, PX, EXAT, PXAT, word("persist", "PERSIST")]).optional(),
        word("enx", "ENX").optional(),
    ])
    .summary("Adds to a number within bounds, and sets or removes its expiry.")
    .complexity("O(1)");

/// The options, each of which may be given once. What the words mean is known when all are read.
#[derive(Clone, Copy, Default)]
struct Options<'a> {
    /// The increment, and whether it came with BYFLOAT.
    by: Option<(&'a [u8], bool)>,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturate: bool,
    expire: Option<(Unit, &'a [u8])>,
    persist: bool,
    /// Set the expiry only if there is none.
    enx: bool,
    /// Only if the key is missing (`false`) or present (`true`).
    present: Option<bool>,
}

/// Sets what may be set once.
fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), CommandError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(CommandError::Syntax),
    }
}

/// Raises a flag that may be raised once.
fn raise(flag: &mut bool) -> Result<(), CommandError> {
    if std::mem::replace(flag, true) { Err(CommandError::Syntax) } else { Ok(()) }
}

impl<'a> Options<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        while let Some(word) = args.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if is("BYINT") || is("BYFLOAT") {
                once(&mut options.by, (args.bytes()?, is("BYFLOAT")))?;
            } else if is("LBOUND") {
                once(&mut options.lower, args.bytes()?)?;
            } else if is("UBOUND") {
                once(&mut options.upper, args.bytes()?)?;
            } else if is("SATURATE") {
                raise(&mut options.saturate)?;
            } else if is("PERSIST") {
                raise(&mut options.persist)?;
            } else if is("ENX") {
                raise(&mut options.enx)?;
            } else if is("NX") || is("XX") {
                once(&mut options.present, is("XX"))?;
            } else {
                let unit = Unit::of(word).ok_or(CommandError::Syntax)?;
                once(&mut options.expire, (unit, args.bytes()?))?;
            }
        }
        if options.persist && (options.enx || options.expire.is_some()) {
            return Err(CommandError::Syntax);
        }
        if options.enx && options.expire.is_none() {
            return Err(CommandError::EnxNeedsExpiration);
        }
        Ok(options)
    }

    fn is_float(&self) -> bool {
        matches!(self.by, Some((_, true)))
    }

    /// Whether NX or XX lets the command act on a key that is there or not.
    fn admits(&self, exists: bool) -> bool {
        self.present.is_none_or(|present| present == exists)
    }

    /// What becomes of the expiry of a key that has or lacks one.
    fn expiry(&self, deadline: Option<i64>, has: bool) -> ExpiryChange {
        match deadline {
            Some(at) if !(self.enx && has) => ExpiryChange::At(at),
            None if self.persist => ExpiryChange::Clear,
            _ => ExpiryChange::Keep,
        }
    }
}

/// What an increment comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sum<T> {
    /// Out of bounds: nothing is done.
    Refused,
    /// The new value, and the increment that leads to it.
    Applied { value: T, increment: T },
}

/// Integers within bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integers {
    pub(super) by: i64,
    pub(super) lower: i64,
    pub(super) upper: i64,
}

impl Integers {
    fn parse(options: &Options<'_>) -> Result<Self, CommandError> {
        let read = |text: Option<&[u8]>, missing: i64, name: &str| match text {
            None => Ok(missing),
            Some(text) => stdx::num::parse_i64(text).ok_or_else(|| {
                CommandError::err(format_args!("{name} is not an integer or out of range"))
            }),
        };
        let by = read(options.by.map(|(text, _)| text), 1, "Increment")?;
        let lower = read(options.lower, i64::MIN, "LBOUND")?;
        let upper = read(options.upper, i64::MAX, "UBOUND")?;
        if lower > upper {
            return Err(CommandError::BoundsCrossed);
        }
        Ok(Self { by, lower, upper })
    }

    pub(super) fn add(self, old: i64, saturate: bool) -> Result<Sum<i64>, CommandError> {
        let sum = i128::from(old) + i128::from(self.by);
        let bound = if sum > i128::from(self.upper) {
            self.upper
        } else if sum < i128::from(self.lower) {
            self.lower
        } else {
            // Within the bounds, hence within an i64.
            return Ok(Sum::Applied { value: sum as i64, increment: self.by });
        };
        if !saturate {
            return Ok(Sum::Refused);
        }
        let increment = bound.checked_sub(old).ok_or(CommandError::AppliedOverflow)?;
        Ok(Sum::Applied { value: bound, increment })
    }
}

/// Floats within bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floats {
    pub(super) by: Extended,
    pub(super) lower: Extended,
    pub(super) upper: Extended,
}

impl Floats {
    fn parse(options: &Options<'_>) -> Result<Self, CommandError> {
        let read = |text: Option<&[u8]>, missing: Extended, name: &str| match text {
            None => Ok(missing),
            Some(text) => Extended::parse(text)
                .ok_or_else(|| CommandError::err(format_args!("{name} is not a valid float"))),
        };
        let by = read(options.by.map(|(text, _)| text), Extended::from_i64(1), "Increment")?;
        if !by.is_finite() {
            return Err(CommandError::InfiniteIncrement);
        }
        let largest = Extended::largest();
        let lower = read(options.lower, -largest, "LBOUND")?;
        let upper = read(options.upper, largest, "UBOUND")?;
        if lower > upper {
            return Err(CommandError::BoundsCrossed);
        }
        Ok(Self { by, lower, upper })
    }

    pub(super) fn add(self, old: Extended, saturate: bool) -> Result<Sum<Extended>, CommandError> {
        let sum = old.checked_add(self.by);
        let bound = match sum {
            Some(sum) if sum > self.upper => self.upper,
            Some(sum) if sum < self.lower => self.lower,
            Some(value) => return Ok(Sum::Applied { value, increment: self.by }),
            // Beyond the range of the type, on the side of the increment.
            None if self.by > Extended::ZERO => self.upper,
            None => self.lower,
        };
        if !saturate {
            return Ok(Sum::Refused);
        }
        let increment = bound.checked_sub(old).ok_or(CommandError::AppliedInfinite)?;
        Ok(Sum::Applied { value: bound, increment })
    }
}

fn increx(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let options = Options::parse(args)?;
    if options.is_float() {
        by_float(cx, &key, &options, reply)
    } else {
        by_integer(cx, &key, &options, reply)
    }
}

fn deadline(cx: &Cx<'_>, options: &Options<'_>) -> Result<Option<i64>, CommandError> {
    let read = |(unit, text): (Unit, &[u8])| unit.deadline(text, cx.now_ms, "increx");
    options.expire.map(read).transpose()
}

fn by_integer(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    options: &Options<'_>,
    reply: &mut Reply,
) -> Outcome {
    let numbers = Integers::parse(options)?;
    let deadline = deadline(cx, options)?;
    let value = cx.db.string_peek(key)?;
    let admitted = options.admits(value.is_some());
    let old = integer_of(value.as_ref())?;
    let sum = if admitted { numbers.add(old, options.saturate)? } else { Sum::Refused };
    reply.array(2);
    let Sum::Applied { value, increment } = sum else {
        reply.integer(old);
        reply.integer(0);
        return Ok(Effect::None);
    };
    reply.integer(value);
    reply.integer(increment);
    let mut text = Vec::new();
    stdx::num::write_i64(&mut text, value);
    let store = Store { value: NewValue::Int(value), text: &text, event: INCRBY_EVENT };
    Ok(store.apply(cx, key, options, deadline))
}

fn by_float(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    options: &Options<'_>,
    reply: &mut Reply,
) -> Outcome {
    let numbers = Floats::parse(options)?;
    let deadline = deadline(cx, options)?;
    let value = cx.db.string_peek(key)?;
    let admitted = options.admits(value.is_some());
    let old = float_of(value.as_ref())?;
    if !old.is_finite() {
        return Err(CommandError::InfiniteValue);
    }
    let sum = if admitted { numbers.add(old, options.saturate)? } else { Sum::Refused };
    let mut text = Vec::new();
    let mut answer = |number: Extended, reply: &mut Reply| {
        text.clear();
        number.write(&mut text);
        reply.double_text(&text);
    };
    reply.array(2);
    let Sum::Applied { value, increment } = sum else {
        answer(old, reply);
        answer(Extended::ZERO, reply);
        return Ok(Effect::None);
    };
    answer(value, reply);
    answer(increment, reply);
    text.clear();
    value.write(&mut text);
    let store = Store { value: NewValue::bytes(&text), text: &text, event: INCRBYFLOAT_EVENT };
    Ok(store.apply(cx, key, options, deadline))
}

/// A result on its way into the keyspace and the journal.
struct Store<'a> {
    value: NewValue<'a>,
    text: &'a [u8],
    event: Event,
}

impl Store<'_> {
    fn apply(
        self,
        cx: &mut Cx<'_>,
        key: &KeyRef<'_>,
        options: &Options<'_>,
        deadline: Option<i64>,
    ) -> Effect {
        let had_expiry = cx.db.expiry(key).flatten().is_some();
        let expiry = options.expiry(deadline, had_expiry);
        if matches!(expiry, ExpiryChange::At(at) if cx.has_passed(at)) {
            let deleted = cx.delete_passed(key);
            return if deleted { Effect::Rewrite } else { Effect::None };
        }
        let tagged = cx.db.put_changed(key, self.value, expiry, self.event);
        match expiry {
            ExpiryChange::Keep => {}
            ExpiryChange::Clear if had_expiry => cx.db.note(key, Event::generic("persist")),
            ExpiryChange::Clear => {}
            ExpiryChange::At(_) => cx.db.note(key, EXPIRE_EVENT),
        }
        super::set::tell(cx, key, self.text, expiry, tagged)
    }
}
