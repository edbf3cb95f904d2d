//! Payloads of RESTORE on a whole node: refused, or a value that works.
#![no_main]

#[path = "../checks/restore.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
