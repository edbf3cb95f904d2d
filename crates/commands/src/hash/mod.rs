//! The hash family. How a hash is kept, and when it changes its shape, is `types::hash`; how fields
//! expire is `keyspace::elements`. Here: arguments, answers, and what the journal is told.
//!
//! Reads show the fields whose time has not passed. A write first deletes those among the fields it
//! names whose time has, so that it meets what it shows. The journal is told outcomes: HGETEX,
//! HSETEX and the HEXPIRE family become HPEXPIREAT, HPERSIST, HSETEX with PXAT, or HDEL.
//!
//! What answers many fields does so from a clone of the hash, outside the lock: see `walk`.

mod counters;
mod expire;
mod get;
mod getex;
mod set;
mod setex;
mod times;
mod walk;

use command::grammar::{Argument, block, integer, string};
use command::{Args, Command, CommandError, Cx, KeyFlags, KeySpec};
use keyspace::{Event, KeyRef};

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    set::HDEL,
    get::HEXISTS,
    expire::HEXPIRE,
    expire::HEXPIREAT,
    times::HEXPIRETIME,
    get::HGET,
    walk::HGETALL,
    getex::HGETDEL,
    getex::HGETEX,
    counters::HINCRBY,
    counters::HINCRBYFLOAT,
    walk::HKEYS,
    get::HLEN,
    get::HMGET,
    set::HMSET,
    expire::HPERSIST,
    expire::HPEXPIRE,
    expire::HPEXPIREAT,
    times::HPEXPIRETIME,
    times::HPTTL,
    walk::HRANDFIELD,
    walk::HSCAN,
    set::HSET,
    setex::HSETEX,
    set::HSETNX,
    get::HSTRLEN,
    times::HTTL,
    walk::HVALS,
];

const READ: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))];
const LOOK: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO)];
const UPDATE: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))];

const HSET_EVENT: Event = Event::hash("hset");
const HDEL_EVENT: Event = Event::hash("hdel");
const HEXPIRE_EVENT: Event = Event::hash("hexpire");
const HPERSIST_EVENT: Event = Event::hash("hpersist");

/// `FIELDS numfields field [field ...]`.
const FIELDS: Argument =
    block("fields", &[integer("numfields").samples(&["1", "2"]), string("field").many()])
        .token("FIELDS");

/// The latest moment at which a field may expire, in milliseconds since 1970.
const EXPIRY_MAX_MS: i64 = (1 << 46) - 1;

/// Takes FIELDS, the number of fields and as many fields as are left; `not_positive` is what is said
/// of a number that is none or below 1.
fn fields<'a>(
    args: &mut Args<'a>,
    not_positive: CommandError,
) -> Result<&'a [&'a [u8]], CommandError> {
    if !args.token("FIELDS") {
        return Err(CommandError::FieldsMissing);
    }
    let count = args.integer().ok().filter(|count| *count > 0).ok_or(not_positive)?;
    let fields = args.rest();
    if usize::try_from(count) == Ok(fields.len()) {
        Ok(fields)
    } else {
        Err(CommandError::FieldsMismatch)
    }
}

/// Reads a time: `unit_ms` milliseconds each, counted from `base_ms`. Answers the moment in
/// milliseconds since 1970.
fn moment(args: &mut Args<'_>, unit_ms: i64, base_ms: i64) -> Result<i64, CommandError> {
    let number = args.integer()?;
    if number < 0 {
        return Err(CommandError::FieldExpiryNegative);
    }
    let at = number.checked_mul(unit_ms).and_then(|span| span.checked_add(base_ms));
    at.filter(|at| *at <= EXPIRY_MAX_MS)
        .ok_or_else(|| CommandError::invalid_expire(args.spec().name))
}

/// Tells the journal `head`, the number of fields, and the fields; nothing if there are none.
fn rewrite_fields(cx: &mut Cx<'_>, head: &[&[u8]], fields: &[&[u8]]) {
    if fields.is_empty() {
        return;
    }
    let count = fields.len().to_string();
    let words = [head, &[b"FIELDS", count.as_bytes()], fields].concat();
    cx.rewrite(&words);
}

/// Tells the journal that fields got an expiry; `condition` is one that held, or nothing.
fn rewrite_expiry(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    at: i64,
    condition: &[&[u8]],
    fields: &[&[u8]],
) {
    let at = at.to_string();
    let words = [&[b"HPEXPIREAT", key.bytes(), at.as_bytes()], condition].concat();
    rewrite_fields(cx, &words, fields);
}

/// Tells the journal that fields were deleted.
fn rewrite_deletion(cx: &mut Cx<'_>, key: &KeyRef<'_>, fields: &[&[u8]]) {
    if !fields.is_empty() {
        cx.rewrite(&[&[b"HDEL", key.bytes()], fields].concat());
    }
}

/// Counts fields that were deleted since they got an expiry that had passed: they have expired.
fn count_passed(cx: &Cx<'_>, fields: usize) {
    cx.space.count_expired_elements(fields as u64, cx.now_ms);
}
