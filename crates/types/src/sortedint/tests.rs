use super::*;
use crate::persist::{Loaded, Saved, Saving, load_payload};
use crate::{Any, Limits};
use rdb::Dialect;
use std::collections::BTreeSet;
use stdx::Rng;

fn all(set: &SortedInt) -> Vec<u64> {
    let mut ids = Vec::new();
    set.view().visit(0..usize::MAX, false, |id| ids.push(id));
    ids
}

fn loaded(payload: &[u8]) -> Result<Any, rdb::Error> {
    let payload = rdb::payload::open(payload, rdb::payload::Checks::ALL).expect("a payload");
    match load_payload(payload, &Limits::default())? {
        Loaded::Any(any) => Ok(any),
        Loaded::Text(_) | Loaded::Tagged(..) => panic!("a text"),
    }
}

fn check(set: &SortedInt, model: &BTreeSet<u64>) {
    assert_eq!(set.view().len(), model.len());
    assert!(all(set).iter().eq(model.iter()));
    let mut back = Vec::new();
    set.view().visit(0..usize::MAX, true, |id| back.push(id));
    assert!(back.iter().eq(model.iter().rev()));
    if let Shape::Large(tree) = &set.0 {
        for (block, _) in tree.range(0..usize::MAX) {
            assert!(block.len() <= BLOCK_MAX + BLOCK_MAX / 4);
        }
    }
}

/// Ids near 0, near the end, and anywhere.
fn any_id(rng: &mut Rng) -> u64 {
    match rng.below(4) {
        0 => rng.below(1000),
        1 => u64::MAX - rng.below(1000),
        2 => UPPER.wrapping_add(rng.below(100)).wrapping_sub(50),
        _ => rng.below(u64::MAX),
    }
}

#[test]
fn behaves_as_an_ordered_set() {
    let mut rng = Rng::new(1);
    let (mut set, mut model) = (SortedInt::default(), BTreeSet::new());
    for round in 0..20_000 {
        let id = any_id(&mut rng);
        // It grows for half of the time, and shrinks.
        if (round < 10_000) == (rng.below(8) > 0) {
            assert_eq!(set.add(id), model.insert(id));
        } else {
            let id = model.range(id..).next().copied().unwrap_or(id);
            assert_eq!(set.remove(id), model.remove(&id));
        }
        let id = any_id(&mut rng);
        assert_eq!(set.view().contains(id), model.contains(&id));
        if round % 500 == 0 {
            assert_eq!(set.view().len_below(id), model.range(..id).count());
            check(&set, &model);
        }
    }
    check(&set, &model);
    for id in all(&set) {
        assert!(set.remove(id));
    }
    assert!(set.view().is_empty());
}

#[test]
fn ids_that_ascend_fill_their_blocks_and_clones_stay() {
    let mut set = SortedInt::default();
    (0..10_000).for_each(|id| assert!(set.add(id)));
    assert!(set.heap_bytes() < 10_000 * 4, "{} bytes", set.heap_bytes());
    assert_eq!(set.view().encoding(), "btree");
    let clone = set.clone();
    (0..10_000).filter(|id| id % 2 == 0).for_each(|id| assert!(set.remove(id)));
    check(&clone, &(0..10_000).collect());
    check(&set, &(0..10_000).filter(|id| id % 2 == 1).collect());
    let mut part = Vec::new();
    set.view().visit(4000..4003, true, |id| part.push(id));
    assert_eq!(part, [8005, 8003, 8001]);
}

#[test]
fn goes_through_payloads_and_files() {
    for count in [1, 2, 512, 513, 5000] {
        let mut rng = Rng::new(count);
        let mut set = SortedInt::default();
        (0..count).for_each(|_| {
            set.add(any_id(&mut rng));
        });
        set.add(u64::MAX);
        set.add(0);
        let any = set.clone().into_any();
        let payload = Saved::Any(&any).payload();
        let back = loaded(&payload).expect("what was saved");
        assert_eq!(all(SortedInt::of(&back).expect("its type")), all(&set));
        if let Some(mut saving) = Saving::of_any(&any) {
            let (mut sliced, mut whole) = (rdb::Writer::new(), rdb::Writer::new());
            while saving.step(&mut sliced, 100) {}
            Saved::Any(&any).save(&mut whole);
            assert_eq!(sliced.into_bytes(), whole.into_bytes());
        }
        // To others it is a set.
        let back = loaded(&Saved::Any(&any).payload_for(Dialect::Redis70)).expect("a set");
        assert_eq!((back.type_of(), back.len()), (Type::Set, set.view().len()));
    }
}

#[test]
fn what_does_not_ascend_is_refused() {
    let payload = |lengths: &[u64]| {
        let mut out = rdb::Writer::new();
        out.u8(rdb::opcode::value::SORTED_INT);
        lengths.iter().for_each(|length| out.length(*length));
        rdb::payload::seal(&mut out, rdb::opcode::value::SORTED_INT);
        out.into_bytes()
    };
    assert!(loaded(&payload(&[2, 0, 1])).is_ok());
    for bad in [&[0][..], &[2, 5, 0], &[2, u64::MAX, 1], &[3, 1, 1], &[1, 1, 1], &[u64::MAX, 1]] {
        assert!(loaded(&payload(bad)).is_err(), "{bad:?}");
    }
}
