//! A node: some tens of entries in one lean block.
//!
//! ```text
//! cells   n | field * n | entry...
//! entry   flags | ms | seq | (value * n)                    | size     if flags has SAME_FIELDS
//!         flags | ms | seq | k | (field, value) * k         | size     otherwise
//! ```
//!
//! Each cell is an element of the block. `ms` and `seq` are differences to the master ID, which is
//! that of the first entry the node had; both may be negative and wrap around. `size` is the bytes
//! of the entry before it, 0 if they are more than 127, for walking backwards. A deleted entry
//! stays, with a flag, until no live one is left; then the node goes.
//!
//! Redis and Valkey keep a node as a listpack, which RDB files and DUMP payloads hold
//! ([`Node::to_listpack`]). It begins with the numbers of live and deleted entries and ends each
//! entry with the number of its cells. Its size decides when a node is full, as there.

use super::StreamId;
use crate::lean::{self, Lean, Pos};
use crate::listpack::{self, Element, Listpack};
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
    /// Bytes of the listpack, but for those of `live` and `deleted`.
    listpack_bytes: u32,
    pack: Lean,
}

/// Bytes of a listpack without elements.
const LISTPACK_BYTES: u32 = 7;
/// Bytes of the longest entry whose size is kept.
const SIZE_MAX: usize = 127;

impl Node {
    /// A node with one entry. `words` are fields and values in turn; `room` is how many bytes it
    /// will likely grow to.
    pub(super) fn new(id: StreamId, words: &[&[u8]], room: usize) -> Self {
        let mut node = Self {
            master: id,
            last: id,
            live: 1,
            deleted: 0,
            // With the end of what stands before the entries.
            listpack_bytes: LISTPACK_BYTES + listpack::bytes_of(Element::Int(0)) as u32,
            pack: Lean::with_capacity(room),
        };
        node.put((words.len() / 2) as i64);
        words.iter().step_by(2).for_each(|field| node.put(*field));
        node.write(id, words, true);
        node
    }

    /// The node of a listpack from an RDB file or a DUMP payload, after proving all of it: that it is
    /// a listpack, that its entries are whole, that the counts are right, and that the IDs ascend. A
    /// node without a live entry is no node.
    pub fn from_listpack(master: StreamId, bytes: &[u8]) -> Result<Self, Corrupt> {
        listpack::validate(bytes)?;
        let cells = listpack::View::of(bytes).iter();
        let mut proof = Proof { cells, pack: Lean::with_capacity(bytes.len()) };
        let live = proof.number()?;
        let deleted = proof.number()?;
        let fields = proof.copied_number()?;
        proof.copy(fields)?;
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
        let counts = [live, deleted].map(|count| listpack::bytes_of(Element::Int(count)) as u32);
        let listpack_bytes = bytes.len() as u32 - counts[0] - counts[1];
        let mut pack = proof.pack;
        pack.shrink_to_fit();
        Ok(Self { master, last, live: live_seen, deleted: deleted_seen, listpack_bytes, pack })
    }

    /// The listpack, as RDB files and DUMP payloads hold it under [`Node::master`].
    pub fn to_listpack(&self) -> Listpack {
        let mut pack = Listpack::with_capacity(self.listpack_bytes as usize + 10);
        pack.append(i64::from(self.live));
        pack.append(i64::from(self.deleted));
        let mut cells = self.pack.view().iter();
        let fields = count_of(cells.next());
        pack.append(fields as i64);
        cells.by_ref().take(fields).for_each(|field| pack.append(field));
        pack.append(0);
        while let Some(flags) = cells.next().and_then(Element::as_i64) {
            pack.append(flags);
            cells.by_ref().take(2).for_each(|part| pack.append(part));
            let (words, before) = if flags & SAME_FIELDS != 0 {
                (fields, 3)
            } else {
                let own = count_of(cells.next());
                pack.append(own as i64);
                (2 * own, 4)
            };
            cells.by_ref().take(words).for_each(|word| pack.append(word));
            pack.append((words + before) as i64);
            cells.next();
        }
        pack
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
        let counts = [self.live, self.deleted]
            .map(|count| listpack::bytes_of(Element::Int(i64::from(count))));
        let bytes = self.listpack_bytes as usize + counts[0] + counts[1];
        let entries = self.live as usize + self.deleted as usize;
        bytes.saturating_add(payload) >= bytes_max
            || (limits.stream_node_entries > 0 && entries >= limits.stream_node_entries)
    }

    pub(super) fn total_bytes(&self) -> usize {
        self.pack.as_bytes().len()
    }

    /// Gives unused room back: nothing will be added.
    pub(super) fn seal(&mut self) {
        self.pack.shrink_to_fit();
    }

    /// Adds an entry at the end; `id` is above all others.
    pub(super) fn push(&mut self, id: StreamId, words: &[&[u8]]) {
        self.live += 1;
        let same = self.has_fields(words);
        self.write(id, words, same);
    }

    /// Appends a cell that the listpack has, too.
    fn put<'e>(&mut self, cell: impl Into<Element<'e>>) {
        let cell = cell.into();
        self.listpack_bytes += listpack::bytes_of(cell) as u32;
        self.pack.append(cell);
    }

    fn write(&mut self, id: StreamId, words: &[&[u8]], same: bool) {
        let pairs = (words.len() / 2) as i64;
        let start = self.total_bytes();
        self.put(if same { SAME_FIELDS } else { 0 });
        self.put(id.ms.wrapping_sub(self.master.ms) as i64);
        self.put(id.seq.wrapping_sub(self.master.seq) as i64);
        let cells = if same {
            words.iter().skip(1).step_by(2).for_each(|value| self.put(*value));
            pairs + 3
        } else {
            self.put(pairs);
            words.iter().for_each(|word| self.put(*word));
            2 * pairs + 4
        };
        self.listpack_bytes += listpack::bytes_of(Element::Int(cells)) as u32;
        self.pack.append(size_cell(self.total_bytes() - start));
        self.last = id;
    }

    fn has_fields(&self, words: &[&[u8]]) -> bool {
        let mut cells = self.pack.view().iter();
        count_of(cells.next()) == words.len() / 2
            && words.iter().step_by(2).zip(cells).all(|(field, own)| own.eq_bytes(field))
    }

    /// Marks the entry as deleted; `false` if it is not there or was deleted before.
    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        let Some(rank) = self.live_rank(id) else { return false };
        self.remove(rank..rank + 1);
        true
    }

    /// Marks these live entries as deleted; their IDs ascend.
    pub(super) fn delete_all(&mut self, ids: &[StreamId]) {
        let (mut wanted, mut entries) = (ids.iter().peekable(), self.entries());
        let mut places = Vec::with_capacity(ids.len());
        while let Some(id) = wanted.peek() {
            let at = entries.front;
            let Some(entry) = entries.next() else { break };
            if entry.id == **id {
                places.push(at);
                wanted.next();
            }
        }
        places.reverse();
        self.mark(&places);
    }

    /// Marks the live entries at these places as deleted, the last of them first: a change leaves
    /// alone what stands before it.
    fn mark(&mut self, places: &[Pos]) {
        for at in places {
            let flags = self.pack.view().get(*at).as_i64().unwrap_or(0);
            self.pack.replace(*at, flags | DELETED);
        }
        let gone = places.len() as u32;
        self.live -= gone;
        self.deleted += gone;
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
        let fields = if view.is_empty() { 0 } else { count_of(Some(view.get(view.start()))) };
        let front = view.seek(1 + fields);
        let names = view.iter_from(view.seek(1));
        NodeEntries {
            master: self.master,
            fields,
            names,
            view,
            start: front,
            front,
            back: view.end(),
        }
    }
}

/// What the size of an entry is written as.
fn size_cell(bytes: usize) -> i64 {
    if bytes > SIZE_MAX { 0 } else { bytes as i64 }
}

/// The number that a cell says.
fn count_of(cell: Option<Element<'_>>) -> usize {
    cell.and_then(Element::as_i64).map_or(0, |count| count as usize)
}

/// An entry, borrowed.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    pub id: StreamId,
    pub deleted: bool,
    len: usize,
    /// Where its names are, if not between its values.
    names: Option<lean::Iter<'a>>,
    cells: lean::Iter<'a>,
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
    names: lean::Iter<'a>,
    view: lean::View<'a>,
    /// Where the entries start, and where those start and end that are left.
    start: Pos,
    front: Pos,
    back: Pos,
}

impl<'a> NodeEntries<'a> {
    /// The entry at `at`, and where the next one is.
    fn read(&self, at: Pos) -> Option<(Entry<'a>, Pos)> {
        if at == self.view.end() {
            return None;
        }
        let mut cells = self.view.iter_from(at);
        let flags = integer(&mut cells)?;
        let ms = self.master.ms.wrapping_add(integer(&mut cells)? as u64);
        let seq = self.master.seq.wrapping_add(integer(&mut cells)? as u64);
        let same = flags & SAME_FIELDS != 0;
        let len = if same { self.fields } else { integer(&mut cells)? as usize };
        let entry = Entry {
            id: StreamId { ms, seq },
            deleted: flags & DELETED != 0,
            len,
            names: same.then(|| self.names.clone()),
            cells: cells.clone(),
        };
        // Behind the words stands the size.
        cells.nth(if same { len } else { 2 * len })?;
        Some((entry, self.view.place_of(&cells)))
    }

    /// Where the entry before `back` starts.
    fn before(&self, back: Pos) -> Pos {
        match self.view.small_before(back) {
            0 => {
                let mut at = self.start;
                while let Some((_, next)) = self.read(at).filter(|(_, next)| *next < back) {
                    at = next;
                }
                at
            }
            size => back.back(1 + size),
        }
    }
}

fn integer(cells: &mut lean::Iter<'_>) -> Option<i64> {
    cells.next()?.as_i64()
}

impl<'a> Iterator for NodeEntries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let (entry, next) = self.read(self.front)?;
        self.front = next;
        Some(entry)
    }
}

impl DoubleEndedIterator for NodeEntries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.back == self.start {
            return None;
        }
        self.back = self.before(self.back);
        Some(self.read(self.back)?.0)
    }
}

impl Chunk for Node {
    type Key = StreamId;
    type Sum = ();

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
        self.mark(&places);
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

/// Reads foreign elements, believes none of them, and copies those that a node keeps.
struct Proof<'a> {
    cells: listpack::Iter<'a>,
    pack: Lean,
}

impl Proof<'_> {
    fn number(&mut self) -> Result<i64, Corrupt> {
        self.cells.next().and_then(Element::as_i64).ok_or(Corrupt)
    }

    fn copied_number(&mut self) -> Result<i64, Corrupt> {
        let number = self.number()?;
        self.pack.append(number);
        Ok(number)
    }

    fn copy(&mut self, count: i64) -> Result<(), Corrupt> {
        for _ in 0..count {
            self.pack.append(self.cells.next().ok_or(Corrupt)?);
        }
        if count < 0 { Err(Corrupt) } else { Ok(()) }
    }

    fn at_end(&self) -> bool {
        self.cells.clone().next().is_none()
    }

    /// Its ID, and whether it is deleted.
    fn entry(&mut self, master: StreamId, fields: i64) -> Result<(StreamId, bool), Corrupt> {
        let start = self.pack.as_bytes().len();
        let flags = self.copied_number()?;
        let ms = master.ms.wrapping_add(self.copied_number()? as u64);
        let seq = master.seq.wrapping_add(self.copied_number()? as u64);
        let cells = if flags & SAME_FIELDS != 0 {
            self.copy(fields)?;
            fields.checked_add(3)
        } else {
            let own = self.copied_number()?;
            self.copy(own)?;
            self.copy(own)?;
            own.checked_mul(2).and_then(|words| words.checked_add(4))
        };
        if Some(self.number()?) != cells {
            return Err(Corrupt);
        }
        self.pack.append(size_cell(self.pack.as_bytes().len() - start));
        Ok((StreamId { ms, seq }, flags & DELETED != 0))
    }
}
