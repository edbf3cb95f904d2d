//! A consumer group: what was delivered to whom and not yet acknowledged.
//!
//! ```text
//!  pending     ID -> time, deliveries, consumer        all of the group, by ID
//!  consumers   slot -> name, times, IDs                 what each one has, by ID
//!  by_time     (time, ID)                               only once CLAIM was used
//! ```
//!
//! INVARIANT: the three agree. [`Group::put`] and [`Group::ack`] are the only ways to change them.

use super::StreamId;
use super::ordered::{Item, Ordered};
use triomphe::Arc;

/// The slot of a consumer in its group: stays the same as long as the consumer lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

impl Slot {
    /// Of an entry that was given back and belongs to nobody (XNACK).
    const NOBODY: Self = Self(u32::MAX);
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    pub id: StreamId,
    /// When it was last delivered: milliseconds since 1970. 0 if it belongs to nobody.
    pub time_ms: i64,
    pub deliveries: u64,
    slot: Slot,
}

/// Deliveries are not counted beyond it.
pub const DELIVERIES_MAX: u64 = i64::MAX as u64;

impl Pending {
    pub fn new(id: StreamId, time_ms: i64, deliveries: u64, owner: Option<Slot>) -> Self {
        Self { id, time_ms, deliveries, slot: owner.unwrap_or(Slot::NOBODY) }
    }

    /// Whose it is.
    pub fn owner(&self) -> Option<Slot> {
        (self.slot != Slot::NOBODY).then_some(self.slot)
    }

    /// Milliseconds since it was delivered; of what belongs to nobody, as long as can be.
    pub fn idle_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(self.time_ms)
    }

    /// The same, as clients are told: -1 of what belongs to nobody.
    pub fn told_idle_ms(&self, now_ms: i64) -> i64 {
        if self.owner().is_some() { self.idle_ms(now_ms).max(0) } else { -1 }
    }

    /// The entry, delivered once more.
    #[must_use]
    pub fn delivered(self, time_ms: i64, owner: Slot) -> Self {
        let deliveries = self.deliveries.saturating_add(1).min(DELIVERIES_MAX);
        Self { time_ms, deliveries, slot: owner, ..self }
    }
}

impl Item for Pending {
    type Key = StreamId;

    fn key(&self) -> StreamId {
        self.id
    }
}

impl Item for StreamId {
    type Key = Self;

    fn key(&self) -> Self {
        *self
    }
}

/// When a pending entry was delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    time_ms: i64,
    id: StreamId,
}

impl Item for Due {
    type Key = Self;

    fn key(&self) -> Self {
        *self
    }
}

/// One consumer of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last asked for something: milliseconds since 1970.
    pub seen_ms: i64,
    /// When it last got something; -1 if never.
    pub active_ms: i64,
    pending: Ordered<StreamId>,
}

impl Consumer {
    /// When a consumer got something that never did.
    pub const NEVER: i64 = -1;

    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Number of entries it has not acknowledged.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// Their IDs from `start` on.
    pub fn pending_from(&self, start: StreamId) -> impl Iterator<Item = StreamId> + '_ {
        self.pending.iter_from(start)
    }

    fn heap_bytes(&self) -> usize {
        self.name.len() + self.pending.heap_bytes()
    }
}

/// A group. A clone shares all but the list of its consumers.
#[derive(Clone, Debug)]
pub struct Group {
    name: Box<[u8]>,
    /// The last entry delivered.
    pub last_id: StreamId,
    /// How many of the entries ever added were read; `None` if that cannot be told.
    pub entries_read: Option<u64>,
    pending: Ordered<Pending>,
    by_time: Option<Ordered<Due>>,
    /// How many of them belong to nobody.
    unowned: usize,
    slots: Vec<Option<Arc<Consumer>>>,
    /// Slots by name.
    by_name: Vec<Slot>,
    /// Bytes on the heap of all consumers.
    consumer_bytes: usize,
}

impl Group {
    pub fn new(name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> Self {
        Self {
            name: name.into(),
            last_id,
            entries_read,
            pending: Ordered::default(),
            by_time: None,
            unowned: 0,
            slots: Vec::new(),
            by_name: Vec::new(),
            consumer_bytes: 0,
        }
    }

    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.name.len()
            + self.pending.heap_bytes()
            + self.by_time.as_ref().map_or(0, Ordered::heap_bytes)
            + self.slots.capacity() * size_of::<Option<Arc<Consumer>>>()
            + self.by_name.capacity() * size_of::<Slot>()
            + self.consumer_bytes
    }

    // Consumers.

    /// Number of consumers.
    pub fn consumers_len(&self) -> usize {
        self.by_name.len()
    }

    /// The consumers by name, with their slots.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (Slot, &Consumer)> + '_ {
        self.by_name.iter().map(|slot| (*slot, self.consumer(*slot)))
    }

    /// The consumer in a slot that this group gave and that still lives.
    pub fn consumer(&self, slot: Slot) -> &Consumer {
        self.slots[slot.0 as usize].as_deref().expect("a slot is given back with its entries")
    }

    /// The name of who has a pending entry; empty if nobody has.
    pub fn owner_name(&self, pending: &Pending) -> &[u8] {
        pending.owner().map_or(&[], |slot| self.consumer(slot).name())
    }

    pub fn slot_of(&self, name: &[u8]) -> Option<Slot> {
        self.place_of(name).ok().map(|at| self.by_name[at])
    }

    fn place_of(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|slot| self.consumer(*slot).name().cmp(name))
    }

    /// Adds a consumer that was never active; `None` if there is one of this name.
    pub fn add_consumer(&mut self, name: &[u8], now_ms: i64) -> Option<Slot> {
        let place = self.place_of(name).err()?;
        let mut free = self.slots.len();
        if self.by_name.len() < free {
            free = self.slots.iter().position(Option::is_none).unwrap_or(free);
        }
        if free == self.slots.len() {
            self.slots.push(None);
        }
        let consumer = Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: Consumer::NEVER,
            pending: Ordered::default(),
        };
        self.consumer_bytes += consumer.heap_bytes() + size_of::<Consumer>();
        self.slots[free] = Some(Arc::new(consumer));
        let slot = Slot(free as u32);
        self.by_name.insert(place, slot);
        Some(slot)
    }

    /// Removes a consumer with all it has; answers how many entries that were, or `None` if there
    /// is no such consumer.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let place = self.place_of(name).ok()?;
        let slot = self.by_name.remove(place);
        let consumer = self.slots[slot.0 as usize].take()?;
        self.consumer_bytes -= consumer.heap_bytes() + size_of::<Consumer>();
        for id in consumer.pending.iter() {
            if let Some(pending) = self.pending.remove(id) {
                self.forget_time(&pending);
            }
        }
        Some(consumer.pending.len())
    }

    /// Notes that a consumer asked for something.
    pub fn seen(&mut self, slot: Slot, now_ms: i64) {
        self.change(slot, |consumer| consumer.seen_ms = now_ms);
    }

    /// Notes that a consumer got something.
    pub fn active(&mut self, slot: Slot, now_ms: i64) {
        self.change(slot, |consumer| consumer.active_ms = now_ms);
    }

    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Consumer)) {
        if let Some(Some(consumer)) = self.slots.get_mut(slot.0 as usize) {
            let consumer = Arc::make_mut(consumer);
            self.consumer_bytes -= consumer.heap_bytes();
            change(consumer);
            self.consumer_bytes += consumer.heap_bytes();
        }
    }

    // Pending entries.

    /// Number of entries delivered and not acknowledged.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    pub fn pending(&self, id: StreamId) -> Option<Pending> {
        self.pending.get(id)
    }

    pub fn first_pending(&self) -> Option<Pending> {
        self.pending.first()
    }

    pub fn last_pending(&self) -> Option<Pending> {
        self.pending.last()
    }

    /// What is pending from `start` on, by ID.
    pub fn pending_from(&self, start: StreamId) -> impl Iterator<Item = Pending> + '_ {
        self.pending.iter_from(start)
    }

    /// What a consumer has not acknowledged from `start` on, by ID.
    pub fn pending_of(&self, slot: Slot, start: StreamId) -> impl Iterator<Item = Pending> + '_ {
        let mut finder = self.pending.finder();
        self.consumer(slot).pending_from(start).filter_map(move |id| finder.get(id))
    }

    /// How many pending entries belong to nobody.
    pub fn unowned_len(&self) -> usize {
        self.unowned
    }

    /// What is pending, the longest idle first: what was given back, then by time of delivery. The
    /// first call is O(n), for it makes the index that is kept up from then on.
    pub fn pending_by_time(&mut self) -> impl Iterator<Item = Pending> + '_ {
        let pending = &self.pending;
        let index = self.by_time.get_or_insert_with(|| {
            let mut all: Vec<Due> = pending.iter().map(|pending| due(&pending)).collect();
            all.sort_unstable();
            let mut index = Ordered::default();
            index.insert_all(&all, |_| {});
            index
        });
        let mut finder = pending.finder();
        index
            .iter_from(Due { time_ms: i64::MIN, id: StreamId::MIN })
            .filter_map(move |due| finder.get(due.id))
    }

    /// Makes an entry pending as given, whatever it was before.
    pub fn put(&mut self, pending: Pending) {
        let old = self.pending.insert(pending);
        self.unowned += usize::from(pending.owner().is_none());
        self.unowned -= usize::from(old.is_some_and(|old| old.owner().is_none()));
        if let Some(old) = &old {
            self.forget_time(old);
        }
        if let Some(index) = &mut self.by_time {
            index.insert(due(&pending));
        }
        let (before, after) = (old.and_then(|old| old.owner()), pending.owner());
        if before != after {
            if let Some(slot) = before {
                self.change(slot, |consumer| {
                    consumer.pending.remove(pending.id);
                });
            }
            if let Some(slot) = after {
                self.change(slot, |consumer| {
                    consumer.pending.insert(pending.id);
                });
            }
        }
    }

    /// The same with many: of one owner, in ascending order.
    pub fn put_all(&mut self, all: &[Pending]) {
        debug_assert!(all.is_sorted_by(|one, next| one.id < next.id && one.slot == next.slot));
        let Some(owner) = all.first().map(Pending::owner) else { return };
        let mut replaced = Vec::new();
        self.pending.insert_all(all, |old| replaced.push(old));
        self.unowned += if owner.is_none() { all.len() } else { 0 };
        self.unowned -= replaced.iter().filter(|old| old.owner().is_none()).count();
        if let Some(index) = &mut self.by_time {
            index.remove_all(&dues(&replaced));
            index.insert_all(&dues(all), |_| {});
        }
        let ids = |all: &[Pending]| all.iter().map(|pending| pending.id).collect::<Vec<_>>();
        // By owner; stable, so that IDs ascend for each.
        replaced.sort_by_key(|old| old.slot.0);
        let mut own = 0;
        for part in replaced.chunk_by(|one, next| one.slot == next.slot) {
            let before = part.first().and_then(Pending::owner);
            if before == owner {
                own = part.len();
            } else if let Some(slot) = before {
                self.change(slot, |consumer| consumer.pending.remove_all(&ids(part)));
            }
        }
        if let Some(slot) = owner
            && own < all.len()
        {
            self.change(slot, |consumer| consumer.pending.insert_all(&ids(all), |_| {}));
        }
    }

    /// Makes a pending entry the consumer's; `false` if it is not pending.
    pub fn give(&mut self, id: StreamId, owner: Slot) -> bool {
        let pending = self.pending.get(id);
        if let Some(pending) = pending {
            self.put(Pending { slot: owner, ..pending });
        }
        pending.is_some()
    }

    /// Forgets a pending entry; `None` if it was not pending.
    pub fn ack(&mut self, id: StreamId) -> Option<Pending> {
        let pending = self.pending.remove(id)?;
        self.unowned -= usize::from(pending.owner().is_none());
        self.forget_time(&pending);
        if let Some(slot) = pending.owner() {
            self.change(slot, |consumer| {
                consumer.pending.remove(id);
            });
        }
        Some(pending)
    }

    /// Forgets all that is pending below `end` (`None`: all) and is gone.
    pub(super) fn forget_below(
        &mut self,
        end: Option<StreamId>,
        mut is_gone: impl FnMut(StreamId) -> bool,
    ) {
        let below = end.map_or(usize::MAX, |end| self.pending.len_below(end));
        let (gone, kept): (Vec<Pending>, Vec<Pending>) =
            self.pending.iter().take(below).partition(|pending| is_gone(pending.id));
        if gone.is_empty() {
            return;
        }
        if gone.len() > self.pending.len() / 2 {
            // It is made again when it is asked for.
            self.by_time = None;
        }
        gone.iter().for_each(|pending| self.forget_time(pending));
        self.unowned -= gone.iter().filter(|pending| pending.owner().is_none()).count();
        self.pending.drop_first(below);
        for at in 0..self.by_name.len() {
            self.change(self.by_name[at], |consumer| {
                let below = end.map_or(usize::MAX, |end| consumer.pending.len_below(end));
                consumer.pending.drop_first(below);
            });
        }
        for pending in kept {
            self.pending.insert(pending);
            if let Some(slot) = pending.owner() {
                self.change(slot, |consumer| {
                    consumer.pending.insert(pending.id);
                });
            }
        }
    }

    fn forget_time(&mut self, pending: &Pending) {
        if let Some(index) = &mut self.by_time {
            index.remove(due(pending));
        }
    }
}

/// In ascending order.
fn dues(all: &[Pending]) -> Vec<Due> {
    let mut dues: Vec<Due> = all.iter().map(due).collect();
    dues.sort_unstable();
    dues
}

fn due(pending: &Pending) -> Due {
    Due { time_ms: pending.time_ms, id: pending.id }
}
