//! What a consumer says of an entry it was given: XACK, XACKDEL, XNACK.

use super::add::REFERENCES;
use super::delete::{DONE, ID_BLOCK, Ids, MISSING, REFERENCED, parse_ids, take_ids};
use super::{IDS, UPDATE, XDEL_EVENT, no_group};
use command::grammar::{integer, key, one_of, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{Event, EventClass, Extent};
use resp::Reply;
use types::stream::{DELIVERIES_MAX, Pending, Removal, Stream, StreamId};

pub(super) const XACK: Command = Command::data("XACK", xack)
    .group(Group::Stream)
    .since("5.0.0")
    .arity(-4)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(UPDATE)
    .args(&[key("key"), string("group"), string("id").many().samples(IDS)])
    .summary("Tells a consumer group that entries are dealt with.")
    .complexity("O(log N) for each ID");

pub(super) const XACKDEL: Command = Command::data("XACKDEL", xackdel)
    .group(Group::Stream)
    .since("8.2.0")
    .arity(-6)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE).or(KeyFlags::DELETE))])
    .args(&[key("key"), string("group"), REFERENCES, ID_BLOCK])
    .summary("Tells a consumer group that entries are dealt with, and removes them.")
    .complexity("O(log N) for each ID, times the number of groups");

pub(super) const XNACK: Command = Command::data("XNACK", xnack)
    .group(Group::Stream)
    .since("8.8.0")
    .arity(-7)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(UPDATE)
    .args(&[
        key("key"),
        string("group"),
        one_of("mode", &[word("silent", "SILENT"), word("fail", "FAIL"), word("fatal", "FATAL")]),
        ID_BLOCK,
        integer("count").token("RETRYCOUNT").optional(),
        word("force", "FORCE").optional(),
    ])
    .summary("Gives pending entries back to their consumer group.")
    .complexity("O(log N) for each ID");

fn xack(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let group = args.bytes()?;
    let there = cx.db.read::<Stream>(&key)?.is_some_and(|stream| stream.group(group).is_some());
    let guard = if there { cx.db.write::<Stream>(&key)? } else { None };
    let Some(mut guard) = guard else {
        reply.integer(0);
        return Ok(Effect::None);
    };
    let ids = parse_ids(args.rest())?;
    let acknowledged = guard.edit(Event::SILENT, |stream| {
        let ack = |group: &mut types::stream::Group| {
            ids.iter().filter(|id| group.ack(**id).is_some()).count()
        };
        stream.with_group(group, |_, group| ack(group)).unwrap_or(0)
    });
    reply.count(acknowledged);
    Ok(Effect::Same)
}

fn xackdel(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let group = args.bytes()?;
    let stream = cx.db.read::<Stream>(&key)?;
    let there = stream.is_some_and(|stream| stream.group(group).is_some());
    let ids = Ids::parse(args)?;
    let guard = if there { cx.db.write::<Stream>(&key)? } else { None };
    let Some(mut guard) = guard else {
        ids.reply_missing(reply);
        return Ok(Effect::None);
    };
    let parsed = ids.parsed()?;
    let removals = guard.edit_told(
        |stream| {
            let remove = |id: &StreamId| {
                let acked = stream.with_group(group, |_, group| group.ack(*id)).flatten();
                acked.map(|_| stream.delete(*id, ids.references))
            };
            parsed.iter().map(remove).collect::<Vec<_>>()
        },
        |removals, tell| {
            if removals.contains(&Some(Removal::Done)) {
                tell(XDEL_EVENT);
            } else if removals.iter().any(Option::is_some) {
                tell(Event::SILENT);
            }
        },
    );
    reply.array(removals.len());
    for removal in removals {
        reply.integer(match removal {
            None => MISSING,
            Some(Removal::Done | Removal::Missing) => DONE,
            Some(Removal::Referenced) => REFERENCED,
        });
    }
    Ok(Effect::Same)
}

/// What becomes of the count of deliveries.
#[derive(Clone, Copy, Debug)]
enum Count {
    /// One less: the delivery is taken back.
    Less,
    Same,
    Most,
    Given(u64),
}

impl Count {
    fn parse(text: &[u8]) -> Result<Self, CommandError> {
        const MODES: [(&[u8], Count); 3] =
            [(b"SILENT", Count::Less), (b"FAIL", Count::Same), (b"FATAL", Count::Most)];
        let found = MODES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        found.map(|(_, mode)| *mode).ok_or(CommandError::XnackMode)
    }

    fn of(self, deliveries: u64) -> u64 {
        match self {
            Self::Less => deliveries.saturating_sub(1),
            Self::Same => deliveries,
            Self::Most => DELIVERIES_MAX,
            Self::Given(count) => count,
        }
    }
}

/// No notification tells of it, but who waits to take entries over is to know.
const GIVEN_BACK: Event = Event::of(EventClass::Silent, "xnack").within(Extent::Waiters);

fn xnack(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let group = args.bytes()?;
    let guard = cx.db.write::<Stream>(&key)?;
    let Some(mut guard) = guard.filter(|guard| guard.view().group(group).is_some()) else {
        return Err(no_group(key.bytes(), group, ""));
    };
    let mut count = Count::parse(args.bytes()?)?;
    let (mut words, mut force) = (None, false);
    while let Some(word) = args.next() {
        let more = args.left() > 0;
        if more && word.eq_ignore_ascii_case(b"IDS") {
            let ids = take_ids(args, CommandError::XnackCount, i64::from(i32::MAX))?;
            words = Some(ids.ok_or(CommandError::XnackCountOther)?);
        } else if word.eq_ignore_ascii_case(b"FORCE") {
            force = true;
        } else if more && word.eq_ignore_ascii_case(b"RETRYCOUNT") {
            let given = args.integer()?;
            let given = u64::try_from(given).map_err(|_| CommandError::XnackRetryCount)?;
            count = Count::Given(given);
        } else {
            return Err(CommandError::err_bytes(&[b"Unrecognized XNACK option '", word, b"'"]));
        }
    }
    let ids = parse_ids(words.ok_or(CommandError::XnackNoIds)?)?;
    let given_back = guard.edit(GIVEN_BACK, |stream| {
        let give_back = |log: &types::stream::Log, group: &mut types::stream::Group| {
            let mut given_back = 0;
            for id in &ids {
                let deliveries = match group.pending(*id) {
                    Some(pending) => pending.deliveries,
                    None if force && log.contains(*id) => 0,
                    None => continue,
                };
                group.put(Pending::new(*id, 0, count.of(deliveries), None));
                given_back += 1;
            }
            given_back
        };
        stream.with_group(group, give_back).unwrap_or(0_usize)
    });
    reply.count(given_back);
    Ok(Effect::Same)
}
