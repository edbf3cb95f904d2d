//! The selected database as one command may see it: reads. Writes are in `mutate.rs`.
//!
//! Reads filter what has expired and note it in the record; they never delete.

use crate::{
    AccessClock, Entry, Event, KeyRef, Keyspace, Position, Record, ScanFilter, Shard, Stale,
    Stalled, Value, WrongType,
};
use lock::ShardId;
use stdx::rng::Rng;
use table::Borrowed;

/// Shards that are locked together, for commands on several.
pub trait HeldShards {
    /// The shard, which must be among those held: a broken invariant otherwise.
    fn shard(&mut self, id: ShardId) -> &mut Shard;
    /// The same, to be read only: several keys at once.
    fn look(&self, id: ShardId) -> &Shard;
    fn holds(&self, id: ShardId) -> bool;
    /// Calls `visit` with each shard held, in ascending order.
    fn each(&mut self, visit: &mut dyn FnMut(&mut Shard));
}

/// The locks that the command holds.
pub(crate) enum Held<'a> {
    Nothing,
    One(&'a mut Shard),
    Many(&'a mut dyn HeldShards),
}

/// A database under lock.
pub struct Db<'a> {
    pub(crate) held: Held<'a>,
    pub(crate) record: &'a mut Record,
    /// The index of the selected database.
    pub(crate) index: u32,
    pub(crate) now_ms: i64,
    /// What expires at or before this has expired for this command: now, as a rule.
    pub(crate) horizon_ms: i64,
    pub(crate) clock: AccessClock,
    /// Whether reads count as accesses (CLIENT NO-TOUCH).
    pub(crate) touch: bool,
    /// A source of randomness for the LFU counter.
    pub(crate) random: u64,
}

/// A string value, read.
#[derive(Debug)]
pub enum Str<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    Long(crate::Shared<'a>),
}

impl<'a> Str<'a> {
    fn of(value: Value<'a>) -> Result<Self, WrongType> {
        Ok(match value {
            Value::Int(number) => Self::Int(number),
            Value::Inline(bytes) => Self::Bytes(bytes),
            Value::Shared(shared) => Self::Long(shared),
            Value::Packed(_) | Value::Boxed(_) => return Err(WrongType),
        })
    }
}

impl Str<'_> {
    /// Length in bytes as text.
    pub fn len(&self) -> usize {
        match self {
            Self::Int(number) => stdx::num::decimal_len(*number),
            Self::Bytes(bytes) => bytes.len(),
            Self::Long(shared) => shared.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text, formatted into `scratch` if it is an integer.
    pub fn text<'s>(&'s self, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        match self {
            Self::Int(number) => {
                scratch.clear();
                stdx::num::write_i64(scratch, *number);
                scratch
            }
            Self::Bytes(bytes) => bytes,
            Self::Long(shared) => shared.as_slice(),
        }
    }
}

impl<'a> Db<'a> {
    /// A database under one shard's lock.
    #[inline]
    pub fn under_one(
        shard: &'a mut Shard,
        record: &'a mut Record,
        index: u32,
        now_ms: i64,
    ) -> Self {
        Self::new(Held::One(shard), record, index, now_ms)
    }

    /// A database under several shards' locks.
    pub fn under_many(
        shards: &'a mut dyn HeldShards,
        record: &'a mut Record,
        index: u32,
        now_ms: i64,
    ) -> Self {
        Self::new(Held::Many(shards), record, index, now_ms)
    }

    /// A database of which nothing is locked, for commands without keys.
    pub fn under_none(record: &'a mut Record, index: u32, now_ms: i64) -> Self {
        Self::new(Held::Nothing, record, index, now_ms)
    }

    #[inline]
    fn new(held: Held<'a>, record: &'a mut Record, index: u32, now_ms: i64) -> Self {
        let (horizon_ms, clock) = (now_ms, AccessClock::Lru);
        record.modified = None;
        Self { held, record, index, now_ms, horizon_ms, clock, touch: true, random: 0 }
    }

    /// How accesses are recorded, and whether at all.
    #[inline]
    #[must_use]
    pub fn accesses(mut self, clock: AccessClock, touch: bool, random: u64) -> Self {
        self.clock = clock;
        self.record.modified = clock.modified(self.now_ms);
        self.touch = touch;
        self.random = random;
        self
    }

    /// Accesses are recorded from here on, whatever the client wished.
    pub fn touches(&mut self) {
        self.touch = true;
    }

    /// Nothing has expired that expires after `horizon_ms`; `i64::MIN`: nothing has at all.
    #[inline]
    #[must_use]
    pub fn horizon(mut self, horizon_ms: i64) -> Self {
        self.horizon_ms = horizon_ms;
        self
    }

    /// Up to which moment keys have expired, for walks over the keyspace.
    pub fn horizon_ms(&self) -> i64 {
        self.horizon_ms
    }

    pub fn index(&self) -> u32 {
        self.index
    }

    /// What the command has done so far.
    pub fn record(&self) -> &Record {
        self.record
    }

    pub fn record_mut(&mut self) -> &mut Record {
        self.record
    }

    /// Marks the locked shards with the end of the record that tells their change.
    pub fn stamp(&mut self, lsn: u64) {
        match &mut self.held {
            Held::Nothing => {}
            Held::One(shard) => shard.lsn = lsn,
            Held::Many(shards) => shards.each(&mut |shard| shard.lsn = lsn),
        }
    }

    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    #[inline]
    pub(crate) fn shard(&mut self, key: &KeyRef<'_>) -> &mut Shard {
        locked(&mut self.held, key)
    }

    /// The live entry of `key`, counted as a hit or miss and as an access.
    #[inline]
    pub fn get(&mut self, key: &KeyRef<'_>) -> Option<Borrowed<'_, Entry>> {
        let (index, now_ms, clock, touch, random) =
            (self.index, self.now_ms, self.clock, self.touch, self.random);
        let horizon_ms = self.horizon_ms;
        let shard = locked(&mut self.held, key);
        let found = shard.databases.get_mut(index as usize).and_then(|db| {
            let at = db.table().find(key.hash(), key.bytes())?;
            Some((db, at))
        });
        let Some((db, at)) = found else {
            self.record.misses += 1;
            self.record.aside(index, key.bytes(), Event::KEY_MISS);
            return None;
        };
        let (expired, bits) = {
            let entry = db.table().get(at);
            (entry.expired(horizon_ms), entry.clock())
        };
        if expired {
            self.record.misses += 1;
            self.record.stale.push(Stale { db: index, key: key.bytes().to_vec(), missed: true });
            return None;
        }
        self.record.hits += 1;
        if touch {
            let touched = clock.touched(bits, now_ms, || random);
            if touched != bits {
                db.touch(at, touched);
            }
        }
        Some(db.table().get(at))
    }

    /// The live entry of `key` in this or another database, without counting or touching.
    pub fn peek_in(&mut self, index: u32, key: &KeyRef<'_>) -> Option<Borrowed<'_, Entry>> {
        let horizon_ms = self.horizon_ms;
        let shard = locked(&mut self.held, key);
        let db = shard.databases.get(index as usize)?;
        let entry = db.table().get(db.table().find(key.hash(), key.bytes())?);
        if entry.expired(horizon_ms) {
            self.record.stale.push(Stale { db: index, key: key.bytes().to_vec(), missed: false });
            return None;
        }
        Some(entry)
    }

    /// The live entry without counting or touching: EXISTS-like looks, OBJECT, TTL.
    pub fn peek(&mut self, key: &KeyRef<'_>) -> Option<Borrowed<'_, Entry>> {
        self.peek_in(self.index, key)
    }

    /// Counts a look-up whose outcome was found by `peek`.
    pub fn count_lookup(&mut self, key: &KeyRef<'_>, hit: bool) {
        if hit {
            self.record.hits += 1;
            return;
        }
        self.record.misses += 1;
        match self.record.stale.last_mut() {
            Some(stale) if stale.key == key.bytes() => stale.missed = true,
            _ => self.record.aside(self.index, key.bytes(), Event::KEY_MISS),
        }
    }

    /// Whether the key lives. Counts.
    pub fn exists(&mut self, key: &KeyRef<'_>) -> bool {
        self.get(key).is_some()
    }

    /// The string at `key`. Counts and touches.
    #[inline]
    pub fn string(&mut self, key: &KeyRef<'_>) -> Result<Option<Str<'_>>, WrongType> {
        self.get(key).map(|entry| Str::of(value_of(entry))).transpose()
    }

    /// The string at `key` with its tag, which is 0 if it has none. Counts and touches.
    pub fn string_and_tag(
        &mut self,
        key: &KeyRef<'_>,
    ) -> Result<Option<(Str<'_>, i64)>, WrongType> {
        let Some(entry) = self.get(key) else { return Ok(None) };
        let tag = entry.tag();
        Ok(Some((Str::of(value_of(entry))?, tag)))
    }

    /// The tag of what is at `key`, 0 if it has none, without counting or touching.
    pub fn tag(&mut self, key: &KeyRef<'_>) -> i64 {
        self.peek(key).map_or(0, |entry| entry.tag())
    }

    /// The string of a write command, which asks before it changes: expired is absent.
    pub fn string_for_write(&mut self, key: &KeyRef<'_>) -> Result<Option<Str<'_>>, WrongType> {
        self.purge(key);
        self.string_peek(key)
    }

    /// The string at `key`, without counting or touching.
    pub fn string_peek(&mut self, key: &KeyRef<'_>) -> Result<Option<Str<'_>>, WrongType> {
        self.peek(key).map(|entry| Str::of(value_of(entry))).transpose()
    }

    /// Walks over the keys of the selected database, as [`Keyspace::scan`]: over what is held if
    /// anything is, which is then everything; else locking shard by shard.
    pub fn scan(
        &self,
        space: &Keyspace,
        from: Position,
        count: usize,
        filter: &ScanFilter,
        visit: impl FnMut(&Entry),
    ) -> Result<Option<Position>, Stalled> {
        let access = |id, look: &mut dyn FnMut(&Shard)| self.look(space, id, look);
        space.scan_by(access, self.index, from, count, filter, visit)
    }

    /// A key of the selected database, chosen at random; `None` if it has no live key. What is met
    /// expired goes to `met`.
    pub fn random_key(
        &self,
        space: &Keyspace,
        rng: &mut Rng,
        met: &mut Vec<(u32, Vec<u8>)>,
    ) -> Result<Option<Vec<u8>>, Stalled> {
        let access = |id, look: &mut dyn FnMut(&Shard)| self.look(space, id, look);
        space.random_key_by(access, self.index, rng, self.horizon_ms, met)
    }

    /// Whether the command runs under locks.
    pub fn holds_any(&self) -> bool {
        !matches!(self.held, Held::Nothing)
    }

    fn look(
        &self,
        space: &Keyspace,
        id: ShardId,
        look: &mut dyn FnMut(&Shard),
    ) -> Result<(), Stalled> {
        match &self.held {
            Held::Nothing => look(&*space.reach_one(id)?),
            Held::One(shard) if shard.id == id => look(shard),
            Held::One(_) => not_held(),
            Held::Many(shards) => look(shards.look(id)),
        }
        Ok(())
    }

    /// Milliseconds since 1970 at which the key expires. Outer `None`: no such key.
    pub fn expiry(&mut self, key: &KeyRef<'_>) -> Option<Option<i64>> {
        self.peek(key).map(|entry| entry.expiry())
    }
}

/// The locked shard of a key. Takes the field and not the `Db`, so that the record stays free.
#[inline]
pub(crate) fn locked<'s>(held: &'s mut Held<'_>, key: &KeyRef<'_>) -> &'s mut Shard {
    match held {
        Held::One(shard) if shard.id == key.shard() => shard,
        Held::Many(shards) => shards.shard(key.shard()),
        Held::One(_) | Held::Nothing => not_held(),
    }
}

/// As [`locked`], to be read only.
pub(crate) fn seen<'s>(held: &'s Held<'_>, key: &KeyRef<'_>) -> &'s Shard {
    match held {
        Held::One(shard) if shard.id == key.shard() => shard,
        Held::Many(shards) => shards.look(key.shard()),
        Held::One(_) | Held::Nothing => not_held(),
    }
}

/// The value of an entry that stays in its table, for as long as the table is borrowed.
pub(crate) fn value_of(entry: Borrowed<'_, Entry>) -> Value<'_> {
    // SAFETY: the entry's block is owned by the table, which is borrowed for the lifetime of the
    // result; the `Borrowed` itself is only a pointer to it.
    unsafe { entry.value_unbound() }
}

#[cold]
pub(crate) fn not_held() -> ! {
    // A handler reached a key whose shard it has not locked: crash rather than corrupt.
    panic!("a key was reached whose shard is not held")
}
