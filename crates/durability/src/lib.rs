//! Data that survives: snapshot files, the append-only file, and the feed of replicas.
//!
//! State machines over a [`disk::Disk`], the engine and `now`: no thread, no clock, no Tokio. The server
//! drives their steps from threads of its own, tests drive them on a disk in memory that crashes.

pub mod aof;
pub mod rdb_file;
pub mod replica_feed;
