//! Intersections, unions and differences. A missing key is `None` and counts as an empty set.

use super::{Member, Set, SetView, Shape};
use crate::Limits;
use crate::collection::{Collection as _, View as _};

/// Visits the members that all sets have, until `visit` says to stop. Walks the smallest set.
pub fn intersect<'a>(sets: &[Option<SetView<'a>>], mut visit: impl FnMut(Member<'a>) -> bool) {
    let Some(mut sets) = sets.iter().copied().collect::<Option<Vec<_>>>() else { return };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in smallest.iter() {
        if others.iter().all(|set| set.contains(member)) && !visit(member) {
            return;
        }
    }
}

/// The members that all sets have, in the shape that SINTERSTORE gives them.
pub fn intersection(sets: &[Option<SetView<'_>>], limits: &Limits) -> Set {
    let smallest =
        sets.iter().copied().map(|set| set.map_or((0, None), |set| (set.len(), Some(set))));
    let mut common = match smallest.min_by_key(|(len, _)| *len) {
        Some((_, Some(SetView::Ints(_)))) => Set::ints(),
        _ => Set::default(),
    };
    let mut integers = true;
    intersect(sets, |member| {
        integers &= member.as_i64().is_some();
        common.add(member, limits);
        true
    });
    if integers {
        common.narrow(limits);
    }
    common
}

/// The members that any set has, collected in `start`, which is empty.
pub fn union(sets: &[Option<SetView<'_>>], start: Set, limits: &Limits) -> Set {
    let mut all = start;
    for member in sets.iter().flatten().flat_map(|set| set.iter()) {
        all.add(member, limits);
    }
    all
}

/// The members that the first set has and no other, collected in `start`, which is empty.
///
/// Either each member of the first set is looked up in the others, or all their members are taken
/// away from a copy of the first: whichever is less work.
pub fn difference(sets: &[Option<SetView<'_>>], start: Set, limits: &Limits) -> Set {
    let Some((Some(first), others)) = sets.split_first() else { return start };
    let mut others: Vec<SetView<'_>> = others.iter().flatten().copied().collect();
    let mut left = start;
    // Looking up has advantages: it stops at the first set that has the member.
    let by_lookup = first.len() * (others.len() + 1) / 2;
    let by_removal = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    if by_lookup <= by_removal {
        // The largest set is the likeliest to have it.
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        for member in first.iter().filter(|member| !others.iter().any(|set| set.contains(*member)))
        {
            left.add(member, limits);
        }
        return left;
    }
    first.iter().for_each(|member| {
        left.add(member, limits);
    });
    for other in others {
        if left.view().is_empty() {
            break;
        }
        other.iter().for_each(|member| {
            left.remove(member);
        });
    }
    left
}

impl Set {
    /// What SUNION and SDIFF collect their answer in: found fast, its shape does not matter.
    pub fn collector(sets: &[Option<SetView<'_>>], limits: &Limits) -> Self {
        let ints = sets.iter().flatten().all(|set| matches!(set, SetView::Ints(_)));
        if ints { Self::ints() } else { Self(Shape::Large(crate::dict::Dict::new(limits.seed))) }
    }
}
