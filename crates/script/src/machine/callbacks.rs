//! Library functions that call back into Lua: `next` and `pairs` (which meet any key), `table.sort`,
//! `table.foreach`, `string.gsub`, `load`.
//!
//! An error in what they call jumps over their frames, so these own nothing: positions and addresses
//! only, and buffers that are the core's.

use super::call::{caught, natively};
use super::core::core_of;
use super::frame::{Frame, Raised};
use super::{Kind, Native};
use crate::libs::pattern::{Captures, Matcher};
use crate::libs::string::{self, Replacement};
use crate::libs::table;
use mlua_sys as lua;
use mlua_sys::lua_State;
use std::ffi::c_int;

/// A function of Lua's C interface.
pub(super) type Raw = unsafe extern "C-unwind" fn(*mut lua_State) -> c_int;

/// `next`.
///
/// # Safety
/// Called by Lua, as all functions here.
pub(super) unsafe extern "C-unwind" fn next(state: *mut lua_State) -> c_int {
    // SAFETY: this frame owns nothing, so `lua_next` may raise for a key that is none of the table's.
    unsafe {
        if lua::lua_type(state, 1) != lua::LUA_TTABLE {
            natively(state, |frame| frame.arg_table(1));
        }
        lua::lua_settop(state, 2);
        if lua::lua_getmetatable(state, 1) != 0 {
            lua::lua_settop(state, 2);
            natively(state, |frame| Ok(frame.look_through(1)));
        }
        if lua::lua_next(state, 1) != 0 {
            2
        } else {
            lua::lua_pushnil(state);
            1
        }
    }
}

/// `pairs`; its upvalue is `next`.
pub(super) unsafe extern "C-unwind" fn pairs(state: *mut lua_State) -> c_int {
    // SAFETY: this frame owns nothing.
    unsafe {
        if lua::lua_type(state, 1) != lua::LUA_TTABLE {
            natively(state, |frame| frame.arg_table(1));
        }
        lua::lua_pushvalue(state, lua::lua_upvalueindex(1));
        lua::lua_pushvalue(state, 1);
        lua::lua_pushnil(state);
    }
    3
}

/// `table.foreach`.
pub(super) unsafe extern "C-unwind" fn foreach(state: *mut lua_State) -> c_int {
    // SAFETY: this frame owns nothing.
    unsafe {
        natively(state, |frame| {
            frame.arg_table(1)?;
            if frame.kind(2) != Kind::Function {
                return Err(frame.bad_kind(2, "function"));
            }
            frame.set_top(2);
            frame.look_through(1);
            frame.push_nil();
            Ok(())
        });
        while lua::lua_next(state, 1) != 0 {
            lua::lua_pushvalue(state, 2);
            lua::lua_pushvalue(state, -3);
            lua::lua_pushvalue(state, -3);
            lua::lua_call(state, 2, 1);
            if lua::lua_type(state, -1) != lua::LUA_TNIL {
                return 1;
            }
            lua::lua_settop(state, -3);
            natively(state, |frame| frame.charge(4));
        }
    }
    0
}

/// `table.foreachi`.
pub(super) unsafe extern "C-unwind" fn foreachi(state: *mut lua_State) -> c_int {
    // SAFETY: this frame owns nothing.
    unsafe {
        let len = natively(state, |frame| {
            frame.arg_table(1)?;
            if frame.kind(2) != Kind::Function {
                return Err(frame.bad_kind(2, "function"));
            }
            Ok(i32::try_from(frame.len(1)).unwrap_or(i32::MAX))
        });
        for number in 1..=len {
            lua::lua_pushvalue(state, 2);
            lua::lua_pushnumber(state, f64::from(number));
            lua::lua_rawgeti_(state, 1, number);
            lua::lua_call(state, 2, 1);
            if lua::lua_type(state, -1) != lua::LUA_TNIL {
                return 1;
            }
            lua::lua_settop(state, -2);
            natively(state, |frame| frame.charge(4));
        }
    }
    0
}

/// `table.sort`. The sequence of comparisons is that of Lua 5.1, as where elements are equal it decides
/// which comes first.
pub(super) unsafe extern "C-unwind" fn sort(state: *mut lua_State) -> c_int {
    // SAFETY: this frame owns nothing.
    unsafe {
        let len = natively(state, |frame| {
            frame.arg_table_mut(1)?;
            let len = i32::try_from(frame.len(1)).unwrap_or(i32::MAX);
            frame.room(40, "")?;
            if !frame.is_nothing(2) && frame.kind(2) != Kind::Function {
                return Err(frame.bad_kind(2, "function"));
            }
            frame.set_top(2);
            Ok(if table::sort_plain(frame, len)? { 0 } else { len })
        });
        sort_range(state, 1, len);
    }
    0
}

/// Sorts elements `low..=high` of the table at 1.
///
/// # Safety
/// As `sort`, which made room.
unsafe fn sort_range(state: *mut lua_State, mut low: c_int, mut high: c_int) {
    // SAFETY: no frame here owns anything.
    unsafe {
        while low < high {
            if is_less(state, high, low) {
                swap(state, low, high);
            }
            if high - low == 1 {
                return;
            }
            let middle = low + (high - low) / 2;
            if is_less(state, middle, low) {
                swap(state, middle, low);
            } else if is_less(state, high, middle) {
                swap(state, middle, high);
            }
            if high - low == 2 {
                return;
            }
            let pivot = partition(state, low, high, middle);
            // The smaller side by recursion, so that it is not deep; the larger one by the loop.
            if pivot - low < high - pivot {
                sort_range(state, low, pivot - 1);
                low = pivot + 1;
            } else {
                sort_range(state, pivot + 1, high);
                high = pivot - 1;
            }
        }
    }
}

/// Where the pivot ends up, with nothing larger before it and nothing smaller behind it.
///
/// # Safety
/// As `sort_range`. The stack holds the table and the function only.
unsafe fn partition(state: *mut lua_State, low: c_int, high: c_int, middle: c_int) -> c_int {
    // SAFETY: no frame here owns anything.
    unsafe {
        lua::lua_rawgeti_(state, 1, middle);
        swap(state, middle, high - 1);
        let (mut left, mut right) = (low, high - 1);
        loop {
            left += 1;
            while is_before_pivot(state, left, true) {
                if left > high {
                    refuse_order(state);
                }
                left += 1;
            }
            right -= 1;
            while is_before_pivot(state, right, false) {
                if right < low {
                    refuse_order(state);
                }
                right -= 1;
            }
            if right < left {
                break;
            }
            swap(state, left, right);
        }
        lua::lua_settop(state, 2);
        swap(state, high - 1, left);
        left
    }
}

/// Whether element `number` is less than the pivot at 3; not `before`: the pivot less than it.
unsafe fn is_before_pivot(state: *mut lua_State, number: c_int, before: bool) -> bool {
    // SAFETY: no frame here owns anything.
    unsafe {
        lua::lua_rawgeti_(state, 1, number);
        let less = if before { compare(state, 4, 3) } else { compare(state, 3, 4) };
        lua::lua_settop(state, 3);
        less
    }
}

/// Whether one element is less than another.
unsafe fn is_less(state: *mut lua_State, one: c_int, other: c_int) -> bool {
    // SAFETY: no frame here owns anything.
    unsafe {
        lua::lua_rawgeti_(state, 1, one);
        lua::lua_rawgeti_(state, 1, other);
        let less = compare(state, 3, 4);
        lua::lua_settop(state, 2);
        less
    }
}

/// Whether the value at one index is less than the one at another.
unsafe fn compare(state: *mut lua_State, one: c_int, other: c_int) -> bool {
    // SAFETY: no frame here owns anything.
    unsafe {
        if core_of(state).charge(8) {
            natively(state, |frame| frame.pulse());
        }
        if lua::lua_type(state, 2) == lua::LUA_TNIL {
            return lua::lua_lessthan(state, one, other) != 0;
        }
        lua::lua_pushvalue(state, 2);
        lua::lua_pushvalue(state, one);
        lua::lua_pushvalue(state, other);
        lua::lua_call(state, 2, 1);
        lua::lua_toboolean(state, -1) != 0
    }
}

unsafe fn swap(state: *mut lua_State, one: c_int, other: c_int) {
    // SAFETY: `sort` made room; both elements exist, so setting them allocates nothing.
    unsafe {
        lua::lua_rawgeti_(state, 1, one);
        lua::lua_rawgeti_(state, 1, other);
        lua::lua_rawseti_(state, 1, one);
        lua::lua_rawseti_(state, 1, other);
    }
}

unsafe fn refuse_order(state: *mut lua_State) {
    // SAFETY: no frame up to Lua's owns anything.
    unsafe {
        natively(state, |frame| -> Result<(), _> {
            Err(frame.raise("invalid order function for sorting"))
        });
    }
}

/// `string.gsub`.
pub(super) unsafe extern "C-unwind" fn gsub(state: *mut lua_State) -> c_int {
    // SAFETY: no frame here owns anything. What is kept from one callback to the next are positions in
    // the arguments, which stay on the stack, and the number of a buffer.
    unsafe {
        let replacement = natively(state, string::gsub_begin);
        let Replacement::Callback { max } = replacement else { return 2 };
        let core = core_of(state);
        let buffer = core.scratch_push();
        let (mut at, mut count) = (0, 0);
        let mut done = max <= 0;
        let mut found = Captures::new();
        while !done {
            let step = natively(state, |frame| gsub_step(frame, buffer, at, &mut found));
            at = step.next;
            done = step.last;
            if step.matched {
                count += 1;
                done = done || count >= max;
                let is_function = lua::lua_type(state, 3) == lua::LUA_TFUNCTION;
                let pushed = natively(state, |frame| {
                    let matcher = matcher_of(frame);
                    if is_function {
                        frame.push_copy(3);
                        matcher.push_captures(frame, &found)
                    } else {
                        matcher.push_capture(frame, &found, 0).map(|()| 1)
                    }
                });
                if is_function {
                    lua::lua_call(state, pushed, 1);
                } else {
                    lua::lua_gettable(state, 3);
                }
                natively(state, |frame| gsub_append(frame, buffer, &found));
            }
            if let Some(byte) = step.skipped {
                core.with_scratch(buffer, |buffer| buffer.push(byte));
            }
        }
        natively(state, |frame| {
            let rest = frame.arg_text(1)?.get(at..).unwrap_or_default();
            let core = frame.core;
            core.with_scratch(buffer, |buffer| {
                buffer.extend_from_slice(rest);
                frame.reserve(buffer.len())?;
                frame.push(&buffer[..]);
                Ok(())
            })?;
            core.scratch_cut(buffer);
            frame.push_number(f64::from(count));
            Ok(2)
        })
    }
}

/// One step of `gsub`: whether something was found at a position, and where to go on.
#[derive(Clone, Copy)]
struct Step {
    matched: bool,
    /// The byte between this position and the next that is no part of a match.
    skipped: Option<u8>,
    next: usize,
    last: bool,
}

fn matcher_of<'a>(frame: &mut Frame<'a>) -> Matcher<'a> {
    let subject = frame.text(1).unwrap_or_default();
    let pattern = frame.text(2).unwrap_or_default();
    Matcher::new(subject, pattern)
}

/// Looks for a match from `at` on, and appends what is before it to the buffer.
fn gsub_step(
    frame: &mut Frame<'_>,
    buffer: usize,
    mut at: usize,
    found: &mut Captures,
) -> Result<Step, Raised> {
    let matcher = matcher_of(frame);
    let core = frame.core;
    core.with_scratch(buffer, |buffer| {
        loop {
            let matched = matcher.match_at(frame, at, found)?;
            let mut step = Step { matched, skipped: None, next: at, last: matcher.is_anchored() };
            if matched && found.end > at {
                step.next = found.end;
            } else if let Some(&byte) = matcher.subject().get(at) {
                step.skipped = Some(byte);
                step.next = at + 1;
            } else {
                step.last = true;
            }
            if matched || step.last {
                return Ok(step);
            }
            buffer.extend(step.skipped);
            at = step.next;
        }
    })
}

/// Pops what the callback returned and appends it, or the match itself if that is false or nil.
fn gsub_append(frame: &mut Frame<'_>, buffer: usize, captures: &Captures) -> Result<(), Raised> {
    let matcher = matcher_of(frame);
    let whole = matcher.subject().get(captures.start..captures.end).unwrap_or_default();
    let text = if frame.truth(-1) {
        match frame.text(-1) {
            Some(text) => text,
            None => {
                let kind = frame.kind_name(-1);
                return Err(frame.raise(format!("invalid replacement value (a {kind})")));
            }
        }
    } else {
        whole
    };
    let core = frame.core;
    let len = core.with_scratch(buffer, |buffer| {
        buffer.extend_from_slice(text);
        buffer.len()
    });
    frame.pop(1);
    frame.charge(8 + text.len() / 16)?;
    frame.reserve(len)
}

/// `load`: asks a function for pieces of the source until it has no more.
pub(super) unsafe extern "C-unwind" fn load(state: *mut lua_State) -> c_int {
    // SAFETY: no frame here owns anything.
    unsafe {
        natively(state, |frame| {
            if !frame.is_nothing(2) {
                frame.arg_text(2)?;
            }
            if frame.kind(1) != Kind::Function {
                return Err(frame.bad_kind(1, "function"));
            }
            frame.set_top(2);
            Ok(())
        });
        let core = core_of(state);
        let buffer = core.scratch_push();
        loop {
            lua::lua_pushvalue(state, 1);
            if lua::lua_pcall(state, 0, 1, 0) != lua::LUA_OK {
                caught(state, buffer);
                lua::lua_pushnil(state);
                lua::lua_insert(state, -2);
                return 2;
            }
            let piece = natively(state, |frame| load_piece(frame, buffer));
            match piece {
                Piece::Some => {}
                Piece::Last => break,
                Piece::Bad => {
                    core.scratch_cut(buffer);
                    return 2;
                }
            }
        }
        natively(state, |frame| {
            let core = frame.core;
            let results = core.with_scratch(buffer, |source| {
                crate::libs::base::compile(frame, source, 2, Some(b"=(load)"))
            });
            core.scratch_cut(buffer);
            results.map(|results| c_int::try_from(results).unwrap_or(0))
        })
    }
}

#[derive(Clone, Copy)]
enum Piece {
    Some,
    Last,
    /// It is no string; nil and the message are pushed.
    Bad,
}

/// Pops what the reader returned and appends it to the buffer.
fn load_piece(frame: &mut Frame<'_>, buffer: usize) -> Result<Piece, Raised> {
    let Some(piece) = frame.text(-1) else {
        if frame.kind(-1) == Kind::Nil {
            return Ok(Piece::Last);
        }
        frame.push_nil();
        let text = [&frame.position(1)[..], b"reader function must return a string"].concat();
        frame.push(text);
        return Ok(Piece::Bad);
    };
    let core = frame.core;
    let len = core.with_scratch(buffer, |buffer| {
        buffer.extend_from_slice(piece);
        buffer.len()
    });
    frame.pop(1);
    frame.charge(8 + piece.len() / 16)?;
    frame.reserve(len)?;
    Ok(if piece.is_empty() { Piece::Last } else { Piece::Some })
}

/// Pushes a C function over the `values` on top.
pub(super) fn push_raw(frame: &mut Frame<'_>, function: Raw, values: c_int) {
    // SAFETY: the frame is in native mode and has room.
    unsafe { lua::lua_pushcclosure(frame.lua, function, values) };
}

/// A function of a library: a native, or one that calls back.
#[derive(Clone, Copy)]
pub(super) enum Entry {
    Native(Native),
    Raw(Raw),
}

impl Entry {
    pub(super) fn push(self, frame: &mut Frame<'_>) {
        match self {
            Self::Native(native) => frame.push_native(native, 0),
            Self::Raw(raw) => push_raw(frame, raw, 0),
        }
    }
}
