//! The stream: an append-only log of entries under ascending IDs, with consumer groups.
//!
//! ```text
//!  Stream ── Log ── tree of Node (a lean block of some tens of entries)
//!     │       └─ last ID, greatest deleted ID, entries ever added
//!     ├── groups, by name ── Group ── pending entries by ID, consumers with theirs
//!     └── producers (idempotence)
//! ```
//!
//! All of it is persistent: a clone is O(1) and shares what neither side changes. A stream has one
//! shape; it is never packed. Entries that are deleted one by one stay in their node with a flag,
//! and trims cut nodes off whole where they can.
//!
//! To save a stream: [`Stream::log`] with [`Log::nodes`] ([`Node::master`], [`Node::to_listpack`]),
//! its IDs and counts; [`Stream::groups`] with [`Group::pending_from`], [`Group::consumers`] and
//! [`Consumer::pending_from`]; [`Stream::producers`]. To load one: [`Node::from_listpack`] proves a
//! foreign node, [`Stream::from_parts`] proves that the nodes follow one another, [`Group::new`],
//! [`Group::add_consumer`], [`Group::seen`], [`Group::active`] and [`Group::put`] make a group
//! (first everything pending without an owner, then [`Group::give`] for each consumer's IDs),
//! [`Stream::add_group`] puts it in, [`Stream::restore_name`] and [`Stream::set_counts`] bring back the
//! producers.

mod group;
mod id;
mod idempotence;
mod log;
mod node;
mod ordered;
pub(crate) mod persist;

#[cfg(test)]
mod tests;

pub use group::{Consumer, DELIVERIES_MAX, Group, Pending, Slot};
pub use id::{IdError, IdText, NewId, StreamId};
pub use idempotence::{Memory, Producer, Producers, automatic_iid};
pub use log::{Counter, Entries, Finder, Log, Trim};
pub use node::{Corrupt, Entry, Node, NodeEntries};

use crate::Limits;
use crate::collection::{Collection, Type, View, any_ways};
use crate::digest::{Digest, Kind};
use crate::listpack::Digits;
use crate::tree::Chunk;
use std::sync::LazyLock;
use triomphe::Arc;

/// An entry may not have more bytes of fields and values than this.
pub const ENTRY_BYTES_MAX: usize = 1 << 30;

/// Why a removal does not touch an entry, or that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum References {
    /// Groups keep it pending.
    Keep,
    /// Groups forget it.
    Delete,
    /// It is removed only if all groups have read and acknowledged it.
    Acked,
}

/// An owned stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    log: Log,
    groups: Option<Arc<Groups>>,
    producers: Option<Arc<Producers>>,
    memory: Memory,
    /// Entries added under a name, and entries not added as their name was known.
    idempotent: (u64, u64),
}

/// The groups by name.
#[derive(Clone, Debug, Default)]
struct Groups {
    sorted: Vec<Arc<Group>>,
    /// Bytes on the heap of all groups.
    bytes: usize,
}

impl Groups {
    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.sorted.binary_search_by(|group| group.name().cmp(name))
    }
}

/// What a stream is made of besides its groups and producers.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    pub nodes: Vec<Node>,
    pub last_id: StreamId,
    pub max_deleted_id: StreamId,
    pub entries_added: u64,
}

impl Stream {
    /// An empty one, that remembers as the configuration says.
    pub fn new(memory: Memory) -> Self {
        Self { memory, ..Self::default() }
    }

    /// A stream of nodes that were proved one by one. Their IDs must ascend, up to `last_id` at
    /// most.
    pub fn from_parts(parts: Parts, memory: Memory) -> Result<Self, Corrupt> {
        let Parts { nodes, last_id, max_deleted_id, entries_added } = parts;
        let mut before = None;
        for node in &nodes {
            let first = node.entries().next().map(|entry| entry.id).ok_or(Corrupt)?;
            if before.is_some_and(|before| node.master() <= before || first <= before) {
                return Err(Corrupt);
            }
            before = Some(node.last());
        }
        if before.is_some_and(|last| last > last_id) {
            return Err(Corrupt);
        }
        let nodes = nodes.into_iter().collect();
        let log = Log { nodes, last_id, max_deleted_id, entries_added };
        Ok(Self { log, memory, ..Self::default() })
    }

    // Entries.

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Adds an entry. `id` is above the last ID ([`NewId::after`]); `words` are fields and values
    /// in turn, with at most [`ENTRY_BYTES_MAX`] bytes.
    pub fn push(&mut self, id: StreamId, words: &[&[u8]], limits: &Limits) {
        debug_assert!(id > self.log.last_id && words.len().is_multiple_of(2));
        let payload = words.iter().map(|word| word.len()).sum();
        self.log.nodes.edit_by(
            |_| true,
            |edit| {
                if edit.chunk().is_empty() {
                    *edit.chunk_mut() = Node::new(id, words, 0);
                } else if edit.chunk().is_full_for(payload, limits) {
                    // It will be about as long as this one.
                    let room = edit.chunk().total_bytes();
                    edit.chunk_mut().seal();
                    edit.put_after(Node::new(id, words, (room + room / 16).min(NODE_ROOM_MAX)));
                } else {
                    edit.chunk_mut().push(id, words);
                }
            },
        );
        self.log.last_id = id;
        self.log.entries_added = self.log.entries_added.saturating_add(1);
    }

    /// Removes one entry, as far as `references` lets it.
    pub fn delete(&mut self, id: StreamId, references: References) -> Removal {
        if !self.release(id, references) {
            return Removal::Referenced;
        }
        if !self.log.delete(id) {
            return Removal::Missing;
        }
        self.log.max_deleted_id = self.log.max_deleted_id.max(id);
        Removal::Done
    }

    /// Removes the oldest entries. `approximate` is given if only whole nodes need go: at most so
    /// many entries (0: any number).
    pub fn trim(
        &mut self,
        trim: Trim,
        approximate: Option<usize>,
        references: References,
    ) -> Trimmed {
        if references == References::Keep {
            let len = self.log.trim_len(trim, approximate);
            self.log.drop_first(len);
            // PERF: a length says it all about MAXLEN.
            let stopped_at = match trim {
                Trim::MaxLen(_) => None,
                Trim::MinId(_) => self.log.first_entry_id(),
            };
            return Trimmed { len, stopped_at };
        }
        let limit = approximate.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        if references == References::Acked {
            return self.trim_acked(trim, limit);
        }
        let len = self.log.trim_len(trim, None).min(limit);
        let before = self.log.clone();
        self.log.drop_first(len);
        let stopped_at = self.log.first_entry_id();
        if len > 0 {
            self.forget_below(stopped_at, &before);
        }
        Trimmed { len, stopped_at }
    }

    /// Removes the oldest of the entries to which no group refers any more.
    fn trim_acked(&mut self, trim: Trim, limit: usize) -> Trimmed {
        let wanted = match trim {
            Trim::MaxLen(_) => self.log.trim_len(trim, None).min(limit),
            Trim::MinId(_) => limit,
        };
        let mut groups: Vec<_> = self
            .groups()
            .map(|group| (group.last_id, group.pending_from(StreamId::MIN).peekable()))
            .collect();
        let mut gone = Vec::new();
        let mut stopped_at = None;
        for entry in self.log.range(StreamId::MIN..=StreamId::MAX) {
            let past = matches!(trim, Trim::MinId(least) if entry.id >= least);
            if past || gone.len() >= wanted {
                stopped_at = Some(entry.id);
                break;
            }
            let is_referenced = groups.iter_mut().any(|(last_id, pending)| {
                while pending.next_if(|pending| pending.id < entry.id).is_some() {}
                *last_id < entry.id || pending.peek().is_some_and(|next| next.id == entry.id)
            });
            if !is_referenced {
                gone.push(entry.id);
            }
        }
        drop(groups);
        self.log.delete_all(&gone);
        Trimmed { len: gone.len(), stopped_at }
    }

    /// Makes the groups forget the entries of `log` below `end` (`None`: all).
    fn forget_below(&mut self, end: Option<StreamId>, log: &Log) {
        for place in 0..self.groups_len() {
            let first = self.groups().nth(place).and_then(Group::first_pending);
            if first.is_some_and(|first| end.is_none_or(|end| first.id < end)) {
                let mut finder = log.finder();
                self.edit_group(place, |_, group| {
                    group.forget_below(end, |id| finder.contains(id));
                });
            }
        }
    }

    /// Whether the entry may be removed; makes the groups forget it if that is asked for.
    fn release(&mut self, id: StreamId, references: References) -> bool {
        match references {
            References::Keep => true,
            References::Acked => !self.is_referenced(id),
            References::Delete => {
                self.forget(id);
                true
            }
        }
    }

    /// Whether a group has yet to read or to acknowledge the entry.
    pub fn is_referenced(&self, id: StreamId) -> bool {
        self.groups().any(|group| group.last_id < id || group.pending(id).is_some())
    }

    fn forget(&mut self, id: StreamId) {
        let Some(groups) = &self.groups else { return };
        let concerned = groups.sorted.iter().enumerate();
        let concerned = concerned.filter(|(_, group)| group.pending(id).is_some());
        let places: Vec<usize> = concerned.map(|(place, _)| place).collect();
        for place in places {
            self.edit_group(place, |_, group| group.ack(id));
        }
    }

    /// XSETID. The caller has checked that they make sense together.
    pub fn set_ids(
        &mut self,
        last_id: StreamId,
        added: Option<u64>,
        max_deleted: Option<StreamId>,
    ) {
        self.log.last_id = last_id;
        self.log.entries_added = added.unwrap_or(self.log.entries_added);
        self.log.max_deleted_id = max_deleted.unwrap_or(self.log.max_deleted_id);
    }

    // Groups.

    /// The groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Group> + '_ {
        self.groups.iter().flat_map(|groups| groups.sorted.iter().map(|group| &**group))
    }

    pub fn groups_len(&self) -> usize {
        self.groups.as_ref().map_or(0, |groups| groups.sorted.len())
    }

    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        let groups = self.groups.as_ref()?;
        groups.place(name).ok().map(|place| &*groups.sorted[place])
    }

    /// Puts a group in; `false` if there is one of its name.
    pub fn add_group(&mut self, group: Group) -> bool {
        let groups = self.groups.get_or_insert_default();
        let Err(place) = groups.place(group.name()) else { return false };
        let groups = Arc::make_mut(groups);
        groups.bytes += group.heap_bytes() + size_of::<Group>();
        groups.sorted.insert(place, Arc::new(group));
        true
    }

    /// Removes a group; `false` if there is none of this name.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        let Some(groups) = &mut self.groups else { return false };
        let Ok(place) = groups.place(name) else { return false };
        let groups = Arc::make_mut(groups);
        let group = groups.sorted.remove(place);
        groups.bytes -= group.heap_bytes() + size_of::<Group>();
        true
    }

    /// Changes a group, with the log at hand; `None` if there is no such group.
    pub fn with_group<R>(
        &mut self,
        name: &[u8],
        change: impl FnOnce(&Log, &mut Group) -> R,
    ) -> Option<R> {
        let place = self.groups.as_ref()?.place(name).ok()?;
        self.edit_group(place, change)
    }

    fn edit_group<R>(
        &mut self,
        place: usize,
        change: impl FnOnce(&Log, &mut Group) -> R,
    ) -> Option<R> {
        let groups = Arc::make_mut(self.groups.as_mut()?);
        let group = Arc::make_mut(groups.sorted.get_mut(place)?);
        groups.bytes -= group.heap_bytes();
        let result = change(&self.log, group);
        groups.bytes += group.heap_bytes();
        Some(result)
    }

    // Idempotent producers.

    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// Changes how much is remembered, and forgets all if that is a change; `false` if it is none.
    pub fn set_memory(&mut self, memory: Memory) -> bool {
        let changed = memory != self.memory;
        if changed {
            self.memory = memory;
            self.producers = None;
        }
        changed
    }

    pub fn producers(&self) -> Option<&Producers> {
        self.producers.as_deref()
    }

    /// The entry that producer `pid` added as `iid`, if that is remembered at `now_ms`.
    pub fn find_idempotent(&self, pid: &[u8], iid: &[u8], now_ms: u64) -> Option<StreamId> {
        self.producers.as_ref()?.find(pid, iid, self.memory, now_ms)
    }

    /// Remembers that producer `pid` added the entry `id` as `iid`: at `at_ms`, which is not after
    /// `now_ms`.
    pub fn record(&mut self, (pid, iid): (&[u8], &[u8]), id: StreamId, at_ms: u64, now_ms: u64) {
        let memory = self.memory;
        let producers = Arc::make_mut(self.producers.get_or_insert_default());
        producers.record((pid, iid), id, at_ms, memory, now_ms);
        self.idempotent.0 = self.idempotent.0.saturating_add(1);
    }

    /// Remembers a name from a file.
    pub fn restore_name(&mut self, pid: &[u8], iid: &[u8], id: StreamId) {
        let memory = self.memory;
        let producers = Arc::make_mut(self.producers.get_or_insert_default());
        producers.restore(pid, iid, id, memory);
    }

    /// Counts an entry of `pid` that was not added at `now_ms`, for its name was known.
    pub fn count_duplicate(&mut self, pid: &[u8], now_ms: u64) {
        if let Some(producers) = &mut self.producers {
            Arc::make_mut(producers).settle(pid, now_ms);
        }
        self.idempotent.1 = self.idempotent.1.saturating_add(1);
    }

    /// How many producers and names are remembered at `now_ms`.
    pub fn remembered(&self, now_ms: u64) -> (usize, usize) {
        self.producers.as_ref().map_or((0, 0), |producers| producers.counts(self.memory, now_ms))
    }

    /// Entries added under a name, and entries not added as their name was known.
    pub fn idempotent_counts(&self) -> (u64, u64) {
        self.idempotent
    }

    pub fn set_counts(&mut self, added: u64, duplicates: u64) {
        self.idempotent = (added, duplicates);
    }
}

/// A new node starts with no more room than this.
const NODE_ROOM_MAX: usize = 4096;

/// What came of a trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// How many entries went.
    pub len: usize,
    /// Of a trim by ID the first entry that was out of its reach, if there is one: an exact trim up
    /// to there does the same.
    pub stopped_at: Option<StreamId>,
}

/// What came of the removal of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Done,
    /// There is no such entry.
    Missing,
    /// A group has yet to read or to acknowledge it.
    Referenced,
}

/// A borrowed stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamView<'a>(&'a Stream);

impl<'a> StreamView<'a> {
    /// The stream: all reads are its own.
    pub fn stream(self) -> &'a Stream {
        self.0
    }

    pub fn log(self) -> &'a Log {
        &self.0.log
    }
}

impl std::ops::Deref for StreamView<'_> {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        self.0
    }
}

impl View for StreamView<'_> {
    fn len(self) -> usize {
        self.0.log.len()
    }

    fn encoding(self) -> &'static str {
        "stream"
    }

    /// The entries; groups do not count.
    fn fold(self, digest: &mut Digest) {
        digest.mix_kind(Kind::Stream);
        let mut id = Vec::new();
        let (mut field_digits, mut value_digits) = (Digits::default(), Digits::default());
        for entry in self.0.log.range(StreamId::MIN..=StreamId::MAX) {
            id.clear();
            stdx::num::write_u64(&mut id, entry.id.ms);
            id.push(b'.');
            stdx::num::write_u64(&mut id, entry.id.seq);
            digest.mix(&id);
            for (field, value) in entry.fields() {
                digest.mix(field.text(&mut field_digits));
                digest.mix(value.text(&mut value_digits));
            }
        }
    }
}

const NEVER_PACKED: &str = "a stream has no packed shape";

impl Collection for Stream {
    const TYPE: Type = Type::Stream;
    const KEEPS_EMPTY: bool = true;
    type View<'a> = StreamView<'a>;

    any_ways!(Stream);

    fn view(&self) -> StreamView<'_> {
        StreamView(self)
    }

    /// Of no bytes, which is what a stream that is not there looks like.
    fn view_packed(_form: u8, bytes: &[u8]) -> StreamView<'_> {
        static EMPTY: LazyLock<Stream> = LazyLock::new(Stream::default);
        assert!(bytes.is_empty(), "{NEVER_PACKED}");
        StreamView(&EMPTY)
    }

    fn from_packed(_form: u8, _bytes: Vec<u8>) -> Self {
        unreachable!("{NEVER_PACKED}")
    }

    fn as_packed(&self) -> Option<(u8, &[u8])> {
        None
    }

    fn into_packed(self) -> Result<(u8, Vec<u8>), Self> {
        Err(self)
    }

    fn heap_bytes(&self) -> usize {
        self.log.nodes.heap_bytes()
            + self.groups.as_ref().map_or(0, |groups| size_of::<Groups>() + groups.bytes)
            + self.producers.as_ref().map_or(0, |producers| producers.heap_bytes())
    }
}
