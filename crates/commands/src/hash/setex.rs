//! HSETEX.

use super::{HDEL_EVENT, HEXPIRE_EVENT, HSET_EVENT, UPDATE};
use command::grammar::{block, integer, key, one_of, string, unix_time, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome, element_expiry};
use keyspace::{Event, KeyRef};
use resp::Reply;
use types::hash::{Hash, HashView, Ttl};

pub(super) const HSETEX: Command = Command::data("HSETEX", hsetex)
    .group(Group::Hash)
    .since("8.0.0")
    .arity(-6)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(UPDATE)
    .args(&[
        key("key"),
        one_of("key-condition", &[word("nx", "NX"), word("xx", "XX")]).optional(),
        one_of("fields-condition", &[word("fnx", "FNX"), word("fxx", "FXX")]).optional(),
        one_of(
            "expiration",
            &[
                integer("seconds").token("EX"),
                integer("milliseconds").token("PX"),
                unix_time("unix-time-seconds").token("EXAT"),
                unix_time("unix-time-milliseconds").token("PXAT"),
                word("keepttl", "KEEPTTL"),
            ],
        )
        .optional(),
        block(
            "fields",
            &[
                integer("numfields").samples(&["1", "2"]),
                block("data", &[string("field"), string("value")]).many(),
            ],
        )
        .token("FIELDS"),
    ])
    .summary("Sets fields of a hash, and when they expire.")
    .complexity("O(N), N fields to set");

/// The options. A condition is whether there must be something (`true`) or nothing.
#[derive(Debug)]
struct Options<'a> {
    /// Of the key: XX, NX.
    key: Option<bool>,
    /// Of all fields: FXX, FNX.
    fields: Option<bool>,
    ttl: Ttl,
    /// Fields and values.
    words: &'a [&'a [u8]],
}

impl<'a> Options<'a> {
    fn parse(cx: &Cx<'_>, args: &mut Args<'a>) -> Result<Self, CommandError> {
        let mut options = Self { key: None, fields: None, ttl: Ttl::Clear, words: &[] };
        while args.left() > 0 {
            if options.words.is_empty() && args.token("FIELDS") {
                options.words = pairs(args)?;
            } else if args.token("KEEPTTL") {
                options.set_ttl(Ttl::Keep)?;
            } else if args.token("FXX") {
                set(&mut options.fields, true, CommandError::FxxWithFnx)?;
            } else if args.token("FNX") {
                set(&mut options.fields, false, CommandError::FxxWithFnx)?;
            } else if args.token("XX") {
                set(&mut options.key, true, CommandError::XxWithNx)?;
            } else if args.token("NX") {
                set(&mut options.key, false, CommandError::XxWithNx)?;
            } else {
                options.expiration(cx, args)?;
            }
        }
        if options.words.is_empty() { Err(too_few()) } else { Ok(options) }
    }

    fn expiration(&mut self, cx: &Cx<'_>, args: &mut Args<'a>) -> Result<(), CommandError> {
        let (unit_ms, base_ms) = match () {
            () if args.token("EX") => (1000, cx.now_ms),
            () if args.token("PX") => (1, cx.now_ms),
            () if args.token("EXAT") => (1000, 0),
            () if args.token("PXAT") => (1, 0),
            () if !self.words.is_empty() => return Err(too_few()),
            () => return Err(CommandError::err_bytes(&[b"unknown argument: ", args.bytes()?])),
        };
        // Which options there are is told before what is wrong with a number.
        self.set_ttl(Ttl::Keep)?;
        if args.left() == 0 {
            return Err(CommandError::FieldExpiryMissing);
        }
        self.ttl = Ttl::At(element_expiry::moment(args, unit_ms, base_ms)?);
        Ok(())
    }

    fn set_ttl(&mut self, ttl: Ttl) -> Result<(), CommandError> {
        if self.ttl != Ttl::Clear {
            return Err(CommandError::FieldExpiryTwice);
        }
        self.ttl = ttl;
        Ok(())
    }

    fn names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.words.iter().step_by(2).copied()
    }

    /// Whether the conditions hold.
    fn hold(&self, exists: bool, hash: HashView<'_>) -> bool {
        self.key.is_none_or(|wanted| wanted == exists)
            && self
                .fields
                .is_none_or(|wanted| self.names().all(|name| hash.get(name).is_some() == wanted))
    }
}

/// Sets an option that is given once, if at all.
fn set(option: &mut Option<bool>, value: bool, twice: CommandError) -> Result<(), CommandError> {
    if option.replace(value).is_some() { Err(twice) } else { Ok(()) }
}

fn too_few() -> CommandError {
    CommandError::arity("hsetex")
}

/// The fields and values behind FIELDS and their number.
fn pairs<'a>(args: &mut Args<'a>) -> Result<&'a [&'a [u8]], CommandError> {
    if args.left() < 3 {
        return Err(too_few());
    }
    let count = args.integer().ok().filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let count = count.ok_or(CommandError::FieldsInvalid)?;
    args.take(count as usize * 2).ok_or_else(too_few)
}

fn hsetex(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let options = Options::parse(cx, args)?;
    let has_passed = matches!(options.ttl, Ttl::At(at) if cx.has_passed(at));
    let limits = &cx.settings.limits;
    let mut hash = cx.db.write_or_new::<Hash>(&key)?;
    hash.purge_elements(options.names());
    if !options.hold(hash.exists(), hash.view()) {
        reply.integer(0);
        return Ok(Effect::None);
    }
    reply.integer(1);
    if has_passed {
        let is_new = !hash.exists();
        let remove = |hash: &mut Hash| options.names().filter(|name| hash.remove(name)).collect();
        let deleted: Vec<&[u8]> = hash.edit_told(remove, |_, tell| {
            // As if the fields, and the key, had been there for a moment.
            is_new.then(|| tell(Event::NEW));
            tell(HSET_EVENT);
            tell(HDEL_EVENT);
            is_new.then(|| tell(Event::DEL));
        });
        hash.name_elements(HSET_EVENT, options.names());
        hash.name_elements(HDEL_EVENT, deleted.iter().copied());
        element_expiry::count_passed(cx, deleted.len());
        element_expiry::rewrite_deletion::<Hash>(cx, &key, &deleted);
        return Ok(Effect::Rewrite);
    }
    let ttl = match options.ttl {
        Ttl::At(at) => Ttl::At(at.max(1)),
        other => other,
    };
    hash.edit_told(
        |hash| {
            hash.prepare(options.words.iter().copied(), limits);
            for pair in options.words.chunks_exact(2) {
                hash.set(pair[0], pair[1], ttl, limits);
            }
        },
        |(), tell| {
            tell(HSET_EVENT);
            if matches!(ttl, Ttl::At(_)) {
                tell(HEXPIRE_EVENT);
            }
        },
    );
    hash.name_elements(HSET_EVENT, options.names());
    hash.name_elements(HEXPIRE_EVENT, options.names());
    tell_journal(cx, &key, ttl, options.words);
    Ok(Effect::Rewrite)
}

fn tell_journal(cx: &mut Cx<'_>, key: &KeyRef<'_>, ttl: Ttl, words: &[&[u8]]) {
    let mut text = Vec::new();
    let mut command: Vec<&[u8]> = vec![b"HSETEX", key.bytes()];
    match ttl {
        Ttl::Clear => {}
        Ttl::Keep => command.push(b"KEEPTTL"),
        Ttl::At(at) => {
            stdx::num::write_i64(&mut text, at);
            command.extend([b"PXAT".as_slice(), &text]);
        }
    }
    let count = (words.len() / 2).to_string();
    command.extend([b"FIELDS".as_slice(), count.as_bytes()]);
    command.extend(words);
    cx.rewrite(&command);
}
