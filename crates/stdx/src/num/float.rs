//! Doubles as text.

use rustc_apfloat::ieee::Double;
use rustc_apfloat::{Float, Round};

use super::grisu;
use super::int::{write_i64, write_u64};

/// How a text that `strtod` would read in full is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Decimal, and whether any digit of the mantissa is not zero.
    Decimal { nonzero: bool },
    /// Hexadecimal, with or without an exponent, and whether any digit of the mantissa is not zero.
    Hex { nonzero: bool, exponent: bool },
    /// `inf` or `infinity`, any case, with or without a sign.
    Infinity,
}

/// Reads a double as the C library's `strtod` does: decimal or hexadecimal, `inf` and `infinity` in
/// any case, an optional sign. Refuses the empty text, spaces, anything left over, NaN, and a
/// result that overflows or that vanishes to zero. Correctly rounded, to nearest even.
#[inline]
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    // PERF: short integers are what scores and increments mostly are; below 2^53 they are exact.
    if text.len() <= 15
        && let Some(value) = parse_short_integer(text)
    {
        return Some(value);
    }
    let (value, nonzero) = parse_general(text)?;
    let infinite = || matches!(form(text), Some(Form::Infinity));
    let fits = if value.is_finite() { value != 0.0 || !nonzero } else { infinite() };
    fits.then_some(value)
}

/// As [`parse_f64`], but what overflows is infinite and what vanishes is zero, as `strtod` returns
/// them.
pub fn parse_f64_saturating(text: &[u8]) -> Option<f64> {
    parse_short_integer(text).filter(|_| text.len() <= 15).or_else(|| Some(parse_general(text)?.0))
}

fn parse_short_integer(text: &[u8]) -> Option<f64> {
    let (first, rest) = text.split_first()?;
    let mut value = match first {
        b'1'..=b'9' => u64::from(first - b'0'),
        b'0' if rest.is_empty() => 0,
        _ => return None,
    };
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    Some(value as f64)
}

/// The value, and whether any digit is not zero.
fn parse_general(text: &[u8]) -> Option<(f64, bool)> {
    Some(match form(text)? {
        Form::Infinity => (if text[0] == b'-' { f64::NEG_INFINITY } else { f64::INFINITY }, true),
        Form::Decimal { nonzero } => {
            let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
            (value, nonzero)
        }
        Form::Hex { nonzero, exponent } => {
            let text = hex_text(text, exponent)?;
            let value = Double::from_str_r(&text, Round::NearestTiesToEven).ok()?.value;
            (f64::from_bits(value.to_bits() as u64), nonzero)
        }
    })
}

/// The hexadecimal text with the exponent that `rustc_apfloat` insists on.
pub(crate) fn hex_text(text: &[u8], has_exponent: bool) -> Option<String> {
    let mut text = String::from(std::str::from_utf8(text).ok()?);
    if !has_exponent {
        text.push_str("p0");
    }
    Some(text)
}

/// Says how `text` is written, or `None` where `strtod` would not read it to its end (or reads
/// NaN).
pub(crate) fn form(text: &[u8]) -> Option<Form> {
    let unsigned = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
        return Some(Form::Infinity);
    }
    match unsigned {
        [b'0', b'x' | b'X', rest @ ..] => {
            let (mantissa, exponent) = split_exponent(rest, b'p')?;
            let nonzero = check_mantissa(mantissa, u8::is_ascii_hexdigit)?;
            Some(Form::Hex { nonzero, exponent })
        }
        _ => {
            let (mantissa, _) = split_exponent(unsigned, b'e')?;
            let nonzero = check_mantissa(mantissa, u8::is_ascii_digit)?;
            Some(Form::Decimal { nonzero })
        }
    }
}

/// Cuts off the exponent at `mark` (lower case) and checks it; says whether there was one.
fn split_exponent(text: &[u8], mark: u8) -> Option<(&[u8], bool)> {
    let Some(at) = text.iter().position(|byte| byte.to_ascii_lowercase() == mark) else {
        return Some((text, false));
    };
    let digits = match &text[at + 1..] {
        [b'+' | b'-', rest @ ..] => rest,
        rest => rest,
    };
    let valid = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    valid.then_some((&text[..at], true))
}

/// Digits with at most one point among them, at least one digit; says whether any is not zero.
fn check_mantissa(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<bool> {
    let (mut digits, mut points, mut nonzero) = (false, 0_u32, false);
    for byte in text {
        if is_digit(byte) {
            digits = true;
            nonzero |= *byte != b'0';
        } else if *byte == b'.' && points == 0 {
            points = 1;
        } else {
            return None;
        }
    }
    digits.then_some(nonzero)
}

/// Appends `value` as Redis 7.2 and later print a double in a reply: integers up to 2^62 in full,
/// `inf`, `-inf`, `nan`, `-0`, everything else as [`write_f64_digits`].
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    const PLAIN_MAX: f64 = (1_u64 << 62) as f64;
    // The cast saturates, and the range test comes first: nothing is lost where both agree.
    let integer = value as i64;
    if value.abs() <= PLAIN_MAX && integer as f64 == value && integer != 0 {
        write_i64(out, integer);
    } else {
        write_f64_digits(out, value);
    }
}

/// Appends `value` in the form that goes into files and digests: the shortest digits (see the
/// module's head), plain where that is short, else with an exponent; 1e22 is `1e+22`, and so is
/// what [`write_f64`] would print in full.
pub fn write_f64_digits(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"nan");
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_infinite() {
        out.extend_from_slice(b"inf");
    } else if value == 0.0 {
        out.push(b'0');
    } else {
        let digits = grisu::digits(value.abs());
        emit(out, digits.text(), digits.exponent);
    }
}

/// Lays out `digits * 10^exponent`.
fn emit(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    let len = digits.len() as i32;
    // The power of ten of the first digit.
    let leading = exponent + len - 1;
    if exponent >= 0 && leading < len + 7 {
        out.extend_from_slice(digits);
        out.resize(out.len() + exponent as usize, b'0');
    } else if exponent < 0 && (exponent > -7 || leading.abs() < 4) {
        if leading < 0 {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + (-leading - 1) as usize, b'0');
            out.extend_from_slice(digits);
        } else {
            let (whole, fraction) = digits.split_at((leading + 1) as usize);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    } else {
        out.push(digits[0]);
        if len > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.push(b'e');
        out.push(if leading < 0 { b'-' } else { b'+' });
        write_u64(out, u64::from(leading.unsigned_abs()));
    }
}

/// Appends `value` with up to 17 digits in all, as `%.17g` of C does: with an exponent below -4 and
/// from 17 on. So Redis prints scores in ZSCAN.
pub fn write_f64_general(out: &mut Vec<u8>, value: f64) {
    const DIGITS: i32 = 17;
    if !value.is_finite() || value == 0.0 {
        return write_f64_digits(out, value);
    }
    // One digit before the point and all others behind it.
    let text = format!("{value:.16e}");
    let Some((digits, exponent)) = text.split_once('e') else { return };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value < 0.0 {
        out.push(b'-');
    }
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_digit).collect();
    let len = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |at| at + 1);
    let plain = (-4..DIGITS).contains(&exponent);
    // Where the point is, counted in digits.
    let point = if plain { exponent + 1 } else { 1 };
    if let Ok(whole @ 1..) = usize::try_from(point) {
        out.extend_from_slice(&digits[..whole]);
        if whole < len {
            out.push(b'.');
            out.extend_from_slice(&digits[whole..len]);
        }
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + point.unsigned_abs() as usize, b'0');
        out.extend_from_slice(&digits[..len]);
    }
    if !plain {
        out.extend_from_slice(format!("e{exponent:+03}").as_bytes());
    }
}

/// Appends `value` with `places` digits after the point (1 to 17), the way Redis prints distances:
/// the product with 10^places is rounded to an integer, half to even, and the point put in. Values
/// whose product leaves the range of `i64` are clamped to it.
pub fn write_f64_fixed(out: &mut Vec<u8>, value: f64, places: u32) {
    let places = places.clamp(1, 17);
    let scaled = (value * 10_f64.powi(places as i32)).round_ties_even() as i64;
    if scaled < 0 {
        out.push(b'-');
    }
    let unit = 10_u64.pow(places);
    let magnitude = scaled.unsigned_abs();
    write_u64(out, magnitude / unit);
    out.push(b'.');
    let start = out.len();
    // `unit` in front keeps the leading zeros of the fraction.
    write_u64(out, unit + magnitude % unit);
    out.remove(start);
}
