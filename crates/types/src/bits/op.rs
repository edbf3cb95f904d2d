//! BITOP: strings combined bit by bit. Shorter strings count as filled up with zeros.

/// What BITOP computes; `first` is the first source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    And,
    Or,
    Xor,
    /// Of one source.
    Not,
    /// In `first` and in none of the others.
    Diff,
    /// In any of the others and not in `first`.
    Diff1,
    /// In `first` and in any of the others.
    AndOr,
    /// In exactly one source.
    One,
}

impl Op {
    /// By its word, in any case.
    pub fn parse(word: &[u8]) -> Option<Self> {
        const WORDS: [(&str, Op); 8] = [
            ("AND", Op::And),
            ("OR", Op::Or),
            ("XOR", Op::Xor),
            ("NOT", Op::Not),
            ("DIFF", Op::Diff),
            ("DIFF1", Op::Diff1),
            ("ANDOR", Op::AndOr),
            ("ONE", Op::One),
        ];
        let is = |(text, _): &&(&str, Self)| word.eq_ignore_ascii_case(text.as_bytes());
        WORDS.iter().find(is).map(|(_, op)| *op)
    }
}

/// Bytes worked on at a time: result and sources of a block stay in the first-level cache.
const BLOCK: usize = 4 << 10;

/// The combination of `sources`, as long as the longest of them.
pub fn combine(op: Op, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut out = vec![0; len];
    let mut twice = [0; BLOCK];
    for (index, block) in out.chunks_mut(BLOCK).enumerate() {
        let (from, to) = (index * BLOCK, index * BLOCK + block.len());
        let parts = sources.iter().map(|source| {
            let len = source.len();
            &source[from.min(len)..to.min(len)]
        });
        combine_block(op, parts, block, &mut twice);
    }
    out
}

/// Fills `out`, which is zeros, from the parts of the sources that lie there.
fn combine_block<'a>(
    op: Op,
    mut parts: impl Iterator<Item = &'a [u8]>,
    out: &mut [u8],
    twice: &mut [u8; BLOCK],
) {
    let first = parts.next().unwrap_or_default();
    match op {
        Op::And => {
            out[..first.len()].copy_from_slice(first);
            for part in parts {
                each(out, part, |own, other| *own &= other);
                out[part.len()..].fill(0);
            }
        }
        Op::Or | Op::Xor => {
            out[..first.len()].copy_from_slice(first);
            for part in parts {
                match op {
                    Op::Or => each(out, part, |own, other| *own |= other),
                    _ => each(out, part, |own, other| *own ^= other),
                }
            }
        }
        Op::Not => {
            out[..first.len()].copy_from_slice(first);
            out.iter_mut().for_each(|byte| *byte = !*byte);
        }
        Op::Diff | Op::Diff1 | Op::AndOr => {
            for part in parts {
                each(out, part, |own, other| *own |= other);
            }
            match op {
                Op::Diff => each(out, first, |own, first| *own = first & !*own),
                Op::AndOr => each(out, first, |own, first| *own &= first),
                _ => each(out, first, |own, first| *own &= !first),
            }
            if op != Op::Diff1 {
                out[first.len()..].fill(0);
            }
        }
        Op::One => {
            out[..first.len()].copy_from_slice(first);
            twice.fill(0);
            for part in parts {
                for ((own, twice), other) in out.iter_mut().zip(twice.iter_mut()).zip(part) {
                    *twice |= *own & other;
                    *own |= other;
                }
            }
            each(out, twice, |own, twice| *own &= !twice);
        }
    }
}

#[inline]
fn each(out: &mut [u8], part: &[u8], change: impl Fn(&mut u8, u8)) {
    for (own, other) in out.iter_mut().zip(part) {
        change(own, *other);
    }
}
