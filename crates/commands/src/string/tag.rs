//! Strings with a tag, as Garnet has them: a number that changes with the value, for clients that
//! write only over the version that they know. A string without one has the tag 0.
//!
//! How other commands treat a tag is the keyspace's: who writes a value whole drops it (`Db::put`),
//! who changes one counts it up.

use super::conditional::delete_if;
use super::expiration::{EX, EXAT, Expiration, PX, PXAT, Unit};
use super::set::{Log, deletes, store};
use super::{MODIFY, READ, reply_str};
use command::grammar::{Argument, integer, key, one_of, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{ExpiryChange, next_tag};
use resp::Reply;
use types::Type;

pub(super) const DELIFGREATER: Command = Command::data("DELIFGREATER", delifgreater)
    .group(Group::String)
    .since("8.12.0")
    .arity(3)
    .flags(Flags::WRITE)
    .keys(&[KeySpec::at(1, KeyFlags::RM.or(KeyFlags::DELETE))])
    .args(&[key("key"), ETAG])
    .summary("Deletes a string if the tag given is greater than its own.")
    .complexity("O(1)");

pub(super) const GETIFNOTMATCH: Command = Command::data("GETIFNOTMATCH", getifnotmatch)
    .group(Group::String)
    .since("8.12.0")
    .arity(3)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key"), ETAG])
    .summary("Answers the tag of a string, and its value if the tag is not the one given.")
    .complexity("O(1)");

pub(super) const GETWITHETAG: Command = Command::data("GETWITHETAG", getwithetag)
    .group(Group::String)
    .since("8.12.0")
    .arity(2)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(READ)
    .args(&[key("key")])
    .summary("Answers a string with its tag.")
    .complexity("O(1)");

/// A row that stores a string if the tag of what is there allows it.
const fn conditional(name: &'static str, handler: command::Handler) -> Command {
    Command::data(name, handler)
        .group(Group::String)
        .since("8.12.0")
        .arity(-4)
        .flags(Flags::WRITE.or(Flags::DENYOOM))
        .keys(MODIFY)
        .args(CONDITIONAL)
        .complexity("O(1)")
}

pub(super) const SETIFGREATER: Command = conditional("SETIFGREATER", setifgreater)
    .summary("Stores a string with a tag if that is greater than the tag of what is there.");

pub(super) const SETIFMATCH: Command = conditional("SETIFMATCH", setifmatch)
    .summary("Stores a string if what is there has the tag given, and counts that up.");

pub(super) const SETWITHETAG: Command = Command::data("SETWITHETAG", setwithetag)
    .group(Group::String)
    .since("8.12.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))])
    .args(&[key("key"), string("value"), EXPIRATION])
    .summary("Stores a string with a tag, one more than what was there had.")
    .complexity("O(1)");

const ETAG: Argument = integer("etag").samples(&["0", "1", "2"]);
const EXPIRATION: Argument = one_of("expiration", &[EX, PX, EXAT, PXAT]).optional();
const CONDITIONAL: &[Argument] =
    &[key("key"), string("value"), ETAG, EXPIRATION, word("noget", "NOGET").optional()];

/// When a value is written over another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Match,
    Greater,
}

fn etag(text: &[u8]) -> Result<i64, CommandError> {
    let tag = stdx::num::parse_i64(text).filter(|tag| *tag >= 0);
    tag.ok_or(CommandError::InvalidEtag)
}

/// The options of the commands that set.
#[derive(Default)]
struct Options<'a> {
    expiration: Option<Expiration<'a>>,
    noget: bool,
}

impl<'a> Options<'a> {
    fn parse(args: &mut Args<'a>, may_noget: bool) -> Result<Self, CommandError> {
        let mut options = Self::default();
        while let Some(word) = args.next() {
            if may_noget && !options.noget && word.eq_ignore_ascii_case(b"NOGET") {
                options.noget = true;
            } else if let Some(unit) = Unit::of(word) {
                let at = Expiration::At(unit, args.next().ok_or(CommandError::NotAnInteger)?);
                options.expiration = Expiration::then(options.expiration, at)?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// The expiry that is asked for, or else `other`; and whether that may be logged as sent.
    fn expiry(
        &self,
        now_ms: i64,
        other: ExpiryChange,
    ) -> Result<(ExpiryChange, Log), CommandError> {
        let Some(Expiration::At(unit, text)) = self.expiration else {
            return Ok((other, Log::AsSent));
        };
        let log = if unit == Unit::UnixMillis { Log::AsSent } else { Log::Rewritten };
        // Garnet names SET here, too.
        Ok((ExpiryChange::At(unit.deadline(text, now_ms, "set")?), log))
    }
}

fn getwithetag(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let Some((value, tag)) = cx.db.string_and_tag(&key)? else {
        reply.null();
        return Ok(Effect::None);
    };
    reply.array(2);
    reply.integer(tag);
    reply_str(reply, &value);
    Ok(Effect::None)
}

fn getifnotmatch(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let known = etag(args.bytes()?)?;
    let Some((value, tag)) = cx.db.string_and_tag(&key)? else {
        reply.null();
        return Ok(Effect::None);
    };
    reply.array(2);
    reply.integer(tag);
    if tag == known {
        reply.null()
    } else {
        reply_str(reply, &value)
    }
    Ok(Effect::None)
}

fn setwithetag(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (key, value) = (args.key()?, args.bytes()?);
    if args.left() > 2 {
        return Err(CommandError::arity("setwithetag"));
    }
    let options = Options::parse(args, false)?;
    let (expiry, log) = options.expiry(cx.now_ms, ExpiryChange::Clear)?;
    let tag = next_tag(cx.db.tag(&key));
    reply.integer(tag);
    Ok(store(cx, &key, value, expiry, tag, log))
}

fn setifmatch(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    set_if(cx, args, reply, Rule::Match, "setifmatch")
}

fn setifgreater(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    set_if(cx, args, reply, Rule::Greater, "setifgreater")
}

fn set_if(
    cx: &mut Cx<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply,
    rule: Rule,
    command: &str,
) -> Outcome {
    let (key, value, text) = (args.key()?, args.bytes()?, args.bytes()?);
    if args.left() > 3 {
        return Err(CommandError::arity(command));
    }
    let sent = etag(text)?;
    let options = Options::parse(args, true)?;
    let (expiry, log) = options.expiry(cx.now_ms, ExpiryChange::Keep)?;
    reply.array(2);
    if let Some((old, tag)) = cx.db.string_and_tag(&key)? {
        let holds = match rule {
            Rule::Match => sent == tag,
            Rule::Greater => sent > tag,
        };
        if !holds {
            reply.integer(tag);
            if options.noget {
                reply.null()
            } else {
                reply_str(reply, &old)
            }
            return Ok(Effect::None);
        }
    }
    let tag = match rule {
        Rule::Match => next_tag(sent),
        Rule::Greater => sent,
    };
    reply.integer(tag);
    reply.null();
    let is_gone = deletes(cx, expiry);
    let effect = store(cx, &key, value, expiry, tag, Log::AsSent);
    let ExpiryChange::At(at) = expiry else { return Ok(effect) };
    if is_gone || log == Log::AsSent {
        return Ok(effect);
    }
    cx.rewrite_number(&[args.all()[0], key.bytes(), value, text, b"PXAT"], at);
    Ok(Effect::Rewrite)
}

fn delifgreater(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let sent = etag(args.bytes()?)?;
    let holds =
        cx.db.peek(&key).is_some_and(|entry| entry.type_of() == Type::String && sent > entry.tag());
    Ok(delete_if(cx, &key, holds, reply))
}
