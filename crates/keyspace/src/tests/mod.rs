//! Tests of the keyspace: blocks of memory, models, several threads.

mod entries;
mod eviction;
mod model;
mod stress;
