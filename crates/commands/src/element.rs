//! Elements of collections in replies.

use resp::Reply;
use types::listpack::{Element, Raw};

/// Writes an element as a string.
#[inline]
pub(crate) fn reply_element(reply: &mut Reply, element: Element<'_>) {
    match element {
        Element::Int(value) => reply.bulk_integer(value),
        Element::Bytes(text) => reply.bulk(text),
        Element::Joined(start, rest) => {
            reply.bulk_joined([start, rest], [start.len(), rest.len()]);
        }
    }
}

/// As [`reply_element`], of one as it stands in its block.
#[inline]
pub(crate) fn reply_raw(reply: &mut Reply, element: Raw<'_>) {
    match element {
        Raw::Int(value) => reply.bulk_integer(value),
        Raw::Text(from, len) => reply.bulk_from(from, len),
        Raw::Joined(from, lens) => reply.bulk_joined(from, lens),
    }
}
