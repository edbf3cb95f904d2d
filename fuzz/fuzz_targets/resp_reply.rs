//! Replies: what is read can be written, and is the same when read again.
#![no_main]

#[path = "../checks/resp_reply.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
