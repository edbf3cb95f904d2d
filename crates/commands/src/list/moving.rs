//! Moving elements from one list to another, or within one.

use super::{at_least, element_at, end_of, limits, popped, pushed};
use crate::element::reply_element;
use command::grammar::{Argument, block, integer, key, key_of, one_of, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::KeyRef;
use resp::Reply;
use std::iter;
use types::View as _;
use types::list::{End, List};

pub(super) const END: &[Argument] = &[word("left", "LEFT"), word("right", "RIGHT")];

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
    KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
];

pub(super) const LMOVE: Command = Command::data("LMOVE", lmove)
    .group(Group::List)
    .since("6.2.0")
    .arity(5)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(KEYS)
    .args(&[
        key("source"),
        key_of("destination", 1),
        one_of("wherefrom", END),
        one_of("whereto", END),
    ])
    .summary("Moves an element from an end of one list to an end of another, and answers it.")
    .complexity("O(1)");

/// How many elements LMOVEM moves, and in what order.
pub(super) const HOW_MANY: Argument = block(
    "how-many",
    &[
        one_of("selector", &[integer("count").token("COUNT"), integer("exactly").token("EXACTLY")]),
        one_of("ordering", &[word("obo", "OBO"), word("bulk", "BULK")]),
    ],
)
.optional();

pub(super) const LMOVEM: Command = Command::data("LMOVEM", lmovem)
    .group(Group::List)
    .since("8.10.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(KEYS)
    .args(&[
        key("source"),
        key_of("destination", 1),
        one_of("wherefrom", END),
        one_of("whereto", END),
        HOW_MANY,
    ])
    .summary("Moves elements from an end of one list to an end of another, and answers them.")
    .complexity("O(N), N elements moved");

pub(super) const RPOPLPUSH: Command = Command::data("RPOPLPUSH", rpoplpush)
    .group(Group::List)
    .since("1.2.0")
    .arity(3)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(KEYS)
    .args(&[key("source"), key_of("destination", 1)])
    .summary("Moves the last element of one list before all of another, and answers it.")
    .complexity("O(1)")
    .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments");

fn lmove(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    let (from, to) = (end_of(args)?, end_of(args)?);
    if !shift(cx, &source, &target, (from, to), reply)? {
        reply.null();
    }
    Ok(Effect::Same)
}

fn lmovem(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    let (from, to) = (end_of(args)?, end_of(args)?);
    let batch = Batch::parse(args)?;
    if shift_many(cx, &source, &target, (from, to), batch, reply)?.is_none() {
        reply.null_array();
    }
    Ok(Effect::Same)
}

fn rpoplpush(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (source, target) = (args.key()?, args.key()?);
    if !shift(cx, &source, &target, (End::Back, End::Front), reply)? {
        reply.null();
    }
    Ok(Effect::Same)
}

/// Moves an element of `source` from the one end to the other of `target`, and answers it; both may
/// be one key. `false` if there is no source: then nothing is answered, nor is `target` looked at.
pub(super) fn shift(
    cx: &mut Cx<'_>,
    source: &KeyRef<'_>,
    target: &KeyRef<'_>,
    (from, to): (End, End),
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    let limits = limits(cx);
    let Some(mut list) = cx.db.write::<List>(source)? else { return Ok(false) };
    let Some(element) = element_at(list.view(), from) else { return Ok(false) };
    if source.bytes() == target.bytes() {
        reply_element(reply, element);
        list.edit_told(
            |list| list.rotate(from, to, limits),
            |_, tell| {
                tell(pushed(to));
                tell(popped(from));
            },
        );
        return Ok(true);
    }
    let element = element.to_vec();
    let mut list = cx.db.write_or_new::<List>(target)?;
    list.edit(pushed(to), |list| list.push(to, iter::once(&element[..]), limits));
    reply.bulk(&element);
    if let Some(mut list) = cx.db.write::<List>(source)? {
        list.edit(popped(from), |list| list.pop(from, 1, limits));
    }
    Ok(true)
}

/// What LMOVEM moves at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    count: usize,
    /// All of `count` or nothing; otherwise as many as there are.
    exactly: bool,
    /// As if moved one by one, not in the order in which they stand.
    pub(super) one_by_one: bool,
}

impl Batch {
    /// Reads `[COUNT|EXACTLY count OBO|BULK]`, the last words of a request.
    pub(super) fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        if args.left() == 0 {
            return Ok(Self { count: 1, exactly: false, one_by_one: true });
        }
        let exactly = args.token("EXACTLY");
        if args.left() < 2 || !exactly && !args.token("COUNT") {
            return Err(CommandError::Syntax);
        }
        let count = at_least(args, 1, CommandError::CountTooSmall)?;
        let one_by_one = args.token("OBO");
        if !one_by_one && !args.token("BULK") {
            return Err(CommandError::Syntax);
        }
        args.end()?;
        Ok(Self { count, exactly, one_by_one })
    }

    /// How many go of a list of `len`; 0 if it has too few.
    fn of(self, len: usize) -> usize {
        if self.exactly && len < self.count { 0 } else { self.count.min(len) }
    }
}

/// Moves elements from the one end of `source` to the other of `target` and answers them in the
/// order in which they stand there; both may be one key. They are all taken before the first is put
/// in. Returns how many; `None` if `source` has too few: then nothing is answered, nor is `target`
/// looked at.
pub(super) fn shift_many(
    cx: &mut Cx<'_>,
    source: &KeyRef<'_>,
    target: &KeyRef<'_>,
    (from, to): (End, End),
    batch: Batch,
    reply: &mut Reply,
) -> Result<Option<usize>, CommandError> {
    let limits = limits(cx);
    let Some(view) = cx.db.peek_as::<List>(source)? else { return Ok(None) };
    let len = view.len();
    let count = batch.of(len);
    if count == 0 {
        return Ok(None);
    }
    let range = if from == End::Front { 0..count } else { len - count..len };
    let mut moved: Vec<Vec<u8>> = view.range(range).map(|element| element.to_vec()).collect();
    if batch.one_by_one && from == to {
        moved.reverse();
    }
    let put = |list: &mut List| match to {
        End::Front => list.push(to, moved.iter().rev().map(Vec::as_slice), limits),
        End::Back => list.push(to, moved.iter().map(Vec::as_slice), limits),
    };
    if source.bytes() == target.bytes() {
        if let Some(mut list) = cx.db.write::<List>(source)? {
            list.edit_told(
                |list| {
                    list.pop(from, count, limits);
                    put(list);
                },
                |(), tell| {
                    tell(pushed(to));
                    tell(popped(from));
                },
            );
        }
    } else {
        cx.db.write_or_new::<List>(target)?.edit(pushed(to), put);
        if let Some(mut list) = cx.db.write::<List>(source)? {
            list.edit(popped(from), |list| list.pop(from, count, limits));
        }
    }
    reply.array(count);
    moved.iter().for_each(|element| reply.bulk(element));
    Ok(Some(count))
}
