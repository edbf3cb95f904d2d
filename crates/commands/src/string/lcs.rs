//! LCS: the longest common subsequence of two strings.

use command::grammar::{integer, key, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::KeyRef;
use resp::Reply;
use types::string::{LcsError, Match};

pub(super) const LCS: Command = Command::data("LCS", lcs)
    .group(Group::String)
    .since("7.0.0")
    .arity(-3)
    .flags(Flags::READONLY)
    .keys(&[KeySpec::range(1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[
        key("key1"),
        key("key2"),
        word("len", "LEN").optional(),
        word("idx", "IDX").optional(),
        integer("min-match-len").token("MINMATCHLEN").optional(),
        word("withmatchlen", "WITHMATCHLEN").optional(),
    ])
    .summary("Finds the longest common subsequence of two strings.")
    .complexity("O(N*M), N and M the lengths of the strings");

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    len: bool,
    idx: bool,
    match_len_min: usize,
    with_match_len: bool,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        while args.left() > 0 {
            if args.token("IDX") {
                options.idx = true;
            } else if args.token("LEN") {
                options.len = true;
            } else if args.token("WITHMATCHLEN") {
                options.with_match_len = true;
            } else if args.token("MINMATCHLEN") && args.left() > 0 {
                // A negative minimum is none.
                options.match_len_min = usize::try_from(args.integer()?).unwrap_or(0);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if options.len && options.idx {
            return Err(CommandError::LcsLenAndIdx);
        }
        Ok(options)
    }
}

/// A copy of the string at `key`, empty if there is none. Both values are needed at once, and two
/// keys cannot be borrowed together.
fn text(cx: &mut Cx<'_>, key: &KeyRef<'_>) -> Result<Vec<u8>, CommandError> {
    let value = cx.db.string(key).map_err(|_| CommandError::LcsNeedsStrings)?;
    Ok(value.map_or(Vec::new(), |value| value.text(&mut Vec::new()).to_vec()))
}

fn lcs(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (first, second) = (args.key()?, args.key()?);
    let (a, b) = (text(cx, &first)?, text(cx, &second)?);
    let options = Options::parse(args)?;
    let limit = cx.settings.bulk_bytes_max;
    let refused = |error: LcsError| CommandError::err(format_args!("{error}"));
    if options.idx {
        let found =
            types::string::lcs_matches(&a, &b, options.match_len_min, limit).map_err(refused)?;
        reply.map(2);
        reply.bulk(b"matches");
        reply.array(found.matches.len());
        for run in &found.matches {
            reply_match(reply, run, options.with_match_len);
        }
        reply.bulk(b"len");
        reply.integer(found.len as i64);
    } else if options.len {
        reply.integer(types::string::lcs_len(&a, &b, limit).map_err(refused)? as i64);
    } else {
        reply.bulk(&types::string::lcs(&a, &b, limit).map_err(refused)?);
    }
    Ok(Effect::None)
}

/// One run: its place in the first string, in the second, and its length if asked for.
fn reply_match(reply: &mut Reply, run: &Match, with_len: bool) {
    reply.array(if with_len { 3 } else { 2 });
    for (start, end) in [(run.a_start, run.a_end), (run.b_start, run.b_end)] {
        reply.array(2);
        reply.integer(start as i64);
        reply.integer(end as i64);
    }
    if with_len {
        reply.integer(run.len() as i64);
    }
}
