//! Whether keys exist, what they hold, and their deletion.

use super::KEYS_SEEN;
use command::grammar::{Argument, key};
use command::{Args, Command, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::Event;
use resp::Reply;

/// Keys spread over shards: a proxy adds up the shards' answers.
const SUMMED: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

const DELETED: &[KeySpec] = &[KeySpec::from(1, 1, KeyFlags::RM.or(KeyFlags::DELETE))];
const KEYS: &[Argument] = &[key("key").many()];

/// A row that deletes keys.
const fn deleting(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::Generic)
        .arity(-2)
        .flags(Flags::WRITE.or(Flags::KEYSPACE))
        .keys(DELETED)
        .args(KEYS)
        .summary("Deletes keys.")
        .complexity("O(N), N keys to delete; large values are freed in the background")
        .tips(SUMMED)
}

pub(super) const DEL: Command = deleting("DEL", del).since("1.0.0");

pub(super) const UNLINK: Command = deleting("UNLINK", del)
    .since("4.0.0")
    .flags(Flags::WRITE.or(Flags::FAST).or(Flags::KEYSPACE))
    .summary("Deletes keys and frees their values in the background.")
    .complexity("O(1) for each key; large values are freed in the background");

/// KeyDB's: the name under which it deletes keys that have expired; to a client another DEL.
pub(super) const EXPDEL: Command = deleting("EXPDEL", expdel).since("8.12.0");

pub(super) const EXISTS: Command = Command::data("EXISTS", exists)
    .group(Group::Generic)
    .since("1.0.0")
    .arity(-2)
    .flags(Flags::READONLY.or(Flags::FAST).or(Flags::KEYSPACE))
    .keys(KEYS_SEEN)
    .args(&[key("key").many()])
    .summary("Counts which of the keys exist.")
    .complexity("O(N), N keys asked for")
    .history(&[("3.0.3", "Several keys.")])
    .tips(SUMMED);

/// KeyDB's: EXISTS of each key by itself.
pub(super) const MEXISTS: Command = Command::data("KEYDB.MEXISTS", mexists)
    .group(Group::Generic)
    .since("8.12.0")
    .arity(-2)
    .flags(Flags::READONLY.or(Flags::FAST).or(Flags::KEYSPACE))
    .keys(KEYS_SEEN)
    .args(&[key("key").many()])
    .summary("Tells of each key whether it exists.")
    .complexity("O(N), N keys asked for");

pub(super) const TOUCH: Command = Command::data("TOUCH", touch)
    .group(Group::Generic)
    .since("3.2.1")
    .arity(-2)
    .flags(Flags::READONLY.or(Flags::FAST).or(Flags::KEYSPACE))
    .keys(KEYS_SEEN)
    .args(&[key("key").many()])
    .summary("Counts which of the keys exist, and marks them as just used.")
    .complexity("O(N), N keys to touch")
    .tips(SUMMED);

pub(super) const TYPE: Command = Command::data("TYPE", r#type)
    .group(Group::Generic)
    .since("1.0.0")
    .arity(2)
    .flags(Flags::READONLY.or(Flags::FAST).or(Flags::KEYSPACE))
    .keys(&[KeySpec::at(1, KeyFlags::RO)])
    .args(&[key("key")])
    .summary("Names the type of the value that a key holds.")
    .complexity("O(1)");

fn del(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut deleted = 0;
    for key in args.keys() {
        deleted += usize::from(cx.db.delete(key, Event::generic("del")));
    }
    reply.count(deleted);
    Ok(Effect::Same)
}

fn expdel(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    del(cx, args, reply)?;
    let mut words: Vec<&[u8]> = vec![b"DEL"];
    words.extend(args.keys().iter().map(|key| key.bytes()));
    cx.rewrite(&words);
    Ok(Effect::Rewrite)
}

fn exists(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut found = 0;
    for key in args.keys() {
        let hit = cx.db.peek(key).is_some();
        cx.db.count_lookup(key, hit);
        found += usize::from(hit);
    }
    reply.count(found);
    Ok(Effect::None)
}

fn mexists(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.array(args.keys().len());
    for key in args.keys() {
        reply.boolean(cx.db.exists(key));
    }
    Ok(Effect::None)
}

fn touch(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    // In spite of CLIENT NO-TOUCH.
    cx.db.touches();
    let mut found = 0;
    for key in args.keys() {
        found += usize::from(cx.db.get(key).is_some());
    }
    reply.count(found);
    Ok(Effect::None)
}

fn r#type(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let name = cx.db.peek(&key).map(|entry| entry.type_of().name());
    cx.db.count_lookup(&key, name.is_some());
    reply.simple(name.unwrap_or("none"));
    Ok(Effect::None)
}
