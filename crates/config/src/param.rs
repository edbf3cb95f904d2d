//! What a row of the list says about a parameter, and the words to write one.

use crate::value::Value;

/// Position of a parameter in [`crate::PARAMS`]. Valid for this build only; never stored or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamId(pub(crate) u16);

impl ParamId {
    /// The row behind this id.
    pub fn param(self) -> &'static Param {
        &crate::PARAMS[usize::from(self.0)]
    }

    /// Every parameter, in the order of the list (by theme).
    pub fn all() -> impl Iterator<Item = Self> {
        (0..crate::PARAMS.len()).filter_map(|index| u16::try_from(index).ok().map(Self))
    }
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Primary name: what CONFIG REWRITE writes.
    pub name: &'static str,
    /// Other names, equally good everywhere.
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    /// The default, as it would stand in a file.
    pub default: &'static str,
    pub flags: Flags,
    pub source: Source,
    pub effect: Effect,
    pub theme: Theme,
    /// One line for the manual and the sample configuration.
    pub summary: &'static str,
    /// What a value must be besides parseable.
    pub(crate) check: Option<Check>,
    /// A number outside these is accepted and taken as the nearer of the two.
    pub(crate) clamp: Option<(i128, i128)>,
}

/// Says why a parsed value is refused.
pub(crate) type Check = fn(&Value) -> Result<(), &'static str>;

/// What values a parameter takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A whole number from `min` to `max`, both included.
    Int { min: i128, max: i128, unit: Unit },
    /// One of some words. Words with one number are synonyms; the first is the one answered.
    Choice(&'static [(&'static str, u32)]),
    /// Several of some words, each a bit.
    Set(&'static [(&'static str, u32)]),
    /// Classes of keyspace events, a letter each.
    Events,
    /// A text; the empty one is a value like others.
    Text,
    /// A text that is absent when empty: CONFIG REWRITE then removes the line.
    Optional,
    /// Words, at most so many; one empty word means none.
    Words { max: usize },
    /// `host port`, or nothing.
    Primary,
    /// Pairs of seconds and changes.
    Save,
    /// Groups of class, hard limit, soft limit and soft seconds.
    OutputLimits,
    /// Three scores.
    OomScores,
    /// Percentiles between 0 and 100.
    Percentiles,
    /// A directive of files only, kept line by line for its owner, with so many arguments at least
    /// and at most.
    Lines { min: usize, max: usize },
}

/// What a number counts, which also says how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Percent,
    Seconds,
    Milliseconds,
    Microseconds,
    /// Times a second.
    Hertz,
    /// Bytes, written as a plain number only.
    Bytes,
    /// Bytes, written with or without a unit.
    Memory,
    /// Bytes, or `N%` of maxmemory, which is held as `-N`.
    MemoryOrPercent,
    /// A file mode in octal.
    Mode,
}

/// Properties of a parameter, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    pub const NONE: Self = Self(0);
    /// CONFIG SET refuses it.
    pub const IMMUTABLE: Self = Self(1);
    /// Its value is kept out of logs.
    pub const SENSITIVE: Self = Self(1 << 1);
    /// CONFIG GET names it only when asked for by its full name.
    pub const HIDDEN: Self = Self(1 << 2);
    /// CONFIG SET asks `enable-protected-configs`.
    pub const PROTECTED: Self = Self(1 << 3);
    /// CONFIG SET refuses it while a data set loads.
    pub const DENY_LOADING: Self = Self(1 << 4);
    /// Takes any number of arguments.
    pub const MULTI: Self = Self(1 << 5);
    /// CONFIG SET to the value it has applies it again (certificates are read anew).
    pub const VOLATILE: Self = Self(1 << 6);
    /// CONFIG REWRITE writes it even at its default.
    pub const ALWAYS_WRITTEN: Self = Self(1 << 7);
    /// A directive, not a parameter: CONFIG GET and SET do not know it.
    pub const FILE_ONLY: Self = Self(1 << 8);

    /// Whether all of `other` is in here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Whose parameter it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Both,
    Redis,
    Valkey,
    Almagre,
}

/// Whether setting it changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Applies,
    /// Known, kept and answered, and nothing else: why.
    None(&'static str),
}

/// The part of the server that a parameter belongs to; the manual's sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    General,
    Network,
    Security,
    Tls,
    Memory,
    Data,
    Persistence,
    Replication,
    Cluster,
    Observation,
    Testing,
}

impl Theme {
    /// In the order of the manual.
    pub const ALL: &'static [Self] = &[
        Self::General,
        Self::Network,
        Self::Security,
        Self::Tls,
        Self::Memory,
        Self::Data,
        Self::Persistence,
        Self::Replication,
        Self::Cluster,
        Self::Observation,
        Self::Testing,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::General => "General",
            Self::Network => "Network and clients",
            Self::Security => "Security",
            Self::Tls => "TLS",
            Self::Memory => "Memory and eviction",
            Self::Data => "Data types",
            Self::Persistence => "Persistence and durability",
            Self::Replication => "Replication",
            Self::Cluster => "Cluster",
            Self::Observation => "Logs, latency and events",
            Self::Testing => "For tests of the server itself",
        }
    }
}

/// Largest 32-bit number, where the peers keep an `int`.
pub(crate) const INT: i128 = i32::MAX as i128;
/// Largest unsigned 32-bit number.
pub(crate) const UINT: i128 = u32::MAX as i128;
/// Largest 64-bit number.
pub(crate) const LONG: i128 = i64::MAX as i128;
/// Largest unsigned 64-bit number.
pub(crate) const ULONG: i128 = u64::MAX as i128;

const fn row(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    summary: &'static str,
) -> Param {
    Param {
        name,
        aliases: &[],
        kind,
        default,
        flags: Flags::NONE,
        source: Source::Both,
        effect: Effect::Applies,
        theme: Theme::General,
        summary,
        check: None,
        clamp: None,
    }
}

pub(crate) const fn flag(
    name: &'static str,
    default: &'static str,
    summary: &'static str,
) -> Param {
    row(name, Kind::Bool, default, summary)
}

pub(crate) const fn int(
    name: &'static str,
    (min, max, unit): (i128, i128, Unit),
    default: &'static str,
    summary: &'static str,
) -> Param {
    row(name, Kind::Int { min, max, unit }, default, summary)
}

pub(crate) const fn choice(
    name: &'static str,
    words: &'static [(&'static str, u32)],
    default: &'static str,
    summary: &'static str,
) -> Param {
    row(name, Kind::Choice(words), default, summary)
}

pub(crate) const fn text(
    name: &'static str,
    default: &'static str,
    summary: &'static str,
) -> Param {
    row(name, Kind::Text, default, summary)
}

pub(crate) const fn optional(name: &'static str, summary: &'static str) -> Param {
    row(name, Kind::Optional, "", summary)
}

pub(crate) const fn events(name: &'static str, summary: &'static str) -> Param {
    row(name, Kind::Events, "\"\"", summary)
}

pub(crate) const fn list(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    summary: &'static str,
) -> Param {
    row(name, kind, default, summary).with(Flags::MULTI)
}

pub(crate) const fn directive(
    name: &'static str,
    min: usize,
    max: usize,
    summary: &'static str,
) -> Param {
    row(name, Kind::Lines { min, max }, "", summary)
        .with(Flags::MULTI)
        .with(Flags::FILE_ONLY)
        .with(Flags::IMMUTABLE)
}

impl Param {
    pub(crate) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(crate) const fn with(mut self, flags: Flags) -> Self {
        self.flags = self.flags.or(flags);
        self
    }

    pub(crate) const fn fixed(self) -> Self {
        self.with(Flags::IMMUTABLE)
    }

    pub(crate) const fn hidden(self) -> Self {
        self.with(Flags::HIDDEN)
    }

    pub(crate) const fn of(mut self, source: Source) -> Self {
        self.source = source;
        self
    }

    /// No effect here, and why.
    pub(crate) const fn idle(mut self, why: &'static str) -> Self {
        self.effect = Effect::None(why);
        self
    }

    pub(crate) const fn check(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }

    pub(crate) const fn clamp(mut self, least: i128, most: i128) -> Self {
        self.clamp = Some((least, most));
        self
    }

    pub(crate) const fn under(mut self, theme: Theme) -> Self {
        self.theme = theme;
        self
    }
}
