//! Byte strings in double quotes, every byte visible: how Redis shows bytes in logs, MONITOR and
//! errors.

#[cfg(test)]
mod tests;

/// Appends `bytes` in double quotes: `\\`, `\"`, `\n`, `\r`, `\t`, `\a`, `\b` by name, other
/// printable ASCII as it is, the rest as `\x` and two lower-case hexadecimal digits.
pub fn repr(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().saturating_add(2));
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => {
                let [high, low] = hex(byte);
                out.extend_from_slice(&[b'\\', b'x', high, low]);
            }
        }
    }
    out.push(b'"');
}

/// Whether [`repr`] is needed to show `bytes` as one word: they hold a quote, a backslash, a space
/// or a byte that does not print.
pub fn needs_repr(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| !matches!(byte, b'!'..=b'~') || matches!(byte, b'\\' | b'"'))
}

/// The two lower-case hexadecimal digits of `byte`.
#[inline]
pub fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// The value of a hexadecimal digit of either case.
#[inline]
pub fn unhex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
