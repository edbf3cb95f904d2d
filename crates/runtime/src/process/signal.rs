//! SIGTERM and SIGINT ask for a shutdown, SIGHUP opens the log anew. SIGPIPE is ignored, and so is SIGXFSZ: a
//! file beyond the limit of its size is an error of who writes it.
//!
//! A handler does nothing but set a flag, write one line and wake whoever waits in
//! [`Listener::shutdown`]. Who cannot wait (the loader) polls [`shutdown_requested`]. A second
//! SIGINT, while a shutdown is wanted and not done, ends the process at once with status 1.
#![expect(unsafe_code, reason = "signal handlers and the eventfd that wakes the listener")]

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};

use libc::c_int;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::log;

/// Why a shutdown is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Terminate,
    Interrupt,
}

/// `shutdown-on-sigterm`, `shutdown-on-sigint`, and the arguments of SHUTDOWN. All false: `default`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownFlags {
    pub save: bool,
    pub nosave: bool,
    pub now: bool,
    pub force: bool,
}

impl ShutdownFlags {
    /// Reads the words of the parameter, in any case. `None`: an unknown word, `default` beside
    /// others, or both of save and nosave.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut flags = Self::default();
        let mut count = 0;
        let mut has_default = false;
        for word in words {
            count += 1;
            match word.to_ascii_lowercase().as_str() {
                "default" => has_default = true,
                "save" => flags.save = true,
                "nosave" => flags.nosave = true,
                "now" => flags.now = true,
                "force" => flags.force = true,
                _ => return None,
            }
        }
        let is_valid = count > 0
            && !(flags.save && flags.nosave)
            && (!has_default || flags == Self::default());
        is_valid.then_some(flags)
    }
}

/// The signal that asked for a shutdown; 0: none.
static REQUESTED: AtomicI32 = AtomicI32::new(0);
/// A request that no listener has taken yet.
static UNSEEN: AtomicBool = AtomicBool::new(false);
static LOADING: AtomicBool = AtomicBool::new(false);
static WAKE_FD: AtomicI32 = AtomicI32::new(-1);

/// Installs the handlers.
pub fn install() -> io::Result<()> {
    // SAFETY: takes numbers, gives a descriptor or -1.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    WAKE_FD.store(fd, Ordering::Release);
    let on_shutdown = on_shutdown as *const () as libc::sighandler_t;
    let on_hangup = on_hangup as *const () as libc::sighandler_t;
    set_handler(libc::SIGTERM, on_shutdown, libc::SA_RESTART)?;
    set_handler(libc::SIGINT, on_shutdown, libc::SA_RESTART)?;
    set_handler(libc::SIGHUP, on_hangup, libc::SA_RESTART)?;
    set_handler(libc::SIGPIPE, libc::SIG_IGN, 0)?;
    set_handler(libc::SIGXFSZ, libc::SIG_IGN, 0)
}

/// The request that stands, for code that cannot wait. Stands until [`forget_shutdown`].
pub fn shutdown_requested() -> Option<Signal> {
    match REQUESTED.load(Ordering::Acquire) {
        0 => None,
        libc::SIGINT => Some(Signal::Interrupt),
        _ => Some(Signal::Terminate),
    }
}

/// The shutdown failed or was called off: signals count anew.
pub fn forget_shutdown() {
    UNSEEN.store(false, Ordering::Release);
    REQUESTED.store(0, Ordering::Release);
}

/// Room for the path of the temporary file: Linux takes none that is longer.
const PATH_MAX: usize = 4095;

/// The path of a file that goes away if the process ends at once, ended by a zero; empty: there is none.
static TEMPORARY: [AtomicU8; PATH_MAX + 1] = [const { AtomicU8::new(0) }; PATH_MAX + 1];

/// A file is removed should a second signal end the process at once; `None`: no longer. One at a time, by
/// its absolute path.
pub fn set_temporary_file(name: Option<&Path>) {
    let name = name.map_or(b"".as_slice(), |name| name.as_os_str().as_bytes());
    // No part of a name is ever taken for the whole: the first byte comes last.
    TEMPORARY[0].store(0, Ordering::SeqCst);
    if name.is_empty() || name.len() > PATH_MAX {
        return;
    }
    for (at, byte) in name.iter().enumerate().skip(1) {
        TEMPORARY[at].store(*byte, Ordering::SeqCst);
    }
    TEMPORARY[name.len()].store(0, Ordering::SeqCst);
    TEMPORARY[0].store(name[0], Ordering::SeqCst);
}

/// Async-signal-safe.
fn remove_temporary_file() {
    let mut name = [0_u8; PATH_MAX + 1];
    for (to, from) in name.iter_mut().zip(&TEMPORARY) {
        *to = from.load(Ordering::SeqCst);
    }
    if name[0] != 0 {
        // SAFETY: a C string: its last byte is always zero.
        unsafe { libc::unlink(name.as_ptr().cast()) };
    }
}

/// While data is loaded the handler's line says so.
pub fn set_loading(loading: bool) {
    LOADING.store(loading, Ordering::Relaxed);
}

/// Waits for requests inside a Tokio runtime. One a process.
pub struct Listener {
    fd: AsyncFd<OwnedFd>,
}

impl Listener {
    /// After [`install`], inside the runtime that will wait.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes a descriptor, gives a new one or -1.
        let fd = unsafe { libc::fcntl(WAKE_FD.load(Ordering::Acquire), libc::F_DUPFD_CLOEXEC, 3) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just made and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: the descriptor is open for as long as the `OwnedFd`, which stays inside.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE)? };
        Ok(Self { fd })
    }

    /// The next request for a shutdown. Safe to drop while it waits.
    pub async fn shutdown(&self) -> io::Result<Signal> {
        loop {
            if UNSEEN.swap(false, Ordering::AcqRel)
                && let Some(signal) = shutdown_requested()
            {
                return Ok(signal);
            }
            let mut ready = self.fd.readable().await?;
            let mut count = [0_u8; 8];
            // SAFETY: a descriptor of ours and room for the eight bytes that it yields.
            unsafe { libc::read(self.fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
            ready.clear_ready();
        }
    }
}

/// Installs `handler` for a signal, or SIG_IGN, SIG_DFL.
pub(super) fn set_handler(
    signal: c_int,
    handler: libc::sighandler_t,
    flags: c_int,
) -> io::Result<()> {
    // SAFETY: all zero is a valid sigaction: no handler, no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: `action` is whole; the old one is not asked for.
    if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Runs a handler's body without leaving a trace in the interrupted thread's `errno`.
pub(super) fn keeping_errno(body: impl FnOnce()) {
    // SAFETY: the C library's own cell of this thread.
    unsafe {
        let errno = libc::__errno_location();
        let kept = *errno;
        body();
        *errno = kept;
    }
}

/// Writes a line from a signal handler.
pub(super) fn log_from_handler(message: fmt::Arguments<'_>) {
    if log::enabled(log::Level::Warning) {
        let mut line = log::Line::<1024>::new();
        log::compose_in_handler(&mut line, message);
        log::write_in_time(log::fd(), line.bytes(), log::ROOM_WAIT_MS);
    }
}

extern "C" fn on_shutdown(signal: c_int) {
    keeping_errno(|| {
        let before = REQUESTED.load(Ordering::Acquire);
        if before != 0 && signal == libc::SIGINT {
            log_from_handler(format_args!("Interrupted again: exiting at once, nothing is saved"));
            super::daemon::remove_pid_file();
            remove_temporary_file();
            // SAFETY: ends the process without running anything of it.
            unsafe { libc::_exit(1) };
        }
        let message = if LOADING.load(Ordering::Relaxed) {
            "Received shutdown signal during loading, scheduling shutdown."
        } else if signal == libc::SIGINT {
            "Received SIGINT scheduling shutdown..."
        } else {
            "Received SIGTERM scheduling shutdown..."
        };
        log_from_handler(format_args!("{message}"));
        REQUESTED.store(signal, Ordering::Release);
        UNSEEN.store(true, Ordering::Release);
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight bytes, which is what an eventfd takes.
        unsafe { libc::write(WAKE_FD.load(Ordering::Acquire), one.as_ptr().cast(), one.len()) };
    });
}

extern "C" fn on_hangup(_signal: c_int) {
    log::request_reopen();
}
