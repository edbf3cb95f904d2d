//! Collections as a command sees them: views to read, and the guard through which they change.
//!
//! A small collection lives in its key's entry and is edited in a buffer of the record; a larger
//! one is edited where it is. Which of both it is, nobody outside can tell.

use crate::db::{locked, seen, value_of};
use crate::shard::Weight;
use crate::{
    Db, Entry, Event, ExpiryChange, KeyRef, NewValue, PACKED_INLINE_MAX, Value, WrongType,
};
use std::marker::PhantomData;
use table::Pos;
use types::{Any, Collection, Packed, View as _};

/// Whether a change took place, by the result of the verb that would have made it.
pub trait Verdict {
    fn changed(&self) -> bool;
}

impl Verdict for bool {
    fn changed(&self) -> bool {
        *self
    }
}

/// Something was done in any case.
impl Verdict for () {
    fn changed(&self) -> bool {
        true
    }
}

impl<T> Verdict for Option<T> {
    fn changed(&self) -> bool {
        self.is_some()
    }
}

impl<T> Verdict for Vec<T> {
    fn changed(&self) -> bool {
        !self.is_empty()
    }
}

macro_rules! count_verdicts {
    ($($number:ty)*) => {$(
        impl Verdict for $number {
            fn changed(&self) -> bool {
                *self != 0
            }
        }
    )*};
}
count_verdicts!(usize u32 u64 i64);

/// With an answer beside the verdict.
impl<V: Verdict, T> Verdict for (V, T) {
    fn changed(&self) -> bool {
        self.0.changed()
    }
}

/// An error changed nothing.
impl<V: Verdict, E> Verdict for Result<V, E> {
    fn changed(&self) -> bool {
        self.as_ref().is_ok_and(Verdict::changed)
    }
}

/// What a read sees: elements that have expired at `horizon_ms` are hidden, if the type's view can.
fn seen_at<T: Collection>(value: Value<'_>, horizon_ms: i64) -> Result<T::View<'_>, WrongType> {
    Ok(view_of::<T>(value)?.at(horizon_ms))
}

fn view_of<T: Collection>(value: Value<'_>) -> Result<T::View<'_>, WrongType> {
    match value {
        Value::Packed(Packed { of, form, bytes }) if of == T::TYPE => {
            Ok(T::view_packed(form, bytes))
        }
        Value::Boxed(any) => T::of(any).map(T::view).ok_or(WrongType),
        _ => Err(WrongType),
    }
}

impl<'a> Db<'a> {
    /// The collection at `key`. Counts and touches.
    #[inline]
    pub fn read<T: Collection>(
        &mut self,
        key: &KeyRef<'_>,
    ) -> Result<Option<T::View<'_>>, WrongType> {
        let horizon_ms = self.horizon_ms;
        self.get(key).map(|entry| seen_at::<T>(value_of(entry), horizon_ms)).transpose()
    }

    /// The collection at `key`, without counting or touching.
    pub fn peek_as<T: Collection>(
        &mut self,
        key: &KeyRef<'_>,
    ) -> Result<Option<T::View<'_>>, WrongType> {
        let horizon_ms = self.horizon_ms;
        self.peek(key).map(|entry| seen_at::<T>(value_of(entry), horizon_ms)).transpose()
    }

    /// The collections at several keys at once. Counts and touches.
    pub fn read_all<T: Collection>(
        &mut self,
        keys: &[KeyRef<'_>],
    ) -> Result<Vec<Option<T::View<'_>>>, WrongType> {
        for key in keys {
            self.get(key);
        }
        let this = &*self;
        keys.iter().map(|key| this.seen::<T>(key)).collect()
    }

    /// The live entry at `key`, as it stands, beside others: neither counts nor touches, nor notes
    /// what has expired.
    pub fn seen_entry(&self, key: &KeyRef<'_>) -> Option<table::Borrowed<'_, Entry>> {
        let db = seen(&self.held, key).databases.get(self.index as usize)?;
        let entry = db.table().get(db.table().find(key.hash(), key.bytes())?);
        (!entry.expired(self.horizon_ms)).then_some(entry)
    }

    /// The collection at `key`, beside others: neither counts nor touches.
    pub fn seen<T: Collection>(&self, key: &KeyRef<'_>) -> Result<Option<T::View<'_>>, WrongType> {
        let seen = |entry| seen_at::<T>(value_of(entry), self.horizon_ms);
        self.seen_entry(key).map(seen).transpose()
    }

    /// The collection at `key`, to be changed, if there is one.
    pub fn write<'g, T: Collection>(
        &'g mut self,
        key: &'g KeyRef<'_>,
    ) -> Result<Option<WriteGuard<'g, 'a, T>>, WrongType> {
        let guard = self.write_or_new::<T>(key)?;
        Ok(guard.exists().then_some(guard))
    }

    /// The collection at `key`, to be changed; an empty one if there is none, which becomes a key
    /// once something is in it.
    pub fn write_or_new<'g, T: Collection>(
        &'g mut self,
        key: &'g KeyRef<'_>,
    ) -> Result<WriteGuard<'g, 'a, T>, WrongType> {
        let (now_ms, clock, touch, random) = (self.now_ms, self.clock, self.touch, self.random);
        let (index, horizon_ms) = (self.index, self.horizon_ms);
        let mut at = None;
        if let Some(db) = locked(&mut self.held, key).databases.get_mut(index as usize)
            && let Some(found) = db.table().find(key.hash(), key.bytes())
        {
            let entry = db.table().get(found);
            if entry.expired(horizon_ms) {
                self.expire_now(index, key);
            } else {
                view_of::<T>(entry.value())?;
                let bits = entry.clock();
                if touch {
                    let touched = clock.touched(bits, now_ms, || random);
                    if touched != bits {
                        db.touch(found, touched);
                    }
                }
                at = Some(found);
            }
        }
        Ok(WriteGuard { db: self, key, at, of: PhantomData })
    }

    /// Puts a whole collection at `key`, without expiry, whatever was there before; an empty one
    /// deletes the key, by an event of its own. Returns whether anything changed.
    pub fn replace<T: Collection>(&mut self, key: &KeyRef<'_>, value: T, event: Event) -> bool {
        if value.view().is_empty() && !T::KEEPS_EMPTY {
            return self.delete(key, Event::DEL);
        }
        let mut block = Vec::new();
        self.put(key, NewValue::of_collection(value, &mut block), ExpiryChange::Clear, event);
        true
    }

    /// As [`WriteGuard::name_elements`].
    pub fn name_elements<'n>(
        &mut self,
        key: &KeyRef<'_>,
        event: Event,
        names: impl IntoIterator<Item = &'n [u8]>,
    ) {
        self.record.name_elements(key.bytes(), event, names);
    }
}

/// A collection that a command may change. What must surround a change is done here.
pub struct WriteGuard<'g, 'a, T> {
    pub(crate) db: &'g mut Db<'a>,
    pub(crate) key: &'g KeyRef<'g>,
    /// Where the entry is, if the key exists.
    pub(crate) at: Option<Pos>,
    of: PhantomData<T>,
}

impl<T: Collection> WriteGuard<'_, '_, T> {
    /// Whether the key exists.
    pub fn exists(&self) -> bool {
        self.at.is_some()
    }

    /// The collection as it is now.
    pub fn view(&self) -> T::View<'_> {
        let Some(at) = self.at else { return T::view_packed(EMPTY.0, EMPTY.1) };
        let db = &seen(&self.db.held, self.key).databases[self.db.index as usize];
        let Ok(view) = view_of::<T>(value_of(db.table().get(at))) else { changed_type() };
        view
    }

    /// Runs one verb; its result says if anything changed. A changed collection is told as `event`;
    /// one that became empty is deleted (streams stay).
    pub fn edit<R: Verdict>(&mut self, event: Event, verb: impl FnOnce(&mut T) -> R) -> R {
        self.edit_told(verb, |result, tell| {
            if result.changed() {
                tell(event);
            }
        })
    }

    /// As [`WriteGuard::edit`], for changes of which several events are told, or one that depends
    /// on the result: `events` tells each in turn; none means that nothing changed.
    pub fn edit_told<R>(
        &mut self,
        verb: impl FnOnce(&mut T) -> R,
        events: impl FnOnce(&R, &mut dyn FnMut(Event)),
    ) -> R {
        let (result, empty) = match self.at {
            Some(at) => self.edit_entry(at, verb),
            None => self.edit_new(verb),
        };
        let (index, key) = (self.db.index, self.key.bytes());
        let record = &mut *self.db.record;
        let shard = locked(&mut self.db.held, self.key);
        let mut changed = false;
        events(&result, &mut |event| {
            changed = true;
            record.note(shard, index, key, event);
        });
        if empty && changed && self.at.take().is_some() {
            self.delete_empty();
        }
        result
    }

    /// Names the elements that the last `event` of this key was of, for those who listen for them.
    pub fn name_elements<'n>(&mut self, event: Event, names: impl IntoIterator<Item = &'n [u8]>) {
        self.db.record.name_elements(self.key.bytes(), event, names);
    }

    /// Whether anybody listens for the names of elements.
    pub fn names_elements(&self) -> bool {
        self.db.record.naming
    }

    /// Lets a thread free what only this clone still holds: made before a removal, it takes what goes
    /// away along.
    pub fn dispose(&mut self, clone: T) {
        self.db.record.discard(Entry::new(
            b"",
            NewValue::Boxed(Box::new(clone.into_any())),
            None,
            0,
        ));
    }

    pub(crate) fn edit_entry<R>(&mut self, at: Pos, verb: impl FnOnce(&mut T) -> R) -> (R, bool) {
        let shard = locked(&mut self.db.held, self.key);
        let database = &mut shard.databases[self.db.index as usize];
        let mut entry = database.change(at.hash()).get_mut(at);
        // PERF: of an entry that points to its collection, only that changes as a rule.
        let (result, empty, old, new) = if let Some(any) = entry.boxed_mut() {
            let Some(value) = T::of_mut(any) else { changed_type() };
            let was = Weight::within(value);
            let (result, empty) = edit_value(value, verb);
            let is = Weight::within(value);
            if belongs_inline(value) {
                let whole = Weight::of(&entry);
                let bytes = whole.bytes - is.bytes + was.bytes;
                move_inline::<T>(&mut entry);
                let old = Weight { bytes, elements_expire: was.elements_expire, ..whole };
                (result, empty, old, Weight::of(&entry))
            } else {
                (result, empty, was, is)
            }
        } else {
            let old = Weight::of(&entry);
            let block = &mut self.db.record.block;
            let (result, empty) = edit_packed(&mut entry, block, verb);
            (result, empty, old, Weight::of(&entry))
        };
        drop(entry);
        if old != new {
            shard.account(self.db.index, Some(old), Some(new));
        }
        (result, empty)
    }

    fn edit_new<R>(&mut self, verb: impl FnOnce(&mut T) -> R) -> (R, bool) {
        let mut value = T::default();
        let result = verb(&mut value);
        if value.view().is_empty() && !T::KEEPS_EMPTY {
            return (result, true);
        }
        let (db, key) = (&mut *self.db, self.key);
        let mut block = Vec::new();
        let value = NewValue::of_collection(value, &mut block);
        let entry = Entry::new(key.bytes(), value, None, db.clock.fresh(db.now_ms));
        let shard = locked(&mut db.held, key);
        shard.add(db.index, key.hash(), entry, db.record);
        self.at = shard.databases[db.index as usize].table().find(key.hash(), key.bytes());
        db.record.created(db.index, key.bytes());
        (result, false)
    }

    fn delete_empty(&mut self) {
        let (db, key) = (&mut *self.db, self.key);
        let shard = locked(&mut db.held, key);
        if let Some(entry) = shard.take(db.index, key.hash(), key.bytes(), db.record) {
            db.record.discard(entry);
            db.record.note(shard, db.index, key.bytes(), Event::DEL);
        }
    }
}

/// What a collection that is not there looks like: every type reads no bytes as empty.
const EMPTY: (u8, &[u8]) = (0, &[]);

/// Runs the verb on the entry's collection. Returns whether it left it empty.
pub(crate) fn edit_in_place<T: Collection, R>(
    entry: &mut Entry,
    block: &mut Vec<u8>,
    verb: impl FnOnce(&mut T) -> R,
) -> (R, bool) {
    let Some(any) = entry.boxed_mut() else { return edit_packed(entry, block, verb) };
    let Some(value) = T::of_mut(any) else { changed_type() };
    let (result, empty) = edit_value(value, verb);
    if belongs_inline(value) {
        move_inline::<T>(entry);
    }
    (result, empty)
}

#[inline]
fn edit_value<T: Collection, R>(value: &mut T, verb: impl FnOnce(&mut T) -> R) -> (R, bool) {
    let result = verb(value);
    let empty = value.view().is_empty() && !T::KEEPS_EMPTY;
    (result, empty)
}

/// Whether a collection has become so small that its entry has room for it, and for some more: it does
/// not move back and forth.
#[inline]
fn belongs_inline<T: Collection>(value: &T) -> bool {
    value.as_packed().is_some_and(|(_, bytes)| bytes.len() <= PACKED_INLINE_MAX / 2)
}

/// Moves a collection from its own block into its entry.
fn move_inline<T: Collection>(entry: &mut Entry) {
    let (expiry, clock) = (entry.expiry(), entry.clock());
    let Some(value) = entry.boxed_mut().and_then(T::of_mut) else { changed_type() };
    let value = std::mem::take(value);
    let mut bytes = Vec::new();
    entry.set_value(NewValue::of_collection(value, &mut bytes), expiry, clock);
}

fn edit_packed<T: Collection, R>(
    entry: &mut Entry,
    block: &mut Vec<u8>,
    verb: impl FnOnce(&mut T) -> R,
) -> (R, bool) {
    let (expiry, clock) = (entry.expiry(), entry.clock());
    let Value::Packed(packed) = entry.value() else { changed_type() };
    block.clear();
    block.extend_from_slice(packed.bytes);
    let mut value = T::from_packed(packed.form, std::mem::take(block));
    let (result, empty) = edit_value(&mut value, verb);
    let value = NewValue::of_collection(value, block);
    entry.set_value(value, expiry, clock);
    (result, empty)
}

#[cold]
fn changed_type() -> ! {
    // The guard looked at the type under the same lock.
    panic!("a collection changed its type under its guard")
}

impl Value<'_> {
    /// The collection, carried away: O(1) if it is large. `None` if it is a string.
    pub fn to_any(&self) -> Option<Any> {
        match self {
            Self::Packed(packed) => packed.to_any(),
            Self::Boxed(any) => Some((*any).clone()),
            Self::Int(_) | Self::Inline(_) | Self::Shared(_) => None,
        }
    }
}
