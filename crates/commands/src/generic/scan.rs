//! Walks over the keys of a database. They lock shard by shard and never one for long; what is
//! there during a whole walk is met at least once, what comes or goes meanwhile may be met.

use command::grammar::{integer, pattern, string};
use command::scan::{SCAN_COUNT_MAX, Words};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, Outcome, Overdue,
};
use keyspace::{Keyspace, Position, ScanFilter, Stalled};
use resp::Reply;
use std::sync::Arc;

/// Keys that one slice of KEYS looks at.
const KEYS_SLICE: usize = 4096;

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

fn scan(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let cursor = args.cursor()?;
    let mut filter = ScanFilter::default();
    let mut count = 10;
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
