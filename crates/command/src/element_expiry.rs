//! Elements that expire while their key stays: what HEXPIRE and SEXPIRE, HTTL and STTL and their kin
//! have in common. A type says what its elements are called and what the journal and subscribers are
//! told; the rest is here.

use crate::{Args, CommandError, Cx, Effect, Outcome};
use keyspace::{Event, KeyRef};
use resp::Reply;
use types::hash::Hash;
use types::set::Set;
use types::{Collection, Limits};

/// The words of a type whose elements may expire.
#[derive(Debug)]
pub struct Words {
    /// The word before the number of elements.
    pub keyword: &'static str,
    /// The command that gives elements an expiry in milliseconds since 1970.
    pub expire_at: &'static [u8],
    pub delete: &'static [u8],
    pub expire_event: Event,
    pub persist_event: Event,
    /// Of elements that were deleted since they were given an expiry that had passed.
    pub passed_event: Event,
    missing: CommandError,
    not_positive: CommandError,
    not_above_zero: CommandError,
    mismatch: CommandError,
}

/// A type whose elements may expire.
pub trait Expiring: Collection {
    const WORDS: Words;

    /// When the element expires; `None`: there is none.
    fn expiry_of(view: Self::View<'_>, name: &[u8]) -> Option<Option<i64>>;

    /// Gives an element that is there an expiry other than 0, or takes it away.
    fn set_expiry_of(&mut self, name: &[u8], expiry: Option<i64>, limits: &Limits);

    fn remove_named(&mut self, name: &[u8]);
}

impl Expiring for Hash {
    const WORDS: Words = Words {
        keyword: "FIELDS",
        expire_at: b"HPEXPIREAT",
        delete: b"HDEL",
        expire_event: Event::hash("hexpire"),
        persist_event: Event::hash("hpersist"),
        passed_event: Event::hash("hdel"),
        missing: CommandError::FieldsMissing,
        not_positive: CommandError::FieldsNotPositive,
        not_above_zero: CommandError::FieldsNotAboveZero,
        mismatch: CommandError::FieldsMismatch,
    };

    fn expiry_of(view: Self::View<'_>, name: &[u8]) -> Option<Option<i64>> {
        view.get(name).map(|field| field.expiry)
    }

    fn set_expiry_of(&mut self, name: &[u8], expiry: Option<i64>, _: &Limits) {
        self.set_expiry(name, expiry);
    }

    fn remove_named(&mut self, name: &[u8]) {
        self.remove(name);
    }
}

impl Expiring for Set {
    const WORDS: Words = Words {
        keyword: "MEMBERS",
        expire_at: b"SPEXPIREAT",
        delete: b"SREM",
        expire_event: Event::set("sexpire"),
        persist_event: Event::set("spersist"),
        passed_event: Event::set("sexpired"),
        missing: CommandError::MembersMissing,
        not_positive: CommandError::MembersNotPositive,
        not_above_zero: CommandError::MembersNotAboveZero,
        mismatch: CommandError::MembersMismatch,
    };

    fn expiry_of(view: Self::View<'_>, name: &[u8]) -> Option<Option<i64>> {
        view.expiry(name)
    }

    fn set_expiry_of(&mut self, name: &[u8], expiry: Option<i64>, limits: &Limits) {
        self.set_expiry(name, expiry, limits);
    }

    fn remove_named(&mut self, name: &[u8]) {
        self.remove(name);
    }
}

/// There is no such element.
const NONE: i64 = -2;
/// The element has no expiry.
const NO_EXPIRY: i64 = -1;
/// The condition does not hold.
const NOT_MET: i64 = 0;
const DONE: i64 = 1;
/// The moment has passed: the element was deleted.
const DELETED: i64 = 2;

/// The latest moment at which an element may expire, in milliseconds since 1970.
const EXPIRY_MAX_MS: i64 = (1 << 46) - 1;

/// When the expiry of an element is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    /// NX: it has none.
    Absent,
    /// XX: it has one.
    Present,
    /// GT: it becomes later; none is later than any.
    Later,
    /// LT: it becomes earlier.
    Earlier,
}

impl Condition {
    fn parse(args: &mut Args<'_>) -> Option<Self> {
        const WORDS: [(&str, Condition); 4] = [
            ("NX", Condition::Absent),
            ("XX", Condition::Present),
            ("GT", Condition::Later),
            ("LT", Condition::Earlier),
        ];
        let found = WORDS.iter().find(|(word, _)| args.token(word));
        found.map(|(_, condition)| *condition)
    }

    /// As it is sent.
    fn word(self) -> &'static [&'static [u8]] {
        match self {
            Self::Always => &[],
            Self::Absent => &[b"NX"],
            Self::Present => &[b"XX"],
            Self::Later => &[b"GT"],
            Self::Earlier => &[b"LT"],
        }
    }

    fn holds(self, old: Option<i64>, new: i64) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => old.is_none(),
            Self::Present => old.is_some(),
            Self::Later => old.is_some_and(|old| new > old),
            Self::Earlier => old.is_none_or(|old| new < old),
        }
    }
}

/// Takes the keyword, the number of elements and as many elements; `not_positive` is what is said of
/// a number that is none or below 1.
fn named<'a, T: Expiring>(
    args: &mut Args<'a>,
    not_positive: CommandError,
) -> Result<&'a [&'a [u8]], CommandError> {
    if !args.token(T::WORDS.keyword) {
        return Err(T::WORDS.missing);
    }
    let count = args.integer().ok().filter(|count| *count > 0).ok_or(not_positive)?;
    usize::try_from(count).ok().and_then(|count| args.take(count)).ok_or(T::WORDS.mismatch)
}

/// Nothing may stand behind the elements, or the options behind them.
fn end<T: Expiring>(args: &Args<'_>) -> Result<(), CommandError> {
    args.end().map_err(|_| T::WORDS.mismatch)
}

/// `FIELDS numfields field [field ...]`, or what it is for the type, and nothing behind it.
pub fn names<'a, T: Expiring>(args: &mut Args<'a>) -> Result<&'a [&'a [u8]], CommandError> {
    let names = named::<T>(args, T::WORDS.not_positive)?;
    end::<T>(args).map(|()| names)
}

/// The same with an option before or behind it, which `parse` reads if one stands there.
pub fn names_and_option<'a, T: Expiring, O>(
    args: &mut Args<'a>,
    parse: impl Fn(&mut Args<'a>) -> Result<Option<O>, CommandError>,
) -> Result<(&'a [&'a [u8]], Option<O>), CommandError> {
    with_option::<T, O>(args, T::WORDS.not_positive, parse)
}

fn with_option<'a, T: Expiring, O>(
    args: &mut Args<'a>,
    not_positive: CommandError,
    parse: impl Fn(&mut Args<'a>) -> Result<Option<O>, CommandError>,
) -> Result<(&'a [&'a [u8]], Option<O>), CommandError> {
    let mut option = parse(args)?;
    let names = named::<T>(args, not_positive)?;
    if option.is_none() {
        option = parse(args)?;
    }
    end::<T>(args).map(|()| (names, option))
}

/// Reads a time: `unit_ms` milliseconds each, counted from `base_ms`. Answers the moment in
/// milliseconds since 1970.
pub fn moment(args: &mut Args<'_>, unit_ms: i64, base_ms: i64) -> Result<i64, CommandError> {
    let number = args.integer()?;
    if number < 0 {
        return Err(CommandError::FieldExpiryNegative);
    }
    moment_of(number, unit_ms, base_ms, args.spec().name)
}

/// The same of a number that was read, which may be negative, for the command `name`.
pub fn moment_of(number: i64, unit_ms: i64, base_ms: i64, name: &str) -> Result<i64, CommandError> {
    let at = number.checked_mul(unit_ms).and_then(|span| span.checked_add(base_ms));
    at.filter(|at| *at <= EXPIRY_MAX_MS).ok_or_else(|| CommandError::invalid_expire(name))
}

/// HEXPIRE and its kin: the number counts from `base_ms`, `unit_ms` each.
pub fn expire<T: Expiring>(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    unit_ms: i64,
    base_ms: i64,
) -> Outcome {
    let key = args.key()?;
    // Another type is told before what is wrong with the arguments.
    cx.db.peek_as::<T>(&key)?;
    let at = moment(args, unit_ms, base_ms)?;
    let parse = |args: &mut Args<'_>| Ok(Condition::parse(args));
    let (names, condition) = with_option::<T, _>(args, T::WORDS.not_above_zero, parse)?;
    let condition = condition.unwrap_or(Condition::Always);
    reply.array(names.len());
    expire_named::<T>(cx, &key, at, condition, names, |code| reply.integer(code))
}

/// Lets elements expire at `at`, whatever expiry they have, and shows `code` for each, as
/// [`expire`] answers it.
pub fn expire_at<T: Expiring>(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    at: i64,
    names: &[&[u8]],
    code: impl FnMut(i64),
) -> Outcome {
    expire_named::<T>(cx, key, at, Condition::Always, names, code)
}

fn expire_named<T: Expiring>(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    at: i64,
    condition: Condition,
    names: &[&[u8]],
    mut code: impl FnMut(i64),
) -> Outcome {
    let (words, has_passed) = (T::WORDS, cx.has_passed(at));
    let limits = &cx.settings.limits;
    let Some(mut guard) = cx.db.write::<T>(key)? else {
        names.iter().for_each(|_| code(NONE));
        return Ok(Effect::None);
    };
    guard.purge_elements(names.iter().copied());
    let event = if has_passed { words.passed_event } else { words.expire_event };
    let changed = guard.edit(event, |value| {
        let mut changed = Vec::new();
        for name in names {
            let done = match T::expiry_of(value.view(), name) {
                None => NONE,
                Some(old) if !condition.holds(old, at) => NOT_MET,
                Some(_) if has_passed => {
                    value.remove_named(name);
                    DELETED
                }
                Some(_) => {
                    // 0, which only a node brings in that does not delete, would be none.
                    value.set_expiry_of(name, Some(at.max(1)), limits);
                    DONE
                }
            };
            if matches!(done, DONE | DELETED) {
                changed.push(*name);
            }
            code(done);
        }
        changed
    });
    guard.name_elements(event, changed.iter().copied());
    if has_passed {
        count_passed(cx, changed.len());
        rewrite_deletion::<T>(cx, key, &changed);
    } else {
        rewrite_expiry::<T>(cx, key, at, condition.word(), &changed);
    }
    Ok(Effect::Rewrite)
}

/// HPERSIST and its kin.
pub fn persist<T: Expiring>(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    cx.db.peek_as::<T>(&key)?;
    let names = names::<T>(args)?;
    let limits = &cx.settings.limits;
    reply.array(names.len());
    let Some(mut guard) = cx.db.write::<T>(&key)? else {
        names.iter().for_each(|_| reply.integer(NONE));
        return Ok(Effect::None);
    };
    guard.purge_elements(names.iter().copied());
    let changed = guard.edit(T::WORDS.persist_event, |value| {
        let mut changed = Vec::new();
        for name in names {
            let code = match T::expiry_of(value.view(), name) {
                None => NONE,
                Some(None) => NO_EXPIRY,
                Some(Some(_)) => {
                    value.set_expiry_of(name, None, limits);
                    changed.push(*name);
                    DONE
                }
            };
            reply.integer(code);
        }
        changed
    });
    guard.name_elements(T::WORDS.persist_event, changed);
    Ok(Effect::Same)
}

/// HTTL and its kin: answers for each element what `show` makes of its expiry, -1 if it has none,
/// -2 if it is not there.
pub fn times<T: Expiring>(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    show: impl Fn(i64) -> i64,
) -> Outcome {
    let key = args.key()?;
    let horizon_ms = cx.db.horizon_ms();
    // Another type is told before what is wrong with the arguments.
    let view = cx.db.read::<T>(&key)?;
    let names = names::<T>(args)?;
    reply.array(names.len());
    for name in names {
        let expiry = view.and_then(|view| T::expiry_of(view, name));
        reply.integer(match expiry {
            None => NONE,
            Some(None) => NO_EXPIRY,
            Some(Some(at)) if at <= horizon_ms => NONE,
            Some(Some(at)) => show(at),
        });
    }
    Ok(Effect::None)
}

/// Milliseconds as seconds, rounded up.
pub fn seconds(ms: i64) -> i64 {
    ms.saturating_add(999) / 1000
}

/// Tells the journal `head`, the number of elements, and the elements; nothing if there are none.
pub fn rewrite_named<T: Expiring>(cx: &mut Cx<'_>, head: &[&[u8]], names: &[&[u8]]) {
    if names.is_empty() {
        return;
    }
    let count = names.len().to_string();
    let keyword = T::WORDS.keyword.as_bytes();
    let words = [head, &[keyword, count.as_bytes()], names].concat();
    cx.rewrite(&words);
}

/// Tells the journal that elements got an expiry, with the condition as it was sent.
pub fn rewrite_expiry<T: Expiring>(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    at: i64,
    condition: &[&[u8]],
    names: &[&[u8]],
) {
    let at = at.to_string();
    let words = [&[T::WORDS.expire_at, key.bytes(), at.as_bytes()], condition].concat();
    rewrite_named::<T>(cx, &words, names);
}

/// Tells the journal that elements were deleted.
pub fn rewrite_deletion<T: Expiring>(cx: &mut Cx<'_>, key: &KeyRef<'_>, names: &[&[u8]]) {
    if !names.is_empty() {
        cx.rewrite(&[&[T::WORDS.delete, key.bytes()], names].concat());
    }
}

/// Counts elements that were deleted since they got an expiry that had passed: they have expired.
pub fn count_passed(cx: &Cx<'_>, elements: usize) {
    cx.space.count_expired_elements(elements as u64, cx.now_ms);
}
