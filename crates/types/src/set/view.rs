//! Reading a set.

use super::{Member, Set, Shape};
use crate::collection::View;
use crate::dict::{self, Dict};
use crate::digest::{Digest, Kind};
use crate::intset::IntSet;
use crate::lean;
use crate::listpack::Digits;
use stdx::Rng;

/// A borrowed set of any shape.
#[derive(Clone, Copy, Debug)]
pub enum SetView<'a> {
    Ints(IntSet<'a>),
    List(lean::View<'a>),
    Large(&'a Dict),
}

impl<'a> SetView<'a> {
    /// An owned set of the same shape: O(1) if it is large.
    pub fn to_owned(self) -> Set {
        Set(match self {
            Self::Ints(ints) => Shape::Ints(ints.to_block()),
            Self::List(list) => Shape::List(list.to_lean()),
            Self::Large(dict) => Shape::Large(dict.clone()),
        })
    }

    pub fn contains<'m>(self, member: impl Into<Member<'m>>) -> bool {
        let member = member.into();
        match self {
            Self::Ints(ints) => member.as_i64().is_some_and(|value| ints.contains(value)),
            Self::List(list) => list.find(member.text(&mut Digits::default()), 0).is_some(),
            Self::Large(dict) => dict.contains(member.text(&mut Digits::default())),
        }
    }

    /// All members: integers ascending, those of a listpack in order of insertion, else in an
    /// order that means nothing.
    pub fn iter(self) -> Iter<'a> {
        match self {
            Self::Ints(ints) => Iter::Ints { ints, next: 0 },
            Self::List(list) => Iter::List(list.iter()),
            Self::Large(dict) => Iter::Large(dict.iter()),
        }
    }

    /// A member at random, each equally likely.
    pub fn random(self, rng: &mut Rng) -> Option<Member<'a>> {
        match self {
            Self::Ints(ints) => ints.random(rng).map(Member::Int),
            Self::List(list) if list.is_empty() => None,
            Self::List(list) => list.at(rng.index(list.len())),
            Self::Large(dict) => dict.random(rng).map(|record| Member::Bytes(record.key)),
        }
    }

    /// `min(count, len)` different members, each choice equally likely; those of a packed set in
    /// its order.
    pub fn sample(self, count: usize, rng: &mut Rng, mut visit: impl FnMut(Member<'_>)) {
        if let Self::Large(dict) = self {
            return dict.sample(count, rng, |record| visit(Member::Bytes(record.key)));
        }
        let mut left = self.len();
        let mut wanted = count.min(left);
        for member in self.iter() {
            if wanted == 0 {
                return;
            }
            if rng.index(left) < wanted {
                visit(member);
                wanted -= 1;
            }
            left -= 1;
        }
    }

    /// Visits members from `cursor` on (0: from the first), about `budget` of them, and returns the
    /// cursor of the next step, 0 at the end. A packed set is visited whole.
    pub fn scan(self, cursor: u64, budget: usize, mut visit: impl FnMut(Member<'_>)) -> u64 {
        if let Self::Large(dict) = self {
            return dict.scan(cursor, budget, |record| visit(Member::Bytes(record.key)));
        }
        self.iter().for_each(visit);
        0
    }
}

impl View for SetView<'_> {
    fn len(self) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::List(list) => list.len(),
            Self::Large(dict) => dict.len(),
        }
    }

    fn encoding(self) -> &'static str {
        match self {
            Self::Ints(_) => "intset",
            Self::List(_) => "listpack",
            Self::Large(_) => "hashtable",
        }
    }

    fn fold(self, digest: &mut Digest) {
        digest.mix_kind(Kind::Set);
        let mut digits = Digits::default();
        for member in self.iter() {
            digest.xor(member.text(&mut digits));
        }
    }
}

/// All members of a set.
#[derive(Clone)]
pub enum Iter<'a> {
    Ints { ints: IntSet<'a>, next: usize },
    List(lean::Iter<'a>),
    Large(dict::Iter<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        match self {
            Self::Ints { ints, next } => {
                let value = ints.get(*next)?;
                *next += 1;
                Some(Member::Int(value))
            }
            Self::List(list) => list.next(),
            Self::Large(dict) => dict.next().map(|record| Member::Bytes(record.key)),
        }
    }
}
