//! What is printed is read; what is not understood is refused by line.

use crate::aof::{Kind, Manifest, Part};

fn part(name: &str, seq: i64, kind: Kind) -> Part {
    Part { name: name.into(), seq, kind }
}

const PREFIX: &[u8] = b"a.aof";

#[test]
fn what_is_printed_is_read() {
    let manifest = Manifest {
        base: Some(part("a.aof.2.base.rdb", 2, Kind::Base)),
        history: vec![
            part("a.aof.1.incr.aof", 1, Kind::History),
            part("a.aof.1.base.rdb", 1, Kind::History),
        ],
        incrementals: vec![part("with \" space\n", 3, Kind::Incremental)],
    };
    let text = manifest.print();
    assert_eq!(
        String::from_utf8_lossy(&text),
        "file a.aof.2.base.rdb seq 2 type b\nfile a.aof.1.incr.aof seq 1 type h\n\
         file a.aof.1.base.rdb seq 1 type h\nfile \"with \\\" space\\n\" seq 3 type i\n"
    );
    assert_eq!(Manifest::parse(&text), Ok(manifest));
    let foreign = b"# a comment\nTYPE i later x seq 7 FILE 'a b'\n";
    let read = Manifest::parse(foreign).unwrap();
    assert_eq!(read.incrementals, [part("a b", 7, Kind::Incremental)]);
}

#[test]
fn errors_name_their_line() {
    let long = format!("file {} seq 1 type i\n", "x".repeat(1100));
    for (text, line, reason) in [
        ("", 0, "Found an empty AOF manifest"),
        ("\n", 1, "Invalid AOF manifest file format"),
        ("file a seq 1 type i\n\n", 2, "Invalid AOF manifest file format"),
        ("file a seq 1 type\n", 1, "Invalid AOF manifest file format"),
        ("file a seq 1 type i x\n", 1, "Invalid AOF manifest file format"),
        ("filx a seq 1 type i\n", 1, "Invalid AOF manifest file format"),
        ("file a seq 0 type i\n", 1, "Invalid AOF manifest file format"),
        ("file a seq 99999999999999999999 type i\n", 1, "Invalid AOF manifest file format"),
        ("file a seq 4611686018427387904 type b\n", 1, "A sequence number is too large"),
        ("file \"a seq 1 type i\n", 1, "Invalid AOF manifest file format"),
        ("file a seq 1 type x\n", 1, "Unknown AOF file type"),
        ("file a/b seq 1 type i\n", 1, "File can't be a path, just a filename"),
        ("file .. seq 1 type i\n", 1, "File can't be a path, just a filename"),
        ("file a seq 1 type i", 1, "The AOF manifest file contains too long line"),
        (&long, 1, "The AOF manifest file contains too long line"),
        ("file a seq 1 type b\nfile b seq 2 type b\n", 2, "Found duplicate base file information"),
        ("file a seq 2 type i\nfile b seq 2 type i\n", 2, "Found a non-monotonic sequence number"),
    ] {
        let error = Manifest::parse(text.as_bytes()).unwrap_err();
        assert_eq!((error.line, error.reason), (line, reason), "{text:?}");
    }
}

#[test]
fn numbers_go_on_from_all_that_was() {
    let mut manifest = Manifest::default();
    assert_eq!(manifest.add_incremental(PREFIX), b"a.aof.1.incr.aof");
    let base = manifest.next_base(PREFIX, true);
    assert_eq!(base, part("a.aof.1.base.rdb", 1, Kind::Base));
    manifest.rebase(base, 1);
    assert_eq!(manifest.add_incremental(PREFIX), b"a.aof.2.incr.aof");
    manifest.rebase(manifest.next_base(PREFIX, false), 1);
    let expected = [
        "file a.aof.2.base.aof seq 2 type b",
        "file a.aof.1.incr.aof seq 1 type h",
        "file a.aof.1.base.rdb seq 1 type h",
        "file a.aof.2.incr.aof seq 2 type i",
    ];
    assert_eq!(String::from_utf8(manifest.print()).unwrap().lines().collect::<Vec<_>>(), expected);
    manifest.rebase(manifest.next_base(PREFIX, false), 0);
    assert!(manifest.incrementals.is_empty());
    assert_eq!(manifest.add_incremental(PREFIX), b"a.aof.3.incr.aof");
}
