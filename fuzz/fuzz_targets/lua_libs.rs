//! Any bytes for the libraries of scripts.
#![no_main]

#[path = "../checks/lua_libs.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
