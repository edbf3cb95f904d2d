//! Tests of `hll`: strings and counts of Redis 8.0.2, and a model of plain registers.

use sha1::{Digest as _, Sha1};
use stdx::{Rng, quote};

use super::*;

const BYTES_MAX: usize = 3000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| quote::hex(*byte)).map(char::from).collect()
}

/// What PFADD does.
fn pfadd(bytes: &mut Vec<u8>, element: &[u8]) -> bool {
    let changed = add(bytes, element, BYTES_MAX).unwrap();
    if changed {
        invalidate(bytes);
    }
    changed
}

#[test]
fn sparse_bytes_are_those_of_redis() {
    let mut bytes = empty();
    assert_eq!(Hll::parse(&bytes).unwrap().cached(), Some(0));
    invalidate(&mut bytes);
    assert_eq!(hex(&bytes), "48594c4c0100000000000000000000807fff");
    for element in [&b"a"[..], b"b", b"c", b"", b"12345678", b"123456789"] {
        assert!(pfadd(&mut bytes, element));
        assert!(!pfadd(&mut bytes, element));
    }
    let registers = "57318449c0804357844504884852844bfb80425a";
    assert_eq!(hex(&bytes), format!("48594c4c010000000000000000000080{registers}"));
    assert_eq!(Hll::parse(&bytes).unwrap().cached(), None);
    assert_eq!(Hll::parse(&bytes).unwrap().count(), Ok(6));
    set_cached(&mut bytes, 6);
    assert_eq!(hex(&bytes), format!("48594c4c010000000600000000000000{registers}"));
    assert_eq!(Hll::parse(&bytes).unwrap().cached(), Some(6));
    let runs = Hll::parse(&bytes).unwrap().runs().map(|run| (run.value, run.len));
    let expected = [(0, 5938), (2, 1), (0, 2497), (1, 1), (0, 856), (2, 1), (0, 1285)];
    assert_eq!(runs.take(7).collect::<Vec<_>>(), expected);
}

/// Length, SHA-1 of the string, count.
#[test]
fn long_histories_are_those_of_redis() {
    let golden = [
        (100, 279, "52a2b8a6b2b59af7c90481bd2c57daf7ae157ebf", 100),
        (500, 1047, "e7f57f344e00e5f465e60e66223ebda023f17482", 500),
        (800, 1540, "1e439f42d4612e8728e8015699cf50f21901d3b3", 796),
        (1000, 1880, "8485d1b33784e2af3c32f779b0c142e105983b18", 995),
        (5000, 12304, "2afb38e66e5d108dc2b0733c03f30f9194563a49", 5027),
        (100_000, 12304, "97c71b17a4e06c30db3300be306782d78fbb6326", 100_342),
    ];
    let (mut bytes, mut added) = (empty(), 0);
    for (elements, len, digest, count) in golden {
        for number in added..elements {
            pfadd(&mut bytes, format!("e:{number}").as_bytes());
        }
        added = elements;
        let found = Hll::parse(&bytes).unwrap().count();
        assert_eq!((bytes.len(), found), (len, Ok(count)), "after {elements}");
        assert_eq!(hex(&Sha1::digest(&bytes)), digest, "after {elements}");
    }
}

#[test]
fn sparse_and_dense_agree_with_plain_registers() {
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let bytes_max = [18, 40, 300, 3000][rng.index(4)];
        let (mut sparse, mut dense, mut model) = (empty(), empty(), Registers::default());
        assert_eq!(to_dense(&mut dense), Ok(true));
        assert_eq!(to_dense(&mut dense), Ok(false));
        for _ in 0..rng.index(1500) {
            let element = rng.below(1200).to_le_bytes();
            let (index, value) = hash::register_of(&element);
            let less = model.0[index] < value;
            model.0[index] = model.0[index].max(value);
            assert_eq!(add(&mut sparse, &element, bytes_max), Ok(less), "seed {seed}");
            assert_eq!(add_dense(&mut dense, &element), less);
        }
        for bytes in [&sparse, &dense] {
            let hll = Hll::parse(bytes).unwrap();
            let mut registers = Registers::default();
            registers.merge(hll).unwrap();
            assert_eq!(registers.as_slice(), model.as_slice(), "seed {seed}");
            assert_eq!(hll.count(), Ok(model.count()));
            assert!(hll.is_dense() || bytes.len() <= bytes_max);
        }
        let mut merged = empty();
        put(&mut merged, &model, bytes_max).unwrap();
        assert_eq!(Hll::parse(&merged).unwrap().count(), Ok(model.count()));
        to_dense(&mut merged).unwrap();
        assert!(merged[HEADER..] == dense[HEADER..], "seed {seed}");
    }
}

#[test]
fn a_large_register_makes_it_dense() {
    let mut bytes = empty();
    assert_eq!(raise(&mut bytes, 5, 32, BYTES_MAX), Ok(true));
    assert!(!Hll::parse(&bytes).unwrap().is_dense());
    assert_eq!(raise(&mut bytes, 16_383, 33, BYTES_MAX), Ok(true));
    assert!(Hll::parse(&bytes).unwrap().is_dense());
    assert_eq!(raise(&mut bytes, 16_383, 33, BYTES_MAX), Ok(false));
    assert_eq!(dense::groups(&bytes[HEADER..]).flatten().filter(|value| *value > 0).count(), 2);
}

#[test]
fn strings_that_are_none() {
    let whole = empty();
    for len in 0..HEADER {
        assert_eq!(Hll::parse(&whole[..len]).unwrap_err(), HllError::NotHll);
    }
    for (at, byte) in [(0, b'h'), (4, 0), (4, 2)] {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        assert_eq!(Hll::parse(&bytes).unwrap_err(), HllError::NotHll);
    }
}

#[test]
fn registers_that_do_not_add_up() {
    let header = empty()[..HEADER].to_vec();
    let short: &[&[u8]] = &[b"", b"\x7f", b"\x7f\xfe", b"\x7f\xff\x00", b"\x7f\xff\x7f\xff\x7f"];
    for registers in short {
        let bytes = [&header[..], registers].concat();
        let hll = Hll::parse(&bytes).unwrap();
        assert_eq!(hll.count(), Err(HllError::Corrupt), "{registers:?}");
        assert_eq!(Registers::default().merge(hll), Err(HllError::Corrupt));
        assert_eq!(to_dense(&mut bytes.clone()), Err(HllError::Corrupt));
        assert!(add(&mut bytes.clone(), b"a", 0).is_err());
    }
}

/// Whatever the bytes, nothing panics and nothing grows beyond the dense form.
#[test]
fn forged_strings() {
    for seed in 0..3000 {
        let mut rng = Rng::new(seed);
        let mut bytes = empty();
        for _ in 0..rng.index(200) {
            pfadd(&mut bytes, &rng.u64().to_le_bytes());
        }
        for _ in 0..rng.index(5) {
            let at = HEADER + rng.index(bytes.len() - HEADER);
            bytes[at] = rng.u64() as u8;
        }
        if rng.index(3) == 0 {
            bytes.truncate(HEADER + rng.index(bytes.len() - HEADER));
        }
        let hll = Hll::parse(&bytes).unwrap();
        let sound = hll.count().is_ok();
        assert_eq!(Registers::default().merge(hll).is_ok(), sound);
        assert!(hll.runs().count() < bytes.len());
        for _ in 0..20 {
            if add(&mut bytes, &rng.u64().to_le_bytes(), BYTES_MAX).is_err() {
                assert!(!sound, "seed {seed}");
                break;
            }
        }
        assert!(bytes.len() <= DENSE_BYTES);
    }
}
