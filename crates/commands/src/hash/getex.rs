//! Reading fields and doing something about them: HGETEX, HGETDEL.

use super::{FIELDS, HDEL_EVENT, HEXPIRE_EVENT, HPERSIST_EVENT};
use crate::element::reply_element;
use command::grammar::{integer, key, one_of, unix_time, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome,
    element_expiry,
};
use resp::Reply;
use types::Collection as _;
use types::hash::Hash;

pub(super) const HGETEX: Command = Command::data("HGETEX", hgetex)
    .group(Group::Hash)
    .since("8.0.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))])
    .args(&[
        key("key"),
        one_of(
            "expiration",
            &[
                integer("seconds").token("EX"),
                integer("milliseconds").token("PX"),
                unix_time("unix-time-seconds").token("EXAT"),
                unix_time("unix-time-milliseconds").token("PXAT"),
                word("persist", "PERSIST"),
            ],
        )
        .optional(),
        FIELDS,
    ])
    .summary("Answers fields of a hash, and sets when they expire.")
    .complexity("O(N), N fields named");

pub(super) const HGETDEL: Command = Command::data("HGETDEL", hgetdel)
    .group(Group::Hash)
    .since("8.0.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))])
    .args(&[key("key"), FIELDS])
    .summary("Answers fields of a hash and deletes them.")
    .complexity("O(N), N fields named");

/// What HGETEX does about a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Nothing,
    Persist,
    At(i64),
    /// The moment has passed.
    Delete,
}

impl Change {
    fn parse(cx: &Cx<'_>, args: &mut Args<'_>) -> Result<Option<Self>, CommandError> {
        let (unit_ms, base_ms) = match () {
            () if args.token("PERSIST") => return Ok(Some(Self::Persist)),
            () if args.token("EX") => (1000, cx.now_ms),
            () if args.token("PX") => (1, cx.now_ms),
            () if args.token("EXAT") => (1000, 0),
            () if args.token("PXAT") => (1, 0),
            () => return Ok(None),
        };
        if args.left() == 0 {
            return Err(CommandError::FieldExpiryMissing);
        }
        let at = element_expiry::moment(args, unit_ms, base_ms)?;
        Ok(Some(if cx.has_passed(at) { Self::Delete } else { Self::At(at.max(1)) }))
    }

    /// Changes a field that is there; says whether.
    fn apply(self, hash: &mut Hash, name: &[u8]) -> bool {
        match self {
            Self::Nothing => false,
            Self::Persist => hash.set_expiry(name, None),
            Self::At(at) => {
                hash.set_expiry(name, Some(at));
                true
            }
            Self::Delete => hash.remove(name),
        }
    }
}

/// Answers each field, or null, and changes it; returns those that were changed.
fn answer<'f>(
    hash: &mut Hash,
    fields: &[&'f [u8]],
    reply: &mut Reply,
    change: Change,
) -> Vec<&'f [u8]> {
    let mut changed = Vec::new();
    for name in fields {
        match hash.view().get(name) {
            None => reply.null(),
            Some(field) => {
                reply_element(reply, field.value);
                if change.apply(hash, name) {
                    changed.push(*name);
                }
            }
        }
    }
    changed
}

fn hgetex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    // Another type is told before what is wrong with the arguments.
    cx.db.peek_as::<Hash>(&key)?;
    let parse = |args: &mut Args<'_>| Change::parse(cx, args);
    let (fields, change) = element_expiry::names_and_option::<Hash, _>(args, parse)?;
    let change = change.unwrap_or(Change::Nothing);
    reply.array(fields.len());
    let Some(mut hash) = cx.db.write::<Hash>(&key)? else {
        fields.iter().for_each(|_| reply.null());
        return Ok(Effect::None);
    };
    hash.purge_elements(fields.iter().copied());
    let event = match change {
        Change::Nothing => {
            for name in fields {
                match hash.view().get(name) {
                    Some(field) => reply_element(reply, field.value),
                    None => reply.null(),
                }
            }
            return Ok(Effect::None);
        }
        Change::Persist => HPERSIST_EVENT,
        Change::At(_) => HEXPIRE_EVENT,
        Change::Delete => HDEL_EVENT,
    };
    let changed = hash.edit(event, |hash| answer(hash, fields, reply, change));
    hash.name_elements(event, changed.iter().copied());
    match change {
        Change::Nothing => {}
        Change::Persist => {
            element_expiry::rewrite_named::<Hash>(cx, &[b"HPERSIST", key.bytes()], &changed)
        }
        Change::At(at) => element_expiry::rewrite_expiry::<Hash>(cx, &key, at, &[], &changed),
        Change::Delete => {
            element_expiry::count_passed(cx, changed.len());
            element_expiry::rewrite_deletion::<Hash>(cx, &key, &changed);
        }
    }
    Ok(Effect::Rewrite)
}

fn hgetdel(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    cx.db.peek_as::<Hash>(&key)?;
    let fields = element_expiry::names::<Hash>(args)?;
    reply.array(fields.len());
    let Some(mut hash) = cx.db.write::<Hash>(&key)? else {
        fields.iter().for_each(|_| reply.null());
        return Ok(Effect::None);
    };
    hash.purge_elements(fields.iter().copied());
    let deleted = hash.edit(HDEL_EVENT, |hash| answer(hash, fields, reply, Change::Delete));
    hash.name_elements(HDEL_EVENT, deleted.iter().copied());
    if !deleted.is_empty() {
        element_expiry::rewrite_deletion::<Hash>(cx, &key, fields);
    }
    Ok(Effect::Rewrite)
}
