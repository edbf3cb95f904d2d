//! Putting elements in and taking them out; the cursor.

use super::{DELETE, SLICE, UPDATE, index, index_of};
use command::grammar::{block, integer, key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use keyspace::Event;
use resp::Reply;
use types::array::{Array, last_of};

const fn row(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler).group(Group::Array).since("8.8.0")
}

const GROWS: Flags = Flags::WRITE.or(Flags::DENYOOM);

pub(super) const ARSET: Command = row("ARSET", arset)
    .arity(-4)
    .flags(GROWS.or(Flags::FAST))
    .keys(UPDATE)
    .args(&[key("key"), integer("index"), string("value").many()])
    .summary("Puts values into an array, side by side from an index on.")
    .complexity("O(M log N), M values, N the number of elements");

pub(super) const ARMSET: Command = row("ARMSET", armset)
    .arity(-4)
    .flags(GROWS.or(Flags::FAST))
    .keys(UPDATE)
    .args(&[key("key"), block("data", &[integer("index"), string("value")]).many()])
    .summary("Puts values into an array, each at an index.")
    .complexity("O(M log N), M values, N the number of elements");

pub(super) const ARDEL: Command = row("ARDEL", ardel)
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(DELETE)
    .args(&[key("key"), integer("index").many()])
    .summary("Takes elements out of an array by their indexes.")
    .complexity("O(M log N), M indexes, N the number of elements");

pub(super) const ARDELRANGE: Command = row("ARDELRANGE", ardelrange)
    .arity(-4)
    .flags(Flags::WRITE)
    .keys(DELETE)
    .args(&[key("key"), block("range", &[integer("start"), integer("end")]).many()])
    .summary("Takes the elements of ranges out of an array.")
    .complexity("O(M log N), M ranges, N the number of elements");

pub(super) const ARINSERT: Command = row("ARINSERT", arinsert)
    .arity(-3)
    .flags(GROWS.or(Flags::FAST))
    .keys(UPDATE)
    .args(&[key("key"), string("value").many()])
    .summary("Puts values into an array behind the one that was inserted last.")
    .complexity("O(M log N), M values, N the number of elements");

pub(super) const ARRING: Command = row("ARRING", arring)
    .arity(-4)
    .flags(GROWS)
    .keys(UPDATE)
    .args(&[key("key"), integer("size"), string("value").many()])
    .summary("Puts values into an array behind the one inserted last, in a ring of a size.")
    .complexity("O(M log N), M values, N the number of elements; O(N) more if the size changes");

pub(super) const ARSEEK: Command = row("ARSEEK", arseek)
    .arity(3)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(UPDATE)
    .args(&[key("key"), integer("index")])
    .summary("Sets the index at which the next value is inserted into an array.")
    .complexity("O(1)");

/// The index that ARSEEK takes besides: behind the last one.
const BEHIND_ALL: &[u8] = b"18446744073709551615";

/// Puts `elements` in, in whatever case an `event`, and answers how many of them are new.
fn put<'v>(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    event: &'static str,
    elements: impl Iterator<Item = (u64, &'v [u8])>,
) -> Outcome {
    let key = args.keys()[0];
    let mut array = cx.db.write_or_new::<Array>(&key)?;
    let mut new = 0_usize;
    array.edit(Event::array(event), |array| {
        for (index, value) in elements {
            new += usize::from(array.set(index, value));
        }
    });
    reply.count(new);
    Ok(Effect::Same)
}

fn arset(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    args.key()?;
    let first = index(args)?;
    let values = args.rest();
    let last = last_of(first, values.len()).ok_or(CommandError::ArrayOverflow)?;
    put(cx, args, reply, "arset", (first..=last).zip(values.iter().copied()))
}

fn armset(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    args.key()?;
    let (pairs, []) = args.rest().as_chunks::<2>() else {
        return Err(CommandError::arity("armset"));
    };
    let elements = pairs.iter().map(|[index, value]| Ok((index_of(index)?, *value)));
    let elements = elements.collect::<Result<Vec<_>, CommandError>>()?;
    put(cx, args, reply, "armset", elements.into_iter())
}

/// Takes the elements of these ranges out, and answers how many there were.
fn take(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    event: &'static str,
    ranges: &[(u64, u64)],
) -> Outcome {
    let key = args.keys()[0];
    let mut gone = 0;
    if let Some(mut array) = cx.db.write::<Array>(&key)? {
        let view = array.view();
        let many = ranges.iter().any(|(low, high)| low != high && view.count(*low, *high) > SLICE);
        let clone = many.then(|| view.to_array());
        gone = array.edit(Event::array(event), |array| {
            ranges.iter().map(|(low, high)| array.remove(*low, *high)).sum::<usize>()
        });
        if let Some(clone) = clone {
            array.dispose(clone);
        }
    }
    reply.count(gone);
    Ok(if gone > 0 { Effect::Same } else { Effect::None })
}

fn ardel(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    args.key()?;
    let indexes = args.rest().iter().map(|word| index_of(word).map(|index| (index, index)));
    let indexes = indexes.collect::<Result<Vec<_>, CommandError>>()?;
    take(cx, args, reply, "ardel", &indexes)
}

fn ardelrange(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    args.key()?;
    let (pairs, []) = args.rest().as_chunks::<2>() else {
        return Err(CommandError::arity("ardelrange"));
    };
    let ranges = pairs.iter().map(|[start, end]| {
        let (start, end) = (index_of(start)?, index_of(end)?);
        Ok((start.min(end), start.max(end)))
    });
    let ranges = ranges.collect::<Result<Vec<_>, CommandError>>()?;
    take(cx, args, reply, "ardelrange", &ranges)
}

fn arinsert(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let values = args.rest();
    let mut array = cx.db.write_or_new::<Array>(&key)?;
    let last =
        array.edit(Event::array("arinsert"), |array| array.insert(values).map(|at| ((), at)));
    let ((), last) = last.map_err(|_| CommandError::ArrayInsertOverflow)?;
    reply.count(last as usize);
    Ok(Effect::Same)
}

fn arring(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let size = stdx::num::parse_i64(args.bytes()?).ok_or(CommandError::ArrayRingSize)?;
    let size = u64::try_from(size).ok().filter(|size| *size > 0);
    let size = size.ok_or(CommandError::ArrayRingNotPositive)?;
    let values = args.rest();
    let mut array = cx.db.write_or_new::<Array>(&key)?;
    let ((), last) = array.edit(Event::array("arring"), |array| ((), array.ring(size, values)));
    reply.count(last as usize);
    Ok(Effect::Same)
}

fn arseek(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let word = args.bytes()?;
    let next = if word == BEHIND_ALL { u64::MAX } else { index_of(word)? };
    let Some(mut array) = cx.db.write::<Array>(&key)? else {
        reply.integer(0);
        return Ok(Effect::None);
    };
    array.edit(Event::array("arseek"), |array| array.set_cursor(next.checked_sub(1)));
    reply.integer(1);
    Ok(Effect::Same)
}
