//! Elements that expire, whatever holds them: FIELDEXPIRE and FIELDTTL, as Dragonfly has them, and
//! EXPIREMEMBER and its kin, as KeyDB has them. They are HEXPIRE, SEXPIRE or ZEXPIRE, by the type of the key.

use command::element_expiry::{self, Expiring, seconds};
use command::grammar::{Argument, integer, key, one_of, string, unix_time, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, Handler, KeyFlags, KeySpec, Outcome,
};
use keyspace::KeyRef;
use resp::Reply;
use types::Type;
use types::hash::Hash;
use types::set::Set;
use types::zset::ZSet;

const UPDATED: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))];

/// The element is not there.
const NO_ELEMENT: i64 = -2;

const fn setter(name: &'static str, handler: Handler, args: &'static [Argument]) -> Command {
    Command::data(name, handler)
        .group(Group::Generic)
        .since("8.12.0")
        .arity(4)
        .flags(Flags::WRITE.or(Flags::FAST).or(Flags::KEYSPACE))
        .keys(UPDATED)
        .args(args)
        .complexity("O(1)")
}

pub(super) const EXPIREMEMBER: Command = setter(
    "EXPIREMEMBER",
    expiremember,
    &[
        key("key"),
        string("member"),
        integer("delay"),
        one_of("unit", &[word("s", "S"), word("ms", "MS")]).optional(),
    ],
)
.arity(-4)
.summary("Lets a field of a hash or a member of a set or sorted set expire after a while.");

pub(super) const EXPIREMEMBERAT: Command = setter(
    "EXPIREMEMBERAT",
    expirememberat,
    &[key("key"), string("member"), unix_time("unix-time-seconds")],
)
.summary(
    "Lets a field of a hash or a member of a set or sorted set expire at a Unix time in seconds.",
);

pub(super) const PEXPIREMEMBERAT: Command = setter(
    "PEXPIREMEMBERAT",
    pexpirememberat,
    &[key("key"), string("member"), unix_time("unix-time-milliseconds")],
)
.summary("Lets a field of a hash or a member of a set or sorted set expire at a Unix time in milliseconds.");

pub(super) const FIELDEXPIRE: Command =
    setter("FIELDEXPIRE", fieldexpire, &[key("key"), integer("seconds"), string("field").many()])
        .arity(-4)
        .summary(
            "Lets fields of a hash or members of a set or sorted set expire after some seconds.",
        )
        .complexity("O(N), N fields named");

pub(super) const FIELDTTL: Command = Command::data("FIELDTTL", fieldttl)
    .group(Group::Generic)
    .since("8.12.0")
    .arity(3)
    .flags(Flags::READONLY.or(Flags::FAST).or(Flags::KEYSPACE))
    .keys(&[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[key("key"), string("field")])
    .summary(
        "Answers in how many seconds a field of a hash or a member of a set or sorted set expires.",
    )
    .complexity("O(1)")
    .tips(&["nondeterministic_output"]);

/// Lets elements expire at `at`, and shows `code` for each, as HEXPIRE answers it.
fn expire(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    at: i64,
    names: &[&[u8]],
    mut code: impl FnMut(i64),
) -> Outcome {
    match cx.db.peek(key).map(|entry| entry.type_of()) {
        Some(Type::Hash) => element_expiry::expire_at::<Hash>(cx, key, at, names, code),
        Some(Type::Set) => element_expiry::expire_at::<Set>(cx, key, at, names, code),
        Some(Type::ZSet) => element_expiry::expire_at::<ZSet>(cx, key, at, names, code),
        Some(_) => Err(CommandError::WrongType),
        None => {
            names.iter().for_each(|_| code(NO_ELEMENT));
            Ok(Effect::None)
        }
    }
}

fn fieldexpire(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let at = element_expiry::moment(args, 1000, cx.now_ms)?;
    let names = args.rest();
    let mut codes = Vec::with_capacity(names.len());
    let effect = expire(cx, &key, at, names, |code| codes.push(code))?;
    reply.array(codes.len());
    codes.iter().for_each(|code| reply.integer(*code));
    Ok(effect)
}

/// Lets one element expire: `number` units of `unit_ms` milliseconds after `base_ms`.
fn expire_one(
    cx: &mut Cx<'_>,
    args: &Args<'_>,
    (key, name): (&KeyRef<'_>, &[u8]),
    (number, unit_ms, base_ms): (i64, i64, i64),
    reply: &mut Reply,
) -> Outcome {
    let at = element_expiry::moment_of(number, unit_ms, base_ms, args.spec().name)?;
    let mut done = false;
    let effect = expire(cx, key, at, &[name], |code| done = code > 0)?;
    reply.integer(i64::from(done));
    Ok(effect)
}

fn expiremember(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (key, name, number) = (args.key()?, args.bytes()?, args.integer()?);
    let unit_ms = match args.left() {
        0 => 1000,
        _ if args.token("S") => 1000,
        _ if args.token("MS") => 1,
        _ => return Err(CommandError::InvalidUnit),
    };
    args.end()?;
    let now_ms = cx.now_ms;
    expire_one(cx, args, (&key, name), (number, unit_ms, now_ms), reply)
}

fn expirememberat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (key, name, number) = (args.key()?, args.bytes()?, args.integer()?);
    expire_one(cx, args, (&key, name), (number, 1000, 0), reply)
}

fn pexpirememberat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (key, name, number) = (args.key()?, args.bytes()?, args.integer()?);
    expire_one(cx, args, (&key, name), (number, 1, 0), reply)
}

/// When the element expires, if it is there: for ever if that is `None`.
fn expiry<T: Expiring>(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    name: &[u8],
) -> Result<Option<Option<i64>>, CommandError> {
    let horizon_ms = cx.db.horizon_ms();
    let expiry = cx.db.read::<T>(key)?.and_then(|view| T::expiry_of(view, name));
    Ok(expiry.filter(|at| at.is_none_or(|at| at > horizon_ms)))
}

fn fieldttl(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const NO_KEY: i64 = -2;
    const NO_EXPIRY: i64 = -1;
    const NO_FIELD: i64 = -3;
    let (key, name) = (args.key()?, args.bytes()?);
    let expiry = match cx.db.peek(&key).map(|entry| entry.type_of()) {
        Some(Type::Set) => expiry::<Set>(cx, &key, name)?,
        Some(Type::ZSet) => expiry::<ZSet>(cx, &key, name)?,
        Some(_) => expiry::<Hash>(cx, &key, name)?,
        None => {
            cx.db.count_lookup(&key, false);
            reply.integer(NO_KEY);
            return Ok(Effect::None);
        }
    };
    reply.integer(match expiry {
        None => NO_FIELD,
        Some(None) => NO_EXPIRY,
        Some(Some(at)) => seconds(at.saturating_sub(cx.now_ms)),
    });
    Ok(Effect::None)
}
