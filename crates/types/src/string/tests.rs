//! Tests of `string`: what real servers answer, and naive models.

use stdx::Rng;

use super::*;

const NO_LIMIT: u64 = u64::MAX;

#[test]
fn digests_are_those_of_redis() {
    let long =
        b"v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2k\
        wlj7626sd";
    let golden = [
        (&b"Hello world"[..], b"b6acb9d84a38ff74"),
        (b"Hello, Dragonfly!", b"063b4909128e92b7"),
        (b"test", b"9ec9f7918d7dfc40"),
        (b"hello", b"9555e8555c62dcfd"),
        (long, b"00006c38adf31777"),
        (b"", b"2d06800538d394c2"),
    ];
    for (value, expected) in golden {
        assert_eq!(&digest(value), expected);
        let upper = expected.to_ascii_uppercase();
        assert!(GivenDigest::parse(&upper).unwrap().is_of(value));
        assert!(!GivenDigest::parse(expected).unwrap().is_of(b"other"));
    }
}

#[test]
fn a_given_digest_has_16_bytes() {
    let error = GivenDigest::parse(b"6c38adf31777").unwrap_err();
    assert_eq!(error.to_string(), "must be exactly 16 hexadecimal characters");
    assert!(GivenDigest::parse(&[b'0'; 17]).is_err());
    assert!(GivenDigest::parse(b"").is_err());
    assert!(!GivenDigest::parse(b"not-hexadecimal!").unwrap().is_of(b"x"));
}

/// SET, then OBJECT ENCODING, on Redis 8.0.2.
#[test]
fn encodings() {
    let golden = [
        ("0", "int"),
        ("-1", "int"),
        ("9223372036854775807", "int"),
        ("-9223372036854775808", "int"),
        ("9223372036854775808", "embstr"),
        ("-0", "embstr"),
        ("01", "embstr"),
        ("+1", "embstr"),
        ("1.5", "embstr"),
        (" 1", "embstr"),
        ("", "embstr"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "embstr"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "raw"),
    ];
    for (value, name) in golden {
        assert_eq!(Encoding::of_value(value.as_bytes()).name(), name, "{value:?}");
    }
    assert_eq!(Encoding::of_text(b"12"), Encoding::Embstr);
    assert_eq!(Encoding::of_text(&[b'1'; EMBSTR_MAX + 1]), Encoding::Raw);
}

/// The rule as Redis documents it: negative from the end, clamp both, nothing if reversed; but two
/// negative indexes in the wrong order answer nothing even where both clamp to the first byte.
fn range_model(text: &[u8], start: i64, end: i64) -> Vec<u8> {
    let len = text.len() as i128;
    if start < 0 && end < 0 && start > end {
        return Vec::new();
    }
    let place = |index: i64| {
        let index = i128::from(index);
        if index < 0 { (index + len).max(0) } else { index }
    };
    let (start, end) = (place(start), place(end));
    (0..len).filter(|at| start <= *at && *at <= end).map(|at| text[at as usize]).collect()
}

#[test]
fn ranges() {
    let text = b"abcde";
    let indexes = [i64::MIN, i64::MIN + 1, -7, -6, -5, -4, -1, 0, 1, 4, 5, 6, i64::MAX];
    for len in 0..=text.len() {
        let text = &text[..len];
        for start in indexes {
            for end in indexes {
                let got = &text[range(len, start, end)];
                assert_eq!(got, range_model(text, start, end), "{len} {start} {end}");
            }
        }
    }
    assert_eq!(range(usize::MAX, 0, -1), 0..0);
}

#[test]
fn growth() {
    assert_eq!(grown_len(3, 4, 7), Some(7));
    assert_eq!(grown_len(3, 5, 7), None);
    assert_eq!(grown_len(usize::MAX, 1, u64::MAX), None);

    let mut value = b"Hello World".to_vec();
    overwrite(&mut value, 6, b"Redis");
    assert_eq!(value, b"Hello Redis");
    overwrite(&mut value, 13, b"!");
    assert_eq!(value, b"Hello Redis\0\0!");
    overwrite(&mut value, 50, b"");
    assert_eq!(value.len(), 14);
}

/// LCS key1 key2 IDX MINMATCHLEN 0 WITHMATCHLEN, the example of Redis's own documentation.
#[test]
fn common_subsequence_by_example() {
    let (a, b) = (b"ohmytext", b"mynewtext");
    assert_eq!(lcs(a, b, NO_LIMIT).unwrap(), b"mytext");
    assert_eq!(lcs_len(a, b, NO_LIMIT), Ok(6));
    let long = Match { a_start: 4, a_end: 7, b_start: 5, b_end: 8 };
    let short = Match { a_start: 2, a_end: 3, b_start: 0, b_end: 1 };
    let found = lcs_matches(a, b, 0, NO_LIMIT).unwrap();
    assert_eq!(found, Lcs { matches: vec![long, short], len: 6 });
    assert_eq!((long.len(), short.len()), (4, 2));
    assert_eq!(lcs_matches(a, b, 4, NO_LIMIT).unwrap().matches, [long]);
    assert_eq!(lcs_matches(a, b, 5, NO_LIMIT).unwrap(), Lcs { matches: Vec::new(), len: 6 });
}

#[test]
fn common_subsequence_with_nothing() {
    assert_eq!(lcs(b"", b"", NO_LIMIT).unwrap(), b"");
    assert_eq!(lcs(b"abc", b"", NO_LIMIT).unwrap(), b"");
    assert_eq!(lcs(b"", b"abc", NO_LIMIT).unwrap(), b"");
    assert_eq!(lcs(b"abc", b"xyz", NO_LIMIT).unwrap(), b"");
    assert_eq!(lcs_matches(b"abc", b"xyz", 0, NO_LIMIT).unwrap().matches, []);
}

#[test]
fn common_subsequence_is_bounded_by_the_table_of_redis() {
    // 11 x 21 cells of four bytes.
    assert_eq!(lcs_len(&[b'a'; 10], &[b'a'; 20], 924), Ok(10));
    let error = lcs_len(&[b'a'; 10], &[b'a'; 20], 923).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
    );
    assert!(lcs(&[b'a'; 10], &[b'a'; 20], 923).is_err());
}

/// The table and the walk as the head of `lcs` describes them.
fn lcs_model(a: &[u8], b: &[u8]) -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut table = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            table[i + 1][j + 1] =
                if x == y { table[i][j] + 1 } else { table[i][j + 1].max(table[i + 1][j]) };
        }
    }
    let (mut i, mut j) = (a.len(), b.len());
    let mut pairs = Vec::new();
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            (i, j) = (i - 1, j - 1);
            pairs.push((i, j));
        } else if table[i - 1][j] > table[i][j - 1] {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    (pairs.iter().rev().map(|(i, _)| a[*i]).collect(), pairs)
}

#[test]
fn common_subsequence_agrees_with_the_table() {
    let mut rng = Rng::new(7);
    for round in 0..3_000 {
        let letters = 2 + rng.below(6);
        let len_max = if round % 10 == 0 { 300 } else { 40 };
        let mut draw = || -> Vec<u8> {
            let len = rng.below(len_max);
            (0..len).map(|_| b'a' + rng.below(letters) as u8).collect()
        };
        let (a, b) = (draw(), draw());
        let (text, pairs) = lcs_model(&a, &b);
        assert_eq!(lcs(&a, &b, NO_LIMIT).unwrap(), text);
        assert_eq!(lcs_len(&a, &b, NO_LIMIT), Ok(text.len()));

        let found = lcs_matches(&a, &b, 0, NO_LIMIT).unwrap();
        assert_eq!(found.len, text.len());
        let mut covered = Vec::new();
        for run in &found.matches {
            assert_eq!(run.b_end - run.b_start, run.a_end - run.a_start);
            let (a_end, b_end) = (run.a_end, run.b_end);
            covered.extend((0..run.len()).map(|back| (a_end - back, b_end - back)));
        }
        assert_eq!(covered, pairs, "{a:?} {b:?}");
    }
}
