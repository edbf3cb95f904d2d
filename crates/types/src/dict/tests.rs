//! The table against a model: contents, memory, cursors, chance, expiry, copies.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

const SEED: Seed = Seed::new(7, 11);

impl Dict {
    fn check(&self) {
        let (records, heap) = self.root.check();
        assert_eq!(records, self.len());
        assert_eq!(heap, self.heap_bytes());
        assert_eq!(self.iter().count(), self.len());
        assert_eq!(self.iter().filter(|record| record.expiry.is_some()).count(), self.expiring());
        if let Some(least) = self.iter().filter_map(|record| record.expiry).min() {
            assert!(self.earliest().is_some_and(|at| at <= least));
        }
    }
}

fn contents(dict: &Dict) -> Model {
    let all =
        dict.iter().map(|record| (record.key.to_vec(), (record.value.to_vec(), record.expiry)));
    all.collect()
}

fn key(number: usize) -> Vec<u8> {
    let mut key = format!("member:{number:09}").into_bytes();
    // Every so often a long one.
    if number.is_multiple_of(61) {
        key.resize(300, b'x');
    }
    key
}

/// One random step on both.
fn step(dict: &mut Dict, model: &mut Model, rng: &mut Rng, keys: usize, inserts: u64) {
    let key = key(rng.index(keys));
    if rng.below(100) < inserts {
        let lens = [0, 1, 10, 10, 10, 10, 40, 200, 1000];
        let mut value = vec![0; lens[rng.index(lens.len())]];
        rng.fill(&mut value);
        let expiry = (rng.below(4) == 0).then(|| rng.below(1000) as i64);
        let is_new = dict.insert(&key, &value, expiry);
        assert_eq!(is_new, model.insert(key, (value, expiry)).is_none());
    } else {
        assert_eq!(dict.remove(&key), model.remove(&key).is_some());
    }
}

#[test]
fn agrees_with_a_model_while_it_grows_and_shrinks() {
    for (seed, keys) in [(1, 10), (2, 300), (3, 3_000), (4, 20_000)] {
        let (mut rng, mut dict, mut model) = (Rng::new(seed), Dict::new(SEED), Model::new());
        let mut clones = Vec::new();
        for (round, inserts) in [90, 60, 50, 10, 90, 0, 50].into_iter().enumerate() {
            for at in 0..keys * 2 {
                step(&mut dict, &mut model, &mut rng, keys, inserts);
                if at % keys == keys / 2 && keys <= 3_000 {
                    clones.push((dict.clone(), model.clone()));
                }
            }
            dict.check();
            assert_eq!(contents(&dict), model, "round {round}");
            for number in 0..keys {
                let found =
                    dict.get(&key(number)).map(|found| (found.value.to_vec(), found.expiry));
                assert_eq!(found.as_ref(), model.get(&key(number)));
            }
        }
        for (clone, model) in clones {
            clone.check();
            assert_eq!(contents(&clone), model);
        }
    }
}

#[test]
fn gives_memory_back() {
    let mut dict = Dict::new(SEED);
    let empty = dict.heap_bytes();
    for number in 0..50_000 {
        dict.insert(&key(number), b"v", None);
    }
    let full = dict.heap_bytes();
    for number in 0..50_000 {
        dict.remove(&key(number));
        if number == 40_000 {
            assert!(dict.heap_bytes() < full / 2);
        }
    }
    dict.check();
    assert!(dict.is_empty());
    assert!(dict.heap_bytes() < empty + 2048, "{}", dict.heap_bytes());
}

#[test]
fn is_small() {
    let (mut set, mut hash) = (Dict::new(SEED), Dict::new(SEED));
    for number in 0..100_000 {
        set.insert(format!("member:{number:09}").as_bytes(), b"", None);
        hash.insert(
            format!("field:{number:010}").as_bytes(),
            format!("v{number:09}").as_bytes(),
            None,
        );
    }
    assert!(set.heap_bytes() / set.len() <= 26, "{}", set.heap_bytes() / set.len());
    assert!(hash.heap_bytes() / hash.len() <= 38, "{}", hash.heap_bytes() / hash.len());
}

#[test]
fn a_replaced_value_of_the_same_length_stays_in_place() {
    let mut dict = Dict::new(SEED);
    for round in 0..10_000_u64 {
        dict.insert(b"counter", &round.to_be_bytes(), None);
        dict.insert(b"long", &[round as u8; 5_000], None);
    }
    assert!(dict.heap_bytes() < 8_000);
    for round in 0..10_000_usize {
        dict.insert(b"counter", &vec![b'x'; round % 200], None);
    }
    dict.check();
    assert!(dict.heap_bytes() < 9_000, "{}", dict.heap_bytes());
}

#[test]
fn a_scan_finds_what_stays() {
    for (stay, others) in [(5, 20), (1_000, 0), (1_000, 30_000)] {
        let mut rng = Rng::new(5);
        let mut dict = Dict::new(SEED);
        for number in 0..stay {
            dict.insert(format!("stay{number}").as_bytes(), b"", None);
        }
        for budget in [1, 10, 100_000] {
            for growing in [true, false] {
                let (mut cursor, mut seen, mut steps) = (0, BTreeSet::new(), 0);
                loop {
                    cursor = dict.scan(cursor, budget, |record| {
                        seen.insert(record.key.to_vec());
                    });
                    assert!(cursor < 1 << CURSOR_BITS);
                    steps += 1;
                    for _ in 0..rng.below(60) {
                        let other = key(rng.index(others.max(1)));
                        if growing && others > 0 {
                            dict.insert(&other, b"", None);
                        } else {
                            dict.remove(&other);
                        }
                    }
                    if cursor == 0 {
                        break;
                    }
                }
                assert!(budget < 100_000 || steps == 1);
                for number in 0..stay {
                    assert!(seen.contains(format!("stay{number}").as_bytes()));
                }
            }
        }
        dict.check();
    }
}

#[test]
fn a_scan_of_a_table_at_rest_visits_each_once() {
    let mut dict = Dict::new(SEED);
    for number in 0..20_000 {
        dict.insert(&key(number), b"", None);
    }
    for budget in [1, 7, 500] {
        let (mut cursor, mut seen, mut most) = (0, Vec::new(), 0);
        loop {
            let before = seen.len();
            cursor = dict.scan(cursor, budget, |record| seen.push(record.key.to_vec()));
            most = most.max(seen.len() - before);
            if cursor == 0 {
                break;
            }
        }
        assert!(most <= budget + 40, "{most}");
        assert_eq!(seen.len(), 20_000);
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), 20_000);
    }
}

#[test]
fn any_cursor_is_good() {
    let mut dict = Dict::new(SEED);
    assert_eq!(dict.scan(0, 10, |_| panic!("an empty table")), 0);
    for number in 0..5_000 {
        dict.insert(&key(number), b"", None);
    }
    let mut rng = Rng::new(9);
    for _ in 0..1_000 {
        dict.scan(rng.u64() >> rng.below(64), 10, |_| ());
    }
    dict.scan(u64::MAX, 10, |_| ());
}

#[test]
fn random_records_are_equally_likely() {
    let mut dict = Dict::new(SEED);
    for number in 0..2_000 {
        dict.insert(&number.to_string().into_bytes(), b"", None);
    }
    // Half of them gone again, from one side: segments of unequal fill.
    for number in 0..1_000 {
        dict.remove(&number.to_string().into_bytes());
    }
    let (mut rng, mut counts) = (Rng::new(3), BTreeMap::new());
    for _ in 0..200_000 {
        let record = dict.random(&mut rng).unwrap();
        *counts.entry(record.key.to_vec()).or_insert(0_u32) += 1;
    }
    assert_eq!(counts.len(), 1_000);
    let chi = counts.values().map(|&n| (f64::from(n) - 200.0).powi(2) / 200.0).sum::<f64>();
    assert!((850.0..1150.0).contains(&chi), "{chi}");
}

#[test]
fn a_sample_has_no_duplicates() {
    let (mut dict, mut rng) = (Dict::new(SEED), Rng::new(1));
    assert!(dict.random(&mut rng).is_none());
    for number in 0..1_000 {
        dict.insert(&number.to_string().into_bytes(), b"", None);
    }
    for count in [0, 1, 10, 249, 250, 251, 999, 1_000, usize::MAX] {
        let mut seen = BTreeSet::new();
        dict.sample(count, &mut rng, |record| {
            assert!(seen.insert(record.key.to_vec()));
        });
        assert_eq!(seen.len(), count.min(1_000));
    }
}

#[test]
fn expires_what_is_due_and_nothing_else() {
    let (mut dict, mut model, mut rng) = (Dict::new(SEED), Model::new(), Rng::new(2));
    for _ in 0..30_000 {
        step(&mut dict, &mut model, &mut rng, 10_000, 80);
    }
    let clone = dict.clone();
    let before = model.clone();
    for now in [-1, 0, 10, 500, 2_000] {
        loop {
            let removed = dict.expire(now, 100, |record| {
                let (value, expiry) = model.remove(record.key).unwrap();
                assert_eq!((record.value, record.expiry), (&*value, expiry));
                assert!(expiry.unwrap() <= now);
            });
            if removed == 0 {
                break;
            }
        }
        dict.check();
        assert_eq!(contents(&dict), model);
        assert_eq!(dict.earliest(), model.values().filter_map(|(_, expiry)| *expiry).min());
    }
    assert_eq!(dict.expiring(), 0);
    assert_eq!(contents(&clone), before);
}

/// All orders of few operations on keys that share buckets.
#[test]
fn exhaustive_for_small_sizes() {
    const STEPS: u32 = 6;
    for choice in 0..6_u32.pow(STEPS) {
        let (mut dict, mut model) = (Dict::new(SEED), Model::new());
        let mut rest = choice;
        for _ in 0..STEPS {
            let (op, key) = (rest % 2, vec![b'a' + (rest / 2 % 3) as u8]);
            rest /= 6;
            if op == 0 {
                let value = vec![b'v'; (rest % 3) as usize];
                assert_eq!(
                    dict.insert(&key, &value, None),
                    model.insert(key, (value, None)).is_none()
                );
            } else {
                assert_eq!(dict.remove(&key), model.remove(&key).is_some());
            }
        }
        assert_eq!(contents(&dict), model);
    }
}
