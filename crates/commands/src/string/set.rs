//! SET and the commands it has replaced.

use super::conditional::Comparison;
use super::expiration::{EX, EXAT, Expiration, PX, PXAT, Unit};
use super::{EXPIRE_EVENT, MODIFY, SET_EVENT, reply_str};
use command::grammar::{integer, key, one_of, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{ExpiryChange, KeyRef, next_tag};
use resp::Reply;

pub(super) const SET: Command = Command::data("SET", set)
    .group(Group::String)
    .since("1.0.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))
        .refined(refine_set)
        .notes("RW and ACCESS due to the optional `GET` argument")])
    .args(&[
        key("key"),
        string("value"),
        one_of(
            "condition",
            &[
                word("nx", "NX"),
                word("xx", "XX"),
                string("ifeq-value").token("IFEQ").since("8.4.0"),
                string("ifne-value").token("IFNE").since("8.4.0"),
                string("ifdeq-digest").token("IFDEQ").since("8.4.0").samples(DIGESTS),
                string("ifdne-digest").token("IFDNE").since("8.4.0").samples(DIGESTS),
            ],
        )
        .optional()
        .since("2.6.12"),
        word("get", "GET").optional().since("6.2.0"),
        one_of(
            "expiration",
            &[
                EX.since("2.6.12"),
                PX.since("2.6.12"),
                EXAT.since("6.2.0"),
                PXAT.since("6.2.0"),
                word("keepttl", "KEEPTTL").since("6.0.0"),
            ],
        )
        .optional(),
        word("withetag", "WITHETAG").optional(),
    ])
    .summary("Stores a string under a key, whatever the key held before.")
    .complexity("O(1)")
    .history(&[
        ("2.6.12", "Options EX, PX, NX and XX."),
        ("6.0.0", "Option KEEPTTL."),
        ("6.2.0", "Options GET, EXAT and PXAT."),
        ("7.0.0", "NX and GET may stand together."),
        ("8.4.0", "Options IFEQ, IFNE, IFDEQ and IFDNE."),
    ]);

/// Digests that the request generator draws from: those of "", "a" and "1".
pub(super) const DIGESTS: &[&str] = &["2d06800538d394c2", "e6c632b61e964e1f", "0123456789abcdef"];

pub(super) const SETNX: Command = Command::data("SETNX", setnx)
    .group(Group::String)
    .since("1.0.0")
    .arity(3)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::OW.or(KeyFlags::INSERT))])
    .args(&[key("key"), string("value")])
    .summary("Stores a string under a key that does not exist yet.")
    .complexity("O(1)")
    .deprecated("2.6.12", "`SET` with the `NX` argument");

pub(super) const SETEX: Command = Command::data("SETEX", setex)
    .group(Group::String)
    .since("2.0.0")
    .arity(4)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::at(1, KeyFlags::OW.or(KeyFlags::UPDATE))])
    .args(&[key("key"), integer("seconds"), string("value")])
    .summary("Stores a string that expires after some seconds.")
    .complexity("O(1)")
    .deprecated("2.6.12", "`SET` with the `EX` argument");

pub(super) const PSETEX: Command = Command::data("PSETEX", psetex)
    .group(Group::String)
    .since("2.6.0")
    .arity(4)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::at(1, KeyFlags::OW.or(KeyFlags::UPDATE))])
    .args(&[key("key"), integer("milliseconds"), string("value")])
    .summary("Stores a string that expires after some milliseconds.")
    .complexity("O(1)")
    .deprecated("2.6.12", "`SET` with the `PX` argument");

pub(super) const GETSET: Command = Command::data("GETSET", getset)
    .group(Group::String)
    .since("1.0.0")
    .arity(3)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(MODIFY)
    .args(&[key("key"), string("value")])
    .summary("Stores a string under a key and answers what was there.")
    .complexity("O(1)")
    .deprecated("6.2.0", "`SET` with the `!GET` argument");

/// The key flags of one SET: nothing is read without GET, a comparison or the tag.
fn refine_set(args: &[&[u8]]) -> KeyFlags {
    let is_any = |word: &[u8], names: &[&[u8]]| names.iter().any(|n| word.eq_ignore_ascii_case(n));
    let mut flags = KeyFlags::OW.or(KeyFlags::UPDATE);
    let mut at = 3;
    while let Some(word) = args.get(at) {
        at += 1;
        if is_any(word, &[b"GET"]) {
            return KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE);
        } else if is_any(word, &[b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE"]) {
            flags = KeyFlags::RW.or(KeyFlags::UPDATE);
            at += 1;
        } else if is_any(word, &[b"WITHETAG"]) {
            flags = KeyFlags::RW.or(KeyFlags::UPDATE);
        } else if Unit::of(word).is_some() {
            at += 1;
        }
    }
    flags
}

/// What must hold for SET to set.
#[derive(Clone, Copy, Debug)]
enum Condition<'a> {
    Always,
    Missing,
    Present,
    Value(Comparison<'a>),
}

impl<'a> Condition<'a> {
    /// NX and XX may come again; of values only one can be meant.
    fn then(self, next: Self) -> Result<Self, CommandError> {
        let fits = matches!(
            (&self, &next),
            (Self::Always, _) | (Self::Missing, Self::Missing) | (Self::Present, Self::Present)
        );
        if fits { Ok(next) } else { Err(CommandError::Syntax) }
    }
}

/// The options of SET.
struct Options<'a> {
    condition: Condition<'a>,
    get: bool,
    expiration: Option<Expiration<'a>>,
    tagged: bool,
}

impl<'a> Options<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, CommandError> {
        let (condition, get, expiration) = (Condition::Always, false, None);
        let mut options = Self { condition, get, expiration, tagged: false };
        while let Some(word) = args.next() {
            if word.eq_ignore_ascii_case(b"GET") {
                options.get = true;
            } else if word.eq_ignore_ascii_case(b"NX") {
                options.condition = options.condition.then(Condition::Missing)?;
            } else if word.eq_ignore_ascii_case(b"XX") {
                options.condition = options.condition.then(Condition::Present)?;
            } else if word.eq_ignore_ascii_case(b"KEEPTTL") {
                options.expiration = Expiration::then(options.expiration, Expiration::Keep)?;
            } else if let Some(unit) = Unit::of(word) {
                let at = Expiration::At(unit, args.bytes()?);
                options.expiration = Expiration::then(options.expiration, at)?;
            } else if let Some(comparison) = Comparison::parse(word, args)? {
                options.condition = options.condition.then(Condition::Value(comparison))?;
            } else if word.eq_ignore_ascii_case(b"WITHETAG") {
                options.tagged = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if options.tagged && options.get {
            return Err(CommandError::EtagWithGet);
        }
        Ok(options)
    }

    /// How the journal is told: as sent if there is no condition and nothing relative in it.
    fn log(&self) -> Log {
        let absolute = matches!(
            self.expiration,
            None | Some(Expiration::Keep | Expiration::At(Unit::UnixMillis, _))
        );
        if absolute && !self.get && matches!(self.condition, Condition::Always) {
            Log::AsSent
        } else {
            Log::Rewritten
        }
    }
}

/// How a SET is told to the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    AsSent,
    Rewritten,
}

fn set(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let value = args.bytes()?;
    if args.left() == 0 {
        // PERF: the plain SET is one look-up and, for a new key, one allocation.
        let value = cx.value(value);
        cx.db.put(&key, value, ExpiryChange::Clear, SET_EVENT);
        reply.ok();
        return Ok(Effect::Same);
    }
    let options = Options::parse(args)?;
    let expiry = Expiration::change(options.expiration, cx.now_ms, "set")?;
    let holds = holds(cx, &key, &options, reply)?;
    let tag = if options.tagged { next_tag(cx.db.tag(&key)) } else { 0 };
    if !options.get {
        match holds {
            true if options.tagged => reply.integer(tag),
            true => reply.ok(),
            false => reply.null(),
        }
    }
    if !holds {
        return Ok(Effect::None);
    }
    Ok(store(cx, &key, value, expiry, tag, options.log()))
}

/// Looks at the old value: answers it for GET, and says whether the condition holds.
fn holds(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    options: &Options<'_>,
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    if options.get {
        let old = cx.db.string(key)?;
        match &old {
            Some(old) => reply_str(reply, old),
            None => reply.null(),
        }
        return Ok(match options.condition {
            Condition::Always => true,
            Condition::Missing => old.is_none(),
            Condition::Present => old.is_some(),
            Condition::Value(comparison) => comparison.holds(old.as_ref())?,
        });
    }
    Ok(match options.condition {
        Condition::Always => true,
        Condition::Missing => cx.db.peek(key).is_none(),
        Condition::Present => cx.db.peek(key).is_some(),
        Condition::Value(comparison) => comparison.holds(cx.db.string_peek(key)?.as_ref())?,
    })
}

/// Whether a value with this expiry would be gone as soon as it is written.
pub(super) fn deletes(cx: &Cx<'_>, expiry: ExpiryChange) -> bool {
    matches!(expiry, ExpiryChange::At(at) if cx.has_passed(at))
}

/// Sets the value with its expiry and its tag, 0 for none, and logs the SET, or the UNLINK if the
/// time has passed.
pub(super) fn store(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    value: &[u8],
    expiry: ExpiryChange,
    tag: i64,
    log: Log,
) -> Effect {
    if deletes(cx, expiry) {
        let deleted = cx.delete_passed(key);
        return if deleted { Effect::Rewrite } else { Effect::None };
    }
    let stored = cx.value(value);
    cx.db.put(key, stored, expiry, SET_EVENT);
    if tag != 0 {
        cx.db.set_tag(key, tag);
    }
    if matches!(expiry, ExpiryChange::At(_)) {
        cx.db.note(key, EXPIRE_EVENT);
    }
    match log {
        Log::AsSent => Effect::Same,
        Log::Rewritten => tell(cx, key, value, expiry, tag != 0),
    }
}

/// Logs the SET that has this outcome; `tagged`: the tag counts up.
pub(super) fn tell(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    value: &[u8],
    expiry: ExpiryChange,
    tagged: bool,
) -> Effect {
    let mut words: Vec<&[u8]> = vec![b"SET", key.bytes(), value];
    if tagged {
        words.push(b"WITHETAG");
    }
    match expiry {
        ExpiryChange::At(at) => {
            words.push(b"PXAT");
            cx.rewrite_number(&words, at);
        }
        ExpiryChange::Keep => {
            words.push(b"KEEPTTL");
            cx.rewrite(&words);
        }
        ExpiryChange::Clear => cx.rewrite(&words),
    }
    Effect::Rewrite
}

fn setnx(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let value = args.bytes()?;
    if cx.db.peek(&key).is_some() {
        reply.integer(0);
        return Ok(Effect::None);
    }
    let value = cx.value(value);
    cx.db.put(&key, value, ExpiryChange::Clear, SET_EVENT);
    reply.integer(1);
    Ok(Effect::Same)
}

fn setex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    set_for(cx, args, reply, Unit::Seconds, "setex")
}

fn psetex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    set_for(cx, args, reply, Unit::Millis, "psetex")
}

fn set_for(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    unit: Unit,
    command: &str,
) -> Outcome {
    let key = args.key()?;
    let deadline = unit.deadline(args.bytes()?, cx.now_ms, command)?;
    let value = args.bytes()?;
    reply.ok();
    Ok(store(cx, &key, value, ExpiryChange::At(deadline), 0, Log::Rewritten))
}

fn getset(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let value = args.bytes()?;
    match cx.db.string(&key)? {
        Some(old) => reply_str(reply, &old),
        None => reply.null(),
    }
    Ok(store(cx, &key, value, ExpiryChange::Clear, 0, Log::Rewritten))
}
