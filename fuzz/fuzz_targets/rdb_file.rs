//! Snapshot files: refused, or loaded in the same way however they are read.
#![no_main]

#[path = "../checks/rdb_file.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
