//! A value as redis-cli prints it to a terminal.

use super::Value;

/// The printed value, without the final end of line.
pub(super) fn print(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    print_at(value, 0, &mut out);
    out
}

/// Appends `value`; lines after the first are indented.
fn print_at(value: &Value, indent: usize, out: &mut Vec<u8>) {
    match value {
        Value::Simple(text) | Value::Verbatim(_, text) | Value::BigNumber(text) => {
            out.extend_from_slice(text);
        }
        Value::Error(text) => {
            out.extend_from_slice(b"(error) ");
            out.extend_from_slice(text);
        }
        Value::Integer(value) => {
            out.extend_from_slice(b"(integer) ");
            stdx::num::write_i64(out, *value);
        }
        Value::Unsigned(value) => {
            out.extend_from_slice(b"(integer) ");
            stdx::num::write_u64(out, *value);
        }
        Value::Double(text) => {
            out.extend_from_slice(b"(double) ");
            out.extend_from_slice(text);
        }
        Value::Bulk(text) => stdx::quote::repr(out, text),
        Value::Null | Value::NullArray => out.extend_from_slice(b"(nil)"),
        Value::Boolean(true) => out.extend_from_slice(b"(true)"),
        Value::Boolean(false) => out.extend_from_slice(b"(false)"),
        Value::Array(items) => print_items(items, b')', "(empty array)", indent, out),
        Value::Push(items) => print_items(items, b')', "(empty push)", indent, out),
        Value::Set(items) => print_items(items, b'~', "(empty set)", indent, out),
        Value::Map(pairs) => print_pairs(pairs, indent, out),
        Value::Attribute(_, value) => print_at(value, indent, out),
    }
}

fn print_items(items: &[Value], mark: u8, empty: &str, indent: usize, out: &mut Vec<u8>) {
    if items.is_empty() {
        out.extend_from_slice(empty.as_bytes());
    }
    let width = width(items.len());
    for (index, item) in items.iter().enumerate() {
        number(index, mark, width, indent, out);
        print_at(item, inner(indent, width), out);
    }
}

fn print_pairs(pairs: &[(Value, Value)], indent: usize, out: &mut Vec<u8>) {
    if pairs.is_empty() {
        out.extend_from_slice(b"(empty hash)");
    }
    let width = width(pairs.len());
    let inner = inner(indent, width);
    for (index, (key, value)) in pairs.iter().enumerate() {
        number(index, b'#', width, indent, out);
        print_at(key, inner, out);
        out.extend_from_slice(b" => ");
        if is_multiline(value) {
            out.push(b'\n');
            out.resize(out.len().saturating_add(inner), b' ');
        }
        print_at(value, inner, out);
    }
}

/// Begins an element: a line of its own, unless it is the first, and its right-aligned number.
fn number(index: usize, mark: u8, width: usize, indent: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b'\n');
        out.resize(out.len().saturating_add(indent), b' ');
    }
    let number = index.saturating_add(1);
    out.extend_from_slice(format!("{number:>width$}{} ", char::from(mark)).as_bytes());
}

/// Digits of the largest number of `count` elements.
fn width(count: usize) -> usize {
    count.checked_ilog10().map_or(1, |log| (log as usize).saturating_add(1))
}

/// Elements of elements stand behind the number, its mark and a space.
fn inner(indent: usize, width: usize) -> usize {
    indent.saturating_add(width).saturating_add(2)
}

/// Whether the value takes several lines.
fn is_multiline(value: &Value) -> bool {
    match value {
        Value::Array(items) | Value::Set(items) | Value::Push(items) => match &**items {
            [] => false,
            [only] => is_multiline(only),
            _ => true,
        },
        Value::Map(pairs) => match &**pairs {
            [] => false,
            [(_, only)] => is_multiline(only),
            _ => true,
        },
        Value::Attribute(_, value) => is_multiline(value),
        _ => false,
    }
}
