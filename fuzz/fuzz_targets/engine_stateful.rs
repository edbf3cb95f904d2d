//! Requests on a whole node: no panic, one shard and many agree, the journal replays.
#![no_main]

#[path = "../checks/engine_stateful.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
