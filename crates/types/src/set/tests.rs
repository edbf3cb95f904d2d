//! Tests of `set`: a `BTreeSet` as the model, and the encodings of real servers.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::digest::Digest;

type Model = BTreeSet<Vec<u8>>;

fn small_limits() -> Limits {
    Limits { set_intset_entries: 12, set_entries: 8, set_value_bytes: 10, ..Limits::default() }
}

fn members(view: SetView<'_>) -> Model {
    let all: Vec<Vec<u8>> = view.iter().map(Member::to_vec).collect();
    let distinct: Model = all.iter().cloned().collect();
    assert_eq!(distinct.len(), all.len(), "a member twice");
    assert_eq!(view.len(), all.len());
    distinct
}

fn digest(view: SetView<'_>) -> [u8; 40] {
    let mut digest = Digest::ZERO;
    view.fold(&mut digest);
    digest.hex()
}

/// A member: often an integer, sometimes long.
fn random_member(rng: &mut Rng) -> Vec<u8> {
    match rng.index(8) {
        0 => format!("text{}", rng.index(20)).into_bytes(),
        1 => format!("a rather long member {}", rng.index(10)).into_bytes(),
        2 => format!("0{}", rng.index(9)).into_bytes(),
        3 => (rng.u64() as i64).to_string().into_bytes(),
        _ => (rng.index(40) as i64 - 20).to_string().into_bytes(),
    }
}

fn set_of(words: &[&str], limits: &Limits) -> Set {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let mut set = Set::default();
    set.add_all(&words, limits);
    set
}

/// SADD, then OBJECT ENCODING, on Redis 8.0.2 under the same thresholds.
#[test]
fn encodings() {
    let limits = Limits { set_intset_entries: 4, set_entries: 3, ..small_limits() };
    let golden: &[(&[&str], &[&str], &str)] = &[
        (&["1"], &[], "intset"),
        (&["1", "2", "3", "4"], &[], "intset"),
        (&["1", "2", "3", "4"], &["5"], "hashtable"),
        (&["1", "2", "3", "4", "5"], &[], "hashtable"),
        (&["1", "2"], &["x"], "listpack"),
        (&["1", "2", "3"], &["x"], "hashtable"),
        (&["1", "2", "x"], &[], "listpack"),
        (&["x", "1"], &[], "listpack"),
        (&["x", "1", "2"], &["3"], "hashtable"),
        (&["x", "1", "2", "3"], &[], "hashtable"),
        (&["x", "x", "x", "x"], &[], "hashtable"),
        (&["12345678901"], &["x"], "hashtable"),
        (&["x"], &["12345678901"], "hashtable"),
        (&["01234567890"], &[], "hashtable"),
        (&["x", "y"], &["x", "x", "x", "x"], "hashtable"),
    ];
    for (first, second, encoding) in golden {
        let mut set = set_of(first, &limits);
        let second: Vec<&[u8]> = second.iter().map(|word| word.as_bytes()).collect();
        set.add_all(&second, &limits);
        assert_eq!(set.view().encoding(), *encoding, "{first:?}, {second:?}");
    }
}

#[test]
fn any_order_of_changes_is_that_of_the_model() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let limits = if seed % 2 == 0 { small_limits() } else { Limits::default() };
        let (mut set, mut model) = (Set::default(), Model::new());
        let mut clones: Vec<(Set, Model)> = Vec::new();
        for step in 0..150 {
            match rng.index(10) {
                0..5 => {
                    let member = random_member(&mut rng);
                    assert_eq!(set.add(&member, &limits), model.insert(member), "seed {seed}");
                }
                5..8 => {
                    let member = random_member(&mut rng);
                    assert_eq!(set.remove(&member), model.remove(&member), "seed {seed}");
                }
                8 => match set.pop(&mut rng) {
                    Some(member) => assert!(model.remove(&member)),
                    None => assert!(model.is_empty()),
                },
                _ => {
                    let count = rng.index(5);
                    let popped = set.pop_many(count, &mut rng);
                    assert_eq!(popped.len(), count.min(model.len()));
                    popped.iter().for_each(|member| assert!(model.remove(member)));
                }
            }
            assert_eq!(members(set.view()), model, "seed {seed}, step {step}");
            let probe = random_member(&mut rng);
            assert_eq!(set.view().contains(&probe), model.contains(&probe));
            if rng.index(20) == 0 {
                clones.push((set.clone(), model.clone()));
            }
        }
        for (set, model) in &clones {
            assert_eq!(members(set.view()), *model, "seed {seed}: a clone changed");
        }
    }
}

#[test]
fn packed_blocks_are_given_away_and_taken_over() {
    let limits = small_limits();
    for words in [&["1", "2", "-70000"][..], &["a", "1", "b"]] {
        let set = set_of(words, &limits);
        let (before, encoding) = (members(set.view()), set.view().encoding());
        assert_eq!(set.view().to_owned().as_packed(), set.as_packed());
        let (form, bytes) = set.into_packed().unwrap();
        assert_eq!(members(Set::view_packed(form, &bytes)), before);
        let set = Set::from_packed(form, bytes);
        assert_eq!((members(set.view()), set.view().encoding()), (before, encoding));
    }
    assert_eq!(Set::view_packed(LIST, b"").len(), 0);
    let large = set_of(&["1", "2", "3", "4", "5", "6", "7", "8", "x"], &limits);
    assert!(large.into_packed().is_err());
}

#[test]
fn the_shape_does_not_show_in_the_digest() {
    let words = ["1", "2", "30000000000"];
    let ints = set_of(&words, &Limits::default());
    let list = set_of(&words, &Limits { set_intset_entries: 0, ..Limits::default() });
    let mut large = Set::large(&Limits::default());
    words.iter().rev().for_each(|word| assert!(large.add(word.as_bytes(), &Limits::default())));
    assert_eq!(
        [&ints, &list, &large].map(|set| set.view().encoding()).join(" "),
        "intset listpack hashtable"
    );
    assert_eq!(digest(ints.view()), digest(list.view()));
    assert_eq!(digest(ints.view()), digest(large.view()));
}

#[test]
fn samples_and_scans() {
    for limits in [small_limits(), Limits::default()] {
        let mut set = Set::default();
        for number in 0..100 {
            set.add(format!("m{number}").as_bytes(), &limits);
        }
        let mut rng = Rng::new(5);
        for count in [0, 1, 10, 99, 100, 1000] {
            let mut sample = Vec::new();
            set.view().sample(count, &mut rng, |member| sample.push(member.to_vec()));
            assert_eq!(sample.len(), count.min(100));
            assert_eq!(sample.iter().collect::<BTreeSet<_>>().len(), sample.len());
        }
        let (mut seen, mut cursor) = (Model::new(), 0);
        loop {
            cursor = set.view().scan(cursor, 10, |member| {
                seen.insert(member.to_vec());
            });
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen, members(set.view()));
        let drawn: Model =
            (0..2000).filter_map(|_| set.view().random(&mut rng).map(Member::to_vec)).collect();
        assert_eq!(drawn.len(), 100);
    }
    assert!(Set::default().view().random(&mut Rng::new(1)).is_none());
    assert!(Set::ints().view().random(&mut Rng::new(1)).is_none());
}

#[test]
fn combinations_are_those_of_the_model() {
    for seed in 0..600 {
        let mut rng = Rng::new(seed);
        let limits = if seed % 2 == 0 { small_limits() } else { Limits::default() };
        let sets: Vec<Option<Set>> = (0..1 + rng.index(4))
            .map(|_| {
                let len = rng.index(25);
                let mut set = Set::default();
                for _ in 0..len {
                    set.add(&random_member(&mut rng), &limits);
                }
                (rng.index(8) > 0).then_some(set)
            })
            .collect();
        let views: Vec<_> = sets.iter().map(|set| set.as_ref().map(Set::view)).collect();
        let models: Vec<Model> =
            views.iter().map(|view| view.map_or(Model::new(), members)).collect();
        let (first, others) = models.split_first().unwrap();
        let common = others.iter().fold(first.clone(), |all, one| &all & one);
        let any = others.iter().fold(first.clone(), |all, one| &all | one);
        let left = others.iter().fold(first.clone(), |all, one| &all - one);
        assert_eq!(members(intersection(&views, &limits).view()), common, "seed {seed}");
        for start in [Set::ints(), Set::collector(&views, &limits)] {
            assert_eq!(members(union(&views, start.clone(), &limits).view()), any);
            assert_eq!(members(difference(&views, start, &limits).view()), left);
        }
        let mut count = 0;
        intersect(&views, |_| {
            count += 1;
            count < 2
        });
        assert_eq!(count, common.len().min(2));
    }
}

#[test]
fn foreign_intsets() {
    let limits = small_limits();
    let block = |count: i64| IntSet::new(&intset::block_of(0..count)).to_redis();
    assert_eq!(Set::of_intset(&block(0), &limits).unwrap_err(), Malformed);
    assert_eq!(Set::of_intset(&block(12), &limits).unwrap().view().encoding(), "intset");
    assert_eq!(Set::of_intset(&block(13), &limits).unwrap().view().encoding(), "hashtable");
}

/// Members that expire are what a map from members to expiries makes of them, at any horizon, and
/// survive being written and read.
#[test]
fn members_expire_as_those_of_the_model() {
    let limits = small_limits();
    for seed in 0..200 {
        let rng = &mut Rng::new(seed);
        let (mut set, mut model) = (Set::default(), BTreeMap::<Vec<u8>, Option<i64>>::new());
        for _ in 0..rng.below(120) {
            let member = random_member(rng);
            let at = 1 + rng.below(100) as i64;
            match rng.below(5) {
                0 => {
                    let is_new = set.add_expiring(&member, at, &limits);
                    assert_eq!(is_new, model.insert(member, Some(at)).is_none());
                }
                1 => {
                    let old = model.get_mut(&member);
                    assert_eq!(set.set_expiry(&member, Some(at), &limits), old.is_some());
                    old.into_iter().for_each(|old| *old = Some(at));
                }
                2 => {
                    let old = model.get_mut(&member).filter(|old| old.is_some());
                    assert_eq!(set.set_expiry(&member, None, &limits), old.is_some());
                    old.into_iter().for_each(|old| *old = None);
                }
                3 => assert_eq!(set.remove(&member[..]), model.remove(&member).is_some()),
                _ => {
                    let is_new = set.add(&member[..], &limits);
                    assert_eq!(is_new, !model.contains_key(&member));
                    model.entry(member).or_default();
                }
            }
            let horizon = rng.below(100) as i64;
            let lives = |at: &Option<i64>| at.is_none_or(|at| at > horizon);
            let seen = set.view().at(horizon);
            let left: Model = model
                .iter()
                .filter(|(_, at)| lives(at))
                .map(|(member, _)| member.clone())
                .collect();
            assert_eq!((members(seen), seen.len()), (left.clone(), left.len()));
            assert_eq!(seen.random(rng).is_some(), !left.is_empty());
            let mut some = 0;
            seen.sample(5, rng, |member| {
                assert!(left.contains(&member.to_vec()));
                some += 1;
            });
            assert_eq!(some, left.len().min(5));
            for (member, at) in &model {
                assert_eq!(seen.expiry(&member[..]), lives(at).then_some(*at));
            }
        }
        let bytes = crate::persist::Saved::Any(&set.clone().into_any()).payload();
        let payload = rdb::payload::open(&bytes, rdb::payload::Checks::ALL).unwrap();
        if !model.is_empty() {
            let loaded = crate::persist::load_payload(payload, &limits).unwrap();
            let crate::persist::Loaded::Any(crate::Any::Set(loaded)) = loaded else { panic!() };
            assert_eq!(digest(loaded.view()), digest(set.view()));
            assert!(model.iter().all(|(name, at)| loaded.view().expiry(&name[..]) == Some(*at)));
        }
        let mut gone = Model::new();
        while set.expire(50, 7, &mut |name| assert!(gone.insert(name.to_vec()))) > 0 {}
        model.retain(|name, at| at.is_none_or(|at| at > 50) || !gone.remove(name));
        assert!(gone.is_empty() && members(set.view()).iter().eq(model.keys()));
    }
}
