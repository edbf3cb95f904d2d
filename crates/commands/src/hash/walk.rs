//! Answers of many fields: all, random ones, and step by step. Those of large hashes are written
//! from a clone, outside the lock.

use super::READ;
use crate::element::{reply_element, reply_raw};
use command::grammar::{block, integer, key, pattern, word};
use command::scan::{ElementScan, Words};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, Outcome};
use keyspace::Keyspace;
use resp::{Protocol, Reply};
use stdx::rng::Rng;
use types::Collection as _;
use types::hash::{Field, Hash, HashView};
use types::listpack::Digits;

const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];
const ANY_OUTPUT: &[&str] = &["nondeterministic_output"];

/// Fields that are answered at once, under the lock, and in one step outside it.
const SLICE: usize = 1000;

pub(super) const HGETALL: Command = Command::data("HGETALL", hgetall)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(2)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key")])
    .summary("Answers all fields of a hash with their values.")
    .complexity("O(N), N fields; beyond a thousand other clients are served in between")
    .tips(ANY_ORDER);

pub(super) const HKEYS: Command = Command::data("HKEYS", hkeys)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(2)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key")])
    .summary("Answers the names of all fields of a hash.")
    .complexity("O(N), N fields; beyond a thousand other clients are served in between")
    .tips(ANY_ORDER);

pub(super) const HVALS: Command = Command::data("HVALS", hvals)
    .group(Group::Hash)
    .since("2.0.0")
    .arity(2)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key")])
    .summary("Answers the values of all fields of a hash.")
    .complexity("O(N), N fields; beyond a thousand other clients are served in between")
    .tips(ANY_ORDER);

pub(super) const HRANDFIELD: Command = Command::data("HRANDFIELD", hrandfield)
    .group(Group::Hash)
    .since("6.2.0")
    .arity(-2)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        block(
            "options",
            &[
                integer("count").samples(&["0", "1", "-3", "5", "100"]),
                word("withvalues", "WITHVALUES").optional(),
            ],
        )
        .optional(),
    ])
    .summary("Answers fields of a hash chosen at random.")
    .complexity("O(N), N fields answered")
    .tips(ANY_OUTPUT);

pub(super) const HSCAN: Command = Command::data("HSCAN", hscan)
    .group(Group::Hash)
    .since("2.8.0")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        integer("cursor").samples(&["0"]),
        pattern("pattern").token("MATCH").optional(),
        integer("count").token("COUNT").optional().samples(&["1", "10", "1000"]),
        word("novalues", "NOVALUES").optional(),
    ])
    .summary("Answers some fields of a hash, and where to go on.")
    .complexity("O(COUNT) for a call; O(N) for a whole walk over N fields")
    .tips(ANY_OUTPUT);

/// What is answered of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parts {
    Names,
    Values,
    /// The name, then the value.
    Both,
    /// As `Both`, each pair as an array in RESP3.
    Pairs,
}

impl Parts {
    fn reply(self, reply: &mut Reply, field: &Field<'_>) {
        if self == Self::Pairs && reply.protocol == Protocol::Resp3 {
            reply.array(2);
        }
        if self != Self::Values {
            reply_element(reply, field.name);
        }
        if self != Self::Names {
            reply_element(reply, field.value);
        }
    }

    fn header(self, reply: &mut Reply, count: usize) {
        match self {
            Self::Names | Self::Values => reply.array(count),
            Self::Both => reply.map(count),
            Self::Pairs if reply.protocol == Protocol::Resp3 => reply.array(count),
            Self::Pairs => reply.array(count.saturating_mul(2)),
        }
    }
}

/// A selection of different fields of a hash, or all of them.
#[derive(Clone, Debug)]
struct Selection {
    parts: Parts,
    /// What expires at or before this has expired.
    horizon_ms: i64,
    /// Fields to choose, and by what.
    chosen: Option<(usize, Rng)>,
}

impl Selection {
    /// Answers fields of `hash`: at once if they are few, else they follow outside the lock.
    fn answer(mut self, hash: HashView<'_>, later: &mut Option<Box<dyn Job>>, reply: &mut Reply) {
        let live = hash.at(self.horizon_ms);
        let is_long = self.chosen.as_ref().is_none_or(|(count, _)| *count > SLICE)
            && types::View::len(hash) > SLICE;
        if let Some(hash) = hash.clone_large().filter(|_| is_long) {
            *later = Some(Box::new(WalkJob::new(hash, self)));
            return;
        }
        match &mut self.chosen {
            None => {
                self.parts.header(reply, live.count());
                if let Some(mut pairs) = hash.pairs().filter(|_| self.parts == Parts::Both) {
                    while let Some(word) = pairs.next_raw() {
                        reply_raw(reply, word);
                    }
                    return;
                }
                live.iter().for_each(|field| self.parts.reply(reply, &field));
            }
            Some((count, rng)) => {
                self.parts.header(reply, live.count().min(*count));
                live.sample(*count, rng, |field| self.parts.reply(reply, &field));
            }
        }
    }
}

/// A walk over a large hash: once to count what lives, unless that is known, once to answer.
struct WalkJob {
    hash: Hash,
    selection: Selection,
    cursor: u64,
    /// Fields counted so far; `None`: the answer is under way.
    counted: Option<usize>,
    /// Fields still to be met, and of these to be answered.
    left: usize,
    wanted: usize,
}

impl WalkJob {
    fn new(hash: Hash, selection: Selection) -> Self {
        Self { hash, selection, cursor: 0, counted: Some(0), left: 0, wanted: 0 }
    }

    /// Begins the answer.
    fn begin(&mut self, count: usize, reply: &mut Reply) {
        let chosen = self.selection.chosen.as_ref();
        self.counted = None;
        self.cursor = 0;
        self.left = count;
        self.wanted = chosen.map_or(count, |(wanted, _)| count.min(*wanted));
        self.selection.parts.header(reply, self.wanted);
    }
}

impl Job for WalkJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        let live = self.hash.view().at(self.selection.horizon_ms);
        if let Some(so_far) = self.counted {
            if let Some(count) = live.known_count() {
                self.begin(count, reply);
                return JobStep::More;
            }
            let mut count = so_far;
            self.cursor = live.scan(self.cursor, SLICE, |_| count += 1);
            if self.cursor == 0 {
                self.begin(count, reply);
            } else {
                self.counted = Some(count);
            }
            return JobStep::More;
        }
        let (parts, chosen) = (self.selection.parts, &mut self.selection.chosen);
        let (left, wanted) = (&mut self.left, &mut self.wanted);
        self.cursor = live.scan(self.cursor, SLICE, |field| {
            // A choice of `wanted` out of `left`, each as likely as any other.
            let take = chosen.as_mut().is_none_or(|(_, rng)| rng.index(*left) < *wanted);
            *left -= 1;
            if take {
                *wanted -= 1;
                parts.reply(reply, &field);
            }
        });
        if self.cursor == 0 || self.wanted == 0 { JobStep::Done } else { JobStep::More }
    }
}

/// Random fields, the same one any number of times.
struct DrawJob {
    hash: Hash,
    parts: Parts,
    horizon_ms: i64,
    left: usize,
    rng: Rng,
}

impl Job for DrawJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        let slice = self.left.min(SLICE);
        draw(self.hash.view(), self.parts, self.horizon_ms, slice, &mut self.rng, reply);
        self.left -= slice;
        if self.left == 0 { JobStep::Done } else { JobStep::More }
    }
}

fn draw(
    hash: HashView<'_>,
    parts: Parts,
    horizon_ms: i64,
    count: usize,
    rng: &mut Rng,
    reply: &mut Reply,
) {
    let live = hash.at(horizon_ms);
    for _ in 0..count {
        if let Some(field) = live.random(rng) {
            parts.reply(reply, &field);
        }
    }
}

fn answer_all(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply, parts: Parts) -> Outcome {
    let key = args.key()?;
    let horizon_ms = cx.db.horizon_ms();
    match cx.db.read::<Hash>(&key)? {
        Some(hash) => Selection { parts, horizon_ms, chosen: None }.answer(hash, cx.later, reply),
        None => parts.header(reply, 0),
    }
    Ok(Effect::None)
}

fn hgetall(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    answer_all(cx, args, reply, Parts::Both)
}

fn hkeys(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    answer_all(cx, args, reply, Parts::Names)
}

fn hvals(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    answer_all(cx, args, reply, Parts::Values)
}

fn hrandfield(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let horizon_ms = cx.db.horizon_ms();
    if args.left() == 0 {
        let found = cx.db.read::<Hash>(&key)?.and_then(|hash| hash.at(horizon_ms).random(cx.rng));
        match found {
            Some(field) => reply_element(reply, field.name),
            None => reply.null(),
        }
        return Ok(Effect::None);
    }
    let count = args.integer()?;
    if count == i64::MIN {
        return Err(CommandError::RandomCountOutOfRange);
    }
    let parts = if args.token("WITHVALUES") { Parts::Pairs } else { Parts::Names };
    args.end()?;
    if parts == Parts::Pairs && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(CommandError::OutOfRange);
    }
    let hash = cx.db.read::<Hash>(&key)?.filter(|_| count != 0);
    let number = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    match hash {
        None => reply.array(0),
        Some(hash) if count > 0 => {
            let chosen = Some((number, cx.rng.fork()));
            Selection { parts, horizon_ms, chosen }.answer(hash, cx.later, reply);
        }
        Some(hash) if hash.at(horizon_ms).random(cx.rng).is_none() => reply.array(0),
        Some(hash) => {
            parts.header(reply, number);
            if number <= SLICE {
                draw(hash, parts, horizon_ms, number, cx.rng, reply);
            } else {
                let (hash, rng) = (hash.to_hash(), cx.rng.fork());
                *cx.later = Some(Box::new(DrawJob { hash, parts, horizon_ms, left: number, rng }));
            }
        }
    }
    Ok(Effect::None)
}

fn hscan(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let cursor = args.cursor()?;
    let horizon_ms = cx.db.horizon_ms();
    let mut words = Words::default();
    // A missing key is told before the options are looked at.
    let Some(hash) = cx.db.read::<Hash>(&key)? else {
        words.reply_from(0, reply);
        return Ok(Effect::None);
    };
    let scan = ElementScan::parse(args, Some("NOVALUES"))?;
    let (mut name, mut value) = <(Digits, Digits)>::default();
    let next = hash.at(horizon_ms).scan(cursor, scan.count, |field| {
        let text = field.name.text(&mut name);
        if scan.matches(text) {
            words.push(text);
            if !scan.names_only {
                words.push(field.value.text(&mut value));
            }
        }
    });
    words.reply_from(next, reply);
    Ok(Effect::None)
}
