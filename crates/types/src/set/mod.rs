//! The set: distinct byte strings.
//!
//! A set has one of three shapes, under the thresholds and names of Redis:
//!
//! - *intset*: nothing but integers, up to `set-max-intset-entries` of them;
//! - *listpack*: up to `set-max-listpack-entries` members of `set-max-listpack-value` bytes;
//! - *hashtable*: a [`Dict`] of members without values, whose clone is O(1).
//!
//! The first two are packed. An intset that grows too large becomes a hashtable; one that is given
//! a text becomes a listpack if that holds them all. A set never goes back by itself.
//!
//! Members may expire; a set with such a member is a hashtable. Nothing expires by itself here: a
//! view hides what has expired for who looks, [`Collection::expire`] removes what is due.

mod combine;
pub(crate) mod persist;
#[cfg(test)]
mod tests;
mod view;

pub use crate::listpack::Element as Member;
pub use combine::{difference, intersect, intersection, union};
pub use view::{Iter, SetView};

use crate::Limits;
use crate::collection::{Collection, Type, View as _, any_ways};
use crate::dict::Dict;
use crate::intset::{self, IntSet};
use crate::lean::{self, Lean};
use crate::listpack::Digits;
use stdx::Rng;

/// The forms of packed sets.
const LIST: u8 = 0;
const INTSET: u8 = 1;

/// An intset has at most so many integers, whatever the configuration says.
const INTSET_MAX: usize = 1 << 30;

/// An owned set.
#[derive(Clone, Debug)]
pub struct Set(Shape);

#[derive(Clone, Debug)]
enum Shape {
    Ints(Vec<u8>),
    List(Lean),
    Large(Dict),
}

/// A foreign block that is no set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Default for Set {
    fn default() -> Self {
        Self(Shape::List(Lean::new()))
    }
}

impl Set {
    /// An empty intset: what unions and differences start with.
    pub fn ints() -> Self {
        Self(Shape::Ints(Vec::new()))
    }

    /// An empty hashtable.
    pub fn large(limits: &Limits) -> Self {
        Self(Shape::Large(Dict::new(limits.seed)))
    }

    /// An empty set for about `count` members, of which `first` is one.
    pub fn sized(first: Member<'_>, count: usize, limits: &Limits) -> Self {
        if first.as_i64().is_some() && count <= limits.set_intset_entries {
            Self::ints()
        } else if count <= limits.set_entries {
            Self::default()
        } else {
            Self::large(limits)
        }
    }

    /// A foreign intset, checked in full; made a hashtable if it has too many members.
    pub fn of_intset(bytes: &[u8], limits: &Limits) -> Result<Self, Malformed> {
        let mut set = Self(Shape::Ints(intset::of_redis(bytes).map_err(|_| Malformed)?));
        if set.view().len() > limits.set_intset_entries {
            set.enlarge(limits);
        }
        Ok(set)
    }

    /// Adds a member; whether it is new.
    pub fn add<'m>(&mut self, member: impl Into<Member<'m>>, limits: &Limits) -> bool {
        let member = member.into();
        match &mut self.0 {
            Shape::Large(dict) => dict.add(member.text(&mut Digits::default())),
            Shape::Ints(block) => match member.as_i64() {
                Some(value) => {
                    let is_new = intset::insert(block, value);
                    let max = limits.set_intset_entries.min(INTSET_MAX);
                    if is_new && IntSet::new(block).len() > max {
                        self.enlarge(limits);
                    }
                    is_new
                }
                None => {
                    self.leave_ints(member, limits);
                    self.add(member, limits)
                }
            },
            Shape::List(list) => {
                let mut digits = Digits::default();
                if list.view().find(member.text(&mut digits), 0).is_some() {
                    return false;
                }
                if list.len() < limits.set_entries && fits(list, member, limits) {
                    list.append(member);
                    return true;
                }
                self.enlarge(limits);
                self.add(member, limits)
            }
        }
    }

    /// What SADD does: as many [`Set::add`], with a shape chosen for all members at once. Returns
    /// how many are new.
    pub fn add_all(&mut self, members: &[&[u8]], limits: &Limits) -> usize {
        let Some(first) = members.first() else { return 0 };
        let count = members.len();
        let too_many = match &self.0 {
            _ if self.view().is_empty() => {
                *self = Self::sized((*first).into(), count, limits);
                false
            }
            Shape::Ints(_) => count > limits.set_intset_entries,
            Shape::List(_) => count > limits.set_entries,
            Shape::Large(_) => false,
        };
        if too_many {
            self.enlarge(limits);
        }
        members.iter().filter(|member| self.add(**member, limits)).count()
    }

    /// Takes a member away; whether it was there.
    pub fn remove<'m>(&mut self, member: impl Into<Member<'m>>) -> bool {
        let member = member.into();
        match &mut self.0 {
            Shape::Ints(block) => member.as_i64().is_some_and(|value| intset::remove(block, value)),
            Shape::List(list) => match list.view().find(member.text(&mut Digits::default()), 0) {
                Some(at) => list.delete(at, 1) == 1,
                None => false,
            },
            Shape::Large(dict) => dict.remove(member.text(&mut Digits::default())),
        }
    }

    /// Gives a member an expiry other than 0, or takes it away; `false` if there is no such member, or
    /// none to take away.
    pub fn set_expiry(&mut self, member: &[u8], expiry: Option<i64>, limits: &Limits) -> bool {
        let Some(old) = self.view().expiry(member) else { return false };
        if old.or(expiry).is_none() {
            return false;
        }
        if !matches!(self.0, Shape::Large(_)) {
            self.enlarge(limits);
        }
        if let Shape::Large(dict) = &mut self.0 {
            dict.insert(member, b"", expiry);
        }
        true
    }

    /// Adds a member that expires, or changes when it does; whether it is new.
    pub fn add_expiring(&mut self, member: &[u8], expiry: i64, limits: &Limits) -> bool {
        if !matches!(self.0, Shape::Large(_)) {
            self.enlarge(limits);
        }
        match &mut self.0 {
            Shape::Large(dict) => dict.insert(member, b"", Some(expiry)),
            Shape::Ints(_) | Shape::List(_) => false,
        }
    }

    /// Takes a member at random away.
    pub fn pop(&mut self, rng: &mut Rng) -> Option<Vec<u8>> {
        let member = self.view().random(rng)?.to_vec();
        self.remove(member.as_slice());
        Some(member)
    }

    /// Takes `count` members at random away, all if there are no more.
    pub fn pop_many(&mut self, count: usize, rng: &mut Rng) -> Vec<Vec<u8>> {
        let mut popped = Vec::with_capacity(count.min(self.view().len()));
        self.view().sample(count, rng, |member| popped.push(member.to_vec()));
        if let Shape::Large(dict) = &mut self.0 {
            for member in &popped {
                dict.remove(member);
            }
            return popped;
        }
        // Those sampled come in the order of the set: one pass leaves out all of them.
        let mut gone = popped.iter().peekable();
        let view = self.view();
        let kept =
            view.iter().filter(|member| gone.next_if(|gone| member.eq_bytes(gone)).is_none());
        let left = match view {
            SetView::Ints(_) => {
                let kept: Vec<i64> = kept.filter_map(Member::as_i64).collect();
                Shape::Ints(intset::block_of(kept.into_iter()))
            }
            _ => {
                let mut list = Lean::new();
                kept.for_each(|member| list.append(member));
                Shape::List(list)
            }
        };
        self.0 = left;
        popped
    }

    /// Makes it an intset if there are not too many members, all of which are integers.
    fn narrow(&mut self, limits: &Limits) {
        let max = limits.set_intset_entries.min(INTSET_MAX);
        if matches!(self.0, Shape::Ints(_)) || self.view().len() > max {
            return;
        }
        let mut values: Vec<i64> = self.view().iter().filter_map(Member::as_i64).collect();
        values.sort_unstable();
        self.0 = Shape::Ints(intset::block_of(values.into_iter()));
    }

    /// Makes an intset what holds it and `member`, which is no integer: a listpack, or else a
    /// hashtable.
    fn leave_ints(&mut self, member: Member<'_>, limits: &Limits) {
        let SetView::Ints(ints) = self.view() else { return };
        let mut list = Lean::new();
        ints.iter().for_each(|value| list.append(value));
        let ends = [ints.get(0), ints.len().checked_sub(1).and_then(|last| ints.get(last))];
        let longest = ends.iter().flatten().map(|value| stdx::num::decimal_len(*value)).max();
        let small = ints.len() < limits.set_entries
            && longest.unwrap_or(0) <= limits.set_value_bytes
            && fits(&list, member, limits);
        if small {
            self.0 = Shape::List(list);
        } else {
            self.enlarge(limits);
        }
    }

    /// Makes it a hashtable.
    fn enlarge(&mut self, limits: &Limits) {
        let mut dict = Dict::new(limits.seed);
        let mut digits = Digits::default();
        for member in self.view().iter() {
            dict.add(member.text(&mut digits));
        }
        self.0 = Shape::Large(dict);
    }
}

/// Whether `member` may be put into a listpack, as far as its length goes.
fn fits(list: &Lean, member: Member<'_>, limits: &Limits) -> bool {
    let len = member.len();
    len <= limits.set_value_bytes && list.has_room(len)
}

impl Collection for Set {
    const TYPE: Type = Type::Set;
    type View<'a> = SetView<'a>;

    any_ways!(Set);

    fn view(&self) -> SetView<'_> {
        match &self.0 {
            Shape::Ints(block) => SetView::Ints(IntSet::new(block)),
            Shape::List(list) => SetView::List(list.view()),
            Shape::Large(dict) => SetView::Large(view::Large::of(dict)),
        }
    }

    fn view_packed(form: u8, bytes: &[u8]) -> SetView<'_> {
        match form {
            INTSET => SetView::Ints(IntSet::new(bytes)),
            _ => SetView::List(lean::View::of(bytes)),
        }
    }

    fn from_packed(form: u8, bytes: Vec<u8>) -> Self {
        Self(match form {
            INTSET => Shape::Ints(bytes),
            _ => Shape::List(Lean::from_bytes(bytes)),
        })
    }

    fn as_packed(&self) -> Option<(u8, &[u8])> {
        match &self.0 {
            Shape::Ints(block) => Some((INTSET, block)),
            Shape::List(list) => Some((LIST, list.as_bytes())),
            Shape::Large(_) => None,
        }
    }

    fn into_packed(self) -> Result<(u8, Vec<u8>), Self> {
        match self.0 {
            Shape::Ints(block) => Ok((INTSET, block)),
            Shape::List(list) => Ok((LIST, list.into_bytes())),
            large @ Shape::Large(_) => Err(Self(large)),
        }
    }

    fn prefetch(&self, names: &[&[u8]]) {
        if let Shape::Large(dict) = &self.0 {
            dict.prefetch(names);
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.0 {
            Shape::Ints(block) => block.capacity(),
            Shape::List(list) => list.heap_bytes(),
            Shape::Large(dict) => dict.heap_bytes(),
        }
    }

    fn expire(&mut self, horizon: i64, budget: usize, gone: &mut dyn FnMut(&[u8])) -> usize {
        match &mut self.0 {
            Shape::Ints(_) | Shape::List(_) => 0,
            Shape::Large(dict) => dict.expire(horizon, budget, |record| gone(record.key)),
        }
    }

    fn expire_element(&mut self, horizon: i64, name: &[u8]) -> bool {
        let expiry = self.view().expiry(name).flatten();
        expiry.is_some_and(|at| at <= horizon) && self.remove(name)
    }
}
