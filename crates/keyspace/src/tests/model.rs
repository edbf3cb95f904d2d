//! Every way to change the keyspace against a map, with the clock in the test's hand.

use crate::{
    Db, Entry, Event, ExpiryChange, Gone, Keyspace, NewValue, Position, Record, ScanFilter, Str,
    Value,
};
use std::collections::{BTreeMap, BTreeSet};
use stdx::hash::Seed;
use stdx::rng::Rng;

const DATABASES: u32 = 3;
const EVENT: Event = Event::string("set");

pub(super) fn keyspace(shards: usize) -> Keyspace {
    Keyspace::new(shards, DATABASES, Seed::from_bytes([7; 16]))
}

/// What a key holds: text and expiry.
type Model = BTreeMap<(u32, Vec<u8>), (Vec<u8>, Option<i64>)>;

struct Pair {
    space: Keyspace,
    model: Model,
    record: Record,
    now_ms: i64,
}

impl Pair {
    /// Runs one command on some keys: under one lock or under several.
    fn run<R>(&mut self, db: u32, keys: &[&[u8]], command: impl FnOnce(&mut Db<'_>) -> R) -> R {
        let space = &self.space;
        let mut shards: Vec<_> = keys.iter().map(|key| space.place(key).1).collect();
        shards.sort_unstable();
        shards.dedup();
        self.record.clear();
        if let [shard] = shards[..] {
            let mut held = space.shards().one(shard);
            let mut view = Db::under_one(&mut held, &mut self.record, db, self.now_ms);
            return command(&mut view);
        }
        let mut held = space.hold_many(&shards);
        let mut view = Db::under_many(&mut held, &mut self.record, db, self.now_ms);
        command(&mut view)
    }

    fn lives(&self, db: u32, key: &[u8]) -> bool {
        let found = self.model.get(&(db, key.to_vec()));
        found.is_some_and(|(_, expiry)| expiry.is_none_or(|at| at > self.now_ms))
    }

    /// A write meets a key: one that has expired goes. Returns whether it did.
    fn purge(&mut self, db: u32, key: &[u8]) -> u32 {
        if self.lives(db, key) {
            return 0;
        }
        u32::from(self.model.remove(&(db, key.to_vec())).is_some())
    }

    /// One random command on both.
    fn step(&mut self, rng: &mut Rng) {
        let db = rng.below(u64::from(DATABASES)) as u32;
        let (key, other) = (random_key(rng), random_key(rng));
        let at = (db, key.clone());
        match rng.below(14) {
            0..=2 => self.put(rng, db, key),
            3 => {
                let tail = vec![b't'; rng.index(40)];
                let expired = self.purge(db, &key);
                let kept = self.model.entry(at).or_insert((Vec::new(), None));
                kept.0.extend_from_slice(&tail);
                let wanted = kept.0.len();
                let space_key = key.clone();
                let minted = self.space.key(&space_key, 0);
                let len = self.run(db, &[&key], |db| db.append(&minted, &tail, EVENT));
                assert_eq!(len, wanted);
                self.changes(expired + 1, expired);
            }
            4 => {
                let expired = self.purge(db, &key);
                let was = self.model.remove(&at).is_some();
                let minted = self.space.key(&key, 0);
                assert_eq!(self.run(db, &[&key], |db| db.delete(&minted, EVENT)), was);
                self.changes(expired + u32::from(was), expired);
            }
            5 => {
                let expired = self.purge(db, &key);
                let expiry = random_expiry(rng, self.now_ms);
                let found = self.model.get_mut(&at).map(|kept| kept.1 = expiry).is_some();
                let minted = self.space.key(&key, 0);
                let did = self.run(db, &[&key], |db| db.set_expiry(&minted, expiry, EVENT));
                assert_eq!(did, found);
                self.changes(expired + u32::from(found), expired);
            }
            6 => self.read(db, &key),
            13 => {
                let minted = self.space.key(&key, 0);
                let step = |old: i64| old.checked_add(1).ok_or(());
                let lives = self.lives(db, &key);
                match self.run(db, &[&key], |db| db.change_integer(&minted, EVENT, step)) {
                    Some(Ok(new)) => {
                        let kept = self.model.get_mut(&at).expect("only what is there changes");
                        assert!(lives && kept.0 == (new - 1).to_string().as_bytes());
                        kept.0 = new.to_string().into_bytes();
                        self.changes(1, 0);
                    }
                    Some(Err(())) => {
                        assert!(lives && self.model[&at].0 == i64::MAX.to_string().as_bytes());
                        self.changes(0, 0);
                    }
                    None => self.changes(0, 0),
                }
            }
            choice => self.move_about(rng, choice, db, key, other),
        }
        self.space.dispose(&mut self.record.garbage);
    }

    /// A change of place, of a key or of many; or time passes.
    fn move_about(&mut self, rng: &mut Rng, choice: u64, db: u32, key: Vec<u8>, other: Vec<u8>) {
        let at = (db, key.clone());
        match choice {
            7 if key != other && self.lives(db, &key) => {
                let expired = self.purge(db, &other);
                let kept = self.model.remove(&at).expect("it lives");
                self.model.insert((db, other.clone()), kept);
                let (from, to) = (self.space.key(&key, 0), self.space.key(&other, 0));
                self.run(db, &[&key, &other], |db| db.rename(&from, &to, false));
                self.changes(expired + 2, expired);
            }
            8 if self.lives(db, &key) => {
                let target = (db + 1) % DATABASES;
                let expired = self.purge(target, &other);
                let kept = self.model[&at].clone();
                self.model.insert((target, other.clone()), kept);
                let (from, to) = (self.space.key(&key, 0), self.space.key(&other, 0));
                self.run(db, &[&key, &other], |db| db.copy(&from, &to, target));
                self.changes(expired + 1, expired);
            }
            9 => {
                let target = (db + 1) % DATABASES;
                let expired = self.purge(db, &key) + self.purge(target, &key);
                let moves = self.lives(db, &key) && !self.lives(target, &key);
                if moves {
                    let kept = self.model.remove(&at).expect("it lives");
                    self.model.insert((target, key.clone()), kept);
                }
                let minted = self.space.key(&key, 0);
                assert_eq!(self.run(db, &[&key], |db| db.move_to(&minted, target)), moves);
                self.changes(expired + 2 * u32::from(moves), expired);
            }
            10 if rng.below(40) == 0 => {
                let which = (rng.below(4) > 0).then_some(db);
                let gone = |at: &(u32, Vec<u8>)| which.is_none_or(|only| only == at.0);
                let wanted = self.model.keys().filter(|at| gone(at)).count() as u64;
                self.model.retain(|at, _| !gone(at));
                assert_eq!(self.all(|db| db.flush(which)), wanted);
            }
            11 if rng.below(10) == 0 => {
                let second = rng.below(u64::from(DATABASES)) as u32;
                self.all(|view| view.swap(db, second));
                let swapped = |index: u32| match index {
                    index if index == db => second,
                    index if index == second => db,
                    index => index,
                };
                let old = std::mem::take(&mut self.model);
                self.model =
                    old.into_iter().map(|((i, key), kept)| ((swapped(i), key), kept)).collect();
            }
            12 if rng.below(20) == 0 => self.sweep(db),
            _ => self.now_ms += rng.below(3) as i64,
        }
    }

    fn all<R>(&mut self, command: impl FnOnce(&mut Db<'_>) -> R) -> R {
        let mut held = self.space.hold_all();
        self.record.clear();
        command(&mut Db::under_many(&mut held, &mut self.record, 0, self.now_ms))
    }

    fn put(&mut self, rng: &mut Rng, db: u32, key: Vec<u8>) {
        let text = random_text(rng);
        let change = match rng.below(3) {
            0 => ExpiryChange::Keep,
            1 => ExpiryChange::Clear,
            _ => ExpiryChange::At(self.now_ms + 1 + rng.below(20) as i64),
        };
        let expired = self.purge(db, &key);
        let old = self.model.get(&(db, key.clone())).and_then(|kept| kept.1);
        let expiry = match change {
            ExpiryChange::Keep => old,
            ExpiryChange::Clear => None,
            ExpiryChange::At(ms) => Some(ms),
        };
        let minted = self.space.key(&key, 0);
        self.run(db, &[&key], |db| db.put(&minted, NewValue::detect(&text), change, EVENT));
        self.changes(expired + 1, expired);
        self.model.insert((db, key.clone()), (text, expiry));
    }

    /// A read filters and notes; what it noted is deleted when asked for.
    fn read(&mut self, db: u32, key: &[u8]) {
        let lives = self.lives(db, key);
        let there = self.model.contains_key(&(db, key.to_vec()));
        let wanted =
            self.model.get(&(db, key.to_vec())).filter(|_| lives).map(|kept| kept.0.clone());
        let keys = self.space.size(db).keys;
        let minted = self.space.key(key, 0);
        let got = self.run(db, &[key], |db| {
            let mut scratch = Vec::new();
            let found = db.string(&minted).expect("a string");
            found.as_ref().map(|text| Str::text(text, &mut scratch).to_vec())
        });
        assert_eq!(got, wanted);
        assert_eq!(self.space.size(db).keys, keys, "a read never deletes");
        assert_eq!(self.record.changes, 0);
        assert_eq!(self.record.stale.len(), usize::from(there && !lives));
        if there && !lives {
            let stale = std::mem::take(&mut self.record.stale);
            let (space, now_ms) = (&self.space, self.now_ms);
            let mut held = space.shards().one(minted.shard());
            self.record.stale = stale;
            let mut view = Db::under_one(&mut held, &mut self.record, db, now_ms);
            view.expire_stale(|key| space.place(key));
            drop(held);
            self.changes(1, 1);
            self.model.remove(&(db, key.to_vec()));
        }
    }

    fn sweep(&mut self, db: u32) {
        let mut gone = Vec::new();
        for shard in self.space.shards().ids() {
            let mut at = None;
            loop {
                self.record.clear();
                let log = |_: u32, what: Gone<'_>, _: &mut Record| {
                    let Gone::Key(key) = what else { panic!("elements in {what:?}") };
                    gone.push(key.to_vec());
                    0
                };
                let swept = self.space.sweep(shard, db, at, 3, self.now_ms, &mut self.record, log);
                assert_eq!(u64::from(self.record.changes), swept.expired);
                let Some(next) = swept.next else { break };
                at = Some(next);
            }
        }
        let now_ms = self.now_ms;
        let expired = |at: &(u32, Vec<u8>), kept: &(Vec<u8>, Option<i64>)| {
            at.0 == db && kept.1.is_some_and(|ms| ms <= now_ms)
        };
        let wanted: BTreeSet<_> = self
            .model
            .iter()
            .filter(|(at, kept)| expired(at, kept))
            .map(|(at, _)| at.1.clone())
            .collect();
        assert_eq!(gone.len(), wanted.len(), "each once");
        assert_eq!(gone.into_iter().collect::<BTreeSet<_>>(), wanted);
        self.model.retain(|at, kept| !expired(at, kept));
    }

    fn changes(&self, changes: u32, expired: u32) {
        assert_eq!((self.record.changes, self.record.expired.len()), (changes, expired as usize));
        assert_eq!(self.record.changed_beyond_expiry(), changes > expired);
    }

    /// Compares everything, and the account with a walk.
    fn check(&mut self, rng: &mut Rng) {
        let mut total = 0;
        let mut found = Model::new();
        for db in 0..DATABASES {
            let (mut keys, mut expires, mut entry_bytes, mut table_bytes) = (0, 0, 0, 0);
            for id in self.space.shards().ids() {
                let shard = self.space.shards().one(id);
                let Some(database) = shard.database(db) else { continue };
                table_bytes += database.table().memory_bytes() as u64;
                for entry in database.table().iter() {
                    keys += 1;
                    expires += u64::from(entry.expiry().is_some());
                    entry_bytes += entry.bytes() as u64;
                    assert_eq!(self.space.place(entry.key()).1, id);
                    found.insert((db, entry.key().to_vec()), (text_of(&entry), entry.expiry()));
                }
            }
            let size = self.space.size(db);
            assert_eq!((size.keys, size.expires), (keys, expires));
            assert_eq!((size.entry_bytes, size.table_bytes), (entry_bytes, table_bytes));
            total += entry_bytes + table_bytes;
            let mut met = Vec::new();
            let random = self.space.random_key(db, rng, self.now_ms, &mut met);
            assert!(met.iter().all(|(db, key)| !self.lives(*db, key)));
            let any = self.model.keys().any(|at| at.0 == db && self.lives(db, &at.1));
            assert_eq!(random.is_some(), any);
            assert!(random.is_none_or(|key| self.lives(db, &key)));
        }
        assert_eq!(found, self.model);
        let slack = 512 * self.space.shards().count() as u64;
        assert!(self.space.accounted_bytes().abs_diff(total) < slack);
        assert_eq!(self.space.memory(), self.space.accounted_bytes(), "nobody samples");
    }
}

fn text_of(entry: &Entry) -> Vec<u8> {
    match entry.value() {
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Inline(bytes) => bytes.to_vec(),
        Value::Shared(shared) => shared.to_vec(),
        Value::Packed(_) | Value::Boxed(_) => unreachable!("only strings are made here"),
    }
}

fn random_key(rng: &mut Rng) -> Vec<u8> {
    format!("key:{}", rng.below(150)).into_bytes()
}

fn random_text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(6) {
        0 => rng.below(1000).to_string().into_bytes(),
        1 => vec![b'l'; crate::SHARED_MIN - 20 + rng.index(40)],
        _ => vec![b's'; rng.index(60)],
    }
}

fn random_expiry(rng: &mut Rng, now_ms: i64) -> Option<i64> {
    match rng.below(6) {
        0 | 1 => None,
        // Two of them sum up to more than 64 bits hold.
        2 => Some(i64::MAX),
        _ => Some(now_ms + 1 + rng.below(20) as i64),
    }
}

#[test]
fn does_what_a_map_does() {
    for seed in 0..16 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut pair = Pair {
            space: keyspace(1 << rng.below(4)),
            model: Model::new(),
            record: Record::default(),
            now_ms: 1_000,
        };
        for step in 0..2_000 {
            pair.step(&mut rng);
            if step % 50 == 0 {
                pair.check(&mut rng);
            }
        }
        pair.check(&mut rng);
    }
}

/// The mean of what keys have left is told, although the sum is more than 64 bits hold.
#[test]
fn moments_far_away_are_averaged() {
    let space = keyspace(4);
    let mut record = Record::default();
    for number in 0..32 {
        let name = format!("key:{number}");
        let key = space.key(name.as_bytes(), 0);
        let mut held = space.shards().one(key.shard());
        let mut db = Db::under_one(&mut held, &mut record, 0, 0);
        db.put(&key, NewValue::Int(1), ExpiryChange::At(i64::MAX), EVENT);
    }
    for shard in space.shards().ids() {
        let swept = space.sweep(shard, 0, None, 1 << 16, 0, &mut record, |_, _, _| 0);
        assert_eq!((swept.expired, swept.next.is_none()), (0, true));
    }
    let size = space.size(0);
    assert_eq!((size.keys, size.expires), (32, 32));
    assert!(size.average_ttl_ms > 0);
}

/// What is there throughout a walk is visited, although tables grow, shrink, go and change places.
#[test]
fn a_walk_misses_nothing_that_stays() {
    for seed in 0..8 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let space = keyspace(4);
        let mut record = Record::default();
        let mut with =
            |db: u32, text: &str, command: &mut dyn FnMut(&mut Db<'_>, &crate::KeyRef<'_>)| {
                let key = space.key(text.as_bytes(), 0);
                let mut held = space.shards().one(key.shard());
                command(&mut Db::under_one(&mut held, &mut record, db, 0), &key);
            };
        let put = |db: &mut Db<'_>, key: &crate::KeyRef<'_>| {
            db.put(key, NewValue::Int(1), ExpiryChange::Clear, EVENT);
        };
        for idx in 0..500 {
            with(0, &format!("stays:{idx}"), &mut |db, key| put(db, key));
        }
        let mut at = Some(Position::default());
        let mut seen = BTreeSet::new();
        let mut guests = 0usize;
        while let Some(from) = at {
            at = space.scan(0, from, 10, &ScanFilter::default(), |entry| {
                seen.insert(entry.key().to_vec());
            });
            if rng.below(2) == 0 {
                for _ in 0..200 {
                    with(0, &format!("guest:{guests}"), &mut |db, key| put(db, key));
                    guests += 1;
                }
            } else {
                for guest in (0..guests).rev().take(600) {
                    with(0, &format!("guest:{guest}"), &mut |db, key| {
                        db.delete(key, EVENT);
                    });
                }
                guests = guests.saturating_sub(600);
            }
            let mut swapped = Record::default();
            let mut held = space.hold_all();
            let mut all = Db::under_many(&mut held, &mut swapped, 0, 0);
            all.flush(Some(1));
            // There and back: the walk goes on in the same tables.
            all.swap(0, 2);
            all.swap(2, 0);
            all.swap(1, 1);
            drop(held);
            space.dispose(&mut swapped.garbage);
        }
        let stayed = seen.iter().filter(|key| key.starts_with(b"stays:")).count();
        assert_eq!(stayed, 500);
        space.dispose(&mut record.garbage);
    }
}
