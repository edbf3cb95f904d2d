//! A data set as it can be compared: every key of every database with what a client can learn of
//! it, in order.

use keyspace::{Keyspace, Position, ScanFilter, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use types::digest::Digest;
use types::hash::Hash;
use types::set::Set;
use types::stream::{Producers, Stream, StreamId};
use types::zset::ZSet;
use types::{Any, Collection, Type, View as _};

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of a string its bytes, of a collection its digest in hexadecimal, and of a stream what that
    /// leaves out besides.
    pub value: Vec<u8>,
    /// Name and value.
    pub digest: Digest,
    /// Milliseconds since 1970.
    pub expiry_ms: Option<i64>,
    /// OBJECT ENCODING. Not data: a replay may choose another one, as a reload of others does.
    pub encoding: &'static str,
}

impl Entry {
    fn of(entry: &keyspace::Entry) -> Self {
        Self {
            value: value_of(entry),
            digest: digest_of(entry),
            expiry_ms: entry.expiry(),
            encoding: entry.encoding(),
        }
    }

    /// The collection as it is once what has expired is deleted; `None` if that leaves nothing.
    fn without_expired<T: Collection>(entry: &keyspace::Entry, now_ms: i64) -> Option<Self> {
        let mut value = match entry.value() {
            Value::Packed(packed) => T::from_packed(packed.form, packed.bytes.to_vec()),
            Value::Boxed(any) => T::of(any).expect("of this type").clone(),
            other => panic!("{other:?} is no collection"),
        };
        value.expire(now_ms, usize::MAX, &mut |_| {});
        let mut digest = Digest::ZERO;
        digest.mix(entry.key());
        value.view().fold(&mut digest);
        (!value.view().is_empty()).then(|| Self {
            value: digest.hex().to_vec(),
            digest,
            expiry_ms: entry.expiry(),
            encoding: value.view().encoding(),
        })
    }
}

/// All live keys, by database and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub keys: BTreeMap<(u32, Vec<u8>), Entry>,
}

impl Snapshot {
    /// What lives at `now_ms`. Nobody may write meanwhile. Also holds the keyspace's counts
    /// against what is there.
    pub fn take(space: &Keyspace, now_ms: i64) -> Self {
        Self::take_each(space, |entry| (!entry.expired(now_ms)).then(|| Entry::of(entry)))
    }

    /// What a client can see at `now_ms`: elements that have expired by then are not there, and neither is
    /// a key that has nothing else. Any command may delete them, one that fails, too.
    pub fn take_visible(space: &Keyspace, now_ms: i64) -> Self {
        Self::take_each(space, |entry| {
            if entry.expired(now_ms) {
                return None;
            }
            if entry.earliest_element().is_none_or(|at| at > now_ms) {
                return Some(Entry::of(entry));
            }
            match entry.type_of() {
                Type::Hash => Entry::without_expired::<Hash>(entry, now_ms),
                Type::Set => Entry::without_expired::<Set>(entry, now_ms),
                Type::ZSet => Entry::without_expired::<ZSet>(entry, now_ms),
                of => panic!("elements of a {} do not expire", of.name()),
            }
        })
    }

    fn take_each(
        space: &Keyspace,
        mut copy: impl FnMut(&keyspace::Entry) -> Option<Entry>,
    ) -> Self {
        let mut snapshot = Self::default();
        for db in 0..space.databases() {
            let (mut keys, mut expires) = (0, 0);
            // What waits for its deletion is counted too.
            let end =
                space.scan(db, Position::default(), usize::MAX, &ScanFilter::default(), |entry| {
                    keys += 1;
                    expires += u64::from(entry.expiry().is_some());
                    if let Some(copy) = copy(entry) {
                        let before = snapshot.keys.insert((db, entry.key().to_vec()), copy);
                        assert!(before.is_none(), "a key of database {db} is there twice");
                    }
                });
            assert!(end.is_none(), "a walk without a limit ends");
            let size = space.size(db);
            assert_eq!((size.keys, size.expires), (keys, expires), "the counts of database {db}");
        }
        snapshot
    }

    /// The answer of DEBUG DIGEST for this data set.
    pub fn digest(&self) -> Digest {
        let mut digest = Digest::ZERO;
        let mut open = None;
        for ((db, _), entry) in &self.keys {
            if open != Some(*db) {
                open = Some(*db);
                digest.mix_database(*db);
            }
            let mut one = entry.digest;
            if entry.expiry_ms.is_some() {
                one.xor_expiry();
            }
            digest.xor_digest(&one);
        }
        digest
    }

    /// Where the data differ, key by key, for a person; empty if they are equal. `encodings` says
    /// whether those must agree too. Exact where the digest is not: in the moments of expiry.
    pub fn difference(&self, other: &Self, encodings: bool) -> String {
        let mut out = String::new();
        let names: std::collections::BTreeSet<_> =
            self.keys.keys().chain(other.keys.keys()).collect();
        for name in names {
            let (here, there) = (self.keys.get(name), other.keys.get(name));
            let equal = match (here, there) {
                (Some(a), Some(b)) => {
                    a.digest == b.digest
                        && a.value == b.value
                        && a.expiry_ms == b.expiry_ms
                        && (!encodings || a.encoding == b.encoding)
                }
                _ => false,
            };
            if !equal {
                let key = String::from_utf8_lossy(&name.1);
                let line =
                    writeln!(out, "db {} key {key:?}: {} / {}", name.0, show(here), show(there));
                debug_assert!(line.is_ok(), "writing to a string does not fail");
            }
        }
        out
    }
}

fn show(entry: Option<&Entry>) -> String {
    entry.map_or_else(
        || "absent".to_owned(),
        |entry| {
            let mut text = Vec::new();
            stdx::quote::repr(&mut text, &entry.value[..entry.value.len().min(900)]);
            let text = String::from_utf8_lossy(&text).into_owned();
            format!("{text} expires {:?} {}", entry.expiry_ms, entry.encoding)
        },
    )
}

fn digest_of(entry: &keyspace::Entry) -> Digest {
    let mut digest = Digest::ZERO;
    digest.mix(entry.key());
    entry.fold(&mut digest);
    digest
}

fn value_of(entry: &keyspace::Entry) -> Vec<u8> {
    let mut value = untagged_value_of(entry);
    if entry.tag() != 0 {
        value.extend_from_slice(format!(" tag {}", entry.tag()).as_bytes());
    }
    value
}

fn untagged_value_of(entry: &keyspace::Entry) -> Vec<u8> {
    match entry.value() {
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Inline(bytes) => bytes.to_vec(),
        Value::Shared(shared) => shared.to_vec(),
        Value::Boxed(Any::Stream(stream)) => {
            [digest_of(entry).hex().as_slice(), about_stream(stream).as_bytes()].concat()
        }
        Value::Packed(_) | Value::Boxed(_) => digest_of(entry).hex().to_vec(),
    }
}

/// What the digest of a stream leaves out: its counts, groups and producers. When consumers asked
/// for something is not told to the journal.
fn about_stream(stream: &Stream) -> String {
    let log = stream.log();
    let mut out = format!(
        " last {:?} deleted {:?} added {} memory {:?}",
        log.last_id(),
        log.max_deleted_id(),
        log.entries_added(),
        stream.memory()
    );
    let mut add = |part: String| out.push_str(&part);
    for group in stream.groups() {
        add(format!(" group {:?} {:?} {:?}", group.name(), group.last_id, group.entries_read));
        for one in group.pending_from(StreamId::MIN) {
            let owner = group.owner_name(&one);
            add(format!(" {:?} {} {} {owner:?}", one.id, one.time_ms, one.deliveries));
        }
        for (_, consumer) in group.consumers() {
            let own: Vec<_> = consumer.pending_from(StreamId::MIN).collect();
            add(format!(" consumer {:?} {own:?}", consumer.name()));
        }
    }
    for (pid, producer) in stream.producers().into_iter().flat_map(Producers::iter) {
        add(format!(" producer {pid:?} {:?}", producer.names().collect::<Vec<_>>()));
    }
    out
}
