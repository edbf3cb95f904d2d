//! The global functions that differ from Lua's own: they know read-only tables, load text only, and
//! report their work.

use super::Functions;
use crate::machine::{Fixed, Frame, Kind, READ_ONLY, Raised};
use std::ffi::CString;

pub(crate) const FUNCTIONS: Functions = &[
    ("collectgarbage", collectgarbage),
    ("getmetatable", getmetatable),
    ("loadstring", loadstring),
    ("rawget", rawget),
    ("rawset", rawset),
    ("setmetatable", setmetatable),
    ("unpack", unpack),
];

type Results = Result<usize, Raised>;

fn arg_any(frame: &mut Frame<'_>, number: i32) -> Result<(), Raised> {
    if frame.kind(number) == Kind::None {
        return Err(frame.bad_argument(number, "value expected"));
    }
    Ok(())
}

/// What a script may not turn off is not turned off: the collector always runs.
fn collectgarbage(frame: &mut Frame<'_>) -> Results {
    let option = if frame.is_nothing(1) { b"collect" } else { frame.arg_text(1)? };
    frame.arg_int_or(2, 0)?;
    let used = frame.core.used();
    match option {
        b"stop" | b"restart" => frame.push_number(0.0),
        b"collect" | b"step" => {
            frame.charge(used / 32)?;
            frame.collect();
            if option == b"step" {
                frame.push_bool(true);
            } else {
                frame.push_number(0.0);
            }
        }
        b"count" => frame.push_number(used as f64 / 1024.0),
        b"setpause" | b"setstepmul" => frame.push_number(200.0),
        _ => {
            let option = String::from_utf8_lossy(option).into_owned();
            return Err(frame.bad_argument(1, format!("invalid option '{option}'")));
        }
    }
    Ok(1)
}

fn getmetatable(frame: &mut Frame<'_>) -> Results {
    arg_any(frame, 1)?;
    if frame.kind(1) == Kind::String {
        frame.push_fixed(Fixed::StringMetatable);
        return Ok(1);
    }
    let protected = frame.look_through(1);
    if !frame.push_metatable(1) {
        frame.push_nil();
        return Ok(1);
    }
    if protected {
        frame.protect();
    } else if frame.raw_field(-1, "__metatable") == Kind::Nil {
        frame.pop(1);
    }
    Ok(1)
}

fn setmetatable(frame: &mut Frame<'_>) -> Results {
    let kind = frame.kind(2);
    frame.arg_table(1)?;
    if !matches!(kind, Kind::Nil | Kind::Table) {
        return Err(frame.bad_argument(2, "nil or table expected"));
    }
    if frame.is_protected(1) {
        return Err(refuse(frame));
    }
    if frame.push_metatable(1) && frame.raw_field(-1, "__metatable") != Kind::Nil {
        return Err(frame.raise("cannot change a protected metatable"));
    }
    frame.set_top(2);
    frame.set_metatable(1);
    Ok(1)
}

fn rawget(frame: &mut Frame<'_>) -> Results {
    frame.arg_table(1)?;
    arg_any(frame, 2)?;
    frame.set_top(2);
    frame.look_through(1);
    frame.raw_get(1);
    Ok(1)
}

fn rawset(frame: &mut Frame<'_>) -> Results {
    frame.arg_table(1)?;
    arg_any(frame, 2)?;
    arg_any(frame, 3)?;
    frame.set_top(3);
    if frame.is_protected(1) {
        return Err(refuse(frame));
    }
    if let Some(text) = frame.bad_key(2) {
        return Err(plain(frame, text));
    }
    frame.raw_set(1);
    Ok(1)
}

/// An error without a position, as Lua's core raises it within a C function.
fn plain(frame: &mut Frame<'_>, text: &str) -> Raised {
    frame.push(text);
    Raised
}

fn refuse(frame: &mut Frame<'_>) -> Raised {
    plain(frame, READ_ONLY)
}

fn unpack(frame: &mut Frame<'_>) -> Results {
    frame.arg_table(1)?;
    let first = frame.arg_int_or(2, 1)?;
    let last = if frame.is_nothing(3) {
        i32::try_from(frame.len(1)).unwrap_or(i32::MAX)
    } else {
        frame.arg_int(3)?
    };
    if first > last {
        return Ok(0);
    }
    let count = i64::from(last) - i64::from(first) + 1;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if !frame.has_room(count) {
        return Err(frame.raise("too many results to unpack"));
    }
    for number in first..=last {
        frame.raw_element(1, number);
    }
    Ok(count)
}

fn loadstring(frame: &mut Frame<'_>) -> Results {
    let source = frame.arg_text(1)?;
    if !frame.is_nothing(2) {
        frame.arg_text(2)?;
    }
    compile(frame, source, 2, None)
}

/// Pushes the function that `source` compiles to, or nil and a message. The chunk's name is the argument
/// at `name`, if there is one; else `default`; else the source.
pub(crate) fn compile(
    frame: &mut Frame<'_>,
    source: &[u8],
    name: i32,
    default: Option<&[u8]>,
) -> Results {
    let name = if frame.is_nothing(name) { default } else { frame.text(name) };
    let name = name.unwrap_or(source);
    let name = &name[..memchr::memchr(0, name).unwrap_or(name.len())];
    let name = CString::new(name).unwrap_or_default();
    frame.charge(source.len())?;
    frame.reserve(source.len())?;
    if frame.compile(source, &name) {
        return Ok(1);
    }
    frame.push_nil();
    frame.insert(-2);
    Ok(2)
}
