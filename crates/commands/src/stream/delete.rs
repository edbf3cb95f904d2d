//! Removing entries by ID: XDEL, XDELEX, and the arguments of XACKDEL.

use super::add::{REFERENCES, references};
use super::{IDS, XDEL_EVENT, parse_id};
use command::grammar::{Argument, block, integer, key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;
use types::stream::{References, Removal, Stream, StreamId};

pub(super) const XDEL: Command = Command::data("XDEL", xdel)
    .group(Group::Stream)
    .since("5.0.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(super::DELETE)
    .args(&[key("key"), string("id").many().samples(IDS)])
    .summary("Removes entries from a stream by their IDs.")
    .complexity("O(log N) for each ID");

pub(super) const XDELEX: Command = Command::data("XDELEX", xdelex)
    .group(Group::Stream)
    .since("8.2.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(super::DELETE)
    .args(&[key("key"), REFERENCES, ID_BLOCK])
    .summary("Removes entries from a stream, as far as consumer groups are done with them.")
    .complexity("O(log N) for each ID, times the number of groups");

pub(super) const ID_BLOCK: Argument =
    block("ids", &[integer("numids").samples(&["1", "2"]), string("id").many().samples(IDS)])
        .token("IDS");

/// The IDs of XDELEX and XACKDEL, and what is to become of references.
pub(super) struct Ids<'a> {
    pub words: &'a [&'a [u8]],
    pub references: References,
}

impl<'a> Ids<'a> {
    pub(super) fn parse(args: &mut Args<'a>) -> Result<Self, CommandError> {
        let (mut chosen, mut words) = (None, None);
        while let Some(word) = args.next() {
            if let (None, Some(references)) = (chosen, references(word)) {
                chosen = Some(references);
            } else if word.eq_ignore_ascii_case(b"IDS") && args.left() > 0 {
                words = Some(
                    take_ids(args, CommandError::StreamIdCount, i64::MAX)?
                        .ok_or(CommandError::StreamIdCountOther)?,
                );
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(Self {
            words: words.ok_or(CommandError::StreamIdsMissing)?,
            references: chosen.unwrap_or(References::Keep),
        })
    }

    pub(super) fn parsed(&self) -> Result<Vec<StreamId>, CommandError> {
        parse_ids(self.words)
    }

    /// Answers that none of them was found.
    pub(super) fn reply_missing(&self, reply: &mut Reply) {
        reply.array(self.words.len());
        self.words.iter().for_each(|_| reply.integer(MISSING));
    }
}

/// A number of IDs and the IDs behind it; `None` if there are not so many.
pub(super) fn take_ids<'a>(
    args: &mut Args<'a>,
    error: CommandError,
    max: i64,
) -> Result<Option<&'a [&'a [u8]]>, CommandError> {
    let count = stdx::num::parse_i64(args.bytes()?).filter(|count| (1..=max).contains(count));
    let count = usize::try_from(count.ok_or(error)?).unwrap_or(usize::MAX);
    let from = args.all().len() - args.left();
    let words = from.checked_add(count).and_then(|end| args.all().get(from..end));
    args.skip(count);
    Ok(words)
}

pub(super) fn parse_ids(words: &[&[u8]]) -> Result<Vec<StreamId>, CommandError> {
    words.iter().map(|word| parse_id(word)).collect()
}

/// What XDELEX and XACKDEL answer for an entry.
pub(super) const MISSING: i64 = -1;
pub(super) const DONE: i64 = 1;
pub(super) const REFERENCED: i64 = 2;

fn xdel(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let Some(mut guard) = cx.db.write::<Stream>(&key)? else {
        reply.integer(0);
        return Ok(Effect::None);
    };
    let ids = parse_ids(args.rest())?;
    let deleted = guard.edit(XDEL_EVENT, |stream| {
        let done = |id: &&StreamId| stream.delete(**id, References::Keep) == Removal::Done;
        ids.iter().filter(done).count()
    });
    reply.count(deleted);
    Ok(Effect::Same)
}

fn xdelex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    // A key of another type is told before the arguments are looked at.
    cx.db.peek_as::<Stream>(&key)?;
    let ids = Ids::parse(args)?;
    let Some(mut guard) = cx.db.write::<Stream>(&key)? else {
        ids.reply_missing(reply);
        return Ok(Effect::None);
    };
    let parsed = ids.parsed()?;
    let before = pending_len(guard.view().stream());
    let (removals, _) = guard.edit_told(
        |stream| {
            let removals = parsed.iter().map(|id| stream.delete(*id, ids.references));
            let removals: Vec<Removal> = removals.collect();
            (removals, pending_len(stream) != before)
        },
        |(removals, forgot), tell| {
            if removals.contains(&Removal::Done) {
                tell(XDEL_EVENT);
            } else if *forgot {
                tell(keyspace::Event::SILENT);
            }
        },
    );
    reply.array(removals.len());
    for removal in removals {
        reply.integer(match removal {
            Removal::Done => DONE,
            Removal::Missing => MISSING,
            Removal::Referenced => REFERENCED,
        });
    }
    Ok(Effect::Same)
}

/// Entries pending in all groups together.
pub(super) fn pending_len(stream: &Stream) -> usize {
    stream.groups().map(types::stream::Group::pending_len).sum()
}
