//! Taking over pending entries: XCLAIM, XAUTOCLAIM.

use super::{
    CREATECONSUMER_EVENT, IDS, Journal, UPDATE, integer_or, no_group, parse_id, parse_start,
    reply_entry, reply_id,
};
use command::grammar::{integer, key, string, unix_time, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group as Section, Outcome, Rewrites,
};
use keyspace::Event;
use resp::Reply;
use std::collections::VecDeque;
use types::stream::{Finder, Group, IdText, Log, Pending, Slot, Stream, StreamId};

pub(super) const XCLAIM: Command = Command::data("XCLAIM", xclaim)
    .group(Section::Stream)
    .since("5.0.0")
    .arity(-6)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(UPDATE)
    .args(&[
        key("key"),
        string("group"),
        string("consumer"),
        string("min-idle-time").samples(&["0", "1"]),
        string("id").many().samples(IDS),
        integer("ms").token("IDLE").optional(),
        unix_time("unix-time-milliseconds").token("TIME").optional(),
        integer("count").token("RETRYCOUNT").optional(),
        word("force", "FORCE").optional(),
        word("justid", "JUSTID").optional(),
        string("lastid").token("LASTID").optional().samples(IDS),
    ])
    .summary("Makes pending entries those of another consumer.")
    .complexity("O(log N) for each ID, N the number of pending entries of the group")
    .tips(&["nondeterministic_output"]);

pub(super) const XAUTOCLAIM: Command = Command::data("XAUTOCLAIM", xautoclaim)
    .group(Section::Stream)
    .since("6.2.0")
    .arity(-6)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(super::DELETE)
    .args(&[
        key("key"),
        string("group"),
        string("consumer"),
        string("min-idle-time").samples(&["0", "1"]),
        string("start").samples(IDS),
        integer("count").token("COUNT").optional(),
        word("justid", "JUSTID").optional(),
    ])
    .summary("Makes pending entries that have been idle for long those of another consumer.")
    .complexity("O(COUNT * log N), N the number of pending entries of the group")
    .history(&[("7.0.0", "Answers also what was pending and is deleted.")])
    .tips(&["nondeterministic_output"]);

/// What both commands do with the entries that they find.
struct Claim<'a> {
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
    min_idle_ms: i64,
    now_ms: i64,
    /// When the entries shall have been delivered.
    time_ms: i64,
    retry_count: Option<u64>,
    force: bool,
    just_id: bool,
}

/// What came of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It has been answered, and is to be pending like this.
    Claimed(Pending),
    /// It is deleted, so it is not pending any more.
    Gone,
    Left,
}

impl Claim<'_> {
    fn journal<'l>(&'l self, log: &'l mut Rewrites) -> Journal<'l> {
        Journal { log, key: self.key, group: self.group }
    }

    /// The consumer, made if there is none; says if it was.
    fn slot(&self, group: &mut Group, log: &mut Rewrites) -> (Slot, bool) {
        let found = group.slot_of(self.consumer);
        let slot = found.or_else(|| {
            self.journal(log).created(self.consumer);
            group.add_consumer(self.consumer, self.now_ms)
        });
        let slot = slot.expect("there is no consumer of this name");
        group.seen(slot, self.now_ms);
        (slot, found.is_none())
    }

    /// Answers one entry, pending as given, if it may be claimed, and tells the journal.
    fn one(
        &self,
        (entries, group): (&mut Finder<'_>, &mut Group),
        slot: Slot,
        (id, pending): (StreamId, Option<Pending>),
        log: &mut Rewrites,
        reply: &mut Reply,
    ) -> Fate {
        let Some(entry) = entries.get(id) else {
            if group.ack(id).is_none() {
                return Fate::Left;
            }
            self.journal(log).forgot(id);
            return Fate::Gone;
        };
        let pending = match pending {
            Some(pending) => pending,
            // As if it had been delivered once.
            None if self.force => Pending::new(id, self.now_ms, 1, None),
            None => return Fate::Left,
        };
        let is_idle = self.min_idle_ms == 0 || pending.idle_ms(self.now_ms) >= self.min_idle_ms;
        if pending.owner().is_some() && !is_idle {
            return Fate::Left;
        }
        let mut claimed = pending.delivered(self.time_ms, slot);
        claimed.deliveries = match self.retry_count {
            Some(count) => count,
            None if self.just_id => pending.deliveries,
            None => claimed.deliveries,
        };
        self.journal(log).claimed(group, &claimed);
        if self.just_id {
            reply_id(reply, id);
        } else {
            reply_entry(reply, &entry, &mut IdText::default());
        }
        Fate::Claimed(claimed)
    }
}

/// What a command did to its group.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    created: bool,
    changed: bool,
}

impl Done {
    fn tell(self, tell: &mut dyn FnMut(Event)) {
        if self.created {
            tell(CREATECONSUMER_EVENT);
        }
        if self.changed {
            tell(Event::SILENT);
        }
    }

    fn effect(self) -> Effect {
        if self.created || self.changed { Effect::Rewrite } else { Effect::None }
    }
}

/// The options of XCLAIM, behind the IDs.
fn options(claim: &mut Claim<'_>, args: &mut Args<'_>) -> Result<StreamId, CommandError> {
    let (mut time_ms, mut last_id) = (None, None);
    while let Some(word) = args.next() {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let more = args.left() > 0;
        if is("FORCE") {
            claim.force = true;
        } else if is("JUSTID") {
            claim.just_id = true;
        } else if is("IDLE") && more {
            let idle_ms = integer_or(args.bytes()?, CommandError::XclaimIdleOption)?;
            time_ms = Some(claim.now_ms.wrapping_sub(idle_ms));
        } else if is("TIME") && more {
            time_ms = Some(integer_or(args.bytes()?, CommandError::XclaimTime)?);
        } else if is("RETRYCOUNT") && more {
            let count = integer_or(args.bytes()?, CommandError::XclaimRetryCount)?;
            claim.retry_count = u64::try_from(count).ok();
        } else if is("LASTID") && more {
            last_id = Some(parse_id(args.bytes()?)?);
        } else {
            return Err(CommandError::err_bytes(&[b"Unrecognized XCLAIM option '", word, b"'"]));
        }
    }
    // A time that cannot be is taken for now. What a journal says is believed: its clock was
    // another.
    let is_told = claim.force && claim.just_id && last_id.is_some();
    let possible = |time: &i64| *time >= 0 && (is_told || *time <= claim.now_ms);
    claim.time_ms = time_ms.filter(possible).unwrap_or(claim.now_ms);
    Ok(last_id.unwrap_or(StreamId::MIN))
}

fn xclaim(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (group, consumer) = (args.bytes()?, args.bytes()?);
    let stream = cx.db.read::<Stream>(&key)?;
    if stream.is_none_or(|stream| stream.group(group).is_none()) {
        return Err(no_group(key.bytes(), group, ""));
    }
    let min_idle_ms = integer_or(args.bytes()?, CommandError::XclaimIdle)?.max(0);
    let mut ids = Vec::new();
    while let Some(id) = args.peek().and_then(|word| StreamId::parse(word, 0)) {
        ids.push(id);
        args.skip(1);
    }
    let mut claim = Claim {
        key: key.bytes(),
        group,
        consumer,
        min_idle_ms,
        now_ms: cx.now_ms,
        time_ms: cx.now_ms,
        retry_count: None,
        force: false,
        just_id: false,
    };
    let last_id = options(&mut claim, args)?;
    let Some(mut guard) = cx.db.write::<Stream>(&key)? else {
        return Err(no_group(key.bytes(), group, ""));
    };
    let log = &mut *cx.log;
    let run = |entries: &Log, group: &mut Group| {
        let (slot, created) = claim.slot(group, log);
        let moves = last_id > group.last_id;
        group.last_id = group.last_id.max(last_id);
        let array = reply.array_deferred();
        let (mut claimed, mut gone) = (0, 0);
        let mut entries = entries.finder();
        for id in &ids {
            let pending = group.pending(*id);
            match claim.one((&mut entries, group), slot, (*id, pending), log, reply) {
                Fate::Claimed(pending) => {
                    group.put(pending);
                    claimed += 1;
                }
                Fate::Gone => gone += 1,
                Fate::Left => {}
            }
        }
        if claimed > 0 {
            group.active(slot, claim.now_ms);
        }
        reply.set_len(array, claimed);
        // What is claimed is logged with the last ID.
        if moves && claimed == 0 {
            claim.journal(log).read(group);
        }
        Done { created, changed: moves || claimed + gone > 0 }
    };
    let done = guard.edit_told(
        |stream| stream.with_group(group, run).unwrap_or_default(),
        |done, tell| done.tell(tell),
    );
    Ok(done.effect())
}

/// How many pending entries XAUTOCLAIM looks at for each that it may claim.
const ATTEMPTS: usize = 10;

fn xautoclaim(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (group, consumer) = (args.bytes()?, args.bytes()?);
    let min_idle_ms = integer_or(args.bytes()?, CommandError::XautoclaimIdle)?.max(0);
    let start = parse_start(args.bytes()?)?;
    let (mut count, mut just_id) = (100_usize, false);
    while let Some(word) = args.next() {
        if word.eq_ignore_ascii_case(b"COUNT") && args.left() > 0 {
            let given = stdx::num::parse_i64(args.bytes()?);
            let given = given.filter(|given| (1..=i64::MAX / 16).contains(given));
            let given = given.and_then(|given| usize::try_from(given).ok());
            count = given.ok_or(CommandError::CountNotPositive)?;
        } else if word.eq_ignore_ascii_case(b"JUSTID") {
            just_id = true;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let guard = cx.db.write::<Stream>(&key)?;
    let Some(mut guard) = guard.filter(|guard| guard.view().group(group).is_some()) else {
        return Err(no_group(key.bytes(), group, ""));
    };
    let (now_ms, time_ms) = (cx.now_ms, cx.now_ms);
    let (key, force, retry_count) = (key.bytes(), false, None);
    let claim =
        Claim { key, group, consumer, min_idle_ms, now_ms, time_ms, retry_count, force, just_id };
    let log = &mut *cx.log;
    let done = guard.edit_told(
        |stream| {
            let run = |entries: &Log, group: &mut Group| {
                scan(&claim, (entries, group), (start, count), log, reply)
            };
            stream.with_group(group, run).unwrap_or_default()
        },
        |done, tell| done.tell(tell),
    );
    Ok(done.effect())
}

/// What is pending, read some entries ahead: what is claimed lies behind.
struct Ahead {
    page: VecDeque<Pending>,
    from: Option<StreamId>,
}

impl Ahead {
    fn peek(&mut self, group: &Group) -> Option<Pending> {
        const PAGE: usize = 64;
        if self.page.is_empty()
            && let Some(from) = self.from
        {
            self.page.extend(group.pending_from(from).take(PAGE));
            self.from = self.page.back().and_then(|pending| pending.id.next());
        }
        self.page.front().copied()
    }

    fn next(&mut self, group: &Group) -> Option<Pending> {
        self.peek(group)?;
        self.page.pop_front()
    }
}

/// Claims up to `count` entries from `start` on.
fn scan(
    claim: &Claim<'_>,
    (entries, group): (&Log, &mut Group),
    (start, count): (StreamId, usize),
    log: &mut Rewrites,
    reply: &mut Reply,
) -> Done {
    let (slot, created) = claim.slot(group, log);
    // The cursor comes first and is known last: the entries go to a reply of their own.
    let mut answers = Reply::new(reply.protocol);
    let (mut claimed, mut gone) = (Vec::new(), Vec::new());
    let mut entries = entries.finder();
    let mut ahead = Ahead { page: VecDeque::new(), from: Some(start) };
    for _ in 0..count.saturating_mul(ATTEMPTS) {
        if claimed.len() + gone.len() >= count {
            break;
        }
        let Some(pending) = ahead.next(group) else { break };
        let id = pending.id;
        match claim.one((&mut entries, group), slot, (id, Some(pending)), log, &mut answers) {
            Fate::Claimed(pending) => claimed.push(pending),
            Fate::Gone => gone.push(id),
            Fate::Left => {}
        }
    }
    if !claimed.is_empty() {
        group.put_all(&claimed);
        group.active(slot, claim.now_ms);
    }
    let next = ahead.peek(group).map(|pending| pending.id);
    reply.array(3);
    reply_id(reply, next.unwrap_or(StreamId::MIN));
    reply.array(claimed.len());
    reply.out.append(&mut answers.out);
    reply.array(gone.len());
    gone.iter().for_each(|id| reply_id(reply, *id));
    Done { created, changed: claimed.len() + gone.len() > 0 }
}
