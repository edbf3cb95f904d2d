//! BITFIELD: integers within a string.

use super::{SETBIT_EVENT, offset};
use command::grammar::{Argument, block, integer, key, one_of, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use resp::Reply;
use types::bits::{Field, Overflow};

const ENCODING: Argument = string("encoding").samples(&["u8", "i5", "u63", "i64"]);
const OFFSET: Argument = integer("offset").samples(&["0", "7", "#3", "100"]);
const GET: Argument = block("get-block", &[ENCODING, OFFSET]).token("GET");

pub(super) const BITFIELD: Command = Command::data("BITFIELD", bitfield)
    .group(Group::Bitmap)
    .since("3.2.0")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE).or(KeyFlags::ACCESS))
        .refined(refine)
        .notes("This command allows both access and modification of the key")])
    .args(&[
        key("key"),
        one_of(
            "operation",
            &[
                GET,
                block(
                    "write",
                    &[
                        one_of(
                            "overflow-block",
                            &[word("wrap", "WRAP"), word("sat", "SAT"), word("fail", "FAIL")],
                        )
                        .token("OVERFLOW")
                        .optional(),
                        one_of(
                            "write-operation",
                            &[
                                block("set-block", &[ENCODING, OFFSET, integer("value")])
                                    .token("SET"),
                                block("incrby-block", &[ENCODING, OFFSET, integer("increment")])
                                    .token("INCRBY"),
                            ],
                        ),
                    ],
                ),
            ],
        )
        .many()
        .optional(),
    ])
    .summary("Reads and changes integers of any width at any bit of a string.")
    .complexity("O(1) for each operation");

pub(super) const BITFIELD_RO: Command = Command::data("BITFIELD_RO", bitfield)
    .group(Group::Bitmap)
    .since("6.0.0")
    .arity(-2)
    .flags(Flags::READONLY.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))])
    .args(&[key("key"), GET.many_tokens().optional()])
    .summary("Reads integers of any width at any bit of a string.")
    .complexity("O(1) for each operation");

/// Whether this request may write: only GET does not.
fn refine(words: &[&[u8]]) -> KeyFlags {
    const WRITES: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE);
    let mut left = words.get(2..).unwrap_or_default();
    while let [verb, rest @ ..] = left {
        let takes = if verb.eq_ignore_ascii_case(b"GET") {
            2
        } else if verb.eq_ignore_ascii_case(b"OVERFLOW") {
            1
        } else {
            return WRITES;
        };
        match rest.get(takes..) {
            Some(rest) => left = rest,
            None => return WRITES,
        }
    }
    KeyFlags::RO.or(KeyFlags::ACCESS)
}

/// One operation on one field.
struct Operation {
    field: Field,
    /// The bit at which the field begins.
    at: u64,
    verb: Verb,
}

enum Verb {
    Get,
    Set(i64, Overflow),
    Increase(i64, Overflow),
}

impl Operation {
    /// The byte behind the field's last.
    fn end(&self) -> usize {
        (self.at + self.field.bits()).div_ceil(8) as usize
    }

    /// Does it on `bytes`, which hold the field if it writes: the answer (nothing if the value
    /// overflows), and whether anything changed.
    fn run(&self, bytes: &mut [u8]) -> (Option<i64>, bool) {
        let old = self.field.get(bytes, self.at);
        let (new, answers_old) = match self.verb {
            Verb::Get => return (Some(old), false),
            Verb::Set(value, overflow) => (self.field.assigned(value, overflow), true),
            Verb::Increase(by, overflow) => (self.field.increased(old, by, overflow), false),
        };
        let Some(new) = new else { return (None, false) };
        self.field.put(bytes, self.at, new);
        (Some(if answers_old { old } else { new }), old != new)
    }
}

fn parse(args: &mut Args<'_>, bytes_max: u64) -> Result<Vec<Operation>, CommandError> {
    let mut operations = Vec::new();
    let mut overflow = Overflow::default();
    while args.left() > 0 {
        let after = args.left() - 1;
        if args.token("OVERFLOW") && after >= 1 {
            overflow = parse_overflow(args)?;
        } else if args.token("GET") && after >= 2 {
            let (field, at) = parse_place(args, bytes_max)?;
            operations.push(Operation { field, at, verb: Verb::Get });
        } else if args.token("SET") && after >= 3 {
            let (field, at) = parse_place(args, bytes_max)?;
            operations.push(Operation { field, at, verb: Verb::Set(args.integer()?, overflow) });
        } else if args.token("INCRBY") && after >= 3 {
            let (field, at) = parse_place(args, bytes_max)?;
            let verb = Verb::Increase(args.integer()?, overflow);
            operations.push(Operation { field, at, verb });
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(operations)
}

fn parse_overflow(args: &mut Args<'_>) -> Result<Overflow, CommandError> {
    if args.token("WRAP") {
        Ok(Overflow::Wrap)
    } else if args.token("SAT") {
        Ok(Overflow::Saturate)
    } else if args.token("FAIL") {
        Ok(Overflow::Fail)
    } else {
        Err(CommandError::BitfieldOverflow)
    }
}

/// The type of a field and the bit at which it begins.
fn parse_place(args: &mut Args<'_>, bytes_max: u64) -> Result<(Field, u64), CommandError> {
    let field = Field::parse(args.bytes()?).ok_or(CommandError::BitfieldType)?;
    let (text, unit) = match args.bytes()? {
        [b'#', text @ ..] => (text, field.bits()),
        text => (text, 1),
    };
    let at = offset(text, unit, bytes_max).ok_or(CommandError::BitOffset)?;
    Ok((field, at))
}

fn bitfield(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let operations = parse(args, cx.settings.bulk_bytes_max)?;
    let writes = operations.iter().filter(|one| !matches!(one.verb, Verb::Get));
    let Some(end) = writes.map(Operation::end).max() else {
        let value = cx.db.string(&key)?;
        let mut scratch = Vec::new();
        let bytes = value.as_ref().map_or(&[][..], |value| value.text(&mut scratch));
        reply.array(operations.len());
        for operation in &operations {
            reply.integer(operation.field.get(bytes, operation.at));
        }
        return Ok(Effect::None);
    };
    if args.spec().flags.has(Flags::READONLY) {
        return Err(CommandError::BitfieldReadOnly);
    }
    let fits = cx.db.string_for_write(&key)?.is_some_and(|value| value.len() >= end);
    let mut answers = Vec::with_capacity(operations.len());
    let mut run = |bytes: &mut [u8]| {
        let mut changed = false;
        for operation in &operations {
            let (answer, changes) = operation.run(bytes);
            answers.push(answer);
            changed |= changes;
        }
        changed
    };
    let changed = if fits {
        cx.db.patch(&key, SETBIT_EVENT, run)
    } else {
        // The string grows even if no operation writes.
        cx.db.edit(&key, SETBIT_EVENT, |bytes| {
            bytes.resize(bytes.len().max(end), 0);
            run(bytes);
        });
        true
    };
    reply.array(answers.len());
    for answer in answers {
        match answer {
            Some(answer) => reply.integer(answer),
            None => reply.null(),
        }
    }
    Ok(if changed { Effect::Same } else { Effect::None })
}
