//! Elements that expire while their key stays: what finds them, what is told, what is counted.

use super::model::keyspace;
use crate::{Db, Event, ExpiredElements, Gone, KeyRef, Keyspace, Record};
use types::hash::{Hash, Ttl};
use types::list::{End, List};
use types::zset::ZSet;
use types::{Limits, Type, View as _};

const SET: Event = Event::hash("hset");

struct Bench {
    space: Keyspace,
    record: Record,
    now_ms: i64,
}

impl Bench {
    fn new() -> Self {
        let record = Record { listening: true, ..Record::default() };
        Self { space: keyspace(1), record, now_ms: 1000 }
    }

    fn run<R>(&mut self, command: impl FnOnce(&mut Db<'_>, &KeyRef<'_>) -> R) -> R {
        self.record.clear();
        let (hash, shard) = self.space.place(b"h");
        let key = KeyRef::new(b"h", hash, shard, 0);
        let mut held = self.space.shards().one(shard);
        command(&mut Db::under_one(&mut held, &mut self.record, 0, self.now_ms), &key)
    }

    /// Fields 1 to `count`, each of which expires that many milliseconds from now.
    fn fill(&mut self, count: i64, limits: &Limits) {
        let now_ms = self.now_ms;
        self.run(|db, key| {
            let mut guard = db.write_or_new::<Hash>(key).unwrap();
            for number in 1..=count {
                guard.edit(SET, |hash| {
                    let ttl = Ttl::At(now_ms + number);
                    hash.set(number.to_string().as_bytes(), b"v", ttl, limits)
                });
            }
        });
    }

    fn len(&mut self) -> Option<usize> {
        self.run(|db, key| db.read::<Hash>(key).unwrap().map(|hash| hash.len()))
    }

    /// One slice of the walk: the names that went, by the log, and whether it must come again.
    fn sweep(&mut self) -> (Vec<Vec<u8>>, bool) {
        let shard = self.space.place(b"h").1;
        let mut gone = Vec::new();
        self.record.clear();
        let swept = self.space.sweep(
            shard,
            0,
            None,
            1 << 16,
            self.now_ms,
            &mut self.record,
            |_, what, _| {
                let Gone::Elements(elements) = what else { panic!("a key: {what:?}") };
                assert_eq!(elements.command()[..2], [b"HDEL", &b"h"[..]]);
                gone.extend_from_slice(&elements.names);
                0
            },
        );
        assert_eq!(swept.elements as usize, gone.len());
        (gone, swept.next.is_some())
    }

    fn events(&self) -> Vec<&'static str> {
        self.record.noted.iter().map(|change| change.event.name).collect()
    }
}

#[test]
fn the_walk_deletes_what_is_due_and_the_key_with_the_last() {
    for limits in [Limits::default(), Limits { hash_entries: 0, ..Limits::default() }] {
        let mut bench = Bench::new();
        bench.fill(3, &limits);
        assert_eq!(bench.space.size(0).subexpiry, 1);
        assert_eq!(bench.sweep().0.len(), 0);
        bench.now_ms += 2;
        let (mut gone, again) = bench.sweep();
        gone.sort();
        assert_eq!((gone, again), (vec![b"1".to_vec(), b"2".to_vec()], false));
        assert_eq!(bench.events(), ["hexpired"]);
        assert_eq!(bench.len(), Some(1));
        bench.now_ms += 1;
        assert_eq!(bench.sweep().0.len(), 1);
        assert_eq!(bench.events(), ["hexpired", "del"]);
        assert_eq!(bench.len(), None);
        let size = bench.space.size(0);
        assert_eq!((size.keys, size.subexpiry, size.entry_bytes), (0, 0, 0));
        assert_eq!(bench.space.expired_elements(), 3);
    }
}

#[test]
fn the_walk_comes_again_to_a_value_with_much_that_is_due() {
    let mut bench = Bench::new();
    bench.fill(2000, &Limits::default());
    bench.now_ms += 1999;
    let mut slices = 0;
    while bench.sweep().1 {
        slices += 1;
    }
    assert!((2..20).contains(&slices), "{slices}");
    assert_eq!(bench.len(), Some(1));
}

#[test]
fn a_write_deletes_what_it_names_and_nothing_else() {
    let mut bench = Bench::new();
    bench.fill(3, &Limits::default());
    bench.now_ms += 2;
    let purge = |bench: &mut Bench, names: &[&[u8]]| {
        bench.run(|db, key| {
            let mut guard = db.write::<Hash>(key).unwrap().unwrap();
            guard.purge_elements(names.iter().copied());
            guard.exists()
        })
    };
    assert!(purge(&mut bench, &[b"2", b"3", b"x", b"2"]));
    let gone =
        ExpiredElements { db: 0, key: b"h".to_vec(), of: Type::Hash, names: vec![b"2".into()] };
    assert_eq!(bench.record.elements, [gone]);
    assert!(bench.record.changes == 1 && !bench.record.changed_beyond_expiry());
    assert_eq!(bench.len(), Some(2));
    bench.now_ms += 1;
    assert!(!purge(&mut bench, &[b"1", b"3"]));
    assert_eq!(bench.events(), ["hexpired", "del"]);
    assert!(!bench.record.changed_beyond_expiry());
    assert_eq!(bench.len(), None);
}

#[test]
fn the_account_follows_a_value_that_grows_large_and_shrinks() {
    let limits = Limits { list_size: 16, ..Limits::default() };
    let element = [b'x'; 40];
    let mut bench = Bench::new();
    let mut shapes = [0, 0];
    for round in 0..400 {
        bench.run(|db, key| {
            let mut guard = db.write_or_new::<List>(key).unwrap();
            guard.edit(SET, |list| match round {
                0..200 => list.push(End::Back, [&element[..]].into_iter(), &limits),
                _ => list.pop(End::Front, 1, &limits),
            });
        });
        let seen = bench.run(|db, key| db.peek(key).map(|entry| (entry.bytes(), entry.is_boxed())));
        let (bytes, is_boxed) = seen.unwrap_or_default();
        shapes[usize::from(is_boxed)] += 1;
        assert_eq!(bench.space.size(0).entry_bytes, bytes as u64, "after edit {round}");
    }
    assert!(shapes.iter().all(|rounds| *rounds > 20), "{shapes:?}");
    assert_eq!(bench.space.size(0).keys, 0);
}

#[test]
fn elements_that_expire_are_counted_in_values_of_any_size() {
    for fields in [3, 2000] {
        let mut bench = Bench::new();
        let limits = Limits::default();
        bench.fill(fields, &limits);
        assert_eq!(bench.space.size(0).subexpiry, 1);
        for number in 1..=fields {
            bench.run(|db, key| {
                let mut guard = db.write_or_new::<Hash>(key).unwrap();
                let name = number.to_string();
                guard.edit(SET, |hash| hash.set(name.as_bytes(), b"v", Ttl::Clear, &limits));
            });
        }
        let sizes = bench.space.size(0);
        let (earliest, bytes) = bench
            .run(|db, key| db.peek(key).map(|entry| (entry.earliest_element(), entry.bytes())))
            .unwrap();
        assert_eq!(sizes.subexpiry, u64::from(earliest.is_some()));
        assert_eq!(sizes.entry_bytes, bytes as u64);
    }
}

#[test]
fn a_pop_deletes_what_has_expired_before_its_last_member() {
    let limits = Limits::default();
    let gone = |bench: &mut Bench, least, count| {
        bench.run(|db, key| db.write::<ZSet>(key).unwrap().unwrap().purge_end(least, count));
        let mut names: Vec<_> = bench.record.elements.iter().flat_map(|gone| &gone.names).collect();
        names.sort();
        names.into_iter().map(|name| String::from_utf8(name.clone()).unwrap()).collect::<Vec<_>>()
    };
    for many in [0_u32, 1000] {
        let mut bench = Bench::new();
        let at = bench.now_ms + 1;
        bench.run(|db, key| {
            let mut guard = db.write_or_new::<ZSet>(key).unwrap();
            guard.edit(Event::zset("zadd"), |set| {
                for number in (1..=9).chain(100..100 + many) {
                    let member = number.to_string();
                    set.set(member.as_bytes(), f64::from(number), &limits);
                    if [1, 2, 5, 8].contains(&number) || number >= 100 {
                        set.set_expiry(member.as_bytes(), Some(at), &limits);
                    }
                }
                1_usize
            });
        });
        assert!(gone(&mut bench, true, 3).is_empty());
        bench.now_ms += 2;
        assert_eq!(gone(&mut bench, true, 0), Vec::<String>::new());
        assert_eq!(gone(&mut bench, true, 2), ["1", "2"]);
        if many == 0 {
            assert_eq!(gone(&mut bench, false, 1), Vec::<String>::new());
            assert_eq!(gone(&mut bench, false, 2), ["8"]);
            // Nothing else would be left.
            assert_eq!(gone(&mut bench, false, 5), ["5"]);
        } else {
            assert_eq!(gone(&mut bench, false, 1).len(), 1002);
        }
        let left = bench.run(|db, key| db.read::<ZSet>(key).unwrap().map(|set| set.len()));
        assert_eq!(left, Some(5));
    }
}
