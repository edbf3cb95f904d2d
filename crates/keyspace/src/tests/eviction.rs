//! Which keys go first, under each policy.

use super::model::keyspace;
use crate::{
    AccessClock, Db, Event, EvictionPolicy, Evictor, ExpiryChange, Keyspace, NewValue, Rank,
    Record, Search,
};
use stdx::rng::Rng;

const KEYS: u64 = 2_000;

fn fill(space: &Keyspace, clock: AccessClock, volatile: impl Fn(u64) -> bool) {
    let mut record = Record::default();
    for idx in 0..KEYS {
        let text = idx.to_string();
        let key = space.key(text.as_bytes(), 0);
        let mut held = space.shards().one(key.shard());
        // Each a second later than the one before; later ones are used more and live longer.
        let now_ms = idx as i64 * 1000;
        let db = (idx % 3) as u32;
        let expiry =
            if volatile(idx) { ExpiryChange::At(10_000_000 + now_ms) } else { ExpiryChange::Clear };
        let view = Db::under_one(&mut held, &mut record, db, now_ms);
        let mut view = view.accesses(clock, true, 0);
        view.put(&key, NewValue::Int(1), expiry, Event::string("set"));
        for _ in 0..idx / 10 {
            view.get(&key);
        }
    }
}

/// Evicts half of the keys that may go and returns the mean of their numbers.
fn evict(space: &Keyspace, clock: AccessClock, name: &str, times: u64) -> f64 {
    let policy = EvictionPolicy::from_name(name).expect("a policy");
    let search = Search { policy, samples: 5, clock, now_ms: KEYS as i64 * 1000 };
    let (mut evictor, mut rng, mut record) = (Evictor::default(), Rng::new(1), Record::default());
    let (mut gone, mut sum) = (0, 0);
    while gone < times {
        let candidate = evictor.next(space, &search, &mut rng).expect("keys are left");
        let went = space.evict(&candidate, &search, &mut record, |db, key| {
            let idx: u64 = std::str::from_utf8(key).expect("text").parse().expect("a number");
            assert_eq!(u64::from(db), idx % 3);
            sum += idx;
            0
        });
        assert_eq!(went, Ok(true), "nobody else is here");
        gone += 1;
    }
    assert_eq!(u64::from(record.changes), times);
    sum as f64 / times as f64
}

#[test]
fn the_least_wanted_go_first() {
    let lfu = AccessClock::Lfu { log_factor: 0, decay_minutes: 0 };
    let half = KEYS / 2;
    for (name, clock) in [
        ("allkeys-lru", AccessClock::Lru),
        ("volatile-lru", AccessClock::Lru),
        ("volatile-ttl", AccessClock::Lru),
        ("allkeys-lrm", AccessClock::Lrm),
        ("volatile-lrm", AccessClock::Lrm),
        ("allkeys-lfu", lfu),
        ("volatile-lfu", lfu),
    ] {
        let space = keyspace(8);
        fill(&space, clock, |_| true);
        let mean = evict(&space, clock, name, half);
        // The exact order would give a fourth of the number of keys, chance a half.
        assert!(mean < 0.32 * KEYS as f64, "{name}: {mean}");
    }
    for name in ["allkeys-random", "volatile-random"] {
        let space = keyspace(8);
        fill(&space, AccessClock::Lru, |_| true);
        let mean = evict(&space, AccessClock::Lru, name, half) / KEYS as f64;
        assert!((0.45..0.55).contains(&mean), "{name}: {mean}");
    }
}

#[test]
fn rare_volatile_keys_are_found_and_others_stay() {
    let space = keyspace(8);
    fill(&space, AccessClock::Lru, |idx| idx % 500 == 0);
    for name in ["volatile-lru", "volatile-random", "volatile-ttl"] {
        evict(&space, AccessClock::Lru, name, 1);
    }
    evict(&space, AccessClock::Lru, "volatile-lru", 1);
    let policy = EvictionPolicy { rank: Rank::Random, volatile_only: true };
    let search = Search { policy, samples: 5, clock: AccessClock::Lru, now_ms: 0 };
    assert!(Evictor::default().next(&space, &search, &mut Rng::new(2)).is_none());
    let left: u64 = (0..space.databases()).map(|db| space.size(db).keys).sum();
    assert_eq!(left, KEYS - 4);
}

/// Pins the keys that `chosen` says.
fn pin(space: &Keyspace, chosen: impl Fn(u64) -> bool) {
    let mut record = Record::default();
    for idx in (0..KEYS).filter(|idx| chosen(*idx)) {
        let text = idx.to_string();
        let key = space.key(text.as_bytes(), 0);
        let mut held = space.shards().one(key.shard());
        let mut db = Db::under_one(&mut held, &mut record, (idx % 3) as u32, 0);
        assert!(db.pin(&key), "{idx}");
        assert!(!db.pin(&key), "{idx} twice");
        // It changes shape, and stays.
        db.append(&key, b"and more than fits", Event::string("append"));
        let expiry = db.expiry(&key).expect("it is there");
        assert!(db.set_expiry(&key, None, Event::generic("persist")));
        assert!(db.set_expiry(&key, expiry, Event::generic("expire")));
    }
}

#[test]
fn pinned_keys_stay() {
    for name in ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl"] {
        let space = keyspace(8);
        fill(&space, AccessClock::Lru, |idx| idx % 2 == 0);
        let rare = |idx: u64| idx % 400 == 2;
        pin(&space, |idx| !rare(idx));
        evict(&space, AccessClock::Lru, name, KEYS / 400);
        let policy = EvictionPolicy::from_name(name).expect("a policy");
        let search = Search { policy, samples: 5, clock: AccessClock::Lru, now_ms: 0 };
        assert!(Evictor::default().next(&space, &search, &mut Rng::new(2)).is_none(), "{name}");
        let left: u64 = (0..space.databases()).map(|db| space.size(db).keys).sum();
        assert_eq!(left, KEYS - KEYS / 400, "{name}");
    }
}

#[test]
fn a_pin_goes_with_its_key() {
    let space = keyspace(1);
    let key = space.key(b"k", 0);
    let mut record = Record::default();
    let mut held = space.shards().one(key.shard());
    let mut at = |now_ms, act: &dyn Fn(&mut Db<'_>)| {
        act(&mut Db::under_one(&mut held, &mut record, 0, now_ms));
    };
    let put = |db: &mut Db<'_>, expiry| {
        db.put(&key, NewValue::Int(1), expiry, Event::string("set"));
    };
    at(0, &|db| {
        assert!(!db.pin(&key), "no key");
        put(db, ExpiryChange::Clear);
        assert!(db.pin(&key));
        put(db, ExpiryChange::At(10));
        assert!(!db.pin(&key), "it was written to, and stays pinned");
    });
    at(10, &|db| {
        put(db, ExpiryChange::Clear);
        assert!(db.pin(&key), "it had expired: another key");
        assert!(db.delete(&key, Event::DEL));
        put(db, ExpiryChange::Clear);
        assert!(db.pin(&key), "another key");
    });
}

#[test]
fn what_was_used_meanwhile_stays() {
    let space = keyspace(1);
    fill(&space, AccessClock::Lru, |_| false);
    let policy = EvictionPolicy { rank: Rank::Lru, volatile_only: false };
    let now_ms = KEYS as i64 * 1000;
    let search = Search { policy, samples: 5, clock: AccessClock::Lru, now_ms };
    let mut record = Record::default();
    let candidate =
        Evictor::default().next(&space, &search, &mut Rng::new(3)).expect("keys are there");
    let key = space.key(candidate.key(), 0);
    {
        let mut held = space.shards().one(key.shard());
        let mut db = Db::under_one(&mut held, &mut record, candidate.db(), now_ms);
        assert!(db.get(&key).is_some());
    }
    assert_eq!(space.evict(&candidate, &search, &mut record, |_, _| panic!("it stays")), Ok(false));
    assert_eq!(record.changes, 0);
}

#[test]
fn under_lrm_only_changes_count() {
    let space = keyspace(1);
    let key = space.key(b"k", 0);
    let mut record = Record::default();
    let mut held = space.shards().one(key.shard());
    let mut at = |second: i64, act: &dyn Fn(&mut Db<'_>)| {
        let db = Db::under_one(&mut held, &mut record, 0, second * 1000);
        let mut db = db.accesses(AccessClock::Lrm, false, 0);
        act(&mut db);
        let clock = db.peek(&key).expect("the key").clock();
        AccessClock::idle_seconds(clock, 100_000)
    };
    let idle = [
        at(1, &|db| db.put(&key, NewValue::Int(1), ExpiryChange::Clear, Event::string("set"))),
        at(2, &|db| assert!(db.get(&key).is_some())),
        at(3, &|db| {
            let _ = db.change_integer::<()>(&key, Event::string("incrby"), |old| Ok(old + 1));
        }),
        at(4, &|db| {
            db.append(&key, b"x", Event::string("append"));
        }),
        at(5, &|db| assert!(db.string(&key).is_ok())),
        at(6, &|db| {
            db.set_expiry(&key, Some(1_000_000), Event::generic("expire"));
        }),
        at(7, &|db| {
            db.delete(&key, Event::DEL);
            let mut list = db.write_or_new::<types::list::List>(&key).expect("a list");
            let limits = types::Limits::default();
            list.edit(Event::list("rpush"), |list| {
                list.push(types::list::End::Back, [b"e".as_slice()].into_iter(), &limits)
            });
        }),
        at(8, &|db| assert!(db.write::<types::list::List>(&key).is_ok())),
    ];
    assert_eq!(idle.map(|idle| 100 - idle), [1, 1, 3, 4, 4, 6, 7, 7]);
}

#[test]
fn names_of_policies() {
    assert_eq!(EvictionPolicy::from_name("noeviction"), None);
    let ttl = EvictionPolicy { rank: Rank::Ttl, volatile_only: true };
    assert_eq!(EvictionPolicy::from_name("volatile-ttl"), Some(ttl));
    let lfu = EvictionPolicy { rank: Rank::Lfu, volatile_only: false };
    assert_eq!(EvictionPolicy::from_name("allkeys-lfu"), Some(lfu));
}
