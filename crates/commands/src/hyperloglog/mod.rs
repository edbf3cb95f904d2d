//! The HyperLogLog family: strings that count distinct elements. The string itself is `types::hll`;
//! here are arguments, answers, and what the journal is told.
//!
//! A sparse string is changed in a copy, so that one whose registers do not add up stays as it was;
//! a dense one where it stands.

mod debug;
mod selftest;

use command::grammar::{key, key_of, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{Event, EventClass, KeyRef};
use resp::Reply;
use types::hll::{self, Hll, HllError, Registers};

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] =
    &[PFADD, PFCOUNT, debug::PFDEBUG, PFMERGE, selftest::PFSELFTEST];

const PFADD: Command = Command::data("PFADD", pfadd)
    .group(Group::Hyperloglog)
    .since("2.8.9")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::INSERT))])
    .args(&[key("key"), string("element").optional().many()])
    .summary("Adds elements to a HyperLogLog; a missing key is made.")
    .complexity("O(1) for each element");

const PFCOUNT: Command = Command::data("PFCOUNT", pfcount)
    .group(Group::Hyperloglog)
    .since("2.8.9")
    .arity(-2)
    .flags(Flags::READONLY.or(Flags::MAY_REPLICATE))
    .keys(&[KeySpec::from(1, 1, KeyFlags::RW.or(KeyFlags::ACCESS)).notes(
        "RW because it may change the internal representation of the key, and propagate to replicas",
    )])
    .args(&[key("key").many()])
    .summary("Answers about how many distinct elements were added to any of the HyperLogLogs.")
    .complexity("O(1) for one key, from its cache if nothing was added; O(N) for N keys");

const PFMERGE: Command = Command::data("PFMERGE", pfmerge)
    .group(Group::Hyperloglog)
    .since("2.8.9")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[
        KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::INSERT)),
        KeySpec::from(2, 1, KeyFlags::RO.or(KeyFlags::ACCESS)),
    ])
    .args(&[key_of("destkey", 0), key_of("sourcekey", 1).optional().many()])
    .summary("Adds what HyperLogLogs have counted to one of them; a missing key is made.")
    .complexity("O(N), N the HyperLogLogs to merge");

const PFADD_EVENT: Event = Event::string("pfadd");
/// No notification tells of it, but who watches the string is to know that it is another one.
const COUNTED: Event = Event::of(EventClass::Silent, "pfcount");

/// What a write finds at a key.
enum Found {
    Nothing,
    Dense,
    /// A copy.
    Sparse(Vec<u8>),
}

fn find(cx: &mut Cx<'_>, key: &KeyRef<'_>) -> Result<Found, CommandError> {
    let Some(value) = cx.db.string_for_write(key)? else { return Ok(Found::Nothing) };
    let mut scratch = Vec::new();
    let bytes = value.text(&mut scratch);
    let dense = Hll::parse(bytes)?.is_dense();
    Ok(if dense { Found::Dense } else { Found::Sparse(bytes.to_vec()) })
}

/// Puts `bytes` in the place of the string at `key`, or where none was; an expiry stays.
fn store(cx: &mut Cx<'_>, key: &KeyRef<'_>, bytes: Vec<u8>, event: Event) {
    cx.db.edit(key, event, |own| *own = bytes);
}

/// Adds to a sparse one; whether that changed it.
fn add_all(bytes: &mut Vec<u8>, elements: &[&[u8]], bytes_max: usize) -> Result<bool, HllError> {
    let mut changed = false;
    for element in elements {
        changed |= hll::add(bytes, element, bytes_max)?;
    }
    if changed {
        hll::invalidate(bytes);
    }
    Ok(changed)
}

fn pfadd(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let elements = args.rest();
    let bytes_max = cx.settings.limits.hll_sparse_bytes;
    let changed = match find(cx, &key)? {
        Found::Dense => cx.db.patch(&key, PFADD_EVENT, |bytes| {
            let mut changed = false;
            for element in elements {
                changed |= hll::add_dense(bytes, element);
            }
            if changed {
                hll::invalidate(bytes);
            }
            changed
        }),
        Found::Sparse(mut bytes) => {
            let changed = add_all(&mut bytes, elements, bytes_max)?;
            if changed {
                store(cx, &key, bytes, PFADD_EVENT);
            }
            changed
        }
        Found::Nothing => {
            let mut bytes = hll::empty();
            add_all(&mut bytes, elements, bytes_max)?;
            hll::invalidate(&mut bytes);
            store(cx, &key, bytes, PFADD_EVENT);
            true
        }
    };
    reply.integer(changed.into());
    Ok(if changed { Effect::Same } else { Effect::None })
}

/// Merges the HyperLogLogs at `keys`; whether one of them was dense.
fn merge(
    cx: &mut Cx<'_>,
    keys: &[KeyRef<'_>],
    registers: &mut Registers,
) -> Result<bool, CommandError> {
    let mut dense = false;
    for key in keys {
        let Some(value) = cx.db.string(key)? else { continue };
        let mut scratch = Vec::new();
        let hll = Hll::parse(value.text(&mut scratch))?;
        dense |= hll.is_dense();
        registers.merge(hll)?;
    }
    Ok(dense)
}

fn pfcount(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let [key] = args.keys() else {
        let mut registers = Registers::default();
        merge(cx, args.keys(), &mut registers)?;
        reply.integer(registers.count() as i64);
        return Ok(Effect::None);
    };
    let Some(value) = cx.db.string(key)? else {
        reply.integer(0);
        return Ok(Effect::None);
    };
    let mut scratch = Vec::new();
    let hll = Hll::parse(value.text(&mut scratch))?;
    if let Some(count) = hll.cached() {
        reply.integer(count as i64);
        return Ok(Effect::None);
    }
    let count = hll.count()?;
    // The cache is part of the string, which replicas are to have as it is here.
    cx.db.patch(key, COUNTED, |bytes| {
        hll::set_cached(bytes, count);
        true
    });
    reply.integer(count as i64);
    Ok(Effect::Same)
}

fn pfmerge(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let target = args.key()?;
    let mut registers = Registers::default();
    let dense = merge(cx, args.keys(), &mut registers)?;
    let bytes_max = cx.settings.limits.hll_sparse_bytes;
    // The target is among the keys merged: registers only rise.
    let merge_into = |bytes: &mut Vec<u8>| -> Result<(), HllError> {
        if dense {
            hll::to_dense(bytes)?;
        }
        hll::put(bytes, &registers, bytes_max)?;
        hll::invalidate(bytes);
        Ok(())
    };
    match find(cx, &target)? {
        Found::Dense => {
            cx.db.patch(&target, PFADD_EVENT, |bytes| {
                hll::put_dense(bytes, &registers);
                hll::invalidate(bytes);
                true
            });
        }
        Found::Sparse(mut bytes) => {
            merge_into(&mut bytes)?;
            store(cx, &target, bytes, PFADD_EVENT);
        }
        Found::Nothing => {
            let mut bytes = hll::empty();
            merge_into(&mut bytes)?;
            store(cx, &target, bytes, PFADD_EVENT);
        }
    }
    reply.ok();
    Ok(Effect::Same)
}
