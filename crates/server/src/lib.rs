//! The server: reads the configuration, wires engine, workers and listeners together, and answers
//! for the node.
//!
//! ```text
//!  main thread: start ─► accept loops, cron, signals ─► shutdown
//!  worker threads: net::Pool       disposal thread: frees what is large
//!  threads that load and save: persistence
//! ```

mod accept;
mod apply;
mod crash_report;
mod cron;
mod disposal;
mod info;
mod jobs;
mod migrate;
mod node;
mod persistence;
mod promises;
mod replication;
mod samples;
mod settings;
mod start;

pub use node::Server;
pub use start::run;
