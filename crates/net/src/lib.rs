//! Connections: listeners, the worker threads that serve them, and the loop of one connection:
//! read, parse, serve, write, a batch at a time.
//!
//! ```text
//!  listener ─ accept ─► admission (maxclients, protected mode) ─► least busy worker's mailbox
//!  worker thread: Tokio current_thread + LocalSet, one task per connection, shared scratch
//! ```
//!
//! An idle connection keeps no buffer: it reads into its worker's, and keeps only a partial frame.

mod connection;
mod here;
mod line;
mod listen;
mod pool;
mod scratch;

pub use here::serve_others;
pub use listen::{Endpoint, Listeners, Unbound, bind_all, tune};
pub use pool::{Admission, Incoming, Pool, Transport};

#[cfg(test)]
mod tests;
