//! Streams against a naive model, and the forms of IDs.

use super::*;
use crate::listpack::Element;
use std::collections::BTreeMap;
use stdx::rng::Rng;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Clone, Default)]
struct Model {
    entries: BTreeMap<StreamId, Fields>,
    last_id: StreamId,
    added: u64,
    max_deleted: StreamId,
}

fn limits() -> Limits {
    Limits { stream_node_bytes: 200, stream_node_entries: 7, ..Limits::default() }
}

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId::new(ms, seq)
}

fn fields(entry: &Entry<'_>) -> Fields {
    assert_eq!(entry.fields().count(), entry.len());
    entry.fields().map(|(field, value)| (field.to_vec(), value.to_vec())).collect()
}

fn all(entries: Entries<'_>) -> Vec<(StreamId, Fields)> {
    entries.map(|entry| (entry.id, fields(&entry))).collect()
}

fn check(stream: &Stream, model: &Model) {
    let log = stream.log();
    let expected: Vec<_> = model.entries.clone().into_iter().collect();
    assert_eq!(log.len(), expected.len());
    assert_eq!(all(log.range(StreamId::MIN..=StreamId::MAX)), expected);
    let mut reverse = all(log.range_reverse(StreamId::MIN..=StreamId::MAX));
    reverse.reverse();
    assert_eq!(reverse, expected);
    assert_eq!(log.first_entry_id(), model.entries.keys().next().copied());
    assert_eq!(log.last_entry_id(), model.entries.keys().next_back().copied());
    assert_eq!(log.last_id(), model.last_id);
    assert_eq!(log.entries_added(), model.added);
    assert_eq!(log.max_deleted_id(), model.max_deleted);
    // Every node is one that a loader would take.
    let nodes: Vec<Node> = log
        .nodes()
        .map(|node| Node::from_listpack(node.master(), node.to_listpack().as_bytes()).unwrap())
        .collect();
    let parts = Parts {
        nodes,
        last_id: log.last_id(),
        max_deleted_id: log.max_deleted_id(),
        entries_added: log.entries_added(),
    };
    let loaded = Stream::from_parts(parts, Memory::default()).unwrap();
    assert_eq!(all(loaded.log().range(StreamId::MIN..=StreamId::MAX)), expected);
}

fn random_id(rng: &mut Rng, model: &Model) -> StreamId {
    let below = model.last_id.ms + 2;
    match rng.below(3) {
        0 => id(rng.below(below), rng.below(3)),
        _ => {
            let known: Vec<_> = model.entries.keys().copied().collect();
            if known.is_empty() {
                return id(rng.below(below), 0);
            }
            known[rng.below(known.len() as u64) as usize]
        }
    }
}

fn push(rng: &mut Rng, stream: &mut Stream, model: &mut Model) {
    let new = match rng.below(3) {
        0 => NewId::Millis(model.last_id.ms + rng.below(2)),
        1 => NewId::Auto,
        _ => NewId::Given(id(model.last_id.ms + 1, rng.below(3))),
    };
    let id = new.after(model.last_id, model.last_id.ms + rng.below(3)).unwrap();
    let names: &[&str] = if rng.below(4) == 0 { &["a", "17", "b"] } else { &["f", "g"] };
    let words: Vec<Vec<u8>> = names
        .iter()
        .flat_map(|name| {
            let value = "x".repeat(rng.below(12) as usize);
            let value = if rng.below(2) == 0 { rng.below(100_000).to_string() } else { value };
            [name.as_bytes().to_vec(), value.into_bytes()]
        })
        .collect();
    let borrowed: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    stream.push(id, &borrowed, &limits());
    let pairs = words.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    model.entries.insert(id, pairs);
    model.last_id = id;
    model.added += 1;
}

fn trim(rng: &mut Rng, stream: &mut Stream, model: &mut Model) {
    let trim = match rng.below(2) {
        0 => Trim::MaxLen(rng.below(model.entries.len() as u64 + 2)),
        _ => Trim::MinId(random_id(rng, model)),
    };
    let exact = match trim {
        Trim::MaxLen(keep) => model.entries.len().saturating_sub(keep as usize),
        Trim::MinId(least) => model.entries.range(..least).count(),
    };
    let approximate = (rng.below(2) == 0).then(|| rng.below(30) as usize);
    let trimmed = stream.trim(trim, approximate, References::Keep);
    match approximate {
        None => assert_eq!(trimmed.len, exact),
        Some(limit) => assert!(trimmed.len <= exact && (limit == 0 || trimmed.len <= limit)),
    }
    for _ in 0..trimmed.len {
        model.entries.pop_first();
    }
    if approximate.is_some() && matches!(trim, Trim::MinId(_)) {
        assert_eq!(trimmed.stopped_at, model.entries.keys().next().copied());
    }
}

#[test]
fn entries_against_a_map() {
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let (mut stream, mut model) = (Stream::default(), Model::default());
        let mut kept: Vec<(Stream, Model)> = Vec::new();
        for step in 0..300 {
            match rng.below(20) {
                0 => trim(&mut rng, &mut stream, &mut model),
                1..=4 => {
                    let id = random_id(&mut rng, &model);
                    let there = model.entries.remove(&id).is_some();
                    let removal = stream.delete(id, References::Keep);
                    assert_eq!(removal == Removal::Done, there);
                    if there {
                        model.max_deleted = model.max_deleted.max(id);
                    }
                }
                5 if kept.len() < 3 => kept.push((stream.clone(), model.clone())),
                6 => {
                    let (a, b) = (random_id(&mut rng, &model), random_id(&mut rng, &model));
                    let expected: Vec<_> = if a <= b {
                        model.entries.range(a..=b).map(|(id, f)| (*id, f.clone())).collect()
                    } else {
                        Vec::new()
                    };
                    assert_eq!(all(stream.log().range(a..=b)), expected);
                    assert_eq!(stream.log().len_between(&(a..=b)), expected.len());
                    let mut reverse = all(stream.log().range_reverse(a..=b));
                    reverse.reverse();
                    assert_eq!(reverse, expected);
                    assert_eq!(stream.log().contains(a), model.entries.contains_key(&a));
                }
                _ => push(&mut rng, &mut stream, &mut model),
            }
            if step % 10 == 0 {
                check(&stream, &model);
                kept.iter().for_each(|(stream, model)| check(stream, model));
            }
        }
    }
}

#[test]
fn groups_against_a_map() {
    for seed in 0..30 {
        let mut rng = Rng::new(seed);
        let mut stream = Stream::default();
        assert!(stream.add_group(Group::new(b"g", StreamId::MIN, None)));
        assert!(!stream.add_group(Group::new(b"g", StreamId::MIN, None)));
        let names: [&[u8]; 3] = [b"alice", b"bob", b"carol"];
        let mut model: BTreeMap<StreamId, (i64, u64, Option<&[u8]>)> = BTreeMap::new();
        let mut kept = None;
        for step in 0..600 {
            let one = id(rng.below(300), 0);
            let name = names[rng.below(3) as usize];
            let time = rng.below(50) as i64;
            stream.with_group(b"g", |_, group| match rng.below(10) {
                0..=4 => {
                    let slot = group.slot_of(name);
                    let slot = slot.unwrap_or_else(|| group.add_consumer(name, 0).unwrap());
                    group.put(Pending::new(one, time, 3, Some(slot)));
                    model.insert(one, (time, 3, Some(name)));
                }
                5 => {
                    group.put(Pending::new(one, 0, 1, None));
                    model.insert(one, (0, 1, None));
                }
                6..=8 => assert_eq!(group.ack(one).is_some(), model.remove(&one).is_some()),
                _ if rng.below(20) == 0 => {
                    let has = |owner: &Option<&[u8]>| *owner == Some(name);
                    let count = model.values().filter(|(_, _, owner)| has(owner)).count();
                    assert_eq!(group.remove_consumer(name).unwrap_or(0), count);
                    model.retain(|_, (_, _, owner)| !has(owner));
                }
                _ => {
                    let mut expected: Vec<_> =
                        model.iter().map(|(id, (time, ..))| (*time, *id)).collect();
                    expected.sort_unstable();
                    let found: Vec<_> =
                        group.pending_by_time().map(|found| (found.time_ms, found.id)).collect();
                    assert_eq!(found, expected);
                }
            });
            if step == 300 {
                kept = Some((stream.clone(), model.clone()));
            }
            if step % 50 == 0 {
                check_group(&stream, &model);
            }
        }
        let (stream, model) = kept.unwrap();
        check_group(&stream, &model);
    }
}

fn check_group(stream: &Stream, model: &BTreeMap<StreamId, (i64, u64, Option<&[u8]>)>) {
    let group = stream.group(b"g").unwrap();
    let found: Vec<_> = group
        .pending_from(StreamId::MIN)
        .map(|one| (one.id, one.time_ms, one.deliveries, group.owner_name(&one).to_vec()))
        .collect();
    let expected: Vec<_> = model
        .iter()
        .map(|(id, (time, count, owner))| (*id, *time, *count, owner.unwrap_or_default().to_vec()))
        .collect();
    assert_eq!(found, expected);
    for (_, consumer) in group.consumers() {
        let own: Vec<_> = consumer.pending_from(StreamId::MIN).collect();
        let is_own = |owner: &Option<&[u8]>| *owner == Some(consumer.name());
        let expected: Vec<_> =
            model.iter().filter(|(_, (_, _, owner))| is_own(owner)).map(|(id, _)| *id).collect();
        assert_eq!(own, expected);
        assert_eq!(consumer.pending_len(), own.len());
    }
}

#[test]
fn heap_bytes_return_to_what_they_were() {
    let mut stream = Stream::default();
    stream.add_group(Group::new(b"g", StreamId::MIN, None));
    let empty = stream.heap_bytes();
    stream.with_group(b"g", |_, group| {
        let slot = group.add_consumer(b"c", 0).unwrap();
        group.pending_by_time().count();
        for ms in 0..5_000 {
            group.put(Pending::new(id(ms, 1), 0, 1, Some(slot)));
        }
    });
    assert!(stream.heap_bytes() > empty + 5_000 * 40);
    stream.with_group(b"g", |_, group| group.remove_consumer(b"c"));
    assert!(stream.heap_bytes() < empty + 5_000);
    stream.remove_group(b"g");
    for ms in 1..1_000 {
        stream.record((b"p", &ms.to_string().into_bytes()), id(ms, 0), ms, ms);
    }
    assert_eq!(stream.remembered(0), (1, 100));
    assert!(stream.heap_bytes() > 5_000);
}

#[test]
fn references() {
    let mut stream = Stream::default();
    for ms in 1..=5 {
        stream.push(id(ms, 0), &[b"f", b"v"], &limits());
    }
    stream.add_group(Group::new(b"g", id(4, 0), None));
    stream.with_group(b"g", |_, group| group.put(Pending::new(id(2, 0), 0, 1, None)));
    assert_eq!(stream.delete(id(2, 0), References::Acked), Removal::Referenced);
    assert_eq!(stream.delete(id(5, 0), References::Acked), Removal::Referenced);
    assert_eq!(stream.delete(id(9, 0), References::Keep), Removal::Missing);
    let trimmed = stream.trim(Trim::MinId(id(4, 0)), None, References::Acked);
    assert_eq!(trimmed, Trimmed { len: 2, stopped_at: Some(id(4, 0)) });
    let trimmed = stream.trim(Trim::MaxLen(1), Some(1), References::Delete);
    assert_eq!(trimmed, Trimmed { len: 1, stopped_at: Some(id(4, 0)) });
    assert_eq!(stream.group(b"g").unwrap().pending_len(), 0);
}

/// Trims that look at the groups do what removing one entry after the other does.
#[test]
fn trims_are_those_of_single_steps() {
    let mut rng = Rng::new(7);
    for round in 0..300 {
        let mut stream = Stream::default();
        let count = 1 + rng.index(400) as u64;
        for ms in 1..=count {
            stream.push(id(ms, 0), &[b"f", b"v"], &limits());
        }
        for name in [b"a", b"b"] {
            let read = id(count - rng.index(count as usize / 3 + 1) as u64, 0);
            let mut group = Group::new(name, read, None);
            let slots = [b"x", b"y"].map(|name| group.add_consumer(name, 0));
            let share = 1 + rng.index(10);
            for ms in 1..=read.ms {
                if rng.index(share) == 0 {
                    let owner = *[slots[0], slots[1], None].get(rng.index(3)).unwrap();
                    group.put(Pending::new(id(ms, 0), rng.index(5) as i64, 1, owner));
                }
            }
            if round % 2 == 0 {
                group.pending_by_time().count();
            }
            stream.add_group(group);
        }
        for _ in 0..rng.index(20) {
            stream.delete(id(1 + rng.index(count as usize) as u64, 0), References::Keep);
        }
        let trim = match rng.index(2) {
            0 => Trim::MaxLen(rng.index(count as usize + 1) as u64),
            _ => Trim::MinId(id(rng.index(count as usize + 2) as u64, rng.index(2) as u64)),
        };
        let limit = [None, Some(0), Some(rng.index(count as usize))][rng.index(3)];
        for references in [References::Delete, References::Acked] {
            let (mut whole, mut single) = (stream.clone(), stream.clone());
            let done = whole.trim(trim, limit, references);
            assert_eq!(done.len, trim_singly(&mut single, trim, limit, references));
            if matches!(trim, Trim::MinId(_)) {
                let bound = done.stopped_at.map_or(trim, Trim::MinId);
                let mut again = stream.clone();
                let exact = again.trim(bound, None, references);
                assert_eq!(exact.len, done.len);
            }
            assert_eq!(state(&mut whole), state(&mut single), "{trim:?} {limit:?} {references:?}");
        }
    }
}

fn trim_singly(
    stream: &mut Stream,
    trim: Trim,
    limit: Option<usize>,
    references: References,
) -> usize {
    let all: Vec<StreamId> =
        stream.log().range(StreamId::MIN..=StreamId::MAX).map(|entry| entry.id).collect();
    let limit = limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let wanted = match trim {
        Trim::MaxLen(keep) => all.len().saturating_sub(keep as usize).min(limit),
        Trim::MinId(_) => limit,
    };
    let mut len = 0;
    for id in all {
        if len == wanted || matches!(trim, Trim::MinId(least) if id >= least) {
            break;
        }
        len += usize::from(stream.delete(id, references) == Removal::Done);
    }
    len
}

/// What is there, and what the groups know of it.
fn state(stream: &mut Stream) -> (Vec<StreamId>, Vec<Vec<String>>) {
    let entries = stream.log().range(StreamId::MIN..=StreamId::MAX).map(|entry| entry.id).collect();
    let names: Vec<Vec<u8>> = stream.groups().map(|group| group.name().to_vec()).collect();
    let groups = names.iter().map(|name| {
        let known = stream.with_group(name, |_, group| {
            let mut lines: Vec<String> =
                group.pending_from(StreamId::MIN).map(|pending| format!("{pending:?}")).collect();
            lines.push(format!("{} {}", group.pending_len(), group.unowned_len()));
            for (_, consumer) in group.consumers() {
                lines.push(format!(
                    "{:?}",
                    consumer.pending_from(StreamId::MIN).collect::<Vec<_>>()
                ));
            }
            lines.push(format!("{:?}", group.pending_by_time().collect::<Vec<_>>()));
            lines
        });
        known.unwrap()
    });
    let groups = groups.collect();
    (entries, groups)
}

/// Many put at once is as many put one by one, whoever had them, with and without the index by time.
#[test]
fn pending_entries_are_put_all_at_once() {
    let mut rng = Rng::new(11);
    for round in 0..200 {
        let mut stream = Stream::default();
        let mut group = Group::new(b"g", id(0, 0), None);
        let owners = [b"x", b"y", b"z"].map(|name| group.add_consumer(name, 0));
        stream.add_group(group);
        let mut single = stream.clone();
        for _ in 0..8 {
            let owner = [owners[0], owners[1], owners[2], None][rng.index(4)];
            let (share, time_ms) = (1 + rng.index(10), rng.index(3) as i64);
            let first = rng.index(600) as u64;
            let ids = (first..first + rng.index(400) as u64).filter(|_| rng.index(share) == 0);
            let all: Vec<Pending> =
                ids.map(|ms| Pending::new(id(ms, 0), time_ms, 1, owner)).collect();
            let indexed = round % 2 == 0;
            stream.with_group(b"g", |_, group| {
                group.put_all(&all);
                if indexed {
                    group.pending_by_time().count();
                }
            });
            single.with_group(b"g", |_, group| all.iter().for_each(|one| group.put(*one)));
            if rng.index(2) == 0 {
                let gone = id(rng.index(1000) as u64, 0);
                for stream in [&mut stream, &mut single] {
                    stream.with_group(b"g", |_, group| group.ack(gone));
                }
            }
        }
        for stream in [&mut stream, &mut single] {
            let sound = |group: &mut Group| {
                for slot in owners.into_iter().flatten() {
                    let own = group.pending_of(slot, StreamId::MIN).map(|one| one.owner());
                    assert!(own.eq(vec![Some(slot); group.consumer(slot).pending_len()]));
                }
                let by_time: Vec<Pending> = group.pending_by_time().collect();
                let mut all: Vec<Pending> = group.pending_from(StreamId::MIN).collect();
                all.sort_by_key(|one| (one.time_ms, one.id));
                assert_eq!(by_time, all);
            };
            stream.with_group(b"g", |_, group| sound(group));
        }
        assert_eq!(state(&mut stream), state(&mut single));
    }
}

#[test]
fn nodes_are_those_of_redis() {
    let mut stream = Stream::default();
    stream.push(id(1, 1), &[b"a", b"1", b"b", b"x"], &Limits::default());
    stream.push(id(2, 0), &[b"a", b"2", b"b", b"y"], &Limits::default());
    stream.push(id(3, 5), &[b"c", b"3"], &Limits::default());
    stream.delete(id(2, 0), References::Keep);
    let node = stream.log().nodes().next().unwrap();
    let bytes = node.to_listpack().into_bytes();
    let cells: Vec<_> = crate::listpack::View::of(&bytes)
        .iter()
        .map(|cell| String::from_utf8(cell.to_vec()).unwrap())
        .collect();
    let expected = "2 1 2 a b 0 2 0 0 1 x 5 3 1 -1 2 y 5 0 2 4 1 c 3 6";
    assert_eq!(cells.join(" "), expected);
}

#[test]
fn foreign_nodes_are_proved() {
    let good: &[&[u8]] = &[b"1", b"0", b"1", b"a", b"0", b"2", b"0", b"0", b"x", b"4"];
    let node = |cells: &[&[u8]]| {
        let mut pack = crate::listpack::Listpack::new();
        cells.iter().for_each(|cell| pack.append(Element::from(*cell)));
        Node::from_listpack(id(1, 1), pack.as_bytes())
    };
    assert!(node(good).is_ok());
    for at in 0..good.len() {
        // Field and value may be anything.
        for bad in [&b"-1"[..], b"3", b"9223372036854775807", b"word"] {
            let mut cells = good.to_vec();
            cells[at] = bad;
            let harmless = matches!(at, 3 | 6..=8) && node(&cells).is_ok();
            // The flags 3 say deleted, but then the count of the deleted is wrong.
            assert!(harmless || node(&cells).is_err(), "{at} {bad:?}");
        }
        assert!(node(&good[..at]).is_err());
    }
    assert!(Node::from_listpack(id(1, 1), b"no").is_err());
}

#[test]
fn forms_of_ids() {
    let cases: &[(&str, Option<StreamId>)] = &[
        ("5", Some(id(5, 9))),
        ("5-1", Some(id(5, 1))),
        ("0-0", Some(id(0, 0))),
        ("007-+3", Some(id(7, 3))),
        (" 7- 3", Some(id(7, 3))),
        ("18446744073709551615-18446744073709551615", Some(StreamId::MAX)),
        ("18446744073709551616-0", None),
        ("5-*", None),
        ("*", None),
        ("-", None),
        ("+", None),
        ("", None),
        ("5-", None),
        ("-5", None),
        ("5--3", None),
        ("5-3-2", None),
        ("5.1", None),
    ];
    for (text, expected) in cases {
        assert_eq!(StreamId::parse(text.as_bytes(), 9), *expected, "{text}");
    }
    assert_eq!(StreamId::parse_or_end(b"-", 9), Some(StreamId::MIN));
    assert_eq!(StreamId::parse_or_end(b"+", 9), Some(StreamId::MAX));
    assert_eq!(NewId::parse(b"*"), Some(NewId::Auto));
    assert_eq!(NewId::parse(b"7-*"), Some(NewId::Millis(7)));
    assert_eq!(NewId::parse(b"7"), Some(NewId::Given(id(7, 0))));
    assert_eq!(NewId::parse(b"+"), None);
    assert_eq!(id(3, u64::MAX).next(), Some(id(4, 0)));
    assert_eq!(id(3, 0).prev(), Some(id(2, u64::MAX)));
    assert_eq!((StreamId::MAX.next(), StreamId::MIN.prev()), (None, None));
    let one = id(u64::MAX - 1, 77);
    assert_eq!(StreamId::from_be_bytes(one.to_be_bytes()), one);
    assert_eq!(one.text(&mut IdText::default()), b"18446744073709551614-77");
}

#[test]
fn ids_of_new_entries() {
    let last = id(5, 7);
    assert_eq!(NewId::Auto.after(last, 9), Ok(id(9, 0)));
    assert_eq!(NewId::Auto.after(last, 5), Ok(id(5, 8)));
    assert_eq!(NewId::Auto.after(last, 1), Ok(id(5, 8)));
    assert_eq!(NewId::Auto.after(id(5, u64::MAX), 1), Ok(id(6, 0)));
    assert_eq!(NewId::Millis(5).after(last, 9), Ok(id(5, 8)));
    assert_eq!(NewId::Millis(6).after(last, 9), Ok(id(6, 0)));
    assert_eq!(NewId::Millis(4).after(last, 9), Err(IdError::NotAbove));
    assert_eq!(NewId::Millis(5).after(id(5, u64::MAX), 9), Err(IdError::NotAbove));
    assert_eq!(NewId::Given(last).after(last, 9), Err(IdError::NotAbove));
    assert_eq!(NewId::Auto.after(StreamId::MAX, 9), Err(IdError::Exhausted));
}

#[test]
fn producers_forget() {
    let mut stream = Stream::new(Memory { seconds: 1, names_max: 3 });
    for ms in [10, 20, 30, 40] {
        stream.record((b"p", &[ms as u8]), id(ms, 0), ms, ms);
    }
    assert_eq!(stream.find_idempotent(b"p", &[10], 40), None);
    assert_eq!(stream.find_idempotent(b"p", &[20], 40), Some(id(20, 0)));
    assert_eq!(stream.find_idempotent(b"p", &[20], 1020), None);
    assert_eq!(stream.remembered(1020), (1, 2));
    let clone = stream.clone();
    stream.record((b"p", &[20]), id(1025, 0), 1025, 1025);
    assert_eq!(stream.find_idempotent(b"p", &[20], 1025), Some(id(1025, 0)));
    assert_eq!(clone.find_idempotent(b"p", &[20], 40), Some(id(20, 0)));
    // Producers that have nothing to remember go.
    for ms in 0..1_000 {
        let now_ms = 5_000 + 100 * ms;
        stream.record((&u64::to_be_bytes(ms), b"n"), id(now_ms, 0), now_ms, now_ms);
    }
    assert!(stream.producers().unwrap().iter().len() < 40);
    assert!(!stream.set_memory(Memory { seconds: 1, names_max: 3 }));
    assert!(stream.set_memory(Memory { seconds: 2, names_max: 3 }));
    assert_eq!(stream.remembered(0), (0, 0));
}

/// The clock says for how long a name is known, wherever the IDs of the entries are.
#[test]
fn producers_remember_by_the_clock() {
    const AHEAD: u64 = 3_600_000;
    let mut stream = Stream::new(Memory { seconds: 1, names_max: 3 });
    stream.record((b"p", b"a"), id(5, 0), 5, 5);
    stream.record((b"p", b"b"), id(AHEAD, 0), 10, 10);
    assert_eq!(stream.find_idempotent(b"p", b"a", 1_004), Some(id(5, 0)));
    assert_eq!(stream.find_idempotent(b"p", b"a", 1_005), None);
    assert_eq!(stream.find_idempotent(b"p", b"b", 1_009), Some(id(AHEAD, 0)));
    assert_eq!(stream.find_idempotent(b"p", b"b", 1_010), None);
    // In the place of what was remembered.
    stream.record((b"p", b"b"), id(AHEAD, 1), 20, 20);
    assert_eq!(stream.find_idempotent(b"p", b"b", 30), Some(id(AHEAD, 1)));
    assert_eq!(stream.remembered(30), (1, 2));
    // From a file: known until the producer is heard of, and for a second from then on.
    let mut loaded = Stream::new(Memory { seconds: 1, names_max: 3 });
    for (name, producer) in stream.producers().unwrap().iter() {
        producer.names().for_each(|(iid, id)| loaded.restore_name(name, iid, id));
    }
    assert_eq!(loaded.heap_bytes(), stream.heap_bytes());
    assert_eq!(loaded.find_idempotent(b"p", b"b", 500), Some(id(AHEAD, 1)));
    loaded.count_duplicate(b"p", 500);
    assert_eq!(loaded.find_idempotent(b"p", b"b", 1_499), Some(id(AHEAD, 1)));
    assert_eq!(loaded.find_idempotent(b"p", b"b", 1_500), None);
    assert_eq!(loaded.find_idempotent(b"p", b"a", 1_004), Some(id(5, 0)));
    // A clock that was put back.
    loaded.record((b"p", b"c"), id(AHEAD, 2), 100, 100);
    assert_eq!(loaded.find_idempotent(b"p", b"b", 1_099), Some(id(AHEAD, 1)));
    assert_eq!(loaded.find_idempotent(b"p", b"b", 1_100), None);
}

#[test]
fn groups_are_written_in_bounded_slices() {
    let mut stream = Stream::new(Memory::default());
    for name in 0..40_u32 {
        let mut group = Group::new(&name.to_be_bytes(), id(7, 7), Some(3));
        for seq in 0..u64::from(name) * 10 {
            group.put(Pending::new(id(5, seq), 1000, 1, None));
        }
        for consumer in 0..name {
            let slot = group.add_consumer(&consumer.to_be_bytes(), 1000).expect("a new one");
            for seq in 0..10 {
                assert!(group.give(id(5, u64::from(consumer) * 10 + seq), slot));
            }
        }
        assert!(stream.add_group(group));
    }
    let mut whole = rdb::Writer::new();
    crate::persist::Persist::save(stream.view(), &mut whole);
    let (mut saving, mut out) = (persist::Saving::new(stream), rdb::Writer::new());
    let (mut at, mut steps) = (0, 0);
    while saving.step(&mut out, at + 100) {
        assert!(out.offset() - at < 200, "a step wrote {} bytes", out.offset() - at);
        at = out.offset();
        steps += 1;
    }
    assert!(steps > 1000);
    assert_eq!(out.into_bytes(), whole.into_bytes());
}
