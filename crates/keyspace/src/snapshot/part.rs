//! One table's part in a snapshot, beside the table and under its shard's lock.

use super::cells::Cells;
use super::{Batch, Handed, Shared};
use crate::shard::Table;
use std::sync::Arc;

/// What a snapshot has of a table, which may be that of another database by now. An entry whose cell is not done is as it was at the cut, and the
/// snapshot has not got it; one whose cell is done, it has, if it was there at the cut.
pub(crate) struct Part {
    shared: Arc<Shared>,
    cells: Cells,
    /// The walk has got all cells before this one.
    next: u64,
    last_is_heavy: bool,
    /// Entries that changed since, as they were, on their way to the queue.
    kept: Batch,
}

/// Cells that the walk takes at once, where entries are small.
const STRIDE: u64 = 192;
/// Strides under one acquisition of the shard's lock.
const STRIDES_MAX: u32 = 4;

impl Part {
    pub(super) fn new(shared: Arc<Shared>, db: u32, cells: Cells) -> Self {
        shared.part_begins();
        Self { shared, cells, next: 0, last_is_heavy: false, kept: Batch::new(db) }
    }

    /// What is about to change has this hash: its cell is kept as it is.
    pub(crate) fn keep(&mut self, table: &Table, hash: u64) {
        let Some(positions) = self.cells.mark(table.position(hash)) else { return };
        let kept = &mut self.kept;
        table.visit_between(positions, self.cells.bits(), |_| true, |entry| kept.add(entry));
        if kept.is_full() {
            self.shared.push(kept.take());
        }
    }

    /// A step of the walk: its entries go to the queue, with those that were kept. Returns whether
    /// there is more.
    pub(super) fn walk(&mut self, table: &Table) -> bool {
        let mut batch = self.kept.take();
        for _ in 0..STRIDES_MAX {
            if self.next == self.cells.len() || batch.is_full() {
                break;
            }
            // Neighbors of what is large are large, most likely.
            let stride = if self.last_is_heavy { 1 } else { STRIDE };
            let marked = self.cells.mark_from(self.next, stride);
            self.next = marked.end();
            if !marked.is_old() {
                let is_new = |position| marked.is_new(position);
                let (positions, bits) = (marked.positions(), self.cells.bits());
                table.visit_between(positions, bits, is_new, |entry| batch.add(entry));
            }
        }
        self.last_is_heavy = batch.is_heavy();
        self.shared.push(batch);
        self.next < self.cells.len()
    }

    /// The table goes from its shard, and its `bytes` from the account: the snapshot gets all of it.
    pub(crate) fn hand_over(self: Box<Self>, table: Box<Table>, bytes: u64) {
        let shared = Arc::clone(&self.shared);
        shared.hand_over(Handed { part: self, table, bytes });
        shared.part_ends();
    }

    /// It is not needed any more: it has got all, or nobody wants it.
    pub(super) fn end(self) {
        self.shared.part_ends();
    }
}
