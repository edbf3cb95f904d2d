//! Splitting a line into arguments, and quoting an argument so that it splits back.
//!
//! The rules are those of redis.conf and of inline commands. Blanks separate arguments. In "double
//! quotes" `\n \r \t \b \a \xHH` stand for bytes and a backslash before any other byte stands for
//! that byte; in 'single quotes' only `\'` is special. A closing quote must end the argument.

/// Splits a line into its arguments; `None` when quotes are unbalanced or run into more text.
///
/// A quote in the middle of a word opens a quoted part (`a"b c"` is `ab c`).
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut args = Vec::new();
    let mut rest = line;
    loop {
        let blanks = rest.iter().take_while(|byte| is_space(**byte)).count();
        rest = rest.get(blanks..).unwrap_or_default();
        if rest.is_empty() {
            return Some(args);
        }
        let (arg, taken) = one_arg(rest)?;
        args.push(arg);
        rest = rest.get(taken..).unwrap_or_default();
    }
}

/// The argument at the start of `text`, and how many bytes it takes.
fn one_arg(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut arg = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => return Some((arg, at)),
            b'"' | b'\'' => {
                let inside = text.get(at + 1..).unwrap_or_default();
                let taken = if byte == b'"' {
                    double_quoted(inside, &mut arg)?
                } else {
                    single_quoted(inside, &mut arg)?
                };
                at += 1 + taken;
                return match text.get(at) {
                    Some(next) if !is_space(*next) => None,
                    _ => Some((arg, at)),
                };
            }
            _ => arg.push(byte),
        }
        at += 1;
    }
    Some((arg, at))
}

/// Reads up to and including the closing quote; gives the bytes taken.
fn double_quoted(text: &[u8], arg: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        match *text.get(at..)? {
            [b'\\', b'x', high, low, ..] if hex(high).is_some() && hex(low).is_some() => {
                arg.push(hex(high)? << 4 | hex(low)?);
                at += 4;
            }
            [b'\\', escaped, ..] => {
                arg.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => other,
                });
                at += 2;
            }
            [b'"', ..] => return Some(at + 1),
            [byte, ..] => {
                arg.push(byte);
                at += 1;
            }
            [] => return None,
        }
    }
}

/// Reads up to and including the closing quote; gives the bytes taken.
fn single_quoted(text: &[u8], arg: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        match *text.get(at..)? {
            [b'\\', b'\'', ..] => {
                arg.push(b'\'');
                at += 2;
            }
            [b'\'', ..] => return Some(at + 1),
            [byte, ..] => {
                arg.push(byte);
                at += 1;
            }
            [] => return None,
        }
    }
}

/// Appends `text` in double quotes, so that [`split_args`] gives it back byte for byte and no byte
/// of it can end the line.
pub fn quote(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.extend([b'\\', b'x', HEX[high], HEX[low]]);
            }
        }
    }
    out.push(b'"');
}

/// C's `isspace`, which also knows the vertical tab.
pub(crate) fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
