//! Limits and attributes that the kernel keeps for the process.
#![expect(unsafe_code, reason = "getrlimit, setrlimit, setpriority and prctl")]

use std::io;
use std::path::Path;

use disk::{Disk, Open, RealDisk};
use libc::c_int;

use crate::log;

/// Descriptors kept for files, peers and listeners, beyond `maxclients`.
pub const RESERVED_FILES: u64 = 32;

/// Raises the limit of open files to `maxclients` + [`RESERVED_FILES`]. Returns the `maxclients`
/// that the limit allows, with warnings when that is less. `None`: not even one client fits, and
/// the process should end.
pub fn raise_open_files(maxclients: u32) -> Option<u32> {
    let needed = u64::from(maxclients).saturating_add(RESERVED_FILES);
    let (soft, hard) = match open_files() {
        Ok(limits) => limits,
        Err(error) => {
            let allowed = 1024 - RESERVED_FILES as u32;
            log::warning!(
                "Unable to obtain the current NOFILE limit ({error}), assuming 1024: \
                 maxclients is {allowed}"
            );
            return Some(allowed.min(maxclients));
        }
    };
    if soft >= needed {
        return Some(maxclients);
    }
    // The hard limit first, which only a privileged process may raise.
    let raised = set_open_files(needed, hard.max(needed));
    if raised.is_err() && set_open_files(needed.min(hard), hard).is_err() {
        log::debug!("The soft limit of open files stays at {soft}");
    }
    let reached = open_files().map_or(soft, |(soft, _)| soft);
    if reached >= needed {
        log::notice!("Increased maximum number of open files to {needed} (it was {soft})");
        return Some(maxclients);
    }
    let allowed = reached.checked_sub(RESERVED_FILES).filter(|allowed| *allowed > 0);
    let Some(allowed) = allowed.and_then(|allowed| u32::try_from(allowed).ok()) else {
        log::warning!(
            "The current 'ulimit -n' of {reached} is not enough for the server to start: \
             at least {needed} open files are needed. Exiting."
        );
        return None;
    };
    log::warning!(
        "You requested maxclients of {maxclients} requiring at least {needed} max file descriptors."
    );
    if let Err(error) = raised {
        log::warning!(
            "Server can't set maximum open files to {needed} because of OS error: {error}."
        );
    }
    log::warning!(
        "Current maximum open files is {reached}. maxclients has been reduced to {allowed} to \
         compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'."
    );
    Some(allowed)
}

/// The soft and the hard limit of open files.
pub fn open_files() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: fills one structure.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

fn set_open_files(soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: reads one structure.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })
}

/// Whether the process may leave a core dump and be traced by others of its user. Off keeps
/// passwords and data out of core files; `/proc/self` then belongs to root.
pub fn set_dumpable(dumpable: bool) -> io::Result<()> {
    // SAFETY: takes numbers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(dumpable), 0, 0, 0) })
}

/// `disable-thp`: transparent huge pages are not used for this process.
pub fn disable_huge_pages() -> io::Result<()> {
    // SAFETY: takes numbers.
    check(unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1 as libc::c_ulong, 0, 0, 0) })
}

/// Lets other threads of the process come before the calling one, for as long as it lives: for work
/// in the background that must not take the processor from clients.
#[cfg(target_os = "linux")]
pub fn step_back() -> io::Result<()> {
    /// An eighth of an equal share, where there is not enough for all.
    const LATER: c_int = 9;
    // SAFETY: takes numbers. 0 is the calling thread, not the process, on Linux.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    // SAFETY: as above. The kernel cuts off what is beyond the last.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.saturating_add(LATER)) })
}

/// Threads have no priority of their own here.
#[cfg(not(target_os = "linux"))]
pub fn step_back() -> io::Result<()> {
    Ok(())
}

/// Sets the file mode creation mask and returns the old one.
pub fn set_umask(mask: u32) -> u32 {
    // SAFETY: takes a number, cannot fail.
    unsafe { libc::umask(mask) }
}

pub(super) fn check(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `oom-score-adj`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OomMode {
    No,
    /// Added to what the process was started with. `yes` means this.
    Relative,
    Absolute,
}

/// Keeps what the process was started with, to add to and to return to.
#[derive(Debug, Default)]
pub struct OomScore {
    base: Option<i32>,
}

impl OomScore {
    /// Applies `value`, that one of `oom-score-adj-values` that stands for the role. Call it again
    /// on changes of role and configuration; [`OomMode::No`] restores the first state. An error is
    /// logged, too.
    pub fn apply(&mut self, mode: OomMode, value: i32) -> io::Result<()> {
        self.apply_at(&RealDisk, Path::new("/proc/self/oom_score_adj"), mode, value)
    }

    pub(super) fn apply_at(
        &mut self,
        disk: &dyn Disk,
        path: &Path,
        mode: OomMode,
        value: i32,
    ) -> io::Result<()> {
        if mode == OomMode::No && self.base.is_none() {
            return Ok(());
        }
        let base = match self.base {
            Some(base) => base,
            None => read_score(disk, path).inspect_err(|error| {
                log::warning!("Unable to read oom_score_adj: {error}");
            })?,
        };
        let score = match mode {
            OomMode::No => base,
            OomMode::Relative => base.saturating_add(value).clamp(-1000, 1000),
            OomMode::Absolute => value.clamp(-1000, 1000),
        };
        let file = disk.open(path, Open::Write);
        file.and_then(|file| disk::write_all_at(&*file, format!("{score}\n").as_bytes(), 0))
            .inspect_err(|error| log::warning!("Unable to write oom_score_adj: {error}"))?;
        self.base = (mode != OomMode::No).then_some(base);
        Ok(())
    }
}

fn read_score(disk: &dyn Disk, path: &Path) -> io::Result<i32> {
    let text = disk::read(disk, path, 64)?;
    let text = str::from_utf8(&text).unwrap_or_default().trim();
    text.parse().map_err(|_| io::ErrorKind::InvalidData.into())
}
