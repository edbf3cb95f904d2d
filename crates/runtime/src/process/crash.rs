//! What is left in the log when the process dies, and stack traces on demand.
//!
//! ```text
//!   SIGSEGV SIGBUS SIGFPE SIGILL SIGABRT ─► report ─► default action: the status tells the signal
//!   panic ─► report ─► SIGABRT, or status 1 with `use-exit-on-panic`
//!   SIGALRM ─► stack traces of all prepared threads; the process goes on
//! ```
//!
//! The report starts with what needs nothing of the process: one `write` a line, no allocation, no
//! lock, on a stack of its own. What may hang or crash again (the sections of the caller, symbols)
//! comes after, under an alarm: when it does not end, the process dies by the signal all the same.
//! A second thread that crashes meanwhile waits; a crash inside the report ends it.
#![expect(unsafe_code, reason = "signal handlers, alternate stacks, raw backtraces")]

use std::backtrace::Backtrace;
use std::fmt::{self, Write};
use std::io;
use std::panic::PanicHookInfo;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use libc::{c_int, c_void, siginfo_t};

use super::NAME;
use super::daemon::remove_pid_file;
use super::signal::{keeping_errno, log_from_handler, set_handler};
use crate::log;

const FATAL: [c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];
/// How long a line of a report waits for a slow reader of the log.
const ROOM_WAIT_MS: c_int = 1000;
/// How long a report may take.
const REPORT_SECONDS_MAX: u32 = 10;
/// How long another thread has to print its stack.
const ANSWER_MS_MAX: u32 = 200;
const STACK_BYTES: usize = 512 * 1024;
const FRAMES_MAX: usize = 64;
const THREADS_MAX: usize = 512;

/// A part of the report: the last commands, INFO, the clients. Best effort: it may find locks held
/// and memory broken, must use `try_lock`, and is given up after some seconds.
#[derive(Clone, Copy)]
pub struct Section {
    /// In capitals, `INFO OUTPUT`.
    pub title: &'static str,
    pub write: fn(&mut dyn Write) -> fmt::Result,
}

/// What a report holds besides the crash.
#[derive(Clone, Copy)]
pub struct Options {
    pub version: &'static str,
    pub sections: &'static [Section],
}

static OPTIONS: OnceLock<Options> = OnceLock::new();
static EXITS_ON_PANIC: AtomicBool = AtomicBool::new(false);
static IS_ENABLED: AtomicBool = AtomicBool::new(true);
/// The thread that reports; 0: none.
static REPORTER: AtomicI32 = AtomicI32::new(0);
/// The signal to die by, once a report has begun; 0: none has.
static DYING_BY: AtomicI32 = AtomicI32::new(0);
/// Prepared threads by kernel id, to ask for their stacks; 0: free.
static THREADS: [AtomicI32; THREADS_MAX] = [const { AtomicI32::new(0) }; THREADS_MAX];
static ANSWERS: AtomicU32 = AtomicU32::new(0);

/// Installs the handlers, the panic hook, and a stack for this thread. Once, before threads.
pub fn install(options: Options) -> io::Result<ThreadGuard> {
    let guard = prepare_thread()?;
    OPTIONS.get_or_init(|| options);
    // The first call loads the unwinder, which takes memory and locks.
    backtrace(|_| {});
    set_enabled(true)?;
    set_handler(
        libc::SIGALRM,
        on_alarm as *const () as libc::sighandler_t,
        libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART,
    )?;
    std::panic::set_hook(Box::new(on_panic));
    Ok(guard)
}

/// `crash-log-enabled`: without it a signal kills at once, and a panic is one line.
pub fn set_enabled(enabled: bool) -> io::Result<()> {
    IS_ENABLED.store(enabled, Ordering::Relaxed);
    let on_crash = on_crash as *const () as libc::sighandler_t;
    let flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    FATAL.iter().try_for_each(|signal| {
        if enabled { set_handler(*signal, on_crash, flags) } else { default_action(*signal) }
    })
}

/// `use-exit-on-panic`: a panic ends the process with status 1 in place of SIGABRT.
pub fn set_exits_on_panic(exits: bool) {
    EXITS_ON_PANIC.store(exits, Ordering::Relaxed);
}

/// `watchdog-period`: SIGALRM in so many milliseconds, unless it is called again before; 0: never.
pub fn watch(period_ms: u32) {
    let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let value = libc::timeval {
        tv_sec: libc::time_t::from(period_ms / 1000),
        tv_usec: libc::suseconds_t::from(period_ms % 1000 * 1000),
    };
    let timer = libc::itimerval { it_interval: zero, it_value: value };
    // SAFETY: reads one structure; the old one is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) };
}

/// Ends the process by a fault of memory, as DEBUG SEGFAULT asks for: writes to a page that can
/// only be read. Returns only if there is no memory for the page.
pub fn provoke() {
    let (prot, flags) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, at an address of the system's choice.
    let page = unsafe { libc::mmap(ptr::null_mut(), page_bytes(), prot, flags, -1, 0) };
    if page != libc::MAP_FAILED {
        // SAFETY: the page is there and nobody else's; that it cannot be written ends the process.
        unsafe { page.cast::<u8>().write_volatile(1) };
    }
}

/// A thread's stack for reports and its place in the list, given back when it is dropped.
#[must_use = "the thread is prepared for as long as the guard lives"]
pub struct ThreadGuard {
    stack: *mut c_void,
    place: Option<usize>,
}

/// Makes the calling thread able to report a stack overflow, and to be asked for its stack. Keep
/// the guard to the end of the thread.
pub fn prepare_thread() -> io::Result<ThreadGuard> {
    let tid = thread_id();
    let guard_bytes = page_bytes();
    // SAFETY: a new private mapping, wherever the kernel likes; its lowest page is made a guard.
    let stack = unsafe {
        let stack = libc::mmap(
            ptr::null_mut(),
            STACK_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        );
        if stack == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        libc::mprotect(stack, guard_bytes, libc::PROT_NONE);
        stack
    };
    let mut guard = ThreadGuard { stack, place: None };
    let description = libc::stack_t {
        ss_sp: stack.wrapping_byte_add(guard_bytes),
        ss_flags: 0,
        ss_size: STACK_BYTES - guard_bytes,
    };
    // SAFETY: the mapping lives until the guard is dropped, on this thread (it is not `Send`).
    if unsafe { libc::sigaltstack(&raw const description, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    guard.place = THREADS.iter().position(|place| {
        place.compare_exchange(0, tid, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    });
    Ok(guard)
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        if let Some(place) = self.place.and_then(|place| THREADS.get(place)) {
            place.store(0, Ordering::Release);
        }
        let none = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // SAFETY: the stack is taken out of use before it is unmapped; nothing else points to it.
        unsafe {
            libc::sigaltstack(&raw const none, ptr::null_mut());
            libc::munmap(self.stack, STACK_BYTES);
        }
    }
}

fn page_bytes() -> usize {
    // SAFETY: takes a number.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

fn thread_id() -> c_int {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::gettid() }
}

fn default_action(signal: c_int) -> io::Result<()> {
    set_handler(signal, libc::SIG_DFL, 0)
}

/// Writes to the log's descriptor at once, whatever was written before.
struct Direct;

impl Write for Direct {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let pieces = text.as_bytes().chunks(log::LINE_BYTES_MAX);
        let mut written = pieces.map(|piece| log::write_in_time(log::fd(), piece, ROOM_WAIT_MS));
        if written.all(|written| written) { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Writes text as it stands. The log's own state is the last thing to worry about here.
fn put(text: fmt::Arguments<'_>) {
    let mut line = log::Line::<1024>::new();
    line.add(text);
    log::write_in_time(log::fd(), line.bytes(), ROOM_WAIT_MS);
}

fn put_start() {
    // SAFETY: takes a number.
    unsafe { libc::alarm(REPORT_SECONDS_MAX) };
    put(format_args!("\n\n=== ALMAGRE BUG REPORT START: up to the END this is one report ===\n"));
}

fn put_end() {
    put(format_args!("\n=== ALMAGRE BUG REPORT END. Send all of it, from START to END. ===\n\n"));
}

/// Takes the report for this thread. A thread that comes second waits for the end of the process.
/// False: this thread has it already, the report itself crashed.
fn claim() -> bool {
    let tid = thread_id();
    match REPORTER.compare_exchange(0, tid, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => true,
        Err(owner) if owner == tid => false,
        Err(_) => loop {
            // SAFETY: sleeps until a signal, which may be the request for this thread's stack.
            unsafe { libc::pause() };
        },
    }
}

extern "C" fn on_crash(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    if !claim() {
        log_from_handler(format_args!("Signal {signal} inside the crash report: it ends here"));
        die_by(signal);
    }
    DYING_BY.store(signal, Ordering::Release);
    let version = OPTIONS.get().map_or("", |options| options.version);
    // SAFETY: the kernel passes a whole siginfo to a handler with SA_SIGINFO. Which of its fields
    // mean something depends on the code, and reading the others is harmless.
    let (code, address, pid, uid) = unsafe {
        let info = &*info;
        (info.si_code, info.si_addr(), info.si_pid(), info.si_uid())
    };
    put_start();
    log_from_handler(format_args!("{NAME} {version} crashed by signal: {signal}, si_code: {code}"));
    if code == libc::SI_USER {
        log_from_handler(format_args!("Killed by PID: {pid}, UID: {uid}"));
    } else if signal == libc::SIGSEGV || signal == libc::SIGBUS {
        log_from_handler(format_args!("Accessing address: {address:p}"));
    }
    put_registers(context);
    put_stacks();
    put_sections();
    put_symbols();
    put_end();
    die_by(signal);
}

fn on_panic(info: &PanicHookInfo<'_>) {
    if !claim() {
        die_by(libc::SIGABRT);
    }
    DYING_BY.store(libc::SIGABRT, Ordering::Release);
    let message = info.payload_as_str().unwrap_or("a value that is not text");
    let (file, line) = info.location().map_or(("?", 0), |place| (place.file(), place.line()));
    put_start();
    log_from_handler(format_args!("Guru Meditation: {message} #{file}:{line}"));
    if IS_ENABLED.load(Ordering::Relaxed) {
        put_stacks();
        put_sections();
        put_symbols();
    }
    put_end();
    if EXITS_ON_PANIC.load(Ordering::Relaxed) {
        remove_pid_file();
        // SAFETY: ends the process without running anything of it.
        unsafe { libc::_exit(1) };
    }
    die_by(libc::SIGABRT);
}

fn die_by(signal: c_int) -> ! {
    remove_pid_file();
    let _reset = default_action(signal);
    // SAFETY: numbers only. The first process of a container is not killed by its own signal:
    // there the status says what a shell would say.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
        libc::kill(libc::getpid(), signal);
        libc::_exit(128 + signal)
    }
}

extern "C" fn on_alarm(_signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    keeping_errno(|| {
        // SAFETY: the kernel passes a whole siginfo to a handler with SA_SIGINFO.
        let (code, pid) = unsafe { ((*info).si_code, (*info).si_pid()) };
        if code == libc::SI_TKILL {
            put_own_stack();
            ANSWERS.fetch_add(1, Ordering::AcqRel);
            return;
        }
        let dying_by = DYING_BY.load(Ordering::Acquire);
        if dying_by != 0 {
            put(format_args!("\nThe report did not come to its end in time.\n"));
            die_by(dying_by);
        }
        let is_timer = code != libc::SI_USER || pid == 0;
        let why = if is_timer { "--- WATCHDOG TIMER EXPIRED ---" } else { "Received SIGALRM" };
        log_from_handler(format_args!("{why}"));
        put_stacks();
    });
}

/// The stacks of this thread and of all prepared ones, each asked in turn.
fn put_stacks() {
    put(format_args!("\n------ STACK TRACE ------\n"));
    put_own_stack();
    let own = thread_id();
    for place in &THREADS {
        let tid = place.load(Ordering::Acquire);
        if tid != 0 && tid != own {
            ask(tid);
        }
    }
    put(format_args!("------ STACK TRACE DONE ------\n"));
}

fn ask(tid: c_int) {
    let before = ANSWERS.load(Ordering::Acquire);
    // SAFETY: numbers only. A thread that has ended gives ESRCH.
    let asked = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, libc::SIGALRM) } == 0;
    let pause = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    for _ in 0..ANSWER_MS_MAX {
        if !asked || ANSWERS.load(Ordering::Acquire) != before {
            return;
        }
        // SAFETY: reads one structure; the rest of the time is not asked for.
        unsafe { libc::nanosleep(&raw const pause, ptr::null_mut()) };
    }
    put(format_args!("Thread {tid} did not answer\n"));
}

fn put_own_stack() {
    let mut name = [0_u8; 16];
    // SAFETY: the kernel writes at most 16 bytes.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr(), 0, 0, 0) };
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    put(format_args!("\nThread {} ({}):\n", thread_id(), name.escape_ascii()));
    backtrace(put_frames);
}

#[cfg(target_env = "gnu")]
fn backtrace(show: impl FnOnce(&[*mut c_void])) {
    let mut frames = [ptr::null_mut(); FRAMES_MAX];
    // SAFETY: room for so many addresses.
    let count = unsafe { libc::backtrace(frames.as_mut_ptr(), FRAMES_MAX as c_int) };
    show(frames.get(..usize::try_from(count).unwrap_or(0)).unwrap_or_default());
}

#[cfg(not(target_env = "gnu"))]
fn backtrace(show: impl FnOnce(&[*mut c_void])) {
    show(&[]);
}

/// `FILE(SYMBOL+OFFSET)[ADDRESS]`, for addr2line.
fn put_frames(frames: &[*mut c_void]) {
    #[cfg(target_env = "gnu")]
    // SAFETY: addresses and their count; writes to the descriptor without taking memory.
    unsafe {
        libc::backtrace_symbols_fd(frames.as_ptr(), frames.len() as c_int, log::fd());
    }
    #[cfg(not(target_env = "gnu"))]
    for frame in frames {
        put(format_args!("{frame:p}\n"));
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn put_registers(context: *mut c_void) {
    const NAMES: [&str; 18] = [
        "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15", "RDI", "RSI", "RBP", "RBX", "RDX",
        "RAX", "RCX", "RSP", "RIP", "EFL",
    ];
    // SAFETY: the kernel passes a whole ucontext to a handler with SA_SIGINFO.
    let registers = unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let at = registers.get(libc::REG_RIP as usize).copied().unwrap_or(0);
    log_from_handler(format_args!("Crashed running the instruction at: {at:#x}"));
    put(format_args!("\n------ REGISTERS ------\n"));
    for (idx, (name, value)) in NAMES.iter().zip(registers).enumerate() {
        let end = if idx % 3 == 2 { '\n' } else { ' ' };
        put(format_args!("{name:>3}:{value:016x}{end}"));
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn put_registers(_context: *mut c_void) {}

/// From here on memory and locks of the process are used.
fn put_sections() {
    for section in OPTIONS.get().map_or(&[][..], |options| options.sections) {
        put(format_args!("\n------ {} ------\n", section.title));
        if (section.write)(&mut Direct).is_err() {
            put(format_args!("(ends early)\n"));
        }
    }
}

fn put_symbols() {
    put(format_args!("\n------ SYMBOLS ------\n"));
    if write!(Direct, "{}", Backtrace::force_capture()).is_err() {
        put(format_args!("(none)\n"));
    }
}
