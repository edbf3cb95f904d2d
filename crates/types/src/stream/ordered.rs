//! A persistent sorted map of small plain items: what pending entries are kept in. A clone is O(1).

use crate::tree::{Chunk, Edit, Tree};
use std::ops::Range;

/// Something with its key in it.
pub(super) trait Item: Copy {
    type Key: Copy + Ord + Default;
    fn key(&self) -> Self::Key;
}

/// A leaf: some KiB of items, sorted, one for each key.
#[derive(Clone, Debug)]
pub(super) struct Run<T>(Vec<T>);

impl<T> Default for Run<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Item> Run<T> {
    const ITEMS_MAX: usize = 64;
    const BYTES_MAX: usize = Self::ITEMS_MAX * size_of::<T>();

    fn place(&self, key: T::Key) -> Result<usize, usize> {
        // PERF: deliveries come in ascending order.
        match self.0.last() {
            Some(last) if last.key() < key => Err(self.0.len()),
            _ => self.0.binary_search_by(|item| item.key().cmp(&key)),
        }
    }
}

impl<T: Item> Chunk for Run<T> {
    type Key = T::Key;
    type Sum = ();

    fn len(&self) -> usize {
        self.0.len()
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<T>()
    }

    fn separator(_left: &Self, right: &Self) -> T::Key {
        right.0.first().map(T::key).unwrap_or_default()
    }

    fn remove(&mut self, range: Range<usize>) {
        self.0.drain(range);
    }

    fn append(&mut self, right: &Self) {
        self.0.extend_from_slice(&right.0);
    }
}

#[derive(Clone, Debug)]
pub(super) struct Ordered<T: Item>(Tree<Run<T>>);

impl<T: Item> Default for Ordered<T> {
    fn default() -> Self {
        Self(Tree::new())
    }
}

impl<T: Item> Ordered<T> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    pub(super) fn get(&self, key: T::Key) -> Option<T> {
        let run = self.0.chunk_by(|separator| *separator <= key)?.chunk;
        run.place(key).ok().map(|at| run.0[at])
    }

    /// Puts `item` in; answers the one it takes the place of.
    pub(super) fn insert(&mut self, item: T) -> Option<T> {
        let key = item.key();
        self.0.edit_by(
            |separator| *separator <= key,
            |edit| match edit.chunk().place(key) {
                Ok(at) => Some(std::mem::replace(&mut edit.chunk_mut().0[at], item)),
                Err(at) => {
                    Self::add(edit, at, item);
                    None
                }
            },
        )
    }

    /// Puts items in that are in ascending order; tells of those whose place they take.
    // PERF: one way down the tree for all that go to the same chunk (`XREADGROUP` of 100,000 entries).
    pub(super) fn insert_all(&mut self, items: &[T], mut replaced: impl FnMut(T)) {
        let mut left = items;
        while let Some(key) = left.first().map(T::key) {
            let done = self.0.edit_by(
                |separator| *separator <= key,
                |edit| Self::put_some(edit, left, &mut replaced),
            );
            left = &left[done..];
        }
    }

    /// Puts in the first of `items` and those after it that belong to the same chunk, and fit. Returns how
    /// many.
    fn put_some(edit: &mut Edit<'_, Run<T>>, items: &[T], replaced: &mut impl FnMut(T)) -> usize {
        for (done, item) in items.iter().enumerate() {
            let len = edit.chunk().0.len();
            match edit.chunk().place(item.key()) {
                Ok(at) => replaced(std::mem::replace(&mut edit.chunk_mut().0[at], *item)),
                // What comes behind its last item may belong to the next chunk.
                Err(at) if len < Run::<T>::ITEMS_MAX && (done == 0 || at < len || edit.is_last) => {
                    edit.chunk_mut().0.insert(at, *item);
                }
                Err(at) if done == 0 => {
                    Self::add(edit, at, *item);
                    return 1;
                }
                Err(_) => return done,
            }
        }
        items.len()
    }

    fn add(edit: &mut Edit<'_, Run<T>>, at: usize, item: T) {
        let len = edit.chunk().0.len();
        if len < Run::<T>::ITEMS_MAX {
            edit.chunk_mut().0.insert(at, item);
        } else if at == len && edit.is_last {
            edit.put_after(Run(vec![item]));
        } else {
            let run = edit.chunk_mut();
            let mut right = run.0.split_off(len / 2);
            match at.checked_sub(run.0.len()) {
                Some(at) => right.insert(at, item),
                None => run.0.insert(at, item),
            }
            edit.put_after(Run(right));
        }
    }

    pub(super) fn remove(&mut self, key: T::Key) -> Option<T> {
        self.get(key)?; // A look does not copy shared chunks.
        self.0.edit_by(
            |separator| *separator <= key,
            |edit| {
                let at = edit.chunk().place(key).ok()?;
                let run = &mut edit.chunk_mut().0;
                let item = run.remove(at);
                if run.len() < Run::<T>::ITEMS_MAX / 4 {
                    run.shrink_to(Run::<T>::ITEMS_MAX / 4);
                    edit.join_bytes = Run::<T>::BYTES_MAX;
                }
                Some(item)
            },
        )
    }

    /// Removes the items of these keys, which are in ascending order.
    pub(super) fn remove_all(&mut self, keys: &[T::Key]) {
        let mut left = keys;
        while let Some(key) = left.first() {
            let done = self.0.edit_by(
                |separator| separator <= key,
                |edit| {
                    let mut done = 0;
                    while let Some(key) = left.get(done)
                        && let Ok(at) = edit.chunk().place(*key)
                    {
                        edit.chunk_mut().0.remove(at);
                        done += 1;
                    }
                    if done > 0 && edit.chunk().0.len() < Run::<T>::ITEMS_MAX / 4 {
                        edit.chunk_mut().0.shrink_to(Run::<T>::ITEMS_MAX / 4);
                        edit.join_bytes = Run::<T>::BYTES_MAX;
                    }
                    done.max(1)
                },
            );
            left = &left[done..];
        }
    }

    /// For many that are close to each other.
    pub(super) fn finder(&self) -> Finder<'_, T> {
        Finder { all: self, run: &[] }
    }

    pub(super) fn first(&self) -> Option<T> {
        self.0.first()?.0.first().copied()
    }

    pub(super) fn last(&self) -> Option<T> {
        self.0.last()?.0.last().copied()
    }

    /// How many items are below `key`.
    pub(super) fn len_below(&self, key: T::Key) -> usize {
        self.0.chunk_by(|separator| *separator <= key).map_or(0, |spot| {
            let at = match spot.chunk.place(key) {
                Ok(at) | Err(at) => at,
            };
            spot.start + at
        })
    }

    /// Removes the first `len` items.
    pub(super) fn drop_first(&mut self, len: usize) {
        self.0.remove(0..len, Run::<T>::BYTES_MAX);
    }

    /// The items from `key` on, in order.
    pub(super) fn iter_from(&self, key: T::Key) -> impl Iterator<Item = T> + '_ {
        let start = self.len_below(key);
        let runs = self.0.range(start..usize::MAX);
        runs.flat_map(|(run, places)| run.0[places].iter().copied())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.iter_from(T::Key::default())
    }
}

/// Finds items; what is near the one before is found sooner.
pub(super) struct Finder<'a, T: Item> {
    all: &'a Ordered<T>,
    /// Where the last one was.
    run: &'a [T],
}

impl<T: Item> Finder<'_, T> {
    pub(super) fn get(&mut self, key: T::Key) -> Option<T> {
        let ends = self.run.first().zip(self.run.last());
        if !ends.is_some_and(|(first, last)| (first.key()..=last.key()).contains(&key)) {
            self.run = &self.all.0.find_by(|separator| *separator <= key)?.0;
        }
        let at = self.run.binary_search_by(|item| item.key().cmp(&key)).ok()?;
        self.run.get(at).copied()
    }
}
