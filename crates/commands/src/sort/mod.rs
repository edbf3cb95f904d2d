//! SORT and SORT_RO: the elements of a list, set or sorted set in another order, or what keys named
//! after the elements hold.
//!
//! The elements are read from a copy made in an instant, so that other keys can be looked up on the
//! way. Such keys are in no key list: a request with a pattern in BY or GET holds all shards.
//!
//! What is equal is put in the order of its text or, when sorted by texts of others, left in its
//! order. What STORE made is told to the journal as such: a replica need neither sort nor know which
//! keys had expired.

mod options;
mod pattern;

use crate::element::reply_element;
use command::grammar::{block, integer, key, key_of, one_of, pattern, word};
use command::{
    Args, Argument, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, KeyFlags,
    KeySpec, Locks, Outcome,
};
use keyspace::{Event, KeyRef, Keyspace};
use options::Options;
use pattern::{Names, Pattern};
use resp::Reply;
use std::cmp::Ordering;
use std::ops::Range;
use types::list::List;
use types::listpack::{Digits, Element};
use types::{Any, Collection as _};

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[SORT, SORT_RO];

const READ: KeyFlags = KeyFlags::RO.or(KeyFlags::ACCESS);

/// Keys that BY and GET name: nobody knows them before the elements are read.
const PATTERNS: KeySpec =
    KeySpec::custom(|_| None, READ).notes("Keys that BY and GET name after the elements.");

const STORE: KeySpec = KeySpec::custom(options::store_at, KeyFlags::OW.or(KeyFlags::UPDATE))
    .notes("The key after STORE, wherever that stands.");

const fn row(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::Generic)
        .arity(-2)
        .complexity("O(N+M*log(M)), N elements of the key, M of them answered; O(N) if not sorted")
}

const SORT: Command = row("SORT", sort)
    .since("1.0.0")
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::DANGEROUS).or(Flags::IN_SORTABLE))
    .locks(Locks::AllIf(|words| options::reaches_others(words, true)))
    .keys(&[KeySpec::at(1, READ), PATTERNS, STORE])
    .args(&[
        key("key"),
        BY,
        LIMIT,
        GET,
        ORDER,
        ALPHA,
        key_of("destination", 2).token("STORE").optional(),
    ])
    .summary("Sorts a list, set or sorted set, and answers or stores the result.");

const SORT_RO: Command = row("SORT_RO", sort_ro)
    .since("7.0.0")
    .flags(Flags::READONLY.or(Flags::DANGEROUS).or(Flags::IN_SORTABLE))
    .locks(Locks::AllIf(|words| options::reaches_others(words, false)))
    .keys(&[KeySpec::at(1, READ), PATTERNS])
    .args(&[key("key"), BY, LIMIT, GET, ORDER, ALPHA])
    .summary("Sorts a list, set or sorted set, and answers the result.");

const BY: Argument = pattern("by-pattern").token("BY").display("pattern").optional();
const LIMIT: Argument =
    block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional();
const GET: Argument =
    pattern("get-pattern").token("GET").display("pattern").optional().many_tokens();
const ORDER: Argument = one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional();
const ALPHA: Argument = word("sorting", "ALPHA").optional();

fn sort(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let options = Options::parse(args.rest(), true)?;
    match (options.stores, args.keys().get(1)) {
        (true, Some(target)) => {
            let values = sorted(cx, &key, &options)?;
            reply.count(values.len());
            Ok(store(cx, target, &values))
        }
        _ => answer(cx, &key, &options, reply),
    }
}

fn sort_ro(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let options = Options::parse(args.rest(), false)?;
    answer(cx, &key, &options, reply)
}

/// What has elements that can be sorted. `None` if there is nothing at the key.
fn source(cx: &mut Cx<'_>, key: &KeyRef<'_>) -> Result<Option<Any>, CommandError> {
    let horizon_ms = cx.db.horizon_ms();
    let Some(entry) = cx.db.get(key) else { return Ok(None) };
    match entry.value().to_any() {
        Some(mut any @ (Any::List(_) | Any::Set(_) | Any::ZSet(_))) => {
            // A copy, of which what has expired goes.
            any.expire(horizon_ms, usize::MAX, &mut |_| {});
            Ok(Some(any))
        }
        _ => Err(CommandError::WrongType),
    }
}

/// Of more elements, a clone is sorted outside the lock.
const IN_PLACE_MAX: usize = 1000;

fn answer(cx: &mut Cx<'_>, key: &KeyRef<'_>, options: &Options<'_>, reply: &mut Reply) -> Outcome {
    let any = source(cx, key)?.unwrap_or_else(|| Any::List(List::default()));
    let ordered = cx.in_script();
    if any.len() > IN_PLACE_MAX
        && let Some(options) = options.alone()
    {
        *cx.later = Some(Box::new(Sorting { any, options, ordered }));
        return Ok(Effect::None);
    }
    let elements =
        arranged(&any, options, ordered, &mut |element, by, alpha| rank(cx, element, by, alpha))?;
    reply_rows(&elements, options, reply, &mut |reply, element, names| {
        if names.look_up(cx, element, |value| reply.bulk(value)).is_none() {
            reply.null();
        }
    });
    Ok(Effect::None)
}

/// Answers the elements, or what GET makes of each; `look_up` answers what other keys hold.
fn reply_rows(
    elements: &[Element<'_>],
    options: &Options<'_>,
    reply: &mut Reply,
    look_up: &mut dyn FnMut(&mut Reply, Element<'_>, &Names<'_>),
) {
    reply.array(elements.len() * options.get.len().max(1));
    for element in elements {
        if options.get.is_empty() {
            reply_element(reply, *element);
        }
        for pattern in &options.get {
            match pattern {
                Pattern::Itself => reply_element(reply, *element),
                Pattern::Nothing => reply.null(),
                Pattern::Key(names) => look_up(reply, *element, names),
            }
        }
    }
}

/// The sort of a clone, which needs no other key.
struct Sorting {
    any: Any,
    options: Options<'static>,
    ordered: bool,
}

impl Job for Sorting {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        let Self { any, options, ordered } = self;
        match arranged(any, options, *ordered, &mut |element, _, alpha| own_rank(element, alpha)) {
            Ok(elements) => {
                reply_rows(&elements, options, reply, &mut |reply, _, _| reply.null());
            }
            Err(error) => reply.error(error.text()),
        }
        JobStep::Done
    }
}

/// What STORE stores. A missing value is an empty string.
fn sorted(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    options: &Options<'_>,
) -> Result<Vec<Vec<u8>>, CommandError> {
    let any = source(cx, key)?.unwrap_or_else(|| Any::List(List::default()));
    let elements =
        arranged(&any, options, true, &mut |element, by, alpha| rank(cx, element, by, alpha))?;
    let mut values = Vec::with_capacity(elements.len() * options.get.len().max(1));
    for element in elements {
        if options.get.is_empty() {
            values.push(element.to_vec());
        }
        for pattern in &options.get {
            values.push(match pattern {
                Pattern::Itself => element.to_vec(),
                Pattern::Nothing => Vec::new(),
                Pattern::Key(names) => {
                    names.look_up(cx, element, <[u8]>::to_vec).unwrap_or_default()
                }
            });
        }
    }
    Ok(values)
}

fn store(cx: &mut Cx<'_>, target: &KeyRef<'_>, values: &[Vec<u8>]) -> Effect {
    /// Elements in one command of the journal.
    const PIECE: usize = 1024;
    let list = List::collect(values.iter().map(Element::from), &cx.settings.limits);
    cx.db.replace(target, list, Event::list("sortstore"));
    cx.rewrite(&[b"DEL", target.bytes()]);
    for piece in values.chunks(PIECE) {
        let mut words: Vec<&[u8]> = vec![b"RPUSH", target.bytes()];
        words.extend(piece.iter().map(Vec::as_slice));
        cx.rewrite(&words);
    }
    Effect::Rewrite
}

/// What an element is sorted by: by what pattern, and whether as text.
type Ranking<'f> =
    dyn FnMut(Element<'_>, Option<&Pattern<'_>>, bool) -> Result<Rank, CommandError> + 'f;

/// The elements that are answered, in their order. `ordered`: what is stored, or what a script sees, must
/// not depend on how a set is kept, which has no order of its own.
fn arranged<'e>(
    any: &'e Any,
    options: &Options<'_>,
    ordered: bool,
    ranking: &mut Ranking<'_>,
) -> Result<Vec<Element<'e>>, CommandError> {
    let range = options.range(any.len());
    let unsorted = options.unsorted && !(ordered && matches!(any, Any::Set(_)));
    if unsorted {
        return Ok(in_own_order(any, range, options.descending));
    }
    let elements = in_own_order(any, 0..any.len(), false);
    // BY a constant, on a set: by its own text.
    let by = options.by.as_ref().filter(|_| !options.unsorted);
    let alpha = options.alpha || options.unsorted;
    // By texts of others, equal ones stay in the order in which they come.
    let ties_stay = alpha && by.is_some();
    let mut rows = Vec::with_capacity(elements.len());
    for (at, element) in elements.into_iter().enumerate() {
        rows.push(Row { rank: ranking(element, by, alpha)?, element, at });
    }
    let order = |a: &Row<'_>, b: &Row<'_>| {
        let (low, high) = if options.descending { (b, a) } else { (a, b) };
        let by_rank = low.rank.compare(&high.rank);
        by_rank.then_with(|| match ties_stay {
            true => a.at.cmp(&b.at),
            false => compare_texts(low.element, high.element),
        })
    };
    // PERF: of what lies behind the range, no order is needed.
    if range.end > 0 && range.end < rows.len() {
        rows.select_nth_unstable_by(range.end - 1, order);
        rows.truncate(range.end);
    }
    rows.sort_unstable_by(order);
    Ok(rows.drain(range).map(|row| row.element).collect())
}

/// The elements at `range` as the value keeps them, or counted from its end on.
fn in_own_order(any: &Any, range: Range<usize>, descending: bool) -> Vec<Element<'_>> {
    let len = any.len();
    let from_end = len - range.end..len - range.start;
    match any {
        Any::List(list) if descending => list.view().range(from_end).rev().collect(),
        Any::List(list) => list.view().range(range).collect(),
        Any::ZSet(zset) => {
            let range = if descending { from_end } else { range };
            let mut elements: Vec<_> = zset.view().range(range).map(|(member, _)| member).collect();
            if descending {
                elements.reverse();
            }
            elements
        }
        Any::Set(set) => set.view().iter().skip(range.start).take(range.len()).collect(),
        Any::Hash(_) | Any::Stream(_) | Any::Array(_) | Any::SortedInt(_) | Any::Job(_) => {
            Vec::new()
        }
    }
}

/// An element, and what it is sorted by.
struct Row<'a> {
    rank: Rank,
    element: Element<'a>,
    /// Its place before sorting.
    at: usize,
}

enum Rank {
    /// Nothing: before any text.
    Least,
    Number(f64),
    Text(Vec<u8>),
}

impl Rank {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            // Neither is NaN.
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Text(_), _) => Ordering::Greater,
            (_, Self::Text(_)) => Ordering::Less,
            _ => Ordering::Equal,
        }
    }
}

fn compare_texts(a: Element<'_>, b: Element<'_>) -> Ordering {
    a.text(&mut Digits::default()).cmp(b.text(&mut Digits::default()))
}

fn rank(
    cx: &mut Cx<'_>,
    element: Element<'_>,
    by: Option<&Pattern<'_>>,
    alpha: bool,
) -> Result<Rank, CommandError> {
    match (by, alpha) {
        (None, _) => own_rank(element, alpha),
        (Some(Pattern::Key(names)), true) => {
            let text = names.look_up(cx, element, <[u8]>::to_vec);
            Ok(text.map_or(Rank::Least, Rank::Text))
        }
        (Some(Pattern::Key(names)), false) => {
            names.look_up(cx, element, number).unwrap_or(Ok(Rank::Number(0.0)))
        }
        (Some(_), _) => Ok(Rank::Least),
    }
}

/// By its own text or number.
fn own_rank(element: Element<'_>, alpha: bool) -> Result<Rank, CommandError> {
    match element {
        _ if alpha => Ok(Rank::Least),
        Element::Int(value) => Ok(Rank::Number(value as f64)),
        text => number(text.text(&mut Digits::default())),
    }
}

/// The number that `text` spells, up to its first NUL, as C reads it; none is 0.
fn number(text: &[u8]) -> Result<Rank, CommandError> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Ok(Rank::Number(0.0));
    }
    stdx::num::parse_f64(text).map(Rank::Number).ok_or(CommandError::SortNotNumbers)
}
