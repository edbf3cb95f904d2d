//! Tests of `array`: a map as a model in both shapes, small rings all through, clones that must not
//! change, and the ends of the index space.

use std::collections::BTreeMap;

use stdx::Rng;

use super::*;
use crate::collection::View as _;
use crate::digest::Digest;
use crate::listpack::Element;

type Model = BTreeMap<u64, Vec<u8>>;

fn pairs<'a>(elements: impl Iterator<Item = (u64, Element<'a>)>) -> Vec<(u64, Vec<u8>)> {
    elements.map(|(index, element)| (index, element.to_vec())).collect()
}

fn random_text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(40) {
        0..10 => rng.below(100_000).to_string().into_bytes(),
        10..37 => vec![b'a' + rng.below(4) as u8; rng.below(40) as usize],
        37 => vec![b'm'; 900],
        38 => vec![b'n'; 1500],
        _ => vec![b'l'; 70_000],
    }
}

/// Near others as a rule, sometimes at an end of the index space.
fn random_index(rng: &mut Rng, span: u64) -> u64 {
    match rng.below(60) {
        0 => INDEX_MAX - rng.below(3),
        1 => rng.below(1 << 40),
        2 => 0,
        _ => rng.below(span),
    }
}

fn digest(array: &Array) -> Digest {
    let mut digest = Digest::default();
    array.view().fold(&mut digest);
    digest
}

fn check(array: &Array, model: &Model, rng: &mut Rng, span: u64) {
    let view = array.view();
    assert_eq!(view.len(), model.len());
    let all: Vec<_> = model.iter().map(|(index, text)| (*index, text.clone())).collect();
    assert_eq!(pairs(view.iter()), all);
    let mut backwards = pairs(view.iter().rev());
    backwards.reverse();
    assert_eq!(backwards, all);
    assert_eq!(view.span(), model.keys().last().map_or(0, |last| last + 1));
    let (one, other) = (random_index(rng, span), random_index(rng, span));
    assert_eq!(view.get(one).map(Element::to_vec).as_ref(), model.get(&one));
    let (low, high) = (one.min(other), one.max(other));
    let within: Vec<_> =
        model.range(low..=high).map(|(index, text)| (*index, text.clone())).collect();
    assert_eq!(pairs(view.range(low, high)), within);
    assert_eq!(view.count(low, high), within.len());
    let (mut rank, mut elements) = (0, 0);
    while rank < view.len() {
        let (slices, end) = view.slices(rank, 3);
        assert!(end > rank);
        rank = end;
        elements += slices.dense_elements + slices.sparse_elements;
    }
    assert_eq!(elements, model.len());
    if let Shape::Large(large) = &array.shape {
        let chunks = large.tree.range(0..usize::MAX);
        for (run, _) in chunks {
            let indexes: Vec<u64> =
                (0..crate::tree::Chunk::len(run)).map(|at| run.index(at)).collect();
            assert!(indexes.windows(2).all(|pair| pair[0] < pair[1]));
            let side_by_side = indexes[indexes.len() - 1] - indexes[0] == indexes.len() as u64 - 1;
            assert_eq!(run.is_dense(), side_by_side, "indexes are kept only if need be");
        }
    }
}

fn run_model(seed: u64, steps: usize, span: u64) {
    let mut rng = Rng::new(seed);
    let (mut array, mut model) = (Array::default(), Model::new());
    let mut kept: Option<(Array, Model)> = None;
    for _ in 0..steps {
        let index = random_index(&mut rng, span);
        match rng.below(20) {
            0..12 => {
                let text = random_text(&mut rng);
                let is_new = model.insert(index, text.clone()).is_none();
                assert_eq!(array.set(index, &text), is_new);
            }
            12 => {
                for at in 0..rng.below(80).min(INDEX_MAX - index) {
                    let text = random_text(&mut rng);
                    array.set(index + at, &text);
                    model.insert(index + at, text);
                }
            }
            13..18 => {
                assert_eq!(array.remove(index, index), usize::from(model.remove(&index).is_some()));
            }
            18 => {
                let high = index.saturating_add(rng.below(span / 4 + 1));
                let before = model.len();
                model.retain(|at, _| !(index..=high).contains(at));
                assert_eq!(array.remove(index, high), before - model.len());
            }
            _ => {
                if let Some((array, model)) = kept.take() {
                    check(&array, &model, &mut rng, span);
                }
                kept = Some((array.clone(), model.clone()));
            }
        }
        check(&array, &model, &mut rng, span);
    }
    let high = u64::MAX;
    assert_eq!(array.remove(0, high), model.len());
    assert!(array.view().is_empty());
    assert_eq!(array.heap_bytes(), 0);
}

#[test]
fn an_array_does_what_a_map_does() {
    for seed in 0..4 {
        run_model(seed, 300, 60);
        run_model(seed, 500, 5000);
    }
}

/// All sets and removals of four indexes: each order of five steps.
#[test]
fn small_arrays_do_what_maps_do() {
    const STEPS: u32 = 8;
    for code in 0..STEPS.pow(5) {
        let (mut array, mut model) = (Array::default(), Model::new());
        // One chunk of its own from the start, so that the large shape is looked at.
        if code % 2 == 1 {
            array.set(9, &[b'l'; 1100]);
            model.insert(9, vec![b'l'; 1100]);
        }
        let mut rest = code;
        for _ in 0..5 {
            let (index, sets) = (u64::from(rest % 4), rest % STEPS < 4);
            rest /= STEPS;
            if sets {
                assert_eq!(array.set(index, b"x"), model.insert(index, b"x".to_vec()).is_none());
            } else {
                let gone = usize::from(model.remove(&index).is_some());
                assert_eq!(array.remove(index, index), gone);
            }
        }
        assert!(array.view().iter().map(|(index, _)| index).eq(model.keys().copied()));
        assert_eq!(array.view().len(), model.len());
    }
}

/// What Redis does, element by element.
#[derive(Clone, Default)]
struct Ring {
    elements: Model,
    cursor: Option<u64>,
}

impl Ring {
    fn span(&self) -> u64 {
        self.elements.keys().last().map_or(0, |last| last + 1)
    }

    fn put(&mut self, size: u64, text: &[u8]) -> u64 {
        let span = self.span();
        let next = self.cursor.map_or(0, |cursor| cursor + 1);
        let keep = match () {
            () if span == 0 || size == span => 0,
            () if size < span => size,
            () if self.cursor.is_some() && next < span => span,
            () => 0,
        };
        if keep > 0 {
            let mut at = self.cursor.map_or(span - 1, |cursor| cursor % span);
            let mut kept = Vec::new();
            while (kept.len() as u64) < keep {
                let Some(text) = self.elements.get(&at) else { break };
                kept.push(text.clone());
                at = at.checked_sub(1).unwrap_or(span - 1);
            }
            kept.reverse();
            self.cursor = (kept.len() as u64).checked_sub(1);
            self.elements = (0..).zip(kept).collect();
        }
        let at = self.cursor.map_or(0, |cursor| cursor + 1) % size;
        self.elements.insert(at, text.to_vec());
        self.cursor = Some(at);
        at
    }
}

#[test]
fn rings_of_any_sizes_do_what_those_of_redis_do() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let (mut array, mut ring) = (Array::default(), Ring::default());
        // Every other one of them large.
        let pad = if seed % 2 == 0 { "" } else { &"p".repeat(1100) };
        for number in 0..40 {
            match rng.below(12) {
                0 => {
                    let cursor = [None, Some(rng.below(20)), Some(INDEX_MAX)][rng.index(3)];
                    if !ring.elements.is_empty() {
                        ring.cursor = cursor;
                    }
                    array.set_cursor(cursor);
                }
                1 => {
                    let index = rng.below(8);
                    ring.elements.remove(&index);
                    array.remove(index, index);
                    if ring.elements.is_empty() {
                        ring.cursor = None;
                    }
                }
                _ => {
                    let (size, text) = (1 + rng.below(8), format!("{pad}{number}"));
                    let at = ring.put(size, text.as_bytes());
                    assert_eq!(array.ring(size, &[text.as_bytes()]), at, "seed {seed}");
                }
            }
            let all: Vec<_> = ring.elements.clone().into_iter().collect();
            assert_eq!(pairs(array.view().iter()), all, "seed {seed}");
            assert_eq!(array.view().cursor(), ring.cursor, "seed {seed}");
        }
    }
}

#[test]
fn values_are_inserted_behind_the_cursor_up_to_the_last_index() {
    let mut array = Array::default();
    assert_eq!(array.insert(&[b"a", b"b"]), Ok(1));
    array.set_cursor(Some(INDEX_MAX - 2));
    assert_eq!(array.insert(&[b"c", b"d", b"e"]), Err(Overflow));
    assert_eq!(array.view().len(), 2);
    assert_eq!(array.insert(&[b"c", b"d"]), Ok(INDEX_MAX));
    assert_eq!(array.insert(&[b"e"]), Err(Overflow));
    assert_eq!(array.view().span(), u64::MAX);
    assert_eq!(array.view().cursor(), Some(INDEX_MAX));
    assert_eq!(last_of(INDEX_MAX, 1), Some(INDEX_MAX));
    assert_eq!(last_of(INDEX_MAX, 2), None);
    assert_eq!(last_of(u64::MAX, 1), None);
}

#[test]
fn a_dense_array_takes_hardly_more_than_its_texts() {
    let mut array = Array::default();
    for number in 0..100_000_u64 {
        array.insert(&[format!("{number:08}").as_bytes()]).unwrap();
    }
    let each = array.heap_bytes() as f64 / 100_000.0;
    assert!(each < 11.0, "{each} bytes for 8 bytes of text");
    let mut sparse = Array::default();
    for number in 0..100_000_u64 {
        sparse.set(number * 1_000_003, format!("{number:08}").as_bytes());
    }
    let each = sparse.heap_bytes() as f64 / 100_000.0;
    assert!(each < 20.0, "{each} bytes for 8 bytes of text and an index");
}

#[test]
fn equal_arrays_have_equal_digests_in_either_shape() {
    let mut large = Array::default();
    large.set(500, &[b'x'; 2000]);
    for index in 0..100 {
        large.set(index, b"v");
    }
    large.remove(500, 500);
    let mut packed = Array::default();
    (0..100).for_each(|index| assert!(packed.set(index, b"v")));
    assert!(large.as_packed().is_none() && packed.as_packed().is_some());
    assert_eq!(digest(&large), digest(&packed));
    packed.set_cursor(Some(5));
    assert_ne!(digest(&large), digest(&packed));
    large.set_cursor(Some(5));
    assert_eq!(digest(&large), digest(&packed));
}
