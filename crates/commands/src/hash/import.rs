//! HIMPORT: hashes of the same fields, whose names are sent once.
//!
//! What is prepared belongs to the connection, or to the one run of a script. A hash that comes of it
//! is one like any other.

use super::HSET_EVENT;
use command::grammar::{key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use resp::Reply;
use types::hash::{Hash, Ttl};

pub(super) const HIMPORT: Command = Command::container("HIMPORT", SUBCOMMANDS)
    .group(Group::Hash)
    .since("8.10.0")
    .summary("Makes hashes of fields that are named once.")
    .complexity("That of the subcommand");

const EVERYWHERE: &[&str] = &["request_policy:all_shards"];

const SUBCOMMANDS: &[Command] = &[
    session("DISCARD", discard)
        .arity(3)
        .args(&[string("fieldset-name")])
        .summary("Forgets fields that were prepared."),
    session("DISCARDALL", discard_all).arity(2).summary("Forgets all fields that were prepared."),
    session("PREPARE", prepare)
        .arity(-4)
        .flags(Flags::DENYOOM)
        .args(&[string("fieldset-name"), string("field").many()])
        .summary("Gives a name to the fields of hashes to come.")
        .complexity("O(N*log(N)), N fields"),
    Command::data("SET", set)
        .group(Group::Hash)
        .since("8.10.0")
        .arity(-5)
        .flags(Flags::WRITE.or(Flags::DENYOOM))
        .keys(&[KeySpec::at(2, KeyFlags::OW.or(KeyFlags::UPDATE))])
        .args(&[key("key"), string("fieldset-name"), string("value").many()])
        .summary("Makes a hash of fields that were prepared.")
        .complexity("O(N), N fields"),
];

const fn session(name: &'static str, handler: command::Handler) -> Command {
    Command::conn(name, handler)
        .group(Group::Hash)
        .since("8.10.0")
        .complexity("O(log(N)), N sets of fields that are prepared")
        .tips(EVERYWHERE)
}

fn prepare(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let name = args.bytes()?;
    let fields = args.rest();
    cx.session.edit_fieldsets(|sets| sets.prepare(name, fields))?;
    reply.ok();
    Ok(Effect::None)
}

fn discard(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let name = args.bytes()?;
    let discarded = cx.session.edit_fieldsets(|sets| sets.discard(name));
    reply.integer(i64::from(discarded));
    Ok(Effect::None)
}

fn discard_all(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.count(cx.session.edit_fieldsets(std::mem::take).len());
    Ok(Effect::None)
}

/// The journal is told what any reader of it can follow.
fn set(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let existed = cx.db.peek_as::<Hash>(&key)?.is_some();
    let name = args.bytes()?;
    let fieldset = cx.session.fieldsets().and_then(|sets| sets.get(name));
    let pairs = fieldset.ok_or(CommandError::NoSuchFieldset)?.pairs(args.rest())?;
    let limits = &cx.settings.limits;
    let mut hash = Hash::default();
    hash.prepare(pairs.iter().copied(), limits);
    for pair in pairs.chunks_exact(2) {
        hash.set(pair[0], pair[1], Ttl::Clear, limits);
    }
    cx.db.replace(&key, hash, HSET_EVENT);
    cx.db.name_elements(&key, HSET_EVENT, pairs.iter().step_by(2).copied());
    if existed {
        cx.log.push(&[b"DEL", key.bytes()]);
    }
    cx.log.push(&[&[b"HSET".as_slice(), key.bytes()], &*pairs].concat());
    reply.ok();
    Ok(Effect::Rewrite)
}
