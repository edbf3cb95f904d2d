//! XINFO: what there is to know of a stream, its groups and their consumers.

use super::{IN_PLACE_MAX, no_group_in, reply_entries, reply_entry, unsigned_ms};
use command::grammar::{Argument, block, integer, key, string, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group as Section, Job, JobStep, KeyFlags,
    KeySpec, Outcome, help,
};
use keyspace::Keyspace;
use resp::Reply;
use types::stream::{Consumer, Entry, Group, IdText, Log, Stream, StreamId};

pub(super) const XINFO: Command = Command::container("XINFO", SUBCOMMANDS)
    .group(Section::Stream)
    .since("5.0.0")
    .summary("Tells about streams, consumer groups and consumers.")
    .complexity("That of the subcommand");

const SUBCOMMANDS: &[Command] = &[
    row("CONSUMERS", consumers)
        .arity(4)
        .args(&[key("key"), string("group")])
        .complexity("O(N), N the number of consumers")
        .summary("Tells about the consumers of a group.")
        .history(&[("7.2.0", "Field `inactive`, and another meaning of `idle`.")])
        .tips(&["nondeterministic_output"]),
    row("GROUPS", groups)
        .arity(3)
        .args(&[key("key")])
        .complexity("O(N), N the number of groups")
        .summary("Tells about the consumer groups of a stream.")
        .history(&[("7.0.0", "Fields `entries-read` and `lag`.")]),
    Command::data("HELP", xinfo_help)
        .group(Section::Stream)
        .since("5.0.0")
        .arity(2)
        .flags(Flags::LOADING.or(Flags::STALE))
        .summary("Lists the subcommands.")
        .complexity("O(1)"),
    row("STREAM", stream)
        .arity(-3)
        .args(&[key("key"), FULL])
        .complexity("O(S), S the number of nodes; with FULL also the number of what is answered")
        .summary("Tells about a stream.")
        .history(&[
            ("6.0.0", "Option FULL."),
            (
                "7.0.0",
                "Fields `max-deleted-entry-id`, `entries-added` and `recorded-first-entry-id`.",
            ),
            ("7.2.0", "Field `active-time`, and another meaning of `seen-time`."),
            ("8.6.0", "Fields of idempotent producers, once there are any."),
        ]),
];

const FULL: Argument =
    block("full-block", &[word("full", "FULL"), integer("count").token("COUNT").optional()])
        .optional();

const READ: &[KeySpec] = &[KeySpec::at(2, KeyFlags::RO.or(KeyFlags::ACCESS))];

const fn row(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Section::Stream)
        .since("5.0.0")
        .flags(Flags::READONLY)
        .keys(READ)
}

fn xinfo_help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    help(
        "XINFO",
        &[
            "CONSUMERS <key> <groupname>",
            "    The consumers of a group.",
            "GROUPS <key>",
            "    The consumer groups of a stream.",
            "STREAM <key> [FULL [COUNT <count>]]",
            "    What there is to know of a stream.",
        ],
        reply,
    );
    Ok(Effect::None)
}

/// Writes a map of as many fields as it is given.
struct Fields<'r> {
    reply: &'r mut Reply,
    map: resp::Deferred,
    len: usize,
}

impl<'r> Fields<'r> {
    fn new(reply: &'r mut Reply) -> Self {
        let map = reply.map_deferred();
        Self { reply, map, len: 0 }
    }

    /// The next field; its value is to be written to what this returns.
    fn value_of(&mut self, name: &str) -> &mut Reply {
        self.len += 1;
        self.reply.bulk(name.as_bytes());
        self.reply
    }

    fn number(&mut self, name: &str, value: i64) {
        self.value_of(name).integer(value);
    }

    fn count(&mut self, name: &str, value: usize) {
        self.value_of(name).count(value);
    }

    fn id(&mut self, name: &str, id: StreamId) {
        self.value_of(name).bulk(id.text(&mut IdText::default()));
    }

    fn maybe(&mut self, name: &str, value: Option<i64>) {
        let reply = self.value_of(name);
        match value {
            Some(value) => reply.integer(value),
            None => reply.null(),
        }
    }

    fn end(self) {
        self.reply.set_len(self.map, self.len);
    }
}

fn consumers(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let name = args.bytes()?;
    let stream = cx.db.read::<Stream>(&key)?.ok_or(CommandError::NoSuchKey)?;
    let group = stream.group(name).ok_or_else(|| no_group_in(key.bytes(), name))?;
    reply.array(group.consumers_len());
    for (_, consumer) in group.consumers() {
        let mut fields = Fields::new(reply);
        fields.value_of("name").bulk(consumer.name());
        fields.count("pending", consumer.pending_len());
        fields.number("idle", cx.now_ms.saturating_sub(consumer.seen_ms).max(0));
        fields.number(
            "inactive",
            match consumer.active_ms {
                Consumer::NEVER => Consumer::NEVER,
                active_ms => cx.now_ms.saturating_sub(active_ms),
            },
        );
        fields.end();
    }
    Ok(Effect::None)
}

fn groups(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let stream = cx.db.read::<Stream>(&key)?.ok_or(CommandError::NoSuchKey)?;
    reply.array(stream.groups_len());
    for group in stream.groups() {
        let mut fields = Fields::new(reply);
        fields.value_of("name").bulk(group.name());
        fields.count("consumers", group.consumers_len());
        fields.count("pending", group.pending_len());
        fields.id("last-delivered-id", group.last_id);
        progress(&mut fields, stream.log(), group);
        fields.end();
    }
    Ok(Effect::None)
}

fn progress(fields: &mut Fields<'_>, log: &Log, group: &Group) {
    fields.maybe("entries-read", group.entries_read.map(|read| read as i64));
    fields.maybe("lag", log.counter().lag(group.last_id, group.entries_read));
}

/// FULL without COUNT shows so many of each.
const FULL_COUNT: usize = 10;

fn stream(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let stream = cx.db.read::<Stream>(&key)?.ok_or(CommandError::NoSuchKey)?;
    let (memory, now_ms) = (cx.settings.limits.stream_memory, unsigned_ms(cx.now_ms));
    if let Some(count) = full(args)? {
        let full = Full { stream: stream.stream().clone(), memory, now_ms, count };
        if full.len() > IN_PLACE_MAX {
            *cx.later = Some(Box::new(full));
        } else {
            full.write(reply);
        }
        return Ok(Effect::None);
    }
    let log = stream.log();
    let mut fields = Fields::new(reply);
    head(&mut fields, &stream, memory, now_ms);
    fields.count("groups", stream.groups_len());
    let all = || log.range(StreamId::MIN..=StreamId::MAX);
    let last = log.range_reverse(StreamId::MIN..=StreamId::MAX).next();
    one_entry(fields.value_of("first-entry"), all().next());
    one_entry(fields.value_of("last-entry"), last);
    fields.end();
    Ok(Effect::None)
}

/// All there is to know of a stream.
struct Full {
    stream: Stream,
    memory: types::stream::Memory,
    now_ms: u64,
    /// How many of each are shown.
    count: usize,
}

impl Full {
    /// How many entries are shown, pending ones too.
    fn len(&self) -> usize {
        let pending = self.stream.groups().map(|group| {
            let own = group.consumers().map(|(_, consumer)| consumer.pending_len().min(self.count));
            group.pending_len().min(self.count) + own.sum::<usize>()
        });
        self.stream.log().len().min(self.count) + pending.sum::<usize>()
    }

    fn write(&self, reply: &mut Reply) {
        let (stream, log, count) = (&self.stream, self.stream.log(), self.count);
        let mut fields = Fields::new(reply);
        head(&mut fields, stream, self.memory, self.now_ms);
        let entries = log.range(StreamId::MIN..=StreamId::MAX).take(count);
        reply_entries(fields.value_of("entries"), entries);
        let reply = fields.value_of("groups");
        reply.array(stream.groups_len());
        stream.groups().for_each(|group| full_group(reply, log, group, count));
        fields.end();
    }
}

impl Job for Full {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        self.write(reply);
        JobStep::Done
    }
}

/// How many of each are to be shown, if FULL is given.
fn full(args: &mut Args<'_>) -> Result<Option<usize>, CommandError> {
    let wrong = || {
        let name = args.all().get(1).copied().unwrap_or_default();
        CommandError::unknown_or_arity("XINFO", name)
    };
    let wrong = wrong();
    match args.left() {
        0 => return Ok(None),
        1 | 3 => {}
        _ => return Err(wrong),
    }
    if !args.token("FULL") {
        return Err(wrong);
    }
    if args.left() == 0 {
        return Ok(Some(FULL_COUNT));
    }
    if !args.token("COUNT") {
        return Err(wrong);
    }
    Ok(Some(match usize::try_from(args.integer()?) {
        Ok(0) => usize::MAX,
        Ok(count) => count,
        Err(_) => FULL_COUNT,
    }))
}

/// What both forms of XINFO STREAM begin with.
fn head(fields: &mut Fields<'_>, stream: &Stream, configured: types::stream::Memory, now_ms: u64) {
    let log = stream.log();
    let nodes = log.nodes_len();
    fields.count("length", log.len());
    fields.count("radix-tree-keys", nodes);
    fields.count("radix-tree-nodes", nodes + 1);
    fields.id("last-generated-id", log.last_id());
    fields.id("max-deleted-entry-id", log.max_deleted_id());
    fields.number("entries-added", log.entries_added() as i64);
    fields.id("recorded-first-entry-id", log.first_entry_id().unwrap_or(StreamId::MIN));
    let (added, duplicates) = stream.idempotent_counts();
    // Whoever does not use it sees what there was before it came.
    if added == 0 && duplicates == 0 && stream.memory() == configured {
        return;
    }
    let (pids, iids) = stream.remembered(now_ms);
    fields.number("idmp-duration", i64::from(stream.memory().seconds));
    fields.number("idmp-maxsize", i64::from(stream.memory().names_max));
    fields.count("pids-tracked", pids);
    fields.count("iids-tracked", iids);
    fields.number("iids-added", added as i64);
    fields.number("iids-duplicates", duplicates as i64);
}

fn one_entry(reply: &mut Reply, entry: Option<Entry<'_>>) {
    match entry {
        Some(entry) => reply_entry(reply, &entry, &mut IdText::default()),
        None => reply.null(),
    }
}

fn full_group(reply: &mut Reply, log: &Log, group: &Group, count: usize) {
    let mut fields = Fields::new(reply);
    fields.value_of("name").bulk(group.name());
    fields.id("last-delivered-id", group.last_id);
    progress(&mut fields, log, group);
    fields.count("pel-count", group.pending_len());
    if group.unowned_len() > 0 {
        fields.count("nacked-count", group.unowned_len());
    }
    let reply = fields.value_of("pending");
    let mut room = IdText::default();
    reply.array(group.pending_len().min(count));
    for pending in group.pending_from(StreamId::MIN).take(count) {
        reply.array(4);
        reply.bulk(pending.id.text(&mut room));
        reply.bulk(group.owner_name(&pending));
        reply.integer(pending.time_ms);
        reply.integer(pending.deliveries as i64);
    }
    let reply = fields.value_of("consumers");
    reply.array(group.consumers_len());
    group.consumers().for_each(|(_, consumer)| full_consumer(reply, group, consumer, count));
    fields.end();
}

fn full_consumer(reply: &mut Reply, group: &Group, consumer: &Consumer, count: usize) {
    let mut fields = Fields::new(reply);
    fields.value_of("name").bulk(consumer.name());
    fields.number("seen-time", consumer.seen_ms);
    fields.number("active-time", consumer.active_ms);
    fields.count("pel-count", consumer.pending_len());
    let reply = fields.value_of("pending");
    let mut room = IdText::default();
    reply.array(consumer.pending_len().min(count));
    let own = consumer.pending_from(StreamId::MIN).take(count);
    for pending in own.filter_map(|id| group.pending(id)) {
        reply.array(3);
        reply.bulk(pending.id.text(&mut room));
        reply.integer(pending.time_ms);
        reply.integer(pending.deliveries as i64);
    }
    fields.end();
}
