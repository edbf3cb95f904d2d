//! Every cut, every flipped bit: what is given out was written so.

use crate::aof::annotation::Seal;
use crate::aof::scan::{Ending, Frame, Scanner, Word, command};
use disk::{Disk, DiskFile, MemDisk, Open};
use journal::Lsn;
use std::path::Path;

fn file(bytes: &[u8]) -> Box<dyn DiskFile> {
    let file = MemDisk::new().open(Path::new("f"), Open::Create { mode: 0o600 }).unwrap();
    disk::write_all_at(&*file, bytes, 0).unwrap();
    file
}

fn scan(bytes: &[u8]) -> (Vec<u8>, Ending) {
    let file = file(bytes);
    let mut scanner = Scanner::new(&*file, 0);
    let mut given = Vec::new();
    while let Some((offset, records)) = scanner.next_records().unwrap() {
        assert_eq!(offset, given.len() as u64);
        given.extend_from_slice(records);
    }
    (given, scanner.ending())
}

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    resp::write_command(&mut out, words);
    out
}

/// A sealed file of `batches`, each of which was synced before the next.
fn sealed(batches: &[Vec<u8>]) -> Vec<u8> {
    let (mut out, mut seal, mut lsn) = (Vec::new(), Seal::default(), 0);
    for batch in batches {
        let synced = out.len() as u64;
        seal.add(batch);
        out.extend_from_slice(batch);
        lsn += batch.len() as u64;
        seal.write(Lsn(lsn), synced, &mut out);
    }
    out
}

fn batches() -> Vec<Vec<u8>> {
    (0..4u8)
        .map(|n| {
            let mut batch = request(&[b"SET", &[b'a' + n], &[n; 40]]);
            batch.extend(request(&[b"MULTI"]));
            batch.extend(request(&[b"INCR", b"n"]));
            batch.extend(request(&[b"EXEC"]));
            batch
        })
        .collect()
}

#[test]
fn framing_is_strict() {
    let whole = request(&[b"SET", b"key", b"value"]);
    assert_eq!(command(&whole), Frame::Whole { len: whole.len(), word: Word::Other });
    for end in 0..whole.len() {
        assert_eq!(command(&whole[..end]), Frame::Short, "{end}");
    }
    assert!(matches!(command(&request(&[b"mULTI"])), Frame::Whole { word: Word::Multi, .. }));
    for broken in [
        &b"*0\r\n"[..],
        b"*-1\r\n",
        b"*1\n",
        b"*\r\n",
        b"*1\r\n+OK\r\n",
        b"*1\r\n$1\r\nab\r\n",
        b"*1\r\n$99999999999999999999\r\n",
        b"*1\r\n$4\r\nPING\0\0",
    ] {
        assert!(matches!(command(broken), Frame::Broken(_)), "{}", broken.escape_ascii());
    }
}

#[test]
fn a_file_is_given_out_whole() {
    let bytes = sealed(&batches());
    let (given, ending) = scan(&bytes);
    assert_eq!(given, bytes);
    assert!(ending.damage.is_none());
    assert_eq!(ending.valid_bytes, bytes.len() as u64);
    let records: usize = batches().iter().map(Vec::len).sum();
    assert_eq!(ending.lsn, Some(Lsn(records as u64)));
    // Bytes of others behind the last seal are counted, their annotations are not.
    let more = [&bytes[..], b"#TS:1628217470\r\n", &request(&[b"PING"])].concat();
    let (given, ending) = scan(&more);
    assert_eq!(given, more);
    assert_eq!(ending.lsn, Some(Lsn(records as u64 + request(&[b"PING"]).len() as u64)));
    // Who goes on behind them seals them, too.
    let (mut seal, mut line) = (ending.seal, Vec::new());
    seal.write(Lsn(99), 0, &mut line);
    assert!(scan(&[more, line].concat()).1.damage.is_none());
}

/// Whatever prefix is left: what is given out is whole batches or parts of the last, and never a
/// part of a transaction.
#[test]
fn every_cut_is_torn() {
    let bytes = sealed(&batches());
    for end in 0..bytes.len() {
        let (given, ending) = scan(&bytes[..end]);
        assert!(bytes.starts_with(&given), "{end}");
        let multis = given.windows(5).filter(|window| window == b"MULTI").count();
        let execs = given.windows(4).filter(|window| window == b"EXEC").count();
        assert_eq!(multis, execs, "{end}");
        assert_eq!(ending.valid_bytes, given.len() as u64);
        if let Some(damage) = ending.damage {
            assert!(damage.torn, "{end}: {damage:?}");
        }
    }
}

/// A flipped bit is never given out; where more follows that was safe, it is no torn end.
#[test]
fn every_flipped_bit_is_found() {
    let all = batches();
    let bytes = sealed(&all);
    let last = sealed(&all[..3]).len();
    for at in 0..bytes.len() {
        for bit in [1, 32, 128] {
            let mut flipped = bytes.clone();
            flipped[at] ^= bit;
            let (given, ending) = scan(&flipped);
            let Some(damage) = ending.damage else {
                // The name of an annotation, which makes it another one.
                assert!(given.windows(4).filter(|window| *window == b"#CK:").count() < 4);
                assert!(at >= last, "{at}");
                continue;
            };
            assert!(!damage.torn || bytes.starts_with(&given), "{at}");
            assert!(!damage.torn || at >= last, "{at} {bit}: {damage:?}");
        }
    }
}

#[test]
fn tails_of_zeros_and_garbage_are_torn() {
    let bytes = sealed(&batches());
    for tail in [&[0; 600][..], b"!!!", b"*3\r\n$3\r\nSET\r\n$1\r\n\0\0\0\0\0\0\0"] {
        let (given, ending) = scan(&[&bytes, tail].concat());
        assert_eq!(given, bytes);
        assert!(ending.damage.unwrap().torn);
    }
}

/// Without a seal only what a file ends with may be missing: there, or where zeros stand for it.
#[test]
fn without_seals_an_end_may_be_missing() {
    let set = request(&[b"SET", b"foo", &[0; 5]]);
    let long = request(&[b"SET", b"foo", &[b'v'; 3000]]);
    let mut few = set.clone();
    few.extend_from_slice(&long);
    let many = set.repeat(600);
    for whole in [&few, &many] {
        for end in (whole.len() - 100..whole.len()).chain([whole.len() - 700]) {
            for zeros in [0, 1, 600] {
                let torn = [&whole[..end], &vec![0; zeros]].concat();
                let (given, ending) = scan(&torn);
                assert!(whole.starts_with(&given));
                assert!(ending.damage.is_none_or(|damage| damage.torn), "{end} {zeros}");
            }
        }
    }
    // A sector is missing in a young file, and what follows is there.
    let mut hole = set.repeat(60);
    let rest = hole.split_off(set.len() * 20);
    hole.resize(hole.len().next_multiple_of(512), 0);
    let begin = hole.len() - set.len() * 20;
    hole.extend_from_slice(&rest[begin..]);
    let (given, ending) = scan(&hole);
    assert_eq!(given, set.repeat(20));
    assert!(ending.damage.unwrap().torn);
}

/// Files that no crash has made so.
#[test]
fn without_seals_the_rest_is_damage() {
    let set = request(&[b"SET", b"foo", b"hello"]);
    let large = request(&[b"SET", b"foo", &[b'v'; 100_000]]);
    let flipped = |at: usize, to: u8| {
        let mut bytes = [&set[..], &large, &set].concat();
        bytes[set.len() + at] = to;
        bytes
    };
    let at = |what: &[u8]| large.windows(what.len()).position(|window| window == what).unwrap();
    for bytes in [
        flipped(0, b'+'),
        flipped(at(b"$100000"), b'#'),
        // The length of the argument goes beyond the end of the file.
        flipped(at(b"100000"), b'9'),
        [&set[..], b"!!!"].concat(),
        [&set[..], b"!!!", &set].concat(),
        [&set[..], b"#comment"].concat(),
        b"hello world\n".repeat(1000),
        b"set a 1\r\nset b 2\r\n".to_vec(),
        b"#!/bin/sh".to_vec(),
        [&b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..], &[0xb1; 600], &[0; 3]].concat(),
        [&b"\x7fELF\x02\x01\x01"[..], &[0; 3000]].concat(),
        [&[0; 20_000][..], b"CD001", &[0; 2000]].concat(),
        [&set.repeat(1000)[..], &[0; 600], &set].concat(),
    ] {
        let shown = bytes[..bytes.len().min(80)].escape_ascii().to_string();
        let (given, ending) = scan(&bytes);
        assert!(bytes.starts_with(&given));
        let damage = ending.damage.expect(&shown);
        assert!(!damage.torn, "{shown}: {damage:?}");
    }
}

/// More than the scanner reads at a time, and than it holds back.
#[test]
fn large_files_and_records() {
    for value in [100, 100_000, 3_000_000, 9_000_000] {
        let value = vec![b'x'; value];
        let batch = request(&[b"SET", b"key", &value]);
        let count = (12_000_000 / batch.len()).max(1);
        let bytes = sealed(&vec![batch; count]);
        let (given, ending) = scan(&bytes);
        assert!(given == bytes && ending.damage.is_none());
    }
}
