//! Elements of collections in replies.

use resp::Reply;
use types::listpack::Element;

/// Writes an element as a string.
#[inline]
pub(crate) fn reply_element(reply: &mut Reply, element: Element<'_>) {
    match element {
        Element::Int(value) => reply.bulk_integer(value),
        Element::Bytes(text) => reply.bulk(text),
        Element::Joined(start, rest) => reply.bulk_joined(start, rest),
    }
}
