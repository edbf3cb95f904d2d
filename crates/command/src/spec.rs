//! Key specifications: where the keys of a request stand and what the command does to them.
//!
//! Locks, ACL, cluster and tracking all stand on the key list that these yield, so that what is
//! checked and what is executed cannot differ. The model (begin search, find keys, flags) is that
//! of Redis's COMMAND INFO, field 8.

use crate::CommandError;

/// Where the first key of a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this argument (the command's name is argument 0).
    Index(u32),
    /// After this word, looked for from the argument `start_from` on (from the end when negative).
    Keyword(&'static str, i32),
    /// The same from the front, from the argument `first` on, past these options and as many words
    /// behind each: what they are given may look like the word. COMMAND INFO says `start_from`.
    Behind {
        word: &'static str,
        start_from: i32,
        first: usize,
        options: &'static [(&'static str, usize)],
    },
    /// Anywhere: [`FindKeys::Custom`] knows.
    Unknown,
}

/// How far the group goes.
#[derive(Clone, Copy, Debug)]
pub enum FindKeys {
    /// From the first to `last` (relative to the first; negative: from the end of the request),
    /// every `step` arguments; `limit` divides what remains (2: its first half) when `last` is -1.
    Range { last: i32, step: u32, limit: u32 },
    /// The argument `number_at` after the first position holds the count; the keys begin at
    /// `first` after the first position, `step` apart.
    Counted { number_at: u32, first: u32, step: u32 },
    /// The one key, if any, is the argument that this function finds; COMMAND INFO calls it unknown.
    Custom(fn(args: &[&[u8]]) -> Option<usize>),
}

/// What the command does to a key: one access word and any number of effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct KeyFlags(pub u16);

impl KeyFlags {
    /// Reads and writes the value.
    pub const RW: Self = Self(1);
    /// Only reads.
    pub const RO: Self = Self(2);
    /// Overwrites without looking at what was there.
    pub const OW: Self = Self(4);
    /// Deletes the key.
    pub const RM: Self = Self(8);
    /// Returns, copies or uses the user data of the value.
    pub const ACCESS: Self = Self(16);
    /// Changes data of the value, and may depend on what is there.
    pub const UPDATE: Self = Self(32);
    /// Adds data, never changes or deletes what is there.
    pub const INSERT: Self = Self(64);
    /// Deletes some or all of the value.
    pub const DELETE: Self = Self(128);
    /// Is no key, but is routed like one.
    pub const NOT_KEY: Self = Self(256);
    /// The specification does not find all keys.
    pub const INCOMPLETE: Self = Self(512);
    /// The flags depend on the request: see [`KeySpec::refine`].
    pub const VARIABLE: Self = Self(1024);

    /// Both sets.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// `self` less what is in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is in `self`.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the key may be changed.
    pub const fn writes(self) -> bool {
        self.0 & (Self::RW.0 | Self::OW.0 | Self::RM.0) != 0
    }

    /// The words of COMMAND INFO and COMMAND GETKEYSANDFLAGS, in Redis's order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        const WORDS: [&str; 11] = [
            "RW",
            "RO",
            "OW",
            "RM",
            "access",
            "update",
            "insert",
            "delete",
            "not_key",
            "incomplete",
            "variable_flags",
        ];
        WORDS
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 & (1 << bit) != 0)
            .map(|(_, w)| w)
    }
}

/// Narrows variable flags for one request.
pub type Refine = fn(args: &[&[u8]]) -> KeyFlags;

/// Whether a specification is for a request.
pub type When = fn(args: &[&[u8]]) -> bool;

/// One group of keys of a command.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    pub begin: BeginSearch,
    pub find: FindKeys,
    pub flags: KeyFlags,
    /// Present exactly when `flags` has VARIABLE: the flags of this request.
    pub refine: Option<Refine>,
    /// Requests that it is for; `None`: all.
    pub when: Option<When>,
    /// The key is what stands before the first of these bytes, not the whole word.
    pub until: Option<u8>,
    pub notes: &'static str,
}

impl KeySpec {
    /// One key at argument `index`.
    pub const fn at(index: u32, flags: KeyFlags) -> Self {
        Self {
            begin: BeginSearch::Index(index),
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags,
            refine: None,
            when: None,
            until: None,
            notes: "",
        }
    }

    /// All arguments from `index` to the last, every `step`.
    pub const fn from(index: u32, step: u32, flags: KeyFlags) -> Self {
        Self {
            begin: BeginSearch::Index(index),
            find: FindKeys::Range { last: -1, step, limit: 0 },
            flags,
            refine: None,
            when: None,
            until: None,
            notes: "",
        }
    }

    /// The arguments from `index` to `last` behind it.
    pub const fn range(index: u32, last: i32, flags: KeyFlags) -> Self {
        Self {
            begin: BeginSearch::Index(index),
            find: FindKeys::Range { last, step: 1, limit: 0 },
            flags,
            refine: None,
            when: None,
            until: None,
            notes: "",
        }
    }

    /// A count at argument `index`, followed by that many keys, `step` apart.
    pub const fn counted(index: u32, step: u32, flags: KeyFlags) -> Self {
        Self {
            begin: BeginSearch::Index(index),
            find: FindKeys::Counted { number_at: 0, first: 1, step },
            flags,
            refine: None,
            when: None,
            until: None,
            notes: "",
        }
    }

    /// A key that `find` finds, or none.
    pub const fn custom(find: fn(args: &[&[u8]]) -> Option<usize>, flags: KeyFlags) -> Self {
        Self {
            begin: BeginSearch::Unknown,
            find: FindKeys::Custom(find),
            flags,
            refine: None,
            when: None,
            until: None,
            notes: "",
        }
    }

    /// The key after the first `word` from the argument `start` on.
    pub const fn after(word: &'static str, start: i32, flags: KeyFlags) -> Self {
        Self {
            begin: BeginSearch::Keyword(word, start),
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags,
            refine: None,
            when: None,
            until: None,
            notes: "",
        }
    }

    /// The same, with flags that depend on the request.
    #[must_use]
    pub const fn refined(mut self, refine: Refine) -> Self {
        self.flags = self.flags.or(KeyFlags::VARIABLE);
        self.refine = Some(refine);
        self
    }

    /// The same, for those requests only.
    #[must_use]
    pub const fn when(mut self, when: When) -> Self {
        self.when = Some(when);
        self
    }

    /// The same, of words that a key is the beginning of: up to the first `byte`.
    #[must_use]
    pub const fn until(mut self, byte: u8) -> Self {
        self.until = Some(byte);
        self
    }

    /// The key that `word` names.
    pub fn key_in<'a>(&self, word: &'a [u8]) -> &'a [u8] {
        let end = self.until.and_then(|end| word.iter().position(|byte| *byte == end));
        &word[..end.unwrap_or(word.len())]
    }

    /// The same, with a remark for COMMAND INFO.
    #[must_use]
    pub const fn notes(mut self, notes: &'static str) -> Self {
        self.notes = notes;
        self
    }

    /// The position of the key if there is exactly one, a whole word at a fixed place, with fixed flags. The
    /// row's arity sees to it that the argument is there.
    #[inline]
    pub fn single(&self) -> Option<usize> {
        match (self.begin, self.find, self.refine) {
            (BeginSearch::Index(at), FindKeys::Range { last: 0, .. }, None)
                if self.when.is_none()
                    && self.until.is_none()
                    && !self.flags.has(KeyFlags::NOT_KEY) =>
            {
                Some(at as usize)
            }
            _ => None,
        }
    }

    /// Calls `found(argument, flags)` for each key of the request. An impossible count or a
    /// position past the end is an error: such a request has no key list.
    pub fn each(
        &self,
        args: &[&[u8]],
        mut found: impl FnMut(usize, KeyFlags),
    ) -> Result<(), CommandError> {
        if self.when.is_some_and(|when| !when(args)) {
            return Ok(());
        }
        let flags = self.refine.map_or(self.flags, |refine| refine(args));
        if let FindKeys::Custom(find) = self.find {
            find(args).into_iter().for_each(|at| found(at, flags));
            return Ok(());
        }
        let Some(first) = self.first(args) else { return Ok(()) };
        match self.find {
            FindKeys::Custom(_) => {}
            FindKeys::Range { last, step, limit } => {
                let end = args.len() as i64 - 1;
                let mut until = if last >= 0 {
                    first as i64 + i64::from(last)
                } else {
                    end + 1 + i64::from(last)
                };
                if last == -1 && limit > 1 {
                    until = first as i64 + (end - first as i64 + 1) / i64::from(limit) - 1;
                }
                // A range up to the end may be empty: PFMERGE needs no source.
                if last < 0 && first as i64 == end + 1 {
                    return Ok(());
                }
                if first as i64 > end || until > end {
                    return Err(CommandError::InvalidKeyArguments);
                }
                let mut at = first;
                while (at as i64) <= until {
                    found(at, flags);
                    at += step.max(1) as usize;
                }
            }
            FindKeys::Counted { number_at, first: offset, step } => {
                let number = args
                    .get(first + number_at as usize)
                    .and_then(|text| stdx::num::parse_i64(text))
                    .and_then(|n| usize::try_from(n).ok())
                    .ok_or(CommandError::InvalidKeyArguments)?;
                let begin = first + offset as usize;
                let step = step.max(1) as usize;
                let past = number.checked_mul(step).and_then(|n| n.checked_add(begin));
                if number > 0 && past.is_none_or(|past| past - step >= args.len()) {
                    return Err(CommandError::InvalidKeyArguments);
                }
                (0..number).for_each(|i| found(begin + i * step, flags));
            }
        }
        Ok(())
    }

    fn first(&self, args: &[&[u8]]) -> Option<usize> {
        match self.begin {
            BeginSearch::Unknown => None,
            BeginSearch::Index(index) => Some(index as usize),
            BeginSearch::Behind { word, first, options, .. } => {
                let mut at = first;
                while at + 1 < args.len() {
                    let is = |name: &str| args[at].eq_ignore_ascii_case(name.as_bytes());
                    if is(word) {
                        return Some(at + 1);
                    }
                    let option = options.iter().find(|(name, _)| is(name));
                    at += 1 + option.map_or(0, |(_, words)| *words);
                }
                None
            }
            BeginSearch::Keyword(word, start) => {
                let is = |at: &usize| args[*at].eq_ignore_ascii_case(word.as_bytes());
                // The last word is no keyword: nothing comes after it.
                if start >= 0 {
                    (start as usize..args.len().saturating_sub(1)).find(is).map(|at| at + 1)
                } else {
                    let from = args.len().checked_sub(start.unsigned_abs() as usize)?;
                    (1..=from).rev().find(is).map(|at| at + 1)
                }
            }
        }
    }
}
