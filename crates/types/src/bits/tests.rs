//! Tests of `bits`: naive models on vectors of bits, and what real servers answer.

use stdx::Rng;

use super::*;

fn to_bits(bytes: &[u8]) -> Vec<bool> {
    (0..bytes.len() as u64 * 8).map(|bit| get(bytes, bit)).collect()
}

fn random_bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    match rng.index(4) {
        0 => bytes.fill(0xFF),
        1 => {}
        _ => rng.fill(&mut bytes),
    }
    if len > 0 {
        let at = rng.index(len);
        bytes[at] = rng.u64() as u8;
    }
    bytes
}

#[test]
fn one_bit() {
    let mut bytes = *b"\x00\x80";
    assert!(get(&bytes, 8) && !get(&bytes, 9) && !get(&bytes, 16) && !get(&bytes, u64::MAX));
    assert!(!set(&mut bytes, 8, true));
    assert!(set(&mut bytes, 15, true));
    assert!(set(&mut bytes, 8, false));
    assert_eq!(bytes, *b"\x00\x01");
}

#[test]
fn ranges() {
    let range = |start, end| Some(BitRange { start, end });
    assert_eq!(BitRange::of(3, 0, None, Unit::Byte), range(0, 24));
    assert_eq!(BitRange::of(3, 1, Some(-1), Unit::Byte), range(8, 24));
    assert_eq!(BitRange::of(3, 5, Some(-3), Unit::Bit), range(5, 22));
    assert_eq!(BitRange::of(3, i64::MIN, Some(i64::MAX), Unit::Bit), range(0, 24));
    assert_eq!(BitRange::of(3, 3, None, Unit::Byte), None);
    assert_eq!(BitRange::of(3, 2, Some(1), Unit::Byte), None);
    assert_eq!(BitRange::of(3, i64::MAX, Some(i64::MIN), Unit::Byte), None);
    assert_eq!(BitRange::of(2, -3, Some(-5), Unit::Byte), range(0, 8));
    assert_eq!(BitRange::of(0, 0, None, Unit::Byte), None);
}

#[test]
fn counts_and_positions_are_those_of_the_model() {
    for seed in 0..2000 {
        let mut rng = Rng::new(seed);
        let len = rng.index(40);
        let bytes = random_bytes(&mut rng, len);
        let bits = to_bits(&bytes);
        assert_eq!(count(&bytes), bits.iter().filter(|bit| **bit).count() as u64);
        let (start, end) = (rng.index(400) as i64 - 40, rng.index(400) as i64 - 40);
        let Some(range) = BitRange::of(bytes.len(), start, Some(end), Unit::Bit) else { continue };
        let part = &bits[range.start as usize..range.end as usize];
        assert_eq!(count_in(&bytes, range), part.iter().filter(|bit| **bit).count() as u64);
        for on in [false, true] {
            let expected = part.iter().position(|bit| *bit == on);
            let found = position_in(&bytes, range, on);
            assert_eq!(found, expected.map(|at| at as u64 + range.start), "seed {seed}");
        }
    }
}

fn combined(op: Op, bits: &[bool]) -> bool {
    let others = bits[1..].iter().any(|bit| *bit);
    match op {
        Op::And => bits.iter().all(|bit| *bit),
        Op::Or => bits.iter().any(|bit| *bit),
        Op::Xor => bits.iter().filter(|bit| **bit).count() % 2 == 1,
        Op::Not => !bits[0],
        Op::Diff => bits[0] && !others,
        Op::Diff1 => !bits[0] && others,
        Op::AndOr => bits[0] && others,
        Op::One => bits.iter().filter(|bit| **bit).count() == 1,
    }
}

#[test]
fn combinations_are_those_of_the_model() {
    let words = ["and", "OR", "xor", "NOT", "diff", "DIFF1", "AndOr", "one"];
    assert_eq!(Op::parse(b"nand"), None);
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let op = Op::parse(words[seed as usize % words.len()].as_bytes()).unwrap();
        let sources: Vec<Vec<u8>> = (0..if op == Op::Not { 1 } else { 1 + rng.index(5) })
            .map(|_| {
                let len = [0, 1, 9, 40, 5000, 9000][rng.index(6)];
                random_bytes(&mut rng, len)
            })
            .collect();
        let views: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
        let found = combine(op, &views);
        assert_eq!(found.len(), views.iter().map(|view| view.len()).max().unwrap());
        for bit in 0..found.len() as u64 * 8 {
            let bits: Vec<bool> = views.iter().map(|view| get(view, bit)).collect();
            assert_eq!(get(&found, bit), combined(op, &bits), "seed {seed}, {op:?}, bit {bit}");
        }
    }
}

#[test]
fn names_of_fields() {
    for name in ["u1", "u63", "i1", "i64"] {
        assert!(Field::parse(name.as_bytes()).is_some(), "{name}");
    }
    for name in ["", "u", "i0", "u64", "i65", "I8", "U8", "i-1", "i+1", "i08", "a7", "8"] {
        assert_eq!(Field::parse(name.as_bytes()), None, "{name}");
    }
}

#[test]
fn fields_keep_their_neighbors() {
    for seed in 0..4000 {
        let mut rng = Rng::new(seed);
        let bits = 1 + rng.index(64);
        let signed = bits == 64 || rng.index(2) == 0;
        let name = format!("{}{bits}", if signed { 'i' } else { 'u' });
        let field = Field::parse(name.as_bytes()).unwrap();
        let at = rng.below(100);
        let old = random_bytes(&mut rng, 24);
        let value = rng.u64() as i64;
        let mut new = old.clone();
        field.put(&mut new, at, value);
        for bit in 0..old.len() as u64 * 8 {
            let inside = (at..at + field.bits()).contains(&bit);
            let from_top = at + field.bits() - 1;
            let expected = if inside { value >> (from_top - bit) & 1 == 1 } else { get(&old, bit) };
            assert_eq!(get(&new, bit), expected, "seed {seed}, {name} at {at}");
        }
        let back = field.get(&new, at);
        assert_eq!(Some(back), field.assigned(value, Overflow::Wrap), "seed {seed}, {name}");
        assert_eq!(field.assigned(back, Overflow::Fail), Some(back));
    }
    assert_eq!(Field::parse(b"i64").unwrap().get(b"\xFF", 4), -(1 << 60));
    assert_eq!(Field::parse(b"u8").unwrap().get(b"\xFF", 1 << 62), 0);
}

#[test]
fn overflows() {
    use Overflow::{Fail, Saturate, Wrap};
    let field = |name: &str| Field::parse(name.as_bytes()).unwrap();
    for (name, old, increment, wrapped, nearest) in [
        ("u8", 100, 257, 101, 255),
        ("u8", 100, -101, 255, 0),
        ("i8", 100, 100, -56, 127),
        ("i8", -100, -100, 56, -128),
        ("i64", i64::MAX, 1, i64::MIN, i64::MAX),
        ("i64", i64::MIN, -1, i64::MAX, i64::MIN),
        ("u63", i64::MAX, i64::MAX, i64::MAX - 1, i64::MAX),
        ("u1", 1, 1, 0, 1),
        ("i1", 0, 1, -1, 0),
    ] {
        let field = field(name);
        assert_eq!(field.increased(old, increment, Wrap), Some(wrapped), "{name}");
        assert_eq!(field.increased(old, increment, Saturate), Some(nearest), "{name}");
        assert_eq!(field.increased(old, increment, Fail), None, "{name}");
        assert_eq!(field.increased(old, 0, Fail), Some(old), "{name}");
    }
    for (name, value, wrapped, nearest) in [
        ("u8", -1, 255, 255),
        ("u8", 256, 0, 255),
        ("i8", 128, -128, 127),
        ("i8", -129, 127, -128),
        ("i8", i64::MIN, 0, 127),
        ("i63", i64::MIN, 0, (1 << 62) - 1),
    ] {
        let field = field(name);
        assert_eq!(field.assigned(value, Wrap), Some(wrapped), "{name} {value}");
        assert_eq!(field.assigned(value, Saturate), Some(nearest), "{name} {value}");
        assert_eq!(field.assigned(value, Fail), None, "{name} {value}");
    }
}
