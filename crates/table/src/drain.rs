//! Taking a table apart in pieces.

use std::marker::PhantomData;

use crate::bucket::{BORROWED, SLOTS};
use crate::directory::Directory;
use crate::item::{Item, address};
use crate::segment::Segment;
use crate::view::Retired;

/// The items of a table that is no more, in order of hash. Frees each segment when it leaves it;
/// dropping it drops the rest.
pub struct Drain<T: Item> {
    directory: Directory,
    /// Directory index of `segment`, which is entered and not yet freed.
    directory_idx: usize,
    segment: Option<Segment>,
    /// Next slot, counted over all buckets of the segment.
    slot: usize,
    items: PhantomData<T>,
}

impl<T: Item> Drain<T> {
    /// Takes ownership of a directory, its segments and their items.
    pub(crate) fn new(directory: Directory) -> Self {
        Self { directory, directory_idx: 0, segment: None, slot: 0, items: PhantomData }
    }

    /// Frees the current segment and enters the next; after the last one frees the directory.
    fn advance(&mut self) -> Option<Segment> {
        if self.directory.is_none() {
            return None;
        }
        if let Some(done) = self.segment.take() {
            self.directory_idx += self.directory.span(done);
            // SAFETY: the segment is owned, no word of it is left to read, and the index has moved
            // past it.
            drop(unsafe { Retired::new(done.allocation()) });
        }
        if self.directory_idx == self.directory.len() {
            // SAFETY: the directory is owned, and forgotten here.
            drop(unsafe { Retired::new(self.directory.allocation()) });
            self.directory = Directory::NONE;
            return None;
        }
        self.slot = 0;
        self.segment = Some(self.directory.segment(self.directory_idx));
        self.segment
    }
}

impl<T: Item> Iterator for Drain<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let mut segment = match self.segment {
            Some(segment) => segment,
            None => self.advance()?,
        };
        loop {
            while self.slot < segment.buckets() * SLOTS {
                // SAFETY: the loop's condition keeps the bucket inside the segment.
                let bucket = unsafe { segment.bucket(self.slot / SLOTS) };
                let word = bucket.word(self.slot % SLOTS);
                if word == 0 {
                    // Used slots are a prefix of the bucket.
                    self.slot = (self.slot / SLOTS + 1) * SLOTS;
                    continue;
                }
                self.slot += 1;
                if word & BORROWED == 0 {
                    // SAFETY: the slot owned the item, and is passed only once.
                    return Some(unsafe { T::from_raw(address(word)) });
                }
            }
            segment = self.advance()?;
        }
    }
}

impl<T: Item> Drop for Drain<T> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}
