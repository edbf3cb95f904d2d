//! When keys expire.

use command::grammar::{Argument, integer, key, one_of, unix_time, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::Event;
use resp::Reply;

const CONDITION: Argument =
    one_of("condition", &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")])
        .optional()
        .since("7.0.0");

/// One key whose expiry changes.
const CHANGED: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))];
/// One key whose expiry is told.
const TOLD: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))];
const ONE_KEY: &[Argument] = &[key("key")];

/// What the rows of the EXPIRE family have in common.
const fn setter(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::Generic)
        .arity(-3)
        .flags(Flags::WRITE.or(Flags::FAST).or(Flags::KEYSPACE))
        .keys(CHANGED)
        .complexity("O(1)")
        .history(&[("7.0.0", "Options NX, XX, GT and LT.")])
}

pub(super) const EXPIRE: Command = setter("EXPIRE", expire)
    .since("1.0.0")
    .args(&[key("key"), integer("seconds"), CONDITION])
    .summary("Lets a key expire after some seconds.");

pub(super) const PEXPIRE: Command = setter("PEXPIRE", pexpire)
    .since("2.6.0")
    .args(&[key("key"), integer("milliseconds"), CONDITION])
    .summary("Lets a key expire after some milliseconds.");

pub(super) const EXPIREAT: Command = setter("EXPIREAT", expireat)
    .since("1.2.0")
    .args(&[key("key"), unix_time("unix-time-seconds"), CONDITION])
    .summary("Lets a key expire at a Unix time in seconds.");

pub(super) const PEXPIREAT: Command = setter("PEXPIREAT", pexpireat)
    .since("2.6.0")
    .args(&[key("key"), unix_time("unix-time-milliseconds"), CONDITION])
    .summary("Lets a key expire at a Unix time in milliseconds.");

pub(super) const PERSIST: Command = Command::data("PERSIST", persist)
    .group(Group::Generic)
    .since("2.2.0")
    .arity(2)
    .flags(Flags::WRITE.or(Flags::FAST).or(Flags::KEYSPACE))
    .keys(CHANGED)
    .args(ONE_KEY)
    .summary("Takes the expiry from a key.")
    .complexity("O(1)");

/// What the rows that answer an expiry have in common.
const fn getter(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::Generic)
        .arity(2)
        .flags(Flags::READONLY.or(Flags::FAST).or(Flags::KEYSPACE))
        .keys(TOLD)
        .args(ONE_KEY)
        .complexity("O(1)")
}

const TTL_HISTORY: &[(command::Version, &str)] = &[("2.8.0", "The reply -2.")];

pub(super) const TTL: Command = getter("TTL", ttl)
    .since("1.0.0")
    .summary("Answers in how many seconds a key expires.")
    .history(TTL_HISTORY)
    .tips(&["nondeterministic_output"]);

pub(super) const PTTL: Command = getter("PTTL", pttl)
    .since("2.6.0")
    .summary("Answers in how many milliseconds a key expires.")
    .history(TTL_HISTORY)
    .tips(&["nondeterministic_output"]);

pub(super) const EXPIRETIME: Command = getter("EXPIRETIME", expiretime)
    .since("7.0.0")
    .summary("Answers the Unix time in seconds at which a key expires.");

pub(super) const PEXPIRETIME: Command = getter("PEXPIRETIME", pexpiretime)
    .since("7.0.0")
    .summary("Answers the Unix time in milliseconds at which a key expires.");

/// Options of the EXPIRE family.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conditions {
    /// NX: only a key without expiry.
    pub(super) absent: bool,
    /// XX: only a key with one.
    pub(super) present: bool,
    /// GT: only if it becomes later.
    pub(super) later: bool,
    /// LT: only if it becomes earlier.
    pub(super) earlier: bool,
}

impl Conditions {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let mut conditions = Self::default();
        while let Some(word) = args.next() {
            let flag = match word.to_ascii_uppercase().as_slice() {
                b"NX" => &mut conditions.absent,
                b"XX" => &mut conditions.present,
                b"GT" => &mut conditions.later,
                b"LT" => &mut conditions.earlier,
                _ => return Err(CommandError::err_bytes(&[b"Unsupported option ", word])),
            };
            *flag = true;
        }
        if conditions.absent && (conditions.present || conditions.later || conditions.earlier) {
            return Err(CommandError::ExpireNxWithOthers);
        }
        if conditions.later && conditions.earlier {
            return Err(CommandError::ExpireGtWithLt);
        }
        Ok(conditions)
    }

    /// Whether a key that expires at `old` (or never, which is later than any time) may from now
    /// on expire at `new`.
    pub(super) fn hold(self, old: Option<i64>, new: i64) -> bool {
        !(self.absent && old.is_some()
            || self.present && old.is_none()
            || self.later && old.is_none_or(|old| new <= old)
            || self.earlier && old.is_some_and(|old| new >= old))
    }
}

/// How the number of the EXPIRE family counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Millis,
}

fn expire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    expire_from(cx, args, reply, now_ms, Unit::Seconds)
}

fn pexpire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    expire_from(cx, args, reply, now_ms, Unit::Millis)
}

fn expireat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    expire_from(cx, args, reply, 0, Unit::Seconds)
}

fn pexpireat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    expire_from(cx, args, reply, 0, Unit::Millis)
}

/// The number counts from `base_ms`, in `unit`. It may be negative.
fn expire_from(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    base_ms: i64,
    unit: Unit,
) -> Outcome {
    let key = args.key()?;
    let number = args.bytes()?;
    let conditions = Conditions::parse(args)?;
    let number = stdx::num::parse_i64(number).ok_or(CommandError::NotAnInteger)?;
    let at = match unit {
        Unit::Seconds => number.checked_mul(1000),
        Unit::Millis => Some(number),
    };
    let at = at
        .and_then(|span| span.checked_add(base_ms))
        .ok_or_else(|| CommandError::invalid_expire(args.spec().name))?;
    let may = cx.db.expiry(&key).is_some_and(|old| conditions.hold(old, at));
    reply.integer(i64::from(may));
    if !may {
        return Ok(Effect::None);
    }
    if cx.has_passed(at) {
        cx.delete_passed(&key);
    } else {
        cx.db.set_expiry(&key, Some(at), Event::generic("expire"));
        cx.rewrite_number(&[b"PEXPIREAT", key.bytes()], at);
    }
    Ok(Effect::Rewrite)
}

fn persist(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let expires = cx.db.expiry(&key).flatten().is_some();
    reply.integer(i64::from(expires));
    if expires {
        cx.db.set_expiry(&key, None, Event::generic("persist"));
    }
    Ok(Effect::Same)
}

/// Answers -2 for a missing key, -1 for one that lives for ever, else what `answer` makes of the
/// moment at which it expires.
fn reply_expiry(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    answer: impl FnOnce(i64, i64) -> i64,
) -> Outcome {
    let key = args.key()?;
    let expiry = cx.db.expiry(&key);
    cx.db.count_lookup(&key, expiry.is_some());
    reply.integer(match expiry {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => answer(at, cx.now_ms).max(0),
    });
    Ok(Effect::None)
}

/// Milliseconds to the nearest second.
fn rounded_seconds(ms: i64) -> i64 {
    ms.saturating_add(500) / 1000
}

fn ttl(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply_expiry(cx, args, reply, |at, now| rounded_seconds(at.saturating_sub(now)))
}

fn pttl(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply_expiry(cx, args, reply, i64::saturating_sub)
}

fn expiretime(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply_expiry(cx, args, reply, |at, _| rounded_seconds(at))
}

fn pexpiretime(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply_expiry(cx, args, reply, |at, _| at)
}
