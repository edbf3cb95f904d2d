//! ZSCAN.

use super::READ;
use command::grammar::{integer, key, pattern, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;
use stdx::num;
use types::listpack::Digits;
use types::zset::ZSet;

/// Members that one call looks at, whatever COUNT says.
const COUNT_MAX: usize = 1 << 16;

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

struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    with_scores: bool,
}

impl<'a> Options<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, CommandError> {
        let mut options = Self { pattern: None, count: 10, with_scores: true };
        while args.left() > 0 {
            if args.left() > 1 && args.token("COUNT") {
                let count = usize::try_from(args.integer()?).ok().filter(|count| *count > 0);
                options.count = count.ok_or(CommandError::Syntax)?;
            } else if args.left() > 1 && args.token("MATCH") {
                options.pattern = Some(args.bytes()?).filter(|pattern| *pattern != b"*");
            } else if args.token("NOSCORES") {
                options.with_scores = false;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

fn zscan(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let cursor = args.cursor()?;
    // The options are looked at only if there is a key.
    let Some(set) = cx.db.read::<ZSet>(&key)? else {
        reply.array(2);
        reply.bulk(b"0");
        reply.array(0);
        return Ok(Effect::None);
    };
    let options = Options::parse(args)?;
    let (next, found) = set.scan(cursor, options.count.min(COUNT_MAX));
    let mut text = Vec::new();
    num::write_u64(&mut text, next);
    reply.array(2);
    reply.bulk(&text);
    let list = reply.array_deferred();
    let (mut len, mut digits) = (0, Digits::default());
    for (member, score) in found {
        let member = member.text(&mut digits);
        if options.pattern.is_some_and(|pattern| !stdx::glob::matches(pattern, member, false)) {
            continue;
        }
        reply.bulk(member);
        len += 1;
        if options.with_scores {
            text.clear();
            num::write_f64(&mut text, score);
            reply.bulk(&text);
            len += 1;
        }
    }
    reply.set_len(list, len);
    Ok(Effect::None)
}
