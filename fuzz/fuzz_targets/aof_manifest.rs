//! Manifests: understood, and understood again.
#![no_main]

#[path = "../checks/aof_manifest.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
