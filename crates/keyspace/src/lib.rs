//! The keyspace: shards of tables under two-level locks, and the one choke point through which
//! every key is created, changed, deleted, expired or moved.
//!
//! ```text
//!  Keyspace ── Shards<Shard> ── Shard ── Database (per SELECT index) ── Table<Entry>
//!     │            └ lock::{one, many, all}
//!     └ views (atomics that a prefetch reads without a lock), sizes (DBSIZE without a lock)
//! ```
//!
//! Invariants. A handler reaches a key only by a [`KeyRef`], which RESOLVE minted, and only while
//! its shard is locked. **No read deletes**: a read filters what has expired and notes it; the
//! engine deletes it afterwards through the log, under the same lock. **There is no other source
//! of change than [`Db`]'s methods in `mutate.rs`** and the expiry cycle, which uses them.

#![allow(unsafe_code, reason = "one-block entries and prefetching by raw address")]

mod clock;
mod collection;
mod db;
mod elements;
mod entry;
mod event;
mod evict;
mod expire;
mod interest;
mod jobs;
mod key;
mod load;
mod mutate;
pub mod persist;
mod reach;
mod record;
mod shard;
mod snapshot;
mod space;
#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
mod undo;
mod waiters;
mod watchers;

pub use clock::AccessClock;
pub use collection::{Verdict, WriteGuard};
pub use db::{Db, HeldShards, Str};
pub use elements::ExpiredElements;
pub use entry::{Entry, NewValue, PACKED_INLINE_MAX, SHARED_MIN, Shared, Value, next_tag};
pub use event::{Event, EventClass, Extent};
pub use evict::{Candidate, EvictionPolicy, Evictor, Rank, Search};
pub use expire::{Gone, Swept};
pub use jobs::DueJob;
pub use key::KeyRef;
pub use mutate::ExpiryChange;
pub use rdb::Dialect;
pub use reach::Stalled;
pub use record::{Change, Garbage, Record, Stale};
pub use shard::{Database, Hasher, Shard, Table};
pub use snapshot::{Busy, Helper, Prepared, Snapshot, SnapshotOptions, Totals};
pub use space::{
    Disposal, HeldAll, HeldAsMet, HeldMany, Keyspace, Position, Sampler, ScanFilter, Size,
};
pub use undo::Undo;
pub use waiters::{KeyPlace, ReadyKey, Waiter, missing_shards};
pub use watchers::{Watch, WatchedKey};

/// The key holds another type than the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;
