//! Adding to a stream and trimming it: XADD, XTRIM.

use super::idempotence::recorded_ms;
use super::{IDS, XADD_EVENT, XTRIM_EVENT, reply_id, unsigned_ms};
use command::grammar::{Argument, block, integer, key, one_of, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use resp::Reply;
use types::stream::{
    ENTRY_BYTES_MAX, IdError, IdText, NewId, References, Stream, StreamId, Trim, Trimmed,
    automatic_iid,
};

pub(super) const XADD: Command = Command::data("XADD", xadd)
    .group(Group::Stream)
    .since("5.0.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))
        .notes("UPDATE instead of INSERT because of the optional trimming feature")])
    .args(&[
        key("key"),
        word("nomkstream", "NOMKSTREAM").optional().since("6.2.0"),
        REFERENCES,
        one_of(
            "idempotence",
            &[
                string("pid").token("IDMPAUTO"),
                block("idmp", &[string("pid"), string("iid")]).token("IDMP"),
            ],
        )
        .optional()
        .since("8.6.0"),
        TRIM.optional(),
        one_of("id-selector", &[word("auto-id", "*"), string("id").samples(IDS)]),
        block("data", &[string("field"), string("value")]).many(),
    ])
    .summary("Adds an entry to a stream, which is made if it is not there.")
    .complexity("O(log N), and O(M) more if M entries are trimmed away")
    .history(&[
        ("6.2.0", "Options NOMKSTREAM, MINID and LIMIT."),
        ("7.0.0", "IDs of the form `<ms>-*`."),
        ("8.2.0", "Options KEEPREF, DELREF and ACKED."),
        ("8.6.0", "Options IDMP and IDMPAUTO."),
    ])
    .tips(&["nondeterministic_output"]);

pub(super) const XTRIM: Command = Command::data("XTRIM", xtrim)
    .group(Group::Stream)
    .since("5.0.0")
    .arity(-4)
    .flags(Flags::WRITE)
    .keys(super::DELETE)
    .args(&[key("key"), TRIM, REFERENCES])
    .summary("Removes the oldest entries of a stream.")
    .complexity("O(log N + M), M the number of entries removed, most of them by whole nodes")
    .history(&[
        ("6.2.0", "Options MINID and LIMIT."),
        ("8.2.0", "Options KEEPREF, DELREF and ACKED."),
    ])
    .tips(&["nondeterministic_output"]);

const TRIM: Argument = block(
    "trim",
    &[
        one_of("strategy", &[word("maxlen", "MAXLEN"), word("minid", "MINID").since("6.2.0")]),
        one_of("operator", &[word("equal", "="), word("approximately", "~")]).optional(),
        string("threshold").samples(&["0", "1", "3", "100", "1-1", "5"]),
        integer("count").token("LIMIT").optional().since("6.2.0"),
    ],
);

pub(super) const REFERENCES: Argument = one_of(
    "condition",
    &[word("keepref", "KEEPREF"), word("delref", "DELREF"), word("acked", "ACKED")],
)
.optional()
.since("8.2.0");

/// The option that names how references are dealt with, if `text` is one.
pub(super) fn references(text: &[u8]) -> Option<References> {
    const WORDS: [(&[u8], References); 3] = [
        (b"KEEPREF", References::Keep),
        (b"DELREF", References::Delete),
        (b"ACKED", References::Acked),
    ];
    let found = WORDS.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    found.map(|(_, references)| *references)
}

/// A trim as it was asked for.
#[derive(Clone, Copy, Debug)]
struct Strategy {
    trim: Trim,
    approximate: bool,
}

/// What a producer called its entry.
#[derive(Clone, Copy, Debug)]
struct Named<'a> {
    pid: &'a [u8],
    /// `None`: after its content.
    iid: Option<&'a [u8]>,
}

/// The options of XADD and XTRIM.
#[derive(Default)]
struct Options<'a> {
    make: bool,
    strategy: Option<Strategy>,
    limit: Option<usize>,
    references: Option<References>,
    named: Option<Named<'a>>,
    /// XADD only.
    id: Option<NewId>,
}

impl<'a> Options<'a> {
    fn parse(cx: &Cx<'_>, args: &mut Args<'a>, adds: bool) -> Result<Self, CommandError> {
        let mut options = Self { make: true, ..Self::default() };
        while let Some(word) = args.peek() {
            if adds && word == b"*" {
                options.id = Some(NewId::Auto);
                args.skip(1);
                break;
            }
            let more = args.left() - 1;
            if options.parse_shared(args, more)? || adds && options.parse_xadd(args, more)? {
                continue;
            }
            if !adds {
                return Err(CommandError::Syntax);
            }
            let id = NewId::parse(args.bytes()?).ok_or(CommandError::StreamId)?;
            // Redis writes such a command to its append-only file with the ID that it chose.
            if options.named.is_some() && !cx.session.replays {
                return Err(CommandError::IdmpGivenId);
            }
            options.id = Some(id);
            break;
        }
        options.check(adds)?;
        if options.limit.is_none() && options.strategy.is_some_and(|strategy| strategy.approximate)
        {
            options.limit = Some(default_limit(cx.settings.limits.stream_node_entries));
        }
        Ok(options)
    }

    /// Takes an option that XADD and XTRIM share; `false` if there is none.
    fn parse_shared(&mut self, args: &mut Args<'a>, more: usize) -> Result<bool, CommandError> {
        let Some(word) = args.peek() else { return Ok(false) };
        if more > 0 && (args.token("MAXLEN") || args.token("MINID")) {
            if self.strategy.is_some() {
                return Err(CommandError::TrimTwice);
            }
            self.strategy = Some(Strategy::parse(word.eq_ignore_ascii_case(b"MAXLEN"), args)?);
        } else if more > 0 && args.token("LIMIT") {
            let limit = usize::try_from(args.integer()?).map_err(|_| CommandError::TrimLimit)?;
            self.limit = Some(limit);
        } else if let (None, Some(references)) = (self.references, references(word)) {
            args.skip(1);
            self.references = Some(references);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes an option of XADD; `false` if there is none.
    fn parse_xadd(&mut self, args: &mut Args<'a>, more: usize) -> Result<bool, CommandError> {
        if args.token("NOMKSTREAM") {
            self.make = false;
            return Ok(true);
        }
        let automatic = more > 0 && args.token("IDMPAUTO");
        if !(automatic || more > 1 && args.token("IDMP")) {
            return Ok(false);
        }
        if self.named.is_some() {
            return Err(CommandError::IdmpTwice);
        }
        let pid = args.bytes()?;
        let iid = if automatic { None } else { Some(args.bytes()?) };
        match (pid.is_empty(), iid) {
            (true, None) => return Err(CommandError::IdmpAutoProducer),
            (true, Some(_)) => return Err(CommandError::IdmpProducer),
            (false, Some(b"")) => return Err(CommandError::IdmpName),
            _ => {}
        }
        self.named = Some(Named { pid, iid });
        Ok(true)
    }

    fn check(&self, adds: bool) -> Result<(), CommandError> {
        match self.strategy {
            None if self.limit.is_some_and(|limit| limit > 0) => Err(CommandError::TrimLimitAlone),
            None if !adds => Err(CommandError::XtrimNothing),
            Some(Strategy { approximate: false, .. }) if self.limit.is_some() => {
                Err(CommandError::TrimLimitExact)
            }
            None if self.limit.is_some() => Err(CommandError::TrimLimitExact),
            _ => Ok(()),
        }
    }

    fn references(&self) -> References {
        self.references.unwrap_or(References::Keep)
    }

    /// Trims the stream as asked for.
    fn trim(&self, stream: &mut Stream) -> Option<Trimmed> {
        let Strategy { trim, approximate, .. } = self.strategy?;
        let limit = approximate.then(|| self.limit.unwrap_or(0));
        Some(stream.trim(trim, limit, self.references()))
    }
}

/// How many entries an approximate trim removes at most, unless told otherwise.
fn default_limit(node_entries: usize) -> usize {
    match node_entries.saturating_mul(100) {
        0 => 10_000,
        limit => limit.min(1_000_000),
    }
}

impl Strategy {
    /// What stands behind MAXLEN or MINID.
    fn parse(is_maxlen: bool, args: &mut Args<'_>) -> Result<Self, CommandError> {
        let takes_operator = args.left() > 1;
        let approximate = takes_operator && args.token("~");
        if takes_operator && !approximate {
            args.token("=");
        }
        let trim = if is_maxlen {
            let keep = args.integer()?;
            Trim::MaxLen(u64::try_from(keep).map_err(|_| CommandError::TrimMaxlen)?)
        } else {
            Trim::MinId(super::parse_id(args.bytes()?)?)
        };
        Ok(Self { trim, approximate })
    }

    /// The bound of an exact trim that does what this one did, which left `len` entries.
    fn exact_bound(&self, done: Trimmed, len: usize, out: &mut Vec<u8>) {
        match self.trim {
            _ if !self.approximate => match self.trim {
                Trim::MaxLen(keep) => stdx::num::write_u64(out, keep),
                Trim::MinId(id) => id.write_to(out),
            },
            Trim::MaxLen(_) => stdx::num::write_u64(out, len as u64),
            Trim::MinId(id) => done.stopped_at.map_or(id, |stopped| stopped.min(id)).write_to(out),
        }
    }
}

/// Logs the command with an exact trim, and the ID and the words of the entry that it added.
fn log_exact(
    cx: &mut Cx<'_>,
    command: [&[u8]; 2],
    options: &Options<'_>,
    trimmed: Option<(Trimmed, usize)>,
    added: Option<(StreamId, &[&[u8]])>,
) {
    if !cx.log.active {
        return cx.log.push(&[]);
    }
    let (mut bound, mut id) = (Vec::new(), IdText::default());
    let mut told = command.to_vec();
    if let (Some(strategy), Some((trimmed, len))) = (options.strategy, trimmed) {
        strategy.exact_bound(trimmed, len, &mut bound);
        let name: &[u8] = match strategy.trim {
            Trim::MaxLen(_) => b"MAXLEN",
            Trim::MinId(_) => b"MINID",
        };
        told.extend_from_slice(&[name, b"=", &bound]);
        told.extend(match options.references() {
            References::Keep => None,
            References::Delete => Some(&b"DELREF"[..]),
            References::Acked => Some(&b"ACKED"[..]),
        });
    }
    if let Some((added, words)) = added {
        told.push(added.text(&mut id));
        told.extend_from_slice(words);
    }
    cx.log.push(&told);
}

fn xadd(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let options = Options::parse(cx, args, true)?;
    let words = args.rest();
    let Some(new) = options.id.filter(|_| !words.is_empty() && words.len().is_multiple_of(2))
    else {
        return Err(CommandError::arity("xadd"));
    };
    if new == NewId::Given(StreamId::MIN) {
        return Err(CommandError::XaddZero);
    }
    let now_ms = unsigned_ms(cx.now_ms);
    let limits = &cx.settings.limits;
    let mut guard = cx.db.write_or_new::<Stream>(&key)?;
    let exists = guard.exists();
    if !exists && !options.make {
        reply.null();
        return Ok(Effect::None);
    }
    let automatic = options.named.filter(|named| named.iid.is_none()).map(|_| automatic_iid(words));
    let named = options.named.map(|Named { pid, iid }| {
        (pid, iid.or(automatic.as_ref().map(<[u8; 16]>::as_slice)).unwrap_or_default())
    });
    if let Some((pid, iid)) = named.filter(|_| exists && !cx.session.replays)
        && let Some(known) = guard.view().find_idempotent(pid, iid, now_ms)
    {
        guard.edit_told(|stream| stream.count_duplicate(pid, now_ms), |(), _| {});
        reply_id(reply, known);
        return Ok(Effect::None);
    }
    let last = if exists { guard.view().log().last_id() } else { StreamId::MIN };
    let id = new.after(last, now_ms).map_err(|error| match error {
        IdError::Exhausted => CommandError::XaddExhausted,
        IdError::NotAbove => CommandError::XaddNotAbove,
    })?;
    if words.iter().map(|word| word.len()).sum::<usize>() > ENTRY_BYTES_MAX {
        return Err(CommandError::XaddTooLarge);
    }
    let (trimmed, len, recorded) = guard.edit_told(
        |stream| {
            if !exists {
                *stream = Stream::new(limits.stream_memory);
            }
            stream.push(id, words, limits);
            let trimmed = options.trim(stream);
            // What was trimmed at once is not remembered: the journal could not say so.
            let recorded = named.filter(|_| stream.log().contains(id));
            if let Some((pid, iid)) = recorded {
                stream.record((pid, iid), id, recorded_ms(cx.session.replays, id, now_ms), now_ms);
            }
            (trimmed, stream.log().len(), recorded)
        },
        |(trimmed, ..), tell| {
            tell(XADD_EVENT);
            if trimmed.is_some_and(|trimmed| trimmed.len > 0) {
                tell(XTRIM_EVENT);
            }
        },
    );
    reply_id(reply, id);
    let approximate = options.strategy.is_some_and(|strategy| strategy.approximate);
    if !approximate && named.is_none() && matches!(new, NewId::Given(_)) {
        return Ok(Effect::Same);
    }
    let trimmed = trimmed.map(|trimmed| (trimmed, len));
    log_exact(cx, [b"XADD", key.bytes()], &options, trimmed, Some((id, words)));
    if let Some((pid, iid)) = recorded {
        cx.rewrite(&[b"XIDMPRECORD", key.bytes(), pid, iid, id.text(&mut IdText::default())]);
    }
    Ok(Effect::Rewrite)
}

fn xtrim(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let options = Options::parse(cx, args, false)?;
    let Some(mut guard) = cx.db.write::<Stream>(&key)? else {
        reply.integer(0);
        return Ok(Effect::None);
    };
    let (trimmed, len) = guard.edit_told(
        |stream| (options.trim(stream), stream.log().len()),
        |(trimmed, _), tell| {
            if trimmed.is_some_and(|trimmed| trimmed.len > 0) {
                tell(XTRIM_EVENT);
            }
        },
    );
    let Some(trimmed) = trimmed.filter(|trimmed| trimmed.len > 0) else {
        reply.integer(0);
        return Ok(Effect::None);
    };
    reply.count(trimmed.len);
    if !options.strategy.is_some_and(|strategy| strategy.approximate) {
        return Ok(Effect::Same);
    }
    log_exact(cx, [b"XTRIM", key.bytes()], &options, Some((trimmed, len)), None);
    Ok(Effect::Rewrite)
}
