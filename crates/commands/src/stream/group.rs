//! Making and changing groups and IDs: XGROUP, XSETID.

use super::{CREATECONSUMER_EVENT, IDS, aside, no_group_in, parse_id};
use command::grammar::{Argument, integer, key, one_of, string, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group as Section, KeyFlags, KeySpec, Outcome,
    help,
};
use keyspace::{Event, Extent, KeyRef, WriteGuard};
use resp::Reply;
use types::stream::{Group, Stream, StreamId};

pub(super) const XGROUP: Command = Command::container("XGROUP", SUBCOMMANDS)
    .group(Section::Stream)
    .since("5.0.0")
    .summary("Makes, changes and removes consumer groups.")
    .complexity("That of the subcommand");

const SUBCOMMANDS: &[Command] = &[
    row("CREATE", create, KeyFlags::INSERT)
        .arity(-5)
        .flags(Flags::WRITE.or(Flags::DENYOOM))
        .args(&[
            key("key"),
            string("group"),
            ID_SELECTOR,
            word("mkstream", "MKSTREAM").optional(),
            ENTRIES_READ,
        ])
        .summary("Makes a consumer group.")
        .history(&[("7.0.0", "Option ENTRIESREAD.")]),
    row("CREATECONSUMER", create_consumer, KeyFlags::INSERT)
        .since("6.2.0")
        .arity(5)
        .flags(Flags::WRITE.or(Flags::DENYOOM))
        .args(CONSUMER)
        .summary("Makes a consumer in a group."),
    row("DELCONSUMER", delete_consumer, KeyFlags::DELETE)
        .arity(5)
        .args(CONSUMER)
        .complexity("O(N log N), N the number of entries it has pending")
        .summary("Removes a consumer from a group, and what it has pending."),
    row("DESTROY", destroy, KeyFlags::DELETE)
        .arity(4)
        .args(&[key("key"), string("group")])
        .summary("Removes a consumer group."),
    Command::data("HELP", xgroup_help)
        .group(Section::Stream)
        .since("5.0.0")
        .arity(2)
        .flags(Flags::LOADING.or(Flags::STALE))
        .summary("Lists the subcommands.")
        .complexity("O(1)"),
    row("SETID", set_id, KeyFlags::UPDATE)
        .arity(-5)
        .args(&[key("key"), string("group"), ID_SELECTOR, ENTRIES_READ])
        .summary("Sets the ID up to which a group has read.")
        .history(&[("7.0.0", "Option ENTRIESREAD.")]),
];

pub(super) const XSETID: Command = Command::data("XSETID", xsetid)
    .group(Section::Stream)
    .since("5.0.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(super::UPDATE)
    .args(&[
        key("key"),
        string("last-id").samples(IDS),
        integer("entries-added").token("ENTRIESADDED").optional().since("7.0.0"),
        string("max-deleted-id").token("MAXDELETEDID").optional().since("7.0.0").samples(IDS),
    ])
    .summary("Sets the last ID of a stream and its counts. Replication uses it.")
    .complexity("O(log N)")
    .history(&[("7.0.0", "Options ENTRIESADDED and MAXDELETEDID.")]);

const ID_SELECTOR: Argument =
    one_of("id-selector", &[string("id").samples(IDS), word("new-id", "$")]);
const ENTRIES_READ: Argument =
    integer("entriesread").display("entries-read").token("ENTRIESREAD").optional();
const CONSUMER: &[Argument] = &[key("key"), string("group"), string("consumer")];

const ON_UPDATE: &[KeySpec] = &[KeySpec::at(2, KeyFlags::RW.or(KeyFlags::UPDATE))];
const ON_INSERT: &[KeySpec] = &[KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT))];
const ON_DELETE: &[KeySpec] = &[KeySpec::at(2, KeyFlags::RW.or(KeyFlags::DELETE))];

const fn row(name: &'static str, handler: command::Handler, effect: KeyFlags) -> Command {
    let keys = if effect.has(KeyFlags::INSERT) {
        ON_INSERT
    } else if effect.has(KeyFlags::DELETE) {
        ON_DELETE
    } else {
        ON_UPDATE
    };
    Command::data(name, handler)
        .group(Section::Stream)
        .since("5.0.0")
        .flags(Flags::WRITE)
        .keys(keys)
        .complexity("O(1)")
}

fn xgroup_help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    help(
        "XGROUP",
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Make a group that reads what comes after the ID. Options are:",
            "    * MKSTREAM",
            "      Make an empty stream if there is none.",
            "    * ENTRIESREAD entries_read",
            "      How many entries count as read.",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Make a consumer in a group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove a consumer and what it has pending.",
            "DESTROY <key> <groupname>",
            "    Remove a group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Let a group read on from the ID.",
        ],
        reply,
    );
    Ok(Effect::None)
}

/// The options of CREATE and SETID.
#[derive(Clone, Copy, Default)]
struct Options {
    make: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(args: &mut Args<'_>, creates: bool) -> Result<Self, CommandError> {
        let mut options = Self::default();
        let refused = {
            let name = args.all().get(1).copied().unwrap_or_default();
            CommandError::unknown_or_arity("XGROUP", name)
        };
        while let Some(word) = args.next() {
            if creates && word.eq_ignore_ascii_case(b"MKSTREAM") {
                options.make = true;
            } else if word.eq_ignore_ascii_case(b"ENTRIESREAD") && args.left() > 0 {
                options.entries_read = match args.integer()? {
                    -1 => None,
                    count => {
                        let count = u64::try_from(count);
                        Some(count.map_err(|_| CommandError::XgroupEntriesRead)?)
                    }
                };
            } else {
                return Err(refused);
            }
        }
        // Each option once.
        if args.all().len() > if creates { 8 } else { 7 } {
            return Err(refused);
        }
        Ok(options)
    }
}

/// The ID argument: `$` is the last one of the stream. With `ends`, `-` and `+` are IDs too.
fn id_or_last(text: &[u8], last: StreamId, ends: bool) -> Result<StreamId, CommandError> {
    match text {
        b"$" => Ok(last),
        _ if ends => StreamId::parse_or_end(text, 0).ok_or(CommandError::StreamId),
        _ => parse_id(text),
    }
}

/// The stream at a key that must be there.
fn stream_at<'g, 'a>(
    cx: &'g mut Cx<'a>,
    key: &'g KeyRef<'_>,
) -> Result<WriteGuard<'g, 'a, Stream>, CommandError> {
    cx.db.write::<Stream>(key)?.ok_or(CommandError::XgroupNoKey)
}

/// The same, with a group that must be there.
fn group_at<'g, 'a>(
    cx: &'g mut Cx<'a>,
    key: &'g KeyRef<'_>,
    group: &[u8],
) -> Result<WriteGuard<'g, 'a, Stream>, CommandError> {
    let guard = stream_at(cx, key)?;
    if guard.view().group(group).is_none() {
        return Err(no_group_in(key.bytes(), group));
    }
    Ok(guard)
}

fn create(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (name, id) = (args.bytes()?, args.bytes()?);
    let options = Options::parse(args, true)?;
    let memory = cx.settings.limits.stream_memory;
    let mut guard = cx.db.write_or_new::<Stream>(&key)?;
    let exists = guard.exists();
    if !exists && !options.make {
        return Err(CommandError::XgroupNoKey);
    }
    let id = id_or_last(id, guard.view().log().last_id(), false)?;
    if guard.view().group(name).is_some() {
        return Err(CommandError::BusyGroup);
    }
    let group = Group::new(name, id, options.entries_read);
    // With the key, the value comes to be.
    let event = if exists { aside("xgroup-create") } else { Event::stream("xgroup-create") };
    guard.edit(event, |stream| {
        if !exists {
            *stream = Stream::new(memory);
        }
        stream.add_group(group)
    });
    reply.ok();
    Ok(Effect::Same)
}

fn set_id(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (name, id) = (args.bytes()?, args.bytes()?);
    let options = Options::parse(args, false)?;
    let mut guard = group_at(cx, &key, name)?;
    let id = id_or_last(id, guard.view().log().last_id(), true)?;
    guard.edit(aside("xgroup-setid"), |stream| {
        stream.with_group(name, |_, group| {
            group.last_id = id;
            group.entries_read = options.entries_read;
        })
    });
    reply.ok();
    Ok(Effect::Same)
}

fn destroy(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let name = args.bytes()?;
    let mut guard = stream_at(cx, &key)?;
    // Who waits in the group is to hear that it is gone.
    let event = Event::stream("xgroup-destroy").within(Extent::Waiters);
    let gone = guard.edit(event, |stream| stream.remove_group(name));
    reply.integer(i64::from(gone));
    Ok(Effect::Same)
}

fn create_consumer(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (name, consumer) = (args.bytes()?, args.bytes()?);
    let now_ms = cx.now_ms;
    let mut guard = group_at(cx, &key, name)?;
    let made = guard.edit(CREATECONSUMER_EVENT, |stream| {
        let made = stream.with_group(name, |_, group| group.add_consumer(consumer, now_ms));
        made.flatten().is_some()
    });
    reply.integer(i64::from(made));
    Ok(Effect::Same)
}

fn delete_consumer(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (name, consumer) = (args.bytes()?, args.bytes()?);
    let mut guard = group_at(cx, &key, name)?;
    let pending = guard.edit(aside("xgroup-delconsumer"), |stream| {
        stream.with_group(name, |_, group| group.remove_consumer(consumer)).flatten()
    });
    reply.count(pending.unwrap_or(0));
    Ok(Effect::Same)
}

fn xsetid(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let id = parse_id(args.bytes()?)?;
    let (mut added, mut max_deleted) = (None, None);
    while let Some(word) = args.next() {
        let more = args.left() > 0;
        if more && word.eq_ignore_ascii_case(b"ENTRIESADDED") {
            let count = u64::try_from(args.integer()?);
            added = Some(count.map_err(|_| CommandError::XsetidAdded)?);
        } else if more && word.eq_ignore_ascii_case(b"MAXDELETEDID") {
            let deleted = parse_id(args.bytes()?)?;
            if id < deleted {
                return Err(CommandError::XsetidBelowGivenDeleted);
            }
            max_deleted = Some(deleted).filter(|deleted| *deleted != StreamId::MIN);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let mut guard = cx.db.write::<Stream>(&key)?.ok_or(CommandError::NoSuchKey)?;
    let log = guard.view().log();
    if id < log.max_deleted_id() {
        return Err(CommandError::XsetidBelowDeleted);
    }
    if log.last_entry_id().is_some_and(|last| id < last) {
        return Err(CommandError::XsetidBelowTop);
    }
    if added.is_some_and(|added| added < log.len() as u64) {
        return Err(CommandError::XsetidBelowLen);
    }
    guard.edit(aside("xsetid"), |stream| stream.set_ids(id, added, max_deleted));
    reply.ok();
    Ok(Effect::Same)
}
