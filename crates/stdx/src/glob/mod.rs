//! Glob patterns with Redis's semantics, oddities included, in time O(pattern x text) and no
//! recursion.
//!
//! `*` any bytes, `?` any byte, `[abc]`, `[a-z]`, `[^...]` a byte of a class, `\` takes the next
//! byte literally. The oddities, which clients can see:
//! - an empty text matches only an empty pattern, not `*`;
//! - a range is put in order before case is folded, compares bytes as the C library of Linux does
//!   (see `in_range`), and its end may be `]`;
//! - an escaped byte in a class is compared with its case even when case is ignored;
//! - a class without its `]` ends with the pattern; a backslash at the end is itself;
//! - more than 1000 groups of `*` before the last part match nothing.
//!
//! Every element but `*` takes exactly one byte, so on a mismatch only the last `*` needs to be
//! moved on: an earlier one could not do better.

#[cfg(test)]
mod tests;

/// Groups of `*` with a part behind them; beyond this a pattern matches nothing.
const STARS_MAX: u32 = 1000;

/// Whether `text` as a whole matches `pattern`; `nocase` ignores the case of ASCII letters.
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    // Where to resume after a mismatch: behind the last `*`, and the text that it does not take
    // yet.
    let mut resume: Option<(usize, usize)> = None;
    let mut stars = 0_u32;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p = skip_stars(pattern, p);
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > STARS_MAX {
                return false;
            }
            resume = Some((p, t));
            continue;
        }
        if let Some(next) = step(&pattern[p..], text[t], nocase) {
            p += next;
            t += 1;
            continue;
        }
        let Some((after_star, from)) = resume else {
            return false;
        };
        let Some(next) = candidate(pattern[after_star], text, from + 1, nocase) else {
            return false;
        };
        (p, t) = (after_star, next);
        resume = Some((p, t));
    }
    skip_stars(pattern, p) == pattern.len()
}

/// The bytes that every matching text begins with, as far as the pattern says so without escapes;
/// the whole pattern when it has nothing special in it. (Not for patterns that are matched without
/// case.)
pub fn literal_prefix(pattern: &[u8]) -> &[u8] {
    let len = pattern.iter().position(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'));
    &pattern[..len.unwrap_or(pattern.len())]
}

fn skip_stars(pattern: &[u8], from: usize) -> usize {
    from + pattern[from..].iter().take_while(|byte| **byte == b'*').count()
}

/// The first place from `from` on where an element that begins with `first` can match.
#[inline]
fn candidate(first: u8, text: &[u8], from: usize, nocase: bool) -> Option<usize> {
    let literal = !nocase && !matches!(first, b'?' | b'[' | b'\\');
    if literal { memchr::memchr(first, &text[from..]).map(|at| from + at) } else { Some(from) }
}

/// Matches the element at the head of `pattern` against one byte; answers the element's length.
#[inline]
fn step(pattern: &[u8], byte: u8, nocase: bool) -> Option<usize> {
    let (hit, len) = match pattern {
        [] => return None,
        [b'?', ..] => (true, 1),
        [b'[', class @ ..] => {
            let (hit, len) = class_has(class, byte, nocase);
            (hit, len + 1)
        }
        [b'\\', literal, ..] => (same(*literal, byte, nocase), 2),
        [literal, ..] => (same(*literal, byte, nocase), 1),
    };
    hit.then_some(len)
}

#[inline]
fn same(a: u8, b: u8, nocase: bool) -> bool {
    if nocase { a.eq_ignore_ascii_case(&b) } else { a == b }
}

/// Whether `byte` is in the class whose text, behind its `[`, is at the head of `class`; and the
/// length of that text with its `]`.
fn class_has(class: &[u8], byte: u8, nocase: bool) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match &class[at..] {
            [b'\\', literal, ..] => {
                found |= *literal == byte;
                at += 2;
            }
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [first, b'-', last, ..] => {
                found |= in_range(*first, *last, byte, nocase);
                at += 3;
            }
            [literal, ..] => {
                found |= same(*literal, byte, nocase);
                at += 1;
            }
        }
    }
    (found != negated, at)
}

/// The borders are put in order, and compare, as signed bytes. Folding goes through the C library's
/// `tolower` of a signed `char`, which gives bytes beyond ASCII their unsigned value, except 0xff,
/// which it takes for the end of a file.
fn in_range(first: u8, last: u8, byte: u8, nocase: bool) -> bool {
    let (low, high) = if (first as i8) <= (last as i8) { (first, last) } else { (last, first) };
    let fold = |byte: u8| match byte {
        0xff => -1,
        _ if nocase => i16::from(byte.to_ascii_lowercase()),
        _ => i16::from(byte as i8),
    };
    (fold(low)..=fold(high)).contains(&fold(byte))
}
