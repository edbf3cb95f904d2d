//! BITOP. All shards of the keys are held, so that it is a plain function.

use command::grammar::{key_of, one_of, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{Event, ExpiryChange, NewValue, Str};
use resp::Reply;
use std::sync::Arc;
use types::bits::{Op, combine};

pub(super) const BITOP: Command = Command::data("BITOP", bitop)
    .group(Group::Bitmap)
    .since("2.6.0")
    .arity(-4)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[
        KeySpec::at(2, KeyFlags::OW.or(KeyFlags::UPDATE)),
        KeySpec::from(3, 1, KeyFlags::RO.or(KeyFlags::ACCESS)),
    ])
    .args(&[
        one_of(
            "operation",
            &[
                word("and", "AND"),
                word("or", "OR"),
                word("xor", "XOR"),
                word("not", "NOT"),
                word("diff", "DIFF"),
                word("diff1", "DIFF1"),
                word("andor", "ANDOR"),
                word("one", "ONE"),
            ],
        ),
        key_of("destkey", 0),
        key_of("key", 1).many(),
    ])
    .summary("Combines strings bit by bit and stores the result.")
    .complexity("O(N), N the bytes of all strings")
    .history(&[("8.2.0", "Added the `DIFF`, `DIFF1`, `ANDOR` and `ONE` operations.")]);

/// A source, held while others are looked up.
enum Source {
    Short(Vec<u8>),
    Long(Arc<Vec<u8>>),
}

impl Source {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(bytes) => bytes,
            Self::Long(bytes) => bytes,
        }
    }
}

fn bitop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let op = Op::parse(args.bytes()?).ok_or(CommandError::Syntax)?;
    let target = args.key()?;
    match op {
        Op::Not if args.left() != 1 => return Err(CommandError::BitopNot),
        Op::Diff | Op::Diff1 | Op::AndOr if args.left() < 2 => {
            let name = args.all()[1].to_ascii_uppercase();
            let tail: &[u8] = b" must be called with at least two source keys.";
            return Err(CommandError::err_bytes(&[b"BITOP ", &name, tail]));
        }
        _ => {}
    }
    let mut sources = Vec::with_capacity(args.left());
    while args.left() > 0 {
        let key = args.key()?;
        sources.push(match cx.db.string(&key)? {
            None => Source::Short(Vec::new()),
            Some(Str::Long(shared)) => Source::Long(Arc::clone(&shared)),
            Some(value) => Source::Short(value.text(&mut Vec::new()).to_vec()),
        });
    }
    let parts: Vec<&[u8]> = sources.iter().map(Source::bytes).collect();
    let mut combined = combine(op, &parts);
    reply.integer(combined.len() as i64);
    if combined.is_empty() {
        let deleted = cx.db.delete(&target, Event::DEL);
        return Ok(if deleted { Effect::Same } else { Effect::None });
    }
    let value = NewValue::of_vec(&mut combined);
    cx.db.put(&target, value, ExpiryChange::Clear, Event::string("set"));
    // The peers call the encoding of a computed string raw, as that of an edited one.
    cx.db.patch(&target, Event::SILENT, |_| false);
    Ok(Effect::Same)
}
