//! Values of every type and shape written and read back; forms that only others wrote; broken ones.

use super::{Loaded, Saved, Saving, load, load_payload};
use crate::array::Array;
use crate::collection::{Any, Collection};
use crate::digest::Digest;
use crate::hash::{Hash, Ttl};
use crate::limits::Limits;
use crate::list::{End, List};
use crate::set::Set;
use crate::stream::{Group, Memory, Pending, Stream, StreamId};
use crate::zset::ZSet;
use proptest::prelude::*;
use rdb::opcode::value;
use rdb::{Dialect, Error, Reader, Writer, payload};

/// A loader on several threads finds the end of a value before it reads it.
#[test]
fn what_is_read_can_be_passed_over() {
    let known = |outcome: Result<(), Error>| !matches!(outcome, Err(Error::Unsupported(_)));
    for version in [1, 11, 12, 80] {
        for kind in 0..=u8::MAX {
            let read = load(kind, version, &mut Reader::new(&[]), &Limits::default()).map(drop);
            // Behind a key without a name.
            let passed = rdb::file::skip_key(kind, version, &mut Reader::new(&[0]));
            assert_eq!(known(read), known(passed), "type {kind} of version {version}");
        }
    }
}

fn small() -> Limits {
    Limits { hash_entries: 4, zset_entries: 4, set_entries: 4, list_size: 3, ..Limits::default() }
}

fn digest(any: &Any) -> Digest {
    let mut digest = Digest::ZERO;
    any.fold(&mut digest);
    digest
}

/// Writes and reads back; the value that came back.
fn there_and_back(any: &Any, limits: &Limits) -> Any {
    let bytes = Saved::Any(any).payload();
    let payload = payload::open(&bytes, payload::Checks::ALL).unwrap();
    let Loaded::Any(back) = load_payload(payload, limits).unwrap() else { panic!("no collection") };
    assert_eq!(back.type_of(), any.type_of());
    assert_eq!(back.len(), any.len());
    assert_eq!(digest(&back), digest(any));
    in_slices(any);
    in_every_dialect(any, limits);
    let again = Saved::Any(&back).payload();
    match Saved::Any(any).kind(Dialect::Common) {
        // In the order of a table.
        value::HASH | value::HASH_METADATA | value::SET => assert_eq!(again.len(), bytes.len()),
        _ => assert_eq!(again, bytes, "the same bytes when it is written again"),
    }
    back
}

/// Writes for each kind of reader, at once and in slices, and reads back.
fn in_every_dialect(any: &Any, limits: &Limits) {
    for (dialect, version) in
        [(Dialect::Common, 12), (Dialect::Redis70, 10), (Dialect::Valkey9, 80)]
    {
        let mut whole = Writer::new();
        whole.set_dialect(dialect);
        Saved::Any(any).save(&mut whole);
        let whole = whole.into_bytes();
        if let Some(mut saving) = Saving::of_any(any) {
            let mut out = Writer::new();
            out.set_dialect(dialect);
            while saving.step(&mut out, 30) {}
            assert_eq!(out.into_bytes(), whole);
        }
        let kind = Saved::Any(any).kind(dialect);
        let mut reader = Reader::new(&whole);
        let Loaded::Any(back) = load(kind, version, &mut reader, limits).unwrap() else {
            panic!("no collection");
        };
        assert!(reader.rest().is_empty());
        assert_eq!(digest(&back), digest(any), "{dialect:?}");
        // A loader finds the end of a value without looking into it.
        let named = [b"\x00", &whole[..]].concat();
        let mut skipped = Reader::new(&named);
        rdb::file::skip_key(kind, version, &mut skipped).unwrap();
        assert!(skipped.rest().is_empty(), "{dialect:?} {kind}");
    }
}

/// Writes in slices what is large, from a clone while the other changes: the same bytes as at once.
fn in_slices(any: &Any) {
    let mut whole = Writer::new();
    Saved::Any(any).save(&mut whole);
    let (Some(mut saving), mut changing) = (Saving::of_any(any), any.clone()) else {
        return assert!(any.as_packed().is_some());
    };
    let mut out = Writer::new();
    while saving.step(&mut out, 30) {
        changing.expire(i64::MAX, 1, &mut |_| {});
    }
    assert_eq!(out.into_bytes(), whole.into_bytes());
}

/// Reads a body of this type.
fn read(kind: u8, version: u16, body: &[u8]) -> Result<Any, Error> {
    let mut reader = Reader::new(body);
    let loaded = load(kind, version, &mut reader, &Limits::default())?;
    assert!(reader.rest().is_empty());
    match loaded {
        Loaded::Any(any) => Ok(any),
        Loaded::Text(_) | Loaded::Tagged(..) => panic!("a string"),
    }
}

fn list(words: &[Vec<u8>], limits: &Limits) -> Any {
    let mut list = List::default();
    list.push(End::Back, words.iter().map(Vec::as_slice), limits);
    list.into_any()
}

fn set(members: &[Vec<u8>], limits: &Limits) -> Any {
    let mut set = Set::default();
    for member in members {
        set.add_all(&[member], limits);
    }
    set.into_any()
}

fn zset(members: &[(Vec<u8>, f64)], limits: &Limits) -> Any {
    let mut zset = ZSet::default();
    for (member, score) in members {
        zset.set(member, *score, limits);
    }
    zset.into_any()
}

fn hash(fields: &[(Vec<u8>, Vec<u8>, Option<i64>)], limits: &Limits) -> Any {
    let mut hash = Hash::default();
    for (name, value, expiry) in fields {
        hash.set(name, value, expiry.map_or(Ttl::Clear, Ttl::At), limits);
    }
    hash.into_any()
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "-?[0-9]{1,20}".prop_map(String::into_bytes),
        "[a-c]{0,5}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..100),
        (0usize..20_000).prop_map(|len| vec![b'x'; len]),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        (-1000i32..1000).prop_map(f64::from),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lists(words in proptest::collection::vec(word(), 1..40)) {
        there_and_back(&list(&words, &Limits::default()), &Limits::default());
        there_and_back(&list(&words, &small()), &small());
        there_and_back(&list(&words, &Limits::default()), &small());
    }

    #[test]
    fn sets(members in proptest::collection::vec(word(), 1..40)) {
        there_and_back(&set(&members, &Limits::default()), &Limits::default());
        there_and_back(&set(&members, &small()), &small());
    }

    #[test]
    fn sets_of_integers(members in proptest::collection::vec(any::<i64>(), 1..40), bits in 0u32..64) {
        let members: Vec<_> =
            members.iter().map(|member| (member >> bits).to_string().into_bytes()).collect();
        there_and_back(&set(&members, &Limits::default()), &Limits::default());
        there_and_back(&set(&members, &small()), &small());
    }

    #[test]
    fn zsets(members in proptest::collection::vec((word(), score()), 1..40)) {
        there_and_back(&zset(&members, &Limits::default()), &Limits::default());
        there_and_back(&zset(&members, &small()), &small());
    }

    #[test]
    fn hashes(
        fields in proptest::collection::vec(
            (word(), word(), proptest::option::of(1i64..1 << 46)), 1..40),
    ) {
        there_and_back(&hash(&fields, &Limits::default()), &Limits::default());
        there_and_back(&hash(&fields, &small()), &small());
    }

    #[test]
    fn streams(entries in proptest::collection::vec((1u64..100, 0u64..9, word()), 0..300)) {
        there_and_back(&stream(&entries), &Limits::default());
    }

    /// A byte changed, cut off or put in anywhere: an error or some value, and never a panic; the
    /// value can be written and read again.
    #[test]
    fn broken_payloads(
        words in proptest::collection::vec(word(), 1..12),
        kind in 0usize..6,
        at: prop::sample::Index,
        byte: u8,
        what in 0u8..3,
        forged in 0u8..30,
    ) {
        let pairs: Vec<_> = words.iter().map(|word| (word.clone(), word.len() as f64)).collect();
        let fields: Vec<_> = words.iter().map(|word| (word.clone(), word.clone(), Some(7))).collect();
        let entries: Vec<_> = words.iter().map(|word| (1, 1, word.clone())).collect();
        let any = match kind {
            0 => list(&words, &Limits::default()),
            1 => zset(&pairs, &small()),
            2 => hash(&fields, &Limits::default()),
            3 => zset(&pairs, &Limits::default()),
            4 => set(&words, &Limits::default()),
            _ => stream(&entries),
        };
        let mut writer = Writer::new();
        Saved::Any(&any).save(&mut writer);
        let mut body = writer.into_bytes();
        let at = at.index(body.len());
        match what {
            0 => body[at] = byte,
            1 => body.truncate(at),
            _ => body.insert(at, byte),
        }
        for kind in [Saved::Any(&any).kind(Dialect::Common), forged] {
            let mut reader = Reader::new(&body);
            if let Ok(Loaded::Any(loaded)) = load(kind, 12, &mut reader, &Limits::default()) {
                there_and_back(&loaded, &Limits::default());
            }
        }
    }
}

fn stream(entries: &[(u64, u64, Vec<u8>)]) -> Any {
    let mut stream = Stream::new(Memory::default());
    let (mut ms, mut seq) = (0, 0);
    for (step, more, word) in entries {
        (ms, seq) = if *more == 0 { (ms + step, 0) } else { (ms, seq + more) };
        stream.push(StreamId::new(ms, seq), &[b"field", word], &Limits::default());
    }
    stream.into_any()
}

#[test]
fn a_stream_with_all_it_can_have() {
    let Any::Stream(mut full) = stream(&[(1, 0, b"a".to_vec()), (1, 0, b"b".to_vec())]) else {
        unreachable!()
    };
    let version = |stream: &Stream| {
        let any = stream.clone().into_any();
        let back = there_and_back(&any, &Limits::default());
        let Any::Stream(back) = back else { unreachable!() };
        assert_eq!(back.groups_len(), stream.groups_len());
        assert_eq!(back.memory(), stream.memory());
        assert_eq!(back.idempotent_counts(), stream.idempotent_counts());
        assert_eq!(back.log().entries_added(), stream.log().entries_added());
        Saved::Any(&any).kind(Dialect::Common)
    };
    let (first, second) = (StreamId::new(1, 0), StreamId::new(2, 0));
    let mut group = Group::new(b"group", second, None);
    let slot = group.add_consumer(b"alice", 5).unwrap();
    group.add_consumer(b"bob", 6).unwrap();
    group.active(slot, 7);
    group.put(Pending::new(first, 9, 2, Some(slot)));
    full.add_group(group);
    full.add_group(Group::new(b"other", StreamId::MIN, Some(0)));
    assert_eq!(version(&full), value::STREAM_LISTPACKS_3);
    full.set_memory(Memory { seconds: 3, names_max: 2 });
    full.record((b"pid", b"one"), first, 1, 1);
    full.record((b"pid", b"two"), second, 2, 2);
    full.count_duplicate(b"pid", 2);
    assert_eq!(version(&full), value::STREAM_LISTPACKS_4);
    full.with_group(b"group", |_, group| group.put(Pending::new(second, 0, 0, None)));
    assert_eq!(version(&full), value::STREAM_LISTPACKS_5);
}

#[test]
fn a_hash_that_lost_its_expiries_is_written_for_older_servers() {
    let mut hash = Hash::default();
    hash.set(b"a", b"1", Ttl::At(5), &Limits::default());
    assert_eq!(Saved::Any(&hash.clone().into_any()).kind(Dialect::Common), value::HASH_LISTPACK_EX);
    hash.set_expiry(b"a", None);
    let any = hash.into_any();
    assert_eq!(Saved::Any(&any).kind(Dialect::Common), value::HASH_LISTPACK);
    there_and_back(&any, &Limits::default());
}

fn words_of(words: &[&[u8]]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_vec()).collect()
}

#[test]
fn forms_that_only_others_wrote() {
    let same = |kind, version, body: &[u8], expect: &Any| {
        assert_eq!(digest(&read(kind, version, body).unwrap()), digest(expect), "type {kind}");
    };
    let limits = Limits::default();
    let words = list(&[b"a".to_vec(), b"17".to_vec()], &limits);
    let ziplist = b"\x11\0\0\0\x0d\0\0\0\x02\0\x00\x01a\x03\xfe\x11\xff";
    let with_len = |block: &[u8]| [&[block.len() as u8], block].concat();
    same(value::LIST, 1, b"\x02\x01a\xc0\x11", &words);
    same(value::LIST_ZIPLIST, 1, &with_len(ziplist), &words);
    same(value::LIST_QUICKLIST, 7, &[b"\x01", &with_len(ziplist)[..]].concat(), &words);
    same(value::LIST_QUICKLIST_2, 10, b"\x02\x01\x01a\x01\x0217", &words);
    let members = set(&words_of(&[b"a", b"17"]), &limits);
    same(value::SET, 1, b"\x02\x01a\xc0\x11", &members);
    let numbers = set(&words_of(&[b"-1", b"17"]), &limits);
    same(value::SET_INTSET, 1, b"\x0c\x02\0\0\0\x02\0\0\0\xff\xff\x11\0", &numbers);
    let scored = zset(&[(b"a".to_vec(), 17.0)], &limits);
    same(value::ZSET, 1, b"\x01\x01a\x0217", &scored);
    same(value::ZSET_ZIPLIST, 1, &with_len(ziplist), &scored);
    let fields = hash(&[(b"a".to_vec(), b"17".to_vec(), None)], &limits);
    same(value::HASH, 1, b"\x01\x01a\xc0\x11", &fields);
    same(value::HASH_ZIPMAP, 1, &with_len(b"\x01\x01a\x02\x0017\xff"), &fields);
    same(value::HASH_ZIPLIST, 1, &with_len(ziplist), &fields);
    let none = (-1i64).to_le_bytes();
    same(value::HASH_2, 80, &[b"\x01\x01a\xc0\x11", &none[..]].concat(), &fields);
    let expiring = hash(&[(b"a".to_vec(), b"17".to_vec(), Some(1000))], &limits);
    let at = 1000i64.to_le_bytes();
    same(value::HASH_2, 80, &[b"\x01\x01a\xc0\x11", &at[..]].concat(), &expiring);
    same(value::HASH_METADATA_PRE_GA, 12, b"\x01\x43\xe8\x01a\xc0\x11", &expiring);
    same(value::HASH_METADATA, 12, &[&at[..], b"\x01\x01\x01a\xc0\x11"].concat(), &expiring);
    let triple = with_len(b"\x0f\0\0\0\x03\0\x81a\x02\x11\x01\xc3\xe8\x02\xff");
    same(value::HASH_LISTPACK_EX_PRE_GA, 12, &triple, &expiring);
    same(value::HASH_LISTPACK_EX, 12, &[&at[..], &triple].concat(), &expiring);
}

#[test]
fn what_is_refused() {
    let refuse = |kind, body: &[u8]| read(kind, 11, body).unwrap_err();
    assert_eq!(refuse(value::LIST, b"\x00"), Error::EmptyKey);
    assert_eq!(refuse(value::SET, b"\x00"), Error::EmptyKey);
    assert!(matches!(refuse(value::SET, b"\x02\x01a\x01a"), Error::Corrupt(_)));
    assert!(matches!(refuse(value::SET_INTSET, b"\x08\x02\0\0\0\0\0\0\0"), Error::Corrupt(_)));
    assert_eq!(refuse(value::ZSET_2, b"\x00"), Error::EmptyKey);
    assert_eq!(refuse(value::HASH, b"\x00"), Error::EmptyKey);
    assert_eq!(refuse(value::LIST, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a"), Error::Truncated);
    assert!(matches!(refuse(value::HASH, b"\x02\x01a\x01b\x01a\x01c"), Error::Corrupt(_)));
    assert!(matches!(refuse(value::ZSET, b"\x01\x01a\xfd"), Error::Corrupt(_)));
    assert!(matches!(refuse(value::ZSET, b"\x02\x01a\x011\x01a\x012"), Error::Corrupt(_)));
    assert!(matches!(refuse(value::MODULE_2, b"\x00"), Error::Unsupported(_)));
    assert!(matches!(refuse(value::MODULE_PRE_GA, b"\x00"), Error::Unsupported(_)));
    assert!(matches!(refuse(99, b"\x00"), Error::Unsupported(_)));
    assert!(matches!(refuse(value::LIST_QUICKLIST_2, b"\x01\x03\x01a"), Error::Corrupt(_)));
}

#[test]
fn a_string_comes_back_with_its_tag() {
    for tag in [1, 63, 64, 1 << 32, i64::MAX] {
        for saved in [Saved::Int(-7), Saved::Text(b"-7")] {
            let bytes = saved.payload_tagged(tag);
            let payload = payload::open(&bytes, payload::Checks::ALL).unwrap();
            let Loaded::Tagged(text, back) = load_payload(payload, &small()).unwrap() else {
                panic!("no tag")
            };
            assert_eq!((text.as_slice(), back), (b"-7".as_slice(), tag));
            // What is passed over is what is read.
            let file = [&[0], &payload.body[1..]].concat();
            let mut reader = Reader::new(&file);
            rdb::file::skip_key(value::STRING_TAGGED, payload.version, &mut reader).unwrap();
            assert!(reader.rest().is_empty());
        }
    }
    assert_eq!(Saved::Text(b"a").payload_tagged(0), Saved::Text(b"a").payload());
    let read = |body: &[u8]| load(value::STRING_TAGGED, 14, &mut Reader::new(body), &small());
    assert!(matches!(read(b"\x00\x01a"), Err(Error::Corrupt(_))));
    assert!(matches!(read(b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a"), Err(Error::Corrupt(_))));
    assert!(matches!(read(b"\x01\x02a"), Err(Error::Truncated)));
}

fn array(elements: &[(u64, Vec<u8>)], cursor: Option<u64>) -> Any {
    let mut array = Array::default();
    for (index, text) in elements {
        array.set(*index, text);
    }
    array.set_cursor(cursor);
    Any::Array(array)
}

#[test]
fn arrays_of_either_shape_come_back() {
    let one = |text: &[u8]| array(&[(7, text.to_vec())], None);
    for text in [&b""[..], b"0", b"-12", b"007", b"1234567", b"3.5", b"eight888", &[b'x'; 3000]] {
        there_and_back(&one(text), &small());
    }
    let ends = [(0, b"a".to_vec()), (u64::MAX - 1, i64::MIN.to_string().into_bytes())];
    for cursor in [None, Some(0), Some(77), Some(u64::MAX - 1)] {
        there_and_back(&array(&ends, cursor), &small());
        let many: Vec<_> = (0..3000).map(|at| (at * at, at.to_string().into_bytes())).collect();
        there_and_back(&array(&many, cursor), &small());
    }
}

/// The bytes that Redis 8.8 writes, by its layout, and broken ones.
#[test]
fn arrays_of_redis_are_read_and_broken_ones_refused() {
    let int = [5_i64.to_le_bytes().as_slice(), &[0]].concat();
    let read = |head: &[u8], body: &[u8]| {
        let bytes = [head, body].concat();
        let loaded = load(value::ARRAY, 14, &mut Reader::new(&bytes), &small());
        loaded.map(|loaded| match loaded {
            Loaded::Any(any) => any,
            Loaded::Text(_) | Loaded::Tagged(..) => panic!("no array"),
        })
    };
    let float = |number: f64| [&[3, 2][..], &number.to_le_bytes()].concat();
    let same = |head: &[u8], body: &[u8], expected: Any| {
        assert_eq!(digest(&read(head, body).unwrap()), digest(&expected));
    };
    same(&[1, 0], &[&[3, 1][..], &int[..8]].concat(), array(&[(3, b"5".to_vec())], None));
    for (number, text) in [(1.5, "1.5"), (-2.0, "-2.0"), (1e300, "1e+300")] {
        same(&[1, 1, 9], &float(number), array(&[(3, text.into())], Some(9)));
    }
    same(
        &[2, 0],
        b"\x00\x03\x01a\x01\x00\x01b",
        array(&[(0, b"a".to_vec()), (1, b"b".to_vec())], None),
    );
    for (head, body) in [
        // Another flag, order, kind; nothing; too little.
        (&[1, 2][..], &b"\x00\x03\x01a"[..]),
        (&[2, 0], b"\x01\x03\x01a\x01\x03\x01b"),
        (&[2, 0], b"\x01\x03\x01a\x00\x03\x01b"),
        (&[1, 0], b"\x00\x04\x01a"),
        (&[1, 0], b"\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x03\x01a"),
        (&[1, 0], &float(f64::NAN)),
        (&[0, 0], b""),
        (&[1, 0], b""),
        (&[2, 0], b"\x00\x03\x01a"),
        (&[0x80, 0xFF, 0xFF, 0xFF, 0xFF, 0], b"\x00\x03\x01a"),
    ] {
        assert!(read(head, body).is_err(), "{head:?} {body:?}");
    }
}
