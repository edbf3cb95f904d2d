//! The state machines on a disk in memory, with every fault at every operation, and crashes.

mod checking;
mod dealing;
mod manifest;
mod scanning;
mod set;
