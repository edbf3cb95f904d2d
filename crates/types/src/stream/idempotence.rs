//! What a stream remembers of its idempotent producers, so that an entry sent twice is added once.
//!
//! Each producer (`pid`) names its messages (`iid`); the stream remembers for some time, and up to
//! some number, which entry a name belongs to. With a name goes the moment it was recorded at. Files do
//! not hold it: there it is the time in the entry's ID, and where that lies ahead of the clock, the
//! moment at which the producer is first heard of again.

use super::StreamId;
use std::collections::{BTreeMap, VecDeque};
use triomphe::Arc;
use xxhash_rust::xxh3::Xxh3;

/// How long and how much a stream remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub seconds: u32,
    /// Names remembered for each producer.
    pub names_max: u32,
}

impl Memory {
    pub const SECONDS_MAX: u32 = 86_400;
    pub const NAMES_MAX: u32 = 10_000;

    /// IDs of this millisecond and before are forgotten.
    fn horizon_ms(self, now_ms: u64) -> Option<u64> {
        now_ms.checked_sub(u64::from(self.seconds) * 1000)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self { seconds: 100, names_max: 100 }
    }
}

/// What a name belongs to.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: StreamId,
    /// When it was recorded, in milliseconds since 1970. It ascends with the order of names.
    at_ms: u64,
}

impl Known {
    fn is_live(self, horizon_ms: Option<u64>) -> bool {
        horizon_ms.is_none_or(|horizon| self.at_ms > horizon)
    }
}

/// What one producer sent, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Producer {
    order: VecDeque<(Arc<[u8]>, Known)>,
    names: BTreeMap<Arc<[u8]>, Known>,
}

impl Producer {
    /// Names with the IDs of their entries, oldest first.
    pub fn names(&self) -> impl ExactSizeIterator<Item = (&[u8], StreamId)> + '_ {
        self.order.iter().map(|(name, known)| (&**name, known.id))
    }

    fn live_len(&self, horizon_ms: Option<u64>) -> usize {
        self.order.len() - self.order.partition_point(|(_, known)| !known.is_live(horizon_ms))
    }

    /// Forgets the oldest; answers how many bytes that were.
    fn forget_first(&mut self) -> usize {
        let Some((name, _)) = self.order.pop_front() else { return 0 };
        self.names.remove(&name);
        name_bytes(&name)
    }

    fn forget(&mut self, horizon_ms: Option<u64>) -> usize {
        let mut bytes = 0;
        while self.order.front().is_some_and(|(_, known)| !known.is_live(horizon_ms)) {
            bytes += self.forget_first();
        }
        bytes
    }

    /// Forgets one name; answers how many bytes that were.
    fn forget_name(&mut self, name: &[u8]) -> usize {
        if self.names.remove(name).is_none() {
            return 0;
        }
        self.order.retain(|(other, _)| **other != *name);
        name_bytes(name)
    }

    /// Nothing was recorded after `now_ms`: what seems to be comes from a file, or the clock was put
    /// back.
    fn settle(&mut self, now_ms: u64) {
        let ahead = self.order.iter_mut().rev().take_while(|(_, known)| known.at_ms > now_ms);
        for (name, known) in ahead {
            known.at_ms = now_ms;
            self.names.insert(Arc::clone(name), *known);
        }
    }

    /// Puts in a name that is not there.
    fn add(&mut self, name: Arc<[u8]>, mut known: Known) {
        let newest = self.order.back().map_or(0, |(_, newest)| newest.at_ms);
        known.at_ms = known.at_ms.max(newest);
        self.names.insert(Arc::clone(&name), known);
        self.order.push_back((name, known));
    }
}

/// What a name takes, about: in the queue, in the tree, and itself.
fn name_bytes(name: &[u8]) -> usize {
    2 * size_of::<(Arc<[u8]>, Known)>() + size_of::<usize>() + name.len()
}

fn producer_bytes(pid: &[u8]) -> usize {
    size_of::<(Box<[u8]>, Arc<Producer>)>() + size_of::<usize>() + size_of::<Producer>() + pid.len()
}

/// All producers of a stream.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    by_pid: BTreeMap<Box<[u8]>, Arc<Producer>>,
    /// At so many producers those are looked for that have nothing to remember.
    sweep_at: usize,
    bytes: usize,
}

impl Producers {
    /// Producers with their names, by pid.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &Producer)> + '_ {
        self.by_pid.iter().map(|(pid, producer)| (&**pid, &**producer))
    }

    /// Bytes on the heap, about. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes
    }

    /// How many producers and names are remembered at `now_ms`.
    pub(super) fn counts(&self, memory: Memory, now_ms: u64) -> (usize, usize) {
        let horizon = memory.horizon_ms(now_ms);
        let lens = self.by_pid.values().map(|producer| producer.live_len(horizon));
        lens.filter(|len| *len > 0).fold((0, 0), |(pids, names), len| (pids + 1, names + len))
    }

    pub(super) fn find(
        &self,
        pid: &[u8],
        iid: &[u8],
        memory: Memory,
        now_ms: u64,
    ) -> Option<StreamId> {
        let known = *self.by_pid.get(pid)?.names.get(iid)?;
        known.is_live(memory.horizon_ms(now_ms)).then_some(known.id)
    }

    /// Remembers that `iid` of `pid` is the entry `id`, whatever was remembered of it; recorded at
    /// `at_ms`, as far as that is not after `now_ms`.
    pub(super) fn record(
        &mut self,
        (pid, iid): (&[u8], &[u8]),
        id: StreamId,
        at_ms: u64,
        memory: Memory,
        now_ms: u64,
    ) {
        let horizon = memory.horizon_ms(now_ms);
        self.sweep(horizon);
        self.edit(pid, |producer| {
            producer.settle(now_ms);
            let gone = producer.forget(horizon) + producer.forget_name(iid);
            producer.add(iid.into(), Known { id, at_ms: at_ms.min(now_ms) });
            (name_bytes(iid), gone)
        });
        self.cut(pid, memory);
    }

    /// Remembers a name from a file.
    pub(super) fn restore(&mut self, pid: &[u8], iid: &[u8], id: StreamId, memory: Memory) {
        self.edit(pid, |producer| {
            if producer.names.contains_key(iid) {
                return (0, 0);
            }
            producer.add(iid.into(), Known { id, at_ms: id.ms });
            (name_bytes(iid), 0)
        });
        self.cut(pid, memory);
    }

    /// The producer is heard of.
    pub(super) fn settle(&mut self, pid: &[u8], now_ms: u64) {
        let Some(producer) = self.by_pid.get_mut(pid) else { return };
        if producer.order.back().is_some_and(|(_, known)| known.at_ms > now_ms) {
            Arc::make_mut(producer).settle(now_ms);
        }
    }

    /// Changes a producer, made if there is none; `change` says how many bytes came and went.
    fn edit(&mut self, pid: &[u8], change: impl FnOnce(&mut Producer) -> (usize, usize)) {
        if !self.by_pid.contains_key(pid) {
            self.by_pid.insert(pid.into(), Arc::default());
            self.bytes += producer_bytes(pid);
        }
        let Some(producer) = self.by_pid.get_mut(pid) else { return };
        let (came, went) = change(Arc::make_mut(producer));
        self.bytes = self.bytes + came - went;
    }

    /// Forgets what is too much.
    fn cut(&mut self, pid: &[u8], memory: Memory) {
        self.edit(pid, |producer| {
            let mut gone = 0;
            while producer.order.len() > memory.names_max as usize {
                gone += producer.forget_first();
            }
            (0, gone)
        });
    }

    /// Forgets producers without a live name, once for every doubling of their number.
    fn sweep(&mut self, horizon_ms: Option<u64>) {
        const SWEEP_MIN: usize = 16;
        if self.by_pid.len() < self.sweep_at.max(SWEEP_MIN) {
            return;
        }
        let bytes = &mut self.bytes;
        self.by_pid.retain(|pid, producer| {
            let stays = producer.live_len(horizon_ms) > 0;
            if !stays {
                *bytes -= producer_bytes(pid);
                *bytes -= producer.order.iter().map(|(name, _)| name_bytes(name)).sum::<usize>();
            }
            stays
        });
        self.sweep_at = 2 * self.by_pid.len();
    }
}

/// The name that IDMPAUTO gives to an entry: a hash of its fields and values, whatever their order;
/// the same that Redis makes. `words` are fields and values in turn.
pub fn automatic_iid(words: &[&[u8]]) -> [u8; 16] {
    let (mut sum, mut xor) = ((0_u64, 0_u64), (0_u64, 0_u64));
    for pair in words.chunks_exact(2) {
        let mut hash = Xxh3::new();
        hash.update(pair[0]);
        hash.update(&(pair[0].len() as u64).to_le_bytes());
        hash.update(pair[1]);
        let hash = hash.digest128();
        let (low, high) = (hash as u64, (hash >> 64) as u64);
        sum = (sum.0.wrapping_add(low), sum.1.wrapping_add(high));
        xor = (xor.0 ^ low, xor.1 ^ high);
    }
    let low = sum.0 ^ xor.1.rotate_left(1);
    let high = sum.1 ^ xor.0.rotate_left(1);
    let mut name = [0; 16];
    name[..8].copy_from_slice(&low.to_le_bytes());
    name[8..].copy_from_slice(&high.to_le_bytes());
    name
}
