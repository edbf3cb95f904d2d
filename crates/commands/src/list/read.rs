//! Reading: length, elements by index and range, places by value.

use super::{READ, at_least, negatable, range_of, reply_range, resolve};
use crate::element::reply_element;
use command::grammar::{integer, key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use resp::Reply;
use types::View as _;
use types::list::{End, List, ListView};
use types::listpack::Element;

pub(super) const LLEN: Command = Command::data("LLEN", llen)
    .group(Group::List)
    .since("1.0.0")
    .arity(2)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RO)])
    .args(&[key("key")])
    .summary("Answers the number of elements of a list.")
    .complexity("O(1)");

pub(super) const LINDEX: Command = Command::data("LINDEX", lindex)
    .group(Group::List)
    .since("1.0.0")
    .arity(3)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key"), integer("index")])
    .summary("Answers an element of a list by its index.")
    .complexity("O(log N), N the length of the list");

pub(super) const LRANGE: Command = Command::data("LRANGE", lrange)
    .group(Group::List)
    .since("1.0.0")
    .arity(4)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key"), integer("start"), integer("stop")])
    .summary("Answers a range of elements of a list.")
    .complexity("O(log N + M), N the length of the list, M elements answered");

pub(super) const LPOS: Command = Command::data("LPOS", lpos)
    .group(Group::List)
    .since("6.0.6")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        string("element"),
        integer("rank").token("RANK").optional(),
        integer("num-matches").token("COUNT").optional(),
        integer("len").token("MAXLEN").optional(),
    ])
    .summary("Answers the indexes of elements of a list that equal the one given.")
    .complexity("O(N), N elements compared");

fn llen(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    reply.count(cx.db.read::<List>(&key)?.map_or(0, |list| list.len()));
    Ok(Effect::None)
}

fn lindex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    // A missing list is told before the index is looked at.
    let Some(list) = cx.db.read::<List>(&key)? else {
        reply.null();
        return Ok(Effect::None);
    };
    let index = resolve(args.integer()?, list.len());
    match usize::try_from(index).ok().and_then(|index| list.get(index)) {
        Some(element) => reply_element(reply, element),
        None => reply.null(),
    }
    Ok(Effect::None)
}

fn lrange(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (start, stop) = (args.integer()?, args.integer()?);
    match cx.db.read::<List>(&key)? {
        Some(list) => {
            let range = range_of(start, stop, list.len());
            reply_range(cx.later, reply, list, range, End::Front);
        }
        None => reply.array(0),
    }
    Ok(Effect::None)
}

/// The options of LPOS.
struct Search {
    end: End,
    /// Matches that are passed over.
    skip: usize,
    /// Matches that are answered, as an array; 0: all.
    count: Option<usize>,
    /// Elements that are compared; 0: all.
    most: usize,
}

impl Search {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let mut search = Self { end: End::Front, skip: 0, count: None, most: 0 };
        while args.left() > 1 {
            if args.token("RANK") {
                let rank = negatable(args)?;
                search.end = if rank < 0 { End::Back } else { End::Front };
                let rank = usize::try_from(rank.unsigned_abs()).unwrap_or(usize::MAX);
                search.skip = rank.checked_sub(1).ok_or(CommandError::LposRankZero)?;
            } else if args.token("COUNT") {
                search.count = Some(at_least(args, 0, CommandError::LposCountNegative)?);
            } else if args.token("MAXLEN") {
                search.most = at_least(args, 0, CommandError::LposMaxlenNegative)?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        args.end()?;
        Ok(search)
    }

    /// Calls `found` with the index of each match that is to be answered.
    fn run(&self, list: ListView<'_>, element: &[u8], found: impl FnMut(usize)) {
        let wanted = Element::from(element);
        let len = list.len();
        let most = if self.most == 0 { len } else { self.most };
        let count = match self.count {
            None => 1,
            Some(0) => len,
            Some(count) => count,
        };
        let is_match = |&(_, own): &(usize, Element<'_>)| own == wanted;
        match self.end {
            End::Front => {
                let compared = list.iter().enumerate().take(most).filter(is_match);
                compared.skip(self.skip).take(count).map(|(at, _)| at).for_each(found);
            }
            End::Back => {
                let compared = list.iter().rev().enumerate().take(most).filter(is_match);
                let index = |(at, _): (usize, _)| len - 1 - at;
                compared.skip(self.skip).take(count).map(index).for_each(found);
            }
        }
    }
}

fn lpos(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let element = args.bytes()?;
    let search = Search::parse(args)?;
    let list = cx.db.read::<List>(&key)?;
    if search.count.is_some() {
        let deferred = reply.array_deferred();
        let mut matches = 0;
        if let Some(list) = list {
            search.run(list, element, |index| {
                reply.count(index);
                matches += 1;
            });
        }
        reply.set_len(deferred, matches);
        return Ok(Effect::None);
    }
    let mut first = None;
    if let Some(list) = list {
        search.run(list, element, |index| first = Some(index));
    }
    match first {
        Some(index) => reply.count(index),
        None => reply.null(),
    }
    Ok(Effect::None)
}
