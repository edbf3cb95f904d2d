//! Entries against a plain struct, and who owns what of a shared value.

use crate::{Entry, NewValue, SHARED_MIN, Value};
use std::sync::Arc;
use stdx::rng::Rng;

const KEY_LENS: [usize; 9] = [0, 1, 7, 8, 254, 65_534, 65_535, 65_536, 100_000];
const EXPIRIES: [Option<i64>; 6] =
    [None, Some(0), Some(1), Some(1_700_000_000_000), Some(i64::MIN), Some(i64::MAX)];

const TAGS: [i64; 5] = [0, 0, 1, 2, i64::MAX];

fn value_lens() -> [usize; 12] {
    let limit = SHARED_MIN;
    [0, 1, 7, 8, 9, 16, 44, 45, limit - 1, limit, limit + 1, 70_000]
}

fn text(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    bytes
}

/// What an entry should be.
#[derive(Clone, Debug)]
struct Model {
    key: Vec<u8>,
    value: Kept,
    expiry: Option<i64>,
    clock: u32,
    raw: bool,
    pinned: bool,
    tag: i64,
}

#[derive(Clone, Debug, PartialEq)]
enum Kept {
    Int(i64),
    Bytes(Vec<u8>),
}

impl Kept {
    fn random(rng: &mut Rng) -> Self {
        if rng.below(3) == 0 {
            let edges = [0, 1, -1, i64::MIN, i64::MAX];
            return Self::Int(edges[rng.index(edges.len())]);
        }
        let lens = value_lens();
        let len = lens[rng.index(lens.len())];
        Self::Bytes(text(rng, len))
    }

    fn as_new(&self, rng: &mut Rng) -> NewValue<'_> {
        match self {
            Self::Int(number) => NewValue::Int(*number),
            // All three ways in, whatever the length.
            Self::Bytes(bytes) => match rng.below(3) {
                0 => NewValue::Bytes(bytes),
                1 => NewValue::bytes(bytes),
                _ => NewValue::Shared(Arc::new(bytes.clone())),
            },
        }
    }
}

impl Model {
    fn check(&self, entry: &Entry) {
        assert_eq!(entry.key(), self.key);
        assert_eq!(entry.expiry(), self.expiry);
        assert_eq!(entry.clock(), self.clock);
        assert_eq!(entry.is_raw(), self.raw);
        assert_eq!(entry.is_pinned(), self.pinned);
        assert_eq!(entry.tag(), self.tag);
        match (entry.value(), &self.value) {
            (Value::Int(number), Kept::Int(wanted)) => assert_eq!(number, *wanted),
            (Value::Inline(bytes), Kept::Bytes(wanted)) => {
                assert!(bytes == wanted && bytes.len() < SHARED_MIN);
            }
            (Value::Shared(shared), Kept::Bytes(wanted)) => {
                assert!(shared.as_slice() == wanted);
                assert_eq!(Arc::strong_count(&shared), 1);
            }
            (got, wanted) => panic!("{got:?} instead of {wanted:?}"),
        }
        let payload = match &self.value {
            Kept::Bytes(bytes) => bytes.len(),
            Kept::Int(_) => 8,
        };
        assert!(entry.bytes() >= 8 + self.key.len() + payload);
    }
}

#[test]
fn does_what_a_plain_struct_does() {
    for seed in 0..12 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        for _ in 0..40 {
            let key_len = KEY_LENS[rng.index(KEY_LENS.len())];
            let mut model = Model {
                key: text(&mut rng, key_len),
                value: Kept::random(&mut rng),
                expiry: EXPIRIES[rng.index(EXPIRIES.len())],
                clock: rng.u64() as u32 & 0xFF_FFFF,
                raw: false,
                pinned: false,
                tag: TAGS[rng.index(TAGS.len())],
            };
            let value = model.value.as_new(&mut rng);
            let mut entry = Entry::tagged(&model.key, value, model.expiry, model.clock, model.tag);
            model.check(&entry);
            for _ in 0..20 {
                entry = change(&mut rng, &mut model, entry);
                model.check(&entry);
            }
        }
    }
}

fn change(rng: &mut Rng, model: &mut Model, mut entry: Entry) -> Entry {
    match rng.below(11) {
        0 | 1 => {
            model.value = Kept::random(rng);
            model.expiry = EXPIRIES[rng.index(EXPIRIES.len())];
            model.clock = rng.u64() as u32 & 0xFF_FFFF;
            model.raw = false;
            model.tag = 0;
            entry.set_value(model.value.as_new(rng), model.expiry, model.clock);
        }
        8 => {
            model.value = Kept::random(rng);
            model.raw = false;
            model.tag = TAGS[rng.index(TAGS.len())];
            entry.set_value(model.value.as_new(rng), model.expiry, model.clock);
            assert_eq!(entry.tag(), 0);
            entry.set_tag(model.tag);
        }
        9 => {
            model.tag = TAGS[rng.index(TAGS.len())];
            entry.set_tag(model.tag);
        }
        2 => {
            model.expiry = EXPIRIES[rng.index(EXPIRIES.len())];
            entry.set_expiry(model.expiry);
        }
        3 => {
            model.clock = rng.u64() as u32 & 0xFF_FFFF;
            // What is above 24 bits does not leak into other fields.
            entry.set_clock(model.clock | 0xFF00_0000);
        }
        4 => {
            model.raw = true;
            entry.set_raw();
        }
        5 => {
            let len = KEY_LENS[rng.index(KEY_LENS.len())];
            model.key = text(rng, len);
            entry = entry.with_key(&model.key);
        }
        6 => {
            let copy = if rng.below(2) == 0 { entry.copied(&model.key) } else { entry.twin() };
            drop(entry);
            entry = copy;
        }
        7 => {
            model.pinned = rng.below(2) == 0;
            entry.set_pinned(model.pinned);
        }
        _ => {
            let more = text(rng, 100);
            if let Some(bytes) = entry.shared_mut() {
                bytes.extend_from_slice(&more);
                let Kept::Bytes(kept) = &mut model.value else { panic!("an integer is not long") };
                kept.extend_from_slice(&more);
            }
        }
    }
    entry
}

#[test]
fn every_key_length_with_every_value_length() {
    let mut rng = Rng::new(7);
    for key_len in KEY_LENS {
        let key = text(&mut rng, key_len);
        for value_len in value_lens() {
            let bytes = text(&mut rng, value_len);
            for expiry in EXPIRIES {
                let mut entry = Entry::new(&key, NewValue::Bytes(&bytes), expiry, 5);
                let value = Kept::Bytes(bytes.clone());
                let mut model = Model {
                    key: key.clone(),
                    value,
                    expiry,
                    clock: 5,
                    raw: false,
                    pinned: false,
                    tag: 0,
                };
                model.check(&entry);
                assert_eq!(entry.is_shared(), value_len >= SHARED_MIN);
                let plain = entry.bytes();
                for tag in [1, i64::MAX, 0] {
                    model.tag = tag;
                    entry.set_tag(tag);
                    model.check(&entry);
                }
                assert_eq!(entry.bytes(), plain);
            }
        }
    }
}

#[test]
fn a_small_entry_takes_what_the_head_of_the_module_says() {
    let value = [b'v'; 16];
    assert_eq!(Entry::new(&[b'k'; 16], NewValue::Bytes(&value), None, 0).bytes(), 40);
    assert_eq!(Entry::new(&[b'k'; 16], NewValue::Bytes(&value), Some(1), 0).bytes(), 48);
    let tagged = |expiry| Entry::tagged(&[b'k'; 16], NewValue::Bytes(&value), expiry, 0, 1);
    assert_eq!((tagged(None).bytes(), tagged(Some(1)).bytes()), (48, 56));
    assert_eq!(Entry::new(b"", NewValue::Bytes(b""), None, 0).bytes(), 8);
    // As the allocator rounds them.
    for (value_len, bytes) in
        [(56, 64), (57, 80), (120, 128), (121, 160), (1016, 1024), (1017, 1280)]
    {
        assert_eq!(Entry::new(b"", NewValue::Bytes(&vec![0; value_len]), None, 0).bytes(), bytes);
    }
}

#[test]
fn shared_values_are_counted() {
    let long = Arc::new(vec![b'x'; SHARED_MIN]);
    let count = || Arc::strong_count(&long);
    let mut entry = Entry::new(b"key", NewValue::Shared(Arc::clone(&long)), None, 0);
    assert_eq!(count(), 2);
    let copy = entry.copied(b"other");
    assert_eq!(count(), 3);
    drop(copy);
    assert_eq!(count(), 2);
    // Same size of block, other kind: an integer's eight bytes in place of the pointer.
    entry.set_value(NewValue::Int(1), None, 0);
    assert_eq!(count(), 1);
    entry.set_value(NewValue::Shared(Arc::clone(&long)), None, 0);
    entry.set_value(NewValue::Shared(Arc::clone(&long)), None, 0);
    assert_eq!(count(), 2);
    // A new block, by an expiry and by a value of another size.
    entry.set_expiry(Some(5));
    assert_eq!(count(), 2);
    entry = entry.with_key(&[b'k'; 70_000]);
    assert_eq!(count(), 2);
    let carried = match entry.value() {
        Value::Shared(shared) => Arc::clone(&shared),
        other => panic!("{other:?}"),
    };
    assert_eq!(count(), 3);
    entry.set_value(NewValue::Bytes(b"a value of some length"), None, 0);
    assert_eq!(count(), 2);
    drop((entry, carried));
    assert_eq!(count(), 1);
}

#[test]
fn an_edit_copies_what_a_reply_holds() {
    let mut entry = Entry::new(b"key", NewValue::bytes(&[b'x'; SHARED_MIN]), Some(9), 3);
    let held = match entry.value() {
        Value::Shared(shared) => Arc::clone(&shared),
        other => panic!("{other:?}"),
    };
    entry.shared_mut().expect("a long value").push(b'y');
    assert_eq!((held.len(), Arc::strong_count(&held)), (SHARED_MIN, 1));
    let Value::Shared(shared) = entry.value() else { panic!("a long value") };
    assert_eq!((shared.len(), Arc::strong_count(&shared)), (SHARED_MIN + 1, 1));
    assert_eq!((entry.expiry(), entry.clock()), (Some(9), 3));
}

#[test]
fn numbers_are_recognized_in_their_one_spelling() {
    for text in ["0", "-1", "9223372036854775807", "-9223372036854775808"] {
        let NewValue::Int(number) = NewValue::detect(text.as_bytes()) else { panic!("{text}") };
        assert_eq!(number.to_string(), text);
    }
    for text in ["", "-", "-0", "00", "+1", " 1", "1 ", "9223372036854775808", "1e3"] {
        assert!(matches!(NewValue::detect(text.as_bytes()), NewValue::Bytes(_)), "{text}");
    }
}

#[test]
fn a_tag_counts_up_with_changes_and_is_part_of_the_digest() {
    let fold = |entry: &Entry| {
        let mut digest = types::digest::Digest::ZERO;
        entry.fold(&mut digest);
        digest
    };
    let mut entry = Entry::new(b"key", NewValue::Bytes(b"value"), None, 0);
    let plain = fold(&entry);
    assert_eq!((entry.tag(), entry.tag_after()), (0, 0));
    entry.set_tag(1);
    assert_ne!(fold(&entry), plain);
    assert_eq!(entry.tag_after(), 2);
    entry.set_tag(i64::MAX);
    assert_eq!(entry.tag_after(), 1);
    entry.set_tag(0);
    assert_eq!(fold(&entry), plain);
}
