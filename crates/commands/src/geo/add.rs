//! GEOADD.

use super::point;
use crate::zset::add::tell_added;
use command::grammar::{block, double, key, one_of, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::Event;
use resp::Reply;
use types::zset::{AddRule, Added, NotANumber, ZSet};

pub(super) const GEOADD: Command = Command::data("GEOADD", geoadd)
    .group(Group::Geo)
    .since("3.2.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))])
    .args(&[
        key("key"),
        one_of("condition", &[word("nx", "NX"), word("xx", "XX")]).optional().since("6.2.0"),
        word("change", "CH").optional().since("6.2.0"),
        block("data", &[double("longitude"), double("latitude"), string("member")]).many(),
    ])
    .summary("Adds places to a geo index, or moves them.")
    .complexity("O(log(N)) for each place, N places in the index")
    .history(&[("6.2.0", "Options CH, NX and XX.")]);

fn geoadd(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const EVENT: Event = Event::zset("zadd");
    let key = args.key()?;
    let (mut rule, mut counts_changed) = (AddRule::default(), false);
    loop {
        if args.token("NX") {
            rule.only_new = true;
        } else if args.token("XX") {
            rule.only_present = true;
        } else if args.token("CH") {
            counts_changed = true;
        } else {
            break;
        }
    }
    if !args.left().is_multiple_of(3) || rule.only_new && rule.only_present {
        return Err(CommandError::Syntax);
    }
    let mut places = Vec::new();
    while args.left() > 0 {
        let score = point(args)?.score();
        places.push((score, args.bytes()?));
    }
    if places.is_empty() {
        return Err(CommandError::Syntax);
    }
    let limits = &cx.settings.limits;
    let mut guard = cx.db.write_or_new::<ZSet>(&key)?;
    guard.purge_elements(places.iter().map(|(_, member)| *member));
    let verb = |set: &mut ZSet| {
        set.expect(places.len(), limits);
        let mut added = Added::default();
        for (score, member) in &places {
            set.add(member, *score, rule, limits, &mut added)?;
        }
        Ok::<_, NotANumber>(added)
    };
    let added = guard.edit_told(verb, |added, tell| {
        if let Ok(added) = added {
            tell_added(added, EVENT, tell);
        }
    });
    let added = added.map_err(|_| CommandError::ScoreNaN)?;
    reply.count(added.new + if counts_changed { added.updated } else { 0 });
    Ok(Effect::Same)
}
