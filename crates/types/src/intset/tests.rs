//! Tests of `intset`: bytes of real servers, and a `BTreeSet` as the model.

use std::collections::BTreeSet;

use super::*;

fn set_of(values: &[i64]) -> Vec<u8> {
    let mut block = Vec::new();
    for &value in values {
        insert(&mut block, value);
    }
    block
}

#[test]
fn blocks_are_as_drawn() {
    assert_eq!(set_of(&[3, 1, 2]), [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(set_of(&[-1, 255]), [2, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 1]);
    assert_eq!(set_of(&[i64::MIN, i64::MAX])[0], 8);
    let mut block = set_of(&[0, 256]);
    assert!(remove(&mut block, 256));
    assert_eq!(block[0], 2, "never narrowed");
    assert!(remove(&mut block, 0));
    assert!(block.is_empty());
}

/// The blocks within DUMP payloads of Redis 8.0.2.
#[test]
fn bytes_are_those_of_redis() {
    let redis = |values: &[i64]| IntSet::new(&set_of(values)).to_redis();
    assert_eq!(redis(&[3, 1, 2]), [2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 2, 0, 3, 0]);
    let wide = [4, 0, 0, 0, 2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xA0, 0x86, 0x01, 0];
    assert_eq!(redis(&[100_000, -1]), wide);
    assert_eq!(redis(&[1, i64::MIN])[..8], [8, 0, 0, 0, 2, 0, 0, 0]);
}

#[test]
fn limits_of_each_width() {
    let edges = [
        (i64::from(i16::MAX), 2),
        (i64::from(i16::MIN), 2),
        (i64::from(i16::MAX) + 1, 4),
        (i64::from(i16::MIN) - 1, 4),
        (i64::from(i32::MAX), 4),
        (i64::from(i32::MIN), 4),
        (i64::from(i32::MAX) + 1, 8),
        (i64::from(i32::MIN) - 1, 8),
    ];
    for (value, width) in edges {
        let redis = IntSet::new(&set_of(&[0, value])).to_redis();
        assert_eq!(redis[0], width, "{value}");
        let block = of_redis(&redis).unwrap();
        assert!(IntSet::new(&block).contains(value));
        assert!(!IntSet::new(&block).contains(value.wrapping_add(1 << 62)));
    }
}

#[test]
fn foreign_blocks() {
    let values = [-3, 1, 5, 70_000];
    let good = IntSet::new(&set_of(&values)).to_redis();
    assert_eq!(of_redis(&good), Ok(set_of(&values)));
    for len in 0..good.len() {
        assert_eq!(of_redis(&good[..len]), Err(Malformed), "cut at {len}");
    }
    let bad: &[&[u8]] = &[
        &[2, 0, 0, 0, 0, 0, 0, 0],
        &[3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0],
        &[2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 2, 0],
        &[2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 0],
        &[2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 0],
        &[2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0],
    ];
    for block in bad {
        assert!(of_redis(block).is_err(), "{block:?}");
    }
}

#[test]
fn random_members() {
    let mut rng = Rng::new(7);
    assert_eq!(IntSet::new(&[]).random(&mut rng), None);
    let block = set_of(&[10, 20, 30]);
    let seen: BTreeSet<i64> =
        (0..100).filter_map(|_| IntSet::new(&block).random(&mut rng)).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [10, 20, 30]);
}

#[test]
fn any_order_of_changes_is_that_of_the_model() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let (mut block, mut model) = (Vec::new(), BTreeSet::new());
        let shift = [56, 47, 33, 0][rng.index(4)];
        for _ in 0..200 {
            let value = (rng.u64() as i64) >> shift.max([58, 50, 40, 0][rng.index(4)]);
            if rng.index(3) == 0 {
                assert_eq!(remove(&mut block, value), model.remove(&value), "seed {seed}");
            } else {
                assert_eq!(insert(&mut block, value), model.insert(value), "seed {seed}");
            }
            let set = IntSet::new(&block);
            assert!(set.iter().eq(model.iter().copied()), "seed {seed}");
            assert!(set.iter().rev().eq(model.iter().rev().copied()));
            assert_eq!(set.len(), model.len());
            assert_eq!(set.contains(value), model.contains(&value));
            assert_eq!(set.get(model.len()), None);
            assert_eq!(set.to_block(), block);
            let again = of_redis(&set.to_redis());
            assert_eq!(again.is_ok(), !model.is_empty(), "seed {seed}");
            assert!(again.is_err() || IntSet::new(&again.unwrap()).iter().eq(set.iter()));
        }
        while let Some(value) = model.pop_last() {
            remove_at(&mut block, model.len());
            assert!(!IntSet::new(&block).contains(value));
        }
        assert!(IntSet::new(&block).is_empty());
    }
}
