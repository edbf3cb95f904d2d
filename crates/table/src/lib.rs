//! The hash table of the keyspace: one [`Table`] per shard and database.
//!
//! ```text
//!  hash, 64 bits:  [ shard | directory index ... | tag 16 | rest ]
//!                            `--- local depth ---'
//!
//!  View ──► directory: one word per prefix ──► segment, one allocation
//!           [ homes n 16 | address 42 | depth 6 ]    ┌──────────┐ line 0: header, owner only
//!                                                    │ bucket 0 │ a cache line of 8 slots
//!           slot: [ tag 16 | address of item 48 ]    │   ...    │ n home buckets
//!                 0 = empty                          │  spill   │ overflow of the last homes
//!                                                    └──────────┘
//! ```
//!
//! - An item's home is bucket `tag * n >> 16` of its segment: order preserving, any `n`. A full
//!   home spills into the buckets that follow; a search ends at the first bucket with an empty
//!   slot. Removal pulls items back, so there are no tombstones.
//! - A segment that is full is laid out anew in the allocator's next size class, from its tags
//!   alone. At [`SEGMENT_LINES_MAX`] lines it splits in two, the only step that reads items.
//!   Shrinking and merging are the reverse. The work of one operation is one segment, plus at times
//!   a copy of the directory, 8 bytes per segment: 128 KiB at ten million items, some 0.2 ms at
//!   10^5 segments, which is sixty million items in one table.
//! - SCAN walks hash space, not memory: a cursor stays good through any growth, shrinking, split or
//!   merge.
//! - Other threads may prefetch through a [`View`] while the owner changes the table. They read
//!   atomics only, in memory that the owner hands out as [`Retired`] instead of freeing it, and
//!   never touch an item.
//!
//! INVARIANTS (checked by `Table::check` in tests): the slots in use of a bucket are a prefix of
//! it; between the home of an item and its bucket all buckets are full; the last slot of a segment
//! is empty, so a search needs no bound; a segment of depth `d` fills the `2^(D - d)` directory
//! entries of its prefix.
//!
//! Hashes that collide on purpose cost time, not correctness: a directory that would grow out of
//! proportion makes segments grow beyond their usual maximum instead. The table knows no clock, no
//! expiry and no keys beyond comparing them.

#![allow(
    unsafe_code,
    reason = "packed words, prefetch without a lock; each block carries its proof"
)]

mod bucket;
mod directory;
mod drain;
mod item;
mod resize;
mod scan;
mod segment;
mod table;
mod view;

#[cfg(test)]
mod tests;

pub use drain::Drain;
pub use item::{Borrowed, BorrowedMut, Item};
pub use scan::{CURSOR_BITS, Iter};
pub use segment::SEGMENT_LINES_MAX;
pub use table::{Pos, SHARD_BITS_MAX, Table};
pub use view::{Retired, View};
