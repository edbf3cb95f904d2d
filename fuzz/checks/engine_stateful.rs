//! What must hold for every list of requests. Shared by the fuzz target and the test that replays
//! its corpus. The bytes are the choices of the request generator.

use testkit::generate::Choices;
use testkit::stateful;

pub(crate) fn check(data: &[u8]) {
    stateful::run(&mut Choices::of_bytes(data));
}
