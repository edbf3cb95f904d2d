//! BITFIELD: integers of 1 to 64 bits at any bit of a string.

/// The type of a field: `i1` to `i64`, `u1` to `u63`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    signed: bool,
    bits: u8,
}

/// What becomes of a value that a field does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Its lowest bits stay.
    #[default]
    Wrap,
    /// The nearest value that the field holds takes its place.
    Saturate,
    /// Nothing is written.
    Fail,
}

impl Field {
    /// Bytes that may hold a part of one field.
    pub const BYTES_MAX: usize = 9;

    /// By its name; in lower case only.
    pub fn parse(word: &[u8]) -> Option<Self> {
        let (kind, bits) = word.split_first()?;
        let (signed, bits_max) = match kind {
            b'i' => (true, 64),
            b'u' => (false, 63),
            _ => return None,
        };
        let bits = stdx::num::parse_i64(bits)?;
        (1..=bits_max).contains(&bits).then_some(Self { signed, bits: bits as u8 })
    }

    pub fn bits(self) -> u64 {
        self.bits.into()
    }

    fn max(self) -> i64 {
        let value_bits = self.bits - u8::from(self.signed);
        ((1u64 << value_bits) - 1) as i64
    }

    fn min(self) -> i64 {
        if self.signed { -1 - self.max() } else { 0 }
    }

    /// The value at bit `at` of `bytes`; bits behind the end are zeros.
    pub fn get(self, bytes: &[u8], at: u64) -> i64 {
        let mut window = [0; 16];
        let from = usize::try_from(at / 8).unwrap_or(usize::MAX).min(bytes.len());
        let there = &bytes[from..bytes.len().min(from + Self::BYTES_MAX)];
        window[..there.len()].copy_from_slice(there);
        let shifted = u128::from_be_bytes(window) << (at % 8);
        // The field is at the top: the shift down carries the sign along, or zeros.
        let down = 128 - u32::from(self.bits);
        if self.signed { (shifted as i128 >> down) as i64 } else { (shifted >> down) as i64 }
    }

    /// Writes the low bits of `value` at bit `at` of `bytes`, which hold the whole field.
    pub fn put(self, bytes: &mut [u8], at: u64, value: i64) {
        let (from, to) = ((at / 8) as usize, (at + self.bits()).div_ceil(8) as usize);
        let there = &mut bytes[from..to];
        let mut window = [0; 16];
        window[..there.len()].copy_from_slice(there);
        let up = 128 - u32::from(self.bits);
        let shift = (at % 8) as u32;
        let mask = (u128::MAX << up) >> shift;
        let field = ((value as u128) << up) >> shift;
        let bits = u128::from_be_bytes(window) & !mask | field;
        there.copy_from_slice(&bits.to_be_bytes()[..to - from]);
    }

    /// What BITFIELD SET writes for `value`; `None`: nothing, it overflows.
    pub fn assigned(self, value: i64, overflow: Overflow) -> Option<i64> {
        // Redis compares a value set to an unsigned field as an unsigned one, and takes a value so
        // low that its distance from the maximum is no 64-bit integer for one that is too high.
        let too_high = !self.signed || self.bits < 64 && self.max().checked_sub(value).is_none();
        let value = if too_high { i128::from(value as u64) } else { i128::from(value) };
        self.fitted(value, overflow)
    }

    /// What BITFIELD INCRBY writes over `old`; `None`: nothing, the sum overflows.
    pub fn increased(self, old: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.fitted(i128::from(old) + i128::from(increment), overflow)
    }

    fn fitted(self, value: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = (i128::from(self.min()), i128::from(self.max()));
        if (min..=max).contains(&value) {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Fail => None,
            Overflow::Saturate => Some(value.clamp(min, max) as i64),
            Overflow::Wrap => {
                let up = 128 - u32::from(self.bits);
                let top = (value as u128) << up;
                Some(if self.signed { (top as i128 >> up) as i64 } else { (top >> up) as i64 })
            }
        }
    }
}
