//! The stack of a running native, as safe Rust.

use super::core::Core;
use super::number;
use mlua_sys as lua;
use mlua_sys::lua_State;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;

/// An error was raised: its value is on top of the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raised;

/// A library function: its arguments are on the stack from 1 on; it leaves its results on top and says
/// how many.
pub(crate) type Native = fn(&mut Frame<'_>) -> Result<usize, Raised>;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    None,
    Nil,
    Boolean,
    Number,
    String,
    Table,
    Function,
    Thread,
    /// Light userdata; there is no other.
    Pointer,
}

/// The stack of a native: arguments, then what it pushes. Indices count from 1, or from the top down
/// from -1.
///
/// A native has 20 free slots, and makes more with [`Frame::room`]. Slices of Lua's strings are valid as
/// long as the string stays on the stack, which for arguments is as long as the native runs.
// INVARIANT: `lua` is alive, it belongs to the machine of `core`, and the core is in native mode, so
// no function of Lua that is called here raises an error: see the module's head. Debug builds of Lua
// check indices and room.
pub(crate) struct Frame<'a> {
    pub(super) lua: *mut lua_State,
    pub(crate) core: &'a Core,
    _stack: PhantomData<&'a mut ()>,
}

/// Calls a function of Lua's interface on this frame's state.
macro_rules! on {
    ($frame:expr, $function:ident $(, $argument:expr)*) => {
        // SAFETY: the state is alive, and what is called cannot raise in native mode.
        unsafe { lua::$function($frame.lua $(, $argument)*) }
    };
}

impl<'a> Frame<'a> {
    /// # Safety
    /// `lua` is alive and belongs to the machine of `core`, which is in native mode for as long as the
    /// frame lives.
    pub(super) unsafe fn new(lua: *mut lua_State, core: &'a Core) -> Self {
        Self { lua, core, _stack: PhantomData }
    }

    /// The number of values.
    #[inline]
    pub(crate) fn top(&self) -> i32 {
        on!(self, lua_gettop)
    }

    pub(crate) fn set_top(&mut self, top: i32) {
        on!(self, lua_settop, top);
    }

    #[inline]
    pub(crate) fn pop(&mut self, count: i32) {
        on!(self, lua_settop, -count - 1);
    }

    /// Makes room for `count` more values.
    pub(crate) fn has_room(&mut self, count: usize) -> bool {
        // LUAI_MAXCSTACK is 8000.
        c_int::try_from(count)
            .is_ok_and(|count| count <= 8000 && on!(self, lua_checkstack, count) != 0)
    }

    pub(crate) fn room(&mut self, count: usize, text: &str) -> Result<(), Raised> {
        if self.has_room(count) {
            return Ok(());
        }
        Err(self.raise(format!("stack overflow ({text})")))
    }

    #[inline]
    pub(crate) fn kind(&self, index: i32) -> Kind {
        match on!(self, lua_type, index) {
            lua::LUA_TNONE => Kind::None,
            lua::LUA_TNIL => Kind::Nil,
            lua::LUA_TBOOLEAN => Kind::Boolean,
            lua::LUA_TNUMBER => Kind::Number,
            lua::LUA_TSTRING => Kind::String,
            lua::LUA_TTABLE => Kind::Table,
            lua::LUA_TFUNCTION => Kind::Function,
            lua::LUA_TTHREAD => Kind::Thread,
            _ => Kind::Pointer,
        }
    }

    pub(crate) fn is_nothing(&self, index: i32) -> bool {
        matches!(self.kind(index), Kind::None | Kind::Nil)
    }

    /// The name of the value's type, as errors tell it.
    pub(crate) fn kind_name(&self, index: i32) -> &'static str {
        match self.kind(index) {
            Kind::None => "no value",
            Kind::Nil => "nil",
            Kind::Boolean => "boolean",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Table => "table",
            Kind::Function => "function",
            Kind::Thread => "thread",
            Kind::Pointer => "userdata",
        }
    }

    #[inline]
    pub(crate) fn push_nil(&mut self) {
        on!(self, lua_pushnil);
    }

    #[inline]
    pub(crate) fn push_bool(&mut self, value: bool) {
        on!(self, lua_pushboolean, c_int::from(value));
    }

    #[inline]
    pub(crate) fn push_number(&mut self, value: f64) {
        on!(self, lua_pushnumber, value);
    }

    #[inline]
    pub(crate) fn push(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        on!(self, lua_pushlstring_, bytes.as_ptr().cast::<c_char>(), bytes.len());
    }

    /// A pointer that only means itself.
    pub(crate) fn push_pointer(&mut self, pointer: *mut c_void) {
        on!(self, lua_pushlightuserdata, pointer);
    }

    pub(crate) fn push_copy(&mut self, index: i32) {
        on!(self, lua_pushvalue, index);
    }

    /// A new table with room for so many elements and fields. The caller has them already, so the room
    /// is not a number that somebody merely told.
    pub(crate) fn push_table(&mut self, elements: usize, fields: usize) {
        let limit = |count: usize| c_int::try_from(count.min(1 << 24)).unwrap_or(0);
        on!(self, lua_createtable, limit(elements), limit(fields));
    }

    /// A closure of `native` over the `values` on top of the stack, which it takes. It finds them by
    /// [`Frame::upvalue`].
    pub(crate) fn push_native(&mut self, native: Native, values: i32) {
        on!(self, lua_pushlightuserdata, native as *mut c_void);
        on!(self, lua_insert, -1 - values);
        on!(self, lua_pushcclosure, super::call::enter, values + 1);
    }

    /// The index of a native's own value, from 1 on.
    pub(crate) fn upvalue(number: i32) -> i32 {
        lua::lua_upvalueindex(number + 1)
    }

    pub(crate) fn insert(&mut self, index: i32) {
        on!(self, lua_insert, index);
    }

    pub(crate) fn remove(&mut self, index: i32) {
        on!(self, lua_remove, index);
    }

    pub(crate) fn replace(&mut self, index: i32) {
        on!(self, lua_replace, index);
    }

    #[inline]
    pub(crate) fn truth(&self, index: i32) -> bool {
        on!(self, lua_toboolean, index) != 0
    }

    /// The value as a number, if it is one or a string that reads as one.
    #[inline]
    pub(crate) fn to_number(&self, index: i32) -> Option<f64> {
        // Lua makes zero of what is no number.
        let value = on!(self, lua_tonumber, index);
        (value != 0.0 || on!(self, lua_isnumber, index) != 0).then_some(value)
    }

    /// The value if it is a number (a string is none).
    #[inline]
    pub(crate) fn exact_number(&self, index: i32) -> Option<f64> {
        if self.kind(index) == Kind::Number { self.to_number(index) } else { None }
    }

    /// The value if it is a string (a number is none).
    #[inline]
    pub(crate) fn string(&self, index: i32) -> Option<&'a [u8]> {
        if self.kind(index) == Kind::String { self.slice(index) } else { None }
    }

    /// The value if it is a string or a number, which becomes a string in its place.
    #[inline]
    pub(crate) fn text(&mut self, index: i32) -> Option<&'a [u8]> {
        self.slice(index)
    }

    #[inline]
    fn slice(&self, index: i32) -> Option<&'a [u8]> {
        let mut len = 0;
        let start = on!(self, lua_tolstring, index, &raw mut len);
        // SAFETY: Lua's strings do not move, and this one stays on the stack.
        (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), len) })
    }

    /// The address of a table, function, thread or pointer.
    pub(crate) fn address(&self, index: i32) -> *const c_void {
        on!(self, lua_topointer, index)
    }

    /// The length of a string; of a table a border, without metamethods.
    pub(crate) fn len(&self, index: i32) -> usize {
        on!(self, lua_objlen, index)
    }

    /// Replaces the key on top by its value in the table at `index`.
    pub(crate) fn raw_get(&mut self, index: i32) {
        on!(self, lua_rawget_, index);
    }

    /// Pushes element `number` of the table at `index`.
    #[inline]
    pub(crate) fn raw_element(&mut self, index: i32, number: i32) {
        on!(self, lua_rawgeti_, index, number);
    }

    /// Pushes a field of the table at `index`, and says what it is.
    pub(crate) fn raw_field(&mut self, index: i32, name: &str) -> Kind {
        let index = self.absolute(index);
        self.push(name);
        self.raw_get(index);
        self.kind(-1)
    }

    /// What Lua says to a key that no table takes; nothing if the value at `index` may be a key.
    pub(crate) fn bad_key(&self, index: i32) -> Option<&'static str> {
        match self.kind(index) {
            Kind::Nil | Kind::None => Some("table index is nil"),
            Kind::Number if self.to_number(index).is_some_and(f64::is_nan) => {
                Some("table index is NaN")
            }
            _ => None,
        }
    }

    /// Pops key and value into the table at `index`. The key is neither nil nor NaN.
    pub(crate) fn raw_set(&mut self, index: i32) {
        debug_assert!(self.kind(-2) != Kind::Nil, "no key");
        on!(self, lua_rawset, index);
    }

    /// Pops a value into element `number` of the table at `index`.
    #[inline]
    pub(crate) fn raw_set_element(&mut self, index: i32, number: i32) {
        on!(self, lua_rawseti_, index, number);
    }

    /// Pops a value into a field of the table at `index`.
    pub(crate) fn raw_set_field(&mut self, index: i32, name: &str) {
        let index = self.absolute(index);
        self.push(name);
        self.insert(-2);
        self.raw_set(index);
    }

    /// Replaces the key on top (nil to begin) by the next key and value of the table at `index`; at the
    /// end it is popped. Keys must come from here.
    pub(crate) fn next(&mut self, index: i32) -> bool {
        on!(self, lua_next, index) != 0
    }

    pub(crate) fn raw_equal(&self, one: i32, other: i32) -> bool {
        on!(self, lua_rawequal, one, other) != 0
    }

    /// Pushes the metatable of the value, if it has one.
    #[inline]
    pub(crate) fn push_metatable(&mut self, index: i32) -> bool {
        on!(self, lua_getmetatable, index) != 0
    }

    /// Pops a table or nil and makes it the metatable of the value at `index`.
    pub(crate) fn set_metatable(&mut self, index: i32) {
        on!(self, lua_setmetatable, index);
    }

    /// Pops a table and makes it the environment of the function at `index`.
    pub(crate) fn set_environment(&mut self, index: i32) {
        on!(self, lua_setfenv, index);
    }

    /// Replaces the table at `index` by what is behind it, if it is a read-only one. Says if it was.
    pub(crate) fn look_through(&mut self, index: i32) -> bool {
        let index = self.absolute(index);
        if !self.push_behind(index) {
            return false;
        }
        self.replace(index);
        true
    }

    /// Pushes the table behind a read-only one; see [`Frame::protect`].
    pub(crate) fn push_behind(&mut self, index: i32) -> bool {
        if self.kind(index) != Kind::Table || !self.push_metatable(index) {
            return false;
        }
        self.push_pointer(protected_key());
        self.raw_get(-2);
        self.remove(-2);
        if self.kind(-1) == Kind::Table {
            return true;
        }
        self.pop(1);
        false
    }

    pub(crate) fn is_protected(&mut self, index: i32) -> bool {
        let protected = self.push_behind(index);
        if protected {
            self.pop(1);
        }
        protected
    }

    /// Replaces the table on top by a read-only view of it: an empty table whose metatable leads all
    /// reads to it and refuses all writes. Our own `next`, `rawget`, `rawset` and the like know it.
    pub(crate) fn protect(&mut self) {
        self.push_table(0, 0);
        self.push_table(0, 3);
        self.push_copy(-3);
        self.raw_set_field(-2, "__index");
        self.push_native(refuse_write, 0);
        self.raw_set_field(-2, "__newindex");
        self.push_pointer(protected_key());
        self.push_copy(-4);
        self.raw_set(-3);
        self.set_metatable(-2);
        self.remove(-2);
    }

    /// Pops a table and makes the read-only table at `index` a view of it.
    pub(super) fn point_protected(&mut self, index: i32) {
        let index = self.absolute(index);
        self.push_metatable(index);
        self.push_copy(-2);
        self.raw_set_field(-2, "__index");
        self.push_pointer(protected_key());
        self.push_copy(-3);
        self.raw_set(-3);
        self.pop(2);
    }

    /// Pushes one of the machine's own values.
    pub(crate) fn push_fixed(&mut self, which: super::Fixed) {
        on!(self, lua_rawgeti_, lua::LUA_REGISTRYINDEX, FIXED_BASE - which as c_int);
    }

    /// Pops a value and keeps it.
    pub(crate) fn set_fixed(&mut self, which: super::Fixed) {
        on!(self, lua_rawseti_, lua::LUA_REGISTRYINDEX, FIXED_BASE - which as c_int);
    }

    /// Pops a value and keeps it under a new number.
    pub(crate) fn keep(&mut self) -> i32 {
        on!(self, luaL_ref, lua::LUA_REGISTRYINDEX)
    }

    pub(crate) fn push_kept(&mut self, number: i32) {
        on!(self, lua_rawgeti_, lua::LUA_REGISTRYINDEX, number);
    }

    pub(crate) fn forget(&mut self, number: i32) {
        on!(self, luaL_unref, lua::LUA_REGISTRYINDEX, number);
    }

    /// Pops a script and keeps it under a new number.
    pub(crate) fn keep_script(&mut self) -> i32 {
        self.push_fixed(super::Fixed::Scripts);
        self.push_copy(-2);
        let number = on!(self, luaL_ref, -2);
        self.pop(2);
        number
    }

    pub(crate) fn push_script(&mut self, number: i32) {
        self.push_fixed(super::Fixed::Scripts);
        on!(self, lua_rawgeti_, -1, number);
        self.replace(-2);
    }

    pub(crate) fn forget_script(&mut self, number: i32) {
        self.push_fixed(super::Fixed::Scripts);
        on!(self, luaL_unref, -1, number);
        self.pop(1);
    }

    /// A new table, as Lua's tables never shrink.
    pub(crate) fn forget_scripts(&mut self) {
        self.push_table(0, 0);
        self.set_fixed(super::Fixed::Scripts);
    }

    /// Counts work of about 4 ns a unit, and asks the host from time to time whether to go on.
    #[inline]
    pub(crate) fn charge(&mut self, units: usize) -> Result<(), Raised> {
        if self.core.charge(units) { self.pulse() } else { Ok(()) }
    }

    #[inline(never)]
    pub(crate) fn pulse(&mut self) -> Result<(), Raised> {
        match self.core.pulse() {
            Ok(()) => Ok(()),
            Err(text) => Err(self.raise_reply(text)),
        }
    }

    /// Makes sure that `bytes` more are within the limit, after collecting garbage if need be.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<(), Raised> {
        let core = self.core;
        let fits = || core.used().saturating_add(bytes) <= core.limits.memory_bytes;
        if fits() {
            return Ok(());
        }
        if bytes <= core.limits.memory_bytes {
            self.collect();
            if fits() {
                return Ok(());
            }
        }
        self.push(NO_MEMORY);
        Err(Raised)
    }

    /// Collects all garbage.
    pub(crate) fn collect(&mut self) {
        on!(self, lua_gc, lua::LUA_GCCOLLECT, 0);
        self.core.collected();
    }

    /// Raises an error with the position of the native's caller before the text.
    #[inline(never)]
    pub(crate) fn raise(&mut self, text: impl AsRef<[u8]>) -> Raised {
        let mut whole = self.position(1);
        whole.extend_from_slice(text.as_ref());
        self.push(whole);
        Raised
    }

    /// Raises `{err = "ERR text"}`, as functions of `redis` do.
    #[inline(never)]
    pub(crate) fn raise_reply(&mut self, text: impl AsRef<[u8]>) -> Raised {
        self.push_error_reply(text.as_ref());
        Raised
    }

    /// Pushes `{err = text}`. The text is `-CODE text`, or one that gets `ERR` before it.
    pub(crate) fn push_error_reply(&mut self, text: &[u8]) {
        if self.core.is_debugged() {
            crate::debugger::on_error(self.core, text);
        }
        // Not made large at once: its size decides how `next` walks it, and peers let it grow.
        self.push_table(0, 0);
        self.push(crate::convert::error_text(text));
        self.raw_set_field(-2, "err");
    }

    /// `user_script:3: ` of the function at a level of the call stack, 0 being the native.
    pub(crate) fn position(&mut self, level: i32) -> Vec<u8> {
        let Some(place) = self.place(level, c"Sl") else { return Vec::new() };
        if place.currentline <= 0 {
            return Vec::new();
        }
        let source = text_of(place.short_src.as_ptr());
        [source, format!(":{}: ", place.currentline).as_bytes()].concat()
    }

    /// What Lua knows of the function at a level of the call stack.
    pub(super) fn place(&mut self, level: i32, what: &CStr) -> Option<lua::lua_Debug> {
        // SAFETY: a C structure of numbers and pointers, to be filled in.
        let mut place: lua::lua_Debug = unsafe { std::mem::zeroed() };
        if on!(self, lua_getstack, level, &raw mut place) == 0 {
            return None;
        }
        on!(self, lua_getinfo, what.as_ptr(), &raw mut place);
        Some(place)
    }

    /// `bad argument #2 to 'rep' (number expected, got nil)`.
    #[inline(never)]
    pub(crate) fn bad_argument(&mut self, mut number: i32, text: impl AsRef<str>) -> Raised {
        let text = text.as_ref();
        let Some(place) = self.place(0, c"n") else {
            return self.raise(format!("bad argument #{number} ({text})"));
        };
        let name = if place.name.is_null() { &b"?"[..] } else { text_of(place.name) };
        let name = String::from_utf8_lossy(name);
        if !place.namewhat.is_null() && text_of(place.namewhat) == b"method" {
            number -= 1;
            if number == 0 {
                return self.raise(format!("calling '{name}' on bad self ({text})"));
            }
        }
        self.raise(format!("bad argument #{number} to '{name}' ({text})"))
    }

    #[inline(never)]
    pub(crate) fn bad_kind(&mut self, number: i32, expected: &str) -> Raised {
        let got = self.kind_name(number);
        self.bad_argument(number, format!("{expected} expected, got {got}"))
    }

    /// Argument `number`, a string or a number.
    #[inline]
    pub(crate) fn arg_text(&mut self, number: i32) -> Result<&'a [u8], Raised> {
        self.text(number).ok_or_else(|| self.bad_kind(number, "string"))
    }

    #[inline]
    pub(crate) fn arg_number(&mut self, number: i32) -> Result<f64, Raised> {
        self.to_number(number).ok_or_else(|| self.bad_kind(number, "number"))
    }

    /// A number as C casts it to `ptrdiff_t`; see [`number::to_integer`].
    #[inline]
    pub(crate) fn arg_integer(&mut self, number: i32) -> Result<i64, Raised> {
        self.arg_number(number).map(number::to_integer)
    }

    /// The same, cut to 32 bits as C's `int`.
    #[inline]
    pub(crate) fn arg_int(&mut self, number: i32) -> Result<i32, Raised> {
        self.arg_integer(number).map(number::to_int)
    }

    pub(crate) fn arg_integer_or(&mut self, number: i32, or: i64) -> Result<i64, Raised> {
        if self.is_nothing(number) { Ok(or) } else { self.arg_integer(number) }
    }

    pub(crate) fn arg_int_or(&mut self, number: i32, or: i32) -> Result<i32, Raised> {
        if self.is_nothing(number) { Ok(or) } else { self.arg_int(number) }
    }

    #[inline]
    pub(crate) fn arg_table(&mut self, number: i32) -> Result<(), Raised> {
        if self.kind(number) == Kind::Table { Ok(()) } else { Err(self.bad_kind(number, "table")) }
    }

    /// Argument `number`, a table that may be written to.
    #[inline]
    pub(crate) fn arg_table_mut(&mut self, number: i32) -> Result<(), Raised> {
        self.arg_table(number)?;
        if !self.is_protected(number) {
            return Ok(());
        }
        self.push(READ_ONLY);
        Err(Raised)
    }

    pub(crate) fn absolute(&self, index: i32) -> i32 {
        if index < 0 && index > lua::LUA_REGISTRYINDEX { self.top() + index + 1 } else { index }
    }

    /// The bytecode of the function on top; not of a native.
    pub(crate) fn dump(&mut self, out: &mut Vec<u8>) -> bool {
        on!(self, lua_dump_, write_dump, std::ptr::from_mut(out).cast()) == 0
    }

    /// Compiles text. On failure the message is on top, else the function.
    pub(crate) fn compile(&mut self, source: &[u8], name: &CStr) -> bool {
        if i32::try_from(source.len()).is_err() {
            self.push(NO_MEMORY);
            return false;
        }
        // A chunk that begins with ESC would be taken for bytecode; behind a space it is bad text.
        let escaped: Vec<u8>;
        let source = if source.first() == Some(&0x1b) {
            escaped = [b" ", source].concat();
            &escaped[..]
        } else {
            source
        };
        // Nothing may be collected while the parser runs: it keeps strings where the collector does
        // not look. It runs protected, so the allocator may refuse it.
        on!(self, lua_gc, lua::LUA_GCSTOP, 0);
        self.core.set_native(false);
        let start = source.as_ptr().cast::<c_char>();
        let status = on!(self, luaL_loadbuffer, start, source.len(), name.as_ptr());
        self.core.set_native(true);
        on!(self, lua_gc, lua::LUA_GCRESTART, 0);
        status == lua::LUA_OK
    }
}

/// Lua's own words.
pub(crate) const NO_MEMORY: &str = "not enough memory";

pub(crate) const READ_ONLY: &str = "Attempt to modify a readonly table";

/// Numbers in the registry below all that `luaL_ref` gives out, which also keeps its free list at 0.
const FIXED_BASE: c_int = -1000;

/// The key, in the metatable of a read-only table, of the table behind it. Scripts cannot make it.
fn protected_key() -> *mut c_void {
    static KEY: u8 = 0;
    std::ptr::from_ref(&KEY).cast_mut().cast()
}

fn refuse_write(frame: &mut Frame<'_>) -> Result<usize, Raised> {
    Err(frame.raise(READ_ONLY))
}

fn text_of<'a>(text: *const c_char) -> &'a [u8] {
    // SAFETY: Lua's texts about functions end by a zero and live as long as the function.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

unsafe extern "C-unwind" fn write_dump(
    _state: *mut lua_State,
    start: *const c_void,
    len: usize,
    out: *mut c_void,
) -> c_int {
    // SAFETY: `dump` passes its vector.
    let out = unsafe { &mut *out.cast::<Vec<u8>>() };
    // SAFETY: Lua passes a piece of its own memory.
    out.extend_from_slice(unsafe { std::slice::from_raw_parts(start.cast::<u8>(), len) });
    0
}
