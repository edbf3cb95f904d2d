//! Idempotent producers: XCFGSET, XIDMPRECORD. The rest of it is XADD's.

use super::{IDS, UPDATE, parse_id, unsigned_ms};
use command::grammar::{integer, key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use keyspace::Event;
use resp::Reply;
use types::stream::{Memory, Stream, StreamId};

pub(super) const XCFGSET: Command = Command::data("XCFGSET", xcfgset)
    .group(Group::Stream)
    .since("8.6.0")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(UPDATE)
    .args(&[
        key("key"),
        integer("duration").token("IDMP-DURATION").optional().samples(&["1", "100"]),
        integer("maxsize").token("IDMP-MAXSIZE").optional().samples(&["1", "100"]),
    ])
    .summary("Sets how long and how much a stream remembers of its idempotent producers.")
    .complexity("O(1)");

pub(super) const XIDMPRECORD: Command = Command::data("XIDMPRECORD", xidmprecord)
    .group(Group::Stream)
    .since("8.6.2")
    .arity(5)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(UPDATE)
    .args(&[key("key"), string("pid"), string("iid"), string("stream-id").samples(IDS)])
    .summary("Notes what a producer called an entry. The journal uses it.")
    .complexity("O(log N)");

/// One number of XCFGSET: given once, and within its bounds.
fn bounded(
    args: &mut Args<'_>,
    before: Option<u32>,
    max: u32,
    errors: (CommandError, CommandError),
) -> Result<Option<u32>, CommandError> {
    let (twice, out_of_bounds) = errors;
    if before.is_some() {
        return Err(twice);
    }
    let value = u32::try_from(args.integer()?).ok().filter(|value| (1..=max).contains(value));
    value.map(Some).ok_or(out_of_bounds)
}

fn xcfgset(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let Some(mut guard) = cx.db.write::<Stream>(&key)? else {
        return Err(CommandError::NoSuchKey);
    };
    let (mut seconds, mut names_max) = (None, None);
    while let Some(word) = args.next() {
        let more = args.left() > 0;
        if more && word.eq_ignore_ascii_case(b"IDMP-DURATION") {
            let errors = (CommandError::IdmpDurationTwice, CommandError::IdmpDuration);
            seconds = bounded(args, seconds, Memory::SECONDS_MAX, errors)?;
        } else if more && word.eq_ignore_ascii_case(b"IDMP-MAXSIZE") {
            let errors = (CommandError::IdmpMaxsizeTwice, CommandError::IdmpMaxsize);
            names_max = bounded(args, names_max, Memory::NAMES_MAX, errors)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if seconds.is_none() && names_max.is_none() {
        return Err(CommandError::IdmpNothing);
    }
    guard.edit(Event::SILENT, |stream| {
        let old = stream.memory();
        stream.set_memory(Memory {
            seconds: seconds.unwrap_or(old.seconds),
            names_max: names_max.unwrap_or(old.names_max),
        })
    });
    reply.ok();
    Ok(Effect::Same)
}

/// Since when the name of an entry is remembered: a journal tells of it later.
pub(super) fn recorded_ms(is_told: bool, id: StreamId, now_ms: u64) -> u64 {
    if is_told { id.ms.min(now_ms) } else { now_ms }
}

fn xidmprecord(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (pid, iid) = (args.bytes()?, args.bytes()?);
    let id = parse_id(args.bytes()?)?;
    if pid.is_empty() {
        return Err(CommandError::IdmpRecordProducer);
    }
    if iid.is_empty() {
        return Err(CommandError::IdmpRecordName);
    }
    let Some(mut guard) = cx.db.write::<Stream>(&key)? else {
        return Err(CommandError::NoSuchKey);
    };
    if !guard.view().log().contains(id) {
        return Err(CommandError::IdmpRecordEntry);
    }
    let now_ms = unsigned_ms(cx.now_ms);
    // A journal tells of what was recorded when the entry was added, and knows better.
    let is_told = cx.session.replays;
    match guard.view().find_idempotent(pid, iid, now_ms).filter(|_| !is_told) {
        Some(known) if known == id => reply.ok(),
        Some(_) => return Err(CommandError::IdmpRecordOther),
        None => {
            let at_ms = recorded_ms(is_told, id, now_ms);
            guard.edit(Event::SILENT, |stream| stream.record((pid, iid), id, at_ms, now_ms));
            reply.ok();
        }
    }
    Ok(Effect::Same)
}
