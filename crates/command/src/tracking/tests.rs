use super::interest::Part;
use std::collections::{BTreeMap, BTreeSet};
use stdx::hash::Seed;
use stdx::rng::Rng;

#[test]
fn a_part_is_a_map_of_sets() {
    let mut rng = Rng::new(7);
    let mut part = Part::new(Seed::new(1, 2));
    let mut model: BTreeMap<Vec<u8>, BTreeSet<u64>> = BTreeMap::new();
    let (mut keys, mut items) = (0i64, 0i64);
    for _ in 0..20_000 {
        let (key, id) = (rng.below(40).to_string().into_bytes(), rng.below(50));
        match rng.below(12) {
            0 => {
                let ids = part.remove(&key);
                let known = model.remove(&key).map(|ids| ids.into_iter().collect::<Vec<_>>());
                assert_eq!(ids, known);
                keys -= i64::from(known.is_some());
                items -= known.map_or(0, |ids| ids.len() as i64);
            }
            1 => {
                let Some((key, ids)) = part.evict_another() else { continue };
                let known = model.remove(&key[..]).expect("what was put in");
                assert_eq!(ids, known.iter().copied().collect::<Vec<_>>());
                (keys, items) = (keys - 1, items - known.len() as i64);
            }
            _ => {
                let (new, grown) = part.insert(&key, id, |_| true);
                assert_eq!(new, !model.contains_key(&key));
                let added = model.entry(key).or_default().insert(id);
                assert_eq!(grown, i64::from(added));
                (keys, items) = (keys + i64::from(new), items + grown);
            }
        }
    }
    assert_eq!((keys as usize, items as usize), part.clear());
    assert!(part.evict().is_none() && part.remove(b"1").is_none());
}

#[test]
fn the_newest_key_is_not_the_one_to_go() {
    let mut part = Part::new(Seed::new(1, 2));
    for number in 0..100u64 {
        part.insert(&number.to_le_bytes(), 1, |_| true);
        if let Some((evicted, _)) = part.evict_another() {
            assert_ne!(*evicted, number.to_le_bytes());
        }
    }
    assert_eq!(part.clear().0, 1);
}

#[test]
fn clients_that_went_do_not_pile_up() {
    let mut part = Part::new(Seed::new(1, 2));
    let mut items = 0;
    for id in 0..100_000 {
        items += part.insert(b"k", id, |known| known + 10 > id).1;
    }
    assert!(items < 200, "{items} items");
    assert_eq!(part.remove(b"k").map(|ids| ids.len() as i64), Some(items));
}
