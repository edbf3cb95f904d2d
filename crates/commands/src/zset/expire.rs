//! Members that expire: ZEXPIRE and its kin, ZTTL and its kin, ZCOLLECT.
//!
//! A set with such a member is a skiplist. Members that have expired are hidden from reads and
//! deleted by the sweep, or by a write that touches them; see `keyspace::elements`.

use super::READ;
use command::element_expiry::{self, seconds};
use command::grammar::{Argument, block, integer, key, one_of, string, unix_time, word};
use command::{Args, Command, Cx, Flags, Group, Handler, KeyFlags, KeySpec, Outcome};
use resp::Reply;
use types::zset::ZSet;

const UPDATE: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))];
const MEMBERS: Argument =
    block("members", &[integer("nummembers").samples(&["1", "2"]), string("member").many()])
        .token("MEMBERS");
const NAMED: &[Argument] = &[key("key"), MEMBERS];
const CONDITION: Argument =
    one_of("condition", &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")])
        .optional();

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::data(name, handler)
        .group(Group::SortedSet)
        .since("8.12.0")
        .complexity("O(M log(N)), M members named, of N")
}

const fn setter(name: &'static str, handler: Handler) -> Command {
    row(name, handler).arity(-6).flags(Flags::WRITE.or(Flags::FAST)).keys(UPDATE)
}

const fn timer(name: &'static str, handler: Handler) -> Command {
    row(name, handler).arity(-5).flags(Flags::READONLY.or(Flags::FAST)).keys(READ).args(NAMED)
}

pub(super) const ZEXPIRE: Command = setter("ZEXPIRE", zexpire)
    .args(&[key("key"), integer("seconds"), CONDITION, MEMBERS])
    .summary("Lets members of a sorted set expire after some seconds.");

pub(super) const ZPEXPIRE: Command = setter("ZPEXPIRE", zpexpire)
    .args(&[key("key"), integer("milliseconds"), CONDITION, MEMBERS])
    .summary("Lets members of a sorted set expire after some milliseconds.");

pub(super) const ZEXPIREAT: Command = setter("ZEXPIREAT", zexpireat)
    .args(&[key("key"), unix_time("unix-time-seconds"), CONDITION, MEMBERS])
    .summary("Lets members of a sorted set expire at a Unix time in seconds.");

pub(super) const ZPEXPIREAT: Command = setter("ZPEXPIREAT", zpexpireat)
    .args(&[key("key"), unix_time("unix-time-milliseconds"), CONDITION, MEMBERS])
    .summary("Lets members of a sorted set expire at a Unix time in milliseconds.");

pub(super) const ZPERSIST: Command = setter("ZPERSIST", zpersist)
    .arity(-5)
    .args(NAMED)
    .summary("Takes the expiry of members of a sorted set away.");

pub(super) const ZTTL: Command = timer("ZTTL", zttl)
    .summary("Answers in how many seconds members of a sorted set expire.")
    .tips(&["nondeterministic_output"]);

pub(super) const ZPTTL: Command = timer("ZPTTL", zpttl)
    .summary("Answers in how many milliseconds members of a sorted set expire.")
    .tips(&["nondeterministic_output"]);

pub(super) const ZEXPIRETIME: Command = timer("ZEXPIRETIME", zexpiretime)
    .summary("Answers the Unix times in seconds at which members of a sorted set expire.");

pub(super) const ZPEXPIRETIME: Command = timer("ZPEXPIRETIME", zpexpiretime)
    .summary("Answers the Unix times in milliseconds at which members of a sorted set expire.");

pub(super) const ZCOLLECT: Command = row("ZCOLLECT", zcollect)
    .arity(-2)
    .flags(Flags::WRITE)
    .keys(&[KeySpec::range(1, -1, KeyFlags::RW.or(KeyFlags::DELETE))])
    .args(&[key("key").many()])
    .summary("Deletes the members of sorted sets that have expired at once.")
    .complexity("O(N), N members that have expired");

fn zexpire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::expire::<ZSet>(cx, args, reply, 1000, now_ms)
}

fn zpexpire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::expire::<ZSet>(cx, args, reply, 1, now_ms)
}

fn zexpireat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::expire::<ZSet>(cx, args, reply, 1000, 0)
}

fn zpexpireat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::expire::<ZSet>(cx, args, reply, 1, 0)
}

fn zpersist(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::persist::<ZSet>(cx, args, reply)
}

fn zttl(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::times::<ZSet>(cx, args, reply, |at| seconds(at.saturating_sub(now_ms)))
}

fn zpttl(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::times::<ZSet>(cx, args, reply, |at| at.saturating_sub(now_ms))
}

fn zexpiretime(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::times::<ZSet>(cx, args, reply, seconds)
}

fn zpexpiretime(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::times::<ZSet>(cx, args, reply, |at| at)
}

fn zcollect(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::collect::<ZSet>(cx, args, reply)
}
