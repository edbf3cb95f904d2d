//! Tests of `list`: a model in both shapes, clones that must not change, and the shapes themselves.

use stdx::Rng;

use super::*;
use crate::digest::Digest;

fn limits(list_size: i32) -> Limits {
    Limits { list_size, ..Limits::default() }
}

fn list(elements: &[Vec<u8>], limits: &Limits) -> List {
    let mut list = List::default();
    list.push(End::Back, elements.iter().map(Vec::as_slice), limits);
    list
}

fn texts(list: &List) -> Vec<Vec<u8>> {
    list.view().iter().map(Element::to_vec).collect()
}

fn random_text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(20) {
        0..8 => rng.below(50).to_string().into_bytes(),
        8..18 => vec![b'a' + rng.below(4) as u8; rng.below(40) as usize],
        18 => vec![b'm'; 900],
        _ => vec![b'l'; 9000],
    }
}

fn check(list: &List, model: &[Vec<u8>], rng: &mut Rng) {
    let view = list.view();
    assert_eq!(view.len(), model.len());
    assert_eq!(texts(list), model);
    let mut backwards: Vec<_> = view.iter().rev().map(Element::to_vec).collect();
    backwards.reverse();
    assert_eq!(backwards, model);
    assert_eq!(view.first().map(Element::to_vec).as_ref(), model.first());
    assert_eq!(view.last().map(Element::to_vec).as_ref(), model.last());
    let index = rng.below(model.len() as u64 + 2) as usize;
    assert_eq!(view.get(index).map(Element::to_vec).as_ref(), model.get(index));
    let end = index + rng.below(30) as usize;
    let range: Vec<_> = view.range(index..end).map(Element::to_vec).collect();
    let end = end.min(model.len());
    assert_eq!(range, model[index.min(end)..end]);
    let text = random_text(rng);
    assert_eq!(view.position(&text), model.iter().position(|own| *own == text));
    let mut digest = Digest::default();
    view.fold(&mut digest);
}

/// Does the same to both.
fn step(list: &mut List, model: &mut Vec<Vec<u8>>, rng: &mut Rng, limits: &Limits) {
    let len = model.len();
    let text = random_text(rng);
    let end = if rng.below(2) == 0 { End::Front } else { End::Back };
    let index = rng.below(len as u64 + 1) as usize;
    match rng.below(16) {
        0..6 => {
            let more: Vec<_> = (0..rng.below(12)).map(|_| random_text(rng)).collect();
            let now = list.push(end, more.iter().map(Vec::as_slice), limits);
            for text in more {
                let at = if end == End::Front { 0 } else { model.len() };
                model.insert(at, text);
            }
            assert_eq!(now, model.len());
        }
        6..8 => {
            let count = rng.below(6) as usize;
            let expected = count.min(len);
            assert_eq!(list.pop(end, count, limits), expected);
            if end == End::Front {
                model.drain(..expected);
            } else {
                model.truncate(len - expected);
            }
        }
        8..10 if len > 0 => {
            list.insert(index, &text, limits);
            model.insert(index, text);
        }
        10..12 => {
            assert_eq!(list.set(index, &text, limits), index < len);
            if index < len {
                model[index] = text;
            }
        }
        12 => {
            let limit = rng.below(5) as usize;
            let mut left = limit;
            let before = model.len();
            let mut keep = |own: &Vec<u8>| {
                let goes = left > 0 && *own == text;
                left -= usize::from(goes);
                !goes
            };
            if end == End::Front {
                model.retain(&mut keep);
            } else {
                model.reverse();
                model.retain(&mut keep);
                model.reverse();
            }
            assert_eq!(list.remove(&text, end, limit, limits), before - model.len());
        }
        13 if len > 0 && rng.below(3) == 0 => {
            let to = if rng.below(2) == 0 { End::Front } else { End::Back };
            assert!(list.rotate(end, to, limits));
            let moved = model.remove(if end == End::Front { 0 } else { len - 1 });
            model.insert(if to == End::Front { 0 } else { len - 1 }, moved);
        }
        14 if rng.below(8) == 0 => {
            let end = index + rng.below(60) as usize;
            let (start, end) = (index.min(len), end.min(len));
            assert_eq!(list.trim(index..end, limits), len - (end - start));
            *model = model[start..end].to_vec();
        }
        _ => {}
    }
}

#[test]
fn both_shapes_agree_with_a_model() {
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let limits = limits([-2, -1, 3, 40, 128, 1][seed as usize % 6]);
        let (mut list, mut model) = (List::default(), Vec::new());
        let (mut copy, mut copied) = (list.clone(), Vec::new());
        for _ in 0..200 {
            step(&mut list, &mut model, &mut rng, &limits);
            check(&list, &model, &mut rng);
            if rng.below(10) == 0 {
                assert_eq!(texts(&copy), copied);
                (copy, copied) = (list.clone(), model.clone());
            }
            list = match list.into_packed() {
                Ok((form, bytes)) => List::from_packed(form, bytes),
                Err(large) => large,
            };
        }
        let whole = List::collect(list.view().iter(), &limits);
        assert_eq!(texts(&whole), model);
        let chunks = List::of_chunks(list.view().runs(0..model.len()), &limits);
        assert_eq!(texts(&chunks), model);
    }
}

fn encoding_after(change: impl FnOnce(&mut List), list: &List) -> &'static str {
    let mut list = list.clone();
    change(&mut list);
    list.view().encoding()
}

/// As Redis 8.0.2 with the same commands.
#[test]
fn the_shape_follows_elements() {
    let limits = limits(3);
    let texts: Vec<Vec<u8>> = (0..4_u8).map(|n| vec![b'a' + n]).collect();
    assert_eq!(list(&texts[..3], &limits).view().encoding(), "listpack");
    let four = list(&texts, &limits);
    assert_eq!(four.view().encoding(), "quicklist");
    let popped = |end, count| encoding_after(|list| _ = list.pop(end, count, &limits), &four);
    // The first chunk has three elements, the second one.
    assert_eq!(popped(End::Back, 1), "quicklist");
    assert_eq!(popped(End::Back, 2), "quicklist");
    assert_eq!(popped(End::Back, 3), "listpack");
    assert_eq!(popped(End::Front, 2), "quicklist");
    assert_eq!(popped(End::Front, 3), "listpack");
}

#[test]
fn the_shape_follows_bytes() {
    let limits = limits(-1);
    let big = vec![b'x'; 4096];
    let one = list(std::slice::from_ref(&big), &limits);
    assert_eq!(one.view().encoding(), "quicklist");
    let both = list(&[big, b"a".to_vec()], &limits);
    assert_eq!(encoding_after(|list| _ = list.set(0, b"b", &limits), &both), "quicklist");
    assert_eq!(encoding_after(|list| _ = list.set(0, b"b", &limits), &one), "listpack");
    assert_eq!(encoding_after(|list| _ = list.pop(End::Front, 1, &limits), &both), "listpack");
}

#[test]
fn chunks_are_full_whichever_way_a_list_grows() {
    let limits = limits(-2);
    let text = [b'v'; 16];
    for which in 0..3 {
        let mut list = List::default();
        for n in 0..100_000 {
            let end = match which {
                0 => End::Back,
                1 => End::Front,
                _ if n % 2 == 0 => End::Front,
                _ => End::Back,
            };
            list.push(end, std::iter::once(&text[..]), &limits);
        }
        // 18 bytes each: as little as a listpack has.
        let per_element = list.heap_bytes() as f64 / 100_000.0;
        assert!(per_element < 18.6, "{which}: {per_element}");
        let end = if which == 0 { End::Front } else { End::Back };
        while list.pop(end, 1, &limits) > 0 {}
        assert_eq!(list.view().encoding(), "listpack");
    }
}

#[test]
fn a_list_that_loses_most_of_its_elements_gets_small() {
    let limits = limits(-2);
    let texts: Vec<Vec<u8>> = (0..40_000)
        .map(|n| if n % 100 == 0 { b"stays here".to_vec() } else { b"goes away!".to_vec() })
        .collect();
    let mut list = list(&texts, &limits);
    let before = list.heap_bytes();
    assert_eq!(list.remove(b"goes away!", End::Front, usize::MAX, &limits), 39_600);
    assert_eq!(list.view().len(), 400);
    assert!(list.heap_bytes() < before / 40, "{} of {before}", list.heap_bytes());
}

#[test]
fn inserts_at_one_place_leave_no_crumbs() {
    let limits = limits(-2);
    let texts: Vec<Vec<u8>> = (0..3000).map(|n| format!("element {n}").into_bytes()).collect();
    let mut list = list(&texts, &limits);
    for n in 0..3000 {
        list.insert(1500, format!("inserted {n}").as_bytes(), &limits);
    }
    assert_eq!(list.view().len(), 6000);
    assert!(list.heap_bytes() < 6000 * 16 * 5 / 2, "{}", list.heap_bytes());
    assert_eq!(list.view().get(1500).map(Element::to_vec), Some(b"inserted 2999".to_vec()));
}
