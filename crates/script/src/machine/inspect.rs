//! What a debugger sees of a running script: its calls, their variables, and code run beside it.

use super::Fixed;
use super::call::set_hook_of;
use super::coroutine::lua_setlevel;
use super::frame::{Frame, Raised};
use mlua_sys as lua;
use std::ffi::CStr;

/// A call on the way to where the script is.
pub(crate) struct Level {
    /// As errors name it: `user_script`.
    source: Vec<u8>,
    /// 0: it has none, as natives.
    pub(crate) line: usize,
    pub(crate) name: Option<Vec<u8>>,
}

impl Level {
    pub(crate) fn is_in_script(&self) -> bool {
        memchr::memmem::find(&self.source, b"user_script").is_some()
    }
}

impl Frame<'_> {
    /// The call at a level: 0 is what runs, or in a native the native itself.
    pub(crate) fn level(&mut self, number: i32) -> Option<Level> {
        let place = self.place(number, c"Snl")?;
        // SAFETY: Lua's texts about functions end by a zero.
        let source = unsafe { CStr::from_ptr(place.short_src.as_ptr()) }.to_bytes().to_vec();
        // SAFETY: as above, and they live as long as the function.
        let name = (!place.name.is_null()).then(|| unsafe { CStr::from_ptr(place.name) });
        let line = usize::try_from(place.currentline).unwrap_or(0);
        Some(Level { source, line, name: name.map(|name| name.to_bytes().to_vec()) })
    }

    /// Pushes a local variable of the call at a level, and says its name. `None`: it has fewer.
    pub(crate) fn push_local(&mut self, level: i32, number: i32) -> Option<Vec<u8>> {
        let place = self.place(level, c"Sl")?;
        if !self.has_room(1) {
            return None;
        }
        // SAFETY: the place is of a call of this thread; there is room for the value.
        let name = unsafe { lua::lua_getlocal(self.lua, &raw const place, number) };
        // SAFETY: a text that ends by a zero and lives as long as the function.
        (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_bytes().to_vec())
    }

    /// Ends the script by an error that it cannot catch.
    pub(crate) fn kill(&mut self, text: &'static str) -> Raised {
        self.core.kill(text);
        self.raise_reply(text)
    }

    /// Runs code beside the script, as an expression or else as statements, with its globals, and shows
    /// what came of it: whether it succeeded, and its value or error on top. It has a thread of its own,
    /// as no hook runs within a hook, and what nothing interrupts must not run.
    pub(crate) fn evaluate(
        &mut self,
        code: &[u8],
        name: &CStr,
        show: impl FnOnce(&mut Frame<'_>, bool),
    ) -> Result<(), Raised> {
        if !self.has_room(4) {
            return Err(self.raise_reply("stack overflow"));
        }
        let (state, core) = (self.lua, self.core);
        // SAFETY: in native mode it does not fail; the thread stays on this stack until it is popped.
        let thread = unsafe { lua::lua_newthread(state) };
        // SAFETY: as above; native mode is on.
        let mut beside = unsafe { Frame::new(thread, core) };
        beside.push_fixed(Fixed::Environment);
        beside.replace(lua::LUA_GLOBALSINDEX);
        let compiled = beside.compile(&[b"return ", code].concat(), name) || {
            beside.set_top(0);
            beside.compile(code, name)
        };
        let scratch = core.scratch_len();
        let succeeded = compiled && {
            // SAFETY: the thread is alive and belongs to this machine.
            unsafe {
                lua_setlevel(state, thread);
                set_hook_of(thread, lua::LUA_MASKCOUNT, core.pace());
            }
            core.running.set(thread);
            core.set_native(false);
            // SAFETY: the function is on top; an error ends here, in C, and jumps over no frame of Rust
            // but those that expect it.
            let status = unsafe { lua::lua_pcall(thread, 0, 1, 0) };
            core.set_native(true);
            core.running.set(state);
            core.scratch_cut(scratch);
            status == lua::LUA_OK
        };
        if core.killed().is_none() {
            show(&mut beside, succeeded);
        }
        self.pop(1);
        if core.killed().is_some() { self.pulse() } else { Ok(()) }
    }
}
