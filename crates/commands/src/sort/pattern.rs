//! The patterns of BY and GET: `weight_*`, `object_*->field`, `#`.

use command::{Cx, KeyFlags};
use types::hash::Hash;
use types::listpack::{Digits, Element};

/// What a pattern makes of an element.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// `#`: the element.
    Itself,
    /// No `*`: nothing.
    Nothing,
    Key(Names<'a>),
}

/// The name of a key around the element, and of a field in the hash there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names<'a> {
    before: &'a [u8],
    after: &'a [u8],
    field: Option<&'a [u8]>,
}

impl<'a> Pattern<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Self::Itself;
        }
        let Some(star) = text.iter().position(|&byte| byte == b'*') else { return Self::Nothing };
        let (before, after) = (&text[..star], &text[star + 1..]);
        // An arrow with nothing behind it belongs to the key.
        let arrow = after.windows(2).position(|pair| pair == b"->");
        let (after, field) = match arrow.map(|at| (&after[..at], &after[at + 2..])) {
            Some((after, field)) if !field.is_empty() => (after, Some(field)),
            _ => (after, None),
        };
        Self::Key(Names { before, after, field })
    }
}

impl Names<'_> {
    /// Calls `then` with the string, or the field of the hash, that is there. `None` if there is
    /// none. The caller holds all shards.
    pub(super) fn look_up<R>(
        &self,
        cx: &mut Cx<'_>,
        element: Element<'_>,
        then: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        let mut digits = Digits::default();
        let name = [self.before, element.text(&mut digits), self.after].concat();
        let key = cx.space.key(&name, KeyFlags::RO.or(KeyFlags::ACCESS).0);
        let Some(field) = self.field else {
            let value = cx.db.string(&key).ok()??;
            return Some(then(value.text(&mut Vec::new())));
        };
        let horizon_ms = cx.db.horizon_ms();
        let hash = cx.db.read::<Hash>(&key).ok()??;
        let found = hash.at(horizon_ms).get(field)?;
        Some(then(found.value.text(&mut digits)))
    }
}
