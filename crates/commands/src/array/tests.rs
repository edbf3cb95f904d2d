//! Tests of the translation of regular expressions.

use super::regex::{Refusal, compile, translate};

fn is_match(expression: &str, text: &[u8]) -> bool {
    let translated = translate(expression.as_bytes()).unwrap();
    compile(&translated, false, 1).unwrap().is_match(text)
}

#[test]
fn expressions_match_as_posix_says() {
    for (expression, text) in [
        ("^a.c$", &b"a\nc"[..]),
        ("[]a]", b"]"),
        ("[^]a]", b"b"),
        (r"[\d]", b"\\"),
        ("[a-]", b"-"),
        ("[&&~~-]", b"&"),
        ("[[:digit:]x]{2,3}", b"1x"),
        ("a{,2}b", b"aab"),
        (r"\x41\x{42}", b"AB"),
        (r"\xff", b"\xff"),
        ("(foo|bar)+", b"xfoobar"),
        (r"\<word\>", b"a word here"),
        (r"\Q.*\E", b"a.*b"),
        ("a||b", b""),
        ("(?i:AB)c", b"abc"),
        ("# x", b"# x"),
        ("}", b"}"),
    ] {
        assert!(is_match(expression, text), "{expression}");
    }
    for (expression, text) in
        [("^a$", &b"b\na"[..]), (r"[\d]", b"5"), ("[^]a]", b"]"), (r"\Q.*\E", b"ab"), (r"\.", b"a")]
    {
        assert!(!is_match(expression, text), "{expression}");
    }
    assert!(is_match("\u{e9}", "caf\u{e9}".as_bytes()));
}

#[test]
fn broken_expressions_are_refused_with_the_reason() {
    for (expression, why) in [
        ("(", "Missing ')'"),
        ("a)", "Missing ')'"),
        ("[a", "Missing ']'"),
        ("[]", "Missing ']'"),
        ("a{2", "Missing '}'"),
        (r"\x{1", "Missing '}'"),
        ("a{3,2}", "Invalid contents of {}"),
        ("a{256}", "Invalid contents of {}"),
        ("a{x}", "Invalid contents of {}"),
        ("*a", "Invalid use of repetition operators"),
        ("(+a)", "Invalid use of repetition operators"),
        ("[z-a]", "Invalid character range"),
        ("[[:word:]]", "Unknown character class name"),
        ("[[.a.]]", "Unknown collating element"),
        ("a\\", "Trailing backslash"),
    ] {
        assert_eq!(translate(expression.as_bytes()), Err(Refusal::Invalid(why)), "{expression}");
    }
    assert_eq!(translate(br"(a)\1"), Err(Refusal::Backreference));
}

/// Whatever is sent is translated to something that the crate reads, or refused; and it takes no
/// more memory and time than it may.
#[test]
fn any_expression_is_read_or_refused() {
    let mut rng = stdx::Rng::new(7);
    const BYTES: &[u8] = b"ab01()[]{}|*+?.^$\\-,:=xQEdw\xff&~";
    for _ in 0..3000 {
        let expression: Vec<u8> =
            (0..rng.below(14)).map(|_| BYTES[rng.index(BYTES.len())]).collect();
        if let Ok(translated) = translate(&expression) {
            let compiled = compile(&translated, true, 1);
            let shown = String::from_utf8_lossy(&expression);
            assert!(compiled.is_ok(), "{shown}: {translated}");
        }
    }
    let greedy = translate(b"((((a{255}){255}){255}){255}){255}").unwrap();
    assert_eq!(compile(&greedy, false, 1).err(), Some(Refusal::Invalid("Out of memory")));
    let slow = compile(&translate(b"(a*)*(a*)*(a*)*b").unwrap(), false, 1).unwrap();
    assert!(!slow.is_match(&[b'a'; 100_000]));
}
