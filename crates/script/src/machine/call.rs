//! How Lua calls Rust: the entry of natives, the hook, the error handler.

use super::Kind;
use super::core::{Core, core_of};
use super::frame::{Frame, Native, Raised};
use crate::debugger;
use mlua_sys as lua;
use mlua_sys::lua_State;
use std::ffi::{c_int, c_void};

/// The C function of every native; the native is its first upvalue.
///
/// # Safety
/// Called by Lua, as a closure made by [`Frame::push_native`].
pub(super) unsafe extern "C-unwind" fn enter(state: *mut lua_State) -> c_int {
    // SAFETY: the first upvalue of such a closure is a pointer.
    let pointer = unsafe { lua::lua_touserdata(state, lua::lua_upvalueindex(1)) };
    // SAFETY: it was made of a native by `push_native`, and scripts can neither see nor make one.
    let function = unsafe { std::mem::transmute::<*mut c_void, Native>(pointer) };
    // SAFETY: this frame owns nothing.
    let results = unsafe { natively(state, function) };
    c_int::try_from(results).unwrap_or(0)
}

/// Runs Rust code in native mode, and raises its error when it has returned.
///
/// # Safety
/// Lua has called the caller, and neither its frames up to Lua's nor `R` need dropping.
#[inline]
pub(super) unsafe fn natively<R: Copy>(
    state: *mut lua_State,
    body: impl FnOnce(&mut Frame<'_>) -> Result<R, Raised>,
) -> R {
    // SAFETY: the state belongs to a machine.
    let core = unsafe { core_of(state) };
    core.set_native(true);
    // SAFETY: native mode is on until the body has returned.
    let mut frame = unsafe { Frame::new(state, core) };
    let mut outcome = body(&mut frame);
    if core.is_over_limit() && outcome.is_ok() {
        outcome = frame.reserve(0).and(outcome);
    }
    core.set_native(false);
    match outcome {
        Ok(result) => result,
        // SAFETY: the error is on top; all that needed dropping is dropped.
        Err(Raised) => unsafe { lua::lua_error(state) },
    }
}

/// The hook. By count: collects garbage when memory runs short, and asks the host whether to go on. By
/// line: the debugger's.
///
/// # Safety
/// Called by Lua.
pub(super) unsafe extern "C-unwind" fn hook(state: *mut lua_State, event: *mut lua::lua_Debug) {
    // SAFETY: this frame owns nothing; Lua says why it calls.
    unsafe {
        let is_line = (*event).event == lua::LUA_HOOKLINE;
        natively(state, |frame| {
            let core = frame.core;
            if core.wants_collection() {
                frame.collect();
            }
            let outcome = if is_line && core.killed().is_none() {
                debugger::on_line(frame)
            } else {
                frame.pulse()
            };
            set_hook(state, core);
            outcome
        });
    }
}

/// Makes the hook run in a thread as often as it should now.
pub(super) fn set_hook(state: *mut lua_State, core: &Core) {
    // SAFETY: the state is alive.
    unsafe { set_hook_of(state, core.hook_mask(), core.pace()) }
}

/// Makes the hook run every `pace` instructions of a thread, and for what else `mask` says.
///
/// # Safety
/// The state is alive.
pub(super) unsafe fn set_hook_of(state: *mut lua_State, mask: c_int, pace: c_int) {
    // SAFETY: as above.
    unsafe {
        if lua::lua_gethookcount(state) != pace || lua::lua_gethookmask(state) != mask {
            lua::lua_sethook(state, Some(hook), mask, pace);
        }
    }
}

/// The error handler of whole runs: makes `{err, source, line}` of every error.
///
/// Where the error was raised by a native, the place is its caller's.
///
/// What it makes is not refused when memory has run out, as that would be an error within an error.
///
/// # Safety
/// Called by Lua.
pub(super) unsafe extern "C-unwind" fn on_error(state: *mut lua_State) -> c_int {
    // SAFETY: the state belongs to a machine.
    let core = unsafe { core_of(state) };
    core.set_native(true);
    // SAFETY: native mode is on until the frame is not used any more.
    describe(&mut unsafe { Frame::new(state, core) });
    core.set_native(false);
    1
}

/// Pushes what the handler makes of the error at 1.
fn describe(frame: &mut Frame<'_>) {
    let mut place = frame.place(1, c"Sl");
    if place.as_ref().is_some_and(is_native) {
        place = frame.place(2, c"Sl");
    }
    if frame.kind(1) != Kind::Table || frame.is_protected(1) {
        let text = match frame.kind(1) {
            Kind::Boolean => frame.truth(1).to_string().into_bytes(),
            Kind::String | Kind::Number => frame.text(1).unwrap_or_default().to_vec(),
            Kind::Nil | Kind::None => b"nil".to_vec(),
            _ => format!("{}: {:p}", frame.kind_name(1), frame.address(1)).into_bytes(),
        };
        frame.push_table(0, 0);
        frame.push([b"ERR ", &text[..]].concat());
        frame.raw_set_field(-2, "err");
    } else {
        frame.push_copy(1);
    }
    if let Some(place) = place {
        if place.source.is_null() {
            frame.push("");
        } else {
            // SAFETY: a text that ends by a zero, of a function that is alive.
            let source = unsafe { std::ffi::CStr::from_ptr(place.source) };
            frame.push(source.to_bytes());
        }
        frame.raw_set_field(-2, "source");
        frame.push_number(f64::from(place.currentline));
        frame.raw_set_field(-2, "line");
    }
}

fn is_native(place: &lua::lua_Debug) -> bool {
    // SAFETY: `what` is one of Lua's own texts.
    !place.what.is_null() && unsafe { *place.what.cast::<u8>() == b'C' }
}

/// `pcall`: as Lua's, but an error that is a table with a text `err` is that text, as scripts written
/// for servers before Redis 7 expect. An error by which the host stops the script is passed on.
///
/// # Safety
/// Called by Lua.
pub(super) unsafe extern "C-unwind" fn pcall(state: *mut lua_State) -> c_int {
    // SAFETY: no frame here owns anything, and the stack has room for what is pushed: a C function has
    // 20 slots beyond its arguments.
    unsafe {
        let core = core_of(state);
        let count = lua::lua_gettop(state);
        if count == 0 {
            // Where Redis has a placeholder, there is nothing to call.
            lua::lua_pushboolean(state, 0);
            natively(state, |frame| {
                frame.push("attempt to call a boolean value");
                Ok(())
            });
            return 2;
        }
        let scratch = core.scratch_len();
        lua::lua_pushboolean(state, 1);
        lua::lua_insert(state, 1);
        if lua::lua_pcall(state, count - 1, lua::LUA_MULTRET, 0) == lua::LUA_OK {
            return lua::lua_gettop(state);
        }
        caught(state, scratch);
        lua::lua_remove(state, 1);
        natively(state, |frame| {
            if frame.kind(-1) == Kind::Table {
                // What is no text stays behind the table, as one more result.
                if matches!(frame.raw_field(-1, "err"), Kind::String | Kind::Number) {
                    frame.replace(-2);
                }
            }
            frame.push_bool(false);
            frame.insert(1);
            Ok(())
        });
        lua::lua_gettop(state)
    }
}

/// `xpcall`. The handler of the script does not run when the host stops the script: hooks are off
/// while a handler runs on a hook's error, so nothing could stop the handler.
///
/// # Safety
/// Called by Lua.
pub(super) unsafe extern "C-unwind" fn xpcall(state: *mut lua_State) -> c_int {
    // SAFETY: as in `pcall`.
    unsafe {
        let core = core_of(state);
        natively(state, |frame| {
            if frame.kind(2) == Kind::None {
                return Err(frame.bad_argument(2, "value expected"));
            }
            frame.set_top(2);
            Ok(())
        });
        let scratch = core.scratch_len();
        lua::lua_insert(state, 1);
        lua::lua_pushvalue(state, 1);
        lua::lua_pushcclosure(state, handle, 1);
        lua::lua_replace(state, 1);
        let status = lua::lua_pcall(state, 0, lua::LUA_MULTRET, 1);
        if status != lua::LUA_OK {
            caught(state, scratch);
        }
        lua::lua_pushboolean(state, c_int::from(status == lua::LUA_OK));
        lua::lua_replace(state, 1);
        lua::lua_gettop(state)
    }
}

/// The handler of `xpcall`: the script's own is its upvalue.
unsafe extern "C-unwind" fn handle(state: *mut lua_State) -> c_int {
    // SAFETY: as in `pcall`.
    unsafe {
        if core_of(state).killed().is_none() {
            lua::lua_pushvalue(state, lua::lua_upvalueindex(1));
            lua::lua_insert(state, 1);
            lua::lua_call(state, 1, 1);
        }
        1
    }
}

/// An error was caught: puts the core in order, and passes the error on if the host stops the script.
///
/// # Safety
/// The error is on top. No frame up to Lua's owns anything.
pub(super) unsafe fn caught(state: *mut lua_State, scratch: usize) {
    // SAFETY: the state belongs to a machine.
    let core = unsafe { core_of(state) };
    core.set_native(false);
    core.running.set(state);
    core.scratch_cut(scratch);
    if core.killed().is_some() {
        // SAFETY: the error is on top.
        unsafe { lua::lua_error(state) };
    }
}
