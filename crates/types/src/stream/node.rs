//! A node: some tens of entries in one listpack, byte for byte as Redis and Valkey keep them.
//!
//! ```text
//! master  live | deleted | n | field * n | 0
//! entry   flags | ms | seq | (value * n)                    | count     if flags has SAME_FIELDS
//!         flags | ms | seq | k | (field, value) * k         | count     otherwise
//! ```
//!
//! Each cell is an element of the listpack. `ms` and `seq` are differences to the master ID, which
//! is that of the first entry the node had; both may be negative and wrap around. `count` is the
//! number of elements of the entry before it, for walking backwards. A deleted entry stays, with a
//! flag, until no live one is left; then the node goes.

use super::StreamId;
use crate::listpack::{self, Element, Listpack, Pos};
use crate::tree::Chunk;
use std::ops::Range;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// Why foreign bytes are no node.
pub use crate::listpack::Corrupt;

/// Some entries in order; at least one of them is live, unless it is the default.
#[derive(Clone, Debug, Default)]
pub struct Node {
    master: StreamId,
    /// ID of the last entry, deleted or not.
    last: StreamId,
    live: u32,
    deleted: u32,
    pack: Listpack,
}

impl Node {
    /// A node with one entry. `words` are fields and values in turn; `room` is how many bytes it
    /// will likely grow to.
    pub(super) fn new(id: StreamId, words: &[&[u8]], room: usize) -> Self {
        let mut pack = Listpack::with_capacity(room);
        pack.append(1);
        pack.append(0);
        pack.append((words.len() / 2) as i64);
        words.iter().step_by(2).for_each(|field| pack.append(*field));
        pack.append(0);
        let mut node = Self { master: id, last: id, live: 1, deleted: 0, pack };
        node.write(id, words, true);
        node
    }

    /// Takes over the listpack of a node from an RDB file or a DUMP payload, after proving all of
    /// it: that it is a listpack, that its entries are whole, that the counts are right, and that
    /// the IDs ascend. A node without a live entry is no node.
    pub fn from_listpack(master: StreamId, bytes: Vec<u8>) -> Result<Self, Corrupt> {
        listpack::validate(&bytes)?;
        let pack = Listpack::from_bytes(bytes);
        let mut proof = Proof { cells: pack.view().iter() };
        let live = proof.number()?;
        let deleted = proof.number()?;
        let fields = proof.number()?;
        proof.skip(fields)?;
        let mut last = None;
        if proof.number()? != 0 {
            return Err(Corrupt);
        }
        let (mut live_seen, mut deleted_seen) = (0_u32, 0_u32);
        while !proof.at_end() {
            let (id, is_deleted) = proof.entry(master, fields)?;
            if id < master || last.is_some_and(|last| last >= id) {
                return Err(Corrupt);
            }
            last = Some(id);
            *(if is_deleted { &mut deleted_seen } else { &mut live_seen }) += 1;
        }
        if live != i64::from(live_seen) || deleted != i64::from(deleted_seen) || live_seen == 0 {
            return Err(Corrupt);
        }
        let last = last.unwrap_or(master);
        Ok(Self { master, last, live: live_seen, deleted: deleted_seen, pack })
    }

    /// The listpack, as RDB files and DUMP payloads hold it under [`Node::master`].
    pub fn as_bytes(&self) -> &[u8] {
        self.pack.as_bytes()
    }

    pub fn master(&self) -> StreamId {
        self.master
    }

    /// Whether an entry with `payload` bytes of fields and values is one too many.
    pub(super) fn is_full_for(&self, payload: usize, limits: &crate::Limits) -> bool {
        let bytes_max = match limits.stream_node_bytes {
            0 => listpack::MAX_BYTES,
            bytes => bytes.min(listpack::MAX_BYTES),
        };
        let entries = self.live as usize + self.deleted as usize;
        self.pack.total_bytes().saturating_add(payload) >= bytes_max
            || (limits.stream_node_entries > 0 && entries >= limits.stream_node_entries)
    }

    pub(super) fn total_bytes(&self) -> usize {
        self.pack.total_bytes()
    }

    /// Gives unused room back: nothing will be added.
    pub(super) fn seal(&mut self) {
        self.pack.shrink_to_fit();
    }

    /// Adds an entry at the end; `id` is above all others.
    pub(super) fn push(&mut self, id: StreamId, words: &[&[u8]]) {
        self.live += 1;
        self.pack.replace(self.live_at(), i64::from(self.live));
        let same = self.has_fields(words);
        self.write(id, words, same);
    }

    fn write(&mut self, id: StreamId, words: &[&[u8]], same: bool) {
        let pairs = (words.len() / 2) as i64;
        let pack = &mut self.pack;
        pack.append(if same { SAME_FIELDS } else { 0 });
        pack.append(id.ms.wrapping_sub(self.master.ms) as i64);
        pack.append(id.seq.wrapping_sub(self.master.seq) as i64);
        if same {
            words.iter().skip(1).step_by(2).for_each(|value| pack.append(*value));
            pack.append(pairs + 3);
        } else {
            pack.append(pairs);
            words.iter().for_each(|word| pack.append(*word));
            pack.append(2 * pairs + 4);
        }
        self.last = id;
    }

    fn has_fields(&self, words: &[&[u8]]) -> bool {
        let mut cells = self.pack.view().iter();
        let fields = cells.nth(2).and_then(Element::as_i64);
        fields == Some((words.len() / 2) as i64)
            && words.iter().step_by(2).zip(cells).all(|(field, own)| own.eq_bytes(field))
    }

    fn live_at(&self) -> Pos {
        self.pack.view().first().expect("a node has a master entry")
    }

    /// Marks the entry as deleted; `false` if it is not there or was deleted before.
    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        let Some(rank) = self.live_rank(id) else { return false };
        self.remove(rank..rank + 1);
        true
    }

    /// How many live entries come before that with this ID; `None` if it is not among them.
    pub(super) fn live_rank(&self, id: StreamId) -> Option<usize> {
        if id > self.last {
            return None;
        }
        let mut rank = 0;
        for entry in self.entries() {
            if entry.id >= id {
                return (entry.id == id && !entry.deleted).then_some(rank);
            }
            rank += usize::from(!entry.deleted);
        }
        None
    }

    /// How many live entries are below `id`.
    pub(super) fn live_below(&self, id: StreamId) -> usize {
        if id > self.last {
            return self.live as usize;
        }
        self.entries().take_while(|entry| entry.id < id).filter(|entry| !entry.deleted).count()
    }

    /// ID of the last entry, deleted or not.
    pub(super) fn last(&self) -> StreamId {
        self.last
    }

    /// All entries, the deleted ones too.
    pub fn entries(&self) -> NodeEntries<'_> {
        let view = self.pack.view();
        let mut cells = view.iter();
        let fields = cells.nth(2).and_then(Element::as_i64).unwrap_or(0);
        let fields = usize::try_from(fields).unwrap_or(0);
        let names = cells.clone();
        cells.nth(fields);
        NodeEntries { master: self.master, fields, names, cells, view, back: view.end() }
    }
}

/// An entry, borrowed.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    pub id: StreamId,
    pub deleted: bool,
    len: usize,
    /// Where its names are, if not between its values.
    names: Option<listpack::Iter<'a>>,
    cells: listpack::Iter<'a>,
}

impl<'a> Entry<'a> {
    /// Number of fields.
    #[expect(clippy::len_without_is_empty, reason = "every entry has a field")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Fields with their values, in order.
    pub fn fields(&self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> + use<'a> {
        let (mut names, mut cells) = (self.names.clone(), self.cells.clone());
        (0..self.len).map_while(move |_| {
            let name = names.as_mut().unwrap_or(&mut cells).next()?;
            Some((name, cells.next()?))
        })
    }
}

/// The entries of one node, from the front or, with `next_back`, from the end; not from both.
#[derive(Clone, Debug)]
pub struct NodeEntries<'a> {
    master: StreamId,
    fields: usize,
    names: listpack::Iter<'a>,
    cells: listpack::Iter<'a>,
    view: listpack::View<'a>,
    back: Pos,
}

impl<'a> NodeEntries<'a> {
    /// The entry whose flags are next in `cells`, which are moved behind it.
    fn read(&self, cells: &mut listpack::Iter<'a>) -> Option<Entry<'a>> {
        let flags = integer(cells)?;
        let ms = self.master.ms.wrapping_add(integer(cells)? as u64);
        let seq = self.master.seq.wrapping_add(integer(cells)? as u64);
        let same = flags & SAME_FIELDS != 0;
        let len = if same { self.fields } else { integer(cells)? as usize };
        let entry = Entry {
            id: StreamId { ms, seq },
            deleted: flags & DELETED != 0,
            len,
            names: same.then(|| self.names.clone()),
            cells: cells.clone(),
        };
        // Behind the values stands the count.
        cells.nth(if same { len } else { 2 * len })?;
        Some(entry)
    }
}

fn integer(cells: &mut listpack::Iter<'_>) -> Option<i64> {
    cells.next()?.as_i64()
}

impl<'a> Iterator for NodeEntries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let mut cells = self.cells.clone();
        let entry = self.read(&mut cells)?;
        self.cells = cells;
        Some(entry)
    }
}

impl DoubleEndedIterator for NodeEntries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let mut at = self.view.prev(self.back)?;
        let count = self.view.get(at).as_i64()?;
        if count == 0 {
            return None; // The end of the master entry.
        }
        for _ in 0..count {
            at = self.view.prev(at)?;
        }
        self.back = at;
        self.read(&mut self.view.iter_from(at))
    }
}

impl Chunk for Node {
    type Key = StreamId;

    fn len(&self) -> usize {
        self.live as usize
    }

    fn heap_bytes(&self) -> usize {
        self.pack.heap_bytes()
    }

    fn separator(_left: &Self, right: &Self) -> StreamId {
        right.master
    }

    /// Marks these live entries as deleted.
    fn remove(&mut self, range: Range<usize>) {
        let mut places = Vec::with_capacity(range.len());
        let (mut rank, mut back) = (self.live as usize, self.entries());
        while rank > range.start {
            let Some(entry) = back.next_back() else { break };
            if entry.deleted {
                continue;
            }
            rank -= 1;
            if rank < range.end {
                places.push(back.back);
            }
        }
        // From the end to the front: a change leaves alone what stands before it.
        for at in &places {
            let flags = self.pack.view().get(*at).as_i64().unwrap_or(0);
            self.pack.replace(*at, flags | DELETED);
        }
        let gone = places.len() as u32;
        self.live -= gone;
        self.deleted += gone;
        let at = self.live_at();
        let deleted_at = self.pack.view().after(at);
        self.pack.replace(deleted_at, i64::from(self.deleted));
        self.pack.replace(at, i64::from(self.live));
    }

    fn append(&mut self, right: &Self) {
        for entry in right.entries().filter(|entry| !entry.deleted) {
            let cells: Vec<Vec<u8>> = entry
                .fields()
                .flat_map(|(field, value)| [field.to_vec(), value.to_vec()])
                .collect();
            let words: Vec<&[u8]> = cells.iter().map(Vec::as_slice).collect();
            self.push(entry.id, &words);
        }
    }
}

/// Reads foreign elements and believes none of them.
struct Proof<'a> {
    cells: listpack::Iter<'a>,
}

impl Proof<'_> {
    fn number(&mut self) -> Result<i64, Corrupt> {
        self.cells.next().and_then(Element::as_i64).ok_or(Corrupt)
    }

    fn skip(&mut self, count: i64) -> Result<(), Corrupt> {
        for _ in 0..count {
            self.cells.next().ok_or(Corrupt)?;
        }
        if count < 0 { Err(Corrupt) } else { Ok(()) }
    }

    fn at_end(&self) -> bool {
        self.cells.clone().next().is_none()
    }

    /// Its ID, and whether it is deleted.
    fn entry(&mut self, master: StreamId, fields: i64) -> Result<(StreamId, bool), Corrupt> {
        let flags = self.number()?;
        let ms = master.ms.wrapping_add(self.number()? as u64);
        let seq = master.seq.wrapping_add(self.number()? as u64);
        let cells = if flags & SAME_FIELDS != 0 {
            self.skip(fields)?;
            fields.checked_add(3)
        } else {
            let own = self.number()?;
            self.skip(own)?;
            self.skip(own)?;
            own.checked_mul(2).and_then(|words| words.checked_add(4))
        };
        if Some(self.number()?) != cells {
            return Err(Corrupt);
        }
        Ok((StreamId { ms, seq }, flags & DELETED != 0))
    }
}
