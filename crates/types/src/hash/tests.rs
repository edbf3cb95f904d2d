//! Hashes against a model, in every shape.

use std::collections::{BTreeMap, BTreeSet};

use stdx::hash::Seed;
use stdx::rng::Rng;

use super::*;
use crate::digest::Digest;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn contents(view: HashView<'_>) -> Model {
    let all = view.iter();
    all.map(|field| (field.name.to_vec(), (field.value.to_vec(), field.expiry))).collect()
}

fn limits(entries: usize) -> Limits {
    Limits { hash_entries: entries, seed: Seed::new(1, 2), ..Limits::default() }
}

fn digest(view: HashView<'_>) -> Digest {
    let mut digest = Digest::ZERO;
    view.fold(&mut digest);
    digest
}

fn check(hash: &Hash, model: &Model) {
    let view = hash.view();
    assert_eq!(&contents(view), model);
    assert_eq!(view.len(), model.len());
    let earliest = model.values().filter_map(|(_, expiry)| *expiry).min();
    assert!(earliest.is_none_or(|at| view.earliest_expiry().is_some_and(|bound| bound <= at)));
    for horizon in [i64::MIN, 0, 50, 1_000] {
        let live = view.at(horizon);
        let shown = |at: Option<i64>| at.is_none_or(|at| at > horizon);
        assert_eq!(live.count(), model.values().filter(|(_, expiry)| shown(*expiry)).count());
        for (name, (value, expiry)) in model {
            let found = live.get(name).map(|field| field.value.to_vec());
            assert_eq!(found, shown(*expiry).then(|| value.clone()));
        }
    }
    if let Some((form, pack)) = view.to_listpack() {
        let again = Hash::from_listpack(form, pack.as_bytes(), &limits(10_000)).unwrap();
        assert_eq!(again.view().to_listpack(), Some((form, pack)));
    }
}

fn step(hash: &mut Hash, model: &mut Model, rng: &mut Rng, limits: &Limits) {
    let name = rng.below(40).to_string().into_bytes();
    match rng.below(10) {
        0..5 => {
            let value = vec![b'v'; rng.index(30)];
            let ttl = match rng.below(3) {
                0 => Ttl::Clear,
                1 => Ttl::Keep,
                _ => Ttl::At(1 + rng.below(100) as i64),
            };
            let old = model.get(&name).and_then(|(_, expiry)| *expiry);
            let is_new = hash.set(&name, &value, ttl, limits);
            assert_eq!(is_new, model.insert(name, (value, ttl.apply(old))).is_none());
        }
        5..7 => assert_eq!(hash.remove(&name), model.remove(&name).is_some()),
        7..9 => {
            let expiry = (rng.below(2) == 0).then(|| 1 + rng.below(100) as i64);
            let changed = hash.set_expiry(&name, expiry);
            let old = model.get_mut(&name).map(|(_, old)| std::mem::replace(old, expiry));
            assert_eq!(changed, old.is_some_and(|old| old.or(expiry).is_some()));
        }
        _ => {
            let horizon = rng.below(30) as i64;
            let budget = 1 + rng.index(3);
            let mut gone = Vec::new();
            let count = hash.expire(horizon, budget, &mut |name| gone.push(name.to_vec()));
            assert_eq!(count, gone.len());
            for name in gone {
                assert!(model.remove(&name).unwrap().1.unwrap() <= horizon);
            }
            let left = model.values().filter(|(_, expiry)| expiry.is_some_and(|at| at <= horizon));
            assert!(count >= budget || left.count() == 0);
        }
    }
}

#[test]
fn agrees_with_a_model_in_every_shape() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let limits = limits([0, 5, 10, 100][rng.index(4)]);
        let (mut hash, mut model) = (Hash::default(), Model::new());
        for _ in 0..300 {
            let (before, was) = (hash.clone(), model.clone());
            step(&mut hash, &mut model, &mut rng, &limits);
            check(&hash, &model);
            assert_eq!(contents(before.view()), was);
        }
    }
}

#[test]
fn shapes_follow_the_limits() {
    let limits = limits(3);
    let mut hash = Hash::default();
    assert_eq!(hash.view().encoding(), "listpack");
    for name in [b"a", b"b", b"c"] {
        hash.set(name, b"1", Ttl::Clear, &limits);
    }
    hash.set(b"c", &[b'x'; 64], Ttl::Clear, &limits);
    assert_eq!(hash.view().encoding(), "listpack");
    let mut long = hash.clone();
    long.set(b"c", &[b'x'; 65], Ttl::Clear, &limits);
    assert_eq!(long.view().encoding(), "hashtable");
    let mut expiring = hash.clone();
    assert!(expiring.set_expiry(b"a", Some(5)));
    assert!(expiring.set_expiry(b"a", None));
    assert_eq!(expiring.view().encoding(), "listpackex");
    assert_eq!(digest(expiring.view()), digest(hash.view()));
    for mut hash in [hash, expiring] {
        let before = digest(hash.view());
        hash.set(b"d", b"1", Ttl::Clear, &limits);
        assert_eq!(hash.view().encoding(), "hashtable");
        assert!(hash.remove(b"d"));
        assert_eq!(hash.view().encoding(), "hashtable");
        assert_eq!(digest(hash.view()), before);
    }
}

#[test]
fn triples_stand_in_the_order_of_their_expiry() {
    let (mut hash, limits) = (Hash::default(), limits(100));
    for (name, ttl) in
        [(b"a", Ttl::Clear), (b"b", Ttl::At(9)), (b"c", Ttl::At(3)), (b"d", Ttl::At(9))]
    {
        hash.set(name, b"v", ttl, &limits);
    }
    let order =
        |hash: &Hash| hash.view().iter().flat_map(|field| field.name.to_vec()).collect::<Vec<_>>();
    assert_eq!(order(&hash), b"cdba");
    hash.set_expiry(b"c", Some(12));
    assert_eq!(order(&hash), b"dbca");
    hash.set_expiry(b"d", None);
    assert_eq!(order(&hash), b"bcad");
}

#[test]
fn foreign_blocks_are_proved() {
    let limits = limits(2);
    let pack = |words: &[&[u8]]| words.iter().copied().collect::<listpack::Listpack>().into_bytes();
    let take = |form, words: &[&[u8]]| Hash::from_listpack(form, &pack(words), &limits);
    assert!(take(0, &[b"a", b"1", b"b", b"2"]).is_ok());
    assert_eq!(
        take(0, &[b"a", b"1", b"b", b"2", b"c", b"3"]).unwrap().view().encoding(),
        "hashtable"
    );
    assert!(take(0, &[b"a", b"1", b"b"]).is_err());
    assert!(take(0, &[b"a", b"1", b"a", b"2"]).is_err());
    assert!(take(1, &[b"a", b"1", b"7", b"b", b"2", b"0"]).is_ok());
    assert!(take(1, &[b"a", b"1", b"7"]).is_ok());
    assert!(take(1, &[b"a", b"1", b"0", b"b", b"2", b"7"]).is_err());
    assert!(take(1, &[b"a", b"1", b"9", b"b", b"2", b"7"]).is_err());
    assert!(take(1, &[b"a", b"1", b"-7"]).is_err());
    assert!(take(1, &[b"a", b"1", b"x"]).is_err());
    assert!(take(1, &[b"a", b"1"]).is_err());
    assert!(Hash::from_listpack(0, b"junk", &limits).is_err());
}

#[test]
fn samples_and_scans_show_what_lives() {
    for entries in [0, 1_000] {
        let (mut hash, limits, mut rng) = (Hash::default(), limits(entries), Rng::new(4));
        for number in 0..300 {
            let ttl = if number % 3 == 0 { Ttl::At(10) } else { Ttl::Clear };
            hash.set(number.to_string().as_bytes(), b"v", ttl, &limits);
        }
        for (horizon, count) in [(9, 300), (10, 200)] {
            let live = hash.view().at(horizon);
            let fits = |field: &Field<'_>| count == 300 || field.name.as_i64().unwrap() % 3 != 0;
            for wanted in [0, 1, 40, 199, 300, usize::MAX] {
                let mut seen = BTreeSet::new();
                live.sample(wanted, &mut rng, |field| {
                    assert!(fits(&field) && seen.insert(field.name.to_vec()));
                });
                assert_eq!(seen.len(), wanted.min(count));
            }
            assert!((0..100).all(|_| fits(&live.random(&mut rng).unwrap())));
            let (mut cursor, mut seen) = (0, BTreeSet::new());
            loop {
                cursor = live.scan(cursor, 10, |field| {
                    assert!(fits(&field));
                    seen.insert(field.name.to_vec());
                });
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen.len(), count);
        }
    }
    assert!(Hash::default().view().at(0).random(&mut Rng::new(1)).is_none());
}

#[test]
fn no_bytes_are_an_empty_hash() {
    let view = Hash::view_packed(0, &[]);
    assert!(view.is_empty() && view.get(b"a").is_none() && view.iter().next().is_none());
    let mut hash = Hash::from_packed(0, Vec::new());
    assert!(hash.set(b"a", b"", Ttl::Clear, &limits(1)));
}
