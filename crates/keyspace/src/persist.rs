//! Keys in RDB form: one value for DUMP, all of them for a file, and back.
//!
//! What is written here is a whole data set under all locks, into memory or a sink. Snapshots that
//! stop nobody use the same [`save_entry`] under their own walk. The way back is a [`Loader`].

use crate::{AccessClock, Db, Entry, Event, ExpiryChange, HeldShards, KeyRef, NewValue, Value};
use rdb::Writer;
use rdb::file::{self, Header, Meta};
use types::persist::{Loaded, Saved, Saving};

pub use crate::load::{LoadCounts, LoadOptions, LoadOutcome, Loader, load_all};

/// What a file that we write says of its version: the oldest that all who load it know.
pub const FILE_VERSION: u16 = 11;

impl<'a> Value<'a> {
    /// The value as it is to be written.
    pub fn saved(&self) -> Saved<'_> {
        match self {
            Value::Int(number) => Saved::Int(*number),
            Value::Inline(bytes) => Saved::Text(bytes),
            Value::Shared(shared) => Saved::Text(shared.as_slice()),
            Value::Packed(packed) => Saved::Packed(*packed),
            Value::Boxed(any) => Saved::Any(any),
        }
    }
}

/// The value as one to be written in slices, if it is large: a count of it, not a copy.
pub(crate) fn large(value: &Value<'_>) -> Option<Saving> {
    match value {
        Value::Shared(shared) => Saving::of_text(shared),
        Value::Boxed(any) => Saving::of_any(any),
        Value::Int(_) | Value::Inline(_) | Value::Packed(_) => None,
    }
}

impl<'a> NewValue<'a> {
    /// A value that was read; `keep` is given the buffer to borrow it from.
    pub fn of_loaded(loaded: Loaded, keep: &'a mut Vec<u8>) -> Self {
        match loaded {
            Loaded::Any(any) => Self::of_any(any, keep),
            Loaded::Text(text) | Loaded::Tagged(text, _) => {
                *keep = text;
                match Self::detect_int(keep) {
                    Some(number) => Self::Int(number),
                    None => Self::of_vec(keep),
                }
            }
        }
    }

    fn detect_int(text: &[u8]) -> Option<i64> {
        (text.len() <= stdx::num::I64_TEXT_MAX).then(|| stdx::num::parse_i64(text)).flatten()
    }
}

impl Db<'_> {
    /// Puts a value that was read at `key`, whatever was there before. `clock` are the access bits
    /// that it brings along.
    pub fn restore(
        &mut self,
        key: &KeyRef<'_>,
        loaded: Loaded,
        expiry: Option<i64>,
        clock: Option<u32>,
        event: Event,
    ) {
        let (mut keep, tag) = (Vec::new(), loaded.tag());
        let value = NewValue::of_loaded(loaded, &mut keep);
        self.put(key, value, expiry.map_or(ExpiryChange::Clear, ExpiryChange::At), event);
        if tag != 0 {
            self.set_tag(key, tag);
        }
        if let Some(bits) = clock {
            self.set_clock(key, bits);
        }
    }
}

/// Writes one key: what stands before it, its type, its name, its value. `access` says which access
/// bits go with it, if any do.
pub fn save_entry(out: &mut Writer<'_>, entry: &Entry, access: Option<AccessClock>, now_ms: i64) {
    save_key(out, entry, access, now_ms);
    entry.value().saved().save(out);
}

/// Writes what stands before the value, a tag included.
pub(crate) fn save_key(
    out: &mut Writer<'_>,
    entry: &Entry,
    access: Option<AccessClock>,
    now_ms: i64,
) {
    let mut meta = Meta { expiry: entry.expiry(), pinned: entry.is_pinned(), ..Meta::default() };
    match access {
        None => {}
        Some(AccessClock::Lru | AccessClock::Lrm) => {
            let idle = AccessClock::idle_seconds(entry.clock(), now_ms);
            meta.idle_seconds = Some(u64::from(idle));
        }
        Some(clock @ AccessClock::Lfu { .. }) => {
            meta.frequency = u8::try_from(clock.frequency(entry.clock(), now_ms)).ok();
        }
    }
    let value = entry.value();
    let kind = value.saved().kind(out.dialect());
    let kind = if entry.tag() != 0 { types::persist::tagged(out.dialect()) } else { kind };
    file::write_key(out, kind, entry.key(), meta);
    if kind == rdb::opcode::value::STRING_TAGGED {
        out.length(entry.tag() as u64);
    }
}

/// Writes a whole file under all locks. `aux` are names and values for its head.
pub fn save_all(
    out: &mut Writer<'_>,
    shards: &mut dyn HeldShards,
    databases: u32,
    aux: &[(&str, String)],
    access: Option<AccessClock>,
    now_ms: i64,
) {
    Header { version: FILE_VERSION }.write(out);
    for (name, text) in aux {
        file::write_aux(out, name.as_bytes(), text.as_bytes());
    }
    for index in 0..databases {
        let (mut keys, mut expires) = (0, 0);
        shards.each(&mut |shard| {
            let entries = shard.database(index).into_iter().flat_map(|db| db.table().iter());
            for entry in entries {
                keys += 1;
                expires += u64::from(entry.expiry().is_some());
            }
        });
        if keys == 0 {
            continue;
        }
        file::write_database(out, index, keys, expires);
        shards.each(&mut |shard| {
            let entries = shard.database(index).into_iter().flat_map(|db| db.table().iter());
            for entry in entries {
                save_entry(out, &entry, access, now_ms);
            }
        });
    }
    file::write_end(out, true);
}
