//! Requests: any cut of the stream gives the same requests.
#![no_main]

#[path = "../checks/resp_request.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
