//! LCS: the longest common subsequence of two strings. STRALGO: the same by its former name.

use command::grammar::{block, integer, key, key_of, one_of, string, word};
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

/// What LCS was until Redis 7, and still is in KeyDB: the strings are words of the request, or keys.
pub(super) const STRALGO: Command = Command::data("STRALGO", stralgo)
    .group(Group::String)
    .since("6.0.0")
    .arity(-2)
    .flags(Flags::READONLY)
    .keys(&[
        KeySpec::custom(first_key, KeyFlags::RO.or(KeyFlags::ACCESS)),
        KeySpec::custom(second_key, KeyFlags::RO.or(KeyFlags::ACCESS)),
    ])
    .args(&[
        word("lcs", "LCS"),
        one_of(
            "source",
            &[
                block("keys", &[key("key1"), key_of("key2", 1)]).token("KEYS"),
                block("strings", &[string("string1"), string("string2")]).token("STRINGS"),
            ],
        )
        .optional(),
        word("len", "LEN").optional(),
        word("idx", "IDX").optional(),
        integer("min-match-len").token("MINMATCHLEN").optional(),
        word("withmatchlen", "WITHMATCHLEN").optional(),
    ])
    .summary("Finds the longest common subsequence of two strings.")
    .complexity("O(N*M), N and M the lengths of the strings")
    .deprecated("7.0.0", "`LCS`");

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
            options.take(args)?;
        }
        options.checked()
    }

    /// Takes the option that comes next.
    fn take(&mut self, args: &mut Args<'_>) -> Result<(), CommandError> {
        if args.token("IDX") {
            self.idx = true;
        } else if args.token("LEN") {
            self.len = true;
        } else if args.token("WITHMATCHLEN") {
            self.with_match_len = true;
        } else if args.token("MINMATCHLEN") && args.left() > 0 {
            // A negative minimum is none.
            self.match_len_min = usize::try_from(args.integer()?).unwrap_or(0);
        } else {
            return Err(CommandError::Syntax);
        }
        Ok(())
    }

    fn checked(self) -> Result<Self, CommandError> {
        if self.len && self.idx { Err(CommandError::LcsLenAndIdx) } else { Ok(self) }
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
    answer(cx, [&a, &b], options, reply)
}

fn answer(cx: &Cx<'_>, [a, b]: [&[u8]; 2], options: Options, reply: &mut Reply) -> Outcome {
    let limit = cx.settings.bulk_bytes_max;
    let refused = |error: LcsError| CommandError::err(format_args!("{error}"));
    if options.idx {
        let found =
            types::string::lcs_matches(a, b, options.match_len_min, limit).map_err(refused)?;
        reply.map(2);
        reply.bulk(b"matches");
        reply.array(found.matches.len());
        for run in &found.matches {
            reply_match(reply, run, options.with_match_len);
        }
        reply.bulk(b"len");
        reply.integer(found.len as i64);
    } else if options.len {
        reply.integer(types::string::lcs_len(a, b, limit).map_err(refused)? as i64);
    } else {
        reply.bulk(&types::string::lcs(a, b, limit).map_err(refused)?);
    }
    Ok(Effect::None)
}

/// Where the first key of a STRALGO stands: behind the word KEYS, unless STRINGS comes before it.
fn first_key(args: &[&[u8]]) -> Option<usize> {
    let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let at = args.iter().position(|word| is(word, "KEYS") || is(word, "STRINGS"))?;
    (is(args[at], "KEYS") && at + 2 < args.len()).then_some(at + 1)
}

fn second_key(args: &[&[u8]]) -> Option<usize> {
    first_key(args).map(|at| at + 1)
}

fn stralgo(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if !args.token("LCS") {
        return Err(CommandError::Syntax);
    }
    let (mut options, mut texts) = (Options::default(), None);
    while args.left() > 0 {
        let of_keys = args.left() > 2 && args.token("KEYS");
        let of_words = !of_keys && args.left() > 2 && args.token("STRINGS");
        if !of_keys && !of_words {
            options.take(args)?;
            continue;
        }
        if texts.is_some() {
            return Err(CommandError::err(format_args!("Either use STRINGS or KEYS")));
        }
        texts = Some(if of_keys {
            let (first, second) = (args.key()?, args.key()?);
            (text(cx, &first)?, text(cx, &second)?)
        } else {
            (args.bytes()?.to_vec(), args.bytes()?.to_vec())
        });
    }
    let (a, b) = texts.ok_or_else(|| {
        CommandError::err(format_args!(
            "Please specify two strings: STRINGS or KEYS options are mandatory"
        ))
    })?;
    answer(cx, [&a, &b], options.checked()?, reply)
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
