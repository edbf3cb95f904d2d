//! Tests of `intset`: bytes of real servers, and a `BTreeSet` as the model.

use std::collections::BTreeSet;

use super::*;

fn block_of(values: &[i64]) -> Vec<u8> {
    let mut block = empty();
    for &value in values {
        insert(&mut block, value);
    }
    block
}

/// The blocks within DUMP payloads of Redis 8.0.2.
#[test]
fn bytes_are_those_of_redis() {
    assert_eq!(block_of(&[3, 1, 2]), [2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 2, 0, 3, 0]);
    let wide = [4, 0, 0, 0, 2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xA0, 0x86, 0x01, 0];
    assert_eq!(block_of(&[100_000, -1]), wide);
    let mut block = block_of(&[1, i64::MIN]);
    assert_eq!(block[..8], [8, 0, 0, 0, 2, 0, 0, 0]);
    assert!(remove(&mut block, i64::MIN));
    assert_eq!(block, [8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], "never narrowed");
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
        let block = block_of(&[0, value]);
        assert_eq!(block[0], width, "{value}");
        assert!(IntSet::parse(&block).unwrap().contains(value));
        assert!(!IntSet::new(&block).contains(value.wrapping_add(1 << 62)));
    }
}

#[test]
fn foreign_blocks() {
    let good = block_of(&[1, 5, 70_000]);
    assert_eq!(IntSet::parse(&good).unwrap().iter().collect::<Vec<_>>(), [1, 5, 70_000]);
    for len in 0..good.len() {
        assert_eq!(IntSet::parse(&good[..len]).unwrap_err(), Malformed, "cut at {len}");
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
        assert!(IntSet::parse(block).is_err(), "{block:?}");
    }
}

#[test]
fn random_members() {
    let mut rng = Rng::new(7);
    assert_eq!(IntSet::new(&empty()).random(&mut rng), None);
    let block = block_of(&[10, 20, 30]);
    let seen: BTreeSet<i64> =
        (0..100).filter_map(|_| IntSet::new(&block).random(&mut rng)).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [10, 20, 30]);
}

#[test]
fn any_order_of_changes_is_that_of_the_model() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let (mut block, mut model) = (empty(), BTreeSet::new());
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
            assert_eq!(IntSet::parse(&block).is_ok(), !model.is_empty(), "seed {seed}");
        }
        while let Some(value) = model.pop_last() {
            remove_at(&mut block, model.len());
            assert!(!IntSet::new(&block).contains(value));
        }
        assert!(IntSet::new(&block).is_empty());
    }
}
