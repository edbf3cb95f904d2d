//! Why bytes cannot be read.

use std::borrow::Cow;
use std::fmt;

/// What is wrong; where it is, the reader knows ([`crate::Reader::offset`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes end before what they announce.
    Truncated,
    /// They break a rule of their format.
    Corrupt(&'static str),
    /// They are well formed as far as one can tell, but hold what nobody here can keep.
    Unsupported(Cow<'static, str>),
    /// A value without elements, where such a key must not exist. Files of old servers have some,
    /// and a loader passes over them.
    EmptyKey,
    /// The source or the sink failed.
    Io(Cow<'static, str>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("unexpected end"),
            Self::Corrupt(what) => f.write_str(what),
            Self::Unsupported(what) | Self::Io(what) => f.write_str(what),
            Self::EmptyKey => f.write_str("a key without elements"),
        }
    }
}

impl std::error::Error for Error {}
