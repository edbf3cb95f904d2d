//! RESP2 and RESP3: bytes in, bytes out.
//!
//! ```text
//!   client ──bytes──> Requests::parse ──Request{args}──> handler ──words──> Reply ──bytes──> Out
//!   tools, tests, scripts  <── Value <── parse_reply <──────────────────────────────────────┘
//! ```
//!
//! - [`Requests`] finds the whole requests of a read buffer, without copying; [`Progress`] is what a
//!   connection keeps of the one request that has not arrived whole.
//! - [`Reply`] is the only writer of replies. It alone knows which version of the protocol a client
//!   speaks.
//! - [`Out`] is what a connection has still to send: small bytes in one vector, large values by
//!   reference.
//! - [`parse_reply`] reads a reply back as a [`Value`].
//!
//! The format is that of <https://redis.io/docs/latest/develop/reference/protocol-spec/>; limits,
//! leniency and error texts of the request parser are those of Redis 8.0 and Valkey 8.1.
//! Nothing here does I/O, reads a clock or knows a command.

mod error;
mod out;
mod reply;
mod request;
mod value;

pub use error::{Foreign, ProtocolError};
pub use out::{Chunk, Out, SHARED_BYTES_MIN};
pub use reply::{Deferred, Mark, Protocol, Reply};
pub use request::{
    Args, Limits, Parsed, Progress, Request, Requests, Stop, split_line, write_command,
};
pub use value::{ReplyError, Value, parse_reply};
