//! What can be wrong with the bytes of a client.

use std::borrow::Cow;
use std::fmt;

/// Why a connection must be closed. The requests before the offending bytes are to be executed and
/// answered first, nothing after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    InvalidMultibulkLength,
    InvalidBulkLength,
    /// Another byte stands where an argument's `$` belongs.
    ExpectedDollar(u8),
    TooBigMultibulkCount,
    TooBigBulkCount,
    TooBigInline,
    UnbalancedQuotes,
    UnauthenticatedMultibulkLength,
    UnauthenticatedBulkLength,
    /// A line of words, which the limits do not allow.
    InlineOff,
    /// The peer speaks another protocol, most likely because a browser or a proxy was tricked into
    /// connecting. Log it (at a bounded rate) and close without an answer.
    CrossProtocol(Foreign),
}

/// A protocol that is not RESP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    Http,
    Tls,
    Ssh,
}

impl ProtocolError {
    /// The error's text as Redis words it, to be sent after `-ERR `; nothing for a foreign protocol,
    /// which gets no answer. Bytes, because the byte that was found is shown as it is.
    pub fn message(&self) -> Option<Cow<'static, [u8]>> {
        let text: &'static str = match self {
            Self::InvalidMultibulkLength => "Protocol error: invalid multibulk length",
            Self::InvalidBulkLength => "Protocol error: invalid bulk length",
            Self::ExpectedDollar(found) => {
                let mut text = b"Protocol error: expected '$', got '".to_vec();
                text.extend_from_slice(&[*found, b'\'']);
                return Some(Cow::Owned(text));
            }
            Self::TooBigMultibulkCount => "Protocol error: too big mbulk count string",
            Self::TooBigBulkCount => "Protocol error: too big bulk count string",
            Self::TooBigInline => "Protocol error: too big inline request",
            Self::UnbalancedQuotes => "Protocol error: unbalanced quotes in request",
            Self::UnauthenticatedMultibulkLength => {
                "Protocol error: unauthenticated multibulk length"
            }
            Self::UnauthenticatedBulkLength => "Protocol error: unauthenticated bulk length",
            Self::InlineOff => "Protocol error: inline requests are turned off",
            Self::CrossProtocol(_) => return None,
        };
        Some(Cow::Borrowed(text.as_bytes()))
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.message()) {
            (_, Some(text)) => f.write_str(&String::from_utf8_lossy(&text)),
            (Self::CrossProtocol(foreign), None) => write!(f, "not RESP but {foreign}"),
            (_, None) => f.write_str("protocol error"),
        }
    }
}

impl std::error::Error for ProtocolError {}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "HTTP",
            Self::Tls => "TLS",
            Self::Ssh => "SSH",
        })
    }
}
