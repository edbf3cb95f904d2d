//! Keys under other names and in other databases.

use super::database;
use command::grammar::{Argument, integer, key, key_of, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use resp::Reply;

pub(super) const COPY: Command = Command::data("COPY", copy)
    .group(Group::Generic)
    .since("6.2.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::KEYSPACE))
    .keys(&[
        KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS)),
        KeySpec::at(2, KeyFlags::OW.or(KeyFlags::UPDATE)),
    ])
    .args(&[
        key_of("source", 0),
        key_of("destination", 1),
        integer("destination-db").token("DB").optional().samples(&["0", "1"]),
        word("replace", "REPLACE").optional(),
    ])
    .summary("Copies the value of a key to another key.")
    .complexity("O(1) for large values, which the copies share; O(N) for small ones");

pub(super) const MOVE: Command = Command::data("MOVE", r#move)
    .group(Group::Generic)
    .since("1.0.0")
    .arity(3)
    .flags(Flags::WRITE.or(Flags::FAST).or(Flags::KEYSPACE))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))])
    .args(&[key("key"), integer("db").samples(&["0", "1"])])
    .summary("Moves a key to another database.")
    .complexity("O(1)");

pub(super) const RENAME: Command = Command::data("RENAME", rename)
    .group(Group::Generic)
    .since("1.0.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::KEYSPACE))
    .keys(&[
        KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
        KeySpec::at(2, KeyFlags::OW.or(KeyFlags::UPDATE)),
    ])
    .args(RENAME_ARGS)
    .summary("Gives a key another name, whatever had it.")
    .complexity("O(1)");

pub(super) const RENAMENX: Command = Command::data("RENAMENX", renamenx)
    .group(Group::Generic)
    .since("1.0.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::FAST).or(Flags::KEYSPACE))
    .keys(&[
        KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
        KeySpec::at(2, KeyFlags::OW.or(KeyFlags::INSERT)),
    ])
    .args(RENAME_ARGS)
    .summary("Gives a key another name that is free.")
    .complexity("O(1)")
    .history(&[("3.2.0", "Equal names are no error.")]);

const RENAME_ARGS: &[Argument] =
    &[key_of("key", 0), key_of("newkey", 1), word("withetag", "WITHETAG").optional()];

fn copy(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    let mut replace = false;
    let mut target_db = cx.db.index();
    while args.left() > 0 {
        if args.token("REPLACE") {
            replace = true;
        } else if args.token("DB") && args.left() > 0 {
            target_db = database(cx, args)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if target_db == cx.db.index() && source.bytes() == target.bytes() {
        return Err(CommandError::SameObject);
    }
    let found = cx.db.get(&source).is_some();
    let free = replace || cx.db.peek_in(target_db, &target).is_none();
    reply.integer(i64::from(found && free));
    if found && free {
        cx.db.copy(&source, &target, target_db);
    }
    Ok(Effect::Same)
}

fn r#move(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let target_db = database(cx, args)?;
    if target_db == cx.db.index() {
        return Err(CommandError::SameObject);
    }
    let moved = cx.db.move_to(&key, target_db);
    reply.integer(i64::from(moved));
    Ok(Effect::Same)
}

/// Whether a string is to have a tag under its new name. No other word may follow the names.
fn with_etag(args: &mut Args<'_>, command: &str) -> Result<bool, CommandError> {
    let tagged = args.token("WITHETAG");
    if args.left() == 0 { Ok(tagged) } else { Err(CommandError::arity(command)) }
}

fn rename(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    let tagged = with_etag(args, "rename")?;
    if cx.db.peek(&source).is_none() {
        return Err(CommandError::NoSuchKey);
    }
    if source.bytes() != target.bytes() {
        cx.db.rename(&source, &target, tagged);
    }
    reply.ok();
    Ok(Effect::Same)
}

fn renamenx(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    let tagged = with_etag(args, "renamenx")?;
    if cx.db.peek(&source).is_none() {
        return Err(CommandError::NoSuchKey);
    }
    // Equal names: the target exists.
    let free = cx.db.peek(&target).is_none();
    if free {
        cx.db.rename(&source, &target, tagged);
    }
    reply.integer(i64::from(free));
    Ok(Effect::Same)
}
