use super::{HEADER, items};
use crate::{Error, Item};
use proptest::prelude::*;

/// A block of entries given without the length of the entry before.
fn block(entries: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    let (mut before, mut last) = (0, HEADER);
    for entry in entries {
        last = HEADER + body.len();
        if before < 254 {
            body.push(before as u8);
        } else {
            body.push(0xFE);
            body.extend_from_slice(&(before as u32).to_le_bytes());
        }
        body.extend_from_slice(entry);
        before = HEADER + body.len() - last;
    }
    let mut out = ((HEADER + body.len() + 1) as u32).to_le_bytes().to_vec();
    out.extend_from_slice(&(last as u32).to_le_bytes());
    out.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    out.extend_from_slice(&body);
    out.push(0xFF);
    out
}

fn all(block: &[u8]) -> Result<Vec<Item<'_>>, Error> {
    items(block)?.collect()
}

#[test]
fn entries_of_every_kind() {
    let long = [b"\x41\x00", &[b'y'; 256][..]].concat();
    let longer = [b"\x80\x00\x00\x40\x00", &[b'z'; 16384][..]].concat();
    let whole = block(&[
        b"\x03abc",
        &long,
        &longer,
        b"\xc0\x00\x80",
        b"\xd0\x01\0\0\0",
        b"\xe0\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\xf0\xff\xff\xff",
        b"\xfe\x80",
        b"\xf1",
        b"\xfd",
        b"\x00",
    ]);
    let expect = [
        Item::Bytes(b"abc"),
        Item::Bytes(&[b'y'; 256]),
        Item::Bytes(&[b'z'; 16384]),
        Item::Int(-32768),
        Item::Int(1),
        Item::Int(i64::MAX),
        Item::Int(-1),
        Item::Int(-128),
        Item::Int(0),
        Item::Int(12),
        Item::Bytes(b""),
    ];
    assert_eq!(all(&whole).unwrap(), expect);
    assert_eq!(all(&block(&[])), Ok(vec![]));
}

#[test]
fn refuses_what_is_broken() {
    let good = block(&[b"\x03abc", b"\xf3", b"\xfe\x07"]);
    for cut in 0..good.len() {
        all(&good[..cut]).unwrap_err();
        let mut claimed = good[..cut].to_vec();
        if cut >= 4 {
            claimed[..4].copy_from_slice(&(cut as u32).to_le_bytes());
            all(&claimed).unwrap_err();
        }
    }
    // The last entry elsewhere, another count, another length before the second.
    for at in [4, 8, HEADER + 5] {
        let mut wrong = good.clone();
        wrong[at] += 1;
        all(&wrong).unwrap_err();
    }
    all(&block(&[b"\xff"])).unwrap_err();
    all(&block(&[b"\xc1\x00"])).unwrap_err();
}

proptest! {
    #[test]
    fn garbage_never_panics(mut bytes: Vec<u8>) {
        if bytes.len() > HEADER {
            let len = bytes.len() as u32;
            bytes[..4].copy_from_slice(&len.to_le_bytes());
            bytes[8..10].fill(0xFF);
        }
        if let Ok(items) = items(&bytes) {
            prop_assert!(items.count() <= bytes.len());
        }
    }
}
