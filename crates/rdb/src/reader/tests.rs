//! The reader over slices and over streams of every step, against the writer.

use super::{Reader, Source};
use crate::{Error, Sink, Writer, crc64};
use proptest::prelude::*;

/// Hands out its bytes in steps.
struct Steps<'a>(&'a [u8], usize);

impl Source for Steps<'_> {
    fn read(&mut self, into: &mut Vec<u8>) -> Result<usize, Error> {
        let (now, later) = self.0.split_at(self.1.min(self.0.len()));
        into.extend_from_slice(now);
        self.0 = later;
        Ok(now.len())
    }
}

#[derive(Default)]
struct Blocks(Vec<u8>);

impl Sink for Blocks {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Runs `test` over the slice and over streams of it.
fn in_every_way(bytes: &[u8], test: impl Fn(Reader<'_>)) {
    test(Reader::new(bytes));
    for step in [1, 3, 1000] {
        test(Reader::streaming(&mut Steps(bytes, step)));
    }
}

#[test]
fn lengths() {
    let cases: [(u64, &[u8]); 9] = [
        (0, b"\x00"),
        (63, b"\x3f"),
        (64, b"\x40\x40"),
        (16383, b"\x7f\xff"),
        (16384, b"\x80\0\0\x40\0"),
        (65535, b"\x80\0\0\xff\xff"),
        (u32::MAX.into(), b"\x80\xff\xff\xff\xff"),
        (1 << 32, b"\x81\0\0\0\x01\0\0\0\0"),
        (u64::MAX, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
    ];
    for (len, bytes) in cases {
        let mut writer = Writer::new();
        writer.length(len);
        assert_eq!(writer.into_bytes(), bytes);
        in_every_way(bytes, |mut reader| assert_eq!(reader.length(), Ok(len)));
        for cut in 0..bytes.len() {
            in_every_way(&bytes[..cut], |mut reader| {
                assert_eq!(reader.length(), Err(Error::Truncated));
            });
        }
    }
    assert!(matches!(Reader::new(b"\x82").length(), Err(Error::Corrupt(_))));
    assert!(matches!(Reader::new(b"\xc0\x01").length(), Err(Error::Corrupt(_))));
}

#[test]
fn strings() {
    let x100 = [b'x'; 100];
    let cases: [(&[u8], &[u8]); 9] = [
        (b"", b"\x00"),
        (b"abc", b"\x03abc"),
        (b"-1", b"\xc0\xff"),
        (b"128", b"\xc1\x80\0"),
        (b"-32769", b"\xc2\xff\x7f\xff\xff"),
        (b"2147483648", b"\x0a2147483648"),
        (b"01", b"\x0201"),
        (b"abcdefghijklmnopqrstu", b"\x15abcdefghijklmnopqrstu"),
        (&x100, b"\xc3\x05\x40\x64\x00x\xe0\x5a\x00"),
    ];
    for (text, bytes) in cases {
        let mut writer = Writer::new();
        writer.string(text);
        assert_eq!(writer.into_bytes(), bytes, "{}", text.escape_ascii());
        in_every_way(bytes, |mut reader| assert_eq!(reader.string(), Ok(text)));
        in_every_way(bytes, |mut reader| assert_eq!(reader.string_vec(), Ok(text.to_vec())));
        in_every_way(bytes, |mut reader| {
            reader.skip_string().unwrap();
            assert_eq!(reader.offset(), bytes.len() as u64);
        });
        for cut in 0..bytes.len() {
            in_every_way(&bytes[..cut], |mut reader| {
                assert_eq!(reader.string().unwrap_err(), Error::Truncated);
            });
        }
    }
    assert!(Reader::new(b"\xc4").string().is_err());
    // Claims of what never comes.
    for huge in [
        &b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\xc3\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00a",
    ] {
        in_every_way(huge, |mut reader| assert!(reader.string().is_err()));
        in_every_way(huge, |mut reader| assert!(reader.string_vec().is_err()));
    }
}

#[test]
fn doubles() {
    for (bytes, value) in [
        (&b"\xfe"[..], f64::INFINITY),
        (b"\xff", f64::NEG_INFINITY),
        (b"\x013", 3.0),
        (b"\x06-1.5e3", -1500.0),
    ] {
        in_every_way(bytes, |mut reader| assert_eq!(reader.double_text(), Ok(value)));
    }
    assert!(Reader::new(b"\xfd").double_text().unwrap().is_nan());
    assert!(Reader::new(b"\x00").double_text().is_err());
    assert!(Reader::new(b"\x02x1").double_text().is_err());
}

#[test]
fn an_int_beyond_the_short_forms() {
    for number in [i64::MIN, i64::MAX, 1 << 31, 0, -7] {
        let mut writer = Writer::new();
        writer.int(number);
        let bytes = writer.into_bytes();
        assert_eq!(Reader::new(&bytes).string_vec(), Ok(number.to_string().into_bytes()));
    }
}

#[test]
fn checksum_of_what_was_read() {
    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    in_every_way(&bytes, |mut reader| {
        assert_eq!(reader.checksum(), Some(0));
        for end in [1, 7, 64, 3000, 5000] {
            reader.skip(end - reader.offset()).unwrap();
            assert_eq!(reader.checksum(), Some(crc64::update(0, &bytes[..end as usize])));
        }
        assert_eq!(reader.take(1), Err(Error::Truncated));
    });
    assert_eq!(Reader::new(&bytes).without_checksum().checksum(), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        strings in proptest::collection::vec(
            prop_oneof![".{0,40}", "[ab]{0,400}", "-?[0-9]{1,12}"], 0..40),
        numbers: Vec<u64>,
        step in 1usize..100,
    ) {
        let mut blocks = Blocks::default();
        let mut writer = Writer::streaming(&mut blocks);
        for text in &strings {
            writer.string(text.as_bytes());
        }
        for number in &numbers {
            writer.length(*number);
            writer.double(*number as f64);
        }
        let crc = writer.checksum();
        writer.finish().unwrap();
        let mut source = Steps(&blocks.0, step);
        let mut reader = Reader::streaming(&mut source);
        for text in &strings {
            prop_assert_eq!(reader.string().unwrap(), text.as_bytes());
        }
        for number in &numbers {
            prop_assert_eq!(reader.length(), Ok(*number));
            prop_assert_eq!(reader.double(), Ok(*number as f64));
        }
        prop_assert_eq!(reader.checksum(), Some(crc));
        prop_assert_eq!(reader.u8(), Err(Error::Truncated));
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>, step in 1usize..40) {
        let mut source = Steps(&bytes, step);
        let mut stream = Reader::streaming(&mut source);
        let mut slice = Reader::new(&bytes);
        while let Ok(text) = slice.string_vec() {
            prop_assert_eq!(stream.string().unwrap(), &text[..]);
            prop_assert_eq!(stream.offset(), slice.offset());
        }
        prop_assert!(stream.string().is_err());
    }
}
