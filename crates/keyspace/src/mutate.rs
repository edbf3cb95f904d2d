//! The choke point: every way in which a key comes to be, changes, moves or goes.
//!
//! Each method here does, in one place: the change to the table, the account of bytes and
//! expiries, the note for those who watch or listen, and the hand-over of large garbage.

use crate::db::{Held, locked, not_held};
use crate::shard::Weight;
use crate::{Db, Entry, Event, EventClass, Garbage, KeyRef, NewValue, Record, Shard, Stale, Value};
use lock::ShardId;

/// What a write does to a key's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryChange {
    /// Stays as it is.
    Keep,
    /// The key lives for ever.
    Clear,
    /// At this many milliseconds since 1970.
    At(i64),
}

impl ExpiryChange {
    fn apply(self, old: Option<i64>) -> Option<i64> {
        match self {
            Self::Keep => old,
            Self::Clear => None,
            Self::At(ms) => Some(ms),
        }
    }
}

impl Shard {
    /// Puts `entry` where no entry with its key is.
    pub(crate) fn add(&mut self, index: u32, hash: u64, entry: Entry, record: &mut Record) {
        self.account(index, None, Some(Weight::of(&entry)));
        self.job_moves(index, entry.key(), None, entry.job_due());
        let table = self.database_mut(index).change(hash);
        table.insert(hash, entry);
        if table.has_retired() {
            record.garbage.push(Garbage::Memory(table.take_retired()));
        }
        let table_bytes = table.memory_bytes();
        self.account_table(index, table_bytes);
    }

    /// Puts an entry of a file where its key belongs, in the place of what is there if `replace`.
    /// Else it comes back, and what is there stays. No event: nobody is served yet, or the whole
    /// data set changes at once.
    pub(crate) fn load(
        &mut self,
        index: u32,
        hash: u64,
        entry: Entry,
        replace: bool,
        record: &mut Record,
    ) -> Result<(), Entry> {
        let table = self.database_mut(index).table();
        if table.find(hash, entry.key()).is_some() {
            if !replace {
                return Err(entry);
            }
            let old = self.take(index, hash, entry.key(), record);
            old.into_iter().for_each(|old| record.discard(old));
        }
        self.add(index, hash, entry, record);
        Ok(())
    }

    /// Takes the entry away.
    pub(crate) fn take(
        &mut self,
        index: u32,
        hash: u64,
        key: &[u8],
        record: &mut Record,
    ) -> Option<Entry> {
        let database = self.databases.get_mut(index as usize)?;
        let at = database.table().find(hash, key)?;
        let table = database.change(hash);
        let entry = table.remove(at);
        if table.has_retired() {
            record.garbage.push(Garbage::Memory(table.take_retired()));
        }
        let table_bytes = table.memory_bytes();
        self.account_table(index, table_bytes);
        self.account(index, Some(Weight::of(&entry)), None);
        self.job_moves(index, key, entry.job_due(), None);
        Some(entry)
    }

    /// Replaces the entry of `key` by what `change` makes of it. `None` if there is no such key.
    #[inline]
    fn alter(
        &mut self,
        index: u32,
        hash: u64,
        key: &[u8],
        change: impl FnOnce(&mut Entry),
    ) -> Option<()> {
        let database = self.databases.get_mut(index as usize)?;
        let at = database.table().find(hash, key)?;
        let mut entry = database.change(hash).get_mut(at);
        let (old, was_due) = (Weight::of(&entry), entry.job_due());
        change(&mut entry);
        let (new, due) = (Weight::of(&entry), entry.job_due());
        drop(entry);
        self.job_moves(index, key, was_due, due);
        if old != new {
            self.account(index, Some(old), Some(new));
        }
        Some(())
    }
}

impl Db<'_> {
    /// A write meets a key: if it has expired it is deleted first, for all to see.
    #[inline]
    pub fn purge(&mut self, key: &KeyRef<'_>) {
        self.purge_in(self.index, key);
    }

    fn purge_in(&mut self, index: u32, key: &KeyRef<'_>) {
        let horizon_ms = self.horizon_ms;
        let shard = self.shard(key);
        let gone = shard
            .database(index)
            .and_then(|db| db.table().find(key.hash(), key.bytes()).map(|at| db.table().get(at)))
            .is_some_and(|entry| entry.expired(horizon_ms));
        if gone {
            self.expire_now(index, key);
        }
    }

    pub(crate) fn expire_now(&mut self, index: u32, key: &KeyRef<'_>) {
        if let Some(undo) = &mut self.record.undo {
            undo.keep_gone(locked(&mut self.held, key), key);
        }
        if let Some(entry) =
            locked(&mut self.held, key).take(index, key.hash(), key.bytes(), self.record)
        {
            self.record.discard(entry);
            self.record.expired.push((index, key.bytes().to_vec()));
            self.record.note(locked(&mut self.held, key), index, key.bytes(), Event::EXPIRED);
        }
    }

    /// Sets the whole value, whatever was there before. A tag goes with it.
    #[inline]
    pub fn put(
        &mut self,
        key: &KeyRef<'_>,
        value: NewValue<'_>,
        expiry: ExpiryChange,
        event: Event,
    ) {
        self.put_with(key, value, expiry, event, |_| 0);
    }

    /// As [`Db::put`], of a string that was computed from the one before: its tag counts up. Says
    /// whether it has one.
    pub fn put_changed(
        &mut self,
        key: &KeyRef<'_>,
        value: NewValue<'_>,
        expiry: ExpiryChange,
        event: Event,
    ) -> bool {
        let mut tagged = false;
        self.put_with(key, value, expiry, event, |old| {
            let tag = old.tag_after();
            tagged = tag != 0;
            tag
        });
        tagged
    }

    /// `tag` says from the live entry before which tag the string has.
    #[inline]
    fn put_with(
        &mut self,
        key: &KeyRef<'_>,
        value: NewValue<'_>,
        expiry: ExpiryChange,
        event: Event,
        tag: impl FnOnce(&Entry) -> i64,
    ) {
        let (index, now_ms, clock, random) = (self.index, self.now_ms, self.clock, self.random);
        let (fresh, horizon_ms) = (clock.fresh(now_ms), self.horizon_ms);
        let shard = locked(&mut self.held, key);
        let mut value = Some(value);
        let mut expired = false;
        let (mut old, mut types) = (None, None);
        let found = shard.alter(index, key.hash(), key.bytes(), |entry| {
            let was = entry.expiry();
            expired = was.is_some_and(|at| at <= horizon_ms);
            let expiry = expiry.apply(was.filter(|_| !expired));
            let value = value.take().expect("alter runs its closure once");
            // What is large is freed later: this counts it once more.
            match entry.value() {
                Value::Shared(shared) => old = Some(Garbage::Bytes(shared.clone())),
                Value::Boxed(any) => old = Some(Garbage::Collection(any.clone())),
                Value::Int(_) | Value::Inline(_) | Value::Packed(_) => {}
            }
            // An overwrite is an access: under LFU the key keeps what it has earned.
            let clock =
                if expired { fresh } else { clock.touched(entry.clock(), now_ms, || random) };
            let old_type = entry.type_of();
            if expired {
                entry.set_pinned(false);
            }
            let tag = if expired { 0 } else { tag(entry) };
            entry.set_value(value, expiry, clock);
            if tag != 0 {
                entry.set_tag(tag);
            }
            types = Some((old_type, entry.type_of()));
        });
        if let Some(value) = value.take() {
            let entry = Entry::new(key.bytes(), value, expiry.apply(None), fresh);
            shard.add(index, key.hash(), entry, self.record);
        }
        self.record.garbage.extend(old);
        if expired {
            self.record.expired.push((index, key.bytes().to_vec()));
            self.record.note(shard, index, key.bytes(), Event::EXPIRED);
        }
        if found.is_none() || expired {
            self.record.created(index, key.bytes());
        } else if let Some((old, new)) = types
            && (expiry != ExpiryChange::Keep || event.name == "set")
        {
            // INCR and the like keep the expiry: they change a value rather than replace it.
            self.record.overwritten(index, key.bytes(), old != new);
        }
        self.record.note(shard, index, key.bytes(), event);
    }

    /// Replaces a live integer by what `change` makes of it, where it stands: one look-up, no
    /// allocation. `None`: the key holds no live integer, and nothing was done; an error of
    /// `change` leaves it as it was.
    #[inline]
    pub fn change_integer<E>(
        &mut self,
        key: &KeyRef<'_>,
        event: Event,
        change: impl FnOnce(i64) -> Result<i64, E>,
    ) -> Option<Result<i64, E>> {
        let (index, now_ms, horizon_ms) = (self.index, self.now_ms, self.horizon_ms);
        let (clock, random) = (self.clock, self.random);
        let shard = locked(&mut self.held, key);
        let database = shard.databases.get_mut(index as usize)?;
        let at = database.table().find(key.hash(), key.bytes())?;
        let entry = database.table().get(at);
        let Value::Int(old) = entry.value() else { return None };
        if entry.expired(horizon_ms) {
            return None;
        }
        let new = match change(old) {
            Ok(new) => new,
            Err(error) => return Some(Err(error)),
        };
        let mut entry = database.change(key.hash()).get_mut(at);
        let (expiry, bits, tag) = (entry.expiry(), entry.clock(), entry.tag_after());
        // An integer takes the place of an integer, so the account of bytes stays.
        entry.set_value(NewValue::Int(new), expiry, clock.touched(bits, now_ms, || random));
        if tag != 0 {
            entry.set_tag(tag);
        }
        drop(entry);
        self.record.note(shard, index, key.bytes(), event);
        Some(Ok(new))
    }

    /// Sets the access bits of a key: no change of data.
    pub(crate) fn set_clock(&mut self, key: &KeyRef<'_>, bits: u32) {
        let index = self.index;
        locked(&mut self.held, key).stamp(index, key.bytes(), bits);
    }

    /// A further event of a change that was made already: SET with EX is `set` and `expire`.
    pub fn note(&mut self, key: &KeyRef<'_>, event: Event) {
        self.record.note(locked(&mut self.held, key), self.index, key.bytes(), event);
    }

    /// Adds bytes at the end, making the key if it is not there; returns the new length.
    pub fn append(&mut self, key: &KeyRef<'_>, tail: &[u8], event: Event) -> usize {
        // No bytes make no other version.
        let tag = if tail.is_empty() { self.tag(key) } else { 0 };
        let len = self.edit(key, event, |bytes| {
            bytes.extend_from_slice(tail);
        });
        if tag != 0 {
            self.set_tag(key, tag);
        }
        len
    }

    /// Gives the string that a command has just put at `key` a tag; 0: none.
    pub fn set_tag(&mut self, key: &KeyRef<'_>, tag: i64) {
        let index = self.index;
        self.shard(key).alter(index, key.hash(), key.bytes(), |entry| entry.set_tag(tag));
    }

    /// Writes `bytes` at `offset`, with zeros before it as needed; returns the new length.
    pub fn set_range(
        &mut self,
        key: &KeyRef<'_>,
        offset: usize,
        bytes: &[u8],
        event: Event,
    ) -> usize {
        let end = offset + bytes.len();
        self.edit(key, event, |value| {
            if value.len() < end {
                value.resize(end, 0);
            }
            value[offset..end].copy_from_slice(bytes);
        })
    }

    /// Edits the bytes of a string, made empty first if the key is not there; keeps the expiry.
    /// Long strings are edited where they stand. A tag counts up. Returns the length after.
    pub fn edit(
        &mut self,
        key: &KeyRef<'_>,
        event: Event,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        self.purge(key);
        let (index, now_ms, clock, random) = (self.index, self.now_ms, self.clock, self.random);
        let fresh = clock.fresh(now_ms);
        let mut change = Some(change);
        let mut len = 0;
        let shard = locked(&mut self.held, key);
        let found = shard.alter(index, key.hash(), key.bytes(), |entry| {
            let Some(change) = change.take() else { return };
            let tag = entry.tag_after();
            if let Some(bytes) = entry.shared_mut() {
                change(bytes);
                len = bytes.len();
                entry.set_clock(clock.touched(entry.clock(), now_ms, || random));
            } else {
                let mut bytes = Vec::new();
                match entry.value() {
                    Value::Int(number) => stdx::num::write_i64(&mut bytes, number),
                    Value::Inline(inline) => bytes.extend_from_slice(inline),
                    Value::Shared(_) | Value::Packed(_) | Value::Boxed(_) => {}
                }
                change(&mut bytes);
                len = bytes.len();
                let clock = clock.touched(entry.clock(), now_ms, || random);
                entry.set_value(NewValue::of_vec(&mut bytes), entry.expiry(), clock);
            }
            entry.set_tag(tag);
            entry.set_raw();
        });
        if let (None, Some(change)) = (found, change.take()) {
            let mut bytes = Vec::new();
            change(&mut bytes);
            len = bytes.len();
            let mut entry = Entry::new(key.bytes(), NewValue::of_vec(&mut bytes), None, fresh);
            entry.set_raw();
            shard.add(index, key.hash(), entry, self.record);
            self.record.created(index, key.bytes());
        }
        self.record.note(locked(&mut self.held, key), index, key.bytes(), event);
        len
    }

    /// Edits the bytes of a live string where they stand; their number stays. An integer becomes
    /// text. `change` says whether it changed any: only then is `event` told, and a tag counts up if
    /// it is one that is told to all. Returns what it said.
    pub fn patch(
        &mut self,
        key: &KeyRef<'_>,
        event: Event,
        change: impl FnOnce(&mut [u8]) -> bool,
    ) -> bool {
        let (index, now_ms, clock, random) = (self.index, self.now_ms, self.clock, self.random);
        let mut changed = false;
        let shard = locked(&mut self.held, key);
        shard.alter(index, key.hash(), key.bytes(), |entry| {
            let bits = clock.touched(entry.clock(), now_ms, || random);
            let (tag, next) = (entry.tag(), entry.tag_after());
            if let Value::Int(number) = entry.value() {
                let mut text = Vec::with_capacity(stdx::num::I64_TEXT_MAX);
                stdx::num::write_i64(&mut text, number);
                changed = change(&mut text);
                entry.set_value(NewValue::Bytes(&text), entry.expiry(), bits);
            } else if let Some(bytes) = entry.inline_mut() {
                changed = change(bytes);
            } else if let Some(bytes) = entry.shared_mut() {
                changed = change(bytes);
            } else {
                return;
            }
            entry.set_tag(if changed && event.class != EventClass::Silent { next } else { tag });
            entry.set_raw();
            entry.set_clock(bits);
        });
        if changed {
            self.record.note(shard, index, key.bytes(), event);
        }
        changed
    }

    /// Deletes the key; `false` if it was not there.
    pub fn delete(&mut self, key: &KeyRef<'_>, event: Event) -> bool {
        self.purge(key);
        let index = self.index;
        let Some(entry) =
            locked(&mut self.held, key).take(index, key.hash(), key.bytes(), self.record)
        else {
            return false;
        };
        self.record.discard(entry);
        self.record.note(locked(&mut self.held, key), index, key.bytes(), event);
        true
    }

    /// Changes when the key expires; `false` if there is no such key.
    pub fn set_expiry(&mut self, key: &KeyRef<'_>, expiry: Option<i64>, event: Event) -> bool {
        self.purge(key);
        let index = self.index;
        let shard = self.shard(key);
        let found =
            shard.alter(index, key.hash(), key.bytes(), |entry| entry.set_expiry(expiry)).is_some();
        if found {
            self.record.note(locked(&mut self.held, key), index, key.bytes(), event);
        }
        found
    }

    /// Lets a key be evicted no more; `false` if it is not there, or was pinned before.
    pub fn pin(&mut self, key: &KeyRef<'_>) -> bool {
        self.purge(key);
        if self.peek(key).is_none_or(|entry| entry.is_pinned()) {
            return false;
        }
        let index = self.index;
        let shard = locked(&mut self.held, key);
        shard.alter(index, key.hash(), key.bytes(), |entry| entry.set_pinned(true));
        self.record.note(shard, index, key.bytes(), Event::SILENT);
        true
    }

    /// Gives the value of `source` the name `target`, whose old value goes. The caller knows that
    /// `source` lives. Its tag stays behind: under the other name it may have stood for another value.
    pub fn rename(&mut self, source: &KeyRef<'_>, target: &KeyRef<'_>) {
        let index = self.index;
        self.purge(target);
        let Some(entry) =
            locked(&mut self.held, source).take(index, source.hash(), source.bytes(), self.record)
        else {
            return;
        };
        let old =
            locked(&mut self.held, target).take(index, target.hash(), target.bytes(), self.record);
        let retyped = old.map(|old| self.record.replaced(old, entry.type_of()));
        let mut entry = entry.with_key(target.bytes());
        entry.set_tag(0);
        locked(&mut self.held, target).add(index, target.hash(), entry, self.record);
        self.record.created(index, target.bytes());
        self.record.note(
            locked(&mut self.held, source),
            index,
            source.bytes(),
            Event::generic("rename_from"),
        );
        self.record.note(
            locked(&mut self.held, target),
            index,
            target.bytes(),
            Event::generic("rename_to"),
        );
        if let Some(retyped) = retyped {
            self.record.overwritten(index, target.bytes(), retyped);
        }
    }

    /// Copies `source` to `target` in database `target_db`, whose old value goes; the value of a
    /// long string is shared. The caller knows that `source` lives.
    pub fn copy(&mut self, source: &KeyRef<'_>, target: &KeyRef<'_>, target_db: u32) {
        self.purge_in(target_db, target);
        let Some(entry) = self.peek(source).map(|entry| entry.copied(target.bytes())) else {
            return;
        };
        let old = locked(&mut self.held, target).take(
            target_db,
            target.hash(),
            target.bytes(),
            self.record,
        );
        let retyped = old.map(|old| self.record.replaced(old, entry.type_of()));
        locked(&mut self.held, target).add(target_db, target.hash(), entry, self.record);
        self.record.created(target_db, target.bytes());
        self.record.note(
            locked(&mut self.held, target),
            target_db,
            target.bytes(),
            Event::generic("copy_to"),
        );
        if let Some(retyped) = retyped {
            self.record.overwritten(target_db, target.bytes(), retyped);
        }
    }

    /// Moves the key to another database; `false` if it is not here or already there.
    pub fn move_to(&mut self, key: &KeyRef<'_>, target_db: u32) -> bool {
        self.purge(key);
        self.purge_in(target_db, key);
        if self.peek_in(target_db, key).is_some() {
            return false;
        }
        let index = self.index;
        let Some(entry) =
            locked(&mut self.held, key).take(index, key.hash(), key.bytes(), self.record)
        else {
            return false;
        };
        locked(&mut self.held, key).add(target_db, key.hash(), entry, self.record);
        self.record.created(target_db, key.bytes());
        self.record.note(
            locked(&mut self.held, key),
            index,
            key.bytes(),
            Event::generic("move_from"),
        );
        self.record.note(
            locked(&mut self.held, key),
            target_db,
            key.bytes(),
            Event::generic("move_to"),
        );
        true
    }

    /// Empties one database, or all. Every shard is held. The old tables are freed elsewhere.
    /// Returns how many keys went.
    pub fn flush(&mut self, which: Option<u32>) -> u64 {
        self.touch_flushed(which);
        let Held::Many(shards) = &mut self.held else { not_held() };
        let record = &mut *self.record;
        let mut keys = 0;
        shards.each(&mut |shard| {
            for index in 0..shard.databases.len() {
                let chosen = which.is_none_or(|only| only as usize == index);
                if chosen && !shard.databases[index].is_empty() {
                    keys += shard.databases[index].len() as u64;
                    record.garbage.extend(shard.empty(index));
                }
            }
        });
        self.record.changes += 1;
        self.record.flushed = true;
        keys
    }

    /// Exchanges two databases. Every shard is held.
    pub fn swap(&mut self, first: u32, second: u32) {
        self.touch_swapped(first, second);
        let Held::Many(shards) = &mut self.held else { not_held() };
        shards.each(&mut |shard| shard.swap(first, second));
        self.record.changes += 1;
        self.record.flushed = true;
    }

    /// Deletes what this command's reads found expired, for all to see. The engine calls it after
    /// the handler, with the locks still held.
    pub fn expire_stale(&mut self, mint: impl Fn(&[u8]) -> (u64, ShardId)) {
        for Stale { db, key, missed } in std::mem::take(&mut self.record.stale) {
            let (hash, shard) = mint(&key);
            self.purge_in(db, &KeyRef::new(&key, hash, shard, 0));
            if missed {
                self.record.aside(db, &key, Event::KEY_MISS);
            }
        }
    }
}
