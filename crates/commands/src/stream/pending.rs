//! What a group has delivered and nobody has acknowledged: XPENDING.

use super::{IDS, READ, no_group, parse_end, parse_start};
use command::grammar::{block, integer, key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group as Section, Outcome};
use resp::Reply;
use std::ops::RangeInclusive;
use types::stream::{Group, IdText, Pending, Stream, StreamId};

pub(super) const XPENDING: Command = Command::data("XPENDING", xpending)
    .group(Section::Stream)
    .since("5.0.0")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        string("group"),
        block(
            "filters",
            &[
                integer("min-idle-time").token("IDLE").optional().since("6.2.0"),
                string("start").samples(IDS),
                string("end").samples(IDS),
                integer("count"),
                string("consumer").optional(),
            ],
        )
        .optional(),
    ])
    .summary("Answers what a consumer group has pending.")
    .complexity("O(log S + N), N the number of entries looked at, or that of consumers")
    .history(&[("6.2.0", "Option IDLE, and intervals that exclude their ends.")])
    .tips(&["nondeterministic_output"]);

/// Which pending entries are asked for.
struct Filter<'a> {
    min_idle_ms: i64,
    ids: RangeInclusive<StreamId>,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    /// `None`: only a summary is asked for.
    fn parse(args: &mut Args<'a>) -> Result<Option<Self>, CommandError> {
        match args.left() {
            0 => return Ok(None),
            3..=6 => {}
            _ => return Err(CommandError::Syntax),
        }
        let mut min_idle_ms = 0;
        if args.token("IDLE") {
            min_idle_ms = args.integer()?;
            if args.left() < 3 {
                return Err(CommandError::Syntax);
            }
        }
        let (start, end) = (args.bytes()?, args.bytes()?);
        let count = usize::try_from(args.integer()?).unwrap_or(0);
        let ids = parse_start(start)?..=parse_end(end)?;
        Ok(Some(Self { min_idle_ms, ids, count, consumer: args.next() }))
    }

    fn lets(&self, pending: &Pending, now_ms: i64) -> bool {
        pending.owner().is_none()
            || self.min_idle_ms == 0
            || pending.idle_ms(now_ms) >= self.min_idle_ms
    }
}

fn xpending(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let name = args.bytes()?;
    let filter = Filter::parse(args)?;
    let stream = cx.db.read::<Stream>(&key)?;
    let Some(group) = stream.and_then(|stream| stream.stream().group(name)) else {
        return Err(no_group(key.bytes(), name, ""));
    };
    match filter {
        None => summary(group, reply),
        Some(filter) => entries(group, &filter, cx.now_ms, reply),
    }
    Ok(Effect::None)
}

fn summary(group: &Group, reply: &mut Reply) {
    reply.array(4);
    reply.count(group.pending_len());
    let (Some(first), Some(last)) = (group.first_pending(), group.last_pending()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    let mut room = IdText::default();
    reply.bulk(first.id.text(&mut room));
    reply.bulk(last.id.text(&mut room));
    let array = reply.array_deferred();
    let mut len = 0;
    for (_, consumer) in group.consumers().filter(|(_, consumer)| consumer.pending_len() > 0) {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_integer(consumer.pending_len() as i64);
        len += 1;
    }
    reply.set_len(array, len);
}

fn entries(group: &Group, filter: &Filter<'_>, now_ms: i64, reply: &mut Reply) {
    let (start, end) = (*filter.ids.start(), *filter.ids.end());
    let array = reply.array_deferred();
    let mut len = 0;
    let mut write = |pending: Pending| {
        let mut room = IdText::default();
        reply.array(4);
        reply.bulk(pending.id.text(&mut room));
        reply.bulk(group.owner_name(&pending));
        reply.integer(pending.told_idle_ms(now_ms));
        reply.integer(i64::try_from(pending.deliveries).unwrap_or(i64::MAX));
        len += 1;
    };
    let lets = |pending: &Pending| filter.lets(pending, now_ms);
    match filter.consumer.map(|name| group.slot_of(name)) {
        None => {
            let all = group.pending_from(start).take_while(|pending| pending.id <= end);
            all.filter(lets).take(filter.count).for_each(&mut write);
        }
        Some(None) => {}
        Some(Some(slot)) => {
            let own = group.pending_of(slot, start).take_while(|pending| pending.id <= end);
            own.filter(lets).take(filter.count).for_each(&mut write);
        }
    }
    reply.set_len(array, len);
}
