//! What INFO and the memory limits need to know of the operating system and the allocator.
//!
//! Everything is read when it is asked for and costs a system call or two: ask once per INFO or
//! timer, not per command. What cannot be found out is 0 or empty, as in INFO.
#![expect(unsafe_code, reason = "uname, sysconf, getrusage and newlocale")]

use std::ffi::{CStr, CString};
use std::mem::{self, MaybeUninit};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::OnceLock;

use disk::RealDisk;
use libc::{c_char, c_int};

pub use crate::clock::description as monotonic_clock;

/// Processor time spent, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    pub user_us: u64,
    pub system_us: u64,
}

/// What the allocator says about itself, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllocatorStats {
    /// Handed out to the program.
    pub allocated: u64,
    /// In pages that hold something handed out.
    pub active: u64,
    /// In pages that the kernel has given.
    pub resident: u64,
    /// Address space kept without pages.
    pub retained: u64,
    /// In pages that the kernel may take back.
    pub muzzy: u64,
}

/// An allocator that can be asked. `almagre` plugs in its own at start.
pub trait Allocator: Send + Sync {
    /// `jemalloc-5.3.0`, for `mem_allocator`.
    fn name(&self) -> &str;
    fn stats(&self) -> AllocatorStats;
    /// Gives unused pages back to the kernel (MEMORY PURGE).
    fn purge(&self);
    /// Starts or stops threads of the allocator's own that give unused pages back (`false`: it
    /// cannot). Not before [`crate::process::daemon::daemonize`], which wants no threads.
    fn purge_in_background(&self, on: bool) -> bool;
}

static ALLOCATOR: OnceLock<&'static dyn Allocator> = OnceLock::new();

/// Names the allocator; the first call counts.
pub fn set_allocator(allocator: &'static dyn Allocator) {
    ALLOCATOR.get_or_init(|| allocator);
}

/// The allocator, if one was named.
pub fn allocator() -> Option<&'static dyn Allocator> {
    ALLOCATOR.get().copied()
}

/// `Linux 6.1.0 x86_64`.
pub fn os() -> String {
    let mut found = MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: a return of 0 says that the structure was filled.
    let found = unsafe {
        if libc::uname(found.as_mut_ptr()) != 0 {
            return String::new();
        }
        found.assume_init()
    };
    [&found.sysname, &found.release, &found.machine].map(|field| text(field)).join(" ")
}

fn text(field: &[c_char]) -> String {
    // SAFETY: both element types are one byte, without invalid values.
    let bytes = unsafe { mem::transmute::<&[c_char], &[u8]>(field) };
    let text = CStr::from_bytes_until_nul(bytes).unwrap_or_default();
    text.to_string_lossy().into_owned()
}

/// Whether the C library could sort by the locale of this name; the empty name is that of the
/// environment.
pub fn has_locale(name: &str) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    // SAFETY: a C string and no locale to start from; what comes is freed at once.
    unsafe {
        let locale = libc::newlocale(libc::LC_COLLATE_MASK, name.as_ptr(), ptr::null_mut());
        if !locale.is_null() {
            libc::freelocale(locale);
        }
        !locale.is_null()
    }
}

/// Path of the running program.
pub fn executable() -> PathBuf {
    std::env::current_exe().unwrap_or_default()
}

fn configured(name: c_int) -> u64 {
    // SAFETY: takes a number.
    u64::try_from(unsafe { libc::sysconf(name) }).unwrap_or(0)
}

/// Physical memory of the machine, in bytes.
pub fn total_memory() -> u64 {
    configured(libc::_SC_PHYS_PAGES).saturating_mul(configured(libc::_SC_PAGESIZE))
}

/// Processors that may be used.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Memory of the process that is in RAM, in bytes.
pub fn resident_memory() -> u64 {
    let statm = disk::read(&RealDisk, Path::new("/proc/self/statm"), 4096).unwrap_or_default();
    let pages = str::from_utf8(&statm).ok().and_then(|text| text.split(' ').nth(1)?.parse().ok());
    pages.unwrap_or(0_u64).saturating_mul(configured(libc::_SC_PAGESIZE))
}

/// The most memory that was in RAM at once since the start, in bytes.
pub fn peak_resident_memory() -> u64 {
    usage(libc::RUSAGE_SELF).map_or(0, |usage| number(usage.ru_maxrss).saturating_mul(1024))
}

/// All threads together.
pub fn cpu_of_process() -> CpuTimes {
    cpu(libc::RUSAGE_SELF)
}

/// Helper processes that have ended.
pub fn cpu_of_children() -> CpuTimes {
    cpu(libc::RUSAGE_CHILDREN)
}

/// The calling thread.
pub fn cpu_of_thread() -> CpuTimes {
    cpu(libc::RUSAGE_THREAD)
}

/// The first thread, from any other: in steps of the kernel's clock (10 ms as a rule).
pub fn cpu_of_main_thread() -> CpuTimes {
    let path = format!("/proc/self/task/{}/stat", std::process::id());
    let stat = disk::read(&RealDisk, Path::new(&path), 4096).unwrap_or_default();
    let ticks_per_second = configured(libc::_SC_CLK_TCK).max(1);
    parse_cpu(&stat, ticks_per_second).unwrap_or_default()
}

/// Fields 14 and 15 of a stat file, behind the name in parentheses, which may hold anything.
fn parse_cpu(stat: &[u8], ticks_per_second: u64) -> Option<CpuTimes> {
    let text = String::from_utf8_lossy(stat);
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut next = || -> Option<u64> {
        let ticks: u64 = fields.next()?.parse().ok()?;
        Some(ticks.saturating_mul(1_000_000) / ticks_per_second)
    };
    Some(CpuTimes { user_us: next()?, system_us: next()? })
}

fn usage(who: c_int) -> Option<libc::rusage> {
    let mut found = MaybeUninit::uninit();
    // SAFETY: a return of 0 says that the structure was filled.
    unsafe { (libc::getrusage(who, found.as_mut_ptr()) == 0).then(|| found.assume_init()) }
}

fn cpu(who: c_int) -> CpuTimes {
    let micros = |time: libc::timeval| {
        number(time.tv_sec).saturating_mul(1_000_000).saturating_add(number(time.tv_usec))
    };
    usage(who).map_or_else(CpuTimes::default, |usage| CpuTimes {
        user_us: micros(usage.ru_utime),
        system_us: micros(usage.ru_stime),
    })
}

fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// When the process began to count, for `uptime_in_seconds`.
#[derive(Clone, Copy, Debug)]
pub struct Uptime {
    began: crate::clock::Micros,
}

impl Uptime {
    /// From now on.
    pub fn start() -> Self {
        Self { began: crate::clock::monotonic() }
    }

    pub fn seconds(&self) -> u64 {
        crate::clock::monotonic().0.saturating_sub(self.began.0) / 1_000_000
    }
}

#[cfg(test)]
mod tests;
