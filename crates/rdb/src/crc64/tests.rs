use super::{POLYNOMIAL, update};
use proptest::prelude::*;

fn bit_by_bit(mut crc: u64, bytes: &[u8]) -> u64 {
    for byte in bytes {
        crc ^= u64::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
        }
    }
    crc
}

#[test]
fn check_value() {
    assert_eq!(update(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    assert_eq!(update(0, b""), 0);
}

proptest! {
    #[test]
    fn as_bit_by_bit_in_any_pieces(bytes: Vec<u8>, cut: usize, seed: u64) {
        let (a, b) = bytes.split_at(cut % (bytes.len() + 1));
        prop_assert_eq!(update(seed, &bytes), bit_by_bit(seed, &bytes));
        prop_assert_eq!(update(update(seed, a), b), bit_by_bit(seed, &bytes));
    }
}
