//! Integers as decimal text.

/// The longest text of an `i64`: `-9223372036854775808`.
pub const I64_TEXT_MAX: usize = 20;

/// "00" to "99", two bytes each.
const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
    2021222324252627282930313233343536373839\
    4041424344454647484950515253545556575859\
    6061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899";

/// Reads a decimal `i64` in its one canonical form: no plus sign, no leading zero or space, no
/// `-0`, full range. So `write_i64` of the result gives back exactly `text`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if negative && digits == b"0" {
        return None;
    }
    let magnitude = parse_u64(digits)?;
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Reads a decimal `u64` in its one canonical form: digits only, no leading zero, full range.
#[inline]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    match text {
        [] => return None,
        [b'0', rest @ ..] => return rest.is_empty().then_some(0),
        _ => {}
    }
    // Up to 19 digits cannot overflow; a twentieth is checked.
    if text.len() > 20 {
        return None;
    }
    let (head, tail) = text.split_at(text.len().min(19));
    let mut value: u64 = 0;
    for &byte in head {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    match tail {
        [] => Some(value),
        [byte] => {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value.checked_mul(10)?.checked_add(u64::from(digit))
        }
        _ => None,
    }
}

/// Appends `value` in decimal.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(decimal(&mut [0; I64_TEXT_MAX], value));
}

/// Writes `value` in decimal to the end of `buf`; answers the text.
#[inline]
pub fn decimal(buf: &mut [u8; I64_TEXT_MAX], value: i64) -> &[u8] {
    let mut start = fill_decimal(buf, value.unsigned_abs());
    if value < 0 {
        start = start.wrapping_sub(1);
        buf[start] = b'-';
    }
    &buf[start..]
}

/// Appends `value` in decimal.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    let mut buf = [0; I64_TEXT_MAX];
    let start = fill_decimal(&mut buf, value);
    out.extend_from_slice(&buf[start..]);
}

/// The number of bytes that `write_i64` would append for `value`.
#[inline]
pub fn decimal_len(value: i64) -> usize {
    let magnitude = value.unsigned_abs();
    let digits = magnitude.checked_ilog10().map_or(1, |log| log as usize + 1);
    digits + usize::from(value < 0)
}

/// Writes the digits of `value` to the end of `buf`, two at a time; answers where they start.
#[inline]
fn fill_decimal(buf: &mut [u8; I64_TEXT_MAX], mut value: u64) -> usize {
    let mut start = I64_TEXT_MAX;
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        start -= 2;
        buf[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if value >= 10 {
        let pair = value as usize * 2;
        start -= 2;
        buf[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        start -= 1;
        buf[start] = b'0' + value as u8;
    }
    start
}
