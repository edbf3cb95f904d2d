//! The shards and the two-level protocol by which they are locked.
//!
//! ```text
//!   one(i)        ─────────────────────────────► shard i                  waits for nothing else
//!   many(ids)     ──► gate, shared    ─────────► shards in ascending order
//!   all()         ──► gate, exclusive ─────────► every shard, ascending
//!   exclusive()   ──► gate, exclusive ─────────► shards as they are met, in any order
//! ```
//!
//! Why no schedule deadlocks. Look at who waits for whom:
//! - A holder by `one` waits for nothing, so it always goes on and lets go.
//! - Who waits at the gate holds no shard, so nobody waits for it except others at the gate.
//! - Shared holders of the gate wait only for shards above all that they hold. Follow the chain from
//!   any of them: each step goes to a higher shard, until a holder that waits for nothing.
//! - An exclusive holder of the gate is the only multi-shard holder there is. The shards that it waits
//!   for belong to holders by `one`.
//!
//! The argument needs that **a thread holds at most one of the four guards at a time**; debug builds
//! panic when it tries to take a second one. (A second shared side would deadlock even without shards:
//! a thread waiting for the exclusive side between the two turns newcomers away, so that it is not
//! starved.) All locks of a guard are released together, by its drop: strict two-phase locking, so the
//! commands are serializable, in the order in which they held their locks.
//!
//! Nothing here awaits or does I/O, and a guard does not leave its thread.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use stdx::sync::{Mutex, MutexGuard, Padded, RwLock, RwLockReadGuard, RwLockWriteGuard, hint};

/// The most shards there can be. Shard ids fit in 16 bits.
pub const SHARDS_MAX: usize = 1 << 12;

/// So many shards [`Shards::many`] holds without an allocation.
const INLINE: usize = 16;

/// Index of a shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShardId(pub u16);

impl ShardId {
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A power of two of mutexes over `T`, and the gate.
pub struct Shards<T> {
    gate: Padded<RwLock<()>>,
    shards: Box<[Padded<Mutex<T>>]>,
}

impl<T> fmt::Debug for Shards<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl<T> Shards<T> {
    /// Builds `count` shards, `content` giving what each holds.
    ///
    /// # Panics
    /// If `count` is not a power of two up to [`SHARDS_MAX`].
    pub fn new(count: usize, mut content: impl FnMut(ShardId) -> T) -> Self {
        assert!(count.is_power_of_two() && count <= SHARDS_MAX, "{count} is no number of shards");
        let shards = (0..count)
            .map(|index| {
                let id = ShardId(u16::try_from(index).expect("below SHARDS_MAX"));
                Padded(Mutex::new(content(id)))
            })
            .collect();
        Self { gate: Padded(RwLock::new(())), shards }
    }

    /// How many shards there are: a power of two.
    #[inline]
    pub fn count(&self) -> usize {
        self.shards.len()
    }

    /// The shard of a hash: its high bits, so that the shards in order are the hashes in order.
    #[inline]
    pub fn of_hash(&self, hash: u64) -> ShardId {
        let bits = self.count().trailing_zeros();
        // The number is below 2^12, so nothing is lost. Two shifts, as one of 64 is not defined.
        ShardId((hash >> 1 >> (63 - bits)) as u16)
    }

    /// All ids, ascending.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = ShardId> + use<T> {
        (0..self.count() as u16).map(ShardId)
    }

    /// Locks one shard, for a command that needs no other.
    #[inline]
    pub fn one(&self, id: ShardId) -> One<'_, T> {
        let turn = Turn::take();
        One { shard: self.mutex(id).lock(), id, _turn: turn }
    }

    /// Locks one shard if nobody holds it.
    #[inline]
    pub fn try_one(&self, id: ShardId) -> Option<One<'_, T>> {
        let turn = Turn::take();
        self.mutex(id).try_lock().map(|shard| One { shard, id, _turn: turn })
    }

    /// Locks one shard, or gives up after `limit`: the command then answers -BUSY.
    #[inline]
    pub fn one_within(&self, id: ShardId, limit: Duration) -> Option<One<'_, T>> {
        match self.try_one(id) {
            Some(one) => Some(one),
            None => {
                let turn = Turn::take();
                let shard = self.mutex(id).try_lock_for(limit)?;
                Some(One { shard, id, _turn: turn })
            }
        }
    }

    /// Locks several shards, for a command whose keys are known before it runs.
    ///
    /// # Panics
    /// If `ids` is not strictly ascending: a broken invariant, as another order may deadlock.
    #[inline]
    pub fn many(&self, ids: &[ShardId]) -> Many<'_, T> {
        let turn = Turn::take();
        let mut held = Held::new(ids);
        let gate = self.gate.0.read();
        for &id in ids {
            held.push(id, self.lock_soon(id));
        }
        Many { held, _gate: gate, _turn: turn }
    }

    /// Locks a shard that is most likely free in a moment: whoever holds several meets others that
    /// hold several, each for a microsecond or two.
    ///
    /// PERF: parking at once costs more than the wait; `bench/workers.py` and the decision record on
    /// two workers have the figures.
    #[inline]
    fn lock_soon(&self, id: ShardId) -> MutexGuard<'_, T> {
        self.spin(id).unwrap_or_else(|| self.mutex(id).lock())
    }

    #[inline]
    fn lock_soon_within(&self, id: ShardId, limit: Duration) -> Option<MutexGuard<'_, T>> {
        self.spin(id).or_else(|| self.mutex(id).try_lock_for(limit))
    }

    #[inline]
    fn spin(&self, id: ShardId) -> Option<MutexGuard<'_, T>> {
        /// Some microseconds; after that the lock parks.
        const SPINS_MAX: u32 = if cfg!(shuttle) { 0 } else { 200 };
        for _ in 0..SPINS_MAX {
            if let Some(guard) = self.mutex(id).try_lock() {
                return Some(guard);
            }
            hint::spin_loop();
        }
        None
    }

    /// As [`many`](Self::many), but gives up when the gate or a shard is not free within `limit`
    /// (of each), and then holds nothing.
    #[inline]
    pub fn many_within(&self, ids: &[ShardId], limit: Duration) -> Option<Many<'_, T>> {
        let turn = Turn::take();
        let gate = self.gate.0.try_read_for(limit)?;
        // `held` is declared after `gate`, so that a `None` below lets the shards go first.
        let mut held = Held::new(ids);
        for &id in ids {
            held.push(id, self.lock_soon_within(id, limit)?);
        }
        Some(Many { held, _gate: gate, _turn: turn })
    }

    /// Locks everything.
    pub fn all(&self) -> All<'_, T> {
        let turn = Turn::take();
        let gate = self.gate.0.write();
        let shards = self.shards.iter().map(|shard| shard.0.lock()).collect();
        All { shards, _gate: gate, _turn: turn }
    }

    /// As [`all`](Self::all), but gives up when the gate or a shard is not free within `limit` (of
    /// each), and then holds nothing.
    pub fn all_within(&self, limit: Duration) -> Option<All<'_, T>> {
        let turn = Turn::take();
        let gate = self.gate.0.try_write_for(limit)?;
        let mut shards = Vec::with_capacity(self.count());
        for shard in &self.shards {
            shards.push(shard.0.try_lock_for(limit)?);
        }
        Some(All { shards, _gate: gate, _turn: turn })
    }

    /// Becomes the only multi-shard holder, for a command that meets its keys while it runs.
    pub fn exclusive(&self) -> Exclusive<'_, T> {
        let turn = Turn::take();
        Exclusive::new(self, self.gate.0.write(), turn)
    }

    /// As [`exclusive`](Self::exclusive), but gives up when the gate is not free within `limit`.
    /// The shards met later are then held by nobody for long.
    pub fn exclusive_within(&self, limit: Duration) -> Option<Exclusive<'_, T>> {
        let turn = Turn::take();
        Some(Exclusive::new(self, self.gate.0.try_write_for(limit)?, turn))
    }

    /// The contents, without locks: nobody else has a reference.
    pub fn get_mut(&mut self, id: ShardId) -> &mut T {
        self.shards[id.index()].0.get_mut()
    }

    #[inline]
    fn mutex(&self, id: ShardId) -> &Mutex<T> {
        &self.shards[id.index()].0
    }
}

/// One locked shard.
#[must_use]
pub struct One<'a, T> {
    shard: MutexGuard<'a, T>,
    id: ShardId,
    _turn: Turn,
}

impl<T> One<'_, T> {
    #[inline]
    pub fn id(&self) -> ShardId {
        self.id
    }
}

impl<T> Deref for One<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.shard
    }
}

impl<T> DerefMut for One<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.shard
    }
}

/// Several locked shards, under the gate's shared side.
// Fields drop in the order of their declaration: shards first, then the gate.
#[must_use]
pub struct Many<'a, T> {
    held: Held<'a, T>,
    _gate: RwLockReadGuard<'a, ()>,
    _turn: Turn,
}

impl<T> Many<'_, T> {
    /// The content of a held shard.
    ///
    /// # Panics
    /// If the shard is not among those that were locked.
    #[inline]
    pub fn get(&mut self, id: ShardId) -> &mut T {
        self.held.get(id).unwrap_or_else(|| not_held(id))
    }

    /// The same, to be read only.
    ///
    /// # Panics
    /// If the shard is not among those that were locked.
    pub fn look(&self, id: ShardId) -> &T {
        self.held.look(id).unwrap_or_else(|| not_held(id))
    }

    /// The contents of two different held shards at once.
    ///
    /// # Panics
    /// If one is not held, or both are the same.
    pub fn pair(&mut self, a: ShardId, b: ShardId) -> (&mut T, &mut T) {
        assert!(a != b, "shard {a} twice");
        let (mut of_a, mut of_b) = (None, None);
        for (id, shard) in self.held.iter_mut() {
            if id == a {
                of_a = Some(shard);
            } else if id == b {
                of_b = Some(shard);
            }
        }
        (of_a.unwrap_or_else(|| not_held(a)), of_b.unwrap_or_else(|| not_held(b)))
    }

    pub fn holds(&self, id: ShardId) -> bool {
        self.held.position(id).is_some()
    }

    /// All held shards, ascending.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ShardId, &mut T)> {
        self.held.iter_mut()
    }
}

/// All shards locked, under the gate's exclusive side.
#[must_use]
pub struct All<'a, T> {
    shards: Vec<MutexGuard<'a, T>>,
    _gate: RwLockWriteGuard<'a, ()>,
    _turn: Turn,
}

impl<T> All<'_, T> {
    #[inline]
    pub fn get(&mut self, id: ShardId) -> &mut T {
        &mut self.shards[id.index()]
    }

    /// The same, to be read only.
    pub fn look(&self, id: ShardId) -> &T {
        &self.shards[id.index()]
    }

    /// All shards, ascending.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ShardId, &mut T)> {
        (0..).map(ShardId).zip(self.shards.iter_mut().map(|shard| &mut **shard))
    }
}

/// The gate's exclusive side, and the shards met so far.
#[must_use]
pub struct Exclusive<'a, T> {
    held: Vec<Option<MutexGuard<'a, T>>>,
    _gate: RwLockWriteGuard<'a, ()>,
    _turn: Turn,
    shards: &'a Shards<T>,
}

impl<'a, T> Exclusive<'a, T> {
    fn new(shards: &'a Shards<T>, gate: RwLockWriteGuard<'a, ()>, turn: Turn) -> Self {
        let held = (0..shards.count()).map(|_| None).collect();
        Self { held, _gate: gate, _turn: turn, shards }
    }

    /// The content of a shard, which is locked if it is not held yet, and stays so to the end.
    #[inline]
    pub fn lock_also(&mut self, id: ShardId) -> &mut T {
        let shards = self.shards;
        self.held[id.index()].get_or_insert_with(|| shards.mutex(id).lock())
    }

    /// As [`lock_also`](Self::lock_also), but gives up after `limit`. Returns whether it is held.
    #[must_use]
    pub fn lock_also_within(&mut self, id: ShardId, limit: Duration) -> bool {
        let held = &mut self.held[id.index()];
        if held.is_none() {
            *held = self.shards.lock_soon_within(id, limit);
        }
        held.is_some()
    }

    /// The content of a shard that is held already.
    #[inline]
    pub fn get(&mut self, id: ShardId) -> Option<&mut T> {
        self.held[id.index()].as_deref_mut()
    }

    /// The same, to be read only.
    pub fn look(&self, id: ShardId) -> Option<&T> {
        self.held[id.index()].as_deref()
    }

    /// The shards held so far, ascending.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ShardId, &mut T)> {
        (0..)
            .map(ShardId)
            .zip(self.held.iter_mut())
            .filter_map(|(id, shard)| Some((id, &mut **shard.as_mut()?)))
    }
}

#[cold]
fn not_held(id: ShardId) -> ! {
    panic!("shard {id} is not held")
}

/// A short list of guards: on the stack up to [`INLINE`], one allocation above that.
// PERF: `many/10` of examples/lock_bench.rs.
struct Held<'a, T> {
    len: usize,
    inline: [Option<(ShardId, MutexGuard<'a, T>)>; INLINE],
    spilled: Vec<Option<(ShardId, MutexGuard<'a, T>)>>,
}

impl<'a, T> Held<'a, T> {
    /// Room for `ids`, which must ascend strictly.
    #[inline]
    fn new(ids: &[ShardId]) -> Self {
        assert!(ids.is_sorted_by(|a, b| a < b), "shards are locked in ascending order, each once");
        Self {
            len: 0,
            inline: [const { None }; INLINE],
            spilled: Vec::with_capacity(ids.len().saturating_sub(INLINE)),
        }
    }

    #[inline]
    fn push(&mut self, id: ShardId, guard: MutexGuard<'a, T>) {
        match self.inline.get_mut(self.len) {
            Some(place) => *place = Some((id, guard)),
            None => self.spilled.push(Some((id, guard))),
        }
        self.len += 1;
    }

    #[inline]
    fn position(&self, id: ShardId) -> Option<usize> {
        let inline = &self.inline[..self.len.min(INLINE)];
        let of = |place: &Option<(ShardId, MutexGuard<'a, T>)>| place.as_ref().map(|held| held.0);
        inline.iter().position(|place| of(place) == Some(id)).or_else(|| {
            let at = self.spilled.binary_search_by_key(&Some(id), of).ok()?;
            Some(INLINE + at)
        })
    }

    #[inline]
    fn get(&mut self, id: ShardId) -> Option<&mut T> {
        let at = self.position(id)?;
        let place = match at.checked_sub(INLINE) {
            None => &mut self.inline[at],
            Some(at) => &mut self.spilled[at],
        };
        place.as_mut().map(|(_, guard)| &mut **guard)
    }

    fn look(&self, id: ShardId) -> Option<&T> {
        let at = self.position(id)?;
        let place = match at.checked_sub(INLINE) {
            None => &self.inline[at],
            Some(at) => &self.spilled[at],
        };
        place.as_ref().map(|(_, guard)| &**guard)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = (ShardId, &mut T)> {
        let inline = self.inline[..self.len.min(INLINE)].iter_mut();
        inline.chain(&mut self.spilled).flatten().map(|(id, guard)| (*id, &mut **guard))
    }
}

/// The proof, in debug builds, that a thread holds one guard at a time. Free in release builds.
struct Turn {
    // Not `Send`, as the guards are not: the turn ends on the thread that took it.
    _here: std::marker::PhantomData<*const ()>,
}

#[cfg(all(debug_assertions, not(shuttle)))]
thread_local! {
    static HOLDS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

impl Turn {
    #[inline]
    fn take() -> Self {
        #[cfg(all(debug_assertions, not(shuttle)))]
        assert!(!HOLDS.replace(true), "this thread holds shards already: it could deadlock");
        Self { _here: std::marker::PhantomData }
    }
}

#[cfg(all(debug_assertions, not(shuttle)))]
impl Drop for Turn {
    fn drop(&mut self) {
        HOLDS.set(false);
    }
}
