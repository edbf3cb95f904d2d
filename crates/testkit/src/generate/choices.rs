//! Where choices come from: a seeded generator, or the bytes that a fuzzer mutates.

use stdx::rng::Rng;

/// A source of choices.
pub struct Choices<'c> {
    from: From<'c>,
}

enum From<'c> {
    Seed(Rng),
    Bytes(&'c [u8]),
}

impl<'c> Choices<'c> {
    pub fn seeded(seed: u64) -> Self {
        Self { from: From::Seed(Rng::new(seed)) }
    }

    /// Each choice takes a byte or two; when none are left every choice is the first.
    pub fn of_bytes(bytes: &'c [u8]) -> Self {
        Self { from: From::Bytes(bytes) }
    }

    /// Whether bytes are left. A seed never ends.
    pub fn left(&self) -> bool {
        match &self.from {
            From::Seed(_) => true,
            From::Bytes(bytes) => !bytes.is_empty(),
        }
    }

    fn byte(&mut self) -> usize {
        match &mut self.from {
            From::Seed(rng) => rng.index(256),
            From::Bytes(bytes) => match bytes.split_first() {
                Some((first, rest)) => {
                    *bytes = rest;
                    usize::from(*first)
                }
                None => 0,
            },
        }
    }

    /// A number below `n`, which is between 1 and 65536.
    pub fn below(&mut self, n: usize) -> usize {
        debug_assert!((1..=65_536).contains(&n), "a choice among {n}");
        match n {
            1 => 0,
            2..=256 => self.byte() % n,
            _ => (self.byte() << 8 | self.byte()) % n,
        }
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// 0 to 7, mostly 0 to 2.
    pub fn small(&mut self) -> usize {
        [0, 0, 0, 1, 1, 1, 2, 2, 3, 7][self.below(10)]
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
