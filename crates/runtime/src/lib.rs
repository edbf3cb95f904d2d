//! What touches the machine: threads, timers, sockets, signals, clocks, the log. So high that no
//! logic can reach it.

pub mod clock;
pub mod log;
pub mod process;
pub mod sysinfo;
