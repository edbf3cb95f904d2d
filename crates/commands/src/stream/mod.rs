//! The stream family. What a stream is and how it changes: `types::stream`. Here: arguments,
//! answers, and what the journal is told.
//!
//! The journal is told outcomes. XADD is logged with the ID it made, a trim with the exact bound it
//! came to, and what a group gets is logged entry by entry: as XCLAIM with time and count, as XACK
//! where an entry is forgotten, as XGROUP CREATECONSUMER and XGROUP SETID for the rest. So
//! replaying needs no clock and delivers nothing anew.
//!
//! Deliveries and acknowledgements are told to nobody ([`Event::SILENT`]), what is done to groups
//! only to subscribers: for who watches a stream or keeps it, it is its entries.

mod acknowledge;
mod add;
mod claim;
mod delete;
mod group;
mod idempotence;
mod info;
mod pending;
mod range;
mod read;
#[cfg(test)]
mod tests;

use crate::element::reply_element;
use command::{Command, CommandError, KeyFlags, KeySpec, Rewrites};
use keyspace::{Event, Extent};
use resp::Reply;
use types::stream::{Entry, Group, IdText, Pending, StreamId};

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    acknowledge::XACK,
    acknowledge::XACKDEL,
    add::XADD,
    claim::XAUTOCLAIM,
    idempotence::XCFGSET,
    claim::XCLAIM,
    delete::XDEL,
    delete::XDELEX,
    group::XGROUP,
    idempotence::XIDMPRECORD,
    info::XINFO,
    range::XLEN,
    acknowledge::XNACK,
    pending::XPENDING,
    range::XRANGE,
    read::XREAD,
    read::XREADGROUP,
    range::XREVRANGE,
    group::XSETID,
    add::XTRIM,
];

const XADD_EVENT: Event = Event::stream("xadd");
const XDEL_EVENT: Event = Event::stream("xdel");
const XTRIM_EVENT: Event = Event::stream("xtrim");
// What is done to groups leaves the entries as they are.
const CREATECONSUMER_EVENT: Event = aside("xgroup-createconsumer");

/// An event of a change that the entries are not part of.
const fn aside(name: &'static str) -> Event {
    Event::stream(name).within(Extent::Aside)
}

/// One key whose entries are read.
const READ: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))];
/// One key that is changed.
const UPDATE: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))];
/// One key that loses something.
const DELETE: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::DELETE))];

/// Longer replies are written from clones, outside the lock.
const IN_PLACE_MAX: usize = 1000;

/// IDs that the request generator draws from.
const IDS: &[&str] = &["0-0", "0-1", "1-0", "1-1", "2", "3-*", "5-5", "-", "+", "(1-1", "$", ">"];

/// An ID as clients write it; without a number it is the first of its millisecond.
fn parse_id(text: &[u8]) -> Result<StreamId, CommandError> {
    StreamId::parse(text, 0).ok_or(CommandError::StreamId)
}

/// The lower bound of an interval: `(` excludes it.
fn parse_start(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', text @ ..] if !text.is_empty() => {
            parse_id(text)?.next().ok_or(CommandError::StreamStartId)
        }
        _ => StreamId::parse_or_end(text, 0).ok_or(CommandError::StreamId),
    }
}

/// The upper bound of an interval: `(` excludes it.
fn parse_end(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', text @ ..] if !text.is_empty() => {
            let id = StreamId::parse(text, u64::MAX).ok_or(CommandError::StreamId)?;
            id.prev().ok_or(CommandError::StreamEndId)
        }
        _ => StreamId::parse_or_end(text, u64::MAX).ok_or(CommandError::StreamId),
    }
}

/// An integer, or an error of its own.
fn integer_or(text: &[u8], error: CommandError) -> Result<i64, CommandError> {
    stdx::num::parse_i64(text).ok_or(error)
}

/// There is no such key or group; `tail` ends the sentence.
fn no_group(key: &[u8], group: &[u8], tail: &str) -> CommandError {
    let pieces: [&[u8]; 5] = [b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'"];
    CommandError::Text([&pieces.concat(), tail.as_bytes()].concat().into())
}

/// The key is there, and has no such group.
fn no_group_in(key: &[u8], group: &[u8]) -> CommandError {
    let pieces: [&[u8]; 5] =
        [b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"];
    CommandError::Text(pieces.concat().into())
}

fn reply_id(reply: &mut Reply, id: StreamId) {
    reply.bulk(id.text(&mut IdText::default()));
}

/// The ID of an entry and its fields with their values: two values of the reply.
fn reply_body(reply: &mut Reply, entry: &Entry<'_>, room: &mut IdText) {
    reply.bulk(entry.id.text(room));
    reply.array(2 * entry.len());
    for (field, value) in entry.fields() {
        reply_element(reply, field);
        reply_element(reply, value);
    }
}

fn reply_entry(reply: &mut Reply, entry: &Entry<'_>, room: &mut IdText) {
    reply.array(2);
    reply_body(reply, entry, room);
}

/// Entries as an array; returns how many.
fn reply_entries<'a>(reply: &mut Reply, entries: impl Iterator<Item = Entry<'a>>) -> usize {
    let array = reply.array_deferred();
    let mut room = IdText::default();
    let mut count = 0;
    for entry in entries {
        reply_entry(reply, &entry, &mut room);
        count += 1;
    }
    reply.set_len(array, count);
    count
}

/// The moments of a command, as streams want them.
fn unsigned_ms(now_ms: i64) -> u64 {
    u64::try_from(now_ms).unwrap_or(0)
}

/// What the journal is told of one group.
struct Journal<'a> {
    log: &'a mut Rewrites,
    key: &'a [u8],
    group: &'a [u8],
}

impl Journal<'_> {
    /// An entry is pending as given; it has an owner.
    fn claimed(&mut self, group: &Group, pending: &Pending) {
        if !self.log.active {
            return self.log.push(&[]);
        }
        let (mut id, mut last) = (IdText::default(), IdText::default());
        let (mut time, mut count) = (Vec::new(), Vec::new());
        stdx::num::write_i64(&mut time, pending.time_ms);
        stdx::num::write_u64(&mut count, pending.deliveries);
        self.log.push(&[
            b"XCLAIM",
            self.key,
            self.group,
            group.owner_name(pending),
            b"0",
            pending.id.text(&mut id),
            b"TIME",
            &time,
            b"RETRYCOUNT",
            &count,
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            group.last_id.text(&mut last),
        ]);
    }

    /// An entry is not pending any more.
    fn forgot(&mut self, id: StreamId) {
        self.log.push(&[b"XACK", self.key, self.group, id.text(&mut IdText::default())]);
    }

    fn created(&mut self, consumer: &[u8]) {
        self.log.push(&[b"XGROUP", b"CREATECONSUMER", self.key, self.group, consumer]);
    }

    /// The group has read up to where it stands now.
    fn read(&mut self, group: &Group) {
        let mut read = Vec::new();
        match group.entries_read {
            Some(count) => stdx::num::write_u64(&mut read, count),
            None => read.extend_from_slice(b"-1"),
        }
        let mut last = IdText::default();
        let last = group.last_id.text(&mut last);
        self.log.push(&[b"XGROUP", b"SETID", self.key, self.group, last, b"ENTRIESREAD", &read]);
    }
}
