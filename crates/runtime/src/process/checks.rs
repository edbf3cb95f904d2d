//! Settings of the system that a server should not run on: the warnings at start, and the report
//! of `--check-system`.
//!
//! There is no fork here, so memory overcommit matters only where the kernel refuses to promise
//! memory at all (mode 2).

use std::path::Path;

use disk::{Disk, RealDisk};

use super::limits;
use crate::log;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Good,
    /// Could not be looked at on this system.
    Skipped,
    /// What is wrong and what to do.
    Bad(String),
}

/// Logs what is wrong. `disables_huge_pages` is `disable-thp`: tried first, and warned about only
/// if it fails.
pub fn warn(tcp_backlog: u32, disables_huge_pages: bool) {
    let outcomes = [overcommit(&RealDisk), backlog(&RealDisk, tcp_backlog)];
    for outcome in outcomes {
        if let Outcome::Bad(message) = outcome {
            log::warning!("WARNING: {message}");
        }
    }
    if let Outcome::Bad(message) = huge_pages(&RealDisk)
        && (!disables_huge_pages || limits::disable_huge_pages().is_err())
    {
        log::warning!("WARNING: {message}");
    }
}

/// All checks by name, for `--check-system`.
pub fn all() -> Vec<(&'static str, Outcome)> {
    let disk = &RealDisk;
    vec![
        ("slow-clocksource", clock_source(disk)),
        ("overcommit", overcommit(disk)),
        ("THP", huge_pages(disk)),
    ]
}

fn line(disk: &dyn Disk, path: &str) -> Option<String> {
    let text = disk::read(disk, Path::new(path), 4096).ok()?;
    Some(str::from_utf8(&text).ok()?.trim().to_owned())
}

pub(super) fn overcommit(disk: &dyn Disk) -> Outcome {
    match line(disk, "/proc/sys/vm/overcommit_memory").as_deref() {
        None => Outcome::Skipped,
        Some("2") => Outcome::Bad(
            "overcommit_memory is 2: the kernel refuses to reserve memory that the allocator asks \
             for ahead of use, and allocations fail early. Set 'vm.overcommit_memory = 1' in \
             /etc/sysctl.conf, or run 'sysctl vm.overcommit_memory=1'."
                .to_owned(),
        ),
        Some(_) => Outcome::Good,
    }
}

pub(super) fn huge_pages(disk: &dyn Disk) -> Outcome {
    match line(disk, "/sys/kernel/mm/transparent_hugepage/enabled") {
        None => Outcome::Skipped,
        Some(modes) if modes.contains("[always]") => Outcome::Bad(
            "Transparent Huge Pages (THP) are always on: memory grows and freeing it takes longer. \
             Run 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled' as root, also at \
             boot, and restart the server."
                .to_owned(),
        ),
        Some(_) => Outcome::Good,
    }
}

pub(super) fn backlog(disk: &dyn Disk, tcp_backlog: u32) -> Outcome {
    let somaxconn =
        line(disk, "/proc/sys/net/core/somaxconn").and_then(|text| text.parse::<u32>().ok());
    match somaxconn {
        None => Outcome::Skipped,
        Some(limit) if 0 < limit && limit < tcp_backlog => Outcome::Bad(format!(
            "The TCP backlog setting of {tcp_backlog} cannot be enforced: \
             /proc/sys/net/core/somaxconn allows only {limit}."
        )),
        Some(_) => Outcome::Good,
    }
}

pub(super) fn clock_source(disk: &dyn Disk) -> Outcome {
    const FOLDER: &str = "/sys/devices/system/clocksource/clocksource0";
    // Those that are read without a system call.
    const FAST: [&str; 5] = [
        "tsc",
        "kvm-clock",
        "arch_sys_counter",
        "hyperv_clocksource_tsc_page",
        "riscv_clocksource",
    ];
    match line(disk, &format!("{FOLDER}/current_clocksource")) {
        None => Outcome::Skipped,
        Some(current) if FAST.contains(&current.as_str()) => Outcome::Good,
        Some(current) => {
            let others = line(disk, &format!("{FOLDER}/available_clocksource")).unwrap_or_default();
            Outcome::Bad(format!(
                "The clock source '{current}' needs a system call for each reading. Available \
                 are: {others}. To change it: 'echo tsc > {FOLDER}/current_clocksource' as root, \
                 and the kernel parameter 'clocksource=tsc'."
            ))
        }
    }
}
