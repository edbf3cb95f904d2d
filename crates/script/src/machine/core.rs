//! What a machine knows beside Lua's own state, and its allocator.

use crate::host::Host;
use crate::{Debugger, Limits};
use mlua_sys as lua;
use mlua_sys::lua_State;
use resp::Reply;
use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::ptr::NonNull;
use std::time::Duration;

/// Lua's own values need 8.
const ALIGN: usize = 8;
/// Work of natives that is as much as one pulse's instructions: an instruction is about 4 ns, and so is
/// a unit of work.
const WORK_PER_STEP: u32 = 16;
/// Instructions, or as much work, between pulses while it is not known that they are fast.
const FIRST_STEPS: u32 = 1000;

/// Values that the machine keeps in Lua's registry for itself, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fixed {
    /// The table that scripts see as `_G`: empty, read-only, backed by `Globals`.
    Environment = 1,
    /// What `_G` holds.
    Globals = 2,
    /// The same pair for libraries of functions.
    FunctionEnvironment = 3,
    FunctionGlobals = 4,
    /// What is there while a library loads.
    LoadGlobals = 5,
    /// `cjson`'s mark of arrays.
    ArrayMark = 6,
    /// What `getmetatable("")` shows.
    StringMetatable = 7,
    /// The handler that tells where an error was raised.
    OnError = 8,
    /// Compiled scripts, by number.
    Scripts = 9,
}

/// The part of a machine that C functions reach, through the allocator's user data.
// INVARIANT: lives in a box of its own and is only ever reached by shared reference, as C code holds its
// address while Rust code uses it.
pub(crate) struct Core {
    pub(crate) limits: Limits,
    /// Bytes that Lua has allocated.
    used: Cell<usize>,
    spare: Spare,
    /// From here on the next hook collects all garbage.
    alarm: Cell<usize>,
    /// A native runs: nothing may raise, so the allocator does not refuse.
    native: Cell<bool>,
    /// The thread (Lua's, a coroutine) that runs.
    pub(super) running: Cell<*mut lua_State>,
    /// Work of natives since the last pulse.
    work: Cell<u32>,
    /// Instructions between two hooks, now.
    pace: Cell<c_int>,
    /// When the host was last asked; `None`: not yet in this run.
    pulse_at: Cell<Option<Duration>>,
    killed: Cell<Option<&'static str>>,
    /// Who debugs the run; [`Core::hook_mask`] says whether anybody does.
    pub(crate) debugger: RefCell<Option<Debugger>>,
    /// What the hook is called for.
    hook_mask: Cell<c_int>,
    host: Cell<Option<NonNull<dyn Host>>>,
    /// Buffers of callbacks that an error may jump over.
    scratch: RefCell<Vec<Vec<u8>>>,
    /// The reply to the command that the script calls.
    pub(crate) reply: RefCell<Reply>,
    /// State of `math.random`: the 48-bit generator of POSIX, as it starts there.
    pub(crate) random: Cell<u64>,
    pub(crate) json: Cell<crate::libs::cjson::Options>,
    /// Functions registered by the library that loads, and the numbers of their values.
    pub(crate) loading: RefCell<Option<Vec<crate::vm::Registered>>>,
}

impl Core {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            used: Cell::new(0),
            spare: Spare::default(),
            alarm: Cell::new(limits.memory_bytes / 2),
            native: Cell::new(true),
            running: Cell::new(std::ptr::null_mut()),
            work: Cell::new(0),
            pace: Cell::new(first_steps(limits)),
            pulse_at: Cell::new(None),
            killed: Cell::new(None),
            debugger: RefCell::default(),
            hook_mask: Cell::new(lua::LUA_MASKCOUNT),
            host: Cell::new(None),
            scratch: RefCell::default(),
            reply: RefCell::default(),
            random: Cell::new(0x1234_ABCD_330E),
            json: Cell::default(),
            loading: RefCell::default(),
        }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    pub(super) fn set_native(&self, native: bool) {
        self.native.set(native);
    }

    pub(super) fn is_over_limit(&self) -> bool {
        self.used.get() > self.limits.memory_bytes
    }

    pub(super) fn wants_collection(&self) -> bool {
        self.used.get() > self.alarm.get()
    }

    /// All garbage was collected. The next alarm is halfway to the limit; close to it there is none, as
    /// collecting again and again would take longer than it is worth.
    pub(super) fn collected(&self) {
        let (used, limit) = (self.used.get(), self.limits.memory_bytes);
        let step = (limit.saturating_sub(used) / 2).max(limit / 16);
        self.alarm.set(used.saturating_add(step).max(limit / 2));
    }

    pub(super) fn killed(&self) -> Option<&'static str> {
        self.killed.get()
    }

    /// The script is to end with this error.
    pub(super) fn kill(&self, text: &'static str) {
        self.killed.set(Some(text));
        self.pace.set(1);
    }

    pub(super) fn hook_mask(&self) -> c_int {
        self.hook_mask.get()
    }

    /// Whether somebody debugs what runs.
    #[inline]
    pub(crate) fn is_debugged(&self) -> bool {
        self.hook_mask.get() != lua::LUA_MASKCOUNT
    }

    /// Who debugs from now on; who did.
    pub(super) fn debug_by(&self, debugger: Option<Debugger>) -> Option<Debugger> {
        let lines = if debugger.is_some() { lua::LUA_MASKLINE } else { 0 };
        self.hook_mask.set(lua::LUA_MASKCOUNT | lines);
        self.debugger.replace(debugger)
    }

    pub(super) fn pace(&self) -> c_int {
        self.pace.get()
    }

    /// A run begins, with this host for as long as [`Core::end`] is not called.
    pub(super) fn begin(&self, host: &mut dyn Host) {
        self.pulse_at.set(None);
        // SAFETY: only the lifetime is changed; `end` is called before the reference ends.
        let host = unsafe {
            std::mem::transmute::<NonNull<dyn Host + '_>, NonNull<dyn Host + 'static>>(
                NonNull::from(host),
            )
        };
        self.host.set(Some(host));
        self.killed.set(None);
        self.work.set(0);
        self.pace.set(first_steps(self.limits));
    }

    pub(super) fn end(&self) {
        self.host.set(None);
        self.scratch.borrow_mut().clear();
    }

    /// Asks the host something; nothing between two runs.
    pub(crate) fn with_host<R>(&self, ask: impl FnOnce(&mut dyn Host) -> R) -> Option<R> {
        let mut host = self.host.take()?;
        // SAFETY: `begin` got it as an exclusive reference that outlives the run, and it is taken out
        // of the cell while it is used, so it is used once at a time.
        let answer = ask(unsafe { host.as_mut() });
        self.host.set(Some(host));
        Some(answer)
    }

    /// Counts work; whether it is time for a pulse.
    pub(super) fn charge(&self, units: usize) -> bool {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let work = self.work.get().saturating_add(units);
        self.work.set(work);
        work >= self.limits.steps_per_pulse.min(FIRST_STEPS).saturating_mul(WORK_PER_STEP)
    }

    /// Asks the host whether to go on. When pulses are far apart, hooks come more often.
    pub(super) fn pulse(&self) -> Result<(), &'static str> {
        self.work.set(0);
        if let Some(text) = self.killed.get() {
            return Err(text);
        }
        let answer = self.with_host(|host| (host.interrupt(), host.clock()));
        let Some((pulse, now)) = answer else { return Ok(()) };
        let elapsed = self.pulse_at.replace(Some(now)).map(|before| now.saturating_sub(before));
        if elapsed.is_some_and(|elapsed| elapsed > Duration::from_millis(1)) {
            self.pace.set((self.pace.get() / 8).max(1));
        } else if elapsed.is_some_and(|elapsed| elapsed < Duration::from_micros(50)) {
            self.pace
                .set(self.pace.get().saturating_mul(2).min(steps(self.limits.steps_per_pulse)));
        }
        match pulse {
            crate::Pulse::Continue => Ok(()),
            crate::Pulse::Kill(text) => {
                self.kill(text);
                Err(text)
            }
        }
    }

    pub(super) fn scratch_len(&self) -> usize {
        self.scratch.borrow().len()
    }

    /// A new empty buffer; its number.
    pub(super) fn scratch_push(&self) -> usize {
        let mut scratch = self.scratch.borrow_mut();
        scratch.push(Vec::new());
        scratch.len() - 1
    }

    pub(super) fn with_scratch<R>(&self, at: usize, use_it: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let mut buffer = std::mem::take(&mut self.scratch.borrow_mut()[at]);
        let result = use_it(&mut buffer);
        self.scratch.borrow_mut()[at] = buffer;
        result
    }

    pub(super) fn scratch_cut(&self, len: usize) {
        self.scratch.borrow_mut().truncate(len);
    }
}

/// Instructions up to the first pulse. Nothing is known of how slow they are.
fn first_steps(limits: Limits) -> c_int {
    steps(limits.steps_per_pulse.min(FIRST_STEPS))
}

fn steps(steps: u32) -> c_int {
    c_int::try_from(steps).unwrap_or(c_int::MAX).max(1)
}

/// The core of the machine that `state` belongs to.
///
/// # Safety
/// `state` belongs to a [`super::Machine`]. The reference must not outlive it.
#[inline]
pub(super) unsafe fn core_of<'a>(state: *mut lua_State) -> &'a Core {
    let mut data: *mut c_void = std::ptr::null_mut();
    // SAFETY: the state is alive.
    unsafe { lua::lua_getallocf(state, &raw mut data) };
    // SAFETY: a machine's states are made with their core as user data, and it outlives them.
    unsafe { &*data.cast::<Core>() }
}

/// Lua's allocator: the program's, with an account and a limit.
///
/// # Safety
/// As `lua_Alloc` demands: `data` is the machine's [`Core`], `block` null or of `old` bytes.
pub(super) unsafe extern "C" fn allocate(
    data: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: as above.
    let core = unsafe { &*data.cast::<Core>() };
    let old = if block.is_null() { 0 } else { old };
    let used = core.used.get() - old;
    if new == 0 {
        core.used.set(used);
        if old != 0 {
            // SAFETY: it is of `old` bytes and from here.
            unsafe { core.spare.give_back(block.cast(), old) };
        }
        return std::ptr::null_mut();
    }
    let used = used.saturating_add(new);
    if new > old && used > core.alarm.get() && !core.native.get() {
        if used > core.limits.memory_bytes {
            return std::ptr::null_mut();
        }
        sound_alarm(core);
    }
    // SAFETY: `block` is of `old` bytes and from here; the new size is not zero.
    let result = unsafe { core.spare.resize(block.cast(), old, new) };
    core.used.set(used);
    result.cast()
}

/// Makes the hook run at the next instruction, to collect garbage.
fn sound_alarm(core: &Core) {
    let running = core.running.get();
    if !running.is_null() {
        // SAFETY: the thread runs, so it is alive; setting the hook allocates nothing and may happen
        // at any time.
        unsafe { lua::lua_sethook(running, Some(super::call::hook), core.hook_mask(), 1) };
    }
}

/// Small blocks that Lua has freed, by size, linked through their first word.
// PERF: a script's values are mostly small and die in bursts, which the program's allocator hands on to
// its arenas and back. `bench/scripts.py cost`: "200 parts".
struct Spare {
    heads: [Cell<*mut u8>; SPARE_CLASSES],
    bytes: Cell<usize>,
}

/// Blocks up to this size, in classes of [`ALIGN`] bytes, are kept.
const SPARE_SIZE_MAX: usize = 256;
const SPARE_CLASSES: usize = SPARE_SIZE_MAX / ALIGN;
/// Bytes that are kept at most. None where a sanitizer is to see what is used after it was freed.
const SPARE_BYTES_MAX: usize = if cfg!(fuzzing) { 0 } else { 64 << 10 };

impl Default for Spare {
    fn default() -> Self {
        Self {
            heads: [const { Cell::new(std::ptr::null_mut()) }; SPARE_CLASSES],
            bytes: Cell::new(0),
        }
    }
}

impl Spare {
    /// A block of `size` bytes, which are not zero.
    #[inline]
    fn take(&self, size: usize) -> *mut u8 {
        if size <= SPARE_SIZE_MAX {
            let head = &self.heads[(size - 1) / ALIGN];
            let block = head.get();
            if !block.is_null() {
                // SAFETY: a block in a list begins with the address of the next.
                head.set(unsafe { block.cast::<*mut u8>().read() });
                self.bytes.set(self.bytes.get() - layout(size).size());
                return block;
            }
        }
        // SAFETY: the size is not zero.
        let block = unsafe { std::alloc::alloc(layout(size)) };
        if block.is_null() {
            std::alloc::handle_alloc_error(layout(size));
        }
        block
    }

    /// # Safety
    /// `block` is from here, of `size` bytes, and not used any more.
    #[inline]
    unsafe fn give_back(&self, block: *mut u8, size: usize) {
        let layout = layout(size);
        let kept = self.bytes.get() + layout.size();
        if size <= SPARE_SIZE_MAX && kept <= SPARE_BYTES_MAX {
            let head = &self.heads[(size - 1) / ALIGN];
            // SAFETY: it has at least `ALIGN` bytes, aligned so, which are the size of an address.
            unsafe { block.cast::<*mut u8>().write(head.replace(block)) };
            self.bytes.set(kept);
        } else {
            // SAFETY: it was allocated with this layout.
            unsafe { std::alloc::dealloc(block, layout) };
        }
    }

    /// A block with what `block` holds, as far as that fits.
    ///
    /// # Safety
    /// `block` is from here and of `old` bytes (none: it is not there), and not used any more; `new` is not zero.
    #[inline]
    unsafe fn resize(&self, block: *mut u8, old: usize, new: usize) -> *mut u8 {
        if old == 0 {
            return self.take(new);
        }
        if layout(old) == layout(new) {
            return block;
        }
        if old > SPARE_SIZE_MAX && new > SPARE_SIZE_MAX {
            // SAFETY: it was allocated with this layout, and the new size is not zero.
            let moved = unsafe { std::alloc::realloc(block, layout(old), layout(new).size()) };
            if moved.is_null() {
                std::alloc::handle_alloc_error(layout(new));
            }
            return moved;
        }
        let moved = self.take(new);
        // SAFETY: both have so many bytes, and they are two blocks.
        unsafe { std::ptr::copy_nonoverlapping(block, moved, old.min(new)) };
        // SAFETY: as the caller says.
        unsafe { self.give_back(block, old) };
        moved
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        for (class, head) in (1..).zip(&self.heads) {
            while !head.get().is_null() {
                let block = head.get();
                // SAFETY: a block in a list begins with the address of the next.
                head.set(unsafe { block.cast::<*mut u8>().read() });
                // SAFETY: it was allocated with this layout, and no list has it any more.
                unsafe { std::alloc::dealloc(block, layout(class * ALIGN)) };
            }
        }
    }
}

/// The layout of a block: its size is a multiple of [`ALIGN`].
#[inline]
fn layout(size: usize) -> Layout {
    let layout = Layout::from_size_align(size, ALIGN);
    layout.expect("Lua asks for no block above isize::MAX").pad_to_align()
}
