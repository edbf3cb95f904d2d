//! The packed shape: a lean block of members and scores in turn, in order.

use std::cmp::Ordering;
use std::ops::Range;

use stdx::num;

use crate::lean::{Iter, Lean, Pos, View};
use crate::listpack::{Digits, Element};

/// Integers up to this are written as integers, as the peers do.
const INTEGER_MAX: f64 = (1_i64 << 62) as f64;

/// Calls `write` with the element that spells a score. A negative zero loses its sign.
fn spelled<R>(score: f64, write: impl FnOnce(Element<'_>) -> R) -> R {
    if score.abs() <= INTEGER_MAX && score.trunc() == score {
        return write(Element::Int(score as i64));
    }
    let mut text = Vec::with_capacity(24);
    num::write_f64_digits(&mut text, score);
    write(Element::Bytes(&text))
}

/// The score that an element spells; one that spells none (in a block from elsewhere) is 0.
fn score_of(element: Element<'_>) -> f64 {
    match element {
        Element::Int(score) => score as f64,
        text => num::parse_f64(text.text(&mut Digits::default())).unwrap_or(0.0),
    }
}

/// Reads an element and its score from the front.
#[inline]
fn pair<'a>(iter: &mut Iter<'a>) -> Option<(Element<'a>, f64)> {
    let member = iter.next()?;
    Some((member, score_of(iter.next()?)))
}

pub(super) fn len(view: View<'_>) -> usize {
    view.len() / 2
}

pub(super) fn score(view: View<'_>, member: &[u8]) -> Option<f64> {
    find(view, member).map(|(_, score)| score)
}

fn find(view: View<'_>, member: &[u8]) -> Option<(Pos, f64)> {
    let at = view.find(member, 1)?;
    Some((at, score_of(view.get(view.after(at)))))
}

pub(super) fn rank(view: View<'_>, member: &[u8]) -> Option<(usize, f64)> {
    let mut iter = view.iter();
    let mut rank = 0;
    while let Some((other, score)) = pair(&mut iter) {
        if other.eq_bytes(member) {
            return Some((rank, score));
        }
        rank += 1;
    }
    None
}

/// Number of elements before the first that `is_before` refuses.
pub(super) fn count_before(
    view: View<'_>,
    mut is_before: impl FnMut(f64, Element<'_>) -> bool,
) -> usize {
    let mut iter = view.iter();
    let mut count = 0;
    while let Some((member, score)) = pair(&mut iter) {
        if !is_before(score, member) {
            break;
        }
        count += 1;
    }
    count
}

/// Where an element that is not there belongs.
fn place(view: View<'_>, score: f64, member: &[u8]) -> Pos {
    let mut after = view.end();
    // From the end: new elements often have the greatest score.
    for at in view.places(view.start(), 2).into_iter().rev() {
        let other_score = score_of(view.get(view.after(at)));
        let order = other_score.partial_cmp(&score).unwrap_or(Ordering::Equal);
        if order.then_with(|| view.get(at).cmp_bytes(member)).is_lt() {
            break;
        }
        after = at;
    }
    after
}

/// Puts in an element that is not there yet.
pub(super) fn insert(pack: &mut Lean, score: f64, member: &[u8]) {
    let at = place(pack.view(), score, member);
    // The member first: what a block begins with is what its members share.
    pack.insert_before(at, member);
    spelled(score, |score| pack.insert_after(at, score));
}

/// As [`super::large::Large::upsert`], for members that are there, and to learn which are not.
pub(super) fn update(
    pack: &mut Lean,
    member: &[u8],
    decide: impl FnOnce(Option<f64>) -> Option<f64>,
) -> (Option<f64>, Option<f64>) {
    let found = find(pack.view(), member);
    let old = found.map(|(_, score)| score);
    let new = decide(old);
    if let (Some((at, old)), Some(new)) = (found, new)
        && old != new
    {
        pack.delete(at, 2);
        insert(pack, new, member);
    }
    (old, new)
}

pub(super) fn remove(pack: &mut Lean, member: &[u8]) -> Option<f64> {
    let (at, score) = find(pack.view(), member)?;
    pack.delete(at, 2);
    Some(score)
}

pub(super) fn remove_ranks(pack: &mut Lean, ranks: Range<usize>) {
    pack.delete_range(ranks.start * 2, ranks.len() * 2);
}

/// Puts an element at the end.
pub(super) fn append(pack: &mut Lean, score: f64, member: &[u8]) {
    pack.append(member);
    spelled(score, |score| pack.append(score));
}

/// Elements of a packed set, from both ends.
pub(super) struct PackedIter<'a> {
    view: View<'a>,
    iter: Iter<'a>,
    left: usize,
    /// The place of the first and the number of all.
    start: Pos,
    len: usize,
    /// The places of all but those taken from the end, once there are such.
    places: Option<Vec<Pos>>,
}

impl<'a> PackedIter<'a> {
    /// `ranks` are within the set.
    #[inline]
    pub(super) fn new(view: View<'a>, ranks: Range<usize>) -> Self {
        let start = view.seek(ranks.start * 2);
        let len = ranks.len();
        Self { view, iter: view.iter_from(start), left: len, start, len, places: None }
    }
}

impl<'a> Iterator for PackedIter<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        pair(&mut self.iter)
    }
}

impl DoubleEndedIterator for PackedIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let Self { view, start, len, .. } = *self;
        let places = self.places.get_or_insert_with(|| {
            let mut places = view.places(start, 2);
            places.truncate(len);
            places
        });
        pair(&mut view.iter_from(places.pop()?))
    }
}
