//! Reading what is new in several streams: XREAD, and XREADGROUP on behalf of a group.
//!
//! [`Request::parse`] takes the arguments apart, [`Request::positions`] finds out from where on each
//! stream is to be read, and [`Request::serve`] answers if there is anything to answer with. Otherwise
//! the client may wait: the request is run again when a stream has changed, with the position that
//! `$` stood for in its place.

use super::{
    CREATECONSUMER_EVENT, IDS, IN_PLACE_MAX, Journal, integer_or, no_group, parse_id, reply_body,
    reply_entry, reply_id,
};
use command::grammar::{Argument, block, integer, key, string, word};
use command::{
    Args, BeginSearch, Command, CommandError, Cx, Effect, FindKeys, Flags, Group as Section, Job,
    JobStep, KeyFlags, KeySpec, Outcome, Rewrites, Wait, Wanted,
};
use keyspace::{Event, KeyRef, Keyspace};
use resp::Reply;
use types::Type;
use types::stream::{Entry, Group, IdText, Log, Pending, Slot, Stream, StreamId};

pub(super) const XREAD: Command = Command::data("XREAD", xread)
    .group(Section::Stream)
    .since("5.0.0")
    .arity(-4)
    .flags(Flags::READONLY.or(Flags::BLOCKING))
    .keys(&[streams(1)])
    .args(&[COUNT, MAXCOUNT, MAXSIZE, BLOCK, STREAMS])
    .summary("Answers the entries of several streams that come after given IDs.")
    .complexity(COMPLEXITY)
    .history(&[("7.4.0", "The ID `+`."), ("8.10.0", "Options MAXCOUNT and MAXSIZE.")]);

pub(super) const XREADGROUP: Command = Command::data("XREADGROUP", xreadgroup)
    .group(Section::Stream)
    .since("5.0.0")
    .arity(-7)
    .flags(Flags::WRITE.or(Flags::BLOCKING))
    .keys(&[streams(4)])
    .args(&[
        block("group-block", &[string("group"), string("consumer")]).token("GROUP"),
        COUNT,
        MAXCOUNT,
        MAXSIZE,
        BLOCK,
        integer("min-idle-time").token("CLAIM").optional().since("8.4.0"),
        word("noack", "NOACK").optional(),
        STREAMS,
    ])
    .summary("Gives a consumer of a group entries that nobody of the group has got yet.")
    .complexity(COMPLEXITY)
    .history(&[("8.4.0", "Option CLAIM."), ("8.10.0", "Options MAXCOUNT and MAXSIZE.")]);

const COMPLEXITY: &str = "For each stream O(log S + N), N the number of entries answered";
const COUNT: Argument = integer("count").token("COUNT").optional();
const MAXCOUNT: Argument = integer("maxcount").token("MAXCOUNT").optional().since("8.10.0");
const MAXSIZE: Argument = integer("maxsize").token("MAXSIZE").optional().since("8.10.0");
const BLOCK: Argument = integer("milliseconds").token("BLOCK").optional().samples(&["1", "10"]);
const STREAMS: Argument =
    block("streams", &[key("key").many(), string("id").many().samples(IDS)]).token("STREAMS");

/// What may stand before STREAMS, and how many words each option takes.
const OPTIONS: &[(&str, usize)] =
    &[("GROUP", 2), ("COUNT", 1), ("MAXCOUNT", 1), ("MAXSIZE", 1), ("BLOCK", 1), ("CLAIM", 1)];

/// The first half of what stands behind STREAMS.
const fn streams(from: i32) -> KeySpec {
    KeySpec {
        begin: BeginSearch::Behind {
            word: "STREAMS",
            start_from: from,
            first: 1,
            options: OPTIONS,
        },
        find: FindKeys::Range { last: -1, step: 1, limit: 2 },
        flags: KeyFlags::RO.or(KeyFlags::ACCESS),
        refine: None,
        until: None,
        when: None,
        notes: "",
    }
}

/// The arguments of XREAD and XREADGROUP.
struct Request<'a> {
    keys: &'a [KeyRef<'a>],
    ids: &'a [&'a [u8]],
    /// BLOCK: until when to wait, in milliseconds since 1970 (`None`: for ever).
    waits: Option<Option<i64>>,
    reader: Option<Reader<'a>>,
    /// Entries of one stream; `usize::MAX` if there is no limit.
    count: usize,
    budget: Budget,
    /// When something can be taken over, if nothing could be by now.
    claimable_ms: Option<i64>,
}

/// On whose behalf XREADGROUP reads.
#[derive(Clone, Copy)]
struct Reader<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    /// What is delivered is not pending.
    noack: bool,
    /// Take over what has been idle for so many milliseconds.
    claim_ms: Option<i64>,
}

/// How much may yet be answered in all. The first entry is answered whatever its size.
#[derive(Clone, Copy)]
struct Budget {
    entries: usize,
    bytes: usize,
    is_fresh: bool,
}

impl Budget {
    /// Whether `entry` is answered.
    fn takes(&mut self, entry: &Entry<'_>) -> bool {
        if self.entries == 0 {
            return false;
        }
        if self.bytes != usize::MAX {
            let text = |(field, value): (types::listpack::Element<'_>, _)| {
                field.len() + types::listpack::Element::len(value)
            };
            let bytes = entry.fields().map(text).sum::<usize>();
            if bytes > self.bytes && !self.is_fresh {
                self.entries = 0;
                return false;
            }
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        self.entries -= 1;
        self.is_fresh = false;
        true
    }
}

/// From where on a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    After(StreamId),
    /// `>`: from where the group stands.
    New,
}

fn xread(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    Request::parse(args, false, cx.now_ms)?.run(cx, args, reply)
}

fn xreadgroup(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    Request::parse(args, true, cx.now_ms)?.run(cx, args, reply)
}

impl<'a> Request<'a> {
    fn parse(args: &mut Args<'a>, for_group: bool, now_ms: i64) -> Result<Self, CommandError> {
        let mut request = Self {
            keys: args.keys(),
            ids: &[],
            waits: None,
            reader: None,
            count: usize::MAX,
            budget: Budget { entries: usize::MAX, bytes: usize::MAX, is_fresh: true },
            claimable_ms: None,
        };
        let (mut noack, mut claim_ms) = (false, None);
        let streams = loop {
            let word = args.bytes()?;
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let more = args.left();
            if is("BLOCK") && more > 0 {
                request.waits = Some(args.deadline_millis(now_ms)?);
            } else if is("COUNT") && more > 0 {
                request.count = limit(args)?;
            } else if is("MAXCOUNT") && more > 0 {
                request.budget.entries = limit(args)?;
            } else if is("MAXSIZE") && more > 0 {
                request.budget.bytes = limit(args)?;
            } else if is("CLAIM") && more > 0 {
                if !for_group {
                    return Err(CommandError::XreadClaimOnly);
                }
                let idle_ms = integer_or(args.bytes()?, CommandError::XreadIdleNotInteger)?;
                if idle_ms < 0 {
                    return Err(CommandError::XreadIdleNegative);
                }
                claim_ms = Some(idle_ms);
            } else if is("STREAMS") && more > 0 {
                break args.rest();
            } else if is("GROUP") && more > 1 {
                if !for_group {
                    return Err(CommandError::XreadGroupOnly);
                }
                let (group, consumer) = (args.bytes()?, args.bytes()?);
                request.reader = Some(Reader { group, consumer, noack: false, claim_ms: None });
            } else if is("NOACK") {
                if !for_group {
                    return Err(CommandError::XreadNoackOnly);
                }
                noack = true;
            } else {
                return Err(CommandError::Syntax);
            }
        };
        if !streams.len().is_multiple_of(2) {
            return Err(unbalanced(for_group));
        }
        let (keys, ids) = streams.split_at(streams.len() / 2);
        if for_group && request.reader.is_none() {
            return Err(CommandError::XreadgroupNoGroup);
        }
        // Keys were found by the same options.
        let same = |(key, word): (&KeyRef<'_>, &&[u8])| std::ptr::eq(key.bytes(), *word);
        if request.keys.len() != keys.len() || !request.keys.iter().zip(keys).all(same) {
            return Err(CommandError::InvalidKeyArguments);
        }
        request.ids = ids;
        if let Some(reader) = &mut request.reader {
            (reader.noack, reader.claim_ms) = (noack, claim_ms);
        }
        Ok(request)
    }

    /// Reads what there is, of those streams in which there may be something.
    fn run(self, cx: &mut Cx<'_>, args: &Args<'_>, reply: &mut Reply) -> Outcome {
        let keys = cx.candidates(self.keys);
        if keys.len() == self.keys.len() {
            return self.run_all(cx, args, reply);
        }
        let is_left = |key: &KeyRef<'_>| keys.iter().any(|left| left.bytes() == key.bytes());
        let ids = self.keys.iter().zip(self.ids).filter(|(key, _)| is_left(key));
        let ids: Vec<&[u8]> = ids.map(|(_, id)| *id).collect();
        Request { keys: &keys, ids: &ids, ..self }.run_all(cx, args, reply)
    }

    fn run_all(mut self, cx: &mut Cx<'_>, args: &Args<'_>, reply: &mut Reply) -> Outcome {
        let positions = self.positions(cx)?;
        let (before, mark) = (cx.log.commands, reply.mark());
        let served = match self.reader {
            None => self.serve(cx, &positions, reply)?,
            Some(reader) => self.serve_group(cx, reader, &positions, reply)?,
        };
        if !served {
            reply.truncate(mark);
            match self.waits {
                Some(until_ms) => {
                    let wait = Wait {
                        again_ms: self.again_ms(cx.now_ms),
                        ..self.wait(until_ms, &positions, args.all())
                    };
                    cx.wait(wait, reply, Reply::null_array);
                }
                None => reply.null_array(),
            }
        }
        Ok(if cx.log.commands > before { Effect::Rewrite } else { Effect::None })
    }

    /// How the client waits for more. Who reads for a group wants to know, too, when the stream or the
    /// group goes.
    fn wait(&self, until_ms: Option<i64>, positions: &[Position], words: &[&[u8]]) -> Wait {
        let is_group = self.reader.is_some();
        let wanted = if is_group { Wanted::Change } else { Wanted::Type(Type::Stream) };
        let first_id = words.len() - self.ids.len();
        let meant =
            positions.iter().zip(self.ids).enumerate().filter_map(|(at, (position, id))| {
                let Position::After(position) = position else { return None };
                let moves = matches!(*id, b"$" | b"+");
                moves.then(|| (first_id + at, position.text(&mut IdText::default()).to_vec()))
            });
        Wait { wanted, keys: self.keys.len(), until_ms, again_ms: None, meant: meant.collect() }
    }

    /// When to look again for what can be taken over. Deliveries change no key, so those that others
    /// get from now on are looked for when the first of them can have been idle for long enough.
    fn again_ms(&self, now_ms: i64) -> Option<i64> {
        /// What has been idle for no time at all is looked for this often.
        const IDLE_MS_MIN: i64 = 10;
        let idle_ms = self.reader?.claim_ms?;
        let coming = now_ms.checked_add(idle_ms.max(IDLE_MS_MIN))?;
        Some(self.claimable_ms.map_or(coming, |claimable| claimable.min(coming)))
    }

    /// Where each stream is to be read from, as things stand now.
    fn positions(&self, cx: &mut Cx<'_>) -> Result<Vec<Position>, CommandError> {
        let mut positions = Vec::with_capacity(self.keys.len());
        for (key, id) in self.keys.iter().zip(self.ids) {
            let stream = cx.db.read::<Stream>(key)?;
            if let Some(reader) = &self.reader
                && stream.is_none_or(|stream| stream.group(reader.group).is_none())
            {
                let tail = " in XREADGROUP with GROUP option";
                return Err(no_group(key.bytes(), reader.group, tail));
            }
            let log = stream.map(types::stream::StreamView::log);
            positions.push(match (*id, self.reader.is_some()) {
                (b"$", true) => return Err(CommandError::XreadgroupDollar),
                (b"+", true) => return Err(CommandError::XreadgroupPlus),
                (b">", false) => return Err(CommandError::XreadGreater),
                (b">", true) => Position::New,
                (b"$", false) => Position::After(log.map_or(StreamId::MIN, Log::last_id)),
                (b"+", false) => {
                    let last = log.and_then(Log::last_entry_id).and_then(StreamId::prev);
                    Position::After(last.unwrap_or(StreamId::MIN))
                }
                (text, is_group) => match parse_id(text)? {
                    // Nothing comes after it: Redis takes it for `>`.
                    StreamId::MAX if is_group => Position::New,
                    id => Position::After(id),
                },
            });
        }
        Ok(positions)
    }

    /// Answers what the streams have after the positions; `false` if that is nothing.
    fn serve(
        &self,
        cx: &mut Cx<'_>,
        positions: &[Position],
        reply: &mut Reply,
    ) -> Result<bool, CommandError> {
        let mut found = Vec::new();
        let mut len = 0_usize;
        for (key, position) in self.keys.iter().zip(positions) {
            let Some(stream) = cx.db.peek_as::<Stream>(key)? else { continue };
            let (log, Position::After(id)) = (stream.log(), *position) else { continue };
            if let Some(start) = id.next()
                && log.last_entry_id() >= Some(start)
            {
                let about = log.len_about(&(start..=StreamId::MAX));
                len = len.saturating_add(about.min(self.count));
                found.push((key.bytes().to_vec(), log.clone(), start));
            }
        }
        if found.is_empty() {
            return Ok(false);
        }
        let news = News { found, count: self.count, budget: self.budget };
        if len.min(self.budget.entries) > IN_PLACE_MAX {
            *cx.later = Some(Box::new(news));
        } else {
            news.write(reply);
        }
        Ok(true)
    }

    /// The same on behalf of a group's consumer, which gets what it is answered.
    fn serve_group(
        &mut self,
        cx: &mut Cx<'_>,
        reader: Reader<'_>,
        positions: &[Position],
        reply: &mut Reply,
    ) -> Result<bool, CommandError> {
        let map = reply.entries_deferred();
        let mut served = 0;
        for (key, position) in self.keys.iter().zip(positions) {
            let now_ms = cx.now_ms;
            let Some(mut guard) = cx.db.write::<Stream>(key)? else { continue };
            let mut delivery = Delivery {
                reader,
                key: key.bytes(),
                now_ms,
                count: self.count,
                budget: &mut self.budget,
                claimable_ms: &mut self.claimable_ms,
                log: &mut *cx.log,
            };
            let read = |stream: &mut Stream| {
                let read =
                    |log: &Log, group: &mut Group| delivery.run(log, group, *position, reply);
                stream.with_group(reader.group, read).unwrap_or_default()
            };
            let done = guard.edit_told(read, |done, tell| {
                if done.created {
                    tell(CREATECONSUMER_EVENT);
                }
                if done.delivered {
                    tell(Event::SILENT);
                }
            });
            served += usize::from(done.served);
        }
        reply.set_len(map, served);
        Ok(served > 0)
    }
}

fn unbalanced(for_group: bool) -> CommandError {
    let (name, symbol) =
        if for_group { ("xreadgroup", "ID or '>'") } else { ("xread", "ID or '$'") };
    CommandError::err(format_args!(
        "Unbalanced '{name}' list of streams: for each stream key an {symbol} must be specified."
    ))
}

/// A count; 0 and less are no limit.
fn limit(args: &mut Args<'_>) -> Result<usize, CommandError> {
    let count = usize::try_from(args.integer()?).unwrap_or(0);
    Ok(if count == 0 { usize::MAX } else { count })
}

/// What XREAD answers: names of streams with their logs and where to begin.
struct News {
    found: Vec<(Vec<u8>, Log, StreamId)>,
    count: usize,
    budget: Budget,
}

impl News {
    fn write(&self, reply: &mut Reply) {
        let map = reply.entries_deferred();
        let mut budget = self.budget;
        let mut room = IdText::default();
        let mut streams = 0;
        for (key, log, start) in &self.found {
            if budget.entries == 0 {
                break;
            }
            let mark = reply.mark();
            reply.entry();
            reply.bulk(key);
            let array = reply.array_deferred();
            let mut len = 0;
            for entry in log.range(*start..=StreamId::MAX).take(self.count) {
                if !budget.takes(&entry) {
                    break;
                }
                reply_entry(reply, &entry, &mut room);
                len += 1;
            }
            reply.set_len(array, len);
            if len == 0 {
                reply.truncate(mark);
                break;
            }
            streams += 1;
        }
        reply.set_len(map, streams);
    }
}

impl Job for News {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        self.write(reply);
        JobStep::Done
    }
}

/// One stream's part of an XREADGROUP.
struct Delivery<'a, 'b> {
    reader: Reader<'a>,
    key: &'a [u8],
    now_ms: i64,
    count: usize,
    budget: &'b mut Budget,
    claimable_ms: &'b mut Option<i64>,
    log: &'b mut Rewrites,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    /// The consumer is new.
    created: bool,
    /// Something became pending, or the group moved on.
    delivered: bool,
    /// The stream is part of the reply.
    served: bool,
}

impl Delivery<'_, '_> {
    fn run(&mut self, log: &Log, group: &mut Group, position: Position, reply: &mut Reply) -> Done {
        let before = self.log.commands;
        let done = self.deliver(log, group, position, reply);
        // An XCLAIM makes its consumer where there is none.
        if done.created && self.log.commands == before {
            let consumer = self.reader.consumer;
            self.journal().created(consumer);
        }
        done
    }

    fn deliver(
        &mut self,
        log: &Log,
        group: &mut Group,
        position: Position,
        reply: &mut Reply,
    ) -> Done {
        let mut done = Done::default();
        let is_history = position != Position::New;
        let is_news = log.last_entry_id().is_some_and(|last| last > group.last_id);
        let claimable = !is_history && self.has_claimable(log, group);
        let slot = self.slot(group, &mut done);
        group.seen(slot, self.now_ms);
        if !(is_history || is_news || claimable) || self.budget.entries == 0 {
            return done;
        }
        done.served = true;
        reply.entry();
        reply.bulk(self.key);
        let array = reply.array_deferred();
        let before = self.log.commands;
        let len = if let Position::After(id) = position {
            self.history(log, group, slot, id, reply)
        } else {
            let claimed = if claimable { self.claim(log, group, slot, reply) } else { 0 };
            claimed + self.news(log, group, slot, self.count - claimed, reply)
        };
        reply.set_len(array, len);
        done.delivered = self.log.commands > before;
        done
    }

    /// The consumer, made if there is none.
    fn slot(&mut self, group: &mut Group, done: &mut Done) -> Slot {
        if let Some(slot) = group.slot_of(self.reader.consumer) {
            return slot;
        }
        done.created = true;
        let consumer = self.reader.consumer;
        if self.reader.noack {
            self.journal().created(consumer);
        }
        let slot = group.add_consumer(consumer, self.now_ms);
        slot.expect("there is no consumer of this name")
    }

    fn journal(&mut self) -> Journal<'_> {
        Journal { log: self.log, key: self.key, group: self.reader.group }
    }

    /// Whether the entry that has been idle longest has been so long enough; notes when it will be.
    fn has_claimable(&mut self, log: &Log, group: &mut Group) -> bool {
        let Some(idle_ms) = self.reader.claim_ms else { return false };
        let mut entries = log.finder();
        let oldest = group.pending_by_time().find(|pending| entries.contains(pending.id));
        let Some(oldest) = oldest else { return false };
        let at_ms = oldest.time_ms.saturating_add(idle_ms);
        let soonest = self.claimable_ms.map_or(at_ms, |soonest| soonest.min(at_ms));
        *self.claimable_ms = Some(soonest);
        oldest.idle_ms(self.now_ms) >= idle_ms
    }

    /// Answers again what the consumer has not acknowledged, after `id`.
    fn history(
        &mut self,
        log: &Log,
        group: &mut Group,
        slot: Slot,
        id: StreamId,
        reply: &mut Reply,
    ) -> usize {
        let Some(start) = id.next() else { return 0 };
        let own: Vec<Pending> = group.pending_of(slot, start).take(self.count).collect();
        let mut entries = log.finder();
        let mut room = IdText::default();
        let (mut len, mut delivered) = (0, Vec::new());
        for pending in own {
            if let Some(entry) = entries.get(pending.id) {
                if !self.budget.takes(&entry) {
                    break;
                }
                reply_entry(reply, &entry, &mut room);
                let pending = pending.delivered(self.now_ms, slot);
                self.journal().claimed(group, &pending);
                delivered.push(pending);
            } else {
                reply.array(2);
                reply_id(reply, pending.id);
                reply.null_array();
            }
            len += 1;
        }
        group.put_all(&delivered);
        len
    }

    /// Takes over and answers what has been idle for too long.
    fn claim(&mut self, log: &Log, group: &mut Group, slot: Slot, reply: &mut Reply) -> usize {
        let (now_ms, idle_ms) = (self.now_ms, self.reader.claim_ms.unwrap_or(i64::MAX));
        let mut entries = log.finder();
        let idle: Vec<Pending> = group
            .pending_by_time()
            .take_while(|pending| pending.idle_ms(now_ms) >= idle_ms)
            .filter(|pending| entries.contains(pending.id))
            .take(self.count)
            .collect();
        let mut room = IdText::default();
        let mut claimed = Vec::new();
        for pending in idle {
            let Some(entry) = entries.get(pending.id) else { continue };
            if !self.budget.takes(&entry) {
                break;
            }
            reply.array(4);
            reply_body(reply, &entry, &mut room);
            reply.integer(pending.told_idle_ms(now_ms));
            reply.integer(i64::try_from(pending.deliveries).unwrap_or(i64::MAX));
            let pending = pending.delivered(now_ms, slot);
            self.journal().claimed(group, &pending);
            claimed.push(pending);
        }
        if !claimed.is_empty() {
            claimed.sort_unstable_by_key(|pending| pending.id);
            group.put_all(&claimed);
            group.active(slot, now_ms);
        }
        claimed.len()
    }

    /// Delivers and answers at most `count` entries that the group has not read.
    fn news(
        &mut self,
        log: &Log,
        group: &mut Group,
        slot: Slot,
        count: usize,
        reply: &mut Reply,
    ) -> usize {
        let Some(start) = group.last_id.next() else { return 0 };
        let counter = log.counter();
        let mut room = IdText::default();
        let (mut len, mut delivered) = (0, Vec::new());
        for entry in log.range(start..=StreamId::MAX).take(count) {
            if !self.budget.takes(&entry) {
                break;
            }
            group.entries_read = counter.read_next(group.entries_read, group.last_id, entry.id);
            group.last_id = entry.id;
            if self.reader.claim_ms.is_some() {
                reply.array(4);
                reply_body(reply, &entry, &mut room);
                reply.integer(0);
                reply.integer(0);
            } else {
                reply_entry(reply, &entry, &mut room);
            }
            if !self.reader.noack {
                let pending = Pending::new(entry.id, self.now_ms, 1, Some(slot));
                self.journal().claimed(group, &pending);
                delivered.push(pending);
            }
            len += 1;
        }
        group.put_all(&delivered);
        if len > 0 {
            if !self.reader.noack {
                group.active(slot, self.now_ms);
            }
            self.journal().read(group);
        }
        len
    }
}
