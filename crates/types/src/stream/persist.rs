//! The form of a stream in RDB files: its nodes as listpacks, its counts, its groups with what is
//! pending, and, where there is such, its producers (version 4) and what was given back (version
//! 5).

use super::{Consumer, Group, Memory, Node, Parts, Pending, Slot, Stream, StreamId, StreamView};
use crate::collection::Collection as _;
use crate::limits::Limits;
use crate::persist::Persist;
use crate::tree::{Chunk as _, Tree};
use rdb::opcode::value;
use rdb::{Dialect, Error, Reader, Writer};

/// As a count of entries read, that it cannot be told.
const UNKNOWN: u64 = u64::MAX;

impl Stream {
    /// Whether there is more than version 3 of the form can say.
    fn has_memory(&self) -> bool {
        self.memory != Memory::default()
            || self.idempotent != (0, 0)
            || self.producers().is_some_and(|producers| producers.iter().len() > 0)
    }
}

impl Persist for StreamView<'_> {
    fn kind(self, dialect: Dialect) -> u8 {
        // What old readers cannot keep they shall refuse rather than lose.
        if self.groups().any(|group| group.unowned_len() > 0) {
            value::STREAM_LISTPACKS_5
        } else if self.has_memory() {
            value::STREAM_LISTPACKS_4
        } else if dialect == Dialect::Redis70 {
            value::STREAM_LISTPACKS_2
        } else {
            value::STREAM_LISTPACKS_3
        }
    }

    fn save(self, out: &mut Writer<'_>) {
        let log = self.stream().log();
        out.length(log.nodes_len() as u64);
        log.nodes().for_each(|node| save_node(node, out));
        let (kind, entries) = (self.kind(out.dialect()), (log.len(), log.first_entry_id()));
        Behind::default().step(self.stream(), kind, entries, out, u64::MAX);
    }
}

fn save_node(node: &Node, out: &mut Writer<'_>) {
    out.string(&node.master().to_be_bytes());
    out.string(node.to_listpack().as_bytes());
}

/// How far the writing of what follows the nodes has come.
#[derive(Default)]
struct Behind {
    /// The group, by number; `None`: what stands before all groups is next.
    group: Option<usize>,
    at: At,
}

/// What of a group is next.
#[derive(Clone, Copy, Default)]
enum At {
    #[default]
    Head,
    /// What is pending, from here on.
    Pending(StreamId),
    /// A consumer, by number.
    Consumer(usize),
    /// What it has, from here on.
    Owned(usize, StreamId),
    /// What belongs to nobody, from here on.
    Unowned(StreamId),
}

impl Behind {
    /// Writes on until `end`; returns whether there is more. `len` and `first` are of the nodes.
    fn step(
        &mut self,
        stream: &Stream,
        kind: u8,
        (len, first): (usize, Option<StreamId>),
        out: &mut Writer<'_>,
        end: u64,
    ) -> bool {
        let group = self.group.get_or_insert_with(|| {
            save_counts(stream, len, first, out);
            0
        });
        let groups = stream.groups.as_ref().map_or(&[][..], |groups| &groups.sorted);
        while let Some(one) = groups.get(*group) {
            if out.offset() >= end {
                return true;
            }
            self.at = save_group(one, self.at, kind, out, end).unwrap_or_else(|| {
                *group += 1;
                At::Head
            });
        }
        if kind >= value::STREAM_LISTPACKS_4 {
            save_memory(stream, out);
        }
        false
    }
}

fn save_counts(stream: &Stream, len: usize, first: Option<StreamId>, out: &mut Writer<'_>) {
    let log = stream.log();
    out.length(len as u64);
    write_id(log.last_id(), out);
    write_id(first.unwrap_or(StreamId::MIN), out);
    write_id(log.max_deleted_id(), out);
    out.length(log.entries_added());
    out.length(stream.groups_len() as u64);
}

/// A stream on its way into a file, in slices.
pub(crate) struct Saving {
    nodes: Tree<Node>,
    nodes_len: Option<usize>,
    entries: (usize, Option<StreamId>),
    /// Without its nodes.
    rest: Stream,
    behind: Behind,
}

impl Saving {
    pub(crate) fn new(mut stream: Stream) -> Self {
        let entries = (stream.log.len(), stream.log.first_entry_id());
        let nodes_len = Some(stream.log.nodes_len());
        let nodes = std::mem::take(&mut stream.log.nodes);
        Self { nodes, nodes_len, entries, rest: stream, behind: Behind::default() }
    }

    /// Writes on until `end`; returns whether there is more.
    pub(crate) fn step(&mut self, out: &mut Writer<'_>, end: u64) -> bool {
        if let Some(len) = self.nodes_len.take() {
            out.length(len as u64);
        }
        while out.offset() < end {
            let Some(node) = self.nodes.first() else {
                let kind = self.rest.view().kind(out.dialect());
                return self.behind.step(&self.rest, kind, self.entries, out, end);
            };
            save_node(node, out);
            let len = node.len();
            self.nodes.remove(0..len, 0);
        }
        true
    }
}

fn write_id(id: StreamId, out: &mut Writer<'_>) {
    out.length(id.ms);
    out.length(id.seq);
}

/// Writes what is next of a group, until `end`, and answers what comes then; `None`: nothing.
fn save_group(group: &Group, at: At, kind: u8, out: &mut Writer<'_>, end: u64) -> Option<At> {
    match at {
        At::Head => {
            out.string(group.name());
            write_id(group.last_id, out);
            out.length(group.entries_read.unwrap_or(UNKNOWN));
            out.length(group.pending_len() as u64);
            return Some(At::Pending(StreamId::MIN));
        }
        At::Pending(from) => {
            for pending in group.pending_from(from) {
                if out.offset() >= end {
                    return Some(At::Pending(pending.id));
                }
                out.raw(&pending.id.to_be_bytes());
                out.millis(pending.time_ms);
                out.length(pending.deliveries);
            }
            out.length(group.consumers_len() as u64);
            return Some(At::Consumer(0));
        }
        At::Consumer(number) => {
            if let Some((_, consumer)) = group.consumers().nth(number) {
                out.string(consumer.name());
                out.millis(consumer.seen_ms);
                if kind >= value::STREAM_LISTPACKS_3 {
                    out.millis(consumer.active_ms);
                }
                out.length(consumer.pending_len() as u64);
                return Some(At::Owned(number, StreamId::MIN));
            }
            if kind >= value::STREAM_LISTPACKS_5 {
                out.length(group.unowned_len() as u64);
                return Some(At::Unowned(StreamId::MIN));
            }
        }
        At::Owned(number, from) => {
            let (_, consumer) = group.consumers().nth(number)?;
            for id in consumer.pending_from(from) {
                if out.offset() >= end {
                    return Some(At::Owned(number, id));
                }
                out.raw(&id.to_be_bytes());
            }
            return Some(At::Consumer(number + 1));
        }
        At::Unowned(from) => {
            for pending in group.pending_from(from).filter(|one| one.owner().is_none()) {
                if out.offset() >= end {
                    return Some(At::Unowned(pending.id));
                }
                out.raw(&pending.id.to_be_bytes());
            }
        }
    }
    None
}

fn save_memory(stream: &Stream, out: &mut Writer<'_>) {
    let Memory { seconds, names_max } = stream.memory();
    out.length(u64::from(seconds));
    out.length(u64::from(names_max));
    out.length(stream.producers().map_or(0, |producers| producers.iter().len()) as u64);
    for (pid, producer) in stream.producers().into_iter().flat_map(|all| all.iter()) {
        out.string(pid);
        out.length(producer.names().len() as u64);
        for (iid, id) in producer.names() {
            out.string(iid);
            write_id(id, out);
        }
    }
    let (added, duplicates) = stream.idempotent_counts();
    out.length(added);
    out.length(duplicates);
}

pub(crate) fn load(kind: u8, reader: &mut Reader<'_>, _: &Limits) -> Result<Stream, Error> {
    let mut nodes = Vec::new();
    for _ in 0..reader.length()? {
        let master = reader.string()?.try_into();
        let master = master
            .map_err(|_| Error::Corrupt("Stream node key entry is not the size of a stream ID"))?;
        let node = Node::from_listpack(StreamId::from_be_bytes(master), reader.string()?);
        nodes.push(node.map_err(|_| Error::Corrupt("Stream listpack integrity check failed."))?);
    }
    let len = reader.length()?;
    let last_id = read_id(reader)?;
    let mut parts = Parts { nodes, last_id, max_deleted_id: StreamId::MIN, entries_added: len };
    if kind >= value::STREAM_LISTPACKS_2 {
        // The first entry's ID is read off the entries.
        read_id(reader)?;
        parts.max_deleted_id = read_id(reader)?;
        parts.entries_added = reader.length()?;
    }
    let mut stream = Stream::from_parts(parts, Memory::default())
        .map_err(|_| Error::Corrupt("Listpack re-added with existing key"))?;
    if stream.log().len() as u64 != len {
        return Err(Error::Corrupt("Stream length inconsistent with rax entries"));
    }
    for _ in 0..reader.length()? {
        let group = load_group(kind, &stream, reader)?;
        if !stream.add_group(group) {
            return Err(Error::Corrupt("Duplicated consumer group name"));
        }
    }
    if kind >= value::STREAM_LISTPACKS_4 {
        load_memory(&mut stream, reader)?;
    }
    Ok(stream)
}

fn read_id(reader: &mut Reader<'_>) -> Result<StreamId, Error> {
    Ok(StreamId::new(reader.length()?, reader.length()?))
}

fn read_raw_id(reader: &mut Reader<'_>) -> Result<StreamId, Error> {
    Ok(StreamId::from_be_bytes(reader.array()?))
}

fn load_group(kind: u8, stream: &Stream, reader: &mut Reader<'_>) -> Result<Group, Error> {
    let name = reader.string_vec()?;
    let last_id = read_id(reader)?;
    let entries_read = if kind >= value::STREAM_LISTPACKS_2 {
        Some(reader.length()?).filter(|read| *read != UNKNOWN)
    } else {
        stream.log().counter().added_until(last_id)
    };
    let mut group = Group::new(&name, last_id, entries_read);
    for _ in 0..reader.length()? {
        let id = read_raw_id(reader)?;
        let pending = Pending::new(id, reader.millis()?, reader.length()?, None);
        if group.pending(id).is_some() {
            return Err(Error::Corrupt(
                "Duplicated global PEL entry loading stream consumer group",
            ));
        }
        group.put(pending);
    }
    let mut owned = 0;
    for _ in 0..reader.length()? {
        owned += load_consumer(kind, &mut group, reader)?;
    }
    let mut given_back = 0;
    if kind >= value::STREAM_LISTPACKS_5 {
        let mut before = None;
        for _ in 0..reader.length()? {
            let id = read_raw_id(reader)?;
            let unowned = group.pending(id).is_some_and(|pending| pending.owner().is_none());
            if !unowned || before.is_some_and(|before| before >= id) {
                return Err(Error::Corrupt("an entry given back that is not pending"));
            }
            before = Some(id);
            given_back += 1;
        }
    }
    if owned + given_back == group.pending_len() {
        Ok(group)
    } else {
        Err(Error::Corrupt("Stream CG PEL entry without consumer"))
    }
}

/// Reads a consumer; answers how many entries it has.
fn load_consumer(kind: u8, group: &mut Group, reader: &mut Reader<'_>) -> Result<usize, Error> {
    let name = reader.string_vec()?;
    let seen_ms = reader.millis()?;
    let active_ms = match kind {
        value::STREAM_LISTPACKS | value::STREAM_LISTPACKS_2 => seen_ms,
        _ => reader.millis()?,
    };
    let slot = group.add_consumer(&name, seen_ms);
    let slot = slot.ok_or(Error::Corrupt("Duplicate stream consumer detected."))?;
    if active_ms != Consumer::NEVER {
        group.active(slot, active_ms);
    }
    let mut owned = 0;
    for _ in 0..reader.length()? {
        let id = read_raw_id(reader)?;
        give(group, id, slot)?;
        owned += 1;
    }
    Ok(owned)
}

fn give(group: &mut Group, id: StreamId, slot: Slot) -> Result<(), Error> {
    let free = group.pending(id).is_some_and(|pending| pending.owner().is_none());
    if free && group.give(id, slot) {
        Ok(())
    } else {
        Err(Error::Corrupt("Consumer entry not found in group global PEL"))
    }
}

fn load_memory(stream: &mut Stream, reader: &mut Reader<'_>) -> Result<(), Error> {
    let mut bounded = |most: u32| {
        let number = reader.length()?;
        let number = u32::try_from(number).ok().filter(|number| *number <= most);
        number.ok_or(Error::Corrupt("a stream that remembers more than can be asked for"))
    };
    let seconds = bounded(Memory::SECONDS_MAX)?;
    let names_max = bounded(Memory::NAMES_MAX)?;
    stream.set_memory(Memory { seconds, names_max });
    for _ in 0..reader.length()? {
        let pid = reader.string_vec()?;
        for _ in 0..reader.length()? {
            let iid = reader.string_vec()?;
            stream.restore_name(&pid, &iid, read_id(reader)?);
        }
    }
    stream.set_counts(reader.length()?, reader.length()?);
    Ok(())
}
