//! The 80-bit extended numbers of the x87: 64 bits of mantissa, 15 of exponent. Redis adds floats
//! in the C type `long double`, which on x86-64 is this one, and clients and replicas see its
//! rounding; so the arithmetic is done here in software, alike on every machine.
//!
//! Text is read correctly rounded and printed with 17 digits behind the point, exactly rounded half
//! to even, less trailing zeros.

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round};

use crate::num::{self, Form};

#[cfg(test)]
mod tests;

/// Texts of this many bytes or more are not read.
const TEXT_LIMIT: usize = 5 * 1024;

/// Digits behind the point that are printed.
const PLACES: usize = 17;

/// `Extended::parts` gives the mantissa as an integer; the exponent that makes it so.
const EXPONENT_BIAS: i32 = 16_383 + 63;

/// A number of the x87's extended format, never NaN.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Extended(X87DoubleExtended);

impl Extended {
    pub const ZERO: Self = Self(X87DoubleExtended::ZERO);

    /// The greatest finite number.
    pub fn largest() -> Self {
        Self(X87DoubleExtended::largest())
    }

    /// Reads what `num::parse_f64` reads, with this type's range and precision: below 5120 bytes,
    /// NaN refused, infinity taken, a result that overflows or vanishes to zero refused.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= TEXT_LIMIT {
            return None;
        }
        let (parsed, nonzero) = match num::form(text)? {
            Form::Infinity => {
                let infinity = X87DoubleExtended::INFINITY;
                return Some(Self(if text[0] == b'-' { -infinity } else { infinity }));
            }
            Form::Decimal { nonzero } => {
                let text = std::str::from_utf8(text).ok()?;
                (X87DoubleExtended::from_str_r(text, Round::NearestTiesToEven), nonzero)
            }
            Form::Hex { nonzero, exponent } => {
                let text = num::hex_text(text, exponent)?;
                (X87DoubleExtended::from_str_r(&text, Round::NearestTiesToEven), nonzero)
            }
        };
        let value = parsed.ok()?.value;
        (value.is_finite() && (!value.is_zero() || !nonzero)).then_some(Self(value))
    }

    /// Exact: 64 bits of mantissa hold every `i64`.
    pub fn from_i64(value: i64) -> Self {
        Self(X87DoubleExtended::from_i128(i128::from(value)).value)
    }

    /// Exact. `None` for NaN.
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        let double = rustc_apfloat::ieee::Double::from_bits(u128::from(value.to_bits()));
        let mut loses = false;
        Some(Self(rustc_apfloat::FloatConvert::convert(double, &mut loses).value))
    }

    /// The sum, rounded to nearest even; `None` where it is NaN or infinite.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let sum = self.0.add_r(other.0, Round::NearestTiesToEven).value;
        sum.is_finite().then_some(Self(sum))
    }

    /// The sum, rounded to nearest even; `None` where it is NaN.
    pub fn sum(self, other: Self) -> Option<Self> {
        let sum = self.0.add_r(other.0, Round::NearestTiesToEven).value;
        (!sum.is_nan()).then_some(Self(sum))
    }

    /// Without what is behind the point; `None`: no `i64`.
    pub fn truncated(self) -> Option<i64> {
        let whole = self.0.to_i128_r(64, Round::TowardZero, &mut false);
        let fits = !whole.status.contains(rustc_apfloat::Status::INVALID_OP);
        fits.then_some(whole.value as i64)
    }

    /// The difference, rounded to nearest even; `None` where it is NaN or infinite.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(-other)
    }

    /// The product, rounded to nearest even, and that up to a whole number: one of the ends of `i64`
    /// if it lies beyond.
    pub fn times_up(self, factor: i64) -> i64 {
        let product = (self.0 * Self::from_i64(factor).0).value;
        product.to_i128_r(64, Round::TowardPositive, &mut false).value as i64
    }

    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// Appends the number with up to 17 digits behind the point and no exponent: `inf`, `-inf`,
    /// never `-0`.
    pub fn write(self, out: &mut Vec<u8>) {
        let negative = self.0.is_negative();
        if !self.0.is_finite() {
            out.extend_from_slice(if negative { b"-inf" } else { b"inf" });
            return;
        }
        let (mantissa, exponent) = self.parts();
        if exponent > 0 {
            if negative {
                out.push(b'-');
            }
            write_shifted(out, mantissa, exponent.unsigned_abs());
        } else {
            let scaled = scale(mantissa, exponent.unsigned_abs());
            if negative && scaled != 0 {
                out.push(b'-');
            }
            write_scaled(out, scaled);
        }
    }

    /// Appends the number with up to 17 digits in all, as `%.17Lg` of C does: with an exponent below
    /// -4 and from 17 on.
    pub fn write_general(self, out: &mut Vec<u8>) {
        const DIGITS: usize = 17;
        if !self.0.is_finite() || self.0.is_zero() {
            out.extend_from_slice(if self.0.is_negative() { b"-" } else { b"" });
            out.extend_from_slice(if self.0.is_zero() { b"0" } else { b"inf" });
            return;
        }
        // More digits than are wanted, as the library is not exact in the last one.
        let text = format!("{:width$.precision$}", self.0, width = 0, precision = 2 * DIGITS);
        let (digits, exponent) = text.split_once('E').unwrap_or((&text, "0"));
        let negative = digits.starts_with('-');
        let digits = digits.trim_start_matches('-');
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all = [whole, part].concat().into_bytes();
        let leading = all.iter().take_while(|digit| **digit == b'0').count();
        let mut exponent = exponent.parse().unwrap_or(0) + whole.len() as i32 - 1 - leading as i32;
        let (mut significant, carries) = rounded(&all[leading..], DIGITS);
        exponent += i32::from(carries);
        significant
            .truncate(significant.iter().rposition(|digit| *digit != b'0').map_or(0, |at| at + 1));
        if negative {
            out.push(b'-');
        }
        let point = |out: &mut Vec<u8>, at: usize| {
            let (whole, part) = significant.split_at(at.min(significant.len()));
            out.extend_from_slice(whole);
            out.resize(out.len() + (at - whole.len()), b'0');
            if !part.is_empty() {
                out.push(b'.');
                out.extend_from_slice(part);
            }
        };
        match exponent {
            0..17 => point(out, exponent as usize + 1),
            -4..0 => {
                out.extend_from_slice(b"0.");
                out.resize(out.len() + (-exponent - 1) as usize, b'0');
                out.extend_from_slice(&significant);
            }
            _ => {
                point(out, 1);
                out.extend_from_slice(format!("e{exponent:+03}").as_bytes());
            }
        }
    }

    /// `mantissa * 2^exponent`, the sign left out, for a finite number.
    fn parts(self) -> (u64, i32) {
        let bits = self.0.to_bits();
        let exponent = ((bits >> 64) & 0x7fff) as i32;
        // A subnormal has the exponent of the smallest normal.
        (bits as u64, exponent.max(1) - EXPONENT_BIAS)
    }
}

impl std::ops::Neg for Extended {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

/// `mantissa * 10^17 / 2^shift`, rounded half to even.
fn scale(mantissa: u64, shift: u32) -> u128 {
    // Below 2^64 * 2^57.
    let product = u128::from(mantissa) * 10_u128.pow(PLACES as u32);
    if shift >= u128::BITS {
        return 0; // Less than 2^-7, so it rounds down.
    }
    if shift == 0 {
        return product;
    }
    let quotient = product >> shift;
    let rest = product & ((1 << shift) - 1);
    let half = 1 << (shift - 1);
    let up = rest > half || (rest == half && quotient & 1 == 1);
    quotient + u128::from(up)
}

/// Appends `scaled / 10^17` less the zeros at the end of its fraction.
fn write_scaled(out: &mut Vec<u8>, scaled: u128) {
    let unit = 10_u128.pow(PLACES as u32);
    // Below 2^64: `scaled` is a mantissa times `unit`, shifted right.
    num::write_u64(out, (scaled / unit) as u64);
    let fraction = (scaled % unit) as u64;
    if fraction == 0 {
        return;
    }
    let mut digits = [b'0'; PLACES];
    let mut rest = fraction;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let len = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |at| at + 1);
    out.push(b'.');
    out.extend_from_slice(&digits[..len]);
}

/// Appends the integer `mantissa * 2^shift`: at most 16,384 bits, 4,933 digits.
fn write_shifted(out: &mut Vec<u8>, mantissa: u64, shift: u32) {
    /// The largest power of ten in a limb, and its exponent.
    const CHUNK: u64 = 10_000_000_000_000_000_000;
    const CHUNK_DIGITS: usize = 19;

    // Little-endian limbs of the product.
    let wide = u128::from(mantissa) << (shift % 64);
    let mut limbs = vec![0_u64; (shift / 64) as usize];
    limbs.extend([wide as u64, (wide >> 64) as u64]);

    // Repeated division by 10^19 gives the decimal chunks, lowest first.
    let mut chunks = Vec::new();
    while let Some(top) = limbs.iter().rposition(|limb| *limb != 0) {
        limbs.truncate(top + 1);
        let mut rest = 0_u64;
        for limb in limbs.iter_mut().rev() {
            let dividend = (u128::from(rest) << 64) | u128::from(*limb);
            *limb = (dividend / u128::from(CHUNK)) as u64;
            rest = (dividend % u128::from(CHUNK)) as u64;
        }
        chunks.push(rest);
    }

    let mut chunks = chunks.into_iter().rev();
    num::write_u64(out, chunks.next().unwrap_or(0));
    for chunk in chunks {
        let end = out.len() + CHUNK_DIGITS;
        out.resize(end, b'0');
        let mut rest = chunk;
        for digit in out[end - CHUNK_DIGITS..].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

/// The first `count` digits, rounded by what follows them, half to even; whether they have one more
/// before the point than they had.
fn rounded(digits: &[u8], count: usize) -> (Vec<u8>, bool) {
    let (kept, rest) = digits.split_at(digits.len().min(count));
    let mut kept = kept.to_vec();
    let up = match rest {
        [] | [..b'5', ..] => false,
        [b'5', after @ ..] if after.iter().all(|digit| *digit == b'0') => {
            kept.last().is_some_and(|last| last % 2 == 1)
        }
        _ => true,
    };
    if !up {
        return (kept, false);
    }
    for digit in kept.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return (kept, false);
        }
        *digit = b'0';
    }
    kept.insert(0, b'1');
    (kept, true)
}
