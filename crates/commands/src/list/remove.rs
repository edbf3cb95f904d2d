//! Taking elements out by value or by place.

use super::{DELETE, limits, negatable, range_of};
use command::grammar::{integer, key, string};
use command::{Args, Command, Cx, Effect, Flags, Group, Outcome};
use keyspace::{Event, Extent};
use resp::Reply;
use types::View as _;
use types::list::{End, List};

pub(super) const LREM: Command = Command::data("LREM", lrem)
    .group(Group::List)
    .since("1.0.0")
    .arity(4)
    .flags(Flags::WRITE)
    .keys(DELETE)
    .args(&[key("key"), integer("count"), string("element")])
    .summary("Takes out elements of a list that equal the one given.")
    .complexity("O(N), N the length of the list");

pub(super) const LTRIM: Command = Command::data("LTRIM", ltrim)
    .group(Group::List)
    .since("1.0.0")
    .arity(4)
    .flags(Flags::WRITE)
    .keys(DELETE)
    .args(&[key("key"), integer("start"), integer("stop")])
    .summary("Takes out all elements of a list but those of a range.")
    .complexity("O(N), N elements taken out");

fn lrem(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let count = negatable(args)?;
    let element = args.bytes()?;
    let (end, limit) = match count {
        0 => (End::Front, usize::MAX),
        1.. => (End::Front, count.unsigned_abs() as usize),
        _ => (End::Back, count.unsigned_abs() as usize),
    };
    let limits = limits(cx);
    let removed = match cx.db.write::<List>(&key)? {
        Some(mut list) => {
            list.edit(Event::list("lrem"), |list| list.remove(element, end, limit, limits))
        }
        None => 0,
    };
    reply.count(removed);
    Ok(Effect::Same)
}

fn ltrim(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (start, stop) = (args.integer()?, args.integer()?);
    let limits = limits(cx);
    if let Some(mut list) = cx.db.write::<List>(&key)? {
        let range = range_of(start, stop, list.view().len());
        let trim = |list: &mut List| list.trim(range, limits);
        // Subscribers are told even if nothing goes.
        list.edit_told(trim, |removed, tell| {
            let extent = if *removed > 0 { Extent::Value } else { Extent::Aside };
            tell(Event::list("ltrim").within(extent));
        });
    }
    reply.ok();
    Ok(Effect::Same)
}
