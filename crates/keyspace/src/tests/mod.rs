//! Tests of the keyspace: blocks of memory, models, several threads.

mod elements;
mod entries;
mod eviction;
mod model;
mod overdue;
mod stress;
