//! Members that expire: SEXPIRE and its kin, STTL and its kin, SADDEX.
//!
//! A set with such a member is a hashtable. Members that have expired are hidden from reads and
//! deleted by the sweep, or by a write that touches them; see `keyspace::elements`.

use super::{READ, SADD_EVENT};
use command::element_expiry::{self, Expiring as _, seconds};
use command::grammar::{Argument, block, integer, key, one_of, string, unix_time, word};
use command::{Args, Command, Cx, Effect, Flags, Group, Handler, KeyFlags, KeySpec, Outcome};
use resp::Reply;
use types::Collection as _;
use types::set::Set;

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
        .group(Group::Set)
        .since("8.12.0")
        .complexity("O(N), N members named")
}

const fn setter(name: &'static str, handler: Handler) -> Command {
    row(name, handler).arity(-6).flags(Flags::WRITE.or(Flags::FAST)).keys(UPDATE)
}

const fn timer(name: &'static str, handler: Handler) -> Command {
    row(name, handler).arity(-5).flags(Flags::READONLY.or(Flags::FAST)).keys(READ).args(NAMED)
}

pub(super) const SEXPIRE: Command = setter("SEXPIRE", sexpire)
    .args(&[key("key"), integer("seconds"), CONDITION, MEMBERS])
    .summary("Lets members of a set expire after some seconds.");

pub(super) const SPEXPIRE: Command = setter("SPEXPIRE", spexpire)
    .args(&[key("key"), integer("milliseconds"), CONDITION, MEMBERS])
    .summary("Lets members of a set expire after some milliseconds.");

pub(super) const SEXPIREAT: Command = setter("SEXPIREAT", sexpireat)
    .args(&[key("key"), unix_time("unix-time-seconds"), CONDITION, MEMBERS])
    .summary("Lets members of a set expire at a Unix time in seconds.");

pub(super) const SPEXPIREAT: Command = setter("SPEXPIREAT", spexpireat)
    .args(&[key("key"), unix_time("unix-time-milliseconds"), CONDITION, MEMBERS])
    .summary("Lets members of a set expire at a Unix time in milliseconds.");

pub(super) const SPERSIST: Command = setter("SPERSIST", spersist)
    .arity(-5)
    .args(NAMED)
    .summary("Takes the expiry of members of a set away.");

pub(super) const STTL: Command = timer("STTL", sttl)
    .summary("Answers in how many seconds members of a set expire.")
    .tips(&["nondeterministic_output"]);

pub(super) const SPTTL: Command = timer("SPTTL", spttl)
    .summary("Answers in how many milliseconds members of a set expire.")
    .tips(&["nondeterministic_output"]);

pub(super) const SEXPIRETIME: Command = timer("SEXPIRETIME", sexpiretime)
    .summary("Answers the Unix times in seconds at which members of a set expire.");

pub(super) const SPEXPIRETIME: Command = timer("SPEXPIRETIME", spexpiretime)
    .summary("Answers the Unix times in milliseconds at which members of a set expire.");

pub(super) const SADDEX: Command = row("SADDEX", saddex)
    .arity(-4)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::INSERT))])
    .args(&[
        key("key"),
        word("keepttl", "KEEPTTL").optional(),
        integer("seconds").samples(&["1", "100"]),
        string("member").many(),
    ])
    .summary("Adds members that expire after some seconds to a set.");

fn sexpire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::expire::<Set>(cx, args, reply, 1000, now_ms)
}

fn spexpire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::expire::<Set>(cx, args, reply, 1, now_ms)
}

fn sexpireat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::expire::<Set>(cx, args, reply, 1000, 0)
}

fn spexpireat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::expire::<Set>(cx, args, reply, 1, 0)
}

fn spersist(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::persist::<Set>(cx, args, reply)
}

fn sttl(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::times::<Set>(cx, args, reply, |at| seconds(at.saturating_sub(now_ms)))
}

fn spttl(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms;
    element_expiry::times::<Set>(cx, args, reply, |at| at.saturating_sub(now_ms))
}

fn sexpiretime(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::times::<Set>(cx, args, reply, seconds)
}

fn spexpiretime(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    element_expiry::times::<Set>(cx, args, reply, |at| at)
}

fn saddex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    // Another type is told before what is wrong with the arguments.
    cx.db.peek_as::<Set>(&key)?;
    let keeps = args.left() > 2 && args.token("KEEPTTL");
    let now_ms = cx.now_ms;
    let at = element_expiry::moment(args, 1000, now_ms)?;
    if at <= now_ms {
        return Err(command::CommandError::invalid_expire(args.spec().name));
    }
    let members = args.rest();
    let limits = &cx.settings.limits;
    let mut set = cx.db.write_or_new::<Set>(&key)?;
    set.purge_elements(members.iter().copied());
    let mut told: Vec<&[u8]> = Vec::with_capacity(members.len());
    let added = set.edit_told(
        |set| {
            let mut added = 0_usize;
            for member in members {
                if keeps && set.view().contains(*member) {
                    continue;
                }
                added += usize::from(set.add_expiring(member, at, limits));
                told.push(member);
            }
            (added, told.len())
        },
        |(added, told), tell| {
            if *added > 0 {
                tell(SADD_EVENT);
            }
            if *told > 0 {
                tell(Set::WORDS.expire_event);
            }
        },
    );
    reply.count(added.0);
    if !told.is_empty() {
        cx.rewrite(&[&[b"SADD", key.bytes()], &told[..]].concat());
        element_expiry::rewrite_expiry::<Set>(cx, &key, at, &[], &told);
    }
    Ok(Effect::Rewrite)
}
