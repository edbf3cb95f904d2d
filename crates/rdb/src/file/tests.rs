use super::write_key;
use super::{Header, Meta, Next, Versions, next, skip_key, write_aux, write_database, write_end};
use crate::opcode::value;
use crate::{Error, Reader, Writer};
use proptest::prelude::*;

const META: Meta =
    Meta { expiry: Some(1_700_000_000_000), idle_seconds: None, frequency: Some(7), pinned: true };

fn file() -> Vec<u8> {
    let mut writer = Writer::new();
    Header { version: 11 }.write(&mut writer);
    write_aux(&mut writer, b"redis-ver", b"7.2.0");
    write_database(&mut writer, 3, 1, 1);
    write_key(&mut writer, value::STRING, b"key", META);
    writer.string(b"text");
    write_end(&mut writer, true);
    writer.into_bytes()
}

#[test]
fn a_file_and_back() {
    let bytes = file();
    let mut reader = Reader::new(&bytes);
    assert_eq!(Header::read(&mut reader, Versions::Known), Ok(Header { version: 11 }));
    let mut next = || next(&mut reader, 11).unwrap();
    assert_eq!(next(), Next::Aux { name: b"redis-ver".to_vec(), value: b"7.2.0".to_vec() });
    assert_eq!(next(), Next::Database(3));
    assert_eq!(next(), Next::Sizes { keys: 1, expires: 1 });
    assert_eq!(next(), Next::Key { of: value::STRING, meta: META });
    assert_eq!(reader.string(), Ok(&b"key"[..]));
    assert_eq!(reader.string(), Ok(&b"text"[..]));
    assert_eq!(super::next(&mut reader, 11), Ok(Next::End { checked: true }));
}

fn read_all(bytes: &[u8]) -> Result<(), Error> {
    let mut reader = Reader::new(bytes);
    let Header { version } = Header::read(&mut reader, Versions::Known)?;
    loop {
        match next(&mut reader, version)? {
            Next::Key { of, .. } => skip_key(of, version, &mut reader)?,
            Next::End { .. } => return Ok(()),
            _ => {}
        }
    }
}

#[test]
fn every_cut_and_every_flip_is_noticed() {
    let good = file();
    read_all(&good).unwrap();
    for at in 0..good.len() {
        read_all(&good[..at]).unwrap_err();
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            // The version is no part of what one flip makes wrong, if it stays one that is known.
            if at >= 9 {
                read_all(&bad).unwrap_err();
            }
        }
    }
}

#[test]
fn headers() {
    let read = |text: &[u8], versions| Header::read(&mut Reader::new(text), versions);
    let version = |text: &[u8]| read(text, Versions::Known).map(|header| header.version);
    assert_eq!(version(b"REDIS0001"), Ok(1));
    assert_eq!(version(b"REDIS0014"), Ok(14));
    assert_eq!(version(b"VALKEY080"), Ok(80));
    for bad in [
        b"REDIS0000",
        b"REDIS0016",
        b"REDIS0080",
        b"VALKEY011",
        b"VALKEY099",
        b"REDIS00x1",
        b"RUDIS0001",
    ] {
        version(bad).unwrap_err();
    }
    assert_eq!(read(b"REDIS0987", Versions::Any), Ok(Header { version: 987 }));
    read(b"REDIS0000", Versions::Any).unwrap_err();
}

#[test]
fn what_modules_and_clusters_left() {
    let mut bytes = b"REDIS0011".to_vec();
    bytes.extend_from_slice(b"\xf7\x81\0\0\0\0\0\0\0\x01\x02\x02\x05\x03abc\x00");
    bytes.extend_from_slice(b"\xf4\x01\x02\x03\xff");
    bytes.extend_from_slice(&[0; 8]);
    read_all(&bytes).unwrap();
}

proptest! {
    #[test]
    fn garbage_never_panics(tail: Vec<u8>) {
        let bytes = [b"REDIS0011", &tail[..]].concat();
        prop_assert!(read_all(&bytes).is_err() || !tail.is_empty());
    }
}
