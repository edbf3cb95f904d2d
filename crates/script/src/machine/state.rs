//! A Lua state of our own, its globals, and how it runs functions.

use super::callbacks::{self, Entry};
use super::core::{Core, allocate};
use super::frame::{Frame, Kind, Raised};
use super::{Fixed, call, coroutine};
use crate::convert::{self, Written, until_zero};
use crate::debugger::Debugger;
use crate::host::Host;
use crate::libs::{Functions, base, bit, cjson, cmsgpack, math, redis, string, structs, table};
use crate::vm::Limits;
use mlua_sys as lua;
use mlua_sys::lua_State;
use resp::{Protocol, Reply};
use std::ffi::{CStr, c_int};

/// Garbage of a run that is left to Lua's own collector; a quarter of the limit if that is less. The parser
/// runs without the collector, so what one script leaves must not make the next one run out of memory.
const GARBAGE_BYTES_LEFT: usize = 16 << 20;

/// What of Lua's own global functions is as scripts may have it.
const BASE_OF_LUA: [&str; 12] = [
    "assert", "error", "gcinfo", "getfenv", "ipairs", "rawequal", "select", "setfenv", "tonumber",
    "tostring", "type", "_VERSION",
];

/// What calls back into Lua, by library.
const BASE_RAW: [(&str, callbacks::Raw); 4] = [
    ("load", callbacks::load),
    ("next", callbacks::next),
    ("pcall", call::pcall),
    ("xpcall", call::xpcall),
];
const TABLE_RAW: [(&str, callbacks::Raw); 3] =
    [("foreach", callbacks::foreach), ("foreachi", callbacks::foreachi), ("sort", callbacks::sort)];
const STRING_RAW: [(&str, callbacks::Raw); 1] = [("gsub", callbacks::gsub)];

/// A Lua state. All that is unsafe about it is in here.
// INVARIANT: `state` is a main thread that is alive, made with `core` as its allocator's data; no Lua
// function runs and its stack is empty, except within `run`.
pub(crate) struct Machine {
    state: *mut lua_State,
    core: *mut Core,
    /// Bytes used after the last time that all garbage was collected.
    settled: usize,
}

// SAFETY: state and core belong to this machine alone, and nothing in them is bound to a thread.
unsafe impl Send for Machine {}

/// What to run.
pub(crate) struct Call<'a> {
    /// A kept function: a script's number is one among scripts.
    pub(crate) function: i32,
    /// A script finds keys and arguments as globals, a function of a library as arguments.
    pub(crate) is_script: bool,
    pub(crate) keys: &'a [&'a [u8]],
    pub(crate) args: &'a [&'a [u8]],
}

/// How a run failed.
pub(crate) struct Outcome {
    /// The message with its code.
    pub(crate) text: Vec<u8>,
    /// `@user_script` and the line.
    pub(crate) place: Option<(Vec<u8>, Vec<u8>)>,
    /// It is no error of the script's that it could have caught: out of memory, or an error within the
    /// handling of an error. Its text has no code.
    pub(crate) is_fatal: bool,
    pub(crate) counted: bool,
    pub(crate) killed: bool,
}

impl Machine {
    pub(crate) fn new(limits: Limits) -> Self {
        let core = Box::into_raw(Box::new(Core::new(limits)));
        // SAFETY: the core outlives the state, which is closed before it is freed.
        let state = unsafe { lua::lua_newstate(allocate, core.cast()) };
        assert!(!state.is_null(), "the allocator does not refuse at the beginning");
        let mut machine = Self { state, core, settled: 0 };
        machine.with_frame(|frame| {
            set_up(frame);
            frame.collect();
        });
        machine.settled = machine.used();
        machine
    }

    pub(crate) fn used(&self) -> usize {
        self.core().used()
    }

    fn core(&self) -> &Core {
        // SAFETY: it lives as long as the machine.
        unsafe { &*self.core }
    }

    pub(crate) fn with_frame<R>(&mut self, body: impl FnOnce(&mut Frame<'_>) -> R) -> R {
        let core = self.core();
        core.set_native(true);
        // SAFETY: native mode is on, and stays on: no Lua function runs.
        let mut frame = unsafe { Frame::new(self.state, core) };
        let result = body(&mut frame);
        frame.set_top(0);
        result
    }

    /// Compiles a library's chunk and keeps it; its number, or the message.
    pub(crate) fn compile(&mut self, source: &[u8]) -> Result<i32, Vec<u8>> {
        self.compile_as(source, c"@user_function", |frame| frame.keep())
    }

    /// Compiles a script and keeps it among the scripts; its number, or the message.
    pub(crate) fn compile_script(&mut self, source: &[u8]) -> Result<i32, Vec<u8>> {
        self.compile_as(source, c"@user_script", |frame| frame.keep_script())
    }

    fn compile_as(
        &mut self,
        source: &[u8],
        name: &CStr,
        keep: fn(&mut Frame<'_>) -> i32,
    ) -> Result<i32, Vec<u8>> {
        self.with_frame(|frame| {
            if frame.compile(source, name) {
                return Ok(keep(frame));
            }
            Err(frame.text(-1).unwrap_or_default().to_vec())
        })
    }

    pub(crate) fn forget_script(&mut self, function: i32) {
        self.with_frame(|frame| frame.forget_script(function));
    }

    /// Forgets all scripts, and gives back what they took.
    pub(crate) fn forget_scripts(&mut self) {
        self.with_frame(|frame| frame.forget_scripts());
        // Lua halves its table of strings each time.
        let mut before = usize::MAX;
        while self.used() < before / 16 * 15 {
            before = self.used();
            self.collect();
        }
    }

    pub(crate) fn forget(&mut self, function: i32) {
        self.with_frame(|frame| frame.forget(function));
    }

    /// Runs a function and writes what it returns; if it fails, nothing is written.
    pub(crate) fn run(
        &mut self,
        call: &Call<'_>,
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> Result<Written, Outcome> {
        let state = self.state;
        let mark = reply.mark();
        let outcome = self.within_run(host, |frame| {
            prepare(frame, call);
            let arguments = if call.is_script { 0 } else { 2 };
            // SAFETY: the handler, the function and its arguments are on the stack.
            unsafe { protected_call(state, frame.core, arguments)? };
            let resp3 = frame.core.reply.borrow().protocol == Protocol::Resp3;
            let written = convert::write_value(frame, reply, resp3);
            written.map_err(|Raised| read_error(frame, lua::LUA_ERRRUN))
        });
        if outcome.is_err() {
            reply.truncate(mark);
        }
        outcome
    }

    /// As [`Machine::run`], for a debugger. A run that it stops leaves nothing behind.
    pub(crate) fn debug(
        &mut self,
        call: &Call<'_>,
        host: &mut dyn Host,
        reply: &mut Reply,
        debugger: &mut Debugger,
    ) -> Result<Written, Outcome> {
        let random = self.core().random.get();
        self.core().random.set(debugger.begin(random));
        self.core().debug_by(Some(std::mem::take(debugger)));
        let outcome = self.run(call, host, reply);
        *debugger = self.core().debug_by(None).unwrap_or_default();
        if debugger.stopped() {
            self.core().random.set(random);
        }
        outcome
    }

    /// Runs a library's chunk.
    pub(crate) fn run_library(
        &mut self,
        function: i32,
        host: &mut dyn Host,
    ) -> Result<Vec<crate::vm::Registered>, (Outcome, Vec<crate::vm::Registered>)> {
        let state = self.state;
        self.core().loading.replace(Some(Vec::new()));
        let outcome = self.within_run(host, |frame| {
            point_environment(frame, Fixed::LoadGlobals);
            set_thread_globals(frame, Fixed::FunctionEnvironment);
            frame.push_fixed(Fixed::OnError);
            frame.push_kept(function);
            frame.push_fixed(Fixed::FunctionEnvironment);
            frame.set_environment(-2);
            // SAFETY: handler and function are on the stack.
            let outcome = unsafe { protected_call(state, frame.core, 0) };
            point_environment(frame, Fixed::FunctionGlobals);
            outcome
        });
        let registered = self.core().loading.take().unwrap_or_default();
        match outcome {
            Ok(()) => Ok(registered),
            Err(outcome) => Err((outcome, registered)),
        }
    }

    fn within_run<R>(&mut self, host: &mut dyn Host, body: impl FnOnce(&mut Frame<'_>) -> R) -> R {
        let state = self.state;
        let result = self.with_frame(|frame| {
            let core = frame.core;
            core.begin(host);
            core.running.set(state);
            core.reply.borrow_mut().protocol = Protocol::Resp2;
            call::set_hook(state, core);
            let result = body(frame);
            frame.set_top(0);
            core.end();
            core.running.set(std::ptr::null_mut());
            result
        });
        let settled = self.settled;
        let left = GARBAGE_BYTES_LEFT.min(self.core().limits.memory_bytes / 4);
        if self.used() > settled.saturating_mul(2).saturating_add(left) {
            self.collect();
        }
        result
    }

    /// Collects all garbage; nothing runs.
    pub(crate) fn collect(&mut self) {
        self.with_frame(|frame| {
            forget_arguments(frame);
            frame.collect();
        });
        self.core().reply.take();
        self.settled = self.used();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.core().set_native(true);
        // SAFETY: nothing runs; the state is not used again.
        unsafe { lua::lua_close(self.state) };
        // SAFETY: made by `Box::into_raw` in `new`; the state that knew it is gone.
        drop(unsafe { Box::from_raw(self.core) });
    }
}

/// Calls the function below its arguments, with the handler below it. One result is on top then.
///
/// # Safety
/// They are there, and `state` is the machine's main thread.
unsafe fn protected_call(
    state: *mut lua_State,
    core: &Core,
    arguments: c_int,
) -> Result<(), Outcome> {
    core.set_native(false);
    // SAFETY: an error ends here, in C, so it jumps over no frame of Rust but those that expect it.
    let status = unsafe { lua::lua_pcall(state, arguments, 1, -2 - arguments) };
    core.set_native(true);
    if status == lua::LUA_OK {
        return Ok(());
    }
    // SAFETY: native mode is on.
    let mut frame = unsafe { Frame::new(state, core) };
    Err(read_error(&mut frame, status))
}

/// Reads the error on top.
fn read_error(frame: &mut Frame<'_>, status: c_int) -> Outcome {
    let killed = frame.core.killed().is_some();
    let mut outcome =
        Outcome { text: Vec::new(), place: None, is_fatal: false, counted: false, killed };
    if status != lua::LUA_ERRRUN || frame.kind(-1) != Kind::Table {
        outcome.is_fatal = true;
        outcome.text = frame.text(-1).unwrap_or(b"execution failure").to_vec();
        return outcome;
    }
    let mut text = |name: &str| {
        frame.raw_field(-1, name);
        let text = frame.text(-1).map(|text| until_zero(text).to_vec());
        frame.pop(1);
        text
    };
    outcome.text = text("err").unwrap_or_else(|| b"ERR unknown error".to_vec());
    outcome.place = text("source").zip(text("line"));
    let counted = frame.raw_field(-1, "ignore_error_stats_update");
    outcome.counted = counted == Kind::Boolean && frame.truth(-1);
    frame.pop(1);
    outcome
}

/// Pushes the handler, the function and its arguments.
fn prepare(frame: &mut Frame<'_>, call: &Call<'_>) {
    let environment = if call.is_script { Fixed::Environment } else { Fixed::FunctionEnvironment };
    set_thread_globals(frame, environment);
    if call.is_script {
        frame.push_fixed(Fixed::Globals);
        push_strings(frame, call.keys);
        frame.raw_set_field(-2, "KEYS");
        push_strings(frame, call.args);
        frame.raw_set_field(-2, "ARGV");
        frame.pop(1);
    }
    frame.push_fixed(Fixed::OnError);
    if call.is_script {
        frame.push_script(call.function);
    } else {
        frame.push_kept(call.function);
    }
    if call.is_script {
        // A run may have given it another one.
        frame.push_fixed(environment);
        frame.set_environment(-2);
    } else {
        push_strings(frame, call.keys);
        push_strings(frame, call.args);
    }
}

fn push_strings(frame: &mut Frame<'_>, strings: &[&[u8]]) {
    frame.push_table(strings.len(), 0);
    for (number, string) in (1..).zip(strings) {
        frame.push(string);
        frame.raw_set_element(-2, number);
    }
}

fn forget_arguments(frame: &mut Frame<'_>) {
    frame.push_fixed(Fixed::Globals);
    for name in ["KEYS", "ARGV"] {
        frame.push_nil();
        frame.raw_set_field(-2, name);
    }
    frame.pop(1);
}

/// What functions find that are compiled from now on, and what `getfenv(0)` shows.
fn set_thread_globals(frame: &mut Frame<'_>, environment: Fixed) {
    frame.push_fixed(environment);
    frame.replace(lua::LUA_GLOBALSINDEX);
}

/// Leads the environment of libraries to other globals.
fn point_environment(frame: &mut Frame<'_>, globals: Fixed) {
    frame.push_fixed(Fixed::FunctionEnvironment);
    frame.push_fixed(globals);
    frame.point_protected(-2);
    frame.pop(1);
}

fn set_up(frame: &mut Frame<'_>) {
    // Lua makes these strings where nothing could catch an error of the allocator.
    for text in ["C stack overflow", "error in error handling", "not enough memory"] {
        frame.push(text);
        frame.keep();
    }
    frame.forget_scripts();
    callbacks::push_raw(frame, call::on_error, 0);
    frame.set_fixed(Fixed::OnError);
    frame.push_table(0, 0);
    frame.protect();
    frame.set_fixed(Fixed::ArrayMark);
    open(frame, lua::luaopen_base);
    open(frame, lua::luaopen_math);

    for is_script in [true, false] {
        let (globals, environment) = if is_script {
            (Fixed::Globals, Fixed::Environment)
        } else {
            (Fixed::FunctionGlobals, Fixed::FunctionEnvironment)
        };
        frame.push_table(0, 64);
        if is_script {
            push_globals(frame);
        } else {
            share_globals(frame);
        }
        push_interface(frame, is_script);
        refuse_unknown(frame);
        frame.push_copy(-1);
        frame.set_fixed(globals);
        frame.push_copy(-1);
        frame.protect();
        frame.push_copy(-1);
        frame.set_fixed(environment);
        frame.raw_set_field(-2, "_G");
        frame.pop(1);
    }
    set_up_loading(frame);
    // Nothing of what Lua's own libraries registered stays reachable.
    frame.push_nil();
    frame.raw_set_field(lua::LUA_REGISTRYINDEX, "_LOADED");
    set_thread_globals(frame, Fixed::Environment);
}

/// Calls one of Lua's functions that open a library.
fn open(frame: &mut Frame<'_>, function: callbacks::Raw) {
    callbacks::push_raw(frame, function, 0);
    // SAFETY: the function is on top; native mode is on, so it does not fail.
    let status = unsafe { lua::lua_pcall(frame.lua, 0, 0, 0) };
    assert_eq!(status, lua::LUA_OK, "Lua's libraries open");
}

/// Fills the table on top with what is global for scripts. They cannot change it, so libraries of
/// functions may have the same.
fn share_globals(frame: &mut Frame<'_>) {
    let target = frame.top();
    frame.push_fixed(Fixed::Globals);
    frame.push_nil();
    while frame.next(-2) {
        let own = matches!(frame.string(-2), Some(b"_G" | b"redis" | b"server"));
        if own {
            frame.pop(1);
        } else {
            frame.push_copy(-2);
            frame.insert(-2);
            frame.raw_set(target);
        }
    }
    frame.pop(1);
}

/// Fills the table on top with what is global, but for the server's interface.
fn push_globals(frame: &mut Frame<'_>) {
    for name in BASE_OF_LUA {
        frame.raw_field(lua::LUA_GLOBALSINDEX, name);
        frame.raw_set_field(-2, name);
    }
    fill(frame, base::FUNCTIONS);
    fill_raw(frame, &BASE_RAW);
    // `pairs` hands out `next`.
    frame.raw_field(-1, "next");
    callbacks::push_raw(frame, callbacks::pairs, 1);
    frame.raw_set_field(-2, "pairs");

    push_string_library(frame);
    frame.raw_set_field(-2, "string");
    frame.push_table(0, 16);
    fill(frame, table::FUNCTIONS);
    fill_raw(frame, &TABLE_RAW);
    frame.protect();
    frame.raw_set_field(-2, "table");
    frame.raw_field(lua::LUA_GLOBALSINDEX, "math");
    fill(frame, math::FUNCTIONS);
    frame.protect();
    frame.raw_set_field(-2, "math");
    frame.push_table(0, 8);
    fill_raw(frame, &coroutine::COROUTINE);
    frame.protect();
    frame.raw_set_field(-2, "coroutine");
    for (name, functions) in
        [("bit", bit::FUNCTIONS), ("struct", structs::FUNCTIONS), ("os", &[("clock", clock)])]
    {
        frame.push_table(0, functions.len());
        fill(frame, functions);
        frame.protect();
        frame.raw_set_field(-2, name);
    }
    frame.push_table(0, 8);
    fill(frame, cmsgpack::FUNCTIONS);
    cmsgpack::fill_constants(frame);
    frame.protect();
    frame.raw_set_field(-2, "cmsgpack");
    frame.push_table(0, 16);
    cjson::fill(frame);
    frame.protect();
    frame.raw_set_field(-2, "cjson");
}

/// Adds the server's interface to the globals on top.
fn push_interface(frame: &mut Frame<'_>, is_script: bool) {
    frame.push_table(0, 32);
    fill(frame, redis::FUNCTIONS);
    if is_script {
        fill(frame, redis::SCRIPT_FUNCTIONS);
    }
    redis::fill_constants(frame, true);
    frame.protect();
    set_both_names(frame);
}

/// Pops the table of the interface into the globals below, under both its names.
fn set_both_names(frame: &mut Frame<'_>) {
    frame.push_copy(-1);
    frame.raw_set_field(-3, "redis");
    frame.raw_set_field(-2, "server");
}

/// Pushes `string`, and makes it what strings are indexed by.
fn push_string_library(frame: &mut Frame<'_>) {
    frame.push_table(0, 20);
    fill(frame, string::FUNCTIONS);
    fill_raw(frame, &STRING_RAW);
    frame.raw_field(-1, "gmatch");
    frame.raw_set_field(-2, "gfind");
    // Strings lead to the functions themselves, as scripts cannot reach this metatable.
    frame.push("");
    frame.push_table(0, 1);
    frame.push_copy(-3);
    frame.raw_set_field(-2, "__index");
    frame.set_metatable(-2);
    frame.pop(1);
    frame.protect();
    // What they reach is this.
    frame.push_table(0, 1);
    frame.push_copy(-2);
    frame.raw_set_field(-2, "__index");
    frame.protect();
    frame.set_fixed(Fixed::StringMetatable);
}

/// The globals of libraries while they load.
fn set_up_loading(frame: &mut Frame<'_>) {
    frame.push_table(0, 2);
    frame.push_table(0, 16);
    fill(frame, redis::LOAD_FUNCTIONS);
    redis::fill_constants(frame, false);
    refuse_unknown(frame);
    frame.protect();
    set_both_names(frame);
    refuse_unknown(frame);
    frame.set_fixed(Fixed::LoadGlobals);
}

/// Makes reads of absent fields of the table on top errors.
fn refuse_unknown(frame: &mut Frame<'_>) {
    frame.push_table(0, 1);
    frame.push_native(unknown_global, 0);
    frame.raw_set_field(-2, "__index");
    frame.set_metatable(-2);
}

fn unknown_global(frame: &mut Frame<'_>) -> Result<usize, Raised> {
    let Some(name) = frame.text(2) else {
        let text = "Second argument to luaProtectedTableError must be a string or number";
        return Err(frame.raise(text));
    };
    let text = b"Script attempted to access nonexistent global variable '";
    Err(frame.raise([&text[..], name, b"'"].concat()))
}

fn clock(frame: &mut Frame<'_>) -> Result<usize, Raised> {
    let time = frame.core.with_host(|host| host.clock()).unwrap_or_default();
    frame.push_number(time.as_secs_f64());
    Ok(1)
}

fn fill(frame: &mut Frame<'_>, functions: Functions) {
    for &(name, function) in functions {
        Entry::Native(function).push(frame);
        frame.raw_set_field(-2, name);
    }
}

fn fill_raw(frame: &mut Frame<'_>, functions: &[(&str, callbacks::Raw)]) {
    for &(name, function) in functions {
        Entry::Raw(function).push(frame);
        frame.raw_set_field(-2, name);
    }
}
