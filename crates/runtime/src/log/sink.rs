//! Where lines go: a descriptor and, if asked for, syslog.
//!
//! A line is one `write` to a descriptor opened with O_APPEND, so lines of threads and processes do
//! not mix. Before each line the log file's name is looked up: when it names another file than the
//! open one (rotated, removed), the new one is opened and takes over the descriptor's number by
//! `dup2`, so that nobody ever writes to a closed one. That is one `stat` a line, in place of the
//! open and close a line by which Redis gets the same. A file that cannot be opened leaves the old
//! one in use.
//!
//! A reader that does not read (a stuck pipe) does not stop a worker: without room for a whole line
//! the line is dropped and counted, and the count is told in the next line that gets through.
#![expect(unsafe_code, reason = "raw descriptors and syslog, usable from a signal handler")]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};

use libc::{c_char, c_int};

use super::{Facility, Level};

/// How long a line waits for room in a pipe.
pub(crate) const ROOM_WAIT_MS: c_int = 5;

/// Descriptor of the log; -1: nowhere.
static FD: AtomicI32 = AtomicI32::new(libc::STDOUT_FILENO);
/// Path of the log file, leaked on every change (there are few); null: standard output.
static PATH: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static FD_MAY_BLOCK: AtomicBool = AtomicBool::new(true);
static REOPEN: AtomicBool = AtomicBool::new(false);
static DROPPED: AtomicU64 = AtomicU64::new(0);
/// The last line found no room: the next ones do not wait for it.
static STUCK: AtomicBool = AtomicBool::new(false);
static SYSLOG: AtomicBool = AtomicBool::new(false);

/// Sends lines to `path`; an empty one means standard output.
pub(super) fn set_file(path: &str) -> io::Result<()> {
    if path.is_empty() {
        let old = FD.swap(libc::STDOUT_FILENO, Ordering::AcqRel);
        PATH.store(ptr::null_mut(), Ordering::Release);
        FD_MAY_BLOCK.store(may_block(libc::STDOUT_FILENO), Ordering::Relaxed);
        close(old);
        return Ok(());
    }
    let path = CString::new(path)?;
    let fd = open(&path)?;
    FD_MAY_BLOCK.store(may_block(fd), Ordering::Relaxed);
    let old = FD.swap(fd, Ordering::AcqRel);
    PATH.store(path.into_raw(), Ordering::Release);
    close(old);
    Ok(())
}

/// Closes what `set_file` opened. Called on a change of file only, at start: a thread that logs in
/// the same instant may lose its line.
fn close(fd: c_int) {
    if fd > libc::STDERR_FILENO {
        // SAFETY: the number was ours, and FD no longer holds it.
        unsafe { libc::close(fd) };
    }
}

/// Opens syslog. `ident` is what stands before each line.
pub(super) fn set_syslog(ident: &str, facility: Facility) -> io::Result<()> {
    let ident = CString::new(ident)?.into_raw();
    let options = libc::LOG_PID | libc::LOG_NDELAY | libc::LOG_NOWAIT;
    // SAFETY: `ident` is a C string that lives for ever, which openlog asks for.
    unsafe { libc::openlog(ident, options, facility.code()) };
    SYSLOG.store(true, Ordering::Release);
    Ok(())
}

/// The descriptor, for a signal handler; -1: none.
pub(crate) fn fd() -> c_int {
    FD.load(Ordering::Acquire)
}

/// The next line opens the file anew. Async-signal-safe.
pub(crate) fn request_reopen() {
    REOPEN.store(true, Ordering::Release);
}

/// Lines dropped so far for want of room and not yet told about.
pub(super) fn take_dropped() -> u64 {
    if DROPPED.load(Ordering::Relaxed) == 0 { 0 } else { DROPPED.swap(0, Ordering::Relaxed) }
}

pub(super) fn put_back_dropped(count: u64) {
    DROPPED.fetch_add(count, Ordering::Relaxed);
}

/// Writes one line, or counts it as dropped.
pub(super) fn write(line: &[u8]) {
    if !try_write(line) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Writes one line. Returns whether it was written.
pub(super) fn try_write(line: &[u8]) -> bool {
    follow_rotation();
    let fd = fd();
    fd < 0 || write_in_time(fd, line, ROOM_WAIT_MS)
}

/// Writes `bytes`, up to 4096 of them, unless there is no room for so long. Async-signal-safe.
pub(crate) fn write_in_time(fd: c_int, bytes: &[u8], wait_ms: c_int) -> bool {
    let wait_ms = if STUCK.load(Ordering::Relaxed) { 0 } else { wait_ms };
    let has_room = has_room(fd, wait_ms);
    STUCK.store(!has_room, Ordering::Relaxed);
    has_room && write_raw(fd, bytes)
}

fn write_raw(fd: c_int, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: pointer and length are those of a live slice.
        let count = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(count) {
            Ok(0) => return false,
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    true
}

pub(super) fn write_syslog(level: Level, message: &CStr) {
    if SYSLOG.load(Ordering::Acquire) {
        let priority = match level {
            Level::Debug => libc::LOG_DEBUG,
            Level::Verbose => libc::LOG_INFO,
            Level::Notice => libc::LOG_NOTICE,
            Level::Warning => libc::LOG_WARNING,
        };
        // SAFETY: the format takes one C string, and gets one.
        unsafe { libc::syslog(priority, c"%s".as_ptr(), message.as_ptr()) };
    }
}

pub(super) fn has_syslog() -> bool {
    SYSLOG.load(Ordering::Relaxed)
}

fn open(path: &CStr) -> io::Result<c_int> {
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_CLOEXEC;
    // SAFETY: `path` is a C string.
    let fd = unsafe { libc::open(path.as_ptr(), flags, 0o644) };
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(fd) }
}

fn stat(fill: impl FnOnce(*mut libc::stat) -> c_int) -> Option<libc::stat> {
    let mut found = MaybeUninit::uninit();
    // SAFETY: a return of 0 says that the structure was filled.
    (fill(found.as_mut_ptr()) == 0).then(|| unsafe { found.assume_init() })
}

fn stat_fd(fd: c_int) -> Option<libc::stat> {
    // SAFETY: `fill` gets a pointer to room for one structure.
    stat(|found| unsafe { libc::fstat(fd, found) })
}

fn may_block(fd: c_int) -> bool {
    stat_fd(fd).is_none_or(|found| found.st_mode & libc::S_IFMT != libc::S_IFREG)
}

/// A pipe reports room only for a whole PIPE_BUF (4096 bytes), which is the longest line.
fn has_room(fd: c_int, wait_ms: c_int) -> bool {
    if !FD_MAY_BLOCK.load(Ordering::Relaxed) {
        return true;
    }
    let mut polled = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one structure, and its count.
    let ready = unsafe { libc::poll(&raw mut polled, 1, wait_ms) };
    // An error of poll is left to write, which reports it.
    ready != 0
}

fn follow_rotation() {
    let path = PATH.load(Ordering::Acquire);
    if path.is_null() {
        return;
    }
    // SAFETY: stored from `CString::into_raw` and never freed.
    let path = unsafe { CStr::from_ptr(path) };
    let current = fd();
    let asked = REOPEN.load(Ordering::Relaxed) && REOPEN.swap(false, Ordering::AcqRel);
    // SAFETY: a C string, and a pointer to room for one structure.
    let named = stat(|found| unsafe { libc::stat(path.as_ptr(), found) });
    let is_same = match (named, stat_fd(current)) {
        (Some(named), Some(open)) => named.st_dev == open.st_dev && named.st_ino == open.st_ino,
        _ => false,
    };
    if is_same && !asked {
        return;
    }
    if let Ok(new) = open(path) {
        // SAFETY: both are open descriptors of ours; dup3 swaps the file in one step.
        unsafe {
            libc::dup3(new, current, libc::O_CLOEXEC);
            libc::close(new);
        }
    }
}
