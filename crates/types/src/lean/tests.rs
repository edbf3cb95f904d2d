//! Lean blocks against a vector of texts.

use super::*;
use crate::listpack::{self, Digits, Raw};
use stdx::Rng;

fn texts(view: View<'_>) -> Vec<Vec<u8>> {
    view.iter().map(Element::to_vec).collect()
}

fn pack(words: &[&[u8]]) -> Lean {
    words.iter().copied().collect()
}

#[test]
fn elements_take_as_many_bytes_as_drawn() {
    let block = pack(&[b"user:1000", b"user:1001", b"7", b"-3", b"2047", b"alone", b""]);
    let [head, rest] = [&block.as_bytes()[..2], &block.as_bytes()[2..]];
    assert_eq!(u16::from_le_bytes([head[0], head[1]]), 7 << 5 | 9);
    assert_eq!(rest, b"user:1000\xC9\0\xC8\x011\x07\xEF\xFD\xE7\xFF\x85alone\x80");
    assert_eq!(pack(&[b"a", b"b"]).as_bytes(), b"\x40\0\x81a\x81b");
    assert!(Lean::new().as_bytes().is_empty());
}

#[test]
fn integers_and_lengths_at_their_bounds_survive() {
    let mut words: Vec<Vec<u8>> = Vec::new();
    for bits in [0, 7, 11, 12, 15, 16, 23, 24, 31, 32, 62] {
        for near in -2..=2_i64 {
            let value = (1_i64 << bits).wrapping_add(near);
            words.extend([value, -value].map(|value| value.to_string().into_bytes()));
        }
    }
    words.extend([i64::MIN, i64::MAX].map(|value| value.to_string().into_bytes()));
    for len in [0, 1, 2, 30, 31, 32, 62, 63, 64, 65, 127, 128, 300, 70_000] {
        words.push(vec![b'p'; len]);
        words.push([vec![b'p'; len / 2], vec![b'q'; len - len / 2]].concat());
    }
    // Under every prefix: that of the first word.
    for first in 0..words.len() {
        let mut block = Lean::new();
        block.append(&words[first]);
        words.iter().for_each(|word| block.append(word));
        assert_eq!(texts(block.view())[1..], words);
        let pack = block.view().to_listpack();
        assert_eq!(listpack::validate(pack.as_bytes()), Ok(words.len() + 1));
        assert!(pack.view().iter().skip(1).zip(&words).all(|(one, text)| one.eq_bytes(text)));
        for word in &words {
            let at = block.view().find(word, 0).unwrap();
            assert!(block.view().get(at).eq_bytes(word));
            assert_eq!(block.view().get(at).text(&mut Digits::default()), word);
        }
        let mut raw = block.view().iter();
        for word in block.view().iter().map(Element::to_vec) {
            let text = match raw.next_raw().unwrap() {
                Raw::Int(value) => value.to_string().into_bytes(),
                Raw::Text(from, len) => from[..len].to_vec(),
                Raw::Joined([one, other], [a, b]) => [&one[..a], &other[..b]].concat(),
            };
            assert_eq!(text, word);
        }
        let again: Lean = block.view().iter().collect();
        assert_eq!(again, block);
    }
}

fn random_text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(8) {
        0 => rng.below(200).to_string().into_bytes(),
        1 => (rng.u64() as i64 >> rng.below(64)).to_string().into_bytes(),
        2 => vec![b'y'; rng.below(100) as usize],
        3 => vec![b'z'; rng.below(5000) as usize],
        4 | 5 => format!("user:{}", rng.below(300)).into_bytes(),
        _ => vec![b'a' + rng.below(3) as u8; rng.below(4) as usize],
    }
}

fn check(block: &Lean, model: &[Vec<u8>], rng: &mut Rng) {
    let view = block.view();
    assert_eq!(texts(view), model);
    assert_eq!((view.len(), block.is_empty()), (model.len(), model.is_empty()));
    assert_eq!(Lean::from_bytes(block.as_bytes().to_vec()), view.to_lean());
    let from = rng.index(model.len() + 1);
    let backwards: Vec<_> =
        view.places(view.seek(from), 1).iter().rev().map(|at| view.get(*at).to_vec()).collect();
    assert!(backwards.iter().rev().eq(&model[from..]));
    assert_eq!(view.at(from).map(Element::to_vec).as_ref(), model.get(from));
    let needle = random_text(rng);
    let found = view.find(&needle, 0).map(|at| view.get(at).to_vec());
    assert_eq!(found, model.contains(&needle).then_some(needle));
}

#[test]
fn edits_agree_with_a_model() {
    for seed in 0..80 {
        let mut rng = Rng::new(seed);
        let (mut block, mut model) = (Lean::new(), Vec::<Vec<u8>>::new());
        for _ in 0..120 {
            let text = random_text(&mut rng);
            let index = rng.index(model.len() + 1);
            let at = block.view().seek(index);
            match rng.below(8) {
                0..3 => {
                    block.append(&text);
                    model.push(text);
                }
                3 => {
                    block.insert_before(at, &text);
                    model.insert(index, text);
                }
                4 if index < model.len() => {
                    let new = block.insert_after(at, &text);
                    assert_eq!(block.view().get(new).to_vec(), text);
                    model.insert(index + 1, text);
                }
                5 if index < model.len() => {
                    block.replace(at, &text);
                    model[index] = text;
                }
                _ => {
                    let count = rng.index(4);
                    let expected = count.min(model.len() - index);
                    assert_eq!(block.delete_range(index, count), expected);
                    model.drain(index..index + expected);
                }
            }
            check(&block, &model, &mut rng);
        }
        assert_eq!(block.delete_range(0, usize::MAX), model.len());
        assert!(block.as_bytes().is_empty());
    }
}

#[test]
fn many_elements_are_counted() {
    let mut block: Lean = (0..5_000).collect();
    assert_eq!(block.len(), 5_000);
    assert_eq!(block.view().to_lean(), block);
    assert_eq!(block.delete_range(10, 4_985), 4_985);
    assert_eq!(texts(block.view()).len(), 15);
    assert_eq!(block.len(), 15);
    assert_eq!(block.delete_range(0, 15), 15);
    block.append(1);
    assert_eq!(block.len(), 1);
}

#[test]
fn pairs_are_found_by_their_first() {
    let block = pack(&[b"a", b"b", b"b", b"a", b"c", b"c"]);
    let view = block.view();
    let index = |needle: &[u8]| {
        view.find(needle, 1).map(|at| view.places(view.start(), 1).iter().position(|p| *p == at))
    };
    assert_eq!(index(b"a"), Some(Some(0)));
    assert_eq!(index(b"b"), Some(Some(2)));
    assert_eq!(index(b"c"), Some(Some(4)));
    assert_eq!(index(b"d"), None);
}
