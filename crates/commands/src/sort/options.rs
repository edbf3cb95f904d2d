//! The options of SORT.

use super::pattern::Pattern;
use command::CommandError;
use std::ops::Range;

pub(super) struct Options<'a> {
    pub by: Option<Pattern<'a>>,
    /// BY names no key: the elements stay in their order.
    pub unsorted: bool,
    pub get: Vec<Pattern<'a>>,
    pub descending: bool,
    pub alpha: bool,
    pub stores: bool,
    offset: i64,
    /// Negative: all.
    count: i64,
}

impl<'a> Options<'a> {
    /// Reads what stands behind the key. `may_store`: whether STORE is known.
    pub(super) fn parse(words: &[&'a [u8]], may_store: bool) -> Result<Self, CommandError> {
        let mut options = Self {
            by: None,
            unsorted: false,
            get: Vec::new(),
            descending: false,
            alpha: false,
            stores: false,
            offset: 0,
            count: -1,
        };
        let mut rest = words.iter().copied();
        while let Some(option) = rest.next() {
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            if is("ASC") {
                options.descending = false;
            } else if is("DESC") {
                options.descending = true;
            } else if is("ALPHA") {
                options.alpha = true;
            } else if is("LIMIT") && rest.len() >= 2 {
                options.offset = integer(rest.next())?;
                options.count = integer(rest.next())?;
            } else if is("STORE") && may_store && rest.next().is_some() {
                options.stores = true;
            } else if is("BY")
                && let Some(word) = rest.next()
            {
                // Once unsorted, always unsorted: as the peers have it.
                options.unsorted |= !word.contains(&b'*');
                options.by = Some(Pattern::of(word));
            } else if is("GET")
                && let Some(word) = rest.next()
            {
                options.get.push(Pattern::of(word));
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// The same for a sort that looks at no key but its own; `None` if it does look at others.
    pub(super) fn alone(&self) -> Option<Options<'static>> {
        if matches!(self.by, Some(Pattern::Key(_))) {
            return None;
        }
        let own = |pattern: &Pattern<'_>| match pattern {
            Pattern::Itself => Some(Pattern::Itself),
            Pattern::Nothing => Some(Pattern::Nothing),
            Pattern::Key(_) => None,
        };
        Some(Options { by: None, get: self.get.iter().map(own).collect::<Option<_>>()?, ..*self })
    }

    /// Which of `len` elements are answered.
    pub(super) fn range(&self, len: usize) -> Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or(0).min(len);
        let end = match usize::try_from(self.count) {
            Ok(count) => start.saturating_add(count).min(len),
            Err(_) => len,
        };
        start..end
    }
}

fn integer(word: Option<&[u8]>) -> Result<i64, CommandError> {
    word.and_then(stdx::num::parse_i64).ok_or(CommandError::NotAnInteger)
}

/// Whether the request, name and key included, looks at keys that it does not name.
pub(super) fn reaches_others(words: &[&[u8]], may_store: bool) -> bool {
    let Ok(options) = Options::parse(words.get(2..).unwrap_or_default(), may_store) else {
        return false;
    };
    let names = |pattern: &Pattern<'_>| matches!(pattern, Pattern::Key(_));
    options.by.as_ref().is_some_and(names) || options.get.iter().any(names)
}

/// Where the key is that the last STORE names. Words that are no options are passed over, so that a
/// request that is refused has the key list that the peers see in it.
pub(super) fn store_at(words: &[&[u8]]) -> Option<usize> {
    let mut found = None;
    let mut at = 2;
    while let Some(word) = words.get(at) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("STORE") && at + 1 < words.len() {
            found = Some(at + 1);
        }
        at += match () {
            () if is("LIMIT") => 3,
            () if is("BY") || is("GET") => 2,
            () => 1,
        };
    }
    found
}
