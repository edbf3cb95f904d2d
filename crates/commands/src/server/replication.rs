//! Primary and replicas, seen from the primary: REPLCONF, SYNC, PSYNC; and REPLICAOF.

use super::node;
use command::grammar::{block, integer, one_of, string, word};
use command::{
    Args, Argument, ClientFlags, Command, CommandError, Contents, Cx, Effect, Flags, Group,
    Outcome, Sync,
};
use resp::Reply;
use std::sync::atomic::Ordering::Relaxed;

/// Of the connection that is fed.
const FED: Flags = Flags::NO_ASYNC_LOADING.or(Flags::ADMIN).or(Flags::NO_MULTI).or(Flags::NOSCRIPT);

pub(super) const REPLCONF: Command = Command::conn("REPLCONF", replconf)
    .group(Group::Server)
    .since("3.0.0")
    .arity(-1)
    .flags(
        Flags::ADMIN
            .or(Flags::NOSCRIPT)
            .or(Flags::LOADING)
            .or(Flags::STALE)
            .or(Flags::ALLOW_BUSY)
            .or(Flags::SYSCMD),
    )
    .summary("Tells the primary about the replica on this connection.")
    .complexity("O(1)");

pub(super) const SYNC: Command = Command::conn("SYNC", sync)
    .group(Group::Server)
    .flags(FED)
    .summary("Turns the connection into a replica's: a snapshot, then all that changes.")
    .complexity("O(N) for the snapshot, N keys");

pub(super) const PSYNC: Command = Command::conn("PSYNC", psync)
    .group(Group::Server)
    .since("2.8.0")
    .arity(-3)
    .flags(FED)
    .args(&[string("replicationid"), integer("offset")])
    .summary("As SYNC, for a replica that may have a part of the history.")
    .complexity("O(N) for the snapshot, N keys");

pub(super) const REPLICAOF: Command = of("REPLICAOF", "5.0.0");

pub(super) const SLAVEOF: Command = of("SLAVEOF", "1.0.0").deprecated("5.0.0", "`REPLICAOF`");

pub(super) const FAILOVER: Command = node("FAILOVER", failover, -1)
    .since("6.2.0")
    .flags(Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::STALE))
    .args(&[
        block("target", &[string("host"), integer("port"), word("force", "FORCE").optional()])
            .token("TO")
            .optional(),
        word("abort", "ABORT").optional(),
        integer("milliseconds").token("TIMEOUT").optional(),
    ])
    .summary("Refuses to change places with a replica.");

const fn of(name: &'static str, since: &'static str) -> Command {
    node(name, replicaof, 3)
        .since(since)
        .flags(Flags::NO_ASYNC_LOADING.or(Flags::ADMIN).or(Flags::NOSCRIPT).or(Flags::STALE))
        .args(PRIMARY)
        .summary("Makes the server a replica of another, or a primary.")
}

const PRIMARY: &[Argument] = &[one_of(
    "args",
    &[
        block("host-port", &[string("host"), integer("port")]),
        block("no-one", &[word("no", "NO"), word("one", "ONE")]),
    ],
)];

/// A part of REPLCONF.
fn range(args: &mut Args<'_>, min: i64, max: i64) -> Result<i64, CommandError> {
    let value = args.integer()?;
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    Err(CommandError::err(format_args!(
        "value is out of range, value must between {min} and {max}"
    )))
}

fn replconf(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if !args.left().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let replica = cx.session.card.replica();
    while args.left() > 0 {
        match () {
            () if args.token("listening-port") => {
                let port = args.integer()?;
                replica.port.store(u32::try_from(port).unwrap_or(0), Relaxed);
            }
            () if args.token("ip-address") => {
                *replica.address.lock() = Some(address(args.bytes()?)?);
            }
            () if args.token("capa") => {
                // What is not known here is no loss.
                if args.bytes()?.eq_ignore_ascii_case(b"eof") {
                    replica.takes_eof.store(true, Relaxed);
                }
            }
            () if args.token("ack") => {
                acknowledge(cx, args);
                return Ok(Effect::None);
            }
            // A replica would acknowledge at once, and says nothing else.
            () if args.token("getack") => {
                args.rest();
                return Ok(Effect::None);
            }
            () if args.token("rdb-only") => {
                replica.snapshot_only.store(range(args, 0, 1)? == 1, Relaxed);
            }
            () if args.token("rdb-filter-only") => {
                *replica.contents.lock() = Contents { keys: false, functions: false };
                *replica.contents.lock() = filter(args.bytes()?)?;
            }
            () if args.token("version") => version(args.bytes()?)?,
            () => {
                let option = args.bytes()?;
                return Err(CommandError::err_bytes(&[b"Unrecognized REPLCONF option: ", option]));
            }
        }
    }
    reply.ok();
    Ok(Effect::None)
}

fn address(text: &[u8]) -> Result<String, CommandError> {
    /// The longest name of a host, with what ends it.
    const BYTES_MAX: usize = 256;
    if text.len() >= BYTES_MAX {
        return Err(CommandError::err(format_args!(
            "REPLCONF ip-address provided by replica instance is too long: {} bytes",
            text.len()
        )));
    }
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// What is left in of the snapshot.
fn filter(text: &[u8]) -> Result<Contents, CommandError> {
    let words = config::split_args(text).ok_or(CommandError::FilterMissing)?;
    let mut contents = Contents { keys: false, functions: false };
    for word in words {
        if !word.eq_ignore_ascii_case(b"functions") {
            return Err(CommandError::err_bytes(&[b"Unsupported rdb-filter-only option: ", &word]));
        }
        contents.functions = true;
    }
    Ok(contents)
}

/// Three numbers up to 255.
fn version(text: &[u8]) -> Result<(), CommandError> {
    let is_part = |part: &[u8]| {
        let digits = part.iter().all(u8::is_ascii_digit);
        let value = part.iter().fold(0u32, |value, digit| {
            value.saturating_mul(10).saturating_add(u32::from(digit.wrapping_sub(b'0')))
        });
        digits && value <= 255
    };
    let parts: Vec<&[u8]> = text.split(|byte| *byte == b'.').collect();
    if parts.len() == 3 && parts.into_iter().all(is_part) {
        return Ok(());
    }
    Err(CommandError::err_bytes(&[b"Unrecognized version format: ", text]))
}

/// `REPLCONF ACK offset [FACK offset]`, which is never answered.
fn acknowledge(cx: &Cx<'_>, args: &mut Args<'_>) {
    let words = args.rest();
    if !cx.session.card.has(ClientFlags::REPLICA) {
        return;
    }
    let number = |at: usize| {
        let number = stdx::num::parse_i64(words.get(at)?)?;
        Some(u64::try_from(number).unwrap_or(0))
    };
    let replica = cx.session.card.replica();
    let Some(offset) = number(0) else { return };
    replica.acked.fetch_max(offset, Relaxed);
    if words.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"fack")) {
        let Some(durable) = number(2) else { return };
        replica.acked_durable.fetch_max(durable, Relaxed);
    }
    replica.acked_ms.store(cx.now_ms, Relaxed);
}

fn sync(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    feed(cx, reply, || Ok(Sync::Plain))
}

fn psync(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let words = args.rest();
    feed(cx, reply, || {
        if words.get(2).is_some_and(|word| word.eq_ignore_ascii_case(b"failover")) {
            return Err(CommandError::FailoverAtPrimary);
        }
        stdx::num::parse_i64(words[1]).ok_or(CommandError::NotAnInteger)?;
        Ok(Sync::WithOffset { refused: words[0] != b"?" })
    })
}

/// What both have in common. Who is fed already, or is shown all commands, is not answered.
fn feed(
    cx: &mut Cx<'_>,
    reply: &Reply,
    kind: impl FnOnce() -> Result<Sync, CommandError>,
) -> Outcome {
    let card = &cx.session.card;
    if card.has(ClientFlags::REPLICA | ClientFlags::MONITOR) {
        return Ok(Effect::None);
    }
    if !reply.out.is_empty() || card.unread_bytes() > 0 {
        return Err(CommandError::SyncPending);
    }
    let filtered = *card.replica().contents.lock() != Contents::ALL;
    if filtered && !card.replica().takes_eof.load(Relaxed) {
        return Err(CommandError::SyncFilterNeedsEof);
    }
    cx.session.feed = Some(kind()?);
    Ok(Effect::None)
}

fn failover(cx: &mut Cx<'_>, args: &mut Args<'_>, _: &mut Reply) -> Outcome {
    if args.left() == 1 && args.token("ABORT") {
        return Err(CommandError::FailoverNotRunning);
    }
    let (mut timeout, mut target, mut force) = (false, false, false);
    while args.left() > 0 {
        match args.left() {
            2.. if !timeout && args.token("TIMEOUT") => {
                timeout = true;
                if args.integer()? <= 0 {
                    return Err(CommandError::FailoverTimeout);
                }
            }
            3.. if !target && args.token("TO") => {
                target = true;
                args.skip(1);
                args.integer()?;
            }
            _ if !force && args.token("FORCE") => force = true,
            _ => return Err(CommandError::Syntax),
        }
    }
    let replica = cx.node.clients().all().iter().any(|card| card.has(ClientFlags::REPLICA));
    Err(if replica { CommandError::NoReplica } else { CommandError::FailoverNoReplicas })
}

fn replicaof(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (host, port) = (args.bytes()?, args.bytes()?);
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        reply.ok();
        return Ok(Effect::None);
    }
    if cx.session.card.has(ClientFlags::REPLICA) {
        return Err(CommandError::ReplicaofByReplica);
    }
    let port = stdx::num::parse_i64(port).filter(|port| (0..=65535).contains(port));
    port.ok_or(CommandError::InvalidMasterPort)?;
    Err(CommandError::NoReplica)
}
