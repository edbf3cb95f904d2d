//! Giving fields an expiry and taking it away: HEXPIRE and its kin, HPERSIST; HCOLLECT.

use super::{FIELDS, UPDATE};
use command::grammar::{Argument, integer, key, one_of, unix_time, word};
use command::{Args, Command, Cx, Flags, Group, KeyFlags, KeySpec, Outcome, element_expiry};
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

pub(super) const HCOLLECT: Command = Command::data("HCOLLECT", hcollect)
    .group(Group::Hash)
    .since("8.12.0")
    .arity(-2)
    .flags(Flags::WRITE)
    .keys(&[KeySpec::range(1, -1, KeyFlags::RW.or(KeyFlags::DELETE))])
    .args(&[key("key").many()])
    .summary("Deletes the fields of hashes that have expired at once.")
    .complexity("O(N), N fields that have expired");

fn hexpire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::expire::<Hash>(cx, args, reply, 1000, now_ms)
}

fn hpexpire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::expire::<Hash>(cx, args, reply, 1, now_ms)
}

fn hexpireat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::expire::<Hash>(cx, args, reply, 1000, 0)
}

fn hpexpireat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::expire::<Hash>(cx, args, reply, 1, 0)
}

fn hpersist(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::persist::<Hash>(cx, args, reply)
}

fn hcollect(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::collect::<Hash>(cx, args, reply)
}
