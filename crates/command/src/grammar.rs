//! The argument grammar of a row. COMMAND DOCS prints it, hints and docs derive from it, and the
//! generator of valid and near-valid requests walks it; so a grammar that disagrees with its
//! handler fails a test.

/// What an argument is.
#[derive(Clone, Copy, Debug)]
pub enum ArgumentKind {
    String,
    Integer,
    Double,
    /// A key, found by the row's key specification of this index.
    Key(u8),
    Pattern,
    UnixTime,
    /// Only the token.
    Token,
    /// Exactly one of these.
    OneOf(&'static [Argument]),
    /// All of these in order.
    Block(&'static [Argument]),
}

impl ArgumentKind {
    /// As COMMAND DOCS prints it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Key(_) => "key",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::Token => "pure-token",
            Self::OneOf(_) => "oneof",
            Self::Block(_) => "block",
        }
    }
}

/// One argument of a command.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    pub name: &'static str,
    pub kind: ArgumentKind,
    /// The literal word that comes first.
    pub token: Option<&'static str>,
    pub optional: bool,
    /// May repeat.
    pub multiple: bool,
    /// The token repeats with each.
    pub multiple_token: bool,
    pub since: &'static str,
    /// What hints print instead of the name.
    pub display: Option<&'static str>,
    /// Since when another form is better.
    pub deprecated: Option<&'static str>,
    /// Values the generator draws from besides its own, for arguments with a meaning of their own.
    pub samples: &'static [&'static str],
}

impl Argument {
    const fn new(name: &'static str, kind: ArgumentKind) -> Self {
        Self {
            name,
            kind,
            token: None,
            optional: false,
            multiple: false,
            multiple_token: false,
            since: "",
            display: None,
            deprecated: None,
            samples: &[],
        }
    }

    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// One or more.
    #[must_use]
    pub const fn many(mut self) -> Self {
        self.multiple = true;
        self
    }

    /// One or more, each after the token.
    #[must_use]
    pub const fn many_tokens(mut self) -> Self {
        self.multiple = true;
        self.multiple_token = true;
        self
    }

    #[must_use]
    pub const fn token(mut self, token: &'static str) -> Self {
        self.token = Some(token);
        self
    }

    #[must_use]
    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = version;
        self
    }

    #[must_use]
    pub const fn display(mut self, text: &'static str) -> Self {
        self.display = Some(text);
        self
    }

    #[must_use]
    pub const fn deprecated(mut self, version: &'static str) -> Self {
        self.deprecated = Some(version);
        self
    }

    #[must_use]
    pub const fn samples(mut self, samples: &'static [&'static str]) -> Self {
        self.samples = samples;
        self
    }
}

pub const fn string(name: &'static str) -> Argument {
    Argument::new(name, ArgumentKind::String)
}

pub const fn integer(name: &'static str) -> Argument {
    Argument::new(name, ArgumentKind::Integer)
}

pub const fn double(name: &'static str) -> Argument {
    Argument::new(name, ArgumentKind::Double)
}

/// A key of the row's first key specification.
pub const fn key(name: &'static str) -> Argument {
    Argument::new(name, ArgumentKind::Key(0))
}

/// A key of the row's key specification number `spec`.
pub const fn key_of(name: &'static str, spec: u8) -> Argument {
    Argument::new(name, ArgumentKind::Key(spec))
}

pub const fn pattern(name: &'static str) -> Argument {
    Argument::new(name, ArgumentKind::Pattern)
}

pub const fn unix_time(name: &'static str) -> Argument {
    Argument::new(name, ArgumentKind::UnixTime)
}

/// A word that stands for itself; its name is the word in lower case.
pub const fn word(name: &'static str, token: &'static str) -> Argument {
    Argument::new(name, ArgumentKind::Token).token(token)
}

pub const fn one_of(name: &'static str, choices: &'static [Argument]) -> Argument {
    Argument::new(name, ArgumentKind::OneOf(choices))
}

pub const fn block(name: &'static str, parts: &'static [Argument]) -> Argument {
    Argument::new(name, ArgumentKind::Block(parts))
}
