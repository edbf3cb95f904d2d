//! MIGRATE: keys move to another server, or are copied there.
//!
//! The command runs twice and more. At first it carries the values away, and its client waits; the
//! server talks to the other one meanwhile, without locks ([`command::Transfer`]). Once all has been
//! said there, the command runs again: keys that arrived and have not changed are deleted, which the
//! journal is told as DEL; those that have changed are sent again, and those that have gone here are
//! deleted there. So at every moment a key that was not deleted by a client is here, there or both.

use super::Carried;
use command::grammar::{block, integer, key, key_of, one_of, string, word};
use command::{
    Args, BeginSearch, Command, CommandError, Cx, Effect, Fate, FindKeys, Flags, Group, KeyFlags,
    KeySpec, Order, Outcome, Shipment, Target, Transfer, Wait, Wanted,
};
use keyspace::{Entry, Event, KeyRef};
use resp::Reply;
use std::sync::Arc;

pub(super) const MIGRATE: Command = Command::data("MIGRATE", migrate)
    .group(Group::Generic)
    .since("2.6.0")
    .arity(-6)
    .flags(Flags::WRITE.or(Flags::KEYSPACE).or(Flags::DANGEROUS))
    .keys(&[KeySpec::at(3, KEY_FLAGS).when(|words| keys_option(words).is_none()), KEYS])
    .secrets(is_secret)
    .args(&[
        string("host"),
        integer("port"),
        one_of("key-selector", &[key("key"), word("empty-string", "\"\"")]),
        integer("destination-db"),
        integer("timeout"),
        word("copy", "COPY").optional().since("3.0.0"),
        word("replace", "REPLACE").optional().since("3.0.0"),
        one_of(
            "authentication",
            &[
                string("auth").display("password").token("AUTH").since("4.0.7"),
                block("auth2", &[string("username"), string("password")])
                    .token("AUTH2")
                    .since("6.0.0"),
            ],
        )
        .optional(),
        key_of("keys", 1).display("key").token("KEYS").optional().many().since("3.0.6"),
    ])
    .summary("Moves keys to another server.")
    .complexity("That of DUMP and DEL here, and of RESTORE there, and of sending what lies between")
    .history(&[
        ("3.0.0", "The options COPY and REPLACE."),
        ("3.0.6", "The option KEYS."),
        ("4.0.7", "The option AUTH."),
        ("6.0.0", "The option AUTH2."),
    ])
    .tips(&["nondeterministic_output"]);

const KEY_FLAGS: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE);

/// Where options begin.
const OPTIONS_AT: usize = 6;

/// Words behind options.
const TAKES: &[(&str, usize)] = &[("AUTH", 1), ("AUTH2", 2)];

/// What stands behind KEYS; nothing where the request is at fault.
const KEYS: KeySpec = KeySpec {
    begin: BeginSearch::Behind { word: "KEYS", start_from: -2, first: OPTIONS_AT, options: TAKES },
    find: FindKeys::Range { last: -1, step: 1, limit: 0 },
    flags: KEY_FLAGS.or(KeyFlags::INCOMPLETE),
    refine: None,
    until: None,
    when: Some(|words| words[3].is_empty()),
    notes: "",
};

/// The positions of options, up to KEYS.
fn options<'w>(words: &'w [&'w [u8]]) -> impl Iterator<Item = usize> {
    let mut next = OPTIONS_AT;
    std::iter::from_fn(move || {
        let at = next;
        let is = |name: &str| words[at].eq_ignore_ascii_case(name.as_bytes());
        next = match words.get(at)? {
            _ if is("KEYS") => words.len(),
            _ => {
                let takes = TAKES.iter().find(|(name, _)| is(name));
                at + 1 + takes.map_or(0, |(_, count)| *count)
            }
        };
        Some(at)
    })
}

/// Where KEYS stands.
fn keys_option(words: &[&[u8]]) -> Option<usize> {
    options(words).find(|at| words[*at].eq_ignore_ascii_case(b"KEYS"))
}

/// Whether the word is what AUTH or AUTH2 is given.
fn is_secret(words: &[&[u8]], at: usize) -> bool {
    options(words).any(|option| {
        let takes =
            TAKES.iter().find(|(name, _)| words[option].eq_ignore_ascii_case(name.as_bytes()));
        takes.is_some_and(|(_, count)| (option + 1..=option + count).contains(&at))
    })
}

/// What the request asks for.
struct Asked {
    target: Target,
    copy: bool,
    replace: bool,
}

impl Asked {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        /// In milliseconds.
        const TIMEOUT: u64 = 1000;
        let (host, port, key) = (args.bytes()?, args.bytes()?, args.bytes()?);
        let (db, timeout) = (args.bytes()?, args.bytes()?);
        let (mut copy, mut replace, mut credentials) = (false, false, Vec::new());
        while args.left() > 0 {
            if args.token("COPY") {
                copy = true;
            } else if args.token("REPLACE") {
                replace = true;
            } else if args.token("AUTH") {
                credentials = vec![args.bytes()?.into()];
            } else if args.token("AUTH2") {
                credentials = vec![args.bytes()?.into(), args.bytes()?.into()];
            } else if args.token("KEYS") {
                if !key.is_empty() {
                    return Err(CommandError::MigrateKeys);
                }
                args.rest();
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let integer = |word| stdx::num::parse_i64(word).ok_or(CommandError::NotAnInteger);
        let timeout_ms = u64::try_from(integer(timeout)?).ok().filter(|timeout| *timeout > 0);
        let target = Target {
            host: host.into(),
            port: port.into(),
            db: integer(db)?,
            timeout_ms: timeout_ms.unwrap_or(TIMEOUT),
            credentials,
        };
        Ok(Self { target, copy, replace })
    }
}

fn migrate(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if let Some(transfer) = cx.transfer() {
        return go_on(cx, args, &transfer, reply);
    }
    let Asked { target, copy, replace } = Asked::parse(args)?;
    let mut orders = Vec::new();
    for key in each_once(args) {
        if let Some(entry) = cx.db.get(&key) {
            orders.push(send(&key, &entry, replace));
        }
    }
    if orders.is_empty() {
        reply.simple("NOKEY");
        return Ok(Effect::None);
    }
    if !cx.may_wait() {
        return Err(CommandError::MigrateWaits);
    }
    if !copy && args.keys().iter().any(|key| cx.is_moving(key)) {
        return Err(CommandError::MigrateTwice);
    }
    let transfer = Arc::new(Transfer::new(target, !copy, Arc::clone(&cx.session.card)));
    hand_over(cx, args, &transfer, orders, reply)
}

/// The keys of the request, each once.
fn each_once<'a>(args: &Args<'a>) -> Vec<KeyRef<'a>> {
    let mut keys = args.keys().to_vec();
    keys.sort_unstable_by_key(|key| key.bytes());
    keys.dedup_by_key(|key| key.bytes());
    keys
}

/// The order to send a value as it is now.
fn send(key: &KeyRef<'_>, entry: &Entry, replace: bool) -> Order {
    let (carried, expiry_ms) = (Carried::of(entry), entry.expiry());
    let encode = Box::new(move || carried.payload());
    Order { key: key.bytes().into(), value: Some(Shipment { encode, expiry_ms, replace }) }
}

/// Lets the server see to the orders, and the client wait.
fn hand_over(
    cx: &mut Cx<'_>,
    args: &Args<'_>,
    transfer: &Arc<Transfer>,
    orders: Vec<Order>,
    reply: &mut Reply,
) -> Outcome {
    transfer.order(orders);
    cx.node.migrate(transfer)?;
    let wait = Wait {
        wanted: Wanted::Transfer(Arc::clone(transfer)),
        // What becomes of a key that is only copied does not matter.
        keys: if transfer.moves { args.keys().len() } else { 0 },
        until_ms: None,
        again_ms: None,
        meant: Vec::new(),
    };
    cx.wait(wait, reply, Reply::null);
    Ok(Effect::None)
}

/// A round is over: sends again what has changed meanwhile, or deletes what arrived.
fn go_on(cx: &mut Cx<'_>, args: &Args<'_>, transfer: &Arc<Transfer>, reply: &mut Reply) -> Outcome {
    let (mut arrived, mut orders) = (Vec::new(), Vec::new());
    let keys = if transfer.moves { each_once(args) } else { Vec::new() };
    for key in keys {
        let fate = transfer.fate(key.bytes());
        if fate == Fate::Here {
            continue;
        }
        match cx.db.peek(&key) {
            None => orders.push(Order { key: key.bytes().into(), value: None }),
            Some(entry) if fate == Fate::Stale => orders.push(send(&key, &entry, true)),
            Some(_) => arrived.push(key),
        }
    }
    if !orders.is_empty() && transfer.goes_on() {
        return hand_over(cx, args, transfer, orders, reply);
    }
    let restless = || (!orders.is_empty()).then_some(CommandError::MigrateRestless);
    let error = transfer.error().or_else(restless);
    let mut words: Vec<&[u8]> = vec![b"DEL"];
    for key in &arrived {
        if cx.db.delete(key, Event::generic("del")) {
            words.push(key.bytes());
        }
    }
    if words.len() == 1 {
        error.map_or(Ok(()), Err)?;
        reply.ok();
        return Ok(Effect::None);
    }
    match error {
        Some(error) => reply.error(error.text()),
        None => reply.ok(),
    }
    cx.rewrite(&words);
    Ok(Effect::Rewrite)
}
