//! Compare and act: the conditions IFEQ, IFNE, IFDEQ, IFDNE, and the commands that stand on them.

use super::expiration::{EX, EXAT, Expiration, PX, PXAT, Unit};
use super::set::{DIGESTS, Log, store};
use super::{DEL_EVENT, READ};
use command::grammar::{Argument, key, one_of, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{KeyRef, Str};
use resp::Reply;
use types::string::GivenDigest;

pub(super) const DIGEST: Command = Command::data("DIGEST", digest)
    .group(Group::String)
    .since("8.4.0")
    .arity(2)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key")])
    .summary("Answers the XXH3 digest of a string.")
    .complexity("O(N), N the length of the string");

pub(super) const DELEX: Command = Command::data("DELEX", delex)
    .group(Group::String)
    .since("8.4.0")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::DELETE)).refined(refine_delex)])
    .args(&[
        key("key"),
        one_of(
            "condition",
            &[
                string("ifeq-value").token("IFEQ"),
                string("ifne-value").token("IFNE"),
                string("ifdeq-digest").token("IFDEQ").samples(DIGESTS),
                string("ifdne-digest").token("IFDNE").samples(DIGESTS),
            ],
        )
        .optional(),
    ])
    .summary("Deletes a key if its value or digest is, or is not, the one given.")
    .complexity("O(1) with IFEQ or IFNE; O(N) with IFDEQ or IFDNE, N the length of the string");

const DELETED: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RM.or(KeyFlags::DELETE))];
const KEY_AND_VALUE: &[Argument] = &[key("key"), string("value")];

/// A row that deletes a key if it holds a string.
const fn deleting(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::String)
        .arity(3)
        .flags(Flags::WRITE.or(Flags::FAST))
        .keys(DELETED)
        .args(KEY_AND_VALUE)
        .summary("Deletes a key if its value is the one given.")
        .complexity("O(1)")
}

pub(super) const DELIFEQ: Command = deleting("DELIFEQ", delifeq).since("9.0.0");

/// Kvrocks's.
pub(super) const CAS: Command = Command::data("CAS", cas)
    .group(Group::String)
    .since("8.12.0")
    .arity(-4)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))])
    .args(&[
        key("key"),
        string("old-value"),
        string("new-value"),
        one_of("expiration", &[EX, PX, EXAT, PXAT]).optional(),
    ])
    .summary("Stores a string if the key holds the one given.")
    .complexity("O(1)");

/// Kvrocks's.
pub(super) const CAD: Command = deleting("CAD", cad).since("8.12.0");

/// A condition on the value that a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comparison<'a> {
    kind: Kind,
    operand: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Equal,
    NotEqual,
    DigestEqual,
    DigestNotEqual,
}

impl<'a> Comparison<'a> {
    /// Takes the operand if `word` is one of the four options; `None` if it is something else.
    pub(super) fn parse(word: &[u8], args: &mut Args<'a>) -> Result<Option<Self>, CommandError> {
        const KINDS: [(&[u8], Kind); 4] = [
            (b"IFEQ", Kind::Equal),
            (b"IFNE", Kind::NotEqual),
            (b"IFDEQ", Kind::DigestEqual),
            (b"IFDNE", Kind::DigestNotEqual),
        ];
        let Some((_, kind)) = KINDS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)) else {
            return Ok(None);
        };
        Ok(Some(Self { kind: *kind, operand: args.bytes()? }))
    }

    /// Whether the condition holds for `value`. A missing key equals nothing. A digest is only
    /// looked at where there is a value to compare it with, so only then can it be malformed.
    pub(super) fn holds(self, value: Option<&Str<'_>>) -> Result<bool, CommandError> {
        let Some(value) = value else {
            return Ok(matches!(self.kind, Kind::NotEqual | Kind::DigestNotEqual));
        };
        let mut scratch = Vec::new();
        let text = value.text(&mut scratch);
        Ok(match self.kind {
            Kind::Equal => text == self.operand,
            Kind::NotEqual => text != self.operand,
            Kind::DigestEqual => self.digest()?.is_of(text),
            Kind::DigestNotEqual => !self.digest()?.is_of(text),
        })
    }

    fn digest(self) -> Result<GivenDigest, CommandError> {
        GivenDigest::parse(self.operand).map_err(|_| CommandError::DigestLength)
    }
}

/// The key flags of one DELEX: without a condition it looks at nothing.
fn refine_delex(args: &[&[u8]]) -> KeyFlags {
    let access = if args.len() > 2 { KeyFlags::RW } else { KeyFlags::RM };
    access.or(KeyFlags::DELETE)
}

fn digest(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    match cx.db.string(&key)? {
        Some(value) => reply.bulk(&types::string::digest(value.text(&mut Vec::new()))),
        None => reply.null(),
    }
    Ok(Effect::None)
}

fn delex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    if args.left() != 0 && args.left() != 2 {
        return Err(CommandError::arity("delex"));
    }
    // A missing key is told before a condition is looked at.
    if cx.db.peek(&key).is_none() {
        reply.integer(0);
        return Ok(Effect::None);
    }
    let holds = match args.next() {
        None => true,
        Some(word) => {
            let value = cx.db.string_peek(&key).map_err(|_| CommandError::ConditionNeedsString)?;
            let comparison =
                Comparison::parse(word, args)?.ok_or(CommandError::InvalidDelexCondition)?;
            comparison.holds(value.as_ref())?
        }
    };
    Ok(delete_if(cx, &key, holds, reply))
}

fn delifeq(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let expected = args.bytes()?;
    let holds = equals(cx, &key, expected)?.unwrap_or(false);
    Ok(delete_if(cx, &key, holds, reply))
}

/// Whether the string at `key` is `expected`; `None` if there is none.
fn equals(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    expected: &[u8],
) -> Result<Option<bool>, CommandError> {
    let value = cx.db.string_peek(key)?;
    Ok(value.map(|value| value.text(&mut Vec::new()) == expected))
}

/// What CAS and CAD answer for a missing key.
const NO_KEY: i64 = -1;

fn cas(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (expected, value) = (args.bytes()?, args.bytes()?);
    let mut expiration = None;
    while let Some(word) = args.next() {
        let unit = Unit::of(word).ok_or(CommandError::Syntax)?;
        expiration = Expiration::then(expiration, Expiration::At(unit, args.bytes()?))?;
    }
    let expiry = Expiration::change(expiration, cx.now_ms, "cas")?;
    let holds = equals(cx, &key, expected)?;
    reply.integer(holds.map_or(NO_KEY, i64::from));
    if holds != Some(true) {
        return Ok(Effect::None);
    }
    Ok(store(cx, &key, value, expiry, 0, Log::Rewritten))
}

fn cad(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let Some(holds) = equals(cx, &key, args.bytes()?)? else {
        reply.integer(NO_KEY);
        return Ok(Effect::None);
    };
    Ok(delete_if(cx, &key, holds, reply))
}

pub(super) fn delete_if(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    holds: bool,
    reply: &mut Reply,
) -> Effect {
    let deleted = holds && cx.db.delete(key, DEL_EVENT);
    reply.integer(i64::from(deleted));
    if !deleted {
        return Effect::None;
    }
    cx.rewrite(&[b"DEL", key.bytes()]);
    Effect::Rewrite
}
