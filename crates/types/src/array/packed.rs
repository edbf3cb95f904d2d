//! The packed shape: a lean block of the cursor, then indexes and elements in turn, in order.
//!
//! Indexes are written as the `i64` of the same bits, so that small ones take a byte. No cursor is
//! -1, which is no index.

use crate::lean::{Iter, Lean, Pos, View};
use crate::listpack::Element;

/// What stands for no cursor.
const NONE: i64 = -1;

fn number(element: Option<Element<'_>>) -> Option<u64> {
    element.and_then(Element::as_i64).map(|number| number as u64)
}

/// Number of elements.
pub(super) fn len(view: View<'_>) -> usize {
    view.len() / 2
}

pub(super) fn cursor(view: View<'_>) -> Option<u64> {
    number(view.iter().next()).filter(|cursor| *cursor != NONE as u64)
}

/// Sets the cursor of a block that is not empty.
pub(super) fn set_cursor(pack: &mut Lean, cursor: Option<u64>) {
    let start = pack.view().start();
    pack.replace(start, cursor.map_or(NONE, |cursor| cursor as i64));
}

/// Elements with their indexes, in order.
#[derive(Clone, Debug)]
pub(super) struct Pairs<'a>(Iter<'a>);

pub(super) fn pairs(view: View<'_>) -> Pairs<'_> {
    let mut iter = view.iter();
    iter.next();
    Pairs(iter)
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (u64, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let index = number(self.0.next())?;
        Some((index, self.0.next()?))
    }
}

/// The place of the element of `index`, or where it belongs.
fn find(view: View<'_>, index: u64) -> Result<Pos, Pos> {
    let mut iter = view.iter();
    iter.next();
    loop {
        let at = view.place_of(&iter);
        match number(iter.next()) {
            Some(other) if other < index => {
                iter.nth(0);
            }
            Some(other) if other == index => return Ok(at),
            _ => return Err(at),
        }
    }
}

/// Puts an element in; answers whether there was none of `index`.
pub(super) fn set(pack: &mut Lean, index: u64, text: &[u8]) -> bool {
    if pack.is_empty() {
        pack.append(NONE);
    }
    match find(pack.view(), index) {
        Ok(at) => {
            let at = pack.view().after(at);
            pack.replace(at, text);
            false
        }
        Err(at) => {
            pack.insert_before(at, index as i64);
            pack.insert_after(at, text);
            true
        }
    }
}

/// Takes out the elements of these indexes; answers how many. With the last one the cursor goes.
pub(super) fn remove(pack: &mut Lean, low: u64, high: u64) -> usize {
    if pack.is_empty() {
        return 0;
    }
    let (Ok(at) | Err(at)) = find(pack.view(), low);
    let gone = pairs(pack.view()).filter(|(index, _)| (low..=high).contains(index)).count();
    pack.delete(at, 2 * gone);
    if len(pack.view()) == 0 {
        *pack = Lean::new();
    }
    gone
}
