//! Append-only files: whole records, or none.
#![no_main]

#[path = "../checks/aof_file.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
