//! What changes the libraries of functions. Under every shard's lock, so that the order of changes is
//! that of the journal, which is told the commands as sent.

use command::grammar::{one_of, string, word};
use command::{
    Args, Clock, Command, CommandError, Cx, Effect, Flags, Group, Handler, Libraries, Locks,
    Outcome, Preparing,
};
use rdb::opcode::op;
use rdb::payload::{self, Checks};
use rdb::{Reader, Writer};
use resp::Reply;

/// A change of the libraries. The texts that it brings run before the locks are taken, as nobody need
/// wait for them.
const fn change(name: &'static str, handler: Handler, arity: i16, flags: Flags) -> Command {
    Command::data(name, handler)
        .group(Group::Scripting)
        .since("7.0.0")
        .arity(arity)
        .flags(Flags::NOSCRIPT.or(Flags::WRITE).or(flags))
        .locks(Locks::All)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
}

pub(super) const DELETE: Command = change("DELETE", delete, 3, Flags::NONE)
    .args(&[string("library-name")])
    .summary("Deletes a library and its functions.")
    .complexity("O(N), N functions of all libraries");

pub(super) const FLUSH: Command = change("FLUSH", flush, -2, Flags::NONE)
    .args(&[one_of("flush-type", &[word("async", "ASYNC"), word("sync", "SYNC")]).optional()])
    .summary("Deletes all libraries.")
    .complexity("O(N), N functions");

pub(super) const LOAD: Command = change("LOAD", load, -3, Flags::DENYOOM)
    .args(&[word("replace", "REPLACE").optional(), string("function-code")])
    .locks(Locks::AllAfter(prepare_load))
    .summary("Makes a library of its text.")
    .complexity("O(N), N functions of all libraries, and what the text does");

pub(super) const RESTORE: Command = change("RESTORE", restore, -3, Flags::DENYOOM)
    .args(&[
        string("serialized-value"),
        one_of(
            "policy",
            &[word("flush", "FLUSH"), word("append", "APPEND"), word("replace", "REPLACE")],
        )
        .optional(),
    ])
    .locks(Locks::AllAfter(prepare_restore))
    .summary("Makes libraries of the bytes that FUNCTION DUMP answered.")
    .complexity("O(N), N functions, and what the texts do");

/// The libraries have changed.
fn changed(cx: &mut Cx<'_>, reply: impl FnOnce()) -> Outcome {
    reply();
    cx.db.record_mut().changes += 1;
    Ok(Effect::Same)
}

/// How long a text may run: time does not count while a file or a journal is loaded.
fn clock(cx: &Cx<'_>) -> Clock {
    cx.clock
}

/// FUNCTION LOAD: the text is the last word.
fn prepare_load(preparing: &mut Preparing<'_, '_>) {
    if let Some(source) = preparing.words.last() {
        preparing.machine.prepare_library(preparing.functions, source, preparing.clock);
    }
}

/// FUNCTION RESTORE: the texts in the payload, up to the first fault, which the handler will find.
fn prepare_restore(preparing: &mut Preparing<'_, '_>) {
    let lax = Checks { version: false, crc: false };
    let Some(payload) = preparing.words.get(2).and_then(|bytes| payload::open(bytes, lax)) else {
        return;
    };
    let mut reader = Reader::new(payload.body);
    while matches!(reader.u8(), Ok(op::FUNCTION2)) {
        let Ok(source) = reader.string_vec() else { return };
        if !preparing.machine.prepare_library(preparing.functions, &source, preparing.clock) {
            return;
        }
    }
}

fn load(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut replace = false;
    while args.left() > 1 {
        if !args.token("REPLACE") {
            let word = args.bytes()?;
            return Err(CommandError::err_bytes(&[b"Unknown option given: ", word]));
        }
        replace = true;
    }
    let clock = clock(cx);
    let name = cx.functions.load(cx.machine, args.bytes()?, replace, clock)?;
    changed(cx, || reply.bulk(&name))
}

fn delete(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut libraries = Libraries::clone(&cx.functions.libraries());
    if !libraries.remove(args.bytes()?) {
        return Err(CommandError::LibraryNotFound);
    }
    cx.functions.set(libraries);
    changed(cx, || reply.ok())
}

fn flush(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if args.left() > 1 {
        return Err(super::function::syntax(args));
    }
    if args.left() == 1 && !args.token("SYNC") && !args.token("ASYNC") {
        return Err(CommandError::FunctionFlushMode);
    }
    cx.functions.set(Libraries::default());
    changed(cx, || reply.ok())
}

/// Writes the payload of FUNCTION DUMP.
pub(super) fn dump(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut writer = Writer::new();
    for source in cx.functions.sources() {
        writer.u8(op::FUNCTION2);
        writer.string(&source);
    }
    // The oldest version with functions is also the oldest of this type.
    payload::seal(&mut writer, rdb::opcode::value::HASH_LISTPACK);
    reply.bulk(&writer.into_bytes());
    Ok(Effect::None)
}

fn restore(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let bytes = args.bytes()?;
    if args.left() > 1 {
        return Err(super::function::syntax(args));
    }
    let (flush, replace) = (args.token("FLUSH"), args.token("REPLACE"));
    if args.left() > 0 && !args.token("APPEND") {
        return Err(CommandError::FunctionRestorePolicy);
    }
    let checks = Checks { version: !cx.settings.rdb_relaxed, crc: !cx.node.skips_checksums() };
    let payload = payload::open(bytes, checks).ok_or(CommandError::DumpChecksum)?;
    let restored = libraries_of(cx, payload.body)?;
    let mut libraries = match flush {
        true => Libraries::default(),
        false => Libraries::clone(&cx.functions.libraries()),
    };
    libraries.join(&restored, replace)?;
    cx.functions.set(libraries);
    changed(cx, || reply.ok())
}

/// The libraries of a payload.
fn libraries_of(cx: &mut Cx<'_>, body: &[u8]) -> Result<Libraries, CommandError> {
    let err = |text: &str| CommandError::err(format_args!("{text}"));
    let clock = clock(cx);
    let mut reader = Reader::new(body);
    let mut libraries = Libraries::default();
    while !reader.rest().is_empty() {
        match reader.u8() {
            Ok(op::FUNCTION2) => {}
            Ok(op::FUNCTION_PRE_GA) => return Err(err("Pre-GA function format not supported")),
            _ => return Err(err("given type is not a function")),
        }
        let source = reader.string_vec();
        let source = source.map_err(|_| err("Failed loading library code"))?;
        let library = cx.machine.make_library(cx.functions, &source, clock)?;
        libraries.add(library, false)?;
    }
    Ok(libraries)
}
