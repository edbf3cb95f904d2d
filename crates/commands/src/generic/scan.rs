//! Walks over the keys of a database. They lock shard by shard and never one for long; what is
//! there during a whole walk is met at least once, what comes or goes meanwhile may be met.

use command::grammar::{integer, pattern, string};
use command::scan::{SCAN_COUNT_MAX, Words};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, Locks, Outcome, Overdue,
};
use keyspace::{Event, Keyspace, Position, ScanFilter, Stalled};
use resp::Reply;
use std::sync::Arc;

/// Keys that one slice of KEYS looks at.
const KEYS_SLICE: usize = 4096;

/// Keys that one RM looks at, at most: it does so under all locks.
const RM_LOOKS_MAX: usize = 512;
/// And at least, which is about a bucket.
const RM_SLICE_MIN: usize = 8;

/// What RM HELP answers.
const RM_HELP: &[&str] = &[
    "RM cursor [MATCH pattern] [COUNT count] [TYPE type]",
    "    Delete keys as SCAN would answer them, about <count> in a call.",
    "    Answer the next cursor, 0 at the end, and how many were deleted.",
];

pub(super) const SCAN: Command = Command::walk("SCAN", scan)
    .group(Group::Generic)
    .since("2.8.0")
    .arity(-2)
    .flags(Flags::READONLY.or(Flags::KEYSPACE))
    .args(&[
        integer("cursor").samples(&["0"]),
        pattern("pattern").token("MATCH").optional(),
        integer("count").token("COUNT").optional().samples(&["1", "10", "1000"]),
        string("type").token("TYPE").optional().since("6.0.0").samples(&["string"]),
    ])
    .summary("Answers some keys of the database, and where to go on.")
    .complexity("O(COUNT) for a call; O(N) for a whole walk over N keys")
    .history(&[("6.0.0", "Option TYPE.")])
    .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]);

/// Dragonfly's.
pub(super) const RM: Command = Command::data("RM", rm)
    .group(Group::Generic)
    .since("8.12.0")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::KEYSPACE).or(Flags::DANGEROUS))
    .locks(Locks::All)
    .args(&[
        integer("cursor").samples(&["0"]),
        pattern("pattern").token("MATCH").optional(),
        integer("count").token("COUNT").optional().samples(&["1", "10", "1000"]),
        string("type").token("TYPE").optional().samples(&["string"]),
    ])
    .summary("Deletes some keys of the database, and answers where to go on.")
    .complexity("O(COUNT) for a call; O(N) for a whole walk over N keys")
    .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]);

pub(super) const KEYS: Command = Command::walk("KEYS", keys)
    .group(Group::Generic)
    .since("1.0.0")
    .arity(2)
    .flags(Flags::READONLY.or(Flags::KEYSPACE).or(Flags::DANGEROUS))
    .args(&[pattern("pattern")])
    .summary("Answers all keys that match a pattern.")
    .complexity("O(N), N keys in the database; other clients are served in between")
    .tips(&["request_policy:all_shards", "nondeterministic_output_order"]);

pub(super) const RANDOMKEY: Command = Command::walk("RANDOMKEY", randomkey)
    .group(Group::Generic)
    .since("1.0.0")
    .arity(1)
    .flags(Flags::READONLY.or(Flags::KEYSPACE))
    .summary("Answers a key chosen at random.")
    .complexity("O(1)")
    .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"]);

/// A pattern that matches all is none.
fn filter_of(pattern: &[u8]) -> Option<Vec<u8>> {
    (pattern != b"*").then(|| pattern.to_vec())
}

/// What SCAN and RM are asked for.
struct Options {
    cursor: u64,
    filter: ScanFilter,
    count: usize,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let cursor = args.cursor()?;
        let (mut filter, mut count) = (ScanFilter::default(), 10);
        while args.left() > 0 {
            if args.token("COUNT") && args.left() > 0 {
                count = usize::try_from(args.integer()?)
                    .ok()
                    .filter(|count| *count > 0)
                    .ok_or(CommandError::Syntax)?;
            } else if args.token("MATCH") && args.left() > 0 {
                filter.pattern = filter_of(args.bytes()?);
            } else if args.token("TYPE") && args.left() > 0 {
                let name = args.bytes()?;
                let Some(kind) = types::Type::of_name(name) else {
                    return Err(CommandError::err_bytes(&[b"unknown type name '", name, b"'"]));
                };
                filter.kind = Some(kind.name().into());
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(Self { cursor, filter, count })
    }
}

fn scan(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let Options { cursor, filter, count } = Options::parse(args)?;
    let mut names = Words::default();
    let count = count.min(SCAN_COUNT_MAX);
    let (db, horizon_ms) = (cx.db.index(), cx.db.horizon_ms());
    let mut met = Vec::new();
    let next = cx.db.scan(cx.space, Position(cursor), count, &filter, |entry| {
        if entry.expired(horizon_ms) {
            met.push((db, entry.key().to_vec()));
        } else {
            names.push(entry.key());
        }
    });
    let next = next.map_err(|_| cx.scripts.overdue.error())?;
    cx.db.record_mut().met.append(&mut met);
    names.reply_from(next.map_or(0, |position| position.0), reply);
    Ok(Effect::None)
}

/// Deletes what it finds under the locks under which it finds it, so that the number that it answers is
/// that of the keys that it deleted. Since it does not know them before, it takes all locks, and
/// looks at few keys.
fn rm(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if args.left() == 1 && args.token("HELP") {
        reply.array(RM_HELP.len());
        RM_HELP.iter().for_each(|line| reply.simple(*line));
        return Ok(Effect::None);
    }
    let Options { cursor, filter, count } = Options::parse(args)?;
    let (mut at, mut looked) = (Some(Position(cursor)), 0);
    let (mut found, mut gone): (Vec<Vec<u8>>, Vec<Vec<u8>>) = Default::default();
    let (db, horizon_ms) = (cx.db.index(), cx.db.horizon_ms());
    let mut met = Vec::new();
    while let Some(from) = at
        && looked < RM_LOOKS_MAX
        && gone.len() < count
    {
        let slice = (count - gone.len()).clamp(RM_SLICE_MIN, RM_LOOKS_MAX);
        let next = cx.db.scan(cx.space, from, slice, &filter, |entry| {
            if entry.expired(horizon_ms) {
                met.push((db, entry.key().to_vec()));
            } else {
                found.push(entry.key().to_vec());
            }
        });
        // All shards are held, so nothing is in the way.
        let Ok(next) = next else { break };
        looked += slice;
        at = next;
        // A slice may begin with the bucket that the one before ended with.
        found.retain(|name| cx.db.delete(&cx.space.key(name, 0), Event::generic("del")));
        gone.append(&mut found);
    }
    cx.db.record_mut().met.append(&mut met);
    reply.array(2);
    reply.bulk_integer(at.map_or(0, |position| position.0 as i64));
    reply.count(gone.len());
    if gone.is_empty() {
        return Ok(Effect::None);
    }
    let deleted = gone.iter().map(Vec::as_slice);
    cx.rewrite(&std::iter::once(b"DEL".as_slice()).chain(deleted).collect::<Vec<_>>());
    Ok(Effect::Rewrite)
}

/// KEYS under way.
struct KeysJob {
    db: u32,
    /// What expires at or before this has expired.
    horizon_ms: i64,
    filter: ScanFilter,
    at: Position,
    names: Words,
    /// To say which script is in the way.
    overdue: Arc<Overdue>,
}

impl Job for KeysJob {
    fn step(&mut self, space: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        let (names, horizon_ms) = (&mut self.names, self.horizon_ms);
        let visit = |entry: &keyspace::Entry| {
            if !entry.expired(horizon_ms) {
                names.push(entry.key());
            }
        };
        match space.scan_soon(self.db, self.at, KEYS_SLICE, &self.filter, visit) {
            Ok(Some(next)) => {
                self.at = next;
                JobStep::More
            }
            Err(Stalled) => {
                reply.error(self.overdue.error().text());
                JobStep::Done
            }
            Ok(None) => {
                self.names.reply(reply);
                JobStep::Done
            }
        }
    }
}

fn keys(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let filter = ScanFilter { pattern: filter_of(args.bytes()?), kind: None };
    if cx.db.holds_any() {
        // A script, which sees the keyspace as it is at this moment.
        let (mut names, horizon_ms) = (Words::default(), cx.db.horizon_ms());
        let visit = |entry: &keyspace::Entry| {
            if !entry.expired(horizon_ms) {
                names.push(entry.key());
            }
        };
        let walked = cx.db.scan(cx.space, Position::default(), usize::MAX, &filter, visit);
        walked.map_err(|_| cx.scripts.overdue.error())?;
        names.reply(reply);
        return Ok(Effect::None);
    }
    let (db, at, horizon_ms) = (cx.db.index(), Position::default(), cx.db.horizon_ms());
    let (names, overdue) = (Words::default(), Arc::clone(&cx.scripts.overdue));
    *cx.later = Some(Box::new(KeysJob { db, horizon_ms, filter, at, names, overdue }));
    Ok(Effect::None)
}

fn randomkey(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut met = Vec::new();
    let key = cx.db.random_key(cx.space, cx.rng, &mut met);
    let key = key.map_err(|_| cx.scripts.overdue.error())?;
    cx.db.record_mut().met.append(&mut met);
    reply.bulk_or_null(key.as_deref());
    Ok(Effect::None)
}
