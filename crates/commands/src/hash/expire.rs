//! Giving fields an expiry and taking it away: HEXPIRE and its kin, HPERSIST.

use super::{
    FIELDS, HDEL_EVENT, HEXPIRE_EVENT, HPERSIST_EVENT, UPDATE, count_passed, fields, moment,
    rewrite_deletion, rewrite_expiry,
};
use command::grammar::{Argument, integer, key, one_of, unix_time, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;
use types::hash::Hash;

const SETTER: Flags = Flags::WRITE.or(Flags::FAST);
const CONDITION: Argument =
    one_of("condition", &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")])
        .optional();

pub(super) const HEXPIRE: Command = Command::data("HEXPIRE", hexpire)
    .group(Group::Hash)
    .since("7.4.0")
    .arity(-6)
    .flags(SETTER)
    .keys(UPDATE)
    .args(&[key("key"), integer("seconds"), CONDITION, FIELDS])
    .summary("Lets fields of a hash expire after some seconds.")
    .complexity("O(N), N fields named");

pub(super) const HPEXPIRE: Command = Command::data("HPEXPIRE", hpexpire)
    .group(Group::Hash)
    .since("7.4.0")
    .arity(-6)
    .flags(SETTER)
    .keys(UPDATE)
    .args(&[key("key"), integer("milliseconds"), CONDITION, FIELDS])
    .summary("Lets fields of a hash expire after some milliseconds.")
    .complexity("O(N), N fields named");

pub(super) const HEXPIREAT: Command = Command::data("HEXPIREAT", hexpireat)
    .group(Group::Hash)
    .since("7.4.0")
    .arity(-6)
    .flags(SETTER)
    .keys(UPDATE)
    .args(&[key("key"), unix_time("unix-time-seconds"), CONDITION, FIELDS])
    .summary("Lets fields of a hash expire at a Unix time in seconds.")
    .complexity("O(N), N fields named");

pub(super) const HPEXPIREAT: Command = Command::data("HPEXPIREAT", hpexpireat)
    .group(Group::Hash)
    .since("7.4.0")
    .arity(-6)
    .flags(SETTER)
    .keys(UPDATE)
    .args(&[key("key"), unix_time("unix-time-milliseconds"), CONDITION, FIELDS])
    .summary("Lets fields of a hash expire at a Unix time in milliseconds.")
    .complexity("O(N), N fields named");

pub(super) const HPERSIST: Command = Command::data("HPERSIST", hpersist)
    .group(Group::Hash)
    .since("7.4.0")
    .arity(-5)
    .flags(SETTER)
    .keys(UPDATE)
    .args(&[key("key"), FIELDS])
    .summary("Takes the expiry of fields of a hash away.")
    .complexity("O(N), N fields named");

/// There is no such field.
const NO_FIELD: i64 = -2;
/// HPERSIST: the field has no expiry.
const NO_EXPIRY: i64 = -1;
/// The condition does not hold.
const NOT_MET: i64 = 0;
const DONE: i64 = 1;
/// The moment has passed: the field was deleted.
const DELETED: i64 = 2;

/// When the expiry of a field is changed.
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
    fn parse(args: &mut Args<'_>) -> Self {
        const WORDS: [(&str, Condition); 4] = [
            ("NX", Condition::Absent),
            ("XX", Condition::Present),
            ("GT", Condition::Later),
            ("LT", Condition::Earlier),
        ];
        let found = WORDS.iter().find(|(word, _)| args.token(word));
        found.map_or(Self::Always, |(_, condition)| *condition)
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

fn hexpire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    expire_from(cx, args, reply, 1000, now_ms)
}

fn hpexpire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    expire_from(cx, args, reply, 1, now_ms)
}

fn hexpireat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    expire_from(cx, args, reply, 1000, 0)
}

fn hpexpireat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    expire_from(cx, args, reply, 1, 0)
}

/// The number counts from `base_ms`, `unit_ms` each.
fn expire_from(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    unit_ms: i64,
    base_ms: i64,
) -> Outcome {
    let key = args.key()?;
    // Another type is told before what is wrong with the arguments.
    cx.db.peek_as::<Hash>(&key)?;
    let at = moment(args, unit_ms, base_ms)?;
    let condition = Condition::parse(args);
    let fields = fields(args, CommandError::FieldsNotAboveZero)?;
    let has_passed = cx.has_passed(at);
    reply.array(fields.len());
    let Some(mut hash) = cx.db.write::<Hash>(&key)? else {
        fields.iter().for_each(|_| reply.integer(NO_FIELD));
        return Ok(Effect::None);
    };
    hash.purge_elements(fields.iter().copied());
    let change = |hash: &mut Hash| {
        let mut changed = Vec::new();
        for field in fields {
            let code = set_expiry(hash, field, at, condition, has_passed);
            if matches!(code, DONE | DELETED) {
                changed.push(*field);
            }
            reply.integer(code);
        }
        changed
    };
    let event = if has_passed { HDEL_EVENT } else { HEXPIRE_EVENT };
    let changed = hash.edit(event, change);
    if has_passed {
        count_passed(cx, changed.len());
        rewrite_deletion(cx, &key, &changed);
    } else {
        rewrite_expiry(cx, &key, at, condition.word(), &changed);
    }
    Ok(Effect::Rewrite)
}

fn set_expiry(
    hash: &mut Hash,
    name: &[u8],
    at: i64,
    condition: Condition,
    has_passed: bool,
) -> i64 {
    use types::Collection as _;
    let Some(field) = hash.view().get(name) else { return NO_FIELD };
    if !condition.holds(field.expiry, at) {
        return NOT_MET;
    }
    if has_passed {
        hash.remove(name);
        return DELETED;
    }
    // 0, which only a node brings in that does not delete, would be none.
    hash.set_expiry(name, Some(at.max(1)));
    DONE
}

fn hpersist(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    use types::Collection as _;
    let key = args.key()?;
    cx.db.peek_as::<Hash>(&key)?;
    let fields = fields(args, CommandError::FieldsNotPositive)?;
    reply.array(fields.len());
    let Some(mut hash) = cx.db.write::<Hash>(&key)? else {
        fields.iter().for_each(|_| reply.integer(NO_FIELD));
        return Ok(Effect::None);
    };
    hash.purge_elements(fields.iter().copied());
    hash.edit(HPERSIST_EVENT, |hash| {
        let mut changed = 0_usize;
        for field in fields {
            let code = match hash.view().get(field).map(|field| field.expiry) {
                None => NO_FIELD,
                Some(None) => NO_EXPIRY,
                Some(Some(_)) => {
                    hash.set_expiry(field, None);
                    changed += 1;
                    DONE
                }
            };
            reply.integer(code);
        }
        changed
    });
    Ok(Effect::Same)
}
