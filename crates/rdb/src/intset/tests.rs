use super::{check, numbers};
use proptest::prelude::*;

fn block(width: usize, members: &[i64]) -> Vec<u8> {
    let mut out = (width as u32).to_le_bytes().to_vec();
    out.extend_from_slice(&(members.len() as u32).to_le_bytes());
    for member in members {
        out.extend_from_slice(&member.to_le_bytes()[..width]);
    }
    out
}

#[test]
fn widths_and_signs() {
    for (width, members) in [
        (2, &[-32768, -1, 0, 7, 32767][..]),
        (4, &[i64::from(i32::MIN), -1, 1 << 20]),
        (8, &[i64::MIN, 0, i64::MAX]),
    ] {
        let read: Vec<i64> = numbers(&block(width, members)).unwrap().collect();
        assert_eq!(read, members);
    }
}

#[test]
fn refuses_what_is_broken() {
    check(&block(2, &[])).unwrap_err();
    check(&block(2, &[1, 1])).unwrap_err();
    check(&block(2, &[2, 1])).unwrap_err();
    check(&block(3, &[1])).unwrap_err();
    let whole = block(4, &[1, 2, 3]);
    for cut in 0..whole.len() {
        check(&whole[..cut]).unwrap_err();
    }
    let mut more = whole;
    more.push(0);
    check(&more).unwrap_err();
    check(b"\x08\0\0\0\xff\xff\xff\xff").unwrap_err();
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes: Vec<u8>) {
        prop_assert!(check(&bytes).is_ok_and(|(width, _)| width > 1) || check(&bytes).is_err());
    }
}
