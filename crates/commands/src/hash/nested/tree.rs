//! What the fields of a nested hash say, as a tree, and how it is written.

use super::{Format, NAMES_MAX};
use resp::Reply;
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(Vec<u8>),
    List(Vec<Vec<u8>>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    Leaf(Value),
    Level(BTreeMap<Vec<u8>, Node>),
}

impl Default for Node {
    fn default() -> Self {
        Self::Level(BTreeMap::new())
    }
}

/// A list as one text: `length:bytes,` for each element.
pub(super) fn list_text(elements: &[&[u8]]) -> Vec<u8> {
    let mut text = Vec::new();
    for element in elements {
        text.extend_from_slice(element.len().to_string().as_bytes());
        text.push(b':');
        text.extend_from_slice(element);
        text.push(b',');
    }
    text
}

impl Value {
    /// The list of this text; the text itself, if none is.
    pub(super) fn of_list_text(text: &[u8]) -> Self {
        let mut elements = Vec::new();
        let mut left = text;
        while !left.is_empty() {
            let Some((element, rest)) = first_element(left) else {
                return Self::Text(text.to_vec());
            };
            elements.push(element.to_vec());
            left = rest;
        }
        Self::List(elements)
    }
}

/// The first element of a list's text, and what follows.
fn first_element(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let len = stdx::num::parse_i64(&text[..colon]).and_then(|len| usize::try_from(len).ok())?;
    let (element, rest) = text[colon + 1..].split_at_checked(len)?;
    Some((element, rest.strip_prefix(b",")?))
}

impl Node {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Level(names) if names.is_empty())
    }

    /// Puts in what the field called `name` says. Where clients have set fields by themselves, a text
    /// hides a list at its path, and both hide what is below.
    pub(super) fn put(&mut self, name: &[u8], text: &[u8]) {
        let (path, leaf) = if let Some(path) = name.strip_suffix(b"..") {
            (path, None)
        } else if let Some(path) = name.strip_suffix(b".") {
            (path, Some(Value::of_list_text(text)))
        } else {
            (name, Some(Value::Text(text.to_vec())))
        };
        let mut at = self;
        // What is deeper than NHSET goes has names with dots: nobody's stack is at their mercy.
        for name in path.splitn(NAMES_MAX, |byte| *byte == b'.') {
            let Self::Level(names) = at else { return };
            at = names.entry(name.to_vec()).or_default();
        }
        match (&*at, leaf) {
            (_, None) | (Self::Leaf(Value::Text(_)), Some(_)) => {}
            (_, Some(leaf)) => *at = Self::Leaf(leaf),
        }
    }

    pub(super) fn write(&self, format: Format, reply: &mut Reply) {
        match format {
            Format::Resp => self.write_resp(reply),
            Format::Json => {
                let mut text = Vec::new();
                self.write_json(&mut text);
                reply.bulk(&text);
            }
        }
    }

    /// As KeyDB does: pairs, each an array; of one there is no array around.
    fn write_resp(&self, reply: &mut Reply) {
        match self {
            Self::Leaf(Value::Text(text)) => reply.bulk(text),
            Self::Leaf(Value::List(elements)) => {
                reply.array(elements.len());
                elements.iter().for_each(|element| reply.bulk(element));
            }
            Self::Level(names) => {
                if names.len() != 1 {
                    reply.array(names.len());
                }
                for (name, node) in names {
                    reply.array(2);
                    reply.bulk(name);
                    node.write_resp(reply);
                }
            }
        }
    }

    fn write_json(&self, into: &mut Vec<u8>) {
        match self {
            Self::Leaf(Value::Text(text)) => write_string(text, into),
            Self::Leaf(Value::List(elements)) => {
                write_all(b"[]", elements, into, |element, into| write_string(element, into));
            }
            Self::Level(names) => write_all(b"{}", names, into, |(name, node), into| {
                write_string(name, into);
                into.extend_from_slice(b" : ");
                node.write_json(into);
            }),
        }
    }
}

fn write_all<T>(
    [open, close]: &[u8; 2],
    items: impl IntoIterator<Item = T>,
    into: &mut Vec<u8>,
    write: impl Fn(T, &mut Vec<u8>),
) {
    into.push(*open);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            into.push(b',');
        }
        write(item, into);
    }
    into.push(*close);
}

/// Bytes that are no control characters stay as they are, whether or not they are UTF-8.
fn write_string(text: &[u8], into: &mut Vec<u8>) {
    into.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' => into.extend([b'\\', *byte]),
            0..0x20 => into.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => into.push(*byte),
        }
    }
    into.push(b'"');
}
