//! The test kit: a whole server in one value, without sockets, threads and clocks; the runner that
//! makes a command's test a test of sharding, replication and the AOF as well; and the generator
//! that derives requests from the command table.
//!
//! ```text
//!  check / transcript ──┐                                   ┌─ RESP2, RESP3
//!  docs/commands/*.md ──┼─► ways: one Node each, digests ───┼─ one shard, many shards
//!  generate, stateful ──┘                                   └─ the journal, replayed
//! ```
//!
//! **The journal's bytes are data: a replay knows no clock.** A node that replays stands at the
//! moment 0, where nothing has expired, as a replica does that waits for its primary's DEL.

mod check;
pub mod client;
pub mod generate;
mod host;
pub mod linear;
mod node;
mod snapshot;
pub mod stateful;
mod transcript;

pub use check::{Way, check, run_ways};
pub use node::{Fault, Hand, Node, Options, START_MS, framed};
pub use snapshot::{Entry, Snapshot};
pub use transcript::{Pages, Step, Transcript, blocks, matches, to_resp2, words};
