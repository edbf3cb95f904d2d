//! `coroutine`: Lua 5.1's, less the ways in which it could outlive a stopped script.

use super::call::{caught, natively, set_hook};
use super::core::core_of;
use super::frame::{Frame, Raised};
use super::{Kind, callbacks::Raw};
use mlua_sys as lua;
use mlua_sys::lua_State;
use std::ffi::c_int;

unsafe extern "C-unwind" {
    /// Carries the depth of C calls over to a thread, so that threads within threads have one limit.
    pub(super) fn lua_setlevel(from: *mut lua_State, to: *mut lua_State);
}

/// The functions of the library.
pub(super) const COROUTINE: [(&str, Raw); 6] = [
    ("create", create),
    ("resume", resume),
    ("running", running),
    ("status", status),
    ("wrap", wrap),
    ("yield", r#yield),
];

unsafe extern "C-unwind" fn create(state: *mut lua_State) -> c_int {
    // SAFETY: no frame here owns anything.
    unsafe {
        natively(state, |frame| {
            if frame.kind(1) != Kind::Function || lua::lua_iscfunction(state, 1) != 0 {
                return Err(frame.bad_argument(1, "Lua function expected"));
            }
            // A stack and the list of its calls.
            frame.charge(64)?;
            let thread = lua::lua_newthread(state);
            frame.push_copy(1);
            lua::lua_xmove(state, thread, 1);
            Ok(())
        });
    }
    1
}

unsafe extern "C-unwind" fn wrap(state: *mut lua_State) -> c_int {
    // SAFETY: no frame here owns anything.
    unsafe {
        create(state);
        natively(state, |_| {
            lua::lua_pushcclosure(state, wrapped, 1);
            Ok(())
        });
    }
    1
}

unsafe extern "C-unwind" fn resume(state: *mut lua_State) -> c_int {
    // SAFETY: no frame here owns anything.
    unsafe {
        let thread = lua::lua_tothread(state, 1);
        if thread.is_null() {
            natively(state, |frame| -> Result<(), _> {
                Err(frame.bad_argument(1, "coroutine expected"))
            });
        }
        let arguments = lua::lua_gettop(state) - 1;
        let results = switch(state, thread, arguments);
        lua::lua_pushboolean(state, c_int::from(results >= 0));
        let results = if results >= 0 { results } else { 1 };
        lua::lua_insert(state, -1 - results);
        results + 1
    }
}

/// A function made by `wrap`.
unsafe extern "C-unwind" fn wrapped(state: *mut lua_State) -> c_int {
    // SAFETY: no frame here owns anything; the first upvalue is the thread.
    unsafe {
        let thread = lua::lua_tothread(state, lua::lua_upvalueindex(1));
        let results = switch(state, thread, lua::lua_gettop(state));
        if results >= 0 {
            return results;
        }
        natively(state, |frame| -> Result<c_int, _> {
            if let Some(text) = frame.text(-1) {
                let text = [&frame.position(1)[..], text].concat();
                frame.push(text);
            }
            Err(Raised)
        })
    }
}

/// Moves `arguments` values over to a thread and runs it until it yields, returns or fails. Its results,
/// as many as returned, are on top then; -1: it failed, with the error on top.
///
/// # Safety
/// Called in a C function whose frames own nothing.
unsafe fn switch(state: *mut lua_State, thread: *mut lua_State, arguments: c_int) -> c_int {
    // SAFETY: both threads are alive: the one runs, the other is on its stack or an upvalue. Room is
    // made before values move.
    unsafe {
        let core = core_of(state);
        let scratch = core.scratch_len();
        let ready = natively(state, |frame| {
            frame.charge(16)?;
            if lua::lua_checkstack(thread, arguments) == 0 {
                return Err(frame.raise("too many arguments to resume"));
            }
            let status = status_of(frame, thread);
            if status == Status::Suspended {
                return Ok(true);
            }
            frame.push(format!("cannot resume {} coroutine", status.name()));
            Ok(false)
        });
        if !ready {
            return -1;
        }
        lua::lua_xmove(state, thread, arguments);
        lua_setlevel(state, thread);
        set_hook(thread, core);
        core.running.set(thread);
        let status = lua::lua_resume_(thread, arguments);
        core.running.set(state);
        set_hook(state, core);
        if status != lua::LUA_OK && status != lua::LUA_YIELD {
            core.set_native(true);
            lua::lua_xmove(thread, state, 1);
            caught(state, scratch);
            return -1;
        }
        let results = lua::lua_gettop(thread);
        natively(state, |frame| {
            if frame.has_room(usize::try_from(results).unwrap_or(0) + 1) {
                return Ok(());
            }
            Err(frame.raise("too many results to resume"))
        });
        lua::lua_xmove(thread, state, results);
        results
    }
}

unsafe extern "C-unwind" fn r#yield(state: *mut lua_State) -> c_int {
    // SAFETY: this frame owns nothing.
    unsafe { lua::lua_yield(state, lua::lua_gettop(state)) }
}

unsafe extern "C-unwind" fn running(state: *mut lua_State) -> c_int {
    // SAFETY: a C function has room.
    unsafe {
        if lua::lua_pushthread(state) != 0 {
            lua::lua_pushnil(state);
        }
    }
    1
}

unsafe extern "C-unwind" fn status(state: *mut lua_State) -> c_int {
    // SAFETY: no frame here owns anything.
    unsafe {
        natively(state, |frame| {
            let thread = lua::lua_tothread(state, 1);
            if thread.is_null() {
                return Err(frame.bad_argument(1, "coroutine expected"));
            }
            let status = status_of(frame, thread);
            frame.push(status.name());
            Ok(())
        });
    }
    1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Running,
    Suspended,
    Normal,
    Dead,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Normal => "normal",
            Self::Dead => "dead",
        }
    }
}

fn status_of(frame: &Frame<'_>, thread: *mut lua_State) -> Status {
    if frame.lua == thread {
        return Status::Running;
    }
    // SAFETY: the thread is alive, it is a value on the stack or an upvalue.
    let status = unsafe { lua::lua_status(thread) };
    match status {
        lua::LUA_YIELD => Status::Suspended,
        lua::LUA_OK => {
            // SAFETY: a C structure of numbers and pointers, to be filled in.
            let mut place: lua::lua_Debug = unsafe { std::mem::zeroed() };
            // SAFETY: as above.
            let has_calls = unsafe { lua::lua_getstack(thread, 0, &raw mut place) } > 0;
            // SAFETY: as above.
            let is_empty = unsafe { lua::lua_gettop(thread) } == 0;
            match (has_calls, is_empty) {
                (true, _) => Status::Normal,
                (false, true) => Status::Dead,
                (false, false) => Status::Suspended,
            }
        }
        _ => Status::Dead,
    }
}
