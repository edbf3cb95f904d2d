//! Tests of `glob`: the rules by example, and random patterns against a naive matcher.

use super::*;
use crate::Rng;

#[test]
fn by_example() {
    let hits = [
        ("", ""),
        ("abc", "abc"),
        ("a*", "a"),
        ("*", "x"),
        ("**", "abc"),
        ("a*c*e", "abcde"),
        ("h?llo", "hello"),
        ("h[ae]llo", "hallo"),
        ("h[^e]llo", "hallo"),
        ("h[a-b]llo", "hbllo"),
        ("h[b-a]llo", "hallo"),
        ("a\\*c", "a*c"),
        ("[\\]]", "]"),
        ("[a-]]", "^"),
        ("[abc", "b"),
        ("[^", "x"),
        ("abc\\", "abc\\"),
        ("*\\", "ab\\"),
        ("a***", "a"),
    ];
    for (pattern, text) in hits {
        assert!(matches(pattern.as_bytes(), text.as_bytes(), false), "{pattern} {text}");
    }
    let misses = [
        ("*", ""),
        ("", "a"),
        ("a", ""),
        ("a*b", "a"),
        ("?", "ab"),
        ("h[^e]llo", "hello"),
        ("[a-c", "d"),
        ("[", "["),
        ("[]x", "x"),
        ("a\\*c", "abc"),
        ("ABC", "abc"),
        ("[a-]", "-"),
        ("*?*?*", "a"),
    ];
    for (pattern, text) in misses {
        assert!(!matches(pattern.as_bytes(), text.as_bytes(), false), "{pattern} {text}");
    }
}

#[test]
fn without_case() {
    assert!(matches(b"ABC*", b"abcd", true));
    assert!(matches(b"[A-C]x", b"bX", true));
    assert!(matches(b"[a-c]x", b"BX", true));
    // Put in order as `Z`, `a`, then folded to `z`, `a`.
    assert!(!matches(b"[Z-a]", b"z", true));
    assert!(matches(b"\\A", b"a", true));
    assert!(!matches(b"[\\A]", b"a", true));
}

#[test]
fn bytes_beyond_ascii() {
    assert!(matches(b"[\x80-a]", b"\xf0", false));
    assert!(matches(b"[\x80-a]", b"A", false));
    assert!(!matches(b"[\x80-a]", b"b", false));
    assert!(!matches(b"[\xe9-a]", b"b", true));
    assert!(matches(b"[\xff-a]", b"A", true));
}

/// Patterns of many stars are where a backtracking matcher takes exponential time.
#[test]
fn many_stars_take_little_time() {
    let mut pattern = b"a*".repeat(40);
    pattern.push(b'b');
    assert!(!matches(&pattern, &[b'a'; 20_000], false));
}

#[test]
fn too_many_stars_match_nothing() {
    let text = [b'a'; 2000];
    let mut pattern = b"*a".repeat(1000);
    assert!(!matches(&pattern, &text[..999], false));
    assert!(matches(&pattern, &text, false));
    pattern.push(b'*');
    assert!(matches(&pattern, &text, false));
    pattern.push(b'a');
    assert!(!matches(&pattern, &text, false));
}

/// The definition, without any cleverness: `*` tries every length.
fn naive(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => {
            let rest_empty = rest.iter().all(|byte| *byte == b'*');
            rest_empty || (0..text.len()).any(|skip| naive(rest, &text[skip..]))
        }
        _ => match text {
            [] => false,
            [byte, text @ ..] => {
                step(pattern, *byte, false).is_some_and(|len| naive(&pattern[len..], text))
            }
        },
    }
}

#[test]
fn agrees_with_the_definition() {
    let mut rng = Rng::new(4);
    let mut hits = 0;
    for _ in 0..200_000 {
        let mut draw = |alphabet: &[u8], len_max: u64| -> Vec<u8> {
            let len = 1 + rng.below(len_max);
            (0..len).map(|_| alphabet[rng.index(alphabet.len())]).collect()
        };
        let pattern = draw(b"aabb**??[]^-\\", 9);
        let text = draw(b"aaabbb]-", 9);
        let expected = naive(&pattern, &text);
        hits += u32::from(expected);
        assert_eq!(matches(&pattern, &text, false), expected, "{pattern:?} {text:?}");
    }
    assert!(hits > 5_000);
}

#[test]
fn prefixes() {
    assert_eq!(literal_prefix(b"user:*"), b"user:");
    assert_eq!(literal_prefix(b"abc"), b"abc");
    assert_eq!(literal_prefix(b"a\\*"), b"a");
    assert_eq!(literal_prefix(b"a[b]"), b"a");
    assert_eq!(literal_prefix(b"?"), b"");
    assert_eq!(literal_prefix(b""), b"");
}
