//! `redis`, which is also `server`.

use super::Functions;
use crate::convert;
use crate::debugger;
use crate::host::{CommandCheck, LogLevel};
use crate::machine::{Frame, Kind, Raised};
use crate::vm::{Registered, Sha};
use crate::{Flags, Function, REDIS_VERSION, VALKEY_VERSION};
use resp::Protocol;
use std::borrow::Cow;

/// What scripts and functions have.
pub(crate) const FUNCTIONS: Functions = &[
    ("acl_check_cmd", acl_check_cmd),
    ("call", call),
    ("error_reply", error_reply),
    ("log", log),
    ("pcall", pcall),
    ("set_repl", set_repl),
    ("setresp", setresp),
    ("sha1hex", sha1hex),
    ("status_reply", status_reply),
];

/// What only scripts have, as a debugger might be attached to them.
pub(crate) const SCRIPT_FUNCTIONS: Functions =
    &[("breakpoint", breakpoint), ("debug", debug), ("replicate_commands", replicate_commands)];

/// What there is while a library loads.
pub(crate) const LOAD_FUNCTIONS: Functions =
    &[("log", log), ("register_function", register_function)];

const REPL_NUMBERS: [(&str, f64); 5] = [
    ("REPL_NONE", 0.0),
    ("REPL_AOF", 1.0),
    ("REPL_SLAVE", 2.0),
    ("REPL_REPLICA", 2.0),
    ("REPL_ALL", 3.0),
];

const LOG_NUMBERS: [(&str, f64); 4] =
    [("LOG_DEBUG", 0.0), ("LOG_VERBOSE", 1.0), ("LOG_NOTICE", 2.0), ("LOG_WARNING", 3.0)];

type Results = Result<usize, Raised>;

/// Puts the constants into the table on top.
pub(crate) fn fill_constants(frame: &mut Frame<'_>, with_repl: bool) {
    let repl = if with_repl { &REPL_NUMBERS[..] } else { &[] };
    let (redis, valkey) = (version_number(REDIS_VERSION), version_number(VALKEY_VERSION));
    let versions = [
        ("REDIS_VERSION_NUM", redis),
        ("SERVER_VERSION_NUM", redis),
        ("VALKEY_VERSION_NUM", valkey),
    ];
    for &(name, number) in repl.iter().chain(&LOG_NUMBERS).chain(&versions) {
        frame.push_number(number);
        frame.raw_set_field(-2, name);
    }
    let texts = [
        ("REDIS_VERSION", REDIS_VERSION),
        ("SERVER_NAME", "redis"),
        ("SERVER_VERSION", REDIS_VERSION),
        ("VALKEY_VERSION", VALKEY_VERSION),
    ];
    for (name, text) in texts {
        frame.push(text);
        frame.raw_set_field(-2, name);
    }
}

/// A byte for each part of the version: 0x00070204 for 7.2.4.
fn version_number(version: &str) -> f64 {
    let part = |text: &str| text.parse::<u8>().unwrap_or(0);
    f64::from(version.split('.').fold(0, |number: u32, text| (number << 8) | u32::from(part(text))))
}

/// A number as commands take it: exact, where Lua's own text has 14 digits.
fn number_text(value: f64) -> Vec<u8> {
    const LIMIT: f64 = 4_611_686_018_427_387_904.0;
    let mut text = Vec::new();
    if value.fract() == 0.0 && value.abs() <= LIMIT {
        stdx::num::write_i64(&mut text, value as i64);
    } else if value.is_nan() && value.is_sign_negative() {
        text.extend_from_slice(b"-nan");
    } else {
        stdx::num::write_f64(&mut text, value);
    }
    text
}

/// Calls `run` with the arguments as words. The error is a message.
fn with_words<R>(
    frame: &mut Frame<'_>,
    run: impl FnOnce(&mut Frame<'_>, &[&[u8]]) -> R,
) -> Result<R, &'static str> {
    const FEW: usize = 8;
    let count = usize::try_from(frame.top()).unwrap_or(0);
    if count == 0 {
        return Err("Please specify at least one argument for this call");
    }
    let mut few: [&[u8]; FEW] = [&[]; FEW];
    let mut many = Vec::new();
    let words = if count <= FEW {
        &mut few[..count]
    } else {
        many.resize(count, &[][..]);
        &mut many[..]
    };
    for (number, word) in (1..).zip(words.iter_mut()) {
        if let Some(value) = frame.exact_number(number) {
            frame.push(number_text(value));
            frame.replace(number);
        }
        *word = frame.string(number).ok_or("Command arguments must be strings or integers")?;
    }
    Ok(run(frame, words))
}

fn call(frame: &mut Frame<'_>) -> Results {
    command(frame, true)
}

fn pcall(frame: &mut Frame<'_>) -> Results {
    command(frame, false)
}

fn command(frame: &mut Frame<'_>, raise: bool) -> Results {
    let outcome = with_words(frame, |frame, words| -> Result<bool, Raised> {
        let mut copies = Vec::new();
        let mut slices = Vec::new();
        let mut words = words;
        if !frame.has_room(8) {
            // The stack is full of arguments: they make room for the reply.
            copies.extend(words.iter().map(|word| word.to_vec()));
            slices.extend(copies.iter().map(Vec::as_slice));
            words = &slices;
            frame.set_top(0);
        }
        let core = frame.core;
        let Ok(mut reply) = core.reply.try_borrow_mut() else {
            return Err(frame.raise_reply("commands cannot be called within commands"));
        };
        reply.out.clear();
        if core.is_debugged() {
            debugger::on_command(core, words);
        }
        core.with_host(|host| host.call(words, &mut reply));
        if reply.out.is_empty() {
            drop(reply);
            frame.pulse()?;
            return Err(frame.raise_reply("the command has no reply"));
        }
        let bytes = match reply.out.as_contiguous() {
            Some(bytes) => Cow::Borrowed(bytes),
            None => Cow::Owned(reply.out.to_vec()),
        };
        convert::push_reply(frame, &bytes)?;
        if core.is_debugged() {
            debugger::on_reply(core, &bytes);
        }
        frame.charge(64)?;
        Ok(bytes.first() == Some(&b'-'))
    });
    match outcome {
        Ok(Ok(is_error)) if is_error && raise => Err(Raised),
        Ok(outcome) => outcome.map(|_| 1),
        Err(text) => {
            frame.set_top(0);
            frame.push_error_reply(text.as_bytes());
            if raise { Err(Raised) } else { Ok(1) }
        }
    }
}

fn acl_check_cmd(frame: &mut Frame<'_>) -> Results {
    let checked =
        with_words(frame, |frame, words| frame.core.with_host(|host| host.check_command(words)));
    match checked {
        Err(text) => Err(frame.raise_reply(text)),
        Ok(None | Some(CommandCheck::Unknown)) => {
            Err(frame.raise_reply("Invalid command passed to server.acl_check_cmd()"))
        }
        Ok(Some(check)) => {
            frame.set_top(0);
            frame.push_bool(check == CommandCheck::Allowed);
            Ok(1)
        }
    }
}

fn error_reply(frame: &mut Frame<'_>) -> Results {
    match single_text(frame) {
        Some(text) => {
            let text = until_zero(text);
            let text =
                if text.first() == Some(&b'-') { text.to_vec() } else { [b"-", text].concat() };
            frame.push_error_reply(&text);
        }
        None => frame.push_error_reply(b"wrong number or type of arguments"),
    }
    Ok(1)
}

fn status_reply(frame: &mut Frame<'_>) -> Results {
    if single_text(frame).is_some() {
        frame.push_table(0, 1);
        frame.push_copy(1);
        frame.raw_set_field(-2, "ok");
    } else {
        frame.push_error_reply(b"wrong number or type of arguments");
    }
    Ok(1)
}

fn single_text<'a>(frame: &mut Frame<'a>) -> Option<&'a [u8]> {
    if frame.top() == 1 { frame.string(1) } else { None }
}

fn until_zero(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

fn sha1hex(frame: &mut Frame<'_>) -> Results {
    if frame.top() != 1 {
        return Err(frame.raise_reply("wrong number of arguments"));
    }
    let text = frame.text(1).unwrap_or_default();
    frame.charge(text.len() / 4)?;
    frame.push(Sha::of(text).as_bytes());
    Ok(1)
}

fn log(frame: &mut Frame<'_>) -> Results {
    let count = frame.top();
    if count < 2 {
        return Err(frame.raise_reply("server.log() requires two arguments or more."));
    }
    let Some(level) = frame.to_number(1) else {
        return Err(frame.raise_reply("First argument must be a number (log level)."));
    };
    let level = match level {
        level if level > -1.0 && level < 1.0 => LogLevel::Debug,
        level if (1.0..2.0).contains(&level) => LogLevel::Verbose,
        level if (2.0..3.0).contains(&level) => LogLevel::Notice,
        level if (3.0..4.0).contains(&level) => LogLevel::Warning,
        _ => return Err(frame.raise_reply("Invalid log level.")),
    };
    let mut message = Vec::new();
    for number in 2..=count {
        if let Some(text) = frame.text(number) {
            if number != 2 {
                message.push(b' ');
            }
            message.extend_from_slice(text);
        }
    }
    frame.core.with_host(|host| host.log(level, &message));
    Ok(0)
}

fn set_repl(frame: &mut Frame<'_>) -> Results {
    if frame.top() != 1 {
        return Err(frame.raise_reply("server.set_repl() requires one argument."));
    }
    let flags = frame.to_number(1).unwrap_or(0.0);
    if !(flags > -1.0 && flags < 4.0) {
        let text = "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
        return Err(frame.raise_reply(text));
    }
    let flags = flags as i32;
    frame.core.with_host(|host| host.set_repl(flags & 1 != 0, flags & 2 != 0));
    Ok(0)
}

fn setresp(frame: &mut Frame<'_>) -> Results {
    if frame.top() != 1 {
        return Err(frame.raise_reply("server.setresp() requires one argument."));
    }
    let version = frame.to_number(1).unwrap_or(0.0);
    let protocol = if (2.0..3.0).contains(&version) {
        Protocol::Resp2
    } else if (3.0..4.0).contains(&version) {
        Protocol::Resp3
    } else {
        return Err(frame.raise_reply("RESP version must be 2 or 3."));
    };
    frame.core.reply.borrow_mut().protocol = protocol;
    Ok(0)
}

fn breakpoint(frame: &mut Frame<'_>) -> Results {
    let debugged = debugger::on_breakpoint(frame.core);
    frame.push_bool(debugged);
    Ok(1)
}

fn debug(frame: &mut Frame<'_>) -> Results {
    debugger::on_debug(frame);
    Ok(0)
}

fn replicate_commands(frame: &mut Frame<'_>) -> Results {
    frame.push_bool(true);
    Ok(1)
}

/// By position: name and function. By name: one table.
fn register_function(frame: &mut Frame<'_>) -> Results {
    if frame.core.loading.borrow().is_none() {
        let text = "server.register_function can only be called on FUNCTION LOAD command";
        return Err(frame.raise_reply(text));
    }
    let read = match frame.top() {
        1 => read_named(frame),
        2 => read_positional(frame),
        _ => Err("wrong number of arguments to server.register_function"),
    };
    match read {
        Ok(registered) => {
            frame.core.loading.borrow_mut().get_or_insert_default().push(registered);
            Ok(0)
        }
        Err(text) => Err(frame.raise_reply(text)),
    }
}

/// Pops the function on top and keeps it.
fn registered(
    frame: &mut Frame<'_>,
    name: Vec<u8>,
    description: Option<Vec<u8>>,
    flags: Flags,
) -> Registered {
    let kept = frame.keep();
    Registered { function: Function { name, description, flags }, kept }
}

fn read_positional(frame: &mut Frame<'_>) -> Result<Registered, &'static str> {
    let name =
        frame.text(1).ok_or("first argument to server.register_function must be a string")?;
    if frame.kind(2) != Kind::Function {
        return Err("second argument to server.register_function must be a function");
    }
    Ok(registered(frame, name.to_vec(), None, Flags::NONE))
}

fn read_named(frame: &mut Frame<'_>) -> Result<Registered, &'static str> {
    if frame.kind(1) != Kind::Table {
        return Err(
            "calling server.register_function with a single argument is only applicable to \
                    Lua table (representing named arguments).",
        );
    }
    let (mut name, mut description, mut flags) = (None, None, Flags::NONE);
    let mut callback = false;
    // The function's place.
    frame.push_nil();
    frame.push_nil();
    while frame.next(1) {
        // A number becomes a string in its place, which is no name, so that the walk ends here.
        let Some(key) = frame.text(-2) else {
            return Err("named argument key given to server.register_function is not a string");
        };
        match key.to_ascii_lowercase().as_slice() {
            b"function_name" => {
                let text = frame.text(-1).ok_or(
                    "function_name argument given to server.register_function must be a string",
                )?;
                name = Some(text.to_vec());
            }
            b"description" => {
                let text = frame.text(-1).ok_or(
                    "description argument given to server.register_function must be a string",
                )?;
                description = Some(text.to_vec());
            }
            b"callback" => {
                if frame.kind(-1) != Kind::Function {
                    return Err("callback argument given to server.register_function must be a \
                                function");
                }
                callback = true;
                frame.push_copy(-1);
                frame.replace(2);
            }
            b"flags" => flags = read_flags(frame)?,
            _ => return Err("unknown argument given to server.register_function"),
        }
        frame.pop(1);
    }
    let name = name.ok_or("server.register_function must get a function name argument")?;
    if !callback {
        return Err("server.register_function must get a callback argument");
    }
    frame.set_top(2);
    Ok(registered(frame, name, description, flags))
}

fn read_flags(frame: &mut Frame<'_>) -> Result<Flags, &'static str> {
    if frame.kind(-1) != Kind::Table {
        return Err("flags argument to server.register_function must be a table representing \
                    function flags");
    }
    let mut flags = Flags::NONE;
    for number in 1.. {
        frame.raw_element(-1, number);
        if frame.kind(-1) == Kind::Nil {
            frame.pop(1);
            break;
        }
        let flag = frame.text(-1).and_then(|name| Flags::by_name(&name.to_ascii_lowercase()));
        flags = flags.with(flag.ok_or("unknown flag given")?);
        frame.pop(1);
    }
    Ok(flags)
}
