//! Tests of `listpack`: exact bytes, a model, and broken blocks.

use stdx::Rng;

use super::*;

fn pack(elements: &[&[u8]]) -> Listpack {
    elements.iter().copied().collect()
}

fn texts(view: View<'_>) -> Vec<Vec<u8>> {
    view.iter().map(Element::to_vec).collect()
}

/// The one element of a block, as bytes.
fn body(element: &[u8]) -> Vec<u8> {
    pack(&[element]).view().body().to_vec()
}

#[test]
fn integers_have_the_shortest_encoding() {
    assert_eq!(body(b"0"), [0, 1]);
    assert_eq!(body(b"127"), [127, 1]);
    assert_eq!(body(b"128"), [0xC0, 128, 2]);
    assert_eq!(body(b"4095"), [0xCF, 0xFF, 2]);
    assert_eq!(body(b"-1"), [0xDF, 0xFF, 2]);
    assert_eq!(body(b"-4096"), [0xD0, 0, 2]);
    assert_eq!(body(b"4096"), [0xF1, 0, 0x10, 3]);
    assert_eq!(body(b"-32768"), [0xF1, 0, 0x80, 3]);
    assert_eq!(body(b"32768"), [0xF2, 0, 0x80, 0, 4]);
    assert_eq!(body(b"-8388608"), [0xF2, 0, 0, 0x80, 4]);
    assert_eq!(body(b"8388608"), [0xF3, 0, 0, 0x80, 0, 5]);
    assert_eq!(body(b"-2147483648"), [0xF3, 0, 0, 0, 0x80, 5]);
    assert_eq!(body(b"2147483648"), [0xF4, 0, 0, 0, 0x80, 0, 0, 0, 0, 9]);
    assert_eq!(body(b"-9223372036854775808"), [0xF4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9]);
}

#[test]
fn what_is_no_canonical_number_is_a_string() {
    for text in [&b""[..], b"-", b"-0", b"00", b"01", b"+1", b" 1", b"1 ", b"1.0", b"-01"] {
        let block = pack(&[text]);
        assert_eq!(block.view().body()[0], 0x80 | text.len() as u8, "{text:?}");
        assert_eq!(texts(block.view()), [text]);
    }
    for text in [&b"9223372036854775808"[..], b"-9223372036854775809", b"18446744073709551616"] {
        assert!(matches!(pack(&[text]).view().at(0), Some(Element::Bytes(_))));
    }
}

/// The listpacks within DUMP payloads of Redis 8.0.2.
#[test]
fn blocks_are_those_of_redis() {
    let long = [b'x'; 70];
    let block = pack(&[
        b"hello",
        b"12",
        b"",
        b"127",
        b"128",
        b"-1",
        b"-4096",
        b"4096",
        b"-40000",
        b"8388608",
        b"3000000000",
        b"01",
        b"-9223372036854775808",
        &long,
    ]);
    let expected =
        b"\x8d\x00\x00\x00\x0e\x00\x85\x68\x65\x6c\x6c\x6f\x06\x0c\x01\x80\x01\x7f\x01\xc0\x80\x02\
        \xdf\xff\x02\xd0\x00\x02\xf1\x00\x10\x03\xf2\xc0\x63\xff\x04\xf3\x00\x00\x80\x00\x05\xf4\
        \x00\x5e\xd0\xb2\x00\x00\x00\x00\x09\x82\x30\x31\x03\xf4\x00\x00\x00\x00\x00\x00\x00\x80\
        \x09\xe0\x46\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\
        \x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\
        \x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\
        \x78\x78\x78\x78\x78\x78\x78\x48\xff";
    assert_eq!(block.as_bytes(), expected);
    assert_eq!(Listpack::new().as_bytes(), b"\x07\0\0\0\0\0\xff");
}

#[test]
fn long_strings_have_long_back_lengths() {
    for (len, head, back) in [
        (63, 1, 1),
        (64, 2, 1),
        (125, 2, 1),
        (126, 2, 2),
        (4095, 2, 2),
        (4096, 5, 2),
        (16_377, 5, 2),
        (16_378, 5, 3),
        (2_097_145, 5, 3),
        (2_097_146, 5, 4),
    ] {
        let text = vec![b'x'; len];
        let block = pack(&[b"a", &text, b"z"]);
        assert_eq!(block.total_bytes(), 7 + 3 + 3 + len + head + back, "{len}");
        assert_eq!(validate(block.as_bytes()), Ok(3));
        assert_eq!(block.view().iter().rev().nth(1), Some(Element::Bytes(&text)));
        assert_eq!(block.view().at(1), Some(Element::Bytes(&text)));
    }
}

#[test]
fn find_skips() {
    let pairs = pack(&[b"a", b"b", b"b", b"1", b"1", b"x"]);
    let view = pairs.view();
    assert_eq!(view.find(b"b", 1), view.seek(2));
    assert_eq!(view.find(b"b", 0), view.seek(1));
    assert_eq!(view.find(b"1", 1), view.seek(4));
    assert_eq!(view.find(b"x", 1), None);
    assert_eq!(view.find(b"x", 3), None);
    assert_eq!(view.find(b"x", 0), view.last());
    let from = view.seek(2).unwrap();
    assert_eq!(view.find_from(from, b"a", 0), None);
}

#[test]
fn a_number_stored_as_a_string_is_found() {
    let foreign = Listpack::from_bytes(b"\x0b\0\0\0\x01\0\x8212\x03\xff".to_vec());
    assert_eq!(foreign.view().find(b"12", 0), foreign.view().first());
    assert_eq!(foreign.view().at(0), Some(Element::Int(12)));
    assert_eq!(foreign.view().at(0).unwrap().as_i64(), Some(12));
}

#[test]
fn more_elements_than_the_header_can_say() {
    let mut block = Listpack::new();
    for value in 0..70_000 {
        block.append(value);
    }
    assert_eq!(&block.as_bytes()[4..6], [0xFF, 0xFF]);
    assert_eq!(block.len(), 70_000);
    assert_eq!(block.view().at(-1), Some(Element::Int(69_999)));
    assert_eq!(block.view().at(65_536), Some(Element::Int(65_536)));
    assert_eq!(block.view().at(70_000), None);
    assert_eq!(block.delete_range(10, 69_985), 69_985);
    assert_eq!(block.len(), 15);
    assert_eq!(validate(block.as_bytes()), Ok(15));
}

fn random_text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(6) {
        0 => rng.below(200).to_string().into_bytes(),
        1 => (rng.u64() as i64 >> rng.below(64)).to_string().into_bytes(),
        2 => vec![b'y'; rng.below(200) as usize],
        3 => vec![b'z'; rng.below(5000) as usize],
        _ => vec![b'a' + rng.below(3) as u8; rng.below(4) as usize],
    }
}

fn check_reads(block: &Listpack, model: &[Vec<u8>], rng: &mut Rng) {
    let view = block.view();
    assert_eq!(validate(block.as_bytes()), Ok(model.len()));
    assert_eq!(block.len(), model.len());
    assert_eq!(texts(view), model);
    let mut backwards: Vec<_> = view.iter().rev().map(Element::to_vec).collect();
    backwards.reverse();
    assert_eq!(backwards, model);
    let len = model.len() as i64;
    for index in -len - 2..len + 2 {
        let expected = if index < 0 { index + len } else { index };
        let expected = usize::try_from(expected).ok().and_then(|index| model.get(index));
        assert_eq!(view.at(index).map(Element::to_vec).as_ref(), expected);
    }
    let needle = random_text(rng);
    let found = view.find(&needle, 0).map(|at| view.get(at).to_vec());
    assert_eq!(found.is_some(), model.contains(&needle));
}

#[test]
fn edits_agree_with_a_model() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let (mut block, mut model) = (Listpack::new(), Vec::<Vec<u8>>::new());
        for _ in 0..120 {
            let text = random_text(&mut rng);
            let index = rng.below(model.len() as u64 + 1) as usize;
            let at = block.view().seek(index as i64).unwrap_or(block.view().end());
            match rng.below(8) {
                0 | 1 => {
                    block.append(&text);
                    model.push(text);
                }
                2 => {
                    block.prepend(&text);
                    model.insert(0, text);
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
                6 => {
                    let count = rng.below(4) as usize;
                    let expected = count.min(model.len() - index);
                    assert_eq!(block.delete(at, count), expected);
                    model.drain(index..index + expected);
                }
                _ => {
                    let other = Listpack::of_view(block.view());
                    assert_eq!(other.as_bytes(), block.as_bytes());
                }
            }
            check_reads(&block, &model, &mut rng);
        }
        block.clear();
        assert_eq!(block, Listpack::new());
    }
}

#[test]
fn broken_blocks_are_refused_and_proved_ones_can_be_read() {
    assert_eq!(validate(b""), Err(Corrupt));
    assert_eq!(validate(b"\x06\0\0\0\0\0"), Err(Corrupt));
    let long = vec![b'q'; 300];
    let good = pack(&[b"hello", b"12", b"-5", b"70000", &long, b"99999999999"]);
    for seed in 0..20_000 {
        let mut rng = Rng::new(seed);
        let mut bytes = good.as_bytes().to_vec();
        for _ in 0..=rng.below(3) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.u64() as u8;
        }
        if rng.below(3) == 0 {
            bytes.truncate(rng.below(bytes.len() as u64) as usize);
        }
        if let Ok(count) = validate(&bytes) {
            let view = View::of(&bytes);
            assert_eq!(view.iter().count(), count);
            assert_eq!(view.iter().rev().count(), count);
            assert_eq!(texts(view).len(), count);
        }
    }
}
