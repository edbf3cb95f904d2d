//! ZSCAN.

use super::READ;
use command::grammar::{integer, key, pattern, word};
use command::scan::{ElementScan, Words};
use command::{Args, Command, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;
use stdx::num;
use types::listpack::Digits;
use types::zset::ZSet;

pub(super) const ZSCAN: Command = Command::data("ZSCAN", zscan)
    .group(Group::SortedSet)
    .since("2.8.0")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        integer("cursor").samples(&["0"]),
        pattern("pattern").token("MATCH").optional(),
        integer("count").token("COUNT").optional().samples(&["1", "10", "1000"]),
        word("noscores", "NOSCORES").optional().since("9.0.0"),
    ])
    .summary("Answers some members of a sorted set, and where to go on.")
    .complexity("O(COUNT) for a call; O(N) for a whole walk over N members")
    .tips(&["nondeterministic_output"]);

fn zscan(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let cursor = args.cursor()?;
    let mut words = Words::default();
    // A missing key is told before the options are looked at.
    let Some(set) = cx.db.read::<ZSet>(&key)? else {
        words.reply_from(0, reply);
        return Ok(Effect::None);
    };
    let scan = ElementScan::parse(args, Some("NOSCORES"))?;
    let (next, found) = set.scan(cursor, scan.count);
    let (mut text, mut digits) = (Vec::new(), Digits::default());
    for (member, score) in found {
        let member = member.text(&mut digits);
        if !scan.matches(member) {
            continue;
        }
        words.push(member);
        if !scan.names_only {
            text.clear();
            // In a listpack Redis keeps text, and answers that; a double it prints in a way of its own.
            if set.is_packed() {
                num::write_f64(&mut text, score);
            } else {
                num::write_f64_general(&mut text, score);
            }
            words.push(&text);
        }
    }
    words.reply_from(next, reply);
    Ok(Effect::None)
}
