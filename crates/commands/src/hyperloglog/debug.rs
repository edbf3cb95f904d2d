//! PFDEBUG: a look at the registers.

use super::{Found, find, store};
use command::grammar::{key, string};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{Event, KeyRef};
use resp::Reply;
use types::hll::{self, Hll, Registers};

pub(super) const PFDEBUG: Command = Command::data("PFDEBUG", pfdebug)
    .group(Group::Hyperloglog)
    .since("2.8.9")
    .arity(3)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::ADMIN).or(Flags::SYSCMD))
    .keys(&[KeySpec::at(2, KeyFlags::RW.or(KeyFlags::ACCESS))])
    .args(&[
        string("subcommand").samples(&["getreg", "decode", "encoding", "todense", "simd"]),
        key("key"),
    ])
    .summary("Shows the registers and the encoding of a HyperLogLog, or makes it dense.")
    .complexity("N/A");

fn pfdebug(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let verb = args.bytes()?;
    let is = |name: &str| verb.eq_ignore_ascii_case(name.as_bytes());
    if is("SIMD") {
        return simd(args, reply);
    }
    let key = args.key()?;
    let found = find(cx, &key)?;
    if matches!(found, Found::Nothing) {
        return Err(CommandError::KeyDoesNotExist);
    }
    if is("GETREG") {
        getreg(cx, &key, found, reply)
    } else if is("DECODE") {
        let Found::Sparse(bytes) = found else { return Err(CommandError::HllNotSparse) };
        reply.bulk(decoded(Hll::parse(&bytes)?).as_bytes());
        Ok(Effect::None)
    } else if is("ENCODING") {
        reply.simple(if matches!(found, Found::Dense) { "dense" } else { "sparse" });
        Ok(Effect::None)
    } else if is("TODENSE") {
        let changed = to_dense(cx, &key, found)?;
        reply.integer(changed.into());
        Ok(if changed { Effect::Same } else { Effect::None })
    } else {
        Err(CommandError::err_bytes(&[b"Unknown PFDEBUG subcommand '", verb, b"'"]))
    }
}

/// There is one implementation, so that nothing is switched: the answer is that of a peer on a
/// machine without vector instructions.
fn simd(args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if !args.token("ON") && !args.token("OFF") {
        return Err(CommandError::HllSimd);
    }
    reply.simple("disabled");
    Ok(Effect::None)
}

fn to_dense(cx: &mut Cx<'_>, key: &KeyRef<'_>, found: Found) -> Result<bool, CommandError> {
    let Found::Sparse(mut bytes) = found else { return Ok(false) };
    hll::to_dense(&mut bytes)?;
    store(cx, key, bytes, Event::SILENT);
    Ok(true)
}

/// Answers all registers; a sparse one becomes dense on the way, as everywhere.
fn getreg(cx: &mut Cx<'_>, key: &KeyRef<'_>, found: Found, reply: &mut Reply) -> Outcome {
    let changed = to_dense(cx, key, found)?;
    let mut registers = Registers::default();
    let value = cx.db.string_peek(key)?.ok_or(CommandError::KeyDoesNotExist)?;
    registers.merge(Hll::parse(value.text(&mut Vec::new()))?)?;
    reply.array(registers.as_slice().len());
    for register in registers.as_slice() {
        reply.integer(i64::from(*register));
    }
    Ok(if changed { Effect::Same } else { Effect::None })
}

/// The runs of a sparse one: `z` and `Z` for zeros in one and two bytes, `v` for values.
fn decoded(hll: Hll<'_>) -> String {
    let runs = hll.runs().map(|run| match run.value {
        0 if run.is_long() => format!("Z:{}", run.len),
        0 => format!("z:{}", run.len),
        value => format!("v:{value},{}", run.len),
    });
    runs.collect::<Vec<_>>().join(" ")
}
