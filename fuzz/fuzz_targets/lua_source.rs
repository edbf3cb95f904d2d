//! Any text as a script.
#![no_main]

#[path = "../checks/lua_source.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
