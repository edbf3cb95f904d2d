//! The process as its surroundings see it: signals, crash reports, daemons and supervisors, limits,
//! title, start-up lines.
//!
//! The order at start, all before the first thread:
//! 1. collect the arguments, then [`title::init`];
//! 2. read the configuration, open the log;
//! 3. [`daemon::supervise`], and [`daemon::daemonize`] if nobody supervises;
//! 4. [`crash::install`], [`signal::install`];
//! 5. [`banner::starting`], [`limits`], [`daemon::write_pid_file`], [`banner::running`], [`checks::warn`];
//! 6. workers, each with [`crash::prepare_thread`]; then [`banner::initialized`], listeners,
//!    [`banner::ready`], [`daemon::Supervisor::ready`].

pub mod banner;
pub mod checks;
pub mod code;
pub mod crash;
pub mod daemon;
pub mod limits;
pub mod signal;
pub mod title;

/// What this program calls itself in its log.
pub const NAME: &str = "Almagre";

/// Ends the process, now that state is safe. 0: a clean shutdown.
#[expect(clippy::disallowed_methods, clippy::exit, reason = "the end of an orderly shutdown")]
pub fn leave(code: i32) -> ! {
    daemon::remove_pid_file();
    std::process::exit(code)
}

#[cfg(test)]
mod tests;
