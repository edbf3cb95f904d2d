use super::{HEADER, backwards, items};
use crate::{Error, Item};
use proptest::prelude::*;

/// A block of elements given as encoding and data.
fn block(count: u16, elements: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for element in elements {
        body.extend_from_slice(element);
        body.extend_from_slice(backwards(element.len(), &mut [0; 5]));
    }
    let mut out = ((HEADER + body.len() + 1) as u32).to_le_bytes().to_vec();
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&body);
    out.push(0xFF);
    out
}

fn one(element: &[u8]) -> (Item<'_>, bool) {
    let whole = Box::leak(block(1, &[element]).into_boxed_slice());
    let mut all = items(whole).unwrap();
    let item = all.next().unwrap().unwrap();
    assert!(all.next().is_none());
    (item, all.is_canonical())
}

#[test]
fn numbers_of_every_width() {
    let canonical = |bytes: &[u8], number| assert_eq!(one(bytes), (Item::Int(number), true));
    canonical(b"\x00", 0);
    canonical(b"\x7f", 127);
    canonical(b"\xc0\x80", 128);
    canonical(b"\xdf\xff", -1);
    canonical(b"\xd0\x00", -4096);
    canonical(b"\xcf\xff", 4095);
    canonical(b"\xf1\x00\x10", 4096);
    canonical(b"\xf1\x00\x80", -32768);
    canonical(b"\xf2\x00\x80\x00", 32768);
    canonical(b"\xf2\xff\xff\x7f", (1 << 23) - 1);
    canonical(b"\xf3\x00\x00\x80\x00", 1 << 23);
    canonical(b"\xf3\x00\x00\x00\x80", -(1 << 31));
    canonical(b"\xf4\x00\x00\x00\x80\x00\x00\x00\x00", 1 << 31);
    canonical(b"\xf4\x00\x00\x00\x00\x00\x00\x00\x80", i64::MIN);
    let wider = |bytes: &[u8], number| assert_eq!(one(bytes), (Item::Int(number), false));
    wider(b"\xc0\x7f", 127);
    wider(b"\xf1\xff\x0f", 4095);
    wider(b"\xf2\x00\x80\xff", -32768);
    wider(b"\xf3\xff\xff\x7f\x00", (1 << 23) - 1);
    wider(b"\xf4\xff\xff\xff\x7f\x00\x00\x00\x00", (1 << 31) - 1);
}

#[test]
fn texts_of_every_width() {
    assert_eq!(one(b"\x80"), (Item::Bytes(b""), true));
    assert_eq!(one(b"\x83abc"), (Item::Bytes(b"abc"), true));
    assert_eq!(one(b"\x827a"), (Item::Bytes(b"7a"), true));
    assert_eq!(one(b"\x8277"), (Item::Bytes(b"77"), false));
    assert_eq!(one(b"\xe0\x03abc"), (Item::Bytes(b"abc"), false));
    assert_eq!(one(b"\xf0\x03\0\0\0abc"), (Item::Bytes(b"abc"), false));
    let long = [b"\xe0\x40", &[b'x'; 64][..]].concat();
    assert_eq!(one(&long), (Item::Bytes(&[b'x'; 64]), true));
    let longer = [b"\xf0\x00\x10\0\0", &[b'x'; 4096][..]].concat();
    assert_eq!(one(&longer), (Item::Bytes(&[b'x'; 4096]), true));
}

#[test]
fn what_stands_behind_an_element() {
    for (size, bytes) in [
        (1, &b"\x01"[..]),
        (127, b"\x7f"),
        (128, b"\x01\x80"),
        (16383, b"\x7f\xff"),
        (16384, b"\x01\x80\x80"),
        (1 << 21, b"\x01\x80\x80\x80"),
        (1 << 28, b"\x01\x80\x80\x80\x80"),
    ] {
        assert_eq!(backwards(size, &mut [0; 5]), bytes);
    }
}

#[test]
fn refuses_what_is_broken() {
    let all = |block: &[u8]| items(block)?.collect::<Result<Vec<_>, _>>().map(|items| items.len());
    let good = block(3, &[b"\x01", b"\x83abc", b"\xf1\x00\x10"]);
    assert_eq!(all(&good), Ok(3));
    for cut in 0..good.len() {
        all(&good[..cut]).unwrap_err();
        let mut claimed = good[..cut].to_vec();
        if cut >= 4 {
            claimed[..4].copy_from_slice(&(cut as u32).to_le_bytes());
            all(&claimed).unwrap_err();
        }
    }
    all(&block(2, &[b"\x01"])).unwrap_err();
    all(&block(0, &[b"\x01"])).unwrap_err();
    assert_eq!(all(&block(0, &[])), Ok(0));
    assert_eq!(all(&block(u16::MAX, &[b"\x01"])), Ok(1));
    assert!(!one(b"\xc0\x01").1);
    all(&block(1, &[b"\xf5"])).unwrap_err();
    let mut wrong = good;
    wrong[7] = 2; // how long the first element is, said behind it
    assert!(matches!(all(&wrong), Err(Error::Corrupt(_))));
}

proptest! {
    #[test]
    fn garbage_never_panics(mut bytes: Vec<u8>) {
        if bytes.len() > HEADER {
            let len = bytes.len() as u32;
            bytes[..4].copy_from_slice(&len.to_le_bytes());
            bytes[4..6].fill(0xFF);
            if let Some(last) = bytes.last_mut() {
                *last = 0xFF;
            }
        }
        if let Ok(items) = items(&bytes) {
            prop_assert!(items.count() <= bytes.len());
        }
    }
}
