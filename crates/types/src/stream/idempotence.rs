//! What a stream remembers of its idempotent producers, so that an entry sent twice is added once.
//!
//! Each producer (`pid`) names its messages (`iid`); the stream remembers for some time, and up to
//! some number, which entry a name belongs to. Time is read off the IDs of the entries: a name is
//! forgotten when an entry is recorded that is `seconds` younger, and is not found any more as soon
//! as the clock is that far. So the state follows from the log of what was recorded alone.

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

/// What one producer sent, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Producer {
    order: VecDeque<(Arc<[u8]>, StreamId)>,
    ids: BTreeMap<Arc<[u8]>, StreamId>,
}

impl Producer {
    /// Names with the IDs of their entries, oldest first.
    pub fn names(&self) -> impl ExactSizeIterator<Item = (&[u8], StreamId)> + '_ {
        self.order.iter().map(|(name, id)| (&**name, *id))
    }

    fn is_live(id: StreamId, horizon_ms: Option<u64>) -> bool {
        horizon_ms.is_none_or(|horizon| id.ms > horizon)
    }

    fn live_len(&self, horizon_ms: Option<u64>) -> usize {
        self.order.len() - self.order.partition_point(|(_, id)| !Self::is_live(*id, horizon_ms))
    }

    /// Forgets the oldest; answers how many bytes that were.
    fn forget_first(&mut self) -> usize {
        let Some((name, _)) = self.order.pop_front() else { return 0 };
        self.ids.remove(&name);
        name_bytes(&name)
    }

    fn forget(&mut self, horizon_ms: Option<u64>) -> usize {
        let mut bytes = 0;
        while self.order.front().is_some_and(|(_, id)| !Self::is_live(*id, horizon_ms)) {
            bytes += self.forget_first();
        }
        bytes
    }
}

/// What a name takes, about: in the queue, in the tree, and itself.
fn name_bytes(name: &[u8]) -> usize {
    2 * size_of::<(Arc<[u8]>, StreamId)>() + size_of::<usize>() + name.len()
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
        let id = *self.by_pid.get(pid)?.ids.get(iid)?;
        Producer::is_live(id, memory.horizon_ms(now_ms)).then_some(id)
    }

    /// Remembers that `iid` of `pid` is the entry `id`. The caller knows that it was not
    /// remembered.
    pub(super) fn record(&mut self, pid: &[u8], iid: &[u8], id: StreamId, memory: Memory) {
        let horizon = memory.horizon_ms(id.ms);
        self.sweep(horizon);
        if !self.by_pid.contains_key(pid) {
            self.by_pid.insert(pid.into(), Arc::default());
            self.bytes += producer_bytes(pid);
        }
        let Some(producer) = self.by_pid.get_mut(pid) else { return };
        let producer = Arc::make_mut(producer);
        self.bytes -= producer.forget(horizon);
        let name: Arc<[u8]> = iid.into();
        if producer.ids.insert(Arc::clone(&name), id).is_some() {
            return;
        }
        self.bytes += name_bytes(iid);
        producer.order.push_back((name, id));
        while producer.order.len() > memory.names_max as usize {
            self.bytes -= producer.forget_first();
        }
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
