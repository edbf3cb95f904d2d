//! What a table holds: owned thin pointers, and the two ways to look at one without taking it out.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::bucket::{ADDRESS, BORROWED, TAG};

/// An owned value that is one thin pointer, such as a block that holds a key and its value.
///
/// # Safety
/// - `into_raw` returns an address that is a multiple of 8 and below 2^48, unique among live items;
///   `from_raw` undoes it.
/// - `from_raw` may be called again while an earlier result exists, as long as all but one of them
///   are never dropped and no two are used by `&mut`. So a type built on `NonNull` qualifies, one
///   that wraps a `Box` (which claims to be unique) does not.
/// - The key of an item does not change while it is in a table.
pub unsafe trait Item: Sized {
    /// Gives up ownership.
    fn into_raw(self) -> NonNull<u8>;

    /// Takes ownership back.
    ///
    /// # Safety
    /// `raw` came from `into_raw` and is owned by nobody else; see the trait for the aliases that a
    /// table makes.
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;

    /// The bytes that are hashed and compared.
    fn key(&self) -> &[u8];
}

/// A shared look at an item that stays in the table.
pub struct Borrowed<'a, T> {
    item: ManuallyDrop<T>,
    table: PhantomData<&'a T>,
}

impl<T: Item> Borrowed<'_, T> {
    /// # Safety
    /// `word` is a slot of a live table that outlives the result, and the item is not changed
    /// meanwhile.
    ///
    /// # Panics
    /// When a [`BorrowedMut`] of the item was leaked: its pointer may be gone.
    #[inline]
    pub(crate) unsafe fn new(word: u64) -> Self {
        // SAFETY: a slot in use owns the item at its address; the alias is shared and never
        // dropped.
        let item = unsafe { T::from_raw(address(word)) };
        Self { item: ManuallyDrop::new(item), table: PhantomData }
    }
}

impl<T> Deref for Borrowed<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.item
    }
}

/// An exclusive look at an item that stays in the table. The item may be replaced or reallocated
/// through it (the key stays): the slot gets the new address on drop. Leaking it leaves the slot
/// marked, and the next use of the item panics.
pub struct BorrowedMut<'a, T: Item> {
    item: ManuallyDrop<T>,
    slot: &'a AtomicU64,
}

impl<'a, T: Item> BorrowedMut<'a, T> {
    /// # Safety
    /// `slot` is in use in a table that is exclusively borrowed for `'a`.
    #[inline]
    pub(crate) unsafe fn new(slot: &'a AtomicU64) -> Self {
        let word = slot.load(Relaxed);
        // SAFETY: the slot owns the item; the exclusive borrow of the table makes this alias the
        // only one.
        let item = unsafe { T::from_raw(address(word)) };
        slot.store(word | BORROWED, Relaxed);
        Self { item: ManuallyDrop::new(item), slot }
    }
}

impl<T: Item> Deref for BorrowedMut<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T: Item> DerefMut for BorrowedMut<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T: Item> Drop for BorrowedMut<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the item is taken once, here, and the guard is gone after it.
        let item = unsafe { ManuallyDrop::take(&mut self.item) };
        let tag = self.slot.load(Relaxed) & TAG;
        self.slot.store(tag | packed(item), Relaxed);
    }
}

/// The address of an item as the low bits of a slot.
#[inline]
pub(crate) fn packed<T: Item>(item: T) -> u64 {
    let raw = item.into_raw().as_ptr().expose_provenance() as u64;
    assert!(raw & !ADDRESS == 0, "an item's address is a multiple of 8 below 2^48");
    raw
}

/// The item's address in a slot that is in use.
#[inline]
pub(crate) fn address(word: u64) -> NonNull<u8> {
    assert!(word & BORROWED == 0, "an item is used after its exclusive borrow was leaked");
    let raw = std::ptr::with_exposed_provenance_mut::<u8>((word & ADDRESS) as usize);
    debug_assert!(!raw.is_null());
    // SAFETY: a slot in use holds the address of a `NonNull`; empty slots never get here.
    unsafe { NonNull::new_unchecked(raw) }
}
