//! DUMP and RESTORE: a value as bytes, and back; MIGRATE, which brings such bytes to another server.
//!
//! What the bytes are: `types::persist`.
//!
//! A large value is carried away by an O(1) clone and written outside the lock. A restored value is
//! proved and built whole before the keyspace is touched. The journal is told RESTORE as sent, with
//! its time to live made absolute.

use command::grammar::{Argument, integer, key, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep};
use command::{KeyFlags, KeySpec, Outcome, deletion};
use keyspace::{Entry, Event, KeyRef, Keyspace, SHARED_MIN, Value};
use rdb::payload::{self, Checks};
use resp::Reply;
use std::sync::Arc;
use types::Any;
use types::persist::{Saved, load_payload};

mod migrate;

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    Command::data("DUMP", dump)
        .group(Group::Generic)
        .since("2.6.0")
        .arity(2)
        .flags(Flags::READONLY.or(Flags::KEYSPACE))
        .keys(&[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))])
        .args(&[key("key")])
        .summary("Answers the value of a key as bytes for RESTORE.")
        .complexity("O(1) under the lock for large values; O(N) outside of it")
        .tips(&["nondeterministic_output"]),
    migrate::MIGRATE,
    restore_row("RESTORE", "2.6.0").group(Group::Generic),
    restore_row("RESTORE-ASKING", "3.0.0")
        .group(Group::Server)
        .flags(RESTORE_FLAGS.or(Flags::ASKING).or(Flags::SYSCMD)),
];

const RESTORE_FLAGS: Flags =
    Flags::WRITE.or(Flags::DENYOOM).or(Flags::KEYSPACE).or(Flags::DANGEROUS);

const RESTORE_KEYS: &[KeySpec] = &[KeySpec::at(1, KeyFlags::OW.or(KeyFlags::UPDATE))];

const RESTORE_ARGS: &[Argument] = &[
    key("key"),
    integer("ttl").samples(&["0", "100000"]),
    string("serialized-value"),
    word("replace", "REPLACE").optional().since("3.0.0"),
    word("absttl", "ABSTTL").optional().since("5.0.0"),
    integer("seconds").token("IDLETIME").optional().since("5.0.0"),
    integer("frequency").token("FREQ").optional().since("5.0.0"),
];

const fn restore_row(name: &'static str, since: &'static str) -> Command {
    Command::data(name, restore)
        .since(since)
        .arity(-4)
        .flags(RESTORE_FLAGS)
        .keys(RESTORE_KEYS)
        .args(RESTORE_ARGS)
        .summary("Makes a key of the bytes that DUMP answered.")
        .complexity("O(N), or O(N*log(N)) for large sorted sets, N elements of the value")
        .history(&[
            ("3.0.0", "The option REPLACE."),
            ("5.0.0", "The option ABSTTL."),
            ("5.0.0", "The options IDLETIME and FREQ."),
        ])
}

/// A value carried away from the lock, a text with its tag.
enum Carried {
    Text(Arc<Vec<u8>>, i64),
    Any(Any),
    /// A small one.
    Payload(Vec<u8>),
}

impl Carried {
    fn of(entry: &Entry) -> Self {
        let value = entry.value();
        match &value {
            Value::Shared(text) => Self::Text(Arc::clone(text), entry.tag()),
            Value::Boxed(any) if any.heap_bytes() >= SHARED_MIN => Self::Any((*any).clone()),
            Value::Int(_) | Value::Inline(_) | Value::Packed(_) | Value::Boxed(_) => {
                Self::Payload(value.saved().payload_tagged(entry.tag()))
            }
        }
    }

    fn payload(&self) -> Vec<u8> {
        match self {
            Self::Text(text, tag) => Saved::Text(text).payload_tagged(*tag),
            Self::Any(any) => Saved::Any(any).payload(),
            Self::Payload(payload) => payload.clone(),
        }
    }
}

/// Writes the payload outside the lock.
struct DumpJob(Carried);

impl Job for DumpJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        reply.bulk_shared(&Arc::new(self.0.payload()));
        JobStep::Done
    }
}

fn dump(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let Some(entry) = cx.db.get(&key) else {
        reply.null();
        return Ok(Effect::None);
    };
    match Carried::of(&entry) {
        Carried::Payload(payload) => reply.bulk(&payload),
        carried => *cx.later = Some(Box::new(DumpJob(carried))),
    }
    Ok(Effect::None)
}

/// The options of RESTORE.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        while args.left() > 0 {
            if args.token("REPLACE") {
                options.replace = true;
            } else if args.token("ABSTTL") {
                options.absolute = true;
            } else if options.frequency.is_none() && args.left() > 1 && args.token("IDLETIME") {
                let seconds = u64::try_from(args.integer()?);
                options.idle_seconds = Some(seconds.map_err(|_| CommandError::InvalidIdletime)?);
            } else if options.idle_seconds.is_none() && args.left() > 1 && args.token("FREQ") {
                let frequency = u8::try_from(args.integer()?);
                options.frequency = Some(frequency.map_err(|_| CommandError::InvalidFreq)?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

fn restore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (key, ttl, bytes) = (args.key()?, args.bytes()?, args.bytes()?);
    let options = Options::parse(args)?;
    if !options.replace && cx.db.peek(&key).is_some() {
        return Err(CommandError::BusyKey);
    }
    let ttl = stdx::num::parse_i64(ttl).ok_or(CommandError::NotAnInteger)?;
    let expiry = match ttl {
        0 => None,
        1.. if options.absolute => Some(ttl),
        1.. => Some(ttl.checked_add(cx.now_ms).ok_or(CommandError::InvalidTtl)?),
        _ => return Err(CommandError::InvalidTtl),
    };
    let checks = Checks { version: !cx.settings.rdb_relaxed, crc: !cx.node.skips_checksums() };
    let payload = payload::open(bytes, checks).ok_or(CommandError::DumpChecksum)?;
    let loaded = load_payload(payload, &cx.settings.limits).map_err(|error| {
        cx.node.log_verbose(&format!("RESTORE of a payload that is refused: {error}"));
        CommandError::BadDataFormat
    })?;

    reply.ok();
    if let Some(at) = expiry
        && cx.has_passed(at)
    {
        let deleted = cx.db.delete(&key, Event::DEL);
        if deleted {
            cx.rewrite(&[deletion(cx.settings.lazy_deletion), key.bytes()]);
        }
        return Ok(if deleted { Effect::Rewrite } else { Effect::None });
    }
    let clock = cx.settings.access_clock;
    let bits = clock.restored(options.idle_seconds, options.frequency, cx.now_ms);
    cx.db.restore(&key, loaded, expiry, bits, Event::generic("restore"));
    Ok(log(cx, args, &key, payload_is_sound(bytes, checks), expiry.filter(|_| !options.absolute)))
}

/// Whether a node that checks everything takes the payload too.
fn payload_is_sound(bytes: &[u8], checked: Checks) -> bool {
    checked == Checks::ALL || payload::open(bytes, Checks::ALL).is_some()
}

/// Tells the journal: as sent, but with an absolute time, and with a payload that is taken
/// everywhere.
fn log(
    cx: &mut Cx<'_>,
    args: &Args<'_>,
    key: &KeyRef<'_>,
    sound: bool,
    expiry: Option<i64>,
) -> Effect {
    if sound && expiry.is_none() {
        return Effect::Same;
    }
    let mut words = args.all().to_vec();
    let at = expiry.map(|at| at.to_string());
    if let Some(at) = &at {
        words[2] = at.as_bytes();
        words.push(b"ABSTTL");
    }
    let payload = |entry: &Entry| entry.value().saved().payload_tagged(entry.tag());
    let own = cx.db.peek(key).filter(|_| !sound).map(|entry| payload(&entry));
    if let Some(own) = &own {
        words[3] = own;
    }
    cx.rewrite(&words);
    Effect::Rewrite
}
